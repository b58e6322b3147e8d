//! The outbox of webhooks: rows that are made with the position of the events they tell of, and leased for delivery.

use std::time::Duration;

use sealbook_ledger::timestamp::Timestamp;
use serde_json::Value;
use tokio_postgres::Row;
use uuid::Uuid;

use super::Store;
use super::columns::{self, signed};
use super::connection::Connection;
use super::error::StoreError;
use super::rows::{LedgerId, StoredEvent};

/// Most events that a follower looks through by one statement.
pub const MAX_LOOK: u64 = 5_000;

/// How long a row that is being delivered is left to whoever took it: longer than a delivery may take.
const LEASE_S: f64 = 30.0;

/// How long a delivery is tried before it is given up.
const LIFE_S: f64 = 24.0 * 3600.0;

/// How long rows are kept that have ended. No action lives longer than 30 days, so one is not called overdue twice.
const KEPT_S: f64 = 31.0 * 24.0 * 3600.0;

/// How long a server stands by a trouble that it reported without saying so again; then others may speak.
const STANDS_BY_S: f64 = 60.0;

/// A notice for one destination, on its way in.
#[derive(Debug, Clone, PartialEq)]
pub struct OutboxRow {
    /// Whose, or [`LedgerId::DEPLOYMENT`].
    pub ledger: LedgerId,
    /// What receivers tell repetitions by.
    pub delivery: Uuid,
    /// The destination's name in the configuration.
    pub destination: String,
    /// What it tells of.
    pub kind: String,
    /// What it says, without anything that is disclosed.
    pub body: Value,
}

/// A row that this server has to deliver before its lease ends.
#[derive(Debug, Clone, PartialEq)]
pub struct Claimed {
    /// The row.
    pub row: OutboxRow,
    /// Which attempt this is, from 1. Whoever claims next has another number, and an answer under this one counts no more.
    pub attempt: u32,
}

/// How a destination does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DestinationCounts {
    /// Rows that wait, or are tried again.
    pub pending: u64,
    /// Rows that arrived, as long as they are kept.
    pub delivered: u64,
    /// Rows that were given up, as long as they are kept.
    pub dead: u64,
    /// The newest attempt.
    pub tried_at: Option<Timestamp>,
    /// What came of it.
    pub outcome: Option<String>,
}

/// What a server sees of a device or a ledger's sealing.
#[derive(Debug, Clone, Copy)]
pub struct Condition<'a> {
    /// Whose, or [`LedgerId::DEPLOYMENT`].
    pub ledger: LedgerId,
    /// What is watched.
    pub subject: &'a str,
    /// 0 well, 1 impaired, 2 out of service.
    pub level: i16,
    /// The server that says it.
    pub reporter: Uuid,
}

impl Store {
    /// Where notices of a ledger were made up to. A ledger that was never followed begins where it stands now: what
    /// lies before is no news.
    pub async fn webhook_position(&self, ledger: LedgerId) -> Result<u64, StoreError> {
        const DOING: &str = "read the position of webhooks";
        const BEGIN: &str = "INSERT INTO webhook_positions (ledger_id, position) \
             SELECT $1, COALESCE((SELECT size FROM heads WHERE ledger_id = $1), 0) \
             ON CONFLICT (ledger_id) DO NOTHING";
        const SQL: &str = "SELECT position FROM webhook_positions WHERE ledger_id = $1";
        let connection = self.connection().await?;
        if let Some(row) = connection.query_opt(DOING, SQL, &[&ledger.get()]).await? {
            return columns::unsigned(&row, 0);
        }
        connection.write(DOING, BEGIN, &[&ledger.get()]).await?;
        let row = connection.query_opt(DOING, SQL, &[&ledger.get()]).await?;
        row.map_or(Err(StoreError::fault("a position that was just written")), |row| {
            columns::unsigned(&row, 0)
        })
    }

    /// The events that notices are made of, among those from `from` to before `to`, in order.
    pub async fn telling_events(
        &self,
        ledger: LedgerId,
        from: u64,
        to: u64,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        const SQL: &str = "SELECT seq, hash, end_offset, type, bytes FROM events \
             WHERE ledger_id = $1 AND seq >= $2 AND seq < $3 AND (type LIKE 'action.%' OR type LIKE 'incident.%' OR type LIKE 'rotation.%' \
             OR type IN ('certificate.revoked', 'slot.rotation_overdue')) ORDER BY seq";
        let to = to.min(from.saturating_add(MAX_LOOK));
        self.chosen_events("read events that are told", SQL, ledger, from..to).await
    }

    /// Enters notices and moves the position from `from` to `to`, both or neither.
    ///
    /// [`StoreError::Conflict`] if another follower has moved it.
    pub async fn follow_webhooks(
        &self,
        ledger: LedgerId,
        rows: &[OutboxRow],
        from: u64,
        to: u64,
    ) -> Result<(), StoreError> {
        const MOVE: &str =
            "UPDATE webhook_positions SET position = $3 WHERE ledger_id = $1 AND position = $2";
        let connection = self.connection().await?;
        connection.begin().await?;
        let params: (i64, i64) = (signed(from)?, signed(to)?);
        let doing = "move the position of webhooks";
        if connection.execute(doing, MOVE, &[&ledger.get(), &params.0, &params.1]).await? != 1 {
            connection.rollback().await?;
            return Err(StoreError::conflict("another follower was here"));
        }
        insert(&connection, rows).await?;
        connection.commit().await
    }

    /// Enters notices; those whose delivery is known already stay as they are.
    pub async fn insert_webhooks(&self, rows: &[OutboxRow]) -> Result<(), StoreError> {
        let connection = self.connection().await?;
        connection.begin().await?;
        insert(&connection, rows).await?;
        connection.commit().await
    }

    /// Notes how something is, and enters `rows` with it if that is news; says whether it was.
    ///
    /// Several servers may see different things. Worse news is taken from anybody; better news only from the server that
    /// reported the trouble, or once that one has said nothing for a minute.
    pub async fn note_condition(
        &self,
        condition: Condition<'_>,
        rows: &[OutboxRow],
    ) -> Result<bool, StoreError> {
        const DOING: &str = "note a condition";
        const FIRST: &str = "INSERT INTO webhook_conditions (ledger_id, subject, level, reporter) \
             VALUES ($1, $2, 0, $3) ON CONFLICT (ledger_id, subject) DO NOTHING";
        const CHANGE: &str = "UPDATE webhook_conditions SET level = $3, reporter = $4, seen_at = now() \
             WHERE ledger_id = $1 AND subject = $2 AND level <> $3 AND (level < $3 OR reporter = $4 \
               OR seen_at < now() - make_interval(secs => $5))";
        const STAND_BY: &str = "UPDATE webhook_conditions SET reporter = $4, seen_at = now() \
             WHERE ledger_id = $1 AND subject = $2 AND level = $3 AND (reporter = $4 \
               OR seen_at < now() - make_interval(secs => $5))";
        let Condition { ledger, subject, level, reporter } = condition;
        let id = ledger.get();
        let connection = self.connection().await?;
        connection.begin().await?;
        if level > 0 {
            connection.execute(DOING, FIRST, &[&id, &subject, &reporter]).await?;
        }
        let params: super::connection::Params<'_> = &[&id, &subject, &level, &reporter, &STANDS_BY_S];
        let changed = connection.execute(DOING, CHANGE, params).await? == 1;
        if changed {
            insert(&connection, rows).await?;
        } else if level > 0 {
            connection.execute(DOING, STAND_BY, params).await?;
        }
        connection.commit().await?;
        Ok(changed)
    }

    /// Which ledgers have something due for a destination.
    pub async fn webhooks_due(&self, destination: &str) -> Result<Vec<LedgerId>, StoreError> {
        const SQL: &str = "SELECT DISTINCT ledger_id FROM webhook_outbox \
             WHERE destination = $1 AND state = 0 AND next_at <= now()";
        let connection = self.connection().await?;
        let rows = connection.query("look for webhooks that are due", SQL, &[&destination]).await?;
        rows.iter().map(|row| LedgerId::column(row, 0)).collect()
    }

    /// Takes what is due, the oldest first. No other server gets the same rows before the lease has ended.
    pub async fn claim_webhooks(
        &self,
        ledger: LedgerId,
        destination: &str,
        limit: usize,
    ) -> Result<Vec<Claimed>, StoreError> {
        const SQL: &str = "WITH due AS (SELECT delivery FROM webhook_outbox \
                 WHERE ledger_id = $1 AND destination = $2 AND state = 0 AND next_at <= now() \
                 ORDER BY next_at LIMIT $3 FOR UPDATE SKIP LOCKED) \
             UPDATE webhook_outbox o SET attempts = attempts + 1, tried_at = now(), \
                 next_at = now() + make_interval(secs => $4) \
             FROM due WHERE o.ledger_id = $1 AND o.delivery = due.delivery \
             RETURNING o.delivery, o.kind, o.body, o.attempts";
        let limit = signed(limit as u64)?;
        let connection = self.connection().await?;
        connection.begin().await?;
        let params: super::connection::Params<'_> = &[&ledger.get(), &destination, &limit, &LEASE_S];
        let rows = connection.query("claim webhooks", SQL, params).await?;
        connection.commit().await?;
        rows.iter().map(|row| Claimed::columns(ledger, destination, row)).collect()
    }

    /// Notes that a row has arrived.
    pub async fn settle_webhook(&self, claimed: &Claimed, outcome: &str) -> Result<(), StoreError> {
        const SQL: &str = "UPDATE webhook_outbox SET state = 1, outcome = $4, ended_at = now() \
             WHERE ledger_id = $1 AND delivery = $2 AND attempts = $3 AND state = 0";
        let (id, attempt) = (claimed.row.ledger.get(), attempts(claimed)?);
        let connection = self.connection().await?;
        connection
            .write("settle a webhook", SQL, &[&id, &claimed.row.delivery, &attempt, &outcome])
            .await
            .map(drop)
    }

    /// Notes that a row did not arrive: it is tried again after `pause`, or given up if that is beyond its day.
    pub async fn put_off_webhook(
        &self,
        claimed: &Claimed,
        outcome: &str,
        pause: Duration,
    ) -> Result<(), StoreError> {
        const SQL: &str = "UPDATE webhook_outbox SET outcome = $4, next_at = now() + make_interval(secs => $5), \
                 state = CASE WHEN now() + make_interval(secs => $5) < created_at + make_interval(secs => $6) \
                     THEN 0 ELSE 2 END, \
                 ended_at = CASE WHEN now() + make_interval(secs => $5) < created_at + make_interval(secs => $6) \
                     THEN NULL ELSE now() END \
             WHERE ledger_id = $1 AND delivery = $2 AND attempts = $3 AND state = 0";
        let (id, attempt, pause) = (claimed.row.ledger.get(), attempts(claimed)?, pause.as_secs_f64());
        let params: super::connection::Params<'_> =
            &[&id, &claimed.row.delivery, &attempt, &outcome, &pause, &LIFE_S];
        self.connection().await?.write("put a webhook off", SQL, params).await.map(drop)
    }

    /// Gives up what has been due for a day, also for destinations that nobody has any more, and deletes what ended long
    /// ago.
    pub async fn tidy_webhooks(&self) -> Result<(), StoreError> {
        const BURY: &str = "UPDATE webhook_outbox SET state = 2, ended_at = now(), \
                 outcome = COALESCE(outcome, 'never tried') \
             WHERE state = 0 AND created_at < now() - make_interval(secs => $1) AND next_at <= now()";
        const FORGET: &str = "DELETE FROM webhook_outbox \
             WHERE state <> 0 AND ended_at < now() - make_interval(secs => $1)";
        let connection = self.connection().await?;
        // A row gets a last attempt at the end of its day: an hour more than the longest pause.
        connection.write("give webhooks up", BURY, &[&(LIFE_S + 2.0 * 3600.0)]).await?;
        connection.write("delete old webhooks", FORGET, &[&KEPT_S]).await.map(drop)
    }

    /// How many rows of a destination wait, and how many were given up: what is counted all the time.
    pub async fn webhook_backlog(&self, destination: &str) -> Result<(u64, u64), StoreError> {
        const SQL: &str = "SELECT \
             (SELECT count(*) FROM webhook_outbox WHERE destination = $1 AND state = 0), \
             (SELECT count(*) FROM webhook_outbox WHERE destination = $1 AND state = 2)";
        let connection = self.connection().await?;
        let row = connection.query_opt("count webhooks", SQL, &[&destination]).await?;
        let row = row.ok_or_else(|| StoreError::fault("a count without a row"))?;
        Ok((columns::unsigned(&row, 0)?, columns::unsigned(&row, 1)?))
    }

    /// How a destination does, in one ledger or over all of them.
    pub async fn webhook_counts(
        &self,
        destination: &str,
        ledger: Option<LedgerId>,
    ) -> Result<DestinationCounts, StoreError> {
        const COUNTS: &str = "SELECT count(*) FILTER (WHERE state = 0), count(*) FILTER (WHERE state = 1), \
                 count(*) FILTER (WHERE state = 2) FROM webhook_outbox \
             WHERE destination = $1 AND ($2::bigint IS NULL OR ledger_id = $2)";
        const LAST: &str = "SELECT tried_at, outcome FROM webhook_outbox \
             WHERE destination = $1 AND ($2::bigint IS NULL OR ledger_id = $2) AND outcome IS NOT NULL \
               AND tried_at IS NOT NULL ORDER BY tried_at DESC LIMIT 1";
        let ledger = ledger.map(LedgerId::get);
        let connection = self.connection().await?;
        let counts = connection.query_opt("count webhooks", COUNTS, &[&destination, &ledger]).await?;
        let counts = counts.ok_or_else(|| StoreError::fault("a count without a row"))?;
        let last = connection.query_opt("read the last webhook", LAST, &[&destination, &ledger]).await?;
        Ok(DestinationCounts {
            pending: columns::unsigned(&counts, 0)?,
            delivered: columns::unsigned(&counts, 1)?,
            dead: columns::unsigned(&counts, 2)?,
            tried_at: last.as_ref().map(|row| columns::time(row, 0)).transpose()?,
            outcome: last.as_ref().map(|row| columns::get(row, 1)).transpose()?,
        })
    }
}

impl Claimed {
    /// Reads `delivery, kind, body, attempts`.
    fn columns(ledger: LedgerId, destination: &str, row: &Row) -> Result<Self, StoreError> {
        let attempt = columns::get::<i32>(row, 3)?;
        Ok(Self {
            row: OutboxRow {
                ledger,
                delivery: columns::get(row, 0)?,
                destination: destination.to_owned(),
                kind: columns::get(row, 1)?,
                body: columns::get(row, 2)?,
            },
            attempt: u32::try_from(attempt).map_err(|_| StoreError::corruption("a negative count"))?,
        })
    }
}

fn attempts(claimed: &Claimed) -> Result<i32, StoreError> {
    i32::try_from(claimed.attempt).map_err(|_| StoreError::fault("attempts beyond 2^31"))
}

/// Enters notices in the open transaction.
async fn insert(connection: &Connection, rows: &[OutboxRow]) -> Result<(), StoreError> {
    const SQL: &str = "INSERT INTO webhook_outbox (ledger_id, delivery, destination, kind, body) \
         SELECT * FROM UNNEST($1::bigint[], $2::uuid[], $3::text[], $4::text[], $5::json[]) \
         ON CONFLICT (ledger_id, delivery) DO NOTHING";
    if rows.is_empty() {
        return Ok(());
    }
    let ledgers: Vec<i64> = rows.iter().map(|row| row.ledger.get()).collect();
    let deliveries: Vec<Uuid> = rows.iter().map(|row| row.delivery).collect();
    let destinations: Vec<&str> = rows.iter().map(|row| row.destination.as_str()).collect();
    let kinds: Vec<&str> = rows.iter().map(|row| row.kind.as_str()).collect();
    let bodies: Vec<&Value> = rows.iter().map(|row| &row.body).collect();
    let params: super::connection::Params<'_> = &[&ledgers, &deliveries, &destinations, &kinds, &bodies];
    connection.execute("insert webhooks", SQL, params).await.map(drop)
}
