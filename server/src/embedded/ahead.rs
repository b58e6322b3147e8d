//! A trial's clock: how many days the private Postgres' runs ahead of the system's.
//!
//! Overlaps end after days and keys come due after weeks; whoever tries Sealbook out does not wait for that. Nothing but
//! `sealbook dev` asks for it, and only the Postgres that it starts by itself can be told: no role may connect that could
//! replace a clock, so it is done in a single-user server, before the postmaster is started.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::time::Duration;

use zeroize::Zeroizing;

use super::binaries::Binaries;
use super::cluster::{self, DATABASE};
use super::error::EmbeddedError;
use super::folder::{self, DataFolder, FolderError, io_error, no_follow};
use super::home::Home;

/// The most days that a trial runs ahead: beyond the longest life of a key's certificate in a usual policy.
pub const MOST_DAYS_AHEAD: u16 = 400;

/// Where a data folder keeps its days.
const FILE: &str = "days-ahead";

/// More than any number of days takes, in bytes.
const MAX_FILE: u64 = 16;

impl DataFolder {
    /// How many days this folder's clocks run ahead; nobody sets them back.
    ///
    /// # Errors
    /// [`FolderError::DamagedDays`] where the file holds something else; the file system's refusal.
    pub fn days_ahead(&self) -> Result<u16, FolderError> {
        let path = self.path().join(FILE);
        let mut text = String::new();
        match no_follow(fs::OpenOptions::new().read(true)).open(&path) {
            Ok(file) => file.take(MAX_FILE).read_to_string(&mut text).map_err(io_error("read", &path))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
            Err(error) => return Err(io_error("read", &path)(error)),
        };
        let days = text.trim_end().parse().ok().filter(|days| *days <= MOST_DAYS_AHEAD);
        days.ok_or(FolderError::DamagedDays { path })
    }

    /// Has this folder's clocks run at least so many days ahead from the next start of its Postgres on; how many it is
    /// then. What was recorded ahead would lie in the future of a server that was started behind, so the most that was
    /// ever asked for is kept. More than [`MOST_DAYS_AHEAD`] is taken for that.
    ///
    /// # Errors
    /// As of [`days_ahead`](Self::days_ahead).
    pub fn run_ahead(&self, days: u16) -> Result<u16, FolderError> {
        let (kept, days) = (self.days_ahead()?, days.min(MOST_DAYS_AHEAD));
        if days <= kept {
            return Ok(kept);
        }
        let path = self.path().join(FILE);
        let mut file =
            tempfile::NamedTempFile::new_in(self.path()).map_err(io_error("write in", self.path()))?;
        writeln!(file, "{days}").map_err(io_error("write", &path))?;
        file.as_file().sync_all().map_err(io_error("sync", &path))?;
        file.persist(&path).map_err(|error| io_error("write", &path)(error.error))?;
        folder::sync_folder(self.path())?;
        Ok(days)
    }
}

/// So many days of 24 hours.
pub(super) fn time(days: u16) -> Duration {
    Duration::from_secs(u64::from(days) * 24 * 60 * 60)
}

/// Puts a clock that runs ahead in the place of the database's own. The cluster must not be running.
pub(super) async fn set_clock(binaries: &Binaries, home: &Home, days: u16) -> Result<(), EmbeddedError> {
    cluster::single_user(binaries, home, &home.data(), DATABASE, &[], Zeroizing::new(statements(days))).await
}

/// The right clock keeps its function under another name. A single-user server ends a statement at the line's end.
fn statements(days: u16) -> String {
    let hours = u32::from(days) * 24;
    format!(
        "DO 'BEGIN IF to_regproc(''pg_catalog.right_clock_timestamp'') IS NULL THEN \
         ALTER FUNCTION pg_catalog.clock_timestamp() RENAME TO right_clock_timestamp; END IF; END';\n\
         CREATE OR REPLACE FUNCTION pg_catalog.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE \
         AS 'SELECT pg_catalog.right_clock_timestamp() + interval ''{hours} hours''';\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_runs_ahead_as_far_as_it_ever_did() {
        let place = tempfile::tempdir().unwrap();
        let folder = DataFolder::open(&place.path().join("data")).unwrap();
        assert_eq!(folder.days_ahead().unwrap(), 0);
        assert_eq!(folder.run_ahead(0).unwrap(), 0);
        assert!(!folder.path().join(FILE).exists(), "a folder that never ran ahead knows nothing of it");
        assert_eq!(folder.run_ahead(8).unwrap(), 8);
        assert_eq!(folder.run_ahead(3).unwrap(), 8);
        assert_eq!(folder.run_ahead(u16::MAX).unwrap(), MOST_DAYS_AHEAD);
        for damaged in ["", "eight", "-1", "401"] {
            fs::write(folder.path().join(FILE), damaged).unwrap();
            assert!(matches!(folder.days_ahead(), Err(FolderError::DamagedDays { .. })), "{damaged}");
        }
    }
}
