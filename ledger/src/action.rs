//! Dual-control actions: their types, what each asks for, and the document that people sign.

mod params;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::canonical::{self, Unrepresentable};
use crate::encoding::{B64, Hash};
use crate::ids::{ActionId, Origin, ProposerId, Seq};
use crate::policy::{Clause, Proposer, Role};
use crate::timestamp::Timestamp;

pub use params::*;

/// Longest life of a proposal, in seconds: 30 days.
pub const MAX_ACTION_LIFE_S: u32 = 30 * 24 * 60 * 60;

macro_rules! proposer {
    (Service) => {
        Proposer::Service
    };
    (System) => {
        Proposer::System
    };
    ($role:ident) => {
        Proposer::Role(Role::$role)
    };
}

/// Types without a version of their own are of the first.
macro_rules! since {
    () => {
        1
    };
    ($since:literal) => {
        $since
    };
}

pub(crate) use since;

macro_rules! action_types {
    ($($(#[$doc:meta])* $variant:ident $name:literal $params:ident [$($proposer:ident)+] [$($count:literal $role:ident),+] $(rules $since:literal)?;)+) => {
        /// The types of dual-control action, of every rules version.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum ActionType {
            $($(#[$doc])* $variant,)+
        }

        impl ActionType {
            /// Every type.
            pub const ALL: [Self; [$($name),+].len()] = [$(Self::$variant),+];

            /// The dotted name.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// The first rules version that knows it.
            pub const fn rules(self) -> u64 {
                match self { $(Self::$variant => since!($($since)?),)+ }
            }

            /// Who may propose it and who fills its quorum where a founding says nothing else.
            pub(crate) const fn default_rule(self) -> (&'static [Proposer], &'static [(u8, Role)]) {
                match self { $(Self::$variant => (&[$(proposer!($proposer)),+], &[$(($count, Role::$role)),+]),)+ }
            }
        }

        /// What an action asks for, by its type.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum Params {
            $($(#[$doc])* $variant($params),)+
        }

        impl Params {
            /// The action's type.
            pub const fn kind(&self) -> ActionType {
                match self { $(Self::$variant(_) => ActionType::$variant,)+ }
            }

            fn parse(kind: ActionType, value: Value) -> Result<Self, serde_json::Error> {
                match kind { $(ActionType::$variant => serde_json::from_value(value).map(Self::$variant),)+ }
            }

            fn to_value(&self) -> Result<Value, serde_json::Error> {
                match self { $(Self::$variant(params) => serde_json::to_value(params),)+ }
            }
        }
    };
}

action_types! {
    /// Changes who may ask for approvals, and from which web origins.
    ApprovalRpSet "approval_rp.set" ApprovalRpParams [PlatformAdmin SecurityReviewer] [1 SecurityReviewer, 1 PlatformAdmin];
    /// Gives a member another authenticator.
    CredentialAdd "credential.add" CredentialAddParams [PlatformAdmin SecurityReviewer] [2 Approver];
    /// Gives a slot's key another certificate.
    CertificateIssue "certificate.issue" CertificateIssueParams [KeyOwner SecurityReviewer PlatformAdmin] [2 Approver] rules 2;
    /// Revokes a certificate, and not its key.
    CertificateRevoke "certificate.revoke" CertificateRevokeParams [KeyOwner SecurityReviewer PlatformAdmin] [1 SecurityReviewer, 1 Approver] rules 3;
    /// Takes an authenticator from a member.
    CredentialRemove "credential.remove" CredentialRemoveParams [PlatformAdmin SecurityReviewer] [2 Approver];
    /// Records who can reach a device.
    HsmAccessReview "hsm.access_review" HsmAccessReviewParams [SecurityReviewer PlatformAdmin] [1 SecurityReviewer, 1 PlatformAdmin] rules 2;
    /// Creates a slot for a key that is in the device already.
    KeyAdopt "key.adopt" KeyAdoptParams [KeyOwner SecurityReviewer PlatformAdmin] [1 SecurityReviewer, 1 Approver] rules 2;
    /// Has the device forget a key that signs no longer.
    KeyDestroy "key.destroy" KeyDestroyParams [SecurityReviewer PlatformAdmin] [1 SecurityReviewer, 1 PlatformAdmin] rules 3;
    /// Revokes a key for good.
    KeyRevoke "key.revoke" KeyRevokeParams [KeyOwner SecurityReviewer PlatformAdmin] [1 SecurityReviewer, 1 Approver];
    /// Revokes a key for good, now: the proposer's own signature fills one seat.
    KeyRevokeEmergency "key.revoke_emergency" KeyRevokeParams [IncidentCommander SecurityReviewer PlatformAdmin] [1 SecurityReviewer, 1 PlatformAdmin];
    /// Replaces a slot's key.
    KeyRotate "key.rotate" KeyRotateParams [KeyOwner PackagingEngineer System] [2 Approver] rules 2;
    /// Replaces a slot's key now, without waiting: the proposer's own signature fills one seat.
    KeyRotateEmergency "key.rotate_emergency" KeyRotateParams [IncidentCommander SecurityReviewer PlatformAdmin] [1 SecurityReviewer, 1 PlatformAdmin] rules 2;
    /// Names the key that signs documents and DSSE envelopes.
    LedgerEvidenceKeySet "ledger.evidence_key_set" DeviceKeyParams [PlatformAdmin SecurityReviewer] [1 SecurityReviewer, 1 PlatformAdmin];
    /// Continues under the standby ledger key.
    LedgerKeyRecover "ledger.key_recover" DeviceKeyParams [PlatformAdmin SecurityReviewer] [1 SecurityReviewer, 1 PlatformAdmin];
    /// Replaces the ledger key.
    LedgerKeyRotate "ledger.key_rotate" DeviceKeyParams [PlatformAdmin SecurityReviewer] [1 SecurityReviewer, 1 PlatformAdmin];
    /// Enrols a person.
    MemberEnroll "member.enroll" MemberEnrollParams [PlatformAdmin SecurityReviewer] [2 Approver];
    /// Gives a member other authenticators, by the two sealed ones of the founding, after 72 hours.
    MemberRecover "member.recover" MemberRecoverParams [Recovery] [1 Recovery];
    /// Removes a person.
    MemberRemove "member.remove" MemberParams [PlatformAdmin SecurityReviewer] [2 Approver];
    /// Lifts a person's, or one credential's, suspension.
    MemberRestore "member.restore" MemberRestoreParams [PlatformAdmin SecurityReviewer] [2 Approver];
    /// Replaces the ledger policy.
    PolicySet "policy.set" PolicySetParams [PlatformAdmin SecurityReviewer] [1 SecurityReviewer, 1 PlatformAdmin];
    /// Gives a member a role, for a time or for good.
    RoleGrant "role.grant" RoleGrantParams [PlatformAdmin SecurityReviewer] [2 Approver];
    /// Takes a role from a member.
    RoleRevoke "role.revoke" RoleRevokeParams [PlatformAdmin SecurityReviewer] [2 Approver];
    /// Adopts a later rules version.
    RulesAdopt "rules.adopt" RulesAdoptParams [PlatformAdmin SecurityReviewer] [1 SecurityReviewer, 1 PlatformAdmin];
    /// Enrols a machine client.
    ServiceEnroll "service.enroll" ServiceEnrollParams [PlatformAdmin KeyOwner] [2 Approver];
    /// Gives a service slots or another token.
    ServiceGrant "service.grant" ServiceGrantParams [PlatformAdmin KeyOwner] [2 Approver];
    /// Removes a service.
    ServiceRemove "service.remove" ServiceParams [PlatformAdmin KeyOwner] [2 Approver];
    /// Lifts a service's suspension.
    ServiceRestore "service.restore" ServiceParams [PlatformAdmin KeyOwner] [2 Approver];
    /// Lets one digest be signed where a slot's policy asks for approval.
    SigningApprove "signing.approve" SigningApproveParams [Service PackagingEngineer KeyOwner] [1 ChangeBoard];
    /// Lets a list of digests be signed, each once: a release is one decision.
    SigningBatch "signing.batch" SigningBatchParams [Service PackagingEngineer KeyOwner] [1 ChangeBoard];
    /// Creates a slot and its first key.
    SlotCreate "slot.create" SlotCreateParams [PlatformAdmin KeyOwner] [2 Approver];
    /// Replaces a slot's signing policy.
    SlotPolicySet "slot.policy_set" SlotPolicyParams [KeyOwner SecurityReviewer PlatformAdmin] [1 SecurityReviewer, 1 Approver];
    /// Replaces a slot's rotation policy.
    SlotRotationSet "slot.rotation_set" SlotRotationParams [KeyOwner SecurityReviewer PlatformAdmin] [1 SecurityReviewer, 1 Approver] rules 2;
    /// Lifts a slot's suspension.
    SlotResume "slot.resume" SlotParams [KeyOwner SecurityReviewer PlatformAdmin IncidentCommander] [1 SecurityReviewer, 1 Approver];
}

impl ActionType {
    /// The types that a rules version knows.
    pub fn of(rules: u64) -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(move |kind| kind.rules() <= rules)
    }

    /// Break-glass types, and only they: the proposer's own signed proposal fills one seat.
    pub fn is_emergency(self) -> bool {
        self.name().ends_with("_emergency")
    }

    /// Whether a device makes, or destroys, a key for it: its beginning is an intent, as an authorisation is one.
    pub fn asks_a_device(self) -> bool {
        matches!(
            self,
            Self::LedgerEvidenceKeySet
                | Self::LedgerKeyRecover
                | Self::LedgerKeyRotate
                | Self::SlotCreate
                | Self::KeyAdopt
                | Self::KeyDestroy
        )
    }

    /// Whether it asks for approval of signatures: the one thing that services may propose.
    pub fn concerns_signatures(self) -> bool {
        matches!(self, Self::SigningApprove | Self::SigningBatch)
    }
}

impl std::fmt::Display for ActionType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for ActionType {
    type Err = crate::ids::InvalidId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.name() == text)
            .ok_or(crate::ids::InvalidId { what: "action type", why: "a known type, such as slot.create" })
    }
}

crate::ids::serde_as_text!(ActionType);

impl Params {
    /// The first rules version that knows these parameters: that of their type, or of a member that came later.
    pub fn rules(&self) -> u64 {
        let of_members = match self {
            Self::SlotCreate(p) if p.drill => 4,
            Self::KeyAdopt(p) if p.slot.drill => 4,
            Self::SlotCreate(p) if p.rotation.is_some() => 2,
            Self::PolicySet(p) => p.policy.rules(),
            Self::HsmAccessReview(p) if p.fips.is_some() => 3,
            _ => 1,
        };
        of_members.max(self.kind().rules())
    }
}

/// An event that an action's document is bound to: it can't have been signed before that event was known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeadRef {
    /// The event's hash.
    pub hash: Hash,
    /// The event's place.
    pub seq: Seq,
}

/// What people sign: proposer, approvers and rejecters alike (LEDGER_FORMAT §7).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActionDocument {
    /// The action's id.
    pub action: ActionId,
    /// First moment that it no longer can be approved or begin.
    pub expires_at: Timestamp,
    /// The earliest moment that it may begin, where it was approved ahead.
    pub execute_at: Option<Timestamp>,
    /// A known event of this ledger.
    pub head: HeadRef,
    /// The ledger.
    pub origin: Origin,
    /// What it asks for.
    pub params: Params,
    /// Digest of the ledger policy in force.
    pub policy: Hash,
    /// When it was drawn up.
    pub proposed_at: Timestamp,
    /// By whom: a member, or a service that asks for approval of signatures.
    pub proposed_by: ProposerId,
    /// The policy's clauses for its type.
    pub quorum: Vec<Clause>,
    /// The `_sd` digest of the disclosure named `reason`.
    pub reason_digest: B64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DocumentJson {
    action: ActionId,
    expires_at: Timestamp,
    head: HeadRef,
    origin: Origin,
    params: Map<String, Value>,
    policy: Hash,
    proposed_at: Timestamp,
    proposed_by: ProposerId,
    quorum: Vec<Clause>,
    reason_digest: B64,
    #[serde(rename = "type")]
    kind: ActionType,
    v: u8,
}

impl ActionDocument {
    /// The action's type.
    pub fn kind(&self) -> ActionType {
        self.params.kind()
    }

    /// The canonical bytes that every challenge about this action is made from.
    pub fn to_bytes(&self) -> Result<Vec<u8>, Unrepresentable> {
        canonical::to_vec(self)
    }

    /// Digests of everything private in the document; the event lists them in `_sd`, sorted as text.
    pub fn private_digests(&self) -> Vec<B64> {
        let mut digests = vec![self.reason_digest.clone()];
        match &self.params {
            Params::MemberEnroll(params) => digests.extend(params.display_name_digest.clone()),
            Params::ServiceEnroll(params) => digests.extend(params.display_name_digest.clone()),
            Params::SigningApprove(params) => {
                digests.extend(params.artifact_name_digest.clone());
                digests.extend(params.artifact_ticket_digest.clone());
                digests.extend(params.artifact_version_digest.clone());
            }
            Params::SigningBatch(params) => digests.extend(params.names_digest.clone()),
            Params::HsmAccessReview(params) => {
                digests.push(params.holders_digest.clone());
                digests.extend(params.findings_digest.clone());
            }
            Params::ApprovalRpSet(_)
            | Params::CertificateIssue(_)
            | Params::CertificateRevoke(_)
            | Params::KeyAdopt(_)
            | Params::KeyDestroy(_)
            | Params::KeyRotate(_)
            | Params::KeyRotateEmergency(_)
            | Params::SlotRotationSet(_)
            | Params::CredentialAdd(_)
            | Params::CredentialRemove(_)
            | Params::KeyRevoke(_)
            | Params::KeyRevokeEmergency(_)
            | Params::LedgerEvidenceKeySet(_)
            | Params::LedgerKeyRecover(_)
            | Params::LedgerKeyRotate(_)
            | Params::MemberRecover(_)
            | Params::MemberRemove(_)
            | Params::MemberRestore(_)
            | Params::PolicySet(_)
            | Params::RoleGrant(_)
            | Params::RoleRevoke(_)
            | Params::RulesAdopt(_)
            | Params::ServiceGrant(_)
            | Params::ServiceRemove(_)
            | Params::ServiceRestore(_)
            | Params::SlotCreate(_)
            | Params::SlotPolicySet(_)
            | Params::SlotResume(_) => {}
        }
        digests.sort_by_key(B64::to_string);
        digests
    }
}

impl Serialize for ActionDocument {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::Error as _;
        let Value::Object(mut params) = self.params.to_value().map_err(S::Error::custom)? else {
            return Err(S::Error::custom("params are not an object"));
        };
        if let Some(at) = self.execute_at {
            params.insert("execute_at".to_owned(), Value::String(at.to_string()));
        }
        DocumentJson {
            action: self.action,
            expires_at: self.expires_at,
            head: self.head,
            origin: self.origin.clone(),
            params,
            policy: self.policy,
            proposed_at: self.proposed_at,
            proposed_by: self.proposed_by,
            quorum: self.quorum.clone(),
            reason_digest: self.reason_digest.clone(),
            kind: self.kind(),
            v: 1,
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for ActionDocument {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error as _;
        let mut json = DocumentJson::deserialize(deserializer)?;
        if json.v != 1 {
            return Err(D::Error::custom("an action document of an unknown version"));
        }
        let execute_at = json.params.remove("execute_at").map(serde_json::from_value).transpose();
        Ok(Self {
            action: json.action,
            expires_at: json.expires_at,
            execute_at: execute_at.map_err(D::Error::custom)?,
            head: json.head,
            origin: json.origin,
            params: Params::parse(json.kind, Value::Object(json.params)).map_err(D::Error::custom)?,
            policy: json.policy,
            proposed_at: json.proposed_at,
            proposed_by: json.proposed_by,
            quorum: json.quorum,
            reason_digest: json.reason_digest,
        })
    }
}
