//! Keys and certificates have an age: what is due is proposed, what is late signs nothing.

use sealbook_ledger::action::{ActionDocument, Params, PolicySetParams};
use sealbook_ledger::algorithm::Algorithm;
use sealbook_ledger::command::{Command, RotationCommand};
use sealbook_ledger::ids::ProposerId;
use sealbook_ledger::payload::ActionProposed;
use sealbook_ledger::policy::Cadence;
use sealbook_ledger::rotation::RotationPolicy;
use sealbook_ledger::rule::Rule;

use super::rotations::{certified_ledger, plain_ledger, rule};
use crate::support::*;

#[test]
fn the_server_proposes_what_is_due_and_nothing_else() {
    let mut ledger = plain_ledger();
    let propose = |ledger: &mut Ledger, params: Params| {
        let document = ActionDocument { proposed_by: ProposerId::Server, ..ledger.document(0, params) };
        ledger.run(Command::Propose(Box::new(ActionProposed { document, signed: None })))
    };
    let due = Params::KeyRotate(ledger.rotate_params("releases"));
    ledger.wait(76 * DAY - 10);
    assert_eq!(rule_of(propose(&mut ledger, due.clone()).unwrap_err()), Rule::RotationEarly);
    ledger.wait(20);
    let emergency = Params::KeyRotateEmergency(ledger.rotate_params("releases"));
    assert_eq!(rule_of(propose(&mut ledger, emergency).unwrap_err()), Rule::Actor);
    let slot = Params::SlotCreate(ledger.slot_params("other", Algorithm::EcdsaP256Sha256));
    assert_eq!(rule_of(propose(&mut ledger, slot).unwrap_err()), Rule::Actor);
    propose(&mut ledger, due).unwrap();
}

#[test]
fn past_its_interval_a_key_signs_nothing_and_that_is_recorded_once() {
    let mut ledger = plain_ledger();
    let slot = slot_name("releases");
    let service = ledger.service(&["releases"]);
    let key = ledger.now().slot(&slot).unwrap().active.unwrap();
    let due = ledger.now().due_at(key).unwrap();
    assert_eq!(rule(&mut ledger, RotationCommand::Overdue(slot.clone())), Rule::RotationEarly);
    ledger.clock = due.plus_seconds(0);
    ledger.step(RotationCommand::Overdue(slot.clone())).unwrap();
    assert_eq!(rule(&mut ledger, RotationCommand::Overdue(slot.clone())), Rule::RotationEarly);
    assert_eq!(ledger.now().gate(&slot, ledger.clock).unwrap(), [Rule::KeyOverdue]);
    let request = ledger.request("releases", 32);
    // Its token has expired as well by then: the gate is asked first of nobody.
    assert!(ledger.authorize(service, request).is_err());
}

#[test]
fn an_interval_beyond_ninety_days_takes_a_rule_of_the_tenants() {
    let mut ledger = Ledger::ageing(3);
    let long = Params::SlotCreate(ledger.rotating_params("slow", RotationPolicy::of_days(180, 7)));
    assert_eq!(rule_of(ledger.propose(0, long.clone()).unwrap_err()), Rule::RotationInterval);
    let mut policy = ledger.now().policy().clone();
    policy.cadence = Some(Cadence { rotation_days: 180, ..Cadence::default() });
    ledger.decree(Params::PolicySet(PolicySetParams { policy }));
    ledger.propose(0, long).unwrap();
}

#[test]
fn version_one_knows_nothing_of_rotation() {
    let mut ledger = Ledger::founded(3);
    ledger.slot("releases", Algorithm::EcdsaP256Sha256);
    let params = ledger.rotate_params("releases");
    let started = sealbook_ledger::payload::RotationStarted {
        action: action_id(1),
        emergency: false,
        old_key: params.old_key,
        policy: params.policy,
        slot: params.slot,
    };
    assert_eq!(ledger.judged(started), Err(Rule::TypeUnknown));
    let slot = Params::SlotCreate(ledger.rotating_params("other", RotationPolicy::of_days(90, 7)));
    assert_eq!(rule_of(ledger.propose(0, slot).unwrap_err()), Rule::TypeUnknown);
    let mut policy = ledger.now().policy().clone();
    policy.actions.extend(sealbook_ledger::policy::LedgerPolicy::default_for(3, 2).actions);
    let set = Params::PolicySet(PolicySetParams { policy });
    assert_eq!(rule_of(ledger.propose(0, set).unwrap_err()), Rule::PolicyForm);
    // A key has no age there.
    ledger.wait(400 * DAY);
    assert!(ledger.now().gate(&slot_name("releases"), ledger.clock).unwrap().is_empty());
}

/// A renewed certificate makes a key no younger.
#[test]
fn a_new_certificate_does_not_put_a_rotation_off() {
    let mut ledger = certified_ledger();
    let slot = slot_name("releases");
    let key = ledger.now().slot(&slot).unwrap().active.unwrap();
    let due = ledger.now().due_at(key);
    ledger.wait(80 * DAY);
    ledger.certify("releases", key);
    assert_eq!(ledger.now().due_at(key), due);
}
