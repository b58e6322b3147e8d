//! When things happened that have to come round, as far as the folded state does not keep it: found in the events, and each
//! event is looked at once.

use std::collections::BTreeMap;

use sealbook_ledger::event::{Envelope, Event};
use sealbook_ledger::gate::AGEING;
use sealbook_ledger::ids::{BackendName, Seq};
use sealbook_ledger::payload::Payload;
use sealbook_ledger::timestamp::Timestamp;

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
            Payload::LedgerOpened(_) | Payload::LedgerKeyRotated(_) | Payload::LedgerKeyRecovered(_) => {
                self.ledger_key_since = Some(event.time);
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
        Ok(self)
    }
}
