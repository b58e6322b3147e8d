//! Attacks on who is signed in: pages of other sites, planted and stolen cookies, sessions that ought to be over, and
//! other tenants' addresses.

use std::fs;
use std::path::Path;

use integration::rotating;
use integration::tenant::text;
use integration::{Server, Tenant, waiting};
use sealbook::http::token::{Token, TokenKind};
use serde_json::json;

use crate::support::attacker::{COOKIE, records_nothing};
use crate::support::pages::{Page, Pages, Request};
use crate::support::{Browser, Key, walk};

/// A hostile site whose pages send a form, or fetch with the visitor's cookies, at once: what it is after stands in the
/// query.
fn hostile_site() -> Pages {
    Pages::serve(|request: &Request| {
        let (path, target) = request.path.split_once('?').unwrap_or((&request.path, ""));
        match path {
            // The classic: a body that is JSON although no form can say so.
            "/form" => Page::new(
                "text/html",
                format!(
                    "<form id=it method=post enctype='text/plain' action='{target}'>\
                     <input name='{{\"reason\":\"' value='\"}}'></form><script>it.submit()</script>"
                ),
            ),
            "/fetch" => Page::new(
                "text/html",
                format!(
                    "<p id=said>asking</p><script>
                     const send = more => fetch('{target}', {{ method: 'POST', credentials: 'include', body: '{{}}', ...more }})
                         .then(answer => answer.type, error => error.name);
                     const json = {{ 'content-type': 'application/json', 'x-sealbook-csrf': 'x' }};
                     Promise.all([send({{ mode: 'no-cors' }}), send({{ mode: 'cors' }}), send({{ mode: 'cors', headers: json }})])
                         .then(all => said.textContent = 'answered: ' + all.join(' '));
                     </script>"
                ),
            ),
            "/favicon.ico" => Page::new("image/svg+xml", "<svg xmlns='http://www.w3.org/2000/svg'/>"),
            _ => Page::missing(),
        }
    })
}

/// What changes something when a form alone asks for it: one that takes a body, and one that takes none.
fn targets(server: &Server, tenant: &Tenant) -> [String; 2] {
    let invitations = format!("/members/{}/invitations", tenant.person(0).id);
    ["/slots/apt-repo/suspend", invitations.as_str()]
        .map(|rest| format!("{}{}", server.url(), tenant.path(rest)))
}

fn invitations(tenant: &Tenant) -> usize {
    tenant.get("/candidates").expect(200).json()["candidates"].as_array().unwrap().len()
}

#[test]
fn another_sites_page_changes_nothing_with_its_visitors_session() {
    let server = Server::shared();
    let tenant = Tenant::founded(&server, 2);
    tenant.slot("apt-repo", "ed25519");
    let hostile = hostile_site();
    walk("cross-site", |[ada]| {
        ada.signs_in(&server, tenant.person(0));
        let invited = invitations(&tenant);
        records_nothing(&tenant, || {
            for target in targets(&server, &tenant) {
                // Another site: the browser keeps the cookie to itself.
                ada.visit(&hostile.elsewhere(&format!("/form?{target}")));
                ada.sees("auth.token");
                ada.expects_complaint("401");
                // Another port of this very host is the same site to a cookie, and not to the server.
                ada.visit(&hostile.url(&format!("/form?{target}")));
                ada.sees("session.cross_site");
                ada.sees("Another site's page asked in your browser, so nothing was done.");
                ada.expects_complaint("403");
                for page in [hostile.elsewhere("/fetch"), hostile.url("/fetch")] {
                    ada.visit(&format!("{page}?{target}"));
                    ada.sees("answered: TypeError TypeError TypeError");
                    ada.expects_complaint("CORS policy");
                    ada.expects_complaint("Failed to load resource");
                }
            }
        });
        assert_eq!(invitations(&tenant), invited, "an invitation came of it");

        // The session holds, and this server's own page does it, with its token and not without.
        ada.visits(&server, &tenant, "/slots");
        for path in ["/slots/apt-repo/suspend", "/actions/draft"] {
            ada.forces_without_token("POST", &tenant.path(path), &json!({})).refused(403, "session.csrf");
        }
        let asked = ada.forces("POST", &tenant.path("/slots/apt-repo/suspend"), &json!({}));
        assert_eq!(asked.status, 201, "{asked:?}");
    });
}

/// Signing a visitor in as the attacker would have the visitor's work done under the attacker's eyes.
#[test]
fn another_sites_page_signs_nobody_in() {
    let server = Server::shared();
    let hostile = hostile_site();
    walk("sign-in-by-another-site", |[ada]| {
        for page in [hostile.elsewhere("/form"), hostile.url("/form")] {
            for path in ["/v1/session/challenge", "/v1/session"] {
                ada.visit(&format!("{page}?{}{path}", server.url()));
                // The form's media type is refused first where the body is looked at first.
                ada.until("a refusal", || {
                    (ada.shows("session.cross_site") || ada.shows("request.media_type")).then_some(())
                });
                ada.expects_complaint("Failed to load resource");
                assert_eq!(ada.session_cookie(), None);
            }
        }
    });
}

#[test]
fn a_planted_cookie_is_not_the_session_after_the_sign_in() {
    let server = Server::shared();
    let tenant = Tenant::founded(&server, 2);
    walk("planted-cookie", |[ada, ben]| {
        // One that was never a session's, and one that is: the attacker's own.
        ben.signs_in(&server, tenant.person(1));
        let drawn = Token::draw(TokenKind::Session).unwrap().reveal().to_string();
        for planted in [drawn, ben.session_cookie().expect("a session")] {
            ada.visit(&format!("{}/signin", server.url()));
            ada.is_planted(&server, &planted);
            let stick = ada.security_key();
            stick.put(&Key::of(tenant.person(0)));
            ada.click("Sign in with a passkey");
            ada.arrives("the inbox", |path| path.ends_with("/inbox"));
            ada.sees("Founder 1");
            let own = ada.session_cookie().expect("a session");
            assert_ne!(own, planted);
            assert!(is_worthless(&server, &tenant, &planted), "what was planted is good for something");
            assert!(!is_worthless(&server, &tenant, &own));
            ada.devtools("Network.clearBrowserCookies", json!({}));
            stick.unplug();
        }
    });
}

#[test]
fn a_sign_in_that_was_overheard_signs_nobody_in() {
    let server = Server::shared();
    let tenant = Tenant::founded(&server, 2);
    walk("overheard-sign-in", |[ada, ben]| {
        let stick = ada.security_key();
        stick.put(&Key::of(tenant.person(0)));
        ada.visit(&format!("{}/signin", server.url()));
        ada.taps("/v1/session");
        ada.click("Sign in with a passkey");
        ada.arrives("the inbox", |path| path.ends_with("/inbox"));
        let overheard = ada.tapped();
        assert_eq!(overheard["credential_id"], Key::of(tenant.person(0)).id());

        ben.visit(&format!("{}/signin", server.url()));
        ben.forces("POST", "/v1/session", &overheard).refused(401, "session.refused");
        // Nor does it answer another challenge.
        let fresh = ben.forces("POST", "/v1/session/challenge", &json!({}));
        let mut renamed = overheard;
        renamed["challenge"] = fresh.body["challenge"].clone();
        ben.forces("POST", "/v1/session", &renamed).refused(401, "session.refused");
        assert_eq!(ben.session_cookie(), None);
    });
}

#[test]
fn who_signs_out_leaves_a_worthless_cookie_behind() {
    let server = Server::shared();
    let tenant = Tenant::founded(&server, 2);
    walk("signed-out", |[ada, ben]| {
        ada.signs_in(&server, tenant.person(0));
        let stolen = ada.session_cookie().expect("a session");
        ben.visit(&format!("{}/signin", server.url()));
        ben.is_planted(&server, &stolen);
        ben.visits(&server, &tenant, "/slots");
        ben.sees("Founder 1");

        ada.click("Founder 1…");
        ada.click("Sign out");
        ada.arrives("the sign-in", |path| path == "/signin");
        assert_eq!(ada.session_cookie(), None);
        assert!(is_worthless(&server, &tenant, &stolen));
        // The thief's page, which was left open, leads out by itself.
        ben.arrives("the sign-in", |path| path == "/signin");
        ben.sees("Sign in with a passkey");
        ben.forgives("401");
    });
}

#[test]
fn a_session_that_is_ended_elsewhere_ends_here() {
    let server = Server::shared();
    let tenant = Tenant::founded(&server, 2);
    walk("revoked-session", |[lost, at_hand]| {
        lost.signs_in(&server, tenant.person(0));
        at_hand.signs_in(&server, tenant.person(0));
        lost.visits(&server, &tenant, "/people");
        let cookie = lost.session_cookie().expect("a session");
        at_hand.visits(&server, &tenant, "/sessions");
        at_hand.click("End the session of Chrome…");
        waiting::until("the session to end", || is_worthless(&server, &tenant, &cookie).then_some(()));
        lost.forces("POST", &tenant.path("/actions/draft"), &json!({})).refused(401, "auth.token");
        lost.arrives("the sign-in", |path| path == "/signin");
        lost.forgives("401");
        at_hand.visits(&server, &tenant, "/inbox");
        at_hand.sees("Founder 1");
    });
}

#[test]
fn a_suspended_members_open_page_leads_out() {
    let server = Server::shared();
    let tenant = Tenant::founded(&server, 3);
    walk("suspended", |[ada]| {
        ada.signs_in(&server, tenant.person(1));
        let cookie = ada.session_cookie().expect("a session");
        ada.visits(&server, &tenant, "/people");
        ada.sees("Founder 2");
        let path = format!("/members/{}/suspend", tenant.person(1).id);
        tenant.post(&path, &json!({ "reason": "a laptop is missing" })).expect(201);
        ada.arrives("the sign-in", |path| path == "/signin");
        assert!(is_worthless(&server, &tenant, &cookie));
        ada.forgives("401");
        // Nor does the passkey sign in again.
        ada.click("Sign in with a passkey");
        ada.sees("session.refused");
        ada.expects_complaint("401");
    });
}

/// Whether a session's cookie opens nothing: neither a page nor the API.
fn is_worthless(server: &Server, tenant: &Tenant, value: &str) -> bool {
    let cookie = format!("{COOKIE}={value}");
    let ask = |path: &str| {
        server.api().send("GET", path, &[("cookie", &cookie), ("accept", "text/html")], b"").status
    };
    let (page, api) = (ask(&format!("/t/{}/inbox", tenant.name)), ask(&tenant.path("/members")));
    match (page, api) {
        (303, 401) => true,
        (200, 200) => false,
        other => panic!("a page and the API disagree: {other:?}"),
    }
}

/// The pages under a tenant's name, as the server's own sources list them.
fn routes() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("server/src/pages");
    let mut found = Vec::new();
    for file in fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let Ok(text) = fs::read_to_string(path) else { continue };
        let routes = text.lines().filter_map(|line| line.strip_prefix("#[get(\"/t/{tenant}/"));
        found.extend(routes.map(|rest| rest.trim_end_matches("\")]").to_owned()));
    }
    found.sort();
    assert!(found.len() >= 16, "{found:?}");
    found
}

/// A route's path, with what it names in a tenant.
fn filled(route: &str, [action, rotation, incident]: &[String; 3]) -> String {
    let path = route
        .replace("{action}", action)
        .replace("{rotation}", rotation)
        .replace("{incident}", incident)
        .replace("{slot}", "apt-repo")
        .replace("{seq}", "3")
        .replace("{type}", "slot.create");
    assert!(!path.contains('{'), "{route} names what this test does not know");
    path
}

/// Asks for a page from within another one: its status and text, without what differs by design: the correlation and
/// the tenant's name.
fn looks_at(browser: &Browser, tenant: &str, path: &str) -> (u64, String) {
    let script = r#"
        const [tenant, path] = arguments;
        return fetch(`/t/${tenant}/${path}`, { headers: { accept: "text/html" } }).then(async answer => {
            const text = path === "live" && answer.ok ? "" : await answer.text();
            const correlation = answer.headers.get("x-correlation-id");
            return { status: answer.status, text: text.replaceAll(correlation, "").replaceAll(tenant, "") };
        });
    "#;
    let answer = browser.run(script, &[tenant.into(), path.into()]);
    (answer["status"].as_u64().unwrap(), text(&answer["text"]).to_owned())
}

#[test]
fn every_page_of_another_tenant_is_as_one_of_no_tenant() {
    let server = Server::shared();
    let (own, other) = (Tenant::founded(&server, 2), Tenant::founded(&server, 2));
    let named = [&own, &other].map(|tenant| {
        let action = text(&tenant.slot("apt-repo", "ed25519")["action"]).to_owned();
        let rotation = rotating::rotate(tenant, "apt-repo", "key.rotate_emergency");
        let incident = tenant.post("/incidents", &json!({ "slot": "apt-repo" })).expect(201).json();
        [action, rotation, text(&incident["incident"]).to_owned()]
    });
    walk("another-tenant", |[ada]| {
        ada.signs_in(&server, own.person(0));
        for route in routes() {
            // Before anybody is known, the pages of one-time links say the same of every name.
            let open = ["found", "join"].contains(&route.as_str());
            let (mine, theirs) = (filled(&route, &named[0]), filled(&route, &named[1]));
            assert_eq!(looks_at(ada, &own.name, &mine).0, 200, "{route} of her own");
            let shown = looks_at(ada, &other.name, &theirs);
            assert_eq!(shown.0, if open { 200 } else { 404 }, "{route} of another tenant");
            assert_eq!(shown, looks_at(ada, "no-such-tenant", &theirs), "{route} tells tenants from none");
            assert!(open || shown.1.contains("tenant.unknown"), "{route}: {}", shown.1);
        }
        ada.expects_complaint("404");
        ada.visits(&server, &other, "/ledger");
        ada.sees("What another tenant has looks like nothing from here");
        ada.expects_complaint("404");
    });
}
