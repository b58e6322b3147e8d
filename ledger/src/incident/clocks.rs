//! Within which time an incident is to be dealt with.

use super::{Incident, IncidentOutcome, Mark};
use crate::state::Founded;

/// Within which a key that may be in other hands is to be revoked, in seconds: 24 hours (CA/Browser Forum code signing
/// requirements §4.9.1.1).
pub const REVOKED_WITHIN_S: u32 = 24 * 60 * 60;

/// Within which an incident is to be closed, in seconds: 5 days.
pub const CLOSED_WITHIN_S: u32 = 5 * 24 * 60 * 60;

impl Founded {
    /// From when on an incident's clocks run: its opening, or that of the false alarms that it takes up again.
    pub fn clocks_from(&self, incident: &Incident) -> Mark {
        let (mut from, mut follows) = (incident.opened, incident.follows);
        while let Some(before) = follows.and_then(|id| self.incidents.get(&id)) {
            let again = before.closed.is_some_and(|(outcome, _)| outcome == IncidentOutcome::FalseAlarm);
            // Judged: an incident follows an earlier one.
            if !again || before.opened.seq >= from.seq {
                break;
            }
            (from, follows) = (before.opened, before.follows);
        }
        from
    }
}
