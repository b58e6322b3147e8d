//! Browsers: a cookie says who asks, and is not enough to change anything.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use integration::{Api, Person, Server, Tenant, waiting};
use sealbook::http::token::{Token, TokenKind};
use sealbook_ledger::encoding::{B64, Hash};
use serde_json::{Value, json};
use uuid::Uuid;

pub(crate) const OWN: (&str, &str) = ("sec-fetch-site", "same-origin");
const JSON: (&str, &str) = ("content-type", "application/json");

/// A browser that keeps the one cookie.
pub(crate) struct Browser {
    api: Api,
    pub(crate) cookie: String,
}

impl Browser {
    pub(crate) fn new(server: &Server) -> Self {
        Self { api: server.api(), cookie: String::new() }
    }

    pub(crate) fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> integration::Answer {
        let mut all = headers.to_vec();
        if !self.cookie.is_empty() {
            all.push(("cookie", &self.cookie));
        }
        let sent = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        if !body.is_null() {
            all.push(JSON);
        }
        self.api.send(method, path, &all, &sent)
    }

    pub(crate) fn get(&self, path: &str) -> integration::Answer {
        self.send("GET", path, &[("accept", "text/html")], &Value::Null)
    }

    /// The answer of a passkey to the server's challenge.
    fn answer(&self, person: &Person) -> Value {
        let asked = self.send("POST", "/v1/session/challenge", &[OWN], &json!({})).expect(200).json();
        Self::answer_to(&asked, person)
    }

    /// The answer of a person's passkey to a challenge.
    pub(crate) fn answer_to(asked: &Value, person: &Person) -> Value {
        let challenge: B64 = asked["public_key"]["challenge"].as_str().unwrap().parse().unwrap();
        let mut answer = person.assert(Hash(challenge.as_bytes().try_into().unwrap()));
        let handle = Uuid::parse_str(&person.id).unwrap();
        answer["user_handle"] = B64::from(handle.as_bytes().as_slice()).to_string().into();
        answer["challenge"] = asked["challenge"].clone();
        answer
    }

    pub(crate) fn sign_in(&mut self, person: &Person) {
        let answer = self.answer(person);
        let begun = self.send("POST", "/v1/session", &[OWN], &answer).expect(201);
        let set = begun.header("set-cookie").unwrap().to_owned();
        assert!(set.ends_with("; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=43200"), "{set}");
        assert!(begun.json().get("token").is_none());
        self.cookie = set.split(';').next().unwrap().to_owned();
    }

    pub(crate) fn csrf(&self, tenant: &Tenant) -> String {
        let page = self.get(&format!("/t/{}/inbox", tenant.name)).expect(200).text();
        page.split("name=\"csrf\" content=\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
    }
}

pub(crate) fn page(tenant: &Tenant, rest: &str) -> String {
    format!("/t/{}/{rest}", tenant.name)
}

#[test]
fn without_a_session_pages_lead_to_the_sign_in_and_back() {
    let server = Server::shared();
    let tenant = Tenant::founded(&server, 2);
    let mut browser = Browser::new(&server);
    let led = browser.get(&page(&tenant, "inbox")).expect(303);
    let sign_in = format!("/signin?next={}", page(&tenant, "inbox"));
    assert_eq!(led.header("location"), Some(sign_in.as_str()));
    assert!(browser.get(&sign_in).expect(200).text().contains("Sign in with a passkey"));
    assert_eq!(browser.get("/").expect(303).header("location"), Some("/signin"));

    browser.sign_in(tenant.person(0));
    assert_eq!(browser.get(&sign_in).expect(303).header("location"), Some(page(&tenant, "inbox").as_str()));
    let home = browser.get("/signin?next=//evil.example").expect(303);
    assert_eq!(home.header("location"), Some(page(&tenant, "inbox").as_str()));
}

#[test]
fn pages_are_kept_by_their_headers() {
    let server = Server::shared();
    let tenant = Tenant::founded(&server, 2);
    let mut browser = Browser::new(&server);
    browser.sign_in(tenant.person(0));
    for path in [page(&tenant, "inbox"), page(&tenant, "sessions"), page(&tenant, "nowhere")] {
        let shown = browser.get(&path);
        let policy = shown.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self';"), "{policy}");
        assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"), "{policy}");
        for (name, value) in [
            ("cache-control", "no-store"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
            ("referrer-policy", "no-referrer"),
            ("x-content-type-options", "nosniff"),
        ] {
            assert_eq!(shown.header(name), Some(value), "{path}");
        }
        let text = shown.text();
        for asset in text.split("\"/static/").skip(1).map(|rest| rest.split(['"', '#']).next().unwrap()) {
            let asset = browser.get(&format!("/static/{asset}")).expect(200);
            assert_eq!(asset.header("cache-control"), Some("public, max-age=31536000, immutable"));
        }
    }
    let missing = browser.get(&page(&tenant, "nowhere")).expect(404);
    assert!(missing.header("content-type").unwrap().starts_with("text/html"));
    assert!(missing.text().contains("path.unknown"));
    browser.api.get("/v1/nowhere").refused(404, "path.unknown");
}

#[test]
fn a_cookie_changes_nothing_without_the_pages_token_and_the_browsers_word() {
    let server = Server::shared();
    let tenant = Tenant::founded(&server, 2);
    let mut browser = Browser::new(&server);
    browser.sign_in(tenant.person(0));
    let csrf = browser.csrf(&tenant);
    let path = tenant.path("/actions/draft");
    let token = ("x-sealbook-csrf", csrf.as_str());
    let url = server.url();
    let refused = |headers: &[(&str, &str)], code: &str| {
        browser.send("POST", &path, headers, &json!({})).refused(403, code);
    };
    refused(&[OWN], "session.csrf");
    refused(&[OWN, ("x-sealbook-csrf", "")], "session.csrf");
    refused(&[OWN, ("x-sealbook-csrf", &csrf[1..])], "session.csrf");
    refused(&[token], "session.cross_site");
    refused(&[token, ("origin", "https://evil.example")], "session.cross_site");
    refused(&[token, ("origin", "null")], "session.cross_site");
    for site in ["cross-site", "same-site", "none"] {
        refused(&[token, ("sec-fetch-site", site), ("origin", &url)], "session.cross_site");
    }
    // With both, the request is looked at: an empty draft is malformed.
    browser.send("POST", &path, &[token, OWN], &json!({})).refused(400, "request.json");
    browser.send("POST", &path, &[token, ("origin", &url)], &json!({})).refused(400, "request.json");
    // Another session's token is none.
    let mut other = Browser::new(&server);
    other.sign_in(tenant.person(0));
    let strange = other.csrf(&tenant);
    refused(&[OWN, ("x-sealbook-csrf", &strange)], "session.csrf");
    // Nor does the cookie's token go as a bearer's, or a program's session as a cookie.
    let secret = browser.cookie.split_once('=').unwrap().1;
    server.api().with_token(secret).get(&tenant.path("/members")).refused(401, "auth.token");
    let program = format!("__Host-sealbook={}", tenant.person(0).api.token().unwrap());
    server
        .api()
        .send("GET", &tenant.path("/members"), &[("cookie", &program)], b"")
        .refused(401, "auth.token");
}

#[test]
fn another_tenants_pages_do_not_exist() {
    let server = Server::shared();
    let (tenant, other) = (Tenant::founded(&server, 2), Tenant::founded(&server, 2));
    let mut browser = Browser::new(&server);
    browser.sign_in(tenant.person(0));
    for place in ["inbox", "sessions"] {
        let shown = browser.get(&page(&other, place)).expect(404).text();
        assert!(shown.contains("tenant.unknown"), "{shown}");
        assert_eq!(browser.get(&format!("/t/no-such-tenant/{place}")).status, 404);
    }
    assert_eq!(browser.get(&page(&other, "live")).code(), "tenant.unknown");
    browser.send("GET", &other.path("/sessions"), &[], &Value::Null).refused(404, "tenant.unknown");
}

#[test]
fn a_cookie_from_before_the_sign_in_is_not_the_one_after() {
    let server = Server::shared();
    let tenant = Tenant::founded(&server, 2);
    let mut browser = Browser::new(&server);
    let planted = format!("__Host-sealbook={}", *Token::draw(TokenKind::Session).unwrap().reveal());
    browser.cookie = planted.clone();
    browser.sign_in(tenant.person(0));
    assert_ne!(browser.cookie, planted);
    let mut planter = Browser::new(&server);
    planter.cookie = planted;
    planter.get(&page(&tenant, "inbox")).expect(303);
    // A second sign-in ends the first session.
    let first = browser.cookie.clone();
    browser.sign_in(tenant.person(0));
    planter.cookie = first;
    planter.get(&page(&tenant, "inbox")).expect(303);
    browser.get(&page(&tenant, "inbox")).expect(200);
}

#[test]
fn every_failed_sign_in_looks_the_same() {
    let server = Server::shared();
    let tenant = Tenant::founded(&server, 2);
    let browser = Browser::new(&server);
    let refused = |answer: &Value| {
        browser.send("POST", "/v1/session", &[OWN], answer).refused(401, "session.refused");
    };
    let answer = browser.answer(tenant.person(0));
    browser.send("POST", "/v1/session", &[OWN], &answer).expect(201);
    refused(&answer);
    let mut another = browser.answer(tenant.person(0));
    another["user_handle"] = browser.answer(tenant.person(1))["user_handle"].clone();
    refused(&another);
    let mut nobody = browser.answer(tenant.person(0));
    nobody["user_handle"] = B64::from(Uuid::new_v4().as_bytes().as_slice()).to_string().into();
    refused(&nobody);
    let mut forged = browser.answer(tenant.person(0));
    forged["signature"] = browser.answer(tenant.person(0))["signature"].clone();
    refused(&forged);
    let mut elsewhere = browser.answer(tenant.person(0));
    elsewhere["challenge"] = browser.answer(tenant.person(0))["challenge"].clone();
    refused(&elsewhere);
    let answer = browser.answer(tenant.person(0));
    let crossed = [("sec-fetch-site", "cross-site")];
    browser.send("POST", "/v1/session", &crossed, &answer).refused(403, "session.cross_site");
}

#[test]
fn a_member_sees_and_ends_own_sessions_only() {
    let server = Server::shared();
    let tenant = Tenant::founded(&server, 2);
    let (mut here, mut there, mut other) =
        (Browser::new(&server), Browser::new(&server), Browser::new(&server));
    here.sign_in(tenant.person(0));
    there.sign_in(tenant.person(0));
    other.sign_in(tenant.person(1));
    let path = tenant.path("/sessions");
    let list = |browser: &Browser| {
        let list = browser.send("GET", &path, &[], &Value::Null).expect(200).json();
        list["sessions"].as_array().unwrap().clone()
    };
    let own = list(&here);
    assert_eq!(own.iter().filter(|session| session["browser"] == true).count(), 2);
    assert_eq!(own.iter().filter(|session| session["current"] == true).count(), 1);
    let theirs = list(&other);
    assert!(theirs.iter().all(|session| own.iter().all(|mine| mine["session"] != session["session"])));
    let shown = here.get(&page(&tenant, "sessions")).expect(200).text();
    assert!(shown.contains("This one") && shown.contains("End the session of"));

    let end = |browser: &Browser, session: &Value| {
        let csrf = browser.csrf(&tenant);
        let path = format!("{path}/{}", session["session"].as_str().unwrap());
        browser.send("DELETE", &path, &[OWN, ("x-sealbook-csrf", &csrf)], &Value::Null)
    };
    end(&here, &theirs[0]).refused(404, "session.unknown");
    let second = own.iter().find(|s| s["browser"] == true && s["current"] == false).unwrap();
    end(&here, second).expect(204);
    there.get(&page(&tenant, "inbox")).expect(303);
    let signed_out = here.send(
        "DELETE",
        &tenant.path("/session"),
        &[OWN, ("x-sealbook-csrf", &here.csrf(&tenant))],
        &Value::Null,
    );
    assert!(signed_out.expect(204).header("set-cookie").unwrap().contains("Max-Age=0"));
    here.get(&page(&tenant, "inbox")).expect(303);
}

/// Opens a live stream, reads its first event, and leaves it open.
fn follow(server: &Server, tenant: &Tenant, cookie: &str) -> (TcpStream, String) {
    let mut stream = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
    stream.set_read_timeout(Some(waiting::DEADLINE)).unwrap();
    let path = page(tenant, "live");
    write!(stream, "GET {path} HTTP/1.1\r\nhost: localhost\r\ncookie: {cookie}\r\n\r\n").unwrap();
    let said = read_until(&mut stream, |said| said.contains("\n\n") || said.contains("problem+json"));
    (stream, said)
}

fn read_until(stream: &mut TcpStream, enough: impl Fn(&str) -> bool) -> String {
    let (mut said, mut piece) = (String::new(), [0; 4096]);
    while !enough(&said) {
        let read = stream.read(&mut piece).unwrap();
        assert_ne!(read, 0, "it ended after {said}");
        said.push_str(&String::from_utf8_lossy(&piece[..read]));
    }
    said
}

/// How soon a stream has to end once nobody may follow it, with room for a busy machine.
const SOON: Duration = Duration::from_secs(8);

/// Fails unless a stream ends soon: with an empty chunk, for the connection stays.
fn ends(mut stream: TcpStream) {
    stream.set_read_timeout(Some(SOON)).unwrap();
    read_until(&mut stream, |said| said.ends_with("0\r\n\r\n"));
}

#[test]
fn a_live_page_ends_with_whoever_follows_it() {
    let server = Server::shared();
    let tenant = Tenant::founded(&server, 3);
    let sign_in = |n: usize| {
        let mut browser = Browser::new(&server);
        browser.sign_in(tenant.person(n));
        browser
    };
    let follow = |browser: &Browser| follow(&server, &tenant, &browser.cookie).0;
    let leave = |browser: &Browser, path: &str| {
        let csrf = browser.csrf(&tenant);
        browser
            .send("DELETE", &tenant.path(path), &[OWN, ("x-sealbook-csrf", &csrf)], &Value::Null)
            .expect(204);
    };
    let (stays, signs_out, loses) = (sign_in(0), sign_in(0), sign_in(0));
    let mut staying = follow(&stays);

    let stream = follow(&signs_out);
    leave(&signs_out, "/session");
    ends(stream);

    let stream = follow(&loses);
    let listed = loses.send("GET", &tenant.path("/sessions"), &[], &Value::Null).expect(200).json();
    let listed = listed["sessions"].as_array().unwrap().clone();
    let lost = listed.iter().find(|session| session["current"] == true).unwrap();
    leave(&stays, &format!("/sessions/{}", lost["session"].as_str().unwrap()));
    ends(stream);

    let (member, credential) = (sign_in(1), sign_in(2));
    let stream = follow(&member);
    tenant.post(&format!("/members/{}/suspend", tenant.person(1).id), &json!({})).expect(201);
    ends(stream);
    let stream = follow(&credential);
    let id = tenant.person(2).credential()["credential_id"].as_str().unwrap().to_owned();
    let path = format!("/members/{}/credentials/{id}/suspend", tenant.person(2).id);
    tenant.post(&path, &json!({})).expect(201);
    ends(stream);

    // Whoever still may has been told of each, and goes on.
    let size = tenant.get("").expect(200).json()["size"].as_u64().unwrap();
    read_until(&mut staying, |said| said.contains(&format!("{{\"size\":{size}}}")));
}

#[test]
fn a_live_page_hears_of_growth_and_a_member_has_a_bounded_number_of_them() {
    let server = Server::shared();
    let tenant = Tenant::founded(&server, 2);
    let mut browser = Browser::new(&server);
    browser.sign_in(tenant.person(0));
    let (mut stream, first) = follow(&server, &tenant, &browser.cookie);
    assert!(first.contains("text/event-stream") && first.contains("event: changed"), "{first}");
    let evidence = json!({
        "digest": integration::tenant::sha256(b"a paper"), "media_type": "text/plain",
        "subject": { "kind": "member", "id": tenant.person(0).id },
    });
    let before = tenant.get("").expect(200).json()["size"].as_u64().unwrap();
    let recorded = tenant.post("/evidence", &evidence);
    assert!(recorded.status == 201, "{}", recorded.said());
    let grown = format!("{{\"size\":{}}}", before + 1);
    read_until(&mut stream, |said| said.contains(&grown));
    let _open: Vec<_> = (1..24).map(|_| follow(&server, &tenant, &browser.cookie)).collect();
    let (_, refused) = follow(&server, &tenant, &browser.cookie);
    assert!(refused.starts_with("HTTP/1.1 429"), "{refused}");
}
