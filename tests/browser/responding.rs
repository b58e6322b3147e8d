//! Incidents and drills: opened with one click, followed by clocks that run, taken step by step to their end.

use integration::rotating::{rotate, until};
use integration::tenant::{Service, sha256, text};
use integration::{Server, Tenant};
use serde_json::json;

use crate::support::{Browser, walk};

/// Roles of people who respond.
const RESPONDERS: &[&str] =
    &["approver", "change_board", "incident_commander", "key_owner", "platform_admin", "security_reviewer"];

/// A tenant with a slot that has signed twice.
fn signing(server: &Server) -> (Tenant, Service) {
    let tenant = Tenant::founded_with(server, &[RESPONDERS; 4]);
    tenant.executed("ledger.evidence_key_set", &json!({ "backend": "softhsm" }));
    tenant.slot("releases", "ecdsa-p256-sha256");
    let service = tenant.service(&["releases"]);
    for artifact in ["one", "two"] {
        tenant.sign(&service, "releases", &sha256(artifact.as_bytes())).expect(200);
    }
    (tenant, service)
}

/// The words beside a step of the page.
fn word(browser: &Browser, title: &str) -> String {
    let script =
        "return document.querySelector(`.steps > li[data-title=\"${arguments[0]}\"]`)?.dataset.word ?? ''";
    text(&browser.run(script, &[json!(title)])).to_owned()
}

fn stands(browser: &Browser, title: &str, at: &str) {
    browser.until(&format!("{title} to be {at}"), || (word(browser, title) == at).then_some(()));
}

/// Waits until a clock of the page shows another second.
fn runs(browser: &Browser) {
    let shows = || browser.run("return document.querySelector('.clock [data-since]').textContent", &[]);
    let before = shows();
    assert!(text(&before).contains(':'), "{before}");
    browser.until("the clock to run", || (shows() != before).then_some(()));
}

/// Follows a step's link to the form that proposes it, proposes it, has it approved by others, and comes back.
fn consented(browser: &Browser, tenant: &Tenant, link: &str, reason: &str) {
    let console = browser.url();
    // What a driver finds in view may lie under the bar at the top.
    browser.run("scrollTo(0, 0)", &[]);
    browser.click(link);
    browser.arrives("the form", |path| path.contains("/propose/"));
    browser.fill("Reason", reason);
    browser.click("Show what it changes");
    browser.click("Propose with passkey");
    browser.arrives("the action", |path| path.contains("/actions/"));
    let id = browser.path().rsplit('/').next().unwrap().to_owned();
    let action = tenant.get(&format!("/actions/{id}")).expect(200).json();
    assert_eq!(tenant.approved(&action)["status"], "executed");
    browser.visit(console.as_str());
}

#[test]
fn a_commander_contains_scopes_revokes_and_closes_an_incident_in_the_browser() {
    let server = Server::shared();
    let (tenant, service) = signing(&server);
    walk("incident", |[ada, ben]| {
        ada.signs_in(&server, tenant.person(0));
        ben.signs_in(&server, tenant.person(1));
        ada.visits(&server, &tenant, "/incidents");
        ada.sees("No incident is open");
        ada.looks("none-open");
        ada.visits(&server, &tenant, "/slots/releases");
        ada.click("Somebody else may hold this key");
        ada.sees("The slot signs nothing from now on");
        ada.looks("suspected");
        ada.click("Open an incident and contain releases now");
        ada.arrives("the console", |path| path.contains("/incidents/"));
        tenant.sign(&service, "releases", &sha256(b"three")).refused(409, "slot.suspended");
        stands(ada, "Contain", "Done");
        stands(ada, "Scope", "Next");
        runs(ada);
        ada.looks("opened");

        ben.visits(&server, &tenant, "/inbox");
        ben.sees("An incident is open");
        ben.looks("inbox");
        ben.click("Incident of releases");
        ben.click("I take part");
        ada.sees("Takes part");

        ada.click("Find what it signed");
        stands(ada, "Scope", "Done");
        ada.sees("2 signatures may be affected");
        ada.fill("Note", "The build host was imaged by an unknown session.");
        ada.click("Add the note");
        ben.sees("The build host was imaged by an unknown session.");
        replaced(ada, &tenant);
        closed(ada);
        ada.visits(&server, &tenant, "/incidents");
        ada.sees("Earlier incidents");
        ada.looks("closed-in-the-list");
    });
    tenant.verified();
}

/// What takes other people: another key, the revocation, the slot's resumption.
fn replaced(ada: &Browser, tenant: &Tenant) {
    consented(ada, tenant, "Propose another key now", "Its host was imaged.");
    stands(ada, "Rotate", "Done");
    consented(ada, tenant, "Propose to revoke the key now", "It is not to be believed.");
    stands(ada, "Revoke", "Done");
    ada.sees("Who approved it");
    ada.looks("revoked");
    consented(ada, tenant, "Propose to resume the slot", "The new key may sign.");
    stands(ada, "Resume", "Done");
}

/// What one person says at the end. Until it may be closed, nothing offers to.
fn closed(ada: &Browser) {
    let closes = || {
        ada.control("Close the incident").is_some_and(|_| {
            ada.run("return document.querySelector('form[data-verb=close] [type=submit]').disabled", &[])
                == false
        })
    };
    assert!(!closes(), "it may be closed with steps left");
    ada.fill("Given up, of 2", "2");
    ada.click("Record what became of them");
    stands(ada, "Re-sign", "Done");
    ada.fill("Reference", "ACME-2026-001");
    ada.fill("The advisory", "<b>Use 1.1</b>");
    ada.click("Record that they were told");
    ada.sees("advisory.markup");
    ada.expects_complaint("400");
    ada.fill("The advisory", "Use 1.1 or later.");
    ada.click("Record that they were told");
    stands(ada, "Advise", "Done");
    ada.until("that it may be closed", || closes().then_some(()));
    ada.looks("ready");
    ada.click("Resolved");
    ada.click("Close the incident");
    ada.sees("From opening to end");
    ada.sees_no_more("Close it");
    ada.looks("closed");
}

#[test]
fn a_drill_is_run_from_end_to_end_with_its_clock_on_screen() {
    let server = Server::shared();
    let tenant = Tenant::founded_with(&server, &[RESPONDERS; 4]);
    walk("drill", |[ada]| {
        ada.signs_in(&server, tenant.person(0));
        ada.visits(&server, &tenant, "/drills");
        ada.sees("There is no slot to practise on");
        ada.looks("no-slot");
        consented(ada, &tenant, "Propose a slot for drills", "To practise on.");
        ada.sees("None was held yet");
        ada.looks("no-drill");
        ada.visits(&server, &tenant, "/slots/drill");
        ada.sees("DRILL");
        ada.looks("slot");

        ada.visits(&server, &tenant, "/drills");
        ada.click("Start the drill now");
        ada.arrives("the console", |path| path.contains("/incidents/"));
        ada.sees("DRILL on drill");
        runs(ada);
        ada.looks("started");
        ada.click("Go on with the drill");
        stands(ada, "Scope", "Done");
        ada.sees("To be proposed: Rotate, Revoke, Resume.");
        consented(ada, &tenant, "Propose another key now", "DRILL");
        consented(ada, &tenant, "Propose to revoke the key now", "DRILL");
        consented(ada, &tenant, "Propose to resume the slot", "DRILL");
        ada.click("Go on with the drill");
        ada.sees("Resolved");
        ada.looks("held");
        practised(&tenant);
        ada.visits(&server, &tenant, "/drills");
        ada.sees("How long each step took");
        ada.looks("side-by-side");
        ada.visits(&server, &tenant, "/calendar");
        ada.sees("A drill is held every 92 days");
    });
    tenant.verified();
}

/// Another drill, over the API.
fn practised(tenant: &Tenant) {
    let body = json!({ "slot": "drill", "targets": { "contained": 60, "scoped": 1, "rotated": 3600 } });
    let drill = tenant.post("/drills", &body).expect(201).json();
    let advance = format!("/incidents/{}/advance", text(&drill["incident"]));
    tenant.post(&advance, &json!({})).expect(200);
    let rotation = rotate(tenant, "drill", "key.rotate_emergency");
    until(tenant, &rotation, "the cutover", |rotation| rotation["state"] == "completed");
    tenant.executed("key.revoke_emergency", &json!({ "key": drill["key"], "reason": "key_compromise" }));
    tenant.executed("slot.resume", &json!({ "slot": "drill" }));
    tenant.post(&advance, &json!({})).expect(200);
}
