//! Dual-control actions, and the policy that rules them.

use std::collections::BTreeMap;

use sealbook_ledger::encoding::{B64, Hash, HexBytes};
use sealbook_ledger::ids::{ActionId, MemberId, ProposerId, Seq};
use sealbook_ledger::policy::{LedgerPolicy, Role};
use sealbook_ledger::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

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
        proposed_by: ProposerId,
        /// What opens digests in the document, to be checked against it.
        #[serde(default)]
        disclosures: Vec<DraftDisclosure>,
        /// What it lets be signed, where it is about signatures and shown by itself.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        artifacts: Vec<ListedArtifact>,
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
    /// An artifact that an action lets be signed.
    ListedArtifact {
        /// Its name, as the server says.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        /// What is signed.
        digest: HexBytes,
        /// Whether it was signed since.
        signed: bool,
    }
);
answer!(
    /// What people have to decide on before a signature.
    Awaiting {
        /// The action.
        action: ActionId,
        /// How far it has come.
        status: ActionStatus,
        /// What people are asked.
        sentence: String,
        /// Who has to approve it.
        #[serde(default)]
        seats: Vec<Seat>,
        /// When it is too late.
        expires_at: Timestamp,
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
    /// `GET …/policy`.
    Policy {
        /// Who may decide what.
        policy: LedgerPolicy,
        /// Its digest.
        policy_digest: Hash,
    }
);
