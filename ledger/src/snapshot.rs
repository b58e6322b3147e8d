//! A state that is put aside, so that a start need not fold a ledger from its first event.
//!
//! It is no part of the ledger format: the build that wrote it reads it again, and nobody else. Nothing in it is proof of
//! anything. Whoever keeps one guards it, binds it to the events that it was folded from, and folds them again behind the
//! back of those who already work with it.

use crate::state::State;

/// Why a snapshot can't be written or read.
#[derive(Debug, thiserror::Error)]
#[error("not a state as this build writes it")]
pub struct SnapshotError(#[from] serde_json::Error);

impl SnapshotError {
    /// The stable code of this error.
    pub const fn code(&self) -> &'static str {
        "snapshot.form"
    }
}

/// Writes a state. Equal states have equal bytes.
pub fn to_vec(state: &State) -> Result<Vec<u8>, SnapshotError> {
    Ok(serde_json::to_vec(state)?)
}

/// Reads a state that [`to_vec`] wrote.
pub fn from_slice(bytes: &[u8]) -> Result<State, SnapshotError> {
    Ok(serde_json::from_slice(bytes)?)
}

/// Canonical bytes, which are text.
pub(crate) mod text {
    use std::sync::Arc;

    use serde::{Deserialize, Deserializer, Serializer, ser};

    pub(crate) fn serialize<S: Serializer>(bytes: &Arc<[u8]>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(std::str::from_utf8(bytes).map_err(ser::Error::custom)?)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<[u8]>, D::Error> {
        Ok(String::deserialize(deserializer)?.into_bytes().into())
    }
}
