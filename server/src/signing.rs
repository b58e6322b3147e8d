//! A signature from request to release: write-ahead custody on one screen (DOMAIN).
//!
//! 1. authorise: `signature.authorized` is durable before the device is touched; where the slot's policy asks for it,
//!    people have approved the digest first (see [`crate::clearing`])
//! 2. the device signs; the signature is verified against the recorded public key
//! 3. exactly one outcome is durable before anything leaves: created, failed or withheld; where nobody knows, the
//!    authorisation is abandoned after its expiry

mod call;
mod lists;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sealbook_ledger::algorithm::Algorithm;
use sealbook_ledger::command::{Command, SigningOutcome};
use sealbook_ledger::decide::Refusal;
use sealbook_ledger::encoding::B64;
use sealbook_ledger::event::{Actor, Envelope, Event};
use sealbook_ledger::ids::{ActionId, Correlation, KeyId, Seq, SlotName};
use sealbook_ledger::payload::{Payload, SignatureAuthorized, SignatureCreated, WithheldReason};
use sealbook_ledger::policy::{Release, SigningPolicy};
use sealbook_ledger::public_key::{PublicKey, SigningInput as VerifyInput};
use sealbook_ledger::rule::Rule;
use sealbook_ledger::state::Founded;
use sealbook_ledger::timestamp::Timestamp;
use tokio::sync::Semaphore;

use crate::clearing::{Answer, Clearing, Question, Wanted};
use crate::custody::SigningInput;
use crate::devices::{Devices, SIGNING_DEADLINE, custody_error};
use crate::ledger::{Appended, EngineError, Ledger, Submission, failure_code};
use crate::store::Store;
use crate::store::load::EventFilter;
pub(crate) use call::{OwnCall, OwnWork};
pub use call::{SignCall, SignInput};
use call::{check_artifact, own_submission, submission};

/// How long a signature may take from its authorisation to its release, in seconds.
const AUTHORIZATION_S: u32 = 60;

/// How long a release that has to be sealed waits for its checkpoint.
const SEAL_WAIT: Duration = Duration::from_secs(10);

/// How long an outcome is offered to a ledger that can't take it: past the expiry it is withheld, and then abandoned.
const SETTLE_FOR: Duration = Duration::from_secs(120);

/// How often approvals are looked for again where they were given, or used up, meanwhile.
const LOOKS: usize = 4;

/// Most signatures under way at a time.
const MAX_UNDER_WAY: usize = 4096;

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

/// What a caller gets.
#[derive(Debug, Clone)]
pub enum Reply {
    /// A signature.
    Signed(Box<Signed>),
    /// The action that people have to decide on first.
    Awaiting(ActionId),
}

enum Authorized {
    Recorded(Appended),
    Awaiting(ActionId),
}

/// Signs for callers; shared by all of them.
pub(crate) struct Signer {
    /// The main runtime: an HTTP worker's own ends with its connection.
    runtime: tokio::runtime::Handle,
    store: Arc<Store>,
    devices: Devices,
    clearing: Clearing,
    public_keys: Mutex<HashMap<KeyId, PublicKey>>,
    rates: Mutex<HashMap<(i64, SlotName), (Timestamp, u32)>>,
    /// Requests under way, also those whose callers have gone.
    room: Arc<Semaphore>,
}

impl Signer {
    pub(crate) fn new(store: Arc<Store>, devices: Devices) -> Self {
        Self {
            runtime: tokio::runtime::Handle::current(),
            clearing: Clearing::new(Arc::clone(&store)),
            store,
            devices,
            public_keys: Mutex::default(),
            rates: Mutex::default(),
            room: Arc::new(Semaphore::new(MAX_UNDER_WAY)),
        }
    }

    /// What people approve first.
    pub(crate) fn clearing(&self) -> &Clearing {
        &self.clearing
    }

    /// The whole path. Once authorised it goes on to its outcome even when the caller has gone.
    pub(crate) async fn sign(
        self: &Arc<Self>,
        ledger: Arc<Ledger>,
        call: SignCall,
    ) -> Result<Reply, EngineError> {
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
        let reply = task.await.map_err(|error| EngineError::fault("the signing task ended", error))??;
        let Reply::Signed(signed) = &reply else { return Ok(reply) };
        if sealed && ledger.wait_sealed(signed.seq.get() + 1, SEAL_WAIT).await.is_none() {
            return Err(EngineError::unavailable(
                "seal.pending",
                "the signature is recorded and will be released once it is sealed; ask again with the same Idempotency-Key",
            ));
        }
        Ok(reply)
    }

    /// Authorises a signature that a process of the server's needs, on the same path: the authorisation fixes what is signed.
    /// Where it fails, no try is on record.
    pub(crate) async fn authorize_own(&self, ledger: &Ledger, call: OwnCall) -> Result<OwnWork, EngineError> {
        let message = call.message.clone();
        let appended = ledger.submit(own_submission(call)).await?;
        Ok(OwnWork { appended, message })
    }

    /// Has the device sign what was authorised, up to its outcome.
    pub(crate) async fn perform_own(&self, ledger: &Ledger, work: OwnWork) -> Result<(), EngineError> {
        let OwnWork { appended, message } = work;
        let authorized = appended.events.first().map(|decided| &decided.event.payload);
        let Some(Payload::SignatureAuthorized(authorized)) = authorized else {
            return Err(EngineError::Fault { what: "an authorisation without its event", source: None });
        };
        let slot = authorized.slot.clone();
        self.perform(ledger, slot, appended, message).await.map(drop)
    }

    async fn authorize_and_perform(&self, ledger: &Ledger, call: SignCall) -> Result<Reply, EngineError> {
        let appended = match self.authorize(ledger, &call).await? {
            Authorized::Recorded(appended) => appended,
            Authorized::Awaiting(action) => return Ok(Reply::Awaiting(action)),
        };
        let signed = if appended.replayed {
            self.outcome_of(ledger, call.slot, &appended).await?
        } else {
            let message = call.input.message().map(<[u8]>::to_vec);
            self.perform(ledger, call.slot, appended, message).await?
        };
        Ok(Reply::Signed(Box::new(signed)))
    }

    /// Authorises by an approval, where there is one; whether one is needed is the rules' to say.
    async fn authorize(&self, ledger: &Ledger, call: &SignCall) -> Result<Authorized, EngineError> {
        let digest = call.input.digest();
        let wanted = Wanted { slot: &call.slot, environment: call.environment, digest: &digest };
        for _ in 0..LOOKS {
            for place in self.clearing.places(ledger, wanted).await? {
                match ledger.submit(submission(call, Some(place))).await {
                    // Somebody else was faster: another place may be left.
                    Err(error) if is_about_approval(&error) => {}
                    // The policy asks for it no longer: it is signed like anything else.
                    Err(EngineError::Refused(Refusal::Rule(Rule::SigningApprovalNeedless))) => break,
                    other => return other.map(Authorized::Recorded),
                }
            }
            let refused = match ledger.submit(submission(call, None)).await {
                Err(error) if is_about_approval(&error) => error,
                other => return other.map(Authorized::Recorded),
            };
            match self.ask(ledger, call, wanted, refused).await {
                Ok(Answer::Waits(action)) => return Ok(Authorized::Awaiting(action)),
                Ok(Answer::Approved) => {}
                // What asked for it ended in between: an incident, or the policy.
                Err(EngineError::Refused(Refusal::Rule(Rule::SigningApprovalNeedless))) => {}
                Err(error) => return Err(error),
            }
        }
        Err(Rule::SigningUsed.into())
    }

    /// Has people asked, where they may be: on a service's behalf. Members ask with a signature of their own.
    async fn ask(
        &self,
        ledger: &Ledger,
        call: &SignCall,
        wanted: Wanted<'_>,
        refused: EngineError,
    ) -> Result<Answer, EngineError> {
        let (Actor::Service(service), true) = (call.caller, call.may_ask) else {
            let Wanted { slot, environment, digest } = wanted;
            let one = std::slice::from_ref(digest);
            let before = self.clearing.asked_before(ledger, call.caller, slot, environment, one).await?;
            return before.map(Answer::Waits).ok_or(refused);
        };
        let (idempotency, correlation) = (call.idempotency, call.correlation);
        let question = Question { wanted, artifact: &call.artifact, idempotency, correlation };
        self.clearing.ask(ledger, service, question).await
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
        self.devices.present(&slot.backend)?;
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
        let input = match message {
            Some(message) => SigningInput::Message(message),
            None => SigningInput::Digest(authorized.digest.0.clone()),
        };
        self.signed_by(founded, authorized.key, authorized.algorithm, input).await
    }

    /// A key's signature by its device, verified against the recorded public key.
    async fn signed_by(
        &self,
        founded: &Founded,
        id: KeyId,
        algorithm: Algorithm,
        input: SigningInput,
    ) -> Result<Vec<u8>, DeviceFailure> {
        let key = founded.keys().get(&id).ok_or(DeviceFailure::Certain(Rule::KeyUnknown.into()))?;
        let slot = founded.slot(&key.slot).map_err(|rule| DeviceFailure::Certain(rule.into()))?;
        let device = self.devices.get(&slot.backend).map_err(DeviceFailure::Certain)?;
        let deadline = Instant::now() + SIGNING_DEADLINE;
        let signature = device.sign(&key.label, algorithm, input.clone(), deadline).await;
        let signature = signature.map_err(|error| match error.outcome_is_unknown() {
            true => DeviceFailure::Unknown(custody_error(error)),
            false => DeviceFailure::Certain(custody_error(error)),
        })?;
        let public = self.public_key(id, key.material().map(|material| &material.spki));
        let public = public.map_err(DeviceFailure::Certain)?;
        check(&public, algorithm, &input, &signature).map_err(DeviceFailure::Certain)?;
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

/// Whether it was refused for want of an approval that is not used up.
fn is_about_approval(error: &EngineError) -> bool {
    let EngineError::Refused(Refusal::Rule(rule)) = error else { return false };
    matches!(rule, Rule::SigningApproval | Rule::SigningUsed)
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
