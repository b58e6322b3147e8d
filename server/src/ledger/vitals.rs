//! What a ledger's caretakers found last, in this process: what Health shows beside the state itself.

use std::sync::{Arc, PoisonError};

use sealbook_ledger::timestamp::Timestamp;

use super::Ledger;
use crate::milestones::Milestones;
use crate::store::{Store, StoreError};

/// The latest of each kind; nothing where it has not happened since the server started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Vitals {
    /// When the newest checkpoint was stored, or first seen.
    pub sealed_at: Option<Timestamp>,
    /// The scrubber's last whole pass that found everything in order.
    pub scrubbed: Option<Pass>,
    /// The folding of everything below the snapshot that the server started from.
    pub replay: Replay,
    /// The last look through the devices.
    pub stocked: Option<Stock>,
}

/// What a start from a snapshot owes, and how far it has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Replay {
    /// The start folded every event itself.
    #[default]
    NotOwed,
    /// The events below the snapshot are being folded.
    UnderWay {
        /// How many they are.
        events: u64,
    },
    /// They came to what the snapshot said.
    Ended(Pass),
}

/// A reading of sealed events from the first on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pass {
    /// When it ended.
    pub at: Timestamp,
    /// How many sealed events it read.
    pub events: u64,
}

/// A look through the devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stock {
    /// When.
    pub at: Timestamp,
    /// Objects of this ledger that no event explains.
    pub unexplained: usize,
    /// Devices that did not answer.
    pub silent: usize,
}

impl Ledger {
    /// Notes how the last attempt to seal ended.
    pub(crate) fn note_sealing(&self, failure: Option<String>) {
        *self.unsealable.lock().unwrap_or_else(PoisonError::into_inner) = failure;
    }

    /// Why the last attempt to seal failed, if it did.
    pub fn unsealable(&self) -> Option<String> {
        self.unsealable.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What was found in its events so far of when what has to come round came round.
    pub fn milestones(&self) -> Arc<Milestones> {
        Arc::clone(&self.milestones.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The same up to its head. Events are looked at once: where there are no new ones, this reads nothing.
    pub(crate) async fn milestones_now(&self, store: &Store) -> Result<Arc<Milestones>, StoreError> {
        let (known, size) = (self.milestones(), self.size());
        if known.looked() >= size {
            return Ok(known);
        }
        let found = Arc::new(Milestones::clone(&known).caught_up(store, self.id(), size).await?);
        let mut kept = self.milestones.lock().unwrap_or_else(PoisonError::into_inner);
        // Somebody else may have looked further meanwhile.
        if kept.looked() < found.looked() {
            *kept = Arc::clone(&found);
        }
        Ok(found)
    }
}
