//! Rotations: every step in its turn, once, and only as far as the rules let it.

use sealbook_ledger::action::{KeyRevokeParams, Params, RevocationReason, SlotRotationParams};
use sealbook_ledger::algorithm::Algorithm;
use sealbook_ledger::command::{Command, Containment, OwnSignature, RotationCommand};
use sealbook_ledger::encoding::HexBytes;
use sealbook_ledger::event::Actor;
use sealbook_ledger::payload::{Payload, RotationCutOver};
use sealbook_ledger::policy::Role;
use sealbook_ledger::rotation::{BAD_SIGNATURE, RotationPolicy, RotationStep};
use sealbook_ledger::rule::Rule;
use sealbook_ledger::signature::canary_message;
use sealbook_ledger::slot::KeyState;

use crate::support::*;

/// A ledger with a root CA and a slot whose certificates it issues; the slot's first key has its certificate.
pub fn certified_ledger() -> Ledger {
    let mut ledger = Ledger::ageing(3);
    ledger.root_ca("root");
    let key = ledger.rotating_slot("releases", Ledger::certified_by("root"));
    ledger.certify("releases", key);
    ledger
}

/// A slot without certificates.
pub fn plain_ledger() -> Ledger {
    let mut ledger = Ledger::ageing(3);
    ledger.rotating_slot("releases", RotationPolicy::of_days(90, 7));
    ledger
}

pub fn rule(ledger: &mut Ledger, command: RotationCommand) -> Rule {
    rule_of(ledger.step(command).expect_err("the command went through"))
}

fn moved(ledger: &Ledger, action: sealbook_ledger::ids::ActionId) -> RotationCommand {
    let by = Actor::Member(ledger.people[0].id);
    RotationCommand::MoveChannel { by, action, channel: "stable".parse().unwrap() }
}

#[test]
fn a_rotation_ends_with_the_new_key_in_charge_and_the_old_one_kept() {
    let mut ledger = certified_ledger();
    let slot = slot_name("releases");
    let service = ledger.service(&["releases"]);
    let old = ledger.now().slot(&slot).unwrap().active.unwrap();
    let action = ledger.rotation_started("releases");
    let new = ledger.cut_over(action);
    assert_eq!(ledger.now().slot(&slot).unwrap().active, Some(new));
    assert!(matches!(ledger.now().keys()[&old].state, KeyState::Retiring { .. }));

    let bars = |ledger: &Ledger| {
        let founded = ledger.now();
        founded.completion_bars(&founded.rotations()[&action], ledger.clock)
    };
    assert_eq!(bars(&ledger), [Rule::RotationOverlap, Rule::RotationUnconfirmed, Rule::RotationChannels]);
    let by = Actor::Service(service);
    ledger.step(RotationCommand::Confirm { by, action }).unwrap();
    ledger.step(moved(&ledger, action)).unwrap();
    assert_eq!(rule(&mut ledger, RotationCommand::Complete(action)), Rule::RotationOverlap);
    ledger.wait(7 * DAY);
    let events = ledger.step(RotationCommand::Complete(action)).unwrap();
    assert_eq!(events[1].payload.type_name(), "certificate.revoked");
    assert!(matches!(ledger.now().keys()[&old].state, KeyState::Deactivated { .. }));
    assert_eq!(ledger.now().keys()[&old].state_name(), "deactivated");
    assert!(ledger.now().rotations()[&action].has_ended());
    let signed = ledger.authorize(service, ledger.request("releases", 32)).unwrap();
    let Payload::SignatureCreated(created) = ledger.settle(signed).unwrap().payload else {
        panic!("withheld")
    };
    let fingerprint = ledger.now().certificate_of(new).unwrap().fingerprint;
    assert_eq!((created.key, created.signing.unwrap().fingerprint), (new, fingerprint));
    assert_eq!(format!("{:?}", ledger.replayed()), format!("{:?}", ledger.state));
}

#[test]
fn nothing_starts_without_a_quorum() {
    let mut ledger = plain_ledger();
    let params = ledger.rotate_params("releases");
    let action = ledger.propose_as(0, Role::KeyOwner, Params::KeyRotate(params)).unwrap();
    ledger.approve(1, Role::Approver, action).unwrap();
    assert_eq!(rule_of(ledger.begin(action).unwrap_err()), Rule::QuorumOpen);
}

#[test]
fn two_servers_take_each_step_once() {
    let mut ledger = certified_ledger();
    let action = ledger.rotation_started("releases");
    let again = ledger.rotate_params("releases");
    let busy = ledger.propose_as(0, Role::KeyOwner, Params::KeyRotate(again)).unwrap_err();
    assert_eq!(rule_of(busy), Rule::RotationBusy);

    let generate = |n| RotationCommand::Generate { action, key: key_id(n), life_s: 600 };
    ledger.step(generate(501)).unwrap();
    assert_eq!(rule(&mut ledger, generate(502)), Rule::RotationStep);
    ledger.key_made(key_id(501));
    assert_eq!(rule(&mut ledger, generate(502)), Rule::RotationStep);

    let order = |n| RotationCommand::Order { action, certificate: certificate_id(n) };
    ledger.step(order(501)).unwrap();
    assert_eq!(rule(&mut ledger, order(502)), Rule::CertificateBusy);
    let request = || OwnSignature::Request(certificate_id(501));
    let first = ledger.authorize_own(request()).unwrap();
    assert_eq!(rule_of(ledger.authorize_own(request()).unwrap_err()), Rule::CertificateStep);
    ledger.settle(first).unwrap();
    assert_eq!(rule_of(ledger.authorize_own(request()).unwrap_err()), Rule::CertificateStep);
    ledger.step(RotationCommand::Record(certificate_id(501))).unwrap();
    ledger.issue(certificate_id(501));
    assert_eq!(rule(&mut ledger, order(502)), Rule::CertificateBusy);

    ledger.canary(action);
    ledger.step(RotationCommand::CutOver(action)).unwrap();
    assert_eq!(rule(&mut ledger, RotationCommand::CutOver(action)), Rule::RotationStep);
}

#[test]
fn a_key_that_the_device_did_not_make_is_asked_for_again() {
    let mut ledger = plain_ledger();
    let action = ledger.rotation_started("releases");
    let generate = |n| RotationCommand::Generate { action, key: key_id(n), life_s: 600 };
    ledger.step(generate(501)).unwrap();
    ledger.run(Command::KeyNotMade { key: key_id(501), code: "device.error".parse().unwrap() }).unwrap();
    ledger.step(generate(502)).unwrap();
    ledger.wait(600);
    ledger.run(Command::KeyAbandoned(key_id(502))).unwrap();
    ledger.step(generate(503)).unwrap();
    ledger.key_made(key_id(503));
    assert_eq!(ledger.now().rotations()[&action].step, RotationStep::Generated(key_id(503)));
}

/// Has a slot's service sign digests of these bytes.
pub fn sign(
    ledger: &mut Ledger,
    service: sealbook_ledger::ids::ServiceId,
    bytes: impl IntoIterator<Item = u8>,
) {
    for n in bytes {
        let mut request = ledger.request("releases", 32);
        request.digest = HexBytes(vec![n; 32]);
        let authorization = ledger.authorize(service, request).unwrap();
        ledger.settle(authorization).unwrap();
    }
}

#[test]
fn a_canary_that_does_not_verify_leaves_the_old_key_in_charge() {
    let mut ledger = plain_ledger();
    let slot = slot_name("releases");
    let service = ledger.service(&["releases"]);
    sign(&mut ledger, service, [1, 2]);
    let old = ledger.now().slot(&slot).unwrap().active;
    let action = ledger.rotation_started("releases");
    let new = ledger.generated(action);
    let canary = |n| OwnSignature::Canary { action, digest: HexBytes(vec![n; 32]) };
    ledger.sign_own(canary(1)).unwrap();
    let bad = ledger.authorize_own(canary(2)).unwrap();
    let record = || RotationCommand::Canary { action, results: message(b"[]") };
    assert_eq!(rule(&mut ledger, record()), Rule::RotationCanary);
    ledger.failed(bad, BAD_SIGNATURE);
    ledger.sign_own(canary(2)).unwrap();
    assert_eq!(rule(&mut ledger, record()), Rule::RotationCanary);
    assert_eq!(rule(&mut ledger, RotationCommand::CutOver(action)), Rule::RotationStep);
    let code = "canary.failed".parse().unwrap();
    ledger.step(RotationCommand::Fail { by: Actor::System, action, code, sd: Vec::new() }).unwrap();
    assert_eq!(ledger.now().slot(&slot).unwrap().active, old);
    assert!(matches!(ledger.now().keys()[&new].state, KeyState::Deactivated { .. }));
    ledger.authorize(service, ledger.request("releases", 32)).unwrap();
}

#[test]
fn a_canary_signs_what_the_slot_signed_last_each_once_and_nothing_else() {
    let mut ledger = plain_ledger();
    let service = ledger.service(&["releases"]);
    sign(&mut ledger, service, (0..120).chain([30]));
    let action = ledger.rotation_started("releases");
    // What is signed from then on is no longer the canary's.
    sign(&mut ledger, service, [200]);
    ledger.generated(action);
    assert_eq!(ledger.now().rotations()[&action].due.len(), 100);
    let canary = |n| OwnSignature::Canary { action, digest: HexBytes(vec![n; 32]) };
    for never in [0, 19, 121, 200] {
        assert_eq!(
            rule_of(ledger.authorize_own(canary(never)).unwrap_err()),
            Rule::RotationCanary,
            "{never}"
        );
    }
    let open = ledger.authorize_own(canary(30)).unwrap();
    assert_eq!(rule_of(ledger.authorize_own(canary(30)).unwrap_err()), Rule::RotationCanary);
    ledger.settle(open).unwrap();
    assert_eq!(rule_of(ledger.authorize_own(canary(30)).unwrap_err()), Rule::RotationCanary);
    let record = || RotationCommand::Canary { action, results: message(b"[]") };
    assert_eq!(rule(&mut ledger, record()), Rule::RotationCanary);
    ledger.canary(action);
    let Payload::RotationCanaryRecorded(recorded) = &ledger.history.last().unwrap().event.payload else {
        panic!("another event")
    };
    assert_eq!(recorded.signed, 100);
}

#[test]
fn a_device_that_was_away_does_not_break_a_canary() {
    let mut ledger = plain_ledger();
    let action = ledger.rotation_started("releases");
    ledger.generated(action);
    // A slot that has signed nothing yet tries a message of the rotation's own.
    let digest = Algorithm::EcdsaP256Sha256.digest_of(&canary_message(action));
    let canary = || OwnSignature::Canary { action, digest: digest.clone() };
    let away = ledger.authorize_own(canary()).unwrap();
    ledger.failed(away, "custody.unavailable");
    let lost = ledger.authorize_own(canary()).unwrap();
    ledger.wait(60);
    ledger.run(Command::Abandon(lost)).unwrap();
    ledger.sign_own(canary()).unwrap();
    ledger.step(RotationCommand::Canary { action, results: message(b"[]") }).unwrap();
}

#[test]
fn an_overlap_is_as_long_as_the_policy_says() {
    let mut ledger = plain_ledger();
    let short = RotationPolicy::of_days(90, 6);
    let params = Params::SlotCreate(ledger.rotating_params("short", short));
    assert_eq!(rule_of(ledger.propose(0, params).unwrap_err()), Rule::SlotForm);

    let action = ledger.rotation_started("releases");
    let new_key = ledger.generated(action);
    ledger.canary(action);
    let old_key = ledger.now().rotations()[&action].old_key;
    for seconds in [0, 6 * DAY, 7 * DAY - 1, 8 * DAY] {
        let overlap_ends_at = ledger.clock.plus_seconds(seconds);
        let cut = RotationCutOver { action, fingerprint: None, new_key, old_key, overlap_ends_at };
        assert_eq!(ledger.judged(cut), Err(Rule::RotationOverlap), "{seconds}");
    }
}

#[test]
fn in_the_overlap_the_old_key_signs_only_where_the_policy_says_so() {
    for old_key_signs in [false, true] {
        let mut ledger = Ledger::ageing(3);
        let policy = RotationPolicy { old_key_signs, ..RotationPolicy::of_days(90, 7) };
        let old = ledger.rotating_slot("releases", policy);
        let service = ledger.service(&["releases"]);
        let by_old = |ledger: &mut Ledger| {
            let mut request = ledger.request("releases", 32);
            request.key = Some(old);
            ledger.authorize(service, request)
        };
        let before = by_old(&mut ledger).unwrap();
        let action = ledger.rotation_started("releases");
        ledger.cut_over(action);
        // What was on its way is released.
        ledger.settle(before).unwrap();
        match by_old(&mut ledger) {
            Ok(signed) if old_key_signs => drop(ledger.settle(signed).unwrap()),
            Ok(_) => panic!("the old key signed"),
            Err(refusal) => assert_eq!((rule_of(refusal), old_key_signs), (Rule::SignatureAlgorithm, false)),
        }
        ledger.wait(7 * DAY);
        assert_eq!(rule_of(by_old(&mut ledger).unwrap_err()), Rule::SignatureAlgorithm);
    }
}

#[test]
fn a_rotation_is_not_completed_under_a_signature_of_the_old_key() {
    let mut ledger = Ledger::ageing(3);
    let policy = RotationPolicy { old_key_signs: true, ..RotationPolicy::of_days(90, 7) };
    let old = ledger.rotating_slot("releases", policy);
    let service = ledger.service(&["releases"]);
    let action = ledger.rotation_started("releases");
    ledger.cut_over(action);
    ledger.step(RotationCommand::Confirm { by: Actor::Service(service), action }).unwrap();
    ledger.wait(7 * DAY - 1);
    let mut request = ledger.request("releases", 32);
    request.key = Some(old);
    let open = ledger.authorize(service, request).unwrap();
    ledger.wait(1);
    assert_eq!(rule(&mut ledger, RotationCommand::Complete(action)), Rule::RotationStep);
    ledger.settle(open).unwrap();
    ledger.step(RotationCommand::Complete(action)).unwrap();
}

#[test]
fn only_the_slots_own_clients_and_keepers_move_it_on() {
    let mut ledger = certified_ledger();
    let (mine, others) = (ledger.service(&["releases"]), ledger.service(&["root"]));
    let auditor = ledger.enroll(&[Role::Auditor]);
    let packager = ledger.enroll(&[Role::PackagingEngineer]);
    let action = ledger.rotation_started("releases");
    let confirm = |by| RotationCommand::Confirm { by, action };
    let channel = |name: &str| name.parse().unwrap();
    let moves = |by, name: &str| RotationCommand::MoveChannel { by, action, channel: channel(name) };
    assert_eq!(rule(&mut ledger, confirm(Actor::Service(mine))), Rule::RotationStep);
    ledger.cut_over(action);
    assert_eq!(rule(&mut ledger, confirm(Actor::Service(others))), Rule::ServiceSlot);
    assert_eq!(rule(&mut ledger, confirm(Actor::System)), Rule::Actor);
    let auditor = Actor::Member(ledger.people[auditor].id);
    let packager = Actor::Member(ledger.people[packager].id);
    assert_eq!(rule(&mut ledger, confirm(auditor)), Rule::RoleMissing);
    assert_eq!(rule(&mut ledger, moves(auditor, "stable")), Rule::RoleMissing);
    assert_eq!(rule(&mut ledger, moves(Actor::Service(others), "stable")), Rule::ServiceSlot);
    assert_eq!(rule(&mut ledger, moves(packager, "beta")), Rule::ChannelUnknown);
    ledger.step(moves(packager, "stable")).unwrap();
    assert_eq!(rule(&mut ledger, moves(packager, "stable")), Rule::RotationStep);
    ledger.step(confirm(Actor::Service(mine))).unwrap();
    assert_eq!(rule(&mut ledger, confirm(Actor::Service(mine))), Rule::RotationStep);
}

#[test]
fn one_person_stops_a_rotation_before_its_cutover_and_nobody_after() {
    let mut ledger = plain_ledger();
    let packager = ledger.enroll(&[Role::PackagingEngineer]);
    let action = ledger.rotation_started("releases");
    let stop = |by| {
        let code = "stopped".parse().unwrap();
        RotationCommand::Fail { by, action, code, sd: Vec::new() }
    };
    let packager = Actor::Member(ledger.people[packager].id);
    assert_eq!(rule(&mut ledger, stop(packager)), Rule::ContainmentHolder);
    let commander = Actor::Member(ledger.people[1].id);
    // While a device makes the key, nobody knows what there is to stop.
    ledger.step(RotationCommand::Generate { action, key: key_id(501), life_s: 600 }).unwrap();
    assert_eq!(rule(&mut ledger, stop(commander)), Rule::RotationStep);
    ledger.key_made(key_id(501));
    ledger.step(stop(commander)).unwrap();
    assert_eq!(rule(&mut ledger, stop(commander)), Rule::RotationStep);

    let next = ledger.rotation_started("releases");
    ledger.cut_over(next);
    let late = RotationCommand::Fail {
        by: commander,
        action: next,
        code: "stopped".parse().unwrap(),
        sd: Vec::new(),
    };
    assert_eq!(rule(&mut ledger, late), Rule::RotationStep);
}

#[test]
fn a_contained_slot_is_not_rotated_as_planned() {
    let mut ledger = plain_ledger();
    let action = ledger.rotation_started("releases");
    ledger.generated(action);
    ledger.contain(1, Containment::Slot(slot_name("releases"))).unwrap();
    let digest = ledger.now().rotations()[&action].due[0].digest.clone();
    let canary = OwnSignature::Canary { action, digest };
    assert_eq!(rule_of(ledger.authorize_own(canary).unwrap_err()), Rule::SlotSuspended);
    let params = ledger.rotate_params("releases");
    let refused = ledger.propose_as(0, Role::KeyOwner, Params::KeyRotate(params)).unwrap_err();
    assert_eq!(rule_of(refused), Rule::SlotSuspended);
}

#[test]
fn a_revoked_key_gives_way_to_a_new_one() {
    let mut ledger = plain_ledger();
    let slot = slot_name("releases");
    let key = ledger.now().slot(&slot).unwrap().active.unwrap();
    let reason = RevocationReason::KeyCompromise;
    ledger.decree(Params::KeyRevoke(KeyRevokeParams { compromised_since: None, key, reason }));
    let action = ledger.rotation_started("releases");
    let new = ledger.cut_over(action);
    assert_eq!(ledger.now().gate(&slot, ledger.clock).unwrap(), []);
    ledger.wait(7 * DAY);
    ledger.step(RotationCommand::Complete(action)).unwrap();
    assert_eq!(ledger.now().keys()[&key].state_name(), "compromised");
    assert_eq!(ledger.now().slot(&slot).unwrap().active, Some(new));
}

#[test]
fn a_new_key_that_was_revoked_never_takes_over() {
    let mut ledger = plain_ledger();
    let action = ledger.rotation_started("releases");
    let key = ledger.generated(action);
    ledger.canary(action);
    let reason = RevocationReason::KeyCompromise;
    ledger.decree(Params::KeyRevoke(KeyRevokeParams { compromised_since: None, key, reason }));
    assert_eq!(rule(&mut ledger, RotationCommand::CutOver(action)), Rule::KeyRevoked);
}

#[test]
fn a_ca_tries_its_new_key_on_a_message_that_is_no_certificate() {
    let mut ledger = Ledger::ageing(3);
    ledger.root_ca("root");
    let action = ledger.rotation_started("root");
    ledger.generated(action);
    let other = OwnSignature::Canary { action, digest: HexBytes(vec![1; 32]) };
    assert_eq!(rule_of(ledger.authorize_own(other).unwrap_err()), Rule::RotationCanary);
    let digest = Algorithm::EcdsaP256Sha256.digest_of(&canary_message(action));
    ledger.sign_own(OwnSignature::Canary { action, digest }).unwrap();
}

/// What the server writes where it holds back the end of an action whose rotation has started.
#[test]
fn a_rotations_key_is_never_activated_like_a_slots_first_one() {
    let mut ledger = plain_ledger();
    let params = ledger.rotate_params("releases");
    let action = ledger.approved_by(Params::KeyRotate(params.clone()));
    let expires_at = ledger.clock.plus_seconds(600);
    ledger.append(sealbook_ledger::payload::ActionExecuting { action, expires_at });
    let (old_key, policy, slot) = (params.old_key, params.policy, params.slot.clone());
    ledger.append(sealbook_ledger::payload::RotationStarted {
        action,
        emergency: false,
        old_key,
        policy,
        slot,
    });
    let generate = |n| RotationCommand::Generate { action, key: key_id(n), life_s: 600 };
    assert_eq!(rule(&mut ledger, generate(501)), Rule::RotationStep);
    ledger.append(sealbook_ledger::payload::ActionExecuted { action });
    ledger.step(generate(501)).unwrap();
    ledger.key_made(key_id(501));
    let activated =
        sealbook_ledger::payload::KeyActivated { action, key: key_id(501), slot: slot_name("releases") };
    assert_eq!(ledger.judged(activated), Err(Rule::ActionClosed));
}

#[test]
fn a_rotation_stands_under_the_policy_that_people_saw() {
    let mut ledger = plain_ledger();
    let seen = ledger.rotate_params("releases");
    let longer = RotationPolicy::of_days(90, 30);
    let set = SlotRotationParams { rotation: longer, slot: slot_name("releases") };
    let waiting = ledger.approved_by(Params::KeyRotate(seen));
    ledger.decree(Params::SlotRotationSet(set.clone()));
    ledger.begin(waiting).unwrap();
    assert!(ledger.now().rotations().is_empty(), "it started under another policy");

    let action = ledger.rotation_started("releases");
    let short = RotationPolicy::of_days(90, 7);
    ledger.decree(Params::SlotRotationSet(SlotRotationParams { rotation: short, ..set }));
    ledger.cut_over(action);
    ledger.wait(29 * DAY);
    assert_eq!(rule(&mut ledger, RotationCommand::Complete(action)), Rule::RotationOverlap);
    ledger.wait(DAY);
    ledger.step(RotationCommand::Complete(action)).unwrap();
}

#[test]
fn what_people_approved_does_not_cut_over_a_month_later() {
    let mut ledger = plain_ledger();
    let action = ledger.rotation_started("releases");
    ledger.generated(action);
    ledger.canary(action);
    ledger.wait(30 * DAY);
    assert_eq!(rule(&mut ledger, RotationCommand::CutOver(action)), Rule::RotationStep);
}

#[test]
fn a_contained_slot_is_not_cut_over_as_planned() {
    let mut ledger = plain_ledger();
    let action = ledger.rotation_started("releases");
    ledger.generated(action);
    ledger.canary(action);
    ledger.contain(1, Containment::Slot(slot_name("releases"))).unwrap();
    assert_eq!(rule(&mut ledger, RotationCommand::CutOver(action)), Rule::SlotSuspended);
}
