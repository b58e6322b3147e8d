//! Evidence packs that were signed by the right key and still say something else than their events: each is refused for
//! what it is.

use ed25519_dalek::{Signer as _, SigningKey};
use sealbook_ledger::action::{DeviceKeyParams, Params};
use sealbook_ledger::algorithm::Algorithm;
use sealbook_ledger::checkpoint::{Checkpoint, SignedCheckpoint};
use sealbook_ledger::command::{Command, DocumentSubject, RotationCommand};
use sealbook_ledger::encoding::Hash;
use sealbook_ledger::event::Event;
use sealbook_ledger::evidence::{EVIDENCE, Evidence, Facts, REPORT, Sealed, receipt_name};
use sealbook_ledger::ids::{Origin, Seq};
use sealbook_ledger::merkle::{Tree, leaf_hash};
use sealbook_ledger::pack::{Kind, PackFile, Unsigned};
use sealbook_ledger::payload::Payload;
use sealbook_ledger::public_key::PublicKey;
use sealbook_ledger::receipt::Receipt;
use sealbook_ledger::verify::{Layer, LayerReport, Pins, Report, Style, Verdict, render, verify_pack};
use serde_json::{Value, json};

use crate::rotations::plain_ledger;
use crate::support::*;

/// The seed of the ledger key that these ledgers open with.
const LEDGER_KEY: u8 = 1;

/// What a pack is put together from; a test changes a part, and all of it is signed again.
pub struct Parts {
    origin: Origin,
    about: DocumentSubject,
    pub events: Vec<(Event, Vec<u8>)>,
    kind: Kind,
    pub files: Vec<PackFile>,
    predicate: Value,
    signer: SigningKey,
}

/// The private half of `spki(Ed25519, seed)`.
fn evidence_key(seed: u128) -> SigningKey {
    SigningKey::from_bytes(&Hash::sha256(&seed.to_be_bytes()).0)
}

pub fn file(name: &str, media_type: &str, bytes: &[u8]) -> PackFile {
    PackFile { name: name.parse().unwrap(), media_type: media_type.parse().unwrap(), bytes: bytes.to_vec() }
}

impl Parts {
    fn new() -> Self {
        let mut ledger = plain_ledger();
        let action = ledger.rotation_started("releases");
        ledger.cut_over(action);
        ledger.wait(7 * DAY);
        ledger.step(RotationCommand::Complete(action)).unwrap();
        Self::of(ledger, DocumentSubject::Rotation(action))
    }

    /// A pack of everything that a ledger holds, once it has an evidence key.
    pub fn of(mut ledger: Ledger, about: DocumentSubject) -> Self {
        let backend = DeviceKeyParams { backend: "softhsm".parse().unwrap() };
        let set = ledger.approved(Params::LedgerEvidenceKeySet(backend));
        ledger.begin(set).unwrap();
        let made =
            Command::EvidenceKeyMade { action: set, key: key_id(777), spki: spki(Algorithm::Ed25519, 5) };
        ledger.run(made).unwrap();
        let origin = ledger.state.origin().clone();
        let predicate = serde_json::to_value(about.report(&origin)).unwrap();
        let events = ledger.history.into_iter().map(|decided| (decided.event, decided.bytes)).collect();
        let (kind, signer) = (about.into(), evidence_key(5));
        let mut parts = Self { origin, about, events, kind, files: Vec::new(), predicate, signer };
        parts.files = parts.made();
        parts
    }

    fn checkpoint(&self, size: usize) -> (Tree, SignedCheckpoint) {
        let mut tree = Tree::new();
        self.events.iter().take(size).for_each(|(_, bytes)| tree.append(leaf_hash(bytes)));
        let checkpoint = Checkpoint {
            origin: self.origin.clone(),
            size: size as u64,
            root: tree.root_at(size as u64).unwrap(),
        };
        let key = SigningKey::from_bytes(&[LEDGER_KEY; 32]);
        let signature = key.sign(&checkpoint.to_signable()).to_bytes();
        let signed =
            SignedCheckpoint::assemble(checkpoint, &[(vkey(&self.origin, LEDGER_KEY), signature)]).unwrap();
        (tree, signed)
    }

    fn receipt(&self, seq: usize, size: usize) -> PackFile {
        let (tree, checkpoint) = self.checkpoint(size);
        let path = tree.inclusion_proof(seq as u64, size as u64).unwrap();
        let receipt = Receipt::new(self.events[seq].1.clone(), seq as u64, path, checkpoint).unwrap();
        let name = receipt_name(Seq::new(seq as u64).unwrap());
        file(&name, "text/plain", receipt.to_string().as_bytes())
    }

    /// Every file, as the events that `which` lets pass make them.
    pub fn made_of(&self, which: impl Fn(&Payload) -> bool) -> Vec<PackFile> {
        let size = self.events.len();
        let chosen: Vec<Event> = self
            .events
            .iter()
            .map(|(event, _)| event.clone())
            .filter(|event| which(&event.payload))
            .collect();
        let sealed = Sealed::from(self.checkpoint(size).1.checkpoint());
        let mut all =
            Evidence::new(&Facts::new(&chosen).unwrap(), self.about, sealed).unwrap().files().unwrap();
        all.push(file(REPORT, "application/pdf", b"%PDF-1.7\n"));
        all.extend(chosen.iter().map(|event| self.receipt(event.seq.get() as usize, size)));
        all
    }

    fn made(&self) -> Vec<PackFile> {
        self.made_of(|_| true)
    }

    fn judged_under(&self, pins: &Pins) -> Report {
        let unsigned =
            Unsigned::new(self.kind, self.files.clone(), "sealbook:evidence-pack/v1", &self.predicate)
                .unwrap();
        let key = PublicKey::from_ed25519(self.signer.verifying_key().as_bytes()).unwrap();
        let signature = self.signer.sign(&unsigned.pae()).to_bytes().to_vec();
        verify_pack(&unsigned.sign(&key, signature).unwrap(), pins)
    }

    fn pins(&self) -> Pins {
        Pins { vkeys: vec![vkey(&self.origin, LEDGER_KEY)], ..Pins::default() }
    }

    pub fn judged(&self) -> Report {
        self.judged_under(&self.pins())
    }

    pub fn file(&mut self, name: &str) -> &mut PackFile {
        self.files.iter_mut().find(|file| file.name.as_str() == name).unwrap()
    }

    pub fn without(&mut self, name: &str) {
        self.files.retain(|file| file.name.as_str() != name);
    }
}

/// Makes a pack with one part changed: the layer that refuses it, and by which rule.
fn refused(change: impl FnOnce(&mut Parts)) -> (Layer, &'static str) {
    let mut parts = Parts::new();
    change(&mut parts);
    let report = parts.judged();
    assert_eq!(report.verdict(), Verdict::Invalid, "{}", render(&report, Style::Plain));
    let failure = report.failure().unwrap();
    (failure.layer(), failure.rule())
}

#[test]
fn a_pack_is_valid_whatever_its_checks_came_to_and_says_so() {
    let report = Parts::new().judged();
    assert_eq!(report.verdict(), Verdict::Valid, "{}", render(&report, Style::Plain));
    for layer in [Layer::Bytes, Layer::Seals, Layer::Rules, Layer::Signatures] {
        assert!(matches!(report.layer(layer), LayerReport::Valid(_)), "{layer}");
    }
    let notes = report.notes().join("\n");
    assert!(notes.contains("of slot releases, completed"), "{notes}");
    // The signatures of these tests are no real ones.
    assert!(notes.contains("its checks FAIL: canary"), "{notes}");
}

#[test]
fn files_that_do_not_follow_from_the_events_are_refused() {
    let evidence = (Layer::Rules, "pack.evidence");
    let altered = |parts: &mut Parts| {
        let file = parts.file(EVIDENCE);
        let text = String::from_utf8(file.bytes.clone()).unwrap();
        let better = text.replace(r#""verdict":"fail""#, r#""verdict":"pass""#);
        assert_ne!(better, text);
        file.bytes = better.into_bytes();
    };
    assert_eq!(refused(altered), evidence);
    assert_eq!(refused(|parts| parts.file("canary.csv").bytes.push(b'\n')), evidence);
    let retyped = |parts: &mut Parts| parts.file(EVIDENCE).media_type = "text/plain".parse().unwrap();
    assert_eq!(refused(retyped), evidence);
    assert_eq!(refused(|parts| parts.without("policies/rotation.json")), evidence);
    assert_eq!(refused(|parts| parts.without(REPORT)), evidence);
    assert_eq!(refused(|parts| parts.files.push(file("extra.txt", "text/plain", b"more"))), evidence);
}

#[test]
fn a_statement_about_something_else_is_refused() {
    let about = (Layer::Rules, "pack.about");
    assert_eq!(refused(|parts| parts.kind = Kind::Period), about);
    assert_eq!(refused(|parts| parts.predicate["origin"] = json!("sealbook.example.com/other")), about);
    assert_eq!(refused(|parts| parts.predicate["from"] = json!("2026-11-22T00:00:00.000000Z")), about);
    let other = |parts: &mut Parts| parts.predicate["action"] = json!(action_id(4711));
    assert_eq!(refused(other), (Layer::Rules, "evidence.missing"));
}

#[test]
fn receipts_lead_to_one_checkpoint_and_bear_their_own_numbers() {
    let earlier = |parts: &mut Parts| {
        let size = parts.events.len() - 1;
        *parts.file("receipts/3.tlog-proof") = parts.receipt(3, size);
    };
    assert_eq!(refused(earlier), (Layer::Seals, "pack.checkpoint"));
    let renamed = |parts: &mut Parts| {
        let other = parts.receipt(4, parts.events.len()).bytes;
        parts.file("receipts/3.tlog-proof").bytes = other;
    };
    assert_eq!(refused(renamed), (Layer::Bytes, "pack.receipt"));
    let left_out = |parts: &mut Parts| parts.without("receipts/0.tlog-proof");
    assert_eq!(refused(left_out), (Layer::Rules, "pack.evidence"));
}

#[test]
fn the_evidence_key_that_the_events_name_signs_and_no_other() {
    let stranger = refused(|parts| parts.signer = evidence_key(6));
    assert_eq!(stranger, (Layer::Signatures, "pack.not_signed"));
    let unnamed = refused(|parts| {
        parts.files = parts.made_of(|payload| !matches!(payload, Payload::LedgerEvidenceKeySet(_)));
    });
    assert_eq!(unnamed, (Layer::Signatures, "evidence_key.other"));
}

#[test]
fn a_pack_is_held_against_what_the_reader_pins() {
    let parts = Parts::new();
    let other = Pins { vkeys: vec![vkey(&parts.origin, 9)], ..Pins::default() };
    let report = parts.judged_under(&other);
    assert_eq!(report.failure().unwrap().rule(), "receipt.unknown_signer");
    let founding = Pins { founding: Some(Hash::ZERO), ..parts.pins() };
    assert_eq!(parts.judged_under(&founding).failure().unwrap().rule(), "founding.other");
    let digest = parts.judged().founding().unwrap().digest;
    let right = Pins { founding: Some(digest), ..parts.pins() };
    let report = parts.judged_under(&right);
    assert!(report.founding().unwrap().pinned && report.verdict() == Verdict::Valid);
}
