//! SubjectPublicKeyInfo out of the attributes of a public key object.

use pkcs1::RsaPublicKey;
use sealbook_ledger::algorithm::KeyType;
use spki::der::asn1::{AnyRef, BitStringRef, OctetStringRef, UintRef};
use spki::der::{Decode as _, Encode as _};
use spki::{AlgorithmIdentifierRef, ObjectIdentifier, SubjectPublicKeyInfoRef};

use crate::custody::error::CustodyError;

/// `id-ecPublicKey` (RFC 5480 §2.1.1).
const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
/// `secp256r1` (RFC 5480 §2.1.1.1).
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
/// `secp384r1`.
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
/// `id-Ed25519` (RFC 8410 §3).
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
/// `rsaEncryption` (RFC 8017 appendix A.1).
const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
/// The curve's name as PKCS#11 v3.0 §2.3.3 also allows it: PrintableString "edwards25519".
const ED25519_NAME: &[u8] = b"\x13\x0cedwards25519";
/// The exponent of every RSA key here, 65537.
pub(super) const RSA_EXPONENT: [u8; 3] = [1, 0, 1];

/// The `CKA_EC_PARAMS` that names a curve: DER of its object identifier. `None` for RSA.
pub(super) fn ec_params(key_type: KeyType) -> Option<Vec<u8>> {
    let curve = match key_type {
        KeyType::EcP256 => P256,
        KeyType::EcP384 => P384,
        KeyType::Ed25519 => ED25519,
        KeyType::Rsa3072 | KeyType::Rsa4096 => return None,
    };
    curve.to_der().ok()
}

/// The public key of an elliptic curve: `params` is `CKA_EC_PARAMS`, `point` is `CKA_EC_POINT`.
///
/// `Ok(None)` where the curve isn't one of the registry's.
pub(super) fn from_curve(params: &[u8], point: &[u8]) -> Result<Option<(KeyType, Vec<u8>)>, CustodyError> {
    let (key_type, length) = match ObjectIdentifier::from_der(params) {
        Ok(P256) => (KeyType::EcP256, 1 + 2 * 32),
        Ok(P384) => (KeyType::EcP384, 1 + 2 * 48),
        Ok(ED25519) => (KeyType::Ed25519, 32),
        _ if params == ED25519_NAME => (KeyType::Ed25519, 32),
        _ => return Ok(None),
    };
    // PKCS#11 says DER OCTET STRING; some modules give the bare point. The lengths tell them apart.
    let point = match <&OctetStringRef>::from_der(point) {
        Ok(wrapped) if wrapped.as_bytes().len() == length => wrapped.as_bytes(),
        _ => point,
    };
    let uncompressed = key_type == KeyType::Ed25519 || point.first() == Some(&4);
    if point.len() != length || !uncompressed {
        return Err(CustodyError::malformed(format!("a {key_type:?} public point of {} bytes", point.len())));
    }
    let der = match key_type {
        KeyType::EcP256 => ec(&P256, point),
        KeyType::EcP384 => ec(&P384, point),
        KeyType::Ed25519 | KeyType::Rsa3072 | KeyType::Rsa4096 => info(ED25519, None, point),
    };
    der.map(|der| Some((key_type, der))).map_err(|error| unencodable(&error))
}

/// The public key of RSA; numbers are big-endian. `Ok(None)` where size or exponent isn't one of the registry's.
pub(super) fn from_rsa(modulus: &[u8], exponent: &[u8]) -> Result<Option<(KeyType, Vec<u8>)>, CustodyError> {
    let modulus = strip_zeros(modulus);
    let bits = modulus.first().map_or(0, |first| modulus.len() * 8 - first.leading_zeros() as usize);
    let key_type = match bits {
        3072 => KeyType::Rsa3072,
        4096 => KeyType::Rsa4096,
        _ => return Ok(None),
    };
    if strip_zeros(exponent) != RSA_EXPONENT {
        return Ok(None);
    }
    rsa(modulus).map(|der| Some((key_type, der))).map_err(|error| unencodable(&error))
}

fn strip_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    &number[zeros..]
}

fn ec(curve: &ObjectIdentifier, point: &[u8]) -> Result<Vec<u8>, spki::der::Error> {
    let curve = curve.to_der()?;
    info(EC_PUBLIC_KEY, Some(AnyRef::from_der(&curve)?), point)
}

fn rsa(modulus: &[u8]) -> Result<Vec<u8>, spki::der::Error> {
    let key = RsaPublicKey { modulus: UintRef::new(modulus)?, public_exponent: UintRef::new(&RSA_EXPONENT)? };
    info(RSA, Some(AnyRef::NULL), &key.to_der()?)
}

fn info(
    oid: ObjectIdentifier,
    parameters: Option<AnyRef<'_>>,
    key: &[u8],
) -> Result<Vec<u8>, spki::der::Error> {
    SubjectPublicKeyInfoRef {
        algorithm: AlgorithmIdentifierRef { oid, parameters },
        subject_public_key: BitStringRef::from_bytes(key)?,
    }
    .to_der()
}

fn unencodable(error: &spki::der::Error) -> CustodyError {
    CustodyError::malformed(format!("the public key can't be encoded: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ed25519_point_is_read_wrapped_and_bare_under_either_name_of_the_curve() {
        let bare = [9u8; 32];
        let wrapped = [&[4u8, 32][..], &bare].concat();
        let by_oid = ec_params(KeyType::Ed25519).unwrap();
        for params in [by_oid.as_slice(), ED25519_NAME] {
            for point in [&bare[..], &wrapped] {
                let (key_type, der) = from_curve(params, point).unwrap().unwrap();
                assert_eq!(key_type, KeyType::Ed25519);
                // RFC 8410 §10.1: the fixed prefix of every Ed25519 SubjectPublicKeyInfo.
                assert_eq!(der[..12], *b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00");
            }
        }
    }

    #[test]
    fn a_point_that_is_cut_or_compressed_is_malformed() {
        let params = ec_params(KeyType::EcP256).unwrap();
        for point in [vec![4; 64], vec![2; 65], vec![2; 33], vec![]] {
            assert!(matches!(from_curve(&params, &point), Err(CustodyError::Malformed { .. })));
        }
    }

    #[test]
    fn keys_outside_the_registry_are_not_known() {
        let p521 = ObjectIdentifier::new_unwrap("1.3.132.0.35").to_der().unwrap();
        assert_eq!(from_curve(&p521, &[4; 133]).unwrap(), None);
        assert_eq!(from_rsa(&[0x80; 256], &RSA_EXPONENT).unwrap(), None);
        assert_eq!(from_rsa(&[0x80; 384], &[3]).unwrap(), None);
        assert!(from_rsa(&[0x80; 384], &[0, 1, 0, 1]).unwrap().is_some());
    }
}
