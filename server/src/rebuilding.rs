//! The read tables made again from the events, and held against what they were.

use std::sync::Arc;

use sealbook_ledger::encoding::Hash;

use crate::ledger::EngineError;
use crate::projector::Projector;
use crate::sequencer::Tip;
use crate::store::ledgers::LedgerRow;
use crate::store::load::MAX_PAGE;
use crate::store::projections::{ProjectionRow, latest};
use crate::store::{Head, Store};

/// What became of one ledger's read tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rebuilt {
    /// Events that were read.
    pub events: u64,
    /// Rows of the low-volume tables.
    pub rows: usize,
    /// Rows about signatures.
    pub signatures: u64,
    /// Whether the rows were what the events say before anything was written.
    pub agreed: bool,
}

/// Rebuilds every read table of a ledger. The server may run: a ledger that grows meanwhile is a conflict.
pub async fn rebuild(store: &Arc<Store>, row: &LedgerRow) -> Result<Rebuilt, EngineError> {
    let (head, live) = store.dump_projections(row.ledger).await?;
    let rows = replay(store, row, &head).await?;
    let mut agreed = rows == live;
    if !agreed {
        store.rebuild_projections(head, &rows).await?;
    }
    let before = signatures(store, row).await?;
    let position = store.signatures_position(row.ledger).await?;
    let is_behind = store.has_signature_events(row.ledger, position, head.size).await?;
    store.reset_signatures(row.ledger).await?;
    Projector::new(Arc::clone(store), row.ledger).catch_up(head.size).await?;
    let after = signatures(store, row).await?;
    // A projector that had not caught up yet is behind, not wrong.
    agreed &= is_behind || before == after;
    Ok(Rebuilt { events: head.size, rows: rows.len(), signatures: after.0, agreed })
}

async fn replay(store: &Store, row: &LedgerRow, head: &Head) -> Result<Vec<ProjectionRow>, EngineError> {
    let mut tip = Tip::empty(row.origin.clone());
    let mut rows = Vec::new();
    while tip.state.size() < head.size {
        let wanted = usize::try_from(head.size - tip.state.size()).unwrap_or(MAX_PAGE).min(MAX_PAGE);
        let page = store.page(row.ledger, tip.state.size(), wanted).await?;
        if page.is_empty() {
            return Err(EngineError::Corrupt("the ledger's head promises events that are not there".into()));
        }
        for stored in &page {
            let changed = tip.follow(row.ledger, stored).map_err(|why| EngineError::Corrupt(why.into()))?;
            rows.extend(changed);
        }
        rows = latest(rows);
    }
    Ok(rows)
}

/// How many rows there are about signatures, and a digest over all of them.
async fn signatures(store: &Store, row: &LedgerRow) -> Result<(u64, Hash), EngineError> {
    let (mut count, mut digest, mut from) = (0, Hash::ZERO, 0);
    loop {
        let page = store.signatures_page(row.ledger, from, MAX_PAGE).await?;
        let Some(last) = page.last() else { return Ok((count, digest)) };
        from = last.seq + 1;
        count += page.len() as u64;
        let text: String = page.iter().map(|row| format!("{row:?}\n")).collect();
        digest = Hash::sha256_in_context(&digest.0, text.as_bytes());
    }
}
