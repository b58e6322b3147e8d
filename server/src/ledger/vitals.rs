//! What a ledger's caretakers found last, in this process: what Health shows beside the state itself.

use sealbook_ledger::timestamp::Timestamp;

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
