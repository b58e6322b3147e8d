//! Payloads of signatures, of outside evidence and of refusals.

use serde::{Deserialize, Serialize};

use super::FailureCode;
use crate::algorithm::Algorithm;
use crate::attachment::{Attachment, MediaType};
use crate::certificate::SerialNumber;
use crate::encoding::{B64, Hash, HexBytes};
use crate::event::Actor;
use crate::ids::{ActionId, CertificateId, EvidenceId, KeyId, MemberId, Seq, ServiceId, SlotName};
use crate::issuance::Terms;
use crate::policy::Environment;
use crate::timestamp::Timestamp;

/// What outside evidence is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "id", rename_all = "snake_case", deny_unknown_fields)]
pub enum Subject {
    /// An action; a rotation goes by its action's id.
    Action(ActionId),
    /// A certificate (rules version 2).
    Certificate(CertificateId),
    /// An event of this ledger.
    Event(Seq),
    /// A key.
    Key(KeyId),
    /// A person.
    Member(MemberId),
    /// A machine client.
    Service(ServiceId),
    /// A slot.
    Slot(SlotName),
}

payload!(
    /// See [`super::Payload::EvidenceRecorded`].
    EvidenceRecorded {
        /// SHA-256 of the evidence.
        digest: Hash,
        /// Its id.
        evidence: EvidenceId,
        /// What kind of thing it is.
        media_type: MediaType,
        /// What it is about.
        subject: Subject,
    }
);

payload!(
    /// See [`super::Payload::RefusalRecorded`].
    RefusalRecorded {
        /// Who was refused.
        caller: Actor,
        /// How often in that minute.
        count: u32,
        /// The minute's first moment.
        minute: Timestamp,
        /// The rule that refused.
        rule: FailureCode,
    }
);

payload!(
    /// See [`super::Payload::SignatureAbandoned`].
    SignatureAbandoned {
        /// The seq of its `signature.authorized`.
        authorization: Seq,
    }
);

/// See [`super::Payload::SignatureAuthorized`]; the caller is the event's actor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignatureAuthorized {
    /// What it signs with.
    pub algorithm: Algorithm,
    /// The approval that it uses up, exactly where the slot's policy asks for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clearance: Option<ClearanceUse>,
    /// What is signed, in hex; for pure Ed25519 the SHA-256 of the message.
    pub digest: HexBytes,
    /// Where the artifact is meant to go; exactly where there is no `purpose`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<Environment>,
    /// First moment that the signature no longer may be released.
    pub expires_at: Timestamp,
    /// The key.
    pub key: KeyId,
    /// The message itself, for pure Ed25519 alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<Attachment>,
    /// Digest of the slot's signing policy.
    pub policy: Hash,
    /// What the server has it signed for; a caller's artifact where absent (rules version 2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<SigningPurpose>,
    /// The key's certificate, exactly where the slot requires one (rules version 2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signing: Option<Signing>,
    /// The slot.
    pub slot: SlotName,
}

/// The certificate under which a signature is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signing {
    /// From when it holds (`notBefore`).
    pub certificate_issued: Timestamp,
    /// SHA-256 of it.
    pub fingerprint: Hash,
}

/// What the server has signed on its own: nothing that a caller chose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case", tag = "kind")]
pub enum SigningPurpose {
    /// A digest that the slot signed last, tried with the new key before it takes over.
    Canary {
        /// The rotation.
        action: ActionId,
        /// The `signature.created` that released it; none for the rotation's own message.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        original: Option<Seq>,
    },
    /// A certificate; `digest` is that of the TBSCertificate which its slot's policy and these terms make.
    Certificate {
        /// The certificate.
        certificate: CertificateId,
        /// The last moment that it holds.
        not_after: Timestamp,
        /// From when it holds.
        not_before: Timestamp,
        /// Its serial number.
        serial: SerialNumber,
    },
    /// An artifact that stands for one in a drill; `digest` is that of the slot's sample of this number (rules version 4).
    Sample {
        /// Which sample: 1 to 100.
        number: u8,
    },
    /// A key's own request for a certificate; `digest` is that of the CertificationRequestInfo.
    CertificateRequest {
        /// The certificate.
        certificate: CertificateId,
    },
}

impl SigningPurpose {
    /// The certificate that it is about.
    pub fn certificate(&self) -> Option<CertificateId> {
        match self {
            Self::Canary { .. } | Self::Sample { .. } => None,
            Self::Certificate { certificate, .. } | Self::CertificateRequest { certificate } => {
                Some(*certificate)
            }
        }
    }

    /// What a certificate says besides what its policy and issuer fix.
    pub fn terms(&self) -> Option<Terms> {
        match self {
            Self::Certificate { not_after, not_before, serial, .. } => {
                Some(Terms { serial: serial.clone(), not_before: *not_before, not_after: *not_after })
            }
            Self::Canary { .. } | Self::CertificateRequest { .. } | Self::Sample { .. } => None,
        }
    }
}

/// One digest of an approved list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClearanceUse {
    /// The `signing.approve` or `signing.batch` that was approved.
    pub action: ActionId,
    /// The digest's 0-based place in the list.
    pub index: u32,
    /// Its inclusion proof (RFC 6962 §2.1.1); empty for a list of one.
    pub proof: Vec<Hash>,
}

/// See [`super::Payload::SignatureCreated`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignatureCreated {
    /// What it was made with.
    pub algorithm: Algorithm,
    /// The seq of its `signature.authorized`.
    pub authorization: Seq,
    /// What was signed.
    pub digest: HexBytes,
    /// The key.
    pub key: KeyId,
    /// The signature, in the algorithm's encoding.
    pub signature: B64,
    /// The key's certificate, where its authorisation names one (rules version 2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signing: Option<Signing>,
    /// SHA-256 of the key's SubjectPublicKeyInfo.
    pub spki_sha256: Hash,
}

payload!(
    /// See [`super::Payload::SignatureFailed`].
    SignatureFailed {
        /// The seq of its `signature.authorized`.
        authorization: Seq,
        /// A stable word for why.
        code: FailureCode,
    }
);

payload!(
    /// See [`super::Payload::SigningApproved`].
    SigningApproved {
        /// The action.
        action: ActionId,
        /// How many digests.
        count: u32,
        /// Where the artifacts are meant to go.
        environment: Environment,
        /// First moment that they no longer may be signed: the action's own end.
        expires_at: Timestamp,
        /// The root of the RFC 6962 tree whose leaves are the digests' bytes.
        root: Hash,
        /// The slot.
        slot: SlotName,
    }
);

/// Why a signature that exists was not released.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WithheldReason {
    /// Its authorisation had run out.
    Expired,
    /// Its key was revoked, or its caller removed, first.
    Revoked,
    /// Its slot, or its caller, was suspended first.
    Suspended,
}

payload!(
    /// See [`super::Payload::SignatureWithheld`].
    SignatureWithheld {
        /// The seq of its `signature.authorized`.
        authorization: Seq,
        /// Why.
        reason: WithheldReason,
        /// SHA-256 of the signature, which is kept nowhere.
        signature_sha256: Hash,
    }
);
