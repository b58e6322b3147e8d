//! Authorisations, their outcomes, and what else is recorded.

use std::collections::BTreeSet;

use sealbook_ledger::action::{
    KeyRevokeParams, MemberParams, Params, RevocationReason, ServiceParams, SlotPolicyParams,
};
use sealbook_ledger::algorithm::{Algorithm, MAX_PURE_MESSAGE};
use sealbook_ledger::command::{Command, Containment, SigningOutcome};
use sealbook_ledger::decide::Refusal;
use sealbook_ledger::encoding::{B64, Hash, HexBytes};
use sealbook_ledger::event::{Actor, Event};
use sealbook_ledger::ids::{Seq, ServiceId};
use sealbook_ledger::payload::{
    EvidenceRecorded, Payload, RefusalRecorded, SignatureCreated, SignatureWithheld, Subject, WithheldReason,
};
use sealbook_ledger::policy::{Caller, Environment, Role};
use sealbook_ledger::rule::Rule;

use crate::support::*;

const P256: Algorithm = Algorithm::EcdsaP256Sha256;

fn signing() -> (Ledger, ServiceId) {
    let mut ledger = Ledger::founded(3);
    ledger.slot("s", P256);
    let service = ledger.service(&["s"]);
    (ledger, service)
}

fn authorized() -> (Ledger, ServiceId, Seq) {
    let (mut ledger, service) = signing();
    let request = ledger.request("s", 32);
    let seq = ledger.authorize(service, request).unwrap();
    (ledger, service, seq)
}

#[test]
fn an_authorisation_ends_in_one_outcome() {
    let (mut ledger, _, seq) = authorized();
    let created = ledger.settle(seq).unwrap();
    assert!(matches!(created.payload, Payload::SignatureCreated(_)));
    assert_eq!(rule_of(ledger.settle(seq).unwrap_err()), Rule::SignatureUnknown);
    let failed = SigningOutcome::Failed("device.error".parse().unwrap());
    assert_eq!(
        ledger.refused(Command::Settle { authorization: seq, outcome: failed }),
        Rule::SignatureUnknown
    );
    assert_eq!(ledger.refused(Command::Abandon(seq)), Rule::SignatureUnknown);
    assert!(ledger.now().pending_signatures().is_empty());
}

#[test]
fn a_failed_authorisation_is_ended_too() {
    let (mut ledger, _, authorization) = authorized();
    let outcome = SigningOutcome::Failed("device.error".parse().unwrap());
    ledger.run(Command::Settle { authorization, outcome }).unwrap();
    assert_eq!(rule_of(ledger.settle(authorization).unwrap_err()), Rule::SignatureUnknown);
}

#[test]
fn an_authorisation_is_abandoned_only_once_it_expired() {
    let (mut ledger, _, seq) = authorized();
    ledger.wait(59);
    assert_eq!(ledger.refused(Command::Abandon(seq)), Rule::SignatureNotExpired);
    ledger.wait(1);
    ledger.run(Command::Abandon(seq)).unwrap();
}

/// What a signature that the device made is withheld for.
fn withheld(stop: impl FnOnce(&mut Ledger, ServiceId)) -> WithheldReason {
    let (mut ledger, service, seq) = authorized();
    stop(&mut ledger, service);
    let pending = ledger.now().pending_signatures()[&seq].clone();
    let material = ledger.now().keys()[&pending.key].material().unwrap().clone();
    let forged = SignatureCreated {
        algorithm: pending.algorithm,
        authorization: seq,
        digest: pending.digest,
        key: pending.key,
        signature: B64(vec![1]),
        signing: None,
        spki_sha256: material.spki_sha256,
    };
    assert_eq!(ledger.judged(forged), Err(Rule::ReleaseBarred));
    let event = ledger.settle(seq).unwrap();
    let Payload::SignatureWithheld(withheld) = event.payload else { panic!("released") };
    withheld.reason
}

fn suspend_slot(ledger: &mut Ledger) {
    ledger.contain(1, Containment::Slot(slot_name("s"))).unwrap();
}

fn revoke(ledger: &mut Ledger) {
    let key = *ledger.now().keys().keys().next().unwrap();
    let reason = RevocationReason::CessationOfOperation;
    ledger.decree(Params::KeyRevoke(KeyRevokeParams { compromised_since: None, key, reason }));
}

#[test]
fn no_signature_is_released_after_a_suspension_a_revocation_or_its_time() {
    assert_eq!(withheld(|l, _| suspend_slot(l)), WithheldReason::Suspended);
    let service = |l: &mut Ledger, s| drop(l.contain(1, Containment::Service(s)).unwrap());
    assert_eq!(withheld(service), WithheldReason::Suspended);
    assert_eq!(withheld(|l, _| revoke(l)), WithheldReason::Revoked);
    let removed = |l: &mut Ledger, service| drop(l.decree(Params::ServiceRemove(ServiceParams { service })));
    assert_eq!(withheld(removed), WithheldReason::Revoked);
    assert_eq!(withheld(|l, _| l.wait(60)), WithheldReason::Expired);
}

#[test]
fn revocation_weighs_more_than_suspension_and_suspension_more_than_time() {
    let all = |l: &mut Ledger, _| {
        suspend_slot(l);
        revoke(l);
        l.wait(60);
    };
    assert_eq!(withheld(all), WithheldReason::Revoked);
    let late = |l: &mut Ledger, _| {
        suspend_slot(l);
        l.wait(60);
    };
    assert_eq!(withheld(late), WithheldReason::Suspended);
}

#[test]
fn a_signature_is_withheld_only_for_what_bars_it() {
    let (mut ledger, _, authorization) = authorized();
    let because = |reason| SignatureWithheld { authorization, reason, signature_sha256: Hash::ZERO };
    for reason in [WithheldReason::Expired, WithheldReason::Revoked, WithheldReason::Suspended] {
        assert_eq!(ledger.judged(because(reason)), Err(Rule::ReleaseNotBarred));
    }
    suspend_slot(&mut ledger);
    assert_eq!(ledger.judged(because(WithheldReason::Revoked)), Err(Rule::ReleaseNotBarred));
}

#[test]
fn an_engineer_signs_until_suspended_or_removed() {
    let mut ledger = Ledger::founded(3);
    ledger.slot("s", P256);
    let engineer = ledger.enroll(&[Role::PackagingEngineer]);
    let member = ledger.people[engineer].id;
    let ask = |ledger: &Ledger| Command::Authorize {
        caller: Actor::Member(member),
        request: Box::new(ledger.request("s", 32)),
    };
    let (first, second) =
        (ledger.run(ask(&ledger)).unwrap()[0].seq, ledger.run(ask(&ledger)).unwrap()[0].seq);
    ledger.contain(0, Containment::Member(member)).unwrap();
    assert_eq!(ledger.refused(ask(&ledger)), Rule::MemberInactive);
    let Payload::SignatureWithheld(held) = ledger.settle(first).unwrap().payload else { panic!("released") };
    assert_eq!(held.reason, WithheldReason::Suspended);
    ledger.decree(Params::MemberRemove(MemberParams { member }));
    let Payload::SignatureWithheld(held) = ledger.settle(second).unwrap().payload else { panic!("released") };
    assert_eq!(held.reason, WithheldReason::Revoked);
}

#[test]
fn a_caller_needs_the_slot_before_anything_is_said_about_it() {
    let (mut ledger, service) = signing();
    let ask = |ledger: &Ledger, caller, slot| Command::Authorize {
        caller,
        request: Box::new(ledger.request(slot, 32)),
    };
    assert_eq!(ledger.refused(ask(&ledger, Actor::Service(service), "none")), Rule::ServiceSlot);
    ledger.slot("other", P256);
    assert_eq!(ledger.refused(ask(&ledger, Actor::Service(service), "other")), Rule::ServiceSlot);
    assert_eq!(ledger.refused(ask(&ledger, Actor::Service(service_id(99)), "s")), Rule::ServiceUnknown);
    let reviewer = Actor::Member(ledger.people[0].id);
    for slot in ["s", "none"] {
        assert_eq!(ledger.refused(ask(&ledger, reviewer, slot)), Rule::RoleMissing);
    }
    assert_eq!(ledger.refused(ask(&ledger, Actor::System, "s")), Rule::Actor);
    let engineer = ledger.enroll(&[Role::PackagingEngineer]);
    let engineer = Actor::Member(ledger.people[engineer].id);
    assert_eq!(ledger.refused(ask(&ledger, engineer, "none")), Rule::SlotUnknown);
    for callers in [BTreeSet::from([Caller::Services]), BTreeSet::from([Caller::PackagingEngineers])] {
        let signing_policy = sealbook_ledger::policy::SigningPolicy {
            callers: callers.clone(),
            ..ledger.now().slot(&slot_name("s")).unwrap().signing_policy.clone()
        };
        ledger.decree(Params::SlotPolicySet(SlotPolicyParams { signing_policy, slot: slot_name("s") }));
        let (shut_out, let_in) = if callers.contains(&Caller::Services) {
            (engineer, Actor::Service(service))
        } else {
            (Actor::Service(service), engineer)
        };
        assert_eq!(ledger.refused(ask(&ledger, shut_out, "s")), Rule::RoleMissing);
        ledger.run(ask(&ledger, let_in, "s")).unwrap();
    }
}

#[test]
fn a_token_that_ended_a_suspended_and_a_removed_service_sign_nothing() {
    let (mut ledger, service) = signing();
    let request = ledger.request("s", 32);
    let clock = ledger.clock;
    ledger.wait(31 * 24 * 60 * 60);
    assert_eq!(rule_of(ledger.authorize(service, request.clone()).unwrap_err()), Rule::ServiceInactive);
    ledger.clock = clock;
    ledger.contain(0, Containment::Service(service)).unwrap();
    assert_eq!(rule_of(ledger.authorize(service, request).unwrap_err()), Rule::ServiceInactive);
}

#[test]
fn a_slot_signs_only_while_it_is_not_suspended_and_has_a_key_that_holds() {
    let (mut ledger, service) = signing();
    let request = ledger.request("s", 32);
    suspend_slot(&mut ledger);
    assert_eq!(rule_of(ledger.authorize(service, request.clone()).unwrap_err()), Rule::SlotSuspended);
    let (mut ledger, service) = signing();
    revoke(&mut ledger);
    assert_eq!(rule_of(ledger.authorize(service, request).unwrap_err()), Rule::KeyRevoked);
    ledger.slot_being_made("young", P256);
    let early = ledger.service(&["young"]);
    let request = ledger.request("young", 32);
    assert_eq!(rule_of(ledger.authorize(early, request).unwrap_err()), Rule::SlotKeyless);
}

#[test]
fn a_digest_has_the_length_that_its_algorithm_fixes() {
    let mut ledger = Ledger::founded(3);
    let names: Vec<&str> = Algorithm::ALL.iter().map(|algorithm| algorithm.name()).collect();
    for algorithm in Algorithm::ALL {
        ledger.slot(algorithm.name(), algorithm);
    }
    let service = ledger.service(&names);
    for algorithm in Algorithm::ALL {
        let right = match algorithm.name() {
            "ecdsa-p384-sha384" | "rsa3072-pss-sha384" | "rsa3072-pkcs1-sha384" => 48,
            "rsa4096-pss-sha512" | "rsa4096-pkcs1-sha512" => 64,
            _ => 32,
        };
        for len in [0, 20, 31, 32, 33, 47, 48, 64, 65] {
            let mut request = ledger.request(algorithm.name(), len);
            if algorithm.needs_message() && len == right {
                let sent = message(b"hello");
                (request.digest, request.message) = (HexBytes(sent.sha256.0.to_vec()), Some(sent));
            }
            let outcome = ledger.authorize(service, request);
            match outcome {
                Ok(_) => assert_eq!(len, right, "{algorithm}"),
                Err(refusal) => assert_eq!((rule_of(refusal), len != right), (Rule::DigestLength, true)),
            }
        }
    }
}

#[test]
fn pure_ed25519_signs_the_message_and_other_algorithms_a_digest_alone() {
    let mut ledger = Ledger::founded(3);
    ledger.slot("pure", Algorithm::Ed25519);
    ledger.slot("over-digest", Algorithm::Ed25519OverSha256Digest);
    let service = ledger.service(&["pure", "over-digest"]);
    let sent = message(b"hello");
    let with = |ledger: &Ledger, slot: &str, change: &dyn Fn(&mut sealbook_ledger::command::SignRequest)| {
        let mut request = ledger.request(slot, 32);
        (request.digest, request.message) = (HexBytes(sent.sha256.0.to_vec()), Some(sent.clone()));
        change(&mut request);
        request
    };
    let mut check = |slot: &str, change: &dyn Fn(&mut sealbook_ledger::command::SignRequest)| {
        let request = with(&ledger, slot, change);
        ledger.authorize(service, request).map(drop).map_err(rule_of)
    };
    assert_eq!(check("pure", &|_| {}), Ok(()));
    assert_eq!(check("pure", &|r| r.message = None), Err(Rule::MessageForm));
    assert_eq!(check("pure", &|r| r.digest = HexBytes(vec![0; 32])), Err(Rule::MessageForm));
    let size = |n: usize| {
        move |r: &mut sealbook_ledger::command::SignRequest| r.message.as_mut().unwrap().size = n as u64
    };
    assert_eq!(check("pure", &size(MAX_PURE_MESSAGE)), Ok(()));
    assert_eq!(check("pure", &size(MAX_PURE_MESSAGE + 1)), Err(Rule::MessageForm));
    assert_eq!(check("over-digest", &|_| {}), Err(Rule::MessageForm));
    assert_eq!(check("over-digest", &|r| r.message = None), Ok(()));
}

#[test]
fn an_authorisation_is_for_a_permitted_environment_and_ten_minutes_at_most() {
    let (mut ledger, service) = signing();
    let mut request = ledger.request("s", 32);
    request.environment = Environment::Staging;
    assert_eq!(rule_of(ledger.authorize(service, request).unwrap_err()), Rule::SignatureEnvironment);
    for life_s in [0, 601] {
        let mut request = ledger.request("s", 32);
        request.life_s = life_s;
        assert_eq!(rule_of(ledger.authorize(service, request).unwrap_err()), Rule::SignatureLife);
    }
}

#[test]
fn an_authorisation_and_its_signature_repeat_what_they_stand_for() {
    let (mut ledger, _, seq) = authorized();
    let authorized = ledger.history.last().unwrap().event.clone();
    let Payload::SignatureAuthorized(genuine) = &authorized.payload else { panic!("another event") };
    for change in [
        (|a| a.algorithm = Algorithm::EcdsaP384Sha384)
            as fn(&mut sealbook_ledger::payload::SignatureAuthorized),
        |a| a.key = key_id(999),
        |a| a.policy = Hash::ZERO,
    ] {
        let mut payload = genuine.as_ref().clone();
        change(&mut payload);
        let event = Event { payload: payload.into(), ..authorized.clone() };
        let verdict = ledger.before.last().unwrap().judge(&event, &Default::default());
        assert_eq!(verdict, Err(Rule::SignatureAlgorithm));
    }
    let created = ledger.settle(seq).unwrap();
    let Payload::SignatureCreated(genuine) = &created.payload else { panic!("another event") };
    for change in [
        (|c| c.algorithm = Algorithm::EcdsaP384Sha384) as fn(&mut SignatureCreated),
        |c| c.key = key_id(999),
        |c| c.digest = HexBytes(vec![0; 32]),
        |c| c.spki_sha256 = Hash::ZERO,
    ] {
        let mut payload = genuine.as_ref().clone();
        change(&mut payload);
        let event = Event { payload: payload.into(), ..created.clone() };
        let verdict = ledger.before.last().unwrap().judge(&event, &Default::default());
        assert_eq!(verdict, Err(Rule::SignatureAlgorithm));
    }
}

#[test]
fn disclosures_are_sorted_distinct_whole_and_no_more_than_their_type_has() {
    let (mut ledger, service) = signing();
    let digest = |n: u8| B64(vec![n; 32]);
    for sd in [
        vec![digest(2), digest(1)],
        vec![digest(1), digest(1)],
        vec![B64(vec![1; 31])],
        (0..9).map(digest).collect(),
    ] {
        let mut request = ledger.request("s", 32);
        request.sd = sd;
        assert!(matches!(ledger.authorize(service, request), Err(Refusal::Disclosures)));
    }
    let by = ledger.people[0].id;
    let target = Containment::Slot(slot_name("s"));
    let two = Command::Contain { by, target: target.clone(), sd: vec![digest(1), digest(2)] };
    assert!(matches!(ledger.run(two), Err(Refusal::Disclosures)));
    ledger.run(Command::Contain { by, target, sd: vec![digest(1)] }).unwrap();
}

#[test]
fn a_signatures_bytes_are_bounded_like_every_event() {
    let (mut ledger, _, authorization) = authorized();
    let outcome = SigningOutcome::Signed(B64(vec![0; 60_000]));
    assert!(matches!(ledger.run(Command::Settle { authorization, outcome }), Err(Refusal::TooLong)));
    ledger.settle(authorization).unwrap();
}

#[test]
fn evidence_is_about_something_that_exists() {
    let (mut ledger, service) = signing();
    let member = ledger.people[0].id;
    let action = sealbook_ledger::ids::ActionId::from(uuid(1));
    let key = *ledger.now().keys().keys().next().unwrap();
    let record = |subject, by| Command::RecordEvidence {
        by,
        evidence: Box::new(EvidenceRecorded {
            digest: Hash::ZERO,
            evidence: uuid(2).into(),
            media_type: "text/plain".parse().unwrap(),
            subject,
        }),
        sd: Vec::new(),
    };
    let by = Actor::Service(service);
    for unknown in [
        Subject::Action(action),
        Subject::Event(Seq::new(ledger.state.size()).unwrap()),
        Subject::Key(key_id(99)),
        Subject::Member(uuid(1).into()),
        Subject::Service(service_id(99)),
        Subject::Slot(slot_name("none")),
    ] {
        assert_eq!(ledger.refused(record(unknown, by)), Rule::EvidenceSubject);
    }
    for known in [
        Subject::Event(Seq::ZERO),
        Subject::Key(key),
        Subject::Member(member),
        Subject::Service(service),
        Subject::Slot(slot_name("s")),
    ] {
        ledger.run(record(known.clone(), by)).unwrap();
        ledger.run(record(known, Actor::Member(member))).unwrap();
    }
    assert_eq!(ledger.refused(record(Subject::Event(Seq::ZERO), Actor::System)), Rule::Actor);
}

#[test]
fn refusals_are_of_known_callers_in_a_minute_that_has_begun() {
    let (mut ledger, service) = signing();
    let good = RefusalRecorded {
        caller: Actor::Service(service),
        count: 3,
        minute: ledger.clock.minute(),
        rule: "slot.suspended".parse().unwrap(),
    };
    let record = |change: fn(&mut RefusalRecorded)| {
        let mut refused = good.clone();
        change(&mut refused);
        Command::RecordRefusal(refused)
    };
    ledger.run(record(|_| {})).unwrap();
    assert_eq!(ledger.refused(record(|r| r.count = 0)), Rule::RefusalForm);
    assert_eq!(ledger.refused(record(|r| r.minute = r.minute.plus_seconds(1))), Rule::RefusalForm);
    assert_eq!(ledger.refused(record(|r| r.minute = r.minute.plus_seconds(3600))), Rule::RefusalForm);
    assert_eq!(ledger.refused(record(|r| r.caller = Actor::System)), Rule::RefusalForm);
    assert_eq!(ledger.refused(record(|r| r.caller = Actor::Service(service_id(99)))), Rule::RefusalForm);
}

/// The state after n signatures of one digest differs from that after one in its size, head and time, and in which was the
/// last of them.
#[test]
fn the_state_keeps_nothing_of_signatures_that_ended_but_what_was_signed_last() {
    let (mut ledger, service) = signing();
    let sign = |ledger: &mut Ledger| {
        let request = ledger.request("s", 32);
        let seq = ledger.authorize(service, request).unwrap();
        let released = ledger.settle(seq).unwrap().seq;
        format!("{:?}", ledger.now()).replace(&format!("originals: [{released:?}]"), "originals: [the last]")
    };
    let once = sign(&mut ledger);
    (0..50).for_each(|_| assert_eq!(sign(&mut ledger), once));
}
