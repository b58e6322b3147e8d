//! When the next drill is due.

use sealbook_ledger::incident::IncidentOutcome;
use sealbook_ledger::state::Founded;
use sealbook_ledger::timestamp::Timestamp;

use crate::milestones::Milestones;

/// Seconds of a day.
const DAY_S: u32 = 24 * 60 * 60;

/// By when the next drill is to be held: the policy's days after the last that was carried through, or after the founding
/// where none was. None where there is no slot to practise on.
pub fn next_drill(founded: &Founded, milestones: &Milestones) -> Option<Timestamp> {
    founded.slots().values().find(|slot| slot.drill)?;
    let drills = founded.incidents().values().filter(|incident| incident.drill);
    // Whoever broke a drill off as a false alarm has practised nothing.
    let held = drills.filter_map(|drill| match drill.closed? {
        (IncidentOutcome::FalseAlarm, _) => None,
        (IncidentOutcome::GivenUp | IncidentOutcome::Resolved, mark) => Some(mark.at),
    });
    let from = held.max().or(milestones.founded_at)?;
    Some(from.plus_seconds(u32::from(founded.policy().cadence().drill_days()) * DAY_S))
}
