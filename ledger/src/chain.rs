//! The hash chain: each event names the hash of the one before it.

use crate::encoding::Hash;

/// BLAKE3's key-derivation context, which sets these hashes apart from every other use of BLAKE3 (ledger format §3).
pub const EVENT_CONTEXT: &str = "sealbook 2026-11-22 event v1";

/// The hash that the next event carries as `prev`: BLAKE3 in derive-key mode over the event's exact bytes.
///
/// `b3sum --derive-key "sealbook 2026-11-22 event v1"` gives the same.
pub fn event_hash(bytes: &[u8]) -> Hash {
    Hash(blake3::derive_key(EVENT_CONTEXT, bytes))
}
