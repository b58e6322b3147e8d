//! What a command can fail with, and the exit code that scripts see.

use std::path::{Path, PathBuf};

use sealbook_ledger::ids::SlotName;

use crate::authenticator::AuthenticatorError;
use crate::client::{ClientError, InvalidToken};

use super::document::DocumentError;

/// How a command ended; the numbers are stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// Done; for `sign`: everything is signed.
    Done = 0,
    /// Something failed on this machine.
    Failed = 1,
    /// The command line is not one.
    Usage = 2,
    /// Recorded, and waits for people to approve it.
    Awaiting = 3,
    /// Refused: repeating the request as it is won't help.
    Refused = 4,
    /// Can't at present: repeating it later may help.
    Unavailable = 5,
    /// The gate of a slot is closed: it signs nothing now.
    Closed = 6,
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The server, or the way there.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The authenticator.
    #[error(transparent)]
    Authenticator(#[from] AuthenticatorError),
    /// The server showed a document that is not what was asked for.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// A file holds no such token.
    #[error("{}: {source}", path.display())]
    Token {
        /// The file, or the variable.
        path: PathBuf,
        /// What was expected.
        #[source]
        source: InvalidToken,
    },
    /// Reading or writing a file failed.
    #[error("can't {doing} {}: {source}", path.display())]
    File {
        /// What was being done.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A secret lies in a file that others can read.
    #[error("{} is open to others (mode {mode:03o})", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Something that the command needs was not given, or does not fit.
    #[error("{what}")]
    Usage {
        /// What is missing or wrong.
        what: String,
        /// What to do.
        hint: &'static str,
    },
    /// The person said no, or could not be asked.
    #[error("nothing was signed: the question was not answered with yes")]
    NotConfirmed,
    /// What the server returned does not check out against what was asked.
    #[error("{what}")]
    Distrust {
        /// What does not check out.
        what: String,
    },
    /// An action ended otherwise than by execution.
    #[error("the action ended as {status}{}", reason.as_ref().map(|r| format!(": {r}")).unwrap_or_default())]
    ActionEnded {
        /// How it ended.
        status: &'static str,
        /// Why, where the server says.
        reason: Option<String>,
    },
    /// A rotation that was followed ended before its cutover.
    #[error("the rotation failed ({code}); the old key stays in charge")]
    RotationFailed {
        /// A stable word for why.
        code: String,
    },
    /// A slot signs nothing now.
    #[error("the gate of slot {slot} is closed: {reasons}")]
    GateClosed {
        /// The slot.
        slot: SlotName,
        /// The codes of the reasons.
        reasons: String,
    },
    /// Waiting took longer than it may.
    #[error("{what} was not done in time")]
    TimedOut {
        /// What was waited for.
        what: String,
    },
    /// A check of the doctor did not pass.
    #[error("{failed} of {checks} checks did not pass")]
    Unhealthy {
        /// How many did not.
        failed: usize,
        /// How many there are.
        checks: usize,
    },
    /// An audit did not pass; what failed is in its list.
    #[error("{what}")]
    Audited {
        /// What did not pass.
        what: String,
    },
    /// A release, or its papers, are refused.
    #[error("{sentence}")]
    Release {
        /// The refusal's code.
        code: &'static str,
        /// What was found, and where.
        sentence: String,
        /// The exit code.
        exit: Exit,
        /// What to do.
        hint: &'static str,
    },
    /// A file that can't be had, so that nothing is judged.
    #[error("can't read {}: {source}", path.display())]
    Unjudged {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The operator's side of this program can't do it.
    #[error("{what}")]
    Operate {
        /// What can't be done.
        what: &'static str,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The system gave no randomness.
    #[error("the system gives no random bytes")]
    Randomness,
    /// This machine's clock is before 1970 or after 9999.
    #[error("this machine's clock shows no usable time")]
    Clock,
    /// What is to be shown could not be written.
    #[error("the output can't be written")]
    Output(#[source] std::io::Error),
    /// Some of several files were not signed; each was reported by itself.
    #[error("{unsigned} of {files} files are not signed")]
    Unsigned {
        /// How many are not.
        unsigned: usize,
        /// How many were given.
        files: usize,
        /// The exit code of the worst.
        exit: Exit,
    },
}

impl Failure {
    /// Something that the operator's side of this program can't do.
    pub fn operate(what: &'static str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Operate { what, source: source.into() }
    }

    pub(super) fn file(doing: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { doing, path, source }
    }

    pub(super) fn usage(what: impl Into<String>, hint: &'static str) -> Self {
        Self::Usage { what: what.into(), hint }
    }

    /// The stable code.
    pub fn code(&self) -> &str {
        match self {
            Self::Client(error) => error.code(),
            Self::Authenticator(error) => error.code(),
            Self::Document(error) => error.code(),
            Self::Token { .. } => "cli.token",
            Self::File { .. } => "cli.file",
            Self::Exposed { .. } => "cli.exposed",
            Self::Usage { .. } => "cli.usage",
            Self::NotConfirmed => "cli.not_confirmed",
            Self::Distrust { .. } => "cli.distrust",
            Self::ActionEnded { .. } => "action.ended",
            Self::RotationFailed { .. } => "rotation.failed",
            Self::GateClosed { .. } => "gate.closed",
            Self::TimedOut { .. } => "cli.timed_out",
            Self::Unhealthy { .. } => "doctor.unhealthy",
            Self::Audited { .. } => "audit.failed",
            Self::Release { code, .. } => code,
            Self::Unjudged { .. } => "cli.file",
            Self::Operate { .. } => "operate.failed",
            Self::Randomness => "cli.randomness",
            Self::Clock => "cli.clock",
            Self::Output(_) => "cli.output",
            Self::Unsigned { .. } => "sign.incomplete",
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Client(error) => error.hint(),
            Self::Authenticator(_) => "Check the authenticator's file.",
            Self::Document(DocumentError::Missing) => {
                "Wait until every founder has registered: `sealbook founding show` says who is missing."
            }
            Self::Document(_) => {
                "Nothing was signed. Ask whoever runs the server why it shows another document."
            }
            Self::Token { .. } => "Give the file that the token was written to.",
            Self::File { .. } | Self::Unjudged { .. } => {
                "Check the path, the permissions and the space on the disk."
            }
            Self::Release { hint, .. } => hint,
            Self::Exposed { .. } => "Run chmod 600 on it; if others use this machine, replace the secret.",
            Self::Usage { hint, .. } => hint,
            Self::NotConfirmed => "Answer yes at the terminal, or give --yes.",
            Self::Distrust { .. } => "Keep what was returned and ask whoever runs the server.",
            Self::ActionEnded { .. } => {
                "`sealbook action show` says more; propose it again if it is still wanted."
            }
            Self::RotationFailed { .. } => {
                "`sealbook rotation show` says where; propose another one once that is mended."
            }
            Self::GateClosed { .. } => {
                "Each reason says what would open it: a quorum, a rotation or a certificate."
            }
            Self::TimedOut { .. } => "Look again later; nothing is lost by waiting.",
            Self::Unhealthy { .. } => "Mend what is marked above.",
            Self::Audited { .. } => "See what failed above, and `sealbook calendar` for what to do first.",
            Self::Operate { .. } => "What is said above names the cause; docs/operations/ says more.",
            Self::Randomness => "Check that getrandom works on this machine.",
            Self::Clock => "Set the clock.",
            Self::Output(_) => "Check where the output goes.",
            Self::Unsigned { .. } => "Each file's own line says why.",
        }
    }

    /// Whether a server has refused for certain: nothing of what was asked is recorded, now or later.
    pub(super) fn is_refusal(&self) -> bool {
        let Self::Client(error) = self else { return false };
        error.problem().is_some_and(|problem| (400..500).contains(&problem.status))
    }

    /// The exit code.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Client(error) if error.is_unavailable() => Exit::Unavailable,
            Self::Client(error) if error.problem().is_some() => Exit::Refused,
            Self::TimedOut { .. } | Self::Unhealthy { .. } => Exit::Unavailable,
            Self::Usage { .. } | Self::Unjudged { .. } => Exit::Usage,
            Self::Release { exit, .. } => *exit,
            Self::ActionEnded { .. }
            | Self::RotationFailed { .. }
            | Self::Document(_)
            | Self::Distrust { .. } => Exit::Refused,
            Self::GateClosed { .. } => Exit::Closed,
            Self::Unsigned { exit, .. } => *exit,
            Self::Client(_)
            | Self::Authenticator(_)
            | Self::Token { .. }
            | Self::File { .. }
            | Self::Exposed { .. }
            | Self::NotConfirmed
            | Self::Audited { .. }
            | Self::Operate { .. }
            | Self::Randomness
            | Self::Clock
            | Self::Output(_) => Exit::Failed,
        }
    }

    /// The error as people read it: what failed, the code, what to do.
    pub fn report(&self) -> String {
        let mut text = format!("error: {self}\n");
        let mut source = std::error::Error::source(self);
        while let Some(error) = source {
            let said = error.to_string();
            if !text.contains(&said) {
                text.push_str(&format!("  because: {said}\n"));
            }
            source = error.source();
        }
        let problem = match self {
            Self::Client(error) => error.problem(),
            _ => None,
        };
        text.push_str(&format!("  code: {}\n", self.code()));
        if let Some(correlation) = problem.and_then(|problem| problem.correlation.as_deref()) {
            text.push_str(&format!("  correlation: {correlation}\n"));
        }
        text.push_str(&format!("  to do: {}\n", self.hint()));
        super::output::printable_lines(&text)
    }
}
