//! Counters of a backend, for metrics and for the reconciliation of signatures with events.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// What a backend has done since the process started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CounterSnapshot {
    /// Signatures that the device produced, also those that came too late for their deadline. The write-ahead oracle
    /// compares it with the terminal events: `created + withheld ≤ signatures`.
    pub signatures: u64,
    /// Calls to sign that ended without a signature for their caller.
    pub sign_failures: u64,
    /// Time that the device took for `signatures`, summed.
    pub sign_time: Duration,
    /// Threads that were given up because their call hung, whether or not they came back.
    pub quarantined: u64,
}

/// The live counters. They are statistics of independent things, so `Relaxed` suffices everywhere.
#[derive(Debug, Default)]
pub(super) struct Counters {
    signatures: AtomicU64,
    sign_failures: AtomicU64,
    sign_micros: AtomicU64,
    quarantined: AtomicU64,
}

impl Counters {
    pub(super) fn signed(&self, took: Duration) {
        self.signatures.fetch_add(1, Ordering::Relaxed);
        self.sign_micros.fetch_add(u64::try_from(took.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    pub(super) fn sign_failed(&self) {
        self.sign_failures.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn quarantined(&self) {
        self.quarantined.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn snapshot(&self) -> CounterSnapshot {
        CounterSnapshot {
            signatures: self.signatures.load(Ordering::Relaxed),
            sign_failures: self.sign_failures.load(Ordering::Relaxed),
            sign_time: Duration::from_micros(self.sign_micros.load(Ordering::Relaxed)),
            quarantined: self.quarantined.load(Ordering::Relaxed),
        }
    }
}
