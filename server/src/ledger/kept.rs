//! What a server keeps of a ledger to hand it out to anybody.

use std::sync::Arc;

use bytes::Bytes;
use sealbook_ledger::encoding::Hash;
use sealbook_ledger::ids::{KeyId, Seq};
use sealbook_ledger::trust_root::TrustRootFile;

use super::Ledger;

/// A trust root that was issued, as it is handed out.
#[derive(Debug, Clone, PartialEq)]
pub struct TrustRootKept {
    /// The `rep.issued`.
    pub seq: Seq,
    /// The evidence key that signed it.
    pub key: KeyId,
    /// SHA-256 of the file.
    pub sha256: Hash,
    /// What it says.
    pub file: TrustRootFile,
    /// Its bytes.
    pub bytes: Bytes,
}

impl Ledger {
    /// The newest trust root that this server knows of.
    pub fn trust_root(&self) -> Option<Arc<TrustRootKept>> {
        self.trust_root.load_full()
    }

    pub(crate) fn keep_trust_root(&self, kept: Arc<TrustRootKept>) {
        self.trust_root.store(Some(kept));
    }
}
