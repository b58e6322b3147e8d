//! A slot's rotation policy: how often its key is replaced, and with which certificate.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::canonical::{self, Unrepresentable};
use crate::certificate::{CrlUrl, MAX_POLICIES, PolicyOid, Subject, Usage};
use crate::encoding::Hash;
use crate::ids::{ChannelName, SlotName};
use crate::slot::{MAX_ROTATION_DAYS, MIN_OVERLAP_DAYS};

/// Most days that a certificate of a slot is valid: CA/Browser Forum code signing requirements, §6.3.2.
pub const MAX_VALIDITY_DAYS: u16 = 460;

/// Most days that a CA's certificate is valid: twenty years.
pub const MAX_CA_VALIDITY_DAYS: u16 = 7320;

/// Most channels of a slot, and anchors of an outside CA.
const MAX_LISTED: usize = 16;

/// How often a slot's key is replaced, what has to happen before the old one retires, and with which certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RotationPolicy {
    /// What the key's certificate says; the slot has none where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<CertificatePolicy>,
    /// The channels that must have moved before an old key is retired.
    pub channels: BTreeSet<ChannelName>,
    /// Whether callers may still ask for signatures by the old key during the overlap.
    pub old_key_signs: bool,
    /// Days that an old key stays usable beside a new one: at least 7.
    pub overlap_days: u16,
    /// Days before it is due that the server proposes a rotation.
    pub propose_days: u16,
    /// Whether the old key's certificate is revoked as `superseded` once it has retired.
    pub revoke_superseded: bool,
    /// Days after which the key is to be replaced.
    pub rotation_days: u16,
    /// 1.
    pub v: u8,
}

/// What the certificate of a slot's key says, and who issues it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CertificatePolicy {
    /// Of a CA: where its CRL will be, which the certificates that it issues name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crl_url: Option<CrlUrl>,
    /// Who issues it.
    pub issuer: IssuerPolicy,
    /// The certificate policies that it is issued under (RFC 5280 §4.2.1.4).
    pub policies: BTreeSet<PolicyOid>,
    /// Whether the slot signs only with a key whose certificate is active.
    pub required: bool,
    /// Whose name it bears.
    pub subject: Subject,
    /// What the key is for.
    pub usage: Usage,
    /// How long it is valid: at most 460 days, a CA's at most 7,320.
    pub validity_days: u16,
}

/// Who issues a slot's certificates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case", tag = "kind")]
pub enum IssuerPolicy {
    /// A CA elsewhere: the request goes out, the chain comes in.
    Outside {
        /// SHA-256 of the certificates that a chain may end in.
        anchors: BTreeSet<Hash>,
    },
    /// The key itself: a root.
    #[serde(rename = "self")]
    SelfSigned,
    /// A CA of this ledger.
    Slot {
        /// The CA's slot.
        slot: SlotName,
    },
}

impl RotationPolicy {
    /// A policy of these intervals without certificate or channels: that of a slot which was created without one.
    pub fn of_days(rotation_days: u16, overlap_days: u16) -> Self {
        Self {
            certificate: None,
            channels: BTreeSet::new(),
            old_key_signs: false,
            overlap_days,
            propose_days: 14.min(rotation_days),
            revoke_superseded: false,
            rotation_days,
            v: 1,
        }
    }

    /// SHA-256 over the policy's canonical form.
    pub fn digest(&self) -> Result<Hash, Unrepresentable> {
        Ok(Hash::sha256(&canonical::to_vec(self)?))
    }

    /// Whether the key is a CA's.
    pub fn is_issuing(&self) -> bool {
        self.certificate.as_ref().is_some_and(CertificatePolicy::is_issuing)
    }

    /// Whether every member lies within its bounds.
    pub fn is_well_formed(&self) -> bool {
        let days = (1..=MAX_ROTATION_DAYS).contains(&self.rotation_days)
            && (MIN_OVERLAP_DAYS..=MAX_ROTATION_DAYS).contains(&self.overlap_days)
            // The next rotation begins once the one before has ended.
            && self.overlap_days < self.rotation_days
            && self.propose_days <= self.rotation_days;
        let certificate = self.certificate.as_ref();
        // What replaces a key must not outlive its certificate: the old one verifies to the overlap's end.
        let certified = certificate.is_none_or(|certificate| {
            let life = u32::from(self.rotation_days) + u32::from(self.overlap_days);
            certificate.is_well_formed() && life <= u32::from(certificate.validity_days)
        });
        // What a CA issued outlives its key: its certificate is needed as long.
        let revokes = !self.revoke_superseded || certificate.is_some_and(|policy| !policy.is_issuing());
        self.v == 1 && days && self.channels.len() <= MAX_LISTED && certified && revokes
    }
}

impl CertificatePolicy {
    /// Whether the certificate is a CA's.
    pub fn is_issuing(&self) -> bool {
        matches!(self.usage, Usage::Issuing { .. })
    }

    fn is_well_formed(&self) -> bool {
        let longest = if self.is_issuing() { MAX_CA_VALIDITY_DAYS } else { MAX_VALIDITY_DAYS };
        let issuer = match &self.issuer {
            IssuerPolicy::Outside { anchors } => (1..=MAX_LISTED).contains(&anchors.len()),
            IssuerPolicy::SelfSigned => self.is_issuing(),
            IssuerPolicy::Slot { .. } => true,
        };
        let crl = self.crl_url.is_none() || self.is_issuing();
        let listed = self.policies.len() <= MAX_POLICIES;
        (1..=longest).contains(&self.validity_days) && issuer && crl && listed
    }
}
