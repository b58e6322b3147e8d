//! How a ledger policy differs from the defaults, in words: what founders read before they sign it.

use sealbook_ledger::policy::{ActionRule, Cadence, LedgerPolicy};

use super::sentence::list;

/// One sentence for each difference from the defaults of a ledger with this many founders under a rules version; none
/// where there is none.
pub fn deviations(policy: &LedgerPolicy, founders: usize, rules: u64) -> Vec<String> {
    let usual = LedgerPolicy::default_for(founders, rules);
    let mut told = Vec::new();
    if policy.credentials.hardware_only {
        told.push("Only attested hardware authenticators that can't be backed up are accepted.".to_owned());
    }
    if let Some(makes) = &policy.credentials.aaguids {
        told.push(format!("Only authenticators of these makes are accepted: {}.", list(makes)));
    }
    told.extend(cadence(policy.cadence()));
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

fn cadence(cadence: Cadence) -> Vec<String> {
    let usual = Cadence::default();
    let intervals = [
        ("A slot may go on with one key for", cadence.rotation_days, usual.rotation_days),
        ("The ledger key is replaced every", cadence.ledger_key_days, usual.ledger_key_days),
        ("Who can reach a device is reviewed every", cadence.access_review_days, usual.access_review_days),
    ];
    let differing = intervals.into_iter().filter(|(_, days, usual)| days != usual);
    differing.map(|(what, days, usual)| format!("{what} {days} days, by default {usual}.")).collect()
}

fn seats(rule: &ActionRule) -> String {
    list(rule.quorum.iter().map(|clause| format!("{} {}", clause.count, clause.role)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use sealbook_ledger::action::ActionType;
    use sealbook_ledger::policy::{Clause, Role};
    use sealbook_ledger::state::RULES;

    use super::*;

    #[test]
    fn the_defaults_deviate_in_nothing() {
        for (founders, rules) in (2..=5).flat_map(|founders| [(founders, 1), (founders, RULES)]) {
            assert!(deviations(&LedgerPolicy::default_for(founders, rules), founders, rules).is_empty());
        }
        // What is usual for two people is weak for three.
        assert!(!deviations(&LedgerPolicy::default_for(2, RULES), 3, RULES).is_empty());
    }

    #[test]
    fn a_longer_interval_is_told() {
        let cadence = Some(Cadence { rotation_days: 365, ..Cadence::default() });
        let policy = LedgerPolicy { cadence, ..LedgerPolicy::default_for(3, RULES) };
        let told = deviations(&policy, 3, RULES);
        assert_eq!(told, ["A slot may go on with one key for 365 days, by default 90."]);
    }

    #[test]
    fn credentials_proposers_and_seats_are_told_apart() {
        let mut policy = LedgerPolicy::default_for(3, RULES);
        policy.credentials.hardware_only = true;
        policy.credentials.aaguids =
            Some(BTreeSet::from(["ee882879-721c-4913-9775-3dfcce97072a".parse().unwrap()]));
        let rule = policy.actions.get_mut(&ActionType::SlotCreate).unwrap();
        rule.proposers = BTreeSet::from([Role::KeyOwner.into()]);
        rule.quorum = vec![Clause { count: 3, role: Role::Approver }];
        let told = deviations(&policy, 3, RULES);
        assert_eq!(told.len(), 4, "{told:?}");
        assert!(told[0].contains("hardware") && told[1].contains("ee882879-721c-4913-9775-3dfcce97072a"));
        assert!(told[2].starts_with("slot.create may be proposed by key_owner, by default by "));
        assert!(told[3].starts_with("slot.create takes 3 approver, by default "));
    }
}
