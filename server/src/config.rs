//! What `sealbook serve --config FILE` is told: a TOML file, with the environment above it, parsed once into types.
//!
//! Secrets are in files or variables of their own, never in this file: it is kept in version control and shown to
//! colleagues.

mod database;
mod error;
mod operator_token;
mod raw;
mod web;
mod webhooks;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sealbook_ledger::ids::BackendName;
use zeroize::Zeroizing;

pub use database::{Database, DatabaseTls};
pub use error::ConfigError;
pub use operator_token::OperatorToken;
pub use web::{Mode, OriginPrefix, RelyingParty, WebOrigin};

use crate::custody::{MAX_SESSIONS, PinSource, Pkcs11Config};
use crate::network::{InvalidNetwork, Network};
use crate::notifying::model::Webhook;
use raw::Raw;

/// Longest configuration file in bytes.
const MAX_FILE: u64 = 1 << 20;

/// Most proxies or networks of proxies: each is compared with a request's hops.
const MAX_PROXIES: usize = 64;

/// Longest secret in bytes.
const MAX_SECRET: u64 = 4096;

/// How an environment variable is looked up; an argument so that tests need not change the process' own.
type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// A checked production configuration.
#[derive(Debug)]
pub struct Config {
    /// Where the server listens.
    pub listen: SocketAddr,
    /// How the listener is protected.
    pub listener: Listener,
    /// Whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<Network>,
    /// Where people and clients find the server.
    pub public_url: WebOrigin,
    /// What the ledgers' origins begin with.
    pub origin_prefix: OriginPrefix,
    /// High-water files and snapshots: durable, outside the database, this server's own.
    pub data_folder: PathBuf,
    /// Whom passkeys are made for.
    pub rp: RelyingParty,
    /// Whose attestations prove hardware: a PEM file, or a folder of them. Without, nothing counts as hardware.
    pub attestation_roots: Option<PathBuf>,
    /// The database.
    pub database: Database,
    /// The devices that hold keys.
    pub custody: Custody,
    /// Bounds.
    pub limits: Limits,
    /// The token of the person who runs the server, e.g. to found tenants.
    pub operator_token: OperatorToken,
    /// Who is told what people should look at.
    pub webhooks: Vec<Webhook>,
}

/// How the listener is protected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listener {
    /// TLS by the server itself.
    Tls {
        /// PEM file of the certificate chain, the server's own first.
        cert: PathBuf,
        /// PEM file of its private key.
        key: PathBuf,
    },
    /// A proxy in front ends TLS; the way from it to here is the operator's to protect.
    BehindProxy,
}

/// The devices that hold keys.
#[derive(Debug)]
pub struct Custody {
    backends: BTreeMap<BackendName, Pkcs11Config>,
    ledger_backend: BackendName,
}

impl Custody {
    /// Every backend by its name; at least one.
    pub fn backends(&self) -> &BTreeMap<BackendName, Pkcs11Config> {
        &self.backends
    }

    /// The backend that holds ledger keys; one of [`backends`](Self::backends).
    pub fn ledger_backend(&self) -> &BackendName {
        &self.ledger_backend
    }
}

/// Bounds of the server's work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// How long an event may stay unsealed before new signing is refused (ledger format §4).
    pub max_unsealed: Duration,
    /// How long after a sign-in a session may do what needs a fresh one, in seconds.
    pub fresh_sign_in_s: u32,
    /// Events after which a ledger's folded state is put aside, so that the next start need not fold them again at once.
    pub snapshot_every: u64,
}

/// Longest time after a sign-in that counts as fresh, in seconds; what holds where nothing else is said.
pub const FRESH_SIGN_IN_S: u32 = 5 * 60;

/// What holds for snapshots where nothing else is said. So many events are folded in well under a second.
pub const SNAPSHOT_EVERY: u64 = 25_000;

impl Config {
    /// Reads and checks a file, with the process' environment above it.
    ///
    /// # Errors
    /// [`ConfigError`]: names the key and says what to write.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let mut text = String::new();
        File::open(path)
            .and_then(|file| file.take(MAX_FILE).read_to_string(&mut text))
            .map_err(|source| ConfigError::File { path: path.to_owned(), source })?;
        Self::parse(&text, &|name| std::env::var(name).ok())
    }

    /// Checks a file's text, with `environment` above it.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn parse(text: &str, environment: Environment<'_>) -> Result<Self, ConfigError> {
        let raw = Raw::read(text, environment)?;
        let operator_token_file = raw.operator_token_file.ok_or(ConfigError::Missing {
            key: "operator_token_file",
            write: "the file that holds the operator's token: `sbo_` and 43 characters of base64url",
        })?;
        Ok(Self {
            listen: parse_listen(raw.listen)?,
            listener: parse_listener(raw.tls, raw.behind_proxy)?,
            trusted_proxies: parse_trusted_proxies(&raw.trusted_proxies)?,
            public_url: parse_public_url(raw.public_url)?,
            origin_prefix: parse_origin_prefix(raw.origin_prefix)?,
            data_folder: parse_data_folder(raw.data_folder)?,
            rp: parse_rp(raw.rp)?,
            attestation_roots: raw.webauthn.attestation_roots,
            database: Database::parse(raw.database, environment)?,
            custody: parse_custody(raw.custody)?,
            limits: parse_limits(&raw.limits)?,
            operator_token: read_operator_token(&operator_token_file)?,
            webhooks: webhooks::parse(raw.webhooks, environment)?,
        })
    }
}

fn parse_listen(listen: Option<String>) -> Result<SocketAddr, ConfigError> {
    let write = "an address and port, e.g. \"0.0.0.0:8443\"";
    let text = listen.ok_or(ConfigError::Missing { key: "listen", write })?;
    text.parse().map_err(|_| ConfigError::value("listen", "is no address with a port", write))
}

fn parse_listener(tls: raw::Tls, behind_proxy: bool) -> Result<Listener, ConfigError> {
    match (tls.cert, tls.key, behind_proxy) {
        (Some(cert), Some(key), false) => Ok(Listener::Tls { cert, key }),
        (None, None, true) => Ok(Listener::BehindProxy),
        (_, _, true) => Err(ConfigError::value(
            "tls",
            "is given although `behind_proxy` is true",
            "one of the two: a certificate and key here, or the proxy's",
        )),
        (None, _, false) => Err(ConfigError::Missing {
            key: "tls.cert",
            write: "the PEM file of the certificate chain (or `behind_proxy = true` where a proxy ends TLS)",
        }),
        (Some(_), None, false) => Err(ConfigError::Missing {
            key: "tls.key",
            write: "the PEM file of the certificate's private key",
        }),
    }
}

fn parse_trusted_proxies(listed: &[String]) -> Result<Vec<Network>, ConfigError> {
    let refuse = |problem| {
        let write = "the addresses or networks of the proxies in front, e.g. [\"10.0.0.7\", \"10.1.0.0/16\"]";
        ConfigError::value("trusted_proxies", problem, write)
    };
    if listed.len() > MAX_PROXIES {
        return Err(refuse("lists more than 64"));
    }
    let none = "lists what is no address, and no network of at least one bit whose other bits are 0";
    listed.iter().map(|text| text.parse().map_err(|InvalidNetwork| refuse(none))).collect()
}

fn parse_public_url(url: Option<String>) -> Result<WebOrigin, ConfigError> {
    let url = url.ok_or(ConfigError::Missing {
        key: "public_url",
        write: "the address people visit, e.g. \"https://sealbook.example.com\"",
    })?;
    WebOrigin::parse("public_url", &url, Mode::Serve)
}

fn parse_origin_prefix(prefix: Option<String>) -> Result<OriginPrefix, ConfigError> {
    let prefix = prefix.ok_or(ConfigError::Missing {
        key: "origin_prefix",
        write: "what ledger origins begin with for ever, e.g. \"sealbook.example.com\"",
    })?;
    OriginPrefix::new(&prefix)
}

fn parse_data_folder(folder: Option<PathBuf>) -> Result<PathBuf, ConfigError> {
    let write = "the absolute path of a durable folder outside the database, e.g. \"/var/lib/sealbook\"";
    let folder = folder.ok_or(ConfigError::Missing { key: "data_folder", write })?;
    if folder.is_absolute() {
        Ok(folder)
    } else {
        Err(ConfigError::value(
            "data_folder",
            "is a relative path, which moves with the working directory",
            write,
        ))
    }
}

fn parse_rp(rp: raw::Rp) -> Result<RelyingParty, ConfigError> {
    let id = rp.id.ok_or(ConfigError::Missing {
        key: "rp.id",
        write: "the domain that passkeys are made for, e.g. \"sealbook.example.com\"",
    })?;
    let own = RelyingParty::new(&id, &rp.origins, Mode::Serve)?;
    match rp.sign_in_id {
        Some(sign_in_id) => own.with_sign_in(&sign_in_id),
        None => Ok(own),
    }
}

fn parse_custody(raw: raw::Custody) -> Result<Custody, ConfigError> {
    let mut backends = BTreeMap::new();
    for (name, section) in raw.backends {
        let key = format!("custody.backends.{name}");
        let parsed: BackendName = name.parse().map_err(|_| {
            ConfigError::value(key.clone(), "is no name", "1 to 63 of a-z, 0-9 and inner hyphens")
        })?;
        backends.insert(parsed, parse_backend(&key, section)?);
    }
    if backends.is_empty() {
        let write = "a section [custody.backends.<name>] with module, token_label and pin_file";
        return Err(ConfigError::Missing { key: "custody.backends", write });
    }
    let write = "the name of the section under [custody.backends] that holds ledger keys";
    let name = raw.ledger_backend.ok_or(ConfigError::Missing { key: "custody.ledger_backend", write })?;
    match name.parse::<BackendName>() {
        Ok(ledger_backend) if backends.contains_key(&ledger_backend) => {
            Ok(Custody { backends, ledger_backend })
        }
        _ => Err(ConfigError::value("custody.ledger_backend", "names no configured backend", write)),
    }
}

fn parse_backend(key: &str, raw: raw::Pkcs11) -> Result<Pkcs11Config, ConfigError> {
    let pin = match (raw.pin_file, raw.pin_env) {
        (Some(file), None) => PinSource::File(file),
        (None, Some(variable)) => PinSource::Env(variable),
        (Some(_), Some(_)) | (None, None) => {
            let problem = "needs exactly one source of its PIN";
            return Err(ConfigError::value(key, problem, "pin_file or pin_env (one of them)"));
        }
    };
    let mut config = Pkcs11Config::new(raw.module, raw.token_label, pin);
    config.fips_certificate = raw.fips_certificate;
    if let Some(sessions) = raw.sessions {
        if !(1..=MAX_SESSIONS).contains(&sessions) {
            let key = format!("{key}.sessions");
            return Err(ConfigError::value(key, "is out of range", "a number from 1 to 64"));
        }
        config.sessions = sessions;
    }
    if let Some(milliseconds) = raw.call_timeout_ms {
        if !(1..=600_000).contains(&milliseconds) {
            let key = format!("{key}.call_timeout_ms");
            return Err(ConfigError::value(key, "is out of range", "milliseconds from 1 to 600000"));
        }
        config.call_timeout = Duration::from_millis(milliseconds);
    }
    Ok(config)
}

fn parse_limits(raw: &raw::Limits) -> Result<Limits, ConfigError> {
    let seconds = raw.max_unsealed_seconds.unwrap_or(5);
    if !(1..=3600).contains(&seconds) {
        let key = "limits.max_unsealed_seconds";
        return Err(ConfigError::value(key, "is out of range", "a number of seconds from 1 to 3600"));
    }
    let fresh_sign_in_s = raw.fresh_sign_in_seconds.unwrap_or(FRESH_SIGN_IN_S);
    if !(1..=FRESH_SIGN_IN_S).contains(&fresh_sign_in_s) {
        let key = "limits.fresh_sign_in_seconds";
        return Err(ConfigError::value(key, "is out of range", "a number of seconds from 1 to 300"));
    }
    let snapshot_every = raw.snapshot_every_events.unwrap_or(SNAPSHOT_EVERY);
    if !(1..=100_000_000).contains(&snapshot_every) {
        let key = "limits.snapshot_every_events";
        return Err(ConfigError::value(key, "is out of range", "a number of events from 1 to 100000000"));
    }
    Ok(Limits { max_unsealed: Duration::from_secs(seconds), fresh_sign_in_s, snapshot_every })
}

fn read_operator_token(path: &Path) -> Result<OperatorToken, ConfigError> {
    const KEY: &str = "operator_token_file";
    // 32 bytes are one line of base64url.
    const WRITE: &str = "into it what this prints: \
         printf 'sbo_%s\\n' \"$(openssl rand 32 | basenc --base64url | tr -d '=')\"";
    let text = read_secret(KEY, path)?;
    let problem = "names a file whose content is no operator's token";
    OperatorToken::parse(&text).ok_or_else(|| ConfigError::value(KEY, problem, WRITE))
}

/// A secret from the one of two sources that is given, if any.
fn secret(
    (file_key, file): (&'static str, Option<PathBuf>),
    (env_key, variable): (&'static str, Option<String>),
    environment: Environment<'_>,
) -> Result<Option<Zeroizing<String>>, ConfigError> {
    match (file, variable) {
        (None, None) => Ok(None),
        (Some(path), None) => read_secret(file_key, &path).map(Some),
        (None, Some(name)) => match environment(&name).filter(|value| !value.is_empty()) {
            Some(value) => Ok(Some(Zeroizing::new(value))),
            None => Err(ConfigError::value(
                env_key,
                "names a variable that is not set",
                "the name of one that is",
            )),
        },
        (Some(_), Some(_)) => {
            Err(ConfigError::value(env_key, "stands beside a file for the same password", "one of the two"))
        }
    }
}

fn read_secret(key: &'static str, path: &Path) -> Result<Zeroizing<String>, ConfigError> {
    // Reserved at once: a buffer that grows would leave copies behind.
    let mut text = Zeroizing::new(String::with_capacity(MAX_SECRET as usize + 1));
    File::open(path)
        .and_then(|file| file.take(MAX_SECRET).read_to_string(&mut text))
        .map_err(|source| ConfigError::SecretFile { key, path: path.to_owned(), source })?;
    let secret = text.trim_end_matches(['\r', '\n']);
    if secret.is_empty() {
        let source = io::Error::new(io::ErrorKind::InvalidData, "the file is empty");
        return Err(ConfigError::SecretFile { key, path: path.to_owned(), source });
    }
    Ok(Zeroizing::new(secret.to_owned()))
}
