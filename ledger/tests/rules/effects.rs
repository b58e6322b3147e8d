//! What an approved action does, and how it ends.

use sealbook_ledger::action::{
    ActionType, ApprovalRpParams, DeviceKeyParams, KeyRevokeParams, Params, PolicySetParams,
    RevocationReason, RulesAdoptParams, SlotParams, SlotPolicyParams,
};
use sealbook_ledger::algorithm::Algorithm;
use sealbook_ledger::command::{Command, Containment};
use sealbook_ledger::encoding::Hash;
use sealbook_ledger::event::Event;
use sealbook_ledger::ids::ActionId;
use sealbook_ledger::payload::{
    ActionExecuted, ActionFailed, KeyRevoked, LedgerHighWaterAccepted, NextVkey, Payload, SlotResumed,
};
use sealbook_ledger::rule::Rule;
use sealbook_ledger::state::RULES;
use sealbook_ledger::state::{Closure, State};

use crate::support::*;

/// What a forger's event, with another payload in the place of a genuine one, is refused for.
fn forged(state: &State, like: &Event, payload: impl Into<Payload>) -> Result<(), Rule> {
    let event = Event { payload: payload.into(), sd: Vec::new(), ..like.clone() };
    state.judge(&event, &Default::default())
}

fn suspended_slot(founders: u128) -> Ledger {
    let mut ledger = Ledger::founded(founders);
    ledger.slot("s", Algorithm::EcdsaP256Sha256);
    ledger.contain(0, Containment::Slot(slot_name("s"))).unwrap();
    ledger
}

fn resume() -> Params {
    Params::SlotResume(SlotParams { slot: slot_name("s") })
}

#[test]
fn an_effect_belongs_to_an_executing_action_and_copies_it() {
    let mut ledger = suspended_slot(4);
    let action = ledger.approved(resume());
    let like = ledger.history.last().unwrap().event.clone();
    let like = Event { actor: sealbook_ledger::event::Actor::System, ..like };
    let resumed = |action: ActionId, slot: &str| SlotResumed { action, slot: slot_name(slot) };
    // Approved, not begun.
    assert_eq!(forged(&ledger.state, &like, resumed(action, "s")), Err(Rule::ActionEffect));
    assert_eq!(forged(&ledger.state, &like, resumed(action_id(99), "s")), Err(Rule::ActionUnknown));
    ledger.begin(action).unwrap();
    // `executing`, `resumed`, `executed`: judged before each.
    let [.., executing, resumed_at, executed_at] = ledger.before.as_slice() else { unreachable!() };
    assert_eq!(forged(executing, &like, ActionExecuted { action }), Err(Rule::ActionStage));
    assert_eq!(forged(resumed_at, &like, resumed(action, "other")), Err(Rule::ActionEffect));
    assert_eq!(forged(resumed_at, &like, resumed(action, "s")), Ok(()));
    assert_eq!(forged(resumed_at, &like, ActionExecuted { action }), Err(Rule::ActionUnfinished));
    assert_eq!(forged(executed_at, &like, resumed(action, "s")), Err(Rule::ActionEffect));
    let code = "action.effect".parse().unwrap();
    assert_eq!(forged(executed_at, &like, ActionFailed { action, code }), Err(Rule::ActionStage));
}

#[test]
fn an_effect_comes_before_its_execution_ends() {
    let mut ledger = suspended_slot(4);
    let action = ledger.approved(resume());
    ledger.begin(action).unwrap();
    let [.., resumed_at, _] = ledger.before.as_slice() else { unreachable!() };
    let [.., resumed, _] = ledger.history.as_slice() else { unreachable!() };
    let late = Event { time: resumed.event.time.plus_seconds(600), ..resumed.event.clone() };
    assert_eq!(resumed_at.judge(&late, &Default::default()), Err(Rule::ActionExpired));
}

#[test]
fn what_is_no_longer_possible_fails_when_it_begins() {
    let mut ledger = suspended_slot(4);
    let (first, second) = (ledger.approved(resume()), ledger.approved(resume()));
    ledger.begin(first).unwrap();
    let events = ledger.begin(second).unwrap();
    let Payload::ActionFailed(failed) = &events.last().unwrap().payload else { panic!("not failed") };
    assert_eq!(failed.code.as_str(), Rule::SlotNotSuspended.code());
    assert_eq!(ledger.now().closure(second), Some(Closure::Failed));
}

#[test]
fn what_is_impossible_is_not_proposed() {
    let mut ledger = Ledger::founded(3);
    let key = ledger.slot("s", Algorithm::EcdsaP256Sha256);
    let mut refused = |params: Params| rule_of(ledger.propose(0, params).unwrap_err());
    assert_eq!(refused(resume()), Rule::SlotNotSuspended);
    let unknown = Params::SlotResume(SlotParams { slot: slot_name("none") });
    assert_eq!(refused(unknown), Rule::SlotUnknown);
    let revoke = |key, reason, compromised_since| KeyRevokeParams { compromised_since, key, reason };
    let superseded = RevocationReason::Superseded;
    assert_eq!(refused(Params::KeyRevoke(revoke(key_id(99), superseded, None))), Rule::KeyUnknown);
    let future = "2027-01-01T00:00:00.000000Z".parse().unwrap();
    let compromise = RevocationReason::KeyCompromise;
    assert_eq!(refused(Params::KeyRevoke(revoke(key, compromise, Some(future)))), Rule::RevocationForm);
    let past = "2026-01-01T00:00:00.000000Z".parse().unwrap();
    assert_eq!(refused(Params::KeyRevoke(revoke(key, superseded, Some(past)))), Rule::RevocationForm);
    let mut policy = sealbook_ledger::policy::SigningPolicy::default();
    policy.callers.clear();
    let set = SlotPolicyParams { signing_policy: policy, slot: slot_name("s") };
    assert_eq!(refused(Params::SlotPolicySet(set)), Rule::SlotForm);
}

#[test]
fn the_relying_party_changes_its_origins_but_never_its_id() {
    let mut ledger = Ledger::founded(3);
    let with = |change: fn(&mut sealbook_ledger::webauthn::ApprovalRp)| {
        let mut approval_rp = approval_rp();
        change(&mut approval_rp);
        Params::ApprovalRpSet(ApprovalRpParams { approval_rp })
    };
    let refused = rule_of(ledger.propose(0, with(|rp| rp.id = "evil.example".to_owned())).unwrap_err());
    assert_eq!(refused, Rule::CredentialForm);
    let refused = rule_of(ledger.propose(0, with(|rp| rp.origins.clear())).unwrap_err());
    assert_eq!(refused, Rule::CredentialForm);
    ledger.decree(with(|rp| rp.shared = false));
    assert!(!ledger.now().approval_rp().shared);
}

#[test]
fn a_rules_version_that_this_code_does_not_know_is_not_adopted_here() {
    let mut ledger = Ledger::founded(3);
    for rules in [0, 1, 3, 4] {
        let adopt = Params::RulesAdopt(RulesAdoptParams { rules });
        assert_eq!(rule_of(ledger.propose(0, adopt).unwrap_err()), Rule::RulesUnknown, "{rules}");
    }
}

/// A newer server's history: this code follows it up to the adoption, and judges nothing after it.
#[test]
fn after_other_rules_were_adopted_nothing_is_judged_here() {
    let founders = (0..3).map(|_| DECIDING.to_vec()).collect();
    let mut ledger = Ledger::founded_under(RULES, "acme", founders, |_| {});
    let action = adopted(&mut ledger, RULES + 1);
    assert_eq!(ledger.judged(ActionExecuted { action }), Err(Rule::RulesUnknown));
}

#[test]
fn a_ledger_of_version_1_goes_on_under_version_2_once_its_policy_knows_it() {
    let mut ledger = Ledger::founded(3);
    ledger.slot("releases", sealbook_ledger::algorithm::Algorithm::EcdsaP256Sha256);
    let action = adopted(&mut ledger, 2);
    ledger.append(ActionExecuted { action });
    let mut policy = ledger.now().policy().clone();
    let rotate = ActionType::KeyRotate;
    assert!(!policy.actions.contains_key(&rotate));
    let usual = sealbook_ledger::policy::LedgerPolicy::default_for(3, 2).actions;
    let document = {
        let params = Params::KeyRotate(ledger.rotate_params("releases"));
        let quorum = usual[&rotate].quorum.clone();
        sealbook_ledger::action::ActionDocument { params, quorum, ..ledger.document(0, recover()) }
    };
    let early = ledger.proposal(0, sealbook_ledger::policy::Role::KeyOwner, document);
    assert_eq!(ledger.refused(early), Rule::PolicyForm);
    for (kind, rule) in usual {
        policy.actions.entry(kind).or_insert(rule);
    }
    ledger.decree(Params::PolicySet(PolicySetParams { policy }));
    let action = ledger.rotation_started("releases");
    ledger.cut_over(action);
    // Keys have an age from then on.
    ledger.wait(91 * DAY);
    let gate = ledger.now().gate(&slot_name("releases"), ledger.clock).unwrap();
    assert_eq!(gate, [Rule::KeyOverdue]);
    assert_eq!(format!("{:?}", ledger.replayed()), format!("{:?}", ledger.state));
}

fn recover() -> Params {
    Params::LedgerKeyRecover(device_key())
}

/// A later rules version, adopted by quorum; no command does so yet.
fn adopted(ledger: &mut Ledger, rules: u64) -> ActionId {
    let document = ledger.document(0, Params::RulesAdopt(RulesAdoptParams { rules }));
    let action = document.action;
    ledger.append(ledger.proposed(0, sealbook_ledger::policy::Role::PlatformAdmin, document));
    ledger.approve(1, sealbook_ledger::policy::Role::SecurityReviewer, action).unwrap();
    ledger.approve(2, sealbook_ledger::policy::Role::PlatformAdmin, action).unwrap();
    let expires_at = ledger.clock.plus_seconds(60);
    ledger.append(sealbook_ledger::payload::ActionExecuting { action, expires_at });
    ledger.append(sealbook_ledger::payload::LedgerRulesAdopted { action, rules });
    action
}

fn device_key() -> DeviceKeyParams {
    DeviceKeyParams { backend: "softhsm".parse().unwrap() }
}

fn made(ledger: &Ledger, action: ActionId, seed: u8) -> Command {
    Command::LedgerKeyMade {
        action,
        vkey: vkey(ledger.state.origin(), seed),
        custody: "pkcs11".parse().unwrap(),
        attributes: CONFINED,
        next: NextVkey::None,
    }
}

#[test]
fn a_ledger_key_is_replaced_by_another_confined_one_of_the_same_name() {
    let mut ledger = Ledger::founded(3);
    let action = ledger.approved(Params::LedgerKeyRotate(device_key()));
    let rotation = made(&ledger, action, 3);
    assert_eq!(ledger.refused(rotation.clone()), Rule::ActionEffect);
    ledger.begin(action).unwrap();
    assert_eq!(ledger.refused(made(&ledger, action, 1)), Rule::LedgerKeySame);
    let Command::LedgerKeyMade { vkey: _, custody, attributes, next, .. } = rotation.clone() else {
        unreachable!()
    };
    let foreign = vkey(&"other.example.com/x".parse().unwrap(), 3);
    let elsewhere =
        Command::LedgerKeyMade { action, vkey: foreign, custody: custody.clone(), attributes, next };
    assert_eq!(ledger.refused(elsewhere), Rule::LedgerKeySame);
    let loose = sealbook_ledger::attributes::KeyAttributes { extractable: true, ..CONFINED };
    let new = vkey(ledger.state.origin(), 3);
    let extractable = Command::LedgerKeyMade { action, vkey: new, custody, attributes: loose, next };
    assert_eq!(ledger.refused(extractable), Rule::KeyAttributes);
    ledger.run(rotation).unwrap();
    assert_eq!(ledger.state.ledger_key().unwrap().vkey, vkey(ledger.state.origin(), 3));
    assert_eq!(ledger.now().closure(action), Some(Closure::Executed));
}

#[test]
fn only_the_announced_standby_takes_over_a_lost_ledger_key() {
    let mut ledger = Ledger::founded(3);
    let action = ledger.approved(Params::LedgerKeyRecover(device_key()));
    ledger.begin(action).unwrap();
    assert_eq!(ledger.refused(made(&ledger, action, 3)), Rule::LedgerKeyNext);
    ledger.run(made(&ledger, action, 2)).unwrap();
    // The new key announced no standby.
    let again = ledger.propose(0, Params::LedgerKeyRecover(device_key())).unwrap_err();
    assert_eq!(rule_of(again), Rule::LedgerKeyNext);
}

#[test]
fn a_lost_key_does_not_stand_by_for_itself() {
    let mut ledger = Ledger::founded(3);
    let rotate = ledger.approved(Params::LedgerKeyRotate(device_key()));
    ledger.begin(rotate).unwrap();
    let new = vkey(ledger.state.origin(), 3);
    let Command::LedgerKeyMade { action, vkey, custody, attributes, .. } = made(&ledger, rotate, 3) else {
        unreachable!()
    };
    let next = standby(&new);
    let itself = Command::LedgerKeyMade { action, vkey, custody, attributes, next };
    assert_eq!(ledger.refused(itself), Rule::LedgerKeySame);
}

#[test]
fn a_device_effect_fits_its_action_and_its_time() {
    let mut ledger = Ledger::founded(3);
    let action = ledger.approved(Params::LedgerKeyRotate(device_key()));
    ledger.begin(action).unwrap();
    let evidence =
        Command::EvidenceKeyMade { action, key: key_id(9), spki: spki(Algorithm::EcdsaP256Sha256, 1) };
    assert_eq!(ledger.refused(evidence), Rule::ActionEffect);
    ledger.wait(600);
    assert_eq!(ledger.refused(made(&ledger, action, 3)), Rule::ActionExpired);
    ledger.run(Command::Fail { action, code: "device.timeout".parse().unwrap() }).unwrap();
    assert_eq!(ledger.now().closure(action), Some(Closure::Failed));
}

#[test]
fn the_evidence_key_is_a_readable_key_of_its_own() {
    let mut ledger = Ledger::founded(3);
    let slot_key = ledger.slot("s", Algorithm::EcdsaP256Sha256);
    let action = ledger.approved(Params::LedgerEvidenceKeySet(device_key()));
    ledger.begin(action).unwrap();
    let made = |key, spki| Command::EvidenceKeyMade { action, key, spki };
    let fresh = spki(Algorithm::EcdsaP256Sha256, 1);
    assert_eq!(ledger.refused(made(slot_key, fresh.clone())), Rule::KeyBytes);
    assert_eq!(ledger.refused(made(key_id(9), vec![1, 2, 3].into())), Rule::KeyBytes);
    let used = ledger.now().keys()[&slot_key].material().unwrap().spki.clone();
    assert_eq!(ledger.refused(made(key_id(9), used)), Rule::KeyBytes);
    ledger.run(made(key_id(9), fresh.clone())).unwrap();
    assert_eq!(ledger.now().evidence_key(), Some(&(key_id(9), fresh)));
}

#[test]
fn a_key_is_revoked_once_and_at_the_hands_of_a_quorum() {
    let mut ledger = Ledger::founded(3);
    let key = ledger.slot("s", Algorithm::EcdsaP256Sha256);
    let params = KeyRevokeParams { compromised_since: None, key, reason: RevocationReason::Superseded };
    let action = ledger.approved(Params::KeyRevoke(params.clone()));
    let like = Event { actor: sealbook_ledger::event::Actor::System, ..ledger.history[0].event.clone() };
    let like = Event { time: ledger.clock, ..like };
    let revoked = KeyRevoked { action, compromised_since: None, key, reason: RevocationReason::Superseded };
    assert_eq!(forged(&ledger.state, &like, revoked), Err(Rule::ActionEffect));
    ledger.begin(action).unwrap();
    assert_eq!(rule_of(ledger.propose(0, Params::KeyRevoke(params)).unwrap_err()), Rule::KeyRevoked);
}

#[test]
fn an_accepted_high_water_names_the_size_at_its_own_place() {
    let mut ledger = Ledger::founded(3);
    ledger.run(Command::AcceptHighWater { root: Hash::ZERO }).unwrap();
    let wrong = LedgerHighWaterAccepted { root: Hash::ZERO, size: 1 };
    assert_eq!(ledger.judged(wrong), Err(Rule::HighWaterSize));
}

#[test]
fn events_are_never_earlier_than_those_before() {
    let mut ledger = Ledger::founded(3);
    let last = ledger.history.last().unwrap().event.clone();
    ledger.clock = "2020-01-01T00:00:00.000000Z".parse().unwrap();
    let event = ledger.run(Command::AcceptHighWater { root: Hash::ZERO }).unwrap().remove(0);
    assert_eq!(event.time, last.time);
    let early = Event { time: ledger.clock, ..event };
    assert_eq!(ledger.before.last().unwrap().judge(&early, &Default::default()), Err(Rule::TimeBackwards));
}
