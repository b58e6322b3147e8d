//! One thread's connection to the token: a session, the handles found through it, and their renewal.

use std::collections::HashMap;
use std::sync::Arc;

use cryptoki::object::ObjectHandle;
use cryptoki::session::Session;
use sealbook_ledger::algorithm::KeyType;

use super::fault::Failure;
use super::keys::Label;
use super::token::Token;
use crate::custody::error::{CustodyError, Unavailability};

/// Handles that a connection remembers. Beyond it all are forgotten and found again.
const MAX_CACHED_KEYS: usize = 4096;

/// Lives on one thread and never leaves it.
pub(super) struct Connection {
    token: Arc<Token>,
    open: Option<Open>,
}

/// A session and what belongs to it.
struct Open {
    session: Session,
    /// The module's generation in which the session's number means this session.
    generation: u64,
    handles: Handles,
}

/// Private keys that were found through the present session. Handles mean nothing in another one.
#[derive(Default)]
pub(super) struct Handles {
    keys: HashMap<Label, (ObjectHandle, KeyType)>,
}

impl Handles {
    pub(super) fn get(&self, label: &Label) -> Option<(ObjectHandle, KeyType)> {
        self.keys.get(label).copied()
    }

    pub(super) fn remember(&mut self, label: Label, handle: ObjectHandle, key_type: KeyType) {
        if self.keys.len() >= MAX_CACHED_KEYS {
            self.keys.clear();
        }
        self.keys.insert(label, (handle, key_type));
    }
}

impl Connection {
    pub(super) fn new(token: Arc<Token>) -> Self {
        Self { token, open: None }
    }

    /// Takes one step on a session, opening it where needed.
    ///
    /// Where the step shows that the session is lost, it is dropped, and a step that certainly had no effect is
    /// repeated once on a new one.
    pub(super) fn step<T>(
        &mut self,
        mut step: impl FnMut(&Session, &mut Handles) -> Result<T, Failure>,
    ) -> Result<T, CustodyError> {
        let mut outcome = self.attempt(&mut step);
        if matches!(&outcome, Err(failure) if failure.spoils_session() && failure.had_no_effect()) {
            outcome = self.attempt(&mut step);
        }
        let outcome = outcome.map_err(CustodyError::from);
        self.token.note(&outcome);
        outcome
    }

    /// Asks whether the token is still there, and where it isn't, has the module look for it anew.
    pub(super) fn probe(&mut self) -> Result<(), CustodyError> {
        let token = Arc::clone(&self.token);
        let probed = self.step(|session, _| token.check(session));
        match &probed {
            Err(CustodyError::Unavailable { why: Unavailability::Token, .. })
                if token.module().reinitialize() =>
            {
                self.step(|session, _| token.check(session))
            }
            _ => probed,
        }
    }

    fn attempt<T>(
        &mut self,
        step: &mut impl FnMut(&Session, &mut Handles) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let generation = self.token.module().enter();
        let mut open = match self.open.take().filter(|open| open.generation == *generation) {
            Some(open) => open,
            None => {
                Open { session: self.token.open()?, generation: *generation, handles: Handles::default() }
            }
        };
        let mut outcome = step(&open.session, &mut open.handles);
        // A token that was removed may answer searches with nothing: absence is believed only while it is there.
        if matches!(&outcome, Err(Failure::Verdict(CustodyError::NotFound { .. })))
            && let Err(absent) = self.token.check(&open.session)
        {
            outcome = Err(absent);
        }
        match &outcome {
            // Whether a lost session still closes says nothing that the failure doesn't.
            Err(failure) if failure.spoils_session() => drop(open.session.close()),
            _ => self.open = Some(open),
        }
        outcome
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let generation = self.token.module().enter();
        if let Some(open) = self.open.take().filter(|open| open.generation == *generation) {
            // The thread is ending; a session that doesn't close now ends with the process.
            drop(open.session.close());
        }
    }
}
