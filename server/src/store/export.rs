//! Streaming a ledger's events with constant memory, on a connection of the export's own.

use std::ops::Range;
use std::pin::Pin;
use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::AbortHandle;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, RowStream};

use super::Store;
use super::columns::signed;
use super::connection::Transport;
use super::error::StoreError;
use super::rows::{LedgerId, StoredEvent};

const DOING: &str = "export events";

/// Consecutive events as one statement sees them, in order and without gaps.
///
/// A slow reader stalls its connection, so this one belongs to nobody else; it closes when the stream is dropped.
pub struct EventStream {
    rows: Pin<Box<RowStream>>,
    next: u64,
    end: u64,
    deadline: Duration,
    driver: AbortHandle,
    _client: Client,
    _permit: OwnedSemaphorePermit,
}

impl Store {
    /// Begins to stream the first `size` events. [`StoreError::Unavailable`] if all export connections stay busy for as
    /// long as a connection may take.
    pub async fn export(&self, ledger: LedgerId, size: u64) -> Result<EventStream, StoreError> {
        self.export_part(ledger, 0..size).await
    }

    /// The same of the events of some seqs.
    pub async fn export_part(&self, ledger: LedgerId, seqs: Range<u64>) -> Result<EventStream, StoreError> {
        const SQL: &str = "SELECT seq, hash, end_offset, type, bytes FROM events \
             WHERE ledger_id = $1 AND seq >= $2 AND seq < $3 ORDER BY seq";
        let deadline = self.config.deadline();
        let waiting = tokio::time::timeout(self.config.connect_timeout, self.exports.clone().acquire_owned());
        let permit = match waiting.await {
            Ok(permit) => permit.map_err(|error| StoreError::unavailable(DOING, error))?,
            Err(_) => return Err(StoreError::overdue(DOING)),
        };
        // A whole export may take hours: each row has a deadline here, the statement has none there.
        let config = self.config.pinned("sealbook export", Duration::ZERO);
        let transport = self.config.transport.clone();
        let task = self.runtime.spawn(async move { connect(&transport, &config).await });
        let connecting = tokio::time::timeout(self.config.connect_timeout, task).await;
        let (client, driver) = connecting
            .map_err(|_| StoreError::overdue(DOING))?
            .map_err(|error| StoreError::unavailable(DOING, error))?
            .map_err(|error| StoreError::from_postgres(DOING, error))?;
        let (ledger_id, from, below) = (ledger.get(), signed(seqs.start)?, signed(seqs.end)?);
        let params: [&(dyn ToSql + Sync); 3] = [&ledger_id, &from, &below];
        let rows = tokio::time::timeout(deadline, client.query_raw(SQL, params))
            .await
            .map_err(|_| StoreError::overdue(DOING))?
            .map_err(|error| StoreError::from_postgres(DOING, error))?;
        Ok(EventStream {
            rows: Box::pin(rows),
            next: seqs.start,
            end: seqs.end,
            deadline,
            driver,
            _client: client,
            _permit: permit,
        })
    }
}

async fn connect(
    transport: &Transport,
    config: &tokio_postgres::Config,
) -> Result<(Client, AbortHandle), tokio_postgres::Error> {
    let (client, driver) = transport.open(config).await?;
    Ok((client, driver.abort_handle()))
}

impl EventStream {
    /// The next event, or `None` after the last. A missing or surplus row is [`StoreError::Corruption`].
    pub async fn next(&mut self) -> Result<Option<StoredEvent>, StoreError> {
        let row = tokio::time::timeout(self.deadline, self.rows.next())
            .await
            .map_err(|_| StoreError::overdue(DOING))?;
        let Some(row) = row else {
            return if self.next == self.end {
                Ok(None)
            } else {
                Err(StoreError::corruption("a ledger with fewer events than its head says"))
            };
        };
        let row = row.map_err(|error| StoreError::from_postgres(DOING, error))?;
        let event = StoredEvent::columns(&row)?;
        if event.seq != self.next {
            return Err(StoreError::corruption("a ledger with a gap in its events"));
        }
        self.next += 1;
        Ok(Some(event))
    }

    /// The next events, `most` where there are so many: fewer only at the end.
    pub async fn next_page(&mut self, most: usize) -> Result<Vec<StoredEvent>, StoreError> {
        let mut page = Vec::with_capacity(most);
        while page.len() < most {
            let Some(event) = self.next().await? else { break };
            page.push(event);
        }
        Ok(page)
    }
}

impl Drop for EventStream {
    fn drop(&mut self) {
        // Without its driver the connection closes, and Postgres stops sending what nobody reads.
        self.driver.abort();
    }
}
