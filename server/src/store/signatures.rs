//! The signatures' projection: insert-only rows, written behind the ledger by a projector that keeps its position.

use sealbook_ledger::ids::{KeyId, SlotName};
use sealbook_ledger::timestamp::Timestamp;
use tokio_postgres::Row;
use uuid::Uuid;

use super::Store;
use super::columns::{self, PgTime, signed};
use super::connection::Connection;
use super::error::StoreError;
use super::load::MAX_PAGE;
use super::rows::LedgerId;

/// The name under which this projection keeps its position.
const NAME: &str = "signatures";

/// What became of an authorised signature (DOMAIN, write-ahead custody).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// No outcome yet: counts as signed in every report.
    Authorized,
    /// Signed, recorded and released.
    Created,
    /// The device did not sign.
    Failed,
    /// The device signed, and the signature was kept back.
    Withheld,
    /// Nobody knows.
    Abandoned,
}

impl Outcome {
    const ALL: [Self; 5] = [Self::Authorized, Self::Created, Self::Failed, Self::Withheld, Self::Abandoned];

    /// The number in the rows; stable for ever.
    fn number(self) -> i16 {
        match self {
            Self::Authorized => 0,
            Self::Created => 1,
            Self::Failed => 2,
            Self::Withheld => 3,
            Self::Abandoned => 4,
        }
    }

    fn from_number(number: i16) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.number() == number)
    }
}

/// What one event says about one signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignatureRow {
    /// The event that says it.
    pub seq: u64,
    /// The event that authorised the signature; equals `seq` in the authorisation's own row.
    pub authorized_seq: u64,
    /// The slot.
    pub slot: SlotName,
    /// The version of its key.
    pub key: KeyId,
    /// What was signed.
    pub digest: Vec<u8>,
    /// What became of it.
    pub outcome: Outcome,
    /// The id of who asked.
    pub caller: String,
    /// The event's time.
    pub time: Timestamp,
}

impl Store {
    /// How many events of a ledger the projector has worked through.
    pub async fn signatures_position(&self, ledger: LedgerId) -> Result<u64, StoreError> {
        const SQL: &str = "SELECT position FROM projection_positions WHERE ledger_id = $1 AND name = $2";
        let connection = self.connection().await?;
        let row = connection.query_opt("read a projector's position", SQL, &[&ledger.get(), &NAME]).await?;
        row.map_or(Ok(0), |row| columns::unsigned(&row, 0))
    }

    /// Adds what the events from one position up to another say, and moves the position with it.
    ///
    /// [`StoreError::Conflict`] if another projector has moved the position: read it again.
    pub async fn insert_signatures(
        &self,
        ledger: LedgerId,
        rows: &[SignatureRow],
        from: u64,
        to: u64,
    ) -> Result<(), StoreError> {
        if from >= to || rows.iter().any(|row| row.seq < from || row.seq >= to) {
            return Err(StoreError::fault("a signature's row outside the events it was made from"));
        }
        let connection = self.connection().await?;
        connection.begin().await?;
        if !move_position(&connection, ledger, from, to).await? {
            connection.rollback().await?;
            return Err(StoreError::conflict("another projector was here"));
        }
        insert(&connection, ledger, rows).await?;
        connection.commit().await
    }

    /// Rows from a seq on, in order, at most [`MAX_PAGE`].
    pub async fn signatures_page(
        &self,
        ledger: LedgerId,
        from: u64,
        limit: usize,
    ) -> Result<Vec<SignatureRow>, StoreError> {
        const SQL: &str = "SELECT seq, authorized_seq, slot, key, digest, outcome, caller, time FROM p_signatures \
             WHERE ledger_id = $1 AND seq >= $2 ORDER BY seq LIMIT $3";
        let (from, limit) = (signed(from)?, signed(limit.clamp(1, MAX_PAGE) as u64)?);
        let connection = self.connection().await?;
        let rows = connection.query("read signatures", SQL, &[&ledger.get(), &from, &limit]).await?;
        rows.iter().map(SignatureRow::columns).collect()
    }

    /// Empties the projection of a ledger and sets the projector back to its start, for a rebuild.
    pub async fn reset_signatures(&self, ledger: LedgerId) -> Result<(), StoreError> {
        const DOING: &str = "reset the signatures' projection";
        let connection = self.connection().await?;
        connection.begin().await?;
        // The position first: a projector at work waits for it, and then finds it moved.
        const POSITION: &str = "DELETE FROM projection_positions WHERE ledger_id = $1 AND name = $2";
        connection.execute(DOING, POSITION, &[&ledger.get(), &NAME]).await?;
        connection.execute(DOING, "DELETE FROM p_signatures WHERE ledger_id = $1", &[&ledger.get()]).await?;
        connection.commit().await
    }
}

impl SignatureRow {
    /// Reads `seq, authorized_seq, slot, key, digest, outcome, caller, time`.
    fn columns(row: &Row) -> Result<Self, StoreError> {
        let slot: &str = columns::get(row, 2)?;
        Ok(Self {
            seq: columns::unsigned(row, 0)?,
            authorized_seq: columns::unsigned(row, 1)?,
            slot: slot
                .parse()
                .map_err(|_| StoreError::corruption("a projection holds a name that is none"))?,
            key: columns::get::<Uuid>(row, 3)?.into(),
            digest: columns::get(row, 4)?,
            outcome: Outcome::from_number(columns::get(row, 5)?)
                .ok_or_else(|| StoreError::corruption("an outcome that does not exist"))?,
            caller: columns::get(row, 6)?,
            time: columns::time(row, 7)?,
        })
    }
}

/// Moves the position by compare-and-swap; a position of zero is no row.
async fn move_position(
    connection: &Connection,
    ledger: LedgerId,
    from: u64,
    to: u64,
) -> Result<bool, StoreError> {
    const DOING: &str = "move a projector's position";
    const FIRST: &str = "INSERT INTO projection_positions (ledger_id, name, position) VALUES ($1, $2, $3) \
         ON CONFLICT (ledger_id, name) DO NOTHING";
    const NEXT: &str = "UPDATE projection_positions SET position = $3 \
         WHERE ledger_id = $1 AND name = $2 AND position = $4";
    let (id, to) = (ledger.get(), signed(to)?);
    let moved = if from == 0 {
        connection.execute(DOING, FIRST, &[&id, &NAME, &to]).await?
    } else {
        connection.execute(DOING, NEXT, &[&id, &NAME, &to, &signed(from)?]).await?
    };
    Ok(moved == 1)
}

async fn insert(connection: &Connection, ledger: LedgerId, rows: &[SignatureRow]) -> Result<(), StoreError> {
    const SQL: &str = "INSERT INTO p_signatures \
             (ledger_id, seq, authorized_seq, slot, key, digest, outcome, caller, time) \
         SELECT $1, n.* FROM UNNEST($2::bigint[], $3::bigint[], $4::text[], $5::uuid[], $6::bytea[], $7::smallint[], \
             $8::text[], $9::timestamptz[]) AS n";
    if rows.is_empty() {
        return Ok(());
    }
    let seqs = rows.iter().map(|r| signed(r.seq)).collect::<Result<Vec<_>, _>>()?;
    let authorized = rows.iter().map(|r| signed(r.authorized_seq)).collect::<Result<Vec<_>, _>>()?;
    let slots: Vec<&str> = rows.iter().map(|r| r.slot.as_str()).collect();
    let keys: Vec<Uuid> = rows.iter().map(|r| r.key.uuid()).collect();
    let digests: Vec<&[u8]> = rows.iter().map(|r| r.digest.as_slice()).collect();
    let outcomes: Vec<i16> = rows.iter().map(|r| r.outcome.number()).collect();
    let callers: Vec<&str> = rows.iter().map(|r| r.caller.as_str()).collect();
    let times: Vec<PgTime> = rows.iter().map(|r| PgTime(r.time)).collect();
    connection
        .execute(
            "insert signatures",
            SQL,
            &[&ledger.get(), &seqs, &authorized, &slots, &keys, &digests, &outcomes, &callers, &times],
        )
        .await
        .map(drop)
}
