//! Incidents: those that go on first, with their clocks; a form that opens one; and those that have ended.

use std::collections::BTreeSet;

use actix_web::{HttpResponse, get, web};
use askama::Template;
use sealbook_ledger::event::Actor;
use sealbook_ledger::ids::{IncidentId, SlotName};
use sealbook_ledger::incident::{INCIDENTS, Incident};
use sealbook_ledger::state::Founded;
use serde::Deserialize;

use super::Visit;
use super::incident::clock::Clock;
use super::incident::steps;
use super::page::{self, Frame, Place};
use super::slots::Chip;
use super::wording;
use crate::http::problem::Problem;
use crate::views::incidents::{self as views, IncidentView, MAX_PAGE, list};
use crate::views::story;

/// The page.
#[derive(Template)]
#[template(path = "incidents.html")]
struct IncidentsPage {
    frame: Frame,
    heading: String,
    open: Vec<IncidentRow>,
    closed: Vec<IncidentRow>,
    /// The last of those that have ended, where more follow.
    next: Option<IncidentId>,
    /// Drills that go on.
    drills: Vec<IncidentRow>,
    /// The slots that the member may open one about.
    slots: Vec<SlotName>,
    /// Whether the rules in force know incidents.
    known: bool,
}

/// An incident in the list.
pub(super) struct IncidentRow {
    pub(super) view: IncidentView,
    pub(super) title: String,
    pub(super) short: String,
    pub(super) key: String,
    pub(super) chip: Chip,
    pub(super) opener: String,
    pub(super) opened: String,
    pub(super) clock: Option<Clock>,
    pub(super) done: usize,
    pub(super) next: Option<&'static str>,
    /// How long it took, once it is over.
    pub(super) took: Option<String>,
}

impl IncidentRow {
    pub(super) fn new(visit: &Visit, view: IncidentView) -> Self {
        let closed = view.closed.as_ref().map(|closed| closed.mark.time);
        Self {
            title: super::incident::title(&view),
            short: story::short_end(&view.incident.to_string()),
            key: story::short_end(&view.key.to_string()),
            chip: Chip::of_incident(&view),
            opener: visit.names.person(view.opened_by),
            opened: wording::ago(view.opened.time, view.at),
            clock: Clock::next(&view),
            done: view.steps.iter().filter(|step| step.done).count(),
            next: view.next().map(|step| steps::title(step.step)),
            took: closed.map(|end| wording::counter(wording::seconds_until(view.opened.time, end))),
            view,
        }
    }
}

/// The incidents that go on, drills not counted: what everybody sees first.
pub(super) fn alarms(visit: &Visit) -> Result<Vec<IncidentRow>, Problem> {
    let wanted = |incident: &Incident| incident.is_open() && !incident.drill;
    let open = list(visit.member.founded()?, &visit.names, visit.member.at, wanted);
    Ok(open.into_iter().map(|view| IncidentRow::new(visit, view)).collect())
}

/// Which incidents, as the address says; what can't be read asks for nothing in particular.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Asked {
    after: String,
}

#[get("/t/{tenant}/incidents")]
pub(super) async fn incidents(visit: Visit, asked: web::Query<Asked>) -> Result<HttpResponse, Problem> {
    let (founded, at) = (visit.member.founded()?, visit.member.at);
    let rows = |views: Vec<IncidentView>| views.into_iter().map(|view| IncidentRow::new(&visit, view));
    let open = rows(list(founded, &visit.names, at, Incident::is_open));
    let (drills, open): (Vec<_>, Vec<_>) = open.partition(|row| row.view.drill);
    let after = asked.after.parse().ok().filter(|id| founded.incident(*id).is_ok());
    let ended = |incident: &Incident| !incident.drill && !incident.is_open();
    let earlier = views::page(founded, &visit.names, at, ended, (after, MAX_PAGE))?;
    let heading = match open.len() {
        0 => "No incident is open".to_owned(),
        many => format!("{} open", wording::counted(many, "incident is", "incidents are")),
    };
    page::show(&IncidentsPage {
        frame: visit.frame("Incidents", Place::Incidents),
        heading,
        open,
        closed: rows(earlier.incidents).collect(),
        next: earlier.next,
        drills,
        slots: may_open(&visit, founded, false).into_iter().collect(),
        known: founded.rules() >= INCIDENTS,
    })
}

/// The slots, for drills or others, that a member may open an incident about: whose key is in nobody's sights yet.
pub(super) fn may_open(visit: &Visit, founded: &Founded, drill: bool) -> BTreeSet<SlotName> {
    let (actor, at) = (Actor::Member(visit.member.id), visit.member.at);
    let slots = founded.slots().iter().filter(|(name, slot)| {
        let Some(key) = slot.active.filter(|_| slot.drill == drill) else { return false };
        let free = founded.open_incidents(name).all(|(_, incident)| incident.key != key);
        // CAs for drills are not practised on.
        let practised = !drill || !slot.rotation.is_issuing();
        free && practised && founded.judge_containment(actor, Some(name), at).is_ok()
    });
    if founded.rules() >= INCIDENTS { slots.map(|(name, _)| name.clone()).collect() } else { BTreeSet::new() }
}
