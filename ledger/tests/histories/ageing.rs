//! A history of rules version 2: every type of event that came with it, and what a forger can't change in one.

use sealbook_ledger::action::{KeyAdoptParams, Params, SlotRotationParams};
use sealbook_ledger::algorithm::Algorithm;
use sealbook_ledger::certificate::Usage;
use sealbook_ledger::command::{Command, DocumentOutcome, DocumentSubject, OwnSignature, RotationCommand};
use sealbook_ledger::encoding::{B64, Hash};
use sealbook_ledger::event::Actor;
use sealbook_ledger::payload::Payload;
use sealbook_ledger::rotation::{IssuerPolicy, RotationPolicy};

use super::forged::{Harmless, surprises};
use crate::support::*;

/// Beyond what is harmless under version 1.
const HARMLESS: &[Harmless] = &[
    ("certificate.failed", "/data/code", "a word for people"),
    ("certificate.ordered", "/data/certificate", "its id is first known by this event"),
    ("document.authorized", "/data/expires_at", "any life of at most ten minutes"),
    ("document.failed", "/data/code", "the device's answer"),
    ("key.adopted", "/data/key", "its id is first known by this event"),
    ("rep.issued", "/data/sha256", "the digest of a document that is kept, and given out with the event"),
    ("rep.issued", "/data/signature", "verified by the layer `signatures`"),
    ("rep.issued", "/data/size", "the length of that document"),
    ("rotation.canary_recorded", "/data/results", "a list of signatures, which are events themselves"),
    ("rotation.failed", "/data/code", "a word for people"),
];

/// A history with every type of event that came with version 2.
fn story() -> Ledger {
    let mut ledger = Ledger::ageing(4);
    ledger.root_ca("root");
    let key = ledger.rotating_slot("releases", Ledger::certified_by("root"));
    ledger.certify("releases", key);
    ledger.evidence_key();
    let service = ledger.service(&["releases"]);
    let signed = ledger.authorize(service, ledger.request("releases", 32)).unwrap();
    ledger.settle(signed).unwrap();
    rotations(&mut ledger, Actor::Service(service));
    documents(&mut ledger);
    outside(&mut ledger);
    adopted(&mut ledger);
    ledger.decree(review(None));
    let rotation = RotationPolicy { propose_days: 30, ..Ledger::certified_by("root") };
    ledger.decree(Params::SlotRotationSet(SlotRotationParams { rotation, slot: slot_name("releases") }));
    let releases = slot_name("releases");
    let active = ledger.now().slot(&releases).unwrap().active.unwrap();
    ledger.clock = ledger.now().due_at(active).unwrap();
    ledger.step(RotationCommand::Overdue(releases)).unwrap();
    ledger
}

/// One that is completed, and one that fails with its certificate.
fn rotations(ledger: &mut Ledger, client: Actor) {
    let action = ledger.rotation_started("releases");
    ledger.cut_over(action);
    ledger.step(RotationCommand::Confirm { by: client, action }).unwrap();
    let by = Actor::Member(ledger.people[0].id);
    let channel = "stable".parse().unwrap();
    ledger.step(RotationCommand::MoveChannel { by, action, channel }).unwrap();
    ledger.wait(7 * DAY);
    ledger.step(RotationCommand::Complete(action)).unwrap();

    let broken = ledger.rotation_started("releases");
    ledger.generated(broken);
    let certificate = ledger.certificate_ordered(broken);
    let lost = ledger.authorize_own(OwnSignature::Request(certificate)).unwrap();
    ledger.failed(lost, "custody.unavailable");
    let code = || "custody.unavailable".parse().unwrap();
    ledger.step(RotationCommand::FailCertificate { by: Actor::System, certificate, code: code() }).unwrap();
    let fail = RotationCommand::Fail { by: Actor::System, action: broken, code: code(), sd: Vec::new() };
    ledger.step(fail).unwrap();
}

fn documents(ledger: &mut Ledger) {
    let ended: Vec<_> = ledger.now().rotations().keys().copied().collect();
    let from = ledger.clock;
    ledger.wait(10);
    let period = DocumentSubject::Period { from, to: ledger.clock };
    for about in ended.into_iter().map(DocumentSubject::Rotation).chain([period]) {
        let (about, asked_by, manifest) = (about.into(), None, Hash::ZERO);
        let authorize = || RotationCommand::AuthorizeDocument { about, asked_by, manifest, life_s: 60 };
        let authorization = ledger.step(authorize()).unwrap()[0].seq;
        ledger.wait(60);
        let outcome = DocumentOutcome::Abandoned;
        ledger.step(RotationCommand::SettleDocument { authorization, outcome }).unwrap();
        let authorization = ledger.step(authorize()).unwrap()[0].seq;
        let outcome = DocumentOutcome::Failed("custody.unavailable".parse().unwrap());
        ledger.step(RotationCommand::SettleDocument { authorization, outcome }).unwrap();
        let authorization = ledger.step(authorize()).unwrap()[0].seq;
        let (signature, sha256) = (B64(vec![9; 70]), Hash::ZERO);
        let outcome = DocumentOutcome::Signed { signature, sha256, size: 1000 };
        ledger.step(RotationCommand::SettleDocument { authorization, outcome }).unwrap();
    }
}

/// A slot whose certificate comes from a CA elsewhere.
fn outside(ledger: &mut Ledger) {
    let ca = Outside::new();
    let issuer = IssuerPolicy::Outside { anchors: [ca.sha256()].into() };
    let certificate = Some(certified(issuer, Usage::CodeSigning, "Acme"));
    let key =
        ledger.rotating_slot("drivers", RotationPolicy { certificate, ..RotationPolicy::of_days(90, 7) });
    let id = ledger.ordered("drivers", key);
    ledger.request_of(id);
    let chain = ca.chain(ledger, key, 300);
    let by = ledger.people[0].id;
    ledger.step(RotationCommand::Import { by, certificate: id, chain }).unwrap();
}

fn adopted(ledger: &mut Ledger) {
    let spki = spki(Algorithm::EcdsaP256Sha256, 900);
    let params = KeyAdoptParams {
        label: "Old release key, 2019".to_owned(),
        slot: ledger.slot_params("legacy", Algorithm::EcdsaP256Sha256),
        spki_sha256: Hash::sha256(spki.as_bytes()),
    };
    let action = ledger.approved(Params::KeyAdopt(params));
    ledger.begin(action).unwrap();
    ledger.run(Command::KeyFound { action, key: key_id(901), spki, attributes: CONFINED }).unwrap();
}

#[test]
fn the_story_holds_every_type_of_version_2_and_replays() {
    let ledger = story();
    let seen: std::collections::BTreeSet<&str> =
        ledger.history.iter().map(|one| one.event.payload.type_name()).collect();
    let missing: Vec<&str> = Payload::types_since(2).filter(|name| !seen.contains(name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert_eq!(format!("{:?}", ledger.replayed()), format!("{:?}", ledger.state));
    let kept = sealbook_ledger::snapshot::to_vec(&ledger.state).unwrap();
    let read = sealbook_ledger::snapshot::from_slice(&kept).unwrap();
    assert_eq!(format!("{read:?}"), format!("{:?}", ledger.state));
}

#[test]
fn a_changed_value_of_version_2_is_refused_at_its_place_or_known_to_be_harmless() {
    let surprises = surprises(&story(), HARMLESS);
    assert!(surprises.is_empty(), "accepted, and not listed as harmless:\n{surprises:#?}");
}
