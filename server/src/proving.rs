//! Proofs about sealed events, from the tree in memory: nothing here is believed by whoever gets it.

use std::collections::BTreeSet;
use std::sync::PoisonError;
use std::time::Duration;

use sealbook_ledger::checkpoint::SignedCheckpoint;
use sealbook_ledger::encoding::Hash;
use sealbook_ledger::ids::Seq;
use sealbook_ledger::receipt::Receipt;

use crate::ledger::{EngineError, Ledger};
use crate::store::Store;

/// The newest checkpoint, and why it continues an earlier size.
#[derive(Debug, Clone)]
pub struct Continuation {
    /// The newest checkpoint.
    pub checkpoint: SignedCheckpoint,
    /// The consistency proof; `None` where the earlier size lies beyond the newest checkpoint.
    pub path: Option<Vec<Hash>>,
}

/// Several events, all proved under one checkpoint.
#[derive(Debug, Clone)]
pub struct Together {
    /// The checkpoint.
    pub checkpoint: SignedCheckpoint,
    /// The receipts by rising seq.
    pub receipts: Vec<Receipt>,
}

fn pending() -> EngineError {
    EngineError::unavailable("seal.pending", "no checkpoint covers the event yet; ask again shortly")
}

/// A receipt for one event, once a checkpoint covers it.
pub(crate) async fn receipt(
    store: &Store,
    ledger: &Ledger,
    seq: u64,
    wait: Duration,
) -> Result<Receipt, EngineError> {
    if seq >= ledger.size() {
        return Err(EngineError::Conflict {
            code: "event.unknown",
            sentence: "there is no event of this seq",
        });
    }
    let checkpoint = ledger.wait_sealed(seq + 1, wait).await.ok_or_else(pending)?;
    under(store, ledger, seq, (*checkpoint).clone()).await
}

/// The receipts of several events, once the newest checkpoint covers them all.
pub(crate) async fn together(
    store: &Store,
    ledger: &Ledger,
    seqs: &BTreeSet<Seq>,
    wait: Duration,
) -> Result<Together, EngineError> {
    let last = seqs.last().map_or(0, |seq| seq.get());
    let checkpoint = ledger.wait_sealed(last + 1, wait).await.ok_or_else(pending)?;
    let mut receipts = Vec::with_capacity(seqs.len());
    for seq in seqs {
        receipts.push(under(store, ledger, seq.get(), (*checkpoint).clone()).await?);
    }
    Ok(Together { checkpoint: (*checkpoint).clone(), receipts })
}

/// The newest checkpoint as the continuation of `old` events. Waits for one that is no smaller, but only where so many
/// events exist: another server may be ahead, and a number that somebody made up keeps no sealer busy.
pub(crate) async fn continuation(
    ledger: &Ledger,
    old: u64,
    wait: Duration,
) -> Result<Continuation, EngineError> {
    let reached = if old <= ledger.size() { ledger.wait_sealed(old, wait).await } else { None };
    let checkpoint = reached.or_else(|| ledger.seal().checkpoint).ok_or_else(pending)?;
    let size = checkpoint.checkpoint().size;
    let path = if old <= size {
        let tree = ledger.tree.read().unwrap_or_else(PoisonError::into_inner);
        let path = tree.consistency_proof(old, size);
        Some(path.map_err(|error| EngineError::fault("a consistency proof beyond the tree", error))?)
    } else {
        None
    };
    Ok(Continuation { checkpoint: (*checkpoint).clone(), path })
}

/// The receipts of the events that rotated the ledger key, each under its transition checkpoint, oldest first.
pub(crate) async fn transitions(store: &Store, ledger: &Ledger) -> Result<Vec<Receipt>, EngineError> {
    let mut receipts = Vec::new();
    for row in store.transitions(ledger.id()).await? {
        let checkpoint = SignedCheckpoint::parse(row.note.as_bytes())
            .map_err(|_| EngineError::Corrupt("a stored transition checkpoint can't be read".into()))?;
        // The rotation is the last event that its transition checkpoint covers.
        receipts.push(under(store, ledger, row.size.saturating_sub(1), checkpoint).await?);
    }
    Ok(receipts)
}

/// The receipt of an event under a checkpoint that covers it.
pub(crate) async fn under(
    store: &Store,
    ledger: &Ledger,
    seq: u64,
    checkpoint: SignedCheckpoint,
) -> Result<Receipt, EngineError> {
    let stored = store.page(ledger.id(), seq, 1).await?;
    let stored =
        stored.into_iter().next().ok_or_else(|| EngineError::Corrupt("a committed event is gone".into()))?;
    let path = {
        let tree = ledger.tree.read().unwrap_or_else(PoisonError::into_inner);
        tree.inclusion_proof(seq, checkpoint.checkpoint().size)
    };
    let path = path.map_err(|error| EngineError::fault("an inclusion proof beyond the tree", error))?;
    Receipt::new(stored.bytes, seq, path, checkpoint)
        .map_err(|error| EngineError::fault("a receipt out of bounds", error))
}
