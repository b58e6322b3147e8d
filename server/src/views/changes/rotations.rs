//! Rotation policies, member by member, and what a rotation, an adoption or a certificate changes.

use sealbook_ledger::action::{
    CertificateIssueParams, HsmAccessReviewParams, KeyAdoptParams, KeyRotateParams,
};
use sealbook_ledger::certificate::Usage;
use sealbook_ledger::rotation::{CertificatePolicy, IssuerPolicy, RotationPolicy};

use super::policies::ClauseText;
use super::{Change, Now, days, list};
use crate::views::sentence::{certificate_of_device, moment, span, subject, usage};

/// How long keys are used.
const DAYS: &[ClauseText<RotationPolicy>] = &[
    ("Replaced every", |policy| days(policy.rotation_days)),
    ("Old key stays usable for", |policy| days(policy.overlap_days)),
];

/// What else a rotation policy says of keys.
const BESIDE_DAYS: &[ClauseText<RotationPolicy>] = &[
    ("The server proposes a rotation", |policy| match policy.propose_days {
        0 => "once it is due".to_owned(),
        ahead => format!("{} before it is due", span(ahead)),
    }),
    ("Channels that move before the old key retires", |policy| list(&policy.channels)),
    ("Old key signs meanwhile where asked", |policy| yes(policy.old_key_signs)),
    ("Certificate of the old key", |policy| match policy.revoke_superseded {
        true => "revoked as superseded once the key has retired".to_owned(),
        false => "not revoked".to_owned(),
    }),
];

/// What it says of certificates.
const CERTIFICATE: &[ClauseText<CertificatePolicy>] = &[
    ("Certificate issued by", |certificate| issuer(&certificate.issuer)),
    ("Certificate names", |certificate| subject(&certificate.subject)),
    ("Certificate is for", |certificate| match certificate.usage {
        Usage::Issuing { path_len } => {
            format!("{}, with {} further CAs below", usage(&certificate.usage), path_len.get())
        }
        Usage::CodeSigning | Usage::ClientAuth => usage(&certificate.usage).to_owned(),
    }),
    ("Certificate is valid for", |certificate| span(certificate.validity_days)),
    ("Certificate policies", |certificate| list(&certificate.policies)),
    ("Revocation list of the CA", |certificate| {
        certificate.crl_url.as_ref().map_or_else(|| "none".to_owned(), ToString::to_string)
    }),
    ("Signs only under a certificate in force", |certificate| yes(certificate.required)),
];

/// Two rotation policies of a slot. Every member is told, also one that stays, as with signing policies.
pub(super) fn policy(before: Option<&RotationPolicy>, after: &RotationPolicy) -> Vec<Change> {
    let mut rows = told(DAYS, before, after);
    rows.extend(beside_days(before, after));
    rows
}

/// A rotation policy line by line.
pub fn rotation_lines(policy: &RotationPolicy) -> Vec<(&'static str, String)> {
    fn lines<P>(clauses: &[ClauseText<P>], policy: &P) -> Vec<(&'static str, String)> {
        clauses.iter().map(|(what, of)| (*what, of(policy))).collect()
    }
    let mut all = lines(DAYS, policy);
    all.extend(lines(BESIDE_DAYS, policy));
    match &policy.certificate {
        Some(certificate) => all.extend(lines(CERTIFICATE, certificate)),
        None => all.push(("Certificate", "none".to_owned())),
    }
    all
}

/// The same without the days that a slot is created with.
pub(super) fn beside_days(before: Option<&RotationPolicy>, after: &RotationPolicy) -> Vec<Change> {
    let mut rows = told(BESIDE_DAYS, before, after);
    let held = before.and_then(|before| before.certificate.as_ref());
    match &after.certificate {
        Some(certificate) => rows.extend(told(CERTIFICATE, held, certificate)),
        None => rows.push(Change {
            what: "Certificate".to_owned(),
            now: before.map(|_| held.map_or_else(|| "none".to_owned(), summary)),
            after: Some("none".to_owned()),
        }),
    }
    rows
}

fn told<P>(clauses: &[ClauseText<P>], before: Option<&P>, after: &P) -> Vec<Change> {
    let row = |(what, of): &ClauseText<P>| Change {
        what: (*what).to_owned(),
        now: before.map(of),
        after: Some(of(after)),
    };
    clauses.iter().map(row).collect()
}

fn issuer(issuer: &IssuerPolicy) -> String {
    match issuer {
        IssuerPolicy::Outside { anchors } => {
            format!("a CA elsewhere, up to a certificate with SHA-256 {}", list(anchors))
        }
        IssuerPolicy::SelfSigned => "itself".to_owned(),
        IssuerPolicy::Slot { slot } => format!("CA slot {slot}"),
    }
}

/// A certificate policy in one line.
fn summary(certificate: &CertificatePolicy) -> String {
    let issuer = match &certificate.issuer {
        IssuerPolicy::Outside { .. } => "a CA elsewhere".to_owned(),
        other => issuer(other),
    };
    format!(
        "for {}, issued by {issuer} to {}, valid for {}",
        usage(&certificate.usage),
        subject(&certificate.subject),
        span(certificate.validity_days)
    )
}

/// Who can reach a device.
pub(super) fn review(p: &HsmAccessReviewParams) -> Vec<Change> {
    let findings = p.findings_digest.as_ref().map_or_else(|| "none".to_owned(), ToString::to_string);
    vec![
        Change::new("Device whose access was reviewed", p.backend.to_string()),
        Change::new("People and machines that can reach it", p.holder_count.to_string()),
        Change::new("Who they are, by digest", p.holders_digest.to_string()),
        Change::new("Findings, by digest", findings),
        Change::new(
            "FIPS 140 certificate of the device",
            p.fips.map_or_else(|| "none".to_owned(), certificate_of_device),
        ),
    ]
}

impl Now<'_> {
    /// Where the policy says nothing of certificates, nothing comes of it: the rules refuse it.
    pub(super) fn certificate_issue(&self, p: &CertificateIssueParams) -> Vec<Change> {
        let held = self.founded.certificate_of(p.key).map_or_else(
            || "none".to_owned(),
            |issued| format!("one until {}, fingerprint {}", moment(issued.not_after), issued.fingerprint),
        );
        let after = format!("a new one, as the rotation policy of slot {} says", p.slot);
        let mut rows = vec![Change::between(format!("Certificate of key {}", p.key), held, after)];
        rows.extend(self.certificate_to_come(p.slot.as_str()));
        rows
    }

    /// What the policy in force makes of a certificate that is to come.
    fn certificate_to_come(&self, slot: &str) -> Option<Change> {
        let (_, slot) = self.founded.slots().iter().find(|(name, _)| name.as_str() == slot)?;
        let certificate = slot.rotation.certificate.as_ref()?;
        Some(Change::new("Certificate that the policy in force makes", summary(certificate)))
    }

    pub(super) fn key_adopt(&self, p: &KeyAdoptParams) -> Vec<Change> {
        let slot = &p.slot;
        let key = format!("{}, in {} already as “{}”", slot.algorithm, slot.backend, p.label);
        let mut rows = self.slot_create(slot, key);
        rows.push(Change::new("SHA-256 of its public key", p.spki_sha256.to_string()));
        rows
    }

    pub(super) fn key_rotate(&self, p: &KeyRotateParams, emergency: bool) -> Vec<Change> {
        let slot = self.founded.slots().get(&p.slot);
        let key = self.founded.keys().get(&p.old_key);
        let signs_with = slot.and_then(|slot| slot.active);
        let state = key.map_or("not there", |key| key.state_name()).replace('_', " ");
        let (retires, overlap) = match (emergency, slot) {
            (true, _) => ("deactivated as soon as the new key signs", Some("not at all".to_owned())),
            (false, Some(slot)) => {
                ("deactivated once its overlap is over", Some(days(slot.rotation.overlap_days)))
            }
            (false, None) => ("deactivated once its overlap is over", None),
        };
        let mut rows = vec![
            Change::between(
                format!("Key of slot {}", p.slot),
                signs_with.map_or_else(|| "none".to_owned(), |key| format!("key {key}")),
                "a new key, made in the same device",
            ),
            Change::between(format!("State of key {}", p.old_key), state, retires),
        ];
        rows.extend(overlap.map(|overlap| Change::new("Old key stays usable for", overlap)));
        rows.extend(self.certificate_to_come(p.slot.as_str()));
        rows
    }
}

fn yes(flag: bool) -> String {
    if flag { "yes".to_owned() } else { "no".to_owned() }
}
