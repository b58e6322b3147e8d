//! Certificates of a CA outside: the request goes out, the chain comes in, and only the right one.

use std::fs;

use integration::outside_ca::Ca;
use integration::programs::openssl;
use integration::rotating::{KEEPERS, certify, connector, rotate, slot, step, until};
use integration::tenant::{sha256, text};
use integration::{Server, Tenant};
use serde_json::json;

use super::{by, proofs_hold};

#[test]
fn the_chain_of_a_ca_outside_is_taken_if_it_is_for_this_key_and_ends_in_the_anchor() {
    let server = Server::shared();
    let tenant = Tenant::founded_with(&server, &[KEEPERS, KEEPERS, KEEPERS, &["approver"]]);
    let (ca, other) = (Ca::new(tenant.folder(), "ca"), Ca::new(tenant.folder(), "other-ca"));
    slot(&tenant, "connector", "ecdsa-p256-sha256", connector(&ca.fingerprint()));
    let requested = certify(&tenant, "connector", "requested");
    let path = format!("/certificates/{}", text(&requested["certificate"]));
    let request = tenant.get(&format!("{path}/request.pem")).expect(200).text();
    tenant.get(&format!("{path}/chain.pem")).refused(409, "certificate.step");
    let verify = ["req", "-in", "asked.pem", "-verify", "-noout"];
    let good = ca.issue(&request, 397);
    openssl(tenant.folder(), verify).expect(0);

    let bring = |chain: &str| tenant.post(&format!("{path}/chain"), &json!({ "chain_pem": chain }));
    bring(&ca.issue(&ca.foreign_request(), 397)).refused(400, "certificate.key");
    bring(&other.issue(&request, 397)).refused(400, "certificate.chain");
    bring(&ca.issue(&request, 398)).refused(400, "certificate.dates");
    bring("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").refused(400, "certificate.chain");
    let key = fs::read_to_string(tenant.folder().join("ca.key")).unwrap();
    bring(&format!("{good}{key}")).refused(400, "certificate.chain");
    let body = json!({ "chain_pem": good });
    let by_approver = tenant.person(3).api.post(&tenant.path(&format!("{path}/chain")), &body);
    by_approver.refused(403, "role.missing");
    let service = tenant.service(&["connector"]);
    service.api.post(&tenant.path(&format!("{path}/chain")), &body).refused(403, "role.missing");
    assert_eq!(tenant.get(&path).expect(200).json()["state"], "requested");

    let taken = bring(&good).expect(200).json();
    assert_eq!((&taken["state"], &taken["issued"]["issuer"]), (&json!("active"), &json!("CN=A CA outside")));
    assert_eq!(bring(&good).expect(200).json(), taken, "the same chain again changes nothing");
    bring(&ca.issue(&request, 396)).refused(409, "certificate.step");
    assert_eq!(tenant.get(&format!("{path}/chain.pem")).expect(200).text(), good);
    fs::write(tenant.folder().join("leaf.pem"), &good).unwrap();
    let verify = ["verify", "-x509_strict", "-purpose", "sslclient", "-CAfile", "ca.pem", "leaf.pem"];
    openssl(tenant.folder(), verify).expect(0);
    tenant.sign(&service, "connector", &sha256(b"a message")).expect(200);
    stopped_and_rotated(&server, &tenant, &ca);
    tenant.verified();
}

/// A rotation waits for its chain: one person stops it, and another that gets its chain goes on.
fn stopped_and_rotated(server: &Server, tenant: &Tenant, ca: &Ca<'_>) {
    let waits = |id: &str| {
        until(tenant, id, "the request", |rotation| step(rotation, "certificate")["state"] == "now")
    };
    let id = rotate(tenant, "connector", "key.rotate");
    let waiting = waits(&id);
    assert!(text(&step(&waiting, "certificate")["sentence"]).contains("CA outside"), "{waiting:#}");
    let path = tenant.path(&format!("/rotations/{id}/stop"));
    tenant.person(3).api.post(&path, &json!({})).refused(403, "containment.holder");
    let stopped = tenant.post(&format!("/rotations/{id}/stop"), &json!({ "reason": "the wrong week" }));
    let stopped = stopped.expect(200).json();
    assert_eq!(
        (&stopped["state"], &stopped["failure"]["code"]),
        (&json!("failed"), &json!("rotation.stopped"))
    );
    assert_eq!(stopped["failure"]["reason"], "the wrong week");
    assert_eq!(step(&stopped, "request")["state"], "done");
    assert_eq!(step(&stopped, "certificate")["state"], "failed");
    assert_eq!(step(&stopped, "canary")["state"], "skipped");
    proofs_hold(tenant, &stopped);
    let service = tenant.service(&["connector"]);
    let seen = service.api.get(&tenant.path(&format!("/rotations/{id}"))).expect(200).json();
    assert_eq!((&seen["state"], seen["failure"].get("reason")), (&json!("failed"), None));

    let id = rotate(tenant, "connector", "key.rotate");
    let certificate = text(&waits(&id)["certificates"][0]).to_owned();
    let keeper = tenant.person(0);
    by(server, tenant, keeper, &["certificate", "request", &certificate, "--out", "request.pem"]).expect(0);
    let request = fs::read_to_string(tenant.folder().join("request.pem")).unwrap();
    fs::write(tenant.folder().join("chain.pem"), ca.issue(&request, 397)).unwrap();
    by(server, tenant, keeper, &["certificate", "import", &certificate, "chain.pem"]).expect(0);
    let cut = until(tenant, &id, "the cutover", |rotation| rotation["state"] == "cut_over");
    assert_eq!(step(&cut, "confirmed")["state"], "now");
    proofs_hold(tenant, &cut);
}
