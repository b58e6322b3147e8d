//! The one way into a ledger: a round over one or more ledgers, committed as one transaction (ARCHITECTURE decision 4).
//!
//! A round is a chain of types, so that nothing can be committed after a statement failed:
//! [`Store::begin_round`] → [`Round::insert`] → [`Inserted::commit`]. Dropping either of them rolls back.

use sealbook_ledger::encoding::Hash;
use sealbook_ledger::timestamp::Timestamp;
use std::collections::HashMap;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::columns::{self, PgTime, signed};
use super::connection::Connection;
use super::error::StoreError;
use super::projections::{self, ProjectionRow};
use super::rows::{AttachmentRow, DisclosureRow, EventRow, Head, IdempotencyRow, LedgerId, StoredEvent};
use super::{Store, load};

/// Most events of a round. At 64 KiB each they still fit a statement, which Postgres limits to 1 GiB.
pub const MAX_EVENTS: usize = 10_000;

/// Heads are locked in one order by everybody, so that rounds that share ledgers wait for each other and never deadlock.
/// The clock of each row is read after its lock was granted, the last row's after all.
const LOCK_HEADS: &str = "WITH locked AS MATERIALIZED (SELECT ledger_id, size, hash, root, end_offset FROM heads \
         WHERE ledger_id = ANY($1) ORDER BY ledger_id FOR UPDATE) \
     SELECT ledger_id, size, hash, root, end_offset, clock_timestamp() FROM locked";

/// A move of one head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Advance {
    /// What the head has to be still.
    pub expected: Head,
    /// What it becomes.
    pub new: Head,
}

/// Everything that a round writes.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// The moves of the heads, one a ledger.
    pub heads: Vec<Advance>,
    /// The events, each ledger's in order of seq.
    pub events: Vec<EventRow>,
    /// The clear texts of fields that the events hold as digests.
    pub disclosures: Vec<DisclosureRow>,
    /// Bytes that the events refer to. Bytes a ledger already has are not stored twice.
    pub attachments: Vec<AttachmentRow>,
    /// The callers' idempotency keys.
    pub idempotency: Vec<IdempotencyRow>,
    /// Changes of the low-volume projections; where one row changes twice, the later one counts.
    pub projections: Vec<ProjectionRow>,
}

impl Batch {
    /// Holds the events against the moves of the heads: contiguous, with the right offsets, ending where the head does.
    fn check(&self) -> Result<(), StoreError> {
        if self.events.len() > MAX_EVENTS {
            return Err(StoreError::fault("a round of too many events"));
        }
        let mut ends: HashMap<LedgerId, (u64, Hash, u64)> = HashMap::with_capacity(self.heads.len());
        for Advance { expected, new } in &self.heads {
            let start = (expected.size, expected.hash, expected.end_offset);
            if expected.ledger != new.ledger || ends.insert(new.ledger, start).is_some() {
                return Err(StoreError::fault("a round that moves a head twice or to another ledger"));
            }
        }
        for event in &self.events {
            let Some((size, hash, end_offset)) = ends.get_mut(&event.ledger) else {
                return Err(StoreError::fault("an event of a ledger whose head does not move"));
            };
            // One more for the line feed after each event in a bundle.
            *end_offset += event.bytes.len() as u64 + 1;
            if event.seq != *size || event.end_offset != *end_offset {
                return Err(StoreError::fault("an event that does not follow the one before it"));
            }
            *size += 1;
            *hash = event.hash;
        }
        for Advance { new, .. } in &self.heads {
            if ends.get(&new.ledger) != Some(&(new.size, new.hash, new.end_offset)) {
                return Err(StoreError::fault("a head that is not where its events end"));
            }
        }
        Ok(())
    }
}

/// An open round: its ledgers' heads are locked until it is committed or dropped.
pub struct Round {
    connection: Connection,
    heads: Vec<Head>,
    headless: Vec<LedgerId>,
    clock: Timestamp,
}

impl Store {
    /// Opens a round: one transaction that holds the locks on the heads of these ledgers.
    ///
    /// Nothing slow belongs between this and the commit: no device call, no verification of a signature.
    pub async fn begin_round(&self, ledgers: &[LedgerId]) -> Result<Round, StoreError> {
        const DOING: &str = "lock the heads";
        let mut ids: Vec<i64> = ledgers.iter().map(|id| id.get()).collect();
        ids.sort_unstable();
        ids.dedup();
        let connection = self.connection().await?;
        // Sent in one go, in this order. Where the first fails alone the locks are gone with their statement, and the round
        // with the first one's error.
        let params: [&(dyn ToSql + Sync); 1] = [&ids];
        let lock = connection.query(DOING, LOCK_HEADS, &params);
        let ((), rows) = futures_util::try_join!(connection.begin(), lock)?;
        let heads = rows.iter().map(Head::columns).collect::<Result<Vec<_>, _>>()?;
        let mut headless = ledgers.to_vec();
        headless.retain(|ledger| heads.iter().all(|head| head.ledger != *ledger));
        let clock = match rows.last() {
            Some(row) => columns::time(row, 5)?,
            None => load::clock(&connection).await?,
        };
        Ok(Round { connection, heads, headless, clock })
    }
}

impl Round {
    /// The heads as they are while the round lasts, in order of ledger id.
    pub fn heads(&self) -> &[Head] {
        &self.heads
    }

    /// Ledgers of the round that have no head: somebody took it away.
    pub fn headless(&self) -> &[LedgerId] {
        &self.headless
    }

    /// The database server's clock, read after the locks were granted.
    pub fn clock(&self) -> Timestamp {
        self.clock
    }

    /// Events that another server appended, read under the lock: at most [`load::MAX_PAGE`].
    pub async fn page(
        &self,
        ledger: LedgerId,
        from: u64,
        limit: usize,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        load::page_on(&self.connection, ledger, from, limit).await
    }

    /// What these idempotency keys stood for, where they have been used.
    pub async fn find_idempotent(
        &self,
        keys: &[(LedgerId, Hash)],
    ) -> Result<Vec<IdempotencyRow>, StoreError> {
        find_idempotent_on(&self.connection, keys).await
    }

    /// Ends the round without a trace and gives the connection back.
    pub async fn rollback(self) -> Result<(), StoreError> {
        self.connection.rollback().await
    }

    /// Writes the whole batch and moves the heads by compare-and-swap.
    ///
    /// [`StoreError::Conflict`] if a head is not what was expected. On any error the round is over and left no trace.
    pub async fn insert(self, batch: &Batch) -> Result<Inserted, StoreError> {
        batch.check()?;
        match write(&self.connection, batch).await {
            Ok(()) => Ok(Inserted { connection: self.connection }),
            Err(error) => {
                self.connection.abandon().await;
                Err(error)
            }
        }
    }
}

/// A round whose rows are in and whose heads have moved, but for the commit.
pub struct Inserted {
    connection: Connection,
}

impl Inserted {
    /// The commit point: when this returns, the events are durable.
    ///
    /// [`StoreError::CommitUnknown`] leaves the outcome open: read the heads again.
    pub async fn commit(self) -> Result<(), StoreError> {
        self.connection.commit().await
    }
}

/// Sends every statement before the first answer: they run in this order, and the first to fail fails all.
async fn write(connection: &Connection, batch: &Batch) -> Result<(), StoreError> {
    StoreError::of_all(
        futures_util::join!(
            move_heads(connection, &batch.heads),
            insert_events(connection, &batch.events),
            insert_disclosures(connection, &batch.disclosures),
            insert_attachments(connection, &batch.attachments),
            insert_idempotency(connection, &batch.idempotency),
            projections::upsert(connection, &batch.projections),
        )
        .into(),
    )
}

async fn move_heads(connection: &Connection, heads: &[Advance]) -> Result<(), StoreError> {
    const SQL: &str = "UPDATE heads h \
         SET size = n.size, hash = n.hash, root = n.root, end_offset = n.end_offset \
         FROM UNNEST($1::bigint[], $2::bigint[], $3::bytea[], $4::bytea[], $5::bigint[], $6::bytea[], $7::bytea[], \
             $8::bigint[]) AS n (ledger_id, old_size, old_hash, old_root, size, hash, root, end_offset) \
         WHERE h.ledger_id = n.ledger_id AND h.size = n.old_size AND h.hash = n.old_hash AND h.root = n.old_root";
    let sizes = |of: fn(&Advance) -> u64| heads.iter().map(|a| signed(of(a))).collect::<Result<Vec<_>, _>>();
    let hashes = |of: fn(&Advance) -> &Hash| heads.iter().map(|a| of(a).0.as_slice()).collect::<Vec<_>>();
    let ledgers: Vec<i64> = heads.iter().map(|a| a.expected.ledger.get()).collect();
    let (old_size, old_hash) = (sizes(|a| a.expected.size)?, hashes(|a| &a.expected.hash));
    let (size, hash) = (sizes(|a| a.new.size)?, hashes(|a| &a.new.hash));
    let (old_root, root) = (hashes(|a| &a.expected.root), hashes(|a| &a.new.root));
    let end_offset = sizes(|a| a.new.end_offset)?;
    let params: [&(dyn ToSql + Sync); 8] =
        [&ledgers, &old_size, &old_hash, &old_root, &size, &hash, &root, &end_offset];
    if connection.execute("move the heads", SQL, &params).await? == heads.len() as u64 {
        Ok(())
    } else {
        Err(StoreError::conflict("a ledger's head has moved"))
    }
}

async fn insert_events(connection: &Connection, events: &[EventRow]) -> Result<(), StoreError> {
    const SQL: &str = "INSERT INTO events (ledger_id, seq, hash, end_offset, time, type, bytes) \
         SELECT * FROM UNNEST($1::bigint[], $2::bigint[], $3::bytea[], $4::bigint[], $5::timestamptz[], \
             $6::text[], $7::bytea[])";
    if events.is_empty() {
        return Ok(());
    }
    let ledgers: Vec<i64> = events.iter().map(|e| e.ledger.get()).collect();
    let seqs = events.iter().map(|e| signed(e.seq)).collect::<Result<Vec<_>, _>>()?;
    let hashes: Vec<&[u8]> = events.iter().map(|e| e.hash.0.as_slice()).collect();
    let offsets = events.iter().map(|e| signed(e.end_offset)).collect::<Result<Vec<_>, _>>()?;
    let times: Vec<PgTime> = events.iter().map(|e| PgTime(e.time)).collect();
    let kinds: Vec<&str> = events.iter().map(|e| e.kind.as_str()).collect();
    let bytes: Vec<&[u8]> = events.iter().map(|e| e.bytes.as_slice()).collect();
    connection
        .execute("insert events", SQL, &[&ledgers, &seqs, &hashes, &offsets, &times, &kinds, &bytes])
        .await
        .map(drop)
}

async fn insert_disclosures(connection: &Connection, rows: &[DisclosureRow]) -> Result<(), StoreError> {
    const SQL: &str = "INSERT INTO disclosures (ledger_id, seq, name, salt, value) \
         SELECT * FROM UNNEST($1::bigint[], $2::bigint[], $3::text[], $4::bytea[], $5::bytea[])";
    if rows.is_empty() {
        return Ok(());
    }
    let ledgers: Vec<i64> = rows.iter().map(|r| r.ledger.get()).collect();
    let seqs = rows.iter().map(|r| signed(r.seq)).collect::<Result<Vec<_>, _>>()?;
    let names: Vec<&str> = rows.iter().map(|r| r.name.as_str()).collect();
    let salts: Vec<&[u8]> = rows.iter().map(|r| r.salt.as_slice()).collect();
    let values: Vec<&[u8]> = rows.iter().map(|r| r.value.as_bytes()).collect();
    connection.execute("insert disclosures", SQL, &[&ledgers, &seqs, &names, &salts, &values]).await.map(drop)
}

async fn insert_attachments(connection: &Connection, rows: &[AttachmentRow]) -> Result<(), StoreError> {
    // The same bytes may be referred to often; the first reference stays the row's.
    const SQL: &str = "INSERT INTO attachments (ledger_id, sha256, seq, media_type, size, bytes) \
         SELECT * FROM UNNEST($1::bigint[], $2::bytea[], $3::bigint[], $4::text[], $5::bigint[], $6::bytea[]) \
         ON CONFLICT (ledger_id, sha256) DO NOTHING";
    if rows.is_empty() {
        return Ok(());
    }
    let ledgers: Vec<i64> = rows.iter().map(|r| r.ledger.get()).collect();
    let digests: Vec<&[u8]> = rows.iter().map(|r| r.sha256.0.as_slice()).collect();
    let seqs = rows.iter().map(|r| signed(r.seq)).collect::<Result<Vec<_>, _>>()?;
    let media_types: Vec<&str> = rows.iter().map(|r| r.media_type.as_str()).collect();
    let sizes = rows.iter().map(|r| signed(r.bytes.len() as u64)).collect::<Result<Vec<_>, _>>()?;
    let bytes: Vec<&[u8]> = rows.iter().map(|r| r.bytes.as_slice()).collect();
    connection
        .execute("insert attachments", SQL, &[&ledgers, &digests, &seqs, &media_types, &sizes, &bytes])
        .await
        .map(drop)
}

async fn insert_idempotency(connection: &Connection, rows: &[IdempotencyRow]) -> Result<(), StoreError> {
    const SQL: &str = "INSERT INTO idempotency (ledger_id, key_hash, body_hash, correlation, seq) \
         SELECT * FROM UNNEST($1::bigint[], $2::bytea[], $3::bytea[], $4::uuid[], $5::bigint[])";
    if rows.is_empty() {
        return Ok(());
    }
    let ledgers: Vec<i64> = rows.iter().map(|r| r.ledger.get()).collect();
    let keys: Vec<&[u8]> = rows.iter().map(|r| r.key_hash.0.as_slice()).collect();
    let bodies: Vec<&[u8]> = rows.iter().map(|r| r.body_hash.0.as_slice()).collect();
    let correlations: Vec<Uuid> = rows.iter().map(|r| r.correlation).collect();
    let seqs = rows.iter().map(|r| signed(r.seq)).collect::<Result<Vec<_>, _>>()?;
    connection
        .execute("insert idempotency keys", SQL, &[&ledgers, &keys, &bodies, &correlations, &seqs])
        .await
        .map(drop)
}

/// Finds idempotency keys on any connection.
pub(super) async fn find_idempotent_on(
    connection: &Connection,
    keys: &[(LedgerId, Hash)],
) -> Result<Vec<IdempotencyRow>, StoreError> {
    const SQL: &str = "SELECT i.ledger_id, i.key_hash, i.body_hash, i.correlation, i.seq \
         FROM UNNEST($1::bigint[], $2::bytea[]) AS k (ledger_id, key_hash) \
         JOIN idempotency i ON i.ledger_id = k.ledger_id AND i.key_hash = k.key_hash";
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let ledgers: Vec<i64> = keys.iter().map(|(ledger, _)| ledger.get()).collect();
    let hashes: Vec<&[u8]> = keys.iter().map(|(_, hash)| hash.0.as_slice()).collect();
    let rows = connection.query("look up idempotency keys", SQL, &[&ledgers, &hashes]).await?;
    rows.iter()
        .map(|row| {
            Ok(IdempotencyRow {
                ledger: LedgerId::column(row, 0)?,
                key_hash: columns::hash(row, 1)?,
                body_hash: columns::hash(row, 2)?,
                correlation: columns::get(row, 3)?,
                seq: columns::unsigned(row, 4)?,
            })
        })
        .collect()
}
