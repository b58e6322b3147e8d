//! COSE public keys of the three algorithms that passkeys use (RFC 9052 §7, RFC 9053 §7, RFC 8230 §4).

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use ed25519_dalek::VerifyingKey;
use minicbor::{Decoder, Encoder};

use crate::encoding::B64;
use crate::ids::{InvalidId, serde_as_text};
use crate::public_key::{
    RSA_EXPONENT, checked_modulus, ed25519_holds, ed25519_key, is_strict_ecdsa, pkcs1_der,
};

/// A passkey's public key: ES256 on P-256, EdDSA on Ed25519, or RS256 of 2048 to 4096 bits, exponent 65537.
///
/// Its text form is base64url of the CBOR bytes, as events hold it. One key has one encoding: two keys are equal
/// when their bytes are.
#[derive(Clone)]
pub struct CosePublicKey {
    cbor: Vec<u8>,
    key: Key,
}

#[derive(Clone)]
enum Key {
    /// SEC 1 uncompressed point.
    Es256([u8; 65]),
    EdDsa(VerifyingKey),
    /// `RSAPublicKey`, DER.
    Rs256(Vec<u8>),
}

/// Why some bytes are not a passkey's public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CoseError {
    /// Not a CBOR map of a key's labels in canonical order, or bytes after it.
    #[error("not a COSE key in CTAP2 canonical CBOR, with the labels of its type and no others")]
    NotCanonical,
    /// An algorithm other than the three.
    #[error("the algorithm is not ES256 (-7), EdDSA (-8) or RS256 (-257)")]
    Algorithm,
    /// Not a point of the curve, or not a modulus of 2048 to 4096 bits with exponent 65537.
    #[error("not a valid public key of its algorithm")]
    Key,
}

impl CoseError {
    /// The refusal's stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::NotCanonical => "cose_key.not_canonical",
            Self::Algorithm => "cose_key.algorithm",
            Self::Key => "cose_key.key",
        }
    }
}

/// Labels and values of RFC 9053 §7 and RFC 8230 §4, in the order that CTAP2's canonical form gives them.
mod label {
    pub(super) const KTY: i64 = 1;
    pub(super) const ALG: i64 = 3;
    /// EC and OKP curve; RSA modulus.
    pub(super) const CRV_OR_N: i64 = -1;
    /// EC and OKP x; RSA exponent.
    pub(super) const X_OR_E: i64 = -2;
    pub(super) const Y: i64 = -3;
}

/// (kty, alg, crv) of ES256: EC2, ES256, P-256.
const ES256: (i64, i64, i64) = (2, -7, 1);
/// (kty, alg, crv) of EdDSA: OKP, EdDSA, Ed25519.
const EDDSA: (i64, i64, i64) = (1, -8, 6);
/// (kty, alg) of RS256.
const RS256: (i64, i64) = (3, -257);

impl CosePublicKey {
    /// Longest encoding in bytes: RSA 4096 takes some 530.
    pub const MAX_LEN: usize = 1024;

    /// Reads a credential public key (WebAuthn §6.5.1.1) in CTAP2 canonical CBOR, consuming every byte.
    pub fn parse(cbor: &[u8]) -> Result<Self, CoseError> {
        if cbor.len() > Self::MAX_LEN {
            return Err(CoseError::NotCanonical);
        }
        let fields = Fields::decode(cbor)?;
        let key = fields.check()?;
        // Settles the rest of canonicity: lengths in their shortest form, nothing after the map.
        if fields.encode() == Some(cbor.to_vec()) {
            Ok(Self { cbor: cbor.to_vec(), key })
        } else {
            Err(CoseError::NotCanonical)
        }
    }

    /// From an uncompressed SEC 1 point of P-256, `04 ‖ x ‖ y`.
    pub fn from_p256_point(point: &[u8]) -> Result<Self, CoseError> {
        let Some((4, xy)) = point.split_first().filter(|_| point.len() == 65) else {
            return Err(CoseError::Key);
        };
        let (x, y) = xy.split_at(32);
        let cbor = Fields::Es256 { x, y }.encode().ok_or(CoseError::Key)?;
        Self::parse(&cbor)
    }

    /// The CBOR bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.cbor
    }

    /// The uncompressed SEC 1 point of an ES256 key.
    pub(super) fn p256_point(&self) -> Option<&[u8]> {
        match &self.key {
            Key::Es256(point) => Some(point),
            Key::EdDsa(_) | Key::Rs256(_) => None,
        }
    }

    /// Whether a signature over a message holds under this key.
    pub(super) fn holds(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.key {
            Key::Es256(point) => {
                let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point);
                is_strict_ecdsa(signature, 32) && key.verify(message, signature).is_ok()
            }
            Key::EdDsa(key) => ed25519_holds(key, message, signature),
            Key::Rs256(der) => {
                UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, der).verify(message, signature).is_ok()
            }
        }
    }
}

/// The members of a COSE key, as they stand in its bytes.
enum Fields<'a> {
    Es256 { x: &'a [u8], y: &'a [u8] },
    EdDsa { x: &'a [u8] },
    Rs256 { n: &'a [u8], e: &'a [u8] },
}

impl<'a> Fields<'a> {
    fn decode(cbor: &'a [u8]) -> Result<Self, CoseError> {
        let malformed = |_| CoseError::NotCanonical;
        let mut decoder = Decoder::new(cbor);
        decoder.map().map_err(malformed)?;
        expect(&mut decoder, label::KTY)?;
        let kty = decoder.i64().map_err(malformed)?;
        expect(&mut decoder, label::ALG)?;
        let alg = decoder.i64().map_err(malformed)?;
        expect(&mut decoder, label::CRV_OR_N)?;
        if (kty, alg) == RS256 {
            let n = decoder.bytes().map_err(malformed)?;
            expect(&mut decoder, label::X_OR_E)?;
            return Ok(Self::Rs256 { n, e: decoder.bytes().map_err(malformed)? });
        }
        if (kty, alg) != (ES256.0, ES256.1) && (kty, alg) != (EDDSA.0, EDDSA.1) {
            return Err(CoseError::Algorithm);
        }
        let crv = decoder.i64().map_err(malformed)?;
        expect(&mut decoder, label::X_OR_E)?;
        let x = decoder.bytes().map_err(malformed)?;
        match (kty, alg, crv) {
            EDDSA => Ok(Self::EdDsa { x }),
            ES256 => {
                expect(&mut decoder, label::Y)?;
                Ok(Self::Es256 { x, y: decoder.bytes().map_err(malformed)? })
            }
            _ => Err(CoseError::Algorithm),
        }
    }

    fn check(&self) -> Result<Key, CoseError> {
        match self {
            Self::Es256 { x, y } => {
                let point: [u8; 65] = [&[4], *x, *y].concat().try_into().map_err(|_| CoseError::Key)?;
                let on_curve = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point).parse().is_ok();
                if on_curve && x.len() == 32 { Ok(Key::Es256(point)) } else { Err(CoseError::Key) }
            }
            Self::EdDsa { x } => ed25519_key(x).map(Key::EdDsa).map_err(|_| CoseError::Key),
            Self::Rs256 { n, e } => {
                let modulus = checked_modulus(n, e).map_err(|_| CoseError::Key)?;
                // RFC 8230 §4: no leading zeros, so that one key has one encoding.
                if modulus != *n || *e != RSA_EXPONENT {
                    return Err(CoseError::Key);
                }
                pkcs1_der(&modulus).map(Key::Rs256).map_err(|_| CoseError::Key)
            }
        }
    }

    /// `None` only where a `Vec` could refuse bytes, which it does not.
    fn encode(&self) -> Option<Vec<u8>> {
        let mut cbor = Encoder::new(Vec::with_capacity(80));
        match self {
            Self::Es256 { x, y } => {
                cbor.map(5).ok()?.i64(label::KTY).ok()?.i64(ES256.0).ok()?;
                cbor.i64(label::ALG).ok()?.i64(ES256.1).ok()?;
                cbor.i64(label::CRV_OR_N).ok()?.i64(ES256.2).ok()?;
                cbor.i64(label::X_OR_E).ok()?.bytes(x).ok()?;
                cbor.i64(label::Y).ok()?.bytes(y).ok()?;
            }
            Self::EdDsa { x } => {
                cbor.map(4).ok()?.i64(label::KTY).ok()?.i64(EDDSA.0).ok()?;
                cbor.i64(label::ALG).ok()?.i64(EDDSA.1).ok()?;
                cbor.i64(label::CRV_OR_N).ok()?.i64(EDDSA.2).ok()?;
                cbor.i64(label::X_OR_E).ok()?.bytes(x).ok()?;
            }
            Self::Rs256 { n, e } => {
                cbor.map(4).ok()?.i64(label::KTY).ok()?.i64(RS256.0).ok()?;
                cbor.i64(label::ALG).ok()?.i64(RS256.1).ok()?;
                cbor.i64(label::CRV_OR_N).ok()?.bytes(n).ok()?;
                cbor.i64(label::X_OR_E).ok()?.bytes(e).ok()?;
            }
        }
        Some(cbor.into_writer())
    }
}

fn expect(decoder: &mut Decoder<'_>, label: i64) -> Result<(), CoseError> {
    match decoder.i64() {
        Ok(found) if found == label => Ok(()),
        _ => Err(CoseError::NotCanonical),
    }
}

impl FromStr for CosePublicKey {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        Self::parse(text.parse::<B64>()?.as_bytes()).map_err(|_| InvalidId {
            what: "passkey",
            why: "a canonical COSE key of ES256, EdDSA or RS256, in base64url",
        })
    }
}

impl fmt::Display for CosePublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        B64::from(self.as_bytes()).fmt(f)
    }
}

impl fmt::Debug for CosePublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl PartialEq for CosePublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.cbor == other.cbor
    }
}

impl Eq for CosePublicKey {}

serde_as_text!(CosePublicKey);
