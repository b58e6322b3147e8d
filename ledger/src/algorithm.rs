//! The closed registry of signature algorithms: each fixes key type, digest, encoding and salt.

use std::fmt;
use std::str::FromStr;

use crate::encoding::HexBytes;
use crate::ids::{InvalidId, serde_as_text};

/// A signature algorithm, complete: nothing about a signature is left to the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// ECDSA on P-256 over SHA-256; DER signature (RFC 3279 §2.2.3).
    EcdsaP256Sha256,
    /// ECDSA on P-384 over SHA-384; DER signature.
    EcdsaP384Sha384,
    /// RSASSA-PSS, 3072 bits, SHA-256, MGF1-SHA-256, salt of 32 bytes (RFC 8017 §8.1).
    Rsa3072PssSha256,
    /// RSASSA-PKCS1-v1_5, 3072 bits, SHA-256 (RFC 8017 §8.2).
    Rsa3072Pkcs1Sha256,
    /// RSASSA-PSS, 3072 bits, SHA-384, salt of 48 bytes.
    Rsa3072PssSha384,
    /// RSASSA-PKCS1-v1_5, 3072 bits, SHA-384.
    Rsa3072Pkcs1Sha384,
    /// RSASSA-PSS, 4096 bits, SHA-256, salt of 32 bytes.
    Rsa4096PssSha256,
    /// RSASSA-PKCS1-v1_5, 4096 bits, SHA-256.
    Rsa4096Pkcs1Sha256,
    /// RSASSA-PSS, 4096 bits, SHA-512, salt of 64 bytes.
    Rsa4096PssSha512,
    /// RSASSA-PKCS1-v1_5, 4096 bits, SHA-512.
    Rsa4096Pkcs1Sha512,
    /// Ed25519 (RFC 8032) whose message is the 32-byte SHA-256 digest of the artifact.
    Ed25519OverSha256Digest,
    /// Pure Ed25519: the message itself, at most [`MAX_PURE_MESSAGE`] bytes.
    Ed25519,
}

/// The longest message, in bytes, that pure Ed25519 signs; it is kept as an attachment.
pub const MAX_PURE_MESSAGE: usize = 64 * 1024;

/// The digest that an algorithm signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DigestKind {
    /// 32 bytes.
    Sha256,
    /// 48 bytes.
    Sha384,
    /// 64 bytes.
    Sha512,
}

impl DigestKind {
    /// The digest's length in bytes.
    pub const fn byte_len(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }
}

/// What kind of key an algorithm needs in the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyType {
    /// NIST P-256 (secp256r1).
    EcP256,
    /// NIST P-384 (secp384r1).
    EcP384,
    /// RSA with a modulus of 3072 bits, exponent 65537.
    Rsa3072,
    /// RSA with a modulus of 4096 bits, exponent 65537.
    Rsa4096,
    /// Edwards25519 (RFC 8410).
    Ed25519,
}

impl Algorithm {
    /// Every algorithm, in the order of the registry.
    pub const ALL: [Self; 12] = [
        Self::EcdsaP256Sha256,
        Self::EcdsaP384Sha384,
        Self::Rsa3072PssSha256,
        Self::Rsa3072Pkcs1Sha256,
        Self::Rsa4096PssSha512,
        Self::Rsa4096Pkcs1Sha512,
        Self::Rsa3072PssSha384,
        Self::Rsa3072Pkcs1Sha384,
        Self::Rsa4096PssSha256,
        Self::Rsa4096Pkcs1Sha256,
        Self::Ed25519OverSha256Digest,
        Self::Ed25519,
    ];

    /// The algorithm's name in events and in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::EcdsaP256Sha256 => "ecdsa-p256-sha256",
            Self::EcdsaP384Sha384 => "ecdsa-p384-sha384",
            Self::Rsa3072PssSha256 => "rsa3072-pss-sha256",
            Self::Rsa3072Pkcs1Sha256 => "rsa3072-pkcs1-sha256",
            Self::Rsa3072PssSha384 => "rsa3072-pss-sha384",
            Self::Rsa3072Pkcs1Sha384 => "rsa3072-pkcs1-sha384",
            Self::Rsa4096PssSha256 => "rsa4096-pss-sha256",
            Self::Rsa4096Pkcs1Sha256 => "rsa4096-pkcs1-sha256",
            Self::Rsa4096PssSha512 => "rsa4096-pss-sha512",
            Self::Rsa4096Pkcs1Sha512 => "rsa4096-pkcs1-sha512",
            Self::Ed25519OverSha256Digest => "ed25519-over-sha256-digest",
            Self::Ed25519 => "ed25519",
        }
    }

    /// The key that the algorithm needs.
    pub const fn key_type(self) -> KeyType {
        match self {
            Self::EcdsaP256Sha256 => KeyType::EcP256,
            Self::EcdsaP384Sha384 => KeyType::EcP384,
            Self::Rsa3072PssSha256
            | Self::Rsa3072Pkcs1Sha256
            | Self::Rsa3072PssSha384
            | Self::Rsa3072Pkcs1Sha384 => KeyType::Rsa3072,
            Self::Rsa4096PssSha256
            | Self::Rsa4096Pkcs1Sha256
            | Self::Rsa4096PssSha512
            | Self::Rsa4096Pkcs1Sha512 => KeyType::Rsa4096,
            Self::Ed25519OverSha256Digest | Self::Ed25519 => KeyType::Ed25519,
        }
    }

    /// The digest that a caller sends. For pure Ed25519 it only names the message (SHA-256), it is not what is signed.
    pub const fn digest(self) -> DigestKind {
        match self {
            Self::EcdsaP256Sha256
            | Self::Rsa3072PssSha256
            | Self::Rsa3072Pkcs1Sha256
            | Self::Rsa4096PssSha256
            | Self::Rsa4096Pkcs1Sha256
            | Self::Ed25519OverSha256Digest
            | Self::Ed25519 => DigestKind::Sha256,
            Self::EcdsaP384Sha384 | Self::Rsa3072PssSha384 | Self::Rsa3072Pkcs1Sha384 => DigestKind::Sha384,
            Self::Rsa4096PssSha512 | Self::Rsa4096Pkcs1Sha512 => DigestKind::Sha512,
        }
    }

    /// The digest of a message, as a caller would send it; for pure Ed25519, which signs the message itself, its SHA-256.
    pub fn digest_of(self, message: &[u8]) -> HexBytes {
        use sha2::Digest as _;
        HexBytes(match self.digest() {
            DigestKind::Sha256 => sha2::Sha256::digest(message).to_vec(),
            DigestKind::Sha384 => sha2::Sha384::digest(message).to_vec(),
            DigestKind::Sha512 => sha2::Sha512::digest(message).to_vec(),
        })
    }

    /// Whether the device must see the message itself, not a digest of it.
    pub const fn needs_message(self) -> bool {
        matches!(self, Self::Ed25519)
    }
}

impl FromStr for Algorithm {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == text).ok_or(InvalidId {
            what: "algorithm",
            why: "a name of the algorithm registry, such as ecdsa-p256-sha256",
        })
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

serde_as_text!(Algorithm);
