//! Keys and certificates that are not to be believed any more: what CAs' lists say, and what openssl makes of them.

use std::fs;
use std::time::{Duration, Instant};

use integration::programs::{Ended, openssl};
use integration::rotating::{KEEPERS, certify, releases, root, shown, slot};
use integration::tenant::{sha256, text};
use integration::{Answer, Server, Tenant, waiting};
use serde_json::{Value, json};

/// Within which a revocation stands on its CA's list.
const LISTED_WITHIN: Duration = Duration::from_secs(5);

/// A tenant with a root CA and a slot under it, both certified.
fn certified(server: &Server) -> Tenant {
    let tenant = Tenant::founded_with(server, &[KEEPERS; 4]);
    let mut ca = root();
    ca["certificate"]["crl_url"] = json!(format!("http://pki.example.com/crl/{}/root", tenant.name));
    slot(&tenant, "root", "ecdsa-p256-sha256", ca);
    slot(&tenant, "releases", "ecdsa-p256-sha256", releases());
    certify(&tenant, "root", "active");
    certify(&tenant, "releases", "active");
    tenant
}

/// A list as anybody fetches it.
fn fetched(tenant: &Tenant, path: &str) -> Answer {
    tenant.anonymous().get(path)
}

fn newest(tenant: &Tenant, key: &Value) -> Value {
    let all = tenant.get("/revocations").expect(200).json();
    let mut lists = all["lists"].as_array().unwrap().iter();
    lists.find(|list| list["key"] == *key).cloned().unwrap_or(Value::Null)
}

/// Waits until a key's newest list names so many certificates.
fn listed(tenant: &Tenant, key: &Value, entries: u64) -> Value {
    waiting::until("the list", || {
        let list = newest(tenant, key);
        (list["entries"] == entries && list["complete"] == true).then_some(list)
    })
}

/// Puts list, leaf and root into the tenant's folder, for openssl.
fn put(tenant: &Tenant, list: &Value) {
    let folder = tenant.folder();
    let der = fetched(tenant, text(&list["path"])).expect(200);
    assert_eq!(sha256(&der.body), list["sha256"]);
    fs::write(folder.join("list.der"), &der.body).unwrap();
    let pem = fetched(tenant, &format!("{}.pem", text(&list["path"]))).expect(200);
    assert_eq!(pem.header("content-type"), Some("application/x-pem-file"));
    fs::write(folder.join("list.pem"), &pem.body).unwrap();
    let (slot, _) = shown(tenant, "releases");
    let certificates = tenant.get(&format!("/certificates?key={}", text(&slot["active_key"])));
    let id = text(&certificates.expect(200).json()["certificates"][0]["certificate"]).to_owned();
    let chain = tenant.get(&format!("/certificates/{id}/chain.pem")).expect(200).text();
    let (leaf, above) = chain.split_at(chain.rfind("-----BEGIN").unwrap());
    fs::write(folder.join("leaf.pem"), leaf).unwrap();
    fs::write(folder.join("root.pem"), above).unwrap();
}

fn checked(tenant: &Tenant) -> Ended {
    let verify =
        ["verify", "-x509_strict", "-crl_check", "-CRLfile", "list.pem", "-CAfile", "root.pem", "leaf.pem"];
    openssl(tenant.folder(), verify)
}

fn read(tenant: &Tenant) -> String {
    let read =
        ["crl", "-inform", "DER", "-in", "list.der", "-CAfile", "root.pem", "-verify", "-noout", "-text"];
    let read = openssl(tenant.folder(), read).expect(0);
    assert!(read.stderr.contains("verify OK"), "{read:?}");
    read.stdout
}

#[test]
fn a_revoked_key_stands_on_its_cas_list_within_seconds_and_openssl_agrees() {
    let server = Server::shared();
    let tenant = certified(&server);
    let service = tenant.service(&["releases"]);
    let signed = tenant.sign(&service, "releases", &sha256(b"before")).expect(200).json();
    let ((ca, _), (releases, _)) = (shown(&tenant, "root"), shown(&tenant, "releases"));
    let (ca, key) = (&ca["active_key"], &releases["active_key"]);
    let before = listed(&tenant, ca, 0);
    put(&tenant, &before);
    checked(&tenant).expect(0);
    assert!(read(&tenant).contains("No Revoked Certificates"));
    let leaf = openssl(tenant.folder(), ["x509", "-in", "leaf.pem", "-noout", "-text"]).expect(0);
    let place = format!("URI:http://pki.example.com/crl/{}/root/{}.crl", tenant.name, text(ca));
    assert!(leaf.stdout.contains(&place), "{}", leaf.stdout);

    let since = text(&signed["time"]).to_owned();
    let revoke = json!({ "key": key, "reason": "key_compromise", "compromised_since": since });
    tenant.executed("key.revoke", &revoke);
    let began = Instant::now();
    let after = listed(&tenant, ca, 1);
    assert!(began.elapsed() < LISTED_WITHIN, "listed after {:?}", began.elapsed());
    assert!(after["number"].as_u64() > before["number"].as_u64());
    put(&tenant, &after);
    let refused = checked(&tenant);
    assert!(refused.code != Some(0) && refused.stderr.contains("certificate revoked"), "{refused:?}");
    let said = read(&tenant);
    for part in ["Key Compromise", "Invalidity Date", "X509v3 CRL Number", "2.5.29.60"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(said.contains(&format!("{}", after["number"])), "{said}");
    the_view_says_the_same(&tenant, key, ca);
    destroyed(&tenant, key, &signed);
    tenant.verified();
}

/// Each row cites its event and proves it.
fn the_view_says_the_same(tenant: &Tenant, key: &Value, ca: &Value) {
    let all = tenant.get("/revocations?receipts=true").expect(200).json();
    let rows = all["revoked"].as_array().unwrap();
    let of = |what: &str| rows.iter().find(|row| row["what"] == what).unwrap();
    let (revoked, certificate) = (of("key"), of("certificate"));
    assert_eq!((&revoked["key"], &certificate["key"], &certificate["listed_by"]), (key, key, ca));
    for row in [revoked, certificate] {
        assert_eq!((&row["revocation_reason"], &row["reason_code"]), (&json!("key_compromise"), &json!(1)));
        assert_eq!(row["revoked_by"], json!(tenant.person(0).id));
        assert_eq!(row["seq"], revoked["seq"], "one event takes both");
        let receipt = tenant.get(&format!("/receipts/{}?wait_ms=5000", row["seq"])).expect(200).text();
        assert!(receipt.starts_with("c2sp.org/tlog-proof@v1\n"), "{receipt}");
        let event = tenant.get(&format!("/events/{}", row["seq"])).expect(200).json();
        assert_eq!(event["event"]["type"], "key.revoked");
    }
    let sealed = tenant.get("/revocations?receipts=true").expect(200).json();
    let inline = text(&sealed["revoked"][0]["receipt"]).to_owned();
    assert!(inline.starts_with("c2sp.org/tlog-proof@v1\n"), "{inline}");
}

/// The device forgets the key; what it signed is still verified, and nobody takes its absence for a loss.
fn destroyed(tenant: &Tenant, key: &Value, signed: &Value) {
    let destroyed = tenant.executed("key.destroy", &json!({ "key": key }));
    assert_eq!(destroyed["status"], "executed");
    let path = format!("/keys/{}", text(key));
    assert_eq!(tenant.get(&path).expect(200).json()["state"], "destroyed_compromised");
    let again = tenant.draft(tenant.person(0), "key.destroy", &json!({ "key": key })).expect(200).json();
    let proposal = tenant.proposal(tenant.person(0), "security_reviewer", &again);
    let refused = tenant.person(0).api.post(&tenant.path("/actions"), &proposal);
    refused.refused(409, "key.destroyed");
    let verify = json!({ "signature": signed["signature"], "digest": signed["digest"], "key": key });
    let path = tenant.path("/slots/releases/verify");
    let answer = tenant.person(0).api.post(&path, &verify);
    assert!(answer.status < 500, "{}", answer.text());
}

#[test]
fn lists_are_for_everybody_and_say_for_how_long_they_may_be_kept() {
    let server = Server::shared();
    let tenant = certified(&server);
    let (ca, _) = shown(&tenant, "root");
    let list = listed(&tenant, &ca["active_key"], 0);
    let answer = fetched(&tenant, &format!("/crl/{}/root.crl", tenant.name)).expect(200);
    assert_eq!(answer.header("content-type"), Some("application/pkix-crl"));
    assert_eq!(sha256(&answer.body), list["sha256"]);
    assert_eq!(answer.header("cache-control"), Some("public, max-age=60"));
    assert!(answer.header("last-modified").is_some());
    let tag = answer.header("etag").unwrap().to_owned();
    let path = text(&list["path"]);
    let known = tenant.anonymous().send("GET", path, &[("if-none-match", &tag)], b"");
    assert_eq!((known.status, known.body.len()), (304, 0));
    let key = text(&list["key"]);
    for nothing in [
        format!("/crl/{}/releases.crl", tenant.name),
        format!("/crl/{}/root.der", tenant.name),
        format!("/crl/{}/releases/{key}.crl", tenant.name),
        format!("/crl/nobody/root/{key}.crl"),
        format!("/crl/{}/root/{}.crl", tenant.name, uuid::Uuid::new_v4()),
        "/crl/%2e%2e/root.crl".to_owned(),
    ] {
        fetched(&tenant, &nothing).refused(404, "path.unknown");
    }
    // Who may not read the ledger learns nothing else.
    fetched(&tenant, &tenant.path("/revocations")).refused(401, "auth.token");
    let service = tenant.service(&["releases"]);
    assert_eq!(service.api.get(&tenant.path("/revocations")).status, 403);
}

#[test]
fn a_certificate_is_revoked_alone_and_a_ca_is_destroyed_after_its_last_list() {
    let server = Server::shared();
    let tenant = certified(&server);
    let (ca, _) = shown(&tenant, "root");
    let (releases, _) = shown(&tenant, "releases");
    let ca = &ca["active_key"];
    let certificate = &releases["certificate"]["certificate"];
    let revoke = json!({ "certificate": certificate, "reason": "affiliation_changed" });
    tenant.executed("certificate.revoke", &revoke);
    let list = listed(&tenant, ca, 1);
    put(&tenant, &list);
    assert!(read(&tenant).contains("Affiliation Changed"));
    let (slot, _) = shown(&tenant, "releases");
    assert_eq!(slot["active_key"], releases["active_key"], "the key goes on");
    // With nothing left that it signed in force, the CA is given up.
    tenant.executed("key.revoke", &json!({ "key": ca, "reason": "cessation_of_operation" }));
    tenant.executed("key.destroy", &json!({ "key": ca }));
    let last = newest(&tenant, ca);
    assert_eq!((last["entries"].as_u64(), last.get("next_update")), (Some(1), None));
    put(&tenant, &last);
    let said = read(&tenant);
    assert!(said.contains("Dec 31 23:59:59 9999 GMT"), "{said}");
    tenant.verified();
}
