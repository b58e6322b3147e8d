//! Whether every key came by a rotation that is on record, and none was in charge for longer than it may be: what auditors
//! ask of the last quarter.
//!
//! Pure: the folded state, and the events that say by what the keys came and which of them were late.

mod late;

use std::collections::BTreeMap;

use sealbook_ledger::event::Event;
use sealbook_ledger::ids::{ActionId, KeyId, Seq, SlotName};
use sealbook_ledger::rotation::{Rotation, RotationStep};
use sealbook_ledger::slot::{Key, KeyState};
use sealbook_ledger::state::Founded;
use sealbook_ledger::timestamp::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::ViewError;
use super::as_at::Moment;
use super::calendar::{day, interval_blocker};
use super::csv::Table;

pub use late::LATENESS;

use late::Late;

/// How far back the audit looks where nothing else is asked for, in days.
pub const WINDOW_DAYS: u16 = 90;

/// How long after a rotation's end its evidence pack may take, in seconds: a day.
const PACK_WITHIN_S: u32 = 24 * 60 * 60;

/// What the audit says of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// All is on record, and the key was replaced in time, or is young enough.
    Passed,
    /// So far all is on record; its rotation, or its evidence pack, is under way.
    Pending,
    /// Something is missing, or the key is too old, or was while it was in charge.
    Failed,
}

impl Verdict {
    /// Its name, in answers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Pending => "pending",
            Self::Failed => "failed",
        }
    }
}

/// Where the evidence pack of a key's rotation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Pack {
    /// It is issued.
    Issued,
    /// Its rotation has not ended, or has within a day.
    Due,
    /// It should have been issued.
    Missing,
    /// There is no rotation to report: the key is its slot's first.
    None,
}

impl Pack {
    /// Its name, in answers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Issued => "issued",
            Self::Due => "due",
            Self::Missing => "missing",
            Self::None => "none",
        }
    }
}

/// The event by which a key came.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CameBy {
    /// The event.
    #[schema(value_type = u64)]
    pub seq: Seq,
    /// Its type.
    #[serde(rename = "type")]
    #[schema(example = "key.generation_authorized")]
    pub kind: &'static str,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub time: Timestamp,
}

/// A key that signs, or did within the time looked at.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct AuditedKey {
    /// Its slot.
    #[schema(value_type = String)]
    pub slot: SlotName,
    /// Which.
    #[schema(value_type = String, format = Uuid)]
    pub key: KeyId,
    /// Its state (NIST SP 800-57 part 1 §7).
    pub state: &'static str,
    /// Since when it is active, of keys that are.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub active_since: Option<Timestamp>,
    /// What it came by.
    pub came_by: CameBy,
    /// The rotation that it was made for; absent for the first key of a slot.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = Uuid)]
    pub rotation: Option<ActionId>,
    /// Where the rotation's evidence pack is.
    pub pack: Pack,
    /// What the audit says.
    pub verdict: Verdict,
    /// Why, where it did not simply pass.
    pub reasons: Vec<String>,
}

/// Every key of a time, and what the audit says of it.
#[derive(Debug, Serialize, ToSchema)]
pub struct RotationAudit {
    /// Of which ledger and moment.
    #[serde(flatten)]
    pub moment: Moment,
    /// First moment that is looked at.
    #[schema(value_type = String, format = DateTime)]
    pub from: Timestamp,
    /// Whether no key failed and nothing blocks.
    pub passed: bool,
    /// How many keys failed.
    pub failed: usize,
    /// What no report passes over: slots that go on too long with one key.
    pub blockers: Vec<String>,
    /// The keys, by slot, the oldest first.
    pub keys: Vec<AuditedKey>,
}

/// What an audit needs of the past, beside the folded state.
pub struct Past<'a> {
    /// First moment that is looked at.
    pub from: Timestamp,
    /// The events that [`RotationAudit::asks`] for, and those of the types [`LATENESS`] since the earliest of them: no key
    /// is late before it was made.
    pub events: &'a [Event],
    /// The ledger as it was at `from`, where [`RotationAudit::asks_beginning`] says so.
    pub beginning: Option<&'a Founded>,
}

impl RotationAudit {
    /// The events that it needs by their seqs: those by which keys of the time came.
    pub fn asks(founded: &Founded, from: Timestamp) -> Vec<u64> {
        keys_since(founded, from).map(|(_, key)| key.created.get()).collect()
    }

    /// Whether it needs the ledger as it was at the first moment that is looked at: where a key was recorded as overdue
    /// before, and its due date may have moved before as well.
    pub fn asks_beginning(founded: &Founded, past: &Past<'_>) -> bool {
        Late::new(founded, past).is_open()
    }

    /// Judges the keys that were active, or made, since a moment.
    pub fn new(moment: Moment, founded: &Founded, past: &Past<'_>) -> Result<Self, ViewError> {
        let came: BTreeMap<Seq, &Event> = past.events.iter().map(|event| (event.seq, event)).collect();
        let (at, from, late) = (moment.at, past.from, Late::new(founded, past));
        let mut keys = Vec::new();
        for (id, key) in keys_since(founded, from) {
            let gone = ViewError::Corrupt { what: "event of a key", seq: key.created.get() };
            let event = came.get(&key.created).ok_or(gone)?;
            let mut audited = AuditedKey::new(founded, id, key, event, at);
            late.reasons(id, key).for_each(|reason| audited.fail(reason));
            keys.push(audited);
        }
        keys.sort_by(|a, b| (&a.slot, a.came_by.seq).cmp(&(&b.slot, b.came_by.seq)));
        let slots = founded.slots().iter();
        let blockers: Vec<String> = slots
            .filter(|(_, slot)| slot.active.is_some_and(|key| founded.due_at(key).is_some()))
            .filter_map(|(name, slot)| interval_blocker(founded, name, slot))
            .collect();
        let failed = keys.iter().filter(|key| key.verdict == Verdict::Failed).count();
        Ok(Self { moment, from, passed: failed == 0 && blockers.is_empty(), failed, blockers, keys })
    }

    /// As a table.
    pub fn to_csv(&self) -> String {
        let mut table = Table::new(&[
            "slot",
            "key",
            "state",
            "active_since",
            "came_by",
            "came_by_type",
            "came_at",
            "rotation",
            "pack",
            "verdict",
            "reasons",
        ]);
        for key in &self.keys {
            table.row([
                key.slot.to_string(),
                key.key.to_string(),
                key.state.to_owned(),
                key.active_since.map(|since| since.to_string()).unwrap_or_default(),
                key.came_by.seq.to_string(),
                key.came_by.kind.to_owned(),
                key.came_by.time.to_string(),
                key.rotation.map(|rotation| rotation.to_string()).unwrap_or_default(),
                key.pack.name().to_owned(),
                key.verdict.name().to_owned(),
                key.reasons.join(" "),
            ]);
        }
        table.into_text()
    }
}

/// Keys that exist and were not put away before a moment. Those for drills sign samples alone, and wait for the next drill.
fn keys_since(founded: &Founded, from: Timestamp) -> impl Iterator<Item = (KeyId, &Key)> {
    let counts = move |key: &Key| match key.state {
        KeyState::Generating { .. } | KeyState::NotGenerated => false,
        KeyState::PreActivation(_) | KeyState::Active { .. } | KeyState::Retiring { .. } => true,
        KeyState::Deactivated { at, .. } | KeyState::Destroyed { retired_at: at, .. } => at >= from,
        KeyState::Revoked { revocation, .. } => revocation.at >= from,
    };
    let drill = |slot: &SlotName| founded.slots().get(slot).is_some_and(|slot| slot.drill);
    founded.keys().iter().filter(move |(_, key)| counts(key) && !drill(&key.slot)).map(|(id, key)| (*id, key))
}

impl AuditedKey {
    fn new(founded: &Founded, id: KeyId, key: &Key, event: &Event, at: Timestamp) -> Self {
        let rotation = key.rotation.and_then(|action| founded.rotations().get(&action));
        let pack = rotation.map_or(Pack::None, |rotation| pack_of(rotation, key, at));
        let mut judged = Judged { verdict: Verdict::Passed, reasons: Vec::new() };
        match (key.rotation, rotation) {
            (Some(action), None) => judged.fail(format!("No rotation {action} is on record.")),
            (Some(_), Some(rotation)) => {
                judged.rotation(rotation, pack);
                judged.overlap(rotation, at);
            }
            (None, _) if is_first(founded, key) => {}
            (None, _) => {
                judged.fail("It is not its slot's first key, and no rotation brought it.".to_owned())
            }
        }
        judged.age(founded, id, key, at);
        Self {
            slot: key.slot.clone(),
            key: id,
            state: key.state_name(),
            active_since: match key.state {
                KeyState::Active { since, .. } | KeyState::Retiring { since, .. } => Some(since),
                _ => None,
            },
            came_by: CameBy { seq: event.seq, kind: event.payload.type_name(), time: event.time },
            rotation: key.rotation,
            pack,
            verdict: judged.verdict,
            reasons: judged.reasons,
        }
    }

    fn fail(&mut self, reason: String) {
        self.verdict = Verdict::Failed;
        self.reasons.push(reason);
    }
}

/// Whether a slot had no key before this one.
fn is_first(founded: &Founded, key: &Key) -> bool {
    let before =
        |other: &Key| other.slot == key.slot && other.created < key.created && other.material().is_some();
    !founded.keys().values().any(before)
}

/// A pack is issued once its rotation has ended: when a failed one did, its key says.
fn pack_of(rotation: &Rotation, key: &Key, at: Timestamp) -> Pack {
    let ended = match (rotation.step, &key.state) {
        (RotationStep::Completed { at, .. }, _) => Some(at),
        (
            RotationStep::Failed,
            KeyState::Deactivated { at, .. } | KeyState::Destroyed { retired_at: at, .. },
        ) => Some(*at),
        (RotationStep::Failed, KeyState::Revoked { revocation, .. }) => Some(revocation.at),
        _ => None,
    };
    match ended {
        _ if rotation.reported => Pack::Issued,
        Some(ended) if at >= ended.plus_seconds(PACK_WITHIN_S) => Pack::Missing,
        _ => Pack::Due,
    }
}

/// A verdict in the making: it only gets worse.
struct Judged {
    verdict: Verdict,
    reasons: Vec<String>,
}

impl Judged {
    fn fail(&mut self, reason: String) {
        self.verdict = Verdict::Failed;
        self.reasons.push(reason);
    }

    fn wait(&mut self, reason: &str) {
        if self.verdict == Verdict::Passed {
            self.verdict = Verdict::Pending;
        }
        self.reasons.push(reason.to_owned());
    }

    fn rotation(&mut self, rotation: &Rotation, pack: Pack) {
        match pack {
            Pack::Issued | Pack::None => {}
            Pack::Missing => self.fail("Its rotation has ended, and has no evidence pack.".to_owned()),
            Pack::Due if rotation.is_preparing() => self.wait("Its rotation has yet to cut over."),
            Pack::Due if rotation.has_ended() => self.wait("Its rotation's evidence pack is being made."),
            Pack::Due => self.wait("The key before it has yet to be retired."),
        }
    }

    /// An overlap that is over leaves a day to retire the old key; after it something is waited for that does not come.
    fn overlap(&mut self, rotation: &Rotation, at: Timestamp) {
        if let RotationStep::CutOver { overlap_ends_at, .. } = rotation.step
            && at >= overlap_ends_at.plus_seconds(PACK_WITHIN_S)
        {
            self.fail("Its overlap is over, and the key before it is not retired.".to_owned());
        }
    }

    fn age(&mut self, founded: &Founded, id: KeyId, key: &Key, at: Timestamp) {
        let Ok(slot) = founded.slot(&key.slot) else { return };
        let in_charge = slot.active == Some(id);
        if let Some(due) = founded.due_at(id).filter(|due| in_charge && at >= *due) {
            let days = founded.rotation_interval(slot);
            self.fail(format!("It was to be replaced by {}: its interval is {days} days.", day(due)));
        }
    }
}

#[cfg(test)]
mod tests;
