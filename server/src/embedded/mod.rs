//! `sealbook dev`'s private Postgres, under one data folder.
//!
//! **Who may connect.** Postgres listens on a Unix socket only, in a folder of mode 0700, and asks for a password
//! (SCRAM). The folder alone would not do: when the server is started as root, Postgres runs as `postgres` or `nobody`,
//! and every other process of that user can enter the folder; with `trust` it could then act as any role. `peer` cannot
//! work across users. So each role has 256 random bits in a file of mode 0600 that only the server's user can read, and
//! no superuser can log in at all.
//!
//! **Who watches.** A task is Postgres' parent: it restarts one that dies and stops it, in order, when
//! [`EmbeddedPostgres`] is stopped or dropped. A server killed with SIGKILL leaves its Postgres running: the next start
//! finds it, stops it and goes on from there.

mod account;
mod ahead;
mod binaries;
mod cluster;
mod error;
mod folder;
mod home;
mod process;
mod supervisor;

use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio_postgres::Config;
use zeroize::Zeroizing;

use account::Account;
use binaries::Binaries;
use cluster::Passwords;
use home::Home;
use supervisor::Launcher;

pub use ahead::MOST_DAYS_AHEAD;
pub use binaries::OLDEST_POSTGRES;
pub use cluster::{APP_ROLE, DATABASE, OWNER_ROLE};
pub use error::EmbeddedError;
pub use folder::{DEFAULT_DATA_FOLDER, DataFolder, FolderError};

/// A running private Postgres.
///
/// [`stop`](Self::stop) stops it and waits for that. Dropping it stops it too, without waiting: in order where the
/// runtime goes on, by a fast-shutdown signal where the runtime ends.
#[derive(Debug)]
pub struct EmbeddedPostgres {
    owner: Config,
    app: Config,
    ahead: Duration,
    pid: watch::Receiver<u32>,
    stop: oneshot::Sender<()>,
    supervisor: JoinHandle<Result<(), EmbeddedError>>,
}

impl EmbeddedPostgres {
    /// Starts the folder's Postgres, making it at the first start, and returns when it accepts connections. Must be
    /// called on a runtime that lives as long as the server. The folder has to stay open at least as long.
    ///
    /// # Errors
    /// [`EmbeddedError`]: no usable installation, a folder that cannot be used, a Postgres that fails or misses its
    /// deadline. Nothing is left running.
    pub async fn start(folder: &DataFolder) -> Result<Self, EmbeddedError> {
        let passwords = Passwords {
            owner: folder.secret("postgres-owner.password")?,
            app: folder.secret("postgres-app.password")?,
        };
        let account = Account::choose()
            .map_err(EmbeddedError::run("/etc/passwd".as_ref()))?
            .ok_or(EmbeddedError::NoAccount)?;
        let home = Home::open(folder, account)?;
        process::stop_leftovers(&home).await?;
        cluster::remove_unfinished(&home)?;
        let version = home.cluster_version()?;
        let binaries = Binaries::find(version)
            .await
            .map_err(|found| EmbeddedError::NotInstalled { wanted: version, found })?;
        if version.is_none() {
            tracing::info!(folder = %folder.path().display(), postgres = binaries.major(), "making the database");
            cluster::make(&binaries, &home, &passwords).await?;
        }
        let days = folder.days_ahead()?;
        if days > 0 {
            ahead::set_clock(&binaries, &home, days).await?;
        }
        let owner = config(&home, OWNER_ROLE, &passwords.owner);
        let app = config(&home, APP_ROLE, &passwords.app);
        let launcher = Launcher::new(binaries, home, app.clone(), folder.secrets());
        let postmaster = launcher.launch().await?;
        let (stop, stopped) = oneshot::channel();
        let (pid_sender, pid) = watch::channel(postmaster.pid());
        let supervisor = tokio::spawn(supervisor::supervise(launcher, postmaster, pid_sender, stopped));
        Ok(Self { owner, app, ahead: ahead::time(days), pid, stop, supervisor })
    }

    /// How the owner role connects; for migrations only.
    pub fn owner_config(&self) -> Config {
        self.owner.clone()
    }

    /// How the server's own role connects.
    pub fn app_config(&self) -> Config {
        self.app.clone()
    }

    /// How far its clock runs ahead of the system's: not at all but for a trial ([`DataFolder::run_ahead`]).
    pub fn ahead(&self) -> Duration {
        self.ahead
    }

    /// The postmaster's process id; another one after a restart.
    pub fn pid(&self) -> u32 {
        *self.pid.borrow()
    }

    /// The folder of the Unix socket.
    pub fn socket_folder(&self) -> Option<PathBuf> {
        self.app.get_hosts().iter().find_map(|host| match host {
            tokio_postgres::config::Host::Unix(path) => Some(path.clone()),
            tokio_postgres::config::Host::Tcp(_) => None,
        })
    }

    /// Stops Postgres: a fast shutdown, an immediate one past its deadline, and waits for the end.
    ///
    /// # Errors
    /// [`EmbeddedError::DoesNotStop`] with the process that outlived both.
    pub async fn stop(self) -> Result<(), EmbeddedError> {
        // A supervisor that has ended already needs no telling; its result says why.
        let _ = self.stop.send(());
        self.supervisor.await.map_err(EmbeddedError::Supervisor)?
    }
}

fn config(home: &Home, role: &str, password: &Zeroizing<String>) -> Config {
    let mut config = Config::new();
    config.host_path(home.socket()).port(5432).dbname(DATABASE);
    config.user(role).password(password.as_bytes()).application_name("sealbook");
    config.connect_timeout(supervisor::CONNECT);
    config
}
