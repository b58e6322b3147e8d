//! The signatures' projection: insert-only rows, written behind the ledger by a projector that keeps its position.

use std::collections::BTreeMap;

use sealbook_ledger::ids::{KeyId, SlotName};
use sealbook_ledger::timestamp::Timestamp;
use tokio_postgres::Row;
use uuid::Uuid;

use super::Store;
use super::columns::{self, PgTime, signed};
use super::connection::Connection;
use super::error::StoreError;
use super::load::MAX_PAGE;
use super::rows::{LedgerId, StoredEvent};

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

/// A slot's signatures of one day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignatureDay {
    /// Its first moment, in UTC.
    pub day: Timestamp,
    /// Signed and released.
    pub created: u64,
    /// Failed, withheld or abandoned.
    pub missed: u64,
}

impl Store {
    /// How many events of a ledger the projector has worked through.
    pub async fn signatures_position(&self, ledger: LedgerId) -> Result<u64, StoreError> {
        const SQL: &str = "SELECT position FROM projection_positions WHERE ledger_id = $1 AND name = $2";
        let connection = self.connection().await?;
        let row = connection.query_opt("read a projector's position", SQL, &[&ledger.get(), &NAME]).await?;
        row.map_or(Ok(0), |row| columns::unsigned(&row, 0))
    }

    /// The events about signatures among those from `from` to before `to`, which are at most [`MAX_PAGE`] seqs, in order; and
    /// the last of these seqs, whatever it is about: where it is missing, so may others be.
    pub async fn signature_events(
        &self,
        ledger: LedgerId,
        from: u64,
        to: u64,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        const SQL: &str = "SELECT seq, hash, end_offset, type, bytes FROM events \
             WHERE ledger_id = $1 AND seq >= $2 AND seq < $3 \
                 AND (type LIKE 'signature.%' OR seq = $3 - 1) ORDER BY seq";
        let to = to.min(from.saturating_add(MAX_PAGE as u64));
        self.chosen_events("read events of signatures", SQL, ledger, from..to).await
    }

    /// Whether any of the events from `from` to before `to` is about a signature.
    pub async fn has_signature_events(
        &self,
        ledger: LedgerId,
        from: u64,
        to: u64,
    ) -> Result<bool, StoreError> {
        const SQL: &str = "SELECT seq, hash, end_offset, type, bytes FROM events \
             WHERE ledger_id = $1 AND seq >= $2 AND seq < $3 AND type LIKE 'signature.%' LIMIT 1";
        let found = self.chosen_events("look for signatures", SQL, ledger, from..to).await?;
        Ok(!found.is_empty())
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
        count(&connection, ledger, rows).await?;
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

    /// The newest rows of a slot, newest first, at most [`MAX_PAGE`]; below a seq, if one is given.
    pub async fn signatures_of_slot(
        &self,
        ledger: LedgerId,
        slot: &SlotName,
        below: Option<u64>,
        limit: usize,
    ) -> Result<Vec<SignatureRow>, StoreError> {
        const SQL: &str = "SELECT seq, authorized_seq, slot, key, digest, outcome, caller, time FROM p_signatures \
             WHERE ledger_id = $1 AND slot = $2 AND seq < $3 ORDER BY seq DESC LIMIT $4";
        let below = below.map_or(Ok(i64::MAX), signed)?;
        let limit = signed(limit.clamp(1, MAX_PAGE) as u64)?;
        let connection = self.connection().await?;
        let rows = connection
            .query("read a slot's signatures", SQL, &[&ledger.get(), &slot.as_str(), &below, &limit])
            .await?;
        rows.iter().map(SignatureRow::columns).collect()
    }

    /// When each slot was used last, of those that ever were: one look into the index a slot.
    pub async fn last_uses(
        &self,
        ledger: LedgerId,
        slots: &[&SlotName],
    ) -> Result<BTreeMap<String, Timestamp>, StoreError> {
        const SQL: &str = "SELECT s.slot, p.time FROM UNNEST($2::text[]) AS s (slot) CROSS JOIN LATERAL \
             (SELECT time FROM p_signatures WHERE ledger_id = $1 AND slot = s.slot ORDER BY seq DESC LIMIT 1) p";
        let slots: Vec<&str> = slots.iter().map(|slot| slot.as_str()).collect();
        let connection = self.connection().await?;
        let rows = connection.query("read last uses", SQL, &[&ledger.get(), &slots]).await?;
        rows.iter().map(|row| Ok((columns::get(row, 0)?, columns::time(row, 1)?))).collect()
    }

    /// What became of a slot's signatures on each UTC day since a moment's, in order; days without any are left out.
    pub async fn signature_days(
        &self,
        ledger: LedgerId,
        slot: &SlotName,
        since: Timestamp,
    ) -> Result<Vec<SignatureDay>, StoreError> {
        const SQL: &str = "SELECT day::timestamp AT TIME ZONE 'UTC', created, missed FROM p_signature_days \
             WHERE ledger_id = $1 AND slot = $2 AND day >= ($3::timestamptz AT TIME ZONE 'UTC')::date ORDER BY day";
        let connection = self.connection().await?;
        let rows = connection
            .query("read a slot's days", SQL, &[&ledger.get(), &slot.as_str(), &PgTime(since)])
            .await?;
        let day = |row: &Row| {
            Ok(SignatureDay {
                day: columns::time(row, 0)?,
                created: columns::unsigned(row, 1)?,
                missed: columns::unsigned(row, 2)?,
            })
        };
        rows.iter().map(day).collect()
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
        const DAYS: &str = "DELETE FROM p_signature_days WHERE ledger_id = $1";
        connection.execute(DOING, DAYS, &[&ledger.get()]).await?;
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

/// Adds the outcomes among some rows to the counts of their slots and UTC days.
async fn count(connection: &Connection, ledger: LedgerId, rows: &[SignatureRow]) -> Result<(), StoreError> {
    const SQL: &str = "INSERT INTO p_signature_days AS d (ledger_id, slot, day, created, missed) \
         SELECT $1, n.slot, (n.time AT TIME ZONE 'UTC')::date, \
             count(*) FILTER (WHERE n.outcome = 1), count(*) FILTER (WHERE n.outcome > 1) \
         FROM UNNEST($2::text[], $3::smallint[], $4::timestamptz[]) AS n (slot, outcome, time) GROUP BY 2, 3 \
         ON CONFLICT (ledger_id, slot, day) \
         DO UPDATE SET created = d.created + EXCLUDED.created, missed = d.missed + EXCLUDED.missed";
    let ended: Vec<&SignatureRow> = rows.iter().filter(|row| row.outcome != Outcome::Authorized).collect();
    if ended.is_empty() {
        return Ok(());
    }
    let slots: Vec<&str> = ended.iter().map(|r| r.slot.as_str()).collect();
    let outcomes: Vec<i16> = ended.iter().map(|r| r.outcome.number()).collect();
    let times: Vec<PgTime> = ended.iter().map(|r| PgTime(r.time)).collect();
    let params: [&(dyn tokio_postgres::types::ToSql + Sync); 4] = [&ledger.get(), &slots, &outcomes, &times];
    connection.execute("count signatures", SQL, &params).await.map(drop)
}
