//! Revocation: what it takes with it, what CAs' lists say of it, and when a device may forget a key.

use sealbook_ledger::action::{
    CertificateRevokeParams, FipsCertificate, KeyRevokeParams, Params, RevocationReason, RulesAdoptParams,
    SlotRotationParams,
};
use sealbook_ledger::certificate::RevocationReason as Listed;
use sealbook_ledger::command::{Containment, CrlCommand, CrlLife, CrlOutcome, Document, RotationCommand};
use sealbook_ledger::encoding::{B64, HexBytes};
use sealbook_ledger::event::{Actor, Event};
use sealbook_ledger::ids::KeyId;
use sealbook_ledger::payload::{
    CertificateFailed, CertificateRevoked, CrlAuthorized, CrlIssued, DocumentAuthorized, Payload,
};
use sealbook_ledger::rotation::{IssuerPolicy, RotationPolicy};
use sealbook_ledger::rule::Rule;

use crate::support::*;

#[test]
fn a_revoked_key_takes_its_certificates_with_it() {
    let Pki { mut ledger, root, leaf, certificate } = pki();
    ledger.wait(10 * DAY);
    let since = earlier(ledger.clock, 3);
    ledger.revoke(leaf, RevocationReason::KeyCompromise, Some(since));
    let founded = ledger.now();
    assert!(founded.issuance(certificate).unwrap().active().is_none());
    assert_eq!(founded.certificate_in_force(leaf, ledger.clock).unwrap_err(), Rule::CertificateRevoked);
    let [entry] = founded.list_entries(root).try_into().unwrap();
    assert_eq!(entry.reason, Some(Listed::KeyCompromise));
    // Whoever knows no invalidityDate goes by the date of revocation: both are moved back.
    assert_eq!((entry.invalid_since, entry.revoked_at), (Some(since.second()), since.second()));
    assert_eq!(Some(entry.serial), founded.certificate_of(leaf).unwrap().serial);
}

#[test]
fn under_version_2_a_revoked_key_leaves_its_certificate_as_it_was() {
    let Pki { mut ledger, root, leaf, certificate } = pki_under(2);
    ledger.revoke(leaf, RevocationReason::KeyCompromise, None);
    assert!(ledger.now().issuance(certificate).unwrap().active().is_some());
    assert_eq!(ledger.authorize_list(root).unwrap_err(), Rule::TypeUnknown);
}

#[test]
fn nothing_is_revoked_before_its_certificate_began() {
    let Pki { mut ledger, root, leaf, .. } = pki();
    ledger.wait(DAY);
    ledger.revoke(
        leaf,
        RevocationReason::KeyCompromise,
        Some("1912-06-23T00:00:00.000000Z".parse().unwrap()),
    );
    let begins = ledger.now().certificate_of(leaf).unwrap().not_before;
    assert_eq!(ledger.now().list_entries(root)[0].revoked_at, begins);
    ledger.listed(root);
}

#[test]
fn a_certificate_that_comes_after_its_key_was_given_up_is_revoked_at_once() {
    let Pki { mut ledger, leaf, .. } = pki();
    let id = ledger.ordered("releases", leaf);
    ledger.request_of(id);
    let own = ledger.certificate_own(id);
    ledger.sign_own(own).unwrap();
    ledger.revoke(leaf, RevocationReason::PrivilegeWithdrawn, None);
    ledger.step(RotationCommand::Record(id)).unwrap();
    assert!(ledger.now().issuance(id).unwrap().active().is_none());
    let root = ledger.now().slot(&slot_name("root")).unwrap().active.unwrap();
    assert_eq!(ledger.now().list_entries(root).len(), 2);
}

#[test]
fn a_rotation_that_fails_takes_the_new_keys_certificate_with_it() {
    let Pki { mut ledger, root, .. } = pki();
    let action = ledger.rotation_started("releases");
    ledger.generated(action);
    let id = ledger.certificate_ordered(action);
    ledger.request_of(id);
    ledger.issue(id);
    let code = "rotation.stopped".parse().unwrap();
    ledger.step(RotationCommand::Fail { by: Actor::System, action, code, sd: vec![] }).unwrap();
    assert!(ledger.now().issuance(id).unwrap().active().is_none());
    assert_eq!(ledger.now().list_entries(root)[0].reason, Some(Listed::CessationOfOperation));
}

#[test]
fn a_retired_key_keeps_its_certificate() {
    let Pki { mut ledger, certificate, .. } = pki();
    let mut rotation = Ledger::certified_by("root");
    rotation.revoke_superseded = false;
    rotation.channels.clear();
    let set = sealbook_ledger::action::SlotRotationParams { rotation, slot: slot_name("releases") };
    ledger.decree(Params::SlotRotationSet(set));
    let action = ledger.rotation_started("releases");
    ledger.cut_over(action);
    ledger.wait(8 * DAY);
    ledger.step(RotationCommand::Complete(action)).unwrap();
    assert!(ledger.now().issuance(certificate).unwrap().active().is_some());
}

#[test]
fn what_a_rotation_makes_needless_is_revoked_when_it_says_so_and_not_before() {
    let Pki { mut ledger, certificate, .. } = pki();
    let action = ledger.rotation_started("releases");
    ledger.cut_over(action);
    ledger.wait(8 * DAY);
    ledger
        .step(RotationCommand::MoveChannel {
            by: Actor::Member(ledger.people[0].id),
            action,
            channel: "stable".parse().unwrap(),
        })
        .unwrap();
    let state = ledger.state.clone();
    let events = ledger.step(RotationCommand::Complete(action)).unwrap();
    let Payload::CertificateRevoked(revoked) = events[1].payload.clone() else { panic!("another event") };
    assert_eq!(revoked.certificate, certificate);
    ledger.state = state;
    let completed = Event { time: events[0].time, ..events[0].clone() };
    ledger.state.apply(&completed, sealbook_ledger::encoding::Hash::ZERO);
    assert_eq!(ledger.judged((*revoked).clone()), Ok(()));
    let backdated = CertificateRevoked { invalid_since: Some(earlier(ledger.clock, 9)), ..*revoked };
    assert_eq!(ledger.judged(backdated), Err(Rule::RotationStep));
}

#[test]
fn that_somebody_else_holds_a_key_can_be_found_out_later() {
    let Pki { mut ledger, root, leaf, .. } = pki();
    ledger.wait(10 * DAY);
    ledger.revoke(leaf, RevocationReason::Superseded, None);
    let first = ledger.state.time().unwrap().second();
    ledger.wait(DAY);
    let again = KeyRevokeParams { compromised_since: None, key: leaf, reason: RevocationReason::Superseded };
    assert_eq!(rule_of(ledger.propose(0, Params::KeyRevoke(again)).unwrap_err()), Rule::KeyRevoked);
    let action = ledger.destroying(leaf);
    ledger.destroyed(action).unwrap();
    // Destroyed or not: what was signed before is doubted from then on.
    ledger.revoke(leaf, RevocationReason::KeyCompromise, None);
    assert_eq!(ledger.now().keys()[&leaf].state_name(), "destroyed_compromised");
    let entry = ledger.now().list_entries(root).remove(0);
    assert_eq!((entry.reason, entry.revoked_at), (Some(Listed::KeyCompromise), first));
    let since = earlier(ledger.clock, 5);
    let again = KeyRevokeParams {
        compromised_since: Some(since),
        key: leaf,
        reason: RevocationReason::KeyCompromise,
    };
    assert_eq!(rule_of(ledger.propose(0, Params::KeyRevoke(again)).unwrap_err()), Rule::KeyDestroyed);
}

#[test]
fn an_adoption_revokes_what_earlier_rules_left_in_force() {
    let Pki { mut ledger, root, leaf, certificate } = pki_under(2);
    let since = ledger.clock;
    ledger.wait(DAY);
    ledger.revoke(leaf, RevocationReason::KeyCompromise, Some(since));
    assert!(ledger.now().issuance(certificate).unwrap().active().is_some());
    ledger.decree(Params::RulesAdopt(RulesAdoptParams { rules: 3 }));
    let entry = ledger.now().list_entries(root).remove(0);
    assert_eq!((entry.reason, entry.revoked_at), (Some(Listed::KeyCompromise), since.second()));
    ledger.listed(root);
}

#[test]
fn nothing_is_signed_under_a_ca_that_is_revoked() {
    let Pki { mut ledger, root, .. } = pki();
    let gate = |ledger: &Ledger| ledger.now().gate(&slot_name("releases"), ledger.clock).unwrap();
    assert_eq!(gate(&ledger), []);
    ledger.revoke(root, RevocationReason::KeyCompromise, None);
    assert_eq!(gate(&ledger), [Rule::CertificateIssuer]);
    let service = ledger.service(&["releases"]);
    let request = ledger.request("releases", 32);
    assert_eq!(rule_of(ledger.authorize(service, request).unwrap_err()), Rule::CertificateIssuer);
}

#[test]
fn a_ca_keeps_its_name() {
    let mut ledger = pki().ledger;
    let mut rotation = ledger.now().slot(&slot_name("root")).unwrap().rotation.clone();
    let set = |rotation: &RotationPolicy| {
        let params = SlotRotationParams { rotation: rotation.clone(), slot: slot_name("root") };
        Params::SlotRotationSet(params)
    };
    rotation.propose_days = 30;
    ledger.propose(0, set(&rotation)).unwrap();
    let certificate = rotation.certificate.as_mut().unwrap();
    certificate.subject = serde_json::from_value(serde_json::json!({"common_name": "Another Root"})).unwrap();
    assert_eq!(rule_of(ledger.propose(0, set(&rotation)).unwrap_err()), Rule::SlotForm);
}

#[test]
fn a_ca_that_has_signed_what_is_not_recorded_yet_is_not_destroyed() {
    let Pki { mut ledger, root, leaf, .. } = pki();
    let id = ledger.ordered("releases", leaf);
    ledger.request_of(id);
    let own = ledger.certificate_own(id);
    ledger.sign_own(own).unwrap();
    ledger.revoke(leaf, RevocationReason::Superseded, None);
    ledger.revoke(root, RevocationReason::CessationOfOperation, None);
    assert_eq!(ledger.destruction(root).unwrap_err(), Rule::CrlLast);
    ledger.step(RotationCommand::Record(id)).unwrap();
    ledger.destruction(root).unwrap();
}

#[test]
fn a_list_that_was_to_be_the_last_is_followed_by_others_where_its_key_stays() {
    let Pki { mut ledger, root, leaf, .. } = pki();
    ledger.revoke(leaf, RevocationReason::Superseded, None);
    ledger.revoke(root, RevocationReason::CessationOfOperation, None);
    let action = ledger.destroying(root);
    let last = CrlCommand::Authorize { key: root, lasting: CrlLife::Last(action), life_s: 60 };
    let authorization = ledger.list(last).unwrap()[0].seq;
    ledger.list_settled(authorization).unwrap();
    // What is found out meanwhile stands on no list yet.
    ledger.revoke(leaf, RevocationReason::KeyCompromise, None);
    assert!(ledger.now().owes_last_list(root));
    assert_eq!(ledger.destroyed(action).unwrap_err(), Rule::CrlLast);
    ledger.listed(root);
    assert!(!ledger.now().crls()[&root].is_last());
}

#[test]
fn people_may_revoke_a_certificate_alone() {
    let Pki { mut ledger, root, leaf, certificate } = pki();
    let revoke = |invalid_since, reason| {
        Params::CertificateRevoke(CertificateRevokeParams { certificate, invalid_since, reason })
    };
    let params = |since| revoke(since, RevocationReason::AffiliationChanged);
    let stolen = revoke(None, RevocationReason::KeyCompromise);
    assert_eq!(rule_of(ledger.propose(0, stolen).unwrap_err()), Rule::RevocationForm);
    let later = ledger.clock.plus_seconds(60);
    assert_eq!(rule_of(ledger.propose(0, params(Some(later))).unwrap_err()), Rule::RevocationForm);
    ledger.decree(params(None));
    let now = ledger.now();
    assert_eq!(now.keys()[&leaf].state_name(), "active");
    assert_eq!(now.gate(&slot_name("releases"), ledger.clock).unwrap(), [Rule::CertificateRevoked]);
    let entry = &now.list_entries(root)[0];
    assert_eq!((entry.reason, entry.invalid_since), (Some(Listed::AffiliationChanged), None));
    assert_eq!(entry.revoked_at, ledger.state.time().unwrap().second());
    assert_eq!(rule_of(ledger.propose(0, params(None)).unwrap_err()), Rule::CertificateRevoked);
}

#[test]
fn a_list_says_what_is_recorded_and_nothing_else() {
    let Pki { mut ledger, root, leaf, .. } = pki();
    ledger.revoke(leaf, RevocationReason::KeyCompromise, None);
    let state = ledger.state.clone();
    let authorization = ledger.authorize_list(root).unwrap();
    let Payload::CrlAuthorized(authorized) =
        ledger.history[authorization.get() as usize].event.payload.clone()
    else {
        panic!("another event")
    };
    ledger.state = state;
    let judged = |change: fn(&mut CrlAuthorized)| {
        let mut changed = (*authorized).clone();
        change(&mut changed);
        ledger.judged(changed)
    };
    assert_eq!(judged(|_| {}), Ok(()));
    assert_eq!(judged(|list| list.digest = HexBytes(vec![1; 32])), Err(Rule::CrlContent));
    let later = |list: &mut CrlAuthorized| list.next_update = list.next_update.plus_seconds(1);
    assert_eq!(judged(later), Err(Rule::CrlDates));
    // A shorter life is another list.
    let sooner = |list: &mut CrlAuthorized| list.next_update = earlier(list.next_update, 1);
    assert_eq!(judged(sooner), Err(Rule::CrlContent));
    assert_eq!(judged(|list| list.next_update = earlier(list.next_update, 8)), Err(Rule::CrlDates));
    let long = |list: &mut CrlAuthorized| list.expires_at = list.expires_at.plus_seconds(3600);
    assert_eq!(judged(long), Err(Rule::SignatureLife));
    assert_eq!(judged(|list| list.action = Some(action_id(0xffff))), Err(Rule::ActionUnknown));
    let by = |key| ledger.judged(CrlAuthorized { key, ..(*authorized).clone() });
    assert_eq!(by(leaf), Err(Rule::CrlIssuer));
    assert_eq!(by(key_id(999)), Err(Rule::KeyUnknown));
}

#[test]
fn a_lists_number_is_its_place_and_it_is_complete_until_the_next_revocation() {
    let Pki { mut ledger, root, leaf, .. } = pki();
    assert!(!ledger.now().is_list_complete(root));
    let first = ledger.listed(root);
    assert!(ledger.now().is_list_complete(root));
    assert_eq!((ledger.now().crls()[&root].number, ledger.now().crls()[&root].entries()), (first, 0));
    ledger.revoke(leaf, RevocationReason::Superseded, None);
    assert!(!ledger.now().is_list_complete(root));
    let second = ledger.listed(root);
    let crl = &ledger.now().crls()[&root];
    assert_eq!((crl.number, crl.entries(), ledger.now().is_list_complete(root)), (second, 1, true));
    assert!(second > first);
}

#[test]
fn one_list_of_a_key_is_signed_at_a_time_and_ends_once() {
    let Pki { mut ledger, root, .. } = pki();
    let authorization = ledger.authorize_list(root).unwrap();
    assert_eq!(ledger.authorize_list(root).unwrap_err(), Rule::CrlBusy);
    let abandoned = CrlCommand::Settle { authorization, outcome: CrlOutcome::Abandoned };
    assert_eq!(ledger.list(abandoned.clone()).unwrap_err(), Rule::SignatureNotExpired);
    ledger.wait(60);
    assert_eq!(ledger.list_settled(authorization).unwrap_err(), Rule::ReleaseBarred);
    ledger.list(abandoned.clone()).unwrap();
    assert_eq!(ledger.list(abandoned).unwrap_err(), Rule::SignatureUnknown);
    let again = ledger.authorize_list(root).unwrap();
    let code = "custody.unavailable".parse().unwrap();
    ledger.list(CrlCommand::Settle { authorization: again, outcome: CrlOutcome::Failed(code) }).unwrap();
    let Payload::CrlIssued(issued) = last_list(&mut ledger, root) else { panic!("another event") };
    let judged = |change: fn(&mut CrlIssued)| {
        let mut changed = (*issued).clone();
        change(&mut changed);
        ledger.judged(changed)
    };
    assert_eq!(judged(|_| {}), Ok(()));
    assert_eq!(judged(|list| list.size += 1), Err(Rule::CrlContent));
    assert_eq!(judged(|list| list.signature = B64::from([8; 64].as_slice())), Err(Rule::CrlContent));
    assert_eq!(judged(|list| list.key = key_id(5)), Err(Rule::CrlIssuer));
}

/// What recording a list would write, from the state before it.
fn last_list(ledger: &mut Ledger, key: KeyId) -> Payload {
    let authorization = ledger.authorize_list(key).unwrap();
    let state = ledger.state.clone();
    let event = ledger.list_settled(authorization).unwrap();
    ledger.state = state;
    event.payload
}

#[test]
fn who_is_compromised_signs_no_list_and_a_contained_ca_does() {
    let Pki { mut ledger, root, .. } = pki();
    ledger.contain(0, Containment::Slot(slot_name("root"))).unwrap();
    ledger.listed(root);
    let authorization = ledger.authorize_list(root).unwrap();
    ledger.revoke(root, RevocationReason::KeyCompromise, None);
    let ended = ledger.list_settled(authorization).unwrap();
    assert!(matches!(ended.payload, Payload::CrlFailed(p) if p.code.as_str() == "crl.issuer"));
    assert_eq!(ledger.authorize_list(root).unwrap_err(), Rule::CrlIssuer);
}

#[test]
fn a_retired_ca_goes_on_signing_the_lists_of_what_it_issued() {
    let Pki { mut ledger, root, leaf, .. } = pki();
    let action = ledger.rotation_started("root");
    let successor = ledger.cut_over(action);
    ledger.wait(91 * DAY);
    ledger.step(RotationCommand::Complete(action)).unwrap();
    ledger.revoke(leaf, RevocationReason::KeyCompromise, None);
    assert_eq!(ledger.now().keys()[&root].state_name(), "deactivated");
    assert_eq!(
        ledger.now().list_signers().collect::<std::collections::BTreeSet<_>>(),
        [root, successor].into()
    );
    ledger.listed(root);
    ledger.listed(successor);
    let crls = ledger.now().crls();
    assert_eq!((crls[&root].entries(), crls[&successor].entries()), (1, 0));
}

#[test]
fn certificates_name_the_place_of_their_own_keys_list() {
    let place = |pki: &Pki| {
        let der = pki.ledger.now().certificate_of(pki.leaf).unwrap().der.clone();
        String::from_utf8_lossy(der.as_bytes()).into_owned()
    };
    let (old, new) = (pki_under(2), pki());
    assert!(place(&old).contains("/crl/acme.crl"));
    assert!(place(&new).contains(&format!("/crl/acme.crl/{}.crl", new.root)));
}

#[test]
fn whoever_looks_after_a_slot_may_give_up_a_certificate_that_does_not_come() {
    let mut ledger = pki().ledger;
    let outside = Outside::new();
    let anchors = [outside.sha256()].into();
    let policy =
        certified(IssuerPolicy::Outside { anchors }, sealbook_ledger::certificate::Usage::CodeSigning, "A");
    let rotation = RotationPolicy { certificate: Some(policy), ..RotationPolicy::of_days(90, 7) };
    let key = ledger.rotating_slot("windows", rotation);
    let id = ledger.ordered("windows", key);
    ledger.request_of(id);
    let code = || "certificate.given_up".parse().unwrap();
    let stranger = Actor::Service(ledger.service(&["windows"]));
    let mut event = ledger.written(CertificateFailed { certificate: id, code: code() });
    event.actor = stranger;
    assert_eq!(ledger.state.judge(&event, &Default::default()), Err(Rule::Actor));
    let by = Actor::Member(ledger.people[1].id);
    ledger.step(RotationCommand::FailCertificate { by, certificate: id, code: code() }).unwrap();
    ledger.ordered("windows", key);
}

#[test]
fn a_review_may_name_the_certificate_of_its_device() {
    let mut ledger = pki().ledger;
    for (certificate, level) in [(0, 3), (4735, 0), (4735, 5)] {
        let wrong = review(Some(FipsCertificate { certificate, level }));
        assert_eq!(rule_of(ledger.propose(0, wrong).unwrap_err()), Rule::AccessReview);
    }
    ledger.decree(review(Some(FipsCertificate { certificate: 4735, level: 3 })));
    ledger.decree(review(None));
    let mut older = pki_under(2).ledger;
    let early = review(Some(FipsCertificate { certificate: 4735, level: 3 }));
    assert_eq!(rule_of(older.propose(0, early).unwrap_err()), Rule::TypeUnknown);
}

#[test]
fn the_evidence_key_signs_one_trust_root_at_a_time() {
    let mut ledger = pki().ledger;
    ledger.evidence_key();
    let authorize = |ledger: &mut Ledger, asked_by| {
        let manifest = sealbook_ledger::encoding::Hash::sha256(b"{}");
        let about = Document::TrustRoot;
        ledger.step(RotationCommand::AuthorizeDocument { about, asked_by, manifest, life_s: 60 })
    };
    let by = Some(ledger.people[0].id);
    let events = authorize(&mut ledger, by).unwrap();
    let Payload::DocumentAuthorized(authorized) = &events[0].payload else { panic!("another event") };
    assert_eq!(rule_of(authorize(&mut ledger, None).unwrap_err()), Rule::ReportForm);
    let pack =
        DocumentAuthorized { kind: sealbook_ledger::payload::ReportKind::Period, ..(**authorized).clone() };
    assert_eq!(ledger.judged(pack), Err(Rule::ReportForm));
    let mut older = pki_under(2).ledger;
    older.evidence_key();
    assert_eq!(rule_of(authorize(&mut older, None).unwrap_err()), Rule::TypeUnknown);
}
