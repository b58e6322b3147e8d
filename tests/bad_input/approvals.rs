//! Approvals that don't count: of what changed, ended or is one's own, and assertions replayed elsewhere.

use integration::tenant::{DECIDING, signing_policy, text};
use integration::{Answer, Person, Server, Tenant, waiting};
use sealbook_ledger::webauthn::Purpose;
use serde_json::{Value, json};

fn proposed(tenant: &Tenant, slot: &str) -> Value {
    let params = tenant.slot_params(slot, "ecdsa-p256-sha256", &signing_policy());
    tenant.propose(tenant.person(0), "platform_admin", "slot.create", &params).expect(201).json()
}

/// Sends an assertion about an action under a verb.
fn send(tenant: &Tenant, by: &Person, verb: &str, action: &Value, assertion: &Value) -> Answer {
    let path = tenant.path(&format!("/actions/{}/{verb}", text(&action["action"])));
    by.api.post(&path, &json!({ "role": "approver", "assertion": assertion }))
}

#[test]
fn an_assertion_counts_for_its_own_action_tenant_purpose_and_person_alone() {
    let server = Server::shared();
    let (tenant, other) = (Tenant::founded(&server, 3), Tenant::founded(&server, 3));
    let (one, two) = (proposed(&tenant, "one"), proposed(&tenant, "two"));
    let person = tenant.person(1);
    let approval = person.sign(Purpose::Approval, &one["document"]);
    send(&tenant, person, "approve", &two, &approval).refused(403, "assertion.challenge");
    send(&tenant, person, "reject", &one, &approval).refused(403, "assertion.challenge");
    send(&tenant, tenant.person(2), "approve", &one, &approval).refused(403, "credential.unknown");
    let elsewhere = proposed(&other, "one");
    send(&other, other.person(1), "approve", &elsewhere, &approval).refused(403, "credential.unknown");
    for purpose in [Purpose::Rejection, Purpose::Proposal, Purpose::Cancellation] {
        let offered = person.sign(purpose, &one["document"]);
        send(&tenant, person, "approve", &one, &offered).refused(403, "assertion.challenge");
    }
    // A sign-in is no approval, and an approval no sign-in.
    let mut session = person.session_body(&tenant.name);
    let nonce = session.as_object_mut().unwrap().remove("nonce").unwrap();
    session.as_object_mut().unwrap().remove("member");
    send(&tenant, person, "approve", &one, &session).refused(403, "assertion.challenge");
    let mut disguised = approval.clone();
    disguised["nonce"] = nonce;
    disguised["member"] = json!(person.id);
    tenant.anonymous().post(&tenant.path("/session"), &disguised).refused(401, "session.refused");

    let mut forged = approval.clone();
    forged["signature"] = person.sign(Purpose::Approval, &two["document"])["signature"].clone();
    send(&tenant, person, "approve", &one, &forged).refused(403, "assertion.signature");
    forged["client_data_json"] = json!("e30");
    send(&tenant, person, "approve", &one, &forged).refused(403, "assertion.client_data");
    forged["client_data_json"] = json!("A".repeat(8000));
    let long = send(&tenant, person, "approve", &one, &forged);
    assert_eq!(long.status, 400, "{}", long.said());

    send(&tenant, person, "approve", &one, &approval).expect(200);
    send(&tenant, person, "approve", &one, &approval).refused(409, "approval.duplicate");
    tenant.verified();
    other.verified();
}

#[test]
fn nobody_approves_their_own_proposal_or_a_seat_that_there_is_not() {
    let server = Server::shared();
    let tenant = Tenant::founded_with(&server, &[DECIDING, DECIDING, DECIDING, &["change_board"]]);
    let action = proposed(&tenant, "release");
    tenant.decide(tenant.person(0), "approver", "approve", &action).refused(403, "approval.own");
    tenant.decide(tenant.person(1), "platform_admin", "approve", &action).refused(403, "approval.seat");
    tenant.decide(tenant.person(3), "approver", "approve", &action).refused(403, "role.missing");
    let unknown = json!({ "action": "00000000-0000-4000-8000-000000000000", "document": action["document"] });
    tenant.decide(tenant.person(1), "approver", "approve", &unknown).refused(404, "action.unknown");
    assert_eq!(tenant.action(&action)["approvals"], json!([]));
    tenant.verified();
}

#[test]
fn an_action_that_has_ended_in_whatever_way_takes_no_approval() {
    let server = Server::shared();
    let tenant = Tenant::founded(&server, 4);
    let approve = |action: &Value| tenant.decide(tenant.person(3), "approver", "approve", action);

    let finished = tenant.approved(&proposed(&tenant, "finished"));
    let rejected = proposed(&tenant, "rejected");
    tenant.decide(tenant.person(1), "approver", "reject", &rejected).expect(200);
    let cancelled = proposed(&tenant, "cancelled");
    tenant.decide(tenant.person(0), "platform_admin", "cancel", &cancelled).expect(200);
    for ended in [&finished, &rejected, &cancelled] {
        approve(ended).refused(409, "action.closed");
    }

    let params = tenant.slot_params("expired", "ecdsa-p256-sha256", &signing_policy());
    let asked = json!({ "type": "slot.create", "params": params, "reason": "soon", "expires_in_s": 1 });
    let draft = tenant.post("/actions/draft", &asked).expect(200).json();
    let proposal = tenant.proposal(tenant.person(0), "platform_admin", &draft);
    let expired = tenant.post("/actions", &proposal).expect(201).json();
    waiting::until("it to expire", || (tenant.action(&expired)["status"] == "expired").then_some(()));
    let late = approve(&expired);
    assert!(
        matches!((late.status, late.code().as_str()), (409, "action.expired" | "action.closed")),
        "{}",
        late.said()
    );

    let voided = proposed(&tenant, "voided");
    let mut policy = tenant.get("/policy").expect(200).json()["policy"].clone();
    policy["actions"]["slot.resume"]["quorum"] = json!([{ "role": "approver", "count": 1 }]);
    tenant.executed("policy.set", &json!({ "policy": policy }));
    let late = approve(&voided);
    assert!(
        matches!((late.status, late.code().as_str()), (409, "action.voided" | "action.closed")),
        "{}",
        late.said()
    );
    tenant.verified();
}

#[test]
fn a_document_that_changed_after_it_was_signed_is_no_proposal() {
    let server = Server::shared();
    let tenant = Tenant::founded(&server, 3);
    let params = tenant.slot_params("release", "ecdsa-p256-sha256", &signing_policy());
    let person = tenant.person(0);
    let draft = tenant.draft(person, "slot.create", &params).expect(200).json();
    let proposal = tenant.proposal(person, "platform_admin", &draft);
    let sent = |change: &dyn Fn(&mut Value)| {
        let mut proposal = proposal.clone();
        change(&mut proposal);
        tenant.post("/actions", &proposal)
    };
    sent(&|body| body["document"]["params"]["slot"] = json!("another")).refused(403, "assertion.challenge");
    sent(&|body| body["document"]["params"]["extra"] = json!(1)).refused(400, "request.json");
    sent(&|body| body["disclosures"] = json!([])).refused(400, "disclosure.mismatch");
    sent(&|body| body["disclosures"][0]["value"] = json!("another reason"))
        .refused(400, "disclosure.mismatch");
    sent(&|body| body["role"] = json!("emperor")).refused(400, "request.json");

    let signed_as = |change: &dyn Fn(&mut Value)| {
        let mut draft = draft.clone();
        change(&mut draft["document"]);
        tenant.post("/actions", &tenant.proposal(person, "platform_admin", &draft))
    };
    signed_as(&|document| document["origin"] = json!("sealbook.localhost/other"))
        .refused(400, "action.document");
    signed_as(&|document| document["proposed_by"] = json!(tenant.person(1).id))
        .refused(400, "action.document");
    signed_as(&|document| document["head"]["seq"] = json!(0)).refused(400, "action.head");
    let quorum = json!([{ "role": "approver", "count": 1 }]);
    let weakened = signed_as(&|document| document["quorum"] = quorum.clone());
    assert!(matches!(weakened.status, 400 | 409), "{}", weakened.said());
    weakened.code();

    tenant.post("/actions", &proposal).expect(201);
    tenant.post("/actions", &proposal).refused(409, "action.duplicate");
    tenant.verified();
}
