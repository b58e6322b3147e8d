//! What auditors ask of the past: the state as at a moment, the events up to it, and random samples that can be drawn
//! again.
//!
//! All of it reads storage and never waits for a sequencer, nor makes one wait. Few at once: the rest of the server goes
//! first.

use std::sync::Arc;
use std::time::Duration;

use sealbook_ledger::checkpoint::SignedCheckpoint;
use sealbook_ledger::event::{Envelope, Event};
use sealbook_ledger::payload::Payload;
use sealbook_ledger::receipt::Receipt;
use sealbook_ledger::sample::{Population, Seed};
use sealbook_ledger::state::State;
use sealbook_ledger::timestamp::Timestamp;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::ledger::{EngineError, Ledger};
use crate::store::load::{EventFilter, MAX_PAGE, MAX_SCAN};
use crate::store::rows::StoredEvent;
use crate::store::{LedgerId, Store};

/// Questions about the past that are worked on at once.
const AT_ONCE: usize = 2;

/// Longest wait for a turn, and longest work on one question. A million events are read in some seconds.
const TURN: Duration = Duration::from_secs(10);
const DEADLINE: Duration = Duration::from_secs(120);

/// Most events of one list about the past: beyond it, ask for a shorter time.
pub const MAX_LISTED: usize = 50_000;

/// Answers questions about the past.
pub(crate) struct Auditing {
    store: Arc<Store>,
    turns: Arc<Semaphore>,
}

/// A ledger as it was.
pub struct AsAt {
    /// Its folded state, as far as people, services, slots, keys and actions go.
    pub state: Arc<State>,
    /// How many events there were.
    pub size: u64,
}

/// A random sample under a checkpoint.
pub struct Sample {
    /// The checkpoint that its receipts lead to.
    pub checkpoint: Arc<SignedCheckpoint>,
    /// How many events it was drawn from.
    pub population: u64,
    /// The drawn events, in the order of the draws.
    pub drawn: Vec<Drawn>,
}

/// An event of a sample.
pub struct Drawn {
    /// Its place in the population.
    pub place: u64,
    /// The event.
    pub event: Event,
    /// The proof that it is in the ledger.
    pub receipt: Receipt,
}

impl Auditing {
    pub(crate) fn new(store: Arc<Store>) -> Self {
        Self { store, turns: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    async fn turn(&self) -> Result<OwnedSemaphorePermit, EngineError> {
        let busy =
            || EngineError::unavailable("audit.busy", "others are asking about the past; try again shortly");
        let turn = tokio::time::timeout(TURN, Arc::clone(&self.turns).acquire_owned()).await;
        turn.map_err(|_| busy())?.map_err(|_| busy())
    }

    /// Takes a turn for some work, and ends it at the usual deadline.
    async fn within<T>(&self, work: impl Future<Output = Result<T, EngineError>>) -> Result<T, EngineError> {
        self.within_time(DEADLINE, work).await
    }

    /// The same with a deadline of its own.
    pub(crate) async fn within_time<T>(
        &self,
        deadline: Duration,
        work: impl Future<Output = Result<T, EngineError>>,
    ) -> Result<T, EngineError> {
        let _turn = self.turn().await?;
        let late = || EngineError::unavailable("audit.slow", "the past could not be read in time; ask again");
        tokio::time::timeout(deadline, work).await.map_err(|_| late())?
    }

    /// The ledger as it was at a moment. What signatures, evidence and refusals say is left out: people, slots and keys
    /// don't follow from it, and it is nearly all that a ledger holds.
    pub(crate) async fn as_at(&self, ledger: &Ledger, at: Timestamp) -> Result<AsAt, EngineError> {
        let now = ledger.state();
        if now.time().is_none_or(|last| last <= at) {
            return Ok(AsAt { size: now.size(), state: now });
        }
        self.within(async {
            let size = self.store.size_at(ledger.id(), at).await?;
            let mut state = State::new(ledger.origin().clone());
            let mut place = Some(0);
            while let Some(from) = place {
                let (page, next) = self.page(ledger.id(), few_kinds(), from, size).await?;
                place = next;
                state = off_the_workers(move || fold(state, &page)).await??;
            }
            Ok(AsAt { state: Arc::new(state), size })
        })
        .await
    }

    /// The events of some types after one moment and up to another, in order; refused beyond [`MAX_LISTED`].
    pub(crate) async fn events(
        &self,
        ledger: &Ledger,
        kinds: &[&str],
        since: Option<Timestamp>,
        at: Timestamp,
    ) -> Result<Vec<Event>, EngineError> {
        let kinds: Vec<String> = kinds.iter().map(|&kind| kind.to_owned()).collect();
        self.within(async {
            let before = since.and_then(|since| Timestamp::from_unix_micros(since.unix_micros() - 1));
            let mut place = Some(match before {
                Some(before) => self.store.size_at(ledger.id(), before).await?,
                None => 0,
            });
            let size = self.store.size_at(ledger.id(), at).await?;
            let mut events = Vec::new();
            while let Some(from) = place.filter(|from| *from < size) {
                let (page, next) = self.page(ledger.id(), kinds.clone(), from, size).await?;
                place = next;
                events.extend(
                    off_the_workers(move || page.iter().map(parsed).collect::<Result<Vec<_>, _>>()).await??,
                );
                if events.len() > MAX_LISTED {
                    return Err(EngineError::Conflict {
                        code: "audit.too_long",
                        sentence: "there are more than 50,000 entries; ask for a shorter time with `from`",
                    });
                }
            }
            Ok(events)
        })
        .await
    }

    /// The events of some seqs, in their order; all of them, or none.
    pub(crate) async fn events_at(&self, ledger: &Ledger, seqs: &[u64]) -> Result<Vec<Event>, EngineError> {
        self.within(async {
            let mut events = Vec::with_capacity(seqs.len());
            for seqs in seqs.chunks(MAX_PAGE) {
                let stored = self.store.events_of(ledger.id(), seqs).await?;
                events.extend(stored.iter().map(parsed).collect::<Result<Vec<_>, _>>()?);
            }
            Ok(events)
        })
        .await
    }

    /// A page of the events of some types below a size, and where to go on.
    async fn page(
        &self,
        ledger: LedgerId,
        kinds: Vec<String>,
        from: u64,
        size: u64,
    ) -> Result<(Vec<StoredEvent>, Option<u64>), EngineError> {
        if from >= size {
            return Ok((Vec::new(), None));
        }
        let filter = EventFilter { kinds, ..EventFilter::default() };
        let mut page = self.store.filtered_page(ledger, &filter, from, MAX_PAGE).await?;
        page.events.retain(|stored| stored.seq < size);
        Ok((page.events, page.next.filter(|next| *next < size)))
    }

    /// Draws at most `n` events of a type, or of all, below the newest checkpoint, or below an earlier one's size.
    pub(crate) async fn sample(
        &self,
        ledger: &Ledger,
        seed: &Seed,
        n: usize,
        kind: Option<&str>,
        size: Option<u64>,
    ) -> Result<Sample, EngineError> {
        let checkpoint = self.checkpoint(ledger, size).await?;
        self.within(async {
            let size = checkpoint.checkpoint().size;
            let counts = self.counts(ledger.id(), kind, size).await?;
            let population = counts.iter().sum();
            let drawn_from = Population { origin: ledger.origin(), size, kind, count: population };
            let mut drawn = Vec::new();
            for place in drawn_from.places(seed, n) {
                let seq = match kind {
                    Some(kind) => self.seq_at(ledger.id(), kind, &counts, place, size).await?,
                    None => place,
                };
                let stored = self.store.page(ledger.id(), seq, 1).await?.into_iter().next();
                let stored = stored.filter(|stored| stored.seq == seq).ok_or_else(gone)?;
                let event = parsed(&stored)?;
                let receipt = ledger.prove(stored.bytes, seq, &checkpoint)?;
                drawn.push(Drawn { place, event, receipt });
            }
            Ok(Sample { checkpoint: Arc::clone(&checkpoint), population, drawn })
        })
        .await
    }

    async fn checkpoint(
        &self,
        ledger: &Ledger,
        size: Option<u64>,
    ) -> Result<Arc<SignedCheckpoint>, EngineError> {
        let newest = ledger.seal().checkpoint;
        let newest = newest.ok_or_else(|| {
            EngineError::unavailable("seal.pending", "nothing is sealed yet; ask again shortly")
        })?;
        let Some(size) = size.filter(|size| *size != newest.checkpoint().size) else { return Ok(newest) };
        let row = self.store.checkpoint_at(ledger.id(), size).await?;
        let row = row.filter(|row| row.size <= newest.checkpoint().size).ok_or(EngineError::Conflict {
            code: "checkpoint.unknown",
            sentence: "no checkpoint has this size; take the size that an earlier sample names",
        })?;
        let checkpoint = SignedCheckpoint::parse(row.note.as_bytes());
        let unreadable = |_| EngineError::Corrupt("a stored checkpoint can't be read".into());
        checkpoint.map(Arc::new).map_err(unreadable)
    }

    /// How many events of a type each stretch of [`MAX_SCAN`] seqs holds; without a type, one number for all.
    async fn counts(&self, ledger: LedgerId, kind: Option<&str>, size: u64) -> Result<Vec<u64>, EngineError> {
        let Some(kind) = kind else { return Ok(vec![size]) };
        let (mut counts, mut from) = (Vec::new(), 0);
        while from < size {
            counts.push(self.store.count_of_kind(ledger, kind, from, size).await?);
            from += MAX_SCAN;
        }
        Ok(counts)
    }

    /// The seq of the event of a type at a place among its like.
    async fn seq_at(
        &self,
        ledger: LedgerId,
        kind: &str,
        counts: &[u64],
        place: u64,
        size: u64,
    ) -> Result<u64, EngineError> {
        let (mut before, mut from) = (0, 0);
        for count in counts {
            if place < before + count {
                let seqs = self.store.seqs_of_kind(ledger, kind, from, size).await?;
                let within = usize::try_from(place - before).map_err(|_| gone())?;
                return seqs.get(within).copied().ok_or_else(gone);
            }
            before += count;
            from += MAX_SCAN;
        }
        Err(gone())
    }
}

/// The types that people, services, slots, keys and actions follow from.
fn few_kinds() -> Vec<String> {
    let few =
        |kind: &&str| !["signature.", "evidence.", "refusal."].iter().any(|many| kind.starts_with(many));
    Payload::TYPE_NAMES.into_iter().filter(few).map(str::to_owned).collect()
}

fn gone() -> EngineError {
    EngineError::Corrupt("a committed event is gone".into())
}

fn parsed(stored: &StoredEvent) -> Result<Event, EngineError> {
    let unreadable = || EngineError::Corrupt("a stored event can't be read".into());
    if Event::hash(&stored.bytes) != stored.hash {
        return Err(EngineError::Corrupt("a stored event is not what its hash says".into()));
    }
    let envelope = Envelope::parse(&stored.bytes).map_err(|_| unreadable())?;
    Event::from_envelope(envelope).map_err(|_| unreadable())
}

/// Applies events that were judged when they were appended, and again when they were sealed.
fn fold(mut state: State, page: &[StoredEvent]) -> Result<State, EngineError> {
    for stored in page {
        state.apply(&parsed(stored)?, stored.hash);
    }
    Ok(state)
}

/// Reading and folding a page takes tens of milliseconds, which other tasks are not to wait for.
pub(crate) async fn off_the_workers<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, EngineError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| EngineError::fault("reading the past ended early", error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_state_does_not_follow_from_is_what_ledgers_are_full_of() {
        let few = few_kinds();
        assert!(
            few.iter().any(|kind| kind == "member.enrolled")
                && few.iter().any(|kind| kind == "key.activated")
        );
        assert!(!few.iter().any(|kind| kind == "signature.created"));
        assert!(few.len() < Payload::TYPE_NAMES.len());
    }
}
