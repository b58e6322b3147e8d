//! Every page, in every width, light and dark: nothing is cut off, nothing keeps anybody out.

use fantoccini::key::Key;
use integration::Server;
use integration::house::{House, READER};
use integration::tenant::text;

use crate::support::{Browser, walk};

/// The pages that people read, by the names of their screens. New ones are listed here.
const PAGES: [(&str, &str); 38] = [
    ("inbox", "/inbox"),
    ("slots", "/slots"),
    ("slot", "/slots/apt-repo"),
    ("slot-suspended", "/slots/firmware-ed25519"),
    ("calendar", "/calendar"),
    ("incidents", "/incidents"),
    ("drills", "/drills"),
    ("ledger", "/ledger"),
    ("ledger-filtered", "/ledger?slot=apt-repo"),
    ("ledger-nothing", "/ledger?actor=server&group=people&from=2020-01-01T00:00&to=2020-01-02T00:00"),
    ("event", "/ledger/7"),
    ("event-first", "/ledger/0"),
    ("people", "/people"),
    ("health", "/health"),
    ("audit", "/audit"),
    ("audit-keys", "/audit?list=keys"),
    ("audit-approvals", "/audit?list=approvals"),
    ("audit-rotation", "/audit?list=rotation"),
    ("propose", "/propose"),
    ("propose-slot", "/propose/slot.create"),
    ("propose-slot-policy", "/propose/slot.policy_set?slot=apt-repo"),
    ("propose-revoke", "/propose/key.revoke"),
    ("propose-service", "/propose/service.enroll"),
    ("propose-member", "/propose/member.enroll"),
    ("propose-credential", "/propose/credential.add"),
    ("propose-role", "/propose/role.grant"),
    ("propose-batch", "/propose/signing.batch"),
    ("propose-policy", "/propose/policy.set"),
    ("sessions", "/sessions"),
    ("reports", "/reports"),
    ("rotations", "/rotations"),
    ("rotations-of-slot", "/rotations?slot=images-p384"),
    ("slot-rotated", "/slots/images-p384"),
    ("revocations", "/revocations"),
    ("slot-revoking", "/slots/acme-root"),
    ("slot-compromised", "/slots/msi-authenticode"),
    ("slot-destroyed", "/slots/apt-legacy"),
    ("propose-destroy", "/propose/key.destroy"),
];

/// What an action's page can be about, by the house's names, and what it then says.
const ACTIONS: [(&str, &str); 12] = [
    ("pending", "matches"),
    ("own", "This is your own proposal"),
    ("approved", "It has taken effect"),
    ("rejected", "Somebody rejected it"),
    ("cancelled", "It has ended"),
    ("expired", "Expired"),
    ("signing", "setup-x64.msi"),
    ("batch", "checksums.txt"),
    ("enrolment", "Dana Novak"),
    ("emergency", "Break-glass"),
    ("policy", "attested hardware only"),
    ("planned", "It began a rotation"),
];

#[test]
fn every_page_is_whole_and_open_to_everybody() {
    let server = Server::shared();
    let house = House::build(&server, "acme");
    let tenant = &house.tenant;
    walk("pages", |[ada]| {
        ada.reads_as(tenant.person(READER));
        for (name, page) in PAGES {
            ada.visits(&server, tenant, page);
            ada.looks(name);
        }
        let revoked = tenant.get("/revocations").expect(200).json()["revoked"].take();
        let oldest = text(&revoked.as_array().unwrap().last().unwrap()["certificate"]).to_owned();
        ada.visits(&server, tenant, &format!("/revocations?from={oldest}"));
        ada.sees("Revoked earlier");
        ada.looks("revocations-earlier");
        for what in ["broken-glass", "planned"] {
            ada.visits(&server, tenant, &house.rotation_of(what));
            ada.looks(&format!("rotation-{what}"));
        }
    });
}

#[test]
fn every_state_of_an_action_is_whole_and_so_is_what_comes_before_signing_in() {
    let server = Server::shared();
    let house = House::build(&server, "acme-actions");
    let tenant = &house.tenant;
    walk("actions", |[ada, ben]| {
        ada.reads_as(tenant.person(READER));
        for (name, says) in ACTIONS {
            ada.visits(&server, tenant, &house.page_of(name));
            ada.sees(says);
            // It says so once the document, and all that the page says of it, has been compared.
            ada.sees("matches");
            ada.looks(&format!("action-{name}"));
        }
        ada.visits(&server, tenant, "/no-such-page");
        ada.looks("no-such-page");
        ada.expects_complaint("404");
        before_signing_in(ben, &server, &house);
    });
}

/// What people see who are not signed in, or may not read what they ask for.
fn before_signing_in(ben: &Browser, server: &Server, house: &House) {
    let tenant = &house.tenant;
    // Signed out: the sign-in, which leads back.
    ben.visits(server, tenant, "/inbox");
    ben.sees("Sign in with a passkey");
    ben.looks("signed-out");
    // Before any link was opened in this tab, which then keeps its ticket.
    for (name, page) in [("join-nothing", "/join"), ("found-nothing", "/found")] {
        ben.visits(server, tenant, page);
        ben.sees("This link holds nothing");
        ben.looks(name);
    }
    let [waiting, registered] = &house.invitations;
    for (name, ticket, says) in [
        ("join-register", waiting, "Jonas Weber"),
        ("join-wait", registered, "Registered, and not yet in force"),
    ] {
        // Another fragment alone would be no visit.
        ben.visit("about:blank");
        ben.visits(server, tenant, &format!("/join#{ticket}"));
        ben.sees(says);
        ben.looks(name);
    }
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
