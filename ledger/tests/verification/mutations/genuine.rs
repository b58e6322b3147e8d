//! The bundle that is mutated, kept in the repository so that a seed means the same everywhere.

use ed25519_dalek::SigningKey;
use sealbook_ledger::checkpoint::SignedCheckpoint;
use sealbook_ledger::encoding::Hash;
use sealbook_ledger::merkle::{Tree, leaf_hash};
use sealbook_ledger::verify::Pins;

use super::reading::Reading;
use crate::ledger::{ORIGIN, ledger_key, seal, vkey_of};
use crate::parts::Parts;

const BUNDLE: &[u8] = include_bytes!("../../../testdata/bundle-v1.tar");

/// The founding digest of the bundle's ledger.
const FOUNDING: &str = include_str!("../../../testdata/bundle-v1.founding");

/// The bundle, and what its auditors have from elsewhere.
pub struct Genuine {
    pub tar: Vec<u8>,
    pub parts: Parts,
    pub pins: Pins,
    pub checkpoint: SignedCheckpoint,
    /// Events up to and including the one that rotates the ledger key.
    pub rotated: usize,
    pub tree: Tree,
}

impl Genuine {
    pub fn read() -> Self {
        let parts = Reading::of(BUNDLE).unwrap().parts();
        let mut tree = Tree::new();
        parts.events.iter().for_each(|event| tree.append(leaf_hash(event)));
        Self {
            tar: BUNDLE.to_vec(),
            pins: Pins {
                vkeys: vec![vkey_of(&ledger_key(1))],
                founding: Some(FOUNDING.trim().parse().unwrap()),
                signatures: true,
                ..Pins::default()
            },
            checkpoint: SignedCheckpoint::parse(parts.checkpoint.as_bytes()).unwrap(),
            rotated: parts.transitions[0].0.parse().unwrap(),
            parts,
            tree,
        }
    }

    /// The root over the first events.
    pub fn root_at(&self, size: usize) -> Hash {
        self.tree.root_at(size as u64).unwrap()
    }

    /// Where the headers of its members begin.
    pub fn headers(&self) -> Vec<usize> {
        let mut headers = Vec::new();
        let mut at = 0;
        for (_, bytes) in self.parts.members() {
            headers.push(at);
            at += 512 + bytes.len().next_multiple_of(512);
        }
        headers
    }

    /// The key in force at a size, which alone seals it; at the rotation both do.
    pub fn keys_at(&self, size: usize) -> Vec<SigningKey> {
        match size.cmp(&self.rotated) {
            std::cmp::Ordering::Less => vec![ledger_key(1)],
            std::cmp::Ordering::Equal => vec![ledger_key(1), ledger_key(2)],
            std::cmp::Ordering::Greater => vec![ledger_key(2)],
        }
    }

    /// A checkpoint that this ledger really had.
    pub fn sealed_at(&self, size: usize) -> String {
        let keys = self.keys_at(size);
        let keys: Vec<&SigningKey> = keys.iter().collect();
        seal(&ORIGIN.parse().unwrap(), size as u64, self.root_at(size), &keys).to_string()
    }

    /// The largest size at most `seq` that the bundle has a signed root of.
    pub fn sealed_before(&self, seq: u64) -> u64 {
        if seq >= self.rotated as u64 { self.rotated as u64 } else { 0 }
    }
}

/// Writes the bundle anew, of another ledger. Only where the format itself has changed: a bundle of version 1 stays
/// valid for ever.
#[test]
#[ignore = "replaces testdata/bundle-v1.tar"]
fn write_the_bundle() {
    let ledger = crate::ledger::story();
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    std::fs::write(folder.join("bundle-v1.tar"), ledger.parts().tar()).unwrap();
    std::fs::write(folder.join("bundle-v1.founding"), format!("{}\n", ledger.founding)).unwrap();
}
