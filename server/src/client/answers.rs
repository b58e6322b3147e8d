//! What the API answers, as far as a client reads it. Members that are not named here are ignored, so that an older
//! client reads a newer server.

use sealbook_ledger::encoding::Hash;
use sealbook_ledger::ids::{MemberId, Origin, TenantName};
use sealbook_ledger::note::Vkey;
use sealbook_ledger::timestamp::Timestamp;
use sealbook_ledger::webauthn::ApprovalRp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use zeroize::Zeroizing;

use crate::relying_parties::Use;

macro_rules! answer {
    ($(#[$doc:meta])* $name:ident { $($(#[$member_doc:meta])* $member:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Serialize, Deserialize)]
        pub struct $name {
            $($(#[$member_doc])* pub $member: $type,)*
        }
    };
}

mod actions;
mod people;
mod records;
mod rotations;

pub use actions::{
    Action, ActionApproval, ActionStatus, Actions, Awaiting, Draft, DraftDisclosure, ListedArtifact, Policy,
    Seat,
};
pub use people::{
    Candidate, Candidates, HeldCredential, Invitation, Invited, Member, Members, RegisteredCandidate,
    RoleGrant, Service, Services, Suspended,
};
pub use records::{
    EventEntry, Events, Evidence, EvidenceList, EvidenceRecorded, Key, Keys, Signed, Slot, SlotCertificate,
    Slots,
};
pub use rotations::{
    Canary, Certificate, Certificates, Channel, Gate, Issued, Reason, Rotation, RotationFailure,
    RotationStep, Rotations,
};

/// A tenant that was just opened, with the founders' tickets. Never shown whole: tickets are secrets.
#[derive(Deserialize)]
pub struct OpenedTenant {
    /// The tenant.
    pub tenant: TenantName,
    /// Its ledger.
    pub origin: Origin,
    /// Its ledger key.
    pub vkey: Vkey,
    /// The founders' page.
    pub page_url: String,
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
        /// What is to be registered next.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next: Option<Use>,
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
        /// Who asks.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        you: Option<MemberId>,
        /// The founders.
        #[serde(default)]
        candidates: Vec<FoundingCandidate>,
        /// How the policy differs from the defaults, as the server tells it.
        #[serde(default)]
        policy_deviations: Vec<String>,
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
        /// The name, where one was given.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        display_name: Option<String>,
        /// What opens the name's digest in the document.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        disclosure: Option<DraftDisclosure>,
        /// Whether an authenticator is registered.
        registered: bool,
        /// What is to be registered next.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next: Option<Use>,
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
        #[serde(default, skip_serializing_if = "Option::is_none")]
        founding_digest: Option<Hash>,
    }
);
