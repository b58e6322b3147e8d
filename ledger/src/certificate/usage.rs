//! What a certified key is for.

use serde::{Deserialize, Serialize};
use x509_cert::der::oid::ObjectIdentifier;

/// `id-kp-clientAuth` (RFC 5280 §4.2.1.12).
const CLIENT_AUTH: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.2");
/// `id-kp-codeSigning` (RFC 5280 §4.2.1.12).
const CODE_SIGNING: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.3");

/// What a certificate allows its key. As JSON: `{"kind":"code_signing"}`, `{"kind":"client_auth"}`,
/// `{"kind":"issuing","path_len":0}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "FlatUsage", into = "FlatUsage")]
pub enum Usage {
    /// Signatures of programs.
    CodeSigning,
    /// A client's side of TLS.
    ClientAuth,
    /// Certificates and revocation lists.
    Issuing {
        /// How many further CAs may stand between this one and the last certificate of a path.
        path_len: PathLen,
    },
}

impl Usage {
    /// The key purpose (RFC 5280 §4.2.1.12); CAs name none.
    pub(super) const fn purpose(self) -> Option<ObjectIdentifier> {
        match self {
            Self::CodeSigning => Some(CODE_SIGNING),
            Self::ClientAuth => Some(CLIENT_AUTH),
            Self::Issuing { .. } => None,
        }
    }

    /// The stable name of its kind.
    pub const fn name(self) -> &'static str {
        match self {
            Self::CodeSigning => "code_signing",
            Self::ClientAuth => "client_auth",
            Self::Issuing { .. } => "issuing",
        }
    }
}

/// A path length constraint (RFC 5280 §4.2.1.9): 0 to 3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct PathLen(u8);

impl PathLen {
    /// The longest that is issued: with a root and a last certificate a path of [`super::MAX_PATH`].
    pub const MAX: u8 = 3;

    /// The number.
    pub const fn get(self) -> u8 {
        self.0
    }
}

/// A path length that is not issued.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a path length is 0 to {}", PathLen::MAX)]
pub struct InvalidPathLen;

impl TryFrom<u8> for PathLen {
    type Error = InvalidPathLen;

    fn try_from(length: u8) -> Result<Self, InvalidPathLen> {
        if length <= Self::MAX { Ok(Self(length)) } else { Err(InvalidPathLen) }
    }
}

impl From<PathLen> for u8 {
    fn from(length: PathLen) -> Self {
        length.0
    }
}

/// The members as they are written: serde's own tagged form would take members that the kind doesn't have.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FlatUsage {
    kind: Kind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    path_len: Option<PathLen>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    CodeSigning,
    ClientAuth,
    Issuing,
}

/// A path length without a CA, or a CA without one.
#[derive(Debug, thiserror::Error)]
#[error("`path_len` belongs to `issuing`, and to nothing else")]
struct MisplacedPathLen;

impl TryFrom<FlatUsage> for Usage {
    type Error = MisplacedPathLen;

    fn try_from(flat: FlatUsage) -> Result<Self, MisplacedPathLen> {
        match (flat.kind, flat.path_len) {
            (Kind::CodeSigning, None) => Ok(Self::CodeSigning),
            (Kind::ClientAuth, None) => Ok(Self::ClientAuth),
            (Kind::Issuing, Some(path_len)) => Ok(Self::Issuing { path_len }),
            (Kind::CodeSigning | Kind::ClientAuth, Some(_)) | (Kind::Issuing, None) => Err(MisplacedPathLen),
        }
    }
}

impl From<Usage> for FlatUsage {
    fn from(usage: Usage) -> Self {
        match usage {
            Usage::CodeSigning => Self { kind: Kind::CodeSigning, path_len: None },
            Usage::ClientAuth => Self { kind: Kind::ClientAuth, path_len: None },
            Usage::Issuing { path_len } => Self { kind: Kind::Issuing, path_len: Some(path_len) },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_json_has_one_form() {
        for text in [
            r#"{"kind":"code_signing"}"#,
            r#"{"kind":"client_auth"}"#,
            r#"{"kind":"issuing","path_len":0}"#,
            r#"{"kind":"issuing","path_len":3}"#,
        ] {
            let usage: Usage = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::to_string(&usage).unwrap(), text);
        }
        for bad in [
            r#"{"kind":"server_auth"}"#,
            r#"{"kind":"issuing"}"#,
            r#"{"kind":"issuing","path_len":4}"#,
            r#"{"kind":"issuing","path_len":-1}"#,
            r#"{"kind":"code_signing","path_len":0}"#,
            r#"{"kind":"code_signing","more":1}"#,
            r#""code_signing""#,
        ] {
            assert!(serde_json::from_str::<Usage>(bad).is_err(), "{bad}");
        }
    }
}
