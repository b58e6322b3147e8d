//! The main things that people do, by keyboard alone: every stop shows the focus, and dialogs keep it and give it back.

use fantoccini::key::Key as Press;
use integration::tenant::{signing_policy, text};
use integration::{Server, Tenant};

use crate::support::{Browser, Key, walk};

/// Signs in without a pointer.
fn sign_in(browser: &Browser, server: &Server, tenant: &Tenant, person: usize) {
    browser.security_key().put(&Key::of(tenant.person(person)));
    browser.visit(&format!("{}/signin", server.url()));
    browser.keyboard().press("Sign in with a passkey");
    browser.arrives("the inbox", |path| path.ends_with("/inbox"));
}

#[test]
fn a_slot_is_proposed_and_approved_by_keyboard() {
    let server = Server::shared();
    let tenant = Tenant::founded(&server, 2);
    walk("keyboard-deciding", |[ada, ben]| {
        sign_in(ada, &server, &tenant, 0);
        sign_in(ben, &server, &tenant, 1);
        ada.visits(&server, &tenant, "/propose");
        let keyboard = ada.keyboard();
        keyboard.press("Create a slot");
        ada.sees("A named signing purpose");
        keyboard.fill("Name", "apt-repo");
        keyboard.choose("Algorithm", "ecdsa-p256-sha256");
        keyboard.fill("Reason", "Nobody touched a mouse.");
        keyboard.press("Show what it changes");
        ada.sees("Propose with passkey");
        keyboard.stays_in_the_dialog();
        keyboard.strike(Press::Escape);
        ada.sees_no_more("Propose with passkey");
        keyboard.is_back_at("Show what it changes");
        keyboard.press("Show what it changes");
        ada.sees("Propose with passkey");
        keyboard.press("Propose with passkey");
        ada.arrives("the action's page", |path| path.contains("/actions/"));
        ada.sees("matches");
        let sentence = ada.run("return document.getElementById('sentence').textContent", &[]);

        ben.visits(&server, &tenant, "/inbox");
        ben.keyboard().press(text(&sentence));
        ben.sees("The digests are those of the document on this page");
        ben.keyboard().press("Approve with passkey");
        ben.sees("approved with");
        ben.sees("It has taken effect");
        ben.snap("approved");
    });
}

#[test]
fn a_slot_is_suspended_and_somebody_is_invited_by_keyboard() {
    let server = Server::shared();
    let tenant = Tenant::founded(&server, 2);
    tenant.slot_with("apt-repo", "ed25519", &signing_policy());
    walk("keyboard-people", |[ada]| {
        sign_in(ada, &server, &tenant, 0);
        let keyboard = ada.keyboard();
        ada.visits(&server, &tenant, "/slots/apt-repo");
        keyboard.press("Suspend slot apt-repo now");
        ada.sees("Lifting it takes a proposal and a quorum");
        keyboard.stays_in_the_dialog();
        keyboard.strike(Press::Escape);
        ada.sees_no_more("Lifting it takes");
        keyboard.is_back_at("Suspend slot apt-repo now");
        keyboard.strike(Press::Enter);
        ada.sees("Lifting it takes a proposal and a quorum");
        keyboard.fill("Reason (optional)", "A laptop is missing.");
        keyboard.press("Suspend slot apt-repo");
        ada.sees_no_more("Lifting it takes");
        ada.sees("Suspended");
        ada.snap("suspended");

        ada.visits(&server, &tenant, "/people");
        keyboard.fill("Name", "Dan");
        keyboard.toggle("approver");
        keyboard.press("Make a one-time link");
        ada.sees("The link for Dan");
        keyboard.reach("Copy the link");
        ada.snap("invited");
    });
}

#[test]
fn a_key_is_pinned_an_event_verified_and_a_session_ended_by_keyboard() {
    let server = Server::shared();
    let tenant = Tenant::founded(&server, 2);
    tenant.slot_with("apt-repo", "ed25519", &signing_policy());
    walk("keyboard-verifying", |[ada]| {
        sign_in(ada, &server, &tenant, 0);
        let keyboard = ada.keyboard();
        ada.visits(&server, &tenant, "/ledger");
        keyboard.press("Pin a key in this browser");
        keyboard.fill("Verifier key", &tenant.vkey);
        keyboard.press("Pin this key");
        ada.sees("Pinned in this browser");
        ada.visits(&server, &tenant, "/ledger/3");
        ada.sees("Event 3 stands at its place in checkpoint");
        ada.snap("verified");

        ada.visits(&server, &tenant, "/sessions");
        ada.sees("By token");
        keyboard.press("End the session of…");
        ada.sees_no_more("By token");
        tenant.get("/members").refused(401, "auth.token");
    });
}
