//! Enrolment, roles for a time, authenticators, services: who may act changes by quorum.

use integration::tenant::{in_seconds, sha256, signing_policy};
use integration::{Server, Tenant};
use sealbook::http::token::{Token, TokenKind};
use serde_json::{Value, json};

fn member(tenant: &Tenant, id: &str) -> Value {
    tenant.get(&format!("/members/{id}")).expect(200).json()
}

#[test]
fn a_candidate_registers_is_enrolled_by_quorum_removed_and_shut_out() {
    let server = Server::shared();
    let mut tenant = Tenant::founded(&server, 3);
    let mut candidate = tenant.stranger();
    let ticket = tenant.invited(&["approver"]);
    let by_ticket = tenant.anonymous().with_token(&ticket);
    let body = json!({ "registration": candidate.registration(&ticket) });
    let made = by_ticket.post(&tenant.path("/candidates/register"), &body).expect(201).json();
    candidate.id = made["member"].as_str().unwrap().to_owned();
    let again = by_ticket.post(&tenant.path("/candidates/register"), &body);
    assert!(matches!(again.status, 401 | 409), "{}", again.said());

    let listed = tenant.get("/candidates").expect(200).json()["candidates"][0].clone();
    assert_eq!(listed["member"], candidate.id.as_str());
    let params = json!({
        "member": listed["member"], "credentials": [listed["credential"]], "roles": listed["roles"],
    });
    let asked = json!({
        "type": "member.enroll", "params": params, "reason": "joins", "private": { "display_name": "Dana" },
    });
    let draft = tenant.post("/actions/draft", &asked).expect(200).json();
    let proposal = tenant.proposal(tenant.person(0), "platform_admin", &draft);
    let action = tenant.post("/actions", &proposal).expect(201).json();
    assert_eq!(tenant.approved(&action)["status"], "executed");
    candidate.sign_in(&tenant.name);
    assert_eq!(member(&tenant, &candidate.id)["display_name"], "Dana");

    let id = candidate.id.clone();
    candidate.api.get(&tenant.path("/members")).expect(200);
    tenant.people.push(candidate);
    tenant.executed("member.remove", &json!({ "member": id }));
    assert_eq!(member(&tenant, &id)["status"], "removed");
    tenant.people[3].api.get(&tenant.path("/members")).refused(401, "auth.token");
    tenant.verified();
}

/// Rows that nobody ever deletes, made by whoever is a member: there is an end to them.
#[test]
fn invitations_that_hold_are_bounded_for_each_member_and_for_the_ledger() {
    let server = Server::shared();
    let tenant = Tenant::founded(&server, 3);
    let again = |n: usize| {
        let person = tenant.person(n);
        person.api.post(&tenant.path(&format!("/members/{}/invitations", person.id)), &json!({}))
    };
    for person in [1, 2] {
        for _ in 0..8 {
            again(person).expect(201);
        }
        again(person).refused(409, "invitation.member_full");
    }
    for _ in 16..200 {
        tenant.invited(&["approver"]);
    }
    let body = json!({ "display_name": "Candidate", "roles": ["approver"] });
    let full = tenant.post("/candidates", &body);
    assert!(full.text().contains("wait until some of them expire"), "{}", full.said());
    full.refused(409, "invitation.ledger_full");
    again(0).refused(409, "invitation.ledger_full");
    assert_eq!(tenant.get("/candidates").expect(200).json()["candidates"].as_array().unwrap().len(), 200);
    // Other ledgers have their own.
    Tenant::founded(&server, 2).invited(&["approver"]);
}

#[test]
fn a_delegation_holds_from_its_beginning_and_is_taken_back_by_quorum() {
    let server = Server::shared();
    let mut tenant = Tenant::founded(&server, 3);
    let auditor = tenant.enrolled(&["auditor"]);
    let id = tenant.person(auditor).id.clone();
    let grant = |from: String, to: String| json!({ "member": id, "role": "approver", "not_before": from, "not_after": to });
    let params = tenant.slot_params("release", "ecdsa-p256-sha256", &signing_policy());
    let action =
        tenant.propose(tenant.person(0), "platform_admin", "slot.create", &params).expect(201).json();
    let approve = |tenant: &Tenant| tenant.decide(tenant.person(auditor), "approver", "approve", &action);

    tenant.executed("role.grant", &grant(in_seconds(3600), in_seconds(7200)));
    approve(&tenant).refused(403, "role.missing");
    tenant.executed("role.grant", &grant(in_seconds(0), in_seconds(1800)));
    approve(&tenant).expect(200);

    tenant.executed("role.revoke", &json!({ "member": id, "role": "approver" }));
    // The quorum is judged when the action begins: an approval whose role was taken back fills no seat.
    tenant.decide(tenant.person(1), "approver", "approve", &action).expect(200);
    assert_eq!(tenant.action(&action)["status"], "open");
    tenant.decide(tenant.person(2), "approver", "approve", &action).expect(200);
    assert_eq!(tenant.ended(&action)["status"], "executed");
    tenant.verified();
}

#[test]
fn a_member_gets_a_second_authenticator_and_loses_the_first() {
    let server = Server::shared();
    let tenant = Tenant::founded(&server, 3);
    let person = tenant.person(2);
    let mut second = person.with_another_key(tenant.folder());
    second.api = tenant.anonymous().clone();
    tenant.executed("credential.add", &json!({ "member": person.id, "credential": second.credential() }));
    second.sign_in(&tenant.name);
    let params = tenant.slot_params("release", "ecdsa-p256-sha256", &signing_policy());
    let action =
        tenant.propose(tenant.person(0), "platform_admin", "slot.create", &params).expect(201).json();
    tenant.decide(&second, "approver", "approve", &action).expect(200);

    let first = json!({ "member": person.id, "credential_id": person.credential()["credential_id"] });
    let proposed =
        tenant.propose(tenant.person(0), "platform_admin", "credential.remove", &first).expect(201).json();
    tenant.decide(tenant.person(1), "approver", "approve", &proposed).expect(200);
    tenant.decide(&second, "approver", "approve", &proposed).expect(200);
    assert_eq!(tenant.ended(&proposed)["status"], "executed");
    person.api.get(&tenant.path("/members")).refused(401, "auth.token");
    let refused = tenant.decide(tenant.person(1), "approver", "approve", &action);
    assert_eq!(refused.expect(200).status, 200);
    assert_eq!(tenant.ended(&action)["status"], "executed");
    tenant.verified();
}

#[test]
fn a_suspended_member_and_credential_are_restored_by_quorum() {
    let server = Server::shared();
    let tenant = Tenant::founded(&server, 4);
    let person = tenant.person(3);
    tenant
        .post(&format!("/members/{}/suspend", person.id), &json!({ "reason": "left a laptop" }))
        .expect(201);
    person.api.get(&tenant.path("/members")).refused(401, "auth.token");
    tenant.executed("member.restore", &json!({ "member": person.id }));
    assert_eq!(member(&tenant, &person.id)["status"], "active");

    let credential = person.credential()["credential_id"].clone();
    let path = format!("/members/{}/credentials/{}/suspend", person.id, credential.as_str().unwrap());
    tenant.post(&path, &json!({})).expect(201);
    assert_eq!(member(&tenant, &person.id)["credentials"][0]["status"], "suspended");
    tenant.executed("member.restore", &json!({ "member": person.id, "credential_id": credential }));
    assert_eq!(member(&tenant, &person.id)["credentials"][0]["status"], "active");
    tenant.verified();
}

#[test]
fn a_service_changes_its_token_and_slots_is_suspended_restored_and_removed() {
    let server = Server::shared();
    let tenant = Tenant::founded(&server, 3);
    tenant.slot("one", "ecdsa-p256-sha256");
    tenant.slot("two", "ecdsa-p256-sha256");
    let mut service = tenant.service(&["one"]);
    let digest = sha256(b"an artifact");
    tenant.sign(&service, "one", &digest).expect(200);
    tenant.sign(&service, "two", &digest).refused(404, "slot.unknown");

    let token = Token::draw(TokenKind::Service).unwrap();
    let grant = json!({
        "service": service.id, "slots": ["two"],
        "token": { "sha256": token.sha256(), "expires_at": in_seconds(3600) },
    });
    tenant.executed("service.grant", &grant);
    tenant.sign(&service, "two", &digest).refused(401, "auth.token");
    service.api = tenant.anonymous().with_token(&token.reveal());
    tenant.sign(&service, "two", &digest).expect(200);
    tenant.sign(&service, "one", &digest).refused(404, "slot.unknown");

    let status = || tenant.get(&format!("/services/{}", service.id)).expect(200).json()["status"].clone();
    tenant.post(&format!("/services/{}/suspend", service.id), &json!({})).expect(201);
    tenant.sign(&service, "two", &digest).refused(401, "auth.token");
    assert_eq!(status(), "suspended");
    tenant.executed("service.restore", &json!({ "service": service.id }));
    tenant.sign(&service, "two", &digest).expect(200);
    tenant.executed("service.remove", &json!({ "service": service.id }));
    assert_eq!(status(), "removed");
    tenant.sign(&service, "two", &digest).refused(401, "auth.token");
    tenant.verified();
}
