//! The built programs: where cargo puts them, in the test executable's folder or the one above.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// A built program's file.
pub fn program(name: &str) -> PathBuf {
    let own = std::env::current_exe().unwrap();
    // target/debug/deps/journeys-… → target/debug/sealbook
    let folder = own.parent().unwrap();
    let folder = if folder.ends_with("deps") { folder.parent().unwrap() } else { folder };
    let file = folder.join(name);
    assert!(file.is_file(), "{} is not built: run `cargo build --workspace --bins` first", file.display());
    file
}

/// A library of the workspace's that this package depends on, as cargo has just built it.
pub fn library(name: &str) -> PathBuf {
    let own = std::env::current_exe().unwrap();
    let folder = own.parent().unwrap();
    let folder = if folder.ends_with("deps") { folder.to_owned() } else { folder.join("deps") };
    let file = folder.join(format!("lib{name}.so"));
    assert!(file.is_file(), "{} is not built", file.display());
    file
}

/// What a program said, and how it ended.
#[derive(Debug)]
pub struct Ended {
    /// The exit code; none if a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Ended {
    /// The standard output as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("not JSON ({error}): {self:?}"))
    }

    /// Fails unless the program ended with this code.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        self
    }
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// Runs a command to its end.
pub fn run(command: &mut Command) -> Ended {
    command.output().unwrap_or_else(|error| panic!("{command:?} can't be started: {error}")).into()
}

/// Runs `sealbook-verify` with these arguments.
pub fn verify<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Ended {
    run(Command::new(program("sealbook-verify")).args(arguments))
}

/// Runs the system's `openssl` in a folder.
pub fn openssl<A: AsRef<OsStr>>(folder: &Path, arguments: impl IntoIterator<Item = A>) -> Ended {
    run(Command::new("openssl").args(arguments).current_dir(folder))
}
