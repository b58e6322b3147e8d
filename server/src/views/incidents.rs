//! Incidents and drills: what is done of each, by which event, and what the rest waits for.

mod schedule;
mod steps;

use std::collections::BTreeMap;

use sealbook_ledger::algorithm::Algorithm;
use sealbook_ledger::ids::{ChannelName, IncidentId, KeyId, MemberId, SlotName};
use sealbook_ledger::incident::{
    CLOSED_WITHIN_S, Incident, IncidentOutcome, IncidentStep, Mark, REVOKED_WITHIN_S,
};
use sealbook_ledger::rule::Rule;
use sealbook_ledger::slot::KeyState;
use sealbook_ledger::state::Founded;
use sealbook_ledger::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use schedule::next_drill;
pub use steps::{StepView, decided_by};

use super::Names;
use super::blast_radius::MarkView;
use steps::Candidates;

/// Most incidents of a page.
pub const MAX_PAGE: usize = 100;

impl From<Mark> for MarkView {
    fn from(mark: Mark) -> Self {
        Self { seq: mark.seq, time: mark.at }
    }
}

/// A time within which something is to be done, from the opening on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ClockView {
    /// `revoked`: the key, within 24 hours; `closed`: the incident, within 5 days.
    pub id: String,
    /// The last moment.
    #[schema(value_type = String, format = DateTime)]
    pub due: Timestamp,
    /// Whether it was done in time; absent while the time runs, and of a false alarm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub met: Option<bool>,
}

/// Somebody who takes part, or was called to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ResponderView {
    /// Who.
    #[schema(value_type = String, format = Uuid)]
    pub member: MemberId,
    /// How they are called, where that is disclosed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Whether the opening called them.
    pub called: bool,
    /// Whether they have answered.
    pub acknowledged: bool,
}

/// Which signatures may be affected, as found last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ScopeView {
    /// How many.
    pub count: u64,
    /// From when on they count; all of the key's where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub since: Option<Timestamp>,
    /// The size of the ledger that was looked through: with it, key and `since` the blast radius gives the same list.
    pub size: u64,
    /// Whether the key was asked for a signature since, or more is suspected: it has to be looked through again.
    pub stale: bool,
}

/// A promotion channel of the slot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChannelView {
    /// Its name.
    #[schema(value_type = String)]
    pub channel: ChannelName,
    /// When affected artifacts were taken from it; absent where they were not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withdrawn: Option<MarkView>,
    /// When replacements took their place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reinstated: Option<MarkView>,
}

impl ChannelView {
    /// A channel as an incident has it.
    pub fn new(channel: &ChannelName, incident: &Incident) -> Self {
        let held = incident.channels.get(channel);
        Self {
            channel: channel.clone(),
            withdrawn: held.map(|held| held.withdrawn.into()),
            reinstated: held.and_then(|held| held.reinstated).map(MarkView::from),
        }
    }
}

/// How an incident ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ClosedView {
    /// `resolved`, `given_up` or `false_alarm`.
    #[schema(value_type = String)]
    pub outcome: IncidentOutcome,
    /// The event.
    #[serde(flatten)]
    pub mark: MarkView,
}

/// An incident or drill.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct IncidentView {
    /// Its id.
    #[schema(value_type = String, format = Uuid)]
    pub incident: IncidentId,
    /// Whether it is practised.
    pub drill: bool,
    /// Whether people talk each step of a drill through before it is taken.
    pub tabletop: bool,
    /// The slot.
    #[schema(value_type = String)]
    pub slot: SlotName,
    /// The key that somebody else may hold or have used.
    #[schema(value_type = String, format = Uuid)]
    pub key: KeyId,
    /// The slot's algorithm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub algorithm: Option<Algorithm>,
    /// Whether the slot signs nothing now.
    pub contained: bool,
    /// Since when that is suspected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub suspected_since: Option<Timestamp>,
    /// The incident about the same key that came before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = Uuid)]
    pub follows: Option<IncidentId>,
    /// When it was opened.
    pub opened: MarkView,
    /// By whom.
    #[schema(value_type = String, format = Uuid)]
    pub opened_by: MemberId,
    /// How that person is called, where that is disclosed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opened_by_name: Option<String>,
    /// The moment that the view shows.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// The times within which something is to be done.
    pub clocks: Vec<ClockView>,
    /// Until when those who were called have to answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub acknowledge_by: Option<Timestamp>,
    /// Who takes part or was called to.
    pub responders: Vec<ResponderView>,
    /// When others were told that somebody has not answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escalated: Option<MarkView>,
    /// What there is to do, in the order in which it is usually done.
    pub steps: Vec<StepView>,
    /// Which signatures may be affected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<ScopeView>,
    /// The slot's channels, and others from which something was taken.
    pub channels: Vec<ChannelView>,
    /// The key that signs in the other's place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = Uuid)]
    pub replacement: Option<KeyId>,
    /// How it ended; absent while it goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed: Option<ClosedView>,
    /// Whether its statement was issued after its end.
    pub reported: bool,
}

impl IncidentView {
    /// An incident as it stands at a moment.
    pub fn new(id: IncidentId, incident: &Incident, founded: &Founded, names: &Names, at: Timestamp) -> Self {
        let slot = founded.slots().get(&incident.slot);
        let name = |member| names.member(member).map(str::to_owned);
        let candidates = Candidates::of(incident, founded);
        let step = |step| StepView::new(step, (incident, &candidates), founded, at);
        Self {
            incident: id,
            drill: incident.drill,
            tabletop: incident.tabletop,
            slot: incident.slot.clone(),
            key: incident.key,
            algorithm: slot.map(|slot| slot.algorithm),
            contained: is_contained(incident, founded, at),
            suspected_since: incident.suspected_since,
            follows: incident.follows,
            opened: incident.opened.into(),
            opened_by: incident.opened_by,
            opened_by_name: name(incident.opened_by),
            at,
            clocks: clocks(incident, founded, at),
            acknowledge_by: incident.acknowledge_by,
            responders: responders(incident, names),
            escalated: incident.escalated.map(MarkView::from),
            steps: IncidentStep::ALL.into_iter().map(step).collect(),
            scope: incident.scope.map(|scope| ScopeView {
                count: scope.count,
                since: scope.since,
                size: scope.size,
                stale: !founded.is_done(incident, IncidentStep::Scoped, at),
            }),
            channels: channels(incident, founded),
            replacement: founded.replacement(incident),
            closed: incident.closed.map(|(outcome, mark)| ClosedView { outcome, mark: mark.into() }),
            reported: incident.reported,
        }
    }

    /// The first step that is left and can be taken: what was withdrawn waits for its replacements.
    pub fn next(&self) -> Option<&StepView> {
        let done = |step| self.steps.iter().any(|one| one.step == step && one.done);
        let withdrawn = self.channels.iter().all(|channel| channel.withdrawn.is_some());
        let waits = withdrawn && !done(IncidentStep::Resigned);
        let mut left = self.steps.iter().filter(|step| !step.done);
        left.find(|step| !(waits && step.step == IncidentStep::Withdrawn))
    }

    /// Whether it goes on.
    pub fn is_open(&self) -> bool {
        self.closed.is_none()
    }
}

/// The incidents and drills of a ledger that pass, the newest first.
pub fn list(
    founded: &Founded,
    names: &Names,
    at: Timestamp,
    wanted: impl Fn(&Incident) -> bool,
) -> Vec<IncidentView> {
    let found = newest_first(founded, wanted).into_iter();
    found.map(|(id, incident)| IncidentView::new(id, incident, founded, names, at)).collect()
}

/// Some of the incidents and drills that pass, and where the next page begins.
pub struct IncidentPage {
    /// The newest first.
    pub incidents: Vec<IncidentView>,
    /// The last of them, where older ones follow.
    pub next: Option<IncidentId>,
}

/// At most `limit` of those that pass and are older than one, the newest first; no more than [`MAX_PAGE`].
///
/// # Errors
/// `incident.unknown`: there is none to begin after.
pub fn page(
    founded: &Founded,
    names: &Names,
    at: Timestamp,
    wanted: impl Fn(&Incident) -> bool,
    (after, limit): (Option<IncidentId>, usize),
) -> Result<IncidentPage, Rule> {
    let after = after.map(|id| founded.incident(id).map(|incident| incident.opened.seq)).transpose()?;
    let older = |incident: &Incident| after.is_none_or(|seq| incident.opened.seq < seq);
    let found = newest_first(founded, |incident| wanted(incident) && older(incident));
    let limit = limit.clamp(1, MAX_PAGE);
    let next = found.get(limit).and(found.get(limit - 1)).map(|(id, _)| *id);
    let page = found.into_iter().take(limit);
    let incidents = page.map(|(id, incident)| IncidentView::new(id, incident, founded, names, at)).collect();
    Ok(IncidentPage { incidents, next })
}

fn newest_first(founded: &Founded, wanted: impl Fn(&Incident) -> bool) -> Vec<(IncidentId, &Incident)> {
    let all = founded.incidents().iter().map(|(id, incident)| (*id, &**incident));
    let mut found: Vec<_> = all.filter(|(_, incident)| wanted(incident)).collect();
    found.sort_by_key(|(_, incident)| std::cmp::Reverse(incident.opened.seq));
    found
}

fn is_contained(incident: &Incident, founded: &Founded, at: Timestamp) -> bool {
    let slot = founded.slots().get(&incident.slot);
    let suspended = slot.and_then(|slot| slot.suspension).is_some_and(|held| held.holds(at));
    let signs = founded
        .keys()
        .get(&incident.key)
        .is_some_and(|key| matches!(key.state, KeyState::Active { .. } | KeyState::Retiring { .. }));
    suspended || !signs
}

fn clocks(incident: &Incident, founded: &Founded, at: Timestamp) -> Vec<ClockView> {
    let from = founded.clocks_from(incident).at;
    let alarm = incident.closed.is_some_and(|(outcome, _)| outcome == IncidentOutcome::FalseAlarm);
    let clock = |id: &str, within, done: Option<Timestamp>| {
        let due = from.plus_seconds(within);
        // There was nothing to do in time where it was a false alarm.
        let late = (at > due && !alarm).then_some(false);
        ClockView { id: id.to_owned(), due, met: done.map(|done| done <= due).or(late) }
    };
    vec![
        clock("revoked", REVOKED_WITHIN_S, incident.revoked.map(|mark| mark.at)),
        clock("closed", CLOSED_WITHIN_S, incident.closed.map(|(_, mark)| mark.at)),
    ]
}

fn responders(incident: &Incident, names: &Names) -> Vec<ResponderView> {
    let all = incident.called.union(&incident.acknowledged);
    all.map(|member| ResponderView {
        member: *member,
        name: names.member(*member).map(str::to_owned),
        called: incident.called.contains(member),
        acknowledged: incident.acknowledged.contains(member),
    })
    .collect()
}

fn channels(incident: &Incident, founded: &Founded) -> Vec<ChannelView> {
    let of_slot = founded.slots().get(&incident.slot).map(|slot| &slot.rotation.channels);
    let mut channels: BTreeMap<&ChannelName, ChannelView> = BTreeMap::new();
    for channel in of_slot.into_iter().flatten().chain(incident.channels.keys()) {
        channels.insert(channel, ChannelView::new(channel, incident));
    }
    channels.into_values().collect()
}
