//! The two text encodings of the format: lower-case hex for hashes, base64url without padding for other binary; and PEM
//! for what other programs read.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::display::Base64Display;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256};

use crate::ids::{InvalidId, serde_as_text};

/// One PEM block (RFC 7468): lines of 64 characters ended by LF. The label is a text of RFC 7468 §3, e.g. `CERTIFICATE`.
pub fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let mut pem = format!("-----BEGIN {label}-----\n");
    for (at, character) in text.char_indices() {
        if at > 0 && at % 64 == 0 {
            pem.push('\n');
        }
        pem.push(character);
    }
    pem + &format!("\n-----END {label}-----\n")
}

/// A 32-byte hash, written as 64 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// What `prev` of the first event holds.
    pub const ZERO: Self = Self([0; 32]);

    /// SHA-256 of some bytes (FIPS 180-4).
    pub fn sha256(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// SHA-256 over a context string and then the bytes: each use of the hash has a context of its own.
    pub fn sha256_in_context(context: &[u8], bytes: &[u8]) -> Self {
        Self(Sha256::new().chain_update(context).chain_update(bytes).finalize().into())
    }
}

impl FromStr for Hash {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let mut bytes = [0; 32];
        let read = base16ct::lower::decode(text, &mut bytes).is_ok_and(|read| read.len() == 32);
        if read { Ok(Self(bytes)) } else { Err(InvalidId { what: "hash", why: "64 lower-case hex digits" }) }
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(&self.0, f)
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A digest of the length that some algorithm fixes, written as lower-case hex.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HexBytes(pub Vec<u8>);

impl FromStr for HexBytes {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        base16ct::lower::decode_vec(text)
            .ok()
            .map(Self)
            .ok_or(InvalidId { what: "digest", why: "lower-case hex digits" })
    }
}

impl fmt::Display for HexBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(&self.0, f)
    }
}

impl fmt::Debug for HexBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Binary written as base64url without padding (RFC 4648 §5); only the canonical spelling is read.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct B64(pub Vec<u8>);

impl B64 {
    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl From<Vec<u8>> for B64 {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl From<&[u8]> for B64 {
    fn from(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }
}

impl FromStr for B64 {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        // This engine refuses padding and non-zero trailing bits, so that no two texts mean the same bytes.
        URL_SAFE_NO_PAD
            .decode(text)
            .map(Self)
            .map_err(|_| InvalidId { what: "binary value", why: "canonical base64url without padding" })
    }
}

impl fmt::Display for B64 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Base64Display::new(&self.0, &URL_SAFE_NO_PAD), f)
    }
}

impl fmt::Debug for B64 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

serde_as_text!(Hash, HexBytes, B64);

fn write_hex(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut digits = [0; 64];
    for piece in bytes.chunks(digits.len() / 2) {
        let digits = &mut digits[..2 * piece.len()];
        f.write_str(base16ct::lower::encode_str(piece, digits).map_err(|_| fmt::Error)?)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_is_lower_case_only() {
        let zeros = "0".repeat(64);
        assert_eq!(zeros.parse::<Hash>().unwrap(), Hash::ZERO);
        assert!("A".repeat(64).parse::<Hash>().is_err());
        assert!("0".repeat(63).parse::<Hash>().is_err());
    }

    #[test]
    fn base64url_has_one_spelling() {
        assert_eq!("AQ".parse::<B64>().unwrap().0, [1]);
        for bad in ["AQ==", "AR", "A", "+/8", "A Q"] {
            assert!(bad.parse::<B64>().is_err(), "{bad}");
        }
    }
}
