//! Threads that help the one that verifies: with what can be learned from bytes alone, and with signatures.
//!
//! What comes back is taken in the order of the ledger, so the verdict is that of one thread. They are started with the
//! first job: what is small is done without them.

use std::cell::OnceCell;
use std::collections::VecDeque;
use std::num::NonZero;
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

/// Most threads beside the caller's: the ordered part can't feed more.
const MAX_HELPERS: usize = 7;

type Job = Box<dyn FnOnce() + Send>;

/// Whoever helps, once there is something to help with; they end with it.
#[derive(Default)]
pub(super) struct Crew {
    shared: Arc<Shared>,
    helpers: OnceCell<Vec<JoinHandle<()>>>,
}

/// Jobs that wait for somebody.
#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    arrived: Condvar,
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    closed: bool,
}

/// The outcome of a job, perhaps not there yet.
pub(super) struct Pending<T>(Receiver<T>);

impl Crew {
    /// Starts a helper for each processor but the caller's own. Where the system has no thread to give, the caller does
    /// everything itself.
    fn hire(&self) -> Vec<JoinHandle<()>> {
        let wanted = std::thread::available_parallelism().map_or(1, NonZero::get) - 1;
        let helper = |_| {
            let shared = Arc::clone(&self.shared);
            std::thread::Builder::new().name("verify".into()).spawn(move || shared.help()).ok()
        };
        (0..wanted.min(MAX_HELPERS)).filter_map(helper).collect()
    }

    /// Jobs that may usefully be under way at once.
    pub(super) fn width(&self) -> usize {
        2 * self.helpers.get_or_init(|| self.hire()).len() + 1
    }

    /// Puts a job where the next idle helper takes it.
    pub(super) fn ask<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Pending<T> {
        let (done, outcome) = sync_channel(1);
        let job: Job = Box::new(move || {
            // Fails only where nobody waits any more.
            let _ = done.send(work());
        });
        self.helpers.get_or_init(|| self.hire());
        self.shared.queue().jobs.push_back(job);
        self.shared.arrived.notify_one();
        Pending(outcome)
    }

    /// The outcome of a job; until it is there, the caller does what waits.
    pub(super) fn outcome<T>(&self, pending: Pending<T>) -> T {
        loop {
            match pending.0.try_recv() {
                Ok(outcome) => return outcome,
                Err(TryRecvError::Empty) => {}
                // A helper that panicked takes this thread with it, as if it had done the work itself.
                Err(TryRecvError::Disconnected) => panic!("a helping thread panicked"),
            }
            let job = self.shared.queue().jobs.pop_front();
            match job {
                Some(job) => job(),
                None => match pending.0.recv() {
                    Ok(outcome) => return outcome,
                    Err(_) => panic!("a helping thread panicked"),
                },
            }
        }
    }
}

impl Shared {
    fn help(&self) {
        loop {
            let job = {
                let mut queue = self.queue();
                loop {
                    if let Some(job) = queue.jobs.pop_front() {
                        break job;
                    }
                    if queue.closed {
                        return;
                    }
                    queue = self.arrived.wait(queue).unwrap_or_else(PoisonError::into_inner);
                }
            };
            job();
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        // Nothing that can panic runs under this lock.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        let mut queue = self.shared.queue();
        queue.closed = true;
        queue.jobs.clear();
        drop(queue);
        self.shared.arrived.notify_all();
        for helper in self.helpers.take().into_iter().flatten() {
            // One that panicked has said so, and whoever waited for it has gone the same way.
            let _ = helper.join();
        }
    }
}
