//! Documents about rotations, certificates and reviews, as the server draws them up.

use integration::Tenant;
use integration::tenant::{sha256, signing_policy};
use sealbook_ledger::canonical;
use serde_json::{Value, json};

/// Parameters of every type that version 2 of the rules brought, some twice, and private fields.
pub fn cases(tenant: &Tenant) -> Vec<(&'static str, Value, Value)> {
    let keys = tenant.get("/keys").expect(200).json();
    let of = |slot: &str| {
        let mut found = keys["keys"].as_array().unwrap().iter().filter(|key| key["slot"] == slot);
        found.next().unwrap()["key"].clone()
    };
    let (apt, iso) = (of("apt-repo"), of("iso"));
    let policy = json!({ "callers": ["services"], "artifact_fields": [], "environments": ["production"],
        "release": "durable", "v": 1 });
    let adopted = |label: &str, rotation: Option<Value>| {
        let mut slot = tenant.slot_params("adopted", "ed25519", &policy);
        slot["overlap_days"] = json!(7);
        rotation.into_iter().for_each(|rotation| slot["rotation"] = rotation);
        json!({ "label": label, "slot": slot, "spki_sha256": sha256(label.as_bytes()) })
    };
    let set = |slot: &str, rotation: Value| json!({ "slot": slot, "rotation": rotation });
    let review = |count: u32| json!({ "backend": "softhsm", "holder_count": count });
    let mut validated = review(1);
    validated["fips"] = json!({ "certificate": 4735, "level": 3 });
    let policy_of = |slot: &str| {
        let rotation = tenant.get(&format!("/slots/{slot}")).expect(200).json()["rotation"].clone();
        sha256(&canonical::to_vec(&rotation).unwrap())
    };
    let issue = |slot: &str, key: &Value| json!({ "slot": slot, "key": key, "policy": policy_of(slot) });
    let rotate = |slot: &str, key: &Value| json!({ "slot": slot, "old_key": key, "policy": policy_of(slot) });
    let outside = json!({ "kind": "outside", "anchors": [sha256(b"a root"), sha256(b"another")] });
    let none = || json!({});
    vec![
        ("certificate.issue", issue("apt-repo", &apt), none()),
        ("certificate.issue", issue("iso", &iso), none()),
        (
            "hsm.access_review",
            review(2),
            json!({ "holders": ["Zoë", "the build farm"], "findings": "a badge too many" }),
        ),
        ("hsm.access_review", review(1), json!({ "holders": ["Zoë"] })),
        ("hsm.access_review", validated, json!({ "holders": ["Zoë"] })),
        ("key.adopt", adopted("an older key", Some(rotation(&code_signing()))), none()),
        ("key.adopt", adopted("another", None), none()),
        ("key.rotate", rotate("apt-repo", &apt), none()),
        ("key.rotate", rotate("iso", &iso), none()),
        ("key.rotate_emergency", rotate("apt-repo", &apt), none()),
        ("slot.rotation_set", set("apt-repo", rotation(&code_signing())), none()),
        ("slot.rotation_set", set("iso", rotation(&issuing())), none()),
        (
            "slot.rotation_set",
            set("iso", rotation(&certified(&outside, &json!({ "kind": "client_auth" })))),
            none(),
        ),
        ("slot.rotation_set", set("apt-repo", plain_rotation()), none()),
    ]
}

/// A slot that is created with a rotation policy: version 1 knows the type without that member.
pub fn created(tenant: &Tenant) -> Value {
    let policy = json!({ "callers": ["services"], "artifact_fields": [],
        "environments": ["development", "production", "staging"], "release": "durable", "v": 1 });
    let mut slot = tenant.slot_params("certified", "ecdsa-p256-sha256", &policy);
    slot["overlap_days"] = json!(14);
    slot["rotation"] = rotation(&code_signing());
    slot
}

/// Slots whose certificates are the ledger's own: a CA, and one that it issues for.
pub fn certify(tenant: &Tenant) {
    let mut root = tenant.slot_params("root", "ecdsa-p256-sha256", &signing_policy());
    root["overlap_days"] = json!(14);
    root["rotation"] = rotation(&issuing());
    tenant.executed("slot.create", &root);
    let set = json!({ "slot": "apt-repo", "rotation": rotation(&code_signing()) });
    tenant.executed("slot.rotation_set", &set);
}

/// A draft of the server's.
pub fn draft(tenant: &Tenant, (kind, params, private): (&'static str, Value, Value)) -> Value {
    tenant.draft_with(tenant.person(0), kind, &params, &private).expect(200).json()
}

fn plain_rotation() -> Value {
    json!({ "channels": [], "old_key_signs": false, "overlap_days": 7, "propose_days": 0,
        "revoke_superseded": false, "rotation_days": 30, "v": 1 })
}

/// A CA's certificate is never revoked as superseded.
fn rotation(certificate: &Value) -> Value {
    let revokes = certificate["usage"]["kind"] != "issuing";
    json!({ "certificate": certificate, "channels": ["apt-stable", "web"], "old_key_signs": true,
        "overlap_days": 14, "propose_days": 1, "revoke_superseded": revokes, "rotation_days": 90, "v": 1 })
}

fn certified(issuer: &Value, usage: &Value) -> Value {
    json!({ "issuer": issuer, "policies": ["2.23.140.1.4.1"], "required": true, "usage": usage,
        "subject": { "common_name": "Acme Releases, Inc.", "country": "DE", "organization": "Acme" },
        "validity_days": 397 })
}

fn code_signing() -> Value {
    certified(&json!({ "kind": "slot", "slot": "root" }), &json!({ "kind": "code_signing" }))
}

fn issuing() -> Value {
    let mut root = certified(&json!({ "kind": "self" }), &json!({ "kind": "issuing", "path_len": 1 }));
    root["subject"]["common_name"] = json!("Acme Root");
    root["crl_url"] = json!("https://pki.example.com/root.crl");
    root["required"] = json!(false);
    root
}
