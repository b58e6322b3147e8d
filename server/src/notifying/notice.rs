//! What a notice says: ids, types, times and the page to look at. Nothing in it can act, and nothing is disclosed.

use std::collections::BTreeSet;

use sealbook_ledger::action::{ActionDocument, ActionType};
use sealbook_ledger::encoding::Hash;
use sealbook_ledger::ids::{ActionId, IncidentId, KeyId, MemberId, ProposerId, SlotName};
use sealbook_ledger::policy::{Clause, Role};
use sealbook_ledger::timestamp::Timestamp;
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use super::Notifying;
use super::model::Kind;
use crate::ledger::Ledger;
use crate::store::LedgerId;
use crate::store::webhooks::OutboxRow;

/// What is told.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Notice {
    pub(crate) kind: &'static str,
    /// Where the thing stands now.
    pub(crate) status: &'static str,
    pub(crate) time: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tenant: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) origin: Option<String>,
    /// The event that says so, where one does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) seq: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) action: Option<ActionNotice>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) rotation: Option<RotationNotice>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) incident: Option<IncidentNotice>,
    /// The device's name in the configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) backend: Option<String>,
    /// The page to look at: it asks for a sign-in like any other.
    pub(crate) url: String,
}

/// An action, as far as anybody may know it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct ActionNotice {
    id: ActionId,
    #[serde(rename = "type")]
    kind: ActionType,
    proposed_by: ProposerId,
    expires_at: Timestamp,
    /// Seats that nobody has taken yet; absent once that is no longer the question.
    #[serde(skip_serializing_if = "Option::is_none")]
    open_seats: Option<Vec<OpenSeats>>,
}

/// A key of a slot that is replaced, is overdue, or has its certificate revoked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct RotationNotice {
    pub(crate) slot: SlotName,
    /// The key that is replaced, or should be.
    pub(crate) key: KeyId,
    /// The rotation, by the action that started it; absent where none has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) action: Option<ActionId>,
}

/// An incident or drill: whom it calls, or whom it missed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct IncidentNotice {
    pub(crate) id: IncidentId,
    /// Whether it is practised: nobody has to be alarmed by more than it asks for.
    pub(crate) drill: bool,
    pub(crate) slot: SlotName,
    pub(crate) key: KeyId,
    /// Those who are called by the opening, or were missed.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) people: BTreeSet<MemberId>,
    /// Until when they have to answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) acknowledge_by: Option<Timestamp>,
}

/// Seats of one role that are free.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct OpenSeats {
    role: Role,
    count: u8,
}

impl ActionNotice {
    pub(crate) fn new(document: &ActionDocument, open_seats: Option<Vec<OpenSeats>>) -> Self {
        Self {
            id: document.action,
            kind: document.kind(),
            proposed_by: document.proposed_by,
            expires_at: document.expires_at,
            open_seats,
        }
    }
}

/// The free seats of a quorum: each person fills one, first come first seated, as the pages show it.
pub(crate) fn open_seats(
    quorum: &[Clause],
    consents: impl Iterator<Item = (MemberId, Role)>,
) -> Vec<OpenSeats> {
    let mut free: Vec<OpenSeats> =
        quorum.iter().map(|clause| OpenSeats { role: clause.role, count: clause.count }).collect();
    let mut seated: Vec<MemberId> = Vec::new();
    for (member, role) in consents {
        let seat = free.iter_mut().find(|seat| seat.role == role && seat.count > 0);
        if let Some(seat) = seat.filter(|_| !seated.contains(&member)) {
            seat.count -= 1;
            seated.push(member);
        }
    }
    free.retain(|seat| seat.count > 0);
    free
}

impl Notice {
    /// What every notice of a ledger says.
    fn of_ledger(
        notifying: &Notifying,
        ledger: &Ledger,
        (kind, status): (Kind, &'static str),
        (time, seq): (Timestamp, Option<u64>),
        page: &str,
    ) -> Self {
        Self {
            tenant: Some(ledger.tenant().to_string()),
            origin: Some(ledger.origin().to_string()),
            seq,
            url: format!("{}/t/{}/{page}", notifying.public_url, ledger.tenant()),
            ..Self::of_deployment(notifying, (kind, status), time)
        }
    }

    /// What every notice says, also of what concerns no tenant.
    fn of_deployment(notifying: &Notifying, (kind, status): (Kind, &'static str), time: Timestamp) -> Self {
        Self {
            kind: kind.name(),
            status,
            time,
            tenant: None,
            origin: None,
            seq: None,
            action: None,
            rotation: None,
            incident: None,
            backend: None,
            url: format!("{}/", notifying.public_url),
        }
    }

    /// About an action of a ledger.
    pub(crate) fn of_action(
        notifying: &Notifying,
        ledger: &Ledger,
        what: (Kind, &'static str),
        when: (Timestamp, Option<u64>),
        action: ActionNotice,
    ) -> Self {
        let page = format!("actions/{}", action.id);
        Self { action: Some(action), ..Self::of_ledger(notifying, ledger, what, when, &page) }
    }

    /// About a key of a slot.
    pub(crate) fn of_rotation(
        notifying: &Notifying,
        ledger: &Ledger,
        what: (Kind, &'static str),
        (time, seq): (Timestamp, u64),
        rotation: RotationNotice,
    ) -> Self {
        let page = format!("slots/{}", rotation.slot);
        let plain = Self::of_ledger(notifying, ledger, what, (time, Some(seq)), &page);
        Self { rotation: Some(rotation), ..plain }
    }

    /// About an incident or drill.
    pub(crate) fn of_incident(
        notifying: &Notifying,
        ledger: &Ledger,
        what: (Kind, &'static str),
        (time, seq): (Timestamp, u64),
        incident: IncidentNotice,
    ) -> Self {
        let page = format!("incidents/{}", incident.id);
        let plain = Self::of_ledger(notifying, ledger, what, (time, Some(seq)), &page);
        Self { incident: Some(incident), ..plain }
    }

    /// About a ledger's sealing.
    pub(crate) fn of_sealing(
        notifying: &Notifying,
        ledger: &Ledger,
        status: &'static str,
        time: Timestamp,
    ) -> Self {
        let what = (Kind::SealingTrouble, status);
        Self::of_ledger(notifying, ledger, what, (time, None), "health")
    }

    /// About a review of who can reach a device.
    pub(crate) fn of_review(
        notifying: &Notifying,
        ledger: &Ledger,
        status: &'static str,
        time: Timestamp,
        backend: &str,
    ) -> Self {
        let what = (Kind::AccessReview, status);
        let plain = Self::of_ledger(notifying, ledger, what, (time, None), "calendar");
        Self { backend: Some(backend.to_owned()), ..plain }
    }

    /// About a device.
    pub(crate) fn of_device(
        notifying: &Notifying,
        backend: &str,
        status: &'static str,
        time: Timestamp,
    ) -> Self {
        let plain = Self::of_deployment(notifying, (Kind::CustodyTrouble, status), time);
        Self { backend: Some(backend.to_owned()), ..plain }
    }

    /// The notice's body.
    pub(crate) fn body(&self) -> Value {
        // Texts, numbers and lists of them always have a JSON form.
        serde_json::to_value(self).unwrap_or(Value::Null)
    }
}

/// The row of a notice for a destination. `cause` is what made it, e.g. an event: the same cause has the same delivery id
/// whoever makes the row, and however often.
pub(crate) fn row(ledger: LedgerId, destination: &str, kind: Kind, cause: &str, body: Value) -> OutboxRow {
    let about = format!("sealbook webhook v1\0{}\0{destination}\0{}\0{cause}", ledger.get(), kind.name());
    let digest = Hash::sha256(about.as_bytes()).0;
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    let delivery = uuid::Builder::from_custom_bytes(bytes).into_uuid();
    OutboxRow { ledger, delivery, destination: destination.to_owned(), kind: kind.name().to_owned(), body }
}

/// A cause that never comes again.
pub(crate) fn unique_cause() -> String {
    Uuid::now_v7().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(n: u128) -> MemberId {
        Uuid::from_u128(n).into()
    }

    #[test]
    fn a_seat_is_open_until_somebody_of_its_role_has_taken_it() {
        let quorum =
            [Clause { count: 2, role: Role::Approver }, Clause { count: 1, role: Role::SecurityReviewer }];
        let open = |consents: &[(u128, Role)]| -> Vec<(Role, u8)> {
            let consents = consents.iter().map(|(n, role)| (member(*n), *role));
            open_seats(&quorum, consents).into_iter().map(|seat| (seat.role, seat.count)).collect()
        };
        assert_eq!(open(&[]), [(Role::Approver, 2), (Role::SecurityReviewer, 1)]);
        assert_eq!(open(&[(1, Role::Approver)]), [(Role::Approver, 1), (Role::SecurityReviewer, 1)]);
        // One person sits once, and only where the role is asked for.
        let twice = [(1, Role::Approver), (1, Role::SecurityReviewer), (2, Role::Auditor)];
        assert_eq!(open(&twice), [(Role::Approver, 1), (Role::SecurityReviewer, 1)]);
        let all = [(1, Role::Approver), (2, Role::SecurityReviewer), (3, Role::Approver)];
        assert_eq!(open(&all), []);
    }

    #[test]
    fn a_delivery_is_told_apart_by_everything_that_made_it() {
        let id = |ledger: u64, destination: &str, kind: Kind, cause: &str| {
            row(LedgerId::from_random(ledger), destination, kind, cause, Value::Null).delivery
        };
        let one = id(2, "chat", Kind::ActionWaiting, "seq 1");
        assert_eq!(one, id(2, "chat", Kind::ActionWaiting, "seq 1"));
        for other in [
            id(4, "chat", Kind::ActionWaiting, "seq 1"),
            id(2, "mail", Kind::ActionWaiting, "seq 1"),
            id(2, "chat", Kind::ActionOverdue, "seq 1"),
            id(2, "chat", Kind::ActionWaiting, "seq 2"),
        ] {
            assert_ne!(one, other);
        }
    }
}
