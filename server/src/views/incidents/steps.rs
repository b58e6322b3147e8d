//! The steps of an incident.

use std::collections::BTreeMap;

use sealbook_ledger::action::{ActionType, Params};
use sealbook_ledger::ids::ActionId;
use sealbook_ledger::incident::{Incident, IncidentOutcome, IncidentStep, Mark};
use sealbook_ledger::rotation::{Rotation, RotationStep};
use sealbook_ledger::state::Founded;
use sealbook_ledger::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::views::blast_radius::MarkView;

/// A step of an incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StepView {
    /// `contained`, `scoped`, `withdrawn`, `rotated`, `revoked`, `resumed`, `resigned` or `advised`.
    #[schema(value_type = String)]
    pub step: IncidentStep,
    /// Whether nothing is left to do of it.
    pub done: bool,
    /// The event by which it was taken last; absent where none was needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken: Option<MarkView>,
    /// From the opening until then, in whole seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<u64>,
    /// Within how many seconds it is to be taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<u32>,
    /// Whether it was; absent without a target, and while nobody can tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub met: Option<bool>,
    /// The action that people approved for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = Uuid)]
    pub action: Option<ActionId>,
    /// An action for it that waits for approvals, or takes effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = Uuid)]
    pub pending: Option<ActionId>,
    /// The rotation that was approved for it and has yet to cut over: a second one would take its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = Uuid)]
    pub rotation: Option<ActionId>,
}

/// What waits for people or the server and would take steps of an incident: looked for once for all its steps.
pub(super) struct Candidates {
    /// The newest action that would take a step.
    actions: BTreeMap<IncidentStep, ActionId>,
    /// The newest rotation of its key that has not cut over.
    rotation: Option<ActionId>,
}

impl Candidates {
    pub(super) fn of(incident: &Incident, founded: &Founded) -> Self {
        let open = founded.actions().iter();
        let takes = open.filter_map(|(id, action)| {
            Some((action.proposal().seq, step_of(&action.document().params, incident)?, *id))
        });
        let mut takes: Vec<_> = takes.collect();
        takes.sort_unstable_by_key(|(seq, ..)| *seq);
        let actions = takes.into_iter().map(|(_, step, id)| (step, id)).collect();
        Self { actions, rotation: preparing(incident, founded) }
    }
}

impl StepView {
    pub(super) fn new(
        step: IncidentStep,
        (incident, candidates): (&Incident, &Candidates),
        founded: &Founded,
        at: Timestamp,
    ) -> Self {
        let taken = taken(step, incident);
        let from = incident.opened.at;
        let target = incident.targets.get(&step).copied();
        let due = target.map(|target| from.plus_seconds(target));
        let done = is_done(step, incident, founded, at);
        // What nothing was needed for is in time, and what an incident ended without missed none: as its statement has it.
        let over = !done && incident.is_open() && due.is_some_and(|due| at > due);
        // What the opening found contained took no time.
        let when = taken.map(|mark| mark.at.max(from));
        Self {
            step,
            done,
            taken: taken.map(MarkView::from),
            seconds: when.map(|when| when.unix_micros().abs_diff(from.unix_micros()) / 1_000_000),
            target,
            met: due.and_then(|due| when.map(|when| when <= due).or_else(|| over.then_some(false))),
            action: action(step, incident, founded),
            pending: candidates.actions.get(&step).copied(),
            rotation: candidates.rotation.filter(|_| step == IncidentStep::Rotated),
        }
    }
}

/// Whether nothing is left to do of a step. What an incident ended with is not undone by what comes later.
fn is_done(step: IncidentStep, incident: &Incident, founded: &Founded, at: Timestamp) -> bool {
    use IncidentStep as S;
    let ended = match incident.closed.map(|(outcome, _)| outcome) {
        Some(IncidentOutcome::Resolved) => true,
        Some(IncidentOutcome::GivenUp) => {
            matches!(step, S::Contained | S::Scoped | S::Resigned | S::Revoked | S::Advised)
        }
        Some(IncidentOutcome::FalseAlarm) | None => false,
    };
    ended || founded.is_done(incident, step, at)
}

fn taken(step: IncidentStep, incident: &Incident) -> Option<Mark> {
    match step {
        IncidentStep::Contained => incident.contained,
        IncidentStep::Scoped => incident.scope.map(|scope| scope.mark),
        IncidentStep::Withdrawn => {
            let withdrawn = incident.channels.values().map(|channel| channel.withdrawn);
            withdrawn.max_by_key(|mark| mark.seq)
        }
        IncidentStep::Rotated => incident.rotated.map(|(_, mark)| mark),
        IncidentStep::Resigned => incident.resigned.map(|(_, mark)| mark),
        IncidentStep::Revoked => incident.revoked,
        IncidentStep::Advised => incident.advised,
        IncidentStep::Resumed => incident.resumed.map(|(_, mark)| mark),
    }
}

/// Under which approval a step was taken.
fn action(step: IncidentStep, incident: &Incident, founded: &Founded) -> Option<ActionId> {
    match step {
        IncidentStep::Rotated => incident.rotated.map(|(action, _)| action),
        IncidentStep::Revoked => {
            let key = founded.keys().get(&incident.key);
            incident.revoked.and(key?.revocation()).map(|revocation| revocation.action)
        }
        IncidentStep::Resumed => incident.resumed.map(|(action, _)| action),
        IncidentStep::Contained
        | IncidentStep::Scoped
        | IncidentStep::Withdrawn
        | IncidentStep::Resigned
        | IncidentStep::Advised => None,
    }
}

/// The step of an incident that an action would take.
fn step_of(params: &Params, incident: &Incident) -> Option<IncidentStep> {
    let (step, takes) = match params {
        Params::KeyRotate(p) | Params::KeyRotateEmergency(p) => {
            (IncidentStep::Rotated, p.old_key == incident.key)
        }
        Params::KeyRevoke(p) | Params::KeyRevokeEmergency(p) => {
            (IncidentStep::Revoked, p.key == incident.key)
        }
        Params::SlotResume(p) => (IncidentStep::Resumed, p.slot == incident.slot),
        Params::SigningApprove(p) => (IncidentStep::Resigned, p.slot == incident.slot),
        _ => return None,
    };
    takes.then_some(step)
}

/// The newest rotation of an incident's key that has not cut over.
fn preparing(incident: &Incident, founded: &Founded) -> Option<ActionId> {
    let prepares = |rotation: &Rotation| {
        use RotationStep as S;
        let before = matches!(rotation.step, S::Started | S::Generating(_) | S::Generated(_) | S::Proved(_));
        rotation.old_key == incident.key && before
    };
    let preparing = founded.rotations().iter().filter(|(_, rotation)| prepares(rotation));
    preparing.max_by_key(|(_, rotation)| rotation.started).map(|(id, _)| *id)
}

/// What people have to approve for a step, where they have to.
pub fn decided_by(step: IncidentStep) -> Option<ActionType> {
    match step {
        IncidentStep::Rotated => Some(ActionType::KeyRotateEmergency),
        IncidentStep::Revoked => Some(ActionType::KeyRevokeEmergency),
        IncidentStep::Resumed => Some(ActionType::SlotResume),
        IncidentStep::Contained
        | IncidentStep::Scoped
        | IncidentStep::Withdrawn
        | IncidentStep::Resigned
        | IncidentStep::Advised => None,
    }
}
