//! Every page, in every width, light and dark: nothing is cut off, nothing keeps anybody out.

use fantoccini::key::Key;
use integration::Server;
use integration::story::Story;
use integration::tenant::signing_policy;
use serde_json::json;

use crate::support::walk;

/// The pages that people read, by the names of their screens. New ones are listed here.
const PAGES: [(&str, &str); 18] = [
    ("inbox", "/inbox"),
    ("slots", "/slots"),
    ("slot", "/slots/ecdsa-p256-sha256"),
    ("ledger", "/ledger"),
    ("ledger-filtered", "/ledger?slot=ed25519"),
    ("ledger-nothing", "/ledger?actor=server&group=people&from=2020-01-01T00:00&to=2020-01-02T00:00"),
    ("event", "/ledger/7"),
    ("event-first", "/ledger/0"),
    ("people", "/people"),
    ("health", "/health"),
    ("audit", "/audit"),
    ("audit-keys", "/audit?list=keys"),
    ("propose", "/propose"),
    ("propose-slot", "/propose/slot.create"),
    ("propose-service", "/propose/service.enroll"),
    ("propose-member", "/propose/member.enroll"),
    ("propose-policy", "/propose/policy.set"),
    ("sessions", "/sessions"),
];

#[test]
fn every_page_is_whole_and_open_to_everybody() {
    let server = Server::shared();
    let story = Story::tell(&server, &["ecdsa-p256-sha256", "ed25519"]);
    let tenant = &story.tenant;
    let params = tenant.slot_params("release-of-the-summer", "ecdsa-p256-sha256", &signing_policy());
    tenant.propose(tenant.person(0), "platform_admin", "slot.create", &params).expect(201);
    let policy = json!({ "slot": "ed25519", "signing_policy": signing_policy() });
    tenant.propose(tenant.person(1), "platform_admin", "slot.policy_set", &policy).expect(201);

    walk("pages", |[ada]| {
        ada.reads_as(tenant.person(2));
        for (name, page) in PAGES {
            ada.visits(&server, tenant, page);
            ada.looks(name);
        }
        ada.visits(&server, tenant, "/no-such-page");
        ada.looks("no-such-page");
        ada.expects_complaint("404");
    });
}

/// The system's colours hold until the reader chooses others, which then stay.
#[test]
fn a_reader_chooses_the_colours() {
    let server = Server::shared();
    let tenant = integration::Tenant::founded(&server, 2);
    walk("colours", |[ada]| {
        ada.reads_as(tenant.person(0));
        ada.visits(&server, &tenant, "/inbox");
        let paper = || ada.run("return getComputedStyle(document.body).backgroundColor", &[]);
        let light = paper();
        let keyboard = ada.keyboard();
        keyboard.press("Founder 1…");
        keyboard.reach("As the system");
        keyboard.strike(Key::Down);
        keyboard.strike(Key::Down);
        ada.until("dark paper", || (paper() != light).then_some(()));
        ada.snap("dark-by-choice");
        ada.reload();
        assert_ne!(paper(), light);

        keyboard.press("Founder 1…");
        keyboard.reach("Dark");
        keyboard.strike(Key::Up);
        keyboard.strike(Key::Up);
        ada.until("the system's paper", || (paper() == light).then_some(()));
    });
}
