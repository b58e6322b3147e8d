//! Drills: the same as an incident, on a key that was made for it, and on nothing else.

use integration::rotating::{KEEPERS, certificate, certify, rotate, rotation, shown, until};
use integration::tenant::{sha256, signing_policy, text};
use integration::{Server, Tenant, waiting};
use serde_json::{Value, json};

/// A slot that is for drills alone.
fn drill_slot(tenant: &Tenant, name: &str, algorithm: &str, policy: Value) {
    let mut params = tenant.slot_params(name, algorithm, &signing_policy());
    params["rotation_days"] = policy["rotation_days"].clone();
    params["overlap_days"] = policy["overlap_days"].clone();
    params["rotation"] = policy;
    params["drill"] = json!(true);
    tenant.executed("slot.create", &params);
}

/// A tenant with a CA for drills and a slot to practise on, both certified.
fn practising(server: &Server, algorithm: &str) -> Tenant {
    let tenant = Tenant::founded_with(server, &[KEEPERS; 4]);
    let ca =
        certificate(&json!({ "kind": "self" }), &json!({ "kind": "issuing", "path_len": 1 }), "DRILL Root");
    drill_slot(&tenant, "drill-root", "ecdsa-p256-sha256", rotation(&ca, &[]));
    let issuer = json!({ "kind": "slot", "slot": "drill-root" });
    let leaf = certificate(&issuer, &json!({ "kind": "code_signing" }), "DRILL Releases");
    drill_slot(&tenant, "drill", algorithm, rotation(&leaf, &["web"]));
    certify(&tenant, "drill-root", "active");
    certify(&tenant, "drill", "active");
    tenant
}

fn advanced(tenant: &Tenant, incident: &Value) -> Value {
    let path = format!("/incidents/{}/advance", text(&incident["incident"]));
    tenant.post(&path, &json!({})).expect(200).json()
}

fn waits(advanced: &Value) -> Vec<&str> {
    advanced["waits_for"].as_array().unwrap().iter().map(|wait| text(&wait["step"])).collect()
}

/// What people approve, in a drill as in earnest.
fn consented(tenant: &Tenant, key: &Value) {
    let rotation = rotate(tenant, "drill", "key.rotate_emergency");
    until(tenant, &rotation, "the cutover", |rotation| rotation["state"] == "completed");
    tenant.executed("key.revoke_emergency", &json!({ "key": key, "reason": "key_compromise" }));
    tenant.executed("slot.resume", &json!({ "slot": "drill" }));
}

fn what_is_refused_has_nothing_signed(tenant: &Tenant) {
    let refused = [
        (json!({ "targets": { "contained": 432_001 } }), "incident.form"),
        (json!({ "acknowledge_by": "2026-01-01T00:00:00Z" }), "incident.form"),
        (json!({ "reason": "<b>now</b>" }), "advisory.markup"),
    ];
    let asked = || {
        let page = tenant.get("/events?type=signature.authorized").expect(200).json();
        page["events"].as_array().unwrap().len()
    };
    let before = asked();
    for (mut body, code) in refused {
        body["slot"] = json!("drill");
        tenant.post("/drills", &body).refused(400, code);
    }
    assert_eq!(asked(), before);
}

#[test]
fn a_drill_goes_by_itself_to_where_people_are_asked_and_ends_in_a_statement() {
    let server = Server::shared();
    let tenant = practising(&server, "ecdsa-p256-sha256");
    tenant.executed("ledger.evidence_key_set", &json!({ "backend": "softhsm" }));
    let before = tenant.get("/drills").expect(200).json();
    assert_eq!(before["slots"][0]["slot"], "drill");
    what_is_refused_has_nothing_signed(&tenant);
    let body = json!({ "slot": "drill", "targets": { "contained": 60, "resumed": 432_000 } });
    let drill = tenant.post("/drills", &body).expect(201).json();
    assert_eq!(
        (&drill["drill"], &drill["contained"], &drill["tabletop"]),
        (&json!(true), &json!(true), &json!(false))
    );
    tenant.post("/drills", &body).refused(409, "incident.busy");

    let first = advanced(&tenant, &drill);
    assert_eq!(first["taken"], json!(["scoped", "withdrawn"]));
    assert_eq!(waits(&first), ["withdrawn", "rotated", "revoked", "resumed", "resigned", "advised"]);
    assert_eq!(first["waits_for"][1]["action_type"], "key.rotate_emergency");
    // Five samples and the request for the key's certificate.
    assert_eq!(first["incident"]["scope"]["count"], 6);
    assert_eq!(advanced(&tenant, &drill)["taken"], json!([]));

    consented(&tenant, &drill["key"]);
    let last = advanced(&tenant, &drill);
    assert_eq!(last["taken"], json!(["resigned", "withdrawn", "advised"]));
    assert_eq!(
        (&last["waits_for"], &last["incident"]["closed"]["outcome"]),
        (&json!([]), &json!("resolved"))
    );
    let contained = &last["incident"]["steps"][0];
    assert_eq!((&contained["target"], &contained["met"]), (&json!(60), &json!(true)));
    // Its certificate stands on a list of the drill's own CA.
    let (ca, _) = shown(&tenant, "drill-root");
    waiting::until("the drill's list", || {
        let all = tenant.get("/revocations").expect(200).json();
        let mut lists = all["lists"].as_array().unwrap().iter();
        lists.any(|list| list["key"] == ca["active_key"] && list["entries"] == 1).then_some(())
    });
    let after = tenant.get("/drills").expect(200).json();
    assert!(text(&after["due"]) > text(&before["due"]), "{after}");
    let path = format!("/incidents/{}", text(&drill["incident"]));
    waiting::until("the statement", || {
        (tenant.get(&path).expect(200).json()["reported"] == true).then_some(())
    });
    tenant.verified();
}

#[test]
fn a_tabletop_drill_waits_at_each_step_for_the_people() {
    let server = Server::shared();
    let tenant = practising(&server, "ed25519");
    let drill = tenant.post("/drills", &json!({ "slot": "drill", "tabletop": true })).expect(201).json();
    assert_eq!(advanced(&tenant, &drill)["taken"], json!(["scoped"]));
    assert_eq!(advanced(&tenant, &drill)["taken"], json!(["withdrawn"]));
    assert_eq!(advanced(&tenant, &drill)["taken"], json!([]));
    consented(&tenant, &drill["key"]);
    for step in ["resigned", "withdrawn", "advised"] {
        assert_eq!(advanced(&tenant, &drill)["taken"], json!([step]));
    }
    let closed = advanced(&tenant, &drill);
    assert_eq!(
        (&closed["taken"], &closed["incident"]["closed"]["outcome"]),
        (&json!([]), &json!("resolved"))
    );
    tenant.verified();
}

#[test]
fn no_drill_touches_a_key_that_counts_and_no_key_for_drills_signs_what_counts() {
    let server = Server::shared();
    let tenant = practising(&server, "ecdsa-p256-sha256");
    tenant.slot("releases", "ecdsa-p256-sha256");
    let service = tenant.service(&["releases", "drill"]);
    tenant.post("/drills", &json!({ "slot": "releases" })).refused(403, "incident.drill");
    tenant.post("/incidents", &json!({ "slot": "drill" })).refused(403, "incident.drill");
    let drill = tenant.post("/drills", &json!({ "slot": "drill" })).expect(201).json();
    advanced(&tenant, &drill);
    consented(&tenant, &drill["key"]);
    advanced(&tenant, &drill);
    // Whoever may sign with both gets nothing of the drill's, and everything of the other.
    let body = json!({ "digest": sha256(b"an artifact"), "artifact": { "name": "app", "version": "1.0" } });
    service.api.post(&tenant.path("/slots/drill/sign"), &body).refused(403, "slot.purpose");
    tenant.sign(&service, "releases", &sha256(b"an artifact")).expect(200);
    let (releases, _) = shown(&tenant, "releases");
    let key = tenant.get(&format!("/keys/{}", text(&releases["active_key"]))).expect(200).json();
    assert_eq!(key["state"], "active");
    let incidents = tenant.get("/incidents?slot=releases").expect(200).json();
    assert_eq!(incidents["incidents"], json!([]));
    tenant.verified();
}
