//! Payloads of certificates, adopted keys and reviews of access (rules version 2).

use serde::{Deserialize, Serialize};

use super::FailureCode;
use crate::action::{FipsCertificate, RevocationReason};
use crate::attributes::KeyAttributes;
use crate::encoding::{B64, Hash};
use crate::ids::{ActionId, BackendName, CertificateId, KeyId, Seq, SlotName};
use crate::timestamp::Timestamp;

payload!(
    /// See [`super::Payload::CertificateOrdered`].
    CertificateOrdered {
        /// The `certificate.issue` or the rotation that it is for.
        action: ActionId,
        /// The certificate's id.
        certificate: CertificateId,
        /// The key that it will name.
        key: KeyId,
        /// The key's slot.
        slot: SlotName,
    }
);

payload!(
    /// See [`super::Payload::CertificateRequested`].
    CertificateRequested {
        /// The seq of the `signature.authorized` whose signature the request carries.
        authorization: Seq,
        /// The certificate.
        certificate: CertificateId,
        /// The request (PKCS #10, RFC 2986), DER.
        csr: B64,
    }
);

payload!(
    /// See [`super::Payload::CertificateIssued`].
    CertificateIssued {
        /// The seq of the `signature.authorized` whose signature the certificate carries.
        authorization: Seq,
        /// The certificate's id.
        certificate: CertificateId,
        /// The certificate (RFC 5280), DER.
        der: B64,
        /// SHA-256 of it.
        fingerprint: Hash,
    }
);

payload!(
    /// See [`super::Payload::CertificateImported`]; who imports it is the event's actor.
    CertificateImported {
        /// The certificate's id.
        certificate: CertificateId,
        /// The certificate and those above it, each DER, up to one that the slot's policy names as an anchor.
        chain: Vec<B64>,
        /// SHA-256 of the first.
        fingerprint: Hash,
    }
);

payload!(
    /// See [`super::Payload::CertificateFailed`].
    CertificateFailed {
        /// The certificate.
        certificate: CertificateId,
        /// A stable word for why.
        code: FailureCode,
    }
);

/// See [`super::Payload::CertificateRevoked`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CertificateRevoked {
    /// The rotation that made it needless, or the `certificate.revoke` (rules version 3).
    pub action: ActionId,
    /// The certificate.
    pub certificate: CertificateId,
    /// From when on it is not to be believed, where that is before it was revoked (rules version 3).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invalid_since: Option<Timestamp>,
    /// Why.
    pub reason: RevocationReason,
}

payload!(
    /// See [`super::Payload::KeyAdopted`].
    KeyAdopted {
        /// The action.
        action: ActionId,
        /// As the device reports them.
        attributes: KeyAttributes,
        /// The key's id from now on.
        key: KeyId,
        /// How the device knows it.
        label: String,
        /// Its slot.
        slot: SlotName,
        /// SubjectPublicKeyInfo, DER (RFC 5280 §4.1.2.7).
        spki: B64,
        /// SHA-256 of it.
        spki_sha256: Hash,
    }
);

/// See [`super::Payload::HsmAccessReviewed`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HsmAccessReviewed {
    /// The action.
    pub action: ActionId,
    /// The device.
    pub backend: BackendName,
    /// The FIPS 140 certificate that the reviewers found it to run under; none where absent (rules version 3).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fips: Option<FipsCertificate>,
    /// How many people and machines can reach it; who they are is the disclosure `holders`.
    pub holder_count: u32,
}
