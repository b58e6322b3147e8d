//! What browsers read in documents is what the server says of them, for every type of action; and what is not, is refused.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use integration::programs::run;
use integration::tenant::{in_seconds, sha256, signing_policy};
use integration::{Server, Tenant};
use sealbook_ledger::action::ActionType;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::reader::script;
use crate::{revocations, rotations};

/// Parameters of every type, some twice, about a tenant's people, slots and keys; and private fields.
fn cases(tenant: &Tenant) -> Vec<(&'static str, Value, Value)> {
    let (ada, ben) = (&tenant.person(0).id, &tenant.person(1).id);
    let members = tenant.get("/members").expect(200).json();
    let credential_id = &members["members"][1]["credentials"][0]["credential_id"];
    let credential = tenant.stranger().credential();
    let key = tenant.get("/keys").expect(200).json()["keys"][0]["key"].clone();
    let service = tenant.service(&["apt-repo"]).id;
    let strict = json!({
        "approval": ["production"], "artifact_fields": ["name", "ticket"],
        "callers": ["packaging_engineers", "services"], "environments": ["production"], "rate_per_minute": 60,
        "release": "sealed", "v": 1,
    });
    let mut slot = tenant.slot_params("release", "ed25519", &strict);
    slot["overlap_days"] = json!(7);
    let mut drill = tenant.slot_params("drill", "ed25519", &signing_policy());
    drill["drill"] = json!(true);
    let (newcomer, machine) = (Uuid::new_v4().to_string(), Uuid::new_v4().to_string());
    let mut policy = tenant.get("/policy").expect(200).json()["policy"].clone();
    let same = json!({ "policy": policy });
    policy["actions"]["slot.resume"]["quorum"] = json!([{ "role": "approver", "count": 1 }]);
    policy["actions"]["slot.create"]["proposers"] = json!(["key_owner"]);
    policy["credentials"]["hardware_only"] = json!(true);
    policy["cadence"] = json!({
        "access_review_days": 30, "drill_days": 30, "ledger_key_days": 365, "rotation_days": 365,
    });
    let (soon, later, until) = (in_seconds(3600), in_seconds(7200), in_seconds(86400));
    let device = json!({ "backend": "softhsm" });
    let none = || json!({});
    let named = json!({ "display_name": "Zoë, the newcomer" });
    let rp =
        json!({ "approval_rp": { "id": "a.example", "origins": ["https://a.example"], "shared": true } });
    let token = json!({ "expires_at": until, "sha256": sha256(b"token") });
    vec![
        ("approval_rp.set", rp, none()),
        ("credential.add", json!({ "member": ben, "credential": credential }), none()),
        ("credential.remove", json!({ "member": ben, "credential_id": credential_id }), none()),
        ("key.revoke", json!({ "key": key, "reason": "superseded" }), none()),
        (
            "key.revoke_emergency",
            json!({ "key": key, "reason": "key_compromise", "compromised_since": "2026-01-02T03:04:05.000000Z" }),
            none(),
        ),
        ("ledger.evidence_key_set", device.clone(), none()),
        ("ledger.key_recover", device.clone(), none()),
        ("ledger.key_rotate", device, none()),
        (
            "member.enroll",
            json!({ "member": newcomer, "credentials": [credential], "roles": ["approver", "key_owner"] }),
            named.clone(),
        ),
        ("member.enroll", json!({ "member": newcomer, "credentials": [credential], "roles": [] }), none()),
        ("member.recover", json!({ "member": ben, "credentials": [credential] }), none()),
        ("member.remove", json!({ "member": ben }), none()),
        ("member.restore", json!({ "member": ben }), none()),
        ("member.restore", json!({ "member": ben, "credential_id": credential_id }), none()),
        ("policy.set", json!({ "policy": policy }), none()),
        ("policy.set", same, none()),
        ("role.grant", json!({ "member": ada, "role": "key_owner" }), none()),
        ("role.grant", json!({ "member": ada, "role": "auditor", "not_before": soon }), none()),
        ("role.grant", json!({ "member": ada, "role": "auditor", "not_after": later }), none()),
        (
            "role.grant",
            json!({ "member": ada, "role": "auditor", "not_before": soon, "not_after": later }),
            none(),
        ),
        ("role.revoke", json!({ "member": ada, "role": "approver" }), none()),
        ("rules.adopt", json!({ "rules": 2 }), none()),
        (
            "service.enroll",
            json!({ "service": machine, "slots": ["apt-repo", "iso"], "token_expires_at": until, "token_sha256": sha256(b"t") }),
            json!({ "display_name": "the build farm" }),
        ),
        ("service.grant", json!({ "service": service, "slots": ["iso"], "token": token }), none()),
        ("service.grant", json!({ "service": service, "slots": [] }), none()),
        ("service.remove", json!({ "service": service }), none()),
        ("service.restore", json!({ "service": service }), none()),
        (
            "signing.approve",
            json!({ "slot": "apt-repo", "digest": sha256(b"a"), "environment": "production" }),
            json!({ "artifact_name": "linux-image" }),
        ),
        (
            "signing.batch",
            json!({
                "slot": "apt-repo", "environment": "staging", "count": 3, "root": sha256(b"root"),
                "digests": { "sha256": sha256(b"list"), "size": 96, "media_type": "application/octet-stream" },
            }),
            none(),
        ),
        ("slot.create", slot, none()),
        ("slot.create", drill, none()),
        ("slot.create", rotations::created(tenant), none()),
        ("slot.create", tenant.slot_params("plain", "ecdsa-p256-sha256", &signing_policy()), none()),
        ("slot.policy_set", json!({ "slot": "apt-repo", "signing_policy": strict }), none()),
        ("slot.policy_set", json!({ "slot": "apt-repo", "signing_policy": signing_policy() }), none()),
        ("slot.resume", json!({ "slot": "apt-repo", "execute_at": soon }), none()),
    ]
}

#[test]
fn browsers_read_documents_of_every_type_as_the_server_tells_them() {
    let server = Server::shared();
    let tenant = Tenant::founded(&server, 3);
    for slot in ["apt-repo", "iso"] {
        tenant.slot(slot, "ecdsa-p256-sha256");
    }
    rotations::certify(&tenant);
    revocations::certify(&tenant);
    let mut seen = BTreeSet::new();
    let drafts: Vec<Value> = cases(&tenant)
        .into_iter()
        .chain(rotations::cases(&tenant))
        .chain(revocations::cases(&tenant))
        .map(|case| {
            seen.insert(case.0);
            rotations::draft(&tenant, case)
        })
        .collect();
    let policy = tenant.get("/policy").expect(200).json()["policy"].clone();
    assert_eq!(seen, ActionType::ALL.into_iter().map(ActionType::name).collect());
    let file = tenant.folder().join("drafts.json");
    fs::write(&file, serde_json::to_vec(&json!({ "drafts": drafts, "policy": policy })).unwrap()).unwrap();
    let ended = run(Command::new("node").arg(script("readings.mjs")).arg(file)).expect(0);
    assert!(ended.stdout.starts_with("ok: "), "{ended:?}");
}
