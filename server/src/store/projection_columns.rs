//! The projections' tables, column by column.

use std::str::FromStr;

use sealbook_ledger::ids::{ActionId, KeyId, MemberId, ServiceId, SlotName};
use serde_json::Value;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::columns::{get, optional_hash, signed, unsigned};
use super::connection::Connection;
use super::error::StoreError;
use super::projections::{ActionRow, KeyRow, ProjectionRow, StatusRow};
use super::rows::{Head, LedgerId};

const WRITING: &str = "write a projection";
const READING: &str = "read a projection";

/// Whether a head is read with a lock that keeps appends away.
pub(super) enum HeadLock {
    None,
    ForUpdate,
}

/// The head of a ledger, inside a transaction.
pub(super) async fn head(
    connection: &Connection,
    ledger: LedgerId,
    lock: HeadLock,
) -> Result<Head, StoreError> {
    let sql = match lock {
        HeadLock::None => "SELECT ledger_id, size, hash, root, end_offset FROM heads WHERE ledger_id = $1",
        HeadLock::ForUpdate => {
            "SELECT ledger_id, size, hash, root, end_offset FROM heads WHERE ledger_id = $1 FOR UPDATE"
        }
    };
    let row = connection.query_opt("read a head", sql, &[&ledger.get()]).await?;
    Head::columns(&row.ok_or_else(|| StoreError::corruption("a ledger without a head"))?)
}

/// One column of many rows.
fn column<'a, R, T>(rows: &[&'a R], of: impl Fn(&'a R) -> T) -> Vec<T> {
    rows.iter().map(|row| of(row)).collect()
}

/// One column of sizes or seqs.
fn seqs<R>(rows: &[&R], of: impl Fn(&R) -> u64) -> Result<Vec<i64>, StoreError> {
    rows.iter().map(|row| signed(of(row))).collect()
}

/// A name that was valid when it was written.
fn name<T: FromStr>(row: &Row, index: usize) -> Result<T, StoreError> {
    let text: &str = get(row, index)?;
    text.parse().map_err(|_| StoreError::corruption("a projection holds a name that is none"))
}

pub(super) async fn upsert_actions(connection: &Connection, rows: &[&ActionRow]) -> Result<(), StoreError> {
    const SQL: &str = "INSERT INTO p_actions \
             (ledger_id, action, type, status, proposed_by, proposed_seq, last_seq, document) \
         SELECT a, b, c, d, e, f, g, h::json FROM UNNEST($1::bigint[], $2::uuid[], $3::text[], $4::text[], \
             $5::text[], $6::bigint[], $7::bigint[], $8::text[]) AS n (a, b, c, d, e, f, g, h) \
         ON CONFLICT (ledger_id, action) DO UPDATE SET type = excluded.type, status = excluded.status, \
             proposed_by = excluded.proposed_by, proposed_seq = excluded.proposed_seq, \
             last_seq = excluded.last_seq, document = excluded.document";
    if rows.is_empty() {
        return Ok(());
    }
    let ledgers = column(rows, |r| r.ledger.get());
    let ids = column(rows, |r| r.action.uuid());
    let (kinds, statuses) = (column(rows, |r| r.kind.as_str()), column(rows, |r| r.status.as_str()));
    let proposers = column(rows, |r| r.proposed_by.as_str());
    let (proposed, last) = (seqs(rows, |r| r.proposed_seq)?, seqs(rows, |r| r.last_seq)?);
    let documents = column(rows, |r| r.document.to_string());
    connection
        .execute(WRITING, SQL, &[&ledgers, &ids, &kinds, &statuses, &proposers, &proposed, &last, &documents])
        .await
        .map(drop)
}

pub(super) async fn upsert_keys(connection: &Connection, rows: &[&KeyRow]) -> Result<(), StoreError> {
    const SQL: &str = "INSERT INTO p_keys \
             (ledger_id, key, slot, algorithm, state, spki_sha256, created_seq, last_seq, body) \
         SELECT a, b, c, d, e, f, g, h, i::json FROM UNNEST($1::bigint[], $2::uuid[], $3::text[], $4::text[], \
             $5::text[], $6::bytea[], $7::bigint[], $8::bigint[], $9::text[]) AS n (a, b, c, d, e, f, g, h, i) \
         ON CONFLICT (ledger_id, key) DO UPDATE SET slot = excluded.slot, algorithm = excluded.algorithm, \
             state = excluded.state, spki_sha256 = excluded.spki_sha256, created_seq = excluded.created_seq, \
             last_seq = excluded.last_seq, body = excluded.body";
    if rows.is_empty() {
        return Ok(());
    }
    let ledgers = column(rows, |r| r.ledger.get());
    let ids = column(rows, |r| r.key.uuid());
    let (slots, algorithms) = (column(rows, |r| r.slot.as_str()), column(rows, |r| r.algorithm.as_str()));
    let states = column(rows, |r| r.state.as_str());
    let spkis = column(rows, |r| r.spki_sha256.as_ref().map(|hash| hash.0.as_slice()));
    let (created, last) = (seqs(rows, |r| r.created_seq)?, seqs(rows, |r| r.last_seq)?);
    let bodies = column(rows, |r| r.body.to_string());
    connection
        .execute(
            WRITING,
            SQL,
            &[&ledgers, &ids, &slots, &algorithms, &states, &spkis, &created, &last, &bodies],
        )
        .await
        .map(drop)
}

/// The upsert of a table of id, status, seq and body.
macro_rules! status_upsert {
    ($table:literal, $id:literal, $type:literal) => {
        concat!(
            "INSERT INTO ",
            $table,
            " (ledger_id, ",
            $id,
            ", status, last_seq, body) ",
            "SELECT a, b, c, d, e::json FROM UNNEST($1::bigint[], $2::",
            $type,
            "[], $3::text[], $4::bigint[], ",
            "$5::text[]) AS n (a, b, c, d, e) ",
            "ON CONFLICT (ledger_id, ",
            $id,
            ") DO UPDATE SET status = excluded.status, ",
            "last_seq = excluded.last_seq, body = excluded.body"
        )
    };
}

pub(super) async fn upsert_slots(
    connection: &Connection,
    rows: &[&StatusRow<SlotName>],
) -> Result<(), StoreError> {
    let ids: Vec<&str> = column(rows, |r| r.id.as_str());
    upsert_status(connection, status_upsert!("p_slots", "slot", "text"), rows, &ids).await
}

pub(super) async fn upsert_members(
    connection: &Connection,
    rows: &[&StatusRow<MemberId>],
) -> Result<(), StoreError> {
    let ids: Vec<Uuid> = column(rows, |r| r.id.uuid());
    upsert_status(connection, status_upsert!("p_members", "member", "uuid"), rows, &ids).await
}

pub(super) async fn upsert_services(
    connection: &Connection,
    rows: &[&StatusRow<ServiceId>],
) -> Result<(), StoreError> {
    let ids: Vec<Uuid> = column(rows, |r| r.id.uuid());
    upsert_status(connection, status_upsert!("p_services", "service", "uuid"), rows, &ids).await
}

async fn upsert_status<Id>(
    connection: &Connection,
    sql: &'static str,
    rows: &[&StatusRow<Id>],
    ids: &(dyn ToSql + Sync),
) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    let ledgers = column(rows, |r| r.ledger.get());
    let statuses = column(rows, |r| r.status.as_str());
    let last = seqs(rows, |r| r.last_seq)?;
    let bodies = column(rows, |r| r.body.to_string());
    connection.execute(WRITING, sql, &[&ledgers, ids, &statuses, &last, &bodies]).await.map(drop)
}

/// Reads one row of some table.
type Reader = fn(LedgerId, &Row) -> Result<ProjectionRow, StoreError>;

/// Every row of every table of a ledger, in no order.
pub(super) async fn select_all(
    connection: &Connection,
    ledger: LedgerId,
) -> Result<Vec<ProjectionRow>, StoreError> {
    let tables: [(&'static str, Reader); 5] = [
        (
            "SELECT action, type, status, proposed_by, proposed_seq, last_seq, document FROM p_actions \
             WHERE ledger_id = $1",
            action,
        ),
        (
            "SELECT key, slot, algorithm, state, spki_sha256, created_seq, last_seq, body FROM p_keys \
             WHERE ledger_id = $1",
            key,
        ),
        ("SELECT slot, status, last_seq, body FROM p_slots WHERE ledger_id = $1", |ledger, row| {
            Ok(ProjectionRow::Slot(status(ledger, name(row, 0)?, row)?))
        }),
        ("SELECT member, status, last_seq, body FROM p_members WHERE ledger_id = $1", |ledger, row| {
            Ok(ProjectionRow::Member(status(ledger, MemberId::from(get::<Uuid>(row, 0)?), row)?))
        }),
        ("SELECT service, status, last_seq, body FROM p_services WHERE ledger_id = $1", |ledger, row| {
            Ok(ProjectionRow::Service(status(ledger, ServiceId::from(get::<Uuid>(row, 0)?), row)?))
        }),
    ];
    let mut all = Vec::new();
    for (sql, read) in tables {
        for row in connection.query(READING, sql, &[&ledger.get()]).await? {
            all.push(read(ledger, &row)?);
        }
    }
    Ok(all)
}

/// Empties the tables of a ledger.
pub(super) async fn delete_all(connection: &Connection, ledger: LedgerId) -> Result<(), StoreError> {
    for sql in [
        "DELETE FROM p_actions WHERE ledger_id = $1",
        "DELETE FROM p_keys WHERE ledger_id = $1",
        "DELETE FROM p_slots WHERE ledger_id = $1",
        "DELETE FROM p_members WHERE ledger_id = $1",
        "DELETE FROM p_services WHERE ledger_id = $1",
    ] {
        connection.execute(WRITING, sql, &[&ledger.get()]).await?;
    }
    Ok(())
}

fn action(ledger: LedgerId, row: &Row) -> Result<ProjectionRow, StoreError> {
    Ok(ProjectionRow::Action(ActionRow {
        ledger,
        action: ActionId::from(get::<Uuid>(row, 0)?),
        kind: get(row, 1)?,
        status: get(row, 2)?,
        proposed_by: get(row, 3)?,
        proposed_seq: unsigned(row, 4)?,
        last_seq: unsigned(row, 5)?,
        document: get(row, 6)?,
    }))
}

fn key(ledger: LedgerId, row: &Row) -> Result<ProjectionRow, StoreError> {
    Ok(ProjectionRow::Key(KeyRow {
        ledger,
        key: KeyId::from(get::<Uuid>(row, 0)?),
        slot: name(row, 1)?,
        algorithm: get(row, 2)?,
        state: get(row, 3)?,
        spki_sha256: optional_hash(row, 4)?,
        created_seq: unsigned(row, 5)?,
        last_seq: unsigned(row, 6)?,
        body: get(row, 7)?,
    }))
}

fn status<Id>(ledger: LedgerId, id: Id, row: &Row) -> Result<StatusRow<Id>, StoreError> {
    let body: Value = get(row, 3)?;
    Ok(StatusRow { ledger, id, status: get(row, 1)?, last_seq: unsigned(row, 2)?, body })
}
