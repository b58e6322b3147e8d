//! Requests that can't be read: malformed, of wrong types, with unknown members, too large, of another media type.

use integration::tenant::sha256;
use integration::{Server, Tenant};
use serde_json::json;

const JSON: &[(&str, &str)] = &[("content-type", "application/json")];

/// The bound on a body: 1 MiB.
const MAX_BODY: usize = 1024 * 1024;

#[test]
fn a_body_that_is_not_the_documented_json_is_refused() {
    let server = Server::shared();
    let tenant = Tenant::founded(&server, 2);
    tenant.slot("release", "ecdsa-p256-sha256");
    let service = tenant.service(&["release"]);
    let digest = sha256(b"x");
    let path = tenant.path("/slots/release/sign");
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    for body in [
        "{",
        "null",
        "[]",
        "\"text\"",
        "{\"digest\":}",
        "\u{feff}{}",
        "{} {}",
        "{\"digest\": 7}",
        "{\"digest\": \"XYZ\"}",
        "{\"digest\": \"ABCD\"}",
        "{\"message\": \"not base64url!\"}",
        "{\"environment\": \"moon\"}",
        "{\"artifact\": []}",
        &deep,
        &format!("{{\"digest\":\"{digest}\",\"digest\":\"{digest}\"}}"),
        &format!("{{\"digest\":\"{digest}\",\"unknown\":1}}"),
        &format!("{{\"digest\":\"{digest}\",\"artifact\":{{\"unknown\":\"x\"}}}}"),
    ] {
        service.api.send("POST", &path, JSON, body.as_bytes()).refused(400, "request.json");
    }
    service.api.send("POST", &path, JSON, b"{\"digest\": \"\xff\xfe\"}").refused(400, "request.json");
    service.api.post(&path, &json!({})).refused(400, "sign.input");
    service.api.post(&path, &json!({ "digest": digest, "message": "AAAA" })).refused(400, "sign.input");
    let form = [("content-type", "application/x-www-form-urlencoded")];
    service.api.send("POST", &path, &form, b"digest=00").refused(415, "request.media_type");
    tenant.verified();
}

#[test]
fn a_body_beyond_its_bound_is_refused_whether_announced_or_not() {
    let server = Server::shared();
    let tenant = Tenant::founded(&server, 2);
    let body = vec![b' '; MAX_BODY + 1];
    let path = tenant.path("/candidates");
    tenant.person(0).api.send("POST", &path, JSON, &body).refused(413, "request.too_large");

    let token = tenant.person(0).api.token().unwrap();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n{:x}\r\n",
        body.len()
    );
    let answer = server.api().send_bytes(&[head.as_bytes(), &body, b"\r\n0\r\n\r\n"].concat());
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.starts_with("HTTP/1.1 413") && answer.contains("request.too_large"), "{answer}");
    tenant.verified();
}

#[test]
fn bytes_that_are_not_http_end_their_connection_and_nothing_else() {
    let server = Server::shared();
    let tenant = Tenant::founded(&server, 2);
    for bytes in [&b"\x16\x03\x01\x02\x00\x01\x00"[..], b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", &[0; 64]] {
        let answer = server.api().send_bytes(bytes);
        assert!(
            answer.is_empty() || answer.starts_with(b"HTTP/1.1 4"),
            "{}",
            String::from_utf8_lossy(&answer)
        );
    }
    tenant.verified();
}

#[test]
fn an_idempotency_key_is_short_printable_and_bound_to_its_content() {
    let server = Server::shared();
    let tenant = Tenant::founded(&server, 2);
    tenant.slot("release", "ecdsa-p256-sha256");
    let service = tenant.service(&["release"]);
    let path = tenant.path("/slots/release/sign");
    let ask =
        |key: &str, bytes: &[u8]| service.api.post_once(&path, key, &json!({ "digest": sha256(bytes) }));
    ask("", b"one").refused(400, "idempotency.key");
    ask(&"k".repeat(256), b"one").refused(400, "idempotency.key");
    ask("tab\there", b"one").refused(400, "idempotency.key");
    ask(&"k".repeat(255), b"one").expect(200);
    ask(&"k".repeat(255), b"two").refused(409, "idempotency.other_content");
    tenant.verified();
}

#[test]
fn a_path_of_no_route_or_of_ids_that_are_none_is_unknown() {
    let server = Server::shared();
    let tenant = Tenant::founded(&server, 2);
    for path in
        ["/actions/not-a-uuid", "/slots/UPPER", "/slots/..%2f..%2fetc", "/events/-1", "/keys/x", "/nothing"]
    {
        let answer = tenant.get(path);
        assert_eq!(answer.status, 404, "{}", answer.said());
        answer.code();
    }
    tenant.verified();
}
