//! Incidents: a key that somebody else may hold or have used, from the suspicion to the last customer's news; and drills,
//! which are the same on a key that was made for them (rules version 4).
//!
//! What contains, replaces, revokes and resumes are the events that do so anywhere; an incident notes that they happened. It
//! adds what only it knows: which signatures are affected, what was withdrawn, signed again and told. Steps may be taken in
//! any order and again; it ends only once all are done, or as a false alarm.

mod clocks;
mod judged;
mod steps;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::action::RevocationReason;
use crate::event::{Actor, Event};
use crate::ids::{ActionId, ChannelName, Correlation, IncidentId, KeyId, MemberId, Seq, SlotName};
use crate::member::suspended;
use crate::payload::{IncidentOpened, Payload};
use crate::policy::{Environment, Role};
use crate::rule::Rule;
use crate::slot::{Key, Slot};
use crate::state::Founded;
use crate::timestamp::Timestamp;

pub use clocks::{CLOSED_WITHIN_S, REVOKED_WITHIN_S};

/// The rules version from which there are incidents.
pub const INCIDENTS: u64 = 4;

/// Most events of an incident before only what is left to do is taken: nobody can make one that is too long to be told.
pub const MAX_STEPS: u64 = 1000;

/// Most events of an incident before nothing more is noted: talk leaves room for what has to be done.
pub const MAX_NOTES: u64 = 500;

/// Longest time to answer the call of an incident, in seconds: a day.
pub const MAX_ACKNOWLEDGE_S: u32 = 24 * 60 * 60;

/// Latest target of a step, in seconds from the opening: five days.
pub const MAX_TARGET_S: u32 = 5 * 24 * 60 * 60;

/// An event of an incident, and when it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// The event.
    pub seq: Seq,
    /// When.
    pub at: Timestamp,
}

impl Mark {
    fn of(event: &Event) -> Self {
        Self { seq: event.seq, at: event.time }
    }
}

/// What an incident came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IncidentOutcome {
    /// Nobody else held the key: it goes on.
    FalseAlarm,
    /// The key is revoked and everybody who relied on it has heard; its slot signs no more.
    GivenUp,
    /// The key is replaced and revoked, and everybody who relied on it has heard.
    Resolved,
}

/// What there is to do, in the order in which it is usually done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IncidentStep {
    /// The key signs nothing.
    Contained,
    /// The signatures that may be affected are known.
    Scoped,
    /// Affected artifacts are offered nowhere, and where they were their replacements are.
    Withdrawn,
    /// The slot has another key.
    Rotated,
    /// The key is recorded as compromised: it is not to be believed.
    Revoked,
    /// The slot signs again: for production only what the change board approves, until the end.
    Resumed,
    /// What was affected is signed again, or given up.
    Resigned,
    /// Those who rely on it were told.
    Advised,
}

impl IncidentStep {
    /// Every step.
    pub const ALL: [Self; 8] = [
        Self::Contained,
        Self::Scoped,
        Self::Withdrawn,
        Self::Rotated,
        Self::Revoked,
        Self::Resumed,
        Self::Resigned,
        Self::Advised,
    ];
}

/// Which signatures may be affected, as far as was found last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scope {
    /// How many.
    pub count: u64,
    /// From when on they count; all of the key's where absent.
    pub since: Option<Timestamp>,
    /// The size of the ledger that was looked through.
    pub size: u64,
    /// The event that says so.
    pub mark: Mark,
}

/// An incident, from its opening on. Closed ones are kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    /// Whether it is a drill.
    pub drill: bool,
    /// The slot.
    pub slot: SlotName,
    /// The key.
    pub key: KeyId,
    /// Since when somebody else is suspected to hold it.
    pub suspected_since: Option<Timestamp>,
    /// The false alarm about the same key that it takes up again.
    pub follows: Option<IncidentId>,
    /// When it was opened.
    pub opened: Mark,
    /// By whom.
    pub opened_by: MemberId,
    /// Under which correlation its own events stand.
    pub correlation: Correlation,
    /// Whether people talk each step of a drill through before it is taken.
    pub tabletop: bool,
    /// Within how many seconds from the opening steps are to be taken.
    pub targets: BTreeMap<IncidentStep, u32>,
    /// Who was called: those who held `incident_commander` or `change_board` at the opening, but for the opener.
    pub called: BTreeSet<MemberId>,
    /// Until when they have to answer.
    pub acknowledge_by: Option<Timestamp>,
    /// When others were told that some have not.
    pub escalated: Option<Mark>,
    /// Who has said to take part.
    pub acknowledged: BTreeSet<MemberId>,
    /// When its slot was first contained.
    pub contained: Option<Mark>,
    /// How many events it has.
    pub steps: u64,
    /// What is affected.
    pub scope: Option<Scope>,
    /// The last signature that the key was asked for since the opening.
    pub last_asked: Option<Seq>,
    /// Where affected artifacts were withdrawn, and whether replacements are there.
    pub channels: BTreeMap<ChannelName, Withdrawal>,
    /// The rotation by which its slot got another key.
    pub rotated: Option<(ActionId, Mark)>,
    /// When everything was signed again or given up, and by which key, where anything was.
    pub resigned: Option<(Option<KeyId>, Mark)>,
    /// When the key was revoked.
    pub revoked: Option<Mark>,
    /// When those who rely on it were told.
    pub advised: Option<Mark>,
    /// The approval by which its slot was last resumed.
    pub resumed: Option<(ActionId, Mark)>,
    /// How and when it ended.
    pub closed: Option<(IncidentOutcome, Mark)>,
    /// Whether its statement was issued after it had ended.
    pub reported: bool,
}

/// A channel from which affected artifacts were taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Withdrawal {
    /// When they were.
    pub withdrawn: Mark,
    /// When replacements took their place.
    pub reinstated: Option<Mark>,
}

impl Incident {
    /// Whether it has not ended.
    pub fn is_open(&self) -> bool {
        self.closed.is_none()
    }

    /// Whoever was called and has not answered.
    pub fn missed(&self) -> BTreeSet<MemberId> {
        self.called.difference(&self.acknowledged).copied().collect()
    }
}

impl Founded {
    /// Every incident and drill.
    pub fn incidents(&self) -> &BTreeMap<IncidentId, Arc<Incident>> {
        &self.incidents
    }

    /// The incident of an id.
    pub fn incident(&self, id: IncidentId) -> Result<&Incident, Rule> {
        self.incidents.get(&id).map(Arc::as_ref).ok_or(Rule::IncidentUnknown)
    }

    /// The incidents of a slot that have not ended, each about another key of it.
    pub fn open_incidents(&self, slot: &SlotName) -> impl Iterator<Item = (IncidentId, &Incident)> {
        let open = self.open_incidents.get(slot).into_iter().flatten();
        open.filter_map(|id| Some((*id, self.incidents.get(id)?.as_ref())))
    }

    /// The newest incident about a key.
    pub fn last_incident(&self, key: KeyId) -> Option<(IncidentId, &Incident)> {
        let about = self.incidents.iter().filter(|(_, incident)| incident.key == key);
        about.max_by_key(|(_, incident)| incident.opened.seq).map(|(id, incident)| (*id, incident.as_ref()))
    }

    /// Whether a slot signs for an environment only what people have approved: where its policy says so, and for production
    /// while an incident of it is open, since re-signing is the change board's to decide.
    pub fn asks_approval(&self, name: &SlotName, slot: &Slot, environment: Environment) -> bool {
        slot.signing_policy.approval.contains(&environment)
            || (environment == Environment::Production && self.open_incidents(name).next().is_some())
    }

    pub(crate) fn apply_incident(&mut self, event: &Event) {
        let mark = Mark::of(event);
        if let Some(id) = event.payload.incident() {
            self.with_incident(id, |incident| incident.steps += 1);
        }
        match &event.payload {
            Payload::SignatureAuthorized(p) => {
                let key = p.key;
                self.with_open_incidents(&p.slot, |incident| {
                    if incident.key == key {
                        incident.last_asked = Some(mark.seq);
                    }
                });
            }
            Payload::IncidentOpened(p) => self.apply_incident_opened(p, event),
            Payload::IncidentAcknowledged(p) => {
                if let Actor::Member(member) = event.actor {
                    self.with_incident(p.incident, |incident| {
                        incident.acknowledged.insert(member);
                    });
                }
            }
            Payload::IncidentEscalated(p) => {
                self.with_incident(p.incident, |incident| incident.escalated = Some(mark));
            }
            Payload::IncidentScoped(p) => {
                self.with_incident(p.incident, |incident| {
                    incident.scope = Some(Scope { count: p.count, since: p.since, size: p.size, mark });
                    // What was signed again is to be counted against the new list.
                    incident.resigned = None;
                });
            }
            Payload::IncidentWithdrawn(p) => self.with_incident(p.incident, |incident| {
                let first = Withdrawal { withdrawn: mark, reinstated: None };
                incident.channels.entry(p.channel.clone()).or_insert(first).reinstated = None;
            }),
            Payload::IncidentReinstated(p) => self.with_incident(p.incident, |incident| {
                if let Some(withdrawal) = incident.channels.get_mut(&p.channel) {
                    withdrawal.reinstated = Some(mark);
                }
            }),
            Payload::IncidentResigned(p) => {
                self.with_incident(p.incident, |incident| incident.resigned = Some((p.key, mark)));
            }
            Payload::IncidentAdvised(p) => {
                self.with_incident(p.incident, |incident| incident.advised = Some(mark));
            }
            Payload::IncidentClosed(p) => {
                self.with_incident(p.incident, |incident| incident.closed = Some((p.outcome, mark)));
                for open in Arc::make_mut(&mut self.open_incidents).values_mut() {
                    open.remove(&p.incident);
                }
            }
            Payload::SlotSuspended(p) => {
                self.with_open_incidents(&p.slot, |incident| {
                    incident.contained.get_or_insert(mark);
                    incident.resumed = None;
                });
            }
            Payload::SlotResumed(p) => {
                let resumed = Some((p.action, mark));
                self.with_open_incidents(&p.slot, |incident| incident.resumed = resumed);
            }
            Payload::RotationCutOver(p) => {
                let slot = self.rotation(p.action).ok().map(|rotation| rotation.slot.clone());
                if let Some(slot) = slot {
                    self.with_open_incidents(&slot, |incident| {
                        if incident.key == p.old_key {
                            incident.rotated.get_or_insert((p.action, mark));
                        }
                    });
                }
            }
            // For another reason it is to be believed as far as it goes.
            Payload::KeyRevoked(p) if p.reason == RevocationReason::KeyCompromise => {
                let slot = self.keys.get(&p.key).map(|key| key.slot.clone());
                if let Some(slot) = slot {
                    self.with_open_incidents(&slot, |incident| {
                        if incident.key == p.key {
                            incident.revoked.get_or_insert(mark);
                        }
                    });
                }
            }
            _ => {}
        }
    }

    fn apply_incident_opened(&mut self, opened: &IncidentOpened, event: &Event) {
        // Judged: members open incidents.
        let Actor::Member(opened_by) = event.actor else { return };
        let mark = Mark::of(event);
        let slot = self.slots.get(&opened.slot);
        let contained = slot.is_some_and(|slot| suspended(slot.suspension, event.time));
        let incident = Incident {
            drill: opened.drill,
            slot: opened.slot.clone(),
            key: opened.key,
            suspected_since: opened.suspected_since,
            follows: opened.follows,
            opened: mark,
            opened_by,
            correlation: event.correlation,
            tabletop: opened.tabletop,
            targets: opened.targets.clone(),
            called: self.responders(event.time).filter(|id| *id != opened_by).collect(),
            acknowledge_by: opened.acknowledge_by,
            escalated: None,
            acknowledged: BTreeSet::from([opened_by]),
            contained: contained.then_some(mark),
            steps: 1,
            scope: None,
            last_asked: None,
            channels: BTreeMap::new(),
            rotated: None,
            resigned: None,
            revoked: self.keys.get(&opened.key).and_then(compromised),
            advised: None,
            resumed: None,
            closed: None,
            reported: false,
        };
        Arc::make_mut(&mut self.alarms).insert(opened.slot.clone(), event.seq);
        // What was approved before may be the thief's.
        Arc::make_mut(&mut self.clearances).retain(|_, clearance| {
            clearance.slot != opened.slot || clearance.environment != Environment::Production
        });
        let of_slot = Arc::make_mut(&mut self.open_incidents).entry(opened.slot.clone()).or_default();
        of_slot.insert(opened.incident);
        Arc::make_mut(&mut self.incidents).insert(opened.incident, Arc::new(incident));
    }

    /// Whoever an incident calls: commanders and the change board.
    fn responders(&self, at: Timestamp) -> impl Iterator<Item = MemberId> {
        let roles = BTreeSet::from([Role::ChangeBoard, Role::IncidentCommander]);
        let called = self
            .members
            .iter()
            .filter(move |(_, member)| member.is_active(at) && !member.roles_at(at).is_disjoint(&roles));
        called.map(|(id, _)| *id)
    }

    pub(crate) fn with_incident(&mut self, id: IncidentId, change: impl FnOnce(&mut Incident)) {
        if let Some(incident) = Arc::make_mut(&mut self.incidents).get_mut(&id) {
            change(Arc::make_mut(incident));
        }
    }

    fn with_open_incidents(&mut self, slot: &SlotName, mut change: impl FnMut(&mut Incident)) {
        // Most signatures are of slots without any.
        let Some(open) = self.open_incidents.get(slot).filter(|open| !open.is_empty()) else { return };
        for id in open.clone() {
            self.with_incident(id, &mut change);
        }
    }
}

/// When a key was revoked as compromised.
fn compromised(key: &Key) -> Option<Mark> {
    let revocation = key.revocation().filter(|_| key.is_compromised())?;
    Some(Mark { seq: revocation.seq, at: revocation.at })
}
