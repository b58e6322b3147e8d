//! Certificates: what is signed follows from what people approved, and what comes from outside is checked.

use sealbook_ledger::action::{KeyRevokeParams, Params, RevocationReason, SlotRotationParams};
use sealbook_ledger::algorithm::Algorithm;
use sealbook_ledger::certificate::{Certificate, Usage};
use sealbook_ledger::command::{Command, OwnSignature, RotationCommand};
use sealbook_ledger::encoding::{B64, Hash, HexBytes};
use sealbook_ledger::event::{Actor, Event};
use sealbook_ledger::payload::{
    CertificateIssued, CertificateRequested, Payload, SignatureAuthorized, SigningPurpose,
};
use sealbook_ledger::policy::Role;
use sealbook_ledger::rotation::{CertificatePolicy, IssuerPolicy, RotationPolicy};
use sealbook_ledger::rule::Rule;
use sealbook_ledger::timestamp::Timestamp;

use crate::support::*;

/// A root CA, and a slot under it whose key has no certificate yet.
fn under_root() -> (Ledger, sealbook_ledger::ids::KeyId) {
    let mut ledger = Ledger::ageing(3);
    ledger.root_ca("root");
    let key = ledger.rotating_slot("releases", Ledger::certified_by("root"));
    (ledger, key)
}

fn rule(ledger: &mut Ledger, command: RotationCommand) -> Rule {
    rule_of(ledger.step(command).expect_err("the command went through"))
}

/// The authorisation that a command would write, changed.
fn authorization(
    ledger: &mut Ledger,
    own: OwnSignature,
    change: impl FnOnce(&mut SignatureAuthorized),
) -> Result<(), Rule> {
    let (state, history, before) = (ledger.state.clone(), ledger.history.len(), ledger.before.len());
    let seq = ledger.authorize_own(own).unwrap();
    let event: &Event = &ledger.history[seq.get() as usize].event;
    let Payload::SignatureAuthorized(authorized) = &event.payload else { panic!("another event") };
    let mut authorized = (**authorized).clone();
    ledger.state = state;
    ledger.history.truncate(history);
    ledger.before.truncate(before);
    change(&mut authorized);
    ledger.judged(authorized)
}

#[test]
fn a_certificate_says_what_the_slots_policy_says() {
    let (mut ledger, key) = under_root();
    let id = ledger.certify("releases", key);
    let issued = ledger.now().issuance(id).unwrap().active().unwrap();
    let leaf = Certificate::from_der(issued.der.as_bytes()).unwrap();
    let root = ledger.now().slot(&slot_name("root")).unwrap().active.unwrap();
    let ca = Certificate::from_der(ledger.now().certificate_of(root).unwrap().der.as_bytes()).unwrap();
    assert_eq!(leaf.issuer(), ca.subject());
    assert_eq!(leaf.spki(), ledger.now().keys()[&key].material().unwrap().spki.as_bytes());
    assert_eq!(leaf.not_before(), ledger.clock.second());
    assert_eq!(leaf.not_after(), leaf.not_before().plus_seconds(397 * DAY - 1));
    assert_eq!(leaf.sha256(), issued.fingerprint);
    assert_eq!(leaf.serial(), issued.serial.as_ref().unwrap());
}

#[test]
fn a_slot_that_demands_a_certificate_signs_only_while_it_is_in_force() {
    let (mut ledger, key) = under_root();
    let slot = slot_name("releases");
    let service = ledger.service(&["releases"]);
    let gate = |ledger: &Ledger| ledger.now().gate(&slot, ledger.clock).unwrap();
    let refused = |ledger: &mut Ledger| {
        let request = ledger.request("releases", 32);
        rule_of(ledger.authorize(service, request).unwrap_err())
    };
    assert_eq!(gate(&ledger), [Rule::CertificateMissing]);
    assert_eq!(refused(&mut ledger), Rule::CertificateMissing);
    ledger.certify("releases", key);
    assert_eq!(gate(&ledger), []);
    let request = ledger.request("releases", 32);
    let signed = ledger.authorize(service, request).unwrap();
    let event = ledger.settle(signed).unwrap();
    let Payload::SignatureCreated(created) = event.payload else { panic!("withheld") };
    let issued = ledger.now().certificate_of(key).unwrap();
    let signing = created.signing.unwrap();
    assert_eq!((signing.fingerprint, signing.certificate_issued), (issued.fingerprint, issued.not_before));
    // The certificate's age counts, not the key's.
    ledger.clock = issued.not_before.plus_seconds(90 * DAY);
    assert_eq!(gate(&ledger), [Rule::KeyOverdue]);
}

#[test]
fn an_event_that_names_another_certificate_is_refused() {
    let (mut ledger, key) = under_root();
    let service = ledger.service(&["releases"]);
    ledger.certify("releases", key);
    let request = ledger.request("releases", 32);
    let (state, seq) = (ledger.state.clone(), ledger.authorize(service, request).unwrap());
    let Payload::SignatureAuthorized(authorized) = ledger.history[seq.get() as usize].event.payload.clone()
    else {
        panic!("another event")
    };
    ledger.state = state;
    let judged = |signing| {
        let mut event = ledger.written(SignatureAuthorized { signing, ..(*authorized).clone() });
        event.actor = Actor::Service(service);
        ledger.state.judge(&event, &Default::default())
    };
    assert_eq!(judged(authorized.signing), Ok(()));
    assert_eq!(judged(None), Err(Rule::SignatureAlgorithm));
    let other = authorized
        .signing
        .map(|signing| sealbook_ledger::payload::Signing { fingerprint: Hash::ZERO, ..signing });
    assert_eq!(judged(other), Err(Rule::SignatureAlgorithm));
}

#[test]
fn a_ca_signs_certificates_that_were_ordered_and_nothing_else() {
    let (mut ledger, key) = under_root();
    let service = ledger.service(&["root"]);
    let request = ledger.request("root", 32);
    assert_eq!(rule_of(ledger.authorize(service, request).unwrap_err()), Rule::SlotPurpose);
    let id = ledger.ordered("releases", key);
    let certificate = ledger.certificate_own(id);
    assert_eq!(rule_of(ledger.authorize_own(certificate.clone()).unwrap_err()), Rule::CertificateStep);
    ledger.request_of(id);

    let mut judged =
        |change: fn(&mut SignatureAuthorized)| authorization(&mut ledger, certificate.clone(), change);
    assert_eq!(judged(|_| {}), Ok(()));
    assert_eq!(judged(|a| a.digest = HexBytes(vec![1; 32])), Err(Rule::CertificateContent));
    let life = |seconds: i64| {
        move |a: &mut SignatureAuthorized| {
            let Some(SigningPurpose::Certificate { not_after, .. }) = &mut a.purpose else {
                panic!("another")
            };
            *not_after = Timestamp::from_unix_micros(not_after.unix_micros() + seconds * 1_000_000).unwrap();
        }
    };
    assert_eq!(authorization(&mut ledger, certificate.clone(), life(1)), Err(Rule::CertificateDates));
    assert_eq!(authorization(&mut ledger, certificate.clone(), life(-1)), Err(Rule::CertificateDates));
    let begins = |seconds: i64| {
        move |a: &mut SignatureAuthorized| {
            let Some(SigningPurpose::Certificate { not_before, not_after, .. }) = &mut a.purpose else {
                panic!("another")
            };
            for time in [not_before, not_after] {
                *time = Timestamp::from_unix_micros(time.unix_micros() + seconds * 1_000_000).unwrap();
            }
        }
    };
    assert_eq!(authorization(&mut ledger, certificate.clone(), begins(60)), Err(Rule::CertificateDates));
    assert_eq!(authorization(&mut ledger, certificate.clone(), begins(-3601)), Err(Rule::CertificateDates));
    // Other dates make another certificate, whose digest this is not.
    assert_eq!(authorization(&mut ledger, certificate.clone(), begins(-60)), Err(Rule::CertificateContent));
    let short = |a: &mut SignatureAuthorized| {
        let Some(SigningPurpose::Certificate { serial, .. }) = &mut a.purpose else { panic!("another") };
        *serial = "7a0102030405".parse().unwrap();
    };
    assert_eq!(authorization(&mut ledger, certificate, short), Err(Rule::CertificateSerial));
}

#[test]
fn a_serial_number_is_used_once() {
    let (mut ledger, key) = under_root();
    let id = ledger.certify("releases", key);
    let serial = ledger.now().issuance(id).unwrap().active().unwrap().serial.clone().unwrap();
    let again = ledger.ordered("releases", key);
    ledger.request_of(again);
    let own = ledger.certificate_of_serial(again, serial);
    let refused = ledger.authorize_own(own).unwrap_err();
    assert_eq!(rule_of(refused), Rule::CertificateSerial);
}

#[test]
fn a_certificate_never_outlives_its_issuer() {
    let mut ledger = Ledger::ageing(3);
    let mut root = certified(IssuerPolicy::SelfSigned, issuing(1), "Short Root");
    root.validity_days = 100;
    let policy = RotationPolicy { certificate: Some(root), ..RotationPolicy::of_days(60, 7) };
    let ca = ledger.rotating_slot("root", policy);
    ledger.certify("root", ca);
    let key = ledger.rotating_slot("releases", Ledger::certified_by("root"));
    let id = ledger.certify("releases", key);
    let above = ledger.now().certificate_of(ca).unwrap().not_after;
    assert_eq!(ledger.now().issuance(id).unwrap().active().unwrap().not_after, above);
    // What would end before the key's use and its overlap do is not issued at all.
    ledger.wait(10 * DAY);
    let late = ledger.ordered("releases", key);
    ledger.request_of(late);
    let founded = ledger.now();
    let begins = founded.certificate_end(founded.issuance(late).unwrap(), ledger.clock);
    assert_eq!(begins, Err(Rule::CertificateIssuer));
}

#[test]
fn what_is_recorded_is_what_was_signed() {
    let (mut ledger, key) = under_root();
    let id = ledger.ordered("releases", key);
    let authorization = ledger.sign_own(OwnSignature::Request(id)).unwrap();
    let csr: B64 = vec![1, 2, 3].into();
    let forged = CertificateRequested { authorization, certificate: id, csr };
    assert_eq!(ledger.judged(forged), Err(Rule::CertificateContent));
    ledger.step(RotationCommand::Record(id)).unwrap();
    let own = ledger.certificate_own(id);
    let authorization = ledger.sign_own(own).unwrap();
    let root = ledger.now().slot(&slot_name("root")).unwrap().active.unwrap();
    let der = ledger.now().certificate_of(root).unwrap().der.clone();
    let fingerprint = Hash::sha256(der.as_bytes());
    let other = CertificateIssued { authorization, certificate: id, der, fingerprint };
    assert_eq!(ledger.judged(other), Err(Rule::CertificateContent));
    let early = RotationCommand::Record(id);
    ledger.step(early).unwrap();
    assert_eq!(rule(&mut ledger, RotationCommand::Record(id)), Rule::CertificateStep);
}

#[test]
fn a_policy_that_changes_meanwhile_spoils_no_signature() {
    let (mut ledger, key) = under_root();
    let id = ledger.ordered("releases", key);
    ledger.request_of(id);
    let own = ledger.certificate_own(id);
    ledger.sign_own(own).unwrap();
    let mut rotation = Ledger::certified_by("root");
    rotation.certificate.as_mut().unwrap().validity_days = 200;
    ledger.decree(Params::SlotRotationSet(SlotRotationParams { rotation, slot: slot_name("releases") }));
    ledger.step(RotationCommand::Record(id)).unwrap();
    assert!(ledger.now().issuance(id).unwrap().active().is_some());
}

#[test]
fn a_chain_from_outside_is_for_this_key_of_this_use_and_length_and_from_there() {
    let mut ledger = Ledger::ageing(3);
    let (ca, stranger) = (Outside::new(), Outside::new());
    let issuer = IssuerPolicy::Outside { anchors: [ca.sha256()].into() };
    let policy = |usage| RotationPolicy {
        certificate: Some(certified(issuer.clone(), usage, "Acme")),
        ..RotationPolicy::of_days(90, 7)
    };
    let key = ledger.rotating_slot("drivers", policy(Usage::CodeSigning));
    let other = ledger.rotating_slot("clients", policy(Usage::ClientAuth));
    let auditor = ledger.enroll(&[Role::Auditor]);
    let id = ledger.ordered("drivers", key);
    let import = |ledger: &Ledger, by: usize, chain| RotationCommand::Import {
        by: ledger.people[by].id,
        certificate: id,
        chain,
    };
    let chain = ca.chain(&ledger, key, 300);
    let early = import(&ledger, 0, chain.clone());
    assert_eq!(rule(&mut ledger, early), Rule::CertificateStep);
    ledger.request_of(id);

    let refused = |ledger: &mut Ledger, by, chain| {
        let command = import(ledger, by, chain);
        rule(ledger, command)
    };
    assert_eq!(refused(&mut ledger, auditor, chain.clone()), Rule::RoleMissing);
    let for_other = ca.chain(&ledger, other, 300);
    assert_eq!(refused(&mut ledger, 0, for_other), Rule::CertificateKey);
    let long = ca.chain(&ledger, key, 398);
    assert_eq!(refused(&mut ledger, 0, long), Rule::CertificateDates);
    let strange = stranger.chain(&ledger, key, 300);
    assert_eq!(refused(&mut ledger, 0, strange), Rule::CertificateChain);
    assert_eq!(refused(&mut ledger, 0, chain[..1].to_vec()), Rule::CertificateChain);
    assert_eq!(refused(&mut ledger, 0, Vec::new()), Rule::CertificateChain);
    assert_eq!(refused(&mut ledger, 0, vec![vec![0x30, 0].into()]), Rule::CertificateChain);
    let command = import(&ledger, 0, chain);
    ledger.step(command).unwrap();

    // Code signing is no client authentication.
    let wrong = ledger.ordered("clients", other);
    ledger.request_of(wrong);
    let chain = ca.chain(&ledger, other, 300);
    let by = ledger.people[0].id;
    let command = RotationCommand::Import { by, certificate: wrong, chain };
    assert_eq!(rule(&mut ledger, command), Rule::CertificateChain);
}

#[test]
fn an_inside_slot_takes_no_chain_and_an_outside_one_no_ca() {
    let (mut ledger, key) = under_root();
    let id = ledger.ordered("releases", key);
    ledger.request_of(id);
    let chain = Outside::new().chain(&ledger, key, 300);
    let by = ledger.people[0].id;
    let command = RotationCommand::Import { by, certificate: id, chain };
    assert_eq!(rule(&mut ledger, command), Rule::CertificateIssuer);

    let issuer = IssuerPolicy::Outside { anchors: [Hash::ZERO].into() };
    let certificate = Some(certified(issuer, Usage::CodeSigning, "Acme"));
    let key =
        ledger.rotating_slot("drivers", RotationPolicy { certificate, ..RotationPolicy::of_days(90, 7) });
    let id = ledger.ordered("drivers", key);
    ledger.request_of(id);
    let founded = ledger.now();
    let serial = sealbook_ledger::certificate::SerialNumber::from_random([7; 16]);
    let terms = founded.terms(founded.issuance(id).unwrap(), serial, ledger.clock);
    assert_eq!(terms, Err(Rule::CertificateIssuer));
}

#[test]
fn policies_that_nothing_could_follow_are_refused() {
    let mut ledger = Ledger::ageing(3);
    ledger.root_ca("root");
    let inside = Ledger::certified_by("root");
    let refused = |ledger: &mut Ledger, algorithm: Algorithm, change: &dyn Fn(&mut RotationPolicy)| {
        let mut policy = inside.clone();
        change(&mut policy);
        let params = ledger.rotating_params("tried", policy);
        let params = sealbook_ledger::action::SlotCreateParams { algorithm, ..params };
        rule_of(ledger.propose(0, Params::SlotCreate(params)).expect_err("proposed"))
    };
    let p256 = Algorithm::EcdsaP256Sha256;
    let certificate = |change: fn(&mut CertificatePolicy)| {
        move |policy: &mut RotationPolicy| change(policy.certificate.as_mut().unwrap())
    };
    for (change, why) in [
        (certificate(|c| c.validity_days = 461), Rule::SlotForm),
        (certificate(|c| c.validity_days = 96), Rule::SlotForm),
        (certificate(|c| c.validity_days = 0), Rule::SlotForm),
        (certificate(|c| c.issuer = IssuerPolicy::SelfSigned), Rule::SlotForm),
        (certificate(|c| c.issuer = IssuerPolicy::Outside { anchors: [].into() }), Rule::SlotForm),
        (certificate(|c| c.crl_url = Some("https://example.com/a.crl".parse().unwrap())), Rule::SlotForm),
        (certificate(|c| c.issuer = IssuerPolicy::Slot { slot: slot_name("none") }), Rule::SlotUnknown),
    ] {
        assert_eq!(refused(&mut ledger, p256, &change), why);
    }
    let none = |policy: &mut RotationPolicy| policy.certificate = None;
    assert_eq!(refused(&mut ledger, p256, &none), Rule::SlotForm);
    let late = |policy: &mut RotationPolicy| policy.propose_days = 91;
    assert_eq!(refused(&mut ledger, p256, &late), Rule::SlotForm);
    let same = |_: &mut RotationPolicy| {};
    assert_eq!(refused(&mut ledger, Algorithm::Ed25519OverSha256Digest, &same), Rule::SlotForm);

    ledger.rotating_slot("releases", inside.clone());
    for no_ca in [
        certificate(|c| c.issuer = IssuerPolicy::Slot { slot: slot_name("releases") }),
        certificate(|c| c.subject = certified(IssuerPolicy::SelfSigned, issuing(1), "Acme Root").subject),
    ] {
        assert_eq!(refused(&mut ledger, p256, &no_ca), Rule::CertificateIssuer);
    }
    // No CA stands below one of the same path length.
    let as_high = |policy: &mut RotationPolicy| {
        policy.revoke_superseded = false;
        policy.certificate.as_mut().unwrap().usage = issuing(1);
    };
    assert_eq!(refused(&mut ledger, p256, &as_high), Rule::CertificateIssuer);
    let endless = |policy: &mut RotationPolicy| policy.overlap_days = 90;
    assert_eq!(refused(&mut ledger, p256, &endless), Rule::SlotForm);
    // A slot that signs artifacts never becomes a CA.
    let mut rotation = inside;
    rotation.certificate.as_mut().unwrap().usage = issuing(0);
    let set = Params::SlotRotationSet(SlotRotationParams { rotation, slot: slot_name("releases") });
    assert_eq!(rule_of(ledger.propose(0, set).unwrap_err()), Rule::SlotForm);
}

#[test]
fn a_certificate_is_ordered_for_the_key_in_charge_once_at_a_time() {
    let (mut ledger, key) = under_root();
    let order = |ledger: &Ledger, slot: &str, key| Params::CertificateIssue(ledger.issue_params(slot, key));
    let plain = ledger.rotating_slot("plain", RotationPolicy::of_days(90, 7));
    assert_eq!(
        rule_of({
            let params = order(&ledger, "plain", plain);
            ledger.propose(0, params).unwrap_err()
        }),
        Rule::CertificateNone
    );
    assert_eq!(
        rule_of({
            let params = order(&ledger, "releases", plain);
            ledger.propose(0, params).unwrap_err()
        }),
        Rule::SlotKeyless
    );
    assert_eq!(
        rule_of({
            let params = order(&ledger, "releases", key_id(9999));
            ledger.propose(0, params).unwrap_err()
        }),
        Rule::KeyUnknown
    );
    ledger.ordered("releases", key);
    assert_eq!(
        rule_of({
            let params = order(&ledger, "releases", key);
            ledger.propose(0, params).unwrap_err()
        }),
        Rule::CertificateBusy
    );
    let reason = RevocationReason::Superseded;
    ledger.decree(Params::KeyRevoke(KeyRevokeParams { compromised_since: None, key, reason }));
    assert_eq!(
        rule_of({
            let params = order(&ledger, "releases", key);
            ledger.propose(0, params).unwrap_err()
        }),
        Rule::KeyRevoked
    );
}

#[test]
fn an_order_takes_no_id_of_another() {
    let (mut ledger, key) = under_root();
    ledger.certify("releases", key);
    // An action that is still open will go by its id.
    let open = Params::CertificateIssue(ledger.issue_params("releases", key));
    let waiting = ledger.propose(0, open).unwrap();
    let action = ledger.rotation_started("releases");
    ledger.generated(action);
    let certificate = sealbook_ledger::ids::CertificateId::from(waiting.uuid());
    assert_eq!(rule(&mut ledger, RotationCommand::Order { action, certificate }), Rule::CertificateBusy);
}

#[test]
fn nobody_vouches_for_a_key_that_was_given_up() {
    let (mut ledger, key) = under_root();
    let id = ledger.ordered("releases", key);
    ledger.request_of(id);
    let own = ledger.certificate_own(id);
    let signing = ledger.authorize_own(own).unwrap();
    let reason = RevocationReason::KeyCompromise;
    ledger.decree(Params::KeyRevoke(KeyRevokeParams { compromised_since: None, key, reason }));
    let event = ledger.settle(signing).unwrap();
    assert_eq!(event.payload.type_name(), "signature.withheld");
    let own = ledger.certificate_own(id);
    assert_eq!(rule_of(ledger.authorize_own(own).unwrap_err()), Rule::KeyRevoked);
    let code = || "certificate.needless".parse().unwrap();
    ledger
        .step(RotationCommand::FailCertificate { by: Actor::System, certificate: id, code: code() })
        .unwrap();
}

#[test]
fn a_certificate_that_may_exist_is_recorded_and_its_number_is_never_used_again() {
    let (mut ledger, key) = under_root();
    let id = ledger.ordered("releases", key);
    ledger.request_of(id);
    let serial = ledger.serial();
    let own = ledger.certificate_of_serial(id, serial.clone());
    let lost = ledger.authorize_own(own.clone()).unwrap();
    ledger.wait(60);
    ledger.run(Command::Abandon(lost)).unwrap();
    let own = ledger.certificate_of_serial(id, serial);
    assert_eq!(rule_of(ledger.authorize_own(own).unwrap_err()), Rule::CertificateSerial);
    let own = ledger.certificate_own(id);
    ledger.sign_own(own).unwrap();
    let code = "certificate.needless".parse().unwrap();
    let fail = RotationCommand::FailCertificate { by: Actor::System, certificate: id, code };
    assert_eq!(rule(&mut ledger, fail), Rule::CertificateStep);
    ledger.step(RotationCommand::Record(id)).unwrap();
}

#[test]
fn a_contained_ca_issues_nothing_also_with_a_key_of_break_glass() {
    let (mut ledger, key) = under_root();
    let params = ledger.rotate_params("root");
    let action = ledger.propose_as(0, Role::SecurityReviewer, Params::KeyRotateEmergency(params)).unwrap();
    ledger.approve(1, Role::PlatformAdmin, action).unwrap();
    ledger.begin(action).unwrap();
    ledger.cut_over(action);
    let id = ledger.ordered("releases", key);
    ledger.request_of(id);
    ledger.contain(1, sealbook_ledger::command::Containment::Slot(slot_name("root"))).unwrap();
    let own = ledger.certificate_own(id);
    assert_eq!(rule_of(ledger.authorize_own(own).unwrap_err()), Rule::SlotSuspended);
}
