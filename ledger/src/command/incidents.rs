//! Steps of incidents.

use std::collections::BTreeMap;

use crate::encoding::{B64, Hash};
use crate::event::Actor;
use crate::ids::{ChannelName, IncidentId, KeyId, MemberId, Seq, SlotName};
use crate::incident::{IncidentOutcome, IncidentStep};
use crate::timestamp::Timestamp;

/// A step of an incident, by somebody.
#[derive(Debug, Clone)]
pub struct IncidentCommand {
    /// Who.
    pub by: Actor,
    /// Which incident; its id is made by whoever opens it.
    pub incident: IncidentId,
    /// What.
    pub step: IncidentMove,
    /// Digests of what is said about it, sorted as text.
    pub sd: Vec<B64>,
}

/// What is done in an incident.
#[derive(Debug, Clone)]
pub enum IncidentMove {
    /// Opens it, and contains the slot where nothing has: one person, at once.
    Open(IncidentOpening),
    /// Takes part.
    Acknowledge,
    /// Records that whoever was called has not answered in time.
    Escalate,
    /// Says something about it.
    Note,
    /// Records which signatures may be affected.
    Scope(FoundScope),
    /// Affected artifacts are offered no longer in a channel.
    Withdraw(ChannelName),
    /// Everything that was affected is signed again or given up.
    Resign {
        /// How many were signed again.
        resigned: u64,
        /// How many were given up.
        dropped: u64,
    },
    /// Replacements are offered in a channel.
    Reinstate(ChannelName),
    /// Those who rely on the key were told.
    Advise,
    /// Ends it.
    Close(IncidentOutcome),
}

/// What an incident is about, and what is asked of those who respond.
#[derive(Debug, Clone)]
pub struct IncidentOpening {
    /// Until when whoever is called has to answer.
    pub acknowledge_by: Option<Timestamp>,
    /// Whether the slot is to be suspended with it.
    pub contain: bool,
    /// Whether it is a drill.
    pub drill: bool,
    /// The key.
    pub key: KeyId,
    /// Its slot.
    pub slot: SlotName,
    /// Since when somebody else is suspected to hold it.
    pub suspected_since: Option<Timestamp>,
    /// Whether people talk each step of a drill through before it is taken.
    pub tabletop: bool,
    /// Within how many seconds steps are to be taken.
    pub targets: BTreeMap<IncidentStep, u32>,
}

/// Which signatures may be affected.
#[derive(Debug, Clone, Copy)]
pub struct FoundScope {
    /// How many.
    pub count: u64,
    /// The first and the last of their authorisations.
    pub bounds: Option<(Seq, Seq)>,
    /// SHA-256 of the list of them.
    pub list: Hash,
    /// From when on they count.
    pub since: Option<Timestamp>,
    /// The size of the ledger that was looked through.
    pub size: u64,
}

/// Whoever opens an incident is a person.
impl IncidentCommand {
    /// The member who takes the step, where a member does.
    pub fn member(&self) -> Option<MemberId> {
        match self.by {
            Actor::Member(member) => Some(member),
            Actor::Service(_) | Actor::System => None,
        }
    }
}
