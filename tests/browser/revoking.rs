//! Revocations: proposed and decided in browsers, told with the list that says so; keys that are destroyed; certificates that
//! never come.

use integration::outside_ca::Ca;
use integration::rotating::{KEEPERS, certify, connector, releases, root, rotate, shown, slot, until};
use integration::tenant::text;
use integration::{Server, Tenant, waiting};
use serde_json::{Value, json};

use crate::support::{Browser, walk};

/// The newest list of a tenant's only CA, once it names so many certificates.
fn list(tenant: &Tenant, entries: u64) -> Value {
    waiting::until("the list", || {
        let list = tenant.get("/revocations").expect(200).json()["lists"][0].take();
        (list["entries"] == entries && list["complete"] == true).then_some(list)
    })
}

/// How pages call a key: by the end of its id.
fn short(key: &Value) -> String {
    let key = text(key);
    format!("…{}", &key[key.len() - 8..])
}

/// The third person takes the seat that is left of this page's action, out of sight.
fn approved_besides(tenant: &Tenant, browser: &Browser) {
    let id = browser.path().rsplit('/').next().unwrap().to_owned();
    let action = tenant.get(&format!("/actions/{id}")).expect(200).json();
    let mut seats = action["seats"].as_array().unwrap().iter();
    let left = seats.find(|seat| seat.get("filled_by").is_none()).expect("a seat that is left");
    tenant.decide(tenant.person(2), text(&left["role"]), "approve", &action).expect(200);
    assert_eq!(tenant.ended(&action)["status"], "executed");
}

#[test]
fn a_key_is_revoked_by_people_and_the_page_tells_it_with_the_list_that_says_so() {
    let server = Server::shared();
    let tenant = Tenant::founded_with(&server, &[KEEPERS; 3]);
    walk("revoking", |[ada, ben]| {
        ada.signs_in(&server, tenant.person(0));
        ben.signs_in(&server, tenant.person(1));
        ada.visits(&server, &tenant, "/revocations");
        ada.sees("A revocation says: do not believe this any more");
        ada.looks("no-ca-yet");

        // The page follows the ledger.
        let mut ca = root();
        ca["certificate"]["crl_url"] = json!("http://pki.example.com/crl/root");
        slot(&tenant, "root", "ecdsa-p256-sha256", ca);
        slot(&tenant, "releases", "ecdsa-p256-sha256", releases());
        certify(&tenant, "root", "active");
        certify(&tenant, "releases", "active");
        let before = list(&tenant, 0);
        ada.sees("Nothing is revoked");
        ada.sees("Lists are complete");
        ada.sees(&format!("List {}", before["number"]));
        ada.looks("nothing-revoked");

        let (releases, _) = shown(&tenant, "releases");
        let key = &releases["active_key"];
        ada.visits(&server, &tenant, "/slots/releases");
        ada.click(&format!("Propose to revoke {}", short(key)));
        ada.arrives("the form", |path| path.ends_with("/propose/key.revoke"));
        ada.choose("Why it is revoked", "somebody else may hold or have used it");
        ada.at_moment("Suspected since (optional)", -1);
        let sentence = ada.proposes("Its host was imaged by an unknown session.", "revocation");
        ben.approves(&server, &tenant, &sentence);
        approved_besides(&tenant, ada);

        let after = list(&tenant, 1);
        assert!(after["number"].as_u64() > before["number"].as_u64());
        ada.visits(&server, &tenant, "/revocations");
        ada.sees("One key and one certificate are not to be believed");
        ada.sees(&format!("On list {} of root", after["number"]));
        ada.sees("Somebody else may hold or have used it · in RFC 5280 keyCompromise (1)");
        ada.sees("Asked for by Founder 1");
        ada.sees(&format!("http://pki.example.com/crl/root/{}.crl", text(&after["key"])));
        ada.looks("revoked");
        destroys(&server, &tenant, (ada, ben), key);
    });
    tenant.verified();
}

/// From the revoked key's row to its slot, and from there to its end.
fn destroys(server: &Server, tenant: &Tenant, (ada, ben): (&Browser, &Browser), key: &Value) {
    ada.click(&short(key));
    ada.arrives("the slot", |path| path.ends_with("/slots/releases"));
    ada.sees("Who asked, and which list says so");
    ada.looks("slot-of-revoked-key");
    ada.click(&format!("Propose to destroy {}", short(key)));
    ada.arrives("the form", |path| path.ends_with("/propose/key.destroy"));
    let chosen = ada.run("return document.querySelector('select[data-name=key]').value", &[]);
    assert_eq!(chosen, *key);
    let sentence = ada.proposes("Nobody is to use it again.", "destruction");
    assert!(sentence.contains(text(key)), "{sentence}");
    ben.approves(server, tenant, &sentence);
    approved_besides(tenant, ada);
    ada.visits(server, tenant, "/slots/releases");
    ada.sees("Compromised, destroyed");
    ada.sees("its device holds it no longer");
    assert!(ada.control(&format!("Propose to destroy {}", short(key))).is_none());
    ada.looks("slot-of-destroyed-key");
}

#[test]
fn a_chain_from_outside_is_brought_on_the_slots_page_or_its_request_given_up() {
    let server = Server::shared();
    let tenant = Tenant::founded_with(&server, &[KEEPERS, KEEPERS, KEEPERS, &["approver"]]);
    let ca = Ca::new(tenant.folder(), "ca");
    slot(&tenant, "connector", "ecdsa-p256-sha256", connector(&ca.fingerprint()));
    let first = certify(&tenant, "connector", "requested");
    let id = text(&first["certificate"]);
    walk("outside", |[ada, ben]| {
        ben.signs_in(&server, tenant.person(3));
        ben.visits(&server, &tenant, "/slots/connector");
        ben.sees("A chain from outside is awaited");
        assert!(!ben.shows("The CA will not answer?") && !ben.shows("Import the chain"));
        ben.forces("POST", &tenant.path(&format!("/certificates/{id}/give-up")), &json!({}))
            .refused(403, "role.missing");

        ada.signs_in(&server, tenant.person(0));
        ada.visits(&server, &tenant, "/slots/connector");
        ada.click("The CA will not answer?");
        ada.sees("no certificate comes of this request");
        ada.looks("chain-awaited");
        ada.click("Give this request up");
        ada.sees_no_more("A chain from outside is awaited");
        let given_up = tenant.get(&format!("/certificates/{id}")).expect(200).json();
        assert_eq!(given_up["state"], "failed");

        let second = certify(&tenant, "connector", "requested");
        let request = format!("/certificates/{}/request.pem", text(&second["certificate"]));
        let chain = ca.issue(&tenant.get(&request).expect(200).text(), 397);
        ada.sees("A chain from outside is awaited");
        ada.run("document.querySelector('textarea[name=chain]').value = arguments[0]", &[json!(chain)]);
        ada.click("Import the chain");
        ada.sees_no_more("A chain from outside is awaited");
        ada.sees("In force");

        // In a rotation the new key signs another request.
        let rotation = rotate(&tenant, "connector", "key.rotate");
        let requests = |wanted: usize| {
            until(&tenant, &rotation, "the request", |rotation| {
                rotation["certificates"].as_array().is_some_and(|all| all.len() == wanted)
                    && rotation["steps"]
                        .as_array()
                        .unwrap()
                        .iter()
                        .any(|step| step["step"] == "certificate" && step["state"] == "now")
            })
        };
        requests(1);
        ada.visits(&server, &tenant, &format!("/rotations/{rotation}"));
        ada.sees("Somebody has to have the request signed");
        ada.click("The CA will not answer?");
        ada.click("Give this request up");
        requests(2);
        ada.sees("Somebody has to have the request signed");
    });
    tenant.verified();
}
