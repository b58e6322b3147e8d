//! Keys that a device is to forget: only those that nothing needs, of a CA after its last list.

use sealbook_ledger::action::{KeyDestroyParams, KeyRevokeParams, Params, RevocationReason};
use sealbook_ledger::certificate::RevocationReason as Listed;
use sealbook_ledger::command::{Command, CrlCommand, CrlLife, SigningOutcome};
use sealbook_ledger::encoding::B64;
use sealbook_ledger::payload::KeyDestroyed;
use sealbook_ledger::policy::Role;
use sealbook_ledger::rotation::{IssuerPolicy, RotationPolicy};
use sealbook_ledger::rule::Rule;

use crate::support::*;

#[test]
fn only_a_key_that_is_out_of_use_is_destroyed() {
    let Pki { mut ledger, leaf, .. } = pki();
    assert_eq!(ledger.destruction(leaf).unwrap_err(), Rule::KeyInUse);
    assert_eq!(ledger.destruction(key_id(999)).unwrap_err(), Rule::KeyUnknown);
    ledger.revoke(leaf, RevocationReason::KeyCompromise, None);
    let action = ledger.destroying(leaf);
    let other = KeyDestroyed { action, key: ledger.now().slot(&slot_name("root")).unwrap().active.unwrap() };
    assert_eq!(ledger.judged(other), Err(Rule::ActionEffect));
    let events = ledger.destroyed(action).unwrap();
    let types: Vec<&str> = events.iter().map(|event| event.payload.type_name()).collect();
    assert_eq!(types, ["key.destroyed", "action.executed"]);
    let key = &ledger.now().keys()[&leaf];
    // What it signed can still be verified, and that it was compromised is not forgotten.
    assert!(key.material().is_some() && key.is_compromised());
    assert_eq!(key.state_name(), "destroyed_compromised");
    assert_eq!(ledger.destruction(leaf).unwrap_err(), Rule::KeyDestroyed);
    let again = KeyRevokeParams { compromised_since: None, key: leaf, reason: RevocationReason::Superseded };
    assert_eq!(rule_of(ledger.propose(0, Params::KeyRevoke(again)).unwrap_err()), Rule::KeyDestroyed);
}

#[test]
fn a_ca_is_destroyed_after_its_last_list_when_nothing_that_it_signed_is_in_force() {
    let Pki { mut ledger, root, leaf, .. } = pki();
    ledger.revoke(root, RevocationReason::CessationOfOperation, None);
    assert_eq!(ledger.destruction(root).unwrap_err(), Rule::CrlLast);
    ledger.revoke(leaf, RevocationReason::Superseded, None);
    let action = ledger.destroying(root);
    assert_eq!(ledger.destroyed(action).unwrap_err(), Rule::CrlLast);
    // An ordinary list is not the last one.
    ledger.listed(root);
    assert_eq!(ledger.destroyed(action).unwrap_err(), Rule::CrlLast);
    let last = CrlCommand::Authorize { key: root, lasting: CrlLife::Last(action), life_s: 60 };
    let authorization = ledger.list(last.clone()).unwrap()[0].seq;
    assert_eq!(ledger.destroyed(action).unwrap_err(), Rule::CrlBusy);
    ledger.list_settled(authorization).unwrap();
    assert_eq!(ledger.now().crls()[&root].next_update().to_string(), "9999-12-31T23:59:59.000000Z");
    ledger.destroyed(action).unwrap();
    assert_eq!(ledger.authorize_list(root).unwrap_err(), Rule::CrlIssuer);
    assert_eq!(ledger.list(last).unwrap_err(), Rule::CrlIssuer);
    assert_eq!(ledger.now().keys()[&root].state_name(), "destroyed");
    // The list outlives its key.
    assert!(!ledger.now().crl_der(root).unwrap().is_empty());
}

#[test]
fn a_compromised_ca_is_destroyed_once_the_ca_above_it_has_said_so() {
    let Pki { mut ledger, root, .. } = pki();
    let policy = certified(IssuerPolicy::Slot { slot: slot_name("root") }, issuing(0), "Acme Linux");
    let rotation = RotationPolicy { certificate: Some(policy), ..RotationPolicy::of_days(365, 90) };
    let middle = ledger.rotating_slot("linux", rotation);
    ledger.certify("linux", middle);
    ledger.revoke(middle, RevocationReason::KeyCompromise, None);
    let entry = ledger.now().list_entries(root).remove(0);
    assert_eq!(entry.reason, Some(Listed::CaCompromise));
    let action = ledger.destroying(middle);
    assert_eq!(ledger.destroyed(action).unwrap_err(), Rule::CrlLast);
    ledger.listed(root);
    ledger.destroyed(action).unwrap();
}

#[test]
fn a_key_with_an_open_authorisation_is_not_destroyed() {
    let Pki { mut ledger, leaf, .. } = pki();
    let service = ledger.service(&["releases"]);
    let request = ledger.request("releases", 32);
    let authorization = ledger.authorize(service, request).unwrap();
    ledger.revoke(leaf, RevocationReason::KeyCompromise, None);
    assert_eq!(ledger.destruction(leaf).unwrap_err(), Rule::KeyInUse);
    let outcome = SigningOutcome::Signed(B64::from([1; 64].as_slice()));
    ledger.run(Command::Settle { authorization, outcome }).unwrap();
    ledger.destruction(leaf).unwrap();
}

#[test]
fn destruction_takes_a_security_reviewer_and_an_administrator() {
    let Pki { mut ledger, leaf, .. } = pki();
    ledger.revoke(leaf, RevocationReason::Superseded, None);
    let params = Params::KeyDestroy(KeyDestroyParams { key: leaf });
    assert_eq!(rule_of(ledger.propose_as(0, Role::KeyOwner, params).unwrap_err()), Rule::RoleMissing);
}
