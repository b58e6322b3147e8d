//! How a ledger policy differs from the defaults, in words: what founders read before they sign it.

use sealbook_ledger::policy::{ActionRule, LedgerPolicy};

use super::sentence::list;

/// One sentence for each difference from the defaults of a ledger with this many founders; none where there is none.
pub fn deviations(policy: &LedgerPolicy, founders: usize) -> Vec<String> {
    let usual = LedgerPolicy::default_for(founders);
    let mut told = Vec::new();
    if policy.credentials.hardware_only {
        told.push("Only attested hardware authenticators that can't be backed up are accepted.".to_owned());
    }
    if let Some(makes) = &policy.credentials.aaguids {
        told.push(format!("Only authenticators of these makes are accepted: {}.", list(makes)));
    }
    for (kind, rule) in &policy.actions {
        let Some(default) = usual.actions.get(kind) else { continue };
        if rule.proposers != default.proposers {
            told.push(format!(
                "{kind} may be proposed by {}, by default by {}.",
                list(&rule.proposers),
                list(&default.proposers)
            ));
        }
        if rule.quorum != default.quorum {
            told.push(format!("{kind} takes {}, by default {}.", seats(rule), seats(default)));
        }
    }
    told
}

fn seats(rule: &ActionRule) -> String {
    list(rule.quorum.iter().map(|clause| format!("{} {}", clause.count, clause.role)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use sealbook_ledger::action::ActionType;
    use sealbook_ledger::policy::{Clause, Role};

    use super::*;

    #[test]
    fn the_defaults_deviate_in_nothing() {
        for founders in 2..=5 {
            assert!(deviations(&LedgerPolicy::default_for(founders), founders).is_empty());
        }
        // What is usual for two people is weak for three.
        assert!(!deviations(&LedgerPolicy::default_for(2), 3).is_empty());
    }

    #[test]
    fn credentials_proposers_and_seats_are_told_apart() {
        let mut policy = LedgerPolicy::default_for(3);
        policy.credentials.hardware_only = true;
        policy.credentials.aaguids =
            Some(BTreeSet::from(["ee882879-721c-4913-9775-3dfcce97072a".parse().unwrap()]));
        let rule = policy.actions.get_mut(&ActionType::SlotCreate).unwrap();
        rule.proposers = BTreeSet::from([Role::KeyOwner.into()]);
        rule.quorum = vec![Clause { count: 3, role: Role::Approver }];
        let told = deviations(&policy, 3);
        assert_eq!(told.len(), 4, "{told:?}");
        assert!(told[0].contains("hardware") && told[1].contains("ee882879-721c-4913-9775-3dfcce97072a"));
        assert!(told[2].starts_with("slot.create may be proposed by key_owner, by default by "));
        assert!(told[3].starts_with("slot.create takes 3 approver, by default "));
    }
}
