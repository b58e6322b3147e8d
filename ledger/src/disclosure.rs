//! Disclosures: the redactable fields of events, which travel beside the events and never in them (ledger format §6).

use std::str::FromStr as _;

use serde::{Deserialize, Serialize};

use crate::canonical::{self, NotCanonical, Unrepresentable};
use crate::encoding::{B64, Hash};
use crate::ids::Seq;

/// Bytes of a disclosure's salt: enough that nobody finds a value by trying.
pub const SALT_LEN: usize = 16;

/// The longest line of `disclosures.jsonl` in bytes, without its LF: as long as an event may be.
pub const MAX_DISCLOSURE_LEN: usize = 65_535;

/// Why a line is not a disclosure.
#[derive(Debug, thiserror::Error)]
pub enum DisclosureError {
    /// Longer than [`MAX_DISCLOSURE_LEN`].
    #[error("longer than {MAX_DISCLOSURE_LEN} bytes")]
    TooLong,
    /// Not its own RFC 8785 form.
    #[error("not canonical JSON: {0}")]
    NotCanonical(#[from] NotCanonical),
    /// Not an object of exactly `name`, `salt`, `seq` and `value`.
    #[error("not an object of name, salt, seq and value: {0}")]
    Form(#[source] serde_json::Error),
    /// A salt of another length.
    #[error("a salt has {SALT_LEN} bytes")]
    Salt,
}

impl DisclosureError {
    /// The stable code of this error.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLong => "disclosure.too_long",
            Self::NotCanonical(_) => "disclosure.not_canonical",
            Self::Form(_) => "disclosure.form",
            Self::Salt => "disclosure.salt",
        }
    }
}

/// One field's name and value, with the salt that hides it in its digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disclosure {
    name: String,
    salt: [u8; SALT_LEN],
    seq: Seq,
    value: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DisclosureJson<'a> {
    name: std::borrow::Cow<'a, str>,
    salt: std::borrow::Cow<'a, str>,
    seq: Seq,
    value: std::borrow::Cow<'a, str>,
}

impl Disclosure {
    /// The field `name` of the event at `seq`; the salt is the field's own, random.
    pub fn new(seq: Seq, name: String, value: String, salt: [u8; SALT_LEN]) -> Self {
        Self { name, salt, seq, value }
    }

    /// The event whose `_sd` lists the digest.
    pub fn seq(&self) -> Seq {
        self.seq
    }

    /// The field's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its salt.
    pub fn salt(&self) -> [u8; SALT_LEN] {
        self.salt
    }

    /// The field's value.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// SHA-256(JCS([salt, name, value])): what the event's `_sd` lists.
    pub fn digest(&self) -> Result<Hash, Unrepresentable> {
        Ok(Hash::sha256(&canonical::to_vec(&(self.salt_text(), &self.name, &self.value))?))
    }

    /// The line of `disclosures.jsonl`, without its LF.
    pub fn to_line(&self) -> Result<Vec<u8>, Unrepresentable> {
        canonical::to_vec(&DisclosureJson {
            name: self.name.as_str().into(),
            salt: self.salt_text().into(),
            seq: self.seq,
            value: self.value.as_str().into(),
        })
    }

    /// Reads a line without its LF; only the one spelling is accepted.
    pub fn parse(line: &[u8]) -> Result<Self, DisclosureError> {
        if line.len() > MAX_DISCLOSURE_LEN {
            return Err(DisclosureError::TooLong);
        }
        canonical::check(line)?;
        let json: DisclosureJson<'_> = serde_json::from_slice(line).map_err(DisclosureError::Form)?;
        let salt = B64::from_str(&json.salt).ok().and_then(|salt| salt.0.try_into().ok());
        Ok(Self {
            name: json.name.into_owned(),
            salt: salt.ok_or(DisclosureError::Salt)?,
            seq: json.seq,
            value: json.value.into_owned(),
        })
    }

    fn salt_text(&self) -> String {
        B64::from(self.salt.as_slice()).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = r#"{"name":"reason","salt":"ICEiIyQlJicoKSorLC0uLw","seq":4,"value":"why"}"#;

    #[test]
    fn a_line_has_one_spelling() {
        let read = Disclosure::parse(LINE.as_bytes()).unwrap();
        assert_eq!(read.to_line().unwrap(), LINE.as_bytes());
        let code = |line: &str| Disclosure::parse(line.as_bytes()).unwrap_err().code();
        assert_eq!(code(&LINE.replace(":4", ": 4")), "disclosure.not_canonical");
        assert_eq!(code(&LINE.replace("LC0uLw", "LC0u")), "disclosure.salt");
        assert_eq!(code(&LINE.replace("uLw", "uLx")), "disclosure.salt");
        assert_eq!(code(&LINE.replace("name", "game")), "disclosure.form");
        assert_eq!(code(&LINE.replace("\"why\"", "1")), "disclosure.form");
        assert_eq!(code(&LINE.replace("why", &"y".repeat(MAX_DISCLOSURE_LEN))), "disclosure.too_long");
    }
}
