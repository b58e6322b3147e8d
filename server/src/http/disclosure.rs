//! Redactable fields: a digest in the event, the clear text beside it (LEDGER_FORMAT §6).

use sealbook_ledger::encoding::B64;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::problem::Problem;
use crate::clearing::names_too_long;
use crate::ledger::Disclosure;
use crate::text::{Untrusted, plain};

/// A disclosure as callers send it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DisclosureBody {
    /// The field's name.
    #[schema(example = "reason")]
    name: String,
    /// 16 random bytes, base64url.
    #[schema(value_type = String)]
    salt: B64,
    /// What it says.
    #[schema(value_type = String)]
    value: Untrusted,
}

/// A disclosure as it is handed out with a draft, to be sent back with the proposal.
#[derive(Serialize, ToSchema)]
pub(super) struct DisclosureView {
    name: String,
    #[schema(value_type = String)]
    salt: B64,
    value: String,
}

impl DisclosureBody {
    /// The disclosure and its digest. What names somebody or something has a name's bound, other texts a text's.
    pub(super) fn read(self) -> Result<Disclosure, Problem> {
        let mismatch = || Problem::of("disclosure.mismatch");
        let salt: [u8; 16] = self.salt.as_bytes().try_into().map_err(|_| mismatch())?;
        let value = match self.name.as_str() {
            "artifact_name" | "artifact_ticket" | "artifact_version" | "display_name" => {
                self.value.name()?.into_string()
            }
            "holders" | "names" => self.value.names()?,
            "findings" | "reason" => self.value.text()?.into_string(),
            _ => return Err(mismatch()),
        };
        let disclosure = Disclosure::with_salt(self.name, salt, value);
        if disclosure.fits() { Ok(disclosure) } else { Err(names_too_long().into()) }
    }
}

/// One optional field as a disclosure.
pub(super) fn optional(name: &'static str, value: Option<Untrusted>) -> Result<Vec<Disclosure>, Problem> {
    let text = value.map(Untrusted::text).transpose()?;
    Ok(text.map(|text| Disclosure::new(name, text.into_string())).into_iter().collect())
}

/// The same of a text that a statement quotes.
pub(super) fn quoted(name: &'static str, value: Option<Untrusted>) -> Result<Vec<Disclosure>, Problem> {
    let said = optional(name, value)?;
    match said.iter().all(|one| plain(one.value()).is_ok()) {
        true => Ok(said),
        false => Err(Problem::of("advisory.markup")),
    }
}

impl From<&Disclosure> for DisclosureView {
    fn from(disclosure: &Disclosure) -> Self {
        Self {
            name: disclosure.name().to_owned(),
            salt: B64::from(disclosure.salt().as_slice()),
            value: disclosure.value().to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(json: &str) -> DisclosureBody {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_disclosure_keeps_the_salt_that_its_digest_was_made_with() {
        let read = body(r#"{"name":"reason","salt":"AAAAAAAAAAAAAAAAAAAAAA","value":"x"}"#).read().unwrap();
        assert_eq!((read.name(), read.salt(), read.value()), ("reason", [0; 16], "x"));
    }

    #[test]
    fn other_names_and_salts_of_other_lengths_are_refused() {
        for bad in [
            r#"{"name":"other","salt":"AAAAAAAAAAAAAAAAAAAAAA","value":"x"}"#,
            r#"{"name":"reason","salt":"AAAA","value":"x"}"#,
        ] {
            assert_eq!(body(bad).read().err().unwrap().code(), "disclosure.mismatch");
        }
    }
}
