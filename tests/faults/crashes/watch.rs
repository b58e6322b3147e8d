//! Files of a server's, watched by inotify(7), and the server killed at a change.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use integration::shim::Stage;
use pkcs11_shim::record::{RECORD_BYTES, Record};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::process::{Pid, Signal, kill_process};

/// Between two looks whether the watch is over.
const LOOK: Timespec = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };

/// Which change counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// A new high-water file has its content, and is about to be synced and to take the old one's place.
    Written,
    /// It has taken the old one's place.
    Placed,
    /// The device has made a signature with a slot's key.
    Signed,
}

/// Somebody who watches; no longer, once this is dropped.
pub struct Watch {
    over: Arc<AtomicBool>,
    killed: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    /// Kills a process at a change in a folder, after so many.
    pub fn set(folder: &Path, change: Change, after: usize, pid: Pid) -> Self {
        let watching = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC).unwrap();
        inotify::add_watch(&watching, folder, WatchFlags::MODIFY | WatchFlags::MOVED_TO).unwrap();
        let (over, killed) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let seen = Seen { folder: folder.to_owned(), change, left: after };
        let thread = std::thread::spawn({
            let (over, killed) = (Arc::clone(&over), Arc::clone(&killed));
            move || {
                if seen.comes(&watching, &over) {
                    killed.store(true, Ordering::SeqCst);
                    let _ = kill_process(pid, Signal::KILL);
                }
            }
        });
        Self { over, killed, thread: Some(thread) }
    }

    /// Whether it has killed.
    pub fn has_killed(&self) -> bool {
        self.killed.load(Ordering::SeqCst)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Seen {
    folder: PathBuf,
    change: Change,
    left: usize,
}

impl Seen {
    /// Waits for the change; false if the watch is over before.
    fn comes(mut self, watching: &OwnedFd, over: &AtomicBool) -> bool {
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut changes = inotify::Reader::new(watching, &mut buffer);
        while !over.load(Ordering::Relaxed) {
            match changes.next() {
                Ok(event) => {
                    let name = event.file_name().and_then(|name| name.to_str().ok()).unwrap_or_default();
                    if self.counts(event.events(), name) {
                        if self.left == 0 {
                            return true;
                        }
                        self.left -= 1;
                    }
                }
                Err(_) => {
                    let _ = poll(&mut [PollFd::new(watching, PollFlags::IN)], Some(&LOOK));
                }
            }
        }
        false
    }

    fn counts(&self, events: ReadFlags, name: &str) -> bool {
        match self.change {
            Change::Written => events.contains(ReadFlags::MODIFY) && name.ends_with(".high-water.new"),
            Change::Placed => events.contains(ReadFlags::MOVED_TO) && name.ends_with(".high-water"),
            Change::Signed => name == pkcs11_shim::CALLS && self.last_call_signed(),
        }
    }

    fn last_call_signed(&self) -> bool {
        let last = || {
            let mut file = File::open(self.folder.join(pkcs11_shim::CALLS)).ok()?;
            file.seek(SeekFrom::End(-(RECORD_BYTES as i64))).ok()?;
            let mut bytes = Vec::with_capacity(RECORD_BYTES);
            file.read_to_end(&mut bytes).ok()?;
            Record::all(&bytes).ok()?.pop()
        };
        // A ledger key signs text, a slot's a digest: the text begins with the origin.
        last().is_some_and(|call| call.stage == Stage::Signed && !call.input.starts_with(TEXT))
    }
}

/// "sealbook.", in hex: what every checkpoint begins with.
const TEXT: &str = "7365616c626f6f6b2e";
