//! Revocation lists, when the history that numbered them is lost: their numbers never go back (RFC 5280 §5.2.3).

use std::fs;

use integration::rotating::{KEEPERS, certify, releases, root, shown, slot};
use integration::server::Options;
use integration::tenant::{Service, sha256, text};
use integration::{Server, Tenant, waiting};
use serde_json::{Value, json};

use crate::alarm;
use crate::behind::copy;

/// A tenant with a root CA that has signed its first list, and a slot under it, which a service uses.
fn certified(server: &Server) -> (Tenant, Service) {
    let tenant = Tenant::founded_with(server, &[KEEPERS; 4]);
    let mut ca = root();
    ca["certificate"]["crl_url"] = json!("http://pki.example.com/crl");
    slot(&tenant, "root", "ecdsa-p256-sha256", ca);
    slot(&tenant, "releases", "ecdsa-p256-sha256", releases());
    certify(&tenant, "root", "active");
    certify(&tenant, "releases", "active");
    let service = tenant.service(&["releases"]);
    (tenant, service)
}

/// The list of the one CA.
fn newest(tenant: &Tenant) -> Value {
    tenant.get("/revocations").expect(200).json()["lists"][0].clone()
}

/// Waits for a list of the CA that names so many certificates and that anybody gets.
fn listed(tenant: &Tenant, entries: u64) -> Value {
    let list = waiting::until("the list", || {
        let list = newest(tenant);
        (list["entries"] == entries && list["state"] == "current").then_some(list)
    });
    let handed_out = tenant.anonymous().get(text(&list["path"])).expect(200);
    assert_eq!(sha256(&handed_out.body), list["sha256"]);
    list
}

/// Takes the high-water files away, as an operator does who gives a history up.
fn give_up(server: &Server) {
    for file in fs::read_dir(server.data().join("high-water")).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "high-water") {
            fs::remove_file(path).unwrap();
        }
    }
}

fn size(tenant: &Tenant) -> u64 {
    tenant.get("").expect(200).json()["size"].as_u64().unwrap()
}

fn authorized(tenant: &Tenant) -> Vec<Value> {
    let page = tenant.get("/events?type=crl.authorized&limit=100").expect(200).json();
    page["events"].as_array().unwrap().clone()
}

#[test]
fn no_list_with_a_lower_number_follows_one_that_was_handed_out_and_lost() {
    let mut server = Server::start();
    let (mut tenant, service) = certified(&server);
    let first = listed(&tenant, 0);
    let (places, before) =
        ([text(&first["path"]), &format!("/crl/{}/root.crl", tenant.name)], authorized(&tenant));
    tenant.exported();
    server.stop();
    let (cluster, older) = (server.data().join("postgres/data"), server.scratch().join("older"));
    copy(&cluster, &older);
    server.start_again();
    tenant.sign_in_again();
    let (releases, _) = shown(&tenant, "releases");
    let revoke =
        json!({ "certificate": releases["certificate"]["certificate"], "reason": "affiliation_changed" });
    tenant.executed("certificate.revoke", &revoke);
    let lost = listed(&tenant, 1)["number"].as_u64().unwrap();
    tenant.exported();
    server.stop();

    // The database is behind: nothing is said of lists, not even that there are none.
    fs::remove_dir_all(&cluster).unwrap();
    copy(&older, &cluster);
    server.start_again();
    alarm::raised(&server, &tenant.name, &tenant.origin);
    for place in places {
        tenant.anonymous().get(place).refused(500, "ledger.corrupt");
    }
    server.stop();

    // The operator gives the lost tail up. Readers hold its list, so the one before it is handed out no more.
    give_up(&server);
    let accept = vec!["--accept-missing-high-water".to_owned()];
    server.start_again_with(Options { arguments: accept, ..Options::default() });
    tenant.sign_in_again();
    assert!(size(&tenant) <= lost, "its number would come again");
    for place in places {
        tenant.anonymous().get(place).refused(503, "crl.lost");
    }
    let shown = newest(&tenant);
    assert_eq!(
        (&shown["number"], &shown["state"], &shown["lost"]),
        (&first["number"], &json!("lost"), &json!(lost))
    );
    assert!(server.logs().contains("a revocation list that was handed out is lost"));
    // Nothing is signed on the way there, and one as soon as its number is higher, without anybody asking.
    while size(&tenant) <= lost {
        assert_eq!(authorized(&tenant), before);
        tenant.sign(&service, "releases", &sha256(b"one event more")).expect(200);
    }
    let next = listed(&tenant, 0);
    assert!(next["number"].as_u64().unwrap() > lost, "{next:#}");
    // What was revoked in the lost history is revoked again.
    tenant.executed("certificate.revoke", &revoke);
    assert!(listed(&tenant, 1)["number"].as_u64() > next["number"].as_u64());
    tenant.verified();
}
