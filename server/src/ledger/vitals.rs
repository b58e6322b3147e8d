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
    pub replayed: Option<Pass>,
    /// The last look through the devices.
    pub stocked: Option<Stock>,
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
