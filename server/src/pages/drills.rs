//! Drills: when the next is due, a form that starts one, and how those before went, side by side.

mod compared;

use std::collections::BTreeMap;

use actix_web::{HttpResponse, get};
use askama::Template;
use sealbook_ledger::ids::{IncidentId, SlotName};
use sealbook_ledger::incident::{INCIDENTS, IncidentStep};
use sealbook_ledger::state::Founded;
use sealbook_ledger::timestamp::Timestamp;

use super::Visit;
use super::incident::steps;
use super::incidents::{IncidentRow, may_open};
use super::page::{self, Frame, Place};
use super::slot::Due;
use super::slots::{Chip, may_propose};
use crate::http::problem::Problem;
use crate::views::incidents::{self, IncidentView, MAX_PAGE, next_drill};
use crate::views::slots::{SlotStatus, SlotView};
use compared::Compared;

/// The page.
#[derive(Template)]
#[template(path = "drills.html")]
struct DrillsPage {
    frame: Frame,
    heading: String,
    due: Option<Due>,
    /// How often, in days.
    often: u16,
    open: Vec<IncidentRow>,
    slots: Vec<SlotRow>,
    /// The slots that the member may start one on.
    free: Vec<SlotName>,
    targets: Vec<TargetField>,
    compared: Option<Compared>,
    held: Vec<IncidentRow>,
    may_propose: bool,
    /// Whether the rules in force know drills.
    known: bool,
}

/// A slot for drills.
struct SlotRow {
    view: SlotView,
    chip: Chip,
    open: Option<IncidentId>,
}

/// A target that can be set.
struct TargetField {
    name: &'static str,
    label: &'static str,
    minutes: u32,
}

#[get("/t/{tenant}/drills")]
pub(super) async fn drills_page(visit: Visit) -> Result<HttpResponse, Problem> {
    let (founded, at) = (visit.member.founded()?, visit.member.at);
    let milestones = visit.member.ledger.milestones_now(visit.store()).await?;
    let due = next_drill(founded, &milestones).map(|due| Due::new(due, at));
    let all = incidents::page(founded, &visit.names, at, |one| one.drill, (None, MAX_PAGE))?.incidents;
    let (open, held): (Vec<IncidentView>, Vec<_>) = all.into_iter().partition(IncidentView::is_open);
    let compared = Compared::of(&held);
    let rows =
        |views: Vec<IncidentView>| views.into_iter().map(|view| IncidentRow::new(&visit, view)).collect();
    let heading = match (&due, open.len()) {
        (_, 1..) => "A drill is under way".to_owned(),
        (Some(due), 0) if due.late => "A drill is overdue".to_owned(),
        (Some(due), 0) => format!("The next drill is due {}", due.words),
        (None, 0) => "Drills".to_owned(),
    };
    page::show(&DrillsPage {
        frame: visit.frame("Drills", Place::Incidents),
        heading,
        due,
        often: founded.policy().cadence().drill_days(),
        slots: slots(founded, at),
        free: may_open(&visit, founded, true).into_iter().collect(),
        targets: targets(held.first()),
        compared,
        open: rows(open),
        held: rows(held),
        may_propose: may_propose(&visit),
        known: founded.rules() >= INCIDENTS,
    })
}

fn slots(founded: &Founded, at: Timestamp) -> Vec<SlotRow> {
    let drills = founded.slots().iter().filter(|(_, slot)| slot.drill);
    let rows = drills.map(|(name, slot)| {
        let view = SlotView::new(name, slot, founded, at);
        let chip = match view.status {
            SlotStatus::Active => Chip { tone: "ok", icon: "check", word: "Ready" },
            status => Chip::of(status),
        };
        SlotRow { view, chip, open: founded.open_incidents(name).next().map(|(id, _)| id) }
    });
    rows.collect()
}

/// The targets to begin with: those of the drill before, else the usual ones.
fn targets(last: Option<&IncidentView>) -> Vec<TargetField> {
    let set: BTreeMap<IncidentStep, u32> = last
        .into_iter()
        .flat_map(|view| &view.steps)
        .filter_map(|step| Some((step.step, step.target?)))
        .collect();
    let fields = IncidentStep::ALL.into_iter().map(|step| TargetField {
        name: steps::name(step),
        label: steps::title(step),
        minutes: set.get(&step).map_or(usual_minutes(step), |seconds| seconds.div_ceil(60)),
    });
    fields.collect()
}

/// A target that nobody has set yet, in minutes: what people can do who have practised.
const fn usual_minutes(step: IncidentStep) -> u32 {
    match step {
        IncidentStep::Contained => 5,
        IncidentStep::Scoped => 15,
        IncidentStep::Withdrawn => 30,
        IncidentStep::Rotated | IncidentStep::Revoked | IncidentStep::Resumed => 60,
        IncidentStep::Resigned | IncidentStep::Advised => 120,
    }
}
