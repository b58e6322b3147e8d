//! What can be learned from one event's bytes alone, whatever came before it; so that many can be read at once.

use crate::chain;
use crate::encoding::{B64, Hash};
use crate::event::{ContentError, Envelope, EnvelopeError, Event};
use crate::ids::{Origin, Seq};
use crate::merkle;
use crate::payload::PayloadError;
use crate::rule::Rule;
use crate::verify::seals::KeyEvent;

/// An event as far as its bytes say what it is; its place in the ledger is not judged yet.
#[derive(Debug)]
pub struct Read {
    /// Its leaf in the tree.
    pub(super) leaf: Hash,
    /// What the next event's `prev` must repeat.
    pub(super) hash: Hash,
    pub(super) content: Result<Box<Sound>, EnvelopeError>,
}

/// What a sound envelope says.
#[derive(Debug)]
pub(super) struct Sound {
    pub(super) seen: Seen,
    pub(super) link: Link,
    pub(super) event: Result<Event, ContentError>,
    /// The rules version that an opening declares. Read apart from the payload, for an unknown version may have other
    /// members.
    pub(super) rules: Option<u64>,
}

/// What seals and disclosures read of an event, whatever the rules say about it.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) type_name: String,
    pub(super) sd: Vec<B64>,
    pub(super) key: Option<KeyEvent>,
}

/// Where an event says that it belongs.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) origin: Origin,
    pub(super) seq: Seq,
    pub(super) prev: Hash,
}

impl Read {
    /// Reads an event's exact bytes, as the next to be [pushed](super::Verifier::push_read).
    pub fn from_bytes(bytes: &[u8]) -> Self {
        Self {
            leaf: merkle::leaf_hash(bytes),
            hash: chain::event_hash(bytes),
            content: Envelope::parse(bytes).map(|envelope| Box::new(Sound::new(envelope))),
        }
    }

    /// The hash of the bytes as a leaf of the tree.
    pub fn leaf(&self) -> Hash {
        self.leaf
    }
}

impl Sound {
    fn new(envelope: Envelope<'_>) -> Self {
        let opens = envelope.type_name == "ledger.opened";
        Self {
            rules: opens.then(|| envelope.data.members().get("rules")?.as_u64()).flatten(),
            seen: Seen {
                type_name: envelope.type_name.clone(),
                sd: envelope.sd.clone(),
                key: KeyEvent::of(&envelope),
            },
            link: Link { origin: envelope.origin.clone(), seq: envelope.seq, prev: envelope.prev },
            event: Event::from_envelope(envelope),
        }
    }
}

impl EnvelopeError {
    /// The stable code.
    pub(super) const fn code(&self) -> &'static str {
        match self {
            Self::TooLong => "bytes.too_long",
            Self::NotCanonical(_) => "bytes.not_canonical",
            Self::Envelope(_) => "bytes.envelope",
            Self::Version(_) => "bytes.version",
            Self::Word(_) => "bytes.word",
            Self::Disclosures => "bytes.sd",
        }
    }
}

impl ContentError {
    /// The stable code of the rule that such an event breaks.
    pub(super) const fn rule(&self) -> &'static str {
        match self {
            Self::Actor => Rule::Actor.code(),
            Self::Payload(PayloadError::UnknownType(_)) => "type.unknown",
            Self::Payload(PayloadError::Data { .. }) => "data.form",
            Self::Payload(PayloadError::NotNormal(_)) => "data.not_normal",
            Self::Payload(PayloadError::Disclosures(_)) => "data.disclosures",
        }
    }
}
