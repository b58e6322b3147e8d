//! Reading a list back, as somebody was handed it: its form, and whether events say the same.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Affected, Ended, Fact, Outcome};
use crate::encoding::HexBytes;
use crate::event::{Actor, Event};
use crate::ids::{KeyId, Seq};
use crate::payload::SigningPurpose;
use crate::policy::Environment;
use crate::timestamp::Timestamp;

/// Why bytes are not a list of signatures, or not the one that is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ListError {
    /// Counted from 1: another spelling, other members, or no line end.
    #[error("line {0} is not written as lines of a blast radius are")]
    Line(u64),
    /// Counted from 1.
    #[error("line {0} does not come after the one before it")]
    Order(u64),
    /// A signature that does not belong into it.
    #[error("the signature of event {0} lies outside of what it covers")]
    Outside(Seq),
    /// What was recorded is something else, or is not listed.
    #[error("event {0} says something else than it")]
    Event(Seq),
}

/// What a list covers: the signatures that a key was authorised to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Covered {
    /// The key.
    pub key: KeyId,
    /// From when on, that moment included; of all time where none is given.
    pub since: Option<Timestamp>,
    /// How many of the ledger's events were looked at.
    pub size: u64,
}

/// The signatures of a list that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List {
    lines: Vec<Affected>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    authorization: Seq,
    caller: Actor,
    digest: HexBytes,
    #[serde(default)]
    environment: Option<Environment>,
    outcome: Outcome,
    #[serde(default)]
    outcome_seq: Option<Seq>,
    #[serde(default)]
    purpose: Option<Box<SigningPurpose>>,
    time: Timestamp,
}

impl Line {
    /// None where the outcome is told without its event, or comes before its authorisation.
    fn into_signature(self) -> Option<Affected> {
        let ended = match (self.outcome, self.outcome_seq) {
            (Outcome::Open, None) => None,
            (Outcome::Open, Some(_)) | (_, None) => return None,
            (outcome, Some(seq)) => Some(Ended { outcome, seq }),
        };
        ended.is_none_or(|ended| ended.seq > self.authorization).then_some(Affected {
            authorization: self.authorization,
            caller: self.caller,
            digest: self.digest,
            ended,
            environment: self.environment,
            purpose: self.purpose,
            redactable: false,
            time: self.time,
        })
    }
}

impl List {
    /// Reads a list: canonical lines, in their order.
    ///
    /// # Errors
    /// [`ListError::Line`], [`ListError::Order`].
    pub fn read(bytes: &[u8]) -> Result<Self, ListError> {
        let (mut lines, mut written): (Vec<Affected>, Vec<u8>) = (Vec::new(), Vec::new());
        for (number, line) in (1..).zip(bytes.split_inclusive(|byte| *byte == b'\n')) {
            let malformed = ListError::Line(number);
            let read: Line = serde_json::from_slice(line).map_err(|_| malformed)?;
            let signature = read.into_signature().ok_or(malformed)?;
            written.clear();
            signature.write_line(&mut written).map_err(|_| malformed)?;
            if written != line {
                return Err(malformed);
            }
            // Times never fall along a ledger.
            let follows = lines.last().is_none_or(|last| {
                last.authorization < signature.authorization && last.time <= signature.time
            });
            if !follows {
                return Err(ListError::Order(number));
            }
            lines.push(signature);
        }
        Ok(Self { lines })
    }

    /// The signatures, by rising authorisation.
    pub fn lines(&self) -> &[Affected] {
        &self.lines
    }

    /// Whether all of it lies in what it covers, and some of the ledger's events say nothing else: what they hold of it is
    /// listed, and as they have it.
    ///
    /// # Errors
    /// [`ListError::Outside`], [`ListError::Event`].
    pub fn agrees(&self, covered: Covered, events: &[Event]) -> Result<(), ListError> {
        let within = |line: &&Affected| {
            let newest = line.ended.map_or(line.authorization, |ended| ended.seq);
            newest.get() < covered.size && covered.since.is_none_or(|since| since <= line.time)
        };
        if let Some(outside) = self.lines.iter().find(|line| !within(line)) {
            return Err(ListError::Outside(outside.authorization));
        }
        let below = events.iter().filter(|event| event.seq.get() < covered.size);
        let facts: BTreeMap<Seq, Option<Fact>> = below.map(|event| (event.seq, Fact::of(event))).collect();
        let denied = |line: &Affected| line.denied_by(covered.key, &facts);
        if let Some(seq) = self.lines.iter().find_map(denied) {
            return Err(ListError::Event(seq));
        }
        let missing = |(seq, fact): &(&Seq, &Option<Fact>)| match fact {
            Some(Fact::Authorized { key, signature }) => {
                let meant = *key == covered.key && covered.since.is_none_or(|since| since <= signature.time);
                meant && self.of(**seq).is_none()
            }
            // The first that names an authorisation counts.
            Some(Fact::Ended { authorization, .. }) => {
                self.of(*authorization).is_some_and(|line| line.ended.is_none_or(|ended| ended.seq > **seq))
            }
            None => false,
        };
        match facts.iter().find(missing) {
            Some((seq, _)) => Err(ListError::Event(*seq)),
            None => Ok(()),
        }
    }

    fn of(&self, authorization: Seq) -> Option<&Affected> {
        let place = self.lines.binary_search_by_key(&authorization, |line| line.authorization);
        self.lines.get(place.ok()?)
    }
}

impl Affected {
    /// The event that the line is about and that says something else, as far as events are at hand.
    fn denied_by(&self, by: KeyId, facts: &BTreeMap<Seq, Option<Fact>>) -> Option<Seq> {
        let authorized = facts.get(&self.authorization).is_none_or(|fact| match fact {
            Some(Fact::Authorized { key, signature }) => {
                let same = Self { ended: self.ended, redactable: self.redactable, ..signature.clone() };
                *key == by && same == *self
            }
            _ => false,
        });
        if !authorized {
            return Some(self.authorization);
        }
        let ended = self.ended?;
        let said = Fact::Ended { authorization: self.authorization, ended };
        let is_said = facts.get(&ended.seq).is_none_or(|fact| fact.as_ref() == Some(&said));
        (!is_said).then_some(ended.seq)
    }
}
