//! Names and texts that hide, mislead, or don't fit.

use integration::tenant::{sha256, signing_policy};
use integration::{Server, Tenant};
use serde_json::json;

/// Each with the code of its refusal as a name.
fn bad_names() -> [(String, &'static str); 9] {
    let of = |text: &str| text.to_owned();
    [
        (of(""), "text.length"),
        (of("a\nb"), "text.characters"),
        (of("a\0b"), "text.characters"),
        (of("a\u{7f}b"), "text.characters"),
        (of("gpj.\u{202e}exe"), "text.characters"),
        (of("a\u{2066}b"), "text.characters"),
        (of("\u{200f}a"), "text.characters"),
        (of("\u{1b}[31mred"), "text.characters"),
        ("n".repeat(10_000), "text.length"),
    ]
}

#[test]
fn names_and_reasons_that_hide_something_or_are_too_long_are_refused_everywhere() {
    let server = Server::shared();
    let tenant = Tenant::founded(&server, 2);
    tenant.slot("release", "ecdsa-p256-sha256");
    let service = tenant.service(&["release"]);
    let digest = sha256(b"x");
    for (name, code) in bad_names() {
        let body = json!({ "digest": digest, "artifact": { "name": name } });
        service.api.post(&tenant.path("/slots/release/sign"), &body).refused(400, code);
        let candidate = json!({ "display_name": name, "roles": ["approver"] });
        tenant.post("/candidates", &candidate).refused(400, code);
        let draft = json!({ "type": "slot.resume", "params": { "slot": "release" }, "reason": name });
        tenant.post("/actions/draft", &draft).refused(400, code);
        tenant.post("/slots/release/suspend", &json!({ "reason": name })).refused(400, code);
        let evidence = json!({
            "digest": digest, "media_type": "text/plain", "description": name,
            "subject": { "kind": "slot", "id": "release" },
        });
        tenant.post("/evidence", &evidence).refused(400, code);
        let founder = json!({ "display_name": name });
        let body = json!({ "tenant": "never-opened", "founders": [founder, founder] });
        server.operator().post("/v1/tenants", &body).refused(400, code);
    }
    // A path separator is no harm in a name that is never a path.
    let body = json!({ "digest": digest, "artifact": { "name": "dist/../../etc/passwd" } });
    service.api.post(&tenant.path("/slots/release/sign"), &body).expect(200);
    tenant.verified();
}

#[test]
fn ids_take_no_separators_capitals_or_length() {
    let server = Server::shared();
    let tenant = Tenant::founded(&server, 2);
    let long = "a".repeat(10_000);
    for name in ["a/b", "../b", "a\\b", "A", "a b", "a\nb", "a\u{202e}b", "", "-a", "a-", &long] {
        let founder = json!({});
        let body = json!({ "tenant": name, "founders": [founder, founder] });
        server.operator().post("/v1/tenants", &body).refused(400, "request.json");
        let params = tenant.slot_params(name, "ecdsa-p256-sha256", &signing_policy());
        tenant.draft(tenant.person(0), "slot.create", &params).refused(400, "request.json");
    }
    tenant.verified();
}
