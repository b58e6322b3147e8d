//! What the operator's commands share: logs, the runtime, and the way to the database.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use super::failure::Failure;
use crate::assembly;
use crate::config::Config;
use crate::embedded::{DEFAULT_DATA_FOLDER, DataFolder, EmbeddedPostgres};
use crate::store::{Store, StoreConfig, Transport};

/// Which deployment a command is about.
#[derive(Debug, Args)]
pub struct Deployment {
    /// The configuration of `sealbook serve`
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The data folder of `sealbook dev`, whose server must not be running
    #[arg(long, value_name = "FOLDER", conflicts_with = "config", default_value = DEFAULT_DATA_FOLDER)]
    data: PathBuf,
}

/// How logs are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Logs {
    /// Lines for people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Begins logging to stderr; `SEALBOOK_LOG` filters, e.g. `info,sealbook=debug`.
pub fn log(logs: Logs, default: &str) {
    let filter = EnvFilter::try_from_env("SEALBOOK_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    let registry = tracing_subscriber::registry().with(filter);
    // Colour is for terminals: in a file it is noise.
    let colour =
        std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let lines = tracing_subscriber::fmt::layer().with_ansi(colour).with_writer(std::io::stderr);
    // A subscriber that is set already is a test's.
    let _ = match logs {
        Logs::Text => registry.with(lines.with_target(false)).try_init(),
        Logs::Json => registry.with(lines.json().flatten_event(true)).try_init(),
    };
}

/// Runs on a multi-thread runtime: store, sequencers and sealers live there.
pub fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.map_err(|error| Failure::operate("the runtime can't be started", error))?.block_on(work)
}

/// An open store, and what has to stay while it is used.
pub struct Opened {
    /// As the application's role.
    pub store: Arc<Store>,
    embedded: Option<(DataFolder, EmbeddedPostgres)>,
}

impl Deployment {
    /// Opens the deployment's store; for `sealbook dev` its private Postgres is started for the time.
    pub async fn open(&self) -> Result<Opened, Failure> {
        let (config, embedded) = match &self.config {
            Some(file) => {
                let config = load(file)?;
                let role = config.database.app().clone();
                let store = assembly::store_config(&config, role);
                (store.map_err(|error| Failure::operate("the database", error))?, None)
            }
            None => {
                let folder = DataFolder::open(&self.data);
                let folder =
                    folder.map_err(|error| Failure::operate("the data folder can't be used", error))?;
                let postgres = EmbeddedPostgres::start(&folder).await;
                let postgres =
                    postgres.map_err(|error| Failure::operate("Postgres can't be started", error))?;
                let owner = StoreConfig::new(postgres.owner_config(), Transport::Plain);
                let migrated = assembly::migrate(&owner).await;
                migrated
                    .map_err(|error| Failure::operate("the schema can't be brought up to date", error))?;
                (StoreConfig::new(postgres.app_config(), Transport::Plain), Some((folder, postgres)))
            }
        };
        let store =
            Store::open(config).map_err(|error| Failure::operate("the database can't be used", error))?;
        Ok(Opened { store: Arc::new(store), embedded })
    }
}

impl Opened {
    /// Ends what was started for the time.
    pub async fn close(self) -> Result<(), Failure> {
        drop(self.store);
        if let Some((_folder, postgres)) = self.embedded {
            postgres.stop().await.map_err(|error| Failure::operate("Postgres can't be stopped", error))?;
        }
        Ok(())
    }
}

/// Reads a production configuration.
pub fn load(file: &Path) -> Result<Config, Failure> {
    Config::load(file).map_err(|error| Failure::operate("the configuration can't be used", error))
}
