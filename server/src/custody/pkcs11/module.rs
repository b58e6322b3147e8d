//! A PKCS#11 module: a shared library, loaded and initialised once for the process.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::session::Session;
use cryptoki::slot::{Slot, TokenInfo};

use super::fault;
use crate::custody::error::{CustodyError, Unavailability};

/// The modules of this process by their real path.
///
/// A global because the thing it stands for is one: `C_Initialize` and `C_Finalize` are the process's, whoever calls
/// them. Modules are never unloaded: a thread may hang inside one.
static LOADED: Mutex<BTreeMap<PathBuf, Arc<Module>>> = Mutex::new(BTreeMap::new());

/// A loaded and initialised module.
pub(in crate::custody) struct Module {
    pkcs11: Pkcs11,
    /// How often it was initialised again. Whoever calls into it holds this for reading, so that it is finalised only
    /// while nobody is inside: `C_Finalize` with a call under way is undefined (PKCS#11 v3.0 §5.4.2), and a thread that
    /// hangs in a call thereby forbids it. Session and object numbers mean nothing in another generation, where they
    /// may name somebody else's.
    generation: RwLock<u64>,
    /// Tokens of it that work at present.
    working_tokens: AtomicUsize,
}

impl Module {
    /// The module at a path, loaded and initialised if it wasn't yet. May block for as long as the library likes.
    pub(in crate::custody) fn load(path: &Path) -> Result<Arc<Self>, CustodyError> {
        let path = path
            .canonicalize()
            .map_err(|error| CustodyError::unavailable_because(Unavailability::Library, error))?;
        let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(module) = loaded.get(&path) {
            return Ok(Arc::clone(module));
        }
        let library = |error| CustodyError::unavailable_because(Unavailability::Library, error);
        let pkcs11 = Pkcs11::new(&path).map_err(library)?;
        let module =
            Arc::new(Self { pkcs11, generation: RwLock::new(0), working_tokens: AtomicUsize::new(0) });
        module.initialize().map_err(library)?;
        loaded.insert(path, Arc::clone(&module));
        Ok(module)
    }

    /// To be held around every call into the module. Its value is the generation that session numbers belong to.
    pub(in crate::custody) fn enter(&self) -> RwLockReadGuard<'_, u64> {
        self.generation.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Finalises the module and initialises it again, unless somebody is inside or one of its tokens works. Says
    /// whether it did.
    ///
    /// SoftHSM needs it: a token folder that was missing once stays invalid for that initialisation.
    pub(super) fn reinitialize(&self) -> bool {
        let Ok(mut generation) = self.generation.try_write() else {
            return false;
        };
        if self.working_tokens.load(Ordering::Acquire) > 0 {
            return false;
        }
        *generation += 1;
        let renewed = self.pkcs11.clone().finalize().and_then(|()| self.initialize());
        if let Err(error) = &renewed {
            tracing::warn!(%error, "the PKCS#11 module can't be initialised again");
        }
        renewed.is_ok()
    }

    fn initialize(&self) -> Result<(), Error> {
        match self.pkcs11.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
            Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => Ok(()),
            other => other,
        }
    }

    /// Counts a token as working, so that the module isn't initialised again under it.
    pub(super) fn token_works(&self) {
        self.working_tokens.fetch_add(1, Ordering::AcqRel);
    }

    /// The opposite of [`token_works`](Self::token_works).
    pub(super) fn token_is_lost(&self) {
        self.working_tokens.fetch_sub(1, Ordering::AcqRel);
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

    /// A slot whose token isn't initialised yet.
    pub(in crate::custody) fn blank_slot(&self) -> Result<Slot, CustodyError> {
        for slot in self.slots_with_token()? {
            if !self.token_info(slot)?.token_initialized() {
                return Ok(slot);
            }
        }
        Err(CustodyError::refused("the module has no slot for another token"))
    }

    fn slots_with_token(&self) -> Result<Vec<Slot>, CustodyError> {
        let slots = match self.pkcs11.get_slots_with_token() {
            // Something else in this process finalised the module.
            Err(Error::Pkcs11(RvError::CryptokiNotInitialized, _)) => {
                self.initialize().and_then(|()| self.pkcs11.get_slots_with_token())
            }
            other => other,
        };
        slots.map_err(|error| CustodyError::unavailable_because(Unavailability::Token, error))
    }

    /// What a slot's token says of itself.
    pub(in crate::custody) fn token_info(&self, slot: Slot) -> Result<TokenInfo, CustodyError> {
        self.pkcs11.get_token_info(slot).map_err(fault::translate)
    }

    /// Opens a read-write session, without logging in. It doesn't close itself: its number may belong to somebody else
    /// by then. Close it in the generation that it was opened in, or not at all.
    pub(in crate::custody) fn open_session(&self, slot: Slot) -> Result<Session, Error> {
        self.pkcs11.open_rw_session_no_drop(slot)
    }

    /// The library's own functions, for preparing tokens.
    pub(in crate::custody) fn functions(&self) -> &Pkcs11 {
        &self.pkcs11
    }
}
