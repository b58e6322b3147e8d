//! Finds the system's Postgres programs.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

/// The oldest major version that the migrations are written for.
pub const OLDEST_POSTGRES: u32 = 15;

/// Asking a program for its version reads no data; slower than this means that it hangs.
const VERSION_DEADLINE: Duration = Duration::from_secs(10);

/// One installation of Postgres' server programs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Binaries {
    folder: PathBuf,
    major: u32,
}

impl Binaries {
    /// The newest usable installation, or exactly the one whose major version made an existing cluster. `Err` lists the
    /// major versions that were found instead.
    pub(super) async fn find(wanted: Option<u32>) -> Result<Self, Vec<u32>> {
        let mut found = BTreeMap::new();
        for folder in candidates().await {
            if let Some(major) = major_version(&folder.join("postgres")).await
                && folder.join("initdb").is_file()
            {
                found.entry(major).or_insert(folder);
            }
        }
        let majors = found.keys().copied().collect();
        let best = match wanted {
            Some(major) => found.remove_entry(&major),
            None => found.pop_last().filter(|(major, _)| *major >= OLDEST_POSTGRES),
        };
        best.map(|(major, folder)| Self { folder, major }).ok_or(majors)
    }

    pub(super) fn initdb(&self) -> PathBuf {
        self.folder.join("initdb")
    }

    pub(super) fn postgres(&self) -> PathBuf {
        self.folder.join("postgres")
    }

    pub(super) fn major(&self) -> u32 {
        self.major
    }
}

/// Folders that may hold the programs: Debian's versioned ones (not on PATH there), what `pg_config` names, PATH.
async fn candidates() -> Vec<PathBuf> {
    let mut folders = Vec::new();
    if let Ok(versions) = fs::read_dir("/usr/lib/postgresql") {
        folders.extend(versions.flatten().map(|version| version.path().join("bin")));
    }
    if let Some(text) = output("pg_config".as_ref(), "--bindir").await {
        folders.push(PathBuf::from(text.trim()));
    }
    if let Some(path) = std::env::var_os("PATH") {
        folders.extend(std::env::split_paths(&path));
    }
    folders.retain(|folder| folder.is_absolute() && folder.join("postgres").is_file());
    folders
}

async fn major_version(program: &Path) -> Option<u32> {
    parse_major(&output(program.as_os_str(), "--version").await?)
}

async fn output(program: &OsStr, argument: &str) -> Option<String> {
    let run = Command::new(program)
        .arg(argument)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output =
        timeout(VERSION_DEADLINE, run).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())).ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The major version in `postgres (PostgreSQL) 15.18 (Debian …)`; betas read `17beta1`.
fn parse_major(text: &str) -> Option<u32> {
    let version = text.split("(PostgreSQL)").nth(1)?.trim_start();
    let digits = version.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_major_version_is_read_from_what_postgres_says() {
        assert_eq!(parse_major("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n"), Some(15));
        assert_eq!(parse_major("postgres (PostgreSQL) 17beta1\n"), Some(17));
        assert_eq!(parse_major("bash 5.2"), None);
    }

    #[tokio::test]
    async fn a_version_that_is_not_installed_is_refused_with_what_is() {
        let installed = Binaries::find(None).await.expect("Postgres is a prerequisite of the tests");
        let others = Binaries::find(Some(9)).await.expect_err("nobody installs 9 any more");
        assert!(others.contains(&installed.major()));
    }
}
