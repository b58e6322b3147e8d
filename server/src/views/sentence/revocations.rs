//! Revocations in plain words.

use sealbook_ledger::action::{CertificateRevokeParams, KeyRevokeParams, RevocationReason};

use super::moment;

/// A key that is to be believed no more.
pub(super) fn key(p: &KeyRevokeParams) -> String {
    since(format!("Revoke key {} for good, because {}", p.key, because(p.reason)), p.compromised_since)
}

/// A certificate that is to be believed no more, while its key goes on.
pub(super) fn certificate(p: &CertificateRevokeParams) -> String {
    let asked = format!(
        "Revoke certificate {} for good, and not its key, because {}",
        p.certificate,
        because_of_certificate(p.reason)
    );
    since(asked, p.invalid_since)
}

fn since(asked: String, since: Option<sealbook_ledger::timestamp::Timestamp>) -> String {
    match since {
        Some(since) => format!("{asked}, since {}", moment(since)),
        None => asked,
    }
}

fn because(reason: RevocationReason) -> &'static str {
    match reason {
        RevocationReason::AffiliationChanged => "its owner's affiliation changed",
        RevocationReason::CessationOfOperation => "it is no longer needed",
        RevocationReason::KeyCompromise => "somebody else may hold or have used it",
        RevocationReason::PrivilegeWithdrawn => "its privileges were withdrawn",
        RevocationReason::Superseded => "another key took its place",
    }
}

fn because_of_certificate(reason: RevocationReason) -> &'static str {
    match reason {
        RevocationReason::KeyCompromise => "somebody else may hold or have used its key",
        RevocationReason::Superseded => "another certificate took its place",
        other => because(other),
    }
}
