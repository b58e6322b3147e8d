//! Serial numbers (RFC 5280 §4.1.2.2).

use std::fmt;
use std::str::FromStr;

use x509_cert::der::asn1::UintRef;
use x509_cert::der::{Encode, Error};

use crate::encoding::HexBytes;
use crate::ids::{InvalidId, serde_as_text};

/// A positive number of at most 20 octets as DER writes it; its text is lower-case hex of whole octets without leading
/// zero octets.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SerialNumber(Vec<u8>);

impl SerialNumber {
    /// Most octets of its DER, that of the sign included.
    pub const MAX_LEN: usize = 20;

    /// From randomness of the caller's: 126 bits of it. The top bit is cleared, that the number is positive, and the next
    /// one set, that it is never zero and always 16 octets long.
    pub fn from_random(mut random: [u8; 16]) -> Self {
        random[0] = random[0] & 0x3f | 0x40;
        Self(random.to_vec())
    }

    /// The number, big-endian, without leading zeros.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// From a big-endian number without leading zeros.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let top = *bytes.first()?;
        let octets = bytes.len() + usize::from(top >> 7);
        (top != 0 && octets <= Self::MAX_LEN).then(|| Self(bytes.to_vec()))
    }

    /// From the content octets of an INTEGER in DER: its sign is an octet of its own where the top bit is set.
    pub(super) fn from_content(octets: &[u8]) -> Option<Self> {
        match octets {
            [0, rest @ ..] => Self::from_bytes(rest).filter(|_| rest.first().is_some_and(|top| *top >= 0x80)),
            [top, ..] if *top < 0x80 => Self::from_bytes(octets),
            _ => None,
        }
    }

    /// The INTEGER, DER.
    pub(super) fn to_der(&self) -> Result<Vec<u8>, Error> {
        UintRef::new(&self.0)?.to_der()
    }
}

impl FromStr for SerialNumber {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let bytes = text.parse::<HexBytes>().ok();
        bytes.and_then(|bytes| Self::from_bytes(&bytes.0)).ok_or(InvalidId {
            what: "serial number",
            why: "lower-case hex of a positive number of at most 20 octets, without leading zero octets",
        })
    }
}

impl fmt::Display for SerialNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for SerialNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

serde_as_text!(SerialNumber);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_random_serial_is_positive_and_sixteen_octets_long() {
        for random in [[0; 16], [0xff; 16], [0x80; 16]] {
            let serial = SerialNumber::from_random(random);
            assert_eq!(serial.to_der().unwrap()[..2], [2, 16]);
            assert_eq!(serial.as_bytes()[0] & 0xc0, 0x40);
            assert_eq!(serial.to_string().parse::<SerialNumber>().unwrap(), serial);
            assert_eq!(SerialNumber::from_content(&serial.to_der().unwrap()[2..]), Some(serial));
        }
    }

    #[test]
    fn a_serial_has_one_spelling() {
        for good in ["01", "ff", "7f", &"7f".repeat(20), &"ff".repeat(19)] {
            let serial = good.parse::<SerialNumber>().unwrap();
            assert_eq!(serial.to_string(), good);
            assert_eq!(SerialNumber::from_content(&serial.to_der().unwrap()[2..]), Some(serial));
        }
        for bad in ["", "00", "0001", "1", "FF", "0x01", "-1", &"ff".repeat(20), &"01".repeat(21)] {
            assert!(bad.parse::<SerialNumber>().is_err(), "{bad}");
        }
        for bad in [&[][..], &[0], &[0x80], &[0, 1], &[0, 0, 0x80], &[0xff; 20]] {
            assert_eq!(SerialNumber::from_content(bad), None, "{bad:?}");
        }
    }
}
