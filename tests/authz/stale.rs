//! A session that nobody has shown an authenticator for lately: it reads, decides and contains; what it alone would
//! authorise waits for the passkey.

use integration::server::Options;
use integration::{Answer, Server, Tenant, waiting};
use serde_json::{Value, json};

use crate::browsers::{Browser, OWN, page};

/// A server on which a sign-in is fresh for a second.
fn server() -> Server {
    let arguments = ["--fresh-sign-in", "1"].map(str::to_owned).to_vec();
    Server::start_with(Options { arguments, ..Options::default() })
}

/// Asks until the session is stale.
#[track_caller]
fn wait_until_stale(mut asked: impl FnMut() -> Value) {
    waiting::until("the session to be stale", || (asked()["fresh"] == false).then_some(()));
}

#[test]
fn what_a_session_alone_authorises_waits_for_a_sign_in_and_nothing_else_does() {
    let server = server();
    let tenant = Tenant::founded(&server, 3);
    let (ada, ben) = (tenant.person(0), tenant.person(1));
    let session = || tenant.get("/session").expect(200).json();
    wait_until_stale(session);
    let digest = integration::tenant::sha256(b"a paper");
    let evidence = json!({
        "digest": digest, "media_type": "text/plain", "subject": { "kind": "member", "id": ada.id },
    });
    let stale = |method: &str, rest: &str, body: &Value| {
        let sent = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let headers: &[_] = if body.is_null() { &[] } else { &[("content-type", "application/json")] };
        ada.api.send(method, &tenant.path(rest), headers, &sent).refused(403, "session.stale");
    };
    stale("POST", "/candidates", &json!({ "display_name": "Dan", "roles": ["approver"] }));
    stale("POST", &format!("/members/{}/invitations", ben.id), &json!({}));
    stale("DELETE", "/sessions/AAAA", &Value::Null);
    stale("GET", "/export", &Value::Null);
    stale("GET", "/export?type=member.enrolled", &Value::Null);
    stale("POST", "/evidence", &evidence);
    stale("POST", "/slots/release/sign", &json!({ "digest": digest }));
    let of_nothing = uuid::Uuid::new_v4();
    stale("GET", &format!("/keys/{of_nothing}/blast-radius.csv"), &Value::Null);
    stale("GET", &format!("/keys/{of_nothing}/blast-radius.jsonl?receipts=true"), &Value::Null);
    stale("POST", &format!("/rotations/{of_nothing}/confirm"), &json!({}));
    stale("POST", &format!("/rotations/{of_nothing}/channels/web"), &json!({}));
    stale("POST", &format!("/certificates/{of_nothing}/chain"), &json!({ "chain_pem": "" }));

    for step in ["advance", "advise", "close", "reinstate", "resign"] {
        let body = match step {
            "advise" => json!({ "reference": "A-1", "text": "Wait." }),
            "close" => json!({ "outcome": "resolved" }),
            "reinstate" => json!({ "channel": "web" }),
            _ => json!({}),
        };
        stale("POST", &format!("/incidents/{of_nothing}/{step}"), &body);
    }
    stale("POST", "/drills", &json!({ "slot": "release" }));

    // Reading, deciding by an assertion of its own, and containing go on: containment never waits.
    tenant.get("/members").expect(200);
    tenant.slot("release", "ecdsa-p256-sha256");
    tenant.post("/slots/release/suspend", &json!({})).expect(201);
    let incident = tenant.post("/incidents", &json!({ "slot": "release" })).expect(201).json();
    let path = format!("/incidents/{}", incident["incident"].as_str().unwrap());
    tenant.post(&format!("{path}/scope"), &json!({})).expect(200);
    tenant.post(&format!("{path}/note"), &json!({ "text": "seen" })).expect(200);
    tenant.post(&format!("/rotations/{of_nothing}/stop"), &json!({})).refused(404, "rotation.unknown");
    tenant.post(&format!("/members/{}/suspend", ben.id), &json!({})).expect(201);
    assert_eq!(session()["fresh"], false, "none of it counts as a sign-in");

    // A program signs in again, and shows the session that it leaves.
    let again = ada.api.post(&tenant.path("/session"), &ada.session_body(&tenant.name)).expect(201).json();
    let renewed = server.api().with_token(again["token"].as_str().unwrap());
    renewed.post(&tenant.path("/evidence"), &evidence).expect(201);
    ada.get(&tenant.path("/members")).refused(401, "auth.token");
}

#[test]
fn a_browsers_session_goes_on_under_another_token_once_its_member_shows_a_passkey() {
    let server = server();
    let tenant = Tenant::founded(&server, 2);
    let (ada, ben) = (tenant.person(0), tenant.person(1));
    let mut browser = Browser::new(&server);
    browser.sign_in(ada);
    let show = |browser: &Browser| {
        browser.send("GET", &tenant.path("/session"), &[], &Value::Null).expect(200).json()
    };
    let before = show(&browser);
    let ask = |browser: &Browser, csrf: &str, rest: &str, body: &Value| -> Answer {
        browser.send("POST", &tenant.path(rest), &[OWN, ("x-sealbook-csrf", csrf)], body)
    };
    let csrf = before["csrf"].as_str().unwrap().to_owned();
    assert_eq!(csrf, browser.csrf(&tenant));
    wait_until_stale(|| show(&browser));
    let invitation = json!({ "display_name": "Dan", "roles": ["approver"] });
    ask(&browser, &csrf, "/candidates", &invitation).refused(403, "session.stale");

    // The challenge names the member's own passkeys, is good once, and takes nobody else's.
    let challenge = |browser: &Browser, csrf: &str| {
        ask(browser, csrf, "/session/renewal/challenge", &json!({})).expect(200).json()
    };
    let asked = challenge(&browser, &csrf);
    let listed = asked["public_key"]["allowCredentials"].as_array().unwrap().clone();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0]["id"], ada.credential()["credential_id"]);
    let by_ben = Browser::answer_to(&asked, ben);
    ask(&browser, &csrf, "/session/renewal", &by_ben).refused(401, "session.refused");
    let late = Browser::answer_to(&asked, ada);
    ask(&browser, &csrf, "/session/renewal", &late).refused(401, "session.refused");
    let answer = Browser::answer_to(&challenge(&browser, &csrf), ada);
    ask(&browser, "", "/session/renewal", &answer).refused(403, "session.csrf");
    let renewed = ask(&browser, &csrf, "/session/renewal", &answer).expect(200);
    let set = renewed.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    let old = std::mem::replace(&mut browser.cookie, set);
    assert_ne!(browser.cookie, old);

    // What was there before is worth nothing, the end is the same, and the page goes on.
    let after = renewed.json();
    assert_eq!(after["expires_at"], before["expires_at"]);
    let csrf = after["csrf"].as_str().unwrap().to_owned();
    ask(&browser, before["csrf"].as_str().unwrap(), "/candidates", &invitation).refused(403, "session.csrf");
    let mut thief = Browser::new(&server);
    thief.cookie = old;
    thief.get(&page(&tenant, "inbox")).expect(303);
    thief.send("GET", &tenant.path("/session"), &[], &Value::Null).refused(401, "auth.token");
    // A second may be over already: then it is renewed once more, and goes on.
    let mut csrf = csrf;
    waiting::until("an invitation by a fresh session", || {
        let asked = ask(&browser, &csrf, "/candidates", &invitation);
        if asked.status == 201 {
            return Some(());
        }
        asked.refused(403, "session.stale");
        let answer = Browser::answer_to(&challenge(&browser, &csrf), ada);
        let renewed = ask(&browser, &csrf, "/session/renewal", &answer).expect(200);
        browser.cookie = renewed.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
        csrf = renewed.json()["csrf"].as_str().unwrap().to_owned();
        None
    });
    // A program's session is renewed by signing in.
    ada.api.post(&tenant.path("/session/renewal/challenge"), &json!({})).refused(401, "session.refused");
}
