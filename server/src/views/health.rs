//! How everything does that one tenant rests on: devices, sealing, storage, and the people without whom things stand still.

use std::collections::BTreeSet;

use sealbook_ledger::action::ActionType;
use sealbook_ledger::event::Actor;
use sealbook_ledger::ids::{MemberId, ProposerId};
use sealbook_ledger::policy::Role;
use sealbook_ledger::state::Founded;
use sealbook_ledger::timestamp::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::Names;
use super::webhooks::WebhookView;

/// A tenant's health.
#[derive(Debug, Serialize, ToSchema)]
pub struct HealthReport {
    /// When this was found out.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// The custody backends.
    pub devices: Vec<DeviceHealth>,
    /// How far the ledger is sealed.
    pub sealing: SealingHealth,
    /// The database.
    pub storage: StorageHealth,
    /// The marks outside the database.
    pub high_water: HighWaterHealth,
    /// The scrubber's last whole pass that found everything in order; absent until one has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scrubbed: Option<ScrubbedHealth>,
    /// The folding of everything below the snapshot that the server started from; absent where it started from none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replay: Option<ReplayHealth>,
    /// The last look through the devices; absent until there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inventory: Option<InventoryHealth>,
    /// Where notices go; for those who may know.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhooks: Option<Vec<WebhookView>>,
    /// What nobody could get approved as things stand, whoever helps.
    pub unreachable: Vec<UnreachableView>,
    /// Whose absence would block what.
    pub absence: Vec<AbsentView>,
}

/// An action type that stands still now.
#[derive(Debug, Serialize, ToSchema)]
pub struct UnreachableView {
    /// Which.
    #[serde(rename = "type")]
    #[schema(value_type = String)]
    pub kind: ActionType,
    /// The members, services and the server who may propose it and could not get it approved.
    #[schema(value_type = Vec<String>)]
    pub proposers: Vec<ProposerId>,
}

impl UnreachableView {
    /// Every action type whose quorum can't be filled now, by whom that hits.
    pub fn list(founded: &Founded, at: Timestamp) -> Vec<Self> {
        let mut found: Vec<Self> = Vec::new();
        for (kind, actor) in founded.unreachable(at) {
            let proposer = match actor {
                Actor::Member(id) => ProposerId::from(id),
                Actor::Service(id) => ProposerId::from(id),
                Actor::System => ProposerId::Server,
            };
            match found.iter_mut().find(|view| view.kind == kind) {
                Some(view) => view.proposers.push(proposer),
                None => found.push(Self { kind, proposers: vec![proposer] }),
            }
        }
        found
    }
}

/// A custody backend.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeviceHealth {
    /// As the configuration calls it.
    pub name: String,
    /// What kind it is.
    pub kind: &'static str,
    /// Its FIPS 140 certificate as configured, or `none`.
    pub fips_certificate: String,
    /// `ready`, `degraded` or `down`.
    pub state: &'static str,
    /// Why it is down.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Calls that hang.
    pub quarantined: usize,
    /// Signatures that it made since the server started.
    pub signatures: u64,
    /// Calls to sign that ended without one.
    pub failures: u64,
    /// How long a signature took on average, in microseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mean_sign_us: Option<u64>,
}

/// How far a ledger is sealed.
#[derive(Debug, Serialize, ToSchema)]
pub struct SealingHealth {
    /// Number of events.
    pub size: u64,
    /// Number of events under the newest checkpoint.
    pub sealed_size: u64,
    /// Age in seconds of the oldest event that no checkpoint covers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lag_s: Option<u64>,
    /// When the newest checkpoint came, if this server has seen it come.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub sealed_at: Option<Timestamp>,
    /// Why the ledger is frozen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frozen: Option<String>,
    /// Why the last attempt to seal failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failing: Option<String>,
}

/// The database.
#[derive(Debug, Serialize, ToSchema)]
pub struct StorageHealth {
    /// Whether it answers, is set to lose nothing, and has this version's schema.
    pub ok: bool,
    /// How long it took to answer, in milliseconds.
    pub answered_ms: u64,
    /// The code of what is wrong with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trouble: Option<&'static str>,
}

/// The marks outside the database that tell when it is behind.
#[derive(Debug, Serialize, ToSchema)]
pub struct HighWaterHealth {
    /// `present`, `missing`, `damaged` or `unreadable`.
    pub state: &'static str,
    /// Size of the mark that was written before the newest seal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sealed: Option<u64>,
    /// Size of the mark that was written with the latest containment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contained: Option<u64>,
}

/// A pass of the scrubber.
#[derive(Debug, Serialize, ToSchema)]
pub struct ScrubbedHealth {
    /// When it ended.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// How many sealed events it read again.
    pub events: u64,
}

/// What a start from a snapshot owes.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReplayHealth {
    /// How many events are folded again.
    pub events: u64,
    /// When all of them had come to what the snapshot said; absent while they are being folded.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ended_at: Option<Timestamp>,
}

/// A look through the devices.
#[derive(Debug, Serialize, ToSchema)]
pub struct InventoryHealth {
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// Objects of this ledger that no event explains.
    pub unexplained: usize,
    /// Devices that did not answer.
    pub silent: usize,
}

/// What one person's absence would block.
#[derive(Debug, Serialize, ToSchema)]
pub struct AbsentView {
    /// Who.
    #[schema(value_type = String, format = Uuid)]
    pub member: MemberId,
    /// How they are called, if that is disclosed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// What, by what would mend it.
    pub blocked: Vec<BlockedView>,
}

/// Action types that the same people would mend.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct BlockedView {
    /// The types that somebody could no longer get approved, or nobody could propose.
    #[schema(value_type = Vec<String>)]
    pub types: BTreeSet<ActionType>,
    /// One more holder of any of these roles would do; none where it takes another proposer.
    #[schema(value_type = Vec<String>)]
    pub mended_by: BTreeSet<Role>,
}

impl AbsentView {
    /// Everybody whose absence would block something, most first. Recovery takes both of its authenticators by design.
    pub fn list(founded: &Founded, names: &Names, at: Timestamp) -> Vec<Self> {
        let mut absent: Vec<Self> = Vec::new();
        for (member, blocked) in founded.absence(at) {
            let mut groups: Vec<BlockedView> = Vec::new();
            for (kind, mended_by) in
                blocked.into_iter().filter(|(kind, _)| *kind != ActionType::MemberRecover)
            {
                match groups.iter_mut().find(|group| group.mended_by == mended_by) {
                    Some(group) => {
                        group.types.insert(kind);
                    }
                    None => groups.push(BlockedView { types: BTreeSet::from([kind]), mended_by }),
                }
            }
            if !groups.is_empty() {
                let display_name = names.member(member).map(str::to_owned);
                absent.push(Self { member, display_name, blocked: groups });
            }
        }
        let weight = |view: &Self| view.blocked.iter().map(|group| group.types.len()).sum::<usize>();
        absent.sort_by_key(|view| std::cmp::Reverse(weight(view)));
        absent
    }
}
