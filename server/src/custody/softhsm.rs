//! A SoftHSM token for development, made where there is none.
//!
//! SoftHSM takes the place of its configuration from the environment of the process, once, when its library is
//! initialised. A process that doesn't have the variable yet starts itself again with it:
//!
//! 1. `let (name, value) = environment(folder)`; where `std::env::var_os(name)` is something else, the program executes
//!    itself with the variable set;
//! 2. in the process that has it, `prepare(folder)` makes configuration, PINs and token as far as they are missing, and
//!    returns what [`Pkcs11Backend::start`](super::pkcs11::Pkcs11Backend::start) needs.
//!
//! In the folder: `softhsm2.conf`, `tokens/`, and the files `pin` and `so-pin`, which only the owner may read.

use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use cryptoki::session::UserType;
use cryptoki::types::AuthPin;
use rand::TryRngCore as _;
use rand::rngs::OsRng;
use thiserror::Error;
use zeroize::Zeroizing;

use super::config::{PinSource, Pkcs11Config};
use super::error::{CustodyError, Unavailability};
use super::pkcs11::module::Module;

/// The label of the token.
pub const TOKEN_LABEL: &str = "sealbook";

/// The variable that tells SoftHSM where its configuration is (softhsm2.conf(5)).
const VARIABLE: &str = "SOFTHSM2_CONF";

/// Where Debian, Fedora and Homebrew put the module.
const MODULES: [&str; 10] = [
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
    "/usr/lib64/softhsm/libsofthsm2.so",
    "/usr/lib64/libsofthsm2.so",
    "/usr/lib/pkcs11/libsofthsm2.so",
    "/usr/local/lib/softhsm/libsofthsm2.so",
    "/opt/homebrew/lib/softhsm/libsofthsm2.so",
    "/home/linuxbrew/.linuxbrew/lib/softhsm/libsofthsm2.so",
];

/// Why there is no SoftHSM token.
#[derive(Debug, Error)]
pub enum SoftHsmError {
    /// SoftHSM isn't installed.
    #[error(
        "SoftHSM isn't installed: there is no libsofthsm2.so where Debian, Fedora or Homebrew put it; \
             on Debian, `apt-get install softhsm2` brings it; where it is elsewhere, `--softhsm-module` says so"
    )]
    NotInstalled,
    /// The process doesn't have the variable that SoftHSM reads.
    #[error("{name} must be {value:?} in the environment of the process before SoftHSM is used")]
    Environment {
        /// The variable.
        name: &'static str,
        /// What it must be.
        value: PathBuf,
    },
    /// The folder's path can't stand in SoftHSM's configuration file.
    #[error(
        "the folder {0:?} can't stand in softhsm2.conf: its path must be UTF-8 without control characters, and \
             neither begin nor end in a space"
    )]
    Folder(PathBuf),
    /// A file can't be made or read.
    #[error("{path:?} can't be made or read")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// The library or the token refuses.
    #[error("the SoftHSM token can't be prepared")]
    Token(#[from] CustodyError),
}

impl SoftHsmError {
    /// The error's stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotInstalled => "softhsm.not_installed",
            Self::Environment { .. } => "softhsm.environment",
            Self::Folder(_) => "softhsm.folder",
            Self::File { .. } => "softhsm.file",
            Self::Token(error) => error.code(),
        }
    }
}

/// The environment variable that a process needs to use the token in this folder. Give the folder absolutely.
pub fn environment(folder: &Path) -> (&'static str, PathBuf) {
    (VARIABLE, folder.join("softhsm2.conf"))
}

/// Where SoftHSM's module is.
///
/// # Errors
/// [`SoftHsmError::NotInstalled`].
pub fn find_module() -> Result<PathBuf, SoftHsmError> {
    MODULES.into_iter().map(PathBuf::from).find(|path| path.is_file()).ok_or(SoftHsmError::NotInstalled)
}

/// Makes the token in the folder as far as it is missing, and says how to reach it. May be repeated at any time, also
/// after a crash half-way. Blocks: call it before the server serves.
///
/// # Errors
/// [`SoftHsmError`]; nothing that exists is overwritten.
pub fn prepare(folder: &Path) -> Result<Pkcs11Config, SoftHsmError> {
    prepare_with(find_module()?, folder)
}

/// The same with a module that is somewhere else.
///
/// # Errors
/// As [`prepare`].
pub fn prepare_with(module: PathBuf, folder: &Path) -> Result<Pkcs11Config, SoftHsmError> {
    write_configuration(folder)?;
    let (name, value) = environment(folder);
    if std::env::var_os(name).as_deref() != Some(value.as_os_str()) {
        return Err(SoftHsmError::Environment { name, value });
    }
    // The PINs are on disk before the token has them: a crash between leaves nothing that can't be opened.
    let pin = secret(&folder.join("pin"))?;
    let so_pin = secret(&folder.join("so-pin"))?;
    make_token(&*Module::load(&module)?, &pin, &so_pin)?;
    Ok(Pkcs11Config::new(module, String::from(TOKEN_LABEL), PinSource::File(folder.join("pin"))))
}

fn write_configuration(folder: &Path) -> Result<(), SoftHsmError> {
    let tokens = folder.join("tokens");
    let text = match tokens.to_str() {
        Some(text) if text.trim() == text && !text.chars().any(char::is_control) => text,
        _ => return Err(SoftHsmError::Folder(folder.to_owned())),
    };
    DirBuilder::new().recursive(true).mode(0o700).create(&tokens).map_err(file(&tokens))?;
    let configuration = format!(
        "directories.tokendir = {text}\nobjectstore.backend = file\nlog.level = ERROR\nslots.removable = false\n"
    );
    create_private(&environment(folder).1, configuration.as_bytes())
}

/// The PIN in a file, drawn at random where there is none: 128 bits, in hex because tokens differ in what they take.
fn secret(path: &Path) -> Result<AuthPin, SoftHsmError> {
    let mut random = Zeroizing::new([0; 16]);
    OsRng.try_fill_bytes(random.as_mut()).map_err(|error| SoftHsmError::File {
        path: path.to_owned(),
        source: std::io::Error::other(error),
    })?;
    create_private(path, Zeroizing::new(hex::encode(random.as_ref())).as_bytes())?;
    let text = Zeroizing::new(fs::read_to_string(path).map_err(file(path))?);
    Ok(AuthPin::from(text.trim_end()))
}

/// Writes a file that only its owner may read, whole or not at all, unless it exists.
fn create_private(path: &Path, content: &[u8]) -> Result<(), SoftHsmError> {
    if path.try_exists().map_err(file(path))? {
        return fs::set_permissions(path, Permissions::from_mode(0o600)).map_err(file(path));
    }
    let draft = path.with_extension("draft");
    match fs::remove_file(&draft) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(file(&draft)(error)),
        _ => {}
    }
    let write = || {
        let mut written = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
        written.write_all(content)?;
        written.sync_all()?;
        fs::rename(&draft, path)
    };
    write().map_err(file(path))
}

fn make_token(module: &Module, pin: &AuthPin, so_pin: &AuthPin) -> Result<(), CustodyError> {
    let _inside = module.enter();
    let refused = |source: cryptoki::error::Error| CustodyError::Refused {
        why: String::from("SoftHSM didn't take the token's settings"),
        source: Some(source.into()),
    };
    let token = match module.slot_of(TOKEN_LABEL) {
        Ok(slot) => slot,
        Err(CustodyError::Unavailable { why: Unavailability::Token, source: None }) => {
            let blank = module.blank_slot()?;
            module.functions().init_token(blank, so_pin, TOKEN_LABEL).map_err(refused)?;
            // The number of a slot changes when its token is initialised.
            module.slot_of(TOKEN_LABEL)?
        }
        Err(error) => return Err(error),
    };
    if module.token_info(token)?.user_pin_initialized() {
        return Ok(());
    }
    let session = module.open_session(token).map_err(refused)?;
    let set = session.login(UserType::So, Some(so_pin)).and_then(|()| session.init_pin(pin));
    // Closing the last session logs the security officer out, whose login would keep users out of the whole process.
    session.close().and(set).map_err(refused)
}

fn file(path: &Path) -> impl FnOnce(std::io::Error) -> SoftHsmError {
    let path = path.to_owned();
    move |source| SoftHsmError::File { path, source }
}
