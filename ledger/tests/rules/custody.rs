//! Slots, and the making of their keys.

use sealbook_ledger::action::{KeyRevokeParams, Params, RevocationReason, SlotCreateParams};
use sealbook_ledger::algorithm::Algorithm;
use sealbook_ledger::attributes::KeyAttributes;
use sealbook_ledger::command::{Command, Containment};
use sealbook_ledger::ids::KeyId;
use sealbook_ledger::payload::{KeyActivated, KeyGenerated, KeyGenerationAuthorized, Payload};
use sealbook_ledger::policy::Role;
use sealbook_ledger::rule::Rule;
use sealbook_ledger::state::Closure;

use crate::support::*;

const P256: Algorithm = Algorithm::EcdsaP256Sha256;

fn being_made() -> (Ledger, KeyId) {
    let mut ledger = Ledger::founded(3);
    let key = ledger.slot_being_made("s", P256);
    (ledger, key)
}

fn key_made(key: KeyId) -> Command {
    Command::KeyMade { key, spki: spki(P256, 1), attributes: CONFINED }
}

#[test]
fn a_slot_has_a_form_an_owner_and_a_name_of_its_own() {
    let mut ledger = Ledger::founded(3);
    ledger.slot("taken", P256);
    let mut refused = |change: fn(&mut SlotCreateParams)| {
        let mut params = ledger.slot_params("s", P256);
        change(&mut params);
        rule_of(ledger.propose(0, Params::SlotCreate(params)).unwrap_err())
    };
    assert_eq!(refused(|p| p.rotation_days = 0), Rule::SlotForm);
    assert_eq!(refused(|p| p.rotation_days = 3651), Rule::SlotForm);
    assert_eq!(refused(|p| p.overlap_days = 6), Rule::SlotForm);
    assert_eq!(refused(|p| p.signing_policy.environments.clear()), Rule::SlotForm);
    assert_eq!(refused(|p| p.signing_policy.rate_per_minute = Some(0)), Rule::SlotForm);
    assert_eq!(refused(|p| p.owner = uuid(3).into()), Rule::MemberUnknown);
    assert_eq!(refused(|p| p.slot = slot_name("taken")), Rule::SlotDuplicate);
}

#[test]
fn a_key_that_is_not_confined_is_recorded_and_refused() {
    for change in [
        (|a| a.extractable = true) as fn(&mut KeyAttributes),
        |a| a.sensitive = false,
        |a| a.always_sensitive = false,
        |a| a.never_extractable = false,
        |a| a.local = false,
    ] {
        let (mut ledger, key) = being_made();
        let mut attributes = CONFINED;
        change(&mut attributes);
        let events = ledger.run(Command::KeyMade { key, spki: spki(P256, 1), attributes }).unwrap();
        let Payload::KeyGenerationFailed(failed) = &events[0].payload else { panic!("not failed") };
        assert_eq!((failed.attributes, failed.code.as_str()), (Some(attributes), Rule::KeyAttributes.code()));
        assert_eq!(ledger.now().keys()[&key].state_name(), "not_generated");
    }
}

#[test]
fn confined_attributes_are_no_reason_for_a_failure() {
    let (ledger, key) = being_made();
    let failed = sealbook_ledger::payload::KeyGenerationFailed {
        attributes: Some(CONFINED),
        code: "device.error".parse().unwrap(),
        key,
    };
    assert_eq!(ledger.judged(failed), Err(Rule::KeyAttributes));
    let generated = KeyGenerated {
        attributes: KeyAttributes { local: false, ..CONFINED },
        key,
        spki: spki(P256, 1),
        spki_sha256: sealbook_ledger::encoding::Hash::ZERO,
    };
    assert_eq!(ledger.judged(generated), Err(Rule::KeyAttributes));
}

#[test]
fn a_generated_key_is_new_and_of_its_algorithms_type() {
    let (mut ledger, key) = being_made();
    let made = |key, spki| Command::KeyMade { key, spki, attributes: CONFINED };
    assert_eq!(ledger.refused(made(key, spki(Algorithm::EcdsaP384Sha384, 1))), Rule::KeyBytes);
    assert_eq!(ledger.refused(made(key, vec![0; 10].into())), Rule::KeyBytes);
    let good = spki(P256, 1);
    let wrong_hash = KeyGenerated {
        attributes: CONFINED,
        key,
        spki: good.clone(),
        spki_sha256: sealbook_ledger::encoding::Hash::ZERO,
    };
    assert_eq!(ledger.judged(wrong_hash), Err(Rule::KeyBytes));
    ledger.run(made(key, good.clone())).unwrap();
    assert_eq!(ledger.refused(made(key, good.clone())), Rule::GenerationUnknown);
    let other = ledger.slot_being_made("t", P256);
    assert_eq!(ledger.refused(made(other, good)), Rule::KeyBytes);
}

#[test]
fn a_key_of_every_algorithm_becomes_active() {
    let mut ledger = Ledger::founded(3);
    for algorithm in Algorithm::ALL {
        let key = ledger.slot(algorithm.name(), algorithm);
        assert_eq!(ledger.now().keys()[&key].state_name(), "active");
        assert_eq!(ledger.now().slot(&slot_name(algorithm.name())).unwrap().active, Some(key));
    }
}

#[test]
fn a_generation_ends_with_its_time() {
    let (mut ledger, key) = being_made();
    assert_eq!(ledger.refused(Command::KeyAbandoned(key)), Rule::GenerationNotExpired);
    ledger.wait(600);
    assert_eq!(ledger.refused(key_made(key)), Rule::GenerationExpired);
    ledger.run(Command::KeyAbandoned(key)).unwrap();
    assert_eq!(ledger.now().keys()[&key].state_name(), "not_generated");
    assert_eq!(ledger.refused(Command::KeyAbandoned(key)), Rule::GenerationUnknown);
    assert_eq!(ledger.refused(key_made(key)), Rule::GenerationUnknown);
}

#[test]
fn a_generation_lasts_no_longer_than_its_execution() {
    let (mut ledger, _) = being_made();
    let Payload::KeyGenerationAuthorized(authorized) = &ledger.history.last().unwrap().event.payload else {
        panic!("another event")
    };
    let authorized = authorized.clone();
    ledger.state = ledger.before.last().unwrap().clone();
    assert_eq!(ledger.judged((*authorized).clone()), Ok(()));
    let longer = KeyGenerationAuthorized {
        expires_at: authorized.expires_at.plus_seconds(1),
        ..(*authorized).clone()
    };
    assert_eq!(ledger.judged(longer), Err(Rule::ExecutionLife));
    let unlabelled = KeyGenerationAuthorized { label: "sealbook/x".to_owned(), ..(*authorized).clone() };
    assert_eq!(ledger.judged(unlabelled), Err(Rule::ActionEffect));
}

#[test]
fn while_a_device_makes_a_key_its_action_neither_fails_nor_ends() {
    let (mut ledger, key) = being_made();
    let action = *ledger.now().actions().keys().next().unwrap();
    let fail = Command::Fail { action, code: "impatience".parse().unwrap() };
    assert_eq!(ledger.refused(fail), Rule::ActionStage);
    let executed = sealbook_ledger::payload::ActionExecuted { action };
    assert_eq!(ledger.judged(executed), Err(Rule::ActionUnfinished));
    let activated = KeyActivated { action, key, slot: slot_name("s") };
    assert_eq!(ledger.judged(activated), Err(Rule::ActionEffect));
}

#[test]
fn a_slot_whose_key_never_came_is_created_anew() {
    let (mut ledger, key) = being_made();
    let again = Params::SlotCreate(ledger.slot_params("s", P256));
    assert_eq!(rule_of(ledger.propose(0, again).unwrap_err()), Rule::SlotDuplicate);
    ledger.run(Command::KeyNotMade { key, code: "device.error".parse().unwrap() }).unwrap();
    let key = ledger.slot("s", P256);
    assert_eq!(ledger.now().slot(&slot_name("s")).unwrap().active, Some(key));
}

#[test]
fn of_two_actions_for_one_slot_name_the_second_fails() {
    let mut ledger = Ledger::founded(3);
    let params = Params::SlotCreate(ledger.slot_params("s", P256));
    let (first, second) = (ledger.approved(params.clone()), ledger.approved(params));
    ledger.begin(first).unwrap();
    ledger.begin(second).unwrap();
    assert_eq!(ledger.now().closure(second), Some(Closure::Failed));
}

#[test]
fn creating_a_slot_anew_does_not_lift_its_suspension() {
    let (mut ledger, key) = being_made();
    ledger.contain(1, Containment::Slot(slot_name("s"))).unwrap();
    ledger.run(Command::KeyNotMade { key, code: "device.error".parse().unwrap() }).unwrap();
    ledger.slot("s", P256);
    assert!(ledger.now().slot(&slot_name("s")).unwrap().suspension.is_some());
}

/// A forger's server might put a revocation between a key's generation and its activation.
#[test]
fn a_key_that_was_revoked_is_not_activated() {
    let (mut ledger, key) = being_made();
    let (action, made) = (*ledger.now().actions().keys().next().unwrap(), spki(P256, 1));
    let spki_sha256 = sealbook_ledger::encoding::Hash::sha256(made.as_bytes());
    ledger.append(KeyGenerated { attributes: CONFINED, key, spki: made, spki_sha256 });
    let activated = KeyActivated { action, key, slot: slot_name("s") };
    assert_eq!(ledger.judged(activated.clone()), Ok(()));
    let reason = RevocationReason::KeyCompromise;
    ledger.decree(Params::KeyRevoke(KeyRevokeParams { compromised_since: None, key, reason }));
    assert_eq!(ledger.judged(activated), Err(Rule::KeyRevoked));
    ledger.run(Command::Fail { action, code: "key.revoked".parse().unwrap() }).unwrap();
    assert_eq!(ledger.now().keys()[&key].state_name(), "compromised");
}

#[test]
fn a_key_owner_speaks_for_slots_of_their_own_alone() {
    let mut ledger = Ledger::founded(3);
    let params = ledger.slot_params("s", P256);
    let own = Params::SlotCreate(params.clone());
    assert_eq!(rule_of(ledger.propose_as(1, Role::KeyOwner, own.clone()).unwrap_err()), Rule::RoleMissing);
    ledger.propose_as(0, Role::KeyOwner, own).unwrap();
    let key = ledger.slot("owned", P256);
    let revoke = Params::KeyRevoke(KeyRevokeParams {
        compromised_since: None,
        key,
        reason: RevocationReason::Superseded,
    });
    assert_eq!(rule_of(ledger.propose_as(1, Role::KeyOwner, revoke.clone()).unwrap_err()), Rule::RoleMissing);
    ledger.propose_as(0, Role::KeyOwner, revoke).unwrap();
    let service = Params::ServiceEnroll(ledger.service_params(service_id(500), &["owned"]));
    assert_eq!(
        rule_of(ledger.propose_as(1, Role::KeyOwner, service.clone()).unwrap_err()),
        Rule::RoleMissing
    );
    ledger.propose_as(0, Role::KeyOwner, service).unwrap();
}

#[test]
fn suspending_takes_one_holder_of_containment_or_the_slots_owner() {
    let roles = vec![DECIDING.to_vec(), DECIDING.to_vec(), DECIDING.to_vec(), vec![Role::KeyOwner]];
    let mut ledger = Ledger::founded_as("acme", roles, |_| {});
    let owner = ledger.people[3].id;
    for (name, owned) in [("mine", true), ("theirs", false)] {
        let mut params = ledger.slot_params(name, P256);
        params.owner = if owned { owner } else { params.owner };
        ledger.decree(Params::SlotCreate(params));
    }
    let slot = |name| Containment::Slot(slot_name(name));
    assert_eq!(rule_of(ledger.contain(3, slot("theirs")).unwrap_err()), Rule::ContainmentHolder);
    // Who may not suspend learns no names.
    assert_eq!(rule_of(ledger.contain(3, slot("none")).unwrap_err()), Rule::ContainmentHolder);
    ledger.contain(3, slot("mine")).unwrap();
    assert_eq!(rule_of(ledger.contain(0, slot("none")).unwrap_err()), Rule::SlotUnknown);
    assert_eq!(rule_of(ledger.contain(0, slot("mine")).unwrap_err()), Rule::SuspensionDuplicate);
    let member = Containment::Member(ledger.people[0].id);
    assert_eq!(rule_of(ledger.contain(3, member).unwrap_err()), Rule::ContainmentHolder);
}
