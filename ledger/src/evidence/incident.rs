//! The evidence of an incident or drill: what its statement says.

mod checked;
mod course;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use course::Course;

use super::checks::{Check, CheckResult, verdict};
use super::policies::{InForce, ledger_policy};
use super::{Decision, EvidenceError, Facts, KeyFacts, Listed, Mark, Sealed};
use crate::action::RevocationReason;
use crate::encoding::Hash;
use crate::event::{Actor, Event};
use crate::ids::{
    ActionId, CertificateId, ChannelName, Correlation, IncidentId, KeyId, MemberId, Origin, Seq, SlotName,
};
use crate::incident::{CLOSED_WITHIN_S, IncidentOutcome, IncidentStep, REVOKED_WITHIN_S};
use crate::payload::{IncidentOpened, Payload, SlotCreated};
use crate::policy::LedgerPolicy;
use crate::timestamp::Timestamp;

/// `schema` of an incident's statement.
const SCHEMA: &str = "sealbook:incident-statement/v1";

/// A step that was taken, and by whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Taken {
    /// The action that people approved, where it took one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<ActionId>,
    /// Who recorded it.
    pub by: Actor,
    /// When.
    #[serde(flatten)]
    pub mark: Mark,
}

impl Taken {
    fn of(event: &Event, action: Option<ActionId>) -> Self {
        Self { action, by: event.actor, mark: Mark::of(event) }
    }
}

/// A time within which something is to be done, from the opening on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Clock {
    /// The last moment, and whether it was kept: absent while it runs.
    pub due: Timestamp,
    /// Its stable name.
    pub id: &'static str,
    /// Whether it was done in time; absent while nobody can tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub met: Option<bool>,
}

/// How long a step took.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StepTime {
    /// Whether it was taken within its target; absent without one, and while nobody can tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub met: Option<bool>,
    /// From the opening, in whole seconds; absent while it is not taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<u64>,
    /// The step.
    pub step: IncidentStep,
    /// Within how many seconds it was to be taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<u32>,
}

/// Whoever was called and has not answered in time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EscalationFacts {
    /// Until when they had to.
    pub due: Timestamp,
    /// Who.
    pub missed: BTreeSet<MemberId>,
    /// When others were told.
    #[serde(flatten)]
    pub mark: Mark,
}

/// Which signatures may be affected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ScopeFacts {
    /// How many.
    pub count: u64,
    /// The first of their authorisations.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first: Option<Seq>,
    /// The last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<Seq>,
    /// SHA-256 of the list.
    pub list: Hash,
    /// From when on they count.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// The size of the ledger that was looked through.
    pub size: u64,
    /// The event that says so.
    #[serde(flatten)]
    pub taken: Taken,
}

/// What became of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ResignedFacts {
    /// How many were given up.
    pub dropped: u64,
    /// The key that has signed again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<KeyId>,
    /// How many were signed again.
    pub resigned: u64,
    /// The event that says so.
    #[serde(flatten)]
    pub taken: Taken,
}

/// A channel from which affected artifacts were taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChannelFacts {
    /// When replacements took their place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reinstated: Option<Taken>,
    /// When they were.
    pub withdrawn: Taken,
}

/// A certificate of the key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CertificateListed {
    /// Its id.
    pub certificate: CertificateId,
    /// SHA-256 of it, DER.
    pub fingerprint: Hash,
    /// Its serial number, as hex digits.
    pub serial: String,
}

/// Why the key is not to be believed, and where that is published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RevocationFacts {
    /// Since when it is suspected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compromised_since: Option<Timestamp>,
    /// The first revocation list after it, by its number and CA key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listed: Option<ListFacts>,
    /// Why.
    pub reason: RevocationReason,
    /// The event.
    #[serde(flatten)]
    pub taken: Taken,
}

/// A revocation list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ListFacts {
    /// The CA's key.
    pub key: KeyId,
    /// Its number.
    pub number: Seq,
    /// SHA-256 of it, DER.
    pub sha256: Hash,
    /// When it was issued.
    #[serde(flatten)]
    pub mark: Mark,
}

/// The statement about an incident or drill: `evidence.json`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct IncidentEvidence {
    /// Until when whoever is called has to answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acknowledge_by: Option<Timestamp>,
    /// Who has said to take part, and when.
    pub acknowledged: BTreeMap<MemberId, Mark>,
    /// The newest event that is told of: what had not happened then, the pack does not know.
    pub as_of: Timestamp,
    /// When those who rely on the key were told; reference and text are disclosures of the event.
    pub advised: Vec<Taken>,
    /// Who was called at the opening: holders of `incident_commander` or `change_board` but for the opener, as far as the
    /// pack tells; whoever was suspended then is among them.
    pub called: BTreeSet<MemberId>,
    /// By channel.
    pub channels: BTreeMap<ChannelName, ChannelFacts>,
    /// What CAs of this ledger have certified the key with.
    pub certificates: Vec<CertificateListed>,
    /// What was checked.
    pub checks: Vec<Check>,
    /// From when on the clocks run: the opening, or that of the false alarm that it takes up again.
    pub clocks_from: Mark,
    /// The times within which something was to be done.
    pub clocks: Vec<Clock>,
    /// When it was closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closed: Option<Taken>,
    /// When its slot was contained.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contained: Option<Taken>,
    /// Under which its own events stand.
    pub correlation_id: Correlation,
    /// Who asked and who approved, by action.
    pub decisions: Vec<Decision>,
    /// Whether it was practised.
    pub drill: bool,
    /// Whoever was missed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub escalated: Option<EscalationFacts>,
    /// Every event of the pack.
    pub events: Vec<Listed>,
    /// The last incident about this key before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub follows: Option<IncidentId>,
    /// The incident.
    pub incident: IncidentId,
    /// The key.
    pub key: KeyFacts,
    /// What was said of it, by event: the texts are disclosures.
    pub notes: Vec<Taken>,
    /// When it was opened, and by whom.
    pub opened: Taken,
    /// The ledger.
    pub origin: Origin,
    /// What it came to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<IncidentOutcome>,
    /// The ledger policy in force at the opening.
    pub policy: InForce<LedgerPolicy>,
    /// The key that took its place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replacement: Option<KeyFacts>,
    /// What became of what was affected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resigned: Option<ResignedFacts>,
    /// When its slot signed again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resumed: Option<Taken>,
    /// The revocation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revoked: Option<RevocationFacts>,
    /// When another key took over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rotated: Option<Taken>,
    /// Which form this is.
    pub schema: &'static str,
    /// What is affected, as found last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<ScopeFacts>,
    /// What the receipts lead to.
    pub sealed: Sealed,
    /// The slot.
    pub slot: SlotName,
    /// How long each step took.
    pub steps: Vec<StepTime>,
    /// Since when somebody else was suspected to hold the key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suspected_since: Option<Timestamp>,
    /// Whether each step of a drill was talked through before it was taken.
    pub tabletop: bool,
    /// `fail` where any check does, else `pass`.
    pub verdict: CheckResult,
}

impl IncidentEvidence {
    /// What the events say of an incident.
    pub fn new(facts: &Facts<'_>, id: IncidentId, sealed: Sealed) -> Result<Self, EvidenceError> {
        let (event, opened) = facts
            .first(move |payload| match payload {
                Payload::IncidentOpened(p) if p.incident == id => Some(&**p),
                _ => None,
            })
            .ok_or(EvidenceError::Missing { what: "opening of the incident" })?;
        let slot = slot_of(facts, opened)?;
        let course = Course { facts, opened, from: event.seq, at: event.time };
        course.is_whole()?;
        let (rotated, replacement) = course.rotated(slot)?;
        let closed = course.closed();
        let mut evidence = Self {
            acknowledge_by: opened.acknowledge_by,
            acknowledged: course.acknowledged(),
            as_of: facts.events().last().map_or(event.time, |event| event.time),
            advised: course.all(move |p| matches!(p, Payload::IncidentAdvised(p) if p.incident == id)),
            called: course.called(event.actor),
            channels: course.channels(),
            certificates: course.certificates(),
            checks: Vec::new(),
            clocks_from: course.clocks_from(event)?,
            clocks: Vec::new(),
            outcome: closed.as_ref().map(|(outcome, _)| *outcome),
            closed: closed.map(|(_, taken)| taken),
            contained: course.contained(),
            correlation_id: event.correlation,
            decisions: decisions(facts)?,
            drill: opened.drill,
            escalated: course.escalated(),
            events: facts.listed(),
            follows: opened.follows,
            incident: id,
            key: KeyFacts::of(facts, opened.key, slot)?,
            notes: course.all(move |p| matches!(p, Payload::IncidentNoted(p) if p.incident == id)),
            opened: Taken::of(event, None),
            origin: facts.origin().clone(),
            policy: ledger_policy(facts, event.seq)?,
            replacement,
            resigned: course.resigned(),
            resumed: course.resumed(),
            revoked: course.revoked(),
            rotated,
            schema: SCHEMA,
            scope: course.scope(),
            sealed,
            slot: opened.slot.clone(),
            steps: Vec::new(),
            suspected_since: opened.suspected_since,
            tabletop: opened.tabletop,
            verdict: CheckResult::None,
        };
        evidence.clocks = evidence.clocks();
        evidence.steps = IncidentStep::ALL.into_iter().map(|step| evidence.timed(step, opened)).collect();
        evidence.checks = evidence.checked(facts);
        evidence.verdict = verdict(&evidence.checks);
        Ok(evidence)
    }

    fn clocks(&self) -> Vec<Clock> {
        let clock = |id, within, done: Option<Timestamp>| {
            let due = self.clocks_from.time.plus_seconds(within);
            // Nothing to do in time where it was a false alarm.
            let late =
                (self.as_of > due && self.outcome != Some(IncidentOutcome::FalseAlarm)).then_some(false);
            Clock { due, id, met: done.map(|at| at <= due).or(late) }
        };
        vec![
            clock("revoked", REVOKED_WITHIN_S, self.revoked.as_ref().map(|revoked| revoked.taken.mark.time)),
            clock("closed", CLOSED_WITHIN_S, self.closed.as_ref().map(|closed| closed.mark.time)),
        ]
    }

    fn timed(&self, step: IncidentStep, opened: &IncidentOpened) -> StepTime {
        let from = self.opened.mark.time;
        // What was contained before the opening took no time.
        let taken = self.step(step).map(|taken| taken.mark.time.max(from));
        let seconds = taken.map(|at| at.unix_micros().abs_diff(from.unix_micros()) / 1_000_000);
        let target = opened.targets.get(&step).copied();
        let due = target.map(|target| from.plus_seconds(target));
        // Nothing took no time where nothing was affected, and where the incident ended without it.
        let nothing = self.scope.as_ref().is_some_and(|scope| scope.count == 0)
            && matches!(step, IncidentStep::Withdrawn | IncidentStep::Resigned);
        let over = self.closed.is_none() && !nothing && due.is_some_and(|due| self.as_of > due);
        let met = due.and_then(|due| taken.map(|at| at <= due).or_else(|| over.then_some(false)));
        StepTime { met, seconds, step, target }
    }

    /// When a step was taken, and by whom.
    pub fn step(&self, step: IncidentStep) -> Option<&Taken> {
        match step {
            IncidentStep::Contained => self.contained.as_ref(),
            IncidentStep::Scoped => self.scope.as_ref().map(|scope| &scope.taken),
            IncidentStep::Withdrawn => {
                let withdrawn = self.channels.values().map(|channel| &channel.withdrawn);
                withdrawn.max_by_key(|taken| taken.mark.seq)
            }
            IncidentStep::Rotated => self.rotated.as_ref(),
            IncidentStep::Resigned => self.resigned.as_ref().map(|resigned| &resigned.taken),
            IncidentStep::Revoked => self.revoked.as_ref().map(|revoked| &revoked.taken),
            IncidentStep::Advised => self.advised.last(),
            IncidentStep::Resumed => self.resumed.as_ref(),
        }
    }
}

fn slot_of<'a>(facts: &Facts<'a>, opened: &IncidentOpened) -> Result<&'a SlotCreated, EvidenceError> {
    let name = opened.slot.clone();
    let created = facts.last(move |payload| match payload {
        Payload::SlotCreated(p) if p.slot == name => Some(&**p),
        _ => None,
    });
    created.map(|(_, slot)| slot).ok_or(EvidenceError::Missing { what: "slot's creation" })
}

/// Every action that is in the pack with its end.
fn decisions(facts: &Facts<'_>) -> Result<Vec<Decision>, EvidenceError> {
    let executed = facts.all(|payload| match payload {
        Payload::ActionExecuted(p) => Some(p.action),
        _ => None,
    });
    executed.map(|(_, action)| Decision::of(facts, action)).collect()
}
