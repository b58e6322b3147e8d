//! A ledger as it was at a moment: people, keys, decisions and refusals, as JSON and as tables.

use std::collections::BTreeMap;

use sealbook_ledger::action::ActionType;
use sealbook_ledger::encoding::B64;
use sealbook_ledger::event::{Actor, Event};
use sealbook_ledger::ids::{ActionId, SlotName};
use sealbook_ledger::payload::Payload;
use sealbook_ledger::policy::Role;
use sealbook_ledger::public_key::PublicKeyError;
use sealbook_ledger::state::Founded;
use sealbook_ledger::timestamp::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::Names;
use super::actions::ActionStatus;
use super::csv::Table;
use super::keys::KeyView;
use super::people::{CredentialView, GrantView, MemberView, Standing, kind_name};

/// The types that decisions are read from.
pub const ACTION_TYPES: &[&str] = &[
    "action.approved",
    "action.cancelled",
    "action.executed",
    "action.executing",
    "action.expired",
    "action.failed",
    "action.proposed",
    "action.rejected",
    "action.voided",
];

/// The type that refusals are read from.
pub const REFUSAL_TYPES: &[&str] = &["refusal.recorded"];

/// When, and how much there was.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Moment {
    /// The ledger.
    #[schema(example = "sealbook.example.com/acme")]
    pub origin: String,
    /// The moment: what was recorded until then counts.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// How many events there were.
    pub size: u64,
}

macro_rules! list {
    ($(#[$doc:meta])* $name:ident { $(#[$rows_doc:meta])* $rows:ident: $row:ty }) => {
        $(#[$doc])*
        #[derive(Debug, Serialize, ToSchema)]
        pub struct $name {
            /// When, and how much there was.
            #[serde(flatten)]
            pub moment: Moment,
            $(#[$rows_doc])*
            pub $rows: Vec<$row>,
        }
    };
}

list!(
    /// The people as at a moment.
    MembersAsAt {
        /// Everybody who had been enrolled by then.
        members: MemberView
    }
);
list!(
    /// The keys as at a moment.
    KeysAsAt {
        /// Every key that had been asked for by then.
        keys: KeyAsAt
    }
);
list!(
    /// The decisions up to a moment.
    ApprovalsAsAt {
        /// Proposals, approvals, rejections and cancellations, in their order.
        decisions: Decision
    }
);
list!(
    /// The refusals up to a moment.
    RefusalsAsAt {
        /// In their order, counted by caller, rule and minute.
        refusals: RefusalView
    }
);

/// A key, and whether its slot was suspended.
#[derive(Debug, Serialize, ToSchema)]
pub struct KeyAsAt {
    /// The key.
    #[serde(flatten)]
    pub key: KeyView,
    /// Whether its slot could be used.
    pub slot_status: Standing,
}

/// What somebody decided.
#[derive(Debug, Serialize, ToSchema)]
pub struct Decision {
    /// The event.
    pub seq: u64,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub time: Timestamp,
    /// The action.
    #[schema(value_type = String, format = Uuid)]
    pub action: ActionId,
    /// Its type, unless it was proposed before the time that was asked for.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub kind: Option<ActionType>,
    /// `proposed`, `approved`, `rejected` or `cancelled`.
    pub decision: &'static str,
    /// Where the action stood at the moment.
    pub status: ActionStatus,
    /// Who: a member's id, or a service's.
    pub by: String,
    /// How they are called, if that is disclosed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// In which role; services have none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub role: Option<Role>,
    /// By which authenticator.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub credential_id: Option<B64>,
}

/// What was refused to somebody in one minute.
#[derive(Debug, Serialize, ToSchema)]
pub struct RefusalView {
    /// The event.
    pub seq: u64,
    /// When it was recorded.
    #[schema(value_type = String, format = DateTime)]
    pub time: Timestamp,
    /// `member` or `service`.
    pub kind: &'static str,
    /// Who.
    pub caller: String,
    /// How they are called, if that is disclosed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// The rule that refused.
    pub rule: String,
    /// The minute's first moment.
    #[schema(value_type = String, format = DateTime)]
    pub minute: Timestamp,
    /// How often.
    pub count: u32,
}

impl MembersAsAt {
    /// Everybody in a state, judged at the moment.
    pub fn new(moment: Moment, founded: &Founded, names: &Names) -> Self {
        let at = moment.at;
        let members =
            founded.members().iter().map(|(id, member)| MemberView::new(*id, member, founded, names, at));
        Self { members: members.collect(), moment }
    }

    /// As a table.
    pub fn to_csv(&self) -> String {
        let mut table = Table::new(&["member", "name", "status", "roles", "authenticators"]);
        for member in &self.members {
            table.row([
                member.member.to_string(),
                member.display_name.clone().unwrap_or_default(),
                member.status.name().to_owned(),
                joined(member.roles.iter().map(grant)),
                joined(member.credentials.iter().map(credential)),
            ]);
        }
        table.into_text()
    }
}

impl KeysAsAt {
    /// Every key in a state, judged at the moment.
    pub fn new(moment: Moment, founded: &Founded) -> Result<Self, PublicKeyError> {
        let standing = |slot: &SlotName| {
            let suspension = founded.slots().get(slot).and_then(|slot| slot.suspension);
            Standing::at(false, suspension, moment.at)
        };
        let keys = founded
            .keys()
            .iter()
            .map(|(id, key)| Ok(KeyAsAt { key: KeyView::new(*id, key)?, slot_status: standing(&key.slot) }));
        Ok(Self { keys: keys.collect::<Result<_, _>>()?, moment })
    }

    /// As a table.
    pub fn to_csv(&self) -> String {
        let mut table = Table::new(&["key", "slot", "algorithm", "state", "slot_status", "spki_sha256"]);
        for KeyAsAt { key, slot_status } in &self.keys {
            table.row([
                key.key.to_string(),
                key.slot.to_string(),
                key.algorithm.to_string(),
                key.state.to_owned(),
                slot_status.name().to_owned(),
                key.spki_sha256.map(|hash| hash.to_string()).unwrap_or_default(),
            ]);
        }
        table.into_text()
    }
}

impl ApprovalsAsAt {
    /// The decisions among some events of [`ACTION_TYPES`].
    pub fn new(moment: Moment, events: &[Event], names: &Names) -> Self {
        let (mut kinds, mut standing) = (BTreeMap::new(), BTreeMap::new());
        let mut decisions = Vec::new();
        for event in events {
            if let Some((action, status)) = step(&event.payload) {
                standing.insert(action, status);
            }
            if let Payload::ActionProposed(proposed) = &event.payload {
                kinds.insert(proposed.document.action, proposed.document.kind());
            }
            decisions.extend(Decision::new(event, names));
        }
        for decision in &mut decisions {
            decision.kind = kinds.get(&decision.action).copied();
            decision.status = standing.get(&decision.action).copied().unwrap_or(ActionStatus::Open);
        }
        Self { decisions, moment }
    }

    /// As a table.
    pub fn to_csv(&self) -> String {
        let mut table = Table::new(&[
            "seq",
            "time",
            "action",
            "type",
            "decision",
            "status",
            "by",
            "name",
            "role",
            "credential_id",
        ]);
        for decision in &self.decisions {
            table.row([
                decision.seq.to_string(),
                decision.time.to_string(),
                decision.action.to_string(),
                decision.kind.map(|kind| kind.to_string()).unwrap_or_default(),
                decision.decision.to_owned(),
                decision.status.name().to_owned(),
                decision.by.clone(),
                decision.display_name.clone().unwrap_or_default(),
                decision.role.map(|role| role.to_string()).unwrap_or_default(),
                decision.credential_id.as_ref().map(B64::to_string).unwrap_or_default(),
            ]);
        }
        table.into_text()
    }
}

impl RefusalsAsAt {
    /// The refusals among some events.
    pub fn new(moment: Moment, events: &[Event], names: &Names) -> Self {
        let refusals = events.iter().filter_map(|event| {
            let Payload::RefusalRecorded(refused) = &event.payload else { return None };
            Some(RefusalView {
                seq: event.seq.get(),
                time: event.time,
                kind: refused.caller.kind(),
                caller: refused.caller.id(),
                display_name: called(refused.caller, names),
                rule: refused.rule.to_string(),
                minute: refused.minute,
                count: refused.count,
            })
        });
        Self { refusals: refusals.collect(), moment }
    }

    /// As a table.
    pub fn to_csv(&self) -> String {
        let mut table = Table::new(&["seq", "time", "kind", "caller", "name", "rule", "minute", "count"]);
        for refusal in &self.refusals {
            table.row([
                refusal.seq.to_string(),
                refusal.time.to_string(),
                refusal.kind.to_owned(),
                refusal.caller.clone(),
                refusal.display_name.clone().unwrap_or_default(),
                refusal.rule.clone(),
                refusal.minute.to_string(),
                refusal.count.to_string(),
            ]);
        }
        table.into_text()
    }
}

impl Decision {
    /// What somebody decided by an event, if by that one anybody did.
    fn new(event: &Event, names: &Names) -> Option<Self> {
        let (decision, action, role, credential_id) = match &event.payload {
            Payload::ActionProposed(p) => {
                let signed = p.signed.as_ref();
                let by = signed.map(|signed| (signed.role, signed.credential_id.clone())).unzip();
                ("proposed", p.document.action, by.0, by.1)
            }
            Payload::ActionApproved(p) => ("approved", p.action, Some(p.role), Some(p.credential_id.clone())),
            Payload::ActionRejected(p) => ("rejected", p.action, Some(p.role), Some(p.credential_id.clone())),
            Payload::ActionCancelled(p) => {
                ("cancelled", p.action, Some(p.role), Some(p.credential_id.clone()))
            }
            _ => return None,
        };
        Some(Self {
            seq: event.seq.get(),
            time: event.time,
            action,
            kind: None,
            decision,
            status: ActionStatus::Open,
            by: event.actor.id(),
            display_name: called(event.actor, names),
            role,
            credential_id,
        })
    }
}

/// The action that an event moves on, and to where.
fn step(payload: &Payload) -> Option<(ActionId, ActionStatus)> {
    Some(match payload {
        Payload::ActionProposed(p) => (p.document.action, ActionStatus::Open),
        Payload::ActionExecuting(p) => (p.action, ActionStatus::Executing),
        Payload::ActionExecuted(p) => (p.action, ActionStatus::Executed),
        Payload::ActionFailed(p) => (p.action, ActionStatus::Failed),
        Payload::ActionRejected(p) => (p.action, ActionStatus::Rejected),
        Payload::ActionCancelled(p) => (p.action, ActionStatus::Cancelled),
        Payload::ActionExpired(p) => (p.action, ActionStatus::Expired),
        Payload::ActionVoided(p) => (p.action, ActionStatus::Voided),
        _ => return None,
    })
}

fn called(actor: Actor, names: &Names) -> Option<String> {
    let name = match actor {
        Actor::Member(id) => names.member(id),
        Actor::Service(id) => names.service(id),
        Actor::System => None,
    };
    name.map(str::to_owned)
}

fn grant(grant: &GrantView) -> String {
    let from = grant.not_before.map(|at| format!(" from {at}")).unwrap_or_default();
    let until = grant.not_after.map(|at| format!(" until {at}")).unwrap_or_default();
    format!("{}{from}{until}", grant.role)
}

fn credential(held: &CredentialView) -> String {
    format!("{} {} {}", kind_name(held.kind), held.credential_id, held.status.name())
}

fn joined(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join("; ")
}
