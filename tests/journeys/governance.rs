//! Dual control over the ledger itself: its keys, its policy, its slots and their keys.

use integration::tenant::{sha256, signing_policy, text};
use integration::{Server, Tenant, waiting};
use serde_json::json;

#[test]
fn the_ledger_key_and_the_evidence_key_change_by_quorum_and_the_old_pin_still_verifies() {
    let server = Server::shared();
    let tenant = Tenant::founded(&server, 3);
    let rotated = tenant.executed("ledger.key_rotate", &json!({ "backend": "softhsm" }));
    let vkey = text(&rotated["created"]["vkey"]).to_owned();
    assert_ne!(vkey, tenant.vkey);
    assert_eq!(tenant.get("").expect(200).json()["vkey"], vkey);
    tenant.executed("ledger.evidence_key_set", &json!({ "backend": "softhsm" }));
    tenant.slot("release", "ecdsa-p256-sha256");
    tenant.verified();
}

#[test]
fn rules_that_are_not_known_and_a_recovery_without_a_standby_key_are_refused_by_their_rule() {
    let server = Server::shared();
    let tenant = Tenant::founded(&server, 3);
    let proposer = tenant.person(0);
    for (kind, params, rule) in [
        ("rules.adopt", json!({ "rules": 3 }), "rules.unknown"),
        ("rules.adopt", json!({ "rules": 2 }), "rules.unknown"),
        ("ledger.key_recover", json!({ "backend": "softhsm" }), "ledger_key.next"),
    ] {
        let proposed = tenant.propose(proposer, "platform_admin", kind, &params);
        if proposed.status == 201 {
            let ended = tenant.approved(&proposed.json());
            assert_eq!(
                (text(&ended["status"]), &ended["failure"]),
                ("failed", &json!(rule)),
                "{kind} {params}"
            );
        } else {
            assert_eq!(proposed.code(), rule, "{kind} {params}");
        }
    }
    tenant.verified();
}

#[test]
fn a_slot_changes_its_policy_and_loses_its_keys_by_quorum_or_in_an_emergency() {
    let server = Server::shared();
    let tenant = Tenant::founded(&server, 3);
    let made = tenant.slot("release", "ecdsa-p256-sha256");
    let other = tenant.slot("nightly", "ecdsa-p256-sha256");
    let service = tenant.service(&["nightly", "release"]);
    let digest = sha256(b"an artifact");
    tenant.sign(&service, "release", &digest).expect(200);

    let mut staging = signing_policy();
    staging["environments"] = json!(["staging"]);
    tenant.executed("slot.policy_set", &json!({ "slot": "release", "signing_policy": staging }));
    tenant.sign(&service, "release", &digest).refused(403, "signature.environment");

    tenant.executed("key.revoke", &json!({ "key": made["created"]["key"], "reason": "superseded" }));
    assert_eq!(tenant.get("/slots/release").expect(200).json()["status"], "revoked");
    tenant.sign(&service, "release", &digest).refused(409, "key.revoked");

    // Break-glass: the proposer's own signature fills one of the two seats.
    let params = json!({ "key": other["created"]["key"], "reason": "key_compromise" });
    let proposer = tenant.person(0);
    let action =
        tenant.propose(proposer, "platform_admin", "key.revoke_emergency", &params).expect(201).json();
    tenant.decide(tenant.person(1), "security_reviewer", "approve", &action).expect(200);
    assert_eq!(tenant.ended(&action)["status"], "executed");
    tenant.sign(&service, "nightly", &digest).refused(409, "key.revoked");
    tenant.verified();
}

#[test]
fn another_policy_voids_what_was_open_under_the_one_before() {
    let server = Server::shared();
    let tenant = Tenant::founded(&server, 3);
    let proposer = tenant.person(0);
    let waiting_slot = tenant.slot_params("release", "ecdsa-p256-sha256", &signing_policy());
    let open = tenant.propose(proposer, "platform_admin", "slot.create", &waiting_slot).expect(201).json();

    let mut policy = tenant.get("/policy").expect(200).json()["policy"].clone();
    policy["actions"]["slot.create"]["quorum"] = json!([{ "role": "security_reviewer", "count": 1 }]);
    tenant.executed("policy.set", &json!({ "policy": policy }));
    assert_eq!(tenant.get("/policy").expect(200).json()["policy"], policy);

    assert_eq!(tenant.ended(&open)["status"], "voided");
    let late = tenant.decide(tenant.person(1), "approver", "approve", &open);
    assert_eq!(late.status, 409, "{}", late.said());
    tenant.slot("release", "ecdsa-p256-sha256");
    tenant.verified();
}

#[test]
fn the_relying_party_of_approvals_changes_by_quorum_and_governs_the_next_one() {
    let server = Server::shared();
    let tenant = Tenant::founded(&server, 3);
    let mut rp = tenant.get("").expect(200).json()["approval_rp"].clone();
    let origins = json!([server.url(), "https://sealbook.example.com"]);
    rp["origins"] = origins.clone();
    tenant.executed("approval_rp.set", &json!({ "approval_rp": rp }));
    assert_eq!(tenant.get("").expect(200).json()["approval_rp"]["origins"], origins);
    tenant.slot("release", "ecdsa-p256-sha256");
    tenant.verified();
}

#[test]
fn an_action_is_rejected_by_one_person_and_taken_back_by_its_proposer_alone() {
    let server = Server::shared();
    let tenant = Tenant::founded(&server, 3);
    let proposer = tenant.person(0);
    let propose = |slot: &str| {
        let params = tenant.slot_params(slot, "ecdsa-p256-sha256", &signing_policy());
        tenant.propose(proposer, "platform_admin", "slot.create", &params).expect(201).json()
    };
    let (rejected, cancelled, expiring) = (propose("one"), propose("two"), propose("three"));
    assert!(text(&rejected["sentence"]).contains("one"), "{rejected}");
    tenant.decide(tenant.person(1), "approver", "reject", &rejected).expect(200);
    assert_eq!(tenant.action(&rejected)["status"], "rejected");
    let others = tenant.decide(tenant.person(1), "approver", "cancel", &cancelled);
    assert_eq!(others.status, 403, "{}", others.said());
    tenant.decide(proposer, "platform_admin", "cancel", &cancelled).expect(200);
    assert_eq!(tenant.action(&cancelled)["status"], "cancelled");

    let listed = |query: &str| tenant.get(&format!("/actions{query}")).expect(200).json()["actions"].clone();
    let ids = |list: serde_json::Value| -> Vec<String> {
        list.as_array().unwrap().iter().map(|action| text(&action["action"]).to_owned()).collect()
    };
    assert_eq!(ids(listed("?status=open")), [text(&expiring["action"])]);
    assert_eq!(ids(listed("?type=slot.create")).len(), 3);
    assert_eq!(ids(listed("?type=key.revoke")).len(), 0);
    let first = tenant.get("/actions?limit=2").expect(200).json();
    let rest = tenant.get(&format!("/actions?limit=2&after={}", first["next"])).expect(200).json();
    assert_eq!(ids(rest["actions"].clone()), [text(&expiring["action"])]);
    assert_eq!(tenant.get("/slots").expect(200).json()["slots"], json!([]));
    tenant.verified();
}

#[test]
fn an_action_that_nobody_approves_in_time_expires() {
    let server = Server::shared();
    let tenant = Tenant::founded(&server, 2);
    let proposer = tenant.person(0);
    let params = tenant.slot_params("release", "ecdsa-p256-sha256", &signing_policy());
    let asked = json!({ "type": "slot.create", "params": params, "reason": "soon", "expires_in_s": 1 });
    let draft = proposer.api.post(&tenant.path("/actions/draft"), &asked).expect(200).json();
    let proposal = tenant.proposal(proposer, "platform_admin", &draft);
    let action = proposer.api.post(&tenant.path("/actions"), &proposal).expect(201).json();
    waiting::until("the action to expire", || (tenant.action(&action)["status"] == "expired").then_some(()));
    let late = tenant.decide(tenant.person(1), "approver", "approve", &action);
    assert_eq!(late.status, 409, "{}", late.said());
    tenant.verified();
}
