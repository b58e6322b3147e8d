//! One signed file: artifact, signature, receipt and public key, step by step.

use std::io::{self, Read};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256, Sha384, Sha512};

use crate::algorithm::{Algorithm, DigestKind, MAX_PURE_MESSAGE};
use crate::event::{Envelope, Event};
use crate::payload::{Payload, SignatureCreated};
use crate::public_key::{PublicKey, SigningInput};
use crate::receipt::Receipt;
use crate::verify::{Failure, Layer, LayerReport, Pins, Place, Report, Step, Subject, verify_receipt};

/// A file, and what was left beside it when it was signed.
#[derive(Debug)]
pub struct Signed<'a, R> {
    /// The file itself.
    pub artifact: R,
    /// `FILE.sig`: raw, as openssl reads it, or in standard base64.
    pub signature: &'a [u8],
    /// `FILE.tlog-proof`.
    pub receipt: &'a [u8],
    /// One PEM block labelled `PUBLIC KEY`.
    pub public_key: &'a str,
}

const RECEIPT: &str = "the receipt is sealed by a pinned ledger key";
const EVENT: &str = "its event records a released signature";
const DIGEST: &str = "the file has the digest that was signed";
const SIGNATURE: &str = "the signature is the one that was released";
const KEY: &str = "the public key is the one that signed";
const HOLDS: &str = "the signature holds under the public key";

/// Verifies one signed file. The steps of the report say what was found; the file is read once, as a stream.
///
/// An error says that the artifact could not be read.
pub fn verify_artifact<R: Read>(signed: Signed<'_, R>, pins: &Pins) -> io::Result<Report> {
    let mut report = verify_receipt(signed.receipt, pins);
    report.subject = Subject::Artifact;
    // What is asked for here is one signature, and that is checked.
    report.notes.retain(|note| !note.starts_with("signatures were"));
    let sealed = match (&report.layers[0], &report.layers[2]) {
        (LayerReport::Valid(_), LayerReport::Valid(detail)) => step(RECEIPT, Some(true), detail),
        (LayerReport::Invalid(failure), _) | (_, LayerReport::Invalid(failure)) => {
            step(RECEIPT, Some(false), failure.reason())
        }
        (_, LayerReport::NotChecked(why)) | (LayerReport::NotChecked(why), _) => {
            step(RECEIPT, None, &why.to_string())
        }
    };
    report.steps.push(sealed);
    match released_signature(signed.receipt) {
        Ok(created) => {
            let detail = format!("{} under key {}", created.algorithm, created.key);
            report.steps.push(step(EVENT, Some(true), &detail));
            check_signature(signed, &created, &mut report.steps)?;
        }
        Err(reason) => {
            report.steps.push(step(EVENT, Some(false), &reason));
            for claim in [DIGEST, SIGNATURE, KEY, HOLDS] {
                report.steps.push(step(claim, None, "there is no event to compare with"));
            }
        }
    }
    report.layers[4] = signature_layer(&report.steps);
    Ok(report)
}

fn step(claim: &'static str, holds: Option<bool>, detail: &str) -> Step {
    Step { claim, holds, detail: detail.to_owned() }
}

/// The stable codes of the steps, in their order.
const CODES: [&str; 6] = [
    "artifact.receipt",
    "artifact.event",
    "artifact.digest",
    "artifact.signature",
    "artifact.public_key",
    "artifact.does_not_hold",
];

/// All steps but the receipt's, which is a matter of seals.
fn signature_layer(steps: &[Step]) -> LayerReport {
    match steps.iter().zip(CODES).skip(1).find(|(step, _)| step.holds != Some(true)) {
        Some((step, code)) => {
            let reason = format!("not so: {}; {}", step.claim, step.detail);
            LayerReport::Invalid(Failure::new(Layer::Signatures, Place::Whole, code, reason))
        }
        None => LayerReport::Valid("this one holds under the key that its event names".to_owned()),
    }
}

/// The signature that a receipt's event records.
fn released_signature(receipt: &[u8]) -> Result<Box<SignatureCreated>, String> {
    let receipt = Receipt::parse(receipt).map_err(|error| error.to_string())?;
    let envelope = Envelope::parse(receipt.event_bytes()).map_err(|error| error.to_string())?;
    let event = Event::from_envelope(envelope).map_err(|error| error.to_string())?;
    match event.payload {
        Payload::SignatureCreated(created) => Ok(created),
        other => Err(format!("it is of type {}, not signature.created", other.type_name())),
    }
}

fn check_signature<R: Read>(
    signed: Signed<'_, R>,
    created: &SignatureCreated,
    steps: &mut Vec<Step>,
) -> io::Result<()> {
    let input = read_artifact(signed.artifact, created.algorithm)?;
    let digest = base16ct::lower::encode_string(&input.digest);
    let same = input.digest == created.digest.0;
    let detail = if same { digest } else { format!("{digest}, and {} was signed", created.digest) };
    steps.push(step(DIGEST, Some(same), &detail));

    let same = is_signature(signed.signature, created.signature.as_bytes());
    let detail =
        if same { "byte for byte, as its event records it" } else { "its event records another one" };
    steps.push(step(SIGNATURE, Some(same), detail));

    match PublicKey::from_pem(signed.public_key) {
        Ok(key) => {
            let found = key.sha256();
            let same = found == created.spki_sha256;
            let detail = match same {
                true => format!("SPKI SHA-256 {found}"),
                false => format!("SPKI SHA-256 {found}, and the event names {}", created.spki_sha256),
            };
            steps.push(step(KEY, Some(same), &detail));
            steps.push(check_holds(&key, created, &input));
        }
        Err(error) => {
            steps.push(step(KEY, Some(false), &error.to_string()));
            steps.push(step(HOLDS, None, "there is no key to check with"));
        }
    }
    Ok(())
}

/// With the file's own bytes, so that this step stands by itself.
fn check_holds(key: &PublicKey, created: &SignatureCreated, input: &Artifact) -> Step {
    let signing_input = match (created.algorithm.needs_message(), &input.message) {
        (true, Some(message)) => SigningInput::Message(message),
        (true, None) => {
            return step(HOLDS, Some(false), "the file is longer than any message of pure Ed25519");
        }
        (false, _) => SigningInput::Digest(&input.digest),
    };
    match key.verify(created.algorithm, signing_input, created.signature.as_bytes()) {
        Ok(()) => step(HOLDS, Some(true), created.algorithm.name()),
        Err(error) => step(HOLDS, Some(false), &error.to_string()),
    }
}

fn is_signature(file: &[u8], signature: &[u8]) -> bool {
    let text: Vec<u8> = file.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    file == signature || STANDARD.decode(text).is_ok_and(|decoded| decoded == signature)
}

struct Artifact {
    digest: Vec<u8>,
    /// The file itself, where the algorithm signs that and it is short enough.
    message: Option<Vec<u8>>,
}

fn read_artifact(mut artifact: impl Read, algorithm: Algorithm) -> io::Result<Artifact> {
    let mut message = algorithm.needs_message().then(Vec::new);
    let mut hash = Hasher::new(algorithm.digest());
    let mut buffer = vec![0; 128 * 1024];
    loop {
        let read = match artifact.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        hash.update(&buffer[..read]);
        message = message.filter(|kept| kept.len() + read <= MAX_PURE_MESSAGE);
        if let Some(kept) = &mut message {
            kept.extend_from_slice(&buffer[..read]);
        }
    }
    Ok(Artifact { digest: hash.finalize(), message })
}

enum Hasher {
    Sha256(Sha256),
    Sha384(Sha384),
    Sha512(Sha512),
}

impl Hasher {
    fn new(kind: DigestKind) -> Self {
        match kind {
            DigestKind::Sha256 => Self::Sha256(Sha256::new()),
            DigestKind::Sha384 => Self::Sha384(Sha384::new()),
            DigestKind::Sha512 => Self::Sha512(Sha512::new()),
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(hash) => hash.update(bytes),
            Self::Sha384(hash) => hash.update(bytes),
            Self::Sha512(hash) => hash.update(bytes),
        }
    }

    fn finalize(self) -> Vec<u8> {
        match self {
            Self::Sha256(hash) => hash.finalize().to_vec(),
            Self::Sha384(hash) => hash.finalize().to_vec(),
            Self::Sha512(hash) => hash.finalize().to_vec(),
        }
    }
}
