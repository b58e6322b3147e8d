//! What events tell of incidents and drills.

use std::collections::BTreeSet;

use sealbook_ledger::incident::{Incident, IncidentOutcome};
use sealbook_ledger::payload::Payload;

use super::model::Kind;
use super::notice::IncidentNotice;

/// What is told of an incident's event, and where the thing stands after it; `None` for anything else.
pub(super) fn told_by(payload: &Payload) -> Option<(Kind, &'static str)> {
    let status = match payload {
        Payload::IncidentEscalated(_) => return Some((Kind::IncidentEscalated, "missed")),
        Payload::IncidentOpened(_) => "opened",
        Payload::IncidentAcknowledged(_) => "acknowledged",
        Payload::IncidentNoted(_) => "noted",
        Payload::IncidentScoped(_) => "scoped",
        Payload::IncidentWithdrawn(_) => "withdrawn",
        Payload::IncidentReinstated(_) => "reinstated",
        Payload::IncidentResigned(_) => "resigned",
        Payload::IncidentAdvised(_) => "advised",
        Payload::IncidentClosed(p) => match p.outcome {
            IncidentOutcome::FalseAlarm => "false_alarm",
            IncidentOutcome::GivenUp => "given_up",
            IncidentOutcome::Resolved => "resolved",
        },
        _ => return None,
    };
    Some((Kind::Incident, status))
}

/// The incident, with those whom the event calls or names.
pub(super) fn about(payload: &Payload, incident: &Incident) -> Option<IncidentNotice> {
    let people = match payload {
        Payload::IncidentOpened(_) => incident.called.clone(),
        Payload::IncidentEscalated(p) => p.missed.clone(),
        _ => BTreeSet::new(),
    };
    Some(IncidentNotice {
        id: payload.incident()?,
        drill: incident.drill,
        slot: incident.slot.clone(),
        key: incident.key,
        acknowledge_by: incident.acknowledge_by.filter(|_| !people.is_empty()),
        people,
    })
}
