//! `*.sig.json`: a signature, and the events by which it was authorised and released.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sealbook_ledger::algorithm::Algorithm;
use sealbook_ledger::canonical;
use sealbook_ledger::encoding::{Hash, HexBytes};
use sealbook_ledger::ids::{KeyId, Origin, Seq, SlotName};
use sealbook_ledger::pack::{PAYLOAD_TYPE, pae};
use sealbook_ledger::payload::{Payload, SignatureAuthorized, SignatureCreated};
use sealbook_ledger::policy::Environment;
use sealbook_ledger::public_key::{PublicKey, SigningInput};
use sealbook_ledger::timestamp::Timestamp;
use serde::{Deserialize, Serialize};

use super::proof::Proved;
use super::{Code, Refusal, read_json};

/// `schema` of every signature's paper.
pub const SCHEMA: &str = "sealbook:release-signature/v1";

/// What is signed of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Its bytes.
    Bytes,
    /// DSSE's pre-authentication encoding of the statement that it holds.
    Statement,
}

impl Form {
    /// What the algorithm is given, or hashes.
    pub fn message(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::Bytes => bytes.to_vec(),
            Self::Statement => pae(PAYLOAD_TYPE, bytes),
        }
    }
}

/// An event of a signature, and its receipt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recorded {
    /// Its chain hash.
    pub hash: Hash,
    /// SHA-256 of the receipt that lies beside.
    pub receipt_sha256: Hash,
    /// Its place.
    pub seq: Seq,
}

impl Recorded {
    fn of(proved: &Proved) -> Self {
        Self { hash: proved.hash, receipt_sha256: proved.receipt_sha256, seq: proved.event.seq }
    }
}

/// The paper of a signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signature {
    /// What it was made with.
    pub algorithm: Algorithm,
    /// The event that authorised it.
    pub authorization: Recorded,
    /// The event that released it.
    pub created: Recorded,
    /// What was signed, as the algorithm digests it.
    pub digest: HexBytes,
    /// Where it was meant to go.
    pub environment: Environment,
    /// The file that it is about.
    pub file: String,
    /// The key.
    pub key_id: KeyId,
    /// The ledger.
    pub origin: Origin,
    /// DSSE's type of the payload, where the encoding of a statement was signed; the file's bytes were where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload_type: Option<String>,
    /// [`SCHEMA`].
    pub schema: String,
    /// SHA-256 of the file.
    pub sha256: Hash,
    /// The signature in the algorithm's encoding, in standard base64 with padding.
    pub signature_b64: String,
    /// The slot.
    pub slot: SlotName,
    /// SHA-256 of the key's SubjectPublicKeyInfo.
    pub spki_sha256: Hash,
    /// When it was released.
    pub time: Timestamp,
}

/// The two events of a signature.
#[derive(Debug, Clone, Copy)]
pub struct Events<'a> {
    /// The intent.
    pub authorized: &'a Proved,
    /// The outcome.
    pub created: &'a Proved,
}

impl<'a> Events<'a> {
    /// What they record, where they are the two events of one signature for a caller.
    fn payloads(self) -> Option<(&'a SignatureAuthorized, &'a SignatureCreated, Environment)> {
        let (Payload::SignatureAuthorized(asked), Payload::SignatureCreated(created)) =
            (&self.authorized.event.payload, &self.created.event.payload)
        else {
            return None;
        };
        let same = created.authorization == self.authorized.event.seq
            && self.authorized.event.origin == self.created.event.origin
            && asked.digest == created.digest
            && asked.key == created.key;
        Some((asked, created, asked.environment.filter(|_| same)?))
    }
}

/// A signature that was made, held against its events and the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The signature's bytes.
    pub signature: Vec<u8>,
    /// Digest of the signing policy that it was authorised under.
    pub policy: Hash,
    /// When it was authorised.
    pub asked_at: Timestamp,
}

/// The paper of the signature that two events record over a file.
pub fn write(file: &str, bytes: &[u8], form: Form, events: Events<'_>) -> Result<Vec<u8>, Refusal> {
    let foreign = || Code::Signature.saying(format!("{file}: the events are not those of one signature"));
    let (asked, created, environment) = events.payloads().ok_or_else(foreign)?;
    let paper = Signature {
        algorithm: created.algorithm,
        authorization: Recorded::of(events.authorized),
        created: Recorded::of(events.created),
        digest: created.digest.clone(),
        environment,
        file: file.to_owned(),
        key_id: created.key,
        origin: events.created.event.origin.clone(),
        payload_type: (form == Form::Statement).then(|| PAYLOAD_TYPE.to_owned()),
        schema: SCHEMA.to_owned(),
        sha256: Hash::sha256(bytes),
        signature_b64: STANDARD.encode(created.signature.as_bytes()),
        slot: asked.slot.clone(),
        spki_sha256: created.spki_sha256,
        time: events.created.event.time,
    };
    canonical::to_vec(&paper).map_err(|error| Code::Signature.saying(error.to_string()))
}

impl Signature {
    /// Reads the paper of a signature over the file of this name.
    pub fn read(file: &str, bytes: &[u8]) -> Result<Self, Refusal> {
        let refuse = |why: String| Code::Signature.saying(format!("the signature of {file}: {why}"));
        let json: serde_json::Value = read_json(bytes).map_err(refuse)?;
        match json.get("schema").and_then(serde_json::Value::as_str) {
            Some(SCHEMA) => {}
            Some(other) if other.starts_with("sealbook:release-signature/") => {
                return Err(
                    Code::Version.saying(format!("a signature of {other} can't be judged; this is {SCHEMA}"))
                );
            }
            _ => return Err(refuse(format!("its schema is not {SCHEMA}"))),
        }
        serde_json::from_value(json).map_err(|error| refuse(error.to_string()))
    }

    /// The signature's bytes.
    pub fn bytes(&self) -> Result<Vec<u8>, Refusal> {
        let bytes = STANDARD.decode(&self.signature_b64);
        bytes.map_err(|_| Code::Signature.saying(format!("the signature of {} is not base64", self.file)))
    }
}

/// Holds a signature's paper against its file, its events and the public key.
pub fn check(
    paper: &[u8],
    (file, bytes, form): (&str, &[u8], Form),
    events: Events<'_>,
    key: &PublicKey,
) -> Result<Held, Refusal> {
    if write(file, bytes, form, events)? != paper {
        let why = format!("the signature of {file} is not what its file and its events make");
        return Err(Code::Signature.saying(why));
    }
    let foreign = || Code::Signature.saying(format!("{file}: the events are not those of one signature"));
    let (asked, created, _) = events.payloads().ok_or_else(foreign)?;
    let message = form.message(bytes);
    let digest = created.algorithm.digest_of(&message);
    let false_one = |why: String| Code::SignatureFalse.saying(format!("the signature of {file}: {why}"));
    if digest != created.digest {
        return Err(false_one("another digest was signed".to_owned()));
    }
    if key.sha256() != created.spki_sha256 {
        return Err(false_one("another key signed".to_owned()));
    }
    let input = match created.algorithm.needs_message() {
        true => SigningInput::Message(&message),
        false => SigningInput::Digest(&digest.0),
    };
    let signature = created.signature.as_bytes();
    key.verify(created.algorithm, input, signature).map_err(|error| false_one(error.to_string()))?;
    Ok(Held { signature: signature.to_vec(), policy: asked.policy, asked_at: events.authorized.event.time })
}
