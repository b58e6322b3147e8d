//! The client data: what the browser says about the page that asked (WebAuthn §5.8.1).

use serde::de::{Error as _, IgnoredAny};
use serde::{Deserialize, Deserializer};

use super::AssertionError;

/// The members that the check reads. Browsers add others, which are ignored; one of these twice is refused.
#[derive(Debug, Deserialize)]
pub(super) struct ClientData {
    /// `type`.
    #[serde(rename = "type")]
    pub(super) kind: String,
    /// As written, not decoded.
    pub(super) challenge: String,
    pub(super) origin: String,
    #[serde(rename = "crossOrigin", default)]
    pub(super) cross_origin: bool,
    /// Whether a `topOrigin` is there at all, whatever it says.
    #[serde(rename = "topOrigin", default, deserialize_with = "present")]
    pub(super) has_top_origin: bool,
}

fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(deserializer)?;
    Ok(true)
}

impl ClientData {
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, AssertionError> {
        let refuse = |why: &str| AssertionError::ClientData(serde_json::Error::custom(why));
        // All of it, for the parser does not look into strings that it ignores.
        let text = std::str::from_utf8(bytes).map_err(|_| refuse("not UTF-8"))?;
        // The parser would read the members from an array as well.
        if !text.starts_with('{') {
            return Err(refuse("not an object"));
        }
        serde_json::from_str(text).map_err(AssertionError::ClientData)
    }
}
