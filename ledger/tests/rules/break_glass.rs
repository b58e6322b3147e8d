//! Rotations by break-glass: they wait for nothing, and skip no proof.

use sealbook_ledger::action::Params;
use sealbook_ledger::algorithm::Algorithm;
use sealbook_ledger::command::{Containment, RotationCommand};
use sealbook_ledger::policy::Role;
use sealbook_ledger::rotation::RotationStep;
use sealbook_ledger::rule::Rule;
use sealbook_ledger::signature::canary_message;

use super::rotations::{certified_ledger, plain_ledger, rule, sign};
use crate::support::*;

#[test]
fn break_glass_waits_for_nothing_and_skips_no_proof() {
    let mut ledger = certified_ledger();
    let slot = slot_name("releases");
    ledger.service(&["releases"]);
    let planned = ledger.rotation_started("releases");
    ledger.generated(planned);
    ledger.contain(1, Containment::Slot(slot.clone())).unwrap();
    // Proposed and half approved by one and the same.
    let params = ledger.rotate_params("releases");
    let action = ledger.propose_as(0, Role::SecurityReviewer, Params::KeyRotateEmergency(params)).unwrap();
    ledger.approve(1, Role::PlatformAdmin, action).unwrap();
    let events = ledger.begin(action).unwrap();
    assert!(events.iter().any(|event| event.payload.type_name() == "rotation.failed"));
    assert_eq!(ledger.now().rotations()[&planned].step, RotationStep::Failed);
    assert!(ledger.now().rotations()[&action].emergency);

    let key = ledger.generated(action);
    let id = ledger.certificate_ordered(action);
    ledger.request_of(id);
    ledger.issue(id);
    assert_eq!(rule(&mut ledger, RotationCommand::CutOver(action)), Rule::RotationStep);
    ledger.canary(action);
    ledger.step(RotationCommand::CutOver(action)).unwrap();
    assert_eq!(ledger.now().slot(&slot).unwrap().active, Some(key));
    ledger.step(RotationCommand::Complete(action)).unwrap();
}

#[test]
fn a_break_glass_canary_vouches_for_nothing_that_the_old_key_signed() {
    let mut ledger = plain_ledger();
    let service = ledger.service(&["releases"]);
    sign(&mut ledger, service, [1, 2]);
    let params = ledger.rotate_params("releases");
    let action = ledger.propose_as(0, Role::SecurityReviewer, Params::KeyRotateEmergency(params)).unwrap();
    ledger.approve(1, Role::PlatformAdmin, action).unwrap();
    ledger.begin(action).unwrap();
    let own = Algorithm::EcdsaP256Sha256.digest_of(&canary_message(action));
    let due: Vec<_> = ledger.now().rotations()[&action].due.iter().map(|due| due.digest.clone()).collect();
    assert_eq!(due, [own]);
}

#[test]
fn a_rotation_that_was_overtaken_waits_for_nobody() {
    let mut ledger = certified_ledger();
    ledger.service(&["releases"]);
    let planned = ledger.rotation_started("releases");
    ledger.cut_over(planned);
    let params = ledger.rotate_params("releases");
    let action = ledger.propose_as(0, Role::SecurityReviewer, Params::KeyRotateEmergency(params)).unwrap();
    ledger.approve(1, Role::PlatformAdmin, action).unwrap();
    ledger.begin(action).unwrap();
    ledger.cut_over(action);
    ledger.step(RotationCommand::Complete(planned)).unwrap();
    ledger.step(RotationCommand::Complete(action)).unwrap();
    let again = Params::KeyRotate(ledger.rotate_params("releases"));
    ledger.propose_as(0, Role::KeyOwner, again).unwrap();
}
