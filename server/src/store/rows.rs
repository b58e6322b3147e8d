//! The rows of a ledger as values.

use sealbook_ledger::encoding::Hash;
use sealbook_ledger::timestamp::Timestamp;
use tokio_postgres::Row;
use uuid::Uuid;

use super::columns;
use super::error::StoreError;

/// What rows call a ledger: random, never negative, and meaningless outside this database, unlike its origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LedgerId(i64);

impl LedgerId {
    /// Stands in rows that concern no ledger but the deployment as a whole, such as a device's.
    pub const DEPLOYMENT: Self = Self(-1);

    /// An id from 64 random bits, of which 63 are used.
    pub fn from_random(bits: u64) -> Self {
        Self((bits >> 1).cast_signed())
    }

    /// The number in the rows.
    pub fn get(self) -> i64 {
        self.0
    }

    pub(super) fn column(row: &Row, index: usize) -> Result<Self, StoreError> {
        columns::get(row, index).map(Self)
    }
}

/// Where a ledger ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Whose end.
    pub ledger: LedgerId,
    /// Number of events.
    pub size: u64,
    /// Chain hash of the last event, zeros before the first (LEDGER_FORMAT §3).
    pub hash: Hash,
    /// Root of the Merkle tree over `size` leaves (RFC 6962 §2.1).
    pub root: Hash,
    /// Bytes of `events.jsonl`: event bytes and one line feed each.
    pub end_offset: u64,
}

impl Head {
    /// The head of a ledger without events; its root is the SHA-256 of nothing (RFC 6962 §2.1).
    pub fn empty(ledger: LedgerId) -> Self {
        Self { ledger, size: 0, hash: Hash::ZERO, root: Hash::sha256(b""), end_offset: 0 }
    }

    /// Reads `ledger_id, size, hash, root, end_offset`.
    pub(super) fn columns(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            ledger: LedgerId::column(row, 0)?,
            size: columns::unsigned(row, 1)?,
            hash: columns::hash(row, 2)?,
            root: columns::hash(row, 3)?,
            end_offset: columns::unsigned(row, 4)?,
        })
    }
}

/// An event on its way in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRow {
    /// Whose event.
    pub ledger: LedgerId,
    /// Its 0-based place.
    pub seq: u64,
    /// Its chain hash.
    pub hash: Hash,
    /// Bytes of `events.jsonl` up to and including this event's line feed.
    pub end_offset: u64,
    /// The event's own time.
    pub time: Timestamp,
    /// The event's type.
    pub kind: String,
    /// The canonical bytes.
    pub bytes: Vec<u8>,
}

/// An event as it is stored. Nothing here has been verified: that is the reader's work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEvent {
    /// Its 0-based place.
    pub seq: u64,
    /// The chain hash that the row claims.
    pub hash: Hash,
    /// Bytes of `events.jsonl` up to and including this event's line feed, as the row claims.
    pub end_offset: u64,
    /// The type that the row claims.
    pub kind: String,
    /// The event bytes.
    pub bytes: Vec<u8>,
}

impl StoredEvent {
    /// Reads `seq, hash, end_offset, type, bytes`.
    pub(super) fn columns(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            seq: columns::unsigned(row, 0)?,
            hash: columns::hash(row, 1)?,
            end_offset: columns::unsigned(row, 2)?,
            kind: columns::get(row, 3)?,
            bytes: columns::get(row, 4)?,
        })
    }
}

/// The clear text of a field whose digest stands in an event's `_sd`.
#[derive(Clone, PartialEq, Eq)]
pub struct DisclosureRow {
    /// Whose event.
    pub ledger: LedgerId,
    /// The event that holds the digest.
    pub seq: u64,
    /// The field's name.
    pub name: String,
    /// Random, own for each.
    pub salt: [u8; 16],
    /// What it says; any Unicode text, U+0000 included.
    pub value: String,
}

impl std::fmt::Debug for DisclosureRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Salt and value are what redaction withholds: they have no place in a log.
        f.debug_struct("DisclosureRow")
            .field("seq", &self.seq)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// Bytes that an event refers to by digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttachmentRow {
    /// Whose event.
    pub ledger: LedgerId,
    /// SHA-256 of the bytes.
    pub sha256: Hash,
    /// The event that refers to them first.
    pub seq: u64,
    /// As the event says.
    pub media_type: String,
    /// The bytes themselves.
    pub bytes: Vec<u8>,
}

/// What a caller's idempotency key stood for when it was first used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyRow {
    /// The ledger it was used in.
    pub ledger: LedgerId,
    /// Hash of caller and key.
    pub key_hash: Hash,
    /// Hash of the request: other content under the same key is refused.
    pub body_hash: Hash,
    /// The correlation of the events it led to.
    pub correlation: Uuid,
    /// The first of them.
    pub seq: u64,
}
