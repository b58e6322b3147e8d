//! Containment needs one person, lifting it a quorum.

use integration::tenant::sha256;
use integration::{Server, Tenant};
use serde_json::json;

#[test]
fn one_person_suspends_a_slot_and_a_quorum_resumes_it() {
    let server = Server::shared();
    let tenant = Tenant::founded(&server, 3);
    tenant.slot("release", "ecdsa-p256-sha256");
    let service = tenant.service(&["release"]);
    let digest = sha256(b"an artifact");
    tenant.sign(&service, "release", &digest).expect(200);

    let suspended = tenant.post("/slots/release/suspend", &json!({ "reason": "a strange signature" }));
    let suspended = suspended.expect(201).json();
    assert_eq!(suspended.get("lapses_at"), None);
    tenant.sign(&service, "release", &digest).refused(409, "slot.suspended");
    tenant.post("/slots/release/suspend", &json!({})).refused(409, "suspension.duplicate");
    let event = tenant.get(&format!("/events/{}", suspended["seq"])).expect(200).json();
    assert_eq!(event["event"]["type"], "slot.suspended");
    assert_eq!(event["disclosures"]["reason"], "a strange signature");

    tenant.executed("slot.resume", &json!({ "slot": "release" }));
    tenant.sign(&service, "release", &digest).expect(200);
    tenant.verified();
}

#[test]
fn a_suspension_that_nobody_could_get_lifted_lapses_after_three_days() {
    let server = Server::shared();
    let tenant = Tenant::founded(&server, 2);
    let suspended = tenant.post(&format!("/members/{}/suspend", tenant.person(1).id), &json!({}));
    assert!(suspended.expect(201).json()["lapses_at"].is_string());
    tenant.verified();
}
