//! Postgres: where events, heads and checkpoints lie. Here and in `views` alone is SQL spoken.
//!
//! The store knows bytes and typed rows; what events mean is the ledger crate's. In the order data flows:
//!
//! - [`migrate`] makes the tables, as their owner; [`ledgers`] enters a ledger
//! - [`append`] is the one way in: a round locks heads, inserts everything, moves the heads, commits
//! - [`load`], [`story`], [`export`], [`checkpoints`], [`signatures`] and [`projections`] read, and keep what follows the events
//! - [`candidates`] keeps what precedes them: tickets, and the founders' assertions
//! - [`webhooks`] keeps what is to be told to other systems
//! - [`restore`] puts a lost tail back by the same round

use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Pool, PoolError, RecyclingMethod, Runtime};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio_postgres::Config;
use tokio_postgres::config::SslMode;

pub mod activity;
pub mod append;
mod audit;
pub mod candidates;
pub mod checkpoints;
mod columns;
mod connection;
mod error;
pub mod export;
pub mod ledgers;
pub mod load;
pub mod migrate;
mod projection_columns;
pub mod projections;
pub mod read;
pub mod restore;
pub mod rows;
pub mod signatures;
pub mod story;
pub mod webhooks;

pub use connection::{Connection, Transport};
pub use error::StoreError;
pub use rows::{Head, LedgerId};

/// How the store reaches its database, and how long it waits.
#[derive(Clone)]
pub struct StoreConfig {
    /// Host or socket folder, database, role and password.
    pub postgres: Config,
    /// How bytes travel.
    pub transport: Transport,
    /// Connections in the pool.
    pub connections: usize,
    /// Exports that may stream at the same time, each on a connection of its own.
    pub exports: usize,
    /// Longest wait for a free connection, and for a new one to open.
    pub connect_timeout: Duration,
    /// Longest run of a statement. Postgres ends it first; the client waits [`Self::GRACE`] more, for servers that have
    /// gone silent.
    pub statement_timeout: Duration,
}

impl StoreConfig {
    /// What the client waits beyond the server's own timeout.
    const GRACE: Duration = Duration::from_secs(2);

    /// The usual limits: 16 connections, 4 exports, 5 s to connect, 10 s a statement.
    pub fn new(postgres: Config, transport: Transport) -> Self {
        Self {
            postgres,
            transport,
            connections: 16,
            exports: 4,
            connect_timeout: Duration::from_secs(5),
            statement_timeout: Duration::from_secs(10),
        }
    }

    /// The deadline of a call.
    fn deadline(&self) -> Duration {
        self.statement_timeout.saturating_add(Self::GRACE)
    }

    /// The configuration with everything pinned that a role's or a database's settings could change under us.
    fn pinned(&self, application: &str, statement_timeout: Duration) -> Config {
        let millis = statement_timeout.as_millis();
        let ours = format!(
            "-c search_path=sealbook,pg_temp -c statement_timeout={millis} -c lock_timeout={millis} \
             -c idle_in_transaction_session_timeout=30000 -c TimeZone=UTC"
        );
        let mut config = self.postgres.clone();
        let options = match config.get_options() {
            Some(theirs) => format!("{theirs} {ours}"),
            None => ours,
        };
        if matches!(self.transport, Transport::Tls(_)) {
            // The client's default is to go on in the clear with a server that offers no TLS.
            config.ssl_mode(SslMode::Require);
        }
        config
            .options(options)
            .application_name(application)
            .connect_timeout(self.connect_timeout)
            .keepalives_idle(Duration::from_secs(30))
            .tcp_user_timeout(Duration::from_secs(30));
        config
    }
}

/// The store: cheap to share by reference, one for a process.
pub struct Store {
    config: StoreConfig,
    pool: Pool,
    exports: Arc<Semaphore>,
    /// Leases of sealing: whoever holds one reads on a second connection meanwhile.
    leases: Arc<Semaphore>,
    /// Turns of what follows ledgers in the background.
    turns: Semaphore,
    /// The main runtime: every connection's task lives there, whoever asks for one (ARCHITECTURE decision 12).
    runtime: Handle,
}

impl Store {
    /// Opens the store on the current runtime, which has to outlive it. Connections are made when they are needed: a
    /// database that is down now is [`StoreError::Unavailable`] later, until it is back.
    pub fn open(config: StoreConfig) -> Result<Self, StoreError> {
        let pinned = config.pinned("sealbook", config.statement_timeout);
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = Manager::from_connect(pinned, config.transport.clone(), recycling);
        let pool = Pool::builder(manager)
            .max_size(config.connections)
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(config.connect_timeout))
            .create_timeout(Some(config.connect_timeout))
            .recycle_timeout(Some(config.connect_timeout))
            .build()
            .map_err(|error| StoreError::Fault {
                what: "the pool cannot be built",
                source: Some(error.into()),
            })?;
        let exports = Arc::new(Semaphore::new(config.exports));
        // Of the pool's connections at most three quarters are taken by what grows with the number of ledgers: two for each
        // lease of sealing, one for each turn at following. The rest is for who waits for an answer.
        let share = (config.connections / 4).max(1);
        let leases = Arc::new(Semaphore::new(share));
        let turns = Semaphore::new(share);
        Ok(Self { config, pool, exports, leases, turns, runtime: Handle::current() })
    }

    /// Closes every idle connection and makes no more; calls from then on fail.
    pub fn close(&self) {
        self.pool.close();
        self.leases.close();
        self.turns.close();
    }

    /// A turn at one page of following a ledger in the background, as soon as there is one. Nothing but the database is
    /// waited for while it is held.
    pub async fn turn(&self) -> Result<SemaphorePermit<'_>, StoreError> {
        self.turns.acquire().await.map_err(|_| StoreError::fault("the store is closed"))
    }

    /// A connection from the pool, opened on the main runtime if need be: one lives as long as the runtime that opened it.
    pub async fn connection(&self) -> Result<Connection, StoreError> {
        const DOING: &str = "connect";
        let pool = self.pool.clone();
        let pooled = if Handle::current().id() == self.runtime.id() {
            pool.get().await
        } else {
            let task = self.runtime.spawn(async move { pool.get().await });
            task.await.map_err(|error| StoreError::unavailable(DOING, error))?
        };
        let pooled = pooled.map_err(|error| match error {
            PoolError::Backend(error) => StoreError::from_postgres(DOING, error),
            PoolError::Timeout(_) => StoreError::unavailable(DOING, error),
            PoolError::Closed | PoolError::NoRuntimeSpecified | PoolError::PostCreateHook(_) => {
                StoreError::Fault { what: "the pool is closed", source: Some(error.into()) }
            }
        })?;
        Ok(Connection::new(pooled, self.config.deadline()))
    }

    /// Refuses a server that this one must not run against: older than Postgres 15, one that acknowledges commits
    /// before they are durable, a database that is not UTF-8, or a schema that is not the embedded one.
    pub async fn check_server(&self) -> Result<(), StoreError> {
        const DOING: &str = "check the database server";
        const SQL: &str = "SELECT current_setting('server_version_num')::int >= 150000, \
             current_setting('fsync')::bool AND current_setting('full_page_writes')::bool \
                 AND current_setting('synchronous_commit') <> 'off', \
             current_setting('server_encoding') = 'UTF8'";
        let connection = self.connection().await?;
        let row = connection.query_opt(DOING, SQL, &[]).await?;
        let row = row.ok_or_else(|| StoreError::fault("the server does not tell its settings"))?;
        let demands = [
            "Postgres is older than version 15",
            "Postgres may lose commits: fsync, full_page_writes and synchronous_commit have to be on",
            "the database's encoding is not UTF8",
        ];
        for (index, demand) in demands.into_iter().enumerate() {
            if !columns::get::<bool>(&row, index)? {
                return Err(StoreError::fault(demand));
            }
        }
        migrate::check_schema(&connection).await
    }
}
