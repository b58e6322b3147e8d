//! Names and versions of releases: short, and safe in a file's name.

use std::fmt;
use std::str::FromStr;

use sealbook_ledger::ids::InvalidId;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The name or the version of a release.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Label(String);

impl Label {
    /// Longest label in bytes.
    pub const MAX_LEN: usize = 64;

    /// The label as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Label {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let begins = text.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric());
        let clean = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._+~-".contains(&b));
        if begins && clean && text.len() <= Self::MAX_LEN {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidId {
                what: "name or version of a release",
                why: "1 to 64 of letters, digits and `._+~-`, beginning with a letter or digit",
            })
        }
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Label {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Label {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_safe_in_a_files_name() {
        for good in ["sealbook", "2.1.0", "1.0.0-rc.1+build.7", "0~beta"] {
            assert!(good.parse::<Label>().is_ok(), "{good}");
        }
        for bad in ["", ".hidden", "-rf", "a/b", "a b", "ä", "..", &"a".repeat(65)] {
            assert!(bad.parse::<Label>().is_err(), "{bad}");
        }
    }
}
