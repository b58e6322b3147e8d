//! Deciding on a page that can't be trusted, and stopping something from a phone.

use integration::tenant::{DECIDING, sha256, signing_policy, text};
use integration::{Server, Tenant};
use serde_json::{Value, json};

use crate::support::screens::{Theme, View};
use crate::support::walk;

#[test]
fn one_person_stops_a_slot_from_a_phone() {
    let server = Server::shared();
    let commander: &[&str] = &["incident_commander"];
    let tenant = Tenant::founded_with(&server, &[DECIDING, DECIDING, DECIDING, commander]);
    tenant.slot("apt-repo", "ecdsa-p256-sha256");
    let service = tenant.service(&["apt-repo"]);
    tenant.sign(&service, "apt-repo", &sha256(b"before")).expect(200);
    walk("containment", |[dan]| {
        dan.show_as(View::PHONE, Theme::Dark);
        dan.signs_in(&server, tenant.person(3));
        dan.visits(&server, &tenant, "/slots");
        dan.click("apt-repo");
        dan.click("Suspend slot apt-repo now");
        dan.sees("Lifting it takes a proposal and a quorum");
        dan.snap("asked-once");
        assert_eq!(dan.overflow(), None);
        dan.fill("Reason (optional)", "A laptop is missing.");
        dan.click("Suspend slot apt-repo");
        dan.sees_no_more("Lifting it takes");
        dan.sees("Suspended");
        dan.snap("stopped");
        assert_eq!(dan.overflow(), None);
        assert_eq!(tenant.sign(&service, "apt-repo", &sha256(b"after")).status, 409);
    });
}

/// Ways in which a page, or the server behind it, shows one thing and has another signed.
const FORGERIES: [(&str, &str); 8] = [
    (
        "the sentence",
        "const shown = document.getElementById('sentence');
         shown.textContent = shown.textContent.replace('apt-repo', 'apt-rep0');",
    ),
    (
        "sentence and table, both about another slot",
        "const [first] = document.querySelectorAll('.changes .new');
         first.textContent = 'apt-rep0';
         const shown = document.getElementById('sentence');
         shown.textContent = shown.textContent.replace('apt-repo', 'apt-rep0');",
    ),
    (
        "what the table says of the key",
        "const cells = [...document.querySelectorAll('.changes .new')];
         const key = cells.find(cell => cell.textContent.startsWith('ed25519'));
         key.textContent = key.textContent.replace('ed25519', 'ecdsa-p256-sha256');",
    ),
    ("a row that is left out", "document.querySelector('.changes tbody tr:last-child').remove();"),
    (
        "the text that is read",
        "const shown = document.querySelector('[data-exact]');
         shown.textContent = shown.textContent.replace('apt-repo', 'apt-rep0');",
    ),
    (
        "the bytes that are signed",
        "const { dataset } = document.getElementById('subject');
         dataset.document = btoa(atob(dataset.document.replaceAll('-', '+').replaceAll('_', '/'))
             .replace('apt-repo', 'apt-rep0')).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');",
    ),
    (
        "the digest",
        "document.getElementById('subject').dataset.approve = 'ab'.repeat(32);",
    ),
    (
        "the server's answer",
        "const ask = window.fetch;
         window.fetch = async (...request) => {
             const answer = await ask(...request);
             if (!String(request[0].url ?? request[0]).includes('/actions/')) return answer;
             const view = await answer.json();
             view.document.params.slot = 'apt-rep0';
             return new Response(JSON.stringify(view), { status: 200, headers: { 'content-type': 'application/json' } });
         };",
    ),
];

#[test]
fn nothing_is_signed_on_a_page_that_shows_another_document() {
    let server = Server::shared();
    let tenant = Tenant::founded(&server, 2);
    let params = tenant.slot_params("apt-repo", "ed25519", &signing_policy());
    let action =
        tenant.propose(tenant.person(0), "platform_admin", "slot.create", &params).expect(201).json();
    walk("forgeries", |[ben]| {
        ben.signs_in(&server, tenant.person(1));
        for (what, forgery) in FORGERIES {
            ben.visits(&server, &tenant, &format!("/actions/{}", text(&action["action"])));
            ben.sees("The digests are those of the document on this page");
            // What the document says stands there by itself, every parameter of it.
            let said = ben.run("return document.getElementById('says-asked').innerText", &[]);
            let said = text(&said);
            for (name, value) in params.as_object().unwrap() {
                let value = value.to_string().replace('"', "");
                let told = value.starts_with('{') || said.contains(&value);
                assert!(said.contains(&name.replace('_', " ")) && told, "{name} is not in {said}");
            }
            // An honest server's page, drawn anew in the meantime, would undo the forgery.
            ben.run("document.getElementById('main').dataset.liveOff = ''", &[]);
            ben.run(forgery, &[]);
            ben.click("Approve with passkey");
            ben.sees("Do not decide on this page");
            ben.sees("Nothing is signed");
            assert!(ben.control("Approve with passkey").is_none(), "after forging {what}");
            ben.snap("refused");
        }
        let seats = tenant.action(&action)["seats"].clone();
        let open = |seat: &Value| seat.get("filled_by").is_none();
        assert!(seats.as_array().unwrap().iter().all(open), "{seats}");

        // The same page, left as it is, is signed.
        ben.visits(&server, &tenant, &format!("/actions/{}", text(&action["action"])));
        ben.click("Approve with passkey");
        ben.sees("approved with");
        assert_eq!(tenant.ended(&action)["status"], json!("executed"));
    });
}
