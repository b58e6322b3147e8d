//! The in-toto statement about a release's artifacts, and the DSSE envelope around it.
//!
//! in-toto Attestation Framework v1, `spec/v1/statement.md`; the predicate is shaped like SLSA's provenance v1, under a type
//! of our own: who built what from what is the pipeline's word, and nobody here has checked it.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sealbook_ledger::canonical;
use sealbook_ledger::encoding::Hash;
use sealbook_ledger::pack::{PAYLOAD_TYPE, STATEMENT_TYPE};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::evidence::Evidence;
use super::{CHECKSUMS, Code, EVIDENCE, Refusal, read_json};

/// `predicateType` of every release's statement.
pub const PREDICATE_TYPE: &str = "sealbook:release/v1";

/// Longest word of the pipeline in bytes.
pub const MAX_WORD: usize = 512;

/// What the pipeline says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pipeline {
    /// What built the artifacts: a URI.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub builder: Option<String>,
    /// The commit that they were built from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// The run that built them: a URI.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// Where the source is: a URI.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
}

/// The statement's bytes.
pub fn write(
    artifacts: &BTreeMap<String, Hash>,
    evidence: &Evidence,
    evidence_sha256: Hash,
    pipeline: &Pipeline,
) -> Result<Vec<u8>, Refusal> {
    let about = |name: &str, sha256: Hash| json!({ "digest": { "sha256": sha256 }, "name": name });
    let subject: Vec<Value> = artifacts.iter().map(|(name, sha256)| about(name, *sha256)).collect();
    let operations = &evidence.operations_manifest;
    let byproducts = [
        about(&operations.name, operations.sha256),
        about(CHECKSUMS, evidence.checksums.sha256),
        about(EVIDENCE, evidence_sha256),
    ];
    let statement = json!({
        "_type": STATEMENT_TYPE,
        "predicate": {
            "buildDefinition": {
                "buildType": PREDICATE_TYPE,
                "externalParameters": {
                    "environment": evidence.environment, "name": evidence.name, "version": evidence.version,
                },
                "internalParameters": {
                    "algorithm": evidence.algorithm, "key_id": evidence.key_id, "origin": evidence.origin,
                    "slot": evidence.slot, "spki_sha256": evidence.spki_sha256, "vkey": evidence.vkey,
                },
            },
            "pipeline": pipeline,
            "runDetails": { "byproducts": byproducts },
        },
        "predicateType": PREDICATE_TYPE,
        "subject": subject,
    });
    canonical::to_vec(&statement).map_err(|error| Code::Provenance.saying(error.to_string()))
}

/// Holds a statement against what the other papers make of it, byte for byte but for the pipeline's words; gives those.
pub fn check(
    bytes: &[u8],
    artifacts: &BTreeMap<String, Hash>,
    evidence: &Evidence,
    evidence_sha256: Hash,
) -> Result<Pipeline, Refusal> {
    let refuse = |why: String| Code::Provenance.saying(format!("the provenance: {why}"));
    let json: Value = read_json(bytes).map_err(refuse)?;
    match json.get("predicateType").and_then(Value::as_str) {
        Some(PREDICATE_TYPE) => {}
        Some(other) if other.starts_with("sealbook:release/") => {
            return Err(Code::Version
                .saying(format!("provenance of {other} can't be judged; this is {PREDICATE_TYPE}")));
        }
        _ => return Err(refuse(format!("its predicate type is not {PREDICATE_TYPE}"))),
    }
    let said = json.pointer("/predicate/pipeline").cloned().unwrap_or_default();
    let pipeline: Pipeline =
        serde_json::from_value(said).map_err(|error| refuse(format!("pipeline: {error}")))?;
    if write(artifacts, evidence, evidence_sha256, &pipeline)? == bytes {
        return Ok(pipeline);
    }
    let subjects = json.get("subject").and_then(Value::as_array).map_or(0, Vec::len);
    let what = match subjects == artifacts.len() {
        true => "it is not about exactly these artifacts, papers and key".to_owned(),
        false => format!("it is about {subjects} artifacts, and there are {}", artifacts.len()),
    };
    Err(Code::ProvenanceMismatch.saying(format!("the provenance: {what}")))
}

/// The envelope's bytes: one line of JSON, as `*.intoto.jsonl` holds them (DSSE v1.0, `envelope.md`).
pub fn envelope(statement: &[u8], key: Hash, signature: &[u8]) -> Result<Vec<u8>, Refusal> {
    let envelope = json!({
        "payload": STANDARD.encode(statement),
        "payloadType": PAYLOAD_TYPE,
        "signatures": [{ "keyid": key, "sig": STANDARD.encode(signature) }],
    });
    let mut line =
        canonical::to_vec(&envelope).map_err(|error| Code::Provenance.saying(error.to_string()))?;
    line.push(b'\n');
    Ok(line)
}
