//! Whose absence would block what.

use std::collections::BTreeSet;

use sealbook_ledger::action::{ActionType, Params, RoleGrantParams};
use sealbook_ledger::command::Containment;
use sealbook_ledger::policy::Role;

use crate::support::*;

fn blocked(ledger: &Ledger, person: usize) -> BTreeSet<ActionType> {
    let absence = ledger.now().absence(ledger.state.time().unwrap());
    absence.get(&ledger.people[person].id).map(|kinds| kinds.keys().copied().collect()).unwrap_or_default()
}

#[test]
fn with_three_who_decide_each_is_needed_for_two_approvals_beside_the_proposer() {
    let ledger = Ledger::founded(3);
    for person in 0..3 {
        let kinds = blocked(&ledger, person);
        assert!(kinds.contains(&ActionType::SlotCreate) && kinds.contains(&ActionType::MemberEnroll));
        // The proposal of a break-glass action fills a seat by itself: two are enough.
        assert!(!kinds.contains(&ActionType::KeyRevokeEmergency));
    }
    let absence = ledger.now().absence(ledger.state.time().unwrap());
    let mending = &absence[&ledger.people[0].id][&ActionType::SlotCreate];
    assert_eq!(mending, &BTreeSet::from([Role::Approver]));
}

#[test]
fn a_fourth_who_decides_makes_nobody_indispensable_until_one_is_suspended() {
    let mut ledger = Ledger::founded(4);
    assert!((0..4).all(|person| blocked(&ledger, person).is_empty()));
    let suspended = ledger.people[3].id;
    ledger.contain(0, Containment::Member(suspended)).unwrap();
    assert!(blocked(&ledger, 0).contains(&ActionType::SlotCreate));
    // Whoever is away already is not said to be needed.
    assert!(blocked(&ledger, 3).is_empty());
}

#[test]
fn a_delegation_that_ends_fills_no_seat() {
    let mut ledger = Ledger::founded(3);
    let auditor = ledger.enroll(&[Role::Auditor]);
    let member = ledger.people[auditor].id;
    let not_after = Some(ledger.state.time().unwrap().plus_seconds(86_400));
    let grant = |not_after| {
        Params::RoleGrant(RoleGrantParams { member, not_after, not_before: None, role: Role::Approver })
    };
    ledger.decree(grant(not_after));
    assert!(blocked(&ledger, 1).contains(&ActionType::SlotCreate));
    ledger.decree(grant(None));
    assert!(!blocked(&ledger, 1).contains(&ActionType::SlotCreate));
}
