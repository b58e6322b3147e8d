//! The only writers: each ledger belongs to one sequencer of a process, which takes what has arrived, decides it on a
//! copy of the folded state, and commits everything in one transaction (ARCHITECTURE decision 4). While the database is
//! busy with one round the next is decided (ADR 26).
//!
//! Correctness rests on the heads' compare-and-swap, never on there being one server. A head that is ahead of what this
//! process knows is another server's work: the events are read, judged and applied. A head that is behind or different
//! is corruption: the ledger is frozen.

mod draft;
mod guard;
mod live;
mod round;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};

use crate::clock::Clock;
use crate::ledger::{EngineError, Envelope, Lanes, Ledger};
use crate::store::{LedgerId, Store};

use draft::{Draft, Ground};
pub(crate) use live::{Live, Tip};

/// Most submissions of one round.
const MAX_BATCH: usize = 512;

/// Submissions that wait in front of a sequencer before callers do.
const QUEUE: usize = 4096;

/// Containments that wait; nothing else ever stands in front of them.
const URGENT_QUEUE: usize = 256;

/// Shortest time between two looks at ledgers of which nothing is asked, while others are busy.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A ledger that a sequencer is to serve from now on, and whom to tell.
type Adoption = (Box<Live>, oneshot::Sender<()>);

/// A sequencer's door.
#[derive(Clone)]
pub(crate) struct Door {
    /// For commands.
    pub(crate) lanes: Lanes,
    adopt: mpsc::Sender<Adoption>,
    look: mpsc::Sender<LedgerId>,
}

impl Door {
    /// Whether the sequencer has ended: only by a panic does it before its doors.
    pub(crate) fn is_closed(&self) -> bool {
        self.lanes.usual.is_closed()
    }

    /// Commands that were not taken up yet.
    pub(crate) fn queued(&self) -> usize {
        [&self.lanes.usual, &self.lanes.urgent].map(|lane| lane.max_capacity() - lane.capacity()).iter().sum()
    }

    /// Returns when the sequencer has ended.
    pub(crate) async fn closed(&self) {
        self.lanes.usual.closed().await;
    }

    /// Has a ledger follow what other servers appended. It may be late, for a busy sequencer follows by itself.
    pub(crate) fn look(&self, ledger: LedgerId) {
        // A full queue looks soon anyway.
        let _ = self.look.try_send(ledger);
    }

    /// Gives a ledger to the sequencer; returns once it is served.
    pub(crate) async fn adopt(&self, live: Live) -> Result<(), EngineError> {
        let stopping = || EngineError::unavailable("server.stopping", "the server is stopping");
        let (done, adopted) = oneshot::channel();
        self.adopt.send((Box::new(live), done)).await.map_err(|_| stopping())?;
        adopted.await.map_err(|_| stopping())
    }
}

/// What bounds a sequencer's patience.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// While the oldest unsealed event is older, new intents are refused.
    pub(crate) max_unsealed: Duration,
}

/// Starts a sequencer on the current runtime. It ends when every door to it is closed.
pub(crate) fn start(store: Arc<Store>, limits: Limits, clock: &Clock) -> Door {
    let (usual, submissions) = mpsc::channel(QUEUE);
    let (urgent, containments) = mpsc::channel(URGENT_QUEUE);
    let (adopt, adoptions) = mpsc::channel(16);
    let (look, looks) = mpsc::channel(QUEUE);
    let sequencer = Sequencer { store, limits, clock: clock.clone(), ledgers: HashMap::new(), skew: 0 };
    let arrivals = Arrivals { containments, submissions, adoptions, looks };
    tokio::spawn(sequencer.run(arrivals));
    Door { lanes: Lanes { usual, urgent }, adopt, look }
}

struct Sequencer {
    store: Arc<Store>,
    limits: Limits,
    clock: Clock,
    ledgers: HashMap<LedgerId, Live>,
    /// How far apart the server's and the database's clock were when they were last compared, in microseconds.
    skew: u64,
}

/// What comes through the doors.
struct Arrivals {
    containments: mpsc::Receiver<Envelope>,
    submissions: mpsc::Receiver<Envelope>,
    adoptions: mpsc::Receiver<Adoption>,
    looks: mpsc::Receiver<LedgerId>,
}

impl Sequencer {
    async fn run(mut self, mut arrivals: Arrivals) {
        let mut ahead = None;
        let mut looked = Instant::now();
        loop {
            while let Ok(adoption) = arrivals.adoptions.try_recv() {
                self.adopt(adoption);
            }
            if let Ok(first) = arrivals.containments.try_recv() {
                self.contain(first, &mut arrivals.containments).await;
            } else if let Some(draft) = ahead.take() {
                ahead = self.round(draft, Some(&mut arrivals.submissions)).await;
                // Whoever is busy with some ledgers still follows the others.
                if looked.elapsed() > LOOK_EVERY
                    && arrivals.containments.is_empty()
                    && let Ok(ledger) = arrivals.looks.try_recv()
                {
                    self.look(ledger).await;
                    looked = Instant::now();
                }
            } else if !self.wait(&mut arrivals, &mut ahead).await {
                return;
            }
        }
    }

    /// Waits for something to do and does it; submissions become a draft. False once the doors are closed.
    async fn wait(&mut self, arrivals: &mut Arrivals, ahead: &mut Option<Draft>) -> bool {
        let mut arrived = Vec::new();
        tokio::select! {
            biased;
            Some(adoption) = arrivals.adoptions.recv() => self.adopt(adoption),
            Some(first) = arrivals.containments.recv() => self.contain(first, &mut arrivals.containments).await,
            taken = arrivals.submissions.recv_many(&mut arrived, MAX_BATCH) => {
                if taken == 0 {
                    return false;
                }
                *ahead = Some(self.draft(arrived, &Ground::default()));
            }
            Some(ledger) = arrivals.looks.recv() => self.look(ledger).await,
        }
        true
    }

    /// A round of containment alone: nothing that others asked may keep it from being recorded. A draft that waits is
    /// decided again if it builds upon another end of its ledger.
    async fn contain(&mut self, first: Envelope, others: &mut mpsc::Receiver<Envelope>) {
        let others = std::iter::from_fn(|| others.try_recv().ok()).take(URGENT_QUEUE);
        let contained = self.draft(std::iter::once(first).chain(others), &Ground::default());
        self.round(contained, None).await;
    }

    fn adopt(&mut self, (live, done): Adoption) {
        self.ledgers.insert(live.ledger.id(), *live);
        // Whoever asked may be gone; the ledger is served all the same.
        let _ = done.send(());
    }
}

/// Answers a caller, who may have stopped waiting: what happened stays recorded either way.
fn answer<T>(reply: oneshot::Sender<Result<T, EngineError>>, result: Result<T, EngineError>) {
    let _ = reply.send(result);
}

/// The ledger of a live entry, for logs.
fn name(ledger: &Ledger) -> String {
    ledger.origin().to_string()
}
