//! One file's way: hash, ask, check the signature, fetch and check the receipt, write.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sealbook_ledger::algorithm::Algorithm;
use sealbook_ledger::encoding::{B64, Hash, HexBytes};
use sealbook_ledger::event::{Envelope, Event};
use sealbook_ledger::ids::{ActionId, Seq, SlotName};
use sealbook_ledger::payload::Payload;
use sealbook_ledger::policy::Environment;
use sealbook_ledger::public_key::PublicKey;
use sealbook_ledger::receipt::Receipt;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::artifact::Artifact;
use super::outlet::Outlet;
use crate::cli::context::Context;
use crate::cli::failure::{Exit, Failure};
use crate::cli::output::printable;
use crate::client::answers::{Action, ActionStatus, Awaiting, Signed, Slot};
use crate::client::{Call, Client};
use crate::release::signature::Form;

/// How long the server may be asked to wait for a seal, in milliseconds.
const SEAL_WAIT_MS: u64 = 10_000;

/// A file to sign, and where its outputs go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) struct Target {
    /// The file.
    pub(in crate::cli) file: PathBuf,
    /// Its name without folders, as it is told to the server.
    pub(in crate::cli) name: String,
    /// What of it is signed.
    pub(in crate::cli) form: Form,
    /// What the outputs' endings are added to.
    stem: PathBuf,
}

impl Target {
    /// A file whose outputs go beside it.
    pub(in crate::cli) fn one(file: PathBuf, name: String, form: Form) -> Self {
        Self { stem: file.clone(), file, name, form }
    }

    /// Pairs files with their outputs; refuses two that would write the same.
    pub(super) fn all(files: &[PathBuf], out: Option<&Path>) -> Result<Vec<Self>, Failure> {
        let hint = "Name files, each once, whose names differ where --out puts them into one folder.";
        let mut targets: Vec<Self> = Vec::with_capacity(files.len());
        let mut stems = std::collections::BTreeSet::new();
        for file in files {
            let name = file
                .file_name()
                .ok_or_else(|| Failure::usage(format!("{} is not a file's name", file.display()), hint))?;
            let stem = out.map_or_else(|| file.clone(), |folder| folder.join(name));
            if !stems.insert(stem.clone()) {
                let what = format!("the outputs of {} would overwrite those of another", file.display());
                return Err(Failure::usage(what, hint));
            }
            let name = name.to_string_lossy().into_owned();
            targets.push(Self { file: file.clone(), name, form: Form::Bytes, stem });
        }
        Ok(targets)
    }

    /// The artifact, seen from the folder of its outputs: a command that is run there finds both.
    pub(super) fn seen_from_outputs(&self) -> Result<String, Failure> {
        let folder_of = |path: &Path| {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            let folder = folder.unwrap_or(Path::new("."));
            folder.canonicalize().map_err(Failure::file("find", folder))
        };
        let (from, to) = (folder_of(&self.stem)?, folder_of(&self.file)?);
        let shared = from.components().zip(to.components()).take_while(|(a, b)| a == b).count();
        let up = from.components().skip(shared).map(|_| Component::ParentDir);
        let path: PathBuf = up.chain(to.components().skip(shared)).collect();
        Ok(path.join(&self.name).to_string_lossy().into_owned())
    }

    /// The output with this ending.
    pub(in crate::cli) fn output(&self, ending: &str) -> PathBuf {
        let mut path = OsString::from(&self.stem);
        path.push(ending);
        PathBuf::from(path)
    }

    /// The output with this name.
    pub(super) fn output_named(&self, name: &str) -> PathBuf {
        self.stem.with_file_name(name)
    }
}

/// What is the same for every file of a run.
pub(in crate::cli) struct Request {
    pub(in crate::cli) slot: SlotName,
    pub(in crate::cli) environment: Environment,
    pub(in crate::cli) version: Option<String>,
    pub(in crate::cli) ticket: Option<String>,
    pub(in crate::cli) receipt_wait: Duration,
}

/// Signs files with one slot; threads share it.
pub(in crate::cli) struct Signer {
    client: Client,
    tenant: String,
    request: Request,
    outlet: Box<dyn Outlet>,
    algorithm: Algorithm,
    approval: BTreeSet<Environment>,
    run: Uuid,
    keys: Mutex<BTreeMap<Hash, PublicKey>>,
}

/// A signature that holds over its file.
pub(in crate::cli) struct Released {
    /// What the server said of it.
    pub(in crate::cli) signed: Signed,
    /// The signature's bytes.
    pub(in crate::cli) signature: Vec<u8>,
    /// The key under which it holds.
    pub(in crate::cli) key: PublicKey,
}

/// What became of one file.
pub(in crate::cli) struct Outcome {
    /// The file.
    pub(in crate::cli) file: PathBuf,
    /// Its SHA-256, once it was read.
    pub(in crate::cli) sha256: Option<Hash>,
    /// The end of its way.
    pub(in crate::cli) end: Result<Done, Failure>,
}

/// The good ends of a file's way.
pub(in crate::cli) enum Done {
    /// It is signed, and everything is written.
    Signed { signed: Box<Signed>, signature: PathBuf, receipt: PathBuf },
    /// The request is recorded and waits for people.
    Awaiting(Box<Awaiting>),
    /// People have to be asked, and were not yet.
    Unasked(HexBytes),
}

impl Outcome {
    pub(in crate::cli) fn exit(&self) -> Exit {
        match &self.end {
            Ok(Done::Signed { .. }) => Exit::Done,
            Ok(Done::Awaiting(_) | Done::Unasked(_)) => Exit::Awaiting,
            Err(failure) => failure.exit(),
        }
    }

    pub(super) fn failure(&self) -> Option<&Failure> {
        self.end.as_ref().err()
    }
}

impl Signer {
    pub(in crate::cli) fn new(
        context: &Context,
        request: Request,
        outlet: Box<dyn Outlet>,
    ) -> Result<Self, Failure> {
        let client = context.caller()?;
        let tenant = context.path("")?;
        let slot: Slot = client.json(&Call::get(format!("{tenant}/slots/{}", request.slot)))?;
        Ok(Self {
            client,
            tenant,
            request,
            outlet,
            algorithm: slot.algorithm,
            approval: slot.signing_policy.approval,
            run: Uuid::new_v4(),
            keys: Mutex::default(),
        })
    }

    /// Whether the slot signs only what people approved first.
    pub(super) fn asks_people(&self) -> bool {
        self.approval.contains(&self.request.environment)
    }

    /// Asks people to approve these artifacts together.
    pub(super) fn ask(
        &self,
        artifacts: &[(String, HexBytes)],
        reason: Option<&str>,
    ) -> Result<Awaiting, Failure> {
        let named: Vec<Value> =
            artifacts.iter().map(|(name, digest)| json!({ "name": name, "digest": digest })).collect();
        let mut body = json!({ "environment": self.request.environment, "artifacts": named });
        if let Some(reason) = reason {
            body["reason"] = json!(reason);
        }
        let path = format!("{}/slots/{}/batches", self.tenant, self.request.slot);
        let key = Hash::sha256(format!("{}\n{body}", self.run).as_bytes()).to_string();
        Ok(self.client.json(&Call::post(path, &body)?.idempotency_key(key))?)
    }

    /// Where an action stands once it has ended, or after some seconds.
    pub(super) fn decided(&self, action: ActionId, wait: Duration) -> Result<ActionStatus, Failure> {
        let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).min(SEAL_WAIT_MS);
        let path = format!("{}/actions/{action}?wait_ms={wait_ms}", self.tenant);
        let action: Action = self.client.json(&Call::get(path))?;
        Ok(action.status)
    }

    /// Signs one file. `ask` has people asked where that is needed and nobody has done it yet.
    pub(super) fn sign(&self, target: &Target, ask: bool) -> Outcome {
        self.outcome(target, |artifact| self.sign_artifact(target, artifact, ask))
    }

    /// Goes on with a file that is signed, and whose signature could not be proved at the time.
    pub(in crate::cli) fn resume(&self, target: &Target, signed: Signed) -> Outcome {
        self.outcome(target, |artifact| {
            let released = self.checked(artifact, signed)?;
            let signature = self.outlet.keep(target, &released)?;
            self.prove(target, artifact, released, signature)
        })
    }

    fn outcome(&self, target: &Target, end: impl FnOnce(&Artifact) -> Result<Done, Failure>) -> Outcome {
        let artifact = Artifact::read(&target.file, target.form, self.algorithm);
        let sha256 = artifact.as_ref().ok().map(|artifact| artifact.sha256);
        let end = artifact.map_err(Failure::file("read", &target.file)).and_then(|artifact| end(&artifact));
        Outcome { file: target.file.clone(), sha256, end }
    }

    fn sign_artifact(&self, target: &Target, artifact: &Artifact, ask: bool) -> Result<Done, Failure> {
        let path = format!("{}/slots/{}/sign", self.tenant, self.request.slot);
        let call = Call::post(path.clone(), &self.body(target, artifact, ask))?;
        let key = self.idempotency_key(target, artifact);
        let (status, answer) = match self.client.bytes(&call.idempotency_key(key)) {
            Err(error) if !ask && error.code() == "signing.approval" => {
                return Ok(Done::Unasked(artifact.digest.clone()));
            }
            answered => answered?,
        };
        let form = |source| crate::client::ClientError::Form { path: path.clone(), source };
        if status == 202 {
            return Ok(Done::Awaiting(serde_json::from_slice(&answer).map_err(form)?));
        }
        let released = self.checked(artifact, serde_json::from_slice(&answer).map_err(form)?)?;
        let signature = self.outlet.keep(target, &released)?;
        self.prove(target, artifact, released, signature)
    }

    fn prove(
        &self,
        target: &Target,
        artifact: &Artifact,
        released: Released,
        signature: PathBuf,
    ) -> Result<Done, Failure> {
        let receipt = self.receipt_of(&released)?;
        let receipt = self.outlet.prove(self, target, artifact, &released, &receipt)?;
        Ok(Done::Signed { signed: Box::new(released.signed), signature, receipt })
    }

    fn body(&self, target: &Target, artifact: &Artifact, ask: bool) -> Value {
        let mut about = Map::new();
        about.insert("name".to_owned(), json!(printable(&target.name)));
        about.extend(self.request.version.as_ref().map(|version| ("version".to_owned(), json!(version))));
        about.extend(self.request.ticket.as_ref().map(|ticket| ("ticket".to_owned(), json!(ticket))));
        let mut body = Map::from_iter([
            ("environment".to_owned(), json!(self.request.environment)),
            ("artifact".to_owned(), Value::Object(about)),
        ]);
        if !ask {
            body.insert("propose".to_owned(), json!(false));
        }
        match &artifact.message {
            Some(message) => body.insert("message".to_owned(), json!(B64::from(message.as_slice()))),
            None => body.insert("digest".to_owned(), json!(artifact.digest)),
        };
        Value::Object(body)
    }

    /// The same request of this run has the same key, however often it is sent; another run signs anew.
    fn idempotency_key(&self, target: &Target, artifact: &Artifact) -> String {
        let file = target.file.to_string_lossy();
        let what = format!("{}\n{}\n{}\n{file}", self.run, self.request.slot, artifact.digest);
        Hash::sha256(what.as_bytes()).to_string()
    }

    /// The signature, if it holds over this file under the slot's key; nothing is written before.
    fn checked(&self, artifact: &Artifact, signed: Signed) -> Result<Released, Failure> {
        let distrust = |what: &str| Failure::Distrust { what: what.to_owned() };
        if signed.slot != self.request.slot || signed.algorithm != self.algorithm {
            return Err(distrust("the server signed with another slot or algorithm"));
        }
        if signed.digest != artifact.digest {
            return Err(distrust("the server signed another digest"));
        }
        let signature = STANDARD.decode(&signed.signature_b64);
        let signature = signature.map_err(|_| distrust("the server's signature is not base64"))?;
        let key = self.key(signed.spki_sha256)?;
        match key.verify(self.algorithm, artifact.input(), &signature) {
            Ok(()) => Ok(Released { signed, signature, key }),
            Err(error) => {
                Err(Failure::Distrust { what: format!("the server's signature is refused: {error}") })
            }
        }
    }

    /// The slot's public key of this digest, fetched once; after a rotation there may be two in a run.
    fn key(&self, spki_sha256: Hash) -> Result<PublicKey, Failure> {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = keys.get(&spki_sha256) {
            return Ok(key.clone());
        }
        let path = format!("{}/slots/{}/pubkey?format=pem", self.tenant, self.request.slot);
        let key = PublicKey::from_pem(&self.client.text(&Call::get(path))?).map_err(|error| {
            Failure::Distrust { what: format!("the slot's public key is refused: {error}") }
        })?;
        if key.sha256() != spki_sha256 {
            let what = "the signature was made under another key than the slot's".to_owned();
            return Err(Failure::Distrust { what });
        }
        keys.insert(spki_sha256, key.clone());
        Ok(key)
    }

    /// The receipt of an event, once that is sealed; nothing is checked.
    pub(in crate::cli) fn receipt(&self, seq: Seq) -> Result<String, Failure> {
        let wait = self.request.receipt_wait;
        let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).min(SEAL_WAIT_MS);
        let path = format!("{}/receipts/{seq}?wait_ms={wait_ms}", self.tenant);
        Ok(self.client.text(&Call::get(path).within(wait + Duration::from_millis(SEAL_WAIT_MS)))?)
    }

    /// The receipt, once its event is sealed, if it proves this very signature.
    fn receipt_of(&self, released: &Released) -> Result<String, Failure> {
        let Released { signed, signature, .. } = released;
        let text = self.receipt(signed.seq)?;
        let distrust = |what: String| Failure::Distrust { what };
        let receipt = Receipt::parse(text.as_bytes())
            .and_then(|receipt| receipt.verify(std::slice::from_ref(&signed.vkey)).map(|_| receipt))
            .map_err(|error| distrust(format!("the receipt is refused: {error}")))?;
        let event = Envelope::parse(receipt.event_bytes()).ok().and_then(|e| Event::from_envelope(e).ok());
        let Some(event) = event else {
            return Err(distrust("the receipt holds no event that is known here".to_owned()));
        };
        let proves = match &event.payload {
            Payload::SignatureCreated(created) => {
                created.digest == signed.digest
                    && created.signature.as_bytes() == signature.as_slice()
                    && created.spki_sha256 == signed.spki_sha256
            }
            _ => false,
        };
        if proves && event.seq == signed.seq && event.origin == signed.origin {
            Ok(text)
        } else {
            Err(distrust("the receipt is of something else than this signature".to_owned()))
        }
    }
}
