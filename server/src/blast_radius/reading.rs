//! Reads a list from storage, event by event: that nothing is missing and nothing was changed is found out on the way, by
//! what this server knows of the ledger without the database.

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
use crate::store::export::BytesStream;
use crate::store::load::MAX_PAGE;
use crate::store::rows::StoredEvent;
use crate::store::{Store, StoreError};

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
    events: Option<BytesStream>,
    /// Where the events begin that were not fetched.
    fetched: u64,
    stretches: VecDeque<JoinHandle<Result<Stretch, EngineError>>>,
    list: BlastRadius,
    /// What the next stretch has to follow.
    link: Link,
    end: End,
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

/// Where the events end that are read.
struct End {
    size: u64,
    /// The hash of the last one, where it is too new to be known by its leaf: what the folded state ends with.
    head: Option<Hash>,
}

impl End {
    /// Behind the list's last event, or behind the ledger's where the list's is not sealed.
    fn of(ledger: &Ledger, size: u64) -> Self {
        if leaves(ledger, size.saturating_sub(1), 1).is_empty() {
            let state = ledger.state();
            Self { size: state.size(), head: Some(state.head()) }
        } else {
            Self { size, head: None }
        }
    }
}

/// The leaves of consecutive events in the tree that was sealed, or is about to be; none of those beyond it.
fn leaves(ledger: &Ledger, from: u64, most: usize) -> Vec<Hash> {
    let tree = ledger.tree.read().unwrap_or_else(PoisonError::into_inner);
    let from = usize::try_from(from).unwrap_or(usize::MAX);
    tree.leaves().iter().skip(from).take(most).copied().collect()
}

impl<'a> Reading<'a> {
    /// Finds the beginning, and starts to read.
    pub async fn begin(store: &'a Store, ledger: &'a Ledger, scope: Scope) -> Result<Self, EngineError> {
        let end = End::of(ledger, scope.size);
        let from = match scope.since {
            Some(since) => store.seq_at(ledger.id(), scope.size, since).await?,
            None => 0,
        };
        // The one before is read as well: that it is too old is seen in its bytes.
        let (from, link) = match (from.checked_sub(1), scope.since) {
            (Some(before), Some(since)) => (before, Link::Before(since)),
            _ => (0, Link::First),
        };
        let events = store.stream_bytes(ledger.id(), from..end.size).await?;
        Ok(Self {
            list: BlastRadius::new(scope.key, scope.since),
            store,
            ledger,
            scope,
            events: Some(events),
            fetched: from,
            stretches: VecDeque::new(),
            link,
            end,
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
            let (page, from) = (events.next(AT_ONCE).await?, self.fetched);
            self.fetched += page.len() as u64;
            if page.len() < AT_ONCE {
                self.events = None;
            }
            if !page.is_empty() {
                let known = leaves(self.ledger, from, page.len());
                let read = move || Stretch::read(from, page.events(), &known);
                self.stretches.push_back(tokio::task::spawn_blocking(read));
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
        (self.link, self.next) = (Link::Hash(stretch.hash), stretch.end);
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

    /// Whether every event has come, up to the one that is known to be the last, and everything that was seen ahead.
    fn is_complete(&self) -> Result<(), EngineError> {
        let is_last = match (&self.link, self.end.head) {
            (_, None) => true,
            (Link::Hash(hash), Some(head)) => *hash == head,
            (Link::First | Link::Before(_), Some(_)) => false,
        };
        if !is_last || self.next != self.end.size {
            return Err(changed(self.next));
        }
        match self.foreseen.values().flatten().next() {
            None => Ok(()),
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
            for fact in facts {
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

/// Consecutive events that are what they are known to be, or each the successor of the one before it.
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
    /// What the next follows.
    hash: Hash,
}

impl Stretch {
    /// Reads events that begin at a seq; those at the beginning of which the leaves are known are held against these, the
    /// others against each other.
    fn read<'p>(
        seq: u64,
        page: impl Iterator<Item = Result<&'p [u8], StoreError>>,
        known: &[Hash],
    ) -> Result<Self, EngineError> {
        let mut known = known.iter();
        let (mut facts, mut first, mut before) = (Vec::with_capacity(AT_ONCE), None, None);
        let mut end = seq;
        for bytes in page {
            let bytes = bytes?;
            let read = glance(end, bytes)?;
            let is_recorded = match (known.next(), before) {
                (Some(leaf), _) => leaf_hash(bytes) == *leaf,
                (None, Some(before)) => read.prev == Event::hash(before),
                // It has to follow the stretch before.
                (None, None) => true,
            };
            if !is_recorded {
                return Err(changed(end));
            }
            first = first.or(Some((read.time, read.prev)));
            before = Some(bytes);
            facts.extend(read.fact.map(|fact| (end, fact)));
            end += 1;
        }
        let ((time, prev), last) = first.zip(before).ok_or_else(|| changed(seq))?;
        Ok(Self { seq, time, prev, facts, end, hash: Event::hash(last) })
    }
}

fn glance(seq: u64, bytes: &[u8]) -> Result<Glance, EngineError> {
    let read = Glance::read(bytes).ok().filter(|read| read.seq.get() == seq);
    read.ok_or_else(|| changed(seq))
}

fn facts(page: &[StoredEvent]) -> Result<Vec<Fact>, EngineError> {
    page.iter()
        .filter_map(|stored| glance(stored.seq, &stored.bytes).map(|read| read.fact).transpose())
        .collect()
}

fn changed(seq: u64) -> EngineError {
    EngineError::Corrupt(format!("the events around {seq} are not those that were recorded").into())
}

#[cfg(test)]
mod tests {
    use sealbook_ledger::event::Actor;
    use sealbook_ledger::payload::SignatureAbandoned;

    use super::*;

    /// Events from seq 7 on, each the successor of the one before it.
    fn events() -> Vec<Vec<u8>> {
        let mut prev = Hash::sha256(b"before");
        let event = |n: u64| {
            let event = Event {
                origin: "sealbook.example.com/acme".parse().unwrap(),
                seq: Seq::new(7 + n).unwrap(),
                time: "2026-11-22T00:00:00.000000Z".parse().unwrap(),
                actor: Actor::System,
                correlation: "01934f00-0000-7000-8000-000000000000".parse().unwrap(),
                prev,
                payload: SignatureAbandoned { authorization: Seq::new(n).unwrap() }.into(),
                sd: Vec::new(),
            };
            let bytes = event.to_bytes().unwrap();
            prev = Event::hash(&bytes);
            bytes
        };
        (0..4).map(event).collect()
    }

    fn read(events: &[Vec<u8>], known: &[Hash]) -> Result<Stretch, EngineError> {
        Stretch::read(7, events.iter().map(|bytes| Ok(bytes.as_slice())), known)
    }

    #[test]
    fn events_are_held_against_their_leaves_or_else_against_each_other() {
        let genuine = events();
        let leaves: Vec<Hash> = genuine.iter().map(|bytes| leaf_hash(bytes)).collect();
        for known in 0..=genuine.len() {
            let stretch = read(&genuine, &leaves[..known]).unwrap();
            assert_eq!((stretch.seq, stretch.end, stretch.facts.len()), (7, 11, 4));
            assert_eq!((stretch.prev, stretch.hash), (Hash::sha256(b"before"), Event::hash(&genuine[3])));
            for altered in 0..genuine.len() {
                let mut events = events();
                *events[altered].iter_mut().rfind(|byte| **byte == b'1').unwrap() = b'2';
                // The last one that no leaf is known of is what the next stretch, or the folded state, shows.
                let is_noticed = altered < known.max(genuine.len() - 1);
                assert_eq!(read(&events, &leaves[..known]).is_err(), is_noticed, "{altered} of {known}");
                assert!(is_noticed || read(&events, &leaves[..known]).unwrap().hash != stretch.hash);
            }
        }
    }

    #[test]
    fn an_event_that_is_missing_or_none_is_noticed() {
        let mut missing = events();
        missing.remove(1);
        let mut none = events();
        none[2] = b"{}".to_vec();
        for events in [missing, none] {
            assert_eq!(read(&events, &[]).err().unwrap().code(), "ledger.corrupt");
        }
    }
}
