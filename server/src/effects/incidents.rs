//! Who was called to an incident and has not answered in time is named.

use sealbook_ledger::command::{Command, IncidentCommand, IncidentMove};
use sealbook_ledger::event::Actor;
use sealbook_ledger::incident::{Incident, MAX_STEPS};
use sealbook_ledger::state::Founded;
use sealbook_ledger::timestamp::Timestamp;

use super::Step;

/// Every call to which somebody owes an answer.
pub(super) fn escalations(founded: &Founded, at: Timestamp) -> impl Iterator<Item = Step> {
    let owed = founded.incidents().iter().filter(move |(_, incident)| is_owed(incident, at));
    owed.map(|(id, _)| {
        let (by, step) = (Actor::System, IncidentMove::Escalate);
        Step::Submit(Command::Incident(IncidentCommand { by, incident: *id, step, sd: Vec::new() }))
    })
}

fn is_owed(incident: &Incident, at: Timestamp) -> bool {
    incident.is_open()
        && incident.escalated.is_none()
        && incident.steps < MAX_STEPS
        && incident.acknowledge_by.is_some_and(|by| at >= by)
        && !incident.missed().is_empty()
}
