//! What each type of action asks for.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::algorithm::Algorithm;
use crate::attachment::Attachment;
use crate::encoding::{B64, Hash, HexBytes};
use crate::ids::{BackendName, CertificateId, KeyId, MemberId, ServiceId, SlotName};
use crate::policy::{Environment, LedgerPolicy, Role, SigningPolicy};
use crate::rotation::RotationPolicy;
use crate::timestamp::Timestamp;
use crate::webauthn::{ApprovalRp, Credential};

/// `approval_rp.set`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApprovalRpParams {
    /// The relying party from then on.
    pub approval_rp: ApprovalRp,
}

/// `credential.add`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CredentialAddParams {
    /// The authenticator, registered before.
    pub credential: Credential,
    /// Whose it is.
    pub member: MemberId,
}

/// `certificate.issue`. The certificate's id is the action's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CertificateIssueParams {
    /// The key that it is to name.
    pub key: KeyId,
    /// Digest of the slot's rotation policy, which says what it says.
    pub policy: Hash,
    /// The key's slot.
    pub slot: SlotName,
}

/// `certificate.revoke`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CertificateRevokeParams {
    /// Which certificate.
    pub certificate: CertificateId,
    /// From when on it is not to be believed, where that is before its revocation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invalid_since: Option<Timestamp>,
    /// Why.
    pub reason: RevocationReason,
}

/// `key.destroy`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyDestroyParams {
    /// Which key.
    pub key: KeyId,
}

/// `hsm.access_review`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HsmAccessReviewParams {
    /// The device.
    pub backend: BackendName,
    /// The digest of the disclosure `findings`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub findings_digest: Option<B64>,
    /// The FIPS 140 certificate that the device runs under; none where absent (rules version 3).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fips: Option<FipsCertificate>,
    /// How many people and machines can reach the device.
    pub holder_count: u32,
    /// The digest of the disclosure `holders`: who they are, a line each.
    pub holders_digest: B64,
}

/// A validation of the Cryptographic Module Validation Program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FipsCertificate {
    /// The certificate's number, from 1 on.
    pub certificate: u32,
    /// The security level, 1 to 4 (FIPS 140-3 §1).
    pub level: u8,
}

impl FipsCertificate {
    /// Whether number and level can be.
    pub fn is_well_formed(self) -> bool {
        self.certificate > 0 && (1..=4).contains(&self.level)
    }
}

/// `key.adopt`: a slot, and the key that it begins with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyAdoptParams {
    /// How the device knows the key: 1 to 128 printable ASCII characters.
    pub label: String,
    /// The slot that is to be.
    pub slot: SlotCreateParams,
    /// SHA-256 of the key's SubjectPublicKeyInfo.
    pub spki_sha256: Hash,
}

/// `key.rotate`, `key.rotate_emergency`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyRotateParams {
    /// The key that is to be replaced: the slot's active one.
    pub old_key: KeyId,
    /// Digest of the slot's rotation policy, under which the whole rotation stands.
    pub policy: Hash,
    /// The slot.
    pub slot: SlotName,
}

/// `slot.rotation_set`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlotRotationParams {
    /// The policy from then on.
    pub rotation: RotationPolicy,
    /// Which slot.
    pub slot: SlotName,
}

/// `credential.remove`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CredentialRemoveParams {
    /// Which.
    pub credential_id: B64,
    /// Whose.
    pub member: MemberId,
}

/// Why a key is revoked: the reason codes of RFC 5280 §5.3.1 that fit a signing key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RevocationReason {
    /// Its owner's affiliation changed.
    AffiliationChanged,
    /// It is no longer needed.
    CessationOfOperation,
    /// Somebody else may hold or have used it.
    KeyCompromise,
    /// Its privileges were withdrawn.
    PrivilegeWithdrawn,
    /// Another key took its place.
    Superseded,
}

/// `key.revoke`, `key.revoke_emergency`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyRevokeParams {
    /// Since when the key is suspected; only with `key_compromise`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compromised_since: Option<Timestamp>,
    /// Which key.
    pub key: KeyId,
    /// Why.
    pub reason: RevocationReason,
}

/// Actions whose effect is a new key in a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeviceKeyParams {
    /// The device.
    pub backend: BackendName,
}

/// `member.enroll`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemberEnrollParams {
    /// The candidate's authenticators.
    pub credentials: Vec<Credential>,
    /// The digest of the disclosure `display_name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name_digest: Option<B64>,
    /// The candidate's id.
    pub member: MemberId,
    /// The roles to begin with.
    pub roles: BTreeSet<Role>,
}

/// `member.recover`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemberRecoverParams {
    /// The authenticators that replace the member's, registered before.
    pub credentials: Vec<Credential>,
    /// Who lost theirs.
    pub member: MemberId,
}

/// `member.remove`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemberParams {
    /// Who.
    pub member: MemberId,
}

/// `member.restore`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemberRestoreParams {
    /// The one credential whose suspension is lifted; the member's own suspension where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential_id: Option<B64>,
    /// Who.
    pub member: MemberId,
}

/// `policy.set`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicySetParams {
    /// The ledger policy from then on.
    pub policy: LedgerPolicy,
}

/// `role.grant`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoleGrantParams {
    /// To whom.
    pub member: MemberId,
    /// First moment that it no longer holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_after: Option<Timestamp>,
    /// First moment that it holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
    /// Which.
    pub role: Role,
}

/// `role.revoke`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoleRevokeParams {
    /// From whom.
    pub member: MemberId,
    /// Which.
    pub role: Role,
}

/// `rules.adopt`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RulesAdoptParams {
    /// The version that governs from the next event on.
    pub rules: u64,
}

/// `service.enroll`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceEnrollParams {
    /// The digest of the disclosure `display_name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name_digest: Option<B64>,
    /// The service's id.
    pub service: ServiceId,
    /// The slots that it may use.
    pub slots: BTreeSet<SlotName>,
    /// First moment that the token no longer holds.
    pub token_expires_at: Timestamp,
    /// SHA-256 of the token's 32 bytes.
    pub token_sha256: Hash,
}

/// `service.grant`: other slots, and another token where one is given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceGrantParams {
    /// Which service.
    pub service: ServiceId,
    /// The slots that it may use from then on, replacing those before.
    pub slots: BTreeSet<SlotName>,
    /// A new token, replacing the one before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<TokenGrant>,
}

/// A service's token, as the ledger knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenGrant {
    /// First moment that it no longer holds.
    pub expires_at: Timestamp,
    /// SHA-256 of its 32 bytes.
    pub sha256: Hash,
}

/// `service.restore`, `service.remove`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceParams {
    /// Which.
    pub service: ServiceId,
}

/// `signing.approve`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SigningApproveParams {
    /// The digest of the disclosure `artifact_name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_name_digest: Option<B64>,
    /// The digest of the disclosure `artifact_ticket`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_ticket_digest: Option<B64>,
    /// The digest of the disclosure `artifact_version`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_version_digest: Option<B64>,
    /// What is to be signed; for pure Ed25519 the SHA-256 of the message.
    pub digest: HexBytes,
    /// Where the artifact is meant to go.
    pub environment: Environment,
    /// The slot that is to sign.
    pub slot: SlotName,
}

/// `signing.batch`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SigningBatchParams {
    /// How many digests: 1 to 10,000.
    pub count: u32,
    /// The digests' bytes one behind the other, in the order of the tree; nothing else.
    pub digests: Attachment,
    /// Where the artifacts are meant to go.
    pub environment: Environment,
    /// The digest of the disclosure `names`: the artifacts' names in the same order, a line each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub names_digest: Option<B64>,
    /// The root of the RFC 6962 tree whose leaves are the digests' bytes.
    pub root: Hash,
    /// The slot that is to sign.
    pub slot: SlotName,
}

/// `slot.create`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlotCreateParams {
    /// What it signs with.
    pub algorithm: Algorithm,
    /// The device that makes and keeps its keys.
    pub backend: BackendName,
    /// Whether it is for drills alone (rules version 4).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub drill: bool,
    /// Days that an old key stays usable beside a new one: at least 7.
    pub overlap_days: u16,
    /// The member who answers for it.
    pub owner: MemberId,
    /// How its key is replaced, and with which certificate; what the days alone say where absent (rules version 2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotation: Option<RotationPolicy>,
    /// Days after which its key is to be replaced.
    pub rotation_days: u16,
    /// What may be signed, by whom.
    pub signing_policy: SigningPolicy,
    /// Its name.
    pub slot: SlotName,
}

/// `slot.policy_set`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlotPolicyParams {
    /// The policy from then on.
    pub signing_policy: SigningPolicy,
    /// Which slot.
    pub slot: SlotName,
}

/// `slot.resume`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlotParams {
    /// Which.
    pub slot: SlotName,
}
