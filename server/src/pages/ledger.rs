//! The ledger as a story: the newest first, by the day, with its seals; filtered, with the work of a page bounded.

use actix_web::{HttpResponse, get, web};
use askama::Template;
use sealbook_ledger::checkpoint::SignedCheckpoint;
use sealbook_ledger::encoding::Hash;
use sealbook_ledger::event::Actor;
use sealbook_ledger::ids::Seq;
use sealbook_ledger::payload::Payload;
use sealbook_ledger::timestamp::Timestamp;
use serde::Deserialize;

use super::Visit;
use super::page::{self, Frame, Place};
use crate::http::problem::Problem;
use crate::store::load::MAX_SCAN;
use crate::views::events;
use crate::views::story::{self, Asked, Group, Told};

/// Events of a page.
const PAGE: usize = 50;

/// The page.
#[derive(Template)]
#[template(path = "ledger.html")]
struct LedgerPage {
    frame: Frame,
    days: Vec<Day>,
    form: Form,
    people: Vec<(String, String)>,
    slots: Vec<String>,
    filtered: bool,
    /// Fields of the filter that could not be read.
    wrong: Vec<&'static str>,
    /// Where to go on, as an address.
    next: Option<String>,
    /// Whether the page ended because it had looked at enough, not because it was full.
    looked_enough: bool,
    /// The page before is the browser's to go back to; this leads to the newest.
    newest: Option<String>,
    opened: Option<String>,
    count: usize,
    scan: u64,
}

/// Events of one UTC day.
struct Day {
    date: String,
    lines: Vec<Line>,
}

/// A line of the spine.
enum Line {
    Event(Told),
    Seal { size: u64, root: Hash },
}

/// What the address asks for, as it was typed.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Form {
    group: String,
    actor: String,
    slot: String,
    action: String,
    correlation: String,
    from: String,
    to: String,
    before: String,
    go: String,
}

impl Form {
    /// What it asks for, and which fields could not be read.
    fn read(&self) -> (Asked, Vec<&'static str>) {
        let mut wrong = Vec::new();
        let asked = Asked {
            group: field(&self.group, "kind of event", &mut wrong, Group::named),
            actor: field(&self.actor, "who", &mut wrong, actor),
            slot: field(&self.slot, "slot", &mut wrong, |text| text.parse().ok()),
            action: field(&self.action, "action", &mut wrong, |text| text.parse().ok()),
            correlation: field(&self.correlation, "piece of work", &mut wrong, |text| text.parse().ok()),
            since: field(&self.from, "from", &mut wrong, moment),
            until: field(&self.to, "to", &mut wrong, moment),
            below: field(&self.before, "place", &mut wrong, |text| text.parse().ok()),
        };
        (asked, wrong)
    }

    /// The address of this page with the same filter, from a place on. What was read holds nothing to escape.
    fn address(&self, tenant: &str, before: Option<u64>) -> String {
        let mut address = format!("/t/{tenant}/ledger");
        let place = before.map(|seq| seq.to_string()).unwrap_or_default();
        let fields = [
            ("group", &self.group),
            ("actor", &self.actor),
            ("slot", &self.slot),
            ("action", &self.action),
            ("correlation", &self.correlation),
            ("from", &self.from),
            ("to", &self.to),
            ("before", &place),
        ];
        let given = fields.into_iter().filter(|(_, value)| !value.trim().is_empty());
        for (at, (name, value)) in given.enumerate() {
            address.push(if at == 0 { '?' } else { '&' });
            address.push_str(&format!("{name}={}", value.trim()));
        }
        address
    }
}

/// Reads a field that may be empty.
fn field<T>(
    text: &str,
    name: &'static str,
    wrong: &mut Vec<&'static str>,
    read: impl Fn(&str) -> Option<T>,
) -> Option<T> {
    let text = text.trim();
    if text.is_empty() {
        return None;
    }
    let value = read(text);
    if value.is_none() {
        wrong.push(name);
    }
    value
}

/// `member:…`, `service:…` or `server`.
fn actor(text: &str) -> Option<Actor> {
    match text.split_once(':') {
        None => (text == "server").then_some(Actor::System),
        Some(("member", id)) => id.parse().ok().map(Actor::Member),
        Some(("service", id)) => id.parse().ok().map(Actor::Service),
        Some(_) => None,
    }
}

/// A moment in UTC: as events write it, or as browsers' forms do, `2026-11-22T10:00` with or without seconds.
fn moment(text: &str) -> Option<Timestamp> {
    let whole = match text.len() {
        16 => format!("{text}:00.000000Z"),
        19 => format!("{text}.000000Z"),
        _ => text.to_owned(),
    };
    whole.parse().ok()
}

#[get("/t/{tenant}/ledger")]
pub(super) async fn ledger(visit: Visit, form: web::Query<Form>) -> Result<HttpResponse, Problem> {
    let form = form.into_inner();
    if let Ok(seq) = form.go.trim().parse::<u64>() {
        return Ok(page::lead(&format!("/t/{}/ledger/{seq}", visit.member.ledger.tenant())));
    }
    let (asked, wrong) = form.read();
    let (store, ledger, founded) = (visit.store(), visit.ledger(), visit.member.founded()?);
    let size = visit.member.state.size();
    // A filter that could not be read finds nothing: everything would be an answer to another question.
    let page = if wrong.is_empty() {
        story::page(store, ledger, (founded, &visit.names), size, &asked, PAGE).await?
    } else {
        story::StoryPage { told: Vec::new(), next: None }
    };
    let seals = if asked.is_filtered() { Vec::new() } else { seals(&visit, &page.told).await? };
    let opened = events::one(store, ledger, Seq::ZERO).await?.and_then(|event| match event.payload {
        Payload::LedgerOpened(opened) => Some(opened.vkey.to_string()),
        _ => None,
    });
    let tenant = visit.member.ledger.tenant().to_string();
    let count = page.told.len();
    let shown = LedgerPage {
        frame: visit.frame("Ledger", Place::Ledger),
        days: days(page.told, seals),
        people: people(&visit)?,
        slots: founded.slots().keys().map(ToString::to_string).collect(),
        filtered: asked.is_filtered(),
        wrong,
        looked_enough: page.next.is_some() && count < PAGE,
        next: page.next.map(|next| form.address(&tenant, Some(next))),
        newest: asked.below.map(|_| form.address(&tenant, None)),
        opened,
        count,
        scan: MAX_SCAN,
        form,
    };
    page::show(&shown)
}

/// Who may have caused events: values of the filter, and names.
fn people(visit: &Visit) -> Result<Vec<(String, String)>, Problem> {
    let founded = visit.member.founded()?;
    let members = founded.members().keys().map(|id| (format!("member:{id}"), visit.names.person(*id)));
    let services = founded.services().keys().map(|id| (format!("service:{id}"), visit.names.machine(*id)));
    let server = ("server".to_owned(), "the server".to_owned());
    Ok(members.chain(services).chain([server]).collect())
}

/// The seals among some events that follow each other, the newest first.
async fn seals(visit: &Visit, told: &[Told]) -> Result<Vec<(u64, Hash)>, Problem> {
    let (Some(first), Some(last)) = (told.first(), told.last()) else { return Ok(Vec::new()) };
    let rows = visit.store().checkpoints(visit.ledger(), last.seq, told.len()).await?;
    let mut seals: Vec<(u64, Hash)> = rows
        .iter()
        .filter(|row| row.size <= first.seq + 1)
        .filter_map(|row| SignedCheckpoint::parse(row.note.as_bytes()).ok())
        .map(|checkpoint| (checkpoint.checkpoint().size, checkpoint.checkpoint().root))
        .collect();
    seals.reverse();
    Ok(seals)
}

/// Events and seals by the day: a seal stands above the last event that it covers.
fn days(told: Vec<Told>, seals: Vec<(u64, Hash)>) -> Vec<Day> {
    let mut days: Vec<Day> = Vec::new();
    let mut seals = seals.into_iter().peekable();
    for event in told {
        let date: String = event.time.to_string().chars().take(10).collect();
        if days.last().is_none_or(|day| day.date != date) {
            days.push(Day { date, lines: Vec::new() });
        }
        let Some(day) = days.last_mut() else { continue };
        while let Some((size, root)) = seals.next_if(|(size, _)| *size > event.seq) {
            day.lines.push(Line::Seal { size, root });
        }
        day.lines.push(Line::Event(event));
    }
    days
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_read_field_by_field_and_what_is_wrong_is_named() {
        let form = Form {
            group: "keys".to_owned(),
            actor: "member:01934f00-0000-7000-8000-0000000000b1".to_owned(),
            from: "2026-11-22T10:00".to_owned(),
            slot: " ".to_owned(),
            ..Form::default()
        };
        let (asked, wrong) = form.read();
        assert!(wrong.is_empty() && asked.is_filtered() && asked.slot.is_none());
        assert_eq!(asked.since.map(|at| at.to_string()).as_deref(), Some("2026-11-22T10:00:00.000000Z"));
        assert_eq!(
            form.address("acme", Some(7)),
            "/t/acme/ledger?group=keys&actor=member:01934f00-0000-7000-8000-0000000000b1\
             &from=2026-11-22T10:00&before=7"
        );
        let bad = Form { actor: "nobody".to_owned(), to: "yesterday".to_owned(), ..Form::default() };
        assert_eq!(bad.read().1, ["who", "to"]);
    }
}
