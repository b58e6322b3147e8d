//! Trust roots (`docs/spec/trust-root.md`): the evidence key's receipt under a pinned ledger key, and that key's signature.

use crate::trust_root::{Trust, TrustRootFile};
use crate::verify::disclosures::Disclosures;
use crate::verify::receipts::Selection;
use crate::verify::{Failure, Layer, LayerReport, NotChecked, Pins, Place, Report, Subject};

/// Verifies a trust root.
pub fn verify_trust_root(bytes: &[u8], pins: &Pins) -> Report {
    let mut selection = Selection::new(pins);
    let mut disclosures = Disclosures::default();
    let file = match TrustRootFile::parse(bytes) {
        Ok(file) => file,
        Err(error) => {
            let failure = Failure::of_error(Layer::Bytes, Place::Whole, error.code(), &error);
            let mut report = selection.finish(Subject::TrustRoot, disclosures, Some(failure));
            report.layers[Layer::Signatures as usize] = LayerReport::NotChecked(NotChecked::BrokenOff);
            return report;
        }
    };
    selection.take(&file.evidence_key, &mut disclosures);
    let mut report = selection.finish(Subject::TrustRoot, disclosures, None);
    report.layers[Layer::Signatures as usize] = match file.verify_signature() {
        Ok(key) => LayerReport::Valid(format!("the evidence key {} signed it", key.sha256())),
        Err(error) => {
            LayerReport::Invalid(Failure::of_error(Layer::Signatures, Place::Whole, error.code(), &error))
        }
    };
    let root = &file.trust_root;
    let count = |trust| root.keys.iter().filter(|key| key.trust == trust).count();
    report.notes.push(format!(
        "as of {} (event {}): {} keys sign, {} are retired, {} are revoked",
        root.at,
        root.size.saturating_sub(1),
        count(Trust::Active),
        count(Trust::Retired),
        count(Trust::Revoked)
    ));
    report.notes.push(format!("another one is due by {}: after that, ask for it", root.next_update));
    report
}
