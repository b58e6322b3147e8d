//! Single events with their receipts, alone or in a selection: what they claim is bytes and seals.

use crate::event::Envelope;
use crate::ids::Origin;
use crate::receipt::{Receipt, ReceiptError};
use crate::verify::disclosures::Disclosures;
use crate::verify::report::Disclosed;
use crate::verify::{Failure, Layer, LayerReport, NotChecked, Pins, Place, Report, Subject};

/// Verifies one receipt, as `sealbook sign` leaves it beside a file.
pub fn verify_receipt(bytes: &[u8], pins: &Pins) -> Report {
    let mut selection = Selection::new(pins);
    let mut disclosures = Disclosures::default();
    match Receipt::parse(bytes) {
        Ok(receipt) => {
            selection.take(&receipt, &mut disclosures);
            selection.finish(Subject::Receipt, disclosures, None)
        }
        Err(error) => {
            let failure = Failure::of_error(Layer::Bytes, Place::Whole, error.code(), &error);
            selection.finish(Subject::Receipt, disclosures, Some(failure))
        }
    }
}

/// Receipts of one ledger, verified one after the other.
pub(super) struct Selection<'a> {
    pins: &'a Pins,
    origin: Option<Origin>,
    events: u64,
    bytes: Option<Failure>,
    seals: Option<Failure>,
    /// What the last receipt proved.
    sealed: Option<String>,
}

impl<'a> Selection<'a> {
    pub(super) fn new(pins: &'a Pins) -> Self {
        Self { pins, origin: None, events: 0, bytes: None, seals: None, sealed: None }
    }

    pub(super) fn take(&mut self, receipt: &Receipt, disclosures: &mut Disclosures) {
        self.events += 1;
        let seq = receipt.index();
        let mut type_name = None;
        match Envelope::parse(receipt.event_bytes()) {
            Ok(envelope) => {
                disclosures.after_event(seq, &envelope.type_name, &envelope.sd);
                type_name = Some(envelope.type_name);
            }
            Err(error) => {
                let place = Place::Event { seq, type_name: None };
                self.bytes
                    .get_or_insert_with(|| Failure::of_error(Layer::Bytes, place, "bytes.event", &error));
            }
        }
        let place = Place::Event { seq, type_name };
        let origin = &receipt.checkpoint().checkpoint().origin;
        let first = self.origin.get_or_insert_with(|| origin.clone());
        if first != origin {
            let reason = format!("it is of ledger {origin}, the first event of {first}");
            self.seals
                .get_or_insert_with(|| Failure::new(Layer::Seals, place.clone(), "selection.origin", reason));
        }
        if self.pins.vkeys.is_empty() {
            return;
        }
        match receipt.verify(&self.pins.vkeys) {
            Ok(verified) => {
                let size = verified.checkpoint.size;
                self.sealed = Some(format!("in the tree sealed at size {size} by {}", verified.signer));
            }
            Err(error) => {
                let (layer, slot) = match &error {
                    ReceiptError::NotCanonical(_) | ReceiptError::Envelope(_) => {
                        (Layer::Bytes, &mut self.bytes)
                    }
                    _ => (Layer::Seals, &mut self.seals),
                };
                slot.get_or_insert_with(|| Failure::of_error(layer, place, error.code(), &error));
            }
        }
    }

    pub(super) fn finish(
        self,
        subject: Subject,
        disclosures: Disclosures,
        broken: Option<Failure>,
    ) -> Report {
        let (shown, redacted, undisclosed) = disclosures.finish();
        let complete = broken.is_none();
        let bytes = match self.bytes.or(broken).or(undisclosed) {
            Some(failure) => LayerReport::Invalid(failure),
            None => LayerReport::Valid("each event in its one form".to_owned()),
        };
        let seals = match (self.seals, self.sealed) {
            (Some(failure), _) => LayerReport::Invalid(failure),
            (None, _) if !complete => LayerReport::NotChecked(NotChecked::BrokenOff),
            (None, _) if self.pins.vkeys.is_empty() => LayerReport::NotChecked(NotChecked::NoPin),
            (None, Some(sealed)) if self.events == 1 => LayerReport::Valid(sealed),
            (None, Some(_)) => {
                LayerReport::Valid(format!("{} receipts lead to roots that a pinned key signed", self.events))
            }
            (None, None) => LayerReport::NotChecked(NotChecked::BrokenOff),
        };
        let unclaimed = || LayerReport::NotChecked(NotChecked::NotClaimed);
        Report {
            subject,
            origin: self.origin,
            events: self.events,
            tree: None,
            layers: [bytes, unclaimed(), seals, unclaimed(), unclaimed()],
            founding: None,
            disclosures: matches!(subject, Subject::Selection | Subject::Pack)
                .then_some(Disclosed { shown, redacted }),
            signatures: None,
            attestations: None,
            steps: Vec::new(),
            notes: unused_pins(self.pins, subject),
        }
    }
}

/// Nothing that the user gave is passed over in silence.
fn unused_pins(pins: &Pins, subject: Subject) -> Vec<String> {
    let mut notes = Vec::new();
    if pins.founding.is_some() && subject != Subject::Pack {
        notes.push("the founding digest was not compared: single events do not hold the founding".to_owned());
    }
    if pins.attestation_roots.is_some() {
        notes.push("attestations were not checked: that takes the whole ledger".to_owned());
    }
    if pins.known.is_some() {
        notes.push("the known checkpoint was not compared: it takes the whole ledger".to_owned());
    }
    if pins.signatures && !matches!(subject, Subject::Pack | Subject::TrustRoot) {
        notes.push("signatures were not checked: single events do not hold the keys".to_owned());
    }
    notes
}
