//! The ledger policy to edit, clause by clause: with what the rules in force know and the policy does not name yet.

use std::collections::BTreeSet;

use sealbook_ledger::action::ActionType;
use sealbook_ledger::incident::INCIDENTS;
use sealbook_ledger::policy::{ActionRule, Cadence, LedgerPolicy, Proposer, Role};
use sealbook_ledger::state::Founded;

use super::{ROTATING, forms, quorum};
use crate::http::problem::Problem;
use crate::pages::wording;

/// The ledger policy to edit.
pub(super) struct PolicyView {
    pub(super) json: String,
    pub(super) rules: Vec<RuleView>,
    pub(super) hardware_only: bool,
    pub(super) aaguids: String,
    /// How often what must come round, in days; none where the rules in force know no such thing.
    pub(super) cadence: Vec<Interval>,
}

/// An interval of the ledger policy.
pub(super) struct Interval {
    pub(super) name: &'static str,
    pub(super) label: &'static str,
    pub(super) bounds: (u16, u16),
    pub(super) days: u16,
}

/// Who proposes and approves one type.
pub(super) struct RuleView {
    pub(super) kind: &'static str,
    pub(super) title: &'static str,
    pub(super) summary: String,
    pub(super) proposers: Vec<(&'static str, String, bool)>,
    pub(super) seats: Vec<(&'static str, &'static str, u8)>,
}

impl PolicyView {
    pub(super) fn new(founded: &Founded) -> Result<Self, Problem> {
        let rules = founded.rules();
        let (policy, added) = completed(founded.policy(), deciding(founded), rules);
        // Recovery is as it is: the rules let no policy change it.
        let edited = policy.actions.iter().filter(|(kind, _)| **kind != ActionType::MemberRecover);
        let aaguids = policy.credentials.aaguids.iter().flatten().map(ToString::to_string);
        Ok(Self {
            json: serde_json::to_string(&policy).map_err(Problem::fault)?,
            rules: edited.map(|(kind, rule)| RuleView::new(*kind, rule, added.contains(kind))).collect(),
            hardware_only: policy.credentials.hardware_only,
            aaguids: aaguids.collect::<Vec<_>>().join("\n"),
            cadence: if rules >= ROTATING { intervals(policy.cadence(), rules) } else { Vec::new() },
        })
    }
}

/// A policy with the usual rule for each type that it does not name, and those types: nobody can propose them until the policy
/// says who may, which is so after an adoption of later rules.
fn completed(policy: &LedgerPolicy, people: usize, rules: u64) -> (LedgerPolicy, BTreeSet<ActionType>) {
    let mut policy = policy.clone();
    let mut added = BTreeSet::new();
    for (kind, rule) in LedgerPolicy::default_for(people, rules).actions {
        policy.actions.entry(kind).or_insert_with(|| {
            added.insert(kind);
            rule
        });
    }
    (policy, added)
}

/// How many people there are, recovery authenticators not counted.
fn deciding(founded: &Founded) -> usize {
    let members = founded.members().values().filter(|member| !member.removed);
    members.filter(|member| member.grants.iter().any(|grant| grant.role != Role::Recovery)).count()
}

/// The intervals that the rules in force know, with the bounds that they set them.
fn intervals(cadence: Cadence, rules: u64) -> Vec<Interval> {
    let interval = |name, label, bounds, days| Interval { name, label, bounds, days };
    let mut intervals = vec![
        interval(
            "rotation_days",
            "Longest that a slot goes on with one key (days)",
            (90, 3650),
            cadence.rotation_days,
        ),
        interval("ledger_key_days", "Ledger key replaced every (days)", (1, 1830), cadence.ledger_key_days),
        interval(
            "access_review_days",
            "Access to devices reviewed every (days)",
            (1, 366),
            cadence.access_review_days,
        ),
    ];
    if rules >= INCIDENTS {
        intervals.push(interval("drill_days", "Drill held every (days)", (1, 366), cadence.drill_days()));
    }
    intervals
}

impl RuleView {
    fn new(kind: ActionType, rule: &ActionRule, added: bool) -> Self {
        let roles = Role::ALL.into_iter().filter(|role| *role != Role::Recovery);
        let seats = |role: Role| {
            let clauses = rule.quorum.iter().filter(|clause| clause.role == role);
            (role.name(), wording::role(role), clauses.map(|clause| clause.count).sum())
        };
        let service = kind.concerns_signatures().then_some(Proposer::Service);
        let server = (kind == ActionType::KeyRotate).then_some(Proposer::System);
        let may = roles.clone().map(Proposer::Role).chain(service).chain(server);
        Self {
            kind: kind.name(),
            title: forms::form(kind).title,
            summary: match added {
                true => format!("not in the policy in force; {}", quorum(rule)),
                false => quorum(rule),
            },
            proposers: may
                .map(|one| (one.name(), one.name().replace('_', " "), rule.proposers.contains(&one)))
                .collect(),
            seats: roles.map(seats).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_later_rules_brought_stands_in_the_form_with_its_usual_rule() {
        let before = LedgerPolicy::default_for(3, 2);
        let (policy, added) = completed(&before, 3, 3);
        assert_eq!(added, BTreeSet::from([ActionType::CertificateRevoke, ActionType::KeyDestroy]));
        assert_eq!(policy.actions, LedgerPolicy::default_for(3, 3).actions);
        let (same, added) = completed(&policy, 3, 3);
        assert!(added.is_empty() && same == policy);
    }
}
