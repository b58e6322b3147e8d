//! What events tell of keys that are replaced, or should be.

use sealbook_ledger::action::{ActionDocument, Params};
use sealbook_ledger::ids::ActionId;
use sealbook_ledger::payload::Payload;

use super::model::Kind;
use super::notice::RotationNotice;

/// What is told, where the thing stands after it, and about which key.
pub(super) enum Told {
    /// The event says it all.
    Whole(Kind, &'static str, RotationNotice),
    /// The document of the rotation's action says about which key.
    OfAction(Kind, &'static str, ActionId),
}

/// What an event tells of a key; `None` where nobody has to hear of it.
pub(super) fn told_by(payload: &Payload) -> Option<Told> {
    match payload {
        Payload::RotationStarted(p) => Some(Told::OfAction(Kind::Rotation, "started", p.action)),
        Payload::RotationCutOver(p) => Some(Told::OfAction(Kind::Rotation, "cut_over", p.action)),
        Payload::RotationCompleted(p) => Some(Told::OfAction(Kind::Rotation, "completed", p.action)),
        Payload::RotationFailed(p) => Some(Told::OfAction(Kind::Rotation, "failed", p.action)),
        // Certificates are revoked beside their keys but for those that a rotation made needless: the old key's.
        Payload::CertificateRevoked(p) => Some(Told::OfAction(Kind::CertificateRevoked, "revoked", p.action)),
        Payload::SlotRotationOverdue(p) => {
            let about = RotationNotice { slot: p.slot.clone(), key: p.key, action: None };
            Some(Told::Whole(Kind::RotationOverdue, "overdue", about))
        }
        _ => None,
    }
}

/// The key that a rotation replaces.
pub(super) fn replaced(document: &ActionDocument) -> Option<RotationNotice> {
    let (Params::KeyRotate(p) | Params::KeyRotateEmergency(p)) = &document.params else { return None };
    Some(RotationNotice { slot: p.slot.clone(), key: p.old_key, action: Some(document.action) })
}

#[cfg(test)]
mod tests {
    use sealbook_ledger::payload::{RotationConfirmed, RotationFailed, SlotRotationOverdue};

    use super::*;

    const ACTION: &str = "01934f00-0000-7000-8000-0000000000a1";
    const KEY: &str = "01934f00-0000-7000-8000-0000000000c1";

    #[test]
    fn what_people_wait_for_or_missed_is_told_and_steps_between_are_not() {
        let (action, key) = (ACTION.parse().unwrap(), KEY.parse().unwrap());
        let failed = RotationFailed { action, code: "canary.failed".parse().unwrap() };
        let told = told_by(&failed.into());
        assert!(matches!(told, Some(Told::OfAction(Kind::Rotation, "failed", id)) if id == action));
        let due_at = "2026-11-22T00:00:00.000000Z".parse().unwrap();
        let overdue = SlotRotationOverdue { due_at, key, slot: "apt-repo".parse().unwrap() };
        let told = told_by(&overdue.into());
        assert!(
            matches!(told, Some(Told::Whole(Kind::RotationOverdue, "overdue", about)) if about.key == key)
        );
        assert!(told_by(&RotationConfirmed { action, key }.into()).is_none());
    }
}
