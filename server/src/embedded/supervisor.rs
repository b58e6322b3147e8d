//! Starts the postmaster, waits until it serves, restarts one that dies, stops it in the end.

use std::path::PathBuf;
use std::time::Duration;

use tokio::process::Child;
use tokio::sync::{oneshot, watch};
use tokio::time::{sleep, timeout};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Config, NoTls};

use super::binaries::Binaries;
use super::cluster;
use super::error::EmbeddedError;
use super::home::Home;
use super::process::{self, Process};

/// One connection attempt over the socket.
pub(super) const CONNECT: Duration = Duration::from_secs(5);

/// Crash recovery replays at most `max_wal_size` of log, which a slow disk does in well under two minutes.
const READY: Duration = Duration::from_secs(120);

/// Between two connection attempts while Postgres starts: short against a start's 100 ms.
const RETRY: Duration = Duration::from_millis(20);

/// Wait before the first restart that follows a failed one; doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// Longest wait between two restarts.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// A child process that serves the cluster. Dropping it without having waited for its end asks it to stop.
#[derive(Debug)]
pub(super) struct Postmaster {
    child: Child,
    process: Process,
}

impl Postmaster {
    pub(super) fn pid(&self) -> u32 {
        self.process.pid()
    }
}

impl Drop for Postmaster {
    fn drop(&mut self) {
        if let Err(error) = self.process.signal(rustix::process::Signal::INT) {
            tracing::warn!(%error, pid = self.pid(), "cannot ask Postgres to stop");
        }
    }
}

/// All it takes to start the cluster's postmaster, once or again.
pub(super) struct Launcher {
    binaries: Binaries,
    home: Home,
    probe: Config,
    secrets: PathBuf,
}

impl Launcher {
    pub(super) fn new(binaries: Binaries, home: Home, probe: Config, secrets: PathBuf) -> Self {
        Self { binaries, home, probe, secrets }
    }

    /// Starts Postgres and returns when it accepts connections. Processes of an earlier postmaster are stopped first.
    pub(super) async fn launch(&self) -> Result<Postmaster, EmbeddedError> {
        process::stop_leftovers(&self.home).await?;
        process::remove_stale_locks(&self.home)?;
        cluster::write_hba(&self.home)?;
        let program = self.binaries.postgres();
        let child =
            cluster::postmaster(&self.binaries, &self.home)?.spawn().map_err(EmbeddedError::run(&program))?;
        // A child keeps its number until it is waited for, which nobody has done yet.
        let pid = child.id().unwrap_or_default();
        let process = Process::open(pid).map_err(EmbeddedError::run(&program))?;
        let mut postmaster = Postmaster { child, process };
        match timeout(READY, self.serves(&mut postmaster)).await {
            Ok(Ok(())) => Ok(postmaster),
            Ok(Err(error)) => {
                self.stop(postmaster).await?;
                Err(error)
            }
            Err(_) => {
                self.stop(postmaster).await?;
                Err(EmbeddedError::Deadline {
                    what: "starting the private Postgres",
                    seconds: READY.as_secs(),
                    log: self.home.log_file(),
                })
            }
        }
    }

    /// Resolves when Postgres accepts the server's role, or when it has ended or refuses for good.
    async fn serves(&self, postmaster: &mut Postmaster) -> Result<(), EmbeddedError> {
        loop {
            let program = self.binaries.postgres();
            if let Some(status) = postmaster.child.try_wait().map_err(EmbeddedError::run(&program))? {
                return Err(cluster::failed(&program, status, &self.home));
            }
            match self.probe.connect(NoTls).await {
                Ok((client, connection)) => {
                    drop(client);
                    // Says goodbye; a failure of that changes nothing.
                    let _ = timeout(CONNECT, connection).await;
                    return Ok(());
                }
                Err(error) if lasting(&error) => {
                    return Err(EmbeddedError::RefusedRoles { secrets: self.secrets.clone(), source: error });
                }
                Err(_) => sleep(RETRY).await,
            }
        }
    }

    async fn stop(&self, mut postmaster: Postmaster) -> Result<(), EmbeddedError> {
        let stopped = postmaster.process.stop().await.map_err(EmbeddedError::Processes)?;
        if !stopped {
            return Err(EmbeddedError::DoesNotStop { pid: postmaster.pid(), log: self.home.log_file() });
        }
        let program = self.binaries.postgres();
        postmaster.child.wait().await.map_err(EmbeddedError::run(&program))?;
        Ok(())
    }
}

/// An answer of Postgres other than "starting up" or "shutting down" will not change by waiting. No answer at all (no
/// socket yet, a connection cut) may.
fn lasting(error: &tokio_postgres::Error) -> bool {
    error
        .code()
        .is_some_and(|code| *code != SqlState::CANNOT_CONNECT_NOW && *code != SqlState::TOO_MANY_CONNECTIONS)
}

/// Watches over a postmaster until told to stop, or until the teller is gone.
pub(super) async fn supervise(
    launcher: Launcher,
    mut postmaster: Postmaster,
    pid: watch::Sender<u32>,
    mut stopped: oneshot::Receiver<()>,
) -> Result<(), EmbeddedError> {
    loop {
        tokio::select! {
            biased;
            _ = &mut stopped => {
                launcher.stop(postmaster).await?;
                break;
            }
            status = postmaster.child.wait() => {
                tracing::error!(?status, "the private Postgres has ended; starting it again");
            }
        }
        tokio::select! {
            biased;
            _ = &mut stopped => {
                // A start cut off midway may have left a process.
                process::stop_leftovers(&launcher.home).await?;
                break;
            }
            restarted = restart(&launcher) => {
                postmaster = restarted;
                pid.send_replace(postmaster.pid());
            }
        }
    }
    launcher.home.remove_short_socket();
    Ok(())
}

/// Tries until it succeeds: the server answers 503 meanwhile, and a full disk may yet be emptied.
async fn restart(launcher: &Launcher) -> Postmaster {
    let mut pause = FIRST_PAUSE;
    loop {
        match launcher.launch().await {
            Ok(postmaster) => {
                tracing::info!(pid = postmaster.pid(), "the private Postgres serves again");
                return postmaster;
            }
            Err(error) => tracing::error!(%error, code = error.code(), "the private Postgres does not start"),
        }
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}
