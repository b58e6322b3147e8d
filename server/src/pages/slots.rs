//! The slots: what signs here, in which state, and how old its key is.

use actix_web::{HttpResponse, get};
use askama::Template;
use sealbook_ledger::action::ActionType;
use sealbook_ledger::ids::SlotName;
use sealbook_ledger::policy::Role;
use sealbook_ledger::timestamp::Timestamp;

use super::Visit;
use super::page::{self, Frame, Place};
use super::wording;
use crate::http::problem::Problem;
use crate::views::slots::{SlotStatus, SlotView};
use crate::views::story::{environment_name, join};

/// Seconds of a day.
pub(super) const DAY_S: u64 = 86_400;

/// From this share of its interval on, a key's rotation is near.
pub(super) const NEAR_PERCENT: u64 = 80;

/// The page.
#[derive(Template)]
#[template(path = "slots.html")]
struct SlotsPage {
    frame: Frame,
    heading: String,
    slots: Vec<SlotRow>,
    may_propose: bool,
    /// Whether the rules in force know rotations, and how many have not ended.
    rotates: bool,
    rotating: usize,
}

/// A slot in the inventory.
struct SlotRow {
    name: SlotName,
    chip: Chip,
    /// Whether it is for drills alone.
    drill: bool,
    algorithm: String,
    backend: String,
    owner: String,
    age: Age,
    /// When it was used last, if ever: how long ago, and when.
    used: Option<(String, Timestamp)>,
    /// The environments that take people's approval first, in words.
    approval: Option<String>,
}

/// A state as pages show it: never by colour alone.
pub(super) struct Chip {
    pub(super) tone: &'static str,
    pub(super) icon: &'static str,
    pub(super) word: &'static str,
}

impl Chip {
    pub(super) const fn of(status: SlotStatus) -> Self {
        match status {
            SlotStatus::Active => Self { tone: "ok", icon: "check", word: "Signing" },
            SlotStatus::Suspended => Self { tone: "bad", icon: "pause", word: "Suspended" },
            SlotStatus::Keyless => Self { tone: "dim", icon: "empty", word: "No key yet" },
            SlotStatus::Revoked => Self { tone: "bad", icon: "stop", word: "Revoked" },
        }
    }
}

/// A key's age against its rotation interval.
pub(super) struct Age {
    /// In words.
    pub(super) words: String,
    /// How much of the bar is filled, of 100.
    pub(super) fill: u64,
    /// `ok`, `warn` or `bad`.
    pub(super) tone: &'static str,
}

impl Age {
    pub(super) fn of(view: &SlotView) -> Self {
        let days = u64::from(view.rotation_days);
        if view.drill {
            return Self { words: "replaced in drills".to_owned(), fill: 0, tone: "dim" };
        }
        let Some(age) = view.key_age_s else {
            return Self { words: format!("every {days} days"), fill: 0, tone: "dim" };
        };
        // Intervals are at least a day and at most ten years.
        let fill = age * 100 / (days * DAY_S).max(1);
        let (tone, words) = if fill >= 100 {
            let late = age.saturating_sub(days * DAY_S);
            ("bad", format!("{} over its {days} days", wording::span(late)))
        } else {
            let tone = if fill >= NEAR_PERCENT { "warn" } else { "ok" };
            (tone, format!("{} of {days} days", wording::span(age)))
        };
        Self { words, fill: fill.min(100), tone }
    }
}

#[get("/t/{tenant}/slots")]
pub(super) async fn slots(visit: Visit) -> Result<HttpResponse, Problem> {
    let (founded, at) = (visit.member.founded()?, visit.member.at);
    let names: Vec<&SlotName> = founded.slots().keys().collect();
    let used = visit.store().last_uses(visit.ledger(), &names).await?;
    let row = |(name, slot)| {
        let view = SlotView::new(name, slot, founded, at);
        let approval = &view.signing_policy.approval;
        SlotRow {
            chip: Chip::of(view.status),
            drill: view.drill,
            algorithm: view.algorithm.to_string(),
            backend: view.backend.to_string(),
            owner: visit.names.person(view.owner),
            age: Age::of(&view),
            used: used.get(name.as_str()).map(|time| (wording::ago(*time, at), *time)),
            approval: (!approval.is_empty()).then(|| join(approval.iter().map(|e| environment_name(*e)))),
            name: name.clone(),
        }
    };
    let slots: Vec<SlotRow> = founded.slots().iter().map(row).collect();
    let heading = wording::counted(slots.len(), "signing slot", "signing slots");
    let may_propose = may_propose(&visit);
    let frame = visit.frame("Slots", Place::Slots);
    let rotates = ActionType::KeyRotate.rules() <= founded.rules();
    let rotating = founded.rotations().values().filter(|rotation| !rotation.has_ended()).count();
    page::show(&SlotsPage { frame, heading, slots, may_propose, rotates, rotating })
}

/// Whether the member may propose anything: auditors only read.
pub(super) fn may_propose(visit: &Visit) -> bool {
    visit.member.roles.iter().any(|role| *role != Role::Auditor)
}
