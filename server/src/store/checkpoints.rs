//! Sealed checkpoints, and the lease that lets one sealer a ledger work at a time.

use std::sync::Arc;

use tokio::sync::OwnedSemaphorePermit;
use tokio_postgres::Row;

use super::Store;
use super::columns::{self, signed};
use super::connection::Connection;
use super::error::StoreError;
use super::load::MAX_PAGE;
use super::rows::LedgerId;

/// Sets the sealers' advisory locks apart from the migrations' one.
const LEASE_CLASS: i64 = 0x5EA1;

/// A sealed checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckpointRow {
    /// Number of events under the seal.
    pub size: u64,
    /// The signed note (C2SP signed-note), byte for byte.
    pub note: String,
    /// Whether it carries the signatures of an old and a new ledger key.
    pub transition: bool,
}

impl CheckpointRow {
    /// Reads `size, note, transition`.
    fn columns(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            size: columns::unsigned(row, 0)?,
            note: columns::get(row, 1)?,
            transition: columns::get(row, 2)?,
        })
    }
}

/// The right to seal one ledger, across all servers of this database. Dropping it gives it up.
pub struct SealLease {
    connection: Connection,
    /// Taken before the connection and given back after it: else leases could take every connection and each wait for
    /// another one.
    _share: OwnedSemaphorePermit,
}

impl SealLease {
    /// Gives the lease up and the connection back to the pool.
    pub async fn release(self) -> Result<(), StoreError> {
        self.connection.rollback().await
    }
}

impl Store {
    /// Takes the right to seal a ledger; `None` while another sealer has it.
    pub async fn lease_sealing(&self, ledger: LedgerId) -> Result<Option<SealLease>, StoreError> {
        // Held by a transaction, so that a server that dies gives it up; a signature takes far less than the 30 s after
        // which an idle one is ended. Two keys that collide make one sealer wait for another's turn, no more.
        const SQL: &str = "SELECT pg_try_advisory_xact_lock(hashint8extended($1, $2))";
        // A device that hangs keeps the leases of its ledgers for as long as a signature may take.
        let share = Arc::clone(&self.leases).acquire_owned();
        let share = tokio::time::timeout(self.config.connect_timeout, share).await;
        let share = share.map_err(|error| StoreError::unavailable("wait for other ledgers' seals", error))?;
        let share = share.map_err(|_| StoreError::fault("the store is closed"))?;
        let connection = self.connection().await?;
        connection.begin().await?;
        let row =
            connection.query_opt("take the sealer's lease", SQL, &[&ledger.get(), &LEASE_CLASS]).await?;
        let row = row.ok_or_else(|| StoreError::fault("the database does not answer a lock"))?;
        if columns::get(&row, 0)? {
            Ok(Some(SealLease { connection, _share: share }))
        } else {
            connection.rollback().await?;
            Ok(None)
        }
    }

    /// Stores a checkpoint. Storing the same one again changes nothing; another one of the same size is
    /// [`StoreError::Conflict`].
    pub async fn insert_checkpoint(&self, ledger: LedgerId, row: &CheckpointRow) -> Result<(), StoreError> {
        const SQL: &str = "INSERT INTO checkpoints (ledger_id, size, note, transition) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (ledger_id, size) DO NOTHING";
        let connection = self.connection().await?;
        let size = signed(row.size)?;
        let inserted = connection
            .write("store a checkpoint", SQL, &[&ledger.get(), &size, &row.note, &row.transition])
            .await?;
        // Back to the pool before another is asked for: callers that each hold one and wait for one would wait for ever.
        drop(connection);
        if inserted == 1 || self.checkpoint_at(ledger, row.size).await?.as_ref() == Some(row) {
            Ok(())
        } else {
            Err(StoreError::conflict("another checkpoint of this size is stored"))
        }
    }

    /// The checkpoint of exactly this size.
    pub async fn checkpoint_at(
        &self,
        ledger: LedgerId,
        size: u64,
    ) -> Result<Option<CheckpointRow>, StoreError> {
        const SQL: &str = "SELECT size, note, transition FROM checkpoints WHERE ledger_id = $1 AND size = $2";
        self.one_checkpoint(SQL, ledger, size).await
    }

    /// The newest checkpoint; `None` before the first.
    pub async fn latest_checkpoint(&self, ledger: LedgerId) -> Result<Option<CheckpointRow>, StoreError> {
        const SQL: &str = "SELECT size, note, transition FROM checkpoints \
             WHERE ledger_id = $1 AND size > $2 ORDER BY size DESC LIMIT 1";
        self.one_checkpoint(SQL, ledger, 0).await
    }

    /// The smallest checkpoint that covers an event: what a receipt is made under.
    pub async fn checkpoint_over(
        &self,
        ledger: LedgerId,
        seq: u64,
    ) -> Result<Option<CheckpointRow>, StoreError> {
        const SQL: &str = "SELECT size, note, transition FROM checkpoints \
             WHERE ledger_id = $1 AND size > $2 ORDER BY size LIMIT 1";
        self.one_checkpoint(SQL, ledger, seq).await
    }

    /// Checkpoints beyond a size, in order, at most [`MAX_PAGE`].
    pub async fn checkpoints(
        &self,
        ledger: LedgerId,
        beyond: u64,
        limit: usize,
    ) -> Result<Vec<CheckpointRow>, StoreError> {
        const SQL: &str = "SELECT size, note, transition FROM checkpoints \
             WHERE ledger_id = $1 AND size > $2 ORDER BY size LIMIT $3";
        let (beyond, limit) = (signed(beyond)?, signed(limit.clamp(1, MAX_PAGE) as u64)?);
        let connection = self.connection().await?;
        let rows = connection.query("read checkpoints", SQL, &[&ledger.get(), &beyond, &limit]).await?;
        rows.iter().map(CheckpointRow::columns).collect()
    }

    /// The transition checkpoints, in order of size: one for each rotation of the ledger key.
    pub async fn transitions(&self, ledger: LedgerId) -> Result<Vec<CheckpointRow>, StoreError> {
        const SQL: &str = "SELECT size, note, transition FROM checkpoints \
             WHERE ledger_id = $1 AND transition ORDER BY size";
        let rows = self.connection().await?.query("read transitions", SQL, &[&ledger.get()]).await?;
        rows.iter().map(CheckpointRow::columns).collect()
    }

    async fn one_checkpoint(
        &self,
        sql: &'static str,
        ledger: LedgerId,
        size: u64,
    ) -> Result<Option<CheckpointRow>, StoreError> {
        let (connection, size) = (self.connection().await?, signed(size)?);
        let row = connection.query_opt("read a checkpoint", sql, &[&ledger.get(), &size]).await?;
        row.as_ref().map(CheckpointRow::columns).transpose()
    }
}
