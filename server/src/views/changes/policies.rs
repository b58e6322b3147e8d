//! Policies, clause by clause: only what differs is a change.

use sealbook_ledger::action::ActionType;
use sealbook_ledger::policy::{ActionRule, Cadence, CredentialRules, LedgerPolicy, Release, SigningPolicy};

use super::{Change, days, list, words};

/// Two ledger policies.
pub(super) fn ledger(before: &LedgerPolicy, after: &LedgerPolicy) -> Vec<Change> {
    let mut rows = Vec::new();
    for kind in ActionType::ALL {
        let (now, then) = (before.actions.get(&kind), after.actions.get(&kind));
        compare(&mut rows, format!("Quorum of {kind}"), now.map(quorum), then.map(quorum));
        compare(&mut rows, format!("Who proposes {kind}"), now.map(proposers), then.map(proposers));
    }
    let (now, then) = (&before.credentials, &after.credentials);
    compare(&mut rows, "Authenticators that may be enrolled".to_owned(), Some(kinds(now)), Some(kinds(then)));
    compare(&mut rows, "Makes that may be enrolled".to_owned(), Some(makes(now)), Some(makes(then)));
    for (what, of) in CADENCE {
        compare(&mut rows, (*what).to_owned(), Some(of(&before.cadence())), Some(of(&after.cadence())));
    }
    if rows.is_empty() {
        let same = "the same policy; every open proposal is voided all the same";
        rows.push(Change::between("Ledger policy", "in force", same));
    } else {
        rows.push(Change::between(
            "Open proposals",
            "collect approvals",
            "void: they were made under the old policy",
        ));
    }
    rows
}

/// The intervals of a ledger policy, as people read them.
const CADENCE: &[ClauseText<Cadence>] = &[
    ("Longest that a slot goes on with one key", |cadence| days(cadence.rotation_days)),
    ("Ledger key replaced every", |cadence| days(cadence.ledger_key_days)),
    ("Access to devices reviewed every", |cadence| days(cadence.access_review_days)),
    ("Drill held every", |cadence| days(cadence.drill_days())),
];

/// Two signing policies of a slot, or a new one. Every clause is told, also one that stays: what is in force is the
/// server's word, and a clause left out as unchanged could be one that changes.
pub(super) fn signing(before: Option<&SigningPolicy>, after: &SigningPolicy) -> Vec<Change> {
    let row = |(what, of): &ClauseText<SigningPolicy>| Change {
        what: (*what).to_owned(),
        now: before.map(of),
        after: Some(of(after)),
    };
    CLAUSES.iter().map(row).collect()
}

/// A clause of a policy: what it is about, and how it reads.
pub(super) type ClauseText<P> = (&'static str, fn(&P) -> String);

/// The clauses of a signing policy, as people read them.
const CLAUSES: &[ClauseText<SigningPolicy>] = &[
    ("Who may ask for signatures", |policy| list(policy.callers.iter().map(name_of))),
    ("Environments that may be signed for", |policy| list(policy.environments.iter().map(name_of))),
    ("Environments where people approve each signature", |policy| list(policy.approval.iter().map(name_of))),
    ("What a caller says about an artifact", |policy| list(policy.artifact_fields.iter().map(name_of))),
    ("Signatures a minute", |policy| {
        policy.rate_per_minute.map_or_else(|| "no limit".to_owned(), |rate| format!("at most {rate}"))
    }),
    ("A signature leaves the server", |policy| match policy.release {
        Release::Durable => "once its event is recorded".to_owned(),
        Release::Sealed => "once a checkpoint covers its event".to_owned(),
    }),
];

fn compare(rows: &mut Vec<Change>, what: String, now: Option<String>, after: Option<String>) {
    if now != after {
        rows.push(Change { what, now, after });
    }
}

/// The seats of a rule: `2 × approver, 1 × security reviewer`.
pub(super) fn quorum(rule: &ActionRule) -> String {
    list(rule.quorum.iter().map(|clause| format!("{} × {}", clause.count, words(clause.role.name()))))
}

fn proposers(rule: &ActionRule) -> String {
    list(rule.proposers.iter().map(|proposer| words(proposer.name())))
}

fn kinds(rules: &CredentialRules) -> String {
    if rules.hardware_only { "attested hardware only".to_owned() } else { "any kind".to_owned() }
}

fn makes(rules: &CredentialRules) -> String {
    rules.aaguids.as_ref().map_or_else(|| "any make".to_owned(), list)
}

/// A unit variant's name as it is written in documents, in words.
pub(super) fn name_of<T: serde::Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(name)) => words(&name),
        // Every enum of a policy is a list of unit variants: those are texts.
        Ok(_) | Err(_) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use sealbook_ledger::policy::{Clause, Environment, Role};

    use super::*;

    #[test]
    fn only_what_differs_between_two_ledger_policies_is_a_change() {
        let before = LedgerPolicy::default_for(3, 1);
        let mut after = before.clone();
        after.credentials.hardware_only = true;
        let rule = after.actions.get_mut(&ActionType::SlotCreate).unwrap();
        rule.quorum = vec![Clause { count: 1, role: Role::SecurityReviewer }];
        let rows = ledger(&before, &after);
        let told: Vec<_> =
            rows.iter().map(|row| (row.what.as_str(), row.now.as_deref(), row.after.as_deref())).collect();
        assert_eq!(
            told[..2],
            [
                ("Quorum of slot.create", Some("2 × approver"), Some("1 × security reviewer")),
                ("Authenticators that may be enrolled", Some("any kind"), Some("attested hardware only")),
            ]
        );
        // The same policy again still voids what is open.
        assert_eq!((rows.len(), ledger(&before, &before).len()), (3, 1));
    }

    #[test]
    fn a_signing_policy_is_told_clause_by_clause_also_where_it_stays() {
        let before = SigningPolicy::default();
        let approval = BTreeSet::from([Environment::Production]);
        let after = SigningPolicy { approval, rate_per_minute: Some(60), ..before.clone() };
        let rows = signing(Some(&before), &after);
        assert_eq!(rows.len(), 6);
        let changing = rows.iter().filter(|row| row.now != row.after);
        let told: Vec<_> = changing.map(|row| (row.now.as_deref(), row.after.as_deref())).collect();
        assert_eq!(told, [(Some("none"), Some("production")), (Some("no limit"), Some("at most 60"))]);
        assert!(signing(None, &after).iter().all(|row| row.now.is_none()));
    }
}
