//! What X.509 calls the algorithms of the registry.

use rustls_pki_types::{AlgorithmIdentifier, alg_id};
use sha2::{Digest as _, Sha256, Sha384, Sha512};

use super::asn1::sequence;
use super::template::TemplateError;
use crate::algorithm::{Algorithm, DigestKind, KeyType};
use crate::public_key::{PublicKey, SigningInput};

/// Whether certificates, requests and revocation lists can be signed with an algorithm.
///
/// [`Algorithm::Ed25519OverSha256Digest`] can't: X.509 knows Ed25519 over the content itself alone (RFC 8410 §3).
pub const fn is_certifiable(algorithm: Algorithm) -> bool {
    identifier(algorithm).is_some()
}

/// The content of the AlgorithmIdentifier.
///
/// ECDSA and Ed25519 have no parameters (RFC 5758 §3.2, RFC 8410 §3), PKCS#1 has NULL (RFC 4055 §5), PSS names the hash,
/// MGF1 with the same hash, and the salt's length (RFC 4055 §3.1); hashes within PSS have NULL for parameters.
const fn identifier(algorithm: Algorithm) -> Option<AlgorithmIdentifier> {
    Some(match algorithm {
        Algorithm::EcdsaP256Sha256 => alg_id::ECDSA_SHA256,
        Algorithm::EcdsaP384Sha384 => alg_id::ECDSA_SHA384,
        Algorithm::Rsa3072Pkcs1Sha256 | Algorithm::Rsa4096Pkcs1Sha256 => alg_id::RSA_PKCS1_SHA256,
        Algorithm::Rsa3072Pkcs1Sha384 => alg_id::RSA_PKCS1_SHA384,
        Algorithm::Rsa4096Pkcs1Sha512 => alg_id::RSA_PKCS1_SHA512,
        Algorithm::Rsa3072PssSha256 | Algorithm::Rsa4096PssSha256 => alg_id::RSA_PSS_SHA256,
        Algorithm::Rsa3072PssSha384 => alg_id::RSA_PSS_SHA384,
        Algorithm::Rsa4096PssSha512 => alg_id::RSA_PSS_SHA512,
        Algorithm::Ed25519 => alg_id::ED25519,
        Algorithm::Ed25519OverSha256Digest => return None,
    })
}

/// The AlgorithmIdentifier, DER.
pub(super) fn identifier_der(algorithm: Algorithm) -> Result<Vec<u8>, TemplateError> {
    let content = identifier(algorithm).ok_or(TemplateError::NotCertifiable { algorithm })?;
    Ok(sequence(&[content.as_ref()])?)
}

/// Which algorithm of the registry an AlgorithmIdentifier names with keys of a type: its sizes of RSA share identifiers.
pub(super) fn named(identifier: &[u8], key: KeyType) -> Option<Algorithm> {
    let is_it = |algorithm: &Algorithm| identifier_der(*algorithm).is_ok_and(|der| der == identifier);
    Algorithm::ALL.into_iter().filter(|algorithm| algorithm.key_type() == key).find(is_it)
}

/// Whether a key of the registry signed `content` as the AlgorithmIdentifier says.
pub(super) fn holds(key: &PublicKey, identifier: &[u8], content: &[u8], signature: &[u8]) -> bool {
    let Some(algorithm) = named(identifier, key.key_type()) else { return false };
    if algorithm.needs_message() {
        return key.verify(algorithm, SigningInput::Message(content), signature).is_ok();
    }
    let digest = match algorithm.digest() {
        DigestKind::Sha256 => Sha256::digest(content).to_vec(),
        DigestKind::Sha384 => Sha384::digest(content).to_vec(),
        DigestKind::Sha512 => Sha512::digest(content).to_vec(),
    };
    key.verify(algorithm, SigningInput::Digest(&digest), signature).is_ok()
}
