//! What can go wrong with the private Postgres.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use super::binaries::OLDEST_POSTGRES;
use super::folder::FolderError;

/// Why the private Postgres did not start, or did not stop.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedError {
    /// The data folder, or a file in it, cannot be used.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// No usable installation of Postgres.
    #[error("PostgreSQL {} is needed but not installed{}; on Debian: apt-get install {}", wanted_clause(*wanted), found_clause(found), package(*wanted))]
    NotInstalled {
        /// The major version that made the existing cluster; without one, any from 15 on would do.
        wanted: Option<u32>,
        /// Major versions that were found.
        found: Vec<u32>,
    },
    /// Started as root, and no unprivileged account exists.
    #[error(
        "Postgres refuses to run as root and /etc/passwd lists neither `postgres` nor `nobody`; start as another user"
    )]
    NoAccount,
    /// A program could not be run.
    #[error("cannot run {}", program.display())]
    Run {
        /// The program.
        program: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A program ended with a failure.
    #[error("{} failed ({status}); the end of {}:\n{tail}", program.display(), log.display())]
    Failed {
        /// The program.
        program: PathBuf,
        /// How it ended.
        status: ExitStatus,
        /// Where it wrote why.
        log: PathBuf,
        /// The last lines of it.
        tail: String,
    },
    /// Postgres did not accept connections, or a program did not end, before its deadline.
    #[error("{what} took longer than {seconds} s; see {}", log.display())]
    Deadline {
        /// What was waited for.
        what: &'static str,
        /// The deadline in seconds.
        seconds: u64,
        /// Where Postgres says why.
        log: PathBuf,
    },
    /// Postgres runs but refuses our roles: the secrets are not the ones that this cluster was made with.
    #[error("the private Postgres refuses the server's roles; restore {} from where the data folder came from", secrets.display())]
    RefusedRoles {
        /// The folder of the secrets.
        secrets: PathBuf,
        /// What Postgres said.
        #[source]
        source: tokio_postgres::Error,
    },
    /// The processes of an earlier start cannot be looked at.
    #[error("cannot look for processes of an earlier start")]
    Processes(#[source] io::Error),
    /// A process neither stops nor can be stopped.
    #[error("the private Postgres (process {pid}) does not stop; end it with `kill -QUIT {pid}` and look into {}", log.display())]
    DoesNotStop {
        /// Its process id.
        pid: u32,
        /// Where Postgres says why.
        log: PathBuf,
    },
    /// The task that watches over Postgres ended without saying how.
    #[error("the task that watches over the private Postgres has ended unexpectedly")]
    Supervisor(#[source] tokio::task::JoinError),
}

impl EmbeddedError {
    /// A stable code for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Folder(error) => error.code(),
            Self::NotInstalled { .. } => "embedded.not_installed",
            Self::NoAccount => "embedded.no_account",
            Self::Run { .. } => "embedded.run",
            Self::Failed { .. } => "embedded.failed",
            Self::Deadline { .. } => "embedded.deadline",
            Self::RefusedRoles { .. } => "embedded.refused_roles",
            Self::Processes(_) => "embedded.processes",
            Self::DoesNotStop { .. } => "embedded.does_not_stop",
            Self::Supervisor(_) => "embedded.supervisor",
        }
    }

    pub(super) fn run(program: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        move |source| Self::Run { program: program.to_owned(), source }
    }
}

fn wanted_clause(wanted: Option<u32>) -> String {
    wanted.map_or_else(
        || format!("{OLDEST_POSTGRES} or newer"),
        |major| format!("{major} (which made this data folder)"),
    )
}

fn found_clause(found: &[u32]) -> String {
    if found.is_empty() {
        return String::new();
    }
    let list: Vec<String> = found.iter().map(u32::to_string).collect();
    format!(" (found: {})", list.join(", "))
}

fn package(wanted: Option<u32>) -> String {
    wanted.map_or_else(|| "postgresql".to_owned(), |major| format!("postgresql-{major}"))
}
