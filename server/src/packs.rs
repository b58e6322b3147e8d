//! Evidence packs and trust roots. The events of a pack are chosen, their files follow from them (`sealbook_ledger::evidence`), the evidence key
//! signs the statement over their manifest, and the bytes are kept beside the event that records them.
//!
//! The way is that of every signature: intent, device, outcome. Until a pack is recorded it is given to nobody; whatever
//! goes wrong before leaves nothing but an authorisation that failed or was abandoned, and another try.

mod affected;
mod choosing;
mod gathering;
mod trust_root;

use std::sync::Arc;
use std::time::{Duration, Instant};

use sealbook_ledger::attachment::{Attachment, MediaType};
use sealbook_ledger::command::{Command, Document, DocumentOutcome, DocumentSubject, RotationCommand};
use sealbook_ledger::encoding::{B64, Hash};
use sealbook_ledger::evidence::{
    AFFECTED, DISCLOSURES, EVIDENCE, Evidence, EvidenceError, Facts, REPORT, file, receipt_name,
};
use sealbook_ledger::ids::{Correlation, KeyId, MemberId, Origin, Seq};
use sealbook_ledger::pack::{Pack, PackError, Unsigned, envelope_algorithm};
use sealbook_ledger::payload::Payload;
use sealbook_ledger::public_key::{PublicKey, SigningInput as VerifyInput};
use sealbook_ledger::reporting::PREDICATE_TYPE;
use sealbook_ledger::rotation::BAD_SIGNATURE;
use sealbook_ledger::rule::Rule;
use sealbook_ledger::slot::device_label;
use serde_json::Value;

use crate::custody::{Backend, CustodyError, SigningInput};
use crate::devices::{Devices, SIGNING_DEADLINE, custody_error};
use crate::ledger::{Appended, EngineError, Ledger, Submission, failure_code};
use crate::reports::rep;
use crate::store::Store;
use gathering::{Gathered, Gathering};
use trust_root::UnsignedRoot;

pub(crate) use trust_root::TrustRoots;

/// How long the evidence key's device may take, in seconds: whoever takes up what a dead server began waits as long.
const LIFE_S: u32 = 120;

/// A pack that was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Issued {
    /// The `rep.issued`.
    pub seq: Seq,
    /// SHA-256 of the pack, by which it is fetched.
    pub sha256: Hash,
    /// Its length in bytes.
    pub size: u64,
}

/// Makes packs.
pub(crate) struct Packs {
    store: Arc<Store>,
    devices: Devices,
}

impl Packs {
    pub(crate) fn new(store: Arc<Store>, devices: Devices) -> Self {
        Self { store, devices }
    }

    /// Makes a pack, has it signed, and records it.
    pub(crate) async fn issue(
        &self,
        ledger: &Ledger,
        about: DocumentSubject,
        asked_by: Option<MemberId>,
        correlation: Correlation,
        wait: Duration,
    ) -> Result<Issued, EngineError> {
        let made = self.make(ledger, about, wait, None).await?;
        self.issue_made(ledger, about, asked_by, correlation, made).await
    }

    /// Has a pack signed that was made, and records it; what was issued before is left as it is.
    pub(crate) async fn issue_made(
        &self,
        ledger: &Ledger,
        about: DocumentSubject,
        asked_by: Option<MemberId>,
        correlation: Correlation,
        made: Made,
    ) -> Result<Issued, EngineError> {
        match made {
            Made::Before(issued) => Ok(issued),
            Made::Pack(pack) => {
                let pack = Unfinished::Pack(*pack);
                self.have_signed(ledger, about.into(), asked_by, correlation, pack).await
            }
        }
    }

    /// Makes a pack, unless one that was issued before says what this one would. Nothing is authorised yet: it may be
    /// broken off.
    pub(crate) async fn make(
        &self,
        ledger: &Ledger,
        about: DocumentSubject,
        wait: Duration,
        before: Option<(Issued, Vec<u8>)>,
    ) -> Result<Made, EngineError> {
        let gathering = Gathering { store: &self.store, ledger };
        let mut gathered = gathering.gather(about, wait).await?;
        if let Some((issued, bytes)) = before {
            // Whether there is something new to say is known before long lists are read.
            let (same, back) = apart(move || {
                let same = says_the_same(&bytes, &told(about, &gathered)?)?;
                Ok((same, gathered))
            })
            .await?;
            if same {
                return Ok(Made::Before(issued));
            }
            gathered = back;
        }
        gathering.add_lists(about, &mut gathered).await?;
        let origin = ledger.origin().clone();
        apart(move || unsigned(about, &origin, gathered)).await.map(|pack| Made::Pack(Box::new(pack)))
    }

    /// Intent, device, outcome.
    async fn have_signed(
        &self,
        ledger: &Ledger,
        about: Document,
        asked_by: Option<MemberId>,
        correlation: Correlation,
        pack: Unfinished,
    ) -> Result<Issued, EngineError> {
        let key = self.evidence_key(ledger).await?;
        let asked = self.authorize(ledger, about, asked_by, pack.sha256(), correlation).await?;
        // Another key may have come since: then the authorisation is that one's.
        if asked.key != key.id {
            return self.give_up(ledger, asked.seq, correlation, "evidence_key.other").await;
        }
        match self.sign(&key, &pack).await {
            Ok(signature) => self.settle(ledger, asked.seq, correlation, &key, (pack, signature)).await,
            // Nobody knows what the device did: the authorisation ends by its clock.
            Err(error) if error.outcome_is_unknown() => Err(custody_error(error)),
            Err(error) => self.give_up(ledger, asked.seq, correlation, error.code()).await,
        }
    }

    /// Records that nothing was signed.
    async fn give_up(
        &self,
        ledger: &Ledger,
        authorization: Seq,
        correlation: Correlation,
        code: &'static str,
    ) -> Result<Issued, EngineError> {
        let outcome = DocumentOutcome::Failed(failure_code(code));
        submit(ledger, RotationCommand::SettleDocument { authorization, outcome }, correlation, Vec::new())
            .await?;
        Err(EngineError::unavailable(code, "the evidence key signed no document; it is tried again later"))
    }

    async fn evidence_key(&self, ledger: &Ledger) -> Result<EvidenceKey, EngineError> {
        let state = ledger.state();
        let (id, spki) = state.founded()?.evidence_key().ok_or(Rule::EvidenceKey)?.clone();
        let intents = self.store.ledger_keys(ledger.id()).await?;
        let place = intents.into_iter().map(|(intent, _)| intent).find(|intent| intent.key == id);
        let backend = place
            .ok_or(EngineError::Fault {
                what: "the evidence key's place in the device is unknown",
                source: None,
            })?
            .backend;
        let public = PublicKey::from_der(spki.as_bytes())
            .map_err(|error| EngineError::fault("an evidence key can't be read", error))?;
        // Nothing is authorised for a device that is known to be away.
        let device = Arc::clone(self.devices.present(&backend)?);
        Ok(EvidenceKey { id, public, device, label: device_label(ledger.origin(), id) })
    }

    async fn authorize(
        &self,
        ledger: &Ledger,
        about: Document,
        asked_by: Option<MemberId>,
        manifest: Hash,
        correlation: Correlation,
    ) -> Result<Asked, EngineError> {
        let command = RotationCommand::AuthorizeDocument { about, asked_by, manifest, life_s: LIFE_S };
        let appended = submit(ledger, command, correlation, Vec::new()).await?;
        let event = appended.events.first().map(|decided| &decided.event);
        match event.map(|event| (event.seq, &event.payload)) {
            Some((seq, Payload::DocumentAuthorized(asked))) => Ok(Asked { seq, key: asked.key }),
            _ => Err(EngineError::Fault { what: "an authorisation without its event", source: None }),
        }
    }

    async fn sign(&self, key: &EvidenceKey, pack: &Unfinished) -> Result<Vec<u8>, CustodyError> {
        let algorithm = envelope_algorithm(key.public.key_type());
        let input = if algorithm.needs_message() {
            SigningInput::Message(pack.pae())
        } else {
            SigningInput::Digest(algorithm.digest_of(&pack.pae()).0)
        };
        key.device.sign(&key.label, algorithm, input, Instant::now() + SIGNING_DEADLINE).await
    }

    /// Records the signature, and keeps the pack; a signature that does not hold is none.
    async fn settle(
        &self,
        ledger: &Ledger,
        authorization: Seq,
        correlation: Correlation,
        key: &EvidenceKey,
        (pack, signature): (Unfinished, Vec<u8>),
    ) -> Result<Issued, EngineError> {
        let algorithm = envelope_algorithm(key.public.key_type());
        let (pae, digest) = (pack.pae(), algorithm.digest_of(&pack.pae()));
        let input = if algorithm.needs_message() {
            VerifyInput::Message(&pae)
        } else {
            VerifyInput::Digest(&digest.0)
        };
        if key.public.verify(algorithm, input, &signature).is_err() {
            return self.give_up(ledger, authorization, correlation, BAD_SIGNATURE).await;
        }
        let bytes = pack
            .sign(&key.public, signature.clone())
            .map_err(|error| EngineError::fault("a document can't be put together", error))?;
        let (sha256, size) = (Hash::sha256(&bytes), bytes.len() as u64);
        let outcome = DocumentOutcome::Signed { signature: B64::from(signature), sha256, size };
        let settle = RotationCommand::SettleDocument { authorization, outcome };
        let kept = (Attachment { sha256, size, media_type: pack.media_type() }, bytes);
        let appended = submit(ledger, settle, correlation, vec![kept]).await?;
        let seq = Seq::new(appended.first_seq).ok_or(Rule::SignatureUnknown)?;
        Ok(Issued { seq, sha256, size })
    }
}

/// What the evidence key is to sign.
enum Unfinished {
    Pack(Unsigned),
    TrustRoot(UnsignedRoot),
}

impl Unfinished {
    /// What the statement names: of a pack its manifest.
    fn sha256(&self) -> Hash {
        match self {
            Self::Pack(pack) => pack.manifest_sha256(),
            Self::TrustRoot(root) => root.sha256(),
        }
    }

    fn pae(&self) -> Vec<u8> {
        match self {
            Self::Pack(pack) => pack.pae(),
            Self::TrustRoot(root) => root.pae(),
        }
    }

    fn sign(&self, key: &PublicKey, signature: Vec<u8>) -> Result<Vec<u8>, PackError> {
        match self {
            Self::Pack(pack) => pack.sign(key, signature),
            Self::TrustRoot(root) => root.sign(key, signature),
        }
    }

    #[allow(clippy::expect_used, reason = "the literals are media types")]
    fn media_type(&self) -> MediaType {
        let name = match self {
            Self::Pack(_) => "application/zip",
            Self::TrustRoot(_) => "application/json",
        };
        name.parse().expect("a media type")
    }
}

/// What the making of a pack came to.
pub(crate) enum Made {
    /// One that was issued before says the same.
    Before(Issued),
    /// A pack without its signature.
    Pack(Box<Unsigned>),
}

/// Hashing, drawing and the canary's verification take their time: not on a thread that others wait for.
async fn apart<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, EngineError> + Send + 'static,
) -> Result<T, EngineError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| EngineError::fault("a pack's making ended", error))?
}

/// An authorisation: its event, and the key that it is for.
struct Asked {
    seq: Seq,
    key: KeyId,
}

/// The evidence key, and where it is.
struct EvidenceKey {
    id: KeyId,
    public: PublicKey,
    device: Arc<dyn Backend>,
    label: String,
}

async fn submit(
    ledger: &Ledger,
    command: RotationCommand,
    correlation: Correlation,
    attachments: Vec<(Attachment, Vec<u8>)>,
) -> Result<Appended, EngineError> {
    let submission = Submission { correlation, attachments, ..Submission::new(Command::Rotate(command)) };
    ledger.submit(submission).await
}

/// Whether a pack that was issued says what others would find now: but for the moment, and what does not belong to it.
fn says_the_same(issued: &[u8], evidence: &[u8]) -> Result<bool, EngineError> {
    let unreadable = || EngineError::Corrupt("a stored evidence pack can't be read".into());
    let pack = Pack::open(issued).map_err(|_| unreadable())?;
    let told = |evidence: &[u8]| -> Result<Value, EngineError> {
        let mut told: Value = serde_json::from_slice(evidence).map_err(|_| unreadable())?;
        if let Some(members) = told.as_object_mut() {
            members.retain(|name, _| !["as_of", "events", "sealed"].contains(&name.as_str()));
        }
        Ok(told)
    };
    Ok(told(pack.file(EVIDENCE).unwrap_or_default())? == told(evidence)?)
}

fn corrupt(error: EvidenceError) -> EngineError {
    EngineError::fault("the evidence does not follow from the events", error)
}

/// `evidence.json` of what was gathered.
fn told(about: DocumentSubject, gathered: &Gathered) -> Result<Vec<u8>, EngineError> {
    let facts = Facts::new(&gathered.events).map_err(corrupt)?;
    let files = Evidence::new(&facts, about, gathered.sealed()).and_then(|evidence| evidence.files());
    let written = files.map_err(corrupt)?.into_iter().find(|file| file.name.as_str() == EVIDENCE);
    Ok(written.map(|file| file.bytes).unwrap_or_default())
}

/// All files of a pack, and the statement about them.
fn unsigned(about: DocumentSubject, origin: &Origin, gathered: Gathered) -> Result<Unsigned, EngineError> {
    let facts = Facts::new(&gathered.events).map_err(corrupt)?;
    let evidence = Evidence::new(&facts, about, gathered.sealed()).map_err(corrupt)?;
    let mut all = evidence.files().map_err(corrupt)?;
    let written = all.iter().find(|file| file.name.as_str() == EVIDENCE);
    let written = written.map(|file| file.bytes.clone()).unwrap_or_default();
    let disclosed = &gathered.disclosed;
    let source = rep::Source {
        evidence: &evidence,
        origin,
        sealed: gathered.checkpoint.checkpoint().size,
        digest: Hash::sha256(&written),
        names: &disclosed.names,
        advisories: &disclosed.advisories,
        remarks: &disclosed.remarks,
        affected: gathered.affected.as_ref().map(|list| list.shown.as_slice()),
        tenant: &gathered.tenant,
        vkey: &gathered.vkey,
    };
    let pdf = crate::reports::pdf::render(&source.document())
        .map_err(|error| EngineError::fault("a report can't be drawn", error))?;
    all.push(file(REPORT, "application/pdf", pdf));
    if let Some(list) = gathered.affected {
        all.push(file(AFFECTED, "application/jsonl", list.jsonl));
    }
    if !gathered.disclosed.lines.is_empty() {
        all.push(file(DISCLOSURES, "application/jsonl", gathered.disclosed.lines));
    }
    for receipt in &gathered.receipts {
        let seq = Seq::new(receipt.index()).ok_or(Rule::SignatureUnknown)?;
        all.push(file(&receipt_name(seq), "text/plain", receipt.to_string().into_bytes()));
    }
    Unsigned::new(about.into(), all, PREDICATE_TYPE, &about.report(origin))
        .map_err(|error| EngineError::fault("an evidence pack can't be put together", error))
}
