//! Rotations: a page that moves on by itself, the chain of a CA outside, and what people say of the new key.

use std::fs;

use fantoccini::key::Key as Press;
use integration::outside_ca::Ca;
use integration::rotating::{
    KEEPERS, certify, connector, releases, root, rotate, shown, slot, slot_used, step, until,
};
use integration::tenant::{signing_policy, text};
use integration::{Server, Tenant};
use serde_json::{Value, json};

use crate::support::{Browser, Key, walk};

/// A slot that a CA outside certifies, with its first certificate.
fn connected(tenant: &Tenant, ca: &Ca<'_>) {
    slot(tenant, "connector", "ecdsa-p256-sha256", connector(&ca.fingerprint()));
    let requested = certify(tenant, "connector", "requested");
    let chain = ca.issue(&request_of(tenant, &requested["certificate"]), 397);
    let path = format!("/certificates/{}/chain", text(&requested["certificate"]));
    tenant.post(&path, &json!({ "chain_pem": chain })).expect(200);
}

fn request_of(tenant: &Tenant, certificate: &Value) -> String {
    tenant.get(&format!("/certificates/{}/request.pem", text(certificate))).expect(200).text()
}

/// Waits until a rotation waits for its chain, and gives the request.
fn awaits_chain(tenant: &Tenant, id: &str) -> String {
    let waits = until(tenant, id, "the request", |rotation| step(rotation, "certificate")["state"] == "now");
    request_of(tenant, &waits["certificates"][0])
}

/// The words beside a step of the page.
fn word(browser: &Browser, title: &str) -> String {
    let script =
        "return document.querySelector(`.course > li[data-title=\"${arguments[0]}\"]`)?.dataset.word ?? ''";
    text(&browser.run(script, &[json!(title)])).to_owned()
}

fn stands(browser: &Browser, title: &str, at: &str) {
    browser.until(&format!("{title} to be {at}"), || (word(browser, title) == at).then_some(()));
}

/// From now on keeps all that the page says aloud.
fn listens(browser: &Browser) {
    browser.run(
        "window.heard = [];
        const said = document.getElementById('announcer');
        new MutationObserver(() => window.heard.push(said.textContent)).observe(said, { childList: true });",
        &[],
    );
}

fn heard(browser: &Browser, words: &str) {
    browser.until(&format!("“{words}” to be said"), || {
        let heard = browser.run("return window.heard.join(' | ')", &[]);
        text(&heard).contains(words).then_some(())
    });
}

#[test]
fn a_rotations_page_moves_on_by_itself_from_the_approval_to_the_cutover() {
    let server = Server::shared();
    let tenant = Tenant::founded_with(&server, &[KEEPERS; 3]);
    let (ca, other) = (Ca::new(tenant.folder(), "ca"), Ca::new(tenant.folder(), "other-ca"));
    connected(&tenant, &ca);
    let (slot, policy) = shown(&tenant, "connector");
    let params = json!({ "slot": "connector", "old_key": slot["active_key"], "policy": policy });
    walk("rotating", |[ada]| {
        ada.signs_in(&server, tenant.person(0));
        let asked = tenant.propose(tenant.person(0), "key_owner", "key.rotate", &params).expect(201).json();
        let id = text(&asked["action"]).to_owned();
        ada.visits(&server, &tenant, &format!("/actions/{id}"));
        ada.sees("matches");
        tenant.approved(&asked);
        ada.sees("It began a rotation");
        ada.click("how far the rotation is");
        ada.arrives("the rotation's page", |path| path.ends_with(&id));
        ada.sees("Somebody has to have the request signed by the CA outside");
        ada.run("window.stays = true", &[]);
        listens(ada);
        let request = awaits_chain(&tenant, &id);
        stands(ada, "Certificate", "Now");
        ada.looks("chain-awaited");

        // A chain of another CA's is refused, and what was typed is still there.
        let wrong = other.issue(&request, 397);
        let put = "document.querySelector('textarea[name=chain]').value = arguments[0]";
        ada.run(put, &[json!(wrong)]);
        ada.click("Import the chain");
        ada.sees("certificate.chain");
        ada.expects_complaint("400");
        let typed = ada.run("return document.querySelector('textarea[name=chain]').value", &[]);
        assert_eq!(text(&typed), wrong);

        let file = tenant.folder().join("chain.pem");
        fs::write(&file, ca.issue(&request, 397)).unwrap();
        ada.choose_file("Or its file", &file);
        ada.sees("chain.pem is in the field above");
        ada.click("Import the chain");
        ada.sees("In its overlap");
        stands(ada, "Cutover", "Done");
        stands(ada, "Overlap", "Now");
        heard(ada, "Cutover: Done");
        assert_eq!(ada.run("return window.stays", &[]), true, "the page was loaded again");
        ada.looks("overlap");
        ada.visits(&server, &tenant, "/rotations");
        ada.sees("On their way");
        ada.looks("on-their-way");
        ada.visits(&server, &tenant, "/slots/connector");
        ada.sees("CN=A CA outside");
        ada.looks("slot");
    });
    tenant.verified();
}

/// A slot that packaging engineers use too, certified by a root of the ledger's own.
fn released(tenant: &Tenant) -> String {
    slot(tenant, "root", "ecdsa-p384-sha384", root());
    certify(tenant, "root", "active");
    let mut policy = signing_policy();
    policy["callers"] = json!(["packaging_engineers", "services"]);
    slot_used(tenant, "releases", ("ecdsa-p256-sha256", &policy), releases());
    certify(tenant, "releases", "active");
    tenant.service(&["releases"]);
    let id = rotate(tenant, "releases", "key.rotate");
    until(tenant, &id, "the cutover", |rotation| rotation["state"] == "cut_over");
    id
}

#[test]
fn who_uses_the_new_key_says_by_keyboard_that_it_works_and_that_a_channel_has_moved() {
    let server = Server::shared();
    let tenant = Tenant::founded_with(&server, &[KEEPERS, KEEPERS, KEEPERS, &["packaging_engineer"]]);
    let id = released(&tenant);
    walk("rotating-by-keyboard", |[ada, ben]| {
        ada.security_key().put(&Key::of(tenant.person(3)));
        ada.visit(&format!("{}/signin", server.url()));
        ada.keyboard().press("Sign in with a passkey");
        ada.arrives("the inbox", |path| path.ends_with("/inbox"));
        ada.visits(&server, &tenant, "/slots");
        ada.keyboard().press("Rotations");
        ada.arrives("the rotations", |path| path.ends_with("/rotations"));
        ada.keyboard().press("releases");
        ada.sees("A client of the slot has to confirm");
        ada.looks("to-confirm");
        listens(ada);

        // Who keeps the slot moves channels, and does not use its key.
        ben.reads_as(tenant.person(0));
        ben.visits(&server, &tenant, &format!("/rotations/{id}"));
        ben.sees("Channel web has moved");
        assert!(ben.control("The new key works").is_none());

        ada.keyboard().press("The new key works");
        ada.sees("A client found that the new key works");
        stands(ada, "Confirmation", "Done");
        heard(ada, "Confirmation: Done");
        let at = "return document.activeElement.closest('.course > li')?.dataset.title ?? ''";
        ada.until("the focus at the step", || (ada.run(at, &[]) == "Confirmation").then_some(()));
        ada.keyboard().press("Channel web has moved");
        stands(ada, "Channel web", "Done");
        ben.sees("Channel web relies on the new key");
        ada.looks("confirmed-and-moved");
    });
}

#[test]
fn one_person_who_may_stops_a_rotation_and_nobody_else_is_offered_it() {
    let server = Server::shared();
    let tenant = Tenant::founded_with(&server, &[KEEPERS, KEEPERS, KEEPERS, &["approver"]]);
    let ca = Ca::new(tenant.folder(), "ca");
    connected(&tenant, &ca);
    let id = rotate(&tenant, "connector", "key.rotate");
    awaits_chain(&tenant, &id);
    walk("rotating-stopped", |[ada, ben]| {
        ben.signs_in(&server, tenant.person(3));
        ben.visits(&server, &tenant, &format!("/rotations/{id}"));
        ben.sees("Somebody has to have the request signed");
        assert!(ben.control("Stop this rotation now").is_none() && !ben.shows("Import the chain"));
        let stop = tenant.path(&format!("/rotations/{id}/stop"));
        ben.forces("POST", &stop, &json!({})).refused(403, "containment.holder");

        ada.signs_in(&server, tenant.person(0));
        ada.visits(&server, &tenant, &format!("/rotations/{id}"));
        let keyboard = ada.keyboard();
        keyboard.press("Stop this rotation now");
        ada.sees("Another rotation takes a proposal and a quorum");
        keyboard.stays_in_the_dialog();
        keyboard.strike(Press::Escape);
        ada.sees_no_more("Another rotation takes");
        keyboard.is_back_at("Stop this rotation now");
        keyboard.strike(Press::Enter);
        keyboard.fill("Reason (optional)", "The wrong week.");
        keyboard.press("Stop this rotation");
        ada.sees("Stopped by Founder 1");
        ada.sees("The wrong week.");
        ben.sees("Ended early");
        assert!(ada.control("Stop this rotation now").is_none());
        ada.looks("stopped");
        ada.visits(&server, &tenant, "/rotations");
        ada.sees("the old key stayed in charge");
    });
}
