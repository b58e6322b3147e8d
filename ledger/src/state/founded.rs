//! A founded ledger's next event: which rule judges it, and what it changes.

use std::sync::Arc;

use crate::event::{Actor, Event};
use crate::gate::AGEING;
use crate::payload::{LedgerKeyRecovered, LedgerKeyRotated, Payload};
use crate::revocation::REVOKING;
use crate::rule::Rule;
use crate::state::{Founded, Prechecked, knows};

impl Founded {
    pub(super) fn judge(&self, event: &Event, checked: &Prechecked) -> Result<(), Rule> {
        let at = event.time;
        if !knows(self.rules) {
            return Err(Rule::RulesUnknown);
        }
        if event.payload.rules() > self.rules {
            return Err(Rule::TypeUnknown);
        }
        self.judge_actor(event)?;
        match &event.payload {
            Payload::LedgerOpened(_) => Err(Rule::LedgerOpen),
            Payload::LedgerFounded(_) => Err(Rule::FoundingDone),

            Payload::ActionProposed(proposed) => self.judge_proposed(proposed, event, checked),
            Payload::ActionApproved(approved) => self.judge_approved(approved, at, checked),
            Payload::ActionRejected(rejected) => self.judge_rejected(rejected, at, checked),
            Payload::ActionCancelled(cancelled) => self.judge_cancelled(cancelled, at, checked),
            Payload::ActionExpired(expired) => self.judge_expired(expired.action, at),
            Payload::ActionVoided(voided) => self.judge_voided(voided.action),
            Payload::ActionExecuting(executing) => self.judge_executing(executing, at),
            Payload::ActionExecuted(executed) => self.judge_executed(executed.action),
            Payload::ActionFailed(failed) => self.judge_failed(failed.action),

            Payload::ApprovalRpSet(_)
            | Payload::CredentialAdded(_)
            | Payload::CredentialRemoved(_)
            | Payload::HsmAccessReviewed(_)
            | Payload::KeyRevoked(_)
            | Payload::LedgerRulesAdopted(_)
            | Payload::MemberEnrolled(_)
            | Payload::MemberRecovered(_)
            | Payload::MemberRemoved(_)
            | Payload::MemberRestored(_)
            | Payload::PolicySet(_)
            | Payload::RoleGranted(_)
            | Payload::RoleRevoked(_)
            | Payload::ServiceEnrolled(_)
            | Payload::ServiceGranted(_)
            | Payload::ServiceRemoved(_)
            | Payload::ServiceRestored(_)
            | Payload::SigningApproved(_)
            | Payload::SlotPolicySet(_)
            | Payload::SlotResumed(_)
            | Payload::SlotRotationSet(_) => self.judge_effect(event),

            Payload::CertificateOrdered(ordered) => self.judge_ordered(ordered, event),
            Payload::CertificateRequested(requested) => self.judge_requested(requested),
            Payload::CertificateIssued(issued) => self.judge_issued(issued),
            Payload::CertificateImported(imported) => self.judge_imported(imported, event.actor, at),
            Payload::CertificateFailed(failed) => self.judge_certificate_failed(failed, event.actor, at),
            Payload::CertificateRevoked(revoked) => self.judge_certificate_revoked(revoked, event),

            Payload::CrlAuthorized(authorized) => self.judge_crl_authorized(authorized, event),
            Payload::CrlIssued(issued) => self.judge_crl_issued(issued, at),
            Payload::CrlFailed(failed) => self.judge_crl_failed(failed),
            Payload::CrlAbandoned(abandoned) => self.judge_crl_abandoned(abandoned, at),
            Payload::KeyDestroyed(destroyed) => self.judge_destroyed(destroyed, at),

            Payload::RotationStarted(started) => self.judge_started(started, event),
            Payload::RotationCanaryRecorded(recorded) => self.judge_canary(recorded, at),
            Payload::RotationCutOver(cut) => self.judge_cut_over(cut, at),
            Payload::RotationConfirmed(confirmed) => self.judge_confirmed(confirmed, event.actor, at),
            Payload::RotationChannelMoved(moved) => self.judge_channel_moved(moved, event.actor, at),
            Payload::RotationCompleted(completed) => self.judge_completed(completed, at),
            Payload::RotationFailed(failed) => self.judge_rotation_failed(failed, event.actor, at),
            Payload::SlotRotationOverdue(overdue) => self.judge_overdue(overdue, at),

            Payload::IncidentOpened(opened) => self.judge_incident_opened(opened, event),
            Payload::IncidentAcknowledged(acknowledged) => {
                self.judge_incident_acknowledged(acknowledged.incident, event.actor, at)
            }
            Payload::IncidentEscalated(escalated) => self.judge_incident_escalated(escalated, at),
            Payload::IncidentNoted(noted) => self.judge_incident_noted(noted.incident, event.actor, at),
            Payload::IncidentScoped(scoped) => self.judge_incident_scoped(scoped, event),
            Payload::IncidentWithdrawn(withdrawn) => {
                self.judge_incident_withdrawn(withdrawn, event.actor, at)
            }
            Payload::IncidentResigned(resigned) => self.judge_incident_resigned(resigned, event),
            Payload::IncidentReinstated(reinstated) => {
                self.judge_incident_reinstated(reinstated, event.actor, at)
            }
            Payload::IncidentAdvised(advised) => {
                self.judge_incident_advised(advised.incident, event.actor, at)
            }
            Payload::IncidentClosed(closed) => self.judge_incident_closed(closed, event),

            Payload::DocumentAbandoned(abandoned) => self.judge_document_abandoned(abandoned, at),
            Payload::DocumentAuthorized(authorized) => self.judge_document_authorized(authorized, at),
            Payload::DocumentFailed(failed) => self.judge_document_failed(failed),
            Payload::RepIssued(issued) => self.judge_rep_issued(issued, at),

            Payload::SlotCreated(created) => self.judge_slot_created(created, at),
            Payload::KeyGenerationAuthorized(authorized) => self.judge_generation(authorized, at),
            Payload::KeyGenerated(generated) => self.judge_generated(generated, at),
            Payload::KeyGenerationFailed(failed) => self.judge_generation_failed(failed),
            Payload::KeyGenerationAbandoned(abandoned) => self.judge_generation_abandoned(abandoned.key, at),
            Payload::KeyActivated(activated) => self.judge_activated(activated),
            Payload::KeyAdopted(adopted) => self.judge_adopted(adopted, at),

            Payload::LedgerKeyRotated(rotated) => self.judge_ledger_key_rotated(rotated, at),
            Payload::LedgerKeyRecovered(recovered) => self.judge_ledger_key_recovered(recovered, at),
            Payload::LedgerEvidenceKeySet(set) => self.judge_evidence_key(set, at),
            Payload::LedgerHighWaterAccepted(accepted) => self.judge_high_water(accepted, event.seq),

            Payload::SlotSuspended(suspended) => self.judge_slot_suspended(suspended, event.actor, at),
            Payload::MemberSuspended(suspended) => self.judge_member_suspended(suspended, event.actor, at),
            Payload::CredentialSuspended(suspended) => {
                self.judge_credential_suspended(suspended, event.actor, at)
            }
            Payload::ServiceSuspended(suspended) => self.judge_service_suspended(suspended, event.actor, at),

            Payload::SignatureAuthorized(authorized) => self.judge_authorized(authorized, event.actor, at),
            Payload::SignatureCreated(created) => self.judge_created(created, at),
            Payload::SignatureFailed(failed) => self.pending(failed.authorization).map(drop),
            Payload::SignatureWithheld(withheld) => self.judge_withheld(withheld, at),
            Payload::SignatureAbandoned(abandoned) => self.judge_abandoned(abandoned.authorization, at),

            Payload::EvidenceRecorded(recorded) => self.judge_evidence(recorded, event),
            Payload::RefusalRecorded(refused) => self.judge_refusal(refused, at),
            // A fact about the device, which no rule can weigh: recorded as it is seen.
            Payload::CustodyUnexplained(_) => Ok(()),
        }
    }

    /// Which kind of actor each type has, and that the actor is who the payload says.
    fn judge_actor(&self, event: &Event) -> Result<(), Rule> {
        let fits = match &event.payload {
            Payload::ActionProposed(p) => event.actor == p.actor(),
            Payload::ActionApproved(p) => event.actor == Actor::Member(p.member),
            Payload::ActionRejected(p) => event.actor == Actor::Member(p.member),
            Payload::ActionCancelled(p) => event.actor == Actor::Member(p.member),
            Payload::SlotSuspended(_)
            | Payload::MemberSuspended(_)
            | Payload::CredentialSuspended(_)
            | Payload::ServiceSuspended(_) => matches!(event.actor, Actor::Member(_)),
            Payload::SignatureAuthorized(p) => (event.actor == Actor::System) == p.purpose.is_some(),
            Payload::EvidenceRecorded(_)
            | Payload::IncidentReinstated(_)
            | Payload::IncidentWithdrawn(_)
            | Payload::RotationConfirmed(_)
            | Payload::RotationChannelMoved(_) => event.actor != Actor::System,
            Payload::IncidentAcknowledged(_)
            | Payload::IncidentAdvised(_)
            | Payload::IncidentClosed(_)
            | Payload::IncidentNoted(_)
            | Payload::IncidentOpened(_)
            | Payload::IncidentResigned(_)
            | Payload::IncidentScoped(_) => matches!(event.actor, Actor::Member(_)),
            Payload::CertificateImported(_) => matches!(event.actor, Actor::Member(_)),
            Payload::CertificateFailed(_) if self.rules >= REVOKING => {
                !matches!(event.actor, Actor::Service(_))
            }
            Payload::RotationFailed(_) => !matches!(event.actor, Actor::Service(_)),
            _ => event.actor == Actor::System,
        };
        if fits { Ok(()) } else { Err(Rule::Actor) }
    }

    pub(super) fn apply(&mut self, event: &Event) {
        match &event.payload {
            Payload::ActionProposed(_)
            | Payload::ActionApproved(_)
            | Payload::ActionRejected(_)
            | Payload::ActionCancelled(_)
            | Payload::ActionExpired(_)
            | Payload::ActionVoided(_)
            | Payload::ActionExecuting(_)
            | Payload::ActionExecuted(_)
            | Payload::ActionFailed(_) => self.apply_action(event),

            Payload::ApprovalRpSet(set) => self.approval_rp = Arc::new(set.approval_rp.clone()),
            Payload::PolicySet(set) => self.apply_policy(&set.policy, event.seq),
            Payload::LedgerRulesAdopted(adopted) => {
                if self.rules < AGEING && adopted.rules >= AGEING {
                    self.ageing_since = Some(event.time);
                }
                self.rules = adopted.rules;
            }
            Payload::LedgerKeyRotated(change) => {
                let LedgerKeyRotated { action, vkey, next_vkey_digest, .. } = &**change;
                self.apply_succession(*action, vkey, *next_vkey_digest, event.seq);
            }
            Payload::LedgerKeyRecovered(change) => {
                let LedgerKeyRecovered { action, vkey, next_vkey_digest, .. } = &**change;
                self.apply_succession(*action, vkey, *next_vkey_digest, event.seq);
            }
            Payload::LedgerEvidenceKeySet(set) => self.apply_evidence_key(set),

            Payload::MemberRecovered(recovered) => self.apply_recovered(recovered, event),
            Payload::MemberEnrolled(_)
            | Payload::MemberRemoved(_)
            | Payload::MemberRestored(_)
            | Payload::MemberSuspended(_)
            | Payload::CredentialAdded(_)
            | Payload::CredentialRemoved(_)
            | Payload::CredentialSuspended(_)
            | Payload::RoleGranted(_)
            | Payload::RoleRevoked(_) => self.apply_member(event),

            Payload::ServiceEnrolled(_)
            | Payload::ServiceGranted(_)
            | Payload::ServiceRemoved(_)
            | Payload::ServiceRestored(_)
            | Payload::ServiceSuspended(_) => self.apply_service(event),

            Payload::SlotCreated(_)
            | Payload::SlotPolicySet(_)
            | Payload::SlotResumed(_)
            | Payload::SlotSuspended(_)
            | Payload::KeyGenerationAuthorized(_)
            | Payload::KeyGenerated(_)
            | Payload::KeyGenerationFailed(_)
            | Payload::KeyGenerationAbandoned(_)
            | Payload::KeyActivated(_)
            | Payload::KeyAdopted(_)
            | Payload::SlotRotationSet(_)
            | Payload::KeyRevoked(_) => self.apply_slot(event),

            Payload::RotationStarted(_)
            | Payload::RotationCanaryRecorded(_)
            | Payload::RotationCutOver(_)
            | Payload::RotationConfirmed(_)
            | Payload::RotationChannelMoved(_)
            | Payload::RotationCompleted(_)
            | Payload::RotationFailed(_)
            | Payload::SlotRotationOverdue(_) => {}

            Payload::CertificateOrdered(_)
            | Payload::CertificateRequested(_)
            | Payload::CertificateIssued(_)
            | Payload::CertificateImported(_)
            | Payload::CertificateFailed(_)
            | Payload::CertificateRevoked(_) => self.apply_certificate(event),

            // Applied below, after what they bring about elsewhere.
            Payload::CrlAbandoned(_)
            | Payload::CrlAuthorized(_)
            | Payload::CrlFailed(_)
            | Payload::CrlIssued(_)
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
            | Payload::KeyDestroyed(_) => {}

            Payload::DocumentAbandoned(_)
            | Payload::DocumentAuthorized(_)
            | Payload::DocumentFailed(_)
            | Payload::RepIssued(_) => {
                self.apply_document(event);
            }

            Payload::SigningApproved(approved) => self.apply_cleared(approved, event.time, event.seq),
            Payload::SignatureAuthorized(authorized) => self.apply_authorized(authorized, event),
            Payload::SignatureCreated(p) => self.settle_created(p, event.seq),
            Payload::SignatureFailed(p) => self.settle_unsigned(p.authorization, p.code.as_str()),
            Payload::SignatureWithheld(p) => self.settle(p.authorization),
            Payload::SignatureAbandoned(p) => self.settle(p.authorization),
            Payload::LedgerOpened(_)
            | Payload::LedgerFounded(_)
            | Payload::LedgerHighWaterAccepted(_)
            | Payload::EvidenceRecorded(_)
            | Payload::RefusalRecorded(_)
            | Payload::CustodyUnexplained(_)
            | Payload::HsmAccessReviewed(_) => {}
        }
        self.note_progress(event);
        self.apply_rotation(event);
        self.apply_revocation(event);
        self.apply_incident(event);
    }
}
