//! A signature from request to release: write-ahead custody on one screen (DOMAIN).
//!
//! 1. authorise: `signature.authorized` is durable before the device is touched
//! 2. the device signs; the signature is verified against the recorded public key
//! 3. exactly one outcome is durable before anything leaves: created, failed or withheld; where nobody knows, the
//!    authorisation is abandoned after its expiry

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sealbook_ledger::algorithm::Algorithm;
use sealbook_ledger::attachment::{Attachment, MediaType};
use sealbook_ledger::command::{Command, SignRequest, SigningOutcome};
use sealbook_ledger::encoding::{B64, Hash, HexBytes};
use sealbook_ledger::event::{Actor, Envelope, Event};
use sealbook_ledger::ids::{Correlation, KeyId, Seq, SlotName};
use sealbook_ledger::payload::{Payload, SignatureAuthorized, SignatureCreated, WithheldReason};
use sealbook_ledger::policy::{ArtifactField, Environment, Release, SigningPolicy};
use sealbook_ledger::public_key::{PublicKey, SigningInput as VerifyInput};
use sealbook_ledger::rule::Rule;
use sealbook_ledger::timestamp::Timestamp;
use tokio::sync::Semaphore;

use crate::custody::{BackendHealth, SigningInput};
use crate::devices::{Devices, SIGNING_DEADLINE, custody_error};
use crate::effects::failure_code;
use crate::ledger::{Appended, Disclosure, EngineError, IdempotencyKey, Ledger, Submission, digests};
use crate::store::Store;
use crate::store::load::EventFilter;

/// How long a signature may take from its authorisation to its release, in seconds.
const AUTHORIZATION_S: u32 = 60;

/// How long a release that has to be sealed waits for its checkpoint.
const SEAL_WAIT: Duration = Duration::from_secs(10);

/// How long an outcome is offered to a ledger that can't take it: past the expiry it is withheld, and then abandoned.
const SETTLE_FOR: Duration = Duration::from_secs(120);

/// Most signatures under way at a time.
const MAX_UNDER_WAY: usize = 4096;

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

/// A signature that was released.
#[derive(Debug, Clone)]
pub struct Signed {
    /// The slot.
    pub slot: SlotName,
    /// What was recorded.
    pub created: SignatureCreated,
    /// The event that records it.
    pub seq: Seq,
    /// When it was recorded.
    pub time: Timestamp,
    /// The piece of work.
    pub correlation: Correlation,
}

/// Signs for callers; shared by all of them.
pub(crate) struct Signer {
    /// The main runtime: an HTTP worker's own ends with its connection.
    runtime: tokio::runtime::Handle,
    store: Arc<Store>,
    devices: Devices,
    public_keys: Mutex<HashMap<KeyId, PublicKey>>,
    rates: Mutex<HashMap<(i64, SlotName), (Timestamp, u32)>>,
    /// Requests under way, also those whose callers have gone.
    room: Arc<Semaphore>,
}

impl Signer {
    pub(crate) fn new(store: Arc<Store>, devices: Devices) -> Self {
        Self {
            runtime: tokio::runtime::Handle::current(),
            store,
            devices,
            public_keys: Mutex::default(),
            rates: Mutex::default(),
            room: Arc::new(Semaphore::new(MAX_UNDER_WAY)),
        }
    }

    /// The whole path. Once authorised it goes on to its outcome even when the caller has gone.
    pub(crate) async fn sign(
        self: &Arc<Self>,
        ledger: Arc<Ledger>,
        call: SignCall,
    ) -> Result<Signed, EngineError> {
        let sealed = self.guard(&ledger, &call)?;
        // A task of its own: a caller who goes away between authorisation and device would leave it open.
        let place = Arc::clone(&self.room).try_acquire_owned().map_err(|_| {
            EngineError::unavailable("server.busy", "too many signatures are under way; try again shortly")
        })?;
        let (signer, work) = (Arc::clone(self), Arc::clone(&ledger));
        let task = self.runtime.spawn(async move {
            let _place = place;
            signer.authorize_and_perform(&work, call).await
        });
        let signed = task.await.map_err(|error| EngineError::fault("the signing task ended", error))??;
        if sealed && ledger.wait_sealed(signed.seq.get() + 1, SEAL_WAIT).await.is_none() {
            return Err(EngineError::unavailable(
                "seal.pending",
                "the signature is recorded and will be released once it is sealed; ask again with the same Idempotency-Key",
            ));
        }
        Ok(signed)
    }

    async fn authorize_and_perform(&self, ledger: &Ledger, call: SignCall) -> Result<Signed, EngineError> {
        let (submission, message) = submission(&call);
        let appended = ledger.submit(submission).await?;
        if appended.replayed {
            self.outcome_of(ledger, call.slot, &appended).await
        } else {
            self.perform(ledger, call.slot, appended, message).await
        }
    }

    /// What may stop a request before anything is recorded; says whether the release waits for a seal.
    fn guard(&self, ledger: &Ledger, call: &SignCall) -> Result<bool, EngineError> {
        let state = ledger.state();
        let founded = state.founded()?;
        founded.judge_caller(&call.slot, call.caller, ledger.now())?;
        let slot = founded.slot(&call.slot)?;
        let fits = match &call.input {
            SignInput::Digest(_) => !slot.algorithm.needs_message(),
            SignInput::Message(message) => {
                slot.algorithm.needs_message()
                    && message.len() <= sealbook_ledger::algorithm::MAX_PURE_MESSAGE
            }
        };
        if !fits {
            return Err(Rule::MessageForm.into());
        }
        check_artifact(&slot.signing_policy, &call.artifact)?;
        if let BackendHealth::Down { reason, .. } = self.devices.get(&slot.backend)?.health() {
            return Err(EngineError::unavailable(
                "custody.unavailable",
                format!("the device is down: {reason}"),
            ));
        }
        self.count(ledger, &call.slot, &slot.signing_policy)?;
        Ok(slot.signing_policy.release == Release::Sealed)
    }

    fn count(&self, ledger: &Ledger, slot: &SlotName, policy: &SigningPolicy) -> Result<(), EngineError> {
        let Some(limit) = policy.rate_per_minute else { return Ok(()) };
        let minute = ledger.now().minute();
        let mut rates = self.rates.lock().unwrap_or_else(PoisonError::into_inner);
        rates.retain(|_, (at, _)| *at == minute);
        let entry = rates.entry((ledger.id().get(), slot.clone())).or_insert((minute, 0));
        if entry.1 >= limit {
            return Err(EngineError::Conflict {
                code: "rate.exceeded",
                sentence: "the slot's policy allows no more signatures in this minute",
            });
        }
        entry.1 += 1;
        Ok(())
    }

    async fn perform(
        &self,
        ledger: &Ledger,
        slot: SlotName,
        appended: Appended,
        message: Option<Vec<u8>>,
    ) -> Result<Signed, EngineError> {
        let authorized = appended.events.first().map(|decided| &decided.event.payload);
        let Some(Payload::SignatureAuthorized(authorized)) = authorized else {
            return Err(EngineError::Fault { what: "an authorisation without its event", source: None });
        };
        let authorization = Seq::new(appended.first_seq).ok_or(Rule::SignatureUnknown)?;
        let (outcome, error) = match self.device_signs(ledger, authorized, message).await {
            Ok(signature) => (SigningOutcome::Signed(B64::from(signature)), None),
            // Nobody knows whether the device signed: the authorisation stays open until it is abandoned.
            Err(DeviceFailure::Unknown(error)) => return Err(error),
            Err(DeviceFailure::Certain(error)) => {
                (SigningOutcome::Failed(failure_code(error.code())), Some(error))
            }
        };
        let settled = self.settle(ledger, authorization, outcome, appended.correlation).await?;
        match error {
            Some(error) => Err(error),
            None => released(slot, &settled, appended.correlation),
        }
    }

    async fn device_signs(
        &self,
        ledger: &Ledger,
        authorized: &SignatureAuthorized,
        message: Option<Vec<u8>>,
    ) -> Result<Vec<u8>, DeviceFailure> {
        let state = ledger.state();
        let founded = state.founded().map_err(|rule| DeviceFailure::Certain(rule.into()))?;
        let key =
            founded.keys().get(&authorized.key).ok_or(DeviceFailure::Certain(Rule::KeyUnknown.into()))?;
        let slot = founded.slot(&authorized.slot).map_err(|rule| DeviceFailure::Certain(rule.into()))?;
        let device = self.devices.get(&slot.backend).map_err(DeviceFailure::Certain)?;
        let input = match message {
            Some(message) => SigningInput::Message(message),
            None => SigningInput::Digest(authorized.digest.0.clone()),
        };
        let deadline = Instant::now() + SIGNING_DEADLINE;
        let signature = device.sign(&key.label, authorized.algorithm, input.clone(), deadline).await;
        let signature = signature.map_err(|error| match error.outcome_is_unknown() {
            true => DeviceFailure::Unknown(custody_error(error)),
            false => DeviceFailure::Certain(custody_error(error)),
        })?;
        let public = self.public_key(authorized.key, key.material().map(|material| &material.spki));
        let public = public.map_err(DeviceFailure::Certain)?;
        check(&public, authorized.algorithm, &input, &signature).map_err(DeviceFailure::Certain)?;
        Ok(signature)
    }

    fn public_key(&self, id: KeyId, spki: Option<&B64>) -> Result<PublicKey, EngineError> {
        let mut known = self.public_keys.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = known.get(&id) {
            return Ok(key.clone());
        }
        let spki = spki.ok_or(Rule::KeyUnknown)?;
        let key = PublicKey::from_der(spki.as_bytes());
        let key = key.map_err(|error| EngineError::fault("a recorded public key can't be read", error))?;
        known.insert(id, key.clone());
        Ok(key)
    }

    /// Offers an outcome until the ledger takes it. While it can't, nothing is released.
    async fn settle(
        &self,
        ledger: &Ledger,
        authorization: Seq,
        outcome: SigningOutcome,
        correlation: Correlation,
    ) -> Result<Event, EngineError> {
        let until = Instant::now() + SETTLE_FOR;
        let mut pause = Duration::from_millis(50);
        let mut offered = false;
        loop {
            let command = Command::Settle { authorization, outcome: outcome.clone() };
            let submission = Submission { correlation, ..Submission::new(command) };
            match ledger.submit(submission).await {
                Ok(appended) => {
                    let recorded = appended.events.first().map(|decided| decided.event.clone());
                    let missing = EngineError::Fault { what: "an outcome without an event", source: None };
                    return recorded.ok_or(missing);
                }
                Err(EngineError::Unavailable { .. } | EngineError::Conflict { .. })
                    if Instant::now() < until =>
                {
                    offered = true;
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(Duration::from_secs(2));
                }
                // An offer whose answer was lost may have been taken: what is recorded decides.
                Err(EngineError::Refused(_)) if offered => {
                    return self.find_outcome(ledger, authorization).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// What became of an earlier request with the same idempotency key: waits where it is still under way.
    async fn outcome_of(
        &self,
        ledger: &Ledger,
        slot: SlotName,
        earlier: &Appended,
    ) -> Result<Signed, EngineError> {
        let authorization = Seq::new(earlier.first_seq).ok_or(Rule::SignatureUnknown)?;
        let until = Instant::now() + SIGNING_DEADLINE;
        let mut size = ledger.watch_size();
        loop {
            size.borrow_and_update();
            let open = ledger.state().founded()?.pending_signatures().contains_key(&authorization);
            if !open {
                break;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || tokio::time::timeout(left, size.changed()).await.is_err() {
                return Err(EngineError::unavailable(
                    "signature.pending",
                    "the first request with this Idempotency-Key is still under way; ask again",
                ));
            }
        }
        let event = self.find_outcome(ledger, authorization).await?;
        released(slot, &event, earlier.correlation)
    }

    async fn find_outcome(&self, ledger: &Ledger, authorization: Seq) -> Result<Event, EngineError> {
        let kinds = ["created", "failed", "withheld", "abandoned"].map(|kind| format!("signature.{kind}"));
        let filter = EventFilter { kinds: kinds.to_vec(), ..EventFilter::default() };
        let mut from = Some(authorization.get());
        while let Some(at) = from {
            let page = self.store.filtered_page(ledger.id(), &filter, at, 1000).await?;
            for stored in &page.events {
                let event = Envelope::parse(&stored.bytes).ok().and_then(|e| Event::from_envelope(e).ok());
                let event =
                    event.ok_or_else(|| EngineError::Corrupt("a stored event can't be read".into()))?;
                if outcome_for(&event.payload) == Some(authorization) {
                    return Ok(event);
                }
            }
            from = page.next;
        }
        Err(Rule::SignatureUnknown.into())
    }
}

enum DeviceFailure {
    /// Nothing was signed, or nothing that verifies.
    Certain(EngineError),
    /// The device may have signed.
    Unknown(EngineError),
}

fn submission(call: &SignCall) -> (Submission, Option<Vec<u8>>) {
    let disclosures: Vec<Disclosure> =
        call.artifact.iter().map(|(field, value)| Disclosure::new(field.name(), value)).collect();
    let (digest, message) = match &call.input {
        SignInput::Digest(digest) => (digest.clone(), None),
        SignInput::Message(message) => (Hash::sha256(message).0.to_vec(), Some(message.clone())),
    };
    let attachment = message.as_ref().map(|bytes| Attachment {
        sha256: Hash::sha256(bytes),
        size: bytes.len() as u64,
        media_type: octets(),
    });
    let request = SignRequest {
        clearance: None,
        slot: call.slot.clone(),
        digest: HexBytes(digest),
        message: attachment.clone(),
        environment: call.environment,
        life_s: AUTHORIZATION_S,
        sd: digests(&disclosures),
    };
    let command = Command::Authorize { caller: call.caller, request: Box::new(request) };
    let mut submission = Submission { correlation: call.correlation, ..Submission::new(command) };
    submission.disclosures = disclosures;
    submission.attachments = attachment.zip(message.clone()).into_iter().collect();
    submission.idempotency = call.idempotency;
    (submission, message)
}

#[allow(clippy::expect_used, reason = "the literal is a media type")]
fn octets() -> MediaType {
    "application/octet-stream".parse().expect("a media type")
}

fn check_artifact(policy: &SigningPolicy, artifact: &[(ArtifactField, String)]) -> Result<(), EngineError> {
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

fn check(
    public: &PublicKey,
    algorithm: Algorithm,
    input: &SigningInput,
    signature: &[u8],
) -> Result<(), EngineError> {
    let input = match input {
        SigningInput::Digest(digest) => VerifyInput::Digest(digest),
        SigningInput::Message(message) => VerifyInput::Message(message),
    };
    public.verify(algorithm, input, signature).map_err(|error| EngineError::Unavailable {
        code: "custody.bad_signature",
        sentence: "the device's signature does not verify, so it is not released".to_owned(),
        source: Some(Box::new(error)),
    })
}

fn outcome_for(payload: &Payload) -> Option<Seq> {
    match payload {
        Payload::SignatureCreated(p) => Some(p.authorization),
        Payload::SignatureFailed(p) => Some(p.authorization),
        Payload::SignatureWithheld(p) => Some(p.authorization),
        Payload::SignatureAbandoned(p) => Some(p.authorization),
        _ => None,
    }
}

/// RELEASE POINT: only what `signature.created` records leaves.
fn released(slot: SlotName, event: &Event, correlation: Correlation) -> Result<Signed, EngineError> {
    match &event.payload {
        Payload::SignatureCreated(created) => {
            Ok(Signed { slot, created: (**created).clone(), seq: event.seq, time: event.time, correlation })
        }
        Payload::SignatureWithheld(withheld) => Err(match withheld.reason {
            WithheldReason::Suspended => Rule::SlotSuspended.into(),
            WithheldReason::Revoked => Rule::KeyRevoked.into(),
            WithheldReason::Expired => Rule::ReleaseBarred.into(),
        }),
        Payload::SignatureFailed(failed) => Err(EngineError::unavailable(
            "signature.failed",
            format!("the device did not sign ({})", failed.code),
        )),
        _ => Err(EngineError::unavailable(
            "signature.abandoned",
            "nobody knows whether the device signed; ask again",
        )),
    }
}
