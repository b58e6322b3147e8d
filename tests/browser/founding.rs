//! Signing a founding whose server says other names than the document holds.

use integration::tenant::{DECIDING, open};
use integration::{Person, Server};
use serde_json::json;

use crate::support::{Browser, walk};

/// Ways in which a server labels founders otherwise than the document does.
const FORGERIES: [(&str, &str); 5] = [
    (
        "two founders' names, with what opens them",
        "const [ada, ben] = founding.candidates;
         [ada.display_name, ben.display_name] = [ben.display_name, ada.display_name];
         [ada.disclosure, ben.disclosure] = [ben.disclosure, ada.disclosure];",
    ),
    (
        "two founders' names alone",
        "const [ada, ben] = founding.candidates;
         [ada.display_name, ben.display_name] = [ben.display_name, ada.display_name];",
    ),
    (
        "one name",
        "const { [1]: ben } = founding.candidates; ben.display_name = ben.disclosure.value = 'Mallory';",
    ),
    (
        "a name that is withheld",
        "const { [1]: ben } = founding.candidates; delete ben.display_name; delete ben.disclosure;",
    ),
    ("roles", "founding.candidates[1].roles = ['auditor'];"),
];

/// From now on the page reads the founding as this script leaves it.
fn forge(browser: &Browser, script: &str) {
    browser.run("window.forge = new Function('founding', arguments[0])", &[json!(script)]);
}

#[test]
fn nobody_is_asked_to_sign_a_founding_whose_names_are_not_the_documents() {
    let server = Server::shared();
    let opened = open(&server, &[DECIDING; 2]);
    let ben = Person::new(server.scratch(), &server.api(), &server.url());
    walk("founding-forged", |[ada]| {
        let _key = ada.security_key();
        ada.visit(&format!("{}/t/{}/found#{}", server.url(), opened.name, opened.tickets[0]));
        ada.fill("Your name, as the others will see it", "Ada");
        ada.click("Register an authenticator");
        ada.sees("You are registered");
        ada.looks("wait");
        ada.run(
            "const ask = window.fetch;
             window.fetch = async (...request) => {
                 const answer = await ask(...request);
                 if (!String(request[0]).endsWith('/founding')) return answer;
                 const founding = await answer.json();
                 window.forge(founding);
                 return Response.json(founding);
             };",
            &[],
        );
        let (first, _) = FORGERIES[0];
        forge(ada, FORGERIES[0].1);
        let path = format!("/v1/tenants/{}/founding/candidates", opened.name);
        let body = json!({ "registration": ben.registration(&opened.tickets[1]), "display_name": "Ben" });
        server.api().with_token(&opened.tickets[1]).post(&path, &body).expect(201);
        ada.sees("Do not sign");
        ada.looks("refused");
        let unsigned = |what: &str| {
            assert!(ada.control("Sign the founding document").is_none(), "after forging {what}");
            assert!(ada.shows("Nothing is signed"), "after forging {what}");
        };
        unsigned(first);
        for (what, forgery) in FORGERIES {
            // Each is seen from an honest page.
            forge(ada, "");
            ada.sees_no_more("Do not sign");
            ada.sees("Read the digest aloud");
            forge(ada, forgery);
            ada.sees("Do not sign");
            unsigned(what);
            assert!(!ada.shows("Mallory"), "a name that opens nothing is shown");
        }
        forge(ada, "");
        ada.click("Sign the founding document");
        ada.sees("You have signed");
        let people = ada.run("return document.getElementById('people').innerText", &[]);
        let people = people.as_str().unwrap();
        assert!(people.contains("Ada") && people.contains("Ben"), "{people}");
    });
}

#[test]
fn founders_who_share_a_browser_sign_each_with_the_passkey_of_their_own_link() {
    let server = Server::shared();
    let opened = open(&server, &[DECIDING; 2]);
    walk("founding-shared", |[both]| {
        let _key = both.security_key();
        let by = |n: usize| {
            both.visit(&format!("{}/t/{}/found#{}", server.url(), opened.name, opened.tickets[n]));
        };
        for (n, name) in ["Ada", "Ben"].into_iter().enumerate() {
            by(n);
            both.fill("Your name, as the others will see it", name);
            both.click("Register an authenticator");
            both.sees(if n == 0 { "You are registered" } else { "Read the digest aloud" });
        }
        by(0);
        both.sees("Read the digest aloud");
        // What this browser knows of one link says nothing of another.
        let kept = both.run(
            "const all = Object.entries(localStorage).filter(([key]) => key.startsWith('sealbook.founder.'));
             const [[one, ada], [other, ben]] = all;
             localStorage.setItem(one, ben);
             localStorage.setItem(other, ada);
             return all.length;",
            &[],
        );
        assert_eq!(kept, 2);
        both.click("Sign the founding document");
        both.sees("another passkey for you than those you registered");
        both.run(
            "const all = Object.entries(localStorage).filter(([key]) => key.startsWith('sealbook.founder.'));
             const [[one, ben], [other, ada]] = all;
             localStorage.setItem(one, ada);
             localStorage.setItem(other, ben);",
            &[],
        );
        both.click("Sign the founding document");
        both.sees("You have signed");
        by(1);
        both.click("Sign the founding document");
        both.sees("Compare them with the other founders");
        both.looks("founded");
    });
}
