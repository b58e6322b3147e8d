//! Configuration of a PKCS#11 backend.

use std::path::PathBuf;
use std::time::Duration;

/// Sessions (and threads) that a backend opens unless told otherwise.
pub const DEFAULT_SESSIONS: usize = 4;
/// The most sessions that a backend may be told to open.
pub const MAX_SESSIONS: usize = 64;
/// How long a look-up or a connection may take unless told otherwise.
pub const DEFAULT_CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// How to reach a token through a PKCS#11 module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pkcs11Config {
    /// The module: a shared library.
    pub module: PathBuf,
    /// The token's label; exactly one token of the module must carry it.
    pub token_label: String,
    /// Where the user's PIN is read from.
    pub pin: PinSource,
    /// Sessions, each on a thread of its own: 1 to 64, 4 by default.
    pub sessions: usize,
    /// How long the calls without a deadline of their own (connecting, finding a key) may take; ten seconds by default.
    pub call_timeout: Duration,
    /// The module's FIPS 140 certificate, number and level, if it has one.
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
            call_timeout: DEFAULT_CALL_TIMEOUT,
            fips_certificate: None,
        }
    }
}

/// Where a PIN is read from. It never stands in the configuration itself, nor in a command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PinSource {
    /// A file; one trailing line break is ignored. Read at each login, so a corrected PIN needs no restart.
    File(PathBuf),
    /// An environment variable of the server.
    Env(String),
}
