//! The low-volume projections: rows that an append changes in its own transaction, and that a rebuild makes again.

use std::collections::BTreeMap;

use sealbook_ledger::encoding::Hash;
use sealbook_ledger::ids::{ActionId, KeyId, MemberId, ServiceId, SlotName};
use serde_json::Value;

use super::Store;
use super::connection::Connection;
use super::error::StoreError;
use super::projection_columns as tables;
use super::rows::{Head, LedgerId};

/// One row of one projection: what it is from now on.
#[derive(Debug, Clone, PartialEq)]
pub enum ProjectionRow {
    /// A dual-control action.
    Action(ActionRow),
    /// A version of a key.
    Key(KeyRow),
    /// A slot.
    Slot(StatusRow<SlotName>),
    /// A member.
    Member(StatusRow<MemberId>),
    /// A service.
    Service(StatusRow<ServiceId>),
}

/// A dual-control action.
#[derive(Debug, Clone, PartialEq)]
pub struct ActionRow {
    /// Whose action.
    pub ledger: LedgerId,
    /// Which one.
    pub action: ActionId,
    /// Its type, e.g. `slot.create`.
    pub kind: String,
    /// Where it stands.
    pub status: String,
    /// The id of who proposed it.
    pub proposed_by: String,
    /// The event that proposed it.
    pub proposed_seq: u64,
    /// The last event that concerns it.
    pub last_seq: u64,
    /// The action document.
    pub document: Value,
}

/// A version of a key.
#[derive(Debug, Clone, PartialEq)]
pub struct KeyRow {
    /// Whose key.
    pub ledger: LedgerId,
    /// Which one.
    pub key: KeyId,
    /// Its slot.
    pub slot: SlotName,
    /// The algorithm's name in the registry.
    pub algorithm: String,
    /// Its state (NIST SP 800-57).
    pub state: String,
    /// SHA-256 of its public key's SPKI; `None` until it is made.
    pub spki_sha256: Option<Hash>,
    /// The event that brought it into being.
    pub created_seq: u64,
    /// The last event that concerns it.
    pub last_seq: u64,
    /// What else a view shows.
    pub body: Value,
}

/// Something with an id and a status: a slot, a member, a service.
#[derive(Debug, Clone, PartialEq)]
pub struct StatusRow<Id> {
    /// Whose.
    pub ledger: LedgerId,
    /// Which one.
    pub id: Id,
    /// Where it stands.
    pub status: String,
    /// The last event that concerns it.
    pub last_seq: u64,
    /// What else a view shows.
    pub body: Value,
}

/// A row's primary key; the order of the variants is the order of a dump.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum RowKey {
    Action(LedgerId, ActionId),
    Key(LedgerId, KeyId),
    Slot(LedgerId, SlotName),
    Member(LedgerId, MemberId),
    Service(LedgerId, ServiceId),
}

impl ProjectionRow {
    fn key(&self) -> RowKey {
        match self {
            Self::Action(row) => RowKey::Action(row.ledger, row.action),
            Self::Key(row) => RowKey::Key(row.ledger, row.key),
            Self::Slot(row) => RowKey::Slot(row.ledger, row.id.clone()),
            Self::Member(row) => RowKey::Member(row.ledger, row.id),
            Self::Service(row) => RowKey::Service(row.ledger, row.id),
        }
    }

    fn ledger(&self) -> LedgerId {
        match self {
            Self::Action(row) => row.ledger,
            Self::Key(row) => row.ledger,
            Self::Slot(row) => row.ledger,
            Self::Member(row) => row.ledger,
            Self::Service(row) => row.ledger,
        }
    }
}

/// A history of changes brought to its end: of each row the last change, in the order of a dump. What a replay yields
/// becomes comparable with [`Store::dump_projections`].
pub fn latest(changes: impl IntoIterator<Item = ProjectionRow>) -> Vec<ProjectionRow> {
    changes.into_iter().map(|row| (row.key(), row)).collect::<BTreeMap<_, _>>().into_values().collect()
}

/// Rows sorted into their tables.
#[derive(Default)]
struct Sorted<'a> {
    actions: Vec<&'a ActionRow>,
    keys: Vec<&'a KeyRow>,
    slots: Vec<&'a StatusRow<SlotName>>,
    members: Vec<&'a StatusRow<MemberId>>,
    services: Vec<&'a StatusRow<ServiceId>>,
}

impl<'a> Sorted<'a> {
    /// Of each row the last change: one statement can't change a row twice.
    fn latest(rows: &'a [ProjectionRow]) -> Self {
        let last: BTreeMap<RowKey, &ProjectionRow> = rows.iter().map(|row| (row.key(), row)).collect();
        let mut sorted = Self::default();
        for row in last.into_values() {
            match row {
                ProjectionRow::Action(row) => sorted.actions.push(row),
                ProjectionRow::Key(row) => sorted.keys.push(row),
                ProjectionRow::Slot(row) => sorted.slots.push(row),
                ProjectionRow::Member(row) => sorted.members.push(row),
                ProjectionRow::Service(row) => sorted.services.push(row),
            }
        }
        sorted
    }
}

/// Applies changes on a connection with an open transaction: one statement a table, none for a table without changes.
pub(super) async fn upsert(connection: &Connection, rows: &[ProjectionRow]) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    let sorted = Sorted::latest(rows);
    StoreError::of_all(
        futures_util::join!(
            tables::upsert_actions(connection, &sorted.actions),
            tables::upsert_keys(connection, &sorted.keys),
            tables::upsert_slots(connection, &sorted.slots),
            tables::upsert_members(connection, &sorted.members),
            tables::upsert_services(connection, &sorted.services),
        )
        .into(),
    )
}

impl Store {
    /// All low-volume projections of a ledger and the head they stand at, read at one moment, in the order of [`latest`].
    pub async fn dump_projections(&self, ledger: LedgerId) -> Result<(Head, Vec<ProjectionRow>), StoreError> {
        let connection = self.connection().await?;
        connection.begin_snapshot().await?;
        let head = tables::head(&connection, ledger, tables::HeadLock::None).await?;
        let rows = tables::select_all(&connection, ledger).await?;
        connection.rollback().await?;
        Ok((head, latest(rows)))
    }

    /// Replaces all low-volume projections of a ledger by rows that were made from its first `head.size` events.
    ///
    /// [`StoreError::Conflict`] if the ledger has grown since: replay what is new and call again.
    pub async fn rebuild_projections(&self, head: Head, rows: &[ProjectionRow]) -> Result<(), StoreError> {
        if rows.iter().any(|row| row.ledger() != head.ledger) {
            return Err(StoreError::fault("a rebuilt row of another ledger"));
        }
        let connection = self.connection().await?;
        connection.begin().await?;
        if tables::head(&connection, head.ledger, tables::HeadLock::ForUpdate).await? != head {
            connection.rollback().await?;
            return Err(StoreError::conflict("the ledger has grown during the rebuild"));
        }
        tables::delete_all(&connection, head.ledger).await?;
        upsert(&connection, rows).await?;
        connection.commit().await
    }
}
