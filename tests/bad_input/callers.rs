//! Callers that are unknown, not entitled, or ask for what is not theirs.

use integration::tenant::sha256;
use integration::{Server, Tenant};
use serde_json::json;

#[test]
fn every_token_that_is_not_valid_looks_the_same() {
    let server = Server::shared();
    let tenant = Tenant::founded(&server, 2);
    tenant.slot("release", "ecdsa-p256-sha256");
    let service = tenant.service(&["release"]);
    let (session, token) = (tenant.person(1).api.clone(), service.api.token().unwrap().to_owned());
    tenant.executed("service.remove", &json!({ "service": service.id }));
    session.send("DELETE", &tenant.path("/session"), &[], b"").expect(204);
    let flipped = format!("{}{}", &token[..46], if token.ends_with('A') { 'E' } else { 'A' });
    let mut said = Vec::new();
    for token in ["", "sbt_", "sbx_x", "sbo_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", &flipped, &token] {
        for path in [tenant.path("/slots"), "/v1/tenants/no-such-tenant/slots".to_owned()] {
            let answer = server.api().with_token(token).get(&path);
            answer.refused(401, "auth.token");
            assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
            said.push(answer.json()["detail"].clone());
        }
    }
    session.get(&tenant.path("/slots")).refused(401, "auth.token");
    server.api().get(&tenant.path("/slots")).refused(401, "auth.token");
    said.dedup();
    assert_eq!(said.len(), 1, "{said:?}");
    tenant.verified();
}

#[test]
fn a_tenant_or_slot_that_is_not_the_callers_looks_as_if_it_did_not_exist() {
    let server = Server::shared();
    let (tenant, other) = (Tenant::founded(&server, 2), Tenant::founded(&server, 2));
    tenant.slot("release", "ecdsa-p256-sha256");
    tenant.slot("hidden", "ecdsa-p256-sha256");
    let service = tenant.service(&["release"]);
    let same = |a: integration::Answer, b: integration::Answer, code: &str| {
        a.refused(404, code);
        b.refused(404, code);
        assert_eq!(a.json()["detail"], b.json()["detail"]);
    };
    let stranger = &other.person(0).api;
    same(stranger.get(&tenant.path("/slots")), stranger.get("/v1/tenants/nowhere/slots"), "tenant.unknown");
    let digest = sha256(b"x");
    let (hidden, missing) =
        (tenant.sign(&service, "hidden", &digest), tenant.sign(&service, "missing", &digest));
    same(hidden, missing, "slot.unknown");
    let pubkey = |slot: &str| service.api.get(&tenant.path(&format!("/slots/{slot}/pubkey")));
    same(pubkey("hidden"), pubkey("missing"), "slot.unknown");
    tenant.verified();
}

#[test]
fn a_caller_without_the_role_is_refused_and_nothing_is_recorded_as_done() {
    let server = Server::shared();
    let mut tenant = Tenant::founded(&server, 3);
    let auditor = tenant.enrolled(&["auditor"]);
    let auditor = tenant.person(auditor);
    let draft = json!({ "type": "slot.resume", "params": { "slot": "x" }, "reason": "because" });
    auditor.api.post(&tenant.path("/actions/draft"), &draft).refused(403, "role.missing");
    auditor
        .api
        .post(&tenant.path("/candidates"), &json!({ "roles": ["approver"] }))
        .refused(403, "role.missing");
    let path = tenant.path(&format!("/members/{}/suspend", tenant.person(0).id));
    auditor.api.post(&path, &json!({})).refused(403, "containment.holder");
    tenant.slot("release", "ecdsa-p256-sha256");
    let digest = json!({ "digest": sha256(b"x") });
    let member = tenant.post("/slots/release/sign", &digest);
    assert_eq!(member.status, 403, "{}", member.said());
    tenant.verified();
}
