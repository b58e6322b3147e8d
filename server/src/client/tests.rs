//! The client against a server that misbehaves on purpose.

use std::time::Duration;

use serde_json::{Value, json};

use super::fake_server::FakeServer;
use super::*;
use crate::authenticator::SoftAuthenticator;

const BUSY: &str = r#"{"title":"busy","status":503,"code":"seal.behind","detail":"Sealing is behind."}"#;

#[test]
fn a_read_is_repeated_while_the_server_is_unavailable() {
    let server = FakeServer::start(|_, earlier| match earlier {
        0 | 1 => (503, "", BUSY.to_owned()),
        _ => (200, "", "{}".to_owned()),
    });
    let client = Client::new(server.url()).unwrap();
    client.json::<Value>(&Call::get("/x")).unwrap();
    assert_eq!(server.requests().len(), 3);
}

#[test]
fn a_write_is_repeated_only_with_an_idempotency_key_and_then_with_the_same_one() {
    let server = FakeServer::start(|request, earlier| {
        let first_keyed = request.header("idempotency-key").is_some() && earlier == 1;
        if earlier == 0 || first_keyed { (503, "", BUSY.to_owned()) } else { (200, "", "{}".to_owned()) }
    });
    let client = Client::new(server.url()).unwrap();
    let plain = Call::post("/x", &json!({})).unwrap();
    let error = client.json::<Value>(&plain).unwrap_err();
    assert_eq!(error.code(), "seal.behind");
    assert!(error.is_unavailable());
    client.json::<Value>(&plain.idempotency_key("k".to_owned())).unwrap();
    let requests = server.requests();
    assert_eq!(requests.len(), 3);
    assert_eq!(requests[1].header("idempotency-key"), Some("k"));
    assert_eq!(requests[2].header("idempotency-key"), Some("k"));
}

#[test]
fn the_deadline_ends_the_repetitions() {
    let server = FakeServer::start(|_, _| (503, "Retry-After: 60\r\n", BUSY.to_owned()));
    let client = Client::new(server.url()).unwrap();
    let error = client.json::<Value>(&Call::get("/x").within(Duration::from_secs(5))).unwrap_err();
    assert_eq!(error.to_string(), "Sealing is behind.");
    assert_eq!(server.requests().len(), 1, "a pause beyond the deadline is not begun");
}

#[test]
fn a_refusal_carries_the_servers_code_and_a_hint() {
    let problem = r#"{"type":"x","title":"no","status":403,"code":"approval.own","detail":"Not your own."}"#;
    let server = FakeServer::start(move |_, _| (403, "", problem.to_owned()));
    let error = Client::new(server.url()).unwrap().json::<Value>(&Call::get("/x")).unwrap_err();
    assert_eq!((error.code(), error.to_string().as_str()), ("approval.own", "Not your own."));
    assert_eq!(error.hint(), "Somebody else has to approve it.");
    assert!(!error.is_unavailable());
}

#[test]
fn an_answer_that_is_no_problem_document_still_has_its_status() {
    let server = FakeServer::start(|_, _| (502, "", "<html>bad gateway</html>".to_owned()));
    let error = Client::new(server.url()).unwrap().json::<Value>(&Call::get("/x")).unwrap_err();
    assert_eq!(error.code(), "http.502");
    assert!(error.is_unavailable());
}

#[test]
fn a_redirect_is_not_followed_with_a_token() {
    let server = FakeServer::start(|_, _| (302, "Location: http://127.0.0.1:1/\r\n", String::new()));
    let token = Token::generate(TokenKind::Service).unwrap();
    let client = Client::new(server.url()).unwrap().with_token(token);
    assert_eq!(client.json::<Value>(&Call::get("/x")).unwrap_err().code(), "http.302");
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_server_that_is_not_there_is_unavailable() {
    let url = FakeServer::start(|_, _| (200, "", String::new())).url();
    let error = Client::new(url).unwrap().json::<Value>(&Call::get("/x")).unwrap_err();
    assert_eq!(error.code(), "client.unreachable");
    assert!(error.is_unavailable());
}

#[test]
fn a_person_signs_in_once_and_again_when_the_session_has_ended() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ada.key");
    let authenticator = SoftAuthenticator::create(&file, "localhost").unwrap();
    let (first, second) =
        (Token::generate(TokenKind::Session).unwrap(), Token::generate(TokenKind::Session).unwrap());
    let (ended, valid) = (first.expose().to_owned(), second.expose().to_owned());
    let server = FakeServer::start(move |request, earlier| match request.line.as_str() {
        "POST /v1/tenants/acme/session/challenge" => {
            let body = json!({"nonce": "bm9uY2U", "origin": "localhost/acme", "expires_at": "x"});
            (200, "", body.to_string())
        }
        "POST /v1/tenants/acme/session" => {
            let token = if earlier < 3 { &ended } else { &valid };
            let body = json!({"token": token, "expires_at": "2030-01-01T00:00:00.000000Z"});
            (201, "", body.to_string())
        }
        _ if request.header("authorization") == Some(&format!("Bearer {valid}")) => {
            (200, "", "{}".to_owned())
        }
        _ => (401, "", json!({"code": "auth.token"}).to_string()),
    });
    let member = "01934f00-0000-7000-8000-0000000000b1".parse().unwrap();
    let url = server.url();
    let place =
        SessionPlace { base: &url, tenant: "acme".parse().unwrap(), state: folder.path().join("state") };
    let person = PersonSession::open(authenticator, place, Some(member), None);
    let client = Client::new(server.url()).unwrap().with_person(Arc::new(person));
    client.json::<Value>(&Call::get("/x")).unwrap();
    client.json::<Value>(&Call::get("/x")).unwrap();
    let lines: Vec<String> = server.requests().into_iter().map(|request| request.line).collect();
    let session = ["POST /v1/tenants/acme/session/challenge", "POST /v1/tenants/acme/session"];
    let expected = [&session[..], &["GET /x"], &session[..], &["GET /x", "GET /x"]].concat();
    assert_eq!(lines, expected);
}
