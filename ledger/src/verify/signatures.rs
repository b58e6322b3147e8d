//! Layer *signatures*: everything that was released holds under the key that its event names.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::algorithm::{Algorithm, KeyType};
use crate::encoding::{B64, Hash, HexBytes};
use crate::ids::{KeyId, Seq};
use crate::pack::envelope_algorithm;
use crate::payload::{CrlIssued, Payload, SignatureCreated};
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
    keys: BTreeMap<(Of, KeyId), Arc<PublicKey>>,
    messages: BTreeMap<Hash, Arc<[u8]>>,
    kept: usize,
    batch: Vec<Claim>,
    under_way: VecDeque<Pending<Found>>,
    pub(super) checked: u64,
    pub(super) without_message: u64,
    /// The first that does not hold.
    pub(super) failure: Option<Failure>,
}

/// Whose a key is: an evidence key and a slot's may have one id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Of {
    /// A slot's.
    Slot,
    /// The ledger's, for documents.
    Evidence,
}

/// A signature and what it is said to be of.
struct Claim {
    seq: Seq,
    type_name: &'static str,
    /// `None` where no event has recorded one.
    key: Option<Arc<PublicKey>>,
    algorithm: Algorithm,
    signed: Signed,
    signature: B64,
}

/// What a signature is over.
enum Signed {
    Digest(HexBytes),
    Message(Arc<[u8]>),
    /// A message that is not at hand.
    Missing,
}

/// How some signatures, one behind the other, were found, up to the first that does not hold.
#[derive(Default)]
struct Found {
    checked: u64,
    without_message: u64,
    failure: Option<Failure>,
}

impl Claim {
    /// Whether it holds; `None` where that can't be said.
    fn check(&self) -> Option<Result<(), Failure>> {
        let input = match &self.signed {
            Signed::Digest(digest) => SigningInput::Digest(&digest.0),
            Signed::Message(message) => SigningInput::Message(message),
            Signed::Missing => return None,
        };
        let Some(key) = &self.key else {
            return Some(Err(self.failed("key.unknown", &"its key was never recorded as made")));
        };
        let checked = key.verify(self.algorithm, input, self.signature.as_bytes());
        Some(checked.map_err(|error| self.failed(error.code(), &error)))
    }

    fn failed(&self, rule: &'static str, reason: &dyn std::fmt::Display) -> Failure {
        let place = Place::Event { seq: self.seq.get(), type_name: Some(self.type_name.to_owned()) };
        Failure::new(Layer::Signatures, place, rule, reason)
    }
}

fn check_all(claims: &[Claim]) -> Found {
    let mut found = Found::default();
    for claim in claims {
        match claim.check() {
            Some(Ok(())) => found.checked += 1,
            None => found.without_message += 1,
            Some(Err(failure)) => {
                found.failure = Some(failure);
                break;
            }
        }
    }
    found
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
        if self.failure.is_some() {
            return;
        }
        let (seq, type_name) = (pushed.event.seq, pushed.event.payload.type_name());
        let claim = match &pushed.event.payload {
            Payload::SignatureCreated(created) => Claim {
                seq,
                type_name,
                key: recorded_key(&mut self.keys, Of::Slot, created.key, state),
                algorithm: created.algorithm,
                signed: match created.algorithm.needs_message() {
                    true => self.message(created).map_or(Signed::Missing, Signed::Message),
                    false => Signed::Digest(created.digest.clone()),
                },
                signature: created.signature.clone(),
            },
            Payload::CrlIssued(issued) => self.of_list(pushed, issued, state),
            Payload::RepIssued(issued) => {
                let key = recorded_key(&mut self.keys, Of::Evidence, issued.key, state);
                let algorithm =
                    envelope_algorithm(key.as_ref().map_or(KeyType::EcP256, |key| key.key_type()));
                // What a pure Ed25519 key signs is the document's own envelope, which is kept apart from the ledger.
                let signed = match algorithm.needs_message() {
                    true => Signed::Missing,
                    false => Signed::Digest(issued.digest.clone()),
                };
                Claim { seq, type_name, key, algorithm, signed, signature: issued.signature.clone() }
            }
            _ => return,
        };
        self.batch.push(claim);
        if self.batch.len() >= BATCH {
            self.have_checked(crew);
        }
    }

    /// A revocation list: the fold holds the bytes that its key signed.
    fn of_list(&mut self, pushed: &Pushed, issued: &CrlIssued, state: &State) -> Claim {
        let founded = state.founded().ok();
        let list = founded.and_then(|founded| founded.crls().get(&issued.key));
        let list = list.filter(|crl| crl.number == issued.authorization);
        let algorithm = founded.and_then(|founded| Some(founded.keys().get(&issued.key)?.algorithm));
        let algorithm = algorithm.unwrap_or(Algorithm::EcdsaP256Sha256);
        let signed = list.map_or(Signed::Missing, |crl| match algorithm.needs_message() {
            true => Signed::Message(crl.tbs().into()),
            false => Signed::Digest(algorithm.digest_of(crl.tbs())),
        });
        Claim {
            seq: pushed.event.seq,
            type_name: pushed.event.payload.type_name(),
            key: recorded_key(&mut self.keys, Of::Slot, issued.key, state),
            algorithm,
            signed,
            signature: issued.signature.clone(),
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

    /// They come in the ledger's order. What comes after the first that does not hold counts no longer, however many were
    /// under way.
    fn note(&mut self, found: Found) {
        if self.failure.is_none() {
            self.checked += found.checked;
            self.without_message += found.without_message;
            self.failure = found.failure;
        }
    }
}

/// The recorded key; each is read from its DER once.
fn recorded_key(
    keys: &mut BTreeMap<(Of, KeyId), Arc<PublicKey>>,
    of: Of,
    id: KeyId,
    state: &State,
) -> Option<Arc<PublicKey>> {
    match keys.entry((of, id)) {
        Entry::Occupied(known) => Some(Arc::clone(known.get())),
        Entry::Vacant(unknown) => {
            let founded = state.founded().ok()?;
            let spki = match of {
                Of::Slot => &founded.keys().get(&id)?.material()?.spki,
                Of::Evidence => founded.evidence_key().filter(|(key, _)| *key == id).map(|(_, spki)| spki)?,
            };
            let key = PublicKey::from_der(spki.as_bytes()).ok()?;
            Some(Arc::clone(unknown.insert(Arc::new(key))))
        }
    }
}
