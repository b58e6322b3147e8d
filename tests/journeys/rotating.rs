//! Keys that are replaced: certificates from a CA of the ledger and from one outside, step by step, over HTTP and the
//! command line.

mod outside;

use std::fs;
use std::process::Command;

use integration::programs::{Ended, openssl, program, run};
use integration::rotating::{KEEPERS, certify, releases, root, rotate, shown, slot, step, until};
use integration::tenant::{sha256, text};
use integration::{Api, Person, Server, Service, Tenant};
use serde_json::{Value, json};

fn states(rotation: &Value) -> Vec<(&str, &str)> {
    let steps = rotation["steps"].as_array().unwrap().iter();
    steps.map(|step| (text(&step["step"]), text(&step["state"]))).collect()
}

/// Each step that is done names the event that says so, if one does.
fn proofs_hold(tenant: &Tenant, rotation: &Value) {
    for step in rotation["steps"].as_array().unwrap() {
        let kinds: &[&str] = match text(&step["step"]) {
            "proposed" => &["action.proposed"],
            "approved" => &["action.executing"],
            "key_generated" => &["key.generated"],
            "request" => &["certificate.requested"],
            "certificate" => &["certificate.imported", "certificate.issued"],
            "canary" => &["rotation.canary_recorded"],
            "cut_over" => &["rotation.cut_over"],
            "confirmed" => &["rotation.confirmed"],
            "channel_moved" => &["rotation.channel_moved"],
            "retired" => &["rotation.completed"],
            "certificate_revoked" => &["certificate.revoked"],
            "evidence_pack" => &["rep.issued"],
            _ => &[],
        };
        assert!(text(&step["sentence"]).ends_with('.'), "{step}");
        if step["state"] != "done" || kinds.is_empty() {
            continue;
        }
        let event = tenant.get(&format!("/events/{}", step["seq"])).expect(200).json();
        assert!(kinds.contains(&text(&event["event"]["type"])), "{step} {event}");
        assert_eq!(event["event"]["time"], step["time"]);
    }
}

/// `sealbook` for a tenant, as a service or a person.
fn command_line(server: &Server, tenant: &Tenant, token: Option<&Api>, arguments: &[&str]) -> Ended {
    let mut command = Command::new(program("sealbook"));
    command
        .current_dir(tenant.folder())
        .env("SEALBOOK_URL", server.url())
        .env("SEALBOOK_TENANT", &tenant.name)
        .env("SEALBOOK_STATE", tenant.folder().join("state"))
        .args(arguments);
    if let Some(token) = token.and_then(Api::token) {
        command.env("SEALBOOK_TOKEN", token);
    }
    run(&mut command)
}

fn by(server: &Server, tenant: &Tenant, person: &Person, arguments: &[&str]) -> Ended {
    let named = ["--as", person.key_file.to_str().unwrap(), "--member", &person.id];
    command_line(server, tenant, None, &[&named, arguments].concat())
}

/// A root, a slot under it that is certified, and a service that signs with it.
fn certified() -> (std::sync::Arc<Server>, Tenant, Service) {
    let server = Server::shared();
    let tenant = Tenant::founded_with(&server, &[KEEPERS; 3]);
    slot(&tenant, "root", "ecdsa-p384-sha384", root());
    certify(&tenant, "root", "active");
    slot(&tenant, "releases", "ecdsa-p256-sha256", releases());
    let service = tenant.service(&["releases"]);
    (server, tenant, service)
}

/// What the API gives out of a certificate holds for openssl, under the root that it ends in.
fn openssl_accepts(tenant: &Tenant, certificate: &Value) {
    let path = format!("/certificates/{}", text(&certificate["certificate"]));
    let request = tenant.get(&format!("{path}/request.pem")).expect(200);
    let chain = tenant.get(&format!("{path}/chain.pem")).expect(200);
    assert_eq!(chain.header("content-type"), Some("application/pem-certificate-chain"));
    let folder = tenant.folder();
    fs::write(folder.join("request.pem"), &request.body).unwrap();
    let chain = chain.text();
    let (leaf, above) = chain.split_at(chain.rfind("-----BEGIN").unwrap());
    fs::write(folder.join("leaf.pem"), leaf).unwrap();
    fs::write(folder.join("root.pem"), above).unwrap();
    let request = openssl(folder, ["req", "-in", "request.pem", "-verify", "-noout", "-subject"]).expect(0);
    assert!(request.stdout.contains("Acme Releases"), "{request:?}");
    let verify =
        ["verify", "-x509_strict", "-check_ss_sig", "-purpose", "any", "-CAfile", "root.pem", "leaf.pem"];
    openssl(folder, verify).expect(0);
    // The key is for code, and for no server.
    let other = ["verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", "root.pem", "leaf.pem"];
    assert_ne!(openssl(folder, other).code, Some(0));
    let read = openssl(folder, ["x509", "-in", "leaf.pem", "-noout", "-fingerprint", "-sha256", "-serial"])
        .expect(0);
    let read = read.stdout.replace(':', "").to_lowercase();
    for said in ["fingerprint", "serial"] {
        assert!(read.contains(text(&certificate["issued"][said])), "{said}: {read}");
    }
}

#[test]
fn a_key_with_a_certificate_is_replaced_by_quorum_and_a_client_confirms_the_new_one() {
    let (_server, tenant, service) = certified();
    let gate = || service.api.get(&tenant.path("/slots/releases/gate")).expect(200).json();
    assert_eq!(gate()["reasons"][0]["code"], "certificate.missing", "{}", gate());
    tenant.sign(&service, "releases", &sha256(b"0")).refused(409, "certificate.missing");
    let first = certify(&tenant, "releases", "active");
    let open = gate();
    assert_eq!(
        (&open["pass"], &open["certificate_age_days"], &open["rotation_interval"]),
        (&json!(true), &json!(0), &json!(90))
    );
    assert_eq!(open["certificate_fingerprint"], first["issued"]["fingerprint"]);
    let (slot, _) = shown(&tenant, "releases");
    assert_eq!(
        (&slot["certificate"]["certificate"], &slot["due_at"]),
        (&first["certificate"], &open["due_at"])
    );
    for n in 0..3_u8 {
        tenant.sign(&service, "releases", &sha256(&[n])).expect(200);
    }
    openssl_accepts(&tenant, &first);

    let id = rotate(&tenant, "releases", "key.rotate");
    let cut = until(&tenant, &id, "the cutover", |rotation| rotation["state"] == "cut_over");
    let expected = [
        ("proposed", "done"),
        ("approved", "done"),
        ("key_generated", "done"),
        ("request", "done"),
        ("certificate", "done"),
        ("canary", "done"),
        ("cut_over", "done"),
        ("overlap", "now"),
        ("confirmed", "now"),
        ("channel_moved", "now"),
        ("retired", "waiting"),
        ("certificate_revoked", "waiting"),
        ("evidence_pack", "waiting"),
    ];
    assert_eq!(states(&cut), expected);
    proofs_hold(&tenant, &cut);
    let canary = json!({ "due": 0, "signed": 3, "broken": false });
    assert_eq!((&cut["canary"], &cut["old_key"]), (&canary, &slot["active_key"]));
    let waits: Vec<_> = cut["waits_for"].as_array().unwrap().iter().map(|bar| text(&bar["code"])).collect();
    assert_eq!(waits, ["rotation.overlap", "rotation.unconfirmed", "rotation.channels"]);
    let listed = tenant.get("/rotations?open=true&slot=releases").expect(200).json();
    assert_eq!((&listed["rotations"][0]["rotation"], listed.get("next")), (&json!(id), None));
    let second = tenant.get(&format!("/certificates/{}", text(&cut["certificates"][0]))).expect(200).json();
    openssl_accepts(&tenant, &second);
    assert_eq!(gate()["certificate_fingerprint"], second["issued"]["fingerprint"]);

    confirmed_and_moved(&tenant, &service, &id);
    let last = emergency(&tenant, &service, &id, &second);
    tenant.executed("ledger.evidence_key_set", &json!({ "backend": "softhsm" }));
    for id in [id, last] {
        let reported = until(&tenant, &id, "the evidence pack", |rotation| rotation["reported"] == true);
        assert_eq!(step(&reported, "evidence_pack")["state"], "done");
        proofs_hold(&tenant, &reported);
    }
    tenant.verified();
}

/// Whoever may say so does, once; a repetition changes nothing.
fn confirmed_and_moved(tenant: &Tenant, service: &Service, id: &str) {
    let path = |rest: &str| tenant.path(&format!("/rotations/{id}{rest}"));
    let stranger = tenant.service(&["root"]);
    stranger.api.post(&path("/confirm"), &json!({})).refused(404, "rotation.unknown");
    stranger.api.get(&path("")).refused(404, "rotation.unknown");
    tenant.post(&format!("/rotations/{id}/confirm"), &json!({})).refused(403, "role.missing");
    service.api.post(&path("/channels/app-store"), &json!({})).refused(404, "channel.unknown");
    service.api.post(&path("/stop"), &json!({})).refused(403, "role.missing");
    tenant.post(&format!("/rotations/{id}/stop"), &json!({})).refused(409, "rotation.step");

    let confirmed = service.api.post(&path("/confirm"), &json!({})).expect(200).json();
    let moved = tenant.post(&format!("/rotations/{id}/channels/web"), &json!({})).expect(200).json();
    assert_eq!((&confirmed["confirmed"], &moved["channels"][0]["moved"]), (&json!(true), &json!(true)));
    assert_ne!(confirmed["version"], moved["version"]);
    proofs_hold(tenant, &moved);
    let actor = tenant.get(&format!("/events/{}", step(&moved, "confirmed")["seq"])).expect(200).json();
    assert_eq!(actor["event"]["actor"]["id"], service.id);
    assert_eq!(actor["event"]["correlation"], moved["correlation"]);
    assert_eq!(
        states(&moved)[7..11],
        [("overlap", "now"), ("confirmed", "done"), ("channel_moved", "done"), ("retired", "waiting")]
    );

    let size = || tenant.get("").expect(200).json()["size"].clone();
    let before = size();
    service.api.post(&path("/confirm"), &json!({})).expect(200);
    service.api.post(&path("/channels/web"), &json!({})).expect(200);
    assert_eq!(size(), before, "what is so already is not recorded again");
}

/// Break-glass waits for nobody, and whatever it overtakes completes.
fn emergency(tenant: &Tenant, service: &Service, overtaken: &str, certificate: &Value) -> String {
    let id = rotate(tenant, "releases", "key.rotate_emergency");
    let ended = |id: &str| until(tenant, id, "the end", |rotation| rotation["state"] == "completed");
    let done = ended(&id);
    for (name, state) in [
        ("canary", "done"),
        ("cut_over", "done"),
        ("overlap", "skipped"),
        ("confirmed", "skipped"),
        ("channel_moved", "skipped"),
        ("retired", "done"),
        ("certificate_revoked", "done"),
        ("evidence_pack", "now"),
    ] {
        assert_eq!(step(&done, name)["state"], state, "{done:#}");
    }
    proofs_hold(tenant, &done);
    let first = ended(overtaken);
    assert_eq!(
        (&step(&first, "overlap")["state"], &step(&first, "retired")["state"]),
        (&json!("skipped"), &json!("done"))
    );
    let path = format!("/certificates/{}", text(&certificate["certificate"]));
    let revoked = tenant.get(&path).expect(200).json();
    assert_eq!((&revoked["state"], &revoked["revocation_reason"]), (&json!("revoked"), &json!("superseded")));
    let gate = service.api.get(&tenant.path("/slots/releases/gate")).expect(200).json();
    assert_eq!((&gate["pass"], &gate["key"]), (&json!(true), &done["new_key"]));
    tenant.sign(service, "releases", &sha256(b"after")).expect(200);

    // The newest first, page by page.
    let page = tenant.get("/rotations?limit=1").expect(200).json();
    assert_eq!((&page["rotations"][0]["rotation"], &page["next"]), (&json!(id), &json!(id)));
    let rest = tenant.get(&format!("/rotations?limit=1&after={id}")).expect(200).json();
    assert_eq!((&rest["rotations"][0]["rotation"], rest.get("next")), (&json!(overtaken), None));
    assert!(
        tenant.get("/rotations?open=true").expect(200).json()["rotations"].as_array().unwrap().is_empty()
    );
    id
}

#[test]
fn the_command_line_shows_rotations_certificates_and_the_gate() {
    let (server, tenant, service) = certified();
    let service_says = |arguments: &[&str]| command_line(&server, &tenant, Some(&service.api), arguments);
    let closed = service_says(&["slot", "gate", "releases"]).expect(6);
    assert!(closed.stdout.contains("certificate.missing"), "{closed:?}");
    assert!(closed.stderr.contains("gate.closed"), "{closed:?}");
    let certificate = certify(&tenant, "releases", "active");
    service_says(&["slot", "gate", "releases"]).expect(0);
    let shown = service_says(&["slot", "show", "releases"]).expect(0).stdout;
    assert!(shown.contains(text(&certificate["issued"]["fingerprint"])), "{shown}");

    let id = rotate(&tenant, "releases", "key.rotate_emergency");
    let watched = service_says(&["rotation", "show", &id, "--watch"]).expect(0).stdout;
    let last = service_says(&["rotation", "show", &id[id.len() - 12..]]).expect(0).stdout;
    for said in ["[x] Cutover", "[-] Overlap", "[x] Old key retired"] {
        assert!(watched.contains(said) && last.contains(said), "{said}: {watched}\n{last}");
    }
    assert!(last.lines().all(|line| line.chars().count() <= 80), "{last}");
    let listed = service_says(&["rotation", "list", "--slot", "releases"]).expect(0).stdout;
    assert!(listed.contains(&id) && listed.contains("completed"), "{listed}");
    service_says(&["rotation", "confirm", &id]).expect(4);
    by(&server, &tenant, tenant.person(0), &["rotation", "stop", &id, "--reason", "late"]).expect(4);

    let certificates =
        service_says(&["certificate", "list", "--slot", "releases", "--json"]).expect(0).json();
    let newest = text(&certificates["certificates"][0]["certificate"]).to_owned();
    service_says(&["certificate", "chain", &newest, "--out", "chain.pem"]).expect(0);
    let chain = fs::read_to_string(tenant.folder().join("chain.pem")).unwrap();
    assert_eq!(chain.matches("-----BEGIN CERTIFICATE-----").count(), 2, "{chain}");
    let request = service_says(&["certificate", "request", &newest]).expect(0).stdout;
    assert!(request.starts_with("-----BEGIN CERTIFICATE REQUEST-----"), "{request}");
    let shown = service_says(&["certificate", "show", &newest]).expect(0).stdout;
    assert!(shown.contains("CN=Acme Root") && shown.contains("active"), "{shown}");
}
