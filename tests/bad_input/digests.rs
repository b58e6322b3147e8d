//! What is asked to be signed does not fit the slot's algorithm, or the slot does not sign.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use integration::tenant::{DECIDING, open, sha256, signing_policy};
use integration::{Server, Tenant};
use sealbook_ledger::algorithm::{Algorithm, MAX_PURE_MESSAGE};
use serde_json::json;

#[test]
fn a_digest_of_another_length_is_refused_for_every_algorithm() {
    let server = Server::shared();
    let tenant = Tenant::founded(&server, 2);
    for algorithm in Algorithm::ALL {
        tenant.slot(algorithm.name(), algorithm.name());
    }
    let service = tenant.service(&Algorithm::ALL.map(Algorithm::name));
    for algorithm in Algorithm::ALL {
        let path = tenant.path(&format!("/slots/{}/sign", algorithm.name()));
        let right = algorithm.digest().byte_len();
        let message = |len: usize| json!({ "message": URL_SAFE_NO_PAD.encode(vec![b'm'; len]) });
        if algorithm.needs_message() {
            service.api.post(&path, &json!({ "digest": sha256(b"x") })).refused(400, "message.form");
            service.api.post(&path, &message(MAX_PURE_MESSAGE + 1)).refused(400, "message.form");
            continue;
        }
        for len in [0, 20, right - 1, right + 1, 28, 128] {
            let answer = service.api.post(&path, &json!({ "digest": "ab".repeat(len) }));
            assert_eq!(answer.status, 400, "{algorithm} {len}: {}", answer.said());
            assert!(matches!(answer.code().as_str(), "digest.length" | "request.json"), "{}", answer.said());
        }
        service.api.post(&path, &message(right)).refused(400, "message.form");
    }
    let signed = tenant.get("/events?type=signature.authorized").expect(200).json();
    assert_eq!(signed["events"], json!([]), "nothing was authorised");
    tenant.verified();
}

#[test]
fn a_suspended_slot_a_revoked_key_and_a_slot_without_one_refuse_by_their_rule() {
    let server = Server::shared();
    let tenant = Tenant::founded(&server, 3);
    let slot = tenant.slot("release", "ecdsa-p256-sha256");
    let service = tenant.service(&["release"]);
    tenant.post("/slots/release/suspend", &json!({})).expect(201);
    tenant.sign(&service, "release", &sha256(b"x")).refused(409, "slot.suspended");
    tenant.executed("slot.resume", &json!({ "slot": "release" }));
    tenant.executed("key.revoke", &json!({ "key": slot["created"]["key"], "reason": "superseded" }));
    tenant.sign(&service, "release", &sha256(b"x")).refused(409, "key.revoked");
    tenant.verified();
}

#[test]
fn a_ledger_that_is_not_founded_takes_no_members_and_no_second_tenant_of_its_name() {
    let server = Server::shared();
    let opened = open(&server, &[DECIDING; 2]);
    let ticket = server.api().with_token(&opened.tickets[0]);
    ticket.get(&format!("/v1/tenants/{}/slots", opened.name)).refused(401, "auth.token");
    let founder = json!({});
    let again = json!({ "tenant": opened.name, "founders": [founder, founder] });
    server.operator().post("/v1/tenants", &again).refused(409, "tenant.exists");
    let alone = json!({ "tenant": "alone", "founders": [founder] });
    server.operator().post("/v1/tenants", &alone).refused(400, "tenant.founders");
}

#[test]
fn a_change_that_leaves_a_quorum_out_of_reach_is_refused() {
    let server = Server::shared();
    let tenant = Tenant::founded(&server, 3);
    let before = tenant.get("/policy").expect(200).json();
    let mut policy = before["policy"].clone();
    policy["actions"]["slot.create"]["quorum"] = json!([{ "role": "change_board", "count": 1 }]);
    let removal = json!({ "member": tenant.person(2).id });
    let role = json!({ "member": tenant.person(2).id, "role": "approver" });
    for (kind, params) in
        [("policy.set", json!({ "policy": policy })), ("member.remove", removal), ("role.revoke", role)]
    {
        let proposed = tenant.propose(tenant.person(0), "platform_admin", kind, &params);
        if proposed.status == 201 {
            let ended = tenant.approved(&proposed.json());
            assert_eq!(
                (&ended["status"], &ended["failure"]),
                (&json!("failed"), &json!("quorum.unreachable"))
            );
        } else {
            proposed.refused(409, "quorum.unreachable");
        }
    }
    assert_eq!(tenant.get("/policy").expect(200).json(), before);
    let empty = json!({ "policy": { "actions": {}, "credentials": { "hardware_only": false }, "v": 1 } });
    let proposed = tenant.propose(tenant.person(0), "platform_admin", "policy.set", &empty);
    if proposed.status == 201 {
        assert_eq!(tenant.approved(&proposed.json())["failure"], "policy.form");
    } else {
        proposed.refused(400, "policy.form");
    }
    let sane = tenant.slot_params("release", "ecdsa-p256-sha256", &signing_policy());
    tenant.executed("slot.create", &sane);
    tenant.verified();
}
