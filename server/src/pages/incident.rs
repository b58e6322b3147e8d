//! One incident, or drill: its clocks, its steps with the one thing to do about each, who responds, and what happened.

pub(super) mod clock;
mod past;
pub(super) mod steps;

use actix_web::{HttpResponse, get, web};
use askama::Template;
use sealbook_ledger::ids::IncidentId;
use sealbook_ledger::incident::IncidentOutcome;
use sealbook_ledger::timestamp::Timestamp;

use super::Visit;
use super::page::{self, Frame, Place};
use super::slots::Chip;
use super::wording;
use crate::http::problem::Problem;
use crate::views::incidents::{IncidentView, ResponderView};
use crate::views::story;
use clock::Clock;
use past::{Happened, Statement};
use steps::{Desk, Offer, StepRow};

/// The page.
#[derive(Template)]
#[template(path = "incident.html")]
struct IncidentPage {
    frame: Frame,
    view: IncidentView,
    /// The end of its id, by which people call it.
    short: String,
    key: String,
    chip: Chip,
    opened: String,
    opener: String,
    /// Why it was opened, as far as that is disclosed.
    reason: Option<String>,
    /// How long it goes on, or went on.
    since: String,
    clocks: Vec<Clock>,
    steps: Vec<StepRow>,
    done: usize,
    responders: Vec<Responder>,
    /// How long those who were called have to answer: words, and whether that is over.
    answer: Option<(String, bool)>,
    /// Whether the member may take its steps.
    may: bool,
    /// Whether the member has yet to say to take part.
    may_acknowledge: bool,
    outcomes: Vec<Outcome>,
    /// Whether it may come to any of them.
    can_close: bool,
    statements: Vec<Statement>,
    happened: Vec<Happened>,
    /// How the affected signatures are listed: `since` and `size`, as a query.
    scope: String,
    correlation: String,
    /// Whether there is a key that signs statements.
    has_key: bool,
}

/// Somebody who takes part, or was called to.
struct Responder {
    name: String,
    initials: String,
    chip: Chip,
}

/// What it may come to.
struct Outcome {
    name: &'static str,
    words: &'static str,
    /// Whether it may come to that now.
    open: bool,
    /// What that takes.
    takes: &'static str,
}

#[get("/t/{tenant}/incidents/{incident}")]
pub(super) async fn incident(
    visit: Visit,
    path: web::Path<(String, IncidentId)>,
) -> Result<HttpResponse, Problem> {
    let (_, id) = path.into_inner();
    let (founded, at) = (visit.member.founded()?, visit.member.at);
    let incident = founded.incident(id)?;
    let view = IncidentView::new(id, incident, founded, &visit.names, at);
    let past = past::of(&visit, founded, incident, &view).await?;
    let who = past.who;
    let desk = Desk { visit: &visit, founded, incident, view: &view, who };
    let (rows, may) = (desk.rows(), desk.may());
    let end = view.closed.as_ref().map_or(at, |closed| closed.mark.time);
    let is_called = !incident.acknowledged.contains(&visit.member.id);
    let outcomes = outcomes(|outcome| view.is_open() && founded.may_come_to(incident, outcome, at));
    let page = IncidentPage {
        frame: visit.frame(title(&view), Place::Incidents),
        short: story::short_end(&id.to_string()),
        key: story::short_end(&view.key.to_string()),
        chip: Chip::of_incident(&view),
        opened: wording::ago(view.opened.time, at),
        opener: visit.names.person(view.opened_by),
        reason: past.reason,
        since: wording::counter(wording::seconds_until(view.opened.time, end)),
        clocks: Clock::all(&view),
        done: view.steps.iter().filter(|step| step.done).count(),
        steps: rows,
        responders: view.responders.iter().map(|one| Responder::new(&visit, one, &view)).collect(),
        answer: answer(&view),
        may,
        may_acknowledge: view.is_open() && is_called,
        can_close: outcomes.iter().any(|outcome| outcome.open),
        outcomes,
        statements: past.statements,
        happened: past.happened,
        scope: listed(&view),
        correlation: incident.correlation.to_string(),
        has_key: founded.evidence_key().is_some(),
        view,
    };
    page::show(&page)
}

const OUTCOMES: [(IncidentOutcome, &str, &str, &str); 3] = [
    (IncidentOutcome::Resolved, "resolved", "Resolved", "every step is done"),
    (
        IncidentOutcome::GivenUp,
        "given_up",
        "The slot is given up",
        "it is contained, scoped, withdrawn, accounted for, revoked and advised",
    ),
    (
        IncidentOutcome::FalseAlarm,
        "false_alarm",
        "False alarm",
        "a quorum has resumed the slot, and its key was neither replaced nor revoked",
    ),
];

/// What it may come to, each with whether it may now.
fn outcomes(may: impl Fn(IncidentOutcome) -> bool) -> Vec<Outcome> {
    let outcome = |(outcome, name, words, takes)| Outcome { name, words, takes, open: may(outcome) };
    OUTCOMES.into_iter().map(outcome).collect()
}

/// What a page about it is called.
pub(super) fn title(view: &IncidentView) -> String {
    match view.drill {
        true => format!("DRILL on {}", view.slot),
        false => format!("Incident of {}", view.slot),
    }
}

impl Chip {
    /// How an incident stands.
    pub(super) fn of_incident(view: &IncidentView) -> Self {
        match view.closed.as_ref().map(|closed| closed.outcome) {
            None if view.drill => Self { tone: "warn", icon: "drill", word: "Under way" },
            None => Self { tone: "bad", icon: "incidents", word: "Open" },
            Some(IncidentOutcome::Resolved) => Self { tone: "ok", icon: "check", word: "Resolved" },
            Some(IncidentOutcome::GivenUp) => Self { tone: "dim", icon: "stop", word: "Slot given up" },
            Some(IncidentOutcome::FalseAlarm) => Self { tone: "dim", icon: "dash", word: "False alarm" },
        }
    }
}

impl Responder {
    fn new(visit: &Visit, one: &ResponderView, view: &IncidentView) -> Self {
        let name = visit.names.person(one.member);
        let over = view.acknowledge_by.is_some_and(|by| view.at >= by);
        let chip = match (one.acknowledged, view.is_open()) {
            (true, _) if one.member == view.opened_by => {
                Chip { tone: "ok", icon: "check", word: "Opened it" }
            }
            (true, _) => Chip { tone: "ok", icon: "check", word: "Takes part" },
            (false, true) if over => Chip { tone: "bad", icon: "alarm", word: "Missed" },
            (false, true) => Chip { tone: "calm", icon: "clock", word: "Called" },
            (false, false) => Chip { tone: "dim", icon: "dash", word: "Did not answer" },
        };
        Self { initials: wording::initials(&name), name, chip }
    }
}

/// How long those who were called have to answer, while anybody has not.
fn answer(view: &IncidentView) -> Option<(String, bool)> {
    let by: Timestamp = view.acknowledge_by.filter(|_| view.is_open())?;
    let waits = view.responders.iter().any(|one| one.called && !one.acknowledged);
    let left = wording::seconds_until(view.at, by);
    waits.then(|| (wording::counter(left), left == 0))
}

/// The query by which the affected signatures are listed.
fn listed(view: &IncidentView) -> String {
    let Some(scope) = &view.scope else { return String::new() };
    let since = scope.since.map(|since| format!("&since={since}")).unwrap_or_default();
    format!("size={}{since}", scope.size)
}
