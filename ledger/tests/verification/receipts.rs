//! Single events: receipts, selections of them, and one signed file.

use sealbook_ledger::bundle::BundleWriter;
use sealbook_ledger::ids::Seq;
use sealbook_ledger::verify::{
    Layer, Pins, Report, Signed, Style, Verdict, Verifier, render, verify_artifact, verify_receipt,
};

use crate::ledger::{Ledger, ORIGIN, ledger_key, pins, story, vkey_of};
use crate::{judge, layer_code};

fn pinned(n: u8) -> Pins {
    Pins { vkeys: vec![vkey_of(&ledger_key(n))], ..Pins::default() }
}

fn last(ledger: &Ledger) -> Seq {
    Seq::new(ledger.size() - 1).unwrap()
}

#[test]
fn a_receipt_claims_bytes_and_seals() {
    let ledger = story();
    let receipt = ledger.receipt(last(&ledger)).to_string();
    let report = verify_receipt(receipt.as_bytes(), &pinned(2));
    assert_eq!(report.verdict(), Verdict::Valid);
    let codes: Vec<_> = Layer::ALL.iter().map(|&layer| layer_code(&report, layer)).collect();
    assert_eq!(codes, ["valid", "not checked", "valid", "not checked", "not checked"]);

    let stranger = verify_receipt(receipt.as_bytes(), &pinned(7));
    assert_eq!(layer_code(&stranger, Layer::Seals), "receipt.unknown_signer");
    let cut = verify_receipt(&receipt.as_bytes()[..receipt.len() / 2], &pinned(2));
    assert_eq!(cut.verdict(), Verdict::Invalid);
    let unpinned = verify_receipt(receipt.as_bytes(), &Pins::default());
    assert_eq!(unpinned.verdict(), Verdict::CantJudge);
    let notes = verify_receipt(receipt.as_bytes(), &pins(&ledger));
    assert_eq!(notes.notes().len(), 2);
}

fn selection(ledger: &Ledger, seqs: &[u64]) -> Vec<u8> {
    let shown = || ledger.disclosures.iter().filter(|d| seqs.contains(&d.seq().get()));
    let total = shown().map(|d| d.to_line().unwrap().len() as u64 + 1).sum();
    let origin = ORIGIN.parse().unwrap();
    let mut writer =
        BundleWriter::selection(Vec::new(), origin, seqs.len() as u64, &[ledger.vkey()], total).unwrap();
    shown().for_each(|disclosure| writer.disclosure(disclosure).unwrap());
    let mut writer = writer.attachments().unwrap().receipts().unwrap();
    for &seq in seqs {
        writer.receipt(&ledger.receipt(Seq::new(seq).unwrap())).unwrap();
    }
    writer.finish().unwrap()
}

#[test]
fn a_selection_claims_neither_chain_nor_rules() {
    let ledger = story();
    let bundle = selection(&ledger, &[1, 5, 42]);
    let report = judge(&bundle, &pinned(2));
    assert_eq!(report.verdict(), Verdict::Valid, "{}", render(&report, Style::Plain));
    assert_eq!(layer_code(&report, Layer::Chain), "not checked");
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["subject"], "selection");
    assert_eq!(json["disclosures"], serde_json::json!({"shown": 2, "redacted": 0}));
    assert_eq!(layer_code(&judge(&bundle, &pinned(1)), Layer::Seals), "receipt.unknown_signer");

    let mut cut = bundle.clone();
    cut.truncate(bundle.len() - 1500);
    assert_eq!(judge(&cut, &pinned(2)).verdict(), Verdict::Invalid);
}

struct File {
    artifact: Vec<u8>,
    signature: Vec<u8>,
    receipt: String,
    public_key: String,
}

impl File {
    fn judge(&self, vkey: u8) -> Report {
        let signed = Signed {
            artifact: self.artifact.as_slice(),
            signature: &self.signature,
            receipt: self.receipt.as_bytes(),
            public_key: &self.public_key,
        };
        verify_artifact(signed, &pinned(vkey)).unwrap()
    }
}

fn signed_file(ledger: &mut Ledger, slot: usize) -> File {
    let service = ledger.enroll_service();
    let artifact = b"the file itself".to_vec();
    let seq = ledger.sign(service, slot, &artifact);
    let event = &ledger.events[usize::try_from(seq.get()).unwrap()];
    let event: serde_json::Value = serde_json::from_slice(event).unwrap();
    let signature: sealbook_ledger::encoding::B64 =
        event["data"]["signature"].as_str().unwrap().parse().unwrap();
    File {
        artifact,
        signature: signature.0,
        receipt: ledger.receipt(seq).to_string(),
        public_key: ledger.public_key(slot).to_pem(),
    }
}

#[test]
fn a_signed_file_holds_step_by_step_and_each_part_that_was_swapped_is_named() {
    use base64::Engine as _;
    let mut ledger = Ledger::founded();
    ledger.create_slot("release-p256", sealbook_ledger::algorithm::Algorithm::EcdsaP256Sha256);
    ledger.create_slot("edge-ed25519", sealbook_ledger::algorithm::Algorithm::Ed25519);
    let other = signed_file(&mut ledger, 1);
    assert_eq!(other.judge(1).verdict(), Verdict::Valid);
    let mut file = signed_file_again(&mut ledger);
    let report = file.judge(1);
    assert_eq!(report.verdict(), Verdict::Valid, "{}", render(&report, Style::Plain));
    assert_eq!(report.steps().len(), 6);
    file.signature = base64::engine::general_purpose::STANDARD.encode(&file.signature).into_bytes();
    file.signature.push(b'\n');
    assert_eq!(file.judge(1).verdict(), Verdict::Valid);
    assert_eq!(layer_code(&file.judge(7), Layer::Seals), "receipt.unknown_signer");

    let code = |file: &File| {
        let report = file.judge(1);
        assert_eq!(report.verdict(), Verdict::Invalid);
        layer_code(&report, Layer::Signatures)
    };
    assert_eq!(
        code(&File { artifact: b"other".to_vec(), ..signed_file_again(&mut ledger) }),
        "artifact.digest"
    );
    let swapped = File { signature: other.signature.clone(), ..signed_file_again(&mut ledger) };
    assert_eq!(code(&swapped), "artifact.signature");
    let swapped = File { public_key: other.public_key.clone(), ..signed_file_again(&mut ledger) };
    assert_eq!(code(&swapped), "artifact.public_key");
    let swapped = File { public_key: "no key".to_owned(), ..signed_file_again(&mut ledger) };
    assert_eq!(code(&swapped), "artifact.public_key");
    let swapped = File { receipt: ledger.receipt(Seq::new(4).unwrap()).to_string(), ..file };
    assert_eq!(code(&swapped), "artifact.event");
}

/// By the service that the ledger has already.
fn signed_file_again(ledger: &mut Ledger) -> File {
    let service = *ledger.state.founded().unwrap().services().keys().next().unwrap();
    let artifact = b"the file itself".to_vec();
    let seq = ledger.sign(service, 0, &artifact);
    let event = &ledger.events[usize::try_from(seq.get()).unwrap()];
    let event: serde_json::Value = serde_json::from_slice(event).unwrap();
    let signature: sealbook_ledger::encoding::B64 =
        event["data"]["signature"].as_str().unwrap().parse().unwrap();
    File {
        artifact,
        signature: signature.0,
        receipt: ledger.receipt(seq).to_string(),
        public_key: ledger.public_key(0).to_pem(),
    }
}

#[test]
fn a_verifier_goes_on_from_where_another_one_stopped() {
    let ledger = story();
    let mut first = Verifier::new(ORIGIN.parse().unwrap());
    ledger.events[..20].iter().for_each(|event| drop(first.push(event).unwrap()));
    let mut second = Verifier::resume(first.state().clone(), first.frontier().clone()).unwrap();
    ledger.events[20..].iter().for_each(|event| drop(second.push(event).unwrap()));
    assert_eq!((second.size(), second.root()), (43, ledger.checkpoint().checkpoint().root));
    assert!(Verifier::resume(first.state().clone(), second.frontier().clone()).is_err());
}
