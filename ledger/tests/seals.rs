//! Chain, tree, checkpoints and receipts against the golden vectors, and against text that means harm.

#![allow(
    clippy::unwrap_used,
    reason = "clippy.toml allows it in test functions, but not in the functions they share"
)]

use ed25519_dalek::{Signer as _, SigningKey};
use proptest::prelude::*;
use sealbook_ledger::chain::event_hash;
use sealbook_ledger::checkpoint::{Checkpoint, SignedCheckpoint};
use sealbook_ledger::encoding::Hash;
use sealbook_ledger::merkle::{Frontier, Tree, leaf_hash, verify_consistency, verify_inclusion};
use sealbook_ledger::note::{SignedNote, Vkey};
use sealbook_ledger::receipt::Receipt;
use serde::Deserialize;

#[derive(Deserialize)]
struct Vectors {
    context: String,
    ed25519_seed_hex: String,
    vkey: Vkey,
    events: Vec<String>,
    event_hashes: Vec<Hash>,
    leaf_hashes: Vec<Hash>,
    roots_by_size: Vec<Hash>,
    checkpoints: std::collections::BTreeMap<String, String>,
    inclusion: Vec<Inclusion>,
    consistency: Vec<Consistency>,
    tlog_proof_5: String,
    rotation: Rotation,
}

#[derive(Deserialize)]
struct Inclusion {
    index: u64,
    size: u64,
    path: Vec<String>,
}

#[derive(Deserialize)]
struct Consistency {
    old: u64,
    new: u64,
    path: Vec<String>,
}

#[derive(Deserialize)]
struct Rotation {
    event: String,
    event_hash: Hash,
    root: Hash,
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
    serde_json::from_str(include_str!("../testdata/ledger-v1.json")).unwrap()
}

impl Vectors {
    fn tree(&self) -> Tree {
        let mut tree = Tree::new();
        self.events.iter().for_each(|event| tree.append(leaf_hash(event.as_bytes())));
        tree
    }

    fn root(&self, size: u64) -> &Hash {
        &self.roots_by_size[usize::try_from(size).unwrap() - 1]
    }
}

fn base64(path: &[Hash]) -> Vec<String> {
    use base64::Engine as _;
    path.iter().map(|hash| base64::engine::general_purpose::STANDARD.encode(hash.0)).collect()
}

#[test]
fn the_chain_is_that_of_the_vectors() {
    let vectors = vectors();
    assert_eq!(vectors.context, sealbook_ledger::chain::EVENT_CONTEXT);
    let hashes: Vec<Hash> = vectors.events.iter().map(|event| event_hash(event.as_bytes())).collect();
    assert_eq!(hashes, vectors.event_hashes);
    assert_eq!(event_hash(vectors.rotation.event.as_bytes()), vectors.rotation.event_hash);
}

#[test]
fn leaves_and_roots_are_those_of_the_vectors() {
    let vectors = vectors();
    let leaves: Vec<Hash> = vectors.events.iter().map(|event| leaf_hash(event.as_bytes())).collect();
    assert_eq!(leaves, vectors.leaf_hashes);
    let mut frontier = Frontier::new();
    let mut tree = vectors.tree();
    for (leaf, root) in leaves.iter().zip(&vectors.roots_by_size) {
        frontier.append(*leaf);
        assert_eq!(frontier.root(), *root);
        assert_eq!(tree.root_at(frontier.size()), Ok(*root));
    }
    let rotated = leaf_hash(vectors.rotation.event.as_bytes());
    frontier.append(rotated);
    tree.append(rotated);
    assert_eq!(frontier.root(), vectors.rotation.root);
    assert_eq!(tree.root_at(8), Ok(vectors.rotation.root));
}

#[test]
fn proofs_are_those_of_the_vectors_and_hold() {
    let vectors = vectors();
    let tree = vectors.tree();
    for Inclusion { index, size, path } in &vectors.inclusion {
        let made = tree.inclusion_proof(*index, *size).unwrap();
        assert_eq!(base64(&made), *path, "leaf {index} of {size}");
        let leaf = &vectors.leaf_hashes[usize::try_from(*index).unwrap()];
        assert_eq!(verify_inclusion(leaf, *index, *size, &made, vectors.root(*size)), Ok(()));
    }
    for Consistency { old, new, path } in &vectors.consistency {
        let made = tree.consistency_proof(*old, *new).unwrap();
        assert_eq!(base64(&made), *path, "from {old} to {new}");
        let (old_root, new_root) = (vectors.root(*old), vectors.root(*new));
        assert_eq!(verify_consistency(*old, *new, old_root, new_root, &made), Ok(()));
    }
}

#[test]
fn checkpoints_are_signed_byte_for_byte_like_the_vectors() {
    let vectors = vectors();
    let seed: Hash = vectors.ed25519_seed_hex.parse().unwrap();
    let key = SigningKey::from_bytes(&seed.0);
    let origin = vectors.vkey.origin().clone();
    let vkey = Vkey::from_ed25519(origin.clone(), key.verifying_key().to_bytes()).unwrap();
    assert_eq!(vkey, vectors.vkey);
    assert_eq!(vectors.checkpoints.len(), 3);
    for (size, text) in &vectors.checkpoints {
        let size = size.parse().unwrap();
        let checkpoint = Checkpoint { origin: origin.clone(), size, root: *vectors.root(size) };
        let parsed = SignedCheckpoint::parse(text.as_bytes()).unwrap();
        assert_eq!(*parsed.checkpoint(), checkpoint);
        assert_eq!(parsed.verify(&vkey), Ok(()));
        assert_eq!(parsed.verify(&vectors.rotation.vkey).unwrap_err().code(), "signature.missing");

        let signature = key.sign(&checkpoint.to_signable()).to_bytes();
        let made = SignedCheckpoint::assemble(checkpoint, &[(vkey.clone(), signature)]).unwrap();
        assert_eq!(made.to_string(), *text);
    }
}

#[test]
fn a_transition_needs_both_keys() {
    let vectors = vectors();
    let (old, new) = (&vectors.vkey, &vectors.rotation.vkey);
    let text = &vectors.rotation.transition_checkpoint;
    let transition = SignedCheckpoint::parse(text.as_bytes()).unwrap();
    assert_eq!(transition.to_string(), *text);
    assert_eq!(transition.checkpoint().root, vectors.rotation.root);
    assert_eq!(transition.verify_transition(old, new), Ok(()));
    assert_eq!(vectors.rotation.refuse.len(), 2);
    for Refused { why, checkpoint } in &vectors.rotation.refuse {
        let parsed = SignedCheckpoint::parse(checkpoint.as_bytes()).unwrap();
        let refused = parsed.verify_transition(old, new).unwrap_err();
        assert_eq!(refused.code(), "signature.missing", "{why}");
    }
}

#[test]
fn a_receipt_is_made_and_read_byte_for_byte_like_the_vector() {
    let vectors = vectors();
    let receipt = Receipt::parse(vectors.tlog_proof_5.as_bytes()).unwrap();
    assert_eq!(receipt.to_string(), vectors.tlog_proof_5);
    assert_eq!(receipt.event_bytes(), vectors.events[5].as_bytes());
    let verified = receipt.verify(std::slice::from_ref(&vectors.vkey)).unwrap();
    assert_eq!((verified.seq.get(), verified.checkpoint.size), (5, 7));
    let refused = receipt.verify(std::slice::from_ref(&vectors.rotation.vkey)).unwrap_err();
    assert_eq!(refused.code(), "receipt.unknown_signer");

    let path = vectors.tree().inclusion_proof(5, 7).unwrap();
    let checkpoint = SignedCheckpoint::parse(vectors.checkpoints["7"].as_bytes()).unwrap();
    let made = Receipt::new(vectors.events[5].clone().into_bytes(), 5, path, checkpoint).unwrap();
    assert_eq!(made.to_string(), vectors.tlog_proof_5);
}

/// Every parser either refuses, or has read the one spelling that it writes.
fn refuse_or_repeat(bytes: &[u8]) -> Result<(), TestCaseError> {
    if let Ok(note) = SignedNote::parse(bytes) {
        prop_assert_eq!(note.to_string().into_bytes(), bytes);
    }
    if let Ok(checkpoint) = SignedCheckpoint::parse(bytes) {
        prop_assert_eq!(checkpoint.to_string().into_bytes(), bytes);
    }
    if let Ok(receipt) = Receipt::parse(bytes) {
        prop_assert_eq!(receipt.to_string().into_bytes(), bytes);
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        if let Ok(vkey) = text.parse::<Vkey>() {
            prop_assert_eq!(vkey.to_string(), text);
        }
        if let Ok(checkpoint) = Checkpoint::parse_text(text) {
            prop_assert_eq!(checkpoint.to_string(), text);
        }
    }
    Ok(())
}

/// One thing done to a text at some place.
#[derive(Debug, Clone)]
enum Harm {
    Replace(prop::sample::Index, u8),
    Insert(prop::sample::Index, Vec<u8>),
    Remove(prop::sample::Index, usize),
    Repeat(prop::sample::Index, usize),
    Cut(prop::sample::Index),
}

fn harm() -> impl Strategy<Value = Harm> {
    let pieces =
        prop::sample::select(vec!["\n", "\n\n", " ", "=", "+", "0", "\u{2014} ", "\u{202e}", "\r", "A"]);
    prop_oneof![
        (any::<prop::sample::Index>(), any::<u8>()).prop_map(|(at, byte)| Harm::Replace(at, byte)),
        (any::<prop::sample::Index>(), pieces).prop_map(|(at, piece)| Harm::Insert(at, piece.into())),
        (any::<prop::sample::Index>(), 1_usize..90).prop_map(|(at, len)| Harm::Remove(at, len)),
        (any::<prop::sample::Index>(), 1_usize..200).prop_map(|(at, len)| Harm::Repeat(at, len)),
        any::<prop::sample::Index>().prop_map(Harm::Cut),
    ]
}

fn harmed(text: &str, harms: &[Harm]) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    for harm in harms {
        // Each place is within what the harm before it left.
        let place = |at: &prop::sample::Index| at.index(bytes.len() + 1);
        match harm {
            Harm::Replace(at, byte) => {
                let at = place(at);
                bytes.splice(at..bytes.len().min(at + 1), [*byte]);
            }
            Harm::Insert(at, piece) => {
                let at = place(at);
                bytes.splice(at..at, piece.iter().copied());
            }
            Harm::Remove(at, len) => {
                let at = place(at);
                bytes.drain(at..bytes.len().min(at + len));
            }
            Harm::Repeat(at, len) => {
                let at = place(at);
                let piece = bytes[at..bytes.len().min(at + len)].to_vec();
                bytes.splice(at..at, piece);
            }
            Harm::Cut(at) => bytes.truncate(place(at)),
        }
    }
    bytes
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_refused_or_repeated(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        refuse_or_repeat(&bytes)?;
    }

    #[test]
    fn arbitrary_text_is_refused_or_repeated(text in "[ -~\n\u{2014}]{0,300}") {
        refuse_or_repeat(text.as_bytes())?;
    }

    #[test]
    fn harmed_vectors_are_refused_or_repeated(harms in prop::collection::vec(harm(), 1..4)) {
        let vectors = vectors();
        let vkey = vectors.vkey.to_string();
        let texts = [
            &vectors.tlog_proof_5, &vectors.checkpoints["7"], &vectors.rotation.transition_checkpoint, &vkey,
        ];
        for text in texts {
            refuse_or_repeat(&harmed(text, &harms))?;
        }
    }

    #[test]
    fn a_harmed_receipt_or_checkpoint_never_verifies_as_something_else(
        harms in prop::collection::vec(harm(), 1..3),
    ) {
        let vectors = vectors();
        let vkeys = [vectors.vkey.clone()];
        if let Ok(receipt) = Receipt::parse(&harmed(&vectors.tlog_proof_5, &harms))
            && receipt.verify(&vkeys).is_ok()
        {
            prop_assert_eq!(receipt.event_bytes(), vectors.events[5].as_bytes());
            prop_assert_eq!(receipt.index(), 5);
        }
        if let Ok(checkpoint) = SignedCheckpoint::parse(&harmed(&vectors.checkpoints["7"], &harms))
            && checkpoint.verify(&vectors.vkey).is_ok()
        {
            prop_assert_eq!(checkpoint.checkpoint().size, 7);
            prop_assert_eq!(&checkpoint.checkpoint().root, vectors.root(7));
        }
    }
}
