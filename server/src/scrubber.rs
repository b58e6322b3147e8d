//! The scrubber re-reads sealed rows over time and holds them against the newest checkpoint: bit rot and quiet edits
//! below the seal are found within a day, or at once when somebody asks.

use std::sync::Arc;
use std::time::Duration;

use sealbook_ledger::encoding::Hash;
use sealbook_ledger::event::Event;
use sealbook_ledger::merkle::{Frontier, leaf_hash};
use tokio::sync::watch;

use crate::ledger::{EngineError, Ledger, Pass};
use crate::store::Store;
use crate::store::load::MAX_PAGE;

/// A whole pass takes no longer than this.
const PASS: Duration = Duration::from_secs(24 * 60 * 60);

/// Shortest pause between two pages: the scrubber never hurries.
const SHORTEST_PAUSE: Duration = Duration::from_millis(500);

/// What a pass found in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scrubbed {
    /// Events that were read.
    pub events: u64,
    /// The root that they and the checkpoint have in common.
    pub root: Hash,
}

/// Re-reads every sealed row, pausing between pages.
pub(crate) async fn scrub(
    store: &Store,
    ledger: &Ledger,
    pause: Duration,
) -> Result<Option<Scrubbed>, EngineError> {
    let Some(checkpoint) = ledger.seal().checkpoint else { return Ok(None) };
    let (size, root) = (checkpoint.checkpoint().size, checkpoint.checkpoint().root);
    let mut frontier = Frontier::new();
    while frontier.size() < size {
        let wanted = usize::try_from(size - frontier.size()).unwrap_or(MAX_PAGE).min(MAX_PAGE);
        let page = store.page(ledger.id(), frontier.size(), wanted).await?;
        if page.is_empty() {
            return Err(found(ledger, "sealed events are missing from storage"));
        }
        for stored in page {
            if stored.seq != frontier.size() || stored.hash != Event::hash(&stored.bytes) {
                return Err(found(
                    ledger,
                    &format!("the sealed event {} has changed in storage", stored.seq),
                ));
            }
            frontier.append(leaf_hash(&stored.bytes));
        }
        tokio::time::sleep(pause).await;
    }
    if frontier.root() != root {
        return Err(found(ledger, "the sealed events no longer have the root that was signed"));
    }
    let pass = Pass { at: ledger.now(), events: size };
    ledger.note_vitals(|vitals| vitals.scrubbed = Some(pass));
    Ok(Some(Scrubbed { events: size, root }))
}

fn found(ledger: &Ledger, why: &str) -> EngineError {
    ledger.freeze(why);
    EngineError::Corrupt(why.into())
}

/// Scrubs a ledger over and over, a pass a day at the slowest, until `stop` says so.
pub(crate) async fn run(store: Arc<Store>, ledger: Arc<Ledger>, mut stop: watch::Receiver<bool>) {
    loop {
        let pages = ledger.sealed_size() / MAX_PAGE as u64 + 1;
        let pause = (PASS / u32::try_from(pages).unwrap_or(u32::MAX))
            .max(SHORTEST_PAUSE)
            .min(Duration::from_secs(3600));
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = stop.changed() => return,
        }
        tokio::select! {
            result = scrub(&store, &ledger, pause) => if let Err(error) = result {
                tracing::warn!(origin = %ledger.origin(), code = error.code(), %error, "scrubbing failed");
            },
            _ = stop.changed() => return,
        }
    }
}
