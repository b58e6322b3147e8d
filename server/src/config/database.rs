//! How the server reaches its database.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use tokio_postgres::config::{Host, SslMode};
use zeroize::Zeroizing;

use super::{ConfigError, Environment, raw, secret};

/// Connections of the runtime role, unless told otherwise. Sequencers batch: a handful of writers saturates a database.
const DEFAULT_POOL: usize = 16;

/// A seal takes two connections, what follows a ledger one, and somebody waits for an answer.
const LEAST_POOL: usize = 4;

/// More than this and Postgres itself becomes slower (each connection is a process).
const MAX_POOL: usize = 500;

/// One attempt to reach the database.
const CONNECT: Duration = Duration::from_secs(5);

/// How connections to the database are protected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DatabaseTls {
    /// TLS; the certificate verifies up to `root_cert` (or the system's roots) and names the host. The default.
    VerifyFull {
        /// PEM file of the accepted roots; without one, the system's.
        root_cert: Option<PathBuf>,
    },
    /// TLS; the certificate verifies up to `root_cert`, whatever host it names: for addresses that certificates do not
    /// carry. libpq's `verify-ca`, and its `require` with a root certificate.
    Require {
        /// PEM file of the accepted roots.
        root_cert: PathBuf,
    },
    /// No TLS; accepted for Unix sockets and loopback addresses only.
    Disable,
}

/// The database: one role that runs the server, and where migrations are run from here, one that owns the schema.
#[derive(Clone)]
pub struct Database {
    pub(super) app: tokio_postgres::Config,
    pub(super) owner: Option<tokio_postgres::Config>,
    pub(super) tls: DatabaseTls,
    pub(super) pool_size: usize,
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Database")
            .field("tls", &self.tls)
            .field("pool_size", &self.pool_size)
            .finish_non_exhaustive()
    }
}

impl Database {
    /// How the runtime role connects.
    pub fn app(&self) -> &tokio_postgres::Config {
        &self.app
    }

    /// How the owner connects, where `database.owner_url` is given; for `sealbook migrate`.
    pub fn owner(&self) -> Option<&tokio_postgres::Config> {
        self.owner.as_ref()
    }

    /// How connections are protected; [`crate::tls::database`] makes it into a connector's configuration.
    pub fn tls(&self) -> &DatabaseTls {
        &self.tls
    }

    /// Connections of the runtime role, at most.
    pub fn pool_size(&self) -> usize {
        self.pool_size
    }

    pub(super) fn parse(raw: raw::Database, environment: Environment<'_>) -> Result<Self, ConfigError> {
        let url = raw.url.ok_or(ConfigError::Missing {
            key: "database.url",
            write: "the runtime role's address, e.g. \"postgres://sealbook_app@db.example.com/sealbook\"",
        })?;
        let password = secret(
            ("database.password_file", raw.password_file),
            ("database.password_env", raw.password_env),
            environment,
        )?;
        let owner_password = secret(
            ("database.owner_password_file", raw.owner_password_file),
            ("database.owner_password_env", raw.owner_password_env),
            environment,
        )?;
        let tls = parse_tls(raw.tls.as_deref(), raw.root_cert)?;
        let app = address("database.url", &url, password, &tls)?;
        let owner =
            raw.owner_url.map(|url| address("database.owner_url", &url, owner_password, &tls)).transpose()?;
        if owner.as_ref().is_some_and(|owner| owner.get_user() == app.get_user()) {
            return Err(ConfigError::value(
                "database.owner_url",
                "names the same role as `database.url`",
                "another role: the one that runs the server must not own the tables it appends to",
            ));
        }
        let pool_size = raw.pool_size.unwrap_or(DEFAULT_POOL);
        if !(LEAST_POOL..=MAX_POOL).contains(&pool_size) {
            return Err(ConfigError::value(
                "database.pool_size",
                "is out of range",
                "a number from 4 to 500",
            ));
        }
        Ok(Self { app, owner, tls, pool_size })
    }
}

fn parse_tls(tls: Option<&str>, root_cert: Option<PathBuf>) -> Result<DatabaseTls, ConfigError> {
    match (tls.unwrap_or("verify-full"), root_cert) {
        ("verify-full", root_cert) => Ok(DatabaseTls::VerifyFull { root_cert }),
        ("require", Some(root_cert)) => Ok(DatabaseTls::Require { root_cert }),
        ("require", None) => Err(ConfigError::Missing {
            key: "database.root_cert",
            write: "the PEM file of the database's certificate authority, which `tls = \"require\"` checks against",
        }),
        ("disable", None) => Ok(DatabaseTls::Disable),
        ("disable", Some(_)) => Err(ConfigError::value(
            "database.root_cert",
            "has no use with `tls = \"disable\"`",
            "`tls = \"verify-full\"`, or leave root_cert out",
        )),
        _ => Err(ConfigError::value(
            "database.tls",
            "is no mode known here",
            "\"verify-full\", \"require\" or, for a Unix socket or loopback, \"disable\"",
        )),
    }
}

fn address(
    key: &'static str,
    url: &str,
    password: Option<Zeroizing<String>>,
    tls: &DatabaseTls,
) -> Result<tokio_postgres::Config, ConfigError> {
    // The parser's own error is left out: it may quote a part of the address that holds a password.
    let mut config: tokio_postgres::Config = url.parse().map_err(|_| {
        ConfigError::value(
            key,
            "is no database address",
            "e.g. \"postgres://sealbook_app@db.example.com/sealbook\"",
        )
    })?;
    if config.get_password().is_some() {
        return Err(ConfigError::value(
            key,
            "contains a password, which would show in backups and process listings of this file",
            "the address without it, and the password's own file as password_file (or a variable's name as password_env)",
        ));
    }
    if url.contains("sslmode=") {
        return Err(ConfigError::value(
            key,
            "contains sslmode",
            "the address without it, and the mode as `database.tls`",
        ));
    }
    if config.get_user().is_none() || config.get_dbname().is_none() || config.get_hosts().is_empty() {
        return Err(ConfigError::value(
            key,
            "lacks a role, a host or a database name",
            "e.g. \"postgres://sealbook_app@db.example.com/sealbook\"",
        ));
    }
    if *tls == DatabaseTls::Disable && !stays_on_this_machine(&config) {
        return Err(ConfigError::value(
            "database.tls",
            "is \"disable\" for a database on the network",
            "\"verify-full\", or a Unix socket or loopback address as the host",
        ));
    }
    config.ssl_mode(if *tls == DatabaseTls::Disable { SslMode::Disable } else { SslMode::Require });
    config.connect_timeout(CONNECT).application_name("sealbook");
    if let Some(password) = password {
        config.password(password.as_bytes());
    }
    Ok(config)
}

fn stays_on_this_machine(config: &tokio_postgres::Config) -> bool {
    let local = |host: &Host| match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => name == "localhost" || name.parse().is_ok_and(|ip: IpAddr| ip.is_loopback()),
    };
    config.get_hosts().iter().all(local) && config.get_hostaddrs().iter().all(IpAddr::is_loopback)
}
