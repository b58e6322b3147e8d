//! Payloads of revocation lists and destroyed keys (rules version 3).

use serde::{Deserialize, Serialize};

use super::FailureCode;
use crate::encoding::{B64, Hash, HexBytes};
use crate::ids::{ActionId, KeyId, Seq};
use crate::timestamp::Timestamp;

payload!(
    /// See [`super::Payload::CrlAbandoned`].
    CrlAbandoned {
        /// The seq of its `crl.authorized`.
        authorization: Seq,
    }
);

/// See [`super::Payload::CrlAuthorized`]; its seq is the list's number (RFC 5280 §5.2.3), so that a number never goes back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CrlAuthorized {
    /// The `key.destroy` before which the list is the key's last one; none for every other list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<ActionId>,
    /// The digest of the TBSCertList, by the algorithm of the key's slot.
    pub digest: HexBytes,
    /// First moment that the list no longer may be recorded as issued.
    pub expires_at: Timestamp,
    /// The CA's key.
    pub key: KeyId,
    /// When the next list will be there at the latest (RFC 5280 §5.1.2.5).
    pub next_update: Timestamp,
}

payload!(
    /// See [`super::Payload::CrlFailed`].
    CrlFailed {
        /// The seq of its `crl.authorized`.
        authorization: Seq,
        /// A stable word for why.
        code: FailureCode,
    }
);

payload!(
    /// See [`super::Payload::CrlIssued`].
    CrlIssued {
        /// The seq of its `crl.authorized`: the list's number.
        authorization: Seq,
        /// The CA's key.
        key: KeyId,
        /// SHA-256 of the list, DER (RFC 5280 §5.1).
        sha256: Hash,
        /// Over the TBSCertList, in the algorithm's encoding.
        signature: B64,
        /// The list's length in bytes.
        size: u64,
    }
);

payload!(
    /// See [`super::Payload::KeyDestroyed`].
    KeyDestroyed {
        /// The action.
        action: ActionId,
        /// The key.
        key: KeyId,
    }
);
