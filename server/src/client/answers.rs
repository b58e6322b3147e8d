//! What the API answers, as far as a client reads it. Members that are not named here are ignored, so that an older
//! client reads a newer server.

use std::collections::{BTreeMap, BTreeSet};

use sealbook_ledger::algorithm::Algorithm;
use sealbook_ledger::attachment::MediaType;
use sealbook_ledger::encoding::{B64, Hash, HexBytes};
use sealbook_ledger::ids::{
    ActionId, BackendName, Correlation, EvidenceId, KeyId, MemberId, Origin, Seq, ServiceId, SlotName,
    TenantName,
};
use sealbook_ledger::note::Vkey;
use sealbook_ledger::payload::Subject;
use sealbook_ledger::policy::{LedgerPolicy, Role, SigningPolicy};
use sealbook_ledger::timestamp::Timestamp;
use sealbook_ledger::webauthn::{ApprovalRp, Credential};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

macro_rules! answer {
    ($(#[$doc:meta])* $name:ident { $($(#[$member_doc:meta])* $member:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Serialize, Deserialize)]
        pub struct $name {
            $($(#[$member_doc])* pub $member: $type,)*
        }
    };
}

/// A tenant that was just opened, with the founders' tickets. Never shown whole: tickets are secrets.
#[derive(Deserialize)]
pub struct OpenedTenant {
    /// The tenant.
    pub tenant: TenantName,
    /// Its ledger.
    pub origin: Origin,
    /// Its ledger key.
    pub vkey: Vkey,
    /// One for each founder.
    pub tickets: Vec<FounderTicket>,
}

/// A founder's one-time ticket.
#[derive(Deserialize)]
pub struct FounderTicket {
    /// The founder's number, from 1.
    pub founder: usize,
    /// The ticket.
    pub ticket: Zeroizing<String>,
    /// First moment that it no longer holds.
    pub expires_at: Timestamp,
}

answer!(
    /// `GET /v1/tenants`.
    Tenants {
        /// All of them.
        tenants: Vec<TenantEntry>,
    }
);
answer!(
    /// A tenant in a list.
    TenantEntry {
        /// Its name.
        tenant: TenantName,
        /// Its ledger.
        origin: Origin,
        /// Whether it is founded.
        founded: bool,
        /// How many events it has.
        size: u64,
        /// How many of them a checkpoint covers.
        sealed_size: u64,
    }
);
answer!(
    /// `GET /v1/tenants/{tenant}`.
    Tenant {
        /// Its name.
        tenant: TenantName,
        /// Its ledger.
        origin: Origin,
        /// The ledger key in force.
        vkey: Vkey,
        /// What the founders signed; absent until they did.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        founding_digest: Option<Hash>,
        /// Whether it is founded.
        founded: bool,
        /// How many events it has.
        size: u64,
        /// How many of them a checkpoint covers.
        sealed_size: u64,
        /// The rules version.
        rules: u64,
        /// The relying party of approvals.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        approval_rp: Option<ApprovalRp>,
        /// Digest of the ledger policy in force.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        policy_digest: Option<Hash>,
    }
);
answer!(
    /// A founder who registered.
    Registered {
        /// The member that the authenticator now belongs to.
        member: MemberId,
    }
);

/// How far a founding has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FoundingState {
    /// Founders register.
    Collecting,
    /// Founders sign.
    Signing,
    /// It is done.
    Founded,
}

answer!(
    /// `GET …/founding`.
    Founding {
        /// How far it has come.
        state: FoundingState,
        /// The ledger.
        origin: Origin,
        /// The ledger key.
        vkey: Vkey,
        /// The founders.
        #[serde(default)]
        candidates: Vec<FoundingCandidate>,
        /// What is signed, once all have registered.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        document: Option<Value>,
        /// Its digest, as the server sees it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        founding_digest: Option<Hash>,
    }
);
answer!(
    /// A founder to be.
    FoundingCandidate {
        /// The member, once registered.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        member: Option<MemberId>,
        /// Whether an authenticator is registered.
        registered: bool,
        /// Whether the document is signed.
        signed: bool,
    }
);
answer!(
    /// `POST …/founding/assertions`.
    FoundingProgress {
        /// How far it has come.
        state: FoundingState,
        /// What was signed.
        founding_digest: Hash,
    }
);
answer!(
    /// `GET …/members`.
    Members {
        /// Everybody ever enrolled.
        members: Vec<Member>,
    }
);
answer!(
    /// A person.
    Member {
        /// Who.
        member: MemberId,
        /// The name, where it is disclosed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        display_name: Option<String>,
        /// `active`, `suspended` or `removed`.
        status: String,
        /// The roles, some for a time.
        #[serde(default)]
        roles: Vec<RoleGrant>,
        /// The authenticators.
        #[serde(default)]
        credentials: Vec<HeldCredential>,
    }
);
answer!(
    /// A role that somebody holds.
    RoleGrant {
        /// Which.
        role: Role,
        /// First moment that it holds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        not_before: Option<Timestamp>,
        /// First moment that it no longer holds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        not_after: Option<Timestamp>,
    }
);
answer!(
    /// An authenticator that somebody holds.
    HeldCredential {
        /// Its id.
        credential_id: B64,
        /// `hardware`, `synced`, `unattested` or `software`.
        kind: String,
        /// `active` or `suspended`.
        status: String,
    }
);

/// An invitation, with its ticket. Never shown whole: the ticket is a secret.
#[derive(Deserialize)]
pub struct Invited {
    /// Its id.
    pub candidate: String,
    /// The ticket.
    pub ticket: Zeroizing<String>,
    /// First moment that it no longer holds.
    pub expires_at: Timestamp,
}

answer!(
    /// A candidate who registered.
    RegisteredCandidate {
        /// The invitation.
        candidate: String,
        /// The member to be.
        member: MemberId,
    }
);
answer!(
    /// `GET …/candidates`.
    Candidates {
        /// Those whose invitation holds.
        candidates: Vec<Candidate>,
    }
);
answer!(
    /// Somebody who was invited.
    Candidate {
        /// The invitation.
        candidate: String,
        /// The member to be, once registered.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        member: Option<MemberId>,
        /// The name.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        display_name: Option<String>,
        /// The roles to begin with.
        roles: BTreeSet<Role>,
        /// The authenticator, once registered.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        credential: Option<Credential>,
        /// First moment that the invitation no longer holds.
        expires_at: Timestamp,
    }
);
answer!(
    /// `GET …/services`.
    Services {
        /// All ever enrolled.
        services: Vec<Service>,
    }
);
answer!(
    /// A machine client.
    Service {
        /// Which.
        service: ServiceId,
        /// The name, where it is disclosed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        display_name: Option<String>,
        /// `active`, `suspended` or `removed`.
        status: String,
        /// The slots that it may use.
        slots: BTreeSet<SlotName>,
        /// First moment that its token no longer holds.
        token_expires_at: Timestamp,
    }
);
answer!(
    /// A suspension that was just recorded.
    Suspended {
        /// The event.
        seq: Seq,
        /// The work that it belongs to.
        correlation: Correlation,
        /// When it ends by itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        lapses_at: Option<Timestamp>,
    }
);
answer!(
    /// `POST …/actions/draft`.
    Draft {
        /// The document to sign, to be checked before that.
        document: Value,
        /// What opens its digests.
        #[serde(default)]
        disclosures: Vec<DraftDisclosure>,
        /// The challenges, as the server computes them.
        challenges: BTreeMap<String, Hash>,
    }
);
answer!(
    /// A private field of a draft.
    DraftDisclosure {
        /// Its name.
        name: String,
        /// 16 random bytes.
        salt: B64,
        /// What it says.
        value: String,
    }
);
answer!(
    /// `GET …/actions`.
    Actions {
        /// A page of them.
        actions: Vec<Action>,
        /// Where the next page begins.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next: Option<Value>,
    }
);

/// How far an action has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActionStatus {
    /// It collects approvals.
    Open,
    /// It takes effect.
    Executing,
    /// It took effect.
    Executed,
    /// It could not take effect.
    Failed,
    /// Somebody rejected it.
    Rejected,
    /// Its proposer took it back.
    Cancelled,
    /// It ran out of time.
    Expired,
    /// The policy changed under it.
    Voided,
}

impl ActionStatus {
    /// Whether nothing can change any more.
    pub const fn is_final(self) -> bool {
        !matches!(self, Self::Open | Self::Executing)
    }

    /// The status as the API writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Executing => "executing",
            Self::Executed => "executed",
            Self::Failed => "failed",
            Self::Rejected => "rejected",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
            Self::Voided => "voided",
        }
    }
}

answer!(
    /// A dual-control action.
    Action {
        /// Its id.
        action: ActionId,
        /// Its type.
        #[serde(rename = "type")]
        kind: String,
        /// How far it has come.
        status: ActionStatus,
        /// What people sign, to be checked before that.
        document: Value,
        /// The challenges, as the server computes them.
        #[serde(default)]
        challenges: BTreeMap<String, Hash>,
        /// Who asked.
        proposed_by: MemberId,
        /// Who agreed.
        #[serde(default)]
        approvals: Vec<ActionApproval>,
        /// The quorum's seats.
        #[serde(default)]
        seats: Vec<Seat>,
        /// Why it could not take effect.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        failure: Option<Value>,
        /// Its events.
        #[serde(default)]
        events: Vec<Seq>,
        /// What it made.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        created: Option<Value>,
    }
);
answer!(
    /// An approval.
    ActionApproval {
        /// Who.
        member: MemberId,
        /// In which role.
        role: Role,
        /// The event.
        seq: Seq,
    }
);
answer!(
    /// A seat of a quorum.
    Seat {
        /// Who may fill it.
        role: Role,
        /// Who does.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        filled_by: Option<MemberId>,
    }
);
answer!(
    /// `GET …/slots`.
    Slots {
        /// Those that whoever asks may see.
        slots: Vec<Slot>,
    }
);
answer!(
    /// A slot.
    Slot {
        /// Its name.
        slot: SlotName,
        /// What it signs with.
        algorithm: Algorithm,
        /// The device.
        backend: BackendName,
        /// Who answers for it.
        owner: MemberId,
        /// `active`, `suspended`, `keyless` or `revoked`.
        status: String,
        /// The key that it signs with.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        active_key: Option<KeyId>,
        /// What may be signed, by whom.
        signing_policy: SigningPolicy,
        /// Digest of that.
        policy_digest: Hash,
        /// Days after which its key is to be replaced.
        rotation_days: u16,
        /// Days that an old key stays usable.
        overlap_days: u16,
        /// Seconds since its key was made.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key_age_s: Option<u64>,
    }
);
answer!(
    /// `GET …/keys`.
    Keys {
        /// Those that whoever asks may see.
        keys: Vec<Key>,
    }
);
answer!(
    /// A key.
    Key {
        /// Its id.
        key: KeyId,
        /// Its slot.
        slot: SlotName,
        /// What it signs with.
        algorithm: Algorithm,
        /// Its state (NIST SP 800-57).
        state: String,
        /// SHA-256 of its SubjectPublicKeyInfo.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        spki_sha256: Option<Hash>,
        /// The public key.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        public_key_pem: Option<String>,
    }
);
answer!(
    /// A signature.
    Signed {
        /// The slot.
        slot: SlotName,
        /// What it was made with.
        algorithm: Algorithm,
        /// The key.
        key: KeyId,
        /// SHA-256 of the key's SubjectPublicKeyInfo.
        spki_sha256: Hash,
        /// What was signed.
        digest: HexBytes,
        /// Standard base64 with padding.
        signature_b64: String,
        /// The event that recorded it.
        seq: Seq,
        /// The ledger.
        origin: Origin,
        /// The ledger key in force.
        vkey: Vkey,
    }
);
answer!(
    /// Evidence that was just recorded.
    EvidenceRecorded {
        /// Its id.
        evidence: EvidenceId,
        /// The event.
        seq: Seq,
    }
);
answer!(
    /// `GET …/evidence`.
    EvidenceList {
        /// A page of it.
        evidence: Vec<Evidence>,
        /// Where the next page begins.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next: Option<Value>,
    }
);
answer!(
    /// A record of outside evidence.
    Evidence {
        /// Its id.
        evidence: EvidenceId,
        /// SHA-256 of it.
        digest: Hash,
        /// What kind of thing it is.
        media_type: MediaType,
        /// What it is about.
        subject: Subject,
        /// What was said about it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        description: Option<String>,
        /// The event.
        seq: Seq,
    }
);
answer!(
    /// `GET …/events`.
    Events {
        /// A page of them.
        events: Vec<EventEntry>,
        /// Where the next page begins.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next: Option<Value>,
    }
);
answer!(
    /// An event, with what is disclosed of it.
    EventEntry {
        /// Its place.
        seq: Seq,
        /// Its hash.
        hash: Hash,
        /// The event as JSON.
        event: Map<String, Value>,
        /// The private fields that are disclosed.
        #[serde(default)]
        disclosures: BTreeMap<String, String>,
    }
);
answer!(
    /// `GET …/policy`.
    Policy {
        /// Who may decide what.
        policy: LedgerPolicy,
        /// Its digest.
        policy_digest: Hash,
    }
);
