//! What can go wrong between the server and Postgres, decided by SQLSTATE and never by a message's text.

use std::error::Error;

use tokio_postgres::error::SqlState;

/// Where an error came from, kept for logs.
pub type Source = Box<dyn Error + Send + Sync>;

/// Why the store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database does not answer, refuses connections, is short of something, or took too long. Nothing was
    /// written; the same call may succeed later.
    #[error("the database is unavailable ({doing}); nothing was written, try again shortly")]
    Unavailable {
        /// What was being done.
        doing: &'static str,
        /// The failure underneath, where there was one beside the deadline.
        #[source]
        source: Option<Source>,
    },
    /// The database has no room left. Nothing was written.
    #[error("the database's disk is full ({doing}); nothing was written, free some space and try again")]
    DiskFull {
        /// What was being done.
        doing: &'static str,
        /// Postgres' own error.
        #[source]
        source: Source,
    },
    /// The connection broke while a commit was under way: nobody knows yet whether it happened. The caller must read
    /// the heads again before it says anything to anybody.
    #[error("the database went away during a commit; the heads must be read again to learn its outcome")]
    CommitUnknown {
        /// The failure underneath, where there was one beside the deadline.
        #[source]
        source: Option<Source>,
    },
    /// Somebody else was first: load again and decide again. Nothing was written.
    #[error("another writer was first ({what}); load again and decide again")]
    Conflict {
        /// What had changed.
        what: &'static str,
        /// Postgres' own error, where it was the one to notice.
        #[source]
        source: Option<Source>,
    },
    /// What is stored can't be true: no retry mends it.
    #[error("the database holds what it cannot hold: {what}; run `sealbook doctor`")]
    Corruption {
        /// What is wrong.
        what: &'static str,
        /// Postgres' own error, where it was the one to notice.
        #[source]
        source: Option<Source>,
    },
    /// The server or its installation is wrong: grants, schema, configuration or a bug.
    #[error("the store failed: {what}")]
    Fault {
        /// What is wrong.
        what: &'static str,
        /// The failure underneath.
        #[source]
        source: Option<Source>,
    },
}

impl StoreError {
    /// The stable code, as logs, metrics and problem documents carry it.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unavailable { .. } => "store.unavailable",
            Self::DiskFull { .. } => "store.disk_full",
            Self::CommitUnknown { .. } => "store.commit_unknown",
            Self::Conflict { .. } => "store.conflict",
            Self::Corruption { .. } => "store.corruption",
            Self::Fault { .. } => "store.fault",
        }
    }

    /// Whether the very same call may succeed later without anybody deciding again.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Unavailable { .. } | Self::DiskFull { .. } => true,
            Self::CommitUnknown { .. }
            | Self::Conflict { .. }
            | Self::Corruption { .. }
            | Self::Fault { .. } => false,
        }
    }

    pub(super) fn conflict(what: &'static str) -> Self {
        Self::Conflict { what, source: None }
    }

    pub(crate) fn corruption(what: &'static str) -> Self {
        Self::Corruption { what, source: None }
    }

    pub(super) fn fault(what: &'static str) -> Self {
        Self::Fault { what, source: None }
    }

    /// A call that ran into its deadline.
    pub(super) fn overdue(doing: &'static str) -> Self {
        Self::Unavailable { doing, source: None }
    }

    pub(crate) fn unavailable(doing: &'static str, source: impl Into<Source>) -> Self {
        Self::Unavailable { doing, source: Some(source.into()) }
    }

    /// Sorts an error of Postgres or of the connection to it.
    pub(super) fn from_postgres(doing: &'static str, error: tokio_postgres::Error) -> Self {
        match error.code().map(Class::of) {
            Some(Class::DiskFull) => Self::DiskFull { doing, source: error.into() },
            Some(Class::Unavailable) => Self::unavailable(doing, error),
            Some(Class::Conflict) => Self::Conflict { what: doing, source: Some(error.into()) },
            Some(Class::Corruption) => Self::Corruption { what: doing, source: Some(error.into()) },
            Some(Class::Fault) => Self::Fault { what: doing, source: Some(error.into()) },
            None if lost_connection(&error) => Self::unavailable(doing, error),
            None => Self::Fault { what: doing, source: Some(error.into()) },
        }
    }

    /// What came of statements that were sent together in one transaction. Where several failed it is the error that began it:
    /// Postgres refuses whatever follows, for no reason of its own.
    pub(super) fn of_all<const N: usize>(results: [Result<(), Self>; N]) -> Result<(), Self> {
        let mut errors: Vec<Self> = results.into_iter().filter_map(Result::err).collect();
        let cause = errors.iter().position(|error| !error.is_a_consequence()).unwrap_or(0);
        if errors.is_empty() { Ok(()) } else { Err(errors.swap_remove(cause)) }
    }

    fn is_a_consequence(&self) -> bool {
        let postgres = self.source().and_then(|source| source.downcast_ref::<tokio_postgres::Error>());
        postgres.and_then(tokio_postgres::Error::code) == Some(&SqlState::IN_FAILED_SQL_TRANSACTION)
    }

    /// Sorts an error of a COMMIT: where Postgres answered, nothing is in doubt; where it did not, the outcome is.
    pub(super) fn from_commit(error: tokio_postgres::Error) -> Self {
        match Self::from_postgres("commit", error) {
            Self::Unavailable { source, .. } => Self::CommitUnknown { source },
            other @ (Self::DiskFull { .. }
            | Self::CommitUnknown { .. }
            | Self::Conflict { .. }
            | Self::Corruption { .. }
            | Self::Fault { .. }) => other,
        }
    }
}

/// The kinds of SQLSTATE that callers treat differently (PostgreSQL documentation, appendix A).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    DiskFull,
    Unavailable,
    Conflict,
    Corruption,
    Fault,
}

impl Class {
    fn of(state: &SqlState) -> Self {
        let code = state.code();
        match (code.get(..2).unwrap_or(code), code) {
            (_, "53100") => Self::DiskFull,
            // Lock timeout; a server that has become a read-only replica; a transaction that idled too long.
            (_, "55P03" | "25006" | "25P03") => Self::Unavailable,
            // Serialisation failure, deadlock; a unique key that is taken.
            (_, "40001" | "40P01" | "23505") => Self::Conflict,
            // Connection, resources, operator intervention (with the statement timeout), system errors.
            ("08" | "53" | "57" | "58", _) => Self::Unavailable,
            (_, "XX001" | "XX002") => Self::Corruption,
            _ => Self::Fault,
        }
    }
}

/// True for errors of the connection itself; tokio-postgres reports those without a SQLSTATE.
fn lost_connection(error: &tokio_postgres::Error) -> bool {
    let io = error.source().is_some_and(|source| source.is::<std::io::Error>());
    error.is_closed() || io
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_sqlstate_decides_what_a_caller_should_do() {
        for (state, class) in [
            ("53100", Class::DiskFull),
            ("53300", Class::Unavailable),
            ("57014", Class::Unavailable),
            ("57P01", Class::Unavailable),
            ("08006", Class::Unavailable),
            ("25006", Class::Unavailable),
            ("58030", Class::Unavailable),
            ("40001", Class::Conflict),
            ("23505", Class::Conflict),
            ("XX001", Class::Corruption),
            ("23001", Class::Fault),
            ("42501", Class::Fault),
            ("22P02", Class::Fault),
        ] {
            assert_eq!(Class::of(&SqlState::from_code(state)), class, "{state}");
        }
    }
}
