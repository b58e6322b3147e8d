//! The inbox: what waits for the member who looks, the most urgent first, and what waits for others.

use std::collections::BTreeSet;

use actix_web::{HttpResponse, get};
use askama::Template;
use sealbook_ledger::event::Actor;
use sealbook_ledger::ids::MemberId;
use sealbook_ledger::policy::Role;
use sealbook_ledger::state::{Founded, OpenAction, Stage};
use sealbook_ledger::timestamp::Timestamp;

use super::Visit;
use super::incidents::{IncidentRow, alarms};
use super::page::{self, Frame, Place};
use super::wording;
use crate::http::problem::Problem;
use crate::store::read::ActionFilter;
use crate::views::actions::{self, ActionStatus, ActionView};

/// Most open actions that are looked through for one page.
const MAX_OPEN: usize = 200;

/// Below this many seconds left, time presses: one hour.
const PRESSING_S: u64 = 60 * 60;

/// The page.
#[derive(Template)]
#[template(path = "inbox.html")]
struct InboxPage {
    frame: Frame,
    heading: String,
    yours: Vec<Waiting>,
    others: Vec<Waiting>,
    /// Whether there is more than the page shows.
    cut_off: bool,
    may_propose: bool,
    /// Incidents that go on: they come before everything else.
    alarms: Vec<IncidentRow>,
}

/// An action that collects approvals.
struct Waiting {
    action: String,
    sentence: String,
    reason: Option<String>,
    proposer: String,
    proposed_ago: String,
    proposed_at: String,
    expires_at: String,
    left: String,
    emergency: bool,
    pressing: bool,
    own: bool,
    seats: Vec<SeatRow>,
    filled: usize,
    completes: bool,
    expires: Timestamp,
}

/// A seat of its quorum.
struct SeatRow {
    role: &'static str,
    by: Option<String>,
}

/// Whether an open action waits for a member: one who may still approve it and has not.
pub(super) fn waits_for(
    founded: &Founded,
    action: &OpenAction,
    member: MemberId,
    roles: &BTreeSet<Role>,
    at: Timestamp,
) -> bool {
    let document = action.document();
    let open = action.stage() == Stage::Open && at < document.expires_at && !founded.is_outdated(action);
    let seated = document.quorum.iter().any(|clause| roles.contains(&clause.role));
    let decided = action.approvals().iter().any(|approval| approval.member == member);
    open && seated && !decided && action.proposal().by != Actor::Member(member)
}

#[get("/t/{tenant}/inbox")]
pub(super) async fn inbox(visit: Visit) -> Result<HttpResponse, Problem> {
    let filter = ActionFilter { status: Some(ActionStatus::Open.name().to_owned()), kind: None, after: None };
    let open = actions::page(visit.store(), visit.ledger(), &filter, MAX_OPEN).await?;
    let cut_off = open.next.is_some();
    let (mut yours, mut others) = (Vec::new(), Vec::new());
    for view in open.actions {
        let waiting = Waiting::new(&visit, &view);
        if is_theirs(&visit, &view) { yours.push(waiting) } else { others.push(waiting) }
    }
    for list in [&mut yours, &mut others] {
        list.sort_by_key(|waiting: &Waiting| (!waiting.emergency, waiting.expires));
    }
    let heading = match yours.len() {
        0 => "Nothing waits for you".to_owned(),
        1 => "One thing waits for you".to_owned(),
        many => format!("{} wait for you", wording::counted(many, "thing", "things")),
    };
    let may_propose = visit.member.roles.iter().any(|role| *role != Role::Auditor);
    let frame = visit.frame("Inbox", Place::Inbox);
    let alarms = alarms(&visit)?;
    page::show(&InboxPage { frame, heading, yours, others, cut_off, may_propose, alarms })
}

fn is_theirs(visit: &Visit, view: &ActionView) -> bool {
    let member = &visit.member;
    member.state.founded().is_ok_and(|founded| {
        let action = founded.action(view.action);
        action.is_ok_and(|action| waits_for(founded, action, member.id, &member.roles, member.at))
    })
}

impl Waiting {
    fn new(visit: &Visit, view: &ActionView) -> Self {
        let (document, at) = (&view.document, visit.member.at);
        let left = wording::seconds_until(at, document.expires_at);
        let seats: Vec<SeatRow> = view
            .seats
            .iter()
            .map(|seat| SeatRow {
                role: wording::role(seat.role),
                by: seat.filled_by.map(|member| visit.names.person(member)),
            })
            .collect();
        let filled = seats.iter().filter(|seat| seat.by.is_some()).count();
        Self {
            action: view.action.to_string(),
            sentence: view.sentence.clone(),
            reason: view.reason.clone(),
            proposer: visit.names.proposer(view.proposed_by),
            proposed_ago: wording::ago(document.proposed_at, at),
            proposed_at: document.proposed_at.to_string(),
            expires_at: document.expires_at.to_string(),
            left: wording::span(left),
            emergency: view.kind.is_emergency(),
            pressing: left < PRESSING_S,
            own: view.proposed_by == visit.member.id.into(),
            completes: filled + 1 == seats.len(),
            seats,
            filled,
            expires: document.expires_at,
        }
    }
}
