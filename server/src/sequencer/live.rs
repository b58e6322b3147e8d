//! What a sequencer knows of one ledger, and how it follows what other servers append.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sealbook_ledger::decide::Decided;
use sealbook_ledger::encoding::Hash;
use sealbook_ledger::event::{Envelope, Event};
use sealbook_ledger::ids::Origin;
use sealbook_ledger::merkle::{Frontier, leaf_hash};
use sealbook_ledger::state::{Prechecked, State};

use crate::ledger::Ledger;
use crate::projections;
use crate::store::projections::ProjectionRow;
use crate::store::rows::StoredEvent;
use crate::store::{Head, LedgerId};

/// One ledger in a sequencer's hands.
pub(crate) struct Live {
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) tip: Tip,
    unsealed: Unsealed,
}

/// Sizes that wait for their checkpoint, each with the moment since when the first event up to it has waited.
#[derive(Debug, Default)]
struct Unsealed(VecDeque<(u64, Instant)>);

/// Events that were committed within this time of each other are counted as old as the first of them.
const GRAIN: Duration = Duration::from_millis(100);

/// A ledger's end: the folded state and everything that the next event is bound to. Cheap to copy.
#[derive(Debug, Clone)]
pub(crate) struct Tip {
    pub(crate) state: State,
    pub(crate) frontier: Frontier,
    pub(crate) end_offset: u64,
}

impl Tip {
    /// A ledger without events.
    pub(crate) fn empty(origin: Origin) -> Self {
        Self { state: State::new(origin), frontier: Frontier::new(), end_offset: 0 }
    }

    /// The head as its row says it.
    pub(crate) fn head(&self, ledger: LedgerId) -> Head {
        Head {
            ledger,
            size: self.state.size(),
            hash: self.state.head(),
            root: self.frontier.root(),
            end_offset: self.end_offset,
        }
    }

    /// Applies an event that was decided, and says what it changes in the read tables.
    pub(crate) fn apply(&mut self, ledger: LedgerId, decided: &Decided) -> Vec<ProjectionRow> {
        let touched = projections::touched(&self.state, &decided.event);
        self.state.apply(&decided.event, decided.hash);
        self.frontier.append(leaf_hash(&decided.bytes));
        self.end_offset += decided.bytes.len() as u64 + 1;
        projections::rows(ledger, touched, &decided.event, &self.state)
    }

    /// Reads a stored event, judges it by the rules and applies it. An error says why it can't be true.
    pub(crate) fn follow(
        &mut self,
        ledger: LedgerId,
        stored: &StoredEvent,
    ) -> Result<Vec<ProjectionRow>, String> {
        let seq = stored.seq;
        let envelope = Envelope::parse(&stored.bytes).map_err(|error| format!("event {seq}: {error}"))?;
        let event = Event::from_envelope(envelope).map_err(|error| format!("event {seq}: {error}"))?;
        let hash = Event::hash(&stored.bytes);
        let end_offset = self.end_offset + stored.bytes.len() as u64 + 1;
        let follows = event.seq.get() == self.state.size()
            && event.prev == self.state.head()
            && event.origin == *self.state.origin();
        let row_agrees = stored.seq == event.seq.get()
            && stored.hash == hash
            && stored.end_offset == end_offset
            && stored.kind == event.payload.type_name();
        if !follows || !row_agrees {
            return Err(format!("event {seq} does not follow the one before it"));
        }
        self.state.judge(&event, &Prechecked::default()).map_err(|rule| format!("event {seq}: {rule}"))?;
        Ok(self.apply(ledger, &Decided { event, bytes: stored.bytes.clone(), hash }))
    }
}

impl Live {
    pub(crate) fn new(ledger: Arc<Ledger>, tip: Tip) -> Self {
        let mut unsealed = Unsealed::default();
        if tip.state.size() > ledger.sealed_size() {
            // What an earlier process left unsealed has its time from now on.
            unsealed.grew(tip.state.size(), Instant::now());
        }
        Self { ledger, tip, unsealed }
    }

    /// Takes over a tip that has been committed.
    pub(crate) fn commit(&mut self, tip: Tip) {
        if tip.state.size() > self.tip.state.size() {
            self.unsealed.grew(tip.state.size(), Instant::now());
        }
        self.tip = tip;
        self.ledger.publish(Arc::new(self.tip.state.clone()));
    }

    /// How long the oldest unsealed event has waited for its checkpoint.
    pub(crate) fn unsealed_for(&mut self) -> Duration {
        self.unsealed.waited(self.ledger.sealed_size(), Instant::now())
    }
}

impl Unsealed {
    fn grew(&mut self, size: u64, now: Instant) {
        match self.0.back_mut() {
            Some((last, since)) if now.duration_since(*since) < GRAIN => *last = size,
            Some(_) | None => self.0.push_back((size, now)),
        }
    }

    /// How long the oldest event beyond `sealed` has waited.
    fn waited(&mut self, sealed: u64, now: Instant) -> Duration {
        while self.0.front().is_some_and(|(size, _)| *size <= sealed) {
            self.0.pop_front();
        }
        self.0.front().map_or(Duration::ZERO, |(_, since)| now.duration_since(*since))
    }
}

/// A head as two servers have to agree on it.
pub(crate) fn same_head(a: &Head, b: &Head) -> bool {
    let hash = |head: &Head| -> (u64, Hash, Hash, u64) { (head.size, head.hash, head.root, head.end_offset) };
    a.ledger == b.ledger && hash(a) == hash(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_that_follows_closely_on_a_sealed_one_still_waits() {
        let (mut unsealed, start) = (Unsealed::default(), Instant::now());
        unsealed.grew(5, start);
        unsealed.grew(9, start + Duration::from_millis(50));
        let later = start + Duration::from_secs(60);
        assert_eq!(unsealed.waited(5, later), Duration::from_secs(60));
        assert_eq!(unsealed.waited(9, later), Duration::ZERO);
    }

    #[test]
    fn a_seal_in_between_leaves_the_age_of_what_came_after() {
        let (mut unsealed, start) = (Unsealed::default(), Instant::now());
        unsealed.grew(5, start);
        unsealed.grew(6, start + Duration::from_secs(2));
        assert_eq!(unsealed.waited(5, start + Duration::from_secs(3)), Duration::from_secs(1));
    }
}
