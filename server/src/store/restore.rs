//! Putting a lost tail back, byte for byte, by the same round that every append takes.

use super::Store;
use super::append::{Advance, Batch};
use super::error::StoreError;
use super::rows::{AttachmentRow, DisclosureRow, EventRow, Head};

/// A piece of a lost tail. The caller has verified it: bytes, chain, and a checkpoint that covers it.
#[derive(Debug, Clone)]
pub struct Tail {
    /// Where the database ends now.
    pub expected: Head,
    /// Where it ends with this piece.
    pub new: Head,
    /// The events between, at most [`super::append::MAX_EVENTS`]; a longer tail is restored in pieces.
    pub events: Vec<EventRow>,
    /// Their disclosures, as far as the bundle has them.
    pub disclosures: Vec<DisclosureRow>,
    /// Their attachments.
    pub attachments: Vec<AttachmentRow>,
}

impl Store {
    /// Restores a piece of a tail, whole or not at all. A restore that was cut short leaves a valid ledger that ends
    /// earlier, and goes on from there.
    ///
    /// Projections and idempotency keys are not in a bundle: the former are rebuilt afterwards, the latter are lost with
    /// the rows. [`StoreError::Conflict`] if the database does not end where the tail begins.
    pub async fn restore_tail(&self, tail: Tail) -> Result<(), StoreError> {
        let round = self.begin_round(&[tail.expected.ledger]).await?;
        let batch = Batch {
            heads: vec![Advance { expected: tail.expected, new: tail.new }],
            events: tail.events,
            disclosures: tail.disclosures,
            attachments: tail.attachments,
            ..Batch::default()
        };
        round.insert(&batch).await?.commit().await
    }
}
