//! The blast radius of a key: every signature that it was authorised to make since a moment, as one list that anybody can
//! make again from a ledger's events (docs/spec/blast-radius.md).
//!
//! Nothing but facts of events is in it. Names and tickets are disclosures: withholding them changes neither a line nor the
//! list's digest.

mod fact;
mod list;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};

use crate::canonical::{self, Unrepresentable};
use crate::encoding::{Hash, HexBytes};
use crate::event::Actor;
use crate::ids::{KeyId, Seq};
use crate::payload::SigningPurpose;
use crate::policy::Environment;
use crate::timestamp::Timestamp;

pub use fact::{Fact, Glance};
pub use list::{Covered, List, ListError};

/// What became of an authorised signature (DOMAIN, write-ahead custody).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Nobody knows whether the device signed.
    Abandoned,
    /// Signed and recorded.
    Created,
    /// The device answered with an error, or with what does not verify: the only outcome that does not count as signed.
    Failed,
    /// Not recorded yet, which counts as signed.
    Open,
    /// The device signed, and the signature was kept back.
    Withheld,
}

impl Outcome {
    /// All of them, in the order of their names.
    pub const ALL: [Self; 5] = [Self::Abandoned, Self::Created, Self::Failed, Self::Open, Self::Withheld];

    /// The name as it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Abandoned => "abandoned",
            Self::Created => "created",
            Self::Failed => "failed",
            Self::Open => "open",
            Self::Withheld => "withheld",
        }
    }

    /// Whether the signature may exist.
    pub const fn counts_as_signed(self) -> bool {
        !matches!(self, Self::Failed)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The event that ended an authorisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// How; never [`Outcome::Open`].
    pub outcome: Outcome,
    /// Its seq.
    pub seq: Seq,
}

/// One signature of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Affected {
    /// The seq of its `signature.authorized`.
    pub authorization: Seq,
    /// Who asked.
    pub caller: Actor,
    /// What was to be signed.
    pub digest: HexBytes,
    /// What became of it; none while it is open.
    pub ended: Option<Ended>,
    /// Where the artifact was meant to go; none for what the server had signed by itself.
    pub environment: Option<Environment>,
    /// What the server had it signed for; none for a caller's artifact.
    pub purpose: Option<Box<SigningPurpose>>,
    /// Whether its event holds digests of what was said about the artifact. Not part of the line.
    pub redactable: bool,
    /// When it was authorised.
    pub time: Timestamp,
}

/// A line as it is written: the members in RFC 8785's order.
#[derive(Serialize)]
struct Line<'a> {
    authorization: Seq,
    caller: CallerMember,
    digest: &'a HexBytes,
    #[serde(skip_serializing_if = "Option::is_none")]
    environment: Option<Environment>,
    outcome: Outcome,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome_seq: Option<Seq>,
    #[serde(skip_serializing_if = "Option::is_none")]
    purpose: Option<Box<RawValue>>,
    time: Timestamp,
}

#[derive(Serialize)]
struct CallerMember {
    id: String,
    kind: &'static str,
}

impl Affected {
    /// The names of [`Affected::cells`].
    pub const HEADINGS: [&'static str; 10] = [
        "authorization",
        "time",
        "caller_kind",
        "caller",
        "digest",
        "environment",
        "purpose",
        "purpose_id",
        "outcome",
        "outcome_seq",
    ];

    /// Whether somebody outside may rely on it: what it is over is to be signed again, or given up. So it is with a caller's
    /// artifact of which the device may have signed the digest and nothing kept the signature back.
    pub fn is_resign_required(&self) -> bool {
        let got_out = match self.outcome() {
            Outcome::Abandoned | Outcome::Created | Outcome::Open => true,
            Outcome::Failed | Outcome::Withheld => false,
        };
        self.purpose.is_none() && got_out
    }

    /// What became of it.
    pub fn outcome(&self) -> Outcome {
        self.ended.map_or(Outcome::Open, |ended| ended.outcome)
    }

    /// Appends its line: canonical JSON (RFC 8785) and LF.
    pub fn write_line(&self, out: &mut Vec<u8>) -> Result<(), Unrepresentable> {
        let line = Line {
            authorization: self.authorization,
            caller: CallerMember { id: self.caller.id(), kind: self.caller.kind() },
            digest: &self.digest,
            environment: self.environment,
            outcome: self.outcome(),
            outcome_seq: self.ended.map(|ended| ended.seq),
            purpose: self.purpose.as_deref().map(canonical_value).transpose()?,
            time: self.time,
        };
        serde_json::to_writer(&mut *out, &line).map_err(Unrepresentable::Serialise)?;
        out.push(b'\n');
        Ok(())
    }

    /// The same facts as cells of a table, under [`Affected::HEADINGS`].
    pub fn cells(&self) -> [String; 10] {
        let purpose = self.purpose.as_deref().map(named);
        [
            self.authorization.to_string(),
            self.time.to_string(),
            self.caller.kind().to_owned(),
            self.caller.id(),
            self.digest.to_string(),
            self.environment.map_or_else(String::new, |environment| environment_name(environment).to_owned()),
            purpose.as_ref().map_or_else(String::new, |(kind, _)| (*kind).to_owned()),
            purpose.map_or_else(String::new, |(_, id)| id),
            self.outcome().name().to_owned(),
            self.ended.map_or_else(String::new, |ended| ended.seq.to_string()),
        ]
    }
}

/// A value as canonical JSON within other JSON.
fn canonical_value(purpose: &SigningPurpose) -> Result<Box<RawValue>, Unrepresentable> {
    let bytes = canonical::to_vec(purpose)?;
    // JSON is UTF-8.
    let text = String::from_utf8_lossy(&bytes).into_owned();
    RawValue::from_string(text).map_err(Unrepresentable::Serialise)
}

/// What a purpose is called, and the rotation or certificate that it is about.
pub fn named(purpose: &SigningPurpose) -> (&'static str, String) {
    match purpose {
        SigningPurpose::Canary { action, .. } => ("canary", action.to_string()),
        SigningPurpose::Certificate { certificate, .. } => ("certificate", certificate.to_string()),
        SigningPurpose::CertificateRequest { certificate } => {
            ("certificate_request", certificate.to_string())
        }
        SigningPurpose::Sample { number } => ("sample", number.to_string()),
    }
}

/// An environment as it is written.
const fn environment_name(environment: Environment) -> &'static str {
    match environment {
        Environment::Development => "development",
        Environment::Production => "production",
        Environment::Staging => "staging",
    }
}

/// A signature whose turn has not come.
#[derive(Debug)]
struct Waiting {
    signature: Affected,
    /// Whether it is known what became of it, or that nothing did.
    is_decided: bool,
}

/// Makes the list from a ledger's facts in their order: signatures come out by rising authorisation, each once it is known
/// what became of it.
#[derive(Debug)]
pub struct BlastRadius {
    key: KeyId,
    since: Option<Timestamp>,
    /// By rising authorisation.
    waiting: VecDeque<Waiting>,
}

impl BlastRadius {
    /// Of a key since a moment, that moment included; of all time where none is given.
    pub fn new(key: KeyId, since: Option<Timestamp>) -> Self {
        Self { key, since, waiting: VecDeque::new() }
    }

    /// Takes in the next fact.
    pub fn take_in(&mut self, fact: Fact) {
        match fact {
            Fact::Authorized { key, signature } => {
                if key == self.key && self.since.is_none_or(|since| signature.time >= since) {
                    self.waiting.push_back(Waiting { signature, is_decided: false });
                }
            }
            Fact::Ended { authorization, ended } => self.decide(authorization, Some(ended)),
        }
    }

    /// Says what becomes of a signature before its turn among the facts; none says that nothing does. What is not waiting
    /// is somebody else's.
    pub fn decide(&mut self, authorization: Seq, ended: Option<Ended>) {
        let place = self.waiting.binary_search_by_key(&authorization, |one| one.signature.authorization);
        let Some(waiting) = place.ok().and_then(|place| self.waiting.get_mut(place)) else { return };
        if !waiting.is_decided {
            waiting.signature.ended = ended;
            waiting.is_decided = true;
        }
    }

    /// The next signature, if it is known what became of it.
    pub fn next_known(&mut self) -> Option<Affected> {
        let is_known = self.waiting.front().is_some_and(|one| one.is_decided);
        if is_known { self.next_at_end() } else { None }
    }

    /// The next signature where no fact is left: nothing became of what is open.
    pub fn next_at_end(&mut self) -> Option<Affected> {
        self.waiting.pop_front().map(|one| one.signature)
    }

    /// How many signatures wait.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// The authorisations of those for which others wait: it is not known yet what became of them.
    pub fn undecided(&self) -> impl Iterator<Item = Seq> {
        self.waiting.iter().filter(|one| !one.is_decided).map(|one| one.signature.authorization)
    }
}

/// What a list comes to, counted while its signatures pass in order.
#[derive(Debug, Clone, Default)]
pub struct Extent {
    outcomes: [u64; Outcome::ALL.len()],
    first: Option<(Seq, Timestamp)>,
    last: Option<(Seq, Timestamp)>,
    sha256: Sha256,
    line: Vec<u8>,
}

impl Extent {
    /// Counts the next signature; returns its line, LF included.
    pub fn add(&mut self, signature: &Affected) -> Result<&[u8], Unrepresentable> {
        self.line.clear();
        signature.write_line(&mut self.line)?;
        self.sha256.update(&self.line);
        self.outcomes[signature.outcome() as usize] += 1;
        let mark = (signature.authorization, signature.time);
        self.first = self.first.or(Some(mark));
        self.last = Some(mark);
        Ok(&self.line)
    }

    /// Its lines.
    pub fn count(&self) -> u64 {
        self.outcomes.iter().sum()
    }

    /// The signatures among them that may exist.
    pub fn signed(&self) -> u64 {
        self.count() - self.of(Outcome::Failed)
    }

    /// How many ended so.
    pub fn of(&self, outcome: Outcome) -> u64 {
        self.outcomes[outcome as usize]
    }

    /// The first authorisation and its time.
    pub fn first(&self) -> Option<(Seq, Timestamp)> {
        self.first
    }

    /// The last authorisation and its time.
    pub fn last(&self) -> Option<(Seq, Timestamp)> {
        self.last
    }

    /// SHA-256 of the lines; of nothing where there are none.
    pub fn digest(&self) -> Hash {
        Hash(self.sha256.clone().finalize().into())
    }
}
