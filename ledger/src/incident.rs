//! Incidents: a key that somebody else may hold or have used, from the suspicion to the last customer's news; and drills,
//! which are the same on a key that was made for them (rules version 4).
//!
//! What contains, replaces, revokes and resumes are the events that do so anywhere; an incident notes that they happened. It
//! adds what only it knows: which signatures are affected, what was withdrawn, signed again and told. Steps may be taken in
//! any order and again; it ends only once all are done, or as a false alarm.

mod judged;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::event::{Actor, Event};
use crate::ids::{ActionId, ChannelName, Correlation, IncidentId, KeyId, MemberId, Seq, SlotName};
use crate::member::suspended;
use crate::payload::{IncidentOpened, Payload};
use crate::policy::Environment;
use crate::rule::Rule;
use crate::slot::{KeyState, Slot};
use crate::state::Founded;
use crate::timestamp::Timestamp;

/// The rules version from which there are incidents.
pub const INCIDENTS: u64 = 4;

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
    /// What was affected is signed again, or given up.
    Resigned,
    /// The key is not to be believed.
    Revoked,
    /// Those who rely on it were told.
    Advised,
    /// The slot signs again.
    Resumed,
}

impl IncidentStep {
    /// Every step.
    pub const ALL: [Self; 8] = [
        Self::Contained,
        Self::Scoped,
        Self::Withdrawn,
        Self::Rotated,
        Self::Resigned,
        Self::Revoked,
        Self::Advised,
        Self::Resumed,
    ];
}

/// Which signatures may be affected, as far as was found last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scope {
    /// How many.
    pub count: u64,
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
    /// When it was opened.
    pub opened: Mark,
    /// By whom.
    pub opened_by: MemberId,
    /// Under which correlation its own events stand.
    pub correlation: Correlation,
    /// Who has said to take part.
    pub acknowledged: BTreeSet<MemberId>,
    /// When its slot was first contained.
    pub contained: Option<Mark>,
    /// What is affected.
    pub scope: Option<Scope>,
    /// Where affected artifacts were withdrawn, and whether replacements are there.
    pub channels: BTreeMap<ChannelName, Withdrawal>,
    /// The rotation by which its slot got another key.
    pub rotated: Option<(ActionId, Mark)>,
    /// When everything was signed again or given up.
    pub resigned: Option<Mark>,
    /// When the key was revoked.
    pub revoked: Option<Mark>,
    /// When those who rely on it were told.
    pub advised: Option<Mark>,
    /// When its slot was last resumed.
    pub resumed: Option<Mark>,
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

    /// The incident of a slot that has not ended.
    pub fn open_incident(&self, slot: &SlotName) -> Option<(IncidentId, &Incident)> {
        let mut open =
            self.incidents.iter().filter(|(_, incident)| incident.slot == *slot && incident.is_open());
        open.next().map(|(id, incident)| (*id, incident.as_ref()))
    }

    /// Whether a slot signs for an environment only what people have approved: where its policy says so, and for production
    /// while an incident of it is open, since re-signing is the change board's to decide.
    pub fn asks_approval(&self, name: &SlotName, slot: &Slot, environment: Environment) -> bool {
        slot.signing_policy.approval.contains(&environment)
            || (environment == Environment::Production && self.open_incident(name).is_some())
    }

    /// What is left to do before an incident is resolved; empty where nothing is.
    pub fn steps_left(&self, incident: &Incident, at: Timestamp) -> Vec<IncidentStep> {
        IncidentStep::ALL.into_iter().filter(|step| !self.is_done(incident, *step, at)).collect()
    }

    /// Whether a step is done at a moment.
    pub fn is_done(&self, incident: &Incident, step: IncidentStep, at: Timestamp) -> bool {
        let (slot, key) = (self.slots.get(&incident.slot), self.keys.get(&incident.key));
        match step {
            IncidentStep::Contained => {
                let signs = key.is_some_and(|key| {
                    matches!(key.state, KeyState::Active { .. } | KeyState::Retiring { .. })
                });
                incident.contained.is_some() || !signs
            }
            IncidentStep::Scoped => incident.scope.is_some(),
            IncidentStep::Withdrawn => incident.channels.values().all(|channel| channel.reinstated.is_some()),
            IncidentStep::Rotated => slot.is_some_and(|slot| slot.active != Some(incident.key)),
            IncidentStep::Resigned => {
                incident.resigned.is_some() || incident.scope.is_some_and(|scope| scope.count == 0)
            }
            IncidentStep::Revoked => key.is_some_and(|key| key.revocation().is_some()),
            IncidentStep::Advised => incident.advised.is_some(),
            IncidentStep::Resumed => slot.is_some_and(|slot| !suspended(slot.suspension, at)),
        }
    }

    pub(crate) fn apply_incident(&mut self, event: &Event) {
        let mark = Mark::of(event);
        match &event.payload {
            Payload::IncidentOpened(p) => self.apply_incident_opened(p, event),
            Payload::IncidentAcknowledged(p) => {
                if let Actor::Member(member) = event.actor {
                    self.with_incident(p.incident, |incident| {
                        incident.acknowledged.insert(member);
                    });
                }
            }
            Payload::IncidentScoped(p) => {
                self.with_incident(p.incident, |incident| {
                    incident.scope = Some(Scope { count: p.count, mark });
                    // What was signed again is to be counted against the new list.
                    incident.resigned = None;
                });
            }
            Payload::IncidentWithdrawn(p) => self.with_incident(p.incident, |incident| {
                let withdrawal = Withdrawal { withdrawn: mark, reinstated: None };
                incident.channels.insert(p.channel.clone(), withdrawal);
            }),
            Payload::IncidentReinstated(p) => self.with_incident(p.incident, |incident| {
                if let Some(withdrawal) = incident.channels.get_mut(&p.channel) {
                    withdrawal.reinstated = Some(mark);
                }
            }),
            Payload::IncidentResigned(p) => {
                self.with_incident(p.incident, |incident| incident.resigned = Some(mark));
            }
            Payload::IncidentAdvised(p) => {
                self.with_incident(p.incident, |incident| incident.advised = Some(mark));
            }
            Payload::IncidentClosed(p) => {
                self.with_incident(p.incident, |incident| incident.closed = Some((p.outcome, mark)));
            }
            Payload::SlotSuspended(p) => {
                self.with_open_incident(&p.slot, |incident| {
                    incident.contained.get_or_insert(mark);
                    incident.resumed = None;
                });
            }
            Payload::SlotResumed(p) => {
                self.with_open_incident(&p.slot, |incident| incident.resumed = Some(mark));
            }
            Payload::RotationCutOver(p) => {
                let slot = self.rotation(p.action).ok().map(|rotation| rotation.slot.clone());
                if let Some(slot) = slot {
                    self.with_open_incident(&slot, |incident| {
                        if incident.key == p.old_key {
                            incident.rotated.get_or_insert((p.action, mark));
                        }
                    });
                }
            }
            Payload::KeyRevoked(p) => {
                let slot = self.keys.get(&p.key).map(|key| key.slot.clone());
                if let Some(slot) = slot {
                    self.with_open_incident(&slot, |incident| {
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
            opened: mark,
            opened_by,
            correlation: event.correlation,
            acknowledged: BTreeSet::from([opened_by]),
            contained: contained.then_some(mark),
            scope: None,
            channels: BTreeMap::new(),
            rotated: None,
            resigned: None,
            revoked: None,
            advised: None,
            resumed: None,
            closed: None,
            reported: false,
        };
        Arc::make_mut(&mut self.incidents).insert(opened.incident, Arc::new(incident));
    }

    pub(crate) fn with_incident(&mut self, id: IncidentId, change: impl FnOnce(&mut Incident)) {
        if let Some(incident) = Arc::make_mut(&mut self.incidents).get_mut(&id) {
            change(Arc::make_mut(incident));
        }
    }

    fn with_open_incident(&mut self, slot: &SlotName, change: impl FnOnce(&mut Incident)) {
        if let Some((id, _)) = self.open_incident(slot) {
            self.with_incident(id, change);
        }
    }
}
