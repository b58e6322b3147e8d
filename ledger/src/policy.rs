//! Roles, quorums, and the two kinds of policy: the ledger's (who may decide what) and a slot's (what may be signed).

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::action::ActionType;
use crate::canonical::{self, Unrepresentable};
use crate::encoding::Hash;
use crate::ids::Aaguid;
use crate::webauthn::{Credential, CredentialKind};

/// What a member may be trusted with. Names are stable; DOMAIN's table says what each is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Fills the ordinary seats of a quorum.
    Approver,
    /// Reads and exports, never acts.
    Auditor,
    /// The change advisory board: production re-signing.
    ChangeBoard,
    /// Stops things at three in the morning.
    IncidentCommander,
    /// Owns a slot.
    KeyOwner,
    /// Uses slots.
    PackagingEngineer,
    /// Runs the tenant: people, services, policy.
    PlatformAdmin,
    /// A sealed authenticator of the founding: two of them together re-enrol a member, and do nothing else.
    Recovery,
    /// Accountable for device access and break-glass.
    SecurityReviewer,
}

impl Role {
    /// Every role, sorted by name.
    pub const ALL: [Self; 9] = [
        Self::Approver,
        Self::Auditor,
        Self::ChangeBoard,
        Self::IncidentCommander,
        Self::KeyOwner,
        Self::PackagingEngineer,
        Self::PlatformAdmin,
        Self::Recovery,
        Self::SecurityReviewer,
    ];

    /// The role's name in events and in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Approver => "approver",
            Self::Auditor => "auditor",
            Self::ChangeBoard => "change_board",
            Self::IncidentCommander => "incident_commander",
            Self::KeyOwner => "key_owner",
            Self::PackagingEngineer => "packaging_engineer",
            Self::PlatformAdmin => "platform_admin",
            Self::Recovery => "recovery",
            Self::SecurityReviewer => "security_reviewer",
        }
    }
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for Role {
    type Err = crate::ids::InvalidId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|role| role.name() == text).ok_or(crate::ids::InvalidId {
            what: "role",
            why: "one of approver, auditor, change_board, incident_commander, key_owner, packaging_engineer, \
                  platform_admin, recovery, security_reviewer",
        })
    }
}

/// Who may propose: the members of a role, or services.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Proposer {
    /// Members who hold the role.
    Role(Role),
    /// Machine clients, without a signature of their own: they ask for approvals of signatures, and for nothing else.
    Service,
    /// The server: it proposes rotations that are due, and nothing else (rules version 2).
    System,
}

impl Proposer {
    /// The name in policies.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Role(role) => role.name(),
            Self::Service => "service",
            Self::System => "system",
        }
    }
}

impl From<Role> for Proposer {
    fn from(role: Role) -> Self {
        Self::Role(role)
    }
}

/// By name, as sets are sorted in canonical bytes.
impl Ord for Proposer {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.name().cmp(other.name())
    }
}

impl PartialOrd for Proposer {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl std::fmt::Display for Proposer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for Proposer {
    type Err = crate::ids::InvalidId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "service" => Ok(Self::Service),
            "system" => Ok(Self::System),
            role => role.parse().map(Self::Role),
        }
    }
}

crate::ids::serde_as_text!(Proposer);

/// Seats of a quorum that members of one role fill, each seat by another person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Clause {
    /// How many seats: 1 to 8.
    pub count: u8,
    /// The role whose members fill them.
    pub role: Role,
}

/// Most seats that a clause, or a quorum as a whole, may ask for.
pub const MAX_SEATS: u8 = 8;

/// Who may propose an action type, and whom it takes to approve it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActionRule {
    /// Who may propose it.
    pub proposers: BTreeSet<Proposer>,
    /// The clauses that must all be met, by different people.
    pub quorum: Vec<Clause>,
}

impl ActionRule {
    /// Which of these roles may propose it.
    pub fn proposing(&self, roles: &BTreeSet<Role>) -> BTreeSet<Role> {
        roles.iter().copied().filter(|role| self.proposers.contains(&Proposer::Role(*role))).collect()
    }
}

/// Which authenticators members may enrol.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CredentialRules {
    /// The makes that are accepted; any where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aaguids: Option<BTreeSet<Aaguid>>,
    /// Whether only attested, hardware-bound credentials that can't be backed up are accepted.
    pub hardware_only: bool,
}

impl CredentialRules {
    /// Whether a credential may be enrolled.
    pub fn accept(&self, credential: &Credential) -> bool {
        let hardware = credential.kind == CredentialKind::Hardware && !credential.backup_eligible;
        let make = self.aaguids.as_ref().is_none_or(|makes| makes.contains(&credential.aaguid));
        make && (hardware || !self.hardware_only)
    }
}

/// How often keys are replaced and devices looked at, in days, where the tenant departs from the defaults.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cadence {
    /// Between two reviews of who can reach a device: 1 to 366, by default 90.
    pub access_review_days: u16,
    /// Between two drills: 1 to 366, by default 92 (rules version 4).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drill_days: Option<u16>,
    /// Between two keys of the ledger: 1 to 1830, by default 365.
    pub ledger_key_days: u16,
    /// The longest that a slot may go on with one key: 90 to 3650, by default 90. Whatever lies beyond 90 is a blocker in
    /// every report.
    pub rotation_days: u16,
}

impl Default for Cadence {
    fn default() -> Self {
        Self { access_review_days: 90, drill_days: None, ledger_key_days: 365, rotation_days: 90 }
    }
}

/// Days between two drills where the tenant says nothing: a quarter.
pub const DRILL_DAYS: u16 = 92;

impl Cadence {
    /// Days between two drills.
    pub fn drill_days(&self) -> u16 {
        self.drill_days.unwrap_or(DRILL_DAYS)
    }

    /// Whether every interval lies within its bounds.
    pub fn is_well_formed(&self) -> bool {
        (1..=366).contains(&self.access_review_days)
            && self.drill_days.is_none_or(|days| (1..=366).contains(&days))
            && (1..=1830).contains(&self.ledger_key_days)
            && (90..=3650).contains(&self.rotation_days)
    }
}

/// The ledger policy: proposers and quorum clauses per action type, and the credential rules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LedgerPolicy {
    /// One rule for every action type of the rules version.
    pub actions: BTreeMap<ActionType, ActionRule>,
    /// How often what must come round; the defaults where absent (rules version 2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cadence: Option<Cadence>,
    /// Which authenticators members may enrol.
    pub credentials: CredentialRules,
    /// 1.
    pub v: u8,
}

impl LedgerPolicy {
    /// How often what must come round.
    pub fn cadence(&self) -> Cadence {
        self.cadence.unwrap_or_default()
    }

    /// The first rules version that knows its members; its action types are judged apart.
    pub fn rules(&self) -> u64 {
        match self.cadence {
            None => 1,
            Some(Cadence { drill_days: None, .. }) => 2,
            Some(_) => 4,
        }
    }

    /// SHA-256 over the policy's canonical form: how action documents refer to it.
    pub fn digest(&self) -> Result<Hash, Unrepresentable> {
        Ok(Hash::sha256(&canonical::to_vec(self)?))
    }

    /// Whether it is version 1, names exactly the action types of a rules version, and every quorum asks for at least one and
    /// at most [`MAX_SEATS`] seats. Services propose signatures alone, the server rotations that are due alone, and recovery
    /// is as it is: its authenticators are sealed because they can do nothing else.
    pub fn is_well_formed(&self, rules: u64) -> bool {
        let covered = ActionType::of(rules).all(|kind| self.actions.contains_key(&kind))
            && self.actions.keys().all(|kind| kind.rules() <= rules);
        let cadence = match &self.cadence {
            None => true,
            Some(cadence) => rules >= self.rules() && cadence.is_well_formed(),
        };
        let sane = |rule: &ActionRule| {
            let seats: u32 = rule.quorum.iter().map(|clause| u32::from(clause.count)).sum();
            let clauses = rule.quorum.iter().all(|clause| clause.count > 0);
            clauses && (1..=u32::from(MAX_SEATS)).contains(&seats) && !rule.proposers.is_empty()
        };
        let fitting = |(kind, rule): (&ActionType, &ActionRule)| {
            let recovery = rule.proposers.contains(&Role::Recovery.into())
                || rule.quorum.iter().any(|clause| clause.role == Role::Recovery);
            let fixed = match kind {
                ActionType::MemberRecover => *rule == Self::default_rule(*kind, false),
                _ => !recovery,
            };
            let proposes = |proposer: Proposer| rule.proposers.contains(&proposer);
            fixed
                && (kind.concerns_signatures() || !proposes(Proposer::Service))
                && (*kind == ActionType::KeyRotate || !proposes(Proposer::System))
        };
        self.v == 1
            && covered
            && cadence
            && self.actions.values().all(sane)
            && self.actions.iter().all(fitting)
    }

    fn default_rule(kind: ActionType, one_seat: bool) -> ActionRule {
        let (proposers, quorum) = kind.default_rule();
        let clauses = quorum.iter().map(|&(count, role)| Clause { count, role });
        let quorum = if one_seat {
            clauses.take(1).map(|clause| Clause { count: 1, ..clause }).collect()
        } else {
            clauses.collect()
        };
        ActionRule { proposers: proposers.iter().copied().collect(), quorum }
    }

    /// DOMAIN's defaults for a ledger with this many founders, recovery authenticators not counted, under a rules version:
    /// with two founders, every quorum is one seat.
    pub fn default_for(founders: usize, rules: u64) -> Self {
        let rule = |kind: ActionType| (kind, Self::default_rule(kind, founders <= 2));
        Self {
            actions: ActionType::of(rules).map(rule).collect(),
            cadence: None,
            credentials: CredentialRules::default(),
            v: 1,
        }
    }
}

/// Where a signed artifact is meant to go; a closed list, so that it can stand in the clear.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Environment {
    /// A developer's machine.
    Development,
    /// What users run.
    Production,
    /// Before production.
    Staging,
}

/// When a signature may leave the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Release {
    /// Once its event is committed.
    Durable,
    /// Once a checkpoint covers its event.
    Sealed,
}

/// Who may ask a slot for signatures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Caller {
    /// Members who hold `packaging_engineer`.
    PackagingEngineers,
    /// Services that were granted the slot.
    Services,
}

/// What a caller must say about an artifact; the values are disclosures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ArtifactField {
    /// Its name.
    Name,
    /// The ticket that asked for it.
    Ticket,
    /// Its version.
    Version,
}

impl ArtifactField {
    /// The field's name in disclosures.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Name => "artifact_name",
            Self::Ticket => "artifact_ticket",
            Self::Version => "artifact_version",
        }
    }
}

/// A slot's signing policy. Rate and artifact fields are guards of the server, not rules: rules never read
/// disclosures, or clocks other than event times.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SigningPolicy {
    /// The environments for which each signature needs people's approval first; none where absent.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub approval: BTreeSet<Environment>,
    /// What a caller must say about an artifact.
    pub artifact_fields: BTreeSet<ArtifactField>,
    /// Who may ask.
    pub callers: BTreeSet<Caller>,
    /// The environments that may be signed for.
    pub environments: BTreeSet<Environment>,
    /// Most signatures a minute; unlimited where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_per_minute: Option<u32>,
    /// When a signature may leave the server.
    pub release: Release,
    /// 1.
    pub v: u8,
}

impl Default for SigningPolicy {
    fn default() -> Self {
        Self {
            approval: BTreeSet::new(),
            artifact_fields: BTreeSet::new(),
            callers: BTreeSet::from([Caller::Services]),
            environments: BTreeSet::from([
                Environment::Development,
                Environment::Production,
                Environment::Staging,
            ]),
            rate_per_minute: None,
            release: Release::Durable,
            v: 1,
        }
    }
}

impl SigningPolicy {
    /// SHA-256 over the policy's canonical form: it stands in every signature event.
    pub fn digest(&self) -> Result<Hash, Unrepresentable> {
        Ok(Hash::sha256(&canonical::to_vec(self)?))
    }

    /// Whether it is version 1, lets somebody sign for some environment, and asks for approval where it signs.
    pub fn is_well_formed(&self) -> bool {
        self.v == 1
            && !self.callers.is_empty()
            && !self.environments.is_empty()
            && self.approval.is_subset(&self.environments)
            && self.rate_per_minute != Some(0)
    }
}
