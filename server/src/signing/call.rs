//! What a caller asks to be signed.

use sealbook_ledger::attachment::{Attachment, MediaType};
use sealbook_ledger::command::{Command, OwnSignature, RotationCommand, SignRequest};
use sealbook_ledger::encoding::{Hash, HexBytes};
use sealbook_ledger::event::Actor;
use sealbook_ledger::ids::{Correlation, SlotName};
use sealbook_ledger::payload::ClearanceUse;
use sealbook_ledger::policy::{ArtifactField, Environment, SigningPolicy};

use super::AUTHORIZATION_S;
use crate::ledger::{Appended, Disclosure, EngineError, IdempotencyKey, Submission, digests};

/// A request for one signature, as a caller makes it.
#[derive(Debug)]
pub struct SignCall {
    /// Who asks.
    pub caller: Actor,
    /// Which slot.
    pub slot: SlotName,
    /// What is to be signed.
    pub input: SignInput,
    /// Where the artifact is meant to go.
    pub environment: Environment,
    /// What is said about it.
    pub artifact: Vec<(ArtifactField, String)>,
    /// Whether people may be asked for approval, where the slot's policy wants it and nobody has asked yet.
    pub may_ask: bool,
    /// The caller's key, where one was sent.
    pub idempotency: Option<IdempotencyKey>,
    /// The piece of work.
    pub correlation: Correlation,
}

/// What is to be signed.
#[derive(Debug, Clone)]
pub enum SignInput {
    /// A digest of the length that the slot's algorithm fixes.
    Digest(Vec<u8>),
    /// The message, for pure Ed25519.
    Message(Vec<u8>),
}

impl SignInput {
    /// What is recorded as signed: for a message its SHA-256.
    pub(super) fn digest(&self) -> HexBytes {
        match self {
            Self::Digest(digest) => HexBytes(digest.clone()),
            Self::Message(message) => HexBytes(Hash::sha256(message).0.to_vec()),
        }
    }

    pub(super) fn message(&self) -> Option<&[u8]> {
        match self {
            Self::Digest(_) => None,
            Self::Message(message) => Some(message),
        }
    }
}

/// The authorisation that is asked of the ledger, using up an approval where one is needed.
pub(super) fn submission(call: &SignCall, clearance: Option<ClearanceUse>) -> Submission {
    let disclosures: Vec<Disclosure> =
        call.artifact.iter().map(|(field, value)| Disclosure::new(field.name(), value)).collect();
    let attached = call.input.message().map(|bytes| {
        let (sha256, size) = (Hash::sha256(bytes), bytes.len() as u64);
        (Attachment { sha256, size, media_type: octets() }, bytes.to_vec())
    });
    let request = SignRequest {
        clearance,
        slot: call.slot.clone(),
        digest: call.input.digest(),
        message: attached.as_ref().map(|(attachment, _)| attachment.clone()),
        environment: call.environment,
        key: None,
        life_s: AUTHORIZATION_S,
        sd: digests(&disclosures),
    };
    let command = Command::Authorize { caller: call.caller, request: Box::new(request) };
    let mut submission = Submission { correlation: call.correlation, ..Submission::new(command) };
    submission.disclosures = disclosures;
    submission.attachments = attached.into_iter().collect();
    submission.idempotency = call.idempotency;
    submission
}

/// A signature that a process of the server's needs.
#[derive(Debug)]
pub(crate) struct OwnCall {
    /// What for.
    pub(crate) own: OwnSignature,
    /// The message, for pure Ed25519 alone.
    pub(crate) message: Option<Vec<u8>>,
    /// The process.
    pub(crate) correlation: Correlation,
}

/// One that is authorised, and that no device was asked for yet.
#[derive(Debug)]
pub(crate) struct OwnWork {
    pub(super) appended: Appended,
    pub(super) message: Option<Vec<u8>>,
}

/// The authorisation of one.
pub(super) fn own_submission(call: OwnCall) -> Submission {
    let attached = call.message.map(|bytes| {
        let (sha256, size) = (Hash::sha256(&bytes), bytes.len() as u64);
        (Attachment { sha256, size, media_type: octets() }, bytes)
    });
    let message = attached.as_ref().map(|(attachment, _)| attachment.clone());
    let command = RotationCommand::Authorize { own: call.own, message, life_s: AUTHORIZATION_S };
    let mut submission =
        Submission { correlation: call.correlation, ..Submission::new(Command::Rotate(command)) };
    submission.attachments = attached.into_iter().collect();
    submission
}

#[allow(clippy::expect_used, reason = "the literal is a media type")]
fn octets() -> MediaType {
    "application/octet-stream".parse().expect("a media type")
}

/// Refuses a call that says less about the artifact than the slot's policy demands.
pub(super) fn check_artifact(
    policy: &SigningPolicy,
    artifact: &[(ArtifactField, String)],
) -> Result<(), EngineError> {
    let said = |field: &ArtifactField| artifact.iter().any(|(said, _)| said == field);
    if policy.artifact_fields.iter().all(said) {
        Ok(())
    } else {
        Err(EngineError::Conflict {
            code: "artifact.fields",
            sentence: "the slot's policy demands more about the artifact: name, version or ticket is missing",
        })
    }
}
