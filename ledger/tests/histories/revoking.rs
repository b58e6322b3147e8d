//! A history of rules version 3: every type of event that came with it, and what a forger can't change in one.

use sealbook_ledger::action::{CertificateRevokeParams, FipsCertificate, Params, RevocationReason};
use sealbook_ledger::command::{CrlCommand, CrlLife, CrlOutcome, Document, DocumentOutcome, RotationCommand};
use sealbook_ledger::encoding::{B64, Hash};
use sealbook_ledger::payload::Payload;

use super::forged::{Harmless, surprises};
use crate::support::*;

/// Beyond what is harmless under version 1.
const HARMLESS: &[Harmless] = &[
    ("certificate.ordered", "/data/certificate", "its id is first known by this event"),
    ("crl.authorized", "/data/expires_at", "any life of at most ten minutes"),
    ("crl.failed", "/data/code", "the device's answer"),
    (
        "document.authorized",
        "/data/asked_by",
        "a note of who asked; the server makes documents by itself too",
    ),
    ("document.authorized", "/data/expires_at", "any life of at most ten minutes"),
    ("rep.issued", "/data/sha256", "the digest of a document that is kept, and given out with the event"),
    ("rep.issued", "/data/signature", "verified by the layer `signatures`"),
    ("rep.issued", "/data/size", "the length of that document"),
];

/// A history with every type of event that came with version 3, and every member.
fn story() -> Ledger {
    let Pki { mut ledger, root, leaf, certificate } = pki();
    ledger.listed(root);
    let lost = ledger.authorize_list(root).unwrap();
    let failed = CrlOutcome::Failed("custody.unavailable".parse().unwrap());
    ledger.list(CrlCommand::Settle { authorization: lost, outcome: failed }).unwrap();
    let unknown = ledger.authorize_list(root).unwrap();
    ledger.wait(60);
    ledger.list(CrlCommand::Settle { authorization: unknown, outcome: CrlOutcome::Abandoned }).unwrap();

    let (invalid_since, reason) = (Some(earlier(ledger.clock, 1)), RevocationReason::PrivilegeWithdrawn);
    ledger.decree(Params::CertificateRevoke(CertificateRevokeParams { certificate, invalid_since, reason }));
    ledger.certify("releases", leaf);
    ledger.revoke(leaf, RevocationReason::KeyCompromise, Some(earlier(ledger.clock, 2)));
    ledger.listed(root);
    documents(&mut ledger);
    ledger.decree(review(Some(FipsCertificate { certificate: 4735, level: 3 })));
    ledger.revoke(root, RevocationReason::CessationOfOperation, None);
    for key in [leaf, root] {
        let action = ledger.destroying(key);
        if key == root {
            let last = CrlCommand::Authorize { key, lasting: CrlLife::Last(action), life_s: 60 };
            let authorization = ledger.list(last).unwrap()[0].seq;
            ledger.list_settled(authorization).unwrap();
        }
        ledger.destroyed(action).unwrap();
    }
    ledger
}

fn documents(ledger: &mut Ledger) {
    ledger.evidence_key();
    let (about, asked_by, manifest) = (Document::TrustRoot, Some(ledger.people[0].id), Hash::ZERO);
    let authorize = RotationCommand::AuthorizeDocument { about, asked_by, manifest, life_s: 60 };
    let authorization = ledger.step(authorize).unwrap()[0].seq;
    let outcome = DocumentOutcome::Signed { signature: B64(vec![9; 70]), sha256: Hash::ZERO, size: 1000 };
    ledger.step(RotationCommand::SettleDocument { authorization, outcome }).unwrap();
}

#[test]
fn the_story_holds_every_type_of_version_3_and_replays() {
    let ledger = story();
    let seen: std::collections::BTreeSet<&str> =
        ledger.history.iter().map(|one| one.event.payload.type_name()).collect();
    let missing: Vec<&str> = Payload::types_since(3).filter(|name| !seen.contains(name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert_eq!(format!("{:?}", ledger.replayed()), format!("{:?}", ledger.state));
    let kept = sealbook_ledger::snapshot::to_vec(&ledger.state).unwrap();
    let read = sealbook_ledger::snapshot::from_slice(&kept).unwrap();
    assert_eq!(format!("{read:?}"), format!("{:?}", ledger.state));
}

#[test]
fn a_changed_value_of_version_3_is_refused_at_its_place_or_known_to_be_harmless() {
    let surprises = surprises(&story(), HARMLESS);
    assert!(surprises.is_empty(), "accepted, and not listed as harmless:\n{surprises:#?}");
}
