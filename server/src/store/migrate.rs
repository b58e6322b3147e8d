//! Making the tables, as their owner and one server at a time; migrations/README.md says who may do what with them.

use std::time::Duration;

use tokio_postgres::Client;

use super::StoreConfig;
use super::columns;
use super::connection::Connection;
use super::error::StoreError;

#[allow(missing_docs, reason = "the macro's expansion has none")]
mod embedded {
    refinery::embed_migrations!("../migrations");
}

/// The advisory lock of migrations: `sealbook` in ASCII.
const LOCK: i64 = i64::from_be_bytes(*b"sealbook");

/// Longest time for all migrations together, and for another server's to end.
const PATIENCE: Duration = Duration::from_secs(600);

/// Brings the schema up to date and returns how many migrations that took. `config.postgres` names somebody who may act
/// as `sealbook_owner`.
pub async fn migrate(config: &StoreConfig) -> Result<usize, StoreError> {
    let mut session = Session::open(config).await?;
    let work = async {
        let client = &mut session.client;
        run(client, "become sealbook_owner", "SET ROLE sealbook_owner").await?;
        // Held until the connection ends; `run_async` takes no lock of its own.
        run(client, "wait for other migrations", &format!("SELECT pg_advisory_lock({LOCK})")).await?;
        run(client, "make the schema", "CREATE SCHEMA IF NOT EXISTS sealbook").await?;
        let report =
            embedded::migrations::runner().run_async(client).await.map_err(|error| StoreError::Fault {
                what: "a migration failed; the schema is as it was before it",
                source: Some(error.into()),
            })?;
        Ok(report.applied_migrations().len())
    };
    tokio::time::timeout(PATIENCE, work).await.map_err(|_| StoreError::overdue("migrate"))?
}

/// Makes the two roles and a database of theirs, where they are missing. `config.postgres` names a superuser; a server
/// that administers its own Postgres calls this, for all others it is the administrator's work.
pub async fn provision(config: &StoreConfig, database: &str) -> Result<(), StoreError> {
    const DOING: &str = "make roles and database";
    const ROLES: &str = "DO $$ BEGIN \
         IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'sealbook_owner') THEN \
             CREATE ROLE sealbook_owner NOLOGIN; END IF; \
         IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'sealbook_app') THEN \
             CREATE ROLE sealbook_app LOGIN; END IF; \
         END $$";
    // The name is quoted by Postgres itself: CREATE DATABASE takes no parameters.
    const QUOTED: &str = "SELECT format('CREATE DATABASE %I OWNER sealbook_owner TEMPLATE template0 \
             ENCODING ''UTF8'' LC_COLLATE ''C'' LC_CTYPE ''C''', $1::text) \
         WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = $1::text)";
    let session = Session::open(config).await?;
    let work = async {
        run(&session.client, DOING, ROLES).await?;
        let missing = session.client.query_opt(QUOTED, &[&database]).await;
        match missing.map_err(|error| StoreError::from_postgres(DOING, error))? {
            Some(row) => run(&session.client, DOING, columns::get(&row, 0)?).await,
            None => Ok(()),
        }
    };
    tokio::time::timeout(PATIENCE, work).await.map_err(|_| StoreError::overdue(DOING))?
}

/// Refuses a schema that is not exactly the embedded one.
pub(super) async fn check_schema(connection: &Connection) -> Result<(), StoreError> {
    const DOING: &str = "read the schema's version; has `sealbook migrate` been run?";
    const SQL: &str = "SELECT coalesce(max(version), 0) FROM refinery_schema_history";
    let row = connection.query_opt(DOING, SQL, &[]).await?;
    let row = row.ok_or_else(|| StoreError::fault(DOING))?;
    let applied: i32 = columns::get(&row, 0)?;
    let runner = embedded::migrations::runner();
    let embedded = runner.get_migrations().iter().map(|migration| migration.version()).max().unwrap_or(0);
    match applied.cmp(&embedded) {
        std::cmp::Ordering::Equal => Ok(()),
        std::cmp::Ordering::Less => {
            Err(StoreError::fault("the schema is older than this server: run `sealbook migrate`"))
        }
        std::cmp::Ordering::Greater => {
            Err(StoreError::fault("the schema is newer than this server: run the newer server"))
        }
    }
}

/// A connection of its own, closed with it.
struct Session {
    client: Client,
    driver: tokio::task::JoinHandle<()>,
}

impl Session {
    async fn open(config: &StoreConfig) -> Result<Self, StoreError> {
        const DOING: &str = "connect";
        let pinned = config.pinned("sealbook migrate", PATIENCE);
        let connecting = tokio::time::timeout(config.connect_timeout, config.transport.open(&pinned)).await;
        let (client, driver) = connecting
            .map_err(|_| StoreError::overdue(DOING))?
            .map_err(|error| StoreError::from_postgres(DOING, error))?;
        Ok(Self { client, driver })
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

async fn run(client: &Client, doing: &'static str, sql: &str) -> Result<(), StoreError> {
    client.batch_execute(sql).await.map_err(|error| StoreError::from_postgres(doing, error))
}
