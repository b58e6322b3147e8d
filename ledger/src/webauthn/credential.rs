//! Who may assert, and towards whom: a member's enrolled credential and the relying party of approvals.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::CosePublicKey;
use crate::attachment::Attachment;
use crate::encoding::B64;
use crate::ids::Aaguid;

/// The relying party that approvals are made for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApprovalRp {
    /// The relying party's id: a domain (WebAuthn §4, "RP ID").
    pub id: String,
    /// The web origins that may ask for approvals, e.g. `https://sealbook.example.com`.
    pub origins: BTreeSet<String>,
    /// Whether approval credentials sign in as well. Verdicts say so: a server could then disguise an approval
    /// as a sign-in.
    pub shared: bool,
}

/// Where a credential's private key lives, as far as anybody knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CredentialKind {
    /// In a device whose attestation verifies; it never leaves it.
    Hardware,
    /// With a passkey provider that copies it between devices.
    Synced,
    /// Nobody vouches for the place.
    Unattested,
    /// In a file.
    Software,
}

/// A public key credential of one member, as enrolled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Credential {
    /// The name that the authenticator gave it.
    pub credential_id: B64,
    /// Its public key, in the bytes that the authenticator gave.
    pub cose_public_key: CosePublicKey,
    /// The authenticator's make.
    pub aaguid: Aaguid,
    /// The relying party that it was made for.
    pub rp_id: String,
    /// Whether it may be copied to other devices (BE), for ever.
    pub backup_eligible: bool,
    /// Where its private key lives.
    pub kind: CredentialKind,
    /// The authenticator's attestation object; what proves `hardware`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attestation: Option<Attachment>,
}
