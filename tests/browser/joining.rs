//! Joining, and getting another authenticator: by a one-time link, a passkey made in one's own browser, and a quorum.

use integration::tenant::{signing_policy, text};
use integration::{Server, Tenant};

use crate::support::{Browser, walk};

/// The one-time link that stands on a page.
fn link(browser: &Browser) -> String {
    let link = browser.run("return document.querySelector('[data-link]').textContent", &[]);
    text(&link).to_owned()
}

/// Invites somebody on the page of people; says the link.
fn invite(browser: &Browser, name: &str, role: &str) -> String {
    browser.fill("Name", name);
    browser.click(role);
    browser.click("Make a one-time link");
    browser.sees(&format!("The link for {name}"));
    link(browser)
}

/// Registers a passkey under a link.
fn register(browser: &Browser, link: &str) {
    browser.visit(link);
    assert_eq!(browser.url().fragment(), None, "the ticket stays in the address bar");
    browser.click("Register an authenticator");
    browser.sees("Registered, and not yet in force");
}

#[test]
fn somebody_joins_by_a_link_and_decides_with_a_passkey_made_at_home() {
    let server = Server::shared();
    let tenant = Tenant::founded(&server, 3);
    walk("joining", |[ada, ben, cleo, dan]| {
        for (n, person) in [ada, ben, cleo].into_iter().enumerate() {
            person.signs_in(&server, tenant.person(n));
        }
        ada.visits(&server, &tenant, "/people");
        let other = invite(ada, "Erin", "auditor");
        ada.visits(&server, &tenant, "/people");
        let link = invite(ada, "Dan", "approver");
        ada.looks("invited");
        ada.devtools(
            "Browser.grantPermissions",
            serde_json::json!({ "permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"] }),
        );
        ada.click("Copy the link");
        ada.sees("The link is copied");
        assert_eq!(ada.run("return navigator.clipboard.readText()", &[]), link.as_str());
        ada.reload();
        ada.sees("Has not registered yet");
        assert!(!ada.shows(&link), "the link is shown again");

        // Somebody else registers first: a link of the page names whom it is about.
        let key = dan.security_key();
        register(dan, &other);
        key.unplug();
        let _key = dan.security_key();
        dan.visit(&link);
        dan.sees("You are invited as approver");
        dan.looks("join");
        register(dan, &link);
        let fingerprint = dan.run("return document.getElementById('fingerprint').textContent", &[]);
        dan.looks("registered");

        ada.visits(&server, &tenant, "/people");
        ada.click("Propose to enrol Dan");
        ada.sees("Enrol a member");
        let sentence = ada.proposes("Dan joins the release team.", "propose-enrolment");
        assert!(sentence.contains("Dan"), "{sentence}");
        ben.opens(&server, &tenant, &sentence);
        ben.sees(text(&fingerprint));
        ben.looks("enrolment");
        ben.click("Approve with passkey");
        ben.sees("approved with");
        cleo.approves(&server, &tenant, &sentence);
        ada.sees("It has taken effect");

        dan.sees("You are in");
        dan.looks("in");
        dan.click("Sign in");
        dan.click("Sign in with a passkey");
        dan.arrives("the inbox", |path| path.ends_with("/inbox"));
        let params = tenant.slot_params("apt-repo", "ed25519", &signing_policy());
        let action =
            tenant.propose(tenant.person(0), "platform_admin", "slot.create", &params).expect(201).json();
        dan.approves(&server, &tenant, text(&action["sentence"]));
        dan.sees("Dan approved with");
        dan.snap("decided");
        cleo.approves(&server, &tenant, text(&action["sentence"]));
        assert_eq!(tenant.ended(&action)["status"], "executed");
    });
    tenant.verified();
}

#[test]
fn a_member_gets_another_authenticator_and_signs_in_with_it() {
    let server = Server::shared();
    let tenant = Tenant::founded(&server, 3);
    walk("another-authenticator", |[ada, ben, cleo, phone]| {
        for (n, person) in [ada, ben, cleo].into_iter().enumerate() {
            person.signs_in(&server, tenant.person(n));
        }
        cleo.visits(&server, &tenant, "/people");
        cleo.click("Change Founder 3");
        cleo.click("Another authenticator for Founder 3");
        cleo.sees("The link for Founder 3");
        cleo.snap("another-link");
        let link = link(cleo);

        let _key = phone.platform_key();
        phone.visit(&link);
        phone.sees("It is added to the ones you have");
        phone.looks("join-another");
        register(phone, &link);

        ada.visits(&server, &tenant, "/people");
        ada.click("Propose the new authenticator of Founder 3");
        let sentence = ada.proposes("Her phone is to sign as well.", "propose-authenticator");
        assert!(sentence.contains("Founder 3"), "{sentence}");
        ben.approves(&server, &tenant, &sentence);
        cleo.approves(&server, &tenant, &sentence);
        ada.sees("It has taken effect");
        phone.sees("You are in");
        phone.signs_in_here(&server);
        phone.visits(&server, &tenant, "/people");
        phone.click("Change Founder 3");
        assert!(phone.control("Remove authenticator 2 of Founder 3").is_some());
        assert!(!phone.shows("Propose to add it"), "what is added is still to be proposed");
        phone.looks("two-authenticators");
    });
    tenant.verified();
}
