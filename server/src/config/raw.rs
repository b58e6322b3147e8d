//! The file as it is written, before anything is judged; and the environment that overrides it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

use super::ConfigError;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Raw {
    pub(super) listen: Option<String>,
    pub(super) public_url: Option<String>,
    pub(super) origin_prefix: Option<String>,
    pub(super) data_folder: Option<PathBuf>,
    pub(super) behind_proxy: bool,
    pub(super) trusted_proxies: Vec<String>,
    pub(super) operator_token_file: Option<PathBuf>,
    pub(super) rp: Rp,
    pub(super) database: Database,
    pub(super) tls: Tls,
    pub(super) custody: Custody,
    pub(super) limits: Limits,
    pub(super) webhooks: Vec<Webhook>,
    pub(super) webauthn: Webauthn,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Rp {
    pub(super) id: Option<String>,
    pub(super) sign_in_id: Option<String>,
    pub(super) origins: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Database {
    pub(super) url: Option<String>,
    pub(super) password_file: Option<PathBuf>,
    pub(super) password_env: Option<String>,
    pub(super) owner_url: Option<String>,
    pub(super) owner_password_file: Option<PathBuf>,
    pub(super) owner_password_env: Option<String>,
    pub(super) tls: Option<String>,
    pub(super) root_cert: Option<PathBuf>,
    pub(super) pool_size: Option<usize>,
}

/// Addresses may, against the rules, hold a password: they are never printed.
impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Database").finish_non_exhaustive()
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Tls {
    pub(super) cert: Option<PathBuf>,
    pub(super) key: Option<PathBuf>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Custody {
    pub(super) ledger_backend: Option<String>,
    pub(super) backends: BTreeMap<String, Pkcs11>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pkcs11 {
    pub(super) module: PathBuf,
    pub(super) token_label: String,
    pub(super) pin_file: Option<PathBuf>,
    pub(super) pin_env: Option<String>,
    pub(super) sessions: Option<usize>,
    pub(super) call_timeout_ms: Option<u64>,
    pub(super) fips_certificate: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Webauthn {
    pub(super) attestation_roots: Option<PathBuf>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Limits {
    pub(super) max_unsealed_seconds: Option<u64>,
    pub(super) fresh_sign_in_seconds: Option<u32>,
    pub(super) snapshot_every_events: Option<u64>,
}

/// A destination. URLs may hold a secret of the receiver's: they are never printed.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Webhook {
    pub(super) name: Option<String>,
    pub(super) url: Option<String>,
    pub(super) secret_file: Option<PathBuf>,
    pub(super) secret_env: Option<String>,
    pub(super) tenants: Option<Names>,
    pub(super) kinds: Vec<String>,
    pub(super) allow_private: bool,
    pub(super) disclose: bool,
}

impl std::fmt::Debug for Webhook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Webhook").field("name", &self.name).finish_non_exhaustive()
    }
}

/// A name, or a list of them.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Names {
    One(String),
    Several(Vec<String>),
}

/// Puts one variable's text in its key's place; `false` means that the text is not of the key's type.
type Set = fn(&mut Raw, String) -> bool;

/// Which environment variables stand above which keys. Nothing else beginning with `SEALBOOK_` is the server's: the
/// command-line client has variables of its own.
const OVERRIDES: [(&str, Set); 24] = [
    ("SEALBOOK_LISTEN", |raw, text| put(&mut raw.listen, text)),
    ("SEALBOOK_PUBLIC_URL", |raw, text| put(&mut raw.public_url, text)),
    ("SEALBOOK_ORIGIN_PREFIX", |raw, text| put(&mut raw.origin_prefix, text)),
    ("SEALBOOK_DATA_FOLDER", |raw, text| put(&mut raw.data_folder, text)),
    ("SEALBOOK_BEHIND_PROXY", |raw, text| text.parse().map(|value| raw.behind_proxy = value).is_ok()),
    ("SEALBOOK_TRUSTED_PROXIES", |raw, text| {
        raw.trusted_proxies = list(&text);
        true
    }),
    ("SEALBOOK_OPERATOR_TOKEN_FILE", |raw, text| put(&mut raw.operator_token_file, text)),
    ("SEALBOOK_RP_ID", |raw, text| put(&mut raw.rp.id, text)),
    ("SEALBOOK_RP_SIGN_IN_ID", |raw, text| put(&mut raw.rp.sign_in_id, text)),
    ("SEALBOOK_RP_ORIGINS", |raw, text| {
        raw.rp.origins = list(&text);
        true
    }),
    ("SEALBOOK_DATABASE_URL", |raw, text| put(&mut raw.database.url, text)),
    ("SEALBOOK_DATABASE_PASSWORD_FILE", |raw, text| put(&mut raw.database.password_file, text)),
    ("SEALBOOK_DATABASE_OWNER_URL", |raw, text| put(&mut raw.database.owner_url, text)),
    ("SEALBOOK_DATABASE_OWNER_PASSWORD_FILE", |raw, text| put(&mut raw.database.owner_password_file, text)),
    ("SEALBOOK_DATABASE_TLS", |raw, text| put(&mut raw.database.tls, text)),
    ("SEALBOOK_DATABASE_ROOT_CERT", |raw, text| put(&mut raw.database.root_cert, text)),
    ("SEALBOOK_DATABASE_POOL_SIZE", |raw, text| parse(&mut raw.database.pool_size, &text)),
    ("SEALBOOK_TLS_CERT", |raw, text| put(&mut raw.tls.cert, text)),
    ("SEALBOOK_TLS_KEY", |raw, text| put(&mut raw.tls.key, text)),
    ("SEALBOOK_CUSTODY_LEDGER_BACKEND", |raw, text| put(&mut raw.custody.ledger_backend, text)),
    ("SEALBOOK_WEBAUTHN_ATTESTATION_ROOTS", |raw, text| put(&mut raw.webauthn.attestation_roots, text)),
    ("SEALBOOK_LIMITS_MAX_UNSEALED_SECONDS", |raw, text| parse(&mut raw.limits.max_unsealed_seconds, &text)),
    ("SEALBOOK_LIMITS_FRESH_SIGN_IN_SECONDS", |raw, text| {
        parse(&mut raw.limits.fresh_sign_in_seconds, &text)
    }),
    ("SEALBOOK_LIMITS_SNAPSHOT_EVERY_EVENTS", |raw, text| {
        parse(&mut raw.limits.snapshot_every_events, &text)
    }),
];

/// What stands between commas.
fn list(text: &str) -> Vec<String> {
    text.split(',').map(|item| item.trim().to_owned()).collect()
}

fn put<T: From<String>>(place: &mut Option<T>, text: String) -> bool {
    *place = Some(text.into());
    true
}

fn parse<T: std::str::FromStr>(place: &mut Option<T>, text: &str) -> bool {
    text.parse().map(|value| *place = Some(value)).is_ok()
}

impl Raw {
    /// Reads the file's text and lays the environment over it.
    pub(super) fn read(
        text: &str,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, ConfigError> {
        let mut raw: Self = toml::from_str(text).map_err(|error| ConfigError::Syntax {
            line: error.span().map_or(1, |span| 1 + text[..span.start].matches('\n').count()),
            // Only the message: the error's full text quotes the line, which may hold a secret.
            message: error.message().to_owned(),
        })?;
        for (name, set) in OVERRIDES {
            if let Some(value) = environment(name)
                && !set(&mut raw, value)
            {
                return Err(ConfigError::Environment { name });
            }
        }
        Ok(raw)
    }
}
