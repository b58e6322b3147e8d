//! An authenticator is lost: one person stops it at once, and others replace it under dual control.

use integration::tenant::text;
use integration::{Server, Tenant};
use serde_json::json;

use crate::support::walk;

#[test]
fn a_lost_authenticator_is_stopped_by_one_person_and_replaced_by_a_quorum() {
    let server = Server::shared();
    let tenant = Tenant::founded(&server, 4);
    let lost = text(&tenant.person(2).credential()["credential_id"]).to_owned();
    walk("losing", |[ada, ben, thief, cleo]| {
        ada.signs_in(&server, tenant.person(0));
        ben.signs_in(&server, tenant.person(1));
        thief.signs_in(&server, tenant.person(2));

        ben.visits(&server, &tenant, "/people");
        ben.click("Change Founder 3");
        ben.click("Suspend authenticator 1 of Founder 3 now");
        ben.sees("Lifting it takes a proposal and a quorum");
        ben.fill("Reason (optional)", "Lost on a train.");
        ben.looks("suspend");
        ben.click("Suspend authenticator 1 of Founder 3");
        ben.sees("Suspended");
        ben.looks("suspended");

        // Whoever holds it is out: the session has ended, and another is refused in words that lead on.
        thief.visits(&server, &tenant, "/inbox");
        thief.arrives("the sign-in", |path| path == "/signin");
        thief.click("Sign in with a passkey");
        thief.sees("suspended, removed, or of another server");
        thief.sees("A platform admin or security reviewer can say which");
        thief.expects_complaint("401");
        thief.looks("refused");

        // Its owner registers another one, under a link that somebody who may invite made.
        ben.click("Another authenticator for Founder 3");
        ben.sees("The link for Founder 3");
        let link = ben.run("return document.querySelector('[data-link]').textContent", &[]);
        let _key = cleo.security_key();
        cleo.visit(text(&link));
        cleo.click("Register an authenticator");
        cleo.sees("Registered, and not yet in force");

        ada.visits(&server, &tenant, "/people");
        ada.click("Propose the new authenticator of Founder 3");
        let added = ada.proposes("In place of the lost one.", "propose-replacement");
        ben.approves(&server, &tenant, &added);
        by_the_fourth(&tenant, &added);
        ada.sees("It has taken effect");
        cleo.signs_in_here(&server);

        ada.visits(&server, &tenant, "/people");
        ada.click("Change Founder 3");
        ada.click("Remove authenticator 1 of Founder 3");
        let removed = ada.proposes("It stays lost.", "propose-removal");
        assert!(removed.contains("Founder 3"), "{removed}");
        cleo.approves(&server, &tenant, &removed);
        cleo.looks("removal");
        ben.approves(&server, &tenant, &removed);
        ada.sees("It has taken effect");
        thief.click("Sign in with a passkey");
        thief.sees("suspended, removed, or of another server");
        thief.expects_complaint("401");
        cleo.visits(&server, &tenant, "/people");
        cleo.sees("You");
        cleo.snap("replaced");
    });
    let held = tenant.get(&format!("/members/{}", tenant.person(2).id)).expect(200).json();
    let held = held["credentials"].as_array().unwrap();
    assert_eq!(held.len(), 1);
    assert_ne!(held[0]["credential_id"], json!(lost));
    tenant.verified();
}

/// The fourth founder approves over the API.
fn by_the_fourth(tenant: &Tenant, sentence: &str) {
    let open = tenant.get("/actions?status=open").expect(200).json();
    let mut actions = open["actions"].as_array().unwrap().iter();
    let action = actions.find(|action| action["sentence"] == sentence).unwrap();
    tenant.decide(tenant.person(3), "approver", "approve", action).expect(200);
}
