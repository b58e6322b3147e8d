//! Does a signature hold? One answer for the server before it releases, and for auditors years later.

use aws_lc_rs::digest::{self, Digest};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P384_SHA384_ASN1, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384,
    RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512,
    UnparsedPublicKey, VerificationAlgorithm,
};
use ed25519_dalek::{Signature, VerifyingKey};
use spki::der::asn1::UintRef;
use spki::der::{Decode, Reader, SliceReader};

use super::{Material, PublicKey, pkcs1_der};
use crate::algorithm::{Algorithm, DigestKind, KeyType, MAX_PURE_MESSAGE};

/// What a signature was made over.
#[derive(Debug, Clone, Copy)]
pub enum SigningInput<'a> {
    /// The artifact's digest, of the length that the algorithm fixes.
    Digest(&'a [u8]),
    /// The message itself: for pure Ed25519, and for nothing else.
    Message(&'a [u8]),
}

/// Why a signature does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The algorithm needs another kind of key.
    #[error("{algorithm} needs a key of kind {:?}, this is {found:?}", algorithm.key_type())]
    KeyType {
        /// The algorithm that was asked for.
        algorithm: Algorithm,
        /// The kind of the key.
        found: KeyType,
    },
    /// A message where the algorithm signs a digest, or the reverse.
    #[error("{algorithm} signs {}", what_it_signs(*algorithm))]
    InputKind {
        /// The algorithm that was asked for.
        algorithm: Algorithm,
    },
    /// A digest of another length.
    #[error("{algorithm} signs a digest of {} bytes, this has {found}", algorithm.digest().byte_len())]
    DigestLength {
        /// The algorithm that was asked for.
        algorithm: Algorithm,
        /// The digest's length in bytes.
        found: usize,
    },
    /// A message longer than pure Ed25519 takes here.
    #[error("a message of {found} bytes: at most {MAX_PURE_MESSAGE} are signed")]
    MessageTooLong {
        /// The message's length in bytes.
        found: usize,
    },
    /// Not the encoding that the algorithm fixes.
    #[error("the signature is not encoded as {algorithm} fixes it")]
    Encoding {
        /// The algorithm that was asked for.
        algorithm: Algorithm,
    },
    /// The mathematics says no.
    #[error("the signature does not hold under this key")]
    DoesNotHold,
}

fn what_it_signs(algorithm: Algorithm) -> &'static str {
    if algorithm.needs_message() { "the message, not a digest of it" } else { "a digest, not the message" }
}

impl SignatureError {
    /// The refusal's stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::KeyType { .. } => "signature.key_type",
            Self::InputKind { .. } => "signature.input_kind",
            Self::DigestLength { .. } => "signature.digest_length",
            Self::MessageTooLong { .. } => "signature.message_too_long",
            Self::Encoding { .. } => "signature.encoding",
            Self::DoesNotHold => "signature.does_not_hold",
        }
    }
}

impl PublicKey {
    /// Checks a signature: key, input and encoding must be exactly what the algorithm fixes.
    ///
    /// ECDSA signatures are strict DER (RFC 3279 §2.2.3), RSA ones as long as the modulus (RFC 8017 §8), PSS
    /// salts as long as the digest; Ed25519 is checked with the strict equation, so that no two verifiers differ.
    pub fn verify(
        &self,
        algorithm: Algorithm,
        input: SigningInput<'_>,
        signature: &[u8],
    ) -> Result<(), SignatureError> {
        if algorithm.key_type() != self.key_type() {
            return Err(SignatureError::KeyType { algorithm, found: self.key_type() });
        }
        let signed = signed_bytes(algorithm, input)?;
        let misencoded = SignatureError::Encoding { algorithm };
        match &self.material {
            Material::EcP256(point) => {
                require(is_strict_ecdsa(signature, 32), misencoded)?;
                verify_prehashed(algorithm, point, signed, signature)
            }
            Material::EcP384(point) => {
                require(is_strict_ecdsa(signature, 48), misencoded)?;
                verify_prehashed(algorithm, point, signed, signature)
            }
            Material::Rsa3072(modulus) | Material::Rsa4096(modulus) => {
                require(signature.len() == modulus.len(), misencoded)?;
                let key = pkcs1_der(modulus).map_err(|_| SignatureError::DoesNotHold)?;
                verify_prehashed(algorithm, &key, signed, signature)
            }
            Material::Ed25519(key) => {
                require(signature.len() == Signature::BYTE_SIZE, misencoded)?;
                require(ed25519_holds(key, signed, signature), SignatureError::DoesNotHold)
            }
        }
    }
}

/// Ed25519 by the strict equation (RFC 8032 §5.1.7, without cofactor; small-order points refused).
pub(crate) fn ed25519_holds(key: &VerifyingKey, message: &[u8], signature: &[u8]) -> bool {
    Signature::from_slice(signature).is_ok_and(|signature| key.verify_strict(message, &signature).is_ok())
}

fn require(holds: bool, otherwise: SignatureError) -> Result<(), SignatureError> {
    if holds { Ok(()) } else { Err(otherwise) }
}

/// The bytes that the device was given, where they are what the algorithm takes.
fn signed_bytes(algorithm: Algorithm, input: SigningInput<'_>) -> Result<&[u8], SignatureError> {
    match (algorithm.needs_message(), input) {
        (true, SigningInput::Message(message)) => {
            require(
                message.len() <= MAX_PURE_MESSAGE,
                SignatureError::MessageTooLong { found: message.len() },
            )?;
            Ok(message)
        }
        (false, SigningInput::Digest(digest)) => {
            require(
                digest.len() == algorithm.digest().byte_len(),
                SignatureError::DigestLength { algorithm, found: digest.len() },
            )?;
            Ok(digest)
        }
        (true, SigningInput::Digest(_)) | (false, SigningInput::Message(_)) => {
            Err(SignatureError::InputKind { algorithm })
        }
    }
}

/// Whether a signature is exactly `SEQUENCE { r INTEGER, s INTEGER }` in DER, both positive and no longer than the
/// curve's order.
pub(crate) fn is_strict_ecdsa(signature: &[u8], order_bytes: usize) -> bool {
    let numbers = || -> Result<(usize, usize), spki::der::Error> {
        let mut reader = SliceReader::new(signature)?;
        let (r, s) = reader.sequence(|inner| {
            Ok::<_, spki::der::Error>((UintRef::decode(inner)?, UintRef::decode(inner)?))
        })?;
        reader.finish()?;
        Ok((r.as_bytes().len(), s.as_bytes().len()))
    };
    numbers().is_ok_and(|(r, s)| r <= order_bytes && s <= order_bytes)
}

fn verify_prehashed(
    algorithm: Algorithm,
    key: &[u8],
    digest: &[u8],
    signature: &[u8],
) -> Result<(), SignatureError> {
    let verifier = prehashed_verifier(algorithm).ok_or(SignatureError::DoesNotHold)?;
    let hash = match algorithm.digest() {
        DigestKind::Sha256 => &digest::SHA256,
        DigestKind::Sha384 => &digest::SHA384,
        DigestKind::Sha512 => &digest::SHA512,
    };
    let digest = Digest::import_less_safe(digest, hash).map_err(|_| SignatureError::DoesNotHold)?;
    UnparsedPublicKey::new(verifier, key)
        .verify_digest(&digest, signature)
        .map_err(|_| SignatureError::DoesNotHold)
}

/// The verifier of an algorithm over digests; `None` for Ed25519, which hashes for itself.
///
/// RSA sizes are fixed by the key's type, not here; PSS verifiers demand a salt as long as the digest.
fn prehashed_verifier(algorithm: Algorithm) -> Option<&'static dyn VerificationAlgorithm> {
    Some(match algorithm {
        Algorithm::EcdsaP256Sha256 => &ECDSA_P256_SHA256_ASN1,
        Algorithm::EcdsaP384Sha384 => &ECDSA_P384_SHA384_ASN1,
        Algorithm::Rsa3072PssSha256 | Algorithm::Rsa4096PssSha256 => &RSA_PSS_2048_8192_SHA256,
        Algorithm::Rsa3072PssSha384 => &RSA_PSS_2048_8192_SHA384,
        Algorithm::Rsa4096PssSha512 => &RSA_PSS_2048_8192_SHA512,
        Algorithm::Rsa3072Pkcs1Sha256 | Algorithm::Rsa4096Pkcs1Sha256 => &RSA_PKCS1_2048_8192_SHA256,
        Algorithm::Rsa3072Pkcs1Sha384 => &RSA_PKCS1_2048_8192_SHA384,
        Algorithm::Rsa4096Pkcs1Sha512 => &RSA_PKCS1_2048_8192_SHA512,
        Algorithm::Ed25519OverSha256Digest | Algorithm::Ed25519 => return None,
    })
}
