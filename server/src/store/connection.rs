//! One connection to Postgres: how it is made, and the deadline that every statement on it has.

use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use deadpool_postgres::{Connect, Object};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::task::JoinHandle;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Config, NoTls, Row};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::error::StoreError;

/// How bytes travel to Postgres.
#[derive(Clone)]
pub enum Transport {
    /// A Unix socket, or a network that is trusted by other means.
    Plain,
    /// TLS with the roots and client certificate of this configuration.
    Tls(Box<rustls::ClientConfig>),
}

impl Transport {
    /// Connects; the returned task drives the connection and ends with it.
    pub(super) async fn open(
        &self,
        config: &Config,
    ) -> Result<(Client, JoinHandle<()>), tokio_postgres::Error> {
        match self {
            Self::Plain => {
                let (client, connection) = config.connect(NoTls).await?;
                Ok((client, tokio::spawn(drive(connection))))
            }
            Self::Tls(tls) => {
                let (client, connection) = config.connect(MakeRustlsConnect::new((**tls).clone())).await?;
                Ok((client, tokio::spawn(drive(connection))))
            }
        }
    }
}

async fn drive(connection: impl Future<Output = Result<(), tokio_postgres::Error>>) {
    if let Err(error) = connection.await {
        // Whoever uses the connection gets an error of their own; this one says why it ended.
        tracing::warn!(error = &error as &dyn std::error::Error, "a connection to the database ended");
    }
}

impl Connect for Transport {
    fn connect(
        &self,
        config: &Config,
    ) -> BoxFuture<'_, Result<(Client, JoinHandle<()>), tokio_postgres::Error>> {
        let config = config.clone();
        async move { self.open(&config).await }.boxed()
    }
}

/// Parameters of a statement.
pub(super) type Params<'a> = &'a [&'a (dyn ToSql + Sync)];

/// A pooled connection. It goes back to the pool only when nothing is under way on it: a call that was abandoned or ran
/// into its deadline, and a transaction that nobody ended, close it instead, which makes Postgres roll back.
pub struct Connection {
    /// `None` only while being dropped.
    pooled: Option<Object>,
    deadline: Duration,
    /// Statements without an answer yet, plus one while a transaction is open.
    under_way: AtomicUsize,
}

impl Connection {
    pub(super) fn new(pooled: Object, deadline: Duration) -> Self {
        Self { pooled: Some(pooled), deadline, under_way: AtomicUsize::new(0) }
    }

    fn object(&self) -> Result<&Object, StoreError> {
        self.pooled.as_ref().ok_or_else(|| StoreError::fault("a connection was used after its end"))
    }

    /// Runs a call under the deadline, and counts it as under way until its answer is here.
    async fn timed<T>(
        &self,
        doing: &'static str,
        call: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, StoreError> {
        self.under_way.fetch_add(1, Ordering::Relaxed);
        let answer =
            tokio::time::timeout(self.deadline, call).await.map_err(|_| StoreError::overdue(doing))?;
        self.under_way.fetch_sub(1, Ordering::Relaxed);
        answer.map_err(|error| StoreError::from_postgres(doing, error))
    }

    pub(super) async fn query(
        &self,
        doing: &'static str,
        sql: &'static str,
        params: Params<'_>,
    ) -> Result<Vec<Row>, StoreError> {
        let object = self.object()?;
        self.timed(doing, async {
            let statement = object.prepare_cached(sql).await?;
            object.query(&statement, params).await
        })
        .await
    }

    pub(super) async fn query_opt(
        &self,
        doing: &'static str,
        sql: &'static str,
        params: Params<'_>,
    ) -> Result<Option<Row>, StoreError> {
        Ok(self.query(doing, sql, params).await?.into_iter().next())
    }

    /// Runs a statement and returns the number of rows it touched.
    pub(super) async fn execute(
        &self,
        doing: &'static str,
        sql: &'static str,
        params: Params<'_>,
    ) -> Result<u64, StoreError> {
        let object = self.object()?;
        self.timed(doing, async {
            let statement = object.prepare_cached(sql).await?;
            object.execute(&statement, params).await
        })
        .await
    }

    /// Runs one statement as a transaction of its own, so that a connection which breaks tells "nothing was written"
    /// from "nobody knows". Returns the number of rows it touched.
    pub(super) async fn write(
        &self,
        doing: &'static str,
        sql: &'static str,
        params: Params<'_>,
    ) -> Result<u64, StoreError> {
        self.begin().await?;
        match self.execute(doing, sql, params).await {
            Ok(touched) => self.commit().await.map(|()| touched),
            Err(error) => {
                self.abandon().await;
                Err(error)
            }
        }
    }

    /// Opens a transaction whose statements each see what was committed before them, also while they waited for a lock.
    /// From here on, dropping the connection closes it.
    pub(super) async fn begin(&self) -> Result<(), StoreError> {
        self.begin_with("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE").await
    }

    /// Opens a read-only transaction whose statements all see the same moment.
    pub(super) async fn begin_snapshot(&self) -> Result<(), StoreError> {
        self.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await
    }

    async fn begin_with(&self, sql: &'static str) -> Result<(), StoreError> {
        self.under_way.fetch_add(1, Ordering::Relaxed);
        let object = self.object()?;
        self.timed("begin a transaction", object.batch_execute(sql)).await
    }

    /// Commits the open transaction.
    ///
    /// Postgres answers a COMMIT of a failed transaction with a quiet ROLLBACK, so callers commit only where every
    /// statement before succeeded; the types of [`super::append`] see to that.
    pub(super) async fn commit(&self) -> Result<(), StoreError> {
        let object = self.object()?;
        self.under_way.fetch_add(1, Ordering::Relaxed);
        // Without a timeout of the server's: one that fires while a synchronous replica is awaited makes Postgres report a
        // commit that the replica may lack. The deadline here reports "unknown" instead.
        let commit = object.batch_execute("SET LOCAL statement_timeout = 0; COMMIT");
        let answer = tokio::time::timeout(self.deadline, commit)
            .await
            .map_err(|_| StoreError::CommitUnknown { source: None })?;
        // The call and the transaction are both over.
        self.under_way.fetch_sub(2, Ordering::Relaxed);
        answer.map_err(StoreError::from_commit)
    }

    /// Ends the open transaction after an error, which is what the caller reports.
    pub(super) async fn abandon(&self) {
        if let Err(error) = self.rollback().await {
            // The connection closes instead of going back to the pool, and Postgres rolls back by itself.
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "a transaction could not be rolled back"
            );
        }
    }

    /// Ends the open transaction without a trace.
    pub(super) async fn rollback(&self) -> Result<(), StoreError> {
        let object = self.object()?;
        self.timed("roll back", object.batch_execute("ROLLBACK")).await?;
        self.under_way.fetch_sub(1, Ordering::Relaxed);
        Ok(())
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if self.under_way.load(Ordering::Relaxed) > 0
            && let Some(object) = self.pooled.take()
        {
            drop(Object::take(object));
        }
    }
}
