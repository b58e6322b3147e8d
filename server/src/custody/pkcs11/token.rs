//! A token and how to log in to it: shared by the threads of a backend.

use std::fs::File;
use std::io::Read as _;
use std::sync::{Arc, Mutex, PoisonError};

use cryptoki::error::{Error, RvError};
use cryptoki::session::{Session, SessionState, UserType};
use cryptoki::types::AuthPin;
use sealbook_ledger::encoding::Hash;
use tokio::sync::Notify;
use zeroize::Zeroizing;

use super::fault;
use super::module::Module;
use crate::custody::config::PinSource;
use crate::custody::error::{CustodyError, Unavailability};

/// The longest PIN, in bytes. Tokens allow 255 at most where they say anything.
const MAX_PIN: u64 = 1024;

pub(super) struct Token {
    module: Arc<Module>,
    label: String,
    pin: PinSource,
    /// Serialises logins and remembers a refusal. Held across `C_Login`: were every thread to try a wrong PIN at once,
    /// the token would lock itself.
    login: Mutex<Login>,
    /// Why the token couldn't be used when it was last tried; `None` while it works.
    fault: Mutex<Option<String>>,
    /// Told each time that the token was lost.
    loss: Arc<Notify>,
}

#[derive(Default)]
struct Login {
    /// SHA-256 of the PIN that was refused: the same one isn't tried again.
    refused: Option<(Hash, Unavailability)>,
}

impl Token {
    pub(super) fn new(module: Arc<Module>, label: String, pin: PinSource) -> Self {
        let fault = Mutex::new(Some(String::from("the token hasn't been reached yet")));
        Self { module, label, pin, login: Mutex::default(), fault, loss: Arc::default() }
    }

    pub(super) fn module(&self) -> &Module {
        &self.module
    }

    /// Opens a session and sees to it that the user is logged in. The caller has entered the module.
    pub(super) fn open(&self) -> Result<Session, CustodyError> {
        let slot = self.module.slot_of(&self.label)?;
        let session = self.module.open_session(slot).map_err(fault::translate)?;
        match self.log_in(&session) {
            Ok(()) => Ok(session),
            Err(error) => {
                // The refusal matters, not whether a session that nobody has used closes.
                let _ = session.close();
                Err(error)
            }
        }
    }

    /// Asks the device whether token and login are still there.
    pub(super) fn check(&self, session: &Session) -> Result<(), fault::Failure> {
        self.module.slot_of(&self.label)?;
        match session.get_session_info()?.session_state() {
            SessionState::RwUser | SessionState::RoUser => Ok(()),
            _ => Err(CustodyError::unavailable(Unavailability::Token).into()),
        }
    }

    fn log_in(&self, session: &Session) -> Result<(), CustodyError> {
        let mut login = self.login.lock().unwrap_or_else(PoisonError::into_inner);
        // A login counts for all sessions of the process: usually another thread's has sufficed.
        let state = session.get_session_info().map_err(fault::translate)?.session_state();
        if matches!(state, SessionState::RwUser | SessionState::RoUser) {
            return Ok(());
        }
        let pin = read_pin(&self.pin)?;
        let fingerprint = Hash::sha256(pin.as_bytes());
        if let Some((refused, why)) = login.refused
            && refused == fingerprint
        {
            return Err(CustodyError::unavailable(why));
        }
        match session.login(UserType::User, Some(&AuthPin::from(pin.as_str()))) {
            Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => {
                login.refused = None;
                Ok(())
            }
            Err(error) => {
                let error = fault::translate(error);
                if let CustodyError::Unavailable { why, .. } = &error
                    && matches!(why, Unavailability::PinRefused | Unavailability::PinLocked)
                {
                    login.refused = Some((fingerprint, *why));
                }
                Err(error)
            }
        }
    }

    /// Remembers how the last use of the token went, for [`fault`](Self::fault).
    pub(super) fn note<T>(&self, outcome: &Result<T, CustodyError>) {
        let unavailable = match outcome {
            Err(error @ CustodyError::Unavailable { .. }) => Some(error.to_string()),
            _ => None,
        };
        let mut fault = self.fault.lock().unwrap_or_else(PoisonError::into_inner);
        match (fault.is_none(), unavailable.is_none()) {
            (true, false) => {
                self.module.token_is_lost();
                self.loss.notify_one();
            }
            (false, true) => self.module.token_works(),
            (true, true) | (false, false) => {}
        }
        *fault = unavailable;
    }

    /// What is told each time that a use of the token shows its loss.
    pub(super) fn loss(&self) -> Arc<Notify> {
        Arc::clone(&self.loss)
    }

    /// Why the token couldn't be used when it was last tried, if it couldn't.
    pub(super) fn fault(&self) -> Option<String> {
        self.fault.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        if self.fault().is_none() {
            self.module.token_is_lost();
        }
    }
}

fn read_pin(source: &PinSource) -> Result<Zeroizing<String>, CustodyError> {
    let missing = |error: std::io::Error| CustodyError::unavailable_because(Unavailability::PinSource, error);
    let mut pin = Zeroizing::new(String::with_capacity(MAX_PIN as usize + 1));
    match source {
        PinSource::File(path) => {
            File::open(path).map_err(missing)?.take(MAX_PIN + 1).read_to_string(&mut pin).map_err(missing)?;
        }
        PinSource::Env(name) => {
            // `VarError` would carry the value where it isn't UTF-8: it is dropped, not attached.
            let value = std::env::var(name).map(Zeroizing::new);
            pin.push_str(&value.map_err(|_| CustodyError::unavailable(Unavailability::PinSource))?);
        }
    }
    let length = pin.trim_end_matches(['\r', '\n']).len();
    pin.truncate(length);
    if length == 0 || length as u64 > MAX_PIN {
        return Err(CustodyError::unavailable(Unavailability::PinSource));
    }
    Ok(pin)
}
