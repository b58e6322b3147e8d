//! The envelope of an event: the keys that every event has, whatever its type (LEDGER_FORMAT §2).

mod data;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::canonical::{self, NotCanonical, Unrepresentable};
use crate::chain;
use crate::encoding::{B64, Hash};
use crate::ids::{Correlation, MemberId, Origin, Seq, ServiceId};
use crate::payload::{Payload, PayloadError};
use crate::timestamp::Timestamp;

pub use data::Data;

/// The longest event, in bytes.
pub const MAX_EVENT_LEN: usize = 65_535;

/// The version of the envelope.
const ENVELOPE_VERSION: u64 = 1;

/// Who caused an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Actor {
    /// A person.
    Member(MemberId),
    /// A machine client.
    Service(ServiceId),
    /// The server itself; its id is `server`.
    System,
}

/// The system's actor id.
const SYSTEM_ID: &str = "server";

impl Actor {
    /// The kind as it is written: `member`, `service` or `system`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Member(_) => "member",
            Self::Service(_) => "service",
            Self::System => "system",
        }
    }

    /// The id as it is written.
    pub fn id(&self) -> String {
        match self {
            Self::Member(id) => id.to_string(),
            Self::Service(id) => id.to_string(),
            Self::System => SYSTEM_ID.to_owned(),
        }
    }
}

/// An actor as it is written; the kind says how the id is to be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActorText {
    /// `member`, `service` or `system`.
    pub kind: ActorKind,
    /// 1 to 64 printable ASCII characters.
    pub id: String,
}

/// The kinds of actor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActorKind {
    /// A person.
    Member,
    /// A machine client.
    Service,
    /// The server.
    System,
}

impl ActorText {
    fn to_actor(&self) -> Option<Actor> {
        match self.kind {
            ActorKind::Member => self.id.parse().ok().map(Actor::Member),
            ActorKind::Service => self.id.parse().ok().map(Actor::Service),
            ActorKind::System => (self.id == SYSTEM_ID).then_some(Actor::System),
        }
    }
}

impl Serialize for Actor {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let kind = match self {
            Self::Member(_) => ActorKind::Member,
            Self::Service(_) => ActorKind::Service,
            Self::System => ActorKind::System,
        };
        ActorText { kind, id: self.id() }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Actor {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = ActorText::deserialize(deserializer)?;
        text.to_actor().ok_or_else(|| serde::de::Error::custom("an actor id that does not fit its kind"))
    }
}

/// Why some bytes are not an event (layer *bytes*).
#[derive(Debug, thiserror::Error)]
pub enum EnvelopeError {
    /// Longer than [`MAX_EVENT_LEN`].
    #[error("longer than {MAX_EVENT_LEN} bytes")]
    TooLong,
    /// Not their own RFC 8785 form.
    #[error("not canonical JSON: {0}")]
    NotCanonical(#[from] NotCanonical),
    /// A key of the envelope is missing, unknown or holds what it must not.
    #[error("not an event of version 1: {0}")]
    Envelope(#[source] serde_json::Error),
    /// `v` is not 1.
    #[error("envelope version {0} is not known")]
    Version(u64),
    /// An actor id or a type that is not short printable ASCII.
    #[error("{0} is not short printable ASCII")]
    Word(&'static str),
    /// `_sd` is empty, unsorted, repeats itself or holds no SHA-256.
    #[error("`_sd` is not a sorted array of distinct SHA-256 digests in base64url")]
    Disclosures,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EnvelopeJson<'a> {
    actor: ActorText,
    correlation: Correlation,
    #[serde(borrow)]
    data: &'a RawValue,
    origin: Origin,
    prev: Hash,
    seq: Seq,
    time: Timestamp,
    #[serde(rename = "type")]
    type_name: String,
    v: u64,
}

/// An event whose envelope is sound; its `data` is not judged yet, and is read where it stands.
#[derive(Debug, Clone)]
pub struct Envelope<'a> {
    /// Who caused it.
    pub actor: ActorText,
    /// The piece of work that it belongs to.
    pub correlation: Correlation,
    /// The payload, without `_sd`.
    pub data: Data<'a>,
    /// The digests of its redactable fields, sorted.
    pub sd: Vec<B64>,
    /// The ledger.
    pub origin: Origin,
    /// The hash of the event before it; zeros for the first.
    pub prev: Hash,
    /// Its place.
    pub seq: Seq,
    /// When it was appended.
    pub time: Timestamp,
    /// Its dotted type.
    pub type_name: String,
}

impl<'a> Envelope<'a> {
    /// Reads event bytes as far as layer *bytes* goes.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, EnvelopeError> {
        if bytes.len() > MAX_EVENT_LEN {
            return Err(EnvelopeError::TooLong);
        }
        canonical::check(bytes)?;
        let json: EnvelopeJson<'a> = serde_json::from_slice(bytes).map_err(EnvelopeError::Envelope)?;
        if json.v != ENVELOPE_VERSION {
            return Err(EnvelopeError::Version(json.v));
        }
        let short = |text: &str| (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
        if !short(&json.actor.id) {
            return Err(EnvelopeError::Word("the actor's id"));
        }
        if !short(&json.type_name) {
            return Err(EnvelopeError::Word("the type"));
        }
        let (data, sd) = Data::split(json.data.get())?;
        Ok(Self {
            actor: json.actor,
            correlation: json.correlation,
            data,
            sd,
            origin: json.origin,
            prev: json.prev,
            seq: json.seq,
            time: json.time,
            type_name: json.type_name,
        })
    }
}

/// Distinct SHA-256 digests, sorted as they are written: base64url's order differs from that of the bytes behind it.
pub(crate) fn sd_is_well_formed(digests: &[B64]) -> bool {
    let sorted = digests.windows(2).all(|pair| pair[0].to_string() < pair[1].to_string());
    sorted && digests.iter().all(|digest| digest.as_bytes().len() == 32)
}

/// An event whose type and payload are known to the rules.
#[derive(Debug, Clone)]
pub struct Event {
    /// The ledger.
    pub origin: Origin,
    /// Its place.
    pub seq: Seq,
    /// When it was appended: never before the event ahead of it.
    pub time: Timestamp,
    /// Who caused it.
    pub actor: Actor,
    /// The piece of work that it belongs to.
    pub correlation: Correlation,
    /// The hash of the event before it.
    pub prev: Hash,
    /// What happened.
    pub payload: Payload,
    /// The digests of its redactable fields, sorted as text.
    pub sd: Vec<B64>,
}

/// Why a sound envelope holds no event that the rules know.
#[derive(Debug, thiserror::Error)]
pub enum ContentError {
    /// The actor's id is not of its kind.
    #[error("the actor's id does not fit its kind")]
    Actor,
    /// The type is unknown, or its data is not what the catalogue says.
    #[error(transparent)]
    Payload(#[from] PayloadError),
}

impl Event {
    /// Reads the payload of an envelope by its type.
    pub fn from_envelope(envelope: Envelope<'_>) -> Result<Self, ContentError> {
        let actor = envelope.actor.to_actor().ok_or(ContentError::Actor)?;
        let payload = Payload::parse(&envelope.type_name, &envelope.data)?;
        payload.check_disclosures(envelope.sd.len())?;
        Ok(Self {
            origin: envelope.origin,
            seq: envelope.seq,
            time: envelope.time,
            actor,
            correlation: envelope.correlation,
            prev: envelope.prev,
            payload,
            sd: envelope.sd,
        })
    }

    /// The event's canonical bytes: what is hashed, stored and exported.
    pub fn to_bytes(&self) -> Result<Vec<u8>, Unrepresentable> {
        let mut data = self.payload.to_data().map_err(Unrepresentable::Serialise)?;
        if !self.sd.is_empty() {
            let digests = self.sd.iter().map(|digest| Value::String(digest.to_string())).collect();
            data.insert("_sd".to_owned(), Value::Array(digests));
        }
        // Put together here: serialising the whole once more would copy the payload.
        let text = |value: String| Value::String(value);
        let members = [
            ("actor", serde_json::to_value(self.actor).map_err(Unrepresentable::Serialise)?),
            ("correlation", text(self.correlation.to_string())),
            ("data", Value::Object(data)),
            ("origin", text(self.origin.to_string())),
            ("prev", text(self.prev.to_string())),
            ("seq", self.seq.get().into()),
            ("time", text(self.time.to_string())),
            ("type", text(self.payload.type_name().to_owned())),
            ("v", ENVELOPE_VERSION.into()),
        ];
        let members = members.map(|(name, value)| (name.to_owned(), value));
        canonical::value_to_vec(&Value::Object(members.into_iter().collect()))
    }

    /// The hash that the next event's `prev` repeats.
    pub fn hash(bytes: &[u8]) -> Hash {
        chain::event_hash(bytes)
    }
}
