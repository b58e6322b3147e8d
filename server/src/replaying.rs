//! What a start from a snapshot owes: every event below it is folded again, behind the back of those who work already.
//!
//! It is the same verifier that auditors run. What differs freezes the ledger: with the event's number where the events are
//! at fault, and with the snapshot thrown away where it is the snapshot.

use std::sync::Arc;
use std::time::Duration;

use sealbook_ledger::encoding::Hash;
use sealbook_ledger::snapshot;
use sealbook_ledger::verify::Verifier;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::ledger::{EngineError, Ledger, Pass, Replay};
use crate::snapshots::{Bound, SnapshotFile};
use crate::store::Store;
use crate::store::load::MAX_PAGE;
use crate::store::rows::StoredEvent;

/// Longest pause after a page: the work of others goes first, and half of a processor is left to them.
const LONGEST_PAUSE: Duration = Duration::from_millis(200);

/// How long after a failure the same page is asked for again.
const RETRY: Duration = Duration::from_secs(2);

/// A snapshot that a start began from.
pub(crate) struct Begun {
    pub(crate) bound: Bound,
    /// SHA-256 of the state in it.
    pub(crate) digest: Hash,
    pub(crate) file: SnapshotFile,
}

/// Folds every event below the snapshot, until `stop` says so.
pub(crate) async fn run(
    store: Arc<Store>,
    ledger: Arc<Ledger>,
    begun: Begun,
    mut stop: watch::Receiver<bool>,
) {
    ledger.note_vitals(|vitals| vitals.replay = Replay::UnderWay { events: begun.bound.size });
    let found = tokio::select! {
        found = replay(&store, &ledger, &begun) => found,
        _ = stop.changed() => return,
    };
    match found {
        Found::Same => {
            let pass = Pass { at: ledger.now(), events: begun.bound.size };
            ledger.note_vitals(|vitals| vitals.replay = Replay::Ended(pass));
        }
        Found::EventsDiffer(why) => ledger.freeze(why),
        Found::SnapshotDiffers => {
            ledger.freeze(
                "the snapshot that this start began from is not what the events come to, and was thrown away; start again: \
                 every event is then judged from the first on, also those that were recorded since",
            );
            let discarded = tokio::task::spawn_blocking(move || begun.file.discard()).await;
            if let Err(error) = discarded.unwrap_or_else(|error| Err(std::io::Error::other(error))) {
                let error = &error as &dyn std::error::Error;
                tracing::error!(origin = %ledger.origin(), error, "the false snapshot can't be taken away");
            }
        }
    }
}

/// What folding came to.
enum Found {
    Same,
    EventsDiffer(Arc<str>),
    SnapshotDiffers,
}

async fn replay(store: &Store, ledger: &Ledger, begun: &Begun) -> Found {
    let mut verifier = Verifier::new(ledger.origin().clone());
    while verifier.size() < begun.bound.size {
        let began = Instant::now();
        let left = begun.bound.size - verifier.size();
        let wanted = usize::try_from(left).unwrap_or(MAX_PAGE).min(MAX_PAGE);
        let page = match store.page(ledger.id(), verifier.size(), wanted).await.map_err(EngineError::from) {
            Ok(page) => page,
            Err(EngineError::Corrupt(why)) => return Found::EventsDiffer(why),
            // The debt stays: a database that is away comes back.
            Err(error) => {
                tracing::warn!(origin = %ledger.origin(), error = &error as &dyn std::error::Error,
                    "the events below the snapshot can't be read; trying again");
                tokio::time::sleep(RETRY).await;
                continue;
            }
        };
        if page.is_empty() {
            let gone = verifier.size();
            return Found::EventsDiffer(format!("the sealed event {gone} is missing from storage").into());
        }
        let folded = tokio::task::spawn_blocking(move || fold(verifier, &page)).await;
        verifier = match folded {
            Ok(Ok(verifier)) => verifier,
            Ok(Err(why)) => return Found::EventsDiffer(why.into()),
            // Only where the runtime ends, or the verifier panics: then the server must not go on unproven.
            Err(error) => return Found::EventsDiffer(format!("folding ended early: {error}").into()),
        };
        tokio::time::sleep(began.elapsed().min(LONGEST_PAUSE)).await;
    }
    if verifier.root() != begun.bound.root || verifier.state().head() != begun.bound.hash {
        let last = begun.bound.size - 1;
        return Found::EventsDiffer(format!("events 0 to {last} are not those below the snapshot").into());
    }
    let written = tokio::task::spawn_blocking(move || {
        snapshot::to_vec(verifier.state()).map(|state| Hash::sha256(&state))
    });
    match written.await {
        Ok(Ok(digest)) if digest == begun.digest => Found::Same,
        Ok(_) | Err(_) => Found::SnapshotDiffers,
    }
}

fn fold(mut verifier: Verifier, page: &[StoredEvent]) -> Result<Verifier, String> {
    for stored in page {
        let pushed = verifier.push(&stored.bytes).map_err(|failure| failure.to_string())?;
        if stored.hash != pushed.hash {
            return Err(format!("the row of event {} disagrees with its bytes", stored.seq));
        }
    }
    Ok(verifier)
}
