//! The list of ledgers, and the ledger keys that are made before there is an event to record them.

use sealbook_ledger::ids::{BackendName, KeyId, Origin, TenantName};
use sealbook_ledger::timestamp::Timestamp;
use tokio_postgres::Row;
use uuid::Uuid;

use super::Store;
use super::columns::{self, PgTime, signed};
use super::error::StoreError;
use super::rows::{Head, LedgerId};

/// A ledger and its names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerRow {
    /// What rows call it.
    pub ledger: LedgerId,
    /// What events call it.
    pub origin: Origin,
    /// Whose it is.
    pub tenant: TenantName,
    /// When it was entered.
    pub opened_at: Timestamp,
}

/// The intent to make a ledger key, written before the device is touched: the label finds the key again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyIntentRow {
    /// The ledger it is for.
    pub ledger: LedgerId,
    /// The key.
    pub key: KeyId,
    /// Its label in the device.
    pub label: String,
    /// The device's backend.
    pub backend: BackendName,
    /// When it was intended.
    pub intended_at: Timestamp,
}

/// What the device made of an intent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyMadeRow {
    /// The ledger it is for.
    pub ledger: LedgerId,
    /// The key.
    pub key: KeyId,
    /// Its public half in C2SP form.
    pub vkey: String,
    /// When it was known to be there.
    pub made_at: Timestamp,
}

fn stored_name<T: std::str::FromStr>(row: &Row, index: usize) -> Result<T, StoreError> {
    let text: &str = columns::get(row, index)?;
    text.parse().map_err(|_| StoreError::corruption("a stored name that is none"))
}

impl LedgerRow {
    /// Reads `ledger_id, origin, tenant, opened_at`.
    fn columns(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            ledger: LedgerId::column(row, 0)?,
            origin: stored_name(row, 1)?,
            tenant: stored_name(row, 2)?,
            opened_at: columns::time(row, 3)?,
        })
    }
}

impl Store {
    /// Enters a ledger with an empty head. [`StoreError::Conflict`] if its id, origin or tenant is taken.
    pub async fn create_ledger(&self, row: &LedgerRow) -> Result<(), StoreError> {
        const DOING: &str = "enter a ledger";
        const LEDGER: &str =
            "INSERT INTO ledgers (ledger_id, origin, tenant, opened_at) VALUES ($1, $2, $3, $4)";
        const HEAD: &str =
            "INSERT INTO heads (ledger_id, size, hash, root, end_offset) VALUES ($1, $2, $3, $4, $5)";
        let connection = self.connection().await?;
        connection.begin().await?;
        let id = row.ledger.get();
        let (origin, tenant) = (row.origin.as_str(), row.tenant.as_str());
        connection.execute(DOING, LEDGER, &[&id, &origin, &tenant, &PgTime(row.opened_at)]).await?;
        let head = Head::empty(row.ledger);
        let (size, end) = (signed(head.size)?, signed(head.end_offset)?);
        let (hash, root) = (head.hash.0.as_slice(), head.root.0.as_slice());
        connection.execute(DOING, HEAD, &[&id, &size, &hash, &root, &end]).await?;
        connection.commit().await
    }

    /// All ledgers, in order of id.
    pub async fn ledgers(&self) -> Result<Vec<LedgerRow>, StoreError> {
        const SQL: &str = "SELECT ledger_id, origin, tenant, opened_at FROM ledgers ORDER BY ledger_id";
        let rows = self.connection().await?.query("list the ledgers", SQL, &[]).await?;
        rows.iter().map(LedgerRow::columns).collect()
    }

    /// A tenant's ledger; `None` if there is no such tenant.
    pub async fn ledger_of(&self, tenant: &TenantName) -> Result<Option<LedgerRow>, StoreError> {
        const SQL: &str = "SELECT ledger_id, origin, tenant, opened_at FROM ledgers WHERE tenant = $1";
        let row = self.connection().await?.query_opt("find a ledger", SQL, &[&tenant.as_str()]).await?;
        row.as_ref().map(LedgerRow::columns).transpose()
    }

    /// Writes the intent to make a ledger key. Durable when this returns: then the device may be touched.
    pub async fn insert_key_intent(&self, row: &KeyIntentRow) -> Result<(), StoreError> {
        const SQL: &str = "INSERT INTO ledger_key_intents (ledger_id, key_id, label, backend, intended_at) \
             VALUES ($1, $2, $3, $4, $5)";
        let (id, key, backend) = (row.ledger.get(), row.key.uuid(), row.backend.as_str());
        self.connection()
            .await?
            .write("write a key's intent", SQL, &[&id, &key, &row.label, &backend, &PgTime(row.intended_at)])
            .await
            .map(drop)
    }

    /// Writes what the device made of an intent.
    pub async fn insert_key_made(&self, row: &KeyMadeRow) -> Result<(), StoreError> {
        const SQL: &str =
            "INSERT INTO ledger_key_made (ledger_id, key_id, vkey, made_at) VALUES ($1, $2, $3, $4)";
        let (id, key) = (row.ledger.get(), row.key.uuid());
        self.connection()
            .await?
            .write("write a key's outcome", SQL, &[&id, &key, &row.vkey, &PgTime(row.made_at)])
            .await
            .map(drop)
    }

    /// The ledger keys of a ledger, oldest intent first, each with its outcome where there is one yet.
    pub async fn ledger_keys(
        &self,
        ledger: LedgerId,
    ) -> Result<Vec<(KeyIntentRow, Option<KeyMadeRow>)>, StoreError> {
        const SQL: &str = "SELECT i.key_id, i.label, i.backend, i.intended_at, m.vkey, m.made_at \
             FROM ledger_key_intents i LEFT JOIN ledger_key_made m USING (ledger_id, key_id) \
             WHERE i.ledger_id = $1 ORDER BY i.intended_at, i.key_id";
        let rows = self.connection().await?.query("read the ledger keys", SQL, &[&ledger.get()]).await?;
        rows.iter().map(|row| ledger_key(ledger, row)).collect()
    }
}

fn ledger_key(ledger: LedgerId, row: &Row) -> Result<(KeyIntentRow, Option<KeyMadeRow>), StoreError> {
    let key = KeyId::from(columns::get::<Uuid>(row, 0)?);
    let intent = KeyIntentRow {
        ledger,
        key,
        label: columns::get(row, 1)?,
        backend: stored_name(row, 2)?,
        intended_at: columns::time(row, 3)?,
    };
    let made = match columns::get::<Option<String>>(row, 4)? {
        Some(vkey) => Some(KeyMadeRow { ledger, key, vkey, made_at: columns::time(row, 5)? }),
        None => None,
    };
    Ok((intent, made))
}
