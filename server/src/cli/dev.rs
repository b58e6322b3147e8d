//! `sealbook dev`: everything in one folder, ready in a few seconds, with nothing to configure.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use sealbook_ledger::encoding::B64;
use zeroize::Zeroizing;

use super::context::Context;
use super::failure::Failure;
use super::operate::{self, Logs};
use crate::assembly::{self, Parts};
use crate::config::{Mode, OperatorToken, OriginPrefix, RelyingParty};
use crate::custody::softhsm;
use crate::embedded::{DEFAULT_DATA_FOLDER, DataFolder, EmbeddedPostgres};
use crate::notifying::Notifying;
use crate::running;
use crate::store::{StoreConfig, Transport};

/// The name of the SoftHSM backend.
const BACKEND: &str = "softhsm";

/// Starts a private Postgres and a SoftHSM token under one folder, and serves
#[derive(Debug, Args)]
pub struct DevCommand {
    /// Where everything is kept
    #[arg(long, value_name = "FOLDER", default_value = DEFAULT_DATA_FOLDER)]
    data: PathBuf,
    /// Address to listen on: loopback only
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7420")]
    listen: SocketAddr,
    /// What the ledgers' origins begin with
    #[arg(long, value_name = "NAME", default_value = "sealbook.localhost")]
    origin_prefix: String,
    /// While the oldest unsealed event is older, in seconds, nothing new is signed
    #[arg(long, value_name = "SECONDS", default_value_t = 5)]
    max_unsealed: u64,
    /// Go on without a high-water file that ought to be there; recorded in the ledger
    #[arg(long)]
    accept_missing_high_water: bool,
}

/// Runs the command.
pub fn run(command: &DevCommand, _context: &Context) -> Result<(), Failure> {
    if !command.listen.ip().is_loopback() {
        let hint = "Production listens elsewhere: see `sealbook serve`.";
        return Err(Failure::Usage { what: format!("{} is not a loopback address", command.listen), hint });
    }
    let folder = std::path::absolute(&command.data);
    let folder = folder.map_err(|error| Failure::operate("the data folder's path", error))?;
    with_token_environment(&folder)?;
    operate::log(Logs::Text, "warn,sealbook=info");
    operate::block_on(serve(command, &folder))
}

/// SoftHSM reads its variable from the process' environment: without it the program starts itself again.
fn with_token_environment(folder: &Path) -> Result<(), Failure> {
    let (name, value) = softhsm::environment(&folder.join("token"));
    if std::env::var_os(name).as_deref() == Some(value.as_os_str()) {
        return Ok(());
    }
    let itself =
        std::env::current_exe().map_err(|error| Failure::operate("this program's own file", error))?;
    let error = std::process::Command::new(itself).args(std::env::args_os().skip(1)).env(name, value).exec();
    Err(Failure::operate("this program can't be started again with SoftHSM's variable", error))
}

async fn serve(command: &DevCommand, path: &Path) -> Result<(), Failure> {
    let began = Instant::now();
    let listener = running::listen(command.listen);
    let listener = listener.map_err(|error| Failure::operate("the server can't listen", error))?;
    let folder = DataFolder::open(path);
    let folder = folder.map_err(|error| Failure::operate("the data folder can't be used", error))?;
    let postgres = EmbeddedPostgres::start(&folder).await;
    let postgres = postgres.map_err(|error| Failure::operate("Postgres can't be started", error))?;
    let result = serve_on(command, &folder, &postgres, listener, began).await;
    let stopped = postgres.stop().await;
    result?;
    stopped.map_err(|error| Failure::operate("Postgres did not stop in order", error))
}

async fn serve_on(
    command: &DevCommand,
    folder: &DataFolder,
    postgres: &EmbeddedPostgres,
    listener: std::net::TcpListener,
    began: Instant,
) -> Result<(), Failure> {
    let url = format!("http://localhost:{}", command.listen.port());
    let owner = StoreConfig::new(postgres.owner_config(), Transport::Plain);
    let migrated = assembly::migrate(&owner).await;
    migrated.map_err(|error| Failure::operate("the schema can't be brought up to date", error))?;
    let token_folder = folder.token();
    let token = tokio::task::spawn_blocking(move || softhsm::prepare(&token_folder)).await;
    let token = token.map_err(|error| Failure::operate("SoftHSM", error))?;
    let token = token.map_err(|error| Failure::operate("the SoftHSM token can't be prepared", error))?;
    let (operator_token, token_file) = operator_token(folder)?;
    let backend = BACKEND.parse().map_err(|error| Failure::operate("the backend's name", error))?;
    let configured = |error| Failure::operate("the options can't be used", error);
    let parts = Parts {
        store: StoreConfig::new(postgres.app_config(), Transport::Plain),
        backends: BTreeMap::from([(BackendLabel::clone(&backend), token)]),
        ledger_backend: backend,
        origin_prefix: OriginPrefix::new(&command.origin_prefix).map_err(configured)?,
        rp: RelyingParty::new("localhost", std::slice::from_ref(&url), Mode::Dev).map_err(configured)?,
        high_water: folder.high_water(),
        max_unsealed: Duration::from_secs(command.max_unsealed),
        operator_token,
        accept_missing_high_water: command.accept_missing_high_water,
        // A development server tells nobody.
        notifying: Notifying { webhooks: Vec::new(), public_url: url.clone() },
    };
    let app =
        parts.assemble().await.map_err(|error| Failure::operate("the server can't be started", error))?;
    greet(&url, folder, &token_file, app.ledgers().len(), began)?;
    let result = running::until_stopped(app.clone(), listener, None, &url).await;
    result.map_err(|error| Failure::operate("the server ended", error))
}

type BackendLabel = sealbook_ledger::ids::BackendName;

/// The operator's token: made once, in a file that only the owner reads.
fn operator_token(folder: &DataFolder) -> Result<(OperatorToken, PathBuf), Failure> {
    let secret = folder.secret("operator-token");
    let secret = secret.map_err(|error| Failure::operate("the operator's token can't be made", error))?;
    let bytes = hex::decode(secret.as_bytes()).map(Zeroizing::new);
    let bytes = bytes.map_err(|error| Failure::operate("the operator's token can't be read", error))?;
    let text = Zeroizing::new(format!("sbo_{}", B64::from(bytes.as_slice())));
    let token = OperatorToken::parse(&text);
    let token = token
        .ok_or_else(|| Failure::operate("the operator's token can't be read", "it has another length"))?;
    let path = folder.cli().join("operator.token");
    let mut options = std::fs::OpenOptions::new();
    let file = options.write(true).create(true).truncate(true).mode(0o600).open(&path);
    let written = file.and_then(|mut file| writeln!(file, "{}", text.as_str()));
    written.map_err(|error| Failure::operate("the operator's token can't be written", error))?;
    Ok((token, path))
}

fn greet(
    url: &str,
    folder: &DataFolder,
    token: &Path,
    tenants: usize,
    began: Instant,
) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    let seconds = began.elapsed().as_secs_f64();
    let text = format!(
        "Sealbook is ready after {seconds:.1} s at {url}\n\n\
         \x20 sign in     {url}/signin\n\
         \x20 data        {}\n\
         \x20 tenants     {tenants}\n\
         \x20 operator    export SEALBOOK_OPERATOR_TOKEN_FILE={}\n\
         \x20 first step  sealbook tenant open NAME --founder ALICE --founder BOB --founder CAROL --out tickets\n\
         \x20 stop        Ctrl-C\n\n",
        folder.path().display(),
        token.display(),
    );
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    written.map_err(|error| Failure::operate("the greeting can't be written", error))
}
