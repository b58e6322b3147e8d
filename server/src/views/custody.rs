//! The events that say how a slot's key is kept, replaced and revoked: what the papers of a release follow from.

use std::collections::BTreeSet;

use sealbook_ledger::event::Event;
use sealbook_ledger::ids::{BackendName, KeyId, Origin, Seq, SlotName};
use sealbook_ledger::note::Vkey;
use sealbook_ledger::payload::Payload;
use sealbook_ledger::rule::Rule;
use sealbook_ledger::slot::Slot;
use sealbook_ledger::state::Founded;
use sealbook_ledger::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::ViewError;
use super::events::parse;
use crate::store::load::MAX_PAGE;
use crate::store::story::StoryFilter;
use crate::store::{LedgerId, Store};

/// Most parts of the story that are looked through: 1,280,000 events beside signatures.
const MOST_LOOKS: usize = 64;

/// Types of the events that the state does not say the place of.
const KINDS: [&str; 8] = [
    "key.activated",
    "key.generated",
    "ledger.founded",
    "policy.set",
    "rotation.cut_over",
    "slot.policy_set",
    "slot.rotation_set",
    "hsm.access_reviewed",
];

/// How a slot's key is kept: events with their receipts, all under one checkpoint.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct CustodyView {
    /// The slot.
    #[schema(value_type = String)]
    pub slot: SlotName,
    /// The key that it signs with.
    #[schema(value_type = String, format = Uuid)]
    pub key: KeyId,
    /// The moment that this is said of: that of the ledger's newest event.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// The ledger.
    #[schema(value_type = String)]
    pub origin: Origin,
    /// The ledger key that signed the checkpoint.
    #[schema(value_type = String)]
    pub vkey: Vkey,
    /// The checkpoint that every receipt leads to (C2SP tlog-checkpoint).
    pub checkpoint: String,
    /// The receipt of each event (C2SP tlog-proof), by rising seq.
    pub receipts: Vec<String>,
}

/// Why the events can't be shown.
#[derive(Debug, thiserror::Error)]
pub enum CustodyError {
    /// The slot has no key.
    #[error(transparent)]
    Rule(#[from] Rule),
    /// What is stored can't be read.
    #[error(transparent)]
    View(#[from] ViewError),
    /// They lie too far back to be looked for.
    #[error("the events of the slot's custody lie too far back")]
    TooFar,
}

/// The places of the events, by rising seq, in a ledger with `size` events.
pub async fn events(
    store: &Store,
    ledger: LedgerId,
    (founded, size): (&Founded, u64),
    name: &SlotName,
) -> Result<BTreeSet<Seq>, CustodyError> {
    let slot = founded.slot(name)?;
    let key = slot.active.ok_or(Rule::SlotKeyless)?;
    let mut sought = Sought::new(founded, name, slot, key)?;
    let kinds = KINDS.map(str::to_owned).to_vec();
    let mut filter = StoryFilter { below: size, kinds, beside_signatures: true, ..StoryFilter::default() };
    for _ in 0..MOST_LOOKS {
        let rows = store.story(ledger, &filter, MAX_PAGE).await.map_err(ViewError::from)?;
        for stored in &rows.events {
            sought.note(&parse(stored)?);
        }
        match rows.next {
            Some(next) => filter.below = next,
            None => return Ok(sought.found),
        }
    }
    Err(CustodyError::TooFar)
}

/// What is looked for, the newest first.
struct Sought<'a> {
    slot: &'a SlotName,
    backend: &'a BackendName,
    key: KeyId,
    /// The slot's keys that were revoked.
    revoked: BTreeSet<KeyId>,
    found: BTreeSet<Seq>,
    /// Kinds of which the newest was found.
    done: BTreeSet<&'static str>,
}

impl<'a> Sought<'a> {
    fn new(founded: &'a Founded, name: &'a SlotName, slot: &'a Slot, key: KeyId) -> Result<Self, Rule> {
        let made = founded.keys().get(&key).ok_or(Rule::SlotKeyless)?;
        let of_slot = founded.keys().iter().filter(|(_, key)| key.slot == *name);
        let revoked = of_slot.filter_map(|(id, key)| Some((*id, key.revocation()?.seq)));
        let (revoked, mut found): (BTreeSet<KeyId>, BTreeSet<Seq>) = revoked.unzip();
        found.extend([slot.created, made.created]);
        Ok(Self { slot: name, backend: &slot.backend, key, revoked, found, done: BTreeSet::new() })
    }

    fn note(&mut self, event: &Event) {
        let kind = event.payload.type_name();
        let wanted = match &event.payload {
            Payload::KeyGenerated(p) => p.key == self.key,
            Payload::KeyActivated(p) => p.key == self.key,
            // Also of one that is not in charge any more, where it took a revoked one's place.
            Payload::RotationCutOver(p) => p.new_key == self.key || self.revoked.contains(&p.old_key),
            Payload::SlotPolicySet(p) => p.slot == *self.slot && self.done.insert(kind),
            Payload::SlotRotationSet(p) => p.slot == *self.slot && self.done.insert(kind),
            Payload::HsmAccessReviewed(p) => p.backend == *self.backend && self.done.insert(kind),
            // One of the two is in force.
            Payload::PolicySet(_) | Payload::LedgerFounded(_) => self.done.insert("policy"),
            _ => false,
        };
        if wanted {
            self.found.insert(event.seq);
        }
    }
}
