//! Which action an event belongs to.

use sealbook_ledger::ids::ActionId;
use sealbook_ledger::payload::Payload;

/// The action that an event names, if it names one.
pub(in crate::views) fn action_of(payload: &Payload) -> Option<ActionId> {
    match payload {
        Payload::ActionProposed(p) => Some(p.document.action),
        Payload::ActionApproved(p) => Some(p.action),
        Payload::ActionCancelled(p) => Some(p.action),
        Payload::ActionExecuted(p) => Some(p.action),
        Payload::ActionExecuting(p) => Some(p.action),
        Payload::ActionExpired(p) => Some(p.action),
        Payload::ActionFailed(p) => Some(p.action),
        Payload::ActionRejected(p) => Some(p.action),
        Payload::ActionVoided(p) => Some(p.action),
        Payload::ApprovalRpSet(p) => Some(p.action),
        Payload::CertificateOrdered(p) => Some(p.action),
        Payload::CertificateRevoked(p) => Some(p.action),
        Payload::CrlAuthorized(p) => p.action,
        Payload::CredentialAdded(p) => Some(p.action),
        Payload::CredentialRemoved(p) => Some(p.action),
        Payload::DocumentAuthorized(p) => p.action,
        Payload::HsmAccessReviewed(p) => Some(p.action),
        Payload::KeyAdopted(p) => Some(p.action),
        Payload::KeyActivated(p) => Some(p.action),
        Payload::KeyDestroyed(p) => Some(p.action),
        Payload::KeyGenerationAuthorized(p) => Some(p.action),
        Payload::KeyRevoked(p) => Some(p.action),
        Payload::LedgerEvidenceKeySet(p) => Some(p.action),
        Payload::LedgerKeyRecovered(p) => Some(p.action),
        Payload::LedgerKeyRotated(p) => Some(p.action),
        Payload::LedgerRulesAdopted(p) => Some(p.action),
        Payload::MemberEnrolled(p) => p.action,
        Payload::MemberRecovered(p) => Some(p.action),
        Payload::MemberRemoved(p) => Some(p.action),
        Payload::MemberRestored(p) => Some(p.action),
        Payload::PolicySet(p) => Some(p.action),
        Payload::RoleGranted(p) => Some(p.action),
        Payload::RoleRevoked(p) => Some(p.action),
        Payload::RotationCanaryRecorded(p) => Some(p.action),
        Payload::RotationChannelMoved(p) => Some(p.action),
        Payload::RotationCompleted(p) => Some(p.action),
        Payload::RotationConfirmed(p) => Some(p.action),
        Payload::RotationCutOver(p) => Some(p.action),
        Payload::RotationFailed(p) => Some(p.action),
        Payload::RotationStarted(p) => Some(p.action),
        Payload::ServiceEnrolled(p) => Some(p.action),
        Payload::ServiceGranted(p) => Some(p.action),
        Payload::ServiceRemoved(p) => Some(p.action),
        Payload::ServiceRestored(p) => Some(p.action),
        Payload::SigningApproved(p) => Some(p.action),
        Payload::SlotCreated(p) => Some(p.action),
        Payload::SlotPolicySet(p) => Some(p.action),
        Payload::SlotResumed(p) => Some(p.action),
        Payload::SlotRotationSet(p) => Some(p.action),
        Payload::CertificateFailed(_)
        | Payload::CertificateImported(_)
        | Payload::CertificateIssued(_)
        | Payload::CertificateRequested(_)
        | Payload::CredentialSuspended(_)
        | Payload::CrlAbandoned(_)
        | Payload::CrlFailed(_)
        | Payload::CrlIssued(_)
        | Payload::CustodyUnexplained(_)
        | Payload::DocumentAbandoned(_)
        | Payload::DocumentFailed(_)
        | Payload::EvidenceRecorded(_)
        | Payload::IncidentAcknowledged(_)
        | Payload::IncidentAdvised(_)
        | Payload::IncidentClosed(_)
        | Payload::IncidentEscalated(_)
        | Payload::IncidentNoted(_)
        | Payload::IncidentOpened(_)
        | Payload::IncidentReinstated(_)
        | Payload::IncidentResigned(_)
        | Payload::IncidentScoped(_)
        | Payload::IncidentWithdrawn(_)
        | Payload::KeyGenerated(_)
        | Payload::KeyGenerationAbandoned(_)
        | Payload::KeyGenerationFailed(_)
        | Payload::LedgerFounded(_)
        | Payload::LedgerHighWaterAccepted(_)
        | Payload::LedgerOpened(_)
        | Payload::MemberSuspended(_)
        | Payload::RefusalRecorded(_)
        | Payload::RepIssued(_)
        | Payload::ServiceSuspended(_)
        | Payload::SignatureAbandoned(_)
        | Payload::SignatureAuthorized(_)
        | Payload::SignatureCreated(_)
        | Payload::SignatureFailed(_)
        | Payload::SignatureWithheld(_)
        | Payload::SlotRotationOverdue(_)
        | Payload::SlotSuspended(_) => None,
    }
}
