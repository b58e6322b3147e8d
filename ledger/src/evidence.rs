//! What evidence packs say (`docs/spec/evidence.md`): facts that follow from the events which a pack holds, and from
//! nothing else.
//!
//! Whoever makes a pack chooses the events and hands them in here; what comes out is the same for everybody. So a reader
//! makes the files again from the pack's own events and compares, byte for byte. What a pack leaves out, its reader does
//! not know: the whole ledger tells.

mod canary;
mod certificates;
mod checks;
mod decision;
mod files;
mod incident;
mod keys;
mod ledger_key;
mod people;
mod period;
mod policies;
mod rotation;
mod rotation_checks;
mod steps;

use serde::Serialize;

pub use canary::{Canary, CanaryResult};
pub use certificates::CertificateFacts;
pub use checks::{CADENCE_DAYS, Check, CheckResult};
pub use decision::{Approval, Assertion, Decision};
pub use files::{
    AFFECTED, Annex, DISCLOSURES, EVIDENCE, Evidence, MAX_AFFECTED, REPORT, file, receipt_name, receipt_seq,
};
pub use incident::{
    ChannelFacts, Clock, EscalationFacts, IncidentEvidence, ListFacts, ResignedFacts, RevocationFacts,
    ScopeFacts, StepTime, Taken,
};
pub use keys::{Attestation, KeyFacts};
pub use ledger_key::LedgerKeyEvidence;
pub use period::{Issued, PeriodEvidence, PeriodRotation, PeriodSlot};
pub use policies::{InForce, Policies};
pub use rotation::{RotationEvent, RotationEvidence, VerificationResults};
pub use steps::{ChannelMove, Steps};

use crate::canonical::Unrepresentable;
use crate::checkpoint::Checkpoint;
use crate::encoding::Hash;
use crate::event::Event;
use crate::ids::{Origin, Seq};
use crate::payload::{LedgerEvidenceKeySet, Payload};
use crate::timestamp::Timestamp;

/// Why the events of a pack tell no story.
#[derive(Debug, thiserror::Error)]
pub enum EvidenceError {
    /// An event that has to be there is not.
    #[error("its events hold no {what}")]
    Missing {
        /// Which event.
        what: &'static str,
    },
    /// Two events of one place, or an event of another ledger.
    #[error("its events are not distinct events of one ledger, by rising seq")]
    Order,
    /// Bytes in an event that are no key or certificate: a ledger whose rules hold has none.
    #[error("event {seq} holds no {what}")]
    Content {
        /// Which event.
        seq: Seq,
        /// What it should hold.
        what: &'static str,
    },
    /// Another policy was in force than the one that the events hold last.
    #[error("event {seq} was judged by another {what} than its events hold")]
    Policy {
        /// The event that names the policy by its digest.
        seq: Seq,
        /// Which policy.
        what: &'static str,
    },
    /// A value that JSON can't carry.
    #[error("the evidence can't be written")]
    Write(#[from] Unrepresentable),
}

impl EvidenceError {
    /// The stable code of this error.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "evidence.missing",
            Self::Order => "evidence.order",
            Self::Content { .. } => "evidence.content",
            Self::Policy { .. } => "evidence.policy",
            Self::Write(_) => "evidence.write",
        }
    }
}

/// A place in the ledger, and when it was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Mark {
    /// The event.
    pub seq: Seq,
    /// Its time.
    pub time: Timestamp,
}

impl Mark {
    fn of(event: &Event) -> Self {
        Self { seq: event.seq, time: event.time }
    }
}

/// The signed state of the ledger that every receipt of a pack leads to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sealed {
    /// RFC 6962 root, hex.
    pub root: Hash,
    /// How many events it covers.
    pub size: u64,
}

impl From<&Checkpoint> for Sealed {
    fn from(checkpoint: &Checkpoint) -> Self {
        Self { root: checkpoint.root, size: checkpoint.size }
    }
}

/// One event of the pack, as evidence lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Listed {
    /// Its place.
    pub seq: Seq,
    /// When it was appended.
    pub time: Timestamp,
    /// Its type.
    #[serde(rename = "type")]
    pub type_name: &'static str,
}

/// The events of a pack, by rising seq.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    events: &'a [Event],
    origin: &'a Origin,
}

impl<'a> Facts<'a> {
    /// Over events of one ledger, each once, by rising seq.
    pub fn new(events: &'a [Event]) -> Result<Self, EvidenceError> {
        let first = events.first().ok_or(EvidenceError::Missing { what: "event" })?;
        let rising = events.windows(2).all(|pair| pair[0].seq < pair[1].seq);
        let same = events.iter().all(|event| event.origin == first.origin);
        if rising && same { Ok(Self { events, origin: &first.origin }) } else { Err(EvidenceError::Order) }
    }

    /// The ledger.
    pub fn origin(&self) -> &'a Origin {
        self.origin
    }

    /// The events.
    pub fn events(&self) -> &'a [Event] {
        self.events
    }

    /// The evidence key: that of the last event which set one. Whoever reads a pack knows it from there, for the events
    /// lead to the ledger key.
    pub fn evidence_key(&self) -> Option<(Seq, &'a LedgerEvidenceKeySet)> {
        let set = self.last(|payload| match payload {
            Payload::LedgerEvidenceKeySet(set) => Some(&**set),
            _ => None,
        });
        set.map(|(event, set)| (event.seq, set))
    }

    /// The events that a choice lets pass, with what it takes from them.
    fn all<T: 'a>(
        &self,
        choice: impl Fn(&'a Payload) -> Option<T> + 'a,
    ) -> impl DoubleEndedIterator<Item = (&'a Event, T)> + 'a {
        self.events.iter().filter_map(move |event| choice(&event.payload).map(|chosen| (event, chosen)))
    }

    fn first<T: 'a>(&self, choice: impl Fn(&'a Payload) -> Option<T> + 'a) -> Option<(&'a Event, T)> {
        self.all(choice).next()
    }

    fn last<T: 'a>(&self, choice: impl Fn(&'a Payload) -> Option<T> + 'a) -> Option<(&'a Event, T)> {
        self.all(choice).next_back()
    }

    /// The first event that a test lets pass, as a mark.
    fn mark(&self, test: impl Fn(&Payload) -> bool + 'a) -> Option<Mark> {
        self.events.iter().find(|event| test(&event.payload)).map(Mark::of)
    }

    fn listed(&self) -> Vec<Listed> {
        let listed =
            |event: &Event| Listed { seq: event.seq, time: event.time, type_name: event.payload.type_name() };
        self.events.iter().map(listed).collect()
    }
}
