//! When things happened that have to come round, as far as the folded state does not keep it: found in the events, and each
//! event is looked at once.

use std::collections::{BTreeMap, BTreeSet};

use sealbook_ledger::event::{Envelope, Event};
use sealbook_ledger::gate::AGEING;
use sealbook_ledger::ids::{BackendName, KeyId, Seq};
use sealbook_ledger::note::Vkey;
use sealbook_ledger::payload::Payload;
use sealbook_ledger::timestamp::Timestamp;

use crate::store::ledgers::{KeyIntentRow, KeyMadeRow};
use crate::store::{LedgerId, Store, StoreError};

/// Most events of a ledger that one statement looks over; those of signatures are passed over by an index.
const MAX_LOOK: u64 = 200_000;

/// What a ledger's events say of when.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Milestones {
    /// How many of the ledger's events were looked at.
    looked: u64,
    /// When it was founded.
    pub founded_at: Option<Timestamp>,
    /// When rules were adopted under which keys have an age; none where they governed from the start.
    pub ageing_since: Option<Timestamp>,
    /// Since when the ledger key in force is.
    pub ledger_key_since: Option<Timestamp>,
    /// The last review of who can reach each device.
    pub reviews: BTreeMap<BackendName, Review>,
    /// The devices that hold the ledger key and the evidence key in force.
    pub own_devices: BTreeSet<BackendName>,
    /// The ledger key in force, in C2SP form.
    ledger_key: Option<String>,
    /// The evidence key in force.
    evidence_key: Option<KeyId>,
    /// Whether one of the two is another since it was last looked up where they are.
    moved: bool,
}

/// A review of who can reach a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Review {
    /// When it was put on record.
    pub at: Timestamp,
    /// The event.
    pub seq: Seq,
}

impl Milestones {
    /// How many of the ledger's events they take into account.
    pub fn looked(&self) -> u64 {
        self.looked
    }

    /// Takes an event into account; they come in their order.
    pub fn note(&mut self, event: &Event) {
        match &event.payload {
            Payload::LedgerOpened(opened) => self.note_ledger_key(&opened.vkey, event.time),
            Payload::LedgerKeyRotated(rotated) => self.note_ledger_key(&rotated.vkey, event.time),
            Payload::LedgerKeyRecovered(recovered) => self.note_ledger_key(&recovered.vkey, event.time),
            Payload::LedgerEvidenceKeySet(set) => {
                self.evidence_key = Some(set.key);
                self.moved = true;
            }
            Payload::LedgerFounded(_) => self.founded_at = Some(event.time),
            Payload::LedgerRulesAdopted(adopted) if adopted.rules >= AGEING => {
                self.ageing_since.get_or_insert(event.time);
            }
            Payload::HsmAccessReviewed(reviewed) => {
                let review = Review { at: event.time, seq: event.seq };
                self.reviews.insert(reviewed.backend.clone(), review);
            }
            _ => {}
        }
        self.looked = event.seq.get() + 1;
    }

    fn note_ledger_key(&mut self, vkey: &Vkey, since: Timestamp) {
        self.ledger_key_since = Some(since);
        self.ledger_key = Some(vkey.to_string());
        self.moved = true;
    }

    /// Takes into account where the server had the ledger's own keys made. Events say the kind of custody alone; sealing
    /// and evidence find their keys by the same rows.
    pub fn locate(&mut self, rows: &[(KeyIntentRow, Option<KeyMadeRow>)]) {
        let is_in_force = |(intent, made): &&(KeyIntentRow, Option<KeyMadeRow>)| {
            let seals = made.as_ref().is_some_and(|made| self.ledger_key.as_ref() == Some(&made.vkey));
            seals || self.evidence_key == Some(intent.key)
        };
        self.own_devices =
            rows.iter().filter(is_in_force).map(|(intent, _)| intent.backend.clone()).collect();
        self.moved = false;
    }

    /// The same, with the events up to a size taken into account.
    pub(crate) async fn caught_up(
        mut self,
        store: &Store,
        ledger: LedgerId,
        size: u64,
    ) -> Result<Self, StoreError> {
        while self.looked < size {
            let to = size.min(self.looked.saturating_add(MAX_LOOK));
            for stored in store.milestone_events(ledger, self.looked, to).await? {
                let unreadable = || StoreError::corruption("an event that can't be read");
                let envelope = Envelope::parse(&stored.bytes).map_err(|_| unreadable())?;
                self.note(&Event::from_envelope(envelope).map_err(|_| unreadable())?);
            }
            self.looked = to;
        }
        if self.moved {
            self.locate(&store.ledger_keys(ledger).await?);
        }
        Ok(self)
    }
}
