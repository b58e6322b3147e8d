//! Payloads too long for an event: the event refers to them by hash, the bundle holds the bytes.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::encoding::Hash;
use crate::ids::{InvalidId, serde_as_text};

/// A reference to bytes that a bundle holds as `attachments/<sha256>`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attachment {
    /// SHA-256 of the bytes.
    pub sha256: Hash,
    /// How many bytes there are.
    pub size: u64,
    /// What the bytes are.
    pub media_type: MediaType,
}

/// A media type without parameters, lower-case, e.g. `application/cbor` (RFC 6838 §4.2).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MediaType(String);

impl MediaType {
    /// Longest media type in bytes, the slash included.
    pub const MAX_LEN: usize = 127;

    /// The media type as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for MediaType {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let named = text
            .split_once('/')
            .is_some_and(|(kind, sub)| is_restricted_name(kind) && is_restricted_name(sub));
        if named && text.len() <= Self::MAX_LEN {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidId {
                what: "media type",
                why: "lower-case type/subtype without parameters, at most 127 bytes",
            })
        }
    }
}

/// `restricted-name` of RFC 6838 §4.2, in lower case: names compare without case, here they have one spelling.
fn is_restricted_name(name: &str) -> bool {
    let starts = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    name.bytes().next().is_some_and(starts) && name.bytes().all(|b| starts(b) || b"!#$&-^_.+".contains(&b))
}

impl fmt::Display for MediaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

serde_as_text!(MediaType);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_media_type_is_two_lower_case_names() {
        for good in ["text/plain", "application/vnd.in-toto+json", "application/3gpp-ims+xml"] {
            assert_eq!(good.parse::<MediaType>().unwrap().as_str(), good);
        }
        let long = format!("application/{}", "a".repeat(116));
        for bad in [
            "",
            "text",
            "/",
            "text/",
            "/plain",
            "Text/plain",
            "text/plain; a=b",
            "a/b/c",
            "t\u{e9}/x",
            "-a/b",
            &long,
        ] {
            assert!(bad.parse::<MediaType>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_reference_has_exactly_its_three_members() {
        let text = format!(r#"{{"media_type":"text/plain","sha256":"{}","size":3}}"#, Hash::ZERO);
        let reference: Attachment = serde_json::from_str(&text).unwrap();
        assert_eq!(crate::canonical::to_vec(&reference).unwrap(), text.as_bytes());
        let more = text.replace('}', r#","name":"x"}"#);
        assert!(serde_json::from_str::<Attachment>(&more).is_err());
    }
}
