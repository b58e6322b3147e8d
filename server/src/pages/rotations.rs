//! The rotations: those that are on their way first, then those that have ended, each with its evidence pack.

use actix_web::{HttpResponse, get, web};
use askama::Template;
use sealbook_ledger::action::ActionType;
use sealbook_ledger::encoding::Hash;
use sealbook_ledger::ids::{ActionId, SlotName};
use sealbook_ledger::rotation::Rotation;
use sealbook_ledger::state::Founded;
use sealbook_ledger::timestamp::Timestamp;
use serde::Deserialize;

use super::Visit;
use super::page::{self, Frame, Place};
use super::slots::Chip;
use super::wording;
use crate::http::problem::Problem;
use crate::views::reports::{self, ReportView};
use crate::views::rotations::{RotationState, RotationView, StepState, StepView, steps_of};

/// Ended rotations of a page.
const MAX_ENDED: usize = 50;

/// The width of a step in a picture of the progress, and the gap after it.
const STEP_WIDTH: usize = 20;
const STEP_GAP: usize = 3;

/// The page.
#[derive(Template)]
#[template(path = "rotations.html")]
struct RotationsPage {
    frame: Frame,
    /// The slot that is asked for, if one is.
    slot: Option<SlotName>,
    open: Vec<OpenRow>,
    ended: Vec<EndedRow>,
    /// The last of the page, where more follow.
    next: Option<ActionId>,
    /// Whether the rules in force know rotations.
    known: bool,
}

/// A rotation that is on its way, or in its overlap.
struct OpenRow {
    view: RotationView,
    chip: Chip,
    progress: Progress,
    ago: String,
}

/// One that has ended.
struct EndedRow {
    view: RotationView,
    chip: Chip,
    pack: Option<Hash>,
}

/// How far a rotation has come, as a picture and in words.
pub(super) struct Progress {
    pub(super) done: usize,
    pub(super) of: usize,
    /// What is on now, in words; empty once nothing is.
    pub(super) now: String,
    /// Where each bar begins, and what it stands for.
    pub(super) bars: Vec<(usize, &'static str)>,
    /// The width of the picture.
    pub(super) width: usize,
}

impl Progress {
    /// Of steps; those that don't come are not counted.
    pub(super) fn of(steps: &[StepView]) -> Self {
        let counted: Vec<_> = steps.iter().filter(|step| step.state != StepState::Skipped).collect();
        let bar = |(n, step): (usize, &&StepView)| (n * STEP_WIDTH, class(step.state));
        let now = steps.iter().filter(|step| step.state == StepState::Now);
        Self {
            done: counted.iter().filter(|step| step.state == StepState::Done).count(),
            of: counted.len(),
            now: wording::list(now.map(|step| step.title.as_str())),
            bars: counted.iter().enumerate().map(bar).collect(),
            width: (counted.len() * STEP_WIDTH).saturating_sub(STEP_GAP),
        }
    }
}

/// What stylesheets call the state of a step.
pub(super) const fn class(state: StepState) -> &'static str {
    match state {
        StepState::Done => "done",
        StepState::Now => "now",
        StepState::Waiting => "waiting",
        StepState::Skipped => "skipped",
        StepState::Failed => "failed",
    }
}

impl Chip {
    pub(super) const fn of_rotation(state: RotationState) -> Self {
        match state {
            RotationState::Started
            | RotationState::Generating
            | RotationState::Generated
            | RotationState::Proved => Self { tone: "calm", icon: "play", word: "Under way" },
            RotationState::CutOver => Self { tone: "calm", icon: "clock", word: "In its overlap" },
            RotationState::Completed => Self { tone: "ok", icon: "check", word: "Completed" },
            RotationState::Failed => Self { tone: "bad", icon: "cross", word: "Ended early" },
        }
    }
}

/// Which rotations, as the address says; what can't be read asks for nothing in particular.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Asked {
    slot: String,
    after: String,
}

#[get("/t/{tenant}/rotations")]
pub(super) async fn rotations(visit: Visit, asked: web::Query<Asked>) -> Result<HttpResponse, Problem> {
    let (founded, at) = (visit.member.founded()?, visit.member.at);
    let slot = asked.slot.parse().ok().filter(|slot| founded.slots().contains_key(slot));
    let after = asked.after.parse().ok().and_then(|id| founded.rotation(id).ok());
    let all = newest_first(founded, slot.as_ref());
    let (ended, open): (Vec<_>, Vec<_>) = all.into_iter().partition(|(_, rotation)| rotation.has_ended());
    let page: Vec<_> = ended
        .into_iter()
        .filter(|(_, rotation)| after.is_none_or(|after| rotation.started < after.started))
        .collect();
    let next = page.get(MAX_ENDED).and(page.get(MAX_ENDED - 1)).map(|(id, _)| *id);
    let packs = reports::all(visit.store(), visit.ledger(), founded, visit.member.state.size()).await?;
    let ended = page.into_iter().take(MAX_ENDED).map(|one| EndedRow::new(founded, one, &packs, at));
    page::show(&RotationsPage {
        open: match after {
            Some(_) => Vec::new(),
            None => open.into_iter().map(|one| OpenRow::new(founded, one, at)).collect(),
        },
        ended: ended.collect(),
        next,
        known: ActionType::KeyRotate.rules() <= founded.rules(),
        frame: visit.frame("Rotations", Place::Slots),
        slot,
    })
}

/// The rotations, of one slot where one is asked for.
fn newest_first<'a>(founded: &'a Founded, slot: Option<&SlotName>) -> Vec<(ActionId, &'a Rotation)> {
    let all = founded.rotations().iter().map(|(id, rotation)| (*id, rotation.as_ref()));
    let mut found: Vec<_> =
        all.filter(|(_, rotation)| slot.is_none_or(|slot| *slot == rotation.slot)).collect();
    found.sort_by_key(|(_, rotation)| std::cmp::Reverse(rotation.started));
    found
}

impl OpenRow {
    fn new(founded: &Founded, (id, rotation): (ActionId, &Rotation), at: Timestamp) -> Self {
        let view = RotationView::new(id, rotation, founded, at);
        Self {
            chip: Chip::of_rotation(view.state),
            progress: Progress::of(&steps_of(founded, (id, rotation), at)),
            ago: wording::ago(view.started_at, at),
            view,
        }
    }
}

impl EndedRow {
    fn new(
        founded: &Founded,
        (id, rotation): (ActionId, &Rotation),
        packs: &[ReportView],
        at: Timestamp,
    ) -> Self {
        let view = RotationView::new(id, rotation, founded, at);
        let pack = packs.iter().find(|pack| pack.action == Some(id)).map(|pack| pack.sha256);
        Self { chip: Chip::of_rotation(view.state), view, pack }
    }
}

#[cfg(test)]
mod tests {
    use crate::views::rotations::StepName;

    use super::*;

    fn step(step: StepName, state: StepState) -> StepView {
        let title = step.title().to_owned();
        StepView { step, channel: None, title, state, seq: None, time: None, sentence: String::new() }
    }

    #[test]
    fn progress_counts_what_comes_and_names_what_is_on() {
        let steps = [
            step(StepName::Approved, StepState::Done),
            step(StepName::Request, StepState::Skipped),
            step(StepName::Overlap, StepState::Now),
            step(StepName::Confirmed, StepState::Now),
            step(StepName::Retired, StepState::Waiting),
        ];
        let progress = Progress::of(&steps);
        assert_eq!((progress.done, progress.of, progress.now.as_str()), (1, 4, "Overlap and Confirmation"));
        assert_eq!(progress.bars, [(0, "done"), (20, "now"), (40, "now"), (60, "waiting")]);
        assert_eq!(progress.width, 77);
    }
}
