//! What a person is about to sign, checked on this machine: the server draws documents up, it doesn't get to choose
//! what is signed.

use std::collections::BTreeMap;

use sealbook_ledger::action::{ActionDocument, ActionType, Params};
use sealbook_ledger::canonical::{self, Unrepresentable};
use sealbook_ledger::encoding::{B64, Hash};
use sealbook_ledger::founding::founding_digest;
use sealbook_ledger::ids::{ActionId, MemberId, Origin};
use sealbook_ledger::payload::FoundingDocument;
use sealbook_ledger::webauthn::{Credential, Purpose};
use serde::Serialize;
use serde_json::Value;

use crate::client::answers::{DraftDisclosure, Founding, FoundingCandidate};

/// Why a document that the server showed is not signed.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// Not a document of version 1.
    #[error("the server's document is not one of version 1")]
    Form(#[source] serde_json::Error),
    /// No canonical form.
    #[error("the server's document has no canonical form")]
    Unrepresentable(#[from] Unrepresentable),
    /// It holds something that is not read here, and would be signed unseen.
    #[error("the server's document is not in its one form: part of it would be signed unseen")]
    Hidden,
    /// A member that was asked for is another one in the document.
    #[error("the server's document differs from what was asked for in its {member}")]
    Differs {
        /// The member.
        member: &'static str,
    },
    /// The server wants another digest signed than the document's.
    #[error("the server's {what} is not the digest of the document that it shows")]
    Digest {
        /// What it called it.
        what: &'static str,
    },
    /// The founding document doesn't hold exactly this authenticator.
    #[error("the founding document does not enrol this authenticator exactly once")]
    OwnCredential,
    /// The founding has no document yet.
    #[error("there is nothing to sign yet: not every founder has registered")]
    Missing,
}

impl DocumentError {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Form(_) => "document.form",
            Self::Unrepresentable(_) => "document.unrepresentable",
            Self::Hidden => "document.hidden",
            Self::Differs { .. } => "document.differs",
            Self::Digest { .. } => "document.digest",
            Self::OwnCredential => "document.own_credential",
            Self::Missing => "document.missing",
        }
    }
}

/// What a proposer asks for.
#[derive(Debug, Clone)]
pub struct Asked {
    kind: ActionType,
    params: Value,
    private: BTreeMap<&'static str, PrivateField>,
}

/// A private field, which a document holds by its digest.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub enum PrivateField {
    /// A text.
    Text(String),
    /// Names, a line each.
    Lines(Vec<String>),
}

impl PrivateField {
    /// The text that its digest is of.
    fn value(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Lines(lines) => lines.join("\n"),
        }
    }
}

impl Asked {
    /// An action of this type, by its typed parameters.
    pub fn new(kind: ActionType, params: &impl Serialize) -> Result<Self, DocumentError> {
        let params = serde_json::to_value(params).map_err(DocumentError::Form)?;
        Ok(Self { kind, params, private: BTreeMap::new() })
    }

    /// Adds a private display name.
    pub fn with_display_name(self, display_name: Option<String>) -> Self {
        self.with_private("display_name", display_name.map(PrivateField::Text))
    }

    /// Adds a private field, where there is one.
    pub fn with_private(mut self, name: &'static str, field: Option<PrivateField>) -> Self {
        self.private.extend(field.map(|field| (name, field)));
        self
    }

    /// The type.
    pub fn kind(&self) -> ActionType {
        self.kind
    }

    /// The parameters, without digests of what is private.
    pub fn params(&self) -> &Value {
        &self.params
    }

    /// The private fields, by name.
    pub fn private(&self) -> &BTreeMap<&'static str, PrivateField> {
        &self.private
    }
}

/// An action's document that was checked, and its canonical bytes.
#[derive(Debug)]
pub struct CheckedDocument {
    document: ActionDocument,
    bytes: Vec<u8>,
}

impl CheckedDocument {
    /// Reads a document of this ledger and action; what is read is all that its bytes say.
    pub fn open(value: &Value, origin: &Origin) -> Result<Self, DocumentError> {
        let document: ActionDocument = serde_json::from_value(value.clone()).map_err(DocumentError::Form)?;
        let bytes = document.to_bytes()?;
        if canonical::value_to_vec(value)? != bytes {
            return Err(DocumentError::Hidden);
        }
        if document.origin != *origin {
            return Err(DocumentError::Differs { member: "origin" });
        }
        Ok(Self { document, bytes })
    }

    /// Refuses a document of another action than the one that was named.
    pub fn of_action(self, action: ActionId) -> Result<Self, DocumentError> {
        if self.document.action == action {
            Ok(self)
        } else {
            Err(DocumentError::Differs { member: "action" })
        }
    }

    /// Refuses a draft that is not exactly what its proposer asked for.
    pub fn matching(
        self,
        asked: &Asked,
        reason: &str,
        proposer: MemberId,
        disclosures: &[DraftDisclosure],
    ) -> Result<Self, DocumentError> {
        let differs = |member| Err(DocumentError::Differs { member });
        if self.document.kind() != asked.kind {
            return differs("type");
        }
        if self.document.proposed_by != proposer.into() {
            return differs("proposer");
        }
        if self.document.execute_at.is_some() {
            return differs("execute_at");
        }
        if disclosed_digest(disclosures, "reason", reason)? != Some(self.document.reason_digest.clone()) {
            return differs("reason");
        }
        let mut expected = asked.params.clone();
        for (name, field) in &asked.private {
            let Some(digest) = disclosed_digest(disclosures, name, &field.value())? else {
                return differs(name);
            };
            expected[format!("{name}_digest")] = Value::String(digest.to_string());
        }
        let written = serde_json::to_value(&self.document).map_err(DocumentError::Form)?;
        if written["params"] == expected { Ok(self) } else { differs("parameters") }
    }

    /// The private field whose digest the document holds, where it is disclosed; refuses one that does not open it.
    pub fn disclosed<'a>(
        &self,
        name: &'static str,
        disclosures: &'a [DraftDisclosure],
    ) -> Result<Option<&'a str>, DocumentError> {
        let differs = Err(DocumentError::Differs { member: name });
        let mut named = disclosures.iter().filter(|disclosure| disclosure.name == name);
        let Some(disclosure) = named.next() else { return Ok(None) };
        let digest = disclosed_digest(disclosures, name, &disclosure.value)?;
        let written = match (name, &self.document.params) {
            ("reason", _) => Some(&self.document.reason_digest),
            ("artifact_name", Params::SigningApprove(p)) => p.artifact_name_digest.as_ref(),
            ("artifact_ticket", Params::SigningApprove(p)) => p.artifact_ticket_digest.as_ref(),
            ("artifact_version", Params::SigningApprove(p)) => p.artifact_version_digest.as_ref(),
            ("names", Params::SigningBatch(p)) => p.names_digest.as_ref(),
            ("holders", Params::HsmAccessReview(p)) => Some(&p.holders_digest),
            ("findings", Params::HsmAccessReview(p)) => p.findings_digest.as_ref(),
            (_, Params::MemberEnroll(p)) => p.display_name_digest.as_ref(),
            (_, Params::ServiceEnroll(p)) => p.display_name_digest.as_ref(),
            _ => None,
        };
        if written.is_some() && digest.as_ref() == written { Ok(Some(&disclosure.value)) } else { differs }
    }

    /// The challenge to sign for a purpose; refuses where the server claims another.
    pub fn challenge(&self, purpose: Purpose, claimed: Option<&Hash>) -> Result<Hash, DocumentError> {
        let challenge = purpose.challenge(&self.bytes);
        match claimed {
            Some(other) if *other != challenge => Err(DocumentError::Digest { what: "challenge" }),
            Some(_) | None => Ok(challenge),
        }
    }

    /// What it says.
    pub fn document(&self) -> &ActionDocument {
        &self.document
    }
}

/// The `_sd` digest of a disclosure of this name and value, if there is exactly one (LEDGER_FORMAT §6).
fn disclosed_digest(
    disclosures: &[DraftDisclosure],
    name: &str,
    value: &str,
) -> Result<Option<B64>, DocumentError> {
    let mut named = disclosures.iter().filter(|disclosure| disclosure.name == name);
    let (Some(disclosure), None) = (named.next(), named.next()) else { return Ok(None) };
    if disclosure.value != value {
        return Ok(None);
    }
    let bytes = canonical::to_vec(&[disclosure.salt.to_string().as_str(), name, value])?;
    Ok(Some(B64::from(Hash::sha256(&bytes).0.as_slice())))
}

/// A founding's document that was checked, and its digest.
#[derive(Debug)]
pub struct CheckedFounding {
    document: FoundingDocument,
    digest: Hash,
}

impl CheckedFounding {
    /// Reads what the founders sign; refuses another digest, ledger or key than the server names beside it.
    pub fn open(founding: &Founding) -> Result<Self, DocumentError> {
        let value = founding.document.as_ref().ok_or(DocumentError::Missing)?;
        let document: FoundingDocument =
            serde_json::from_value(value.clone()).map_err(DocumentError::Form)?;
        if canonical::value_to_vec(value)? != canonical::to_vec(&document)? {
            return Err(DocumentError::Hidden);
        }
        let digest = founding_digest(&document)?;
        if founding.founding_digest.is_some_and(|claimed| claimed != digest) {
            return Err(DocumentError::Digest { what: "founding digest" });
        }
        if document.origin != founding.origin || document.vkey.origin() != &document.origin {
            return Err(DocumentError::Differs { member: "origin" });
        }
        if document.vkey != founding.vkey {
            return Err(DocumentError::Differs { member: "vkey" });
        }
        Ok(Self { document, digest })
    }

    /// The founder whom the document enrols with exactly this authenticator.
    pub fn founder_of(&self, credential: &Credential) -> Result<MemberId, DocumentError> {
        let own = serde_json::to_value(credential).map_err(DocumentError::Form)?;
        let holds = |founder: &&serde_json::Map<String, Value>| {
            founder.get("credentials").and_then(Value::as_array).is_some_and(|all| all.contains(&own))
        };
        let mut founders = self.document.founders.iter().filter(holds);
        let (Some(founder), None) = (founders.next(), founders.next()) else {
            return Err(DocumentError::OwnCredential);
        };
        let member = founder.get("member").and_then(Value::as_str).and_then(|id| id.parse().ok());
        member.ok_or(DocumentError::OwnCredential)
    }

    /// The founders' ids and names in the document's order; refuses a name that does not open the digest in the entry of
    /// that very founder, and an entry whose digest nothing opens: somebody would be signed for unseen.
    pub fn founders(
        &self,
        candidates: &[FoundingCandidate],
    ) -> Result<Vec<(MemberId, Option<String>)>, DocumentError> {
        let mut named = Vec::with_capacity(self.document.founders.len());
        for founder in &self.document.founders {
            let member = founder.get("member").and_then(Value::as_str).and_then(|id| id.parse().ok());
            let member = member.ok_or(DocumentError::Differs { member: "founders" })?;
            let held = founder.get("_sd").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            let candidate = candidates.iter().find(|candidate| candidate.member == Some(member));
            let name = candidate.and_then(|candidate| candidate.display_name.clone());
            let disclosures: Vec<DraftDisclosure> =
                candidate.and_then(|candidate| candidate.disclosure.clone()).into_iter().collect();
            let holds = match (&name, held) {
                (None, []) => true,
                (Some(name), [digest]) => disclosed_digest(&disclosures, "display_name", name)?
                    .is_some_and(|opened| digest.as_str() == Some(opened.to_string().as_str())),
                _ => false,
            };
            if !holds {
                return Err(DocumentError::Differs { member: "founders' names" });
            }
            named.push((member, name));
        }
        Ok(named)
    }

    /// What it says.
    pub fn document(&self) -> &FoundingDocument {
        &self.document
    }

    /// The founding digest: the challenge that founders sign, and what others pin.
    pub fn digest(&self) -> Hash {
        self.digest
    }
}
