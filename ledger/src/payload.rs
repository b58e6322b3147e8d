//! The catalogue of event types of every rules version: what the `data` of each holds. What came with a later version is
//! invalid under an earlier one ([`Payload::rules`]).
//!
//! Struct members stand in the order of their names, as in the canonical bytes. `_sd` belongs to the envelope's
//! reader; the catalogue says how many digests each type may list.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::action::since;
use crate::canonical;
use crate::event::Data;

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

mod actions;
mod certificates;
mod custody;
mod incidents;
mod ledgers;
mod people;
mod revocations;
mod rotations;
mod signatures;

pub use actions::*;
pub use certificates::*;
pub use custody::*;
pub use incidents::*;
pub use ledgers::*;
pub use people::*;
pub use revocations::*;
pub use rotations::*;
pub use signatures::*;

/// Why a type and its data are not in the catalogue.
#[derive(Debug, thiserror::Error)]
pub enum PayloadError {
    /// The type is unknown under this rules version.
    #[error("event type `{0}` is unknown")]
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
    ($($(#[$doc:meta])* $variant:ident($payload:ident) $name:literal sd $sd:literal $(rules $since:literal)?;)+) => {
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

            /// The names of the types that came with a rules version.
            pub fn types_since(rules: u64) -> impl Iterator<Item = &'static str> {
                [$(($name, since!($($since)?)),)+]
                    .into_iter()
                    .filter_map(move |(name, since)| (since == rules).then_some(name))
            }

            /// The first rules version that knows the type.
            const fn type_since(&self) -> u64 {
                match self { $(Self::$variant(_) => since!($($since)?),)+ }
            }

            /// Reads the data of a type; refuses unknown types and members, and any form but the one it would write.
            pub fn parse(type_name: &str, data: &Data<'_>) -> Result<Self, PayloadError> {
                match type_name {
                    $($name => read::<$payload>($name, data).map(|payload| Self::$variant(Box::new(payload))),)+
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
    ActionRejected(ActionRejected) "action.rejected" sd 1;
    /// The ledger policy changed under a pending action.
    ActionVoided(ActionVoided) "action.voided" sd 0;
    /// The relying party of approvals changed.
    ApprovalRpSet(ApprovalRpSet) "approval_rp.set" sd 0;
    /// A certificate will not come.
    CertificateFailed(CertificateFailed) "certificate.failed" sd 0 rules 2;
    /// A certificate came from a CA elsewhere.
    CertificateImported(CertificateImported) "certificate.imported" sd 1 rules 2;
    /// A CA of this ledger issued a certificate.
    CertificateIssued(CertificateIssued) "certificate.issued" sd 0 rules 2;
    /// A key is to have a certificate.
    CertificateOrdered(CertificateOrdered) "certificate.ordered" sd 0 rules 2;
    /// A key has signed the request for its certificate.
    CertificateRequested(CertificateRequested) "certificate.requested" sd 0 rules 2;
    /// A certificate is not to be believed from now on.
    CertificateRevoked(CertificateRevoked) "certificate.revoked" sd 0 rules 2;
    /// A member has another authenticator.
    CredentialAdded(CredentialAdded) "credential.added" sd 0;
    /// A member's authenticator holds no longer.
    CredentialRemoved(CredentialRemoved) "credential.removed" sd 0;
    /// Containment: an authenticator is not to be believed for now.
    CredentialSuspended(CredentialSuspended) "credential.suspended" sd 1;
    /// Nobody knows whether a CA signed a revocation list.
    CrlAbandoned(CrlAbandoned) "crl.abandoned" sd 0 rules 3;
    /// A CA is about to sign a revocation list.
    CrlAuthorized(CrlAuthorized) "crl.authorized" sd 0 rules 3;
    /// A CA did not sign a revocation list.
    CrlFailed(CrlFailed) "crl.failed" sd 0 rules 3;
    /// A CA signed a revocation list.
    CrlIssued(CrlIssued) "crl.issued" sd 0 rules 3;
    /// The device holds an object that no event explains.
    CustodyUnexplained(CustodyUnexplained) "custody.unexplained" sd 1;
    /// Nobody knows whether the evidence key signed a document.
    DocumentAbandoned(DocumentAbandoned) "document.abandoned" sd 0 rules 2;
    /// The evidence key is about to sign a document.
    DocumentAuthorized(DocumentAuthorized) "document.authorized" sd 0 rules 2;
    /// The evidence key did not sign a document.
    DocumentFailed(DocumentFailed) "document.failed" sd 0 rules 2;
    /// Something that happened elsewhere, by digest.
    EvidenceRecorded(EvidenceRecorded) "evidence.recorded" sd 2;
    /// People looked at who can reach a device.
    HsmAccessReviewed(HsmAccessReviewed) "hsm.access_reviewed" sd 2 rules 2;
    /// Somebody takes part in an incident.
    IncidentAcknowledged(IncidentAcknowledged) "incident.acknowledged" sd 0 rules 4;
    /// Those who rely on the key were told.
    IncidentAdvised(IncidentAdvised) "incident.advised" sd 2 rules 4;
    /// An incident has ended.
    IncidentClosed(IncidentClosed) "incident.closed" sd 1 rules 4;
    /// Whoever was called to an incident has not answered in time: others were told.
    IncidentEscalated(IncidentEscalated) "incident.escalated" sd 0 rules 4;
    /// Somebody said something about an incident.
    IncidentNoted(IncidentNoted) "incident.noted" sd 1 rules 4;
    /// Containment: somebody else may hold or have used a key.
    IncidentOpened(IncidentOpened) "incident.opened" sd 1 rules 4;
    /// Replacements, which verify, are offered where affected artifacts were.
    IncidentReinstated(IncidentReinstated) "incident.reinstated" sd 1 rules 4;
    /// What was affected is signed again, or given up.
    IncidentResigned(IncidentResigned) "incident.resigned" sd 1 rules 4;
    /// The signatures that may be affected are known.
    IncidentScoped(IncidentScoped) "incident.scoped" sd 0 rules 4;
    /// Affected artifacts are offered no longer in a channel.
    IncidentWithdrawn(IncidentWithdrawn) "incident.withdrawn" sd 1 rules 4;
    /// A key became the one its slot signs with.
    KeyActivated(KeyActivated) "key.activated" sd 0;
    /// A key that was in the device already belongs to a slot.
    KeyAdopted(KeyAdopted) "key.adopted" sd 0 rules 2;
    /// The device holds a key no longer; what it signed can still be verified.
    KeyDestroyed(KeyDestroyed) "key.destroyed" sd 0 rules 3;
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
    /// A person who lost every authenticator holds others.
    MemberRecovered(MemberRecovered) "member.recovered" sd 0;
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
    /// An evidence pack was signed and kept.
    RepIssued(RepIssued) "rep.issued" sd 0 rules 2;
    /// A member holds another role.
    RoleGranted(RoleGranted) "role.granted" sd 0;
    /// A member holds a role no longer.
    RoleRevoked(RoleRevoked) "role.revoked" sd 0;
    /// The new key has signed what the old one signed last, and every signature verified.
    RotationCanaryRecorded(RotationCanaryRecorded) "rotation.canary_recorded" sd 0 rules 2;
    /// A channel relies on the new key.
    RotationChannelMoved(RotationChannelMoved) "rotation.channel_moved" sd 1 rules 2;
    /// The old key is retired.
    RotationCompleted(RotationCompleted) "rotation.completed" sd 0 rules 2;
    /// A client found that the new key's signatures work.
    RotationConfirmed(RotationConfirmed) "rotation.confirmed" sd 1 rules 2;
    /// The new key took the old one's place.
    RotationCutOver(RotationCutOver) "rotation.cut_over" sd 0 rules 2;
    /// A rotation ended before its cutover.
    RotationFailed(RotationFailed) "rotation.failed" sd 1 rules 2;
    /// A key is to be replaced.
    RotationStarted(RotationStarted) "rotation.started" sd 0 rules 2;
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
    /// People let digests be signed, each once.
    SigningApproved(SigningApproved) "signing.approved" sd 0;
    /// A slot exists.
    SlotCreated(SlotCreated) "slot.created" sd 0;
    /// A slot's signing policy was replaced.
    SlotPolicySet(SlotPolicySet) "slot.policy_set" sd 0;
    /// A key should have been replaced by now.
    SlotRotationOverdue(SlotRotationOverdue) "slot.rotation_overdue" sd 0 rules 2;
    /// A slot's rotation policy was replaced.
    SlotRotationSet(SlotRotationSet) "slot.rotation_set" sd 0 rules 2;
    /// A slot's suspension was lifted.
    SlotResumed(SlotResumed) "slot.resumed" sd 0;
    /// Containment: a slot signs nothing for now.
    SlotSuspended(SlotSuspended) "slot.suspended" sd 1;
}

/// Reads a payload and holds it against the bytes that it would be written as.
fn read<P: Serialize + DeserializeOwned>(
    type_name: &'static str,
    data: &Data<'_>,
) -> Result<P, PayloadError> {
    let failed = |source| PayloadError::Data { type_name, source };
    let Ok(payload) = serde_json::from_str::<P>(data.as_str()) else {
        // Read again for a reason that speaks of members, not of columns in a part of a line.
        let read = serde_json::from_value::<P>(Value::Object(data.members())).map_err(failed);
        return read.and_then(|_| Err(PayloadError::NotNormal(type_name)));
    };
    let written = serde_json::to_vec(&payload).map_err(failed)?;
    // Members are declared in the order of their names, so this is the canonical form, unless somebody forgot to.
    let normal = written == data.as_str().as_bytes()
        || canonical::to_vec(&payload).is_ok_and(|bytes| bytes == data.as_str().as_bytes());
    if normal { Ok(payload) } else { Err(PayloadError::NotNormal(type_name)) }
}

impl Payload {
    /// The first rules version under which it may stand: that of its type, or of a member that came later.
    pub fn rules(&self) -> u64 {
        let of_members = match self {
            Self::ActionProposed(p) => p.document.params.rules(),
            Self::CertificateRevoked(p) if p.invalid_since.is_some() => 3,
            Self::DocumentAuthorized(p) if p.incident.is_some() || p.kind == ReportKind::Incident => 4,
            Self::DocumentAuthorized(p) if p.asked_by.is_some() || p.kind == ReportKind::TrustRoot => 3,
            Self::HsmAccessReviewed(p) if p.fips.is_some() => 3,
            Self::PolicySet(p) => p.policy.rules(),
            Self::SlotCreated(p) if p.drill => 4,
            Self::SlotCreated(p) if p.rotation.is_some() => 2,
            Self::EvidenceRecorded(p) if matches!(p.subject, Subject::Certificate(_)) => 2,
            Self::SignatureAuthorized(p) if matches!(p.purpose, Some(SigningPurpose::Sample { .. })) => 4,
            Self::SignatureAuthorized(p) if p.purpose.is_some() || p.signing.is_some() => 2,
            Self::SignatureCreated(p) if p.signing.is_some() => 2,
            _ => 1,
        };
        of_members.max(self.type_since())
    }

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
