//! What a list needs of an event, read from its bytes without judging the rest of it: millions are read for one list.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::{Affected, Ended, Outcome};
use crate::encoding::{Hash, HexBytes};
use crate::event::{Actor, Event};
use crate::ids::{KeyId, Seq};
use crate::payload::{Payload, SigningPurpose};
use crate::policy::Environment;
use crate::timestamp::Timestamp;

/// What an event says about one signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    /// It was authorised.
    Authorized {
        /// The key that was to sign.
        key: KeyId,
        /// The signature, open.
        signature: Affected,
    },
    /// An authorisation ended.
    Ended {
        /// Which.
        authorization: Seq,
        /// By what.
        ended: Ended,
    },
}

impl Fact {
    /// What a whole event says about a signature; none where it is about something else.
    pub fn of(event: &Event) -> Option<Self> {
        let ended = |authorization, outcome| {
            Some(Self::Ended { authorization, ended: Ended { outcome, seq: event.seq } })
        };
        match &event.payload {
            Payload::SignatureAuthorized(p) => Some(Self::Authorized {
                key: p.key,
                signature: Affected {
                    authorization: event.seq,
                    caller: event.actor,
                    digest: p.digest.clone(),
                    ended: None,
                    environment: p.environment,
                    purpose: p.purpose.clone().map(Box::new),
                    redactable: !event.sd.is_empty(),
                    time: event.time,
                },
            }),
            Payload::SignatureAbandoned(p) => ended(p.authorization, Outcome::Abandoned),
            Payload::SignatureCreated(p) => ended(p.authorization, Outcome::Created),
            Payload::SignatureFailed(p) => ended(p.authorization, Outcome::Failed),
            Payload::SignatureWithheld(p) => ended(p.authorization, Outcome::Withheld),
            _ => None,
        }
    }
}

/// An event as a list sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glance {
    /// Its place.
    pub seq: Seq,
    /// When it was appended.
    pub time: Timestamp,
    /// The hash of the event before it.
    pub prev: Hash,
    /// What it says about a signature; none where it is about something else.
    pub fact: Option<Fact>,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    actor: &'a RawValue,
    #[serde(borrow)]
    data: &'a RawValue,
    prev: Hash,
    seq: Seq,
    time: Timestamp,
    #[serde(borrow, rename = "type")]
    type_name: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Authorized {
    #[serde(default, rename = "_sd")]
    sd: Option<IgnoredAny>,
    digest: HexBytes,
    #[serde(default)]
    environment: Option<Environment>,
    key: KeyId,
    #[serde(default)]
    purpose: Option<Box<SigningPurpose>>,
}

#[derive(Deserialize)]
struct Ending {
    authorization: Seq,
}

impl Glance {
    /// Reads an event's bytes.
    ///
    /// Fails where they are no JSON of an event's form. Whether they are canonical, in the chain and allowed is judged
    /// elsewhere.
    pub fn read(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        let event: Envelope<'_> = serde_json::from_slice(bytes)?;
        let outcome = match &*event.type_name {
            "signature.authorized" => {
                let fact = Some(event.authorized()?);
                return Ok(Self { seq: event.seq, time: event.time, prev: event.prev, fact });
            }
            "signature.abandoned" => Some(Outcome::Abandoned),
            "signature.created" => Some(Outcome::Created),
            "signature.failed" => Some(Outcome::Failed),
            "signature.withheld" => Some(Outcome::Withheld),
            _ => None,
        };
        let ending = |outcome| {
            let Ending { authorization } = serde_json::from_str(event.data.get())?;
            Ok(Fact::Ended { authorization, ended: Ended { outcome, seq: event.seq } })
        };
        let fact = outcome.map(ending).transpose()?;
        Ok(Self { seq: event.seq, time: event.time, prev: event.prev, fact })
    }
}

impl Envelope<'_> {
    fn authorized(&self) -> Result<Fact, serde_json::Error> {
        let caller: Actor = serde_json::from_str(self.actor.get())?;
        let data: Authorized = serde_json::from_str(self.data.get())?;
        let signature = Affected {
            authorization: self.seq,
            caller,
            digest: data.digest,
            ended: None,
            environment: data.environment,
            purpose: data.purpose,
            redactable: data.sd.is_some(),
            time: self.time,
        };
        Ok(Fact::Authorized { key: data.key, signature })
    }
}
