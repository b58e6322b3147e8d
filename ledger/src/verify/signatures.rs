//! Layer *signatures*: everything that was released holds under the key that its event names.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::algorithm::Algorithm;
use crate::encoding::{B64, Hash, HexBytes};
use crate::ids::{KeyId, Seq};
use crate::payload::{Payload, SignatureCreated};
use crate::public_key::{PublicKey, SigningInput};
use crate::state::State;
use crate::verify::crew::{Crew, Pending};
use crate::verify::{Failure, Layer, Place, Pushed};

/// Bytes of messages that are kept for pure Ed25519, 64 MiB; signatures over others are counted as not checked.
const MAX_MESSAGES: usize = 64 * 1024 * 1024;

/// Signatures that are checked by one thread at a stretch.
const BATCH: usize = 64;

/// Checks signatures as their events pass by.
#[derive(Default)]
pub(super) struct Signatures {
    keys: BTreeMap<KeyId, Arc<PublicKey>>,
    messages: BTreeMap<Hash, Arc<[u8]>>,
    kept: usize,
    batch: Vec<Claim>,
    under_way: VecDeque<Pending<Result<u64, Failure>>>,
    pub(super) checked: u64,
    pub(super) without_message: u64,
    /// The first that does not hold.
    pub(super) failure: Option<Failure>,
}

/// A signature and what it is said to be of.
struct Claim {
    seq: Seq,
    key: Arc<PublicKey>,
    algorithm: Algorithm,
    digest: HexBytes,
    message: Option<Arc<[u8]>>,
    signature: B64,
}

impl Claim {
    fn check(&self) -> Result<(), Failure> {
        let input = match &self.message {
            Some(message) => SigningInput::Message(message),
            None => SigningInput::Digest(&self.digest.0),
        };
        let checked = self.key.verify(self.algorithm, input, self.signature.as_bytes());
        checked.map_err(|error| failed(self.seq, error.code(), &error))
    }
}

/// How many hold, or the first that does not.
fn check_all(claims: &[Claim]) -> Result<u64, Failure> {
    claims.iter().try_fold(0, |checked, claim| claim.check().map(|()| checked + 1))
}

fn failed(seq: Seq, rule: &'static str, reason: &dyn std::fmt::Display) -> Failure {
    let place = Place::Event { seq: seq.get(), type_name: Some("signature.created".to_owned()) };
    Failure::new(Layer::Signatures, place, rule, reason)
}

impl Signatures {
    /// Keeps an attachment that may be a message, as long as there is room.
    pub(super) fn keep_message(&mut self, sha256: Hash, message: Vec<u8>) {
        if self.kept + message.len() <= MAX_MESSAGES {
            self.kept += message.len();
            self.messages.insert(sha256, message.into());
        }
    }

    /// Takes the signature of an event that passed, if it has one.
    pub(super) fn after_event(&mut self, pushed: &Pushed, state: &State, crew: &Crew) {
        let Payload::SignatureCreated(created) = &pushed.event.payload else { return };
        if self.failure.is_some() {
            return;
        }
        let message = created.algorithm.needs_message().then(|| self.message(created));
        let message = match message {
            None => None,
            Some(Some(message)) => Some(message),
            Some(None) => {
                self.without_message += 1;
                return;
            }
        };
        let Some(key) = recorded_key(&mut self.keys, created.key, state) else {
            // Those before it that are under way may fail earlier.
            self.settle_all(crew);
            let unknown = || failed(pushed.event.seq, "key.unknown", &"its key was never recorded as made");
            self.failure.get_or_insert_with(unknown);
            return;
        };
        self.batch.push(Claim {
            seq: pushed.event.seq,
            key,
            algorithm: created.algorithm,
            digest: created.digest.clone(),
            message,
            signature: created.signature.clone(),
        });
        if self.batch.len() >= BATCH {
            self.have_checked(crew);
        }
    }

    fn message(&self, created: &SignatureCreated) -> Option<Arc<[u8]>> {
        let sha256 = created.digest.0.as_slice().try_into().ok().map(Hash)?;
        self.messages.get(&sha256).cloned()
    }

    fn have_checked(&mut self, crew: &Crew) {
        let batch = std::mem::take(&mut self.batch);
        self.under_way.push_back(crew.ask(move || check_all(&batch)));
        if self.under_way.len() > 2 * crew.width()
            && let Some(oldest) = self.under_way.pop_front()
        {
            self.note(crew.outcome(oldest));
        }
    }

    /// Waits for all that were taken.
    pub(super) fn settle_all(&mut self, crew: &Crew) {
        while let Some(oldest) = self.under_way.pop_front() {
            self.note(crew.outcome(oldest));
        }
        let rest = std::mem::take(&mut self.batch);
        self.note(check_all(&rest));
    }

    /// They come in the ledger's order, so the first failure is the earliest.
    fn note(&mut self, outcome: Result<u64, Failure>) {
        match outcome {
            Ok(checked) => self.checked += checked,
            Err(failure) => drop(self.failure.get_or_insert(failure)),
        }
    }
}

/// The recorded key; each is read from its DER once.
fn recorded_key(
    keys: &mut BTreeMap<KeyId, Arc<PublicKey>>,
    id: KeyId,
    state: &State,
) -> Option<Arc<PublicKey>> {
    match keys.entry(id) {
        Entry::Occupied(known) => Some(Arc::clone(known.get())),
        Entry::Vacant(unknown) => {
            let material = state.founded().ok()?.keys().get(&id)?.material()?;
            let key = PublicKey::from_der(material.spki.as_bytes()).ok()?;
            Some(Arc::clone(unknown.insert(Arc::new(key))))
        }
    }
}
