//! Slots with rotation policies, and how their keys get certificates and are replaced.

use sealbook_ledger::canonical;
use serde_json::{Value, json};

use crate::tenant::{Tenant, sha256, signing_policy, text};
use crate::waiting;

/// Roles that do everything that rotations take.
pub const KEEPERS: &[&str] =
    &["approver", "change_board", "key_owner", "platform_admin", "security_reviewer"];

/// A certificate policy.
pub fn certificate(issuer: &Value, usage: &Value, name: &str) -> Value {
    let issuing = usage["kind"] == "issuing";
    json!({
        "issuer": issuer, "policies": [], "required": !issuing, "usage": usage,
        "subject": { "common_name": name, "country": "CH", "organization": "Acme" },
        "validity_days": if issuing { 3650 } else { 397 },
    })
}

/// A rotation policy of 90 days, a CA's of five years.
pub fn rotation(certificate: &Value, channels: &[&str]) -> Value {
    let issuing = certificate["usage"]["kind"] == "issuing";
    let (days, overlap) = if issuing { (1825, 90) } else { (90, 7) };
    json!({
        "certificate": certificate, "channels": channels, "old_key_signs": false, "overlap_days": overlap,
        "propose_days": 14, "revoke_superseded": !issuing, "rotation_days": days, "v": 1,
    })
}

/// A root CA of the ledger's own.
pub fn root() -> Value {
    rotation(
        &certificate(&json!({ "kind": "self" }), &json!({ "kind": "issuing", "path_len": 1 }), "Acme Root"),
        &[],
    )
}

/// A slot whose certificates `root` issues.
pub fn releases() -> Value {
    let issuer = json!({ "kind": "slot", "slot": "root" });
    rotation(&certificate(&issuer, &json!({ "kind": "code_signing" }), "Acme Releases"), &["web"])
}

/// A slot whose certificates this CA issues.
pub fn connector(anchor: &str) -> Value {
    let issuer = json!({ "kind": "outside", "anchors": [anchor] });
    rotation(&certificate(&issuer, &json!({ "kind": "client_auth" }), "Acme Connector"), &[])
}

/// Creates a slot with a rotation policy, which services use.
pub fn slot(tenant: &Tenant, name: &str, algorithm: &str, rotation: Value) {
    slot_used(tenant, name, (algorithm, &signing_policy()), rotation);
}

/// The same with a signing policy.
pub fn slot_used(tenant: &Tenant, name: &str, (algorithm, policy): (&str, &Value), rotation: Value) {
    let mut params = tenant.slot_params(name, algorithm, policy);
    params["rotation_days"] = rotation["rotation_days"].clone();
    params["overlap_days"] = rotation["overlap_days"].clone();
    params["rotation"] = rotation;
    tenant.executed("slot.create", &params);
}

/// A slot as it stands, and the digest of its rotation policy.
pub fn shown(tenant: &Tenant, name: &str) -> (Value, String) {
    let shown = tenant.get(&format!("/slots/{name}")).expect(200).json();
    let policy = sha256(&canonical::to_vec(&shown["rotation"]).unwrap());
    (shown, policy)
}

/// Orders a certificate for a slot's key, and waits until it stands in this state.
pub fn certify(tenant: &Tenant, name: &str, state: &str) -> Value {
    let (slot, policy) = shown(tenant, name);
    let params = json!({ "slot": name, "key": slot["active_key"], "policy": policy });
    tenant.executed("certificate.issue", &params);
    certified(tenant, name, state)
}

/// Waits until the newest certificate of a slot's key stands in this state.
pub fn certified(tenant: &Tenant, name: &str, state: &str) -> Value {
    let (slot, _) = shown(tenant, name);
    waiting::until("the certificate", || {
        let path = format!("/certificates?key={}", text(&slot["active_key"]));
        let mut found = tenant.get(&path).expect(200).json();
        let newest = found["certificates"][0].take();
        (newest["state"] == state).then_some(newest)
    })
}

/// Has a slot's key replaced by quorum, and gives the rotation's id.
pub fn rotate(tenant: &Tenant, name: &str, kind: &str) -> String {
    let (slot, policy) = shown(tenant, name);
    let params = json!({ "slot": name, "old_key": slot["active_key"], "policy": policy });
    text(&tenant.executed(kind, &params)["action"]).to_owned()
}

/// Waits, by the server's own means, until a rotation stands in this state.
pub fn until(tenant: &Tenant, id: &str, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
    let mut seen = tenant.get(&format!("/rotations/{id}")).expect(200).json();
    waiting::until(what, || {
        if holds(&seen) {
            return Some(seen.clone());
        }
        assert_ne!(seen["state"], "failed", "{seen:#}");
        let path = format!("/rotations/{id}?wait_ms=5000&seen={}", text(&seen["version"]));
        seen = tenant.get(&path).expect(200).json();
        None
    })
}

/// A step of a rotation.
pub fn step<'a>(rotation: &'a Value, name: &str) -> &'a Value {
    let mut steps = rotation["steps"].as_array().unwrap().iter();
    steps.find(|step| step["step"] == name).unwrap_or_else(|| panic!("no step {name}: {rotation:#}"))
}
