//! Foundings whose policy is not the default one, and tickets that were lost on their way.

use integration::tenant::{DECIDING, Opened, Tenant, open, open_with, text};
use integration::{Person, Server};
use sealbook::ceremony::RULES;
use sealbook_ledger::policy::LedgerPolicy;
use serde_json::{Value, json};

fn default_policy() -> Value {
    serde_json::to_value(LedgerPolicy::default_for(3, RULES)).unwrap()
}

fn founding(server: &Server, opened: &Opened) -> Value {
    let path = format!("/v1/tenants/{}/founding", opened.name);
    server.api().with_token(&opened.tickets[0]).get(&path).expect(200).json()
}

#[test]
fn a_founding_that_demands_hardware_refuses_a_software_authenticator_at_once_also_after_a_restart() {
    let mut server = Server::start();
    let rules = json!({ "credentials": { "hardware_only": true } });
    let opened = open_with(&server, &[DECIDING; 3], &rules);
    let told = "Only attested hardware authenticators that can't be backed up are accepted.";
    assert_eq!(founding(&server, &opened)["policy_deviations"], json!([told]));
    for _ in 0..2 {
        let person = Person::new(server.scratch(), &server.api(), &server.url());
        let body = json!({ "registration": person.registration(&opened.tickets[0]) });
        let path = format!("/v1/tenants/{}/founding/candidates", opened.name);
        let refused = server.api().with_token(&opened.tickets[0]).post(&path, &body).expect(403);
        assert_eq!(refused.code(), "credential.policy");
        server.stop();
        server.start_again();
    }
    let shown = founding(&server, &opened);
    assert_eq!((text(&shown["state"]), &shown["policy_deviations"]), ("collecting", &json!([told])));
}

#[test]
fn founders_sign_the_policy_that_the_tenant_was_opened_with() {
    let server = Server::shared();
    let mut policy = default_policy();
    policy["actions"]["slot.create"]["quorum"] = json!([{ "count": 1, "role": "approver" }]);
    let opened = open_with(&server, &[DECIDING; 3], &json!({ "policy": policy }));
    let told = founding(&server, &opened)["policy_deviations"].clone();
    assert_eq!(told.as_array().map(Vec::len), Some(1), "{told}");
    assert!(text(&told[0]).starts_with("slot.create takes 1 approver, by default "), "{told}");
    let tenant = Tenant::found(&server, opened);
    assert_eq!(tenant.get("/policy").expect(200).json()["policy"], policy);
    let action = tenant.slot("release", "ecdsa-p256-sha256");
    assert_eq!(action["seats"].as_array().map(Vec::len), Some(1));
    tenant.verified();
}

#[test]
fn a_policy_that_no_founding_could_end_well_with_is_refused_before_anything_is_opened() {
    let server = Server::shared();
    let refused = |more: &Value| {
        let founders = json!([{ "roles": DECIDING }, { "roles": DECIDING }, { "roles": DECIDING }]);
        let mut body = json!({ "tenant": "refused-policy", "founders": founders });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let answer = server.operator().post("/v1/tenants", &body);
        (answer.status, answer.code())
    };
    let mut uncovered = default_policy();
    uncovered["actions"].as_object_mut().unwrap().remove("slot.create");
    let mut seats = default_policy();
    seats["actions"]["slot.create"]["quorum"] = json!([{ "count": 3, "role": "approver" }]);
    let mut unknown = default_policy();
    unknown["actions"]["slot.devour"] = unknown["actions"]["slot.create"].clone();
    for (more, status, code) in [
        (json!({ "policy": uncovered }), 400, "policy.form"),
        (json!({ "policy": seats }), 409, "quorum.unreachable"),
        (json!({ "policy": unknown }), 400, "request.json"),
        (json!({ "policy": {} }), 400, "request.json"),
        (json!({ "credentials": { "aaguids": [] } }), 400, "policy.form"),
        (json!({ "credentials": { "hardware": true } }), 400, "request.json"),
    ] {
        assert_eq!(refused(&more), (status, code.to_owned()), "{more}");
    }
    let tenants = server.operator().get("/v1/tenants").expect(200).json();
    assert!(!tenants.to_string().contains("refused-policy"));
}

#[test]
fn lost_tickets_are_issued_again_and_the_old_ones_are_void() {
    let server = Server::shared();
    let mut opened = open(&server, &[DECIDING; 2]);
    let lost = opened.tickets[0].clone();
    let path = format!("/v1/tenants/{}/tickets", opened.name);
    let again = server.operator().post(&path, &json!({})).expect(200).json();
    assert_eq!((&again["vkey"], &again["origin"]), (&opened.answer["vkey"], &opened.answer["origin"]));
    let tickets = again["tickets"].as_array().unwrap().iter();
    opened.tickets = tickets.map(|ticket| text(&ticket["ticket"]).to_owned()).collect();
    assert_eq!(opened.tickets.len(), 2);
    let shown = format!("/v1/tenants/{}/founding", opened.name);
    server.api().with_token(&lost).get(&shown).expect(401);
    let tenant = Tenant::found(&server, opened);
    assert_eq!(server.operator().post(&path, &json!({})).expect(409).code(), "founding.done");
    tenant.verified();
}
