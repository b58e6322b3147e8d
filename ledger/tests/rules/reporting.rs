//! Documents that the evidence key signs: what they may be about, what is signed, and how one ends.

use sealbook_ledger::algorithm::Algorithm;
use sealbook_ledger::command::{DocumentOutcome, DocumentSubject, RotationCommand};
use sealbook_ledger::encoding::{Hash, HexBytes};
use sealbook_ledger::pack::{PAYLOAD_TYPE, Statement, pae};
use sealbook_ledger::payload::{DocumentAuthorized, ReportKind};
use sealbook_ledger::rule::Rule;

use crate::rotations::{plain_ledger, rule};
use crate::support::*;

#[test]
fn a_rotations_evidence_is_issued_once_and_after_its_end() {
    let mut ledger = plain_ledger();
    let action = ledger.rotation_started("releases");
    let authorize = || RotationCommand::AuthorizeDocument {
        about: DocumentSubject::Rotation(action).into(),
        asked_by: None,
        manifest: Hash::ZERO,
        life_s: 60,
    };
    assert_eq!(rule(&mut ledger, authorize()), Rule::EvidenceKey);
    ledger.evidence_key();
    assert_eq!(rule(&mut ledger, authorize()), Rule::ReportForm);
    ledger.cut_over(action);
    ledger.wait(7 * DAY);
    ledger.step(RotationCommand::Complete(action)).unwrap();
    let first = ledger.step(authorize()).unwrap()[0].seq;
    assert_eq!(rule(&mut ledger, authorize()), Rule::ReportForm);
    let failed = DocumentOutcome::Failed("custody.unavailable".parse().unwrap());
    ledger.step(RotationCommand::SettleDocument { authorization: first, outcome: failed }).unwrap();
    let second = ledger.step(authorize()).unwrap()[0].seq;
    let signed = || DocumentOutcome::Signed {
        signature: sealbook_ledger::encoding::B64(vec![9; 70]),
        sha256: Hash::ZERO,
        size: 1000,
    };
    let settle = |authorization| RotationCommand::SettleDocument { authorization, outcome: signed() };
    assert_eq!(rule(&mut ledger, settle(first)), Rule::SignatureUnknown);
    let abandon =
        || RotationCommand::SettleDocument { authorization: second, outcome: DocumentOutcome::Abandoned };
    assert_eq!(rule(&mut ledger, abandon()), Rule::SignatureNotExpired);
    ledger.wait(60);
    assert_eq!(rule(&mut ledger, settle(second)), Rule::ReleaseBarred);
    ledger.step(abandon()).unwrap();
    let third = ledger.step(authorize()).unwrap()[0].seq;
    ledger.step(settle(third)).unwrap();
    assert_eq!(rule(&mut ledger, authorize()), Rule::ReportForm);
}

#[test]
fn the_evidence_key_signs_the_statement_that_its_document_makes_and_nothing_else() {
    let mut ledger = plain_ledger();
    ledger.evidence_key();
    let action = ledger.rotation_started("releases");
    ledger.cut_over(action);
    ledger.wait(7 * DAY);
    ledger.step(RotationCommand::Complete(action)).unwrap();
    let manifest = Hash::sha256(b"a manifest");
    let origin = ledger.state.origin().clone();
    let predicate = serde_json::json!({"action": action, "kind": "rotation", "origin": origin});
    let statement =
        Statement::write("sealbook:evidence-pack/v1", &predicate, ("manifest.json", manifest)).unwrap();
    let authorized = |digest, manifest| {
        let expires_at = ledger.clock.plus_seconds(60);
        let (from, to, kind) = (None, None, ReportKind::Rotation);
        DocumentAuthorized {
            action: Some(action),
            asked_by: None,
            incident: None,
            digest,
            expires_at,
            from,
            key: key_id(777),
            kind,
            manifest,
            to,
        }
    };
    let digest = Algorithm::EcdsaP256Sha256.digest_of(&pae(PAYLOAD_TYPE, &statement));
    let other = authorized(HexBytes(vec![1; 32]), manifest);
    let another = authorized(digest.clone(), Hash::ZERO);
    let right = authorized(digest, manifest);
    assert_eq!(ledger.judged(other).unwrap_err(), Rule::ReportStatement);
    assert_eq!(ledger.judged(another).unwrap_err(), Rule::ReportStatement);
    ledger.judged(right).unwrap();
}
