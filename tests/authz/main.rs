//! Authorisation as one table: every route of the API's own document × every kind of caller → the status.
//!
//! Requests are well-formed where that changes nothing that later rows need; elsewhere they are empty, so that a caller
//! with authority gets 400 or 404 and one without 401 or 403.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests: a panic there is the report")]

mod browsers;
mod stale;
mod table;

use std::collections::BTreeSet;

use integration::tenant::{DECIDING, in_seconds, sha256, signing_policy, text};
use integration::{Api, Server, Tenant, waiting};
use sealbook::http::token::{Token, TokenKind};
use sealbook_ledger::canonical;
use serde_json::{Value, json};
use table::{CALLERS, ROWS};
use uuid::Uuid;

/// Every caller's API, in the order of [`CALLERS`].
struct Cast {
    tenant: Tenant,
    callers: Vec<Api>,
    ids: Vec<(&'static str, String)>,
}

#[test]
fn every_route_answers_every_kind_of_caller_as_the_table_says() {
    let server = Server::shared();
    let cast = cast(&server);
    let mut wrong = Vec::new();
    for (route, expected) in ROWS {
        let (method, path) = route.split_once(' ').unwrap();
        let body = body(route);
        let path = cast.ids.iter().fold(path.to_owned(), |path, (name, id)| path.replace(name, id));
        for ((caller, api), expected) in CALLERS.iter().zip(&cast.callers).zip(expected) {
            let headers: &[_] = if body.is_null() { &[] } else { &[("content-type", "application/json")] };
            let sent = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
            let answer = api.send(&method.to_uppercase(), &path, headers, &sent);
            if answer.status != *expected {
                wrong.push(format!("{route} by {caller}: expected {expected}, {}", answer.said()));
            }
        }
    }
    assert!(wrong.is_empty(), "{} cells differ:\n{}", wrong.len(), wrong.join("\n"));
    cast.tenant.verified();
}

#[test]
fn the_table_has_every_route_of_the_document_and_no_other() {
    let server = Server::shared();
    let document = server.api().get("/openapi.json").expect(200).json();
    let mut documented = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        documented.extend(item.as_object().unwrap().keys().map(|method| format!("{method} {path}")));
    }
    let listed: BTreeSet<String> = ROWS.iter().map(|(route, _)| (*route).to_owned()).collect();
    assert_eq!(listed, documented);
    assert_eq!(listed.len(), ROWS.len(), "a route is listed twice");
}

/// A tenant in which every kind of caller exists.
fn cast(server: &Server) -> Cast {
    let single: [&[&str]; 8] = [
        &["approver"],
        &["auditor"],
        &["change_board"],
        &["incident_commander"],
        &["key_owner"],
        &["packaging_engineer"],
        &["platform_admin"],
        &["security_reviewer"],
    ];
    // Three who decide, one of each role, and two who lose theirs.
    let founders = [&[DECIDING; 3], &single[..], &[&["approver"], &["approver"]]].concat();
    let tenant = Tenant::founded_with(server, &founders);
    let mut policy = signing_policy();
    policy["callers"] = json!(["packaging_engineers", "services"]);
    let slot = tenant.executed("slot.create", &rotating(&tenant, "release", &policy));
    tenant.slot("elsewhere", "ecdsa-p256-sha256");
    let stale = expiring(&tenant);
    tenant.slot("halted", "ecdsa-p256-sha256");
    tenant.post("/slots/halted/suspend", &json!({})).expect(201);
    let halted = tenant.service(&["elsewhere"]);
    tenant.post(&format!("/services/{}/suspend", halted.id), &json!({})).expect(201);
    let certificate = requested(&tenant);
    tenant.executed("slot.create", &rotating(&tenant, "watched", &signing_policy()));
    let watched = json!({ "slot": "watched", "contain": false });
    let incident = tenant.post("/incidents", &watched).expect(201).json();
    let (with, without) =
        (tenant.service(&["certified", "release", "watched"]), tenant.service(&["elsewhere"]));
    let rotation = in_overlap(&tenant);
    let (suspended, removed) = (tenant.person(11), tenant.person(12));
    let credential = text(&suspended.credential()["credential_id"]).to_owned();
    let path = format!("/members/{}", suspended.id);
    tenant.post(&format!("{path}/credentials/{credential}/suspend"), &json!({})).expect(201);
    tenant.post(&format!("{path}/suspend"), &json!({})).expect(201);
    tenant.executed("member.remove", &json!({ "member": removed.id }));
    let open = tenant.slot_params("another", "ecdsa-p256-sha256", &signing_policy());
    let open = tenant.propose(tenant.person(0), "platform_admin", "slot.create", &open).expect(201).json();
    let size = tenant.get("").expect(200).json()["size"].as_u64().unwrap();
    tenant.get(&format!("/receipts/{}?wait_ms=10000", size - 1)).expect(200);
    waiting::until("the token to expire", || (stale.get(&tenant.path("/slots")).status == 401).then_some(()));

    let other = Tenant::founded(server, 2);
    let invited = Tenant::invited(&tenant, &["approver"]);
    let api = server.api();
    let mut callers = vec![
        api.clone(),
        api.with_token("sbt_not-a-token"),
        stale,
        suspended.api.clone(),
        removed.api.clone(),
        other.person(0).api.clone(),
        server.operator(),
        api.with_token(&tenant.tickets[0]),
        api.with_token(&invited),
        with.api.clone(),
        without.api.clone(),
    ];
    callers.extend((3..11).map(|n| tenant.person(n).api.clone()));
    let ids = vec![
        ("{tenant}", tenant.name.clone()),
        // Nobody is suspended by the rows: what they name is suspended already.
        ("{member}/suspend", format!("{}/suspend", suspended.id)),
        ("{member}/credentials", format!("{}/credentials", suspended.id)),
        ("{credential_id}", credential),
        ("{service}/suspend", format!("{}/suspend", halted.id)),
        ("{slot}/suspend", "halted/suspend".to_owned()),
        ("{member}", tenant.person(1).id.clone()),
        ("{service}", with.id),
        ("{slot}", "release".to_owned()),
        ("{key}", text(&slot["created"]["key"]).to_owned()),
        ("{action}", text(&open["action"]).to_owned()),
        ("{rotation}", rotation),
        ("{channel}", "web".to_owned()),
        ("{certificate}", certificate),
        ("{incident}", text(&incident["incident"]).to_owned()),
        ("{seq}", "0".to_owned()),
        ("{sha256}", sha256(b"no pack")),
        ("{file}", "release.crl".to_owned()),
        ("{session}", "AAAA".to_owned()),
    ];
    Cast { tenant, callers, ids }
}

/// A slot whose artifacts go to one channel, which has to move when its key is replaced.
fn rotating(tenant: &Tenant, name: &str, policy: &Value) -> Value {
    let mut params = tenant.slot_params(name, "ecdsa-p256-sha256", policy);
    params["rotation"] = json!({
        "channels": ["web"], "old_key_signs": false, "overlap_days": 7, "propose_days": 0,
        "revoke_superseded": false, "rotation_days": 90, "v": 1,
    });
    params
}

/// A slot's key and the digest of its rotation policy, which are what a rotation and a certificate are asked for with.
fn asked(tenant: &Tenant, slot: &str) -> (Value, String) {
    let shown = tenant.get(&format!("/slots/{slot}")).expect(200).json();
    let policy = canonical::to_vec(&shown["rotation"]).unwrap();
    (shown["active_key"].clone(), sha256(&policy))
}

/// A rotation that has cut over, and whose overlap has not ended.
fn in_overlap(tenant: &Tenant) -> String {
    let (old_key, policy) = asked(tenant, "release");
    let params = json!({ "slot": "release", "old_key": old_key, "policy": policy });
    let engineer = tenant.person(8);
    let proposed = tenant.propose(engineer, "packaging_engineer", "key.rotate", &params).expect(201).json();
    let id = text(&tenant.approved(&proposed)["action"]).to_owned();
    waiting::until("the cutover", || {
        let rotation = tenant.get(&format!("/rotations/{id}?wait_ms=1000")).expect(200).json();
        (rotation["state"] == "cut_over").then_some(())
    });
    id
}

/// A certificate that a CA outside was asked for.
fn requested(tenant: &Tenant) -> String {
    let mut params = tenant.slot_params("certified", "ecdsa-p256-sha256", &signing_policy());
    params["rotation"] = json!({
        "certificate": {
            "issuer": { "anchors": [sha256(b"a CA")], "kind": "outside" }, "policies": [], "required": false,
            "subject": { "common_name": "Acme" }, "usage": { "kind": "code_signing" }, "validity_days": 397,
        },
        "channels": [], "old_key_signs": false, "overlap_days": 7, "propose_days": 0,
        "revoke_superseded": false, "rotation_days": 90, "v": 1,
    });
    tenant.executed("slot.create", &params);
    let (key, policy) = asked(tenant, "certified");
    tenant.executed("certificate.issue", &json!({ "slot": "certified", "key": key, "policy": policy }));
    waiting::until("the request", || {
        let found = tenant.get("/certificates?slot=certified").expect(200).json();
        let newest = &found["certificates"][0];
        (newest["state"] == "requested").then(|| text(&newest["certificate"]).to_owned())
    })
}

/// A certificate that is for no key of the tenant.
fn foreign() -> String {
    let key = rcgen::KeyPair::generate().unwrap();
    rcgen::CertificateParams::new(Vec::new()).unwrap().self_signed(&key).unwrap().pem()
}

/// A service whose token expires in a moment.
fn expiring(tenant: &Tenant) -> Api {
    let token = Token::draw(TokenKind::Service).unwrap();
    let params = json!({
        "service": Uuid::new_v4(), "slots": ["release"], "token_sha256": token.sha256(),
        "token_expires_at": in_seconds(10),
    });
    tenant.executed("service.enroll", &params);
    tenant.anonymous().with_token(&token.reveal())
}

/// What is sent: nothing to a read, an empty object to what would change something, else what the route takes.
fn body(route: &str) -> Value {
    let digest = sha256(b"an artifact");
    match route.rsplit('/').next().unwrap() {
        _ if route.starts_with("get ") || route.starts_with("delete ") => Value::Null,
        "sign" => json!({ "digest": digest }),
        "batches" => json!({ "artifacts": [{ "name": "app.bin", "digest": digest }] }),
        "verify" => json!({ "digest": digest, "signature_b64": "AAAA" }),
        "chain" => json!({ "chain_pem": foreign() }),
        "note" => json!({ "text": "seen" }),
        "withdraw" | "reinstate" => json!({ "channel": "web" }),
        "advise" => json!({ "reference": "A-1", "text": "Wait." }),
        "close" => json!({ "outcome": "resolved" }),
        "incidents" => json!({ "slot": "watched" }),
        "drills" => json!({ "slot": "release" }),
        "evidence" => json!({
            "digest": digest, "media_type": "text/plain", "subject": { "kind": "slot", "id": "release" },
        }),
        _ => json!({}),
    }
}
