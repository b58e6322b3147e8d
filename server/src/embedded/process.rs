//! Postgres' processes: naming them safely, signalling them, and finding what a killed server left behind.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::error::EmbeddedError;
use super::folder::{FolderError, io_error, no_follow};
use super::home::Home;

/// A fast shutdown checkpoints first: with 64 MB of buffers that is seconds at worst.
pub(super) const FAST_STOP: Duration = Duration::from_secs(20);

/// An immediate shutdown writes nothing; the kernel may still need a moment.
pub(super) const IMMEDIATE_STOP: Duration = Duration::from_secs(5);

/// Longest command line that is looked at, in bytes; a data folder's path is at most 4096.
const MAX_COMMAND_LINE: u64 = 16 * 1024;

/// A process, held by a descriptor: unlike a number it can never come to mean another process.
#[derive(Debug)]
pub(super) struct Process {
    pid: Pid,
    descriptor: Arc<OwnedFd>,
}

impl Process {
    /// Takes hold of a living process.
    pub(super) fn open(pid: u32) -> io::Result<Self> {
        let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::InvalidInput)?;
        let descriptor = Arc::new(pidfd_open(pid, PidfdFlags::empty())?);
        Ok(Self { pid, descriptor })
    }

    /// The process id.
    pub(super) fn pid(&self) -> u32 {
        self.pid.as_raw_pid().unsigned_abs()
    }

    /// Sends a signal; a process that has ended already needs none.
    pub(super) fn signal(&self, signal: Signal) -> io::Result<()> {
        match pidfd_send_signal(&self.descriptor, signal) {
            Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether the process ended before the deadline. A descriptor of a process becomes readable at its end
    /// (pidfd_open(2)).
    pub(super) async fn ended_within(&self, deadline: Duration) -> io::Result<bool> {
        let descriptor = Arc::clone(&self.descriptor);
        // The wait is bounded by the deadline, so the thread is too.
        tokio::task::spawn_blocking(move || wait_readable(&descriptor, deadline)).await?
    }

    /// Ends the process: SIGINT is Postgres' fast shutdown, SIGQUIT its immediate one (crash recovery follows at the
    /// next start, nothing committed is lost). `false` means that it outlived both.
    pub(super) async fn stop(&self) -> io::Result<bool> {
        self.signal(Signal::INT)?;
        if self.ended_within(FAST_STOP).await? {
            return Ok(true);
        }
        tracing::warn!(pid = self.pid(), "Postgres did not stop in time; stopping it immediately");
        self.signal(Signal::QUIT)?;
        self.ended_within(IMMEDIATE_STOP).await
    }
}

fn wait_readable(descriptor: &OwnedFd, deadline: Duration) -> io::Result<bool> {
    let end = Instant::now() + deadline;
    loop {
        let left = end.saturating_duration_since(Instant::now());
        let left = Timespec::try_from(left).map_err(io::Error::other)?;
        match poll(&mut [PollFd::new(descriptor, PollFlags::IN)], Some(&left)) {
            Ok(ready) => return Ok(ready > 0),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Stops every process that a killed server left on this home's cluster, the postmaster first.
///
/// Adopting such a postmaster would save a second; stopping it means that there is one way a cluster comes up, with
/// this version's settings, and that the server is its parent and notices its end.
pub(super) async fn stop_leftovers(home: &Home) -> Result<(), EmbeddedError> {
    for role in [Role::Postmaster, Role::Child] {
        for process in leftovers(home, role).map_err(EmbeddedError::Processes)? {
            tracing::info!(
                pid = process.pid(),
                ?role,
                "stopping a Postgres that a killed server left behind"
            );
            if !process.stop().await.map_err(EmbeddedError::Processes)? {
                return Err(EmbeddedError::DoesNotStop { pid: process.pid(), log: home.log_file() });
            }
        }
    }
    Ok(())
}

/// Longest lock file that is read, in bytes: seven lines, one of them a path.
const MAX_LOCK: u64 = 8 * 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// Started with `-D <a folder in our home>`: a postmaster, or an initdb or single-user server cut off midway.
    Postmaster,
    /// A backend or worker, which titles itself with the cluster's name. They end by themselves when their postmaster
    /// dies, but a busy one only after its statement.
    Child,
}

/// Processes of this cluster. `postmaster.pid` is not asked: its number may long mean another process, and it knows
/// nothing of orphaned children. What counts is the user and the command line, which `/proc` shows to everybody (unlike
/// `cwd`, which a container's root may not read).
fn leftovers(home: &Home, role: Role) -> io::Result<Vec<Process>> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")?.flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        // The descriptor first, then the look: what is recognised is what the descriptor holds.
        if role_of(home, &entry.path()) == Some(role)
            && let Ok(process) = Process::open(pid)
            && role_of(home, &entry.path()) == Some(role)
        {
            found.push(process);
        }
    }
    Ok(found)
}

fn role_of(home: &Home, process: &Path) -> Option<Role> {
    if fs::metadata(process).ok()?.uid() != home.account().uid() {
        return None;
    }
    let mut line = Vec::new();
    File::open(process.join("cmdline")).ok()?.take(MAX_COMMAND_LINE).read_to_end(&mut line).ok()?;
    classify(&line, home.root(), home.name())
}

/// Removes the lock files of a postmaster that is no more. Postgres takes them for held when their number means another
/// process of the same user by now, as it may after a restart of the machine or container. Where that process is a
/// Postgres as well, the decision is left to Postgres.
pub(super) fn remove_stale_locks(home: &Home) -> Result<(), FolderError> {
    for path in [home.data().join("postmaster.pid"), home.socket_lock()] {
        let mut text = String::new();
        match no_follow(OpenOptions::new().read(true)).open(&path) {
            Ok(file) => file.take(MAX_LOCK).read_to_string(&mut text).map_err(io_error("read", &path))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(io_error("read", &path)(error)),
        };
        let holder = text.lines().next().and_then(|line| line.trim().parse::<u32>().ok());
        // A process that cannot be looked at has ended.
        let name = holder.and_then(|pid| fs::read_to_string(format!("/proc/{pid}/comm")).ok());
        if name.is_none_or(|name| name.trim_end() != "postgres") {
            tracing::info!(file = %path.display(), "removing the lock of a Postgres that has ended");
            fs::remove_file(&path).map_err(io_error("remove", &path))?;
        }
    }
    Ok(())
}

/// What a command line (arguments ended by zero bytes) makes of a process.
fn classify(line: &[u8], root: &Path, name: &str) -> Option<Role> {
    if line.starts_with(format!("postgres: {name}: ").as_bytes()) {
        return Some(Role::Child);
    }
    let mut arguments = line.split(|byte| *byte == 0);
    let program = PathBuf::from(std::ffi::OsStr::from_bytes(arguments.next()?));
    let known = program.file_name().is_some_and(|name| name == "postgres" || name == "initdb");
    arguments.find(|argument| *argument == b"-D")?;
    let data = Path::new(std::ffi::OsStr::from_bytes(arguments.next()?));
    (known && data.parent() == Some(root)).then_some(Role::Postmaster)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_processes_of_our_own_cluster_are_recognised() {
        let root = Path::new("/srv/sealbook/postgres");
        let of = |line: &str| classify(line.replace(' ', "\0").as_bytes(), root, "sealbook-1");
        assert_eq!(
            of("/usr/lib/postgresql/15/bin/postgres -D /srv/sealbook/postgres/data -c x=y"),
            Some(Role::Postmaster)
        );
        assert_eq!(
            of("/usr/lib/postgresql/15/bin/initdb -D /srv/sealbook/postgres/new-1"),
            Some(Role::Postmaster)
        );
        assert_eq!(of("/usr/lib/postgresql/15/bin/postgres -D /var/lib/postgresql/15/main"), None);
        assert_eq!(of("vi -D /srv/sealbook/postgres/data"), None);
        assert_eq!(of("postgres"), None);
        assert_eq!(classify(b"postgres: sealbook-1: checkpointer \0", root, "sealbook-1"), Some(Role::Child));
        assert_eq!(classify(b"postgres: sealbook-12: checkpointer \0", root, "sealbook-1"), None);
    }

    #[tokio::test]
    async fn the_end_of_a_process_is_noticed_without_being_its_parent_by_number() {
        let mut child = tokio::process::Command::new("sleep").arg("60").kill_on_drop(true).spawn().unwrap();
        let process = Process::open(child.id().unwrap()).unwrap();
        assert!(!process.ended_within(Duration::ZERO).await.unwrap());
        // Not INT, which whoever is started in the background of a script ignores, and its children with it.
        process.signal(Signal::TERM).unwrap();
        assert!(process.ended_within(Duration::from_secs(10)).await.unwrap());
        child.wait().await.unwrap();
        process.signal(Signal::TERM).unwrap();
    }
}
