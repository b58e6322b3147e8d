//! `sealbook dev`: everything in one folder, ready in a few seconds, with nothing to configure.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{IsTerminal as _, Write as _};
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use sealbook_ledger::encoding::B64;
use sealbook_ledger::ids::TenantName;
use sealbook_ledger::policy::{LedgerPolicy, Role};
use zeroize::Zeroizing;

use super::context::Context;
use super::failure::Failure;
use super::operate::{self, Logs};
use super::private_file;
use crate::app::App;
use crate::assembly::{self, Parts};
use crate::ceremony::{FounderInvite, Plan, RULES};
use crate::config::{
    ConfigError, FRESH_SIGN_IN_S, Mode, OperatorToken, OriginPrefix, RelyingParty, SNAPSHOT_EVERY,
};
use crate::custody::softhsm;
use crate::embedded::{DEFAULT_DATA_FOLDER, DataFolder, EmbeddedPostgres, MOST_DAYS_AHEAD};
use crate::notifying::Notifying;
use crate::passkeys::AttestationRoots;
use crate::running;
use crate::store::{StoreConfig, Transport};

/// Who found the tenant that is opened on request: three, so that two can approve what the third proposes.
const FOUNDERS: usize = 3;

/// The name of the SoftHSM backend.
const BACKEND: &str = "softhsm";

/// Where approvals are made, and for whom sign-ins are, if they are kept apart: browsers take every name below
/// `localhost` for this machine.
const APPROVALS: &str = "approve.sealbook.localhost";
const SIGN_IN: &str = "sealbook.localhost";

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
    /// Where there is no tenant yet, open one of this name and print its three founders' links
    #[arg(long, value_name = "TENANT")]
    found: Option<TenantName>,
    /// While the oldest unsealed event is older, in seconds, nothing new is signed
    #[arg(long, value_name = "SECONDS", default_value_t = 5)]
    max_unsealed: u64,
    /// Keep sign-ins apart from approvals: passkeys of their own, at approve.sealbook.localhost in place of localhost
    #[arg(long)]
    separate_sign_in: bool,
    /// How long after a sign-in a session may do what needs a fresh one, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = FRESH_SIGN_IN_S,
        value_parser = clap::value_parser!(u32).range(1..=i64::from(FRESH_SIGN_IN_S)))]
    fresh_sign_in: u32,
    /// PEM file, or folder of them, with the roots whose attestations prove hardware; without, nothing does
    #[arg(long, value_name = "PATH")]
    attestation_roots: Option<PathBuf>,
    /// SoftHSM's module, where it is not where Debian, Fedora or Homebrew put it
    #[arg(long, value_name = "FILE")]
    softhsm_module: Option<PathBuf>,
    /// The trial's clock runs so many days ahead: to see overlaps end and keys come due. It is never set back
    #[arg(long, value_name = "DAYS", default_value_t = 0,
        value_parser = clap::value_parser!(u16).range(..=i64::from(MOST_DAYS_AHEAD)))]
    days_ahead: u16,
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
    let ahead = folder.run_ahead(command.days_ahead);
    ahead.map_err(|error| Failure::operate("the trial's clock can't be kept", error))?;
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
    let host = if command.separate_sign_in { APPROVALS } else { "localhost" };
    let url = format!("http://{host}:{}", command.listen.port());
    let owner = StoreConfig::new(postgres.owner_config(), Transport::Plain);
    let migrated = assembly::migrate(&owner).await;
    migrated.map_err(|error| Failure::operate("the schema can't be brought up to date", error))?;
    let (token_folder, module) = (folder.token(), command.softhsm_module.clone());
    let token = tokio::task::spawn_blocking(move || {
        let module = module.map_or_else(softhsm::find_module, Ok)?;
        softhsm::prepare_with(module, &token_folder)
    });
    let token = token.await;
    let token = token.map_err(|error| Failure::operate("SoftHSM", error))?;
    let token = token.map_err(|error| Failure::operate("the SoftHSM token can't be prepared", error))?;
    let (operator_token, token_file) = operator_token(folder)?;
    let backend = BACKEND.parse().map_err(|error| Failure::operate("the backend's name", error))?;
    let configured = |error| Failure::operate("the options can't be used", error);
    let roots = command.attestation_roots.as_deref().map(AttestationRoots::load).transpose();
    let roots = roots.map_err(|error| Failure::operate("the attestation roots can't be used", error))?;
    let parts = Parts {
        store: StoreConfig::new(postgres.app_config(), Transport::Plain),
        backends: BTreeMap::from([(BackendLabel::clone(&backend), token)]),
        ledger_backend: backend,
        origin_prefix: OriginPrefix::new(&command.origin_prefix).map_err(configured)?,
        rp: relying_party(command, host, &url).map_err(configured)?,
        attestation_roots: roots.unwrap_or_default(),
        high_water: folder.high_water(),
        snapshot_every: SNAPSHOT_EVERY,
        max_unsealed: Duration::from_secs(command.max_unsealed),
        fresh_sign_in_s: command.fresh_sign_in,
        operator_token,
        accept_missing_high_water: command.accept_missing_high_water,
        // A development server tells nobody.
        notifying: Notifying { webhooks: Vec::new(), public_url: url.clone() },
    };
    let app = parts
        .assemble_beside(postgres)
        .await
        .map_err(|error| Failure::operate("the server can't be started", error))?;
    let links = match &command.found {
        Some(tenant) => founding_links(&app, tenant, &url, folder, command.separate_sign_in).await?,
        None => Vec::new(),
    };
    let clock = clock(postgres.ahead(), command.days_ahead);
    greet(&url, folder, &token_file, app.ledgers().len(), &clock, began)?;
    show_links(&links)?;
    let result = running::until_stopped(app.clone(), listener, None, &url, Vec::new()).await;
    result.map_err(|error| Failure::operate("the server ended", error))
}

fn relying_party(command: &DevCommand, host: &str, url: &str) -> Result<RelyingParty, ConfigError> {
    let own = RelyingParty::new(host, &[url.to_owned()], Mode::Dev)?;
    if command.separate_sign_in { own.with_sign_in(SIGN_IN) } else { Ok(own) }
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

/// Opens a tenant where there is none, and keeps its founders' links in files that only the owner reads.
async fn founding_links(
    app: &App,
    tenant: &TenantName,
    url: &str,
    folder: &DataFolder,
    separate_sign_in: bool,
) -> Result<Vec<(PathBuf, Zeroizing<String>)>, Failure> {
    if !app.ledgers().is_empty() || !app.all_refused().is_empty() {
        return Ok(Vec::new());
    }
    let roles = BTreeSet::from([Role::Approver, Role::PlatformAdmin, Role::SecurityReviewer]);
    let founders = vec![FounderInvite { display_name: None, roles }; FOUNDERS];
    let opened = app
        .open_tenant(
            tenant.clone(),
            Plan { separate_sign_in, ..Plan::new(founders, LedgerPolicy::default_for(FOUNDERS, RULES)) },
            None,
        )
        .await;
    let opened = opened.map_err(|error| Failure::operate("the tenant can't be opened", error))?;
    let page = format!("{url}/t/{tenant}/found");
    let mut links = Vec::new();
    for (at, ticket) in opened.tickets.iter().enumerate() {
        let path = folder.cli().join(format!("{tenant}-founder-{}.link", at + 1));
        let link = Zeroizing::new(super::tenant::link(&page, &ticket.ticket.secret));
        private_file::write(&path, &link)?;
        links.push((path, link));
    }
    Ok(links)
}

/// On a terminal the links themselves, elsewhere where they are: output that is kept is no place for secrets.
fn show_links(links: &[(PathBuf, Zeroizing<String>)]) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    let seen = out.is_terminal();
    for (at, (path, link)) in links.iter().enumerate() {
        let place = path.display().to_string();
        let shown = if seen { link.as_str() } else { place.as_str() };
        let written = writeln!(out, "  founder {}   {shown}", at + 1).and_then(|()| out.flush());
        written.map_err(|error| Failure::operate("the links can't be written", error))?;
    }
    Ok(())
}

/// A line about a trial's clock, where it runs ahead.
fn clock(ahead: Duration, asked: u16) -> String {
    let days = ahead.as_secs() / (24 * 60 * 60);
    let kept = if days > u64::from(asked) { ": as far as it ever did" } else { "" };
    if days == 0 { String::new() } else { format!("  clock       {days} days ahead{kept}\n") }
}

fn greet(
    url: &str,
    folder: &DataFolder,
    token: &Path,
    tenants: usize,
    clock: &str,
    began: Instant,
) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    let seconds = began.elapsed().as_secs_f64();
    let text = format!(
        "Sealbook is ready after {seconds:.1} s at {url}\n\n\
         \x20 sign in     {url}/signin\n\
         \x20 data        {}\n\
         \x20 tenants     {tenants}\n\
         {clock}\
         \x20 operator    export SEALBOOK_OPERATOR_TOKEN_FILE={}\n\
         \x20 first step  sealbook tenant open NAME --founder ALICE --founder BOB --founder CAROL --out tickets\n\
         \x20 stop        Ctrl-C\n\n",
        folder.path().display(),
        token.display(),
    );
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    written.map_err(|error| Failure::operate("the greeting can't be written", error))
}
