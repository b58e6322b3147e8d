//! The story by the page: the newest first, filtered, each event in one line with what it belongs to.

use std::collections::{BTreeMap, BTreeSet};

use sealbook_ledger::action::ActionDocument;
use sealbook_ledger::encoding::Hash;
use sealbook_ledger::event::{Actor, Event};
use sealbook_ledger::ids::{ActionId, Correlation, SlotName};
use sealbook_ledger::payload::Payload;
use sealbook_ledger::state::Founded;
use sealbook_ledger::timestamp::Timestamp;
use serde_json::Value;

use super::{Names, what_happened};
use crate::store::load::MAX_SCAN;
use crate::store::rows::StoredEvent;
use crate::store::story::{StoryFilter, StoryRows};
use crate::store::{LedgerId, Store};
use crate::views::actions::action_of;
use crate::views::events::{self, parse};
use crate::views::{Names as Disclosed, ViewError};

/// How far the clock that drew a correlation may stand apart from the one that timed its events, in microseconds. Servers
/// append nothing while theirs and the database's differ by more than 2 s.
const SKEW_MICROS: i64 = 10_000_000;

/// Groups of event types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// Everything that is not about single signatures.
    Custody,
    /// Proposals, approvals and what came of them.
    Actions,
    /// Slots and keys.
    Keys,
    /// Members, services, roles, authenticators.
    People,
    /// Signatures.
    Signatures,
    /// The ledger itself: opening, founding, keys, rules, policies.
    Ledger,
    /// What was refused, and what came from outside.
    Refusals,
    /// What stopped something: suspensions, revocations, withheld signatures, alarms.
    Stops,
}

impl Group {
    /// Every group, as filters list them.
    pub const ALL: [Self; 8] = [
        Self::Custody,
        Self::Actions,
        Self::Keys,
        Self::People,
        Self::Signatures,
        Self::Ledger,
        Self::Refusals,
        Self::Stops,
    ];

    /// Its name in addresses.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Custody => "custody",
            Self::Actions => "actions",
            Self::Keys => "keys",
            Self::People => "people",
            Self::Signatures => "signatures",
            Self::Ledger => "ledger",
            Self::Refusals => "refusals",
            Self::Stops => "stops",
        }
    }

    /// What people call it.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Custody => "Everything but signatures",
            Self::Actions => "Proposals and approvals",
            Self::Keys => "Slots and keys",
            Self::People => "People and services",
            Self::Signatures => "Signatures",
            Self::Ledger => "The ledger and its policy",
            Self::Refusals => "Refusals and evidence",
            Self::Stops => "Suspended, revoked, withheld",
        }
    }

    /// The group of a name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|group| group.name() == name)
    }

    fn holds(self, kind: &str) -> bool {
        let begins = |prefixes: &[&str]| prefixes.iter().any(|prefix| kind.starts_with(prefix));
        match self {
            Self::Custody => !begins(&["signature."]),
            Self::Actions => begins(&["action."]),
            Self::Keys => begins(&["slot.", "key.", "rotation.", "certificate.", "crl.", "custody.", "hsm."]),
            Self::People => begins(&["member.", "service.", "role.", "credential."]),
            Self::Signatures => begins(&["signature.", "signing."]),
            Self::Ledger => begins(&["ledger.", "policy.", "approval_rp."]),
            Self::Refusals => begins(&["refusal.", "evidence.", "document.", "rep."]),
            Self::Stops => stops(kind),
        }
    }

    fn kinds(self) -> impl Iterator<Item = &'static str> {
        Payload::TYPE_NAMES.into_iter().filter(move |kind| self.holds(kind))
    }
}

/// Whether an event's type says that something was stopped, or went wrong.
pub(super) fn stops(kind: &str) -> bool {
    let ends = [".suspended", ".revoked", ".withheld", ".unexplained", ".failed", ".abandoned", ".rejected"];
    let parts = ["_abandoned", "_overdue"];
    ends.iter().chain(&parts).any(|end| kind.ends_with(end)) || kind.starts_with("refusal.")
}

/// What is asked for. Empty fields let everything pass.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// A group of types.
    pub group: Option<Group>,
    /// Who caused it.
    pub actor: Option<Actor>,
    /// The slot that it is about.
    pub slot: Option<SlotName>,
    /// The action that it belongs to.
    pub action: Option<ActionId>,
    /// The piece of work that it belongs to.
    pub correlation: Option<Correlation>,
    /// Not before this time.
    pub since: Option<Timestamp>,
    /// Before this time.
    pub until: Option<Timestamp>,
    /// Below this seq: where the page before ended.
    pub below: Option<u64>,
}

impl Asked {
    /// Whether anything but the place is asked for.
    pub fn is_filtered(&self) -> bool {
        let text = self.group.is_some() || self.actor.is_some() || self.slot.is_some();
        let work = self.action.is_some() || self.correlation.is_some();
        text || work || self.since.is_some() || self.until.is_some()
    }
}

/// A page of the story.
#[derive(Debug)]
pub struct StoryPage {
    /// The newest first. May be empty while `next` says that there is more to look at.
    pub told: Vec<Told>,
    /// Where to go on.
    pub next: Option<u64>,
}

/// An event, told.
#[derive(Debug)]
pub struct Told {
    /// Its place.
    pub seq: u64,
    /// When.
    pub time: Timestamp,
    /// Its type.
    pub kind: &'static str,
    /// Its chain hash.
    pub hash: Hash,
    /// Who caused it, in words.
    pub who: String,
    /// What happened, in words.
    pub what: String,
    /// Whether something was stopped, or went wrong.
    pub stops: bool,
    /// The action that it belongs to.
    pub action: Option<ActionId>,
    /// The event itself.
    pub event: Event,
}

/// A page of the story of a ledger with `size` events.
pub async fn page(
    store: &Store,
    ledger: LedgerId,
    (founded, disclosed): (&Founded, &Disclosed),
    size: u64,
    asked: &Asked,
    limit: usize,
) -> Result<StoryPage, ViewError> {
    let Some(mut filter) = range(store, ledger, size, asked).await? else {
        return Ok(StoryPage { told: Vec::new(), next: None });
    };
    if let Some(group) = asked.group {
        filter.kinds = group.kinds().map(str::to_owned).collect();
        filter.beside_signatures = filter.kinds.iter().all(|kind| !kind.starts_with("signature."));
    }
    filter.actor = asked.actor;
    let rows = match &asked.slot {
        Some(slot) => slot_rows(store, ledger, founded, slot, filter, limit).await?,
        None => {
            filter.values = asked.action.map(|id| id.to_string()).into_iter().collect();
            filter.values.extend(asked.correlation.map(|id| id.to_string()));
            filter.beside_signatures |= asked.action.is_some();
            store.story(ledger, &filter, limit).await?
        }
    };
    let keep = |event: &Event| {
        let of_work = asked.correlation.is_none_or(|id| event.correlation == id);
        of_work && asked.action.is_none_or(|id| action_of(&event.payload) == Some(id))
    };
    let mut told = told(store, ledger, (founded, disclosed), rows.events).await?;
    told.retain(|told| keep(&told.event));
    Ok(StoryPage { told, next: rows.next })
}

/// Where to look; `None` where nothing can be.
async fn range(
    store: &Store,
    ledger: LedgerId,
    size: u64,
    asked: &Asked,
) -> Result<Option<StoryFilter>, ViewError> {
    let (mut from, mut below) = (0, asked.below.unwrap_or(size).min(size));
    if let Some(since) = asked.since {
        from = store.seq_at(ledger, size, since).await?;
    }
    if let Some(until) = asked.until {
        below = below.min(store.seq_at(ledger, size, until).await?);
    }
    if let Some(correlation) = asked.correlation {
        let (first, end) = window_of(store, ledger, size, correlation).await?;
        from = from.max(first);
        below = below.min(end);
    }
    if let Some(action) = asked.action {
        let Some(row) = store.action(ledger, action).await? else { return Ok(None) };
        from = from.max(row.proposed_seq);
        below = below.min(row.last_seq + 1);
    }
    Ok((from < below).then(|| StoryFilter { from, below, ..StoryFilter::default() }))
}

/// Where the events of a piece of work are: its id begins with the moment that it was drawn (UUIDv7), and the first
/// [`MAX_SCAN`] events from then on are looked at. An id of another version is looked for at the end.
async fn window_of(
    store: &Store,
    ledger: LedgerId,
    size: u64,
    correlation: Correlation,
) -> Result<(u64, u64), ViewError> {
    let drawn = correlation.uuid().get_timestamp().map(|drawn| drawn.to_unix());
    let micros = drawn.and_then(|(seconds, nanos)| {
        let micros = i64::try_from(seconds).ok()?.checked_mul(1_000_000)?;
        micros.checked_add(i64::from(nanos / 1000))?.checked_sub(SKEW_MICROS)
    });
    let Some(moment) = micros.and_then(Timestamp::from_unix_micros) else {
        return Ok((size.saturating_sub(MAX_SCAN), size));
    };
    let from = store.seq_at(ledger, size, moment).await?;
    Ok((from, size.min(from + MAX_SCAN)))
}

/// What belongs to a slot: its signatures by their read table, everything else by the texts in the events' bytes.
async fn slot_rows(
    store: &Store,
    ledger: LedgerId,
    founded: &Founded,
    slot: &SlotName,
    mut filter: StoryFilter,
    limit: usize,
) -> Result<StoryRows, ViewError> {
    let wants_signatures =
        filter.kinds.is_empty() || filter.kinds.iter().any(|k| k.starts_with("signature."));
    let (mut events, mut next) = (Vec::new(), None);
    if wants_signatures {
        let rows = store.signatures_of_slot(ledger, slot, Some(filter.below), limit).await?;
        let full = rows.len() == limit;
        let seqs: Vec<u64> = rows.iter().map(|row| row.seq).filter(|seq| *seq >= filter.from).collect();
        next = rows.last().map(|row| row.seq).filter(|last| full && *last > filter.from);
        let stored = store.events_at(ledger, &seqs).await?;
        events.extend(stored.into_iter().filter(|e| passes(e, &filter)));
    }
    let traces = Traces::of(founded, slot);
    filter.values = traces.values();
    filter.beside_signatures = true;
    let rest = store.story(ledger, &filter, limit).await?;
    next = next.max(rest.next);
    let about = |event: &StoredEvent| {
        serde_json::from_slice(&event.bytes).is_ok_and(|event| is_about(&event, &traces))
    };
    events.extend(rest.events.into_iter().filter(about));
    events.sort_by_key(|event| std::cmp::Reverse(event.seq));
    // Below this, one of the two may not have said everything yet.
    events.retain(|event| next.is_none_or(|next| event.seq >= next));
    if events.len() > limit {
        events.truncate(limit);
        next = events.last().map(|event| event.seq);
    }
    Ok(StoryRows { events, next })
}

fn passes(stored: &StoredEvent, filter: &StoryFilter) -> bool {
    let kind = filter.kinds.is_empty() || filter.kinds.contains(&stored.kind);
    let actor = filter.actor.is_none_or(|actor| parse(stored).is_ok_and(|event| event.actor == actor));
    kind && actor
}

/// What an event names that is about a slot.
struct Traces {
    slot: SlotName,
    keys: BTreeSet<String>,
    rotations: BTreeSet<String>,
    certificates: BTreeSet<String>,
}

impl Traces {
    fn of(founded: &Founded, slot: &SlotName) -> Self {
        let keys = founded.keys().iter().filter(|(_, key)| key.slot == *slot);
        let rotations = founded.rotations().iter().filter(|(_, rotation)| rotation.slot == *slot);
        let certificates = founded.issuances().iter().filter(|(_, issuance)| issuance.slot == *slot);
        Self {
            slot: slot.clone(),
            keys: keys.map(|(id, _)| id.to_string()).collect(),
            rotations: rotations.map(|(id, _)| id.to_string()).collect(),
            certificates: certificates.map(|(id, _)| id.to_string()).collect(),
        }
    }

    fn values(&self) -> Vec<String> {
        let ids = self.keys.iter().chain(&self.rotations).chain(&self.certificates);
        std::iter::once(self.slot.to_string()).chain(ids.cloned()).collect()
    }
}

/// Whether an event's JSON names a slot as such, or one of its keys or certificates, or is of one of its rotations: other
/// values may spell the same.
fn is_about(event: &Value, traces: &Traces) -> bool {
    let of_rotation =
        event.get("type").and_then(Value::as_str).is_some_and(|kind| kind.starts_with("rotation."));
    let rotation = event.pointer("/data/action").and_then(Value::as_str);
    of_rotation && rotation.is_some_and(|id| traces.rotations.contains(id)) || names(event, traces)
}

fn names(value: &Value, traces: &Traces) -> bool {
    match value {
        Value::Object(members) => {
            let subject = members.get("kind").is_some_and(|kind| kind == "slot");
            members.iter().any(|(name, value)| match (name.as_str(), value) {
                ("slot", Value::String(text)) => text == traces.slot.as_str(),
                ("id", Value::String(text)) if subject => text == traces.slot.as_str(),
                ("key" | "new_key" | "old_key", Value::String(text)) => traces.keys.contains(text),
                ("certificate", Value::String(text)) => traces.certificates.contains(text),
                ("slots", Value::Array(slots)) => slots.iter().any(|name| *name == traces.slot.as_str()),
                (_, value) => names(value, traces),
            })
        }
        Value::Array(items) => items.iter().any(|item| names(item, traces)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// Everything about a slot but its signatures and the lists that it signs, of which there is no end, newest first.
pub async fn of_slot(
    store: &Store,
    ledger: LedgerId,
    (founded, disclosed): (&Founded, &Disclosed),
    slot: &SlotName,
    (from, below): (u64, u64),
    limit: usize,
) -> Result<StoryPage, ViewError> {
    let kinds = Group::Custody.kinds().filter(|kind| !kind.starts_with("crl.")).map(str::to_owned).collect();
    let filter = StoryFilter { from, below, kinds, ..StoryFilter::default() };
    let rows = slot_rows(store, ledger, founded, slot, filter, limit).await?;
    let told = told(store, ledger, (founded, disclosed), rows.events).await?;
    Ok(StoryPage { told, next: rows.next })
}

/// The events of one piece of work, newest first.
pub async fn of_correlation(
    store: &Store,
    ledger: LedgerId,
    known: (&Founded, &Disclosed),
    size: u64,
    correlation: Correlation,
    limit: usize,
) -> Result<StoryPage, ViewError> {
    let asked = Asked { correlation: Some(correlation), ..Asked::default() };
    page(store, ledger, known, size, &asked, limit).await
}

/// Tells some events: what they refer to is looked up, so that each stands by itself.
pub async fn told(
    store: &Store,
    ledger: LedgerId,
    (founded, disclosed): (&Founded, &Disclosed),
    stored: Vec<StoredEvent>,
) -> Result<Vec<Told>, ViewError> {
    let mut events = Vec::with_capacity(stored.len());
    for row in stored {
        events.push((parse(&row)?, row.hash));
    }
    let mut names = Names::default();
    names.learn_state(founded, disclosed);
    let actions: Vec<ActionId> = events.iter().filter_map(|(event, _)| action_of(&event.payload)).collect();
    for row in store.actions_of(ledger, &actions).await? {
        if let Ok(document) = serde_json::from_value::<ActionDocument>(row.document) {
            names.learn_action(&document);
        }
    }
    let mut asked: Vec<u64> = events.iter().filter_map(|(event, _)| authorization_of(event)).collect();
    asked.sort_unstable();
    asked.dedup();
    let authorizations = store.events_at(ledger, &asked).await?;
    for view in events::with_disclosures(store, ledger, authorizations).await? {
        learn_signature(&mut names, &view.event, &view.disclosures);
    }
    let tell = |(event, hash): (Event, Hash)| Told {
        seq: event.seq.get(),
        time: event.time,
        kind: event.payload.type_name(),
        hash,
        who: names.actor(event.actor),
        what: what_happened(&event, &names),
        stops: stops(event.payload.type_name()),
        action: action_of(&event.payload),
        event,
    };
    Ok(events.into_iter().map(tell).collect())
}

/// The authorisation that an event of a signature is about, its own included.
fn authorization_of(event: &Event) -> Option<u64> {
    match &event.payload {
        Payload::DocumentAuthorized(_) | Payload::SignatureAuthorized(_) => Some(event.seq.get()),
        Payload::DocumentAbandoned(p) => Some(p.authorization.get()),
        Payload::DocumentFailed(p) => Some(p.authorization.get()),
        Payload::RepIssued(p) => Some(p.authorization.get()),
        Payload::SignatureCreated(p) => Some(p.authorization.get()),
        Payload::SignatureFailed(p) => Some(p.authorization.get()),
        Payload::SignatureWithheld(p) => Some(p.authorization.get()),
        Payload::SignatureAbandoned(p) => Some(p.authorization.get()),
        _ => None,
    }
}

fn learn_signature(names: &mut Names, event: &Value, disclosures: &BTreeMap<String, String>) {
    let bytes = sealbook_ledger::canonical::value_to_vec(event).unwrap_or_default();
    let envelope = sealbook_ledger::event::Envelope::parse(&bytes);
    if let Some(event) = envelope.ok().and_then(|envelope| Event::from_envelope(envelope).ok()) {
        names.learn(&event, disclosures);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_type_is_in_some_group_and_signatures_are_apart() {
        for kind in Payload::TYPE_NAMES {
            assert!(Group::ALL.iter().any(|group| group.holds(kind)), "{kind}");
            assert_ne!(Group::Custody.holds(kind), kind.starts_with("signature."), "{kind}");
        }
        assert!(Group::ALL.iter().all(|group| Group::named(group.name()) == Some(*group)));
        assert!(stops("slot.suspended") && stops("signature.withheld") && !stops("slot.resumed"));
    }

    #[test]
    fn a_slot_is_named_as_a_slot_and_not_by_a_word_that_spells_the_same() {
        let traces = Traces {
            slot: "release".parse().unwrap(),
            keys: BTreeSet::from(["01934f00-0000-7000-8000-0000000000c1".to_owned()]),
            rotations: BTreeSet::from(["01934f00-0000-7000-8000-0000000000d1".to_owned()]),
            certificates: BTreeSet::from(["01934f00-0000-7000-8000-0000000000e1".to_owned()]),
        };
        let (key, rotation) = (traces.keys.first().unwrap(), traces.rotations.first().unwrap());
        let certificate = traces.certificates.first().unwrap();
        for about in [
            json!({ "data": { "slot": "release" } }),
            json!({ "data": { "slots": ["other", "release"] } }),
            json!({ "data": { "subject": { "kind": "slot", "id": "release" } } }),
            json!({ "data": { "key": key } }),
            json!({ "data": { "old_key": key } }),
            json!({ "data": { "certificate": certificate } }),
            json!({ "type": "rotation.channel_moved", "data": { "action": rotation } }),
        ] {
            assert!(is_about(&about, &traces), "{about}");
        }
        for other in [
            json!({ "data": { "note": "release", "slots": ["other"] } }),
            json!({ "data": { "key": certificate } }),
            json!({ "type": "action.approved", "data": { "action": rotation } }),
        ] {
            assert!(!is_about(&other, &traces), "{other}");
        }
    }
}
