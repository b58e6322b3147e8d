//! The `data` of an event, read where it stands in the event's canonical bytes.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::{EnvelopeError, sd_is_well_formed};
use crate::canonical;
use crate::encoding::B64;

/// The member that lists the digests of redactable fields.
const SD: &str = "_sd";

/// A payload's canonical bytes, without `_sd`: an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Data<'a>(Cow<'a, str>);

impl<'a> Data<'a> {
    /// Takes `_sd` out of the canonical text of a `data` member.
    pub(super) fn split(text: &'a str) -> Result<(Self, Vec<B64>), EnvelopeError> {
        if let Some(listed) = text.strip_prefix("{\"_sd\":") {
            return Self::behind(listed);
        }
        // Members are sorted, and the names of payloads begin with small letters, which come after `_`: where the first
        // name does, no other is `_sd`.
        let first = text.strip_prefix("{\"").and_then(|name| name.bytes().next());
        if text == "{}" || first.is_some_and(|byte| byte > b'_') {
            return Ok((Self(Cow::Borrowed(text)), Vec::new()));
        }
        Self::among(text)
    }

    /// `_sd` comes first, as in every payload that the catalogue knows. No digest holds a bracket.
    fn behind(listed: &str) -> Result<(Self, Vec<B64>), EnvelopeError> {
        let end = listed.find(']').ok_or(EnvelopeError::Disclosures)?;
        let (listed, rest) = listed.split_at(end + 1);
        let digests = serde_json::from_str(listed).map_err(|_| EnvelopeError::Disclosures)?;
        let members = rest.strip_prefix(',').or((rest == "}").then_some(rest));
        let data = format!("{{{}", members.ok_or(EnvelopeError::Disclosures)?);
        Ok((Self(Cow::Owned(data)), well_formed(digests)?))
    }

    /// Anywhere else it may stand, the rules know no such payload; it still is what it is.
    fn among(text: &'a str) -> Result<(Self, Vec<B64>), EnvelopeError> {
        let mut members: Map<String, Value> = serde_json::from_str(text).map_err(EnvelopeError::Envelope)?;
        let Some(listed) = members.remove(SD) else { return Ok((Self(Cow::Borrowed(text)), Vec::new())) };
        let digests = serde_json::from_value(listed).map_err(|_| EnvelopeError::Disclosures)?;
        // What was read from canonical bytes has a canonical form.
        let rest = canonical::value_to_vec(&Value::Object(members)).ok();
        let rest = rest.and_then(|bytes| String::from_utf8(bytes).ok()).ok_or(EnvelopeError::Disclosures)?;
        Ok((Self(Cow::Owned(rest)), well_formed(digests)?))
    }

    /// The bytes.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The members.
    pub fn members(&self) -> Map<String, Value> {
        // Both ways of making one leave the canonical text of an object.
        serde_json::from_str(&self.0).unwrap_or_default()
    }
}

fn well_formed(digests: Vec<B64>) -> Result<Vec<B64>, EnvelopeError> {
    let well_formed = !digests.is_empty() && sd_is_well_formed(&digests);
    if well_formed { Ok(digests) } else { Err(EnvelopeError::Disclosures) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn member() -> impl Strategy<Value = (String, Value)> {
        let digest =
            prop::array::uniform32(any::<u8>()).prop_map(|bytes| B64::from(bytes.as_slice()).to_string());
        let text =
            prop_oneof![digest, Just("]".to_owned()), Just("_sd".to_owned()), Just("\",\"_sd\":".to_owned())];
        let mut texts = prop::collection::vec(text, 0..3).boxed();
        texts = texts
            .prop_map(|mut texts| {
                texts.sort();
                texts
            })
            .boxed();
        let value = prop_oneof![Just(Value::from(7)), Just(Value::Null), texts.prop_map(Value::from)];
        let name =
            prop::sample::select(vec!["_sd", "_sda", "_sd\u{1}", "_", "_z", "A", "\u{1}", "a", "é", "]"]);
        (name.prop_map(str::to_owned), value)
    }

    proptest! {
        /// Wherever `_sd` stands and whatever else there is, what is read where it stands is what the members say.
        #[test]
        fn the_short_way_reads_what_the_long_one_reads(members in prop::collection::vec(member(), 0..4)) {
            let members: Map<String, Value> = members.into_iter().collect();
            let text = String::from_utf8(canonical::value_to_vec(&Value::Object(members)).unwrap()).unwrap();
            match (Data::split(&text), Data::among(&text)) {
                (Ok(short), Ok(long)) => prop_assert_eq!(short, long),
                (Err(EnvelopeError::Disclosures), Err(EnvelopeError::Disclosures)) => {}
                (short, long) => prop_assert!(false, "{text}: {short:?}, {long:?}"),
            }
        }
    }
}
