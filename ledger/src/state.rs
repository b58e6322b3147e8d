//! The fold of a ledger's events: nothing else holds domain state, and every decision reads only this.
//!
//! An event is *judged* by the state before it, then *applied*. The server's `decide` and the offline verifier call
//! the same two functions, so they can't come to differ. Nothing in the state grows with signatures: an
//! authorisation leaves it with its outcome. The big maps are shared, so that a copy of a state is cheap.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::action::ActionDocument;
use crate::clearance::Clearance;
use crate::encoding::{B64, Hash};
use crate::event::{Actor, Event};
use crate::founding::FounderEntry;
use crate::ids::{ActionId, KeyId, MemberId, Origin, Seq, ServiceId, SlotName};
use crate::member::{Member, Service};
use crate::note::Vkey;
use crate::payload::{NextVkey, Payload};
use crate::policy::{LedgerPolicy, Role};
use crate::rule::Rule;
use crate::signature::Pending;
use crate::slot::{Key, Slot};
use crate::timestamp::Timestamp;
use crate::webauthn::ApprovalRp;

pub use crate::prechecked::Prechecked;

/// The rules version that this code knows.
pub const RULES: u64 = 1;

/// The ledger key in force.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LedgerKey {
    /// In C2SP form.
    pub vkey: Vkey,
    /// The standby announced with it.
    pub next: NextVkey,
    /// The event that brought it.
    pub since: Seq,
}

/// How far a ledger has come. What holds only later exists only later.
#[derive(Debug, Clone, Serialize, Deserialize)]
enum Phase {
    /// No event yet.
    Unopened,
    /// Opened; founders may be enrolled.
    Opened { key: LedgerKey, founders: Vec<FounderEntry>, hashes: BTreeMap<Seq, Hash> },
    /// Founded: everything else happens here.
    Founded(Arc<Founded>),
}

/// A founded ledger.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Founded {
    pub(crate) origin: Origin,
    pub(crate) key: LedgerKey,
    pub(crate) founding_digest: Hash,
    pub(crate) policy: Arc<LedgerPolicy>,
    pub(crate) policy_digest: Hash,
    /// The event that brought the policy: what was proposed before it is void, even if an equal one comes back.
    pub(crate) policy_since: Seq,
    /// The rules version that governs the next event.
    pub(crate) rules: u64,
    pub(crate) approval_rp: Arc<ApprovalRp>,
    pub(crate) members: Arc<BTreeMap<MemberId, Member>>,
    /// Whose each public key is, for ever.
    pub(crate) key_owners: Arc<BTreeMap<B64, MemberId>>,
    pub(crate) services: Arc<BTreeMap<ServiceId, Service>>,
    pub(crate) slots: Arc<BTreeMap<SlotName, Slot>>,
    pub(crate) keys: Arc<BTreeMap<KeyId, Key>>,
    pub(crate) actions: Arc<BTreeMap<ActionId, OpenAction>>,
    pub(crate) closed: Arc<BTreeMap<ActionId, Closure>>,
    pub(crate) pending: Arc<BTreeMap<Seq, Pending>>,
    pub(crate) clearances: Arc<BTreeMap<ActionId, Arc<Clearance>>>,
    pub(crate) evidence_key: Option<(KeyId, B64)>,
    /// Hashes of the events that documents may be bound to.
    pub(crate) hashes: Arc<BTreeMap<Seq, Hash>>,
}

/// How an action ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Closure {
    /// Its effects are complete.
    Executed,
    /// It began and could not take effect.
    Failed,
    /// Somebody refused it.
    Rejected,
    /// Its proposer took it back.
    Cancelled,
    /// It ran out of time.
    Expired,
    /// The policy changed under it.
    Voided,
}

/// An action that has not ended.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OpenAction {
    pub(crate) document: Arc<ActionDocument>,
    /// The document's canonical bytes, from which challenges are made.
    #[serde(with = "crate::snapshot::text")]
    pub(crate) bytes: Arc<[u8]>,
    pub(crate) proposal: Proposal,
    pub(crate) approvals: Vec<Approval>,
    pub(crate) stage: Stage,
}

/// How an action came to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proposal {
    /// By whom.
    pub by: Actor,
    /// When it was recorded.
    pub at: Timestamp,
    /// The event.
    pub seq: Seq,
    /// The role and credential that a member signed with; a break-glass proposal fills a seat by them.
    pub signed: Option<Approval>,
}

/// One person's signed consent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// Who.
    pub member: MemberId,
    /// In which role.
    pub role: Role,
    /// By which authenticator.
    pub credential_id: B64,
    /// The event.
    pub seq: Seq,
}

/// Where an open action stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stage {
    /// It collects approvals.
    Open,
    /// It takes effect.
    Executing {
        /// First moment that its effects no longer may be recorded.
        expires_at: Timestamp,
        /// How far it has come.
        progress: Progress,
    },
}

/// How far an executing action has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Progress {
    /// No effect yet.
    NotBegun,
    /// The slot exists, its key is not asked for yet.
    SlotCreated,
    /// The device is making a key.
    Generating(KeyId),
    /// The device has made it.
    Generated(KeyId),
    /// An effect can't be had.
    Broken,
    /// Every effect is recorded.
    Complete,
}

impl OpenAction {
    /// The document that people sign.
    pub fn document(&self) -> &ActionDocument {
        &self.document
    }

    /// How it came to be.
    pub fn proposal(&self) -> &Proposal {
        &self.proposal
    }

    /// The consents so far, in their order.
    pub fn approvals(&self) -> &[Approval] {
        &self.approvals
    }

    /// Where it stands.
    pub fn stage(&self) -> Stage {
        self.stage
    }

    /// The canonical bytes of the document.
    pub fn document_bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// A ledger's state after some number of events.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct State {
    origin: Origin,
    size: u64,
    head: Hash,
    time: Option<Timestamp>,
    phase: Phase,
}

impl State {
    /// A ledger without events.
    pub fn new(origin: Origin) -> Self {
        Self { origin, size: 0, head: Hash::ZERO, time: None, phase: Phase::Unopened }
    }

    /// The ledger's name.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// How many events have been applied: the next one's seq.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The hash of the last event; zeros where there is none.
    pub fn head(&self) -> Hash {
        self.head
    }

    /// The last event's time.
    pub fn time(&self) -> Option<Timestamp> {
        self.time
    }

    /// The time that an event appended at `clock` carries: never before the event ahead of it.
    pub fn time_at(&self, clock: Timestamp) -> Timestamp {
        self.time.map_or(clock, |last| last.max(clock))
    }

    /// The ledger key in force; `None` before the ledger is opened.
    pub fn ledger_key(&self) -> Option<&LedgerKey> {
        match &self.phase {
            Phase::Unopened => None,
            Phase::Opened { key, .. } => Some(key),
            Phase::Founded(founded) => Some(&founded.key),
        }
    }

    /// The founded ledger, if it is founded.
    pub fn founded(&self) -> Result<&Founded, Rule> {
        match &self.phase {
            Phase::Founded(founded) => Ok(founded),
            Phase::Unopened | Phase::Opened { .. } => Err(Rule::FoundingMissing),
        }
    }

    /// Whether the rules allow an event after all those before it.
    ///
    /// Seq, origin and `prev` are the chain's business, not the rules'.
    pub fn judge(&self, event: &Event, checked: &Prechecked) -> Result<(), Rule> {
        if self.time.is_some_and(|last| event.time < last) {
            return Err(Rule::TimeBackwards);
        }
        match (&self.phase, &event.payload) {
            (Phase::Unopened, Payload::LedgerOpened(opened)) => self.judge_opened(event, opened),
            (Phase::Unopened, _) | (_, Payload::LedgerOpened(_)) => Err(Rule::LedgerOpen),
            (Phase::Opened { founders, .. }, Payload::MemberEnrolled(enrolled)) => {
                crate::founding::judge_founder(founders, event, enrolled)
            }
            (Phase::Opened { key, founders, .. }, Payload::LedgerFounded(founded)) => {
                crate::founding::judge_founding(&self.origin, key, founders, event, founded, checked)
            }
            (Phase::Opened { .. }, _) => Err(Rule::FoundingMissing),
            (Phase::Founded(founded), _) => founded.judge(event, checked),
        }
    }

    fn judge_opened(&self, event: &Event, opened: &crate::payload::LedgerOpened) -> Result<(), Rule> {
        if event.actor != Actor::System {
            return Err(Rule::Actor);
        }
        if opened.rules != RULES {
            return Err(Rule::RulesUnknown);
        }
        if opened.vkey.origin() != &self.origin {
            return Err(Rule::LedgerKeySame);
        }
        if opened.continues.as_ref().is_some_and(|before| before.origin == self.origin || before.size == 0) {
            return Err(Rule::LedgerOpen);
        }
        if opened.attributes.is_confined() { Ok(()) } else { Err(Rule::KeyAttributes) }
    }

    /// Applies an event that was judged. `hash` is the event's own.
    pub fn apply(&mut self, event: &Event, hash: Hash) {
        match (&mut self.phase, &event.payload) {
            (Phase::Unopened, Payload::LedgerOpened(opened)) => {
                let key =
                    LedgerKey { vkey: opened.vkey.clone(), next: opened.next_vkey_digest, since: event.seq };
                self.phase =
                    Phase::Opened { key, founders: Vec::new(), hashes: BTreeMap::from([(event.seq, hash)]) };
            }
            (Phase::Opened { founders, hashes, .. }, Payload::MemberEnrolled(enrolled)) => {
                founders.push(FounderEntry::new(enrolled, event));
                hashes.insert(event.seq, hash);
            }
            (Phase::Opened { key, founders, hashes }, Payload::LedgerFounded(founded)) => {
                let mut hashes = std::mem::take(hashes);
                hashes.insert(event.seq, hash);
                let founded = Founded::new(key.clone(), founders, founded, event.seq, hashes);
                self.phase = Phase::Founded(Arc::new(founded));
            }
            (Phase::Founded(founded), _) => {
                let founded = Arc::make_mut(founded);
                if !event.payload.is_high_volume() {
                    Arc::make_mut(&mut founded.hashes).insert(event.seq, hash);
                }
                founded.apply(event);
            }
            // `judge` allows nothing else; an unjudged event moves the head alone.
            (Phase::Unopened | Phase::Opened { .. }, _) => {}
        }
        self.size = event.seq.get() + 1;
        self.head = hash;
        self.time = Some(event.time);
    }
}

impl Founded {
    fn judge(&self, event: &Event, checked: &Prechecked) -> Result<(), Rule> {
        let at = event.time;
        if self.rules != RULES {
            return Err(Rule::RulesUnknown);
        }
        self.judge_actor(event)?;
        match &event.payload {
            Payload::LedgerOpened(_) => Err(Rule::LedgerOpen),
            Payload::LedgerFounded(_) => Err(Rule::FoundingDone),

            Payload::ActionProposed(proposed) => self.judge_proposed(proposed, event, checked),
            Payload::ActionApproved(approved) => self.judge_approved(approved, at, checked),
            Payload::ActionRejected(rejected) => self.judge_rejected(rejected, at, checked),
            Payload::ActionCancelled(cancelled) => self.judge_cancelled(cancelled, at, checked),
            Payload::ActionExpired(expired) => self.judge_expired(expired.action, at),
            Payload::ActionVoided(voided) => self.judge_voided(voided.action),
            Payload::ActionExecuting(executing) => self.judge_executing(executing, at),
            Payload::ActionExecuted(executed) => self.judge_executed(executed.action),
            Payload::ActionFailed(failed) => self.judge_failed(failed.action),

            Payload::ApprovalRpSet(_)
            | Payload::CredentialAdded(_)
            | Payload::CredentialRemoved(_)
            | Payload::KeyRevoked(_)
            | Payload::LedgerRulesAdopted(_)
            | Payload::MemberEnrolled(_)
            | Payload::MemberRecovered(_)
            | Payload::MemberRemoved(_)
            | Payload::MemberRestored(_)
            | Payload::PolicySet(_)
            | Payload::RoleGranted(_)
            | Payload::RoleRevoked(_)
            | Payload::ServiceEnrolled(_)
            | Payload::ServiceGranted(_)
            | Payload::ServiceRemoved(_)
            | Payload::ServiceRestored(_)
            | Payload::SigningApproved(_)
            | Payload::SlotPolicySet(_)
            | Payload::SlotResumed(_) => self.judge_effect(event),

            Payload::SlotCreated(created) => self.judge_slot_created(created, at),
            Payload::KeyGenerationAuthorized(authorized) => self.judge_generation(authorized, at),
            Payload::KeyGenerated(generated) => self.judge_generated(generated, at),
            Payload::KeyGenerationFailed(failed) => self.judge_generation_failed(failed),
            Payload::KeyGenerationAbandoned(abandoned) => self.judge_generation_abandoned(abandoned.key, at),
            Payload::KeyActivated(activated) => self.judge_activated(activated),

            Payload::LedgerKeyRotated(rotated) => self.judge_ledger_key_rotated(rotated, at),
            Payload::LedgerKeyRecovered(recovered) => self.judge_ledger_key_recovered(recovered, at),
            Payload::LedgerEvidenceKeySet(set) => self.judge_evidence_key(set, at),
            Payload::LedgerHighWaterAccepted(accepted) => self.judge_high_water(accepted, event.seq),

            Payload::SlotSuspended(suspended) => self.judge_slot_suspended(suspended, event.actor, at),
            Payload::MemberSuspended(suspended) => self.judge_member_suspended(suspended, event.actor, at),
            Payload::CredentialSuspended(suspended) => {
                self.judge_credential_suspended(suspended, event.actor, at)
            }
            Payload::ServiceSuspended(suspended) => self.judge_service_suspended(suspended, event.actor, at),

            Payload::SignatureAuthorized(authorized) => self.judge_authorized(authorized, event.actor, at),
            Payload::SignatureCreated(created) => self.judge_created(created, at),
            Payload::SignatureFailed(failed) => self.pending(failed.authorization).map(drop),
            Payload::SignatureWithheld(withheld) => self.judge_withheld(withheld, at),
            Payload::SignatureAbandoned(abandoned) => self.judge_abandoned(abandoned.authorization, at),

            Payload::EvidenceRecorded(recorded) => self.judge_evidence(recorded, event),
            Payload::RefusalRecorded(refused) => self.judge_refusal(refused, at),
            // A fact about the device, which no rule can weigh: recorded as it is seen.
            Payload::CustodyUnexplained(_) => Ok(()),
        }
    }

    /// Which kind of actor each type has, and that the actor is who the payload says.
    fn judge_actor(&self, event: &Event) -> Result<(), Rule> {
        let fits = match &event.payload {
            Payload::ActionProposed(p) => event.actor == p.actor(),
            Payload::ActionApproved(p) => event.actor == Actor::Member(p.member),
            Payload::ActionRejected(p) => event.actor == Actor::Member(p.member),
            Payload::ActionCancelled(p) => event.actor == Actor::Member(p.member),
            Payload::SlotSuspended(_)
            | Payload::MemberSuspended(_)
            | Payload::CredentialSuspended(_)
            | Payload::ServiceSuspended(_) => matches!(event.actor, Actor::Member(_)),
            Payload::SignatureAuthorized(_) | Payload::EvidenceRecorded(_) => event.actor != Actor::System,
            _ => event.actor == Actor::System,
        };
        if fits { Ok(()) } else { Err(Rule::Actor) }
    }

    fn apply(&mut self, event: &Event) {
        match &event.payload {
            Payload::ActionProposed(_)
            | Payload::ActionApproved(_)
            | Payload::ActionRejected(_)
            | Payload::ActionCancelled(_)
            | Payload::ActionExpired(_)
            | Payload::ActionVoided(_)
            | Payload::ActionExecuting(_)
            | Payload::ActionExecuted(_)
            | Payload::ActionFailed(_) => self.apply_action(event),

            Payload::ApprovalRpSet(set) => self.approval_rp = Arc::new(set.approval_rp.clone()),
            Payload::PolicySet(set) => self.apply_policy(&set.policy, event.seq),
            Payload::LedgerRulesAdopted(adopted) => self.rules = adopted.rules,
            Payload::LedgerKeyRotated(change) => {
                self.key =
                    LedgerKey { vkey: change.vkey.clone(), next: change.next_vkey_digest, since: event.seq };
            }
            Payload::LedgerKeyRecovered(change) => {
                self.key =
                    LedgerKey { vkey: change.vkey.clone(), next: change.next_vkey_digest, since: event.seq };
            }
            Payload::LedgerEvidenceKeySet(set) => self.evidence_key = Some((set.key, set.spki.clone())),

            Payload::MemberRecovered(recovered) => self.apply_recovered(recovered, event),
            Payload::MemberEnrolled(_)
            | Payload::MemberRemoved(_)
            | Payload::MemberRestored(_)
            | Payload::MemberSuspended(_)
            | Payload::CredentialAdded(_)
            | Payload::CredentialRemoved(_)
            | Payload::CredentialSuspended(_)
            | Payload::RoleGranted(_)
            | Payload::RoleRevoked(_) => self.apply_member(event),

            Payload::ServiceEnrolled(_)
            | Payload::ServiceGranted(_)
            | Payload::ServiceRemoved(_)
            | Payload::ServiceRestored(_)
            | Payload::ServiceSuspended(_) => self.apply_service(event),

            Payload::SlotCreated(_)
            | Payload::SlotPolicySet(_)
            | Payload::SlotResumed(_)
            | Payload::SlotSuspended(_)
            | Payload::KeyGenerationAuthorized(_)
            | Payload::KeyGenerated(_)
            | Payload::KeyGenerationFailed(_)
            | Payload::KeyGenerationAbandoned(_)
            | Payload::KeyActivated(_)
            | Payload::KeyRevoked(_) => self.apply_slot(event),

            Payload::SigningApproved(approved) => self.apply_cleared(approved, event.time),
            Payload::SignatureAuthorized(authorized) => self.apply_authorized(authorized, event),
            Payload::SignatureCreated(p) => self.settle(p.authorization),
            Payload::SignatureFailed(p) => self.settle_unsigned(p.authorization),
            Payload::SignatureWithheld(p) => self.settle(p.authorization),
            Payload::SignatureAbandoned(p) => self.settle(p.authorization),
            Payload::LedgerOpened(_)
            | Payload::LedgerFounded(_)
            | Payload::LedgerHighWaterAccepted(_)
            | Payload::EvidenceRecorded(_)
            | Payload::RefusalRecorded(_)
            | Payload::CustodyUnexplained(_) => {}
        }
        self.note_progress(event);
    }
}
