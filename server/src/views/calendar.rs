//! What must come round, and when: keys, certificates, reviews of who can reach a device, the ledger key, drills.
//!
//! Pure: the folded state, what the events say of when, and a moment. The rules know of keys and certificates alone; reviews,
//! ledger keys and drills that are late stop nothing, and are shown for that. Slots for drills are in it by the next drill
//! alone: their keys wait for it.

mod custody;
mod drills;
mod keys;

use std::collections::{BTreeMap, BTreeSet};

use sealbook_ledger::action::{ActionType, Params};
use sealbook_ledger::evidence::CADENCE_DAYS;
use sealbook_ledger::gate::AGEING;
use sealbook_ledger::ids::{ActionId, BackendName, KeyId, SlotName};
use sealbook_ledger::rotation::Rotation;
use sealbook_ledger::slot::Slot;
use sealbook_ledger::state::Founded;
use sealbook_ledger::timestamp::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::milestones::Milestones;

/// How long before a review of a device's access is due people hear of it, in days.
pub const REVIEW_AHEAD_DAYS: u16 = 14;

/// How long before a certificate or the ledger key has to be replaced it is called near, in days.
const NEAR_DAYS: u16 = 30;

/// Seconds of a day.
const DAY_S: u32 = 24 * 60 * 60;

/// What has to come round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The key of a slot that signs.
    SlotKey,
    /// The key of a slot that issues certificates.
    CaKey,
    /// The certificate of a slot's key.
    Certificate,
    /// A review of who can reach a device that holds keys.
    AccessReview,
    /// The key that signs checkpoints.
    LedgerKey,
    /// A drill.
    Drill,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 6] =
        [Self::SlotKey, Self::CaKey, Self::Certificate, Self::AccessReview, Self::LedgerKey, Self::Drill];

    /// Its name, in answers and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SlotKey => "slot_key",
            Self::CaKey => "ca_key",
            Self::Certificate => "certificate",
            Self::AccessReview => "access_review",
            Self::LedgerKey => "ledger_key",
            Self::Drill => "drill",
        }
    }
}

/// How near it is, and what is done about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Its date has passed, whatever is done about it.
    Overdue,
    /// A replacement is under way.
    Rotating,
    /// It waits for people's approval.
    Proposed,
    /// It is near, and nobody has proposed it.
    Soon,
    /// Nothing to do.
    Fine,
}

impl State {
    /// Its name, in answers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Overdue => "overdue",
            Self::Rotating => "rotating",
            Self::Proposed => "proposed",
            Self::Soon => "soon",
            Self::Fine => "fine",
        }
    }
}

/// One thing that has to come round.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Entry {
    /// What it is.
    pub kind: Kind,
    /// What it is about: a slot, a device, the ledger, or drills.
    #[schema(example = "apt-repo")]
    pub subject: String,
    /// The key, of keys and certificates.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = Uuid)]
    pub key: Option<KeyId>,
    /// When it is due: from then on it is late.
    #[schema(value_type = String, format = DateTime)]
    pub due_at: Timestamp,
    /// From when on the server proposes it by itself; absent where somebody has to.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub propose_from: Option<Timestamp>,
    /// How near it is.
    pub state: State,
    /// The proposal that is open for it, or the rotation that is under way.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = Uuid)]
    pub action: Option<ActionId>,
    /// The same in words.
    pub sentence: String,
    /// What stands in the way of it, or of anybody who asks whether all is in order.
    pub blockers: Vec<String>,
}

/// Everything that has to come round in a ledger.
#[derive(Debug, Serialize, ToSchema)]
pub struct Calendar {
    /// The ledger.
    #[schema(example = "sealbook.example.com/acme")]
    pub origin: String,
    /// The moment that it is told for.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// How many entries are overdue.
    pub overdue: usize,
    /// What is late first, then by date.
    pub entries: Vec<Entry>,
}

impl Calendar {
    /// What has to come round, as things stand at a moment.
    pub fn new(origin: String, founded: &Founded, milestones: &Milestones, at: Timestamp) -> Self {
        let desk = Desk::new(founded, milestones, at);
        let mut entries: Vec<Entry> =
            founded.slots().iter().flat_map(|(name, slot)| desk.key(name, slot)).collect();
        entries.extend(desk.certificates());
        entries.extend(desk.reviews());
        entries.extend(desk.ledger_key());
        entries.extend(desk.drill());
        let place = |entry: &Entry| (entry.state != State::Overdue, entry.due_at, entry.kind);
        entries.sort_by(|a, b| place(a).cmp(&place(b)).then_with(|| a.subject.cmp(&b.subject)));
        let overdue = entries.iter().filter(|entry| entry.state == State::Overdue).count();
        Self { origin, at, overdue, entries }
    }

    /// How many entries of a kind are overdue.
    pub fn overdue_of(&self, kind: Kind) -> usize {
        self.entries.iter().filter(|entry| entry.kind == kind && entry.state == State::Overdue).count()
    }

    /// Whole days until the earliest date; below zero where it has passed, none where nothing has a date.
    pub fn days_to_next(&self) -> Option<i64> {
        let next = self.entries.iter().map(|entry| entry.due_at).min()?;
        Some(seconds_between(self.at, next).div_euclid(i64::from(DAY_S)))
    }
}

/// The reviews of access that people should hear of: which device, `due` or `overdue`, and since or by when.
pub fn reviews_to_tell(
    founded: &Founded,
    milestones: &Milestones,
    at: Timestamp,
) -> Vec<(String, &'static str, Timestamp)> {
    let desk = Desk::new(founded, milestones, at);
    let near = desk.reviews().filter_map(|entry| {
        let status = match entry.state {
            State::Overdue => "overdue",
            State::Soon => "due",
            // Whoever approves has heard of the proposal.
            State::Proposed | State::Rotating | State::Fine => return None,
        };
        Some((entry.subject, status, entry.due_at))
    });
    near.collect()
}

/// What is wrong with a slot's interval, whoever let it be so.
pub fn interval_blocker(founded: &Founded, name: &SlotName, slot: &Slot) -> Option<String> {
    let days = founded.rotation_interval(slot);
    let long = !slot.rotation.is_issuing() && !slot.drill && days > CADENCE_DAYS;
    long.then(|| {
        format!(
            "Slot {name} goes on with one key for {days} days, which the ledger policy of this tenant lets it: longer \
             than {CADENCE_DAYS}."
        )
    })
}

/// What entries are made from.
struct Desk<'a> {
    founded: &'a Founded,
    milestones: &'a Milestones,
    at: Timestamp,
    /// The rotation of each slot that has not ended: of several the one that prepares a key.
    rotations: BTreeMap<&'a SlotName, (ActionId, &'a Rotation)>,
}

impl<'a> Desk<'a> {
    fn new(founded: &'a Founded, milestones: &'a Milestones, at: Timestamp) -> Self {
        let mut rotations = BTreeMap::new();
        let open = founded.rotations().iter().filter(|(_, rotation)| !rotation.has_ended());
        for (id, rotation) in open {
            let known = rotations.contains_key(&rotation.slot);
            if !known || rotation.is_preparing() {
                rotations.insert(&rotation.slot, (*id, rotation.as_ref()));
            }
        }
        Self { founded, milestones, at, rotations }
    }

    /// The open proposal of which something is true.
    fn proposal(&self, about: impl Fn(&Params) -> bool) -> Option<ActionId> {
        let mut open = self.founded.actions().iter();
        open.find(|(_, action)| about(&action.document().params)).map(|(id, _)| *id)
    }

    /// Whether the rules in force know of ages and reviews.
    fn is_ageing(&self) -> bool {
        self.founded.rules() >= AGEING
    }

    /// Whether the policy in force lets a type of action be proposed: one of version 1 names none of version 2.
    fn names(&self, kind: ActionType) -> bool {
        self.founded.policy().actions.contains_key(&kind)
    }

    /// How near something is that is near from a moment on.
    fn state(&self, due: Timestamp, near: Timestamp, proposed: bool, rotating: bool) -> State {
        match () {
            () if self.at >= due => State::Overdue,
            () if rotating => State::Rotating,
            () if proposed => State::Proposed,
            () if self.at >= near => State::Soon,
            () => State::Fine,
        }
    }

    /// What people read of a date: how long until it, or since.
    fn until(&self, due: Timestamp) -> String {
        days(seconds_between(self.at, due).unsigned_abs() / u64::from(DAY_S))
    }
}

/// Seconds from one moment to another; below zero where the other comes first.
fn seconds_between(from: Timestamp, to: Timestamp) -> i64 {
    to.unix_micros().saturating_sub(from.unix_micros()).div_euclid(1_000_000)
}

/// A moment some days before another.
pub fn days_before(moment: Timestamp, days: u16) -> Timestamp {
    let micros = i64::from(days) * i64::from(DAY_S) * 1_000_000;
    Timestamp::from_unix_micros(moment.unix_micros().saturating_sub(micros)).unwrap_or(moment)
}

/// A moment some days after another.
fn days_after(moment: Timestamp, days: u16) -> Timestamp {
    moment.plus_seconds(u32::from(days) * DAY_S)
}

/// A number of days in words.
fn days(days: u64) -> String {
    match days {
        0 => "less than a day".to_owned(),
        1 => "a day".to_owned(),
        days => format!("{days} days"),
    }
}

/// How often, in words.
fn every(days: u16) -> String {
    if days == 1 { "every day".to_owned() } else { format!("every {days} days") }
}

/// What is said where people have to change the policy before they can propose something.
fn unnamed() -> String {
    "The ledger policy is of version 1 and names nothing of this kind: `policy.set` comes first.".to_owned()
}

/// The day of a moment, in UTC.
pub fn day(moment: Timestamp) -> String {
    moment.to_string().chars().take(10).collect()
}

/// The devices that hold keys: of slots, and the ledger key and the evidence key in force. Each is named once.
fn devices_in_use<'a>(founded: &'a Founded, milestones: &'a Milestones) -> BTreeSet<&'a BackendName> {
    let held = founded.keys().values().filter(|key| key.material().is_some());
    let slots: BTreeSet<&SlotName> = held.map(|key| &key.slot).collect();
    let backends = slots.into_iter().filter_map(|name| founded.slots().get(name)).map(|slot| &slot.backend);
    backends.chain(&milestones.own_devices).collect()
}

#[cfg(test)]
pub(in crate::views) mod hand_made;
#[cfg(test)]
mod tests;
