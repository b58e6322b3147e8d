//! in-toto Statement v1 about one manifest (packs §5; in-toto Attestation Framework, `spec/v1/statement.md`).

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use super::{MANIFEST, MAX_STATEMENT, PackError};
use crate::canonical;
use crate::encoding::Hash;

/// `_type` of every statement.
pub const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";

/// The longest predicate type in bytes.
const MAX_PREDICATE_TYPE: usize = 200;

/// What a pack's signature is over: that the manifest with this digest is what the predicate says.
///
/// Stricter than in-toto, which ignores members that it does not know: here all are known, and the bytes are canonical
/// JSON.
#[derive(Debug, Clone)]
pub struct Statement {
    predicate_type: String,
    predicate: Box<RawValue>,
    manifest: Hash,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StatementJson<P> {
    #[serde(rename = "_type")]
    statement_type: String,
    predicate: P,
    #[serde(rename = "predicateType")]
    predicate_type: String,
    subject: Vec<Subject>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Subject {
    digest: Digest,
    name: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Digest {
    sha256: Hash,
}

impl Statement {
    /// The canonical JSON of a statement about the file of this name and SHA-256.
    ///
    /// The predicate type is a URI with a scheme, at most 200 printable ASCII characters; the predicate serialises as an
    /// object.
    pub fn write<P: Serialize>(
        predicate_type: &str,
        predicate: &P,
        (name, sha256): (&str, Hash),
    ) -> Result<Vec<u8>, PackError> {
        check_predicate_type(predicate_type)?;
        let predicate = serde_json::to_value(predicate).map_err(PackError::Predicate)?;
        if !matches!(predicate, Value::Object(_)) {
            return Err(PackError::PredicateForm);
        }
        let subject = Subject { digest: Digest { sha256 }, name: name.to_owned() };
        let bytes = canonical::to_vec(&StatementJson {
            statement_type: STATEMENT_TYPE.to_owned(),
            predicate,
            predicate_type: predicate_type.to_owned(),
            subject: vec![subject],
        })?;
        check_len(&bytes)?;
        Ok(bytes)
    }

    /// Reads a statement: canonical JSON with exactly the four members, about one manifest.
    pub fn parse(bytes: &[u8]) -> Result<Self, PackError> {
        check_len(bytes)?;
        canonical::check(bytes)
            .map_err(|source| PackError::NotCanonical { what: "the statement", source })?;
        let read: StatementJson<Box<RawValue>> =
            serde_json::from_slice(bytes).map_err(PackError::Statement)?;
        if read.statement_type != STATEMENT_TYPE {
            return Err(PackError::StatementType);
        }
        check_predicate_type(&read.predicate_type)?;
        if !read.predicate.get().starts_with('{') {
            return Err(PackError::PredicateForm);
        }
        match read.subject.as_slice() {
            [subject] if subject.name == MANIFEST => Ok(Self {
                manifest: subject.digest.sha256,
                predicate_type: read.predicate_type,
                predicate: read.predicate,
            }),
            _ => Err(PackError::Subject),
        }
    }

    /// The URI that says what the predicate means.
    pub fn predicate_type(&self) -> &str {
        &self.predicate_type
    }

    /// SHA-256 of the manifest that it is about.
    pub fn manifest(&self) -> Hash {
        self.manifest
    }

    /// The predicate's canonical JSON.
    pub fn predicate_json(&self) -> &str {
        self.predicate.get()
    }

    /// The predicate, where it is of the type that the caller asks for; [`PackError::PredicateType`] otherwise.
    pub fn predicate<P: DeserializeOwned>(&self, predicate_type: &str) -> Result<P, PackError> {
        if self.predicate_type != predicate_type {
            return Err(PackError::PredicateType { expected: predicate_type.to_owned() });
        }
        serde_json::from_str(self.predicate.get()).map_err(PackError::Predicate)
    }
}

fn check_len(bytes: &[u8]) -> Result<(), PackError> {
    if bytes.len() > MAX_STATEMENT {
        return Err(PackError::TooLarge { what: "the statement", most: MAX_STATEMENT });
    }
    Ok(())
}

fn check_predicate_type(text: &str) -> Result<(), PackError> {
    let printable = text.len() <= MAX_PREDICATE_TYPE && text.bytes().all(|b| b.is_ascii_graphic());
    if printable && text.split_once(':').is_some_and(|(scheme, rest)| !scheme.is_empty() && !rest.is_empty())
    {
        Ok(())
    } else {
        Err(PackError::PredicateType {
            expected: "a URI of at most 200 printable ASCII characters".to_owned(),
        })
    }
}
