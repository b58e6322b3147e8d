//! One thread's connection to the token: a session, the handles found through it, and their renewal.

use std::collections::HashMap;
use std::sync::Arc;

use cryptoki::object::ObjectHandle;
use cryptoki::session::Session;
use sealbook_ledger::algorithm::KeyType;

use super::fault::Failure;
use super::keys::Label;
use super::token::Token;
use crate::custody::error::CustodyError;

/// Handles that a connection remembers. Beyond it all are forgotten and found again.
const MAX_CACHED_KEYS: usize = 4096;

/// Lives on one thread and never leaves it.
pub(super) struct Connection {
    token: Arc<Token>,
    session: Option<Session>,
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
        Self { token, session: None, handles: Handles::default() }
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

    /// Asks whether the token is still there; a session that doesn't answer is replaced.
    pub(super) fn probe(&mut self) -> Result<(), CustodyError> {
        let token = Arc::clone(&self.token);
        let probed = self.step(|session, _| token.check(session));
        if probed.is_err() {
            self.disconnect();
        }
        probed
    }

    fn attempt<T>(
        &mut self,
        step: &mut impl FnMut(&Session, &mut Handles) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let session = match self.session.take() {
            Some(session) => session,
            None => self.token.open()?,
        };
        let outcome = step(&session, &mut self.handles);
        match &outcome {
            Err(failure) if failure.spoils_session() => self.disconnect(),
            _ => self.session = Some(session),
        }
        outcome
    }

    fn disconnect(&mut self) {
        self.session = None;
        self.handles = Handles::default();
    }
}
