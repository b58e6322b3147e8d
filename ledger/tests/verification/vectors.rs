//! The golden vectors through the verifier: their types pass bytes, chain and seals, and the rules refuse them.

use ed25519_dalek::{Signer as _, SigningKey};
use sealbook_ledger::checkpoint::{Checkpoint, SignedCheckpoint};
use sealbook_ledger::disclosure::Disclosure;
use sealbook_ledger::encoding::Hash;
use sealbook_ledger::event::Envelope;
use sealbook_ledger::ids::Origin;
use sealbook_ledger::merkle::{Frontier, leaf_hash};
use sealbook_ledger::note::Vkey;
use sealbook_ledger::verify::{Layer, Pins, Place, Report, Verdict, Verifier, verify_receipt};
use serde::Deserialize;

use crate::parts::Parts;
use crate::{judge, layer_code};

#[derive(Deserialize)]
struct Vectors {
    origin: Origin,
    ed25519_seed_hex: Hash,
    vkey: Vkey,
    events: Vec<String>,
    checkpoints: std::collections::BTreeMap<String, String>,
    disclosures: Vec<DisclosureVector>,
    rotation: Rotation,
    tlog_proof_5: String,
    refuse: Vec<EventVector>,
    accept: Vec<EventVector>,
}

#[derive(Deserialize)]
struct DisclosureVector {
    line: String,
    sd: sealbook_ledger::encoding::B64,
}

#[derive(Deserialize)]
struct EventVector {
    why: String,
    event: String,
}

#[derive(Deserialize)]
struct Rotation {
    event: String,
    vkey: Vkey,
    transition_checkpoint: String,
    refuse: Vec<Refused>,
}

#[derive(Deserialize)]
struct Refused {
    why: String,
    checkpoint: String,
}

fn vectors() -> Vectors {
    serde_json::from_str(include_str!("../../testdata/ledger-v1.json")).unwrap()
}

impl Vectors {
    fn parts(&self) -> Parts {
        Parts {
            checkpoint: self.checkpoints["7"].clone(),
            transitions: Vec::new(),
            disclosures: self.disclosures.iter().map(|d| d.line.clone().into_bytes()).collect(),
            attachments: Vec::new(),
            events: self.events.iter().map(|event| event.clone().into_bytes()).collect(),
        }
    }

    fn rotated(&self, transition: &str) -> Parts {
        let mut parts = self.parts();
        parts.events.push(self.rotation.event.clone().into_bytes());
        parts.transitions.push(("8".to_owned(), transition.to_owned()));
        transition.clone_into(&mut parts.checkpoint);
        parts
    }

    fn judge(&self, parts: &Parts) -> Report {
        judge(&parts.tar(), &Pins { vkeys: vec![self.vkey.clone()], ..Pins::default() })
    }
}

#[test]
fn the_chain_of_the_vectors_passes_bytes_chain_and_seals_and_fails_the_rules() {
    let vectors = vectors();
    let report = vectors.judge(&vectors.parts());
    for layer in [Layer::Bytes, Layer::Chain, Layer::Seals] {
        assert_eq!(layer_code(&report, layer), "valid", "{report:#?}");
    }
    assert_eq!((report.verdict(), layer_code(&report, Layer::Rules)), (Verdict::Invalid, "actor.kind"));
    let first = report.failure().unwrap();
    assert!(matches!(first.place(), Place::Event { seq: 0, type_name: Some(_) }), "{first}");
}

#[test]
fn the_digests_of_the_disclosures_are_those_of_the_vectors() {
    for vector in vectors().disclosures {
        let disclosure = Disclosure::parse(vector.line.as_bytes()).unwrap();
        assert_eq!(disclosure.digest().unwrap().0.as_slice(), vector.sd.as_bytes());
        assert_eq!(disclosure.to_line().unwrap(), vector.line.as_bytes());
    }
}

#[test]
fn a_rotation_is_followed_only_with_both_signatures() {
    let vectors = vectors();
    let good = vectors.rotated(&vectors.rotation.transition_checkpoint);
    assert_eq!(layer_code(&vectors.judge(&good), Layer::Seals), "valid");
    let pinned = Pins { vkeys: vec![vectors.rotation.vkey.clone()], ..Pins::default() };
    // The new key alone pins no key that could have handed over: the vectors open no ledger.
    assert_ne!(layer_code(&judge(&good.tar(), &pinned), Layer::Seals), "valid");
    for Refused { why, checkpoint } in &vectors.rotation.refuse {
        let report = vectors.judge(&vectors.rotated(checkpoint));
        assert_eq!(layer_code(&report, Layer::Seals), "signature.missing", "{why}");
    }
}

/// Layers of an event put where its own `seq` says, in the chain of the vectors.
fn place_in_chain(vectors: &Vectors, event: &str) -> (&'static str, &'static str) {
    let seq = Envelope::parse(event.as_bytes()).map_or(0, |envelope| envelope.seq.get());
    let before = vectors.events.iter().take(usize::try_from(seq).unwrap()).cloned();
    let mut parts = vectors.parts();
    parts.disclosures.clear();
    parts.events = before.chain([event.to_owned()]).map(String::into_bytes).collect();
    let mut tree = Frontier::new();
    parts.events.iter().for_each(|event| tree.append(leaf_hash(event)));
    let checkpoint = Checkpoint { origin: vectors.origin.clone(), size: tree.size(), root: tree.root() };
    let signature = SigningKey::from_bytes(&vectors.ed25519_seed_hex.0).sign(&checkpoint.to_signable());
    let sealed =
        SignedCheckpoint::assemble(checkpoint, &[(vectors.vkey.clone(), signature.to_bytes())]).unwrap();
    parts.checkpoint = sealed.to_string();
    let report = vectors.judge(&parts);
    (layer_code(&report, Layer::Bytes), layer_code(&report, Layer::Chain))
}

#[test]
fn whatever_is_to_be_refused_fails_in_bytes_or_chain_although_it_is_sealed() {
    let vectors = vectors();
    assert_eq!(vectors.refuse.len(), 20);
    for EventVector { why, event } in &vectors.refuse {
        let layers = place_in_chain(&vectors, event);
        assert_ne!(layers, ("valid", "valid"), "{why}");
    }
    for EventVector { why, event } in &vectors.accept {
        assert_eq!(place_in_chain(&vectors, event).0, "valid", "{why}");
    }
}

#[test]
fn the_receipt_of_the_vectors_is_valid_under_its_key_alone() {
    let vectors = vectors();
    let judge = |vkey: &Vkey| {
        let pins = Pins { vkeys: vec![vkey.clone()], ..Pins::default() };
        verify_receipt(vectors.tlog_proof_5.as_bytes(), &pins).verdict()
    };
    assert_eq!(judge(&vectors.vkey), Verdict::Valid);
    assert_eq!(judge(&vectors.rotation.vkey), Verdict::Invalid);
}

#[test]
fn nothing_is_sealed_past_a_failure() {
    let vectors = vectors();
    let mut verifier = Verifier::new(vectors.origin.clone());
    let first = verifier.push(vectors.events[0].as_bytes()).unwrap_err();
    let second = verifier.push(vectors.events[1].as_bytes()).unwrap_err();
    assert_eq!((first.layer(), first.rule()), (Layer::Rules, "actor.kind"));
    assert_eq!(first, second);
}
