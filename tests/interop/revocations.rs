//! Documents about revocations and destroyed keys, as the server draws them up.

use integration::{Tenant, rotating};
use serde_json::{Value, json};

/// Certificates in force: of the CA, and of a slot that it issues for.
pub fn certify(tenant: &Tenant) {
    for slot in ["root", "apt-repo"] {
        rotating::certify(tenant, slot, "active");
    }
}

/// Parameters of every type that version 3 of the rules brought, and of revocations that take certificates along.
pub fn cases(tenant: &Tenant) -> Vec<(&'static str, Value, Value)> {
    let key = |slot: &str| rotating::shown(tenant, slot).0["active_key"].clone();
    let all = tenant.get("/certificates").expect(200).json();
    let of = |slot: &str| {
        let mut found = all["certificates"].as_array().unwrap().iter().filter(|one| one["slot"] == slot);
        found.next().unwrap()["certificate"].clone()
    };
    let since = "2026-01-02T03:04:05.000000Z";
    let (root, apt, iso) = (key("root"), key("apt-repo"), key("iso"));
    let alone = |slot: &str, reason: &str| json!({ "certificate": of(slot), "reason": reason });
    let mut dated = alone("apt-repo", "superseded");
    dated["invalid_since"] = json!(since);
    let compromised = json!({ "key": apt, "reason": "key_compromise", "compromised_since": since });
    let params = [
        ("certificate.revoke", alone("apt-repo", "affiliation_changed")),
        ("certificate.revoke", alone("root", "cessation_of_operation")),
        ("certificate.revoke", dated),
        ("key.destroy", json!({ "key": iso })),
        ("key.destroy", json!({ "key": root })),
        ("key.revoke", json!({ "key": root, "reason": "privilege_withdrawn" })),
        ("key.revoke", compromised.clone()),
        ("key.revoke_emergency", compromised),
    ];
    params.into_iter().map(|(kind, params)| (kind, params, json!({}))).collect()
}
