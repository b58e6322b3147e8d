//! Columns and parameters: between Postgres' types and ours, without a value that does not fit passing unseen.

use std::error::Error;

use bytes::BytesMut;
use sealbook_ledger::encoding::Hash;
use sealbook_ledger::timestamp::Timestamp;
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, accepts, to_sql_checked};

use super::error::StoreError;

/// Microseconds from 1970-01-01 to 2000-01-01, where Postgres' time begins (30 years with 7 leap days).
const POSTGRES_EPOCH_MICROS: i64 = (30 * 365 + 7) * 86_400 * 1_000_000;

/// A `timestamptz` in Postgres' binary form: microseconds since 2000-01-01T00:00:00Z, big-endian.
#[derive(Debug, Clone, Copy)]
pub(super) struct PgTime(pub(super) Timestamp);

impl ToSql for PgTime {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        out.extend_from_slice(&(self.0.unix_micros() - POSTGRES_EPOCH_MICROS).to_be_bytes());
        Ok(IsNull::No)
    }

    accepts!(TIMESTAMPTZ);
    to_sql_checked!();
}

impl<'a> FromSql<'a> for PgTime {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        let micros = i64::from_be_bytes(raw.try_into()?).checked_add(POSTGRES_EPOCH_MICROS);
        micros
            .and_then(Timestamp::from_unix_micros)
            .map(Self)
            .ok_or_else(|| "a time beyond the year 9999".into())
    }

    accepts!(TIMESTAMPTZ);
}

/// A column as some type; a column of another type is a fault of the schema.
pub(super) fn get<'a, T: FromSql<'a>>(row: &'a Row, index: usize) -> Result<T, StoreError> {
    row.try_get(index).map_err(|error| StoreError::Fault {
        what: "a column does not have the type this version expects",
        source: Some(error.into()),
    })
}

pub(super) fn hash(row: &Row, index: usize) -> Result<Hash, StoreError> {
    fixed(row, index).map(Hash)
}

pub(super) fn optional_hash(row: &Row, index: usize) -> Result<Option<Hash>, StoreError> {
    match get::<Option<&[u8]>>(row, index)? {
        None => Ok(None),
        Some(_) => hash(row, index).map(Some),
    }
}

/// A `bytea` of exactly `N` bytes.
pub(super) fn fixed<const N: usize>(row: &Row, index: usize) -> Result<[u8; N], StoreError> {
    let bytes: &[u8] = get(row, index)?;
    bytes.try_into().map_err(|_| StoreError::corruption("a hash or salt of the wrong length"))
}

/// A size, seq or offset.
pub(super) fn unsigned(row: &Row, index: usize) -> Result<u64, StoreError> {
    u64::try_from(get::<i64>(row, index)?).map_err(|_| StoreError::corruption("a negative size"))
}

pub(super) fn time(row: &Row, index: usize) -> Result<Timestamp, StoreError> {
    get::<PgTime>(row, index).map(|at| at.0)
}

/// A size, seq or offset as a parameter.
pub(super) fn signed(value: u64) -> Result<i64, StoreError> {
    i64::try_from(value).map_err(|_| StoreError::fault("a size beyond 2^63"))
}
