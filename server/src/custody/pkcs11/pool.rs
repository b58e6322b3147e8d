//! The threads that talk to the device, and what happens to one that doesn't come back.
//!
//! A call into a C library can't be interrupted. Each call is therefore a job for a thread of its own kind, and is
//! supervised by a task: at the deadline the caller gets its answer, the thread is *quarantined* (left alone for ever,
//! never joined) and a new one with a new session takes its place. A quarantined thread that does come back ends itself.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::connection::Connection;
use super::token::Token;
use crate::custody::counters::Counters;
use crate::custody::error::{CustodyError, Unavailability};

/// Jobs that may wait, for each thread.
const QUEUE_PER_THREAD: usize = 256;
/// Past this many times its size in hung threads, a pool takes no more work: the process wants a restart.
const HUNG_FACTOR: usize = 2;
/// How long the end of a pool waits for its threads to close their sessions.
const FAREWELL: Duration = Duration::from_secs(2);

pub(super) struct Pool {
    shared: Arc<Shared>,
    runtime: Handle,
}

struct Shared {
    size: usize,
    token: Arc<Token>,
    counters: Arc<Counters>,
    state: Mutex<State>,
    arrived: Condvar,
    /// A thread that took jobs has ended.
    left: Condvar,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    /// Threads that take jobs.
    working: usize,
    /// Threads that hang in a call.
    quarantined: usize,
    closed: bool,
}

/// A piece of work for a thread. The work sends its own answer.
struct Job {
    ticket: Arc<Ticket>,
    work: Box<dyn FnOnce(&mut Connection) + Send>,
}

impl Pool {
    /// Starts the threads. They connect when they get their first job.
    pub(super) fn start(size: usize, token: Arc<Token>, counters: Arc<Counters>, runtime: Handle) -> Self {
        let shared = Arc::new(Shared {
            size,
            token,
            counters,
            state: Mutex::new(State::default()),
            arrived: Condvar::new(),
            left: Condvar::new(),
        });
        shared.fill();
        Self { shared, runtime }
    }

    /// Has a thread do `work` by the deadline.
    ///
    /// # Errors
    /// Those of `work`; [`Unavailability::Busy`] where no thread came to it in time; [`Unavailability::Hung`];
    /// [`CustodyError::DeadlineExceeded`] and [`CustodyError::Interrupted`] where the outcome is unknown.
    pub(super) async fn call<T, F>(&self, deadline: Instant, work: F) -> Result<T, CustodyError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Connection) -> Result<T, CustodyError> + Send + 'static,
    {
        let began = Instant::now();
        if deadline <= began {
            return Err(CustodyError::unavailable(Unavailability::Busy));
        }
        let (reply, mut answer) = oneshot::channel();
        let ticket = Arc::new(Ticket::default());
        self.shared.push(Job {
            ticket: Arc::clone(&ticket),
            work: Box::new(move |connection| {
                // Fails only where nobody waits any more.
                let _ = reply.send(work(connection));
            }),
        })?;
        let shared = Arc::clone(&self.shared);
        // A task of its own, so that a caller who stops listening doesn't leave a hung thread unnoticed.
        let supervised = self.runtime.spawn(async move {
            let interrupted = Err(CustodyError::Interrupted { source: None });
            if let Ok(answer) = tokio::time::timeout_at(deadline.into(), &mut answer).await {
                return answer.unwrap_or(interrupted);
            }
            match shared.expire(&ticket) {
                Expiry::NeverBegan => Err(CustodyError::unavailable(Unavailability::Busy)),
                Expiry::Hangs => Err(CustodyError::DeadlineExceeded { after: began.elapsed() }),
                Expiry::JustFinished => answer.await.unwrap_or(interrupted),
            }
        });
        supervised.await.unwrap_or_else(|error| Err(CustodyError::Interrupted { source: Some(error.into()) }))
    }

    /// Threads that hang at the moment.
    pub(super) fn quarantined(&self) -> usize {
        self.shared.state().quarantined
    }

    /// Whether so many threads hang that no more work is taken.
    pub(super) fn is_hung(&self) -> bool {
        self.shared.is_hung(&self.shared.state())
    }
}

impl Drop for Pool {
    /// Has the threads end after their present job and waits a moment for them: a process that ends while one of them
    /// still closes its session runs the library's exit handlers under its feet. One that hangs is not waited for.
    fn drop(&mut self) {
        let mut state = self.shared.state();
        state.closed = true;
        state.jobs.clear();
        self.shared.arrived.notify_all();
        let remain = |state: &mut State| state.working > 0;
        let waited = self.shared.left.wait_timeout_while(state, FAREWELL, remain);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        // No code that can panic runs under this lock, so its content is whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_hung(&self, state: &State) -> bool {
        state.quarantined > HUNG_FACTOR * self.size
    }

    fn push(self: &Arc<Self>, job: Job) -> Result<(), CustodyError> {
        let short_of_threads = {
            let mut state = self.state();
            if self.is_hung(&state) {
                return Err(CustodyError::unavailable(Unavailability::Hung));
            }
            if state.jobs.len() >= QUEUE_PER_THREAD * self.size {
                return Err(CustodyError::unavailable(Unavailability::Busy));
            }
            state.jobs.push_back(job);
            self.arrived.notify_one();
            state.working < self.size
        };
        if short_of_threads {
            self.fill();
        }
        Ok(())
    }

    /// Starts threads until there are as many as there should be.
    fn fill(self: &Arc<Self>) {
        loop {
            {
                let mut state = self.state();
                if state.working >= self.size || state.closed || self.is_hung(&state) {
                    return;
                }
                state.working += 1;
            }
            let worker = Worker { shared: Arc::clone(self), ticket: None };
            if let Err(error) = std::thread::Builder::new().name("custody".into()).spawn(|| worker.run()) {
                // The worker was dropped and with it its place; the next call tries again.
                tracing::error!(%error, "no thread for the custody backend");
                return;
            }
        }
    }

    /// Blocks until there is a job; `None` when the pool has closed.
    fn next_job(&self) -> Option<Job> {
        let mut state = self.state();
        loop {
            if let Some(job) = state.jobs.pop_front() {
                return Some(job);
            }
            if state.closed {
                return None;
            }
            state = self.arrived.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Gives up a call whose deadline has passed, and the thread that is in it.
    fn expire(self: &Arc<Self>, ticket: &Ticket) -> Expiry {
        let expiry = {
            // Under the lock, so that the thread's return can't be counted before its quarantine.
            let mut state = self.state();
            let expiry = ticket.expire();
            if matches!(expiry, Expiry::Hangs) {
                state.working -= 1;
                state.quarantined += 1;
            }
            expiry
        };
        if matches!(expiry, Expiry::Hangs) {
            self.counters.quarantined();
            tracing::error!("a call into the PKCS#11 module hangs; its thread is quarantined and replaced");
            self.fill();
        }
        expiry
    }
}

/// A thread's place in the pool.
struct Worker {
    shared: Arc<Shared>,
    /// The call it is in.
    ticket: Option<Arc<Ticket>>,
}

impl Worker {
    fn run(mut self) {
        let mut connection = Connection::new(Arc::clone(&self.shared.token));
        while let Some(Job { ticket, work }) = self.shared.next_job() {
            if !ticket.begin() {
                continue;
            }
            let ticket = self.ticket.insert(ticket);
            work(&mut connection);
            if !ticket.finish() {
                // It was quarantined in the meantime and another has its place.
                return;
            }
            self.ticket = None;
        }
    }
}

impl Drop for Worker {
    /// Leaves the pool's books however the thread ended, also by a panic: the next call then fills its place.
    fn drop(&mut self) {
        let mut state = self.shared.state();
        match &self.ticket {
            Some(ticket) if !ticket.finish() => state.quarantined -= 1,
            Some(_) | None => state.working -= 1,
        }
        self.shared.left.notify_all();
    }
}

/// How far a call has come. Thread and supervisor race for the transitions; each happens once.
#[derive(Default)]
struct Ticket(AtomicU8);

const WAITING: u8 = 0;
const RUNNING: u8 = 1;
const FINISHED: u8 = 2;
const GIVEN_UP: u8 = 3;

/// What a deadline found.
enum Expiry {
    NeverBegan,
    Hangs,
    JustFinished,
}

impl Ticket {
    fn advance(&self, from: u8, to: u8) -> bool {
        self.0.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    fn begin(&self) -> bool {
        self.advance(WAITING, RUNNING)
    }

    fn finish(&self) -> bool {
        self.advance(RUNNING, FINISHED)
    }

    fn expire(&self) -> Expiry {
        if self.advance(WAITING, GIVEN_UP) {
            Expiry::NeverBegan
        } else if self.advance(RUNNING, GIVEN_UP) {
            Expiry::Hangs
        } else {
            Expiry::JustFinished
        }
    }
}
