//! The fold of a ledger's events: nothing else holds domain state, and every decision reads only this.
//!
//! An event is *judged* by the state before it, then *applied*. The server's `decide` and the offline verifier call
//! the same two functions, so they can't come to differ. Nothing in the state grows with signatures: an
//! authorisation leaves it with its outcome. The big maps are shared, so that a copy of a state is cheap.

mod founded;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::action::ActionDocument;
use crate::certificate::SerialNumber;
use crate::clearance::Clearance;
use crate::encoding::{B64, Hash};
use crate::event::{Actor, Event};
use crate::founding::FounderEntry;
use crate::ids::{
    ActionId, CertificateId, Correlation, IncidentId, KeyId, MemberId, Origin, Seq, ServiceId, SlotName,
};
use crate::incident::Incident;
use crate::issuance::Issuance;
use crate::member::{Member, Service};
use crate::note::Vkey;
use crate::payload::{NextVkey, Payload};
use crate::policy::{LedgerPolicy, Role};
use crate::recent::Recent;
use crate::reporting::PendingDocument;
use crate::revocation::{Crl, PendingCrl};
use crate::rotation::Rotation;
use crate::rule::Rule;
use crate::signature::Pending;
use crate::slot::{Key, Slot};
use crate::timestamp::Timestamp;
use crate::webauthn::ApprovalRp;

pub use crate::prechecked::Prechecked;

/// The newest rules version that this code knows. It judges every earlier one as well.
pub const RULES: u64 = 4;

/// The newest rules version that a ledger may open under or adopt: the forms and rules of a later one may still change, and
/// nobody is to be told that a ledger under it is valid.
pub const OFFERED: u64 = 4;

/// Whether a rules version is one that ledgers may have.
pub fn is_offered(rules: u64) -> bool {
    (1..=OFFERED).contains(&rules)
}

/// Whether a rules version is known here.
pub fn knows(rules: u64) -> bool {
    (1..=RULES).contains(&rules)
}

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
    Opened { key: LedgerKey, rules: u64, founders: Vec<FounderEntry>, hashes: BTreeMap<Seq, Hash> },
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
    /// What each slot signed last.
    pub(crate) recent: Arc<BTreeMap<SlotName, Arc<Recent>>>,
    pub(crate) rotations: Arc<BTreeMap<ActionId, Arc<Rotation>>>,
    pub(crate) issuances: Arc<BTreeMap<CertificateId, Arc<Issuance>>>,
    /// Every serial number that a device was asked to sign, and the certificate that it was for. Whatever became of it: a
    /// certificate of that number may exist.
    pub(crate) serials: Arc<BTreeMap<SerialNumber, CertificateId>>,
    /// When rules were adopted under which keys have an age; none where they governed from the start.
    pub(crate) ageing_since: Option<Timestamp>,
    /// Documents that the evidence key was asked for.
    pub(crate) documents: Arc<BTreeMap<Seq, PendingDocument>>,
    /// Revocation lists that CAs were asked for.
    pub(crate) pending_crls: Arc<BTreeMap<Seq, PendingCrl>>,
    /// The newest revocation list of each CA's key.
    pub(crate) crls: Arc<BTreeMap<KeyId, Arc<Crl>>>,
    pub(crate) incidents: Arc<BTreeMap<IncidentId, Arc<Incident>>>,
    /// Those of each slot that have not ended.
    pub(crate) open_incidents: Arc<BTreeMap<SlotName, BTreeSet<IncidentId>>>,
    /// The opening of each slot's newest incident: what people decided about the slot before, they decided without it.
    pub(crate) alarms: Arc<BTreeMap<SlotName, Seq>>,
    pub(crate) evidence_key: Option<(KeyId, B64)>,
    /// Keys that signed evidence before, and the SHA-256 of their SubjectPublicKeyInfo.
    pub(crate) former_evidence_keys: Arc<BTreeMap<KeyId, Hash>>,
    /// The changes of the ledger key by the actions that brought them, and whether each has its evidence pack: of rules version 2.
    pub(crate) successions: Arc<BTreeMap<ActionId, bool>>,
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
    /// Under which correlation it stands: what the action leads to stands under the same.
    pub correlation: Correlation,
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

    /// The rules version that governs the next event; `None` before the ledger is opened.
    pub fn rules(&self) -> Option<u64> {
        match &self.phase {
            Phase::Unopened => None,
            Phase::Opened { rules, .. } => Some(*rules),
            Phase::Founded(founded) => Some(founded.rules),
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
            (Phase::Opened { key, rules, founders, .. }, Payload::LedgerFounded(founded)) => {
                let opened = crate::founding::Opened { origin: &self.origin, key, rules: *rules, founders };
                crate::founding::judge_founding(&opened, event, founded, checked)
            }
            (Phase::Opened { .. }, _) => Err(Rule::FoundingMissing),
            (Phase::Founded(founded), _) => founded.judge(event, checked),
        }
    }

    fn judge_opened(&self, event: &Event, opened: &crate::payload::LedgerOpened) -> Result<(), Rule> {
        if event.actor != Actor::System {
            return Err(Rule::Actor);
        }
        if !knows(opened.rules) {
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
                let (rules, hashes) = (opened.rules, BTreeMap::from([(event.seq, hash)]));
                self.phase = Phase::Opened { key, rules, founders: Vec::new(), hashes };
            }
            (Phase::Opened { founders, hashes, .. }, Payload::MemberEnrolled(enrolled)) => {
                founders.push(FounderEntry::new(enrolled, event));
                hashes.insert(event.seq, hash);
            }
            (Phase::Opened { key, founders, hashes, .. }, Payload::LedgerFounded(founded)) => {
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
