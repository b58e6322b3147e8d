//! Why the demonstration could not go on.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// What went wrong in a scene.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// Somebody pressed Ctrl-C, or asked the process to end.
    #[error("interrupted")]
    Interrupted,
    /// A program ended otherwise than the story needs, or took too long.
    #[error("{command}\n{ended}")]
    Program {
        /// The command line.
        command: String,
        /// How it ended, and how it should have.
        ended: String,
        /// What it said on standard error.
        stderr: String,
    },
    /// A program's answer is not what the story needs.
    #[error("{0}")]
    Unexpected(String),
    /// A file, or a process.
    #[error("can't {doing} {}", path.display())]
    File {
        /// What was being done.
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The export can't be read, or a tampered copy can't be written.
    #[error("{what}")]
    Bundle {
        /// Which of them, and where.
        what: String,
        /// Why.
        source: Box<dyn std::error::Error>,
    },
}

impl Failure {
    /// For `map_err`: something failed on a file.
    pub(crate) fn file(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { doing, path, source }
    }

    /// For `map_err`: something failed on a bundle.
    pub(crate) fn bundle<E: std::error::Error + 'static>(what: impl Into<String>) -> impl FnOnce(E) -> Self {
        let what = what.into();
        move |source| Self::Bundle { what, source: Box::new(source) }
    }

    /// The process' exit code; that of an interruption is a shell's for SIGINT.
    pub(crate) fn exit(&self) -> ExitCode {
        match self {
            Self::Interrupted => ExitCode::from(130),
            Self::Program { .. } | Self::Unexpected(_) | Self::File { .. } | Self::Bundle { .. } => {
                ExitCode::FAILURE
            }
        }
    }
}
