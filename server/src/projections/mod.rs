//! The low-volume read tables: what an event changes in them, computed from the states around it.
//!
//! Live appends and rebuilds run this same function over the same events, so they come to the same rows.

mod bodies;

use sealbook_ledger::action::ActionDocument;
use sealbook_ledger::event::Event;
use sealbook_ledger::ids::{ActionId, CertificateId, KeyId, MemberId, ServiceId, SlotName};
use sealbook_ledger::payload::Payload;
use sealbook_ledger::rotation::Rotation;
use sealbook_ledger::state::{Closure, Founded, Stage, State};

use crate::store::LedgerId;
use crate::store::projections::{ActionRow, KeyRow, ProjectionRow, StatusRow};

/// What an event touches, noted before it is applied: an action that ends takes its document out of the state.
#[derive(Debug, Default)]
pub struct Touched {
    actions: Vec<(ActionId, Option<EndingAction>)>,
    keys: Vec<KeyId>,
    slots: Vec<SlotName>,
    members: Vec<MemberId>,
    services: Vec<ServiceId>,
}

#[derive(Debug)]
struct EndingAction {
    document: ActionDocument,
    proposed_seq: u64,
}

/// Notes what an event touches; `before` is the state that it will be applied to.
pub fn touched(before: &State, event: &Event) -> Touched {
    let mut touched = Touched::default();
    let mut action = |id: ActionId| touched.actions.push((id, ending(before, id)));
    match &event.payload {
        Payload::ActionProposed(p) => action(p.document.action),
        Payload::ActionApproved(p) => action(p.action),
        Payload::ActionRejected(p) => action(p.action),
        Payload::ActionCancelled(p) => action(p.action),
        Payload::ActionExpired(p) => action(p.action),
        Payload::ActionVoided(p) => action(p.action),
        Payload::ActionExecuting(p) => action(p.action),
        Payload::ActionExecuted(p) => action(p.action),
        Payload::ActionFailed(p) => action(p.action),
        Payload::MemberEnrolled(p) => touched.members.push(p.member),
        Payload::MemberRecovered(p) => touched.members.push(p.member),
        Payload::MemberRemoved(p) => touched.members.push(p.member),
        Payload::MemberRestored(p) => touched.members.push(p.member),
        Payload::MemberSuspended(p) => touched.members.push(p.member),
        Payload::CredentialAdded(p) => touched.members.push(p.member),
        Payload::CredentialRemoved(p) => touched.members.push(p.member),
        Payload::CredentialSuspended(p) => touched.members.push(p.member),
        Payload::RoleGranted(p) => touched.members.push(p.member),
        Payload::RoleRevoked(p) => touched.members.push(p.member),
        Payload::ServiceEnrolled(p) => touched.services.push(p.service),
        Payload::ServiceGranted(p) => touched.services.push(p.service),
        Payload::ServiceRemoved(p) => touched.services.push(p.service),
        Payload::ServiceRestored(p) => touched.services.push(p.service),
        Payload::ServiceSuspended(p) => touched.services.push(p.service),
        Payload::SlotCreated(p) => touched.slots.push(p.slot.clone()),
        Payload::SlotPolicySet(p) => touched.slots.push(p.slot.clone()),
        Payload::SlotRotationOverdue(p) => touched.slots.push(p.slot.clone()),
        Payload::SlotRotationSet(p) => touched.slots.push(p.slot.clone()),
        Payload::SlotResumed(p) => touched.slots.push(p.slot.clone()),
        Payload::SlotSuspended(p) => touched.slots.push(p.slot.clone()),
        Payload::CertificateImported(p) => touched.keys.extend(certified(before, p.certificate)),
        Payload::CertificateIssued(p) => touched.keys.extend(certified(before, p.certificate)),
        Payload::CertificateRevoked(p) => touched.keys.extend(certified(before, p.certificate)),
        Payload::KeyAdopted(p) => touched.keys.push(p.key),
        Payload::KeyDestroyed(p) => {
            touched.keys.push(p.key);
            touched.slots.extend(slot_of(before, p.key));
        }
        Payload::KeyGenerationAuthorized(p) => touched.keys.push(p.key),
        Payload::KeyGenerated(p) => touched.keys.push(p.key),
        Payload::KeyGenerationFailed(p) => touched.keys.push(p.key),
        Payload::KeyGenerationAbandoned(p) => touched.keys.push(p.key),
        Payload::KeyActivated(p) => {
            touched.keys.push(p.key);
            touched.slots.push(p.slot.clone());
        }
        Payload::KeyRevoked(p) => {
            touched.keys.push(p.key);
            touched.slots.extend(slot_of(before, p.key));
        }
        Payload::RotationCutOver(p) => {
            touched.keys.extend([p.new_key, p.old_key]);
            touched.slots.extend(rotation(before, p.action).map(|rotation| rotation.slot.clone()));
        }
        Payload::RotationCompleted(p) => touched.keys.push(p.old_key),
        // A key that was made for it is kept, and never takes over.
        Payload::RotationFailed(p) => {
            touched.keys.extend(rotation(before, p.action).and_then(Rotation::new_key))
        }
        // The founding takes the founders over from their enrolments, which touched them already.
        Payload::LedgerFounded(_)
        | Payload::ApprovalRpSet(_)
        | Payload::CertificateFailed(_)
        | Payload::CertificateOrdered(_)
        | Payload::CertificateRequested(_)
        | Payload::CrlAbandoned(_)
        | Payload::CrlAuthorized(_)
        | Payload::CrlFailed(_)
        | Payload::CrlIssued(_)
        | Payload::CustodyUnexplained(_)
        | Payload::DocumentAbandoned(_)
        | Payload::DocumentAuthorized(_)
        | Payload::DocumentFailed(_)
        | Payload::EvidenceRecorded(_)
        | Payload::HsmAccessReviewed(_)
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
        | Payload::LedgerEvidenceKeySet(_)
        | Payload::LedgerHighWaterAccepted(_)
        | Payload::LedgerKeyRecovered(_)
        | Payload::LedgerKeyRotated(_)
        | Payload::LedgerOpened(_)
        | Payload::LedgerRulesAdopted(_)
        | Payload::PolicySet(_)
        | Payload::RefusalRecorded(_)
        | Payload::RepIssued(_)
        | Payload::RotationCanaryRecorded(_)
        | Payload::RotationChannelMoved(_)
        | Payload::RotationConfirmed(_)
        | Payload::RotationStarted(_)
        | Payload::SignatureAbandoned(_)
        | Payload::SignatureAuthorized(_)
        | Payload::SignatureCreated(_)
        | Payload::SignatureFailed(_)
        | Payload::SignatureWithheld(_)
        | Payload::SigningApproved(_) => {}
    }
    touched
}

fn rotation(before: &State, id: ActionId) -> Option<&Rotation> {
    before.founded().ok()?.rotation(id).ok()
}

fn slot_of(before: &State, key: KeyId) -> Option<SlotName> {
    before.founded().ok()?.keys().get(&key).map(|key| key.slot.clone())
}

/// The key that a certificate names.
fn certified(before: &State, id: CertificateId) -> Option<KeyId> {
    before.founded().ok()?.issuances().get(&id).map(|issuance| issuance.key)
}

fn ending(before: &State, id: ActionId) -> Option<EndingAction> {
    let action = before.founded().ok()?.actions().get(&id)?;
    Some(EndingAction { document: action.document().clone(), proposed_seq: action.proposal().seq.get() })
}

/// The rows that an event leaves behind; `after` is the state with it applied.
pub fn rows(ledger: LedgerId, touched: Touched, event: &Event, after: &State) -> Vec<ProjectionRow> {
    let seq = event.seq.get();
    let mut rows = Vec::new();
    let Ok(founded) = after.founded() else { return rows };
    if let Payload::LedgerFounded(_) = &event.payload {
        rows.extend(founded.members().keys().filter_map(|id| member_row(ledger, *id, seq, founded)));
    }
    rows.extend(
        touched.actions.into_iter().filter_map(|(id, before)| action_row(ledger, id, before, seq, founded)),
    );
    rows.extend(touched.members.into_iter().filter_map(|id| member_row(ledger, id, seq, founded)));
    rows.extend(touched.services.into_iter().filter_map(|id| {
        let service = founded.services().get(&id)?;
        let (status, body) = (bodies::service_status(service), bodies::service(service));
        Some(ProjectionRow::Service(StatusRow { ledger, id, status, last_seq: seq, body }))
    }));
    rows.extend(touched.slots.into_iter().filter_map(|id| {
        let slot = founded.slots().get(&id)?;
        let (status, body) = (bodies::slot_status(slot, founded), bodies::slot(slot));
        Some(ProjectionRow::Slot(StatusRow { ledger, id, status, last_seq: seq, body }))
    }));
    rows.extend(touched.keys.into_iter().filter_map(|key| key_row(ledger, key, seq, founded)));
    rows
}

fn member_row(ledger: LedgerId, id: MemberId, seq: u64, founded: &Founded) -> Option<ProjectionRow> {
    let member = founded.members().get(&id)?;
    let (status, body) = (bodies::member_status(member), bodies::member(member));
    Some(ProjectionRow::Member(StatusRow { ledger, id, status, last_seq: seq, body }))
}

fn key_row(ledger: LedgerId, id: KeyId, seq: u64, founded: &Founded) -> Option<ProjectionRow> {
    let key = founded.keys().get(&id)?;
    Some(ProjectionRow::Key(KeyRow {
        ledger,
        key: id,
        slot: key.slot.clone(),
        algorithm: key.algorithm.to_string(),
        state: key.state_name().to_owned(),
        spki_sha256: key.material().map(|material| material.spki_sha256),
        created_seq: key.created.get(),
        last_seq: seq,
        body: bodies::key(key),
    }))
}

fn action_row(
    ledger: LedgerId,
    id: ActionId,
    before: Option<EndingAction>,
    seq: u64,
    founded: &Founded,
) -> Option<ProjectionRow> {
    let open = founded.actions().get(&id);
    let (document, proposed_seq) = match (open, before) {
        (Some(open), _) => (open.document().clone(), open.proposal().seq.get()),
        (None, Some(before)) => (before.document, before.proposed_seq),
        (None, None) => return None,
    };
    let status = match (open.map(|open| open.stage()), founded.closure(id)) {
        (Some(Stage::Open), _) => "open",
        (Some(Stage::Executing { .. }), _) => "executing",
        (None, Some(closure)) => closure_name(closure),
        (None, None) => return None,
    };
    Some(ProjectionRow::Action(ActionRow {
        ledger,
        action: id,
        kind: document.kind().to_string(),
        status: status.to_owned(),
        proposed_by: document.proposed_by.to_string(),
        proposed_seq,
        last_seq: seq,
        document: bodies::json(&document),
    }))
}

/// How an ended action is called in views.
pub fn closure_name(closure: Closure) -> &'static str {
    match closure {
        Closure::Executed => "executed",
        Closure::Failed => "failed",
        Closure::Rejected => "rejected",
        Closure::Cancelled => "cancelled",
        Closure::Expired => "expired",
        Closure::Voided => "voided",
    }
}
