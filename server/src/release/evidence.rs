//! `release-evidence.json`: which papers belong together, under which key, at which state of the ledger.

use sealbook_ledger::algorithm::Algorithm;
use sealbook_ledger::canonical;
use sealbook_ledger::encoding::Hash;
use sealbook_ledger::ids::{KeyId, Origin, SlotName};
use sealbook_ledger::note::Vkey;
use sealbook_ledger::policy::Environment;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::facts::Facts;
use super::operations::Header;
use super::{Code, Label, Named, Refusal, read_json};

/// `schema` of every release evidence.
pub const SCHEMA: &str = "sealbook:release-evidence/v1";

/// The evidence of a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// What the slot signs with.
    pub algorithm: Algorithm,
    /// How many artifacts there are.
    pub artifacts: usize,
    /// A signed state of the ledger that holds every event which the operations manifest cites (C2SP tlog-checkpoint).
    pub checkpoint: String,
    /// The list of digests.
    pub checksums: Named,
    /// Where the release is meant to go.
    pub environment: Environment,
    /// The key that signs.
    pub key_id: KeyId,
    /// What the release is called.
    pub name: Label,
    /// The operations manifest.
    pub operations_manifest: Named,
    /// The ledger.
    pub origin: Origin,
    /// [`SCHEMA`].
    pub schema: String,
    /// The slot.
    pub slot: SlotName,
    /// SHA-256 of the key's SubjectPublicKeyInfo.
    pub spki_sha256: Hash,
    /// Which release it is.
    pub version: Label,
    /// The ledger key that signed the checkpoint.
    pub vkey: Vkey,
}

impl Evidence {
    /// The evidence of a release whose manifest and list these are.
    pub fn new(
        header: &Header,
        facts: &Facts,
        papers: (Named, Named),
        artifacts: usize,
        sealed: (&Vkey, &str),
    ) -> Self {
        let (operations_manifest, checksums) = papers;
        let (vkey, checkpoint) = sealed;
        Self {
            algorithm: facts.key.algorithm,
            artifacts,
            checkpoint: checkpoint.to_owned(),
            checksums,
            environment: header.environment,
            key_id: facts.key.id,
            name: header.name.clone(),
            operations_manifest,
            origin: facts.origin.clone(),
            schema: SCHEMA.to_owned(),
            slot: facts.slot.clone(),
            spki_sha256: facts.key.public.sha256(),
            version: header.version.clone(),
            vkey: vkey.clone(),
        }
    }

    /// Its bytes.
    pub fn write(&self) -> Result<Vec<u8>, Refusal> {
        canonical::to_vec(self).map_err(|error| Code::Evidence.saying(error.to_string()))
    }

    /// Reads evidence in its one form.
    pub fn read(bytes: &[u8]) -> Result<Self, Refusal> {
        let refuse = |why: String| Code::Evidence.saying(format!("release-evidence.json: {why}"));
        let json: Value = read_json(bytes).map_err(refuse)?;
        match json.get("schema").and_then(Value::as_str) {
            Some(SCHEMA) => {}
            Some(other) if other.starts_with("sealbook:release-evidence/") => {
                return Err(
                    Code::Version.saying(format!("evidence of {other} can't be judged; this is {SCHEMA}"))
                );
            }
            _ => return Err(refuse(format!("its schema is not {SCHEMA}"))),
        }
        serde_json::from_value(json).map_err(|error| refuse(error.to_string()))
    }

    /// Holds it against the other papers, member by member.
    pub fn check(
        &self,
        header: &Header,
        algorithm: Algorithm,
        papers: (&Named, &Named),
        artifacts: usize,
    ) -> Result<(), Refusal> {
        let (operations, checksums) = papers;
        let same = [
            ("name", self.name == header.name),
            ("version", self.version == header.version),
            ("environment", self.environment == header.environment),
            ("slot", self.slot == header.slot),
            ("key_id", self.key_id == header.active_key_id),
            ("algorithm", self.algorithm == algorithm),
            ("operations_manifest", self.operations_manifest == *operations),
            ("checksums", self.checksums == *checksums),
            ("artifacts", self.artifacts == artifacts),
        ];
        match same.into_iter().find(|(_, same)| !same) {
            Some((member, _)) => Err(Code::EvidenceMismatch.saying(format!(
                "`{member}` of the release evidence is not that of the operations manifest and the checksums"
            ))),
            None => Ok(()),
        }
    }
}
