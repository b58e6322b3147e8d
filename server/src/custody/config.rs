//! Configuration of a PKCS#11 backend.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Deserializer};

/// Sessions (and threads) that a backend opens unless told otherwise.
pub const DEFAULT_SESSIONS: usize = 4;
/// The most sessions that a backend may be told to open.
pub const MAX_SESSIONS: usize = 64;
/// How long a look-up or a connection may take unless told otherwise, in milliseconds.
pub const DEFAULT_CALL_TIMEOUT_MS: u64 = 10_000;

/// How to reach a token through a PKCS#11 module.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pkcs11Config {
    /// The module: a shared library.
    pub module: PathBuf,
    /// The token's label; exactly one token of the module must carry it.
    pub token_label: String,
    /// Where the user's PIN is read from.
    pub pin: PinSource,
    /// Sessions, each on a thread of its own: 1 to 64, 4 by default.
    #[serde(default = "default_sessions", deserialize_with = "sessions")]
    pub sessions: usize,
    /// How long the calls without a deadline of their own (connecting, finding a key) may take; in the file an integer
    /// of milliseconds, 10 000 by default.
    #[serde(rename = "call_timeout_ms", default = "default_call_timeout", deserialize_with = "milliseconds")]
    pub call_timeout: Duration,
    /// The module's FIPS 140 certificate, number and level, if it has one.
    #[serde(default)]
    pub fips_certificate: Option<String>,
}

impl Pkcs11Config {
    /// A token with the defaults for everything else.
    pub fn new(module: PathBuf, token_label: String, pin: PinSource) -> Self {
        Self {
            module,
            token_label,
            pin,
            sessions: DEFAULT_SESSIONS,
            call_timeout: default_call_timeout(),
            fips_certificate: None,
        }
    }
}

/// Where a PIN is read from. It never stands in the configuration itself, nor in a command line.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PinSource {
    /// A file; one trailing line break is ignored. Read at each login, so a corrected PIN needs no restart.
    File(PathBuf),
    /// An environment variable of the server.
    Env(String),
}

fn default_sessions() -> usize {
    DEFAULT_SESSIONS
}

fn default_call_timeout() -> Duration {
    Duration::from_millis(DEFAULT_CALL_TIMEOUT_MS)
}

fn sessions<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    match usize::deserialize(deserializer)? {
        sessions @ 1..=MAX_SESSIONS => Ok(sessions),
        other => Err(serde::de::Error::custom(format!("sessions must be 1 to {MAX_SESSIONS}, not {other}"))),
    }
}

fn milliseconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    match u64::deserialize(deserializer)? {
        0 => Err(serde::de::Error::custom("call_timeout_ms must be at least 1")),
        milliseconds => Ok(Duration::from_millis(milliseconds)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINIMAL: &str = "module = \"/m.so\"\ntoken_label = \"t\"\npin = { file = \"/pin\" }\n";

    #[test]
    fn a_minimal_configuration_has_defaults() {
        let config: Pkcs11Config = toml::from_str(MINIMAL).unwrap();
        assert_eq!(config.sessions, 4);
        assert_eq!(config.call_timeout, Duration::from_secs(10));
        assert_eq!(config.pin, PinSource::File("/pin".into()));
        assert_eq!(config.fips_certificate, None);
    }

    #[test]
    fn a_configuration_that_can_not_work_is_refused() {
        for bad in ["sessions = 0", "sessions = 65", "call_timeout_ms = 0", "pin_code = \"1234\""] {
            assert!(toml::from_str::<Pkcs11Config>(&format!("{MINIMAL}{bad}\n")).is_err(), "{bad}");
        }
    }
}
