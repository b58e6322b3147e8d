//! Redactable fields: a digest in the event, the clear text beside it (LEDGER_FORMAT §6).

use aws_lc_rs::rand;
use sealbook_ledger::canonical;
use sealbook_ledger::encoding::{B64, Hash};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::problem::Problem;
use crate::app::Disclosure;
use crate::text::{FreeText, Untrusted};

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
    name: &'static str,
    #[schema(value_type = String)]
    salt: B64,
    value: String,
}

impl DisclosureBody {
    /// The disclosure and its digest. Display names have a name's bound, other texts a text's.
    pub(super) fn read(self) -> Result<(B64, Disclosure), Problem> {
        let mismatch = || Problem::of("disclosure.mismatch");
        let salt: [u8; 16] = self.salt.as_bytes().try_into().map_err(|_| mismatch())?;
        let value = match self.name.as_str() {
            "display_name" => self.value.name()?.into_string(),
            "reason" => self.value.text()?.into_string(),
            _ => return Err(mismatch()),
        };
        let disclosure = Disclosure { name: self.name, salt, value };
        Ok((digest(&disclosure)?, disclosure))
    }
}

/// Makes a disclosure with a salt of its own, and its digest.
pub(super) fn disclose<const MAX: usize>(
    name: &'static str,
    value: FreeText<MAX>,
) -> Result<(B64, Disclosure), Problem> {
    let mut salt = [0; 16];
    rand::fill(&mut salt).map_err(|_| Problem::fault("no random bytes"))?;
    let disclosure = Disclosure { name: name.to_owned(), salt, value: value.into_string() };
    Ok((digest(&disclosure)?, disclosure))
}

/// One optional field: its digests for `_sd`, and the disclosure.
pub(super) fn optional(
    name: &'static str,
    value: Option<Untrusted>,
) -> Result<(Vec<B64>, Vec<Disclosure>), Problem> {
    let Some(value) = value else { return Ok((Vec::new(), Vec::new())) };
    let (digest, disclosure) = disclose(name, value.text()?)?;
    Ok((vec![digest], vec![disclosure]))
}

/// A disclosure for its maker to keep until the proposal.
pub(super) fn view(name: &'static str, disclosure: Disclosure) -> DisclosureView {
    DisclosureView { name, salt: B64::from(disclosure.salt.as_slice()), value: disclosure.value }
}

/// SHA-256 over the canonical form of `[salt, name, value]`.
fn digest(disclosure: &Disclosure) -> Result<B64, Problem> {
    let salt = B64::from(disclosure.salt.as_slice());
    let bytes = canonical::to_vec(&(salt, &disclosure.name, &disclosure.value)).map_err(Problem::fault)?;
    Ok(B64::from(Hash::sha256(&bytes).0.as_slice()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(json: &str) -> DisclosureBody {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_digest_is_over_salt_name_and_value() {
        let (digest, _) = body(r#"{"name":"reason","salt":"AAAAAAAAAAAAAAAAAAAAAA","value":"x"}"#).read().unwrap();
        let expected = Hash::sha256(br#"["AAAAAAAAAAAAAAAAAAAAAA","reason","x"]"#);
        assert_eq!(digest.as_bytes(), expected.0);
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
