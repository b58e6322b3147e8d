//! The catalogue of event types of rules version 1: what the `data` of each holds.
//!
//! Struct members stand in the order of their names, as in the canonical bytes. `_sd` belongs to the envelope's
//! reader; the catalogue says how many digests each type may list.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::action::{ActionDocument, RevocationReason};
use crate::algorithm::Algorithm;
use crate::attachment::{Attachment, MediaType};
use crate::attributes::KeyAttributes;
use crate::encoding::{B64, Hash, HexBytes};
use crate::event::Actor;
use crate::ids::{ActionId, BackendName, EvidenceId, KeyId, MemberId, Origin, Seq, ServiceId, SlotName};
use crate::note::Vkey;
use crate::policy::{Environment, LedgerPolicy, Role, SigningPolicy};
use crate::timestamp::Timestamp;
use crate::webauthn::{ApprovalRp, Credential};

/// Why a type and its data are not in the catalogue.
#[derive(Debug, thiserror::Error)]
pub enum PayloadError {
    /// The type is unknown under this rules version.
    #[error("event type `{0}` is unknown under rules version 1")]
    UnknownType(String),
    /// A member is missing, unknown, null or of the wrong form.
    #[error("the data of `{type_name}` is not what the catalogue says: {source}")]
    Data {
        /// The event's type.
        type_name: &'static str,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// The data reads well, but was not written in its one form: a null, an unsorted or repeating set.
    #[error("the data of `{0}` is not in its one form: nulls are omitted, sets sorted and unique")]
    NotNormal(&'static str),
    /// More digests in `_sd` than the type has redactable fields.
    #[error("`{0}` lists more disclosures than it has redactable fields")]
    Disclosures(&'static str),
}

macro_rules! catalogue {
    ($($(#[$doc:meta])* $variant:ident($payload:ident) $name:literal sd $sd:literal;)+) => {
        /// What happened, by type.
        #[derive(Debug, Clone, PartialEq)]
        pub enum Payload {
            $($(#[$doc])* $variant(Box<$payload>),)+
        }

        impl Payload {
            /// Every type's dotted name.
            pub const TYPE_NAMES: [&'static str; [$($name),+].len()] = [$($name),+];

            /// The dotted type.
            pub const fn type_name(&self) -> &'static str {
                match self { $(Self::$variant(_) => $name,)+ }
            }

            const fn max_disclosures(&self) -> usize {
                match self { $(Self::$variant(_) => $sd,)+ }
            }

            /// Reads the data of a type; refuses unknown types and members, and any form but the one it would write.
            pub fn parse(type_name: &str, data: Map<String, Value>) -> Result<Self, PayloadError> {
                let data = Value::Object(data);
                match type_name {
                    $($name => {
                        let failed = |source| PayloadError::Data { type_name: $name, source };
                        let payload = $payload::deserialize(&data).map_err(failed)?;
                        let normal = serde_json::to_value(&payload).map_err(failed)? == data;
                        if !normal {
                            return Err(PayloadError::NotNormal($name));
                        }
                        Ok(Self::$variant(Box::new(payload)))
                    })+
                    _ => Err(PayloadError::UnknownType(type_name.to_owned())),
                }
            }

            /// The data as a JSON object, without `_sd`.
            pub fn to_data(&self) -> Result<Map<String, Value>, serde_json::Error> {
                let value = match self { $(Self::$variant(payload) => serde_json::to_value(payload)?,)+ };
                match value {
                    Value::Object(data) => Ok(data),
                    _ => Err(serde::ser::Error::custom("data is not an object")),
                }
            }
        }

        $(impl From<$payload> for Payload {
            fn from(payload: $payload) -> Self {
                Self::$variant(Box::new(payload))
            }
        })+
    };
}

catalogue! {
    /// A person approved an action.
    ActionApproved(ActionApproved) "action.approved" sd 0;
    /// The proposer took an action back.
    ActionCancelled(ActionCancelled) "action.cancelled" sd 0;
    /// An action's effects are complete.
    ActionExecuted(ActionExecuted) "action.executed" sd 0;
    /// An approved action begins to take effect.
    ActionExecuting(ActionExecuting) "action.executing" sd 0;
    /// An action ran out of time before it began.
    ActionExpired(ActionExpired) "action.expired" sd 0;
    /// An action that had begun can't take effect.
    ActionFailed(ActionFailed) "action.failed" sd 0;
    /// A person asked for something that takes others' consent.
    ActionProposed(ActionProposed) "action.proposed" sd 8;
    /// A person refused an action.
    ActionRejected(ActionRejected) "action.rejected" sd 0;
    /// The ledger policy changed under a pending action.
    ActionVoided(ActionVoided) "action.voided" sd 0;
    /// The relying party of approvals changed.
    ApprovalRpSet(ApprovalRpSet) "approval_rp.set" sd 0;
    /// A member has another authenticator.
    CredentialAdded(CredentialAdded) "credential.added" sd 0;
    /// A member's authenticator holds no longer.
    CredentialRemoved(CredentialRemoved) "credential.removed" sd 0;
    /// Containment: an authenticator is not to be believed for now.
    CredentialSuspended(CredentialSuspended) "credential.suspended" sd 1;
    /// The device holds an object that no event explains.
    CustodyUnexplained(CustodyUnexplained) "custody.unexplained" sd 1;
    /// Something that happened elsewhere, by digest.
    EvidenceRecorded(EvidenceRecorded) "evidence.recorded" sd 2;
    /// A key became the one its slot signs with.
    KeyActivated(KeyActivated) "key.activated" sd 0;
    /// The device made a key.
    KeyGenerated(KeyGenerated) "key.generated" sd 0;
    /// Nobody knows whether the device made a key.
    KeyGenerationAbandoned(KeyGenerationAbandoned) "key.generation_abandoned" sd 0;
    /// A key is about to be made.
    KeyGenerationAuthorized(KeyGenerationAuthorized) "key.generation_authorized" sd 0;
    /// The device made no key, or one that is refused.
    KeyGenerationFailed(KeyGenerationFailed) "key.generation_failed" sd 0;
    /// A key is not to be believed from now on.
    KeyRevoked(KeyRevoked) "key.revoked" sd 0;
    /// The key that signs documents and envelopes.
    LedgerEvidenceKeySet(LedgerEvidenceKeySet) "ledger.evidence_key_set" sd 0;
    /// The people behind the ledger, by their own signatures.
    LedgerFounded(LedgerFounded) "ledger.founded" sd 0;
    /// An operator let a ledger go on without its high-water file.
    LedgerHighWaterAccepted(LedgerHighWaterAccepted) "ledger.high_water_accepted" sd 0;
    /// The standby ledger key took over.
    LedgerKeyRecovered(LedgerKeyRecovered) "ledger.key_recovered" sd 0;
    /// Another ledger key signs checkpoints from now on.
    LedgerKeyRotated(LedgerKeyRotated) "ledger.key_rotated" sd 0;
    /// The first event.
    LedgerOpened(LedgerOpened) "ledger.opened" sd 0;
    /// Another rules version governs from the next event on.
    LedgerRulesAdopted(LedgerRulesAdopted) "ledger.rules_adopted" sd 0;
    /// A person belongs to the ledger.
    MemberEnrolled(MemberEnrolled) "member.enrolled" sd 2;
    /// A person belongs to the ledger no longer.
    MemberRemoved(MemberRemoved) "member.removed" sd 0;
    /// A suspension was lifted.
    MemberRestored(MemberRestored) "member.restored" sd 0;
    /// Containment: a person can do nothing for now.
    MemberSuspended(MemberSuspended) "member.suspended" sd 1;
    /// The ledger policy was replaced.
    PolicySet(PolicySet) "policy.set" sd 0;
    /// Refused requests of one caller under one rule in one minute.
    RefusalRecorded(RefusalRecorded) "refusal.recorded" sd 0;
    /// A member holds another role.
    RoleGranted(RoleGranted) "role.granted" sd 0;
    /// A member holds a role no longer.
    RoleRevoked(RoleRevoked) "role.revoked" sd 0;
    /// A machine client belongs to the ledger.
    ServiceEnrolled(ServiceEnrolled) "service.enrolled" sd 1;
    /// A service's slots or token changed.
    ServiceGranted(ServiceGranted) "service.granted" sd 0;
    /// A service belongs to the ledger no longer.
    ServiceRemoved(ServiceRemoved) "service.removed" sd 0;
    /// A service's suspension was lifted.
    ServiceRestored(ServiceRestored) "service.restored" sd 0;
    /// Containment: a service can do nothing for now.
    ServiceSuspended(ServiceSuspended) "service.suspended" sd 1;
    /// Nobody knows whether the device signed.
    SignatureAbandoned(SignatureAbandoned) "signature.abandoned" sd 0;
    /// A signature is about to be made.
    SignatureAuthorized(SignatureAuthorized) "signature.authorized" sd 8;
    /// The device signed and the signature was released.
    SignatureCreated(SignatureCreated) "signature.created" sd 0;
    /// The device did not sign, or signed wrongly.
    SignatureFailed(SignatureFailed) "signature.failed" sd 0;
    /// The device signed, and the signature was not released.
    SignatureWithheld(SignatureWithheld) "signature.withheld" sd 0;
    /// A slot exists.
    SlotCreated(SlotCreated) "slot.created" sd 0;
    /// A slot's signing policy was replaced.
    SlotPolicySet(SlotPolicySet) "slot.policy_set" sd 0;
    /// A slot's suspension was lifted.
    SlotResumed(SlotResumed) "slot.resumed" sd 0;
    /// Containment: a slot signs nothing for now.
    SlotSuspended(SlotSuspended) "slot.suspended" sd 1;
}

impl Payload {
    pub(crate) fn check_disclosures(&self, count: usize) -> Result<(), PayloadError> {
        if count > self.max_disclosures() {
            return Err(PayloadError::Disclosures(self.type_name()));
        }
        Ok(())
    }

    /// Whether the type is so frequent that documents are never bound to its events (LEDGER_FORMAT §7, `head`).
    pub fn is_high_volume(&self) -> bool {
        let name = self.type_name();
        ["signature.", "evidence.", "refusal."].iter().any(|prefix| name.starts_with(prefix))
    }
}

macro_rules! payload {
    ($(#[$doc:meta])* $name:ident { $($(#[$member_doc:meta])* $member:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            $($(#[$member_doc])* pub $member: $type,)*
        }
    };
}

/// A decision on an action, carried by the deciding member's assertion over the action's document.
macro_rules! signed_decision {
    ($(#[$doc:meta])* $name:ident) => {
        payload!($(#[$doc])* $name {
            /// The action.
            action: ActionId,
            /// WebAuthn §6.1.
            authenticator_data: B64,
            /// WebAuthn §5.8.1.
            client_data_json: B64,
            /// Which of the member's authenticators.
            credential_id: B64,
            /// Who.
            member: MemberId,
            /// In which role.
            role: Role,
            /// Over `authenticator_data` and the hash of `client_data_json`.
            signature: B64,
        });
    };
}

signed_decision!(
    /// See [`Payload::ActionApproved`]; the challenge's context is `sealbook approval v1`.
    ActionApproved
);
signed_decision!(
    /// See [`Payload::ActionRejected`]; the challenge's context is `sealbook rejection v1`.
    ActionRejected
);
signed_decision!(
    /// See [`Payload::ActionCancelled`]; the challenge's context is `sealbook cancellation v1`.
    ActionCancelled
);

payload!(
    /// See [`Payload::ActionProposed`]; the challenge's context is `sealbook proposal v1`.
    ActionProposed {
        /// WebAuthn §6.1.
        authenticator_data: B64,
        /// WebAuthn §5.8.1.
        client_data_json: B64,
        /// Which of the member's authenticators.
        credential_id: B64,
        /// What is asked for, whole.
        document: ActionDocument,
        /// Who asks.
        member: MemberId,
        /// In which role.
        role: Role,
        /// Over `authenticator_data` and the hash of `client_data_json`.
        signature: B64,
    }
);
payload!(
    /// See [`Payload::ActionExecuting`].
    ActionExecuting {
        /// The action.
        action: ActionId,
        /// First moment that its effects no longer may be recorded.
        expires_at: Timestamp,
    }
);
payload!(
    /// See [`Payload::ActionExecuted`].
    ActionExecuted {
        /// The action.
        action: ActionId,
    }
);
payload!(
    /// See [`Payload::ActionFailed`].
    ActionFailed {
        /// The action.
        action: ActionId,
        /// A stable word for why.
        code: FailureCode,
    }
);
payload!(
    /// See [`Payload::ActionExpired`].
    ActionExpired {
        /// The action.
        action: ActionId,
    }
);
payload!(
    /// See [`Payload::ActionVoided`].
    ActionVoided {
        /// The action.
        action: ActionId,
    }
);
payload!(
    /// See [`Payload::ApprovalRpSet`].
    ApprovalRpSet {
        /// The action.
        action: ActionId,
        /// The relying party from now on.
        approval_rp: ApprovalRp,
    }
);
payload!(
    /// See [`Payload::CredentialAdded`].
    CredentialAdded {
        /// The action.
        action: ActionId,
        /// The authenticator.
        credential: Credential,
        /// Whose.
        member: MemberId,
    }
);
payload!(
    /// See [`Payload::CredentialRemoved`].
    CredentialRemoved {
        /// The action.
        action: ActionId,
        /// Which.
        credential_id: B64,
        /// Whose.
        member: MemberId,
    }
);

/// A word for why something failed: stable, lower-case, of letters, digits, dots and underscores.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FailureCode(String);

impl FailureCode {
    /// The word.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for FailureCode {
    type Err = crate::ids::InvalidId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let clean = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'.' || b == b'_';
        if (1..=64).contains(&text.len()) && text.bytes().all(clean) {
            Ok(Self(text.to_owned()))
        } else {
            Err(crate::ids::InvalidId { what: "code", why: "1 to 64 of a-z, 0-9, `.` and `_`" })
        }
    }
}

impl std::fmt::Display for FailureCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

crate::ids::serde_as_text!(FailureCode);

/// Containment events: who did it is the event's actor.
macro_rules! suspension {
    ($(#[$doc:meta])* $name:ident { $($(#[$member_doc:meta])* $member:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            /// When it ends by itself; exactly where it would make its own lifting unreachable, 72 h on.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub lapses_at: Option<Timestamp>,
            $($(#[$member_doc])* pub $member: $type,)*
        }
    };
}

suspension!(
    /// See [`Payload::CredentialSuspended`].
    CredentialSuspended {
        /// Which.
        credential_id: B64,
        /// Whose.
        member: MemberId,
    }
);
suspension!(
    /// See [`Payload::MemberSuspended`].
    MemberSuspended {
        /// Who.
        member: MemberId,
    }
);
suspension!(
    /// See [`Payload::ServiceSuspended`].
    ServiceSuspended {
        /// Which.
        service: ServiceId,
    }
);
suspension!(
    /// See [`Payload::SlotSuspended`].
    SlotSuspended {
        /// Which.
        slot: SlotName,
    }
);

payload!(
    /// See [`Payload::CustodyUnexplained`].
    CustodyUnexplained {
        /// The device.
        backend: BackendName,
        /// SHA-256 of what identifies the object there.
        object_sha256: Hash,
    }
);

/// What outside evidence is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "id", rename_all = "snake_case", deny_unknown_fields)]
pub enum Subject {
    /// An action.
    Action(ActionId),
    /// An event of this ledger.
    Event(Seq),
    /// A key.
    Key(KeyId),
    /// A person.
    Member(MemberId),
    /// A machine client.
    Service(ServiceId),
    /// A slot.
    Slot(SlotName),
}

payload!(
    /// See [`Payload::EvidenceRecorded`].
    EvidenceRecorded {
        /// SHA-256 of the evidence.
        digest: Hash,
        /// Its id.
        evidence: EvidenceId,
        /// What kind of thing it is.
        media_type: MediaType,
        /// What it is about.
        subject: Subject,
    }
);
payload!(
    /// See [`Payload::KeyActivated`].
    KeyActivated {
        /// The action.
        action: ActionId,
        /// The key.
        key: KeyId,
        /// Its slot.
        slot: SlotName,
    }
);
payload!(
    /// See [`Payload::KeyGenerationAuthorized`].
    KeyGenerationAuthorized {
        /// The action.
        action: ActionId,
        /// What it is to sign with.
        algorithm: Algorithm,
        /// First moment that the outcome no longer may be recorded as made.
        expires_at: Timestamp,
        /// The key.
        key: KeyId,
        /// `sealbook/<origin>/<key>`: how the device knows it.
        label: String,
        /// Its slot.
        slot: SlotName,
    }
);
payload!(
    /// See [`Payload::KeyGenerated`].
    KeyGenerated {
        /// As the device reports them.
        attributes: KeyAttributes,
        /// The key.
        key: KeyId,
        /// SubjectPublicKeyInfo, DER (RFC 5280 §4.1.2.7).
        spki: B64,
        /// SHA-256 of it.
        spki_sha256: Hash,
    }
);

/// See [`Payload::KeyGenerationFailed`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyGenerationFailed {
    /// What the device reported of a key that was refused for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attributes: Option<KeyAttributes>,
    /// A stable word for why.
    pub code: FailureCode,
    /// The key.
    pub key: KeyId,
}

payload!(
    /// See [`Payload::KeyGenerationAbandoned`].
    KeyGenerationAbandoned {
        /// The key.
        key: KeyId,
    }
);

/// See [`Payload::KeyRevoked`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyRevoked {
    /// The action.
    pub action: ActionId,
    /// Since when it is suspected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compromised_since: Option<Timestamp>,
    /// The key.
    pub key: KeyId,
    /// Why.
    pub reason: RevocationReason,
}

payload!(
    /// See [`Payload::LedgerEvidenceKeySet`].
    LedgerEvidenceKeySet {
        /// The action.
        action: ActionId,
        /// The key.
        key: KeyId,
        /// SubjectPublicKeyInfo, DER.
        spki: B64,
    }
);

/// The digest of a standby ledger key's vkey, on another device, or `none`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextVkey {
    /// There is no standby.
    None,
    /// SHA-256 of the standby's vkey string.
    Digest(Hash),
}

impl std::str::FromStr for NextVkey {
    type Err = crate::ids::InvalidId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "none" { Ok(Self::None) } else { text.parse().map(Self::Digest) }
    }
}

impl std::fmt::Display for NextVkey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Digest(hash) => hash.fmt(f),
        }
    }
}

crate::ids::serde_as_text!(NextVkey);

/// A ledger that this one continues under another origin.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Continues {
    /// Its origin.
    pub origin: Origin,
    /// Its root at `size` (RFC 6962 §2.1).
    pub root: Hash,
    /// How many of its events count.
    pub size: u64,
    /// The key that signed its last checkpoint.
    pub vkey: Vkey,
}

/// See [`Payload::LedgerOpened`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LedgerOpened {
    /// The ledger key's attributes, read back.
    pub attributes: KeyAttributes,
    /// The ledger that this one continues.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub continues: Option<Continues>,
    /// The kind of custody, such as `pkcs11`.
    pub custody: BackendName,
    /// The standby.
    pub next_vkey_digest: NextVkey,
    /// The rules version that governs from the start.
    pub rules: u64,
    /// The ledger key, in C2SP form.
    pub vkey: Vkey,
}

macro_rules! ledger_key_change {
    ($(#[$doc:meta])* $name:ident) => {
        payload!($(#[$doc])* $name {
            /// The action.
            action: ActionId,
            /// The new key's attributes, read back.
            attributes: KeyAttributes,
            /// The kind of custody.
            custody: BackendName,
            /// The next standby.
            next_vkey_digest: NextVkey,
            /// The new ledger key.
            vkey: Vkey,
        });
    };
}

ledger_key_change!(
    /// See [`Payload::LedgerKeyRotated`].
    LedgerKeyRotated
);
ledger_key_change!(
    /// See [`Payload::LedgerKeyRecovered`].
    LedgerKeyRecovered
);

payload!(
    /// One founder's signature over the founding document.
    FounderAssertion {
        /// WebAuthn §6.1.
        authenticator_data: B64,
        /// WebAuthn §5.8.1.
        client_data_json: B64,
        /// Which of the founder's authenticators.
        credential_id: B64,
        /// Who.
        member: MemberId,
        /// Over `authenticator_data` and the hash of `client_data_json`.
        signature: B64,
    }
);
payload!(
    /// What every founder signs (LEDGER_FORMAT §7); its digest is the founding digest.
    FoundingDocument {
        /// Who may ask for approvals.
        approval_rp: ApprovalRp,
        /// The founders' `member.enrolled` data objects, unchanged, in their order.
        founders: Vec<Map<String, Value>>,
        /// The ledger.
        origin: Origin,
        /// The whole ledger policy.
        policy: LedgerPolicy,
        /// The rules version.
        rules: u64,
        /// 1.
        v: u8,
        /// The ledger key.
        vkey: Vkey,
    }
);
payload!(
    /// See [`Payload::LedgerFounded`].
    LedgerFounded {
        /// One of each founder, in the founders' order.
        assertions: Vec<FounderAssertion>,
        /// What they signed.
        document: FoundingDocument,
    }
);
payload!(
    /// See [`Payload::LedgerHighWaterAccepted`].
    LedgerHighWaterAccepted {
        /// The root that was found in the database.
        root: Hash,
        /// The size that was found there.
        size: u64,
    }
);
payload!(
    /// See [`Payload::LedgerRulesAdopted`].
    LedgerRulesAdopted {
        /// The action.
        action: ActionId,
        /// The version.
        rules: u64,
    }
);

/// See [`Payload::MemberEnrolled`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemberEnrolled {
    /// The action; absent for founders.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<ActionId>,
    /// The authenticators, sorted by id as text.
    pub credentials: Vec<Credential>,
    /// Who.
    pub member: MemberId,
    /// The roles to begin with, untimed.
    pub roles: BTreeSet<Role>,
}

payload!(
    /// See [`Payload::MemberRemoved`].
    MemberRemoved {
        /// The action.
        action: ActionId,
        /// Who.
        member: MemberId,
    }
);

/// See [`Payload::MemberRestored`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemberRestored {
    /// The action.
    pub action: ActionId,
    /// The one credential; the member where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential_id: Option<B64>,
    /// Who.
    pub member: MemberId,
}

payload!(
    /// See [`Payload::PolicySet`].
    PolicySet {
        /// The action.
        action: ActionId,
        /// The policy.
        policy: LedgerPolicy,
    }
);
payload!(
    /// See [`Payload::RefusalRecorded`].
    RefusalRecorded {
        /// Who was refused.
        caller: Actor,
        /// How often in that minute.
        count: u32,
        /// The minute's first moment.
        minute: Timestamp,
        /// The rule that refused.
        rule: FailureCode,
    }
);

/// See [`Payload::RoleGranted`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoleGranted {
    /// The action.
    pub action: ActionId,
    /// To whom.
    pub member: MemberId,
    /// First moment that it no longer holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_after: Option<Timestamp>,
    /// First moment that it holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
    /// Which.
    pub role: Role,
}

payload!(
    /// See [`Payload::RoleRevoked`].
    RoleRevoked {
        /// The action.
        action: ActionId,
        /// From whom.
        member: MemberId,
        /// Which.
        role: Role,
    }
);
payload!(
    /// See [`Payload::ServiceEnrolled`].
    ServiceEnrolled {
        /// The action.
        action: ActionId,
        /// Which.
        service: ServiceId,
        /// The slots that it may use.
        slots: BTreeSet<SlotName>,
        /// First moment that the token no longer holds.
        token_expires_at: Timestamp,
        /// SHA-256 of the token's 32 bytes.
        token_sha256: Hash,
    }
);

/// See [`Payload::ServiceGranted`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceGranted {
    /// The action.
    pub action: ActionId,
    /// Which.
    pub service: ServiceId,
    /// The slots that it may use from now on.
    pub slots: BTreeSet<SlotName>,
    /// A new token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<crate::action::TokenGrant>,
}

payload!(
    /// See [`Payload::ServiceRemoved`].
    ServiceRemoved {
        /// The action.
        action: ActionId,
        /// Which.
        service: ServiceId,
    }
);
payload!(
    /// See [`Payload::ServiceRestored`].
    ServiceRestored {
        /// The action.
        action: ActionId,
        /// Which.
        service: ServiceId,
    }
);
payload!(
    /// See [`Payload::SignatureAbandoned`].
    SignatureAbandoned {
        /// The seq of its `signature.authorized`.
        authorization: Seq,
    }
);

/// See [`Payload::SignatureAuthorized`]; the caller is the event's actor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignatureAuthorized {
    /// What it signs with.
    pub algorithm: Algorithm,
    /// What is signed, in hex; for pure Ed25519 the SHA-256 of the message.
    pub digest: HexBytes,
    /// Where the artifact is meant to go.
    pub environment: Environment,
    /// First moment that the signature no longer may be released.
    pub expires_at: Timestamp,
    /// The key.
    pub key: KeyId,
    /// The message itself, for pure Ed25519 alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<Attachment>,
    /// Digest of the slot's signing policy.
    pub policy: Hash,
    /// The slot.
    pub slot: SlotName,
}

payload!(
    /// See [`Payload::SignatureCreated`].
    SignatureCreated {
        /// What it was made with.
        algorithm: Algorithm,
        /// The seq of its `signature.authorized`.
        authorization: Seq,
        /// What was signed.
        digest: HexBytes,
        /// The key.
        key: KeyId,
        /// The signature, in the algorithm's encoding.
        signature: B64,
        /// SHA-256 of the key's SubjectPublicKeyInfo.
        spki_sha256: Hash,
    }
);
payload!(
    /// See [`Payload::SignatureFailed`].
    SignatureFailed {
        /// The seq of its `signature.authorized`.
        authorization: Seq,
        /// A stable word for why.
        code: FailureCode,
    }
);

/// Why a signature that exists was not released.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WithheldReason {
    /// Its authorisation had run out.
    Expired,
    /// Its key was revoked, or its caller removed, first.
    Revoked,
    /// Its slot, or its caller, was suspended first.
    Suspended,
}

payload!(
    /// See [`Payload::SignatureWithheld`].
    SignatureWithheld {
        /// The seq of its `signature.authorized`.
        authorization: Seq,
        /// Why.
        reason: WithheldReason,
        /// SHA-256 of the signature, which is kept nowhere.
        signature_sha256: Hash,
    }
);
payload!(
    /// See [`Payload::SlotCreated`].
    SlotCreated {
        /// The action.
        action: ActionId,
        /// What it signs with.
        algorithm: Algorithm,
        /// The device that makes and keeps its keys.
        backend: BackendName,
        /// Days that an old key stays usable beside a new one.
        overlap_days: u16,
        /// The member who answers for it.
        owner: MemberId,
        /// Days after which its key is to be replaced.
        rotation_days: u16,
        /// What may be signed, by whom.
        signing_policy: SigningPolicy,
        /// Its name.
        slot: SlotName,
    }
);
payload!(
    /// See [`Payload::SlotPolicySet`].
    SlotPolicySet {
        /// The action.
        action: ActionId,
        /// The policy.
        signing_policy: SigningPolicy,
        /// Which slot.
        slot: SlotName,
    }
);
payload!(
    /// See [`Payload::SlotResumed`].
    SlotResumed {
        /// The action.
        action: ActionId,
        /// Which.
        slot: SlotName,
    }
);
