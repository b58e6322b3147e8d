//! One-time links in the wrong hands, too late, of somewhere else, or cut off on their way: the page says what to do.

use std::fs;

use integration::tenant::{DECIDING, open, text};
use integration::{Server, Tenant};
use sealbook::http::token::Token;
use serde_json::Value;
use tokio_postgres::{Config, NoTls};

use crate::support::{Browser, driver, walk};

/// What a link that is good for nothing says, and what helps.
const INVITATION_ENDED: [&str; 2] = ["This link holds nothing", "Ask whoever invited you for another."];
const FOUNDING_ENDED: [&str; 2] =
    ["This link holds nothing", "Ask the operator who opened the tenant for another."];

/// Makes a ticket's time pass, as the owner of the database can.
fn lets_expire(server: &Server, ticket: &str) {
    let secret = fs::read_to_string(server.data().join("secrets/postgres-owner.password")).unwrap();
    let mut config = Config::new();
    config.host_path(server.data().join("postgres/socket")).port(5432).dbname("sealbook");
    config.user("sealbook_owner").password(secret.trim());
    let hash = Token::parse(ticket).expect("a ticket").sha256();
    let changed = driver::wait(async {
        let (client, connection) = config.connect(NoTls).await.expect("Postgres is there");
        let task = tokio::spawn(connection);
        let sql =
            "UPDATE sealbook.candidates SET expires_at = now() - interval '1 second' WHERE ticket_hash = $1";
        let changed = client.execute(sql, &[&hash.0.as_slice()]).await.unwrap();
        drop(client);
        task.await.unwrap().unwrap();
        changed
    });
    assert_eq!(changed, 1, "tickets that expired");
}

/// Opens a one-time link: `join` or `found` of a tenant.
fn follows(browser: &Browser, server: &Server, tenant: &str, page: &str, ticket: &str) {
    // A page that differs by its fragment alone is not loaded again.
    browser.visit("about:blank");
    browser.visit(&format!("{}/t/{tenant}/{page}#{ticket}", server.url()));
}

fn says(browser: &Browser, words: [&str; 2]) {
    words.iter().for_each(|words| browser.sees(words));
    assert!(browser.control("Register an authenticator").is_none(), "there is something to register");
}

fn candidate(tenant: &Tenant) -> Value {
    let list = tenant.get("/candidates").expect(200).json()["candidates"].clone();
    assert_eq!(list.as_array().unwrap().len(), 1, "{list}");
    list[0].clone()
}

#[test]
fn a_link_registers_one_authenticator_whoever_has_seen_it() {
    let server = Server::shared();
    let tenant = Tenant::founded(&server, 2);
    let ticket = tenant.invited(&["approver"]);
    walk("link-used-twice", |[ada, ben]| {
        let _keys = [ada.security_key(), ben.security_key()];
        // He has it open before she registers.
        follows(ben, &server, &tenant.name, "join", &ticket);
        ben.sees("Candidate, register an authenticator");
        follows(ada, &server, &tenant.name, "join", &ticket);
        ada.click("Register an authenticator");
        ada.sees("Registered, and not yet in force");
        let hers = candidate(&tenant)["credential"].clone();
        assert!(hers.is_object(), "{hers}");

        ben.run("document.getElementById('register').click()", &[]);
        ben.sees("The ticket is unknown, used or expired; ask for another");
        ben.sees("ticket.invalid");
        ben.expects_complaint("409");
        assert_eq!(candidate(&tenant)["credential"], hers);
        // Opened again it says how far it is, and offers nothing.
        follows(ben, &server, &tenant.name, "join", &ticket);
        says(
            ben,
            ["Registered, and not yet in force", "Read them its fingerprint, so that they know it is yours"],
        );
        ben.snap("used");
    });
}

#[test]
fn a_link_that_is_good_for_nothing_says_what_to_do() {
    let server = Server::shared();
    let (tenant, other) = (Tenant::founded(&server, 2), Tenant::founded(&server, 2));
    let ticket = tenant.invited(&["approver"]);
    let cut = &ticket[..ticket.len() - 1];
    let altered = format!("{cut}{}", if ticket.ends_with('A') { 'E' } else { 'A' });
    walk("links-that-hold-nothing", |[ada]| {
        let _key = ada.security_key();
        follows(ada, &server, &tenant.name, "join", cut);
        says(ada, INVITATION_ENDED);
        ada.snap("cut");
        follows(ada, &server, &tenant.name, "join", "");
        says(ada, INVITATION_ENDED);
        // These are asked about, each in a tab's memory of its own.
        let founders = &tenant.tickets[0];
        for (of, ticket) in [(&tenant, &altered), (&other, &ticket), (&tenant, founders)] {
            follows(ada, &server, &of.name, "join", ticket);
            says(ada, INVITATION_ENDED);
            ada.expects_complaint("401");
        }
        follows(ada, &server, "no-such-tenant", "join", &ticket);
        says(ada, INVITATION_ENDED);
        ada.expects_complaint("401");

        // It was good all the while, and no longer once its time is over.
        follows(ada, &server, &tenant.name, "join", &ticket);
        ada.sees("Candidate, register an authenticator");
        lets_expire(&server, &ticket);
        follows(ada, &server, &tenant.name, "join", &ticket);
        says(ada, INVITATION_ENDED);
        ada.expects_complaint("401");
    });
    assert!(tenant.get("/candidates").expect(200).json()["candidates"].as_array().unwrap().is_empty());
}

#[test]
fn a_link_that_expires_while_it_is_open_says_so() {
    let server = Server::shared();
    let tenant = Tenant::founded(&server, 2);
    let ticket = tenant.invited(&["approver"]);
    let opened = open(&server, &[DECIDING; 2]);
    walk("links-that-expire", |[ada]| {
        let _key = ada.security_key();
        follows(ada, &server, &tenant.name, "join", &ticket);
        ada.sees("Candidate, register an authenticator");
        lets_expire(&server, &ticket);
        ada.click("Register an authenticator");
        says(ada, INVITATION_ENDED);
        ada.expects_complaint("401");

        follows(ada, &server, &opened.name, "found", &opened.tickets[0]);
        ada.sees("Register your authenticator");
        lets_expire(&server, &opened.tickets[0]);
        says(ada, FOUNDING_ENDED);
        ada.expects_complaint("401");
    });
}

#[test]
fn a_founders_link_is_for_one_person_of_one_founding() {
    let server = Server::shared();
    let opened = open(&server, &[DECIDING; 2]);
    let tenant = Tenant::founded(&server, 2);
    let ticket = &opened.tickets[0];
    let invitation = tenant.invited(&["approver"]);
    walk("founders-links", |[ada, ben]| {
        let _keys = [ada.security_key(), ben.security_key()];
        for (of, ticket) in [(&tenant.name, ticket), (&tenant.name, &invitation)] {
            follows(ada, &server, of, "found", ticket);
            says(ada, FOUNDING_ENDED);
            ada.expects_complaint("401");
        }
        follows(ada, &server, &opened.name, "found", &ticket[..20]);
        says(ada, FOUNDING_ENDED);

        follows(ada, &server, &opened.name, "found", ticket);
        ada.click("Register an authenticator");
        ada.sees("You are registered");
        let registered = founding(&server, &opened.name, ticket);
        // Whoever else has seen the link watches, and registers nothing in her place.
        follows(ben, &server, &opened.name, "found", ticket);
        says(ben, ["You are registered", "The document comes with the last founder's registration."]);
        ben.run("document.getElementById('register').click()", &[]);
        ben.sees("The ticket is unknown, used or expired; ask for another");
        ben.sees("ticket.invalid");
        ben.expects_complaint("409");
        assert_eq!(founding(&server, &opened.name, ticket), registered);
    });
}

/// What is known of a founding's candidates.
fn founding(server: &Server, tenant: &str, ticket: &str) -> Value {
    let path = format!("/v1/tenants/{tenant}/founding");
    let shown = server.api().with_token(ticket).get(&path).expect(200).json();
    assert!(!text(&shown["state"]).is_empty());
    shown["candidates"].clone()
}
