//! Decisions: a command and the state before it make events, or a refusal. Pure, synchronous, exhaustive.
//!
//! Every event is judged by [`State::judge`], the rules that the offline verifier replays: what is decided here can't
//! be found wrong there.

use std::borrow::Cow;

use crate::action::{ActionType, Params, SlotCreateParams};
use crate::canonical::Unrepresentable;
use crate::command::{Command, Containment, Founder, SignRequest, SigningOutcome};
use crate::effect::{Effect, effect_of};
use crate::encoding::{B64, Hash};
use crate::event::{Actor, Event, MAX_EVENT_LEN, sd_is_well_formed};
use crate::ids::{ActionId, Correlation, KeyId, MemberId, Seq};
use crate::payload::{
    ActionExecuted, ActionExecuting, ActionExpired, ActionFailed, ActionVoided, CredentialSuspended,
    FailureCode, KeyActivated, KeyAdopted, KeyGenerated, KeyGenerationAbandoned, KeyGenerationAuthorized,
    KeyGenerationFailed, LedgerEvidenceKeySet, LedgerHighWaterAccepted, LedgerKeyRecovered, LedgerKeyRotated,
    MemberSuspended, Payload, ServiceSuspended, SignatureAbandoned, SignatureAuthorized, SignatureCreated,
    SignatureFailed, SignatureWithheld, SlotCreated, SlotSuspended,
};
use crate::rule::Rule;
use crate::slot::device_label;
use crate::state::{Founded, OFFERED, Prechecked, Progress, Stage, State};
use crate::timestamp::Timestamp;

mod incidents;
mod revoking;
mod rotating;

/// What a decision needs besides the state and the command.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The clock's time; events never go backwards from it.
    pub clock: Timestamp,
    /// The piece of work.
    pub correlation: Correlation,
    /// Assertions that were checked before.
    pub checked: &'a Prechecked,
}

/// An event as it is to be appended.
#[derive(Debug, Clone)]
pub struct Decided {
    /// The event.
    pub event: Event,
    /// Its canonical bytes.
    pub bytes: Vec<u8>,
    /// Their hash.
    pub hash: Hash,
}

/// Why a command makes no events.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// A rule refuses.
    #[error(transparent)]
    Rule(#[from] Rule),
    /// An event would be longer than the format allows.
    #[error("an event would be longer than {MAX_EVENT_LEN} bytes; send less (event.too_long)")]
    TooLong,
    /// An event would have no canonical form.
    #[error("an event would have no canonical form (event.unrepresentable)")]
    Unrepresentable(#[source] Unrepresentable),
    /// `_sd` would not be one that a reader accepts.
    #[error(
        "disclosures are sorted, distinct SHA-256 digests, and no more than the event has private fields (event.disclosures)"
    )]
    Disclosures,
}

impl Refusal {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Rule(rule) => rule.code(),
            Self::TooLong => "event.too_long",
            Self::Unrepresentable(_) => "event.unrepresentable",
            Self::Disclosures => "event.disclosures",
        }
    }
}

/// Decides a command. The events are to be appended all together or not at all.
pub fn decide(state: &State, command: Command, context: Context<'_>) -> Result<Vec<Decided>, Refusal> {
    // What continues a piece of work stands under its correlation, whoever asks.
    let work = state.founded().ok().and_then(|founded| command.work(founded));
    let context = Context { correlation: work.unwrap_or(context.correlation), ..context };
    let mut trial = Trial { state: Cow::Borrowed(state), context, decided: Vec::new(), applied: 0 };
    trial.decide(command)?;
    Ok(trial.decided)
}

/// Events decided so far, on a copy of the state that is only made once a second event needs it.
struct Trial<'a> {
    state: Cow<'a, State>,
    context: Context<'a>,
    decided: Vec<Decided>,
    applied: usize,
}

impl Trial<'_> {
    /// The state after every event decided so far.
    fn state(&mut self) -> &State {
        for decided in &self.decided[self.applied..] {
            self.state.to_mut().apply(&decided.event, decided.hash);
        }
        self.applied = self.decided.len();
        &self.state
    }

    fn founded(&mut self) -> Result<&Founded, Rule> {
        self.state().founded()
    }

    fn now(&self) -> Timestamp {
        self.decided.last().map_or(self.state.time_at(self.context.clock), |last| last.event.time)
    }

    fn emit(&mut self, actor: Actor, payload: impl Into<Payload>, sd: Vec<B64>) -> Result<Seq, Refusal> {
        let (time, correlation, checked) = (self.now(), self.context.correlation, self.context.checked);
        let state = self.state();
        let event = Event {
            origin: state.origin().clone(),
            // A ledger of 2^53 events is out of reach; the format's own bound.
            seq: Seq::new(state.size()).ok_or(Refusal::TooLong)?,
            time,
            actor,
            correlation,
            prev: state.head(),
            payload: payload.into(),
            sd,
        };
        state.judge(&event, checked)?;
        if !sd_is_well_formed(&event.sd) || event.payload.check_disclosures(event.sd.len()).is_err() {
            return Err(Refusal::Disclosures);
        }
        let bytes = event.to_bytes().map_err(Refusal::Unrepresentable)?;
        if bytes.len() > MAX_EVENT_LEN {
            return Err(Refusal::TooLong);
        }
        let (seq, hash) = (event.seq, Event::hash(&bytes));
        self.decided.push(Decided { event, bytes, hash });
        Ok(seq)
    }

    fn system(&mut self, payload: impl Into<Payload>) -> Result<Seq, Refusal> {
        self.emit(Actor::System, payload, Vec::new())
    }

    fn decide(&mut self, command: Command) -> Result<(), Refusal> {
        match command {
            Command::Open(opened) => self.system(opened).map(drop),
            Command::Found { founders, founded } => {
                for Founder { enrolled, sd } in founders {
                    self.emit(Actor::System, enrolled, sd)?;
                }
                self.system(*founded).map(drop)
            }
            Command::Propose(proposed) => {
                // The rules let a ledger go on under later rules; this server couldn't follow it there.
                if matches!(&proposed.document.params, Params::RulesAdopt(params) if params.rules > OFFERED) {
                    return Err(Rule::RulesUnknown.into());
                }
                let sd = proposed.document.private_digests();
                self.emit(proposed.actor(), *proposed, sd).map(drop)
            }
            Command::Approve(p) => self.emit(Actor::Member(p.member), *p, Vec::new()).map(drop),
            Command::Reject { rejected, sd } => {
                self.emit(Actor::Member(rejected.member), *rejected, sd).map(drop)
            }
            Command::Cancel(p) => self.emit(Actor::Member(p.member), *p, Vec::new()).map(drop),
            Command::Expire(action) => self.system(ActionExpired { action }).map(drop),
            Command::Void(action) => self.system(ActionVoided { action }).map(drop),
            Command::Begin { action, key, life_s } => self.begin(action, key, life_s),
            Command::Fail { action, code } => self.system(ActionFailed { action, code }).map(drop),
            Command::KeyMade { key, spki, attributes } => self.key_made(key, spki, attributes),
            Command::KeyNotMade { key, code } => {
                self.key_not_made(KeyGenerationFailed { attributes: None, code, key })
            }
            Command::KeyAbandoned(key) => {
                let action = self.generating(key)?;
                self.system(KeyGenerationAbandoned { key })?;
                action.map_or(Ok(()), |action| self.fail(action, "generation.abandoned"))
            }
            Command::KeyFound { action, key, spki, attributes } => {
                self.key_found(action, key, spki, attributes)
            }
            Command::Rotate(command) => self.rotate(command),
            Command::Incident(command) => self.incident(command),
            Command::List(command) => self.list(command),
            Command::KeyDestroyed(action) => self.key_destroyed(action),
            Command::LedgerKeyMade { action, vkey, custody, attributes, next } => {
                let next_vkey_digest = next;
                match self.founded()?.action(action)?.document().kind() {
                    ActionType::LedgerKeyRecover => self.system(LedgerKeyRecovered {
                        action,
                        attributes,
                        custody,
                        next_vkey_digest,
                        vkey,
                    })?,
                    _ => {
                        self.system(LedgerKeyRotated { action, attributes, custody, next_vkey_digest, vkey })?
                    }
                };
                self.system(ActionExecuted { action }).map(drop)
            }
            Command::EvidenceKeyMade { action, key, spki } => {
                self.system(LedgerEvidenceKeySet { action, key, spki })?;
                self.system(ActionExecuted { action }).map(drop)
            }
            Command::Contain { by, target, sd } => self.contain(by, target, sd),
            Command::Authorize { caller, request } => self.authorize(caller, *request),
            Command::Settle { authorization, outcome } => self.settle(authorization, outcome),
            Command::Abandon(authorization) => self.system(SignatureAbandoned { authorization }).map(drop),
            Command::RecordEvidence { by, evidence, sd } => self.emit(by, *evidence, sd).map(drop),
            Command::RecordRefusal(refused) => self.system(refused).map(drop),
            Command::AcceptHighWater { root } => {
                let size = self.state().size();
                self.system(LedgerHighWaterAccepted { root, size }).map(drop)
            }
            Command::ReportUnexplained(unexplained) => self.system(unexplained).map(drop),
        }
    }

    fn begin(&mut self, action: ActionId, key: KeyId, life_s: u32) -> Result<(), Refusal> {
        let expires_at = self.now().plus_seconds(life_s);
        self.system(ActionExecuting { action, expires_at })?;
        let document = self.founded()?.action(action)?.document().clone();
        if let Params::RulesAdopt(params) = &document.params
            && params.rules > OFFERED
        {
            return Err(Rule::RulesUnknown.into());
        }
        if let Params::KeyRotateEmergency(params) = &document.params {
            let at = self.now();
            if self.founded()?.permits(&document.params, at).is_ok() {
                self.make_way(&params.slot)?;
            }
        }
        match effect_of(&document) {
            Effect::Event(payload, sd) => match self.emit(Actor::System, payload, sd) {
                Ok(_) => {
                    self.system(ActionExecuted { action })?;
                    self.void_outdated()
                }
                // What was possible when it was proposed no longer is: that is the action's outcome.
                Err(Refusal::Rule(rule)) => self.fail(action, rule.code()),
                Err(other) => Err(other),
            },
            Effect::Device => match document.params {
                Params::SlotCreate(params) => {
                    let (algorithm, slot) = (params.algorithm, params.slot.clone());
                    if !self.create_slot(action, params)? {
                        return Ok(());
                    }
                    let label = device_label(self.state().origin(), key);
                    self.system(KeyGenerationAuthorized { action, algorithm, expires_at, key, label, slot })
                        .map(drop)
                }
                Params::KeyAdopt(params) => self.create_slot(action, params.slot).map(drop),
                // `executing` is the intent itself; the device's answer is a command of its own.
                _ => Ok(()),
            },
        }
    }

    /// Creates a slot, or ends its action; whether it did.
    fn create_slot(&mut self, action: ActionId, params: SlotCreateParams) -> Result<bool, Refusal> {
        let created = SlotCreated {
            action,
            algorithm: params.algorithm,
            backend: params.backend,
            drill: params.drill,
            overlap_days: params.overlap_days,
            owner: params.owner,
            rotation: params.rotation,
            rotation_days: params.rotation_days,
            signing_policy: params.signing_policy,
            slot: params.slot,
        };
        match self.system(created) {
            Ok(_) => Ok(true),
            Err(Refusal::Rule(rule)) => self.fail(action, rule.code()).map(|()| false),
            Err(other) => Err(other),
        }
    }

    /// A changed ledger policy voids every action that refers to the one before, and an incident what people decided
    /// without it.
    fn void_outdated(&mut self) -> Result<(), Refusal> {
        let founded = self.founded()?;
        let outdated: Vec<ActionId> = founded
            .actions()
            .iter()
            .filter(|(_, action)| action.stage() == Stage::Open && founded.is_outdated(action))
            .map(|(id, _)| *id)
            .collect();
        outdated.into_iter().try_for_each(|action| self.system(ActionVoided { action }).map(drop))
    }

    fn fail(&mut self, action: ActionId, code: &str) -> Result<(), Refusal> {
        // Rule codes are lower-case words with dots and underscores: failure codes all.
        let code: FailureCode = code.parse().map_err(|_| Rule::ActionEffect)?;
        self.system(ActionFailed { action, code }).map(drop)
    }

    /// The action for which a device is making a key; none where it is for a rotation, whose action has ended.
    fn generating(&mut self, key: KeyId) -> Result<Option<ActionId>, Rule> {
        let founded = self.founded()?;
        let found = founded.actions().iter().find(|(_, action)| {
            matches!(action.stage(), Stage::Executing { progress: Progress::Generating(of), .. } if of == key)
        });
        match found {
            Some((id, _)) => Ok(Some(*id)),
            None if founded.rotation_of(key).is_some() => Ok(None),
            None => Err(Rule::GenerationUnknown),
        }
    }

    fn key_made(
        &mut self,
        key: KeyId,
        spki: B64,
        attributes: crate::attributes::KeyAttributes,
    ) -> Result<(), Refusal> {
        if !attributes.is_confined() {
            let code: FailureCode = Rule::KeyAttributes.code().parse().map_err(|_| Rule::KeyAttributes)?;
            return self.key_not_made(KeyGenerationFailed { attributes: Some(attributes), code, key });
        }
        let action = self.generating(key)?;
        let slot = self.founded()?.keys().get(&key).ok_or(Rule::KeyUnknown)?.slot.clone();
        let spki_sha256 = Hash::sha256(spki.as_bytes());
        self.system(KeyGenerated { attributes, key, spki, spki_sha256 })?;
        // A rotation's key takes over at its cutover.
        let Some(action) = action else { return Ok(()) };
        self.system(KeyActivated { action, key, slot })?;
        self.system(ActionExecuted { action }).map(drop)
    }

    fn key_found(
        &mut self,
        action: ActionId,
        key: KeyId,
        spki: B64,
        attributes: crate::attributes::KeyAttributes,
    ) -> Result<(), Refusal> {
        let Params::KeyAdopt(params) = self.founded()?.action(action)?.document().params.clone() else {
            return Err(Rule::ActionEffect.into());
        };
        let (label, slot, spki_sha256) = (params.label, params.slot.slot, Hash::sha256(spki.as_bytes()));
        let adopted = KeyAdopted { action, attributes, key, label, slot: slot.clone(), spki, spki_sha256 };
        match self.system(adopted) {
            Ok(_) => {}
            Err(Refusal::Rule(rule)) => return self.fail(action, rule.code()),
            Err(other) => return Err(other),
        }
        self.system(KeyActivated { action, key, slot })?;
        self.system(ActionExecuted { action }).map(drop)
    }

    fn key_not_made(&mut self, failed: KeyGenerationFailed) -> Result<(), Refusal> {
        let action = self.generating(failed.key)?;
        let code = failed.code.clone();
        self.system(failed)?;
        action.map_or(Ok(()), |action| self.system(ActionFailed { action, code }).map(drop))
    }

    fn contain(&mut self, by: MemberId, target: Containment, sd: Vec<B64>) -> Result<(), Refusal> {
        let at = self.now();
        let founded = self.founded()?;
        let payload: Payload = match target {
            Containment::Slot(slot) => {
                SlotSuspended { lapses_at: founded.lapse_of(ActionType::SlotResume, at), slot }.into()
            }
            Containment::Member(member) => {
                MemberSuspended { lapses_at: founded.member_lapse(member, at), member }.into()
            }
            Containment::Credential(member, credential_id) => {
                let lapses_at = founded.credential_lapse(member, &credential_id, at);
                CredentialSuspended { lapses_at, credential_id, member }.into()
            }
            Containment::Service(service) => {
                ServiceSuspended { lapses_at: founded.lapse_of(ActionType::ServiceRestore, at), service }
                    .into()
            }
        };
        self.emit(Actor::Member(by), payload, sd).map(drop)
    }

    fn authorize(&mut self, caller: Actor, request: SignRequest) -> Result<(), Refusal> {
        let at = self.now();
        let founded = self.founded()?;
        // The caller's right comes first: what a slot looks like is not for everybody.
        founded.judge_caller(&request.slot, caller, at)?;
        let slot = founded.slot(&request.slot)?;
        let key = request.key.or(slot.active).ok_or(Rule::SlotKeyless)?;
        let authorized = SignatureAuthorized {
            algorithm: slot.algorithm,
            clearance: request.clearance,
            digest: request.digest,
            environment: Some(request.environment),
            expires_at: at.plus_seconds(request.life_s),
            key,
            message: request.message,
            policy: slot.policy_digest,
            purpose: None,
            signing: founded.signing_of(slot, key),
            slot: request.slot,
        };
        self.emit(caller, authorized, request.sd).map(drop)
    }

    fn settle(&mut self, authorization: Seq, outcome: SigningOutcome) -> Result<(), Refusal> {
        let at = self.now();
        let signature = match outcome {
            SigningOutcome::Failed(code) => {
                return self.system(SignatureFailed { authorization, code }).map(drop);
            }
            SigningOutcome::Signed(signature) => signature,
        };
        let founded = self.founded()?;
        let pending = founded.pending(authorization)?;
        let payload: Payload = match founded.release_bar(pending, at) {
            Some(reason) => {
                let signature_sha256 = Hash::sha256(signature.as_bytes());
                SignatureWithheld { authorization, reason, signature_sha256 }.into()
            }
            None => {
                let material = founded.keys().get(&pending.key).and_then(|key| key.material());
                SignatureCreated {
                    algorithm: pending.algorithm,
                    authorization,
                    digest: pending.digest.clone(),
                    key: pending.key,
                    signature,
                    signing: pending.signing,
                    spki_sha256: material.ok_or(Rule::KeyUnknown)?.spki_sha256,
                }
                .into()
            }
        };
        self.system(payload).map(drop)
    }
}
