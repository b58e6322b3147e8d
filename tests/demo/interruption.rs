//! Ctrl-C and its relatives: children are told to end, and the story goes no further.

use std::process::Child;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::process::{Pid, Signal, kill_process};
use tokio::signal::unix::{SignalKind, signal};

use crate::failure::Failure;

/// A child that several threads may end. Its process id is used only while the child is known to be unreaped.
pub(crate) type SharedChild = Arc<Mutex<Child>>;

/// Knows whether the story was interrupted, and the children that an interruption ends.
#[derive(Debug, Clone, Default)]
pub(crate) struct Interruption(Arc<State>);

#[derive(Debug, Default)]
struct State {
    interrupted: AtomicBool,
    children: Mutex<Vec<SharedChild>>,
}

impl Interruption {
    /// Watches for SIGINT, SIGTERM and SIGHUP from now on.
    pub(crate) fn watch() -> Result<Self, Failure> {
        let watched = Self::default();
        let told = watched.clone();
        let started = std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build();
            // Without a runtime the signals keep their default: they end this process.
            if runtime.is_ok_and(|runtime| runtime.block_on(first_signal()).is_ok()) {
                told.interrupt();
            }
        });
        started.map(|_| watched).map_err(Failure::file("start", "a thread for signals".as_ref()))
    }

    /// An error once the story was interrupted.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        if self.0.interrupted.load(Ordering::SeqCst) { Err(Failure::Interrupted) } else { Ok(()) }
    }

    /// Takes a new child into what an interruption ends.
    pub(crate) fn adopt(&self, child: Child) -> SharedChild {
        let child = Arc::new(Mutex::new(child));
        self.children().push(Arc::clone(&child));
        // The signal may have come between the last check and now.
        if self.check().is_err() {
            terminate(&child);
        }
        child
    }

    /// Forgets a child that has ended.
    pub(crate) fn release(&self, child: &SharedChild) {
        self.children().retain(|known| !Arc::ptr_eq(known, child));
    }

    fn interrupt(&self) {
        self.0.interrupted.store(true, Ordering::SeqCst);
        self.children().iter().for_each(terminate);
    }

    fn children(&self) -> MutexGuard<'_, Vec<SharedChild>> {
        self.0.children.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn first_signal() -> std::io::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    std::future::poll_fn(|task| {
        let signals = [&mut interrupt, &mut terminate, &mut hangup];
        if signals.into_iter().any(|signal| signal.poll_recv(task).is_ready()) {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    Ok(())
}

/// Asks a child to end in order. One that has ended already is left alone.
pub(crate) fn terminate(child: &SharedChild) {
    let mut child = child.lock().unwrap_or_else(PoisonError::into_inner);
    if matches!(child.try_wait(), Ok(None)) {
        // It may end at this very moment; until it is waited for, its id is nobody else's.
        let _ = kill_process(Pid::from_child(&child), Signal::TERM);
    }
}
