//! Payloads about slots, keys and what devices hold.

use serde::{Deserialize, Serialize};

use super::FailureCode;
use crate::action::RevocationReason;
use crate::algorithm::Algorithm;
use crate::attributes::KeyAttributes;
use crate::encoding::{B64, Hash};
use crate::ids::{ActionId, BackendName, KeyId, MemberId, SlotName};
use crate::policy::SigningPolicy;
use crate::rotation::RotationPolicy;
use crate::timestamp::Timestamp;

payload!(
    /// See [`super::Payload::CustodyUnexplained`].
    CustodyUnexplained {
        /// The device.
        backend: BackendName,
        /// SHA-256 of what identifies the object there.
        object_sha256: Hash,
    }
);

payload!(
    /// See [`super::Payload::KeyActivated`].
    KeyActivated {
        /// The action.
        action: ActionId,
        /// The key.
        key: KeyId,
        /// Its slot.
        slot: SlotName,
    }
);

payload!(
    /// See [`super::Payload::KeyGenerationAuthorized`].
    KeyGenerationAuthorized {
        /// The action.
        action: ActionId,
        /// What it is to sign with.
        algorithm: Algorithm,
        /// First moment that the outcome no longer may be recorded as made.
        expires_at: Timestamp,
        /// The key.
        key: KeyId,
        /// `sealbook/<origin>/<key>`: how the device knows it.
        label: String,
        /// Its slot.
        slot: SlotName,
    }
);

payload!(
    /// See [`super::Payload::KeyGenerated`].
    KeyGenerated {
        /// As the device reports them.
        attributes: KeyAttributes,
        /// The key.
        key: KeyId,
        /// SubjectPublicKeyInfo, DER (RFC 5280 §4.1.2.7).
        spki: B64,
        /// SHA-256 of it.
        spki_sha256: Hash,
    }
);

/// See [`super::Payload::KeyGenerationFailed`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyGenerationFailed {
    /// What the device reported of a key that was refused for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attributes: Option<KeyAttributes>,
    /// A stable word for why.
    pub code: FailureCode,
    /// The key.
    pub key: KeyId,
}

payload!(
    /// See [`super::Payload::KeyGenerationAbandoned`].
    KeyGenerationAbandoned {
        /// The key.
        key: KeyId,
    }
);

/// See [`super::Payload::KeyRevoked`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyRevoked {
    /// The action.
    pub action: ActionId,
    /// Since when it is suspected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compromised_since: Option<Timestamp>,
    /// The key.
    pub key: KeyId,
    /// Why.
    pub reason: RevocationReason,
}

/// See [`super::Payload::SlotCreated`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlotCreated {
    /// The action.
    pub action: ActionId,
    /// What it signs with.
    pub algorithm: Algorithm,
    /// The device that makes and keeps its keys.
    pub backend: BackendName,
    /// Whether it is for drills alone (rules version 4).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub drill: bool,
    /// Days that an old key stays usable beside a new one.
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

payload!(
    /// See [`super::Payload::SlotPolicySet`].
    SlotPolicySet {
        /// The action.
        action: ActionId,
        /// The policy.
        signing_policy: SigningPolicy,
        /// Which slot.
        slot: SlotName,
    }
);

payload!(
    /// See [`super::Payload::SlotResumed`].
    SlotResumed {
        /// The action.
        action: ActionId,
        /// Which.
        slot: SlotName,
    }
);
