//! Read-only queries that answer with typed structs: pages and API show the same ones.
//!
//! What is in force now (people, services, slots, keys, the policy) comes from a snapshot of the folded state; what has
//! been (actions, events, evidence, disclosures) comes from the store.

pub mod actions;
pub mod artifacts;
pub mod as_at;
pub mod blast_radius;
pub mod calendar;
pub mod candidates;
pub mod certificates;
pub mod changes;
pub mod csv;
pub mod custody;
pub mod decisions;
pub mod deviations;
pub mod events;
pub mod gate;
pub mod health;
pub mod incidents;
pub mod keys;
pub mod ledger;
pub mod names;
pub mod people;
pub mod reports;
pub mod revocations;
pub mod rotation_audit;
pub mod rotations;
pub mod sentence;
pub mod services;
pub mod slot_history;
pub mod slots;
pub mod story;
pub mod webhooks;

pub use names::Names;

use crate::store::StoreError;

/// Why a view can't be shown.
#[derive(Debug, thiserror::Error)]
pub enum ViewError {
    /// The store can't be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What is stored is not what was recorded.
    #[error("the stored {what} at seq {seq} can't be read; run `sealbook doctor`")]
    Corrupt {
        /// What it should be.
        what: &'static str,
        /// Where it is.
        seq: u64,
    },
}
