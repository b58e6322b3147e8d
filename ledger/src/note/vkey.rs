//! A verifier key as C2SP writes it: what people pin, compare and read aloud at ceremonies.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::VerifyingKey;
use sha2::{Digest as _, Sha256};

use crate::encoding::Hash;
use crate::ids::{InvalidId, Origin, serde_as_text};

/// C2SP's signature type of plain Ed25519.
const ED25519: u8 = 0x01;

/// Why a text or key is not a verifier key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidVkey {
    /// Not `name+hash+key`.
    #[error("not a verifier key: expected name+hash+key, with 8 lower-case hex digits and canonical base64")]
    Shape,
    /// The name is no origin.
    #[error("the verifier key's name is not a ledger's origin")]
    Name(#[source] InvalidId),
    /// A key of another type than Ed25519, or of the wrong length.
    #[error("the verifier key is not an Ed25519 key (type 0x01, 32 bytes)")]
    Type,
    /// Thirty-two bytes that are no usable public key: not on the curve, of small order, or not in
    /// their one encoding.
    #[error("the verifier key's 32 bytes are not a usable Ed25519 public key")]
    Point,
    /// The hash in the middle is not that of the name and the key: mistyped, or spliced together from two keys.
    #[error("the verifier key's hash does not match its name and key; copy it again from its source")]
    Hash,
}

impl InvalidVkey {
    /// The stable code of this error.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Shape => "vkey.shape",
            Self::Name(_) => "vkey.name",
            Self::Type => "vkey.type",
            Self::Point => "vkey.point",
            Self::Hash => "vkey.hash",
        }
    }
}

/// An Ed25519 public key under a ledger's origin: `name+hash+base64(0x01 ‖ key)`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Vkey {
    origin: Origin,
    key: VerifyingKey,
    key_id: [u8; 4],
}

impl Vkey {
    /// Names a raw Ed25519 public key (RFC 8032 §5.1.5).
    pub fn from_ed25519(origin: Origin, key: [u8; 32]) -> Result<Self, InvalidVkey> {
        let point = VerifyingKey::from_bytes(&key).map_err(|_| InvalidVkey::Point)?;
        // Decompression forgives y >= 2^255 - 19; a key with two spellings would have two vkeys.
        let canonical = point.to_edwards().compress().to_bytes() == key;
        if point.is_weak() || !canonical {
            return Err(InvalidVkey::Point);
        }
        let key_id = key_id(&origin, &key);
        Ok(Self { origin, key: point, key_id })
    }

    /// The key's name, which is the origin of the ledger it signs for.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The public key.
    pub fn verifying_key(&self) -> &VerifyingKey {
        &self.key
    }

    /// The first four bytes of SHA-256(name ‖ 0x0A ‖ 0x01 ‖ key): a hint for readers, not an identity.
    pub fn key_id(&self) -> [u8; 4] {
        self.key_id
    }

    /// SHA-256 of the text form: what `next_vkey_digest` promises.
    pub fn digest(&self) -> Hash {
        Hash::sha256(self.to_string().as_bytes())
    }
}

fn key_id(origin: &Origin, key: &[u8; 32]) -> [u8; 4] {
    let hash = Sha256::new()
        .chain_update(origin.as_str())
        .chain_update([b'\n', ED25519])
        .chain_update(key)
        .finalize();
    [hash[0], hash[1], hash[2], hash[3]]
}

impl FromStr for Vkey {
    type Err = InvalidVkey;

    fn from_str(text: &str) -> Result<Self, InvalidVkey> {
        // Neither a name nor a hash holds a `+`, the base64 may.
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(hash), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(InvalidVkey::Shape);
        };
        let origin: Origin = name.parse().map_err(InvalidVkey::Name)?;
        if key.len() > STANDARD.encode([0; 33]).len() {
            return Err(InvalidVkey::Type);
        }
        let typed = STANDARD.decode(key).map_err(|_| InvalidVkey::Shape)?;
        let Some((&ED25519, raw)) = typed.split_first() else {
            return Err(InvalidVkey::Type);
        };
        let vkey = Self::from_ed25519(origin, raw.try_into().map_err(|_| InvalidVkey::Type)?)?;
        if hash.len() != 8 || !hash.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)) {
            return Err(InvalidVkey::Shape);
        }
        if hash == base16ct::lower::encode_string(&vkey.key_id) { Ok(vkey) } else { Err(InvalidVkey::Hash) }
    }
}

impl fmt::Display for Vkey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut typed = vec![ED25519];
        typed.extend_from_slice(self.key.as_bytes());
        write!(
            f,
            "{}+{}+{}",
            self.origin,
            base16ct::lower::encode_string(&self.key_id),
            STANDARD.encode(typed)
        )
    }
}

impl fmt::Debug for Vkey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

serde_as_text!(Vkey);

#[cfg(test)]
mod tests {
    use super::*;

    const VKEY: &str = "sealbook.example.com/vectors+879bfe16+AQo5Byq9k/qhDu68vfjiT2aDu0fy9Aw7FTBIIq+/LBql";

    #[test]
    fn a_vkey_reads_back_what_it_writes() {
        let vkey: Vkey = VKEY.parse().unwrap();
        assert_eq!(vkey.to_string(), VKEY);
        assert_eq!(Vkey::from_ed25519(vkey.origin().clone(), vkey.verifying_key().to_bytes()), Ok(vkey));
    }

    #[test]
    fn a_vkey_with_any_part_wrong_is_refused() {
        let cases = [
            ("", InvalidVkey::Shape),
            ("sealbook.example.com/vectors+879bfe16", InvalidVkey::Shape),
            (&VKEY.replace("879bfe16", "879BFE16"), InvalidVkey::Shape),
            (&VKEY.replace("879bfe16", "879bfe17"), InvalidVkey::Hash),
            (&VKEY.replace("vectors", "forgery"), InvalidVkey::Hash),
            (&VKEY.replace("+AQ", "+BA"), InvalidVkey::Type),
            (&VKEY.replace("LBql", "LA=="), InvalidVkey::Type),
            (&format!("{VKEY}AAAA"), InvalidVkey::Type),
            (&VKEY.replace("LBql", "LB l"), InvalidVkey::Shape),
        ];
        for (text, expected) in cases {
            assert_eq!(text.parse::<Vkey>(), Err(expected), "{text}");
        }
        assert!(matches!("a b+879bfe16+AQ==".parse::<Vkey>(), Err(InvalidVkey::Name(_))));
    }

    #[test]
    fn a_key_under_which_forgeries_verify_is_refused() {
        let origin: Origin = "sealbook.example.com/weak".parse().unwrap();
        let mut identity = [0; 32];
        identity[0] = 1;
        assert_eq!(Vkey::from_ed25519(origin.clone(), identity), Err(InvalidVkey::Point));
        assert_eq!(Vkey::from_ed25519(origin, [0xff; 32]), Err(InvalidVkey::Point));
    }
}
