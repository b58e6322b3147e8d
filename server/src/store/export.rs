//! Streaming a ledger's events with constant memory, on a connection of the reader's own.

use std::ops::Range;
use std::pin::Pin;
use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::AbortHandle;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Config, Row, RowStream};

use super::Store;
use super::columns::{self, signed};
use super::connection::Transport;
use super::error::StoreError;
use super::rows::{LedgerId, StoredEvent};

const DOING: &str = "export events";

/// The rows of one statement as they come.
///
/// A slow reader stalls its connection, so this one belongs to nobody else; it closes when this is dropped.
struct Rows {
    rows: Pin<Box<RowStream>>,
    deadline: Duration,
    driver: AbortHandle,
    _client: Client,
    _permit: OwnedSemaphorePermit,
}

/// Events 0 to `size` − 1 as one statement sees them, in order and without gaps.
pub struct EventStream {
    rows: Rows,
    next: u64,
    size: u64,
}

/// The bytes of consecutive events as one statement sees them, in order. What they are, and whether any is missing, is the
/// reader's to see.
pub struct BytesStream(Rows);

/// Some of them; decoding is put off to whoever has the time.
pub struct BytesPage(Vec<Row>);

impl Store {
    /// Begins to stream the first `size` events. [`StoreError::Unavailable`] if all export connections stay busy for as
    /// long as a connection may take.
    pub async fn export(&self, ledger: LedgerId, size: u64) -> Result<EventStream, StoreError> {
        const SQL: &str = "SELECT seq, hash, end_offset, type, bytes FROM events \
             WHERE ledger_id = $1 AND seq < $2 ORDER BY seq";
        let rows = self.stream(SQL, &[&ledger.get(), &signed(size)?]).await?;
        Ok(EventStream { rows, next: 0, size })
    }

    /// The same of the bytes alone, from one seq to before another.
    pub async fn stream_bytes(&self, ledger: LedgerId, seqs: Range<u64>) -> Result<BytesStream, StoreError> {
        const SQL: &str =
            "SELECT bytes FROM events WHERE ledger_id = $1 AND seq >= $2 AND seq < $3 ORDER BY seq";
        let (from, to) = (signed(seqs.start)?, signed(seqs.end)?);
        self.stream(SQL, &[&ledger.get(), &from, &to]).await.map(BytesStream)
    }

    async fn stream(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Rows, StoreError> {
        let deadline = self.config.deadline();
        let waiting = tokio::time::timeout(self.config.connect_timeout, self.exports.clone().acquire_owned());
        let permit = match waiting.await {
            Ok(permit) => permit.map_err(|error| StoreError::unavailable(DOING, error))?,
            Err(_) => return Err(StoreError::overdue(DOING)),
        };
        // A whole export may take hours: each row has a deadline here, the statement has none there.
        let config = along_the_index(self.config.pinned("sealbook export", Duration::ZERO));
        let transport = self.config.transport.clone();
        let task = self.runtime.spawn(async move { connect(&transport, &config).await });
        let connecting = tokio::time::timeout(self.config.connect_timeout, task).await;
        let (client, driver) = connecting
            .map_err(|_| StoreError::overdue(DOING))?
            .map_err(|error| StoreError::unavailable(DOING, error))?
            .map_err(|error| StoreError::from_postgres(DOING, error))?;
        let rows = tokio::time::timeout(deadline, client.query_raw(sql, params.iter().copied()))
            .await
            .map_err(|_| StoreError::overdue(DOING))?
            .map_err(|error| StoreError::from_postgres(DOING, error))?;
        Ok(Rows { rows: Box::pin(rows), deadline, driver, _client: client, _permit: permit })
    }
}

/// Has Postgres follow the primary key. Where it thinks of few events (its statistics are from before most of them came) it
/// would gather and sort them first, on the disk, before it sends any.
fn along_the_index(mut config: Config) -> Config {
    let ours = "-c enable_sort=off -c enable_bitmapscan=off -c enable_seqscan=off";
    let options = config.get_options().map_or_else(|| ours.to_owned(), |before| format!("{before} {ours}"));
    config.options(options);
    config
}

async fn connect(
    transport: &Transport,
    config: &Config,
) -> Result<(Client, AbortHandle), tokio_postgres::Error> {
    let (client, driver) = transport.open(config).await?;
    Ok((client, driver.abort_handle()))
}

impl Rows {
    async fn next(&mut self) -> Result<Option<Row>, StoreError> {
        let row = tokio::time::timeout(self.deadline, self.rows.next())
            .await
            .map_err(|_| StoreError::overdue(DOING))?;
        row.transpose().map_err(|error| StoreError::from_postgres(DOING, error))
    }
}

impl Drop for Rows {
    fn drop(&mut self) {
        // Without its driver the connection closes, and Postgres stops sending what nobody reads.
        self.driver.abort();
    }
}

impl EventStream {
    /// The next event, or `None` after the last. A missing or surplus row is [`StoreError::Corruption`].
    pub async fn next(&mut self) -> Result<Option<StoredEvent>, StoreError> {
        let Some(row) = self.rows.next().await? else {
            return if self.next == self.size {
                Ok(None)
            } else {
                Err(StoreError::corruption("a ledger with fewer events than its head says"))
            };
        };
        let event = StoredEvent::columns(&row)?;
        if event.seq != self.next {
            return Err(StoreError::corruption("a ledger with a gap in its events"));
        }
        self.next += 1;
        Ok(Some(event))
    }
}

impl BytesStream {
    /// The next events, `most` where there are so many: fewer only at the end, after which there are none to be asked for.
    pub async fn next(&mut self, most: usize) -> Result<BytesPage, StoreError> {
        let rows = self.0.rows.by_ref().take(most);
        // A page has the deadline that a row has elsewhere: a clock read for each costs as much as its bytes.
        let rows = tokio::time::timeout(self.0.deadline, rows.collect::<Vec<_>>()).await;
        let rows = rows.map_err(|_| StoreError::overdue(DOING))?.into_iter().collect::<Result<_, _>>();
        rows.map(BytesPage).map_err(|error| StoreError::from_postgres(DOING, error))
    }
}

impl BytesPage {
    /// How many events.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Their bytes.
    pub fn events(&self) -> impl Iterator<Item = Result<&[u8], StoreError>> {
        self.0.iter().map(|row| columns::get(row, 0))
    }
}
