//! The scrubber re-reads sealed rows over time and holds them against the newest checkpoint: bit rot and quiet edits
//! below the seal are found within a day, or at once when somebody asks. The stored checkpoints are looked through too.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use sealbook_ledger::checkpoint::SignedCheckpoint;
use sealbook_ledger::encoding::Hash;
use sealbook_ledger::event::{Envelope, Event};
use sealbook_ledger::merkle::{Frontier, leaf_hash};
use sealbook_ledger::note::Vkey;
use sealbook_ledger::timestamp::Timestamp;
use tokio::sync::watch;

use crate::ledger::{EngineError, Ledger, Pass};
use crate::store::Store;
use crate::store::checkpoints::CheckpointRow;
use crate::store::load::MAX_PAGE;
use crate::store::rows::StoredEvent;

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
    let mut end_offset = 0;
    let mut keys = Vec::new();
    while frontier.size() < size {
        let wanted = usize::try_from(size - frontier.size()).unwrap_or(MAX_PAGE).min(MAX_PAGE);
        let page = store.whole_rows(ledger.id(), frontier.size(), wanted).await?;
        if page.is_empty() {
            let gone = frontier.size();
            return Err(found(ledger, &format!("the sealed event {gone} is missing from storage")));
        }
        for (stored, time) in page {
            end_offset += stored.bytes.len() as u64 + 1;
            let leaf = leaf_hash(&stored.bytes);
            let as_sealed = stored.seq == frontier.size()
                && stored.hash == Event::hash(&stored.bytes)
                && stored.end_offset == end_offset
                && is_leaf(ledger, stored.seq, leaf)
                && says(&stored, time);
            if !as_sealed {
                let seq = frontier.size();
                return Err(found(ledger, &format!("the sealed event {seq} has changed in storage")));
            }
            keys.extend(KeyChange::of(&stored));
            frontier.append(leaf);
        }
        tokio::time::sleep(pause).await;
    }
    if frontier.root() != root {
        let last = size - 1;
        let why = format!("the sealed events 0 to {last} no longer have the root that was signed");
        return Err(found(ledger, &why));
    }
    scrub_checkpoints(store, ledger, &keys, size).await?;
    let pass = Pass { at: ledger.now(), events: size };
    ledger.note_vitals(|vitals| vitals.scrubbed = Some(pass));
    Ok(Some(Scrubbed { events: size, root }))
}

/// An event that brought a ledger key.
struct KeyChange {
    seq: u64,
    vkey: Vkey,
    /// Whether the key before it signs as well.
    handed_over: bool,
}

impl KeyChange {
    /// Reads it from a row that is as it was sealed.
    fn of(stored: &StoredEvent) -> Option<Self> {
        if !["ledger.opened", "ledger.key_rotated", "ledger.key_recovered"].contains(&stored.kind.as_str()) {
            return None;
        }
        let event: serde_json::Value = serde_json::from_slice(&stored.bytes).ok()?;
        let vkey = event["data"]["vkey"].as_str()?.parse().ok()?;
        Some(Self { seq: stored.seq, vkey, handed_over: stored.kind == "ledger.key_rotated" })
    }
}

/// Holds every stored checkpoint against the events and the key that was in force at its size. One that a later one
/// covers may be missing; the newest and those at a change of keys may not.
async fn scrub_checkpoints(
    store: &Store,
    ledger: &Ledger,
    keys: &[KeyChange],
    sealed: u64,
) -> Result<(), EngineError> {
    let (mut at, mut handed_over) = (0, 0);
    while at < sealed {
        let page = store.checkpoints(ledger.id(), at, MAX_PAGE).await?;
        let within: Vec<_> = page.into_iter().filter(|row| row.size <= sealed).collect();
        let Some(last) = within.last() else { break };
        at = last.size;
        for row in &within {
            if !is_genuine(ledger, keys, row) {
                let why = format!("the checkpoint at {} events has changed in storage", row.size);
                return Err(found(ledger, &why));
            }
            handed_over += usize::from(row.transition);
        }
    }
    if at != sealed {
        return Err(found(ledger, &format!("the checkpoint at {sealed} events is missing from storage")));
    }
    let changes = keys.iter().filter(|key| key.handed_over);
    match changes.clone().count() == handed_over {
        true => Ok(()),
        false => {
            let sizes: Vec<String> = changes.map(|key| (key.seq + 1).to_string()).collect();
            let why =
                format!("a checkpoint at {} events, which two keys signed, is missing", sizes.join(" or "));
            Err(found(ledger, &why))
        }
    }
}

/// Whether a checkpoint is of the events, and signed by who had to sign at its size.
fn is_genuine(ledger: &Ledger, keys: &[KeyChange], row: &CheckpointRow) -> bool {
    let Ok(signed) = SignedCheckpoint::parse(row.note.as_bytes()) else { return false };
    let mut before = keys.iter().filter(|key| key.seq < row.size).rev();
    let (Some(key), old) = (before.next(), before.next()) else { return false };
    let checkpoint = signed.checkpoint();
    let root = ledger.tree.read().unwrap_or_else(PoisonError::into_inner).root_at(row.size);
    let of_events =
        checkpoint.origin == *ledger.origin() && checkpoint.size == row.size && root == Ok(checkpoint.root);
    let at_handover = key.handed_over && key.seq + 1 == row.size;
    let by_keys = match old.filter(|_| at_handover) {
        Some(old) => signed.verify_transition(&old.vkey, &key.vkey).is_ok(),
        None => signed.verify(&key.vkey).is_ok(),
    };
    of_events && by_keys && row.transition == at_handover
}

/// Whether a leaf is the one that this server has read, or made, before it was sealed.
fn is_leaf(ledger: &Ledger, seq: u64, leaf: Hash) -> bool {
    ledger.tree.read().unwrap_or_else(PoisonError::into_inner).leaf(seq) == Some(leaf)
}

/// Whether a row's other columns, by which events are looked for, say what its bytes say.
fn says(stored: &StoredEvent, time: Timestamp) -> bool {
    Envelope::parse(&stored.bytes)
        .is_ok_and(|envelope| envelope.type_name == stored.kind && envelope.time == time)
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
