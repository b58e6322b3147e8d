//! Payloads of rotations: from the approved start to the old key's retirement (rules version 2).

use serde::{Deserialize, Serialize};

use super::FailureCode;
use crate::attachment::Attachment;
use crate::encoding::Hash;
use crate::ids::{ActionId, ChannelName, IncidentId, KeyId, MemberId, SlotName};
use crate::rotation::RotationPolicy;
use crate::timestamp::Timestamp;

payload!(
    /// See [`super::Payload::SlotRotationSet`].
    SlotRotationSet {
        /// The action.
        action: ActionId,
        /// The policy from then on.
        rotation: RotationPolicy,
        /// Which slot.
        slot: SlotName,
    }
);

payload!(
    /// See [`super::Payload::SlotRotationOverdue`].
    SlotRotationOverdue {
        /// When the key should have been replaced.
        due_at: Timestamp,
        /// The key.
        key: KeyId,
        /// Its slot.
        slot: SlotName,
    }
);

payload!(
    /// See [`super::Payload::RotationStarted`].
    RotationStarted {
        /// The action, by whose id the rotation goes.
        action: ActionId,
        /// Whether waiting is skipped: a break-glass rotation.
        emergency: bool,
        /// The key that is to be replaced.
        old_key: KeyId,
        /// Digest of the slot's rotation policy, under which the whole rotation stands.
        policy: Hash,
        /// The slot.
        slot: SlotName,
    }
);

payload!(
    /// See [`super::Payload::RotationCanaryRecorded`].
    RotationCanaryRecorded {
        /// The rotation.
        action: ActionId,
        /// The new key.
        key: KeyId,
        /// What was signed: canonical JSON, `[{authorization, digest, original?}]`, in the order of `authorization`.
        results: Attachment,
        /// How many digests were signed with the new key and verified.
        signed: u32,
    }
);

/// See [`super::Payload::RotationCutOver`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RotationCutOver {
    /// The rotation.
    pub action: ActionId,
    /// SHA-256 of the new key's certificate, where the rotation's policy asks for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<Hash>,
    /// What the slot signs with from now on.
    pub new_key: KeyId,
    /// What it signed with.
    pub old_key: KeyId,
    /// Until when the old key stays beside the new one.
    pub overlap_ends_at: Timestamp,
}

payload!(
    /// See [`super::Payload::RotationConfirmed`]; who confirms is the event's actor.
    RotationConfirmed {
        /// The rotation.
        action: ActionId,
        /// The new key.
        key: KeyId,
    }
);

payload!(
    /// See [`super::Payload::RotationChannelMoved`]; who says so is the event's actor.
    RotationChannelMoved {
        /// The rotation.
        action: ActionId,
        /// The channel.
        channel: ChannelName,
    }
);

payload!(
    /// See [`super::Payload::RotationCompleted`].
    RotationCompleted {
        /// The rotation.
        action: ActionId,
        /// The key that took over.
        new_key: KeyId,
        /// The key that is retired, and kept for verification.
        old_key: KeyId,
    }
);

payload!(
    /// See [`super::Payload::RotationFailed`].
    RotationFailed {
        /// The rotation.
        action: ActionId,
        /// A stable word for why.
        code: FailureCode,
    }
);

/// What a document says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReportKind {
    /// One incident or drill (rules version 4).
    Incident,
    /// One change of the ledger key.
    LedgerKey,
    /// Rotations of a period.
    Period,
    /// One rotation.
    Rotation,
    /// The keys of the ledger, and which of them are to be believed (rules version 3).
    TrustRoot,
}

/// See [`super::Payload::DocumentAuthorized`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DocumentAuthorized {
    /// The rotation that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<ActionId>,
    /// The member who asked for it; none where the server did by itself (rules version 3).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_by: Option<MemberId>,
    /// The digest that the evidence key signs: of the statement ([`crate::reporting::Report`]) in DSSE's pre-authentication
    /// encoding, by the key's algorithm.
    pub digest: crate::encoding::HexBytes,
    /// First moment that the document no longer may be recorded as issued.
    pub expires_at: Timestamp,
    /// First moment of the period.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// The incident that it is about (rules version 4).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incident: Option<IncidentId>,
    /// The evidence key.
    pub key: KeyId,
    /// What the document is.
    pub kind: ReportKind,
    /// SHA-256 of the pack's manifest, which names every file of it; of a trust root that of the document itself.
    pub manifest: crate::encoding::Hash,
    /// First moment after the period.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Timestamp>,
}

payload!(
    /// See [`super::Payload::DocumentAbandoned`].
    DocumentAbandoned {
        /// The seq of its `document.authorized`.
        authorization: crate::ids::Seq,
    }
);

payload!(
    /// See [`super::Payload::DocumentFailed`].
    DocumentFailed {
        /// The seq of its `document.authorized`.
        authorization: crate::ids::Seq,
        /// A stable word for why.
        code: FailureCode,
    }
);

payload!(
    /// See [`super::Payload::RepIssued`].
    RepIssued {
        /// The seq of its `document.authorized`.
        authorization: crate::ids::Seq,
        /// What the evidence key signed.
        digest: crate::encoding::HexBytes,
        /// The evidence key.
        key: KeyId,
        /// SHA-256 of the pack, as it is kept.
        sha256: Hash,
        /// The evidence key's signature over the DSSE pre-authentication encoding, in its algorithm's encoding.
        signature: crate::encoding::B64,
        /// The pack's length in bytes.
        size: u64,
    }
);
