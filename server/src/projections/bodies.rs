//! What the read tables hold besides ids and states, as JSON.

use sealbook_ledger::member::{Member, Service};
use sealbook_ledger::slot::{Key, KeyState, Slot};
use sealbook_ledger::state::Founded;
use serde::Serialize;
use serde_json::{Value, json};

/// A typed document as JSON; every document of the catalogue has a JSON form.
pub(super) fn json(document: &impl Serialize) -> Value {
    serde_json::to_value(document).unwrap_or(Value::Null)
}

pub(super) fn member_status(member: &Member) -> String {
    status(member.removed, member.suspension.is_some())
}

pub(super) fn service_status(service: &Service) -> String {
    status(service.removed, service.suspension.is_some())
}

fn status(removed: bool, suspended: bool) -> String {
    let word = match (removed, suspended) {
        (true, _) => "removed",
        (false, true) => "suspended",
        (false, false) => "active",
    };
    word.to_owned()
}

pub(super) fn member(member: &Member) -> Value {
    let credentials: Vec<Value> = member
        .credentials
        .iter()
        .map(|held| json!({ "credential": held.credential, "suspended": held.suspension.is_some() }))
        .collect();
    let roles: Vec<Value> = member
        .grants
        .iter()
        .map(|grant| json!({ "role": grant.role, "not_before": grant.not_before, "not_after": grant.not_after }))
        .collect();
    json!({
        "credentials": credentials,
        "roles": roles,
        "suspension_lapses_at": member.suspension.and_then(|suspension| suspension.lapses_at),
    })
}

pub(super) fn service(service: &Service) -> Value {
    json!({
        "slots": service.slots,
        "token_expires_at": service.token_expires_at,
        "suspension_lapses_at": service.suspension.and_then(|suspension| suspension.lapses_at),
    })
}

pub(super) fn slot_status(slot: &Slot, founded: &Founded) -> String {
    let key = slot.active.and_then(|id| founded.keys().get(&id));
    let word = match (slot.suspension.is_some(), key.map(|key| &key.state)) {
        (true, _) => "suspended",
        (false, Some(KeyState::Active { .. })) => "active",
        (false, Some(KeyState::Revoked { .. } | KeyState::Destroyed { revocation: Some(_), .. })) => {
            "revoked"
        }
        (
            false,
            Some(
                KeyState::Generating { .. }
                | KeyState::NotGenerated
                | KeyState::PreActivation(_)
                | KeyState::Retiring { .. }
                | KeyState::Deactivated { .. }
                | KeyState::Destroyed { revocation: None, .. },
            )
            | None,
        ) => "keyless",
    };
    word.to_owned()
}

pub(super) fn slot(slot: &Slot) -> Value {
    json!({
        "active": slot.active.map(|key| key.to_string()),
        "algorithm": slot.algorithm,
        "backend": slot.backend,
        "overlap_days": slot.rotation.overlap_days,
        "owner": slot.owner,
        "policy_digest": slot.policy_digest,
        "rotation": slot.rotation,
        "rotation_days": slot.rotation.rotation_days,
        "signing_policy": slot.signing_policy,
        "suspension_lapses_at": slot.suspension.and_then(|suspension| suspension.lapses_at),
    })
}

pub(super) fn key(key: &Key) -> Value {
    let material = key.material();
    json!({
        "attributes": material.map(|material| material.attributes),
        "certificate": key.certificate,
        "label": key.label,
        "spki": material.map(|material| material.spki.to_string()),
    })
}
