//! Rotations and certificates in plain words.

use sealbook_ledger::action::{FipsCertificate, HsmAccessReviewParams, KeyAdoptParams};
use sealbook_ledger::certificate::{Subject, Usage};
use sealbook_ledger::rotation::{CertificatePolicy, IssuerPolicy, RotationPolicy};

use super::{counted, list, lower_first};

/// A rotation policy: when keys are replaced, what has to happen before the old one retires, and with which certificate.
pub fn policy(policy: &RotationPolicy) -> String {
    let mut text = format!(
        "rotated every {}, proposed by the server {} before, the old key kept for {}",
        counted(policy.rotation_days.into(), "day"),
        span(policy.propose_days),
        span(policy.overlap_days),
    );
    match policy.channels.len() {
        0 => {}
        1 => text.push_str(&format!(" and until channel {} has moved", list(&policy.channels))),
        _ => text.push_str(&format!(" and until channels {} have moved", list(&policy.channels))),
    }
    if policy.old_key_signs {
        text.push_str(", signing meanwhile where asked");
    }
    if policy.revoke_superseded {
        text.push_str(", its certificate revoked then");
    }
    match &policy.certificate {
        Some(certificate) => format!("{text}, {}", certified(certificate)),
        None => text,
    }
}

/// What a slot's key is certified for, by whom, under which name and for how long.
pub(super) fn certified(certificate: &CertificatePolicy) -> String {
    let issuer = match &certificate.issuer {
        IssuerPolicy::Outside { .. } => "a CA elsewhere".to_owned(),
        IssuerPolicy::SelfSigned => "itself".to_owned(),
        IssuerPolicy::Slot { slot } => format!("CA slot {slot}"),
    };
    format!(
        "certified for {} by {issuer} as {} for {}",
        usage(&certificate.usage),
        subject(&certificate.subject),
        span(certificate.validity_days),
    )
}

/// What a key is for.
pub(in crate::views) fn usage(usage: &Usage) -> &'static str {
    match usage {
        Usage::CodeSigning => "code signing",
        Usage::ClientAuth => "client authentication",
        Usage::Issuing { .. } => "issuing certificates",
    }
}

/// A name as certificates write it, the common name first.
pub(in crate::views) fn subject(subject: &Subject) -> String {
    let rest = [
        ("OU", subject.organizational_unit.as_ref().map(ToString::to_string)),
        ("O", subject.organization.as_ref().map(ToString::to_string)),
        ("L", subject.locality.as_ref().map(ToString::to_string)),
        ("ST", subject.province.as_ref().map(ToString::to_string)),
        ("C", subject.country.as_ref().map(ToString::to_string)),
    ];
    let mut text = format!("CN {}", subject.common_name);
    for (attribute, value) in rest {
        value.into_iter().for_each(|value| text.push_str(&format!(", {attribute} {value}")));
    }
    text
}

/// So many who can reach a device.
pub(in crate::views) fn holders(count: u32) -> String {
    if count == 1 { "1 person or machine".to_owned() } else { format!("{count} people and machines") }
}

pub(super) fn review(p: &HsmAccessReviewParams) -> String {
    let findings = if p.findings_digest.is_some() { "with findings" } else { "without findings" };
    let asked = format!(
        "Put on record that {} can reach {}, reviewed {findings}",
        holders(p.holder_count),
        p.backend
    );
    match p.fips {
        Some(fips) => format!("{asked}, and that it runs under {}", certificate_of_device(fips)),
        None => asked,
    }
}

/// A validation of a device's module.
pub(in crate::views) fn certificate_of_device(fips: FipsCertificate) -> String {
    format!("FIPS 140 certificate {} at level {}", fips.certificate, fips.level)
}

/// `created` is the sentence of the slot that is to be.
pub(super) fn adopt(p: &KeyAdoptParams, created: &str) -> String {
    format!(
        "Adopt key “{}” in {}, whose public key has SHA-256 {}: {}",
        p.label,
        p.slot.backend,
        p.spki_sha256,
        lower_first(created),
    )
}

/// After "for": `1 day`, `90 days`.
pub(in crate::views) fn span(count: u16) -> String {
    if count == 1 { "1 day".to_owned() } else { format!("{count} days") }
}
