//! Distinguished names as they stand in certificates.

use std::fmt;

use x509_cert::attr::AttributeTypeAndValue;
use x509_cert::der::oid::ObjectIdentifier;
use x509_cert::der::{Encode, Error, Tag, Tagged};
use x509_cert::name::Name;

pub(super) const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");
pub(super) const COUNTRY: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.6");
pub(super) const LOCALITY: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.7");
pub(super) const PROVINCE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.8");
const STREET: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.9");
pub(super) const ORGANIZATION: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.10");
pub(super) const ORGANIZATIONAL_UNIT: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.11");
const DOMAIN_COMPONENT: ObjectIdentifier = ObjectIdentifier::new_unwrap("0.9.2342.19200300.100.1.25");
const USER_ID: ObjectIdentifier = ObjectIdentifier::new_unwrap("0.9.2342.19200300.100.1.1");

/// The types that have a short name (RFC 4514 §3); others are written as numbers.
const SHORT_NAMES: [(ObjectIdentifier, &str); 9] = [
    (COMMON_NAME, "CN"),
    (LOCALITY, "L"),
    (PROVINCE, "ST"),
    (ORGANIZATION, "O"),
    (ORGANIZATIONAL_UNIT, "OU"),
    (COUNTRY, "C"),
    (STREET, "STREET"),
    (DOMAIN_COMPONENT, "DC"),
    (USER_ID, "UID"),
];

/// The subject or issuer of a certificate. Two names are the same when their DER is (RFC 5280 §7.1 would also match
/// names that are spelled differently; issuers copy the name, so that this is never needed).
#[derive(Clone, PartialEq, Eq)]
pub struct DistinguishedName {
    der: Vec<u8>,
    name: Name,
}

impl DistinguishedName {
    pub(super) fn new(name: Name) -> Result<Self, Error> {
        Ok(Self { der: name.to_der()?, name })
    }

    /// The RDNSequence, DER.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Whether it names nobody.
    pub fn is_empty(&self) -> bool {
        self.name.is_empty()
    }
}

/// As text of RFC 4514: the last attribute first. Characters that can't be seen, or that turn text around, are escaped.
impl fmt::Display for DistinguishedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rdns: Vec<_> = self.name.iter_rdn().collect();
        for (at, rdn) in rdns.into_iter().rev().enumerate() {
            f.write_str(if at == 0 { "" } else { "," })?;
            for (at, attribute) in rdn.iter().enumerate() {
                f.write_str(if at == 0 { "" } else { "+" })?;
                write_attribute(attribute, f)?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for DistinguishedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn write_attribute(attribute: &AttributeTypeAndValue, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let textual = matches!(attribute.value.tag(), Tag::Utf8String | Tag::PrintableString | Tag::Ia5String);
    let text = std::str::from_utf8(attribute.value.value()).ok().filter(|_| textual);
    let short = SHORT_NAMES.iter().find(|(oid, _)| *oid == attribute.oid).map(|(_, short)| *short);
    match (short, text) {
        (Some(short), Some(text)) => {
            write!(f, "{short}=")?;
            write_escaped(text, f)
        }
        // RFC 4514 §2.4: what has no text form is the DER of the value.
        _ => {
            write!(f, "{}=#", attribute.oid)?;
            let der = attribute.value.to_der().map_err(|_| fmt::Error)?;
            der.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
        }
    }
}

fn write_escaped(text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let last = text.char_indices().last().map_or(0, |(at, _)| at);
    for (at, character) in text.char_indices() {
        match character {
            '"' | '+' | ',' | ';' | '<' | '>' | '\\' => write!(f, "\\{character}")?,
            '#' if at == 0 => f.write_str("\\#")?,
            ' ' if at == 0 || at == last => f.write_str("\\ ")?,
            character if looks_like_nothing(character) => {
                let mut bytes = [0; 4];
                for byte in character.encode_utf8(&mut bytes).bytes() {
                    write!(f, "\\{byte:02x}")?;
                }
            }
            character => write!(f, "{character}")?,
        }
    }
    Ok(())
}

/// Control characters, and those that are not seen but change how a text looks (Unicode's bidirectional and zero-width
/// ones): with them a name could be shown as another.
pub(super) fn looks_like_nothing(character: char) -> bool {
    let hidden = ['\u{ad}', '\u{61c}', '\u{180e}', '\u{feff}'].contains(&character);
    let ranges = ['\u{200b}'..='\u{200f}', '\u{2028}'..='\u{202e}', '\u{2060}'..='\u{206f}'];
    character.is_control() || hidden || ranges.iter().any(|range| range.contains(&character))
}
