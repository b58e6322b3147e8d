//! Whom a certificate of ours names.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use x509_cert::attr::AttributeTypeAndValue;
use x509_cert::der::asn1::{Any, SetOfVec};
use x509_cert::der::oid::ObjectIdentifier;
use x509_cert::der::{Encode, Error, Tag};

use super::name::{self, looks_like_nothing};
use crate::ids::{InvalidId, serde_as_text};

/// The subject of a certificate or request; members in the order of their names, as canonical JSON has them.
///
/// As DER (RFC 5280 §4.1.2.6) it is an RDNSequence in the order country, province, locality, organization,
/// organizational unit, common name, of those that are there; one attribute a set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    /// `CN`.
    pub common_name: NameText,
    /// `C`, a PrintableString; all others are UTF8Strings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<Country>,
    /// `L`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locality: Option<NameText>,
    /// `O`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization: Option<NameText>,
    /// `OU`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organizational_unit: Option<NameText>,
    /// `ST`, the state or province.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub province: Option<NameText>,
}

impl Subject {
    /// The RDNSequence, DER.
    pub(super) fn to_der(&self) -> Result<Vec<u8>, Error> {
        let country = self.country.as_ref().map(Country::as_str);
        let text = |text: &Option<NameText>| text.as_ref().map(|text| text.0.clone());
        let attributes = [
            (name::COUNTRY, Tag::PrintableString, country.map(str::to_owned)),
            (name::PROVINCE, Tag::Utf8String, text(&self.province)),
            (name::LOCALITY, Tag::Utf8String, text(&self.locality)),
            (name::ORGANIZATION, Tag::Utf8String, text(&self.organization)),
            (name::ORGANIZATIONAL_UNIT, Tag::Utf8String, text(&self.organizational_unit)),
            (name::COMMON_NAME, Tag::Utf8String, Some(self.common_name.0.clone())),
        ];
        let mut rdns = Vec::new();
        for (oid, tag, value) in attributes {
            if let Some(value) = value {
                rdns.push(attribute(oid, tag, value)?);
            }
        }
        rdns.to_der()
    }
}

/// A RelativeDistinguishedName of one attribute.
fn attribute(
    oid: ObjectIdentifier,
    tag: Tag,
    value: String,
) -> Result<SetOfVec<AttributeTypeAndValue>, Error> {
    SetOfVec::from_iter([AttributeTypeAndValue { oid, value: Any::new(tag, value.into_bytes())? }])
}

/// A text of a name: 1 to 64 characters (RFC 5280 appendix A.1, the least of its upper bounds), without control
/// characters or invisible ones, without spaces at either end.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NameText(String);

impl NameText {
    /// Most characters.
    pub const MAX_CHARS: usize = 64;

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for NameText {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let fits = !text.is_empty() && text.chars().count() <= Self::MAX_CHARS;
        let seen = !text.contains(looks_like_nothing) && text.trim() == text;
        if fits && seen {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidId {
                what: "text of a name",
                why: "1 to 64 characters, none of them invisible, no spaces at either end",
            })
        }
    }
}

impl fmt::Display for NameText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A country's code: two upper-case ASCII letters (ISO 3166-1 alpha-2; whether it is assigned isn't checked).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Country(String);

impl Country {
    /// The code.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Country {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        if text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_uppercase()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidId { what: "country", why: "two upper-case letters, such as DE" })
        }
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

serde_as_text!(NameText, Country);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_is_refused_where_it_could_mislead() {
        let long = "x".repeat(65);
        for bad in ["", " a", "a ", "a\u{a0}", "a\nb", "a\0", "\u{202e}moc", "a\u{200b}b", "\u{85}", &long] {
            assert!(bad.parse::<NameText>().is_err(), "{bad:?}");
        }
        for good in ["a", "Größe & Söhne", "a b", &"ü".repeat(64)] {
            assert_eq!(good.parse::<NameText>().unwrap().as_str(), good);
        }
        for bad in ["", "D", "de", "DEU", "D1", "ÄÖ"] {
            assert!(bad.parse::<Country>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn its_json_has_one_form() {
        let text = r#"{"common_name":"Releases","country":"DE","organization":"Example GmbH"}"#;
        let subject: Subject = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&subject).unwrap(), text);
        for bad in [
            r#"{"common_name":"Releases","email":"a"}"#,
            r#"{"organization":"Example"}"#,
            r#"{"common_name":"Releases","country":"de"}"#,
        ] {
            assert!(serde_json::from_str::<Subject>(bad).is_err(), "{bad}");
        }
    }
}
