//! The authenticator data: what the authenticator says about itself and its user (WebAuthn §6.1).

use minicbor::Decoder;
use minicbor::data::Type;

use super::AssertionError;
use crate::encoding::Hash;

/// The authenticator data of an assertion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct AuthenticatorData {
    pub(super) rp_id_hash: Hash,
    pub(super) flags: Flags,
    pub(super) counter: u32,
}

/// The flags byte; the reserved bits 1 and 5 are ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Flags(u8);

impl Flags {
    /// UP, bit 0.
    pub(super) const fn user_present(self) -> bool {
        self.0 & 0x01 != 0
    }

    /// UV, bit 2.
    pub(super) const fn user_verified(self) -> bool {
        self.0 & 0x04 != 0
    }

    /// BE, bit 3.
    pub(super) const fn backup_eligible(self) -> bool {
        self.0 & 0x08 != 0
    }

    /// BS, bit 4.
    pub(super) const fn backup_state(self) -> bool {
        self.0 & 0x10 != 0
    }

    /// AT, bit 6: belongs to registrations.
    const fn attested(self) -> bool {
        self.0 & 0x40 != 0
    }

    /// ED, bit 7.
    const fn extended(self) -> bool {
        self.0 & 0x80 != 0
    }
}

impl AuthenticatorData {
    /// Reads 32 bytes of rpIdHash, the flags, a big-endian counter, and where ED is set one CBOR map; nothing else.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, AssertionError> {
        let refuse = |why| AssertionError::AuthenticatorData { why };
        let (rp_id_hash, rest) = bytes.split_first_chunk::<32>().ok_or(refuse("shorter than 37 bytes"))?;
        let ([flags, counter @ ..], extensions) =
            rest.split_first_chunk::<5>().ok_or(refuse("shorter than 37 bytes"))?;
        let flags = Flags(*flags);
        if flags.attested() {
            return Err(refuse("an assertion carries no attested credential"));
        }
        if flags.extended() && !is_one_map(extensions) {
            return Err(refuse("its extensions are not exactly one CBOR map"));
        }
        if !flags.extended() && !extensions.is_empty() {
            return Err(refuse("bytes after its end"));
        }
        Ok(Self { rp_id_hash: Hash(*rp_id_hash), flags, counter: u32::from_be_bytes(*counter) })
    }
}

/// Whether some bytes are one CBOR map and nothing after it; what is in it does not matter here.
fn is_one_map(bytes: &[u8]) -> bool {
    let mut decoder = Decoder::new(bytes);
    decoder.datatype().is_ok_and(|found| found == Type::Map)
        && decoder.skip().is_ok()
        && decoder.position() == bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(flags: u8, rest: &[u8]) -> Vec<u8> {
        [&[7; 32], [flags, 0, 0, 1, 2].as_slice(), rest].concat()
    }

    fn holds(flags: u8, rest: &[u8]) -> bool {
        AuthenticatorData::parse(&data(flags, rest)).is_ok()
    }

    #[test]
    fn the_fixed_part_is_read() {
        let parsed = AuthenticatorData::parse(&data(0x1d, &[])).unwrap();
        assert_eq!((parsed.rp_id_hash, parsed.counter), (Hash([7; 32]), 258));
        let flags = parsed.flags;
        assert!(
            flags.user_present() && flags.user_verified() && flags.backup_eligible() && flags.backup_state()
        );
        assert!(AuthenticatorData::parse(&data(0x05, &[])[..36]).is_err());
    }

    #[test]
    fn extensions_are_one_map_when_announced_and_absent_otherwise() {
        // {"a": [1, 2]}
        let map = [0xa1, 0x61, b'a', 0x82, 1, 2];
        assert!(holds(0x85, &map));
        assert!(holds(0x85, &[0xa0]));
        assert!(!holds(0x05, &map));
        assert!(!holds(0x85, &[]));
        assert!(!holds(0x85, &map[..5]));
        assert!(!holds(0x85, &[map.as_slice(), &[0]].concat()));
        assert!(!holds(0x85, &[0x80]));
        // A map that claims 2^64 - 1 entries ends with its bytes.
        assert!(!holds(0x85, &[0xbb, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 1]));
    }

    #[test]
    fn attested_data_is_refused_and_reserved_flags_are_ignored() {
        assert!(!holds(0x45, &[]));
        assert!(holds(0x27, &[]));
    }
}
