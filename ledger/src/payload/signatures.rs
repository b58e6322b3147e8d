//! Payloads of signatures, of outside evidence and of refusals.

use serde::{Deserialize, Serialize};

use super::FailureCode;
use crate::algorithm::Algorithm;
use crate::attachment::{Attachment, MediaType};
use crate::encoding::{B64, Hash, HexBytes};
use crate::event::Actor;
use crate::ids::{ActionId, EvidenceId, KeyId, MemberId, Seq, ServiceId, SlotName};
use crate::policy::Environment;
use crate::timestamp::Timestamp;

/// What outside evidence is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "id", rename_all = "snake_case", deny_unknown_fields)]
pub enum Subject {
    /// An action.
    Action(ActionId),
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
    /// Where the artifact is meant to go.
    pub environment: Environment,
    /// First moment that the signature no longer may be released.
    pub expires_at: Timestamp,
    /// The key.
    pub key: KeyId,
    /// The message itself, for pure Ed25519 alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<Attachment>,
    /// Digest of the slot's signing policy.
    pub policy: Hash,
    /// The slot.
    pub slot: SlotName,
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

payload!(
    /// See [`super::Payload::SignatureCreated`].
    SignatureCreated {
        /// What it was made with.
        algorithm: Algorithm,
        /// The seq of its `signature.authorized`.
        authorization: Seq,
        /// What was signed.
        digest: HexBytes,
        /// The key.
        key: KeyId,
        /// The signature, in the algorithm's encoding.
        signature: B64,
        /// SHA-256 of the key's SubjectPublicKeyInfo.
        spki_sha256: Hash,
    }
);

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
