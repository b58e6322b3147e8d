//! `manifest.json`: what a bundle is, for whoever opens it without our tools.

use serde::Serialize;

use crate::canonical::{self, Unrepresentable};
use crate::encoding::Hash;
use crate::ids::Origin;

/// What a bundle holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A whole ledger up to its checkpoint.
    Ledger,
    /// Single events, each with a receipt.
    Selection,
}

/// What a reader of the file should know and a verifier must not believe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    kind: Kind,
    origin: Origin,
    size: u64,
    root: Option<Hash>,
}

const VISIBLE: &str = "Visible to whoever holds this file: who did what and when by random id, digests, algorithms, \
    public keys, states, environments and policies. Names, e-mail addresses, artifact names, tickets, hosts and other \
    free text are visible only where disclosures.jsonl discloses them.";

const VERIFY: &str = "No verdict depends on this file. Check the bundle with `sealbook-verify FILE --vkey VKEY \
    --founding DIGEST`, with a key and a digest that you were given on another way than this file.";

#[derive(Serialize)]
struct ManifestJson<'a> {
    kind: Kind,
    origin: &'a Origin,
    #[serde(skip_serializing_if = "Option::is_none")]
    root: Option<Hash>,
    size: u64,
    v: u8,
    verify: &'static str,
    visible: &'static str,
}

impl Manifest {
    /// Of a whole ledger with so many events and this RFC 6962 root.
    pub fn of_ledger(origin: Origin, size: u64, root: Hash) -> Self {
        Self { kind: Kind::Ledger, origin, size, root: Some(root) }
    }

    /// Of so many single events of one ledger.
    pub fn of_selection(origin: Origin, events: u64) -> Self {
        Self { kind: Kind::Selection, origin, size: events, root: None }
    }

    /// The canonical JSON of `manifest.json`.
    pub fn to_bytes(&self) -> Result<Vec<u8>, Unrepresentable> {
        canonical::to_vec(&ManifestJson {
            kind: self.kind,
            origin: &self.origin,
            root: self.root,
            size: self.size,
            v: 1,
            verify: VERIFY,
            visible: VISIBLE,
        })
    }
}
