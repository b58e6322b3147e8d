//! Payloads of certificates, adopted keys and reviews of access (rules version 2).

use serde::{Deserialize, Serialize};

use super::FailureCode;
use crate::action::RevocationReason;
use crate::attributes::KeyAttributes;
use crate::encoding::{B64, Hash};
use crate::ids::{ActionId, BackendName, CertificateId, KeyId, Seq, SlotName};

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

payload!(
    /// See [`super::Payload::CertificateRevoked`].
    CertificateRevoked {
        /// The rotation that made it needless.
        action: ActionId,
        /// The certificate.
        certificate: CertificateId,
        /// Why.
        reason: RevocationReason,
    }
);

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

payload!(
    /// See [`super::Payload::HsmAccessReviewed`].
    HsmAccessReviewed {
        /// The action.
        action: ActionId,
        /// The device.
        backend: BackendName,
        /// How many people and machines can reach it; who they are is the disclosure `holders`.
        holder_count: u32,
    }
);
