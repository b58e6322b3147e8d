//! A PKCS#11 module: a shared library, loaded and initialised once and never finalised.

use std::path::Path;

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::session::Session;
use cryptoki::slot::{Slot, TokenInfo};

use super::fault;
use crate::custody::error::{CustodyError, Unavailability};

/// A loaded and initialised module.
///
/// The loader hands out one instance of a library however often it is opened, and a second `C_Initialize` answers
/// `CKR_CRYPTOKI_ALREADY_INITIALIZED`: several backends on one path thus share one initialised module without a
/// registry. It is neither finalised nor unloaded for as long as the process lives: a thread may hang inside it, and
/// `C_Finalize` with a call under way is undefined (PKCS#11 v3.0 §5.4.2).
pub(in crate::custody) struct Module {
    pkcs11: Pkcs11,
}

impl Module {
    /// Loads and initialises a module. May block for as long as the library likes.
    pub(in crate::custody) fn load(path: &Path) -> Result<Self, CustodyError> {
        let library = |error| CustodyError::unavailable_because(Unavailability::Library, error);
        let pkcs11 = Pkcs11::new(path).map_err(library)?;
        // The clone that is forgotten keeps the library mapped; see the type's comment.
        std::mem::forget(pkcs11.clone());
        let module = Self { pkcs11 };
        module.initialize().map_err(library)?;
        Ok(module)
    }

    fn initialize(&self) -> Result<(), Error> {
        match self.pkcs11.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
            Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => Ok(()),
            other => other,
        }
    }

    /// What the library says of itself.
    pub(super) fn description(&self) -> String {
        match self.pkcs11.get_library_info() {
            Ok(info) => format!("{} {}", info.library_description().trim(), info.library_version()),
            Err(_) => String::from("unknown"),
        }
    }

    /// The slot whose token carries the label. Slots are looked up by label each time: their numbers change.
    pub(in crate::custody) fn slot_of(&self, token_label: &str) -> Result<Slot, CustodyError> {
        let mut found = Vec::new();
        let mut silent = None;
        for slot in self.slots_with_token()? {
            match self.pkcs11.get_token_info(slot) {
                Ok(info) if info.token_initialized() && info.label() == token_label => found.push(slot),
                Ok(_) => {}
                Err(error) => silent = Some(error),
            }
        }
        match (found.as_slice(), silent) {
            ([slot], _) => Ok(*slot),
            ([], Some(error)) => Err(CustodyError::unavailable_because(Unavailability::Token, error)),
            ([], None) => Err(CustodyError::unavailable(Unavailability::Token)),
            (_, _) => Err(CustodyError::unavailable(Unavailability::AmbiguousToken)),
        }
    }

    /// Every slot that holds a token, initialised or not.
    pub(in crate::custody) fn slots_with_token(&self) -> Result<Vec<Slot>, CustodyError> {
        let slots = match self.pkcs11.get_slots_with_token() {
            // Something else in this process finalised the module.
            Err(Error::Pkcs11(RvError::CryptokiNotInitialized, _)) => {
                self.initialize().and_then(|()| self.pkcs11.get_slots_with_token())
            }
            other => other,
        };
        slots.map_err(|error| CustodyError::unavailable_because(Unavailability::Token, error))
    }

    pub(in crate::custody) fn token_info(&self, slot: Slot) -> Result<TokenInfo, CustodyError> {
        self.pkcs11.get_token_info(slot).map_err(fault::translate)
    }

    /// Opens a read-write session, without logging in.
    pub(in crate::custody) fn open_session(&self, slot: Slot) -> Result<Session, Error> {
        self.pkcs11.open_rw_session(slot)
    }

    /// The library's own functions, for preparing tokens.
    pub(in crate::custody) fn functions(&self) -> &Pkcs11 {
        &self.pkcs11
    }
}
