//! Incidents and drills, told.

use sealbook_ledger::incident::IncidentOutcome;
use sealbook_ledger::payload::{
    IncidentClosed, IncidentEscalated, IncidentOpened, IncidentResigned, IncidentScoped,
};

use super::{Names, plural, short_end};
use crate::views::sentence::moment;

/// Which key may be in other hands.
pub(super) fn opened(event: &IncidentOpened, names: &Names) -> String {
    let what = if event.drill { "DRILL" } else { "INCIDENT" };
    let since = event.suspected_since.map(|since| format!(", since {}", moment(since))).unwrap_or_default();
    let (key, id) = (names.key(event.key), short_end(&event.incident.to_string()));
    format!("{what} {id}: somebody else may hold {key}{since}")
}

/// Who was missed.
pub(super) fn escalated(event: &IncidentEscalated, names: &Names) -> String {
    let missed: Vec<String> = event.missed.iter().map(|member| names.member(*member)).collect();
    format!("told others that {} did not answer: {}", missed.join(", "), names.incident(event.incident))
}

/// How many signatures are affected.
pub(super) fn scoped(event: &IncidentScoped, names: &Names) -> String {
    let signatures = plural(usize::try_from(event.count).unwrap_or(usize::MAX), "signature");
    format!("found {signatures} that may be affected: {}", names.incident(event.incident))
}

/// What became of them.
pub(super) fn resigned(event: &IncidentResigned, names: &Names) -> String {
    let (again, dropped) = (event.resigned, event.dropped);
    format!(
        "{again} of what was affected is signed again, {dropped} given up: {}",
        names.incident(event.incident)
    )
}

/// What it came to.
pub(super) fn closed(event: &IncidentClosed, names: &Names) -> String {
    let outcome = match event.outcome {
        IncidentOutcome::FalseAlarm => "a false alarm",
        IncidentOutcome::GivenUp => "its slot is given up",
        IncidentOutcome::Resolved => "resolved",
    };
    format!("closed {}: {outcome}", names.incident(event.incident))
}
