//! Drills side by side: how long each step took, against its target and the drill before.

use sealbook_ledger::ids::IncidentId;
use sealbook_ledger::timestamp::Timestamp;

use crate::pages::incident::steps;
use crate::pages::slots::Chip;
use crate::pages::wording;
use crate::views::incidents::{IncidentView, StepView};

/// Drills that stand side by side; the list below has the rest.
const MOST: usize = 4;

/// The table.
pub(super) struct Compared {
    pub(super) heads: Vec<Head>,
    pub(super) rows: Vec<Row>,
}

/// A drill.
pub(super) struct Head {
    pub(super) id: IncidentId,
    pub(super) opened: Timestamp,
    pub(super) slot: String,
}

/// A step, in each drill.
pub(super) struct Row {
    pub(super) title: &'static str,
    pub(super) cells: Vec<Cell>,
}

/// A step in one drill.
pub(super) struct Cell {
    /// How long it took from the opening.
    pub(super) took: Option<String>,
    pub(super) target: Option<String>,
    /// Whether the target was met.
    pub(super) chip: Option<Chip>,
    /// Against the drill before, in words.
    pub(super) change: Option<String>,
}

impl Compared {
    /// Of drills that have ended, the newest first; none where there is none.
    pub(super) fn of(held: &[IncidentView]) -> Option<Self> {
        let shown = held.get(..MOST.min(held.len())).filter(|shown| !shown.is_empty())?;
        let heads = shown.iter().map(|view| Head {
            id: view.incident,
            opened: view.opened.time,
            slot: view.slot.to_string(),
        });
        let before = |n: usize| held.get(n + 1);
        let steps = (0..shown[0].steps.len()).map(|place| {
            let cell = |(n, view): (usize, &IncidentView)| {
                let earlier = before(n).and_then(|earlier| earlier.steps.get(place));
                Some(Cell::of(view.steps.get(place)?, earlier))
            };
            let title = shown[0].steps.get(place).map_or("", |step| steps::title(step.step));
            Row { title, cells: shown.iter().enumerate().filter_map(cell).collect() }
        });
        let whole =
            |(n, view): (usize, &IncidentView)| Cell::new(length(view), None, before(n).and_then(length));
        let closed = Row { title: "Closed", cells: shown.iter().enumerate().map(whole).collect() };
        Some(Self { heads: heads.collect(), rows: steps.chain([closed]).collect() })
    }
}

/// How long a drill took, in seconds.
fn length(view: &IncidentView) -> Option<u64> {
    let closed = view.closed.as_ref()?;
    Some(wording::seconds_until(view.opened.time, closed.mark.time))
}

impl Cell {
    fn of(step: &StepView, earlier: Option<&StepView>) -> Self {
        let target = step.target.map(|target| (target, step.met));
        Self::new(step.seconds, target, earlier.and_then(|step| step.seconds))
    }

    fn new(took: Option<u64>, target: Option<(u32, Option<bool>)>, earlier: Option<u64>) -> Self {
        let change = took.zip(earlier).map(|(now, then)| match now.cmp(&then) {
            std::cmp::Ordering::Less => format!("{} faster", wording::counter(then - now)),
            std::cmp::Ordering::Equal => "as before".to_owned(),
            std::cmp::Ordering::Greater => format!("{} slower", wording::counter(now - then)),
        });
        Self {
            took: took.map(wording::counter),
            target: target.map(|(target, _)| wording::counter(target.into())),
            chip: target.and_then(|(_, met)| met).map(steps::met),
            change,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_told_against_its_target_and_the_drill_before() {
        let cell = Cell::new(Some(41), Some((300, Some(true))), Some(61));
        assert_eq!(cell.took.as_deref(), Some("0:41"));
        assert_eq!(cell.change.as_deref(), Some("0:20 faster"));
        assert_eq!((cell.target.as_deref(), cell.chip.map(|chip| chip.word)), (Some("5:00"), Some("Met")));
        assert!(Cell::new(None, None, Some(61)).change.is_none());
    }
}
