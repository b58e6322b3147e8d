//! Layer *signatures*: everything that was released holds under the key that its event names.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use crate::encoding::Hash;
use crate::ids::KeyId;
use crate::payload::Payload;
use crate::public_key::{PublicKey, SigningInput};
use crate::state::State;
use crate::verify::{Failure, Layer, Place, Pushed};

/// Bytes of messages that are kept for pure Ed25519, 64 MiB; signatures over others are counted as not checked.
const MAX_MESSAGES: usize = 64 * 1024 * 1024;

/// Checks signatures as their events pass by.
#[derive(Debug, Default)]
pub(super) struct Signatures {
    keys: BTreeMap<KeyId, PublicKey>,
    messages: BTreeMap<Hash, Vec<u8>>,
    kept: usize,
    pub(super) checked: u64,
    pub(super) without_message: u64,
    pub(super) failure: Option<Failure>,
}

impl Signatures {
    /// Keeps an attachment that may be a message, as long as there is room.
    pub(super) fn keep_message(&mut self, sha256: Hash, message: Vec<u8>) {
        if self.kept + message.len() <= MAX_MESSAGES {
            self.kept += message.len();
            self.messages.insert(sha256, message);
        }
    }

    /// Checks the signature of an event that passed, if it has one.
    pub(super) fn after_event(&mut self, pushed: &Pushed, state: &State) {
        let Payload::SignatureCreated(created) = &pushed.event.payload else { return };
        if self.failure.is_some() {
            return;
        }
        let failed = |rule, reason: &dyn std::fmt::Display| {
            let type_name = Some(pushed.event.payload.type_name().to_owned());
            let place = Place::Event { seq: pushed.event.seq.get(), type_name };
            Failure::new(Layer::Signatures, place, rule, reason)
        };
        let sha256 = created.digest.0.as_slice().try_into().ok().map(Hash);
        let message = sha256.and_then(|sha256| self.messages.get(&sha256));
        let input = match (created.algorithm.needs_message(), message) {
            (false, _) => SigningInput::Digest(&created.digest.0),
            (true, Some(message)) => SigningInput::Message(message),
            (true, None) => {
                self.without_message += 1;
                return;
            }
        };
        let Some(key) = recorded_key(&mut self.keys, created.key, state) else {
            self.failure = Some(failed("key.unknown", &"its key was never recorded as made"));
            return;
        };
        match key.verify(created.algorithm, input, created.signature.as_bytes()) {
            Ok(()) => self.checked += 1,
            Err(error) => self.failure = Some(failed(error.code(), &error)),
        }
    }
}

/// The recorded key; each is read from its DER once.
fn recorded_key<'a>(
    keys: &'a mut BTreeMap<KeyId, PublicKey>,
    id: KeyId,
    state: &State,
) -> Option<&'a PublicKey> {
    match keys.entry(id) {
        Entry::Occupied(known) => Some(known.into_mut()),
        Entry::Vacant(unknown) => {
            let material = state.founded().ok()?.keys().get(&id)?.material()?;
            Some(unknown.insert(PublicKey::from_der(material.spki.as_bytes()).ok()?))
        }
    }
}
