//! Founders with two passkeys each: one approves, the other signs in, and shows again that it is still them.

use std::fs;

use integration::server::Options;
use integration::tenant::{DECIDING, open_with, text};
use integration::verifier::{Pinned, judge};
use integration::{Server, waiting};
use serde_json::{Value, json};

use crate::support::{Browser, walk};

/// Whether a sign-in is fresh, as the server says it to the page.
const FRESH: &str = "return fetch(arguments[0]).then(answer => answer.json()).then(({ fresh }) => fresh)";

#[test]
fn three_people_found_with_two_passkeys_each_sign_in_approve_and_show_a_passkey_again() {
    let arguments = ["--separate-sign-in", "--fresh-sign-in", "5"].map(str::to_owned).to_vec();
    let server = Server::start_with(Options { arguments, ..Options::default() });
    let opened = open_with(&server, &[DECIDING; 3], &json!({ "separate_sign_in": true }));
    let page = |rest: &str| format!("{}/t/{}{rest}", server.url(), opened.name);
    let api = format!("/v1/tenants/{}", opened.name);
    walk("two-passkeys", |people| {
        let keys = people.each_ref().map(Browser::security_key);
        let [ada, ben, cleo] = people;
        for (person, ticket) in people.iter().zip(&opened.tickets) {
            person.visit(&page(&format!("/found#{ticket}")));
            person.sees("1 of 2: the passkey that approves");
            person.fill("Your name, as the others will see it", &person.person);
            person.click("Register an authenticator");
            person.sees("2 of 2: the passkey that signs you in");
            person.looks("found-second");
            person.click("Register an authenticator");
            person.sees_no_more("2 of 2: the passkey that signs you in");
        }
        assert!(keys.iter().all(|key| key.keys().len() == 2));
        for person in people {
            person.sees("these passkeys never sign in");
            person.click("Sign the founding document");
            person.until("the signature", || {
                let signed = person.shows("You have signed") || person.shows("is founded");
                signed.then_some(())
            });
        }
        let founding = ada.until("the founding digest", || {
            let digest = ada.run("return document.getElementById('digest-text').textContent", &[]);
            digest.as_str().filter(|digest| !digest.is_empty()).map(str::to_owned)
        });
        for person in people {
            person.sees("is founded");
            person.click("Sign in");
            person.sees("Should it ask for the one that approves, stop");
            person.click("Sign in with a passkey");
            person.arrives("the inbox", |path| path.ends_with("/inbox"));
        }

        ada.visit(&page("/propose/slot.create"));
        ada.fill("Name", "release");
        ada.choose("Algorithm", "ecdsa-p256-sha256");
        ada.fill("Reason", "Packages are signed with it.");
        ada.click("Show what it changes");
        ada.sees("Propose with passkey");
        ada.click("Propose with passkey");
        ada.arrives("the action's page", |path| path.contains("/actions/"));
        for approver in [ben, cleo] {
            approver.visit(ada.url().as_str());
            approver.sees("matches");
            approver.click("Approve with passkey");
            approver.sees("approved with");
        }
        ada.sees("It has taken effect");

        // What the session alone would authorise waits for the passkey that signs in, and nothing typed is lost.
        ada.visit(&page("/people"));
        ada.sees("Each has a passkey that approves and another that signs in");
        ada.looks("people-two-passkeys");
        ada.fill("Name", "Dan");
        ada.click("approver");
        let session = [Value::from(format!("{api}/session"))];
        ada.until("the session to be stale", || (ada.run(FRESH, &session) == false).then_some(()));
        ada.click("Make a one-time link");
        ada.sees("Is it still you?");
        ada.looks("renewal");
        ada.click("Not now");
        ada.sees("This takes a sign-in of a few minutes ago at most");
        ada.click("Make a one-time link");
        ada.sees("Is it still you?");
        keys[0].verifies_user(false);
        ada.click("Use your passkey");
        ada.sees("Not signed in again");
        keys[0].verifies_user(true);
        ada.click("Use your passkey");
        ada.sees("The link for Dan");
        ada.expects_complaint("403");

        // Another tab of hers still has the token of the page from before; it finds out, and goes on.
        ada.visit(&page("/audit"));
        ada.run("document.querySelector('meta[name=csrf]').content = 'of-another-session'", &[]);
        ada.until("the session to be stale", || (ada.run(FRESH, &session) == false).then_some(()));
        let folder = server.scratch().join("downloads");
        fs::create_dir_all(&folder).unwrap();
        let to = json!({ "behavior": "allow", "downloadPath": folder.display().to_string() });
        ada.devtools("Browser.setDownloadBehavior", to);
        ada.click("Export");
        ada.sees("Is it still you?");
        ada.click("Use your passkey");
        ada.sees("complete. Check it with sealbook-verify");
        ada.expects_complaint("403");
        ada.click("Save the bundle");
        let bundle = waiting::until("the download", || {
            let mut files = fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path());
            files.find(|file| file.extension().is_some_and(|ending| ending == "tar"))
        });
        let vkey = text(&opened.answer["vkey"]).to_owned();
        let judged = judge(&bundle, &Pinned { vkey, founding: Some(founding), known: None });
        judged.assert_valid();
        assert!(!judged.report.to_string().contains("approval_rp.shared"), "{:#}", judged.report);
    });
}
