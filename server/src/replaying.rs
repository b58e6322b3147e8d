//! What a start from a snapshot owes: every event below it is folded again, behind the back of those who work already.
//!
//! It is the same verifier that auditors run. What differs freezes the ledger: with the event's number where the events are
//! at fault, and with the snapshot thrown away where it is the snapshot.

use std::sync::Arc;

use sealbook_ledger::encoding::Hash;
use sealbook_ledger::snapshot;
use sealbook_ledger::verify::Verifier;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::ledger::{EngineError, Ledger, Pass};
use crate::snapshots::{Bound, SnapshotFile};
use crate::store::Store;
use crate::store::load::MAX_PAGE;
use crate::store::rows::StoredEvent;

/// Longest pause after a page: the work of others goes first, and half of a processor is left to them.
const LONGEST_PAUSE: std::time::Duration = std::time::Duration::from_millis(200);

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
    tokio::select! {
        replayed = replay(&store, &ledger, &begun) => match replayed {
            Ok(()) => {
                let pass = Pass { at: ledger.now(), events: begun.bound.size };
                ledger.note_vitals(|vitals| vitals.replayed = Some(pass));
            }
            Err(EngineError::Corrupt(why)) => ledger.freeze(why),
            // The next start begins from the snapshot again, and owes the same.
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(origin = %ledger.origin(), error, "the events below the snapshot could not be read");
            }
        },
        _ = stop.changed() => {}
    }
}

async fn replay(store: &Store, ledger: &Ledger, begun: &Begun) -> Result<(), EngineError> {
    let mut verifier = Verifier::new(ledger.origin().clone());
    while verifier.size() < begun.bound.size {
        let began = Instant::now();
        let left = begun.bound.size - verifier.size();
        let wanted = usize::try_from(left).unwrap_or(MAX_PAGE).min(MAX_PAGE);
        let page = store.page(ledger.id(), verifier.size(), wanted).await?;
        if page.is_empty() {
            return Err(EngineError::Corrupt("sealed events are missing from storage".into()));
        }
        let folded = tokio::task::spawn_blocking(move || fold(verifier, &page)).await;
        verifier = folded.map_err(|error| EngineError::fault("folding a page ended early", error))??;
        tokio::time::sleep(began.elapsed().min(LONGEST_PAUSE)).await;
    }
    let same = snapshot::to_vec(verifier.state()).is_ok_and(|state| Hash::sha256(&state) == begun.digest);
    if verifier.root() != begun.bound.root || verifier.state().head() != begun.bound.hash {
        return Err(EngineError::Corrupt(
            "the events below the snapshot are not those that were sealed".into(),
        ));
    }
    if same {
        return Ok(());
    }
    let removed = begun.file.remove();
    let sentence = "the snapshot that this start began from is not what the events come to, and was thrown away; start \
                    again: every event is then judged from the first on, also those that were recorded since";
    if let Err(error) = removed {
        tracing::error!(error = &error as &dyn std::error::Error, "the false snapshot can't be removed");
    }
    Err(EngineError::Corrupt(sentence.into()))
}

fn fold(mut verifier: Verifier, page: &[StoredEvent]) -> Result<Verifier, EngineError> {
    for stored in page {
        let pushed = verifier.push(&stored.bytes);
        let pushed = pushed.map_err(|failure| EngineError::Corrupt(failure.to_string().into()))?;
        if stored.hash != pushed.hash {
            let seq = stored.seq;
            return Err(EngineError::Corrupt(
                format!("the row of event {seq} disagrees with its bytes").into(),
            ));
        }
    }
    Ok(verifier)
}
