//! The next drill.

use super::{Desk, Entry, Kind, State, day, days_before, every};
use crate::views::incidents::next_drill;

/// How long before a drill is due people hear of it, in days.
const DRILL_AHEAD_DAYS: u16 = 14;

impl Desk<'_> {
    /// The next drill, where there is a slot to practise on.
    pub(super) fn drill(&self) -> Option<Entry> {
        let due_at = next_drill(self.founded, self.milestones)?;
        let often = self.founded.policy().cadence().drill_days();
        let open = self.founded.incidents().values().any(|incident| incident.drill && incident.is_open());
        let state = self.state(due_at, days_before(due_at, DRILL_AHEAD_DAYS.min(often)), false, open);
        let now = if open { " One is under way." } else { "" };
        let sentence = match state {
            State::Overdue => {
                format!("A drill was to be held by {}, {} ago.{now}", day(due_at), self.until(due_at))
            }
            State::Soon => format!("A drill is to be held within {}.", self.until(due_at)),
            State::Rotating | State::Proposed | State::Fine => {
                format!("A drill is held {}: what people practise, they can do.{now}", every(often))
            }
        };
        Some(Entry {
            kind: Kind::Drill,
            subject: "drills".to_owned(),
            key: None,
            due_at,
            propose_from: None,
            state,
            action: None,
            sentence,
            blockers: Vec::new(),
        })
    }
}
