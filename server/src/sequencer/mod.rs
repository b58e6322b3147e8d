//! The only writers: each ledger belongs to one sequencer of a process, which takes what has arrived, decides it on a
//! copy of the folded state, and commits everything in one transaction (ARCHITECTURE decision 4).
//!
//! Correctness rests on the heads' compare-and-swap, never on there being one server. A head that is ahead of what this
//! process knows is another server's work: the events are read, judged and applied. A head that is behind or different
//! is corruption: the ledger is frozen.

mod guard;
mod live;
mod round;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use crate::ledger::{EngineError, Envelope, Lanes, Ledger};
use crate::store::{LedgerId, Store};

pub(crate) use live::{Live, Tip};

/// Most submissions of one round.
const MAX_BATCH: usize = 512;

/// Submissions that wait in front of a sequencer before callers do.
const QUEUE: usize = 4096;

/// Containments that wait; nothing else ever stands in front of them.
const URGENT_QUEUE: usize = 256;

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
pub(crate) fn start(store: Arc<Store>, limits: Limits) -> Door {
    let (usual, submissions) = mpsc::channel(QUEUE);
    let (urgent, containments) = mpsc::channel(URGENT_QUEUE);
    let (adopt, adoptions) = mpsc::channel(16);
    let (look, looks) = mpsc::channel(QUEUE);
    let sequencer = Sequencer { store, limits, ledgers: HashMap::new() };
    tokio::spawn(sequencer.run(containments, submissions, adoptions, looks));
    Door { lanes: Lanes { usual, urgent }, adopt, look }
}

struct Sequencer {
    store: Arc<Store>,
    limits: Limits,
    ledgers: HashMap<LedgerId, Live>,
}

impl Sequencer {
    async fn run(
        mut self,
        mut containments: mpsc::Receiver<Envelope>,
        mut submissions: mpsc::Receiver<Envelope>,
        mut adoptions: mpsc::Receiver<Adoption>,
        mut looks: mpsc::Receiver<LedgerId>,
    ) {
        let mut batch = Vec::with_capacity(MAX_BATCH);
        loop {
            tokio::select! {
                biased;
                Some((live, done)) = adoptions.recv() => {
                    self.ledgers.insert(live.ledger.id(), *live);
                    // Whoever asked may be gone; the ledger is served all the same.
                    let _ = done.send(());
                }
                Some(first) = containments.recv() => {
                    batch.push(first);
                    batch.extend(std::iter::from_fn(|| containments.try_recv().ok()).take(URGENT_QUEUE));
                }
                taken = submissions.recv_many(&mut batch, MAX_BATCH) => if taken == 0 {
                    return;
                },
                Some(ledger) = looks.recv() => self.look(ledger).await,
            }
            if !batch.is_empty() {
                self.round(std::mem::take(&mut batch)).await;
            }
        }
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
