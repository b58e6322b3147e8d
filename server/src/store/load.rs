//! Reading a ledger back: heads, events by the page, and what lies beside them.

use std::ops::Range;

use sealbook_ledger::encoding::Hash;
use sealbook_ledger::timestamp::Timestamp;

use super::columns::{self, PgTime, signed};
use super::connection::Connection;
use super::error::StoreError;
use super::rows::{AttachmentRow, DisclosureRow, Head, IdempotencyRow, LedgerId, StoredEvent};
use super::{Store, append};

/// Most rows of a page: 64 MiB of events at their largest.
pub const MAX_PAGE: usize = 1000;

/// Most rows that one filtered page looks at.
pub const MAX_SCAN: u64 = 20_000;

/// Which events a filtered page holds. Empty fields let everything pass.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventFilter {
    /// Event types; none means all.
    pub kinds: Vec<String>,
    /// Not before this time.
    pub since: Option<Timestamp>,
    /// Before this time.
    pub until: Option<Timestamp>,
}

/// A page of the events that a filter lets pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilteredPage {
    /// In order of seq. May be empty while [`Self::next`] says that there is more to look at.
    pub events: Vec<StoredEvent>,
    /// Where to go on; `None` at the end of the ledger.
    pub next: Option<u64>,
}

fn page_limit(limit: usize) -> Result<i64, StoreError> {
    signed(limit.clamp(1, MAX_PAGE) as u64)
}

/// The database server's clock.
pub(super) async fn clock(connection: &Connection) -> Result<Timestamp, StoreError> {
    let row = connection.query_opt("read the database's clock", "SELECT clock_timestamp()", &[]).await?;
    columns::time(&row.ok_or_else(|| StoreError::fault("the database has no clock"))?, 0)
}

/// A page of events on any connection; see [`Store::page`].
pub(super) async fn page_on(
    connection: &Connection,
    ledger: LedgerId,
    from: u64,
    limit: usize,
) -> Result<Vec<StoredEvent>, StoreError> {
    const SQL: &str = "SELECT seq, hash, end_offset, type, bytes FROM events \
         WHERE ledger_id = $1 AND seq >= $2 ORDER BY seq LIMIT $3";
    let params: (i64, i64, i64) = (ledger.get(), signed(from)?, page_limit(limit)?);
    let rows = connection.query("read events", SQL, &[&params.0, &params.1, &params.2]).await?;
    rows.iter().map(StoredEvent::columns).collect()
}

impl Store {
    /// The events that a statement chooses: it is given the ledger, the first seq, and the one after the last, and selects
    /// `seq, hash, end_offset, type, bytes`.
    pub(super) async fn chosen_events(
        &self,
        doing: &'static str,
        sql: &'static str,
        ledger: LedgerId,
        seqs: Range<u64>,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        let (from, to) = (signed(seqs.start)?, signed(seqs.end)?);
        let rows = self.connection().await?.query(doing, sql, &[&ledger.get(), &from, &to]).await?;
        rows.iter().map(StoredEvent::columns).collect()
    }

    /// The database server's clock.
    pub async fn clock(&self) -> Result<Timestamp, StoreError> {
        clock(&self.connection().await?).await
    }

    /// The head of one ledger; `None` if there is no such ledger.
    pub async fn head(&self, ledger: LedgerId) -> Result<Option<Head>, StoreError> {
        const SQL: &str = "SELECT ledger_id, size, hash, root, end_offset FROM heads WHERE ledger_id = $1";
        let row = self.connection().await?.query_opt("read a head", SQL, &[&ledger.get()]).await?;
        row.as_ref().map(Head::columns).transpose()
    }

    /// The heads of all ledgers, in order of id.
    pub async fn heads(&self) -> Result<Vec<Head>, StoreError> {
        const SQL: &str = "SELECT ledger_id, size, hash, root, end_offset FROM heads ORDER BY ledger_id";
        let rows = self.connection().await?.query("read the heads", SQL, &[]).await?;
        rows.iter().map(Head::columns).collect()
    }

    /// Events from a seq on, in order, at most [`MAX_PAGE`]. An empty page is the end of the ledger; a gap is returned
    /// as it is stored, for the caller to find.
    pub async fn page(
        &self,
        ledger: LedgerId,
        from: u64,
        limit: usize,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        page_on(&self.connection().await?, ledger, from, limit).await
    }

    /// The same with every column of the rows: the time that each claims comes beside it.
    pub async fn whole_rows(
        &self,
        ledger: LedgerId,
        from: u64,
        limit: usize,
    ) -> Result<Vec<(StoredEvent, Timestamp)>, StoreError> {
        const SQL: &str = "SELECT seq, hash, end_offset, type, bytes, time FROM events \
             WHERE ledger_id = $1 AND seq >= $2 ORDER BY seq LIMIT $3";
        let (from, limit) = (signed(from)?, page_limit(limit)?);
        let connection = self.connection().await?;
        let rows = connection.query("read whole rows", SQL, &[&ledger.get(), &from, &limit]).await?;
        rows.iter().map(|row| Ok((StoredEvent::columns(row)?, columns::time(row, 5)?))).collect()
    }

    /// A page of the events that a filter lets pass. Looks at no more than [`MAX_SCAN`] rows, so that a rare type in a
    /// long ledger costs the caller more pages, and nobody a long statement.
    pub async fn filtered_page(
        &self,
        ledger: LedgerId,
        filter: &EventFilter,
        from: u64,
        limit: usize,
    ) -> Result<FilteredPage, StoreError> {
        const SQL: &str = "SELECT seq, hash, end_offset, type, bytes FROM events \
             WHERE ledger_id = $1 AND seq >= $2 AND seq < $3 \
               AND ($4::text[] = '{}' OR type = ANY($4)) \
               AND ($5::timestamptz IS NULL OR time >= $5) AND ($6::timestamptz IS NULL OR time < $6) \
             ORDER BY seq LIMIT $7";
        let Some(head) = self.head(ledger).await? else {
            return Ok(FilteredPage { events: Vec::new(), next: None });
        };
        let until = head.size.min(from.saturating_add(MAX_SCAN));
        let (seqs, limit) = ((signed(from)?, signed(until)?), page_limit(limit)?);
        let times = (filter.since.map(PgTime), filter.until.map(PgTime));
        let connection = self.connection().await?;
        let rows = connection
            .query(
                "read events",
                SQL,
                &[&ledger.get(), &seqs.0, &seqs.1, &filter.kinds, &times.0, &times.1, &limit],
            )
            .await?;
        let events = rows.iter().map(StoredEvent::columns).collect::<Result<Vec<_>, _>>()?;
        let full = i64::try_from(events.len()) == Ok(limit);
        let next = match events.last() {
            Some(last) if full => last.seq + 1,
            Some(_) | None => until,
        };
        Ok(FilteredPage { events, next: (next < head.size).then_some(next) })
    }

    /// What these idempotency keys stood for, outside a round: a hint that has to be asked again under the lock.
    pub async fn find_idempotent(
        &self,
        keys: &[(LedgerId, Hash)],
    ) -> Result<Vec<IdempotencyRow>, StoreError> {
        append::find_idempotent_on(&self.connection().await?, keys).await
    }

    /// Disclosures of the events below `size`, after a (seq, name), in that order; at most [`MAX_PAGE`].
    pub async fn disclosures(
        &self,
        ledger: LedgerId,
        size: u64,
        after: Option<(u64, &str)>,
        limit: usize,
    ) -> Result<Vec<DisclosureRow>, StoreError> {
        const SQL: &str = "SELECT seq, name, salt, value FROM disclosures \
             WHERE ledger_id = $1 AND seq < $2 AND (seq, name) > ($3, $4) ORDER BY seq, name LIMIT $5";
        let (seq, name) = match after {
            Some((seq, name)) => (signed(seq)?, name),
            None => (-1, ""),
        };
        let (below, limit) = (signed(size)?, page_limit(limit)?);
        let connection = self.connection().await?;
        let rows =
            connection.query("read disclosures", SQL, &[&ledger.get(), &below, &seq, &name, &limit]).await?;
        rows.iter()
            .map(|row| {
                let value = String::from_utf8(columns::get(row, 3)?);
                Ok(DisclosureRow {
                    ledger,
                    seq: columns::unsigned(row, 0)?,
                    name: columns::get(row, 1)?,
                    salt: columns::fixed(row, 2)?,
                    value: value.map_err(|_| StoreError::corruption("a disclosure that is not UTF-8"))?,
                })
            })
            .collect()
    }

    /// Digests and sizes in bytes of the attachments that events below `size` refer to, after a digest, in its order; at
    /// most [`MAX_PAGE`].
    pub async fn attachment_list(
        &self,
        ledger: LedgerId,
        size: u64,
        after: Option<Hash>,
        limit: usize,
    ) -> Result<Vec<(Hash, u64)>, StoreError> {
        const SQL: &str = "SELECT sha256, size FROM attachments \
             WHERE ledger_id = $1 AND seq < $2 AND ($3::bytea IS NULL OR sha256 > $3) ORDER BY sha256 LIMIT $4";
        let (below, limit) = (signed(size)?, page_limit(limit)?);
        let after = after.map(|hash| hash.0.to_vec());
        let connection = self.connection().await?;
        let rows =
            connection.query("list attachments", SQL, &[&ledger.get(), &below, &after, &limit]).await?;
        rows.iter().map(|row| Ok((columns::hash(row, 0)?, columns::unsigned(row, 1)?))).collect()
    }

    /// One attachment; `None` if the ledger has no such bytes.
    pub async fn attachment(
        &self,
        ledger: LedgerId,
        sha256: Hash,
    ) -> Result<Option<AttachmentRow>, StoreError> {
        const SQL: &str =
            "SELECT seq, media_type, bytes FROM attachments WHERE ledger_id = $1 AND sha256 = $2";
        let connection = self.connection().await?;
        let row =
            connection.query_opt("read an attachment", SQL, &[&ledger.get(), &sha256.0.as_slice()]).await?;
        row.map(|row| {
            Ok(AttachmentRow {
                ledger,
                sha256,
                seq: columns::unsigned(&row, 0)?,
                media_type: columns::get(&row, 1)?,
                bytes: columns::get(&row, 2)?,
            })
        })
        .transpose()
    }
}
