//! The calendar: a year at a glance, and beneath it what comes round, by date.

use actix_web::{HttpResponse, get};
use askama::Template;
use sealbook_ledger::action::ActionType;
use sealbook_ledger::timestamp::Timestamp;

use super::Visit;
use super::page::{self, Frame, Place};
use super::slots::Chip;
use super::wording;
use crate::http::calendar;
use crate::http::problem::Problem;
use crate::views::calendar::{Calendar, Entry, Kind, State};

/// Most marks of a month; the list has them all.
const MOST_MARKS: usize = 5;

/// Months that are shown: this one and the next eleven.
const MONTHS: u32 = 12;

const NAMES: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

#[derive(Template)]
#[template(path = "calendar.html")]
struct CalendarPage {
    frame: Frame,
    heading: String,
    at: Timestamp,
    months: Vec<Month>,
    /// How many entries fall beyond them.
    later: usize,
    /// What is late, then the rest by date.
    parts: Vec<(&'static str, Vec<Row>)>,
}

/// A month of the year ahead.
struct Month {
    name: String,
    marks: Vec<Mark>,
    /// How many more the list has.
    more: usize,
}

/// Something that falls into a month.
struct Mark {
    place: usize,
    chip: Chip,
    what: &'static str,
    subject: String,
    /// The day, with its month where that is another one.
    day: String,
}

/// Something in the list.
struct Row {
    place: usize,
    title: String,
    /// The page that it is about.
    page: String,
    chip: Chip,
    late: bool,
    sentence: String,
    blockers: Vec<String>,
    due_at: Timestamp,
    date: String,
    /// How long until then, or since.
    when: String,
    /// What can be done about it: an address and its words.
    doing: Option<(String, &'static str)>,
}

#[get("/t/{tenant}/calendar")]
pub(super) async fn calendar_page(visit: Visit) -> Result<HttpResponse, Problem> {
    let calendar = calendar::gather(&visit.member).await?;
    let heading = match calendar.overdue {
        0 => "Nothing is overdue".to_owned(),
        1 => "One thing is overdue".to_owned(),
        many => format!("{} are overdue", wording::counted(many, "thing", "things")),
    };
    let rows =
        calendar.entries.iter().enumerate().map(|(place, entry)| Row::new(&visit, place, entry, calendar.at));
    let (late, ahead): (Vec<Row>, Vec<Row>) = rows.partition(|row| row.late);
    let parts = [("Overdue", late), ("By date", ahead)];
    page::show(&CalendarPage {
        frame: visit.frame("Calendar", Place::Calendar),
        heading,
        at: calendar.at,
        months: months(&calendar),
        later: calendar.entries.iter().filter(|entry| is_beyond(entry, calendar.at)).count(),
        parts: parts.into_iter().filter(|(_, rows)| !rows.is_empty()).collect(),
    })
}

/// Year, month and day of a moment, in UTC.
fn date(at: Timestamp) -> (u32, u32, u32) {
    let text = at.to_string();
    let part = |from: usize, to: usize| text.get(from..to).and_then(|part| part.parse().ok()).unwrap_or(0);
    (part(0, 4), part(5, 7), part(8, 10))
}

/// A month's name; of another year than the one before it with its year.
fn month_name(month: u32) -> &'static str {
    let place = usize::try_from(month.saturating_sub(1)).unwrap_or(0);
    NAMES.get(place).copied().unwrap_or("")
}

/// Months since year 0.
fn months_of((year, month, _): (u32, u32, u32)) -> u32 {
    year * 12 + month.saturating_sub(1)
}

/// This month and those after it. What is overdue stands in this one, however long it has been so.
fn months(calendar: &Calendar) -> Vec<Month> {
    let first = months_of(date(calendar.at));
    let month = |number: u32| {
        let falls = |entry: &Entry| {
            let due = months_of(date(entry.due_at)).max(first);
            (if entry.state == State::Overdue { first } else { due }) == number
        };
        let entries = calendar.entries.iter().enumerate().filter(|(_, entry)| falls(entry));
        let mut marks: Vec<Mark> = entries.map(|(place, entry)| Mark::new(place, entry, number)).collect();
        let more = marks.len().saturating_sub(MOST_MARKS);
        marks.truncate(MOST_MARKS);
        Month { name: format!("{} {}", month_name(number % 12 + 1), number / 12), marks, more }
    };
    (first..first + MONTHS).map(month).collect()
}

/// Whether an entry falls into none of the months shown.
fn is_beyond(entry: &Entry, at: Timestamp) -> bool {
    months_of(date(entry.due_at)) >= months_of(date(at)) + MONTHS
}

fn chip(state: State) -> Chip {
    match state {
        State::Overdue => Chip { tone: "bad", icon: "alarm", word: "Overdue" },
        State::Rotating => Chip { tone: "calm", icon: "key", word: "Under way" },
        State::Proposed => Chip { tone: "calm", icon: "person", word: "Proposed" },
        State::Soon => Chip { tone: "warn", icon: "clock", word: "Due soon" },
        State::Fine => Chip { tone: "ok", icon: "check", word: "Fine" },
    }
}

fn what(kind: Kind) -> &'static str {
    match kind {
        Kind::SlotKey => "key",
        Kind::CaKey => "CA key",
        Kind::Certificate => "certificate",
        Kind::AccessReview => "access review",
        Kind::LedgerKey => "ledger key",
        Kind::Drill => "drill",
    }
}

impl Mark {
    fn new(place: usize, entry: &Entry, month: u32) -> Self {
        let due = date(entry.due_at);
        let day = if months_of(due) == month {
            due.2.to_string()
        } else {
            format!("{} {}", due.2, month_name(due.1))
        };
        Self { place, chip: chip(entry.state), what: what(entry.kind), subject: subject(entry), day }
    }
}

fn subject(entry: &Entry) -> String {
    match entry.kind {
        Kind::LedgerKey => "Checkpoints".to_owned(),
        Kind::Drill => "Incidents".to_owned(),
        Kind::SlotKey | Kind::CaKey | Kind::Certificate | Kind::AccessReview => entry.subject.clone(),
    }
}

impl Row {
    fn new(visit: &Visit, place: usize, entry: &Entry, at: Timestamp) -> Self {
        let tenant = visit.member.ledger.tenant();
        let name = &entry.subject;
        let title = match entry.kind {
            Kind::SlotKey => format!("Key of {name}"),
            Kind::CaKey => format!("CA key of {name}"),
            Kind::Certificate => format!("Certificate of {name}"),
            Kind::AccessReview => format!("Access to {name}"),
            Kind::LedgerKey => "Ledger key".to_owned(),
            Kind::Drill => "Drill".to_owned(),
        };
        let page = match entry.kind {
            Kind::SlotKey | Kind::CaKey | Kind::Certificate => format!("/t/{tenant}/slots/{name}"),
            Kind::AccessReview | Kind::LedgerKey => format!("/t/{tenant}/health"),
            Kind::Drill => format!("/t/{tenant}/drills"),
        };
        let (year, month, day) = date(entry.due_at);
        let late = entry.state == State::Overdue;
        let (ahead, behind) =
            (wording::seconds_until(at, entry.due_at), wording::seconds_until(entry.due_at, at));
        let when = if late {
            format!("{} ago", wording::span(behind))
        } else {
            format!("in {}", wording::span(ahead))
        };
        Self {
            place,
            title,
            page,
            chip: chip(entry.state),
            late,
            sentence: entry.sentence.clone(),
            blockers: entry.blockers.clone(),
            due_at: entry.due_at,
            date: format!("{day} {} {year}", month_name(month)),
            when,
            doing: doing(visit, entry),
        }
    }
}

/// What is open for an entry, or else the form that asks for it, where the member may.
fn doing(visit: &Visit, entry: &Entry) -> Option<(String, &'static str)> {
    let tenant = visit.member.ledger.tenant();
    if let Some(action) = entry.action {
        if entry.state == State::Rotating {
            return Some((format!("/t/{tenant}/rotations/{action}"), "See how far it is"));
        }
        return Some((format!("/t/{tenant}/actions/{action}"), "See what was proposed"));
    }
    let (name, key) = (&entry.subject, entry.key.map(|key| key.to_string()).unwrap_or_default());
    let (kind, query, words) = match entry.kind {
        Kind::SlotKey | Kind::CaKey => {
            (ActionType::KeyRotate, format!("?slot={name}&old_key={key}"), "Propose a rotation")
        }
        Kind::Certificate => {
            (ActionType::CertificateIssue, format!("?slot={name}&key={key}"), "Propose another certificate")
        }
        Kind::AccessReview => {
            (ActionType::HsmAccessReview, format!("?backend={name}"), "Propose a review of its access")
        }
        Kind::LedgerKey => (ActionType::LedgerKeyRotate, String::new(), "Propose another ledger key"),
        Kind::Drill => return Some((format!("/t/{tenant}/drills"), "Go to the drills")),
    };
    let founded = visit.member.state.founded().ok()?;
    // No rotation of a contained slot begins, but for break-glass, which is nothing for a calendar to lead to.
    let contained = kind == ActionType::KeyRotate
        && founded.slots().iter().any(|(slot, about)| {
            slot.as_str() == name && about.suspension.is_some_and(|held| held.holds(visit.member.at))
        });
    let rule = founded.policy().actions.get(&kind)?;
    let may = !contained && !rule.proposing(&visit.member.roles).is_empty();
    may.then(|| (format!("/t/{tenant}/propose/{kind}{query}"), words))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(due_at: &str, state: State) -> Entry {
        Entry {
            kind: Kind::SlotKey,
            subject: "apt-repo".to_owned(),
            key: None,
            due_at: due_at.parse().unwrap(),
            propose_from: None,
            state,
            action: None,
            sentence: String::new(),
            blockers: Vec::new(),
        }
    }

    #[test]
    fn a_year_begins_with_this_month_which_holds_what_is_late() {
        let entries = vec![
            entry("2026-08-03T00:00:00.000000Z", State::Overdue),
            entry("2026-11-30T00:00:00.000000Z", State::Soon),
            entry("2027-02-22T00:00:00.000000Z", State::Fine),
            entry("2028-02-22T00:00:00.000000Z", State::Fine),
        ];
        let at = "2026-11-28T17:00:00.000000Z".parse().unwrap();
        let months = months(&Calendar { origin: String::new(), at, overdue: 1, entries });
        assert_eq!(months.len(), 12);
        assert_eq!((months[0].name.as_str(), months[2].name.as_str()), ("Nov 2026", "Jan 2027"));
        assert_eq!(months[11].name, "Oct 2027");
        let days: Vec<&str> = months[0].marks.iter().map(|mark| mark.day.as_str()).collect();
        assert_eq!(days, ["3 Aug", "30"]);
        assert_eq!(months[3].marks[0].day, "22");
        assert_eq!(months.iter().map(|month| month.marks.len()).sum::<usize>(), 3, "the list has the rest");
    }

    #[test]
    fn a_full_month_says_how_many_more_there_are() {
        let entries = (0..8).map(|_| entry("2026-12-24T00:00:00.000000Z", State::Fine)).collect();
        let at = "2026-12-01T00:00:00.000000Z".parse().unwrap();
        let months = months(&Calendar { origin: String::new(), at, overdue: 0, entries });
        assert_eq!((months[0].marks.len(), months[0].more), (5, 3));
        assert_eq!(months[1].name, "Jan 2027");
    }
}
