//! What proves that a passkey lives in a device: its maker's statement (WebAuthn §6.5, §8), checked offline.
//!
//! The ledger keeps the attestation object with the client data, as [`Evidence`]. Whether a statement is believed depends
//! on roots that whoever verifies brings along, never on what is in the ledger.

mod object;
mod roots;
mod statement;
#[cfg(test)]
mod tests;

pub use object::{AttestationObject, AttestedCredential};
pub use roots::{AttestationRoots, RootsError};

use serde::{Deserialize, Serialize};

use super::{Credential, client_data};
use crate::canonical;
use crate::encoding::{B64, Hash};
use crate::timestamp::Timestamp;

/// What is kept of a registration: the statement signs the authenticator's data and the hash of the client data, so that
/// either alone proves nothing. Its canonical bytes are the attachment that a `hardware` credential refers to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// The attestation object, CBOR as the authenticator gave it.
    pub attestation_object: B64,
    /// The client data, JSON as the browser gave it.
    pub client_data_json: B64,
}

impl Evidence {
    /// Most bytes that the evidence of one credential takes; attestations with long chains have some 10 KiB.
    pub const MAX_LEN: usize = 64 * 1024;
}

/// Why an attestation does not prove what its credential claims.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AttestationError {
    /// Not the canonical JSON of object and client data, or not the documented CBOR.
    #[error("the attestation can't be read: {what}")]
    Form {
        /// What is wrong.
        what: &'static str,
    },
    /// A statement of a kind that is not checked here.
    #[error("attestation statements of the format `{format}` are not checked by this program")]
    Format {
        /// Its name (WebAuthn §8).
        format: String,
    },
    /// The statement is about another credential.
    #[error("the attestation is of another credential: its {what} differs")]
    Other {
        /// What differs.
        what: &'static str,
    },
    /// The statement's signature does not hold.
    #[error("the attestation's signature does not hold under its certificate")]
    Signature,
    /// The certificate is not what WebAuthn §8.2.1 asks for.
    #[error("the attestation's certificate is none: {what}")]
    Certificate {
        /// What is wrong with it.
        what: &'static str,
    },
    /// The certificate does not lead to a root that was given.
    #[error("the attestation's certificate leads to none of the roots that were given: {why}")]
    Chain {
        /// What stopped the path.
        why: String,
    },
}

impl AttestationError {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Form { .. } => "attestation.form",
            Self::Format { .. } => "attestation.format",
            Self::Other { .. } => "attestation.other",
            Self::Signature => "attestation.signature",
            Self::Certificate { .. } => "attestation.certificate",
            Self::Chain { .. } => "attestation.chain",
        }
    }
}

/// Checks that a credential's maker vouches for it (WebAuthn §7.1, steps 21 to 24).
///
/// `evidence` are the bytes of the attachment, `at` the time at which certificates have to be valid: that of the enrolment.
pub fn check(
    evidence: &[u8],
    credential: &Credential,
    at: Timestamp,
    roots: &AttestationRoots,
) -> Result<(), AttestationError> {
    let form = |what| AttestationError::Form { what };
    canonical::check(evidence).map_err(|_| form("not canonical JSON"))?;
    let evidence: Evidence =
        serde_json::from_slice(evidence).map_err(|_| form("not an attestation with its client data"))?;
    let object = AttestationObject::parse(evidence.attestation_object.as_bytes())
        .ok_or(form("not an attestation object"))?;
    let client = evidence.client_data_json.as_bytes();
    let kind = client_data::ClientData::parse(client).map_err(|_| form("not client data"))?.kind;
    if kind != "webauthn.create" {
        return Err(form("the client data are not of a registration"));
    }
    is_of(&object, credential)?;
    statement::check(&object, Hash::sha256(client), at, roots)
}

fn is_of(object: &AttestationObject<'_>, credential: &Credential) -> Result<(), AttestationError> {
    let made = &object.credential;
    let rp_id_hash = Hash::sha256(credential.rp_id.as_bytes());
    for (same, what) in [
        (made.rp_id_hash == rp_id_hash, "relying party"),
        (made.credential_id == credential.credential_id.as_bytes(), "id"),
        (made.cose_public_key == credential.cose_public_key.as_bytes(), "public key"),
        (made.aaguid == credential.aaguid.uuid().into_bytes(), "AAGUID"),
        (made.backup_eligible == credential.backup_eligible, "backup eligibility"),
    ] {
        if !same {
            return Err(AttestationError::Other { what });
        }
    }
    Ok(())
}
