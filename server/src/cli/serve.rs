//! `sealbook serve`: production, from a configuration file.

use std::path::PathBuf;

use clap::Args;

use super::context::Context;
use super::failure::Failure;
use super::operate::{self, Logs};
use crate::assembly::{self, Parts};
use crate::config::{Config, Listener};
use crate::{running, tls};

/// Serves a production deployment
#[derive(Debug, Args)]
pub struct ServeCommand {
    /// The configuration (TOML); environment variables override it
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Go on without a high-water file that ought to be there; recorded in the ledger
    #[arg(long)]
    accept_missing_high_water: bool,
}

/// Brings the database's schema up to date, as its owner
#[derive(Debug, Args)]
pub struct MigrateCommand {
    /// The configuration (TOML)
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

/// Runs `sealbook serve`.
pub fn run(command: &ServeCommand, _context: &Context) -> Result<(), Failure> {
    operate::log(Logs::Json, "info");
    let config = operate::load(&command.config)?;
    operate::block_on(serve(&config, command.accept_missing_high_water))
}

async fn serve(config: &Config, accept_missing_high_water: bool) -> Result<(), Failure> {
    let listener = running::listen(config.listen);
    let listener = listener.map_err(|error| Failure::operate("the server can't listen", error))?;
    let tls = match &config.listener {
        Listener::Tls { cert, key } => Some(tls::listener(cert, key)),
        Listener::BehindProxy => None,
    };
    let tls = tls.transpose().map_err(|error| Failure::operate("TLS can't be set up", error))?;
    let parts = Parts::from_config(config, accept_missing_high_water);
    let parts = parts.map_err(|error| Failure::operate("the configuration can't be used", error))?;
    let app =
        parts.assemble().await.map_err(|error| Failure::operate("the server can't be started", error))?;
    tracing::info!(listen = %config.listen, tenants = app.ledgers().len(), "serving");
    let (url, proxies) = (config.public_url.as_str(), config.trusted_proxies.clone());
    let result = running::until_stopped(app.clone(), listener, tls, url, proxies).await;
    if running::device_hangs(&app) {
        // A call still hangs inside the device's library, whose exit handlers would wait for it or crash.
        tracing::warn!("a call to the device hangs; ending without its library's exit handlers");
        std::process::abort();
    }
    result.map_err(|error| Failure::operate("the server ended", error))
}

/// Runs `sealbook migrate`.
pub fn migrate(command: &MigrateCommand, context: &Context) -> Result<(), Failure> {
    let config = operate::load(&command.config)?;
    let owner = config.database.owner().cloned().ok_or(Failure::Usage {
        what: "the configuration names no owner of the database".to_owned(),
        hint: "Set database.owner_url: migrations run as the schema's owner, the server never does.",
    })?;
    let applied = operate::block_on(async {
        let store = assembly::store_config(&config, owner)
            .map_err(|error| Failure::operate("the database", error))?;
        assembly::migrate(&store)
            .await
            .map_err(|error| Failure::operate("the schema can't be brought up to date", error))
    })?;
    context.out.show(&serde_json::json!({ "applied": applied }), || match applied {
        0 => "the schema is up to date\n".to_owned(),
        1 => "1 migration applied\n".to_owned(),
        more => format!("{more} migrations applied\n"),
    })
}
