//! The whole way, by three people with a passkey each, in their browsers: from the founding to an auditor's verdict.

use std::fs;
use std::path::{Path, PathBuf};

use integration::Server;
use integration::tenant::{DECIDING, Opened, open, sha256, text};
use integration::verifier::{Pinned, judge};
use serde_json::{Value, json};

use crate::support::{Browser, walk};

/// The slot that they make.
const SLOT: &str = "release-p256";

/// What a founder reads once every founder has signed.
const FOUNDED: &str = "Compare them with the other founders";

#[test]
fn three_people_found_a_ledger_make_a_key_and_a_service_and_take_away_what_verifies() {
    let server = Server::shared();
    let opened = open(&server, &[DECIDING; 3]);
    let page = |rest: &str| format!("{}/t/{}{rest}", server.url(), opened.name);
    walk("whole-way", |people| {
        // Taken out with their browsers, not before.
        let _keys = people.each_ref().map(Browser::security_key);
        let [ada, ben, cleo] = people;
        let founding = found(&server, people, &opened);
        for person in people {
            person.click("Sign in");
            person.click("Sign in with a passkey");
            person.arrives("the inbox", |path| path.ends_with("/inbox"));
        }

        ada.visit(&page("/slots"));
        ada.click("Propose the first slot");
        ada.fill("Name", SLOT);
        ada.choose("Algorithm", "ecdsa-p256-sha256");
        ada.fill("Reason", "Packages of the summer release are signed with it.");
        propose(ada, "slot");
        decide_live([ben, cleo], ada);
        let keys = asked(ada, &format!("/v1/tenants/{}/slots/{SLOT}/pubkey", opened.name));
        assert!(keys.starts_with("-----BEGIN PUBLIC KEY-----"), "{keys}");

        ada.visit(&page("/propose/service.enroll"));
        ada.fill("Name (optional)", "the build farm");
        ada.click(SLOT);
        ada.fill("Reason", "It asks for the signatures.");
        let token = propose(ada, "service").expect("a token");
        decide_live([ben, cleo], ada);
        let body = json!({ "digest": sha256(b"an artifact") });
        let service = server.api().with_token(&token);
        let path = format!("/v1/tenants/{}/slots/{SLOT}/sign", opened.name);
        let signed = service.post(&path, &body).expect(200).json();
        let seq = signed["seq"].as_u64().unwrap_or_else(|| panic!("no seq in {signed}"));
        asked(ada, &format!("/v1/tenants/{}/receipts/{seq}?wait_ms=10000", opened.name));

        // Somebody who pinned nothing at the founding pins what the founders compared.
        cleo.visit(&page("/ledger"));
        cleo.click("Pin a key in this browser");
        cleo.fill("Verifier key", text(&opened.answer["vkey"]));
        cleo.click("Pin this key");
        cleo.sees("Pinned in this browser");
        cleo.click("Verify this page in this browser");
        cleo.sees("events on this page hold under the key you pinned");
        cleo.click(&format!("Event {seq}"));
        cleo.sees(&format!("Event {seq} stands at its place in checkpoint"));
        cleo.snap("signature-verified");

        // The founder who pinned with the founding needs no more.
        ada.visit(&page("/audit"));
        ada.sees("Checked in this browser");
        let bundle = take_away(ada, server.scratch());
        let pinned =
            Pinned { vkey: text(&opened.answer["vkey"]).to_owned(), founding: Some(founding), known: None };
        judge(&bundle, &pinned).assert_valid();
    });
}

/// Founds through the one-time links; says the founding digest that every founder's screen showed.
fn found(server: &Server, people: &[Browser; 3], opened: &Opened) -> String {
    for (n, (person, ticket)) in people.iter().zip(&opened.tickets).enumerate() {
        person.visit(&format!("{}/t/{}/found#{ticket}", server.url(), opened.name));
        person.fill("Your name, as the others will see it", &person.person);
        assert_eq!(person.url().fragment(), None, "the ticket stays in the address bar");
        if n == 0 {
            person.looks("found-register");
        }
        person.click("Register an authenticator");
        person.sees(if n + 1 < people.len() { "You are registered" } else { "Read the digest aloud" });
    }
    let [ada, ..] = people;
    ada.sees("Read the digest aloud");
    ada.looks("found-sign");
    for person in people {
        person.click("Sign the founding document");
        person.until("the signature", || {
            (person.shows("You have signed") || person.shows(FOUNDED)).then_some(())
        });
    }
    let digests = people.each_ref().map(|person| {
        person.sees(FOUNDED);
        person.run("return document.getElementById('digest-text').textContent", &[])
    });
    assert!(digests.iter().all(|digest| *digest == digests[0]), "{digests:?}");
    ada.click("Pin in this browser");
    ada.sees("This browser checks the ledger against them");
    ada.looks("found-done");
    text(&digests[0]).to_owned()
}

/// Has a filled form drafted, reads what it would change, and signs it; says the token that was shown, if there is one.
fn propose(person: &Browser, name: &str) -> Option<String> {
    person.click("Show what it changes");
    person.sees("Propose with passkey");
    let token = person.run("return document.getElementById('token-text').textContent", &[]);
    let token = token.as_str().filter(|token| !token.is_empty()).map(str::to_owned);
    person.looks(&format!("propose-{name}-confirm"));
    if token.is_some() {
        person.click("I have kept it");
    }
    person.click("Propose with passkey");
    person.arrives("the action's page", |path| path.contains("/actions/"));
    token
}

/// Two people approve what a third proposed, who watches it happen.
fn decide_live(approvers: [&Browser; 2], proposer: &Browser) {
    let action = proposer.url();
    let sentence = proposer.run("return document.getElementById('sentence').textContent", &[]);
    proposer.sees("matches");
    // A page that is loaded again forgets this.
    proposer.run("window.stays = true", &[]);
    for (n, approver) in approvers.iter().enumerate() {
        // Whoever is in the inbox already sees it arrive.
        if !approver.path().ends_with("/inbox") {
            approver.visit(action.join("../inbox").unwrap().as_str());
        }
        approver.click(text(&sentence));
        approver.sees("matches");
        if n == 0 {
            approver.looks("action");
        }
        approver.click("Approve with passkey");
        approver.sees("approved with");
        proposer.sees(&format!("{} approved with", approver.person));
    }
    proposer.sees("It has taken effect");
    assert_eq!(proposer.run("return window.stays", &[]), true);
    proposer.snap("executed");
}

/// What the API answers to the person's own session.
fn asked(person: &Browser, path: &str) -> String {
    let script =
        "return fetch(arguments[0]).then(answer => answer.ok ? answer.text() : `refused: ${answer.status}`)";
    person.run(script, &[Value::from(path)]).as_str().unwrap().to_owned()
}

/// Exports on the page, and saves the file as people do.
fn take_away(person: &Browser, folder: &Path) -> PathBuf {
    let folder = folder.join("downloads");
    fs::create_dir_all(&folder).unwrap();
    person.devtools(
        "Browser.setDownloadBehavior",
        json!({ "behavior": "allow", "downloadPath": folder.display().to_string() }),
    );
    person.click("Export");
    person.sees("complete. Check it with sealbook-verify");
    person.looks("exported");
    person.click("Save the bundle");
    person.until("the download", || {
        let mut files = fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path());
        files.find(|file| file.extension().is_some_and(|ending| ending == "tar"))
    })
}
