//! What is wrong with a configuration, by key, and what to write instead.

use std::io;
use std::path::PathBuf;

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The file is not TOML, or holds an unknown key or a value of the wrong type.
    #[error("line {line} of the configuration: {message}")]
    Syntax {
        /// The line, counted from 1.
        line: usize,
        /// What the parser said; never the line's text.
        message: String,
    },
    /// An environment variable's text is not of its key's type.
    #[error("the environment variable {name} must be {}", expected(name))]
    Environment {
        /// The variable.
        name: &'static str,
    },
    /// A required key is missing.
    #[error("`{key}` is missing: write {write}")]
    Missing {
        /// The key.
        key: &'static str,
        /// What to write.
        write: &'static str,
    },
    /// A value is not acceptable.
    #[error("`{key}` {problem}: write {write}")]
    Value {
        /// The key.
        key: String,
        /// What is wrong with its value.
        problem: &'static str,
        /// What to write.
        write: &'static str,
    },
    /// A secret cannot be read.
    #[error("`{key}`: cannot read {}", path.display())]
    SecretFile {
        /// The key that names the file.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

fn expected(name: &str) -> &'static str {
    if name == "SEALBOOK_BEHIND_PROXY" { "`true` or `false`" } else { "a whole number" }
}

impl ConfigError {
    /// A stable code for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::File { .. } => "config.file",
            Self::Syntax { .. } => "config.syntax",
            Self::Environment { .. } => "config.environment",
            Self::Missing { .. } => "config.missing",
            Self::Value { .. } => "config.value",
            Self::SecretFile { .. } => "config.secret_file",
        }
    }

    pub(super) fn value(key: impl Into<String>, problem: &'static str, write: &'static str) -> Self {
        Self::Value { key: key.into(), problem, write }
    }
}
