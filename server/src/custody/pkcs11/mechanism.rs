//! From the registry's algorithms to PKCS#11 mechanisms, and from a device's raw output to the registry's encodings.

use std::borrow::Cow;

use cryptoki::mechanism::eddsa::{EddsaParams, EddsaSignatureScheme};
use cryptoki::mechanism::rsa::{PkcsMgfType, PkcsPssParams};
use cryptoki::mechanism::{Mechanism, MechanismType};
use cryptoki::types::Ulong;
use sealbook_ledger::algorithm::{Algorithm, DigestKind};
use spki::der::Encode as _;
use spki::der::asn1::UintRef;

use crate::custody::error::CustodyError;

/// How a device signs for an algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scheme {
    /// `CKM_ECDSA` over the digest; the output is r‖s, each as long as given.
    Ecdsa { coordinate: usize },
    /// `CKM_RSA_PKCS` over a DigestInfo.
    Pkcs1 { modulus: usize },
    /// `CKM_RSA_PKCS_PSS` over the digest, the salt as long as the digest.
    Pss { modulus: usize },
    /// `CKM_EDDSA` over the input as it is.
    Eddsa,
}

const RSA_3072: usize = 3072 / 8;
const RSA_4096: usize = 4096 / 8;

fn scheme(algorithm: Algorithm) -> Scheme {
    match algorithm {
        Algorithm::EcdsaP256Sha256 => Scheme::Ecdsa { coordinate: 32 },
        Algorithm::EcdsaP384Sha384 => Scheme::Ecdsa { coordinate: 48 },
        Algorithm::Rsa3072Pkcs1Sha256 | Algorithm::Rsa3072Pkcs1Sha384 => Scheme::Pkcs1 { modulus: RSA_3072 },
        Algorithm::Rsa4096Pkcs1Sha256 | Algorithm::Rsa4096Pkcs1Sha512 => Scheme::Pkcs1 { modulus: RSA_4096 },
        Algorithm::Rsa3072PssSha256 | Algorithm::Rsa3072PssSha384 => Scheme::Pss { modulus: RSA_3072 },
        Algorithm::Rsa4096PssSha256 | Algorithm::Rsa4096PssSha512 => Scheme::Pss { modulus: RSA_4096 },
        Algorithm::Ed25519OverSha256Digest | Algorithm::Ed25519 => Scheme::Eddsa,
    }
}

/// The mechanism with its parameters.
pub(super) fn mechanism(algorithm: Algorithm) -> Mechanism<'static> {
    match scheme(algorithm) {
        Scheme::Ecdsa { .. } => Mechanism::Ecdsa,
        Scheme::Pkcs1 { .. } => Mechanism::RsaPkcs,
        Scheme::Pss { .. } => Mechanism::RsaPkcsPss(pss(algorithm.digest())),
        Scheme::Eddsa => Mechanism::Eddsa(EddsaParams::new(EddsaSignatureScheme::Pure)),
    }
}

fn pss(digest: DigestKind) -> PkcsPssParams {
    // Salt lengths are RFC 8017 §9.1's recommendation: the digest's.
    let (hash_alg, mgf, salt) = match digest {
        DigestKind::Sha256 => (MechanismType::SHA256, PkcsMgfType::MGF1_SHA256, 32),
        DigestKind::Sha384 => (MechanismType::SHA384, PkcsMgfType::MGF1_SHA384, 48),
        DigestKind::Sha512 => (MechanismType::SHA512, PkcsMgfType::MGF1_SHA512, 64),
    };
    PkcsPssParams { hash_alg, mgf, s_len: Ulong::new(salt) }
}

/// What is handed to the device for `input`, the digest or message that the algorithm signs.
pub(super) fn device_input(algorithm: Algorithm, input: &[u8]) -> Cow<'_, [u8]> {
    match scheme(algorithm) {
        Scheme::Pkcs1 { .. } => Cow::Owned([digest_info_prefix(algorithm.digest()), input].concat()),
        Scheme::Ecdsa { .. } | Scheme::Pss { .. } | Scheme::Eddsa => Cow::Borrowed(input),
    }
}

/// DER of a DigestInfo up to the digest itself (RFC 8017 §9.2, note 1).
fn digest_info_prefix(digest: DigestKind) -> &'static [u8] {
    match digest {
        DigestKind::Sha256 => b"\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20",
        DigestKind::Sha384 => b"\x30\x41\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x02\x05\x00\x04\x30",
        DigestKind::Sha512 => b"\x30\x51\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x03\x05\x00\x04\x40",
    }
}

/// The signature in the registry's encoding, made of what the device put out.
///
/// # Errors
/// [`CustodyError::Malformed`] where the output has the wrong length or is zero: no device that works does that.
pub(super) fn encode_signature(algorithm: Algorithm, raw: Vec<u8>) -> Result<Vec<u8>, CustodyError> {
    let expected = match scheme(algorithm) {
        Scheme::Ecdsa { coordinate } => 2 * coordinate,
        Scheme::Pkcs1 { modulus } | Scheme::Pss { modulus } => modulus,
        Scheme::Eddsa => 64,
    };
    if raw.len() != expected {
        let got = raw.len();
        return Err(CustodyError::malformed(format!("{got} bytes where {algorithm} has {expected}")));
    }
    let zero = |bytes: &[u8]| bytes.iter().all(|byte| *byte == 0);
    match scheme(algorithm) {
        Scheme::Ecdsa { coordinate } => {
            let (r, s) = raw.split_at(coordinate);
            if zero(r) || zero(s) {
                return Err(CustodyError::malformed("an ECDSA signature with a zero"));
            }
            ecdsa_der(r, s).map_err(|error| CustodyError::malformed(format!("ECDSA output: {error}")))
        }
        Scheme::Pkcs1 { .. } | Scheme::Pss { .. } | Scheme::Eddsa if zero(&raw) => {
            Err(CustodyError::malformed("a signature of zeros"))
        }
        Scheme::Pkcs1 { .. } | Scheme::Pss { .. } | Scheme::Eddsa => Ok(raw),
    }
}

/// Ecdsa-Sig-Value (RFC 3279 §2.2.3): a SEQUENCE of the two integers.
fn ecdsa_der(r: &[u8], s: &[u8]) -> Result<Vec<u8>, spki::der::Error> {
    [UintRef::new(r)?, UintRef::new(s)?].to_der()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ecdsa_output_becomes_der_with_minimal_positive_integers() {
        let mut raw = vec![0; 64];
        raw[31] = 0x7f;
        raw[32] = 0x80;
        let der = encode_signature(Algorithm::EcdsaP256Sha256, raw).unwrap();
        assert_eq!(der[..8], [0x30, 0x26, 0x02, 0x01, 0x7f, 0x02, 0x21, 0x00]);
        assert_eq!(der.len(), 0x28);
    }

    #[test]
    fn an_output_that_can_not_be_a_signature_is_refused() {
        for algorithm in Algorithm::ALL {
            for length in [0, 1, 63, 64, 96, 384, 512] {
                let outcome = encode_signature(algorithm, vec![0; length]);
                assert!(matches!(outcome, Err(CustodyError::Malformed { .. })), "{algorithm} {length}");
            }
        }
    }

    #[test]
    fn a_digest_info_ends_in_its_digest_and_measures_itself() {
        for algorithm in
            [Algorithm::Rsa3072Pkcs1Sha256, Algorithm::Rsa3072Pkcs1Sha384, Algorithm::Rsa4096Pkcs1Sha512]
        {
            let digest = vec![7; algorithm.digest().byte_len()];
            let info = device_input(algorithm, &digest);
            assert!(info.ends_with(&digest));
            assert_eq!(usize::from(info[1]), info.len() - 2);
        }
    }
}
