//! Public keys: SubjectPublicKeyInfo DER in one spelling, of the kinds that the algorithm registry knows.

mod verification;

#[cfg(test)]
mod openssl_tests;
#[cfg(test)]
mod tests;

use std::fmt;

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P384_SHA384_ASN1, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey,
    VerificationAlgorithm,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::VerifyingKey;
use pkcs1::RsaPublicKeyRef;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::{Value, json};
use spki::der::asn1::{AnyRef, BitStringRef, UintRef};
use spki::der::pem;
use spki::der::{Decode, Encode};
use spki::{AlgorithmIdentifier, ObjectIdentifier, SubjectPublicKeyInfoRef};

use crate::algorithm::KeyType;
use crate::encoding::{B64, Hash, pem};

pub use verification::{SignatureError, SigningInput};
pub(crate) use verification::{ed25519_holds, is_strict_ecdsa};

/// `id-ecPublicKey` (RFC 5480 §2.1.1).
const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
/// `secp256r1` (RFC 5480 §2.1.1.1).
const SECP256R1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
/// `secp384r1` (RFC 5480 §2.1.1.1).
const SECP384R1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
/// `rsaEncryption` (RFC 8017 appendix A.1).
const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
/// `id-Ed25519` (RFC 8410 §3).
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");

/// 65537, big-endian: the one public exponent that is accepted.
pub(crate) const RSA_EXPONENT: [u8; 3] = [1, 0, 1];

/// A public key that the algorithm registry can use; its point or modulus has been checked.
///
/// Two keys are equal when their DER is; one key has one DER.
#[derive(Clone)]
pub struct PublicKey {
    der: Vec<u8>,
    material: Material,
}

/// What the mathematics needs, apart from its encoding.
#[derive(Clone)]
enum Material {
    /// SEC 1 uncompressed point: `04 ‖ x ‖ y`.
    EcP256([u8; 65]),
    EcP384([u8; 97]),
    /// Big-endian moduli without leading zeros.
    Rsa3072(Vec<u8>),
    Rsa4096(Vec<u8>),
    Ed25519(VerifyingKey),
}

/// Why some bytes are not a public key that is accepted here.
#[derive(Debug, thiserror::Error)]
pub enum PublicKeyError {
    /// Longer than any key of the registry.
    #[error("a public key is at most {max} bytes in this encoding")]
    TooLong {
        /// The limit in bytes.
        max: usize,
    },
    /// The text is not one PEM block labelled `PUBLIC KEY`.
    #[error("not a PEM block labelled PUBLIC KEY (RFC 7468 section 13)")]
    Pem(#[source] Option<pem::Error>),
    /// Not a SubjectPublicKeyInfo, or not DER.
    #[error("not a DER SubjectPublicKeyInfo (RFC 5280 section 4.1.2.7)")]
    Der(#[source] spki::der::Error),
    /// It means a key, but in another spelling than DER gives it.
    #[error("not the canonical encoding of its key")]
    NotCanonical,
    /// A kind of key that no algorithm of the registry uses.
    #[error("not a P-256, P-384, RSA or Ed25519 key")]
    UnknownKind,
    /// Not an uncompressed point of the curve, or a point of small order.
    #[error("not a valid point of its curve in uncompressed form")]
    Point,
    /// RSA of a size outside the registry.
    #[error("an RSA modulus of {bits} bits: 3072 or 4096 are accepted")]
    ModulusSize {
        /// The length of the modulus in bits.
        bits: usize,
    },
    /// An even modulus, or one that the arithmetic refuses.
    #[error("not a valid RSA modulus")]
    Modulus,
    /// RSA with another exponent.
    #[error("the RSA exponent is not 65537")]
    Exponent,
}

impl PublicKeyError {
    /// The refusal's stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLong { .. } => "public_key.too_long",
            Self::Pem(_) => "public_key.pem",
            Self::Der(_) => "public_key.der",
            Self::NotCanonical => "public_key.not_canonical",
            Self::UnknownKind => "public_key.unknown_kind",
            Self::Point => "public_key.point",
            Self::ModulusSize { .. } => "public_key.modulus_size",
            Self::Modulus => "public_key.modulus",
            Self::Exponent => "public_key.exponent",
        }
    }
}

impl PublicKey {
    /// Longest DER in bytes: RSA 4096 takes 550.
    pub const MAX_DER: usize = 1024;

    /// Longest PEM in bytes: base64 of [`Self::MAX_DER`], line ends and the two labels.
    pub const MAX_PEM: usize = 2048;

    /// Reads a SubjectPublicKeyInfo (RFC 5280 §4.1.2.7); only the one canonical spelling of a key is accepted.
    pub fn from_der(der: &[u8]) -> Result<Self, PublicKeyError> {
        if der.len() > Self::MAX_DER {
            return Err(PublicKeyError::TooLong { max: Self::MAX_DER });
        }
        let info = SubjectPublicKeyInfoRef::from_der(der).map_err(PublicKeyError::Der)?;
        let bits = info.subject_public_key.as_bytes().ok_or(PublicKeyError::NotCanonical)?;
        let key = match info.algorithm.oid {
            EC_PUBLIC_KEY => Self::from_ec_point(bits)?,
            RSA_ENCRYPTION => Self::from_pkcs1(bits)?,
            ED25519 => Self::from_ed25519(bits)?,
            _ => return Err(PublicKeyError::UnknownKind),
        };
        // Also settles what was not looked at: a curve that is not the point's, RSA without NULL, trailing bytes.
        if key.der == der { Ok(key) } else { Err(PublicKeyError::NotCanonical) }
    }

    /// Reads one PEM block labelled `PUBLIC KEY` (RFC 7468 §13).
    pub fn from_pem(text: &str) -> Result<Self, PublicKeyError> {
        if text.len() > Self::MAX_PEM {
            return Err(PublicKeyError::TooLong { max: Self::MAX_PEM });
        }
        let (label, der) = pem::decode_vec(text.as_bytes()).map_err(|e| PublicKeyError::Pem(Some(e)))?;
        if label == "PUBLIC KEY" { Self::from_der(&der) } else { Err(PublicKeyError::Pem(None)) }
    }

    /// From an uncompressed SEC 1 point, `04 ‖ x ‖ y`: 65 bytes are of P-256, 97 of P-384.
    ///
    /// PKCS#11 wraps the point in an OCTET STRING (v3.0 §6.3.3, `CKA_EC_POINT`): unwrap it before.
    pub fn from_ec_point(point: &[u8]) -> Result<Self, PublicKeyError> {
        let (algorithm, material): (&'static dyn VerificationAlgorithm, _) = match point.len() {
            65 => (&ECDSA_P256_SHA256_ASN1, fixed(point).map(Material::EcP256)),
            97 => (&ECDSA_P384_SHA384_ASN1, fixed(point).map(Material::EcP384)),
            _ => return Err(PublicKeyError::Point),
        };
        let on_curve = point[0] == 4 && UnparsedPublicKey::new(algorithm, point).parse().is_ok();
        Self::new(material.filter(|_| on_curve).ok_or(PublicKeyError::Point)?)
    }

    /// From an RSA modulus and exponent, both unsigned and big-endian; leading zeros are dropped, for devices pad.
    pub fn from_rsa(modulus: &[u8], exponent: &[u8]) -> Result<Self, PublicKeyError> {
        let modulus = checked_modulus(modulus, exponent)?;
        Self::new(match bit_length(&modulus) {
            3072 => Material::Rsa3072(modulus),
            4096 => Material::Rsa4096(modulus),
            bits => return Err(PublicKeyError::ModulusSize { bits }),
        })
    }

    /// From the 32 bytes of an Ed25519 key (RFC 8032 §5.1.5); points of small order are refused.
    pub fn from_ed25519(bytes: &[u8]) -> Result<Self, PublicKeyError> {
        Self::new(Material::Ed25519(ed25519_key(bytes)?))
    }

    /// The SubjectPublicKeyInfo, DER.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// SHA-256 of [`Self::der`], which names the key in events (`spki_sha256`).
    pub fn sha256(&self) -> Hash {
        Hash::sha256(&self.der)
    }

    /// One PEM block labelled `PUBLIC KEY`, lines of 64 characters ended by LF (RFC 7468).
    pub fn to_pem(&self) -> String {
        pem("PUBLIC KEY", &self.der)
    }

    /// The 32 bytes of an Ed25519 key (RFC 8032 §5.1.5); `None` for other types.
    pub fn ed25519_bytes(&self) -> Option<[u8; 32]> {
        match &self.material {
            Material::Ed25519(key) => Some(key.to_bytes()),
            Material::EcP256(_) | Material::EcP384(_) | Material::Rsa3072(_) | Material::Rsa4096(_) => None,
        }
    }

    /// Which kind of key it is.
    pub const fn key_type(&self) -> KeyType {
        match self.material {
            Material::EcP256(_) => KeyType::EcP256,
            Material::EcP384(_) => KeyType::EcP384,
            Material::Rsa3072(_) => KeyType::Rsa3072,
            Material::Rsa4096(_) => KeyType::Rsa4096,
            Material::Ed25519(_) => KeyType::Ed25519,
        }
    }

    /// The key as a JWK with its required members alone, which is what RFC 7638 thumbprints are made of
    /// (RFC 7518 §6.2 and §6.3, RFC 8037 §2).
    pub fn to_jwk(&self) -> Value {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let ec = |curve: &str, point: &[u8]| {
            let (x, y) = point[1..].split_at((point.len() - 1) / 2);
            json!({"kty": "EC", "crv": curve, "x": text(x), "y": text(y)})
        };
        match &self.material {
            Material::EcP256(point) => ec("P-256", point),
            Material::EcP384(point) => ec("P-384", point),
            Material::Rsa3072(modulus) | Material::Rsa4096(modulus) => {
                json!({"kty": "RSA", "n": text(modulus), "e": text(&RSA_EXPONENT)})
            }
            Material::Ed25519(key) => json!({"kty": "OKP", "crv": "Ed25519", "x": text(key.as_bytes())}),
        }
    }

    fn new(material: Material) -> Result<Self, PublicKeyError> {
        Ok(Self { der: material.to_der().map_err(PublicKeyError::Der)?, material })
    }

    /// Reads an `RSAPublicKey` (RFC 8017 appendix A.1.1).
    fn from_pkcs1(der: &[u8]) -> Result<Self, PublicKeyError> {
        let key = RsaPublicKeyRef::from_der(der).map_err(PublicKeyError::Der)?;
        Self::from_rsa(key.modulus.as_bytes(), key.public_exponent.as_bytes())
    }
}

impl Material {
    fn to_der(&self) -> Result<Vec<u8>, spki::der::Error> {
        match self {
            Self::EcP256(point) => info_der(EC_PUBLIC_KEY, Some((&SECP256R1).into()), point),
            Self::EcP384(point) => info_der(EC_PUBLIC_KEY, Some((&SECP384R1).into()), point),
            Self::Rsa3072(modulus) | Self::Rsa4096(modulus) => {
                info_der(RSA_ENCRYPTION, Some(AnyRef::NULL), &pkcs1_der(modulus)?)
            }
            Self::Ed25519(key) => info_der(ED25519, None, key.as_bytes()),
        }
    }
}

fn info_der(
    oid: ObjectIdentifier,
    parameters: Option<AnyRef<'_>>,
    key: &[u8],
) -> Result<Vec<u8>, spki::der::Error> {
    let algorithm = AlgorithmIdentifier { oid, parameters };
    SubjectPublicKeyInfoRef { algorithm, subject_public_key: BitStringRef::from_bytes(key)? }.to_der()
}

/// The `RSAPublicKey` of a modulus and 65537 (RFC 8017 appendix A.1.1).
pub(crate) fn pkcs1_der(modulus: &[u8]) -> Result<Vec<u8>, spki::der::Error> {
    let public_exponent = UintRef::new(&RSA_EXPONENT)?;
    RsaPublicKeyRef { modulus: UintRef::new(modulus)?, public_exponent }.to_der()
}

/// A modulus without leading zeros that goes with exponent 65537 and that the arithmetic accepts.
pub(crate) fn checked_modulus(modulus: &[u8], exponent: &[u8]) -> Result<Vec<u8>, PublicKeyError> {
    let significant =
        |bytes: &[u8]| bytes.iter().position(|&b| b != 0).map_or(vec![], |at| bytes[at..].to_vec());
    if significant(exponent) != RSA_EXPONENT {
        return Err(PublicKeyError::Exponent);
    }
    let modulus = significant(modulus);
    let bits = bit_length(&modulus);
    if !(2048..=4096).contains(&bits) {
        return Err(PublicKeyError::ModulusSize { bits });
    }
    let der = pkcs1_der(&modulus).map_err(PublicKeyError::Der)?;
    let odd = modulus.last().is_some_and(|low| low & 1 == 1);
    if odd && UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, der).parse().is_ok() {
        Ok(modulus)
    } else {
        Err(PublicKeyError::Modulus)
    }
}

/// The length in bits of a big-endian number without leading zeros.
fn bit_length(bytes: &[u8]) -> usize {
    bytes.first().map_or(0, |top| bytes.len() * 8 - top.leading_zeros() as usize)
}

/// An Ed25519 key in its one encoding and not of small order: under such a key many messages share a signature.
pub(crate) fn ed25519_key(bytes: &[u8]) -> Result<VerifyingKey, PublicKeyError> {
    let bytes = fixed(bytes).ok_or(PublicKeyError::Point)?;
    let key = VerifyingKey::from_bytes(&bytes).map_err(|_| PublicKeyError::Point)?;
    // Decompression reduces y; the RFC wants it reduced already (RFC 8032 §5.1.3).
    let one_spelling = key.to_edwards().compress().to_bytes() == bytes;
    if one_spelling && !key.is_weak() { Ok(key) } else { Err(PublicKeyError::Point) }
}

fn fixed<const N: usize>(bytes: &[u8]) -> Option<[u8; N]> {
    bytes.try_into().ok()
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.der == other.der
    }
}

impl Eq for PublicKey {}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({:?}, {})", self.key_type(), self.sha256())
    }
}

/// As base64url of the DER, the form that events hold (`spki`).
impl Serialize for PublicKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&B64::from(self.der()))
    }
}

impl<'de> Deserialize<'de> for PublicKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_der(B64::deserialize(deserializer)?.as_bytes()).map_err(de::Error::custom)
    }
}
