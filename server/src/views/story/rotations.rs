//! Rotations, certificates and reports, told.

use sealbook_ledger::ids::Seq;
use sealbook_ledger::payload::{
    CertificateImported, CertificateIssued, CrlAuthorized, DocumentAuthorized, HsmAccessReviewed, KeyAdopted,
    ReportKind, RotationCanaryRecorded, RotationCompleted, RotationCutOver, RotationStarted,
    SignatureAuthorized, SigningPurpose, SlotRotationOverdue,
};
use sealbook_ledger::timestamp::Timestamp;

use super::{Names, confined, environment_name, plural, printable, short, short_end};
use crate::views::sentence::{certificate_of_device, holders, moment};

/// What an event says of a rotation's beginning.
pub(super) fn started(event: &RotationStarted, names: &Names) -> String {
    let old = names.key(event.old_key);
    if event.emergency {
        format!("began to replace {old} at once: break-glass")
    } else {
        format!("began to replace {old}")
    }
}

/// What a canary has shown.
pub(super) fn proved(event: &RotationCanaryRecorded, names: &Names) -> String {
    let signed = plural(usize::try_from(event.signed).unwrap_or(usize::MAX), "digest");
    format!("tried {} on {signed} of what was signed before: every signature verified", names.key(event.key))
}

/// Which key took over, and what becomes of the other.
pub(super) fn cut_over(event: &RotationCutOver, at: Timestamp, names: &Names) -> String {
    let (new, old) = (names.key(event.new_key), names.key(event.old_key));
    if event.overlap_ends_at > at {
        format!(
            "{new} took the place of {old}, which stays beside it until {}",
            moment(event.overlap_ends_at)
        )
    } else {
        format!("{new} took the place of {old}, without an overlap")
    }
}

/// Which key is retired.
pub(super) fn completed(event: &RotationCompleted, names: &Names) -> String {
    format!("{} is retired and kept for verification alone", names.key(event.old_key))
}

/// Which key should have been replaced.
pub(super) fn overdue(event: &SlotRotationOverdue, names: &Names) -> String {
    format!("OVERDUE: {} was to be replaced by {}", names.key(event.key), moment(event.due_at))
}

/// A certificate of a CA of this ledger.
pub(super) fn issued(event: &CertificateIssued, names: &Names) -> String {
    let fingerprint = short(&event.fingerprint.to_string());
    format!("issued {}, fingerprint {fingerprint}…", names.certificate(event.certificate))
}

/// A certificate of another CA.
pub(super) fn imported(event: &CertificateImported, names: &Names) -> String {
    let fingerprint = short(&event.fingerprint.to_string());
    let certificate = names.certificate(event.certificate);
    format!("brought {certificate} from a CA elsewhere, fingerprint {fingerprint}…")
}

/// A key that was there before its slot.
pub(super) fn adopted(event: &KeyAdopted) -> String {
    let (key, label) = (short_end(&event.key.to_string()), printable(&event.label));
    format!(
        "slot {} has key {key}, which the device held as “{label}”, {}",
        event.slot,
        confined(event.attributes)
    )
}

/// Who can reach a device.
pub(super) fn reviewed(event: &HsmAccessReviewed) -> String {
    let told = format!(
        "{} can reach {}: the review of its access is on record",
        holders(event.holder_count),
        event.backend
    );
    match event.fips {
        Some(fips) => format!("{told}; it runs under {}", certificate_of_device(fips)),
        None => told,
    }
}

/// Whose revocation list is asked for.
pub(super) fn list_asked(event: &CrlAuthorized, number: Seq, names: &Names) -> String {
    let which = if event.action.is_some() { "the last revocation list" } else { "revocation list" };
    format!("asked {} to sign {which} {number}", names.key(event.key))
}

/// What a document is about.
pub(super) fn report(event: &DocumentAuthorized, names: &Names) -> String {
    match (event.kind, event.action, event.from, event.to) {
        (ReportKind::Rotation, Some(action), _, _) => {
            format!("the evidence pack of: {}", names.action(action))
        }
        (ReportKind::Period, _, Some(from), Some(to)) => {
            format!("the evidence pack of {} until {}", moment(from), moment(to))
        }
        (ReportKind::LedgerKey, Some(action), _, _) => {
            format!("the evidence pack of: {}", names.action(action))
        }
        // The rules let none of these come about.
        (ReportKind::Rotation, None, _, _) => "the evidence pack of a rotation".to_owned(),
        (ReportKind::LedgerKey, None, _, _) => "the evidence pack of a ledger key".to_owned(),
        (ReportKind::Period, ..) => "the evidence pack of a period".to_owned(),
        (ReportKind::Incident, ..) => match event.incident {
            Some(incident) => format!("the statement about incident {}", short_end(&incident.to_string())),
            None => "the statement about an incident".to_owned(),
        },
        (ReportKind::TrustRoot, ..) => "the trust root".to_owned(),
    }
}

/// What something is signed for: where a caller's artifact goes, or what the server has it signed for.
pub(super) fn purpose(event: &SignatureAuthorized) -> &'static str {
    match (&event.purpose, event.environment) {
        (Some(SigningPurpose::Canary { .. }), _) => "a canary: the new key is tried before it takes over",
        (Some(SigningPurpose::Certificate { .. }), _) => "a certificate",
        (Some(SigningPurpose::CertificateRequest { .. }), _) => "a request for a certificate",
        (Some(SigningPurpose::Sample { .. }), _) => "a drill: a sample of what the slot would sign",
        (None, Some(environment)) => environment_name(environment),
        (None, None) => "no environment",
    }
}

#[cfg(test)]
mod tests;
