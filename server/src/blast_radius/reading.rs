//! Reads a list from storage, event by event along the chain: that nothing is missing and nothing was changed is found out
//! on the way, by what this server knows of the ledger from elsewhere.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::PoisonError;

use sealbook_ledger::blast_radius::{Affected, BlastRadius, Ended, Fact, Glance};
use sealbook_ledger::encoding::Hash;
use sealbook_ledger::event::Event;
use sealbook_ledger::ids::Seq;
use sealbook_ledger::merkle::leaf_hash;
use sealbook_ledger::timestamp::Timestamp;
use tokio::task::JoinHandle;

use super::Scope;
use crate::auditing::off_the_workers;
use crate::ledger::{EngineError, Ledger};
use crate::store::Store;
use crate::store::export::EventStream;
use crate::store::load::MAX_PAGE;
use crate::store::rows::StoredEvent;

/// Events that are read and hashed in one go, apart from the threads that serve others.
const AT_ONCE: usize = 512;

/// How many such stretches are under way while the next is fetched.
const UNDER_WAY: usize = 3;

/// Signatures that wait at most for one before them whose outcome has not come, which takes a minute and some seconds at
/// its longest: some 20 MB. Then its outcome is looked for ahead of its turn.
const MAX_WAITING: usize = 100_000;

/// A list on its way from storage.
pub struct Reading<'a> {
    store: &'a Store,
    ledger: &'a Ledger,
    scope: Scope,
    /// None once it has come to its end.
    events: Option<EventStream>,
    stretches: VecDeque<JoinHandle<Result<Stretch, EngineError>>>,
    list: BlastRadius,
    /// What the next stretch has to follow.
    link: Link,
    /// The leaf of the last event so far.
    leaf: Hash,
    anchor: Anchor,
    /// Where a stretch begins whose facts have not been taken in.
    next: u64,
    /// What was seen ahead of its turn: none is an authorisation that stays open.
    foreseen: HashMap<Seq, Option<Ended>>,
    most_waiting: usize,
}

/// What the first event of a stretch has to follow.
enum Link {
    /// The list begins with it.
    First,
    /// It is the last one that is too old.
    Before(Timestamp),
    /// The hash of the one before it.
    Hash(Hash),
}

/// What this server knows of the last event without asking the database: by its chain everything before it is known.
enum Anchor {
    /// Its leaf in the tree that was sealed.
    Leaf(Hash),
    /// The hash that the folded state ends with.
    Head(Hash),
}

impl Anchor {
    /// Of the event before `size`, or of the ledger's last one where that is too new to be sealed. Says how many events
    /// lead to it.
    fn of(ledger: &Ledger, size: u64) -> (u64, Self) {
        let leaf = size
            .checked_sub(1)
            .and_then(|last| ledger.tree.read().unwrap_or_else(PoisonError::into_inner).leaf(last));
        match leaf {
            Some(leaf) => (size, Self::Leaf(leaf)),
            None => {
                let state = ledger.state();
                (state.size(), Self::Head(state.head()))
            }
        }
    }
}

impl<'a> Reading<'a> {
    /// Finds the beginning, and starts to read.
    pub async fn begin(store: &'a Store, ledger: &'a Ledger, scope: Scope) -> Result<Self, EngineError> {
        let (end, anchor) = Anchor::of(ledger, scope.size);
        let from = match scope.since {
            Some(since) => store.seq_at(ledger.id(), scope.size, since).await?,
            None => 0,
        };
        // The one before is read as well: that it is too old is seen in its bytes.
        let (from, link) = match (from.checked_sub(1), scope.since) {
            (Some(before), Some(since)) => (before, Link::Before(since)),
            _ => (0, Link::First),
        };
        let events = store.export_part(ledger.id(), from..end).await?;
        Ok(Self {
            list: BlastRadius::new(scope.key, scope.since),
            store,
            ledger,
            scope,
            events: Some(events),
            stretches: VecDeque::new(),
            link,
            leaf: Hash::ZERO,
            anchor,
            next: from,
            foreseen: HashMap::new(),
            most_waiting: MAX_WAITING,
        })
    }

    /// The same, with so many signatures waiting at most for one before them.
    pub fn with_most_waiting(self, most_waiting: usize) -> Self {
        Self { most_waiting, ..self }
    }

    /// The next signatures, at most [`MAX_PAGE`]; none at the end, where everything was found in order.
    pub async fn next(&mut self) -> Result<Option<Vec<Affected>>, EngineError> {
        let mut rows = Vec::new();
        loop {
            rows.extend(std::iter::from_fn(|| self.list.next_known()).take(MAX_PAGE - rows.len()));
            if rows.len() == MAX_PAGE {
                return Ok(Some(rows));
            }
            let Some(stretch) = self.stretch().await? else {
                self.is_complete()?;
                rows.extend(std::iter::from_fn(|| self.list.next_at_end()).take(MAX_PAGE - rows.len()));
                return Ok((!rows.is_empty()).then_some(rows));
            };
            self.take_in(stretch)?;
            if self.list.waiting() >= self.most_waiting {
                self.look_ahead().await?;
            }
        }
    }

    /// The next stretch; those after it are being read meanwhile.
    async fn stretch(&mut self) -> Result<Option<Stretch>, EngineError> {
        while self.stretches.len() < UNDER_WAY {
            let Some(events) = self.events.as_mut() else { break };
            let page = events.next_page(AT_ONCE).await?;
            if page.len() < AT_ONCE {
                self.events = None;
            }
            if !page.is_empty() {
                self.stretches.push_back(tokio::task::spawn_blocking(move || Stretch::read(&page)));
            }
        }
        let Some(stretch) = self.stretches.pop_front() else { return Ok(None) };
        let stretch =
            stretch.await.map_err(|error| EngineError::fault("reading events ended early", error))?;
        stretch.map(Some)
    }

    fn take_in(&mut self, stretch: Stretch) -> Result<(), EngineError> {
        let follows = match self.link {
            Link::First => stretch.prev == Hash::ZERO,
            Link::Before(since) => stretch.time < since,
            Link::Hash(hash) => stretch.prev == hash,
        };
        if !follows {
            return Err(changed(stretch.seq));
        }
        (self.link, self.leaf, self.next) = (Link::Hash(stretch.last_hash), stretch.last_leaf, stretch.end);
        for (seq, fact) in stretch.facts {
            if seq >= self.scope.size {
                break;
            }
            if let Fact::Ended { authorization, ended } = &fact
                && let Some(foreseen) = self.foreseen.remove(authorization)
                && foreseen != Some(*ended)
            {
                return Err(changed(seq));
            }
            self.list.take_in(fact);
        }
        Ok(())
    }

    /// Whether the last event is the one that is known, and everything that was seen ahead has come.
    fn is_complete(&self) -> Result<(), EngineError> {
        let is_known = match (&self.anchor, &self.link) {
            (Anchor::Leaf(leaf), _) => self.leaf == *leaf,
            (Anchor::Head(head), Link::Hash(hash)) => hash == head,
            (Anchor::Head(_), Link::First | Link::Before(_)) => false,
        };
        let missing = self.foreseen.values().flatten().next();
        match missing {
            None if is_known => Ok(()),
            None => Err(changed(self.next.saturating_sub(1))),
            Some(ended) => Err(changed(ended.seq.get())),
        }
    }

    /// Looks for the outcomes that others wait for, beyond the facts that were taken in. What is found is believed until its
    /// turn comes in the chain.
    async fn look_ahead(&mut self) -> Result<(), EngineError> {
        let mut open: HashSet<Seq> = self.list.undecided().collect();
        let mut at = self.next;
        while at < self.scope.size && !open.is_empty() {
            let to = self.scope.size.min(at + MAX_PAGE as u64);
            let page = self.store.signature_events(self.ledger.id(), at, to).await?;
            let facts = off_the_workers(move || facts(&page)).await??;
            for (_, fact) in facts {
                if let Fact::Ended { authorization, ended } = fact
                    && open.remove(&authorization)
                {
                    self.list.decide(authorization, Some(ended));
                    self.foreseen.insert(authorization, Some(ended));
                }
            }
            at = to;
        }
        for authorization in open {
            self.list.decide(authorization, None);
            self.foreseen.insert(authorization, None);
        }
        Ok(())
    }
}

/// Consecutive events, each the successor of the one before it.
struct Stretch {
    /// The first one's place.
    seq: u64,
    /// The first one's time.
    time: Timestamp,
    /// What the first one follows.
    prev: Hash,
    /// What they say about signatures.
    facts: Vec<(u64, Fact)>,
    /// Where the next begins.
    end: u64,
    last_hash: Hash,
    last_leaf: Hash,
}

impl Stretch {
    fn read(page: &[StoredEvent]) -> Result<Self, EngineError> {
        let (first, last) = page.first().zip(page.last()).ok_or_else(|| changed(0))?;
        let begin = glance(first)?;
        let (mut expected, mut facts) = (begin.prev, Vec::with_capacity(page.len()));
        for stored in page {
            let read = glance(stored)?;
            if read.prev != expected {
                return Err(changed(stored.seq));
            }
            expected = Event::hash(&stored.bytes);
            facts.extend(read.fact.map(|fact| (stored.seq, fact)));
        }
        Ok(Self {
            seq: first.seq,
            time: begin.time,
            prev: begin.prev,
            facts,
            end: last.seq + 1,
            last_hash: expected,
            last_leaf: leaf_hash(&last.bytes),
        })
    }
}

fn glance(stored: &StoredEvent) -> Result<Glance, EngineError> {
    let read = Glance::read(&stored.bytes).ok().filter(|read| read.seq.get() == stored.seq);
    read.ok_or_else(|| changed(stored.seq))
}

fn facts(page: &[StoredEvent]) -> Result<Vec<(u64, Fact)>, EngineError> {
    let fact = |stored| Ok(glance(stored)?.fact.map(|fact| (stored.seq, fact)));
    page.iter().filter_map(|stored| fact(stored).transpose()).collect()
}

fn changed(seq: u64) -> EngineError {
    EngineError::Corrupt(format!("the events around {seq} are not those that were recorded").into())
}
