//! Plain HTTP: requests go out as the test wrote them, answers come back whatever their status.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;
use ureq::Agent;
use ureq::http::{HeaderMap, Request};

/// No answer takes this long: the server's own deadlines are shorter.
const DEADLINE: Duration = Duration::from_secs(90);

/// Bundles are the longest answers.
const MAX_ANSWER: u64 = 256 * 1024 * 1024;

/// A server's API, asked with one token or none.
#[derive(Clone)]
pub struct Api {
    agent: Agent,
    port: u16,
    token: Option<String>,
}

/// An answer.
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Vec<u8>,
    asked: String,
}

impl Api {
    /// The API at a port of this machine, without a token.
    pub fn new(port: u16) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(DEADLINE))
            .build();
        Self { agent: config.into(), port, token: None }
    }

    /// The same API, asked with a token.
    pub fn with_token(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self.clone() }
    }

    /// The token that it is asked with.
    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// `GET`.
    #[track_caller]
    pub fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], b"")
    }

    /// `POST` of JSON.
    #[track_caller]
    pub fn post(&self, path: &str, body: &Value) -> Answer {
        self.send("POST", path, &[("content-type", "application/json")], body.to_string().as_bytes())
    }

    /// `POST` of JSON under an idempotency key.
    #[track_caller]
    pub fn post_once(&self, path: &str, key: &str, body: &Value) -> Answer {
        let headers = [("content-type", "application/json"), ("idempotency-key", key)];
        self.send("POST", path, &headers, body.to_string().as_bytes())
    }

    /// Any request.
    #[track_caller]
    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        self.try_send(method, path, headers, body)
            .unwrap_or_else(|error| panic!("{method} {path} was not answered: {error}"))
    }

    /// Any request, to a server that may not be there.
    pub fn try_send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Answer, ureq::Error> {
        self.try_send_watched(method, path, headers, body, || ())
    }

    /// The same; calls `arriving` when the answer's head is here and its body may not be.
    pub fn try_send_watched(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
        arriving: impl FnOnce(),
    ) -> Result<Answer, ureq::Error> {
        let mut request =
            Request::builder().method(method).uri(format!("http://127.0.0.1:{}{path}", self.port));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let mut response = if matches!(method, "GET" | "HEAD" | "DELETE") {
            self.agent.run(request.body(())?)?
        } else {
            self.agent.run(request.body(body)?)?
        };
        arriving();
        let bytes = response.body_mut().with_config().limit(MAX_ANSWER).read_to_vec()?;
        Ok(Answer {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            body: bytes,
            asked: format!("{method} {path}"),
        })
    }

    /// Bytes that need not be HTTP, over a connection of their own; answers with all that comes back.
    pub fn send_bytes(&self, bytes: &[u8]) -> Vec<u8> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        // A server that has refused already may have closed its side.
        let _ = stream.write_all(bytes);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        answer
    }
}

impl Answer {
    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{}: not JSON ({error}): {}", self.asked, self.text()))
    }

    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Fails unless the answer has this status.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}: {}", self.asked, self.text());
        self
    }

    /// The code of a problem; fails unless this is a well-formed one (RFC 9457) of its own status.
    #[track_caller]
    pub fn code(&self) -> String {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{}", self.said());
        let problem = self.json();
        assert_eq!(problem["status"], self.status, "{}", self.said());
        let code = problem["code"].as_str().unwrap_or_default().to_owned();
        let anchor = format!("/docs/errors#{code}");
        assert!(problem["type"].as_str().is_some_and(|kind| kind.ends_with(&anchor)), "{}", self.said());
        assert!(problem["title"].is_string() && problem["detail"].is_string(), "{}", self.said());
        code
    }

    /// Fails unless this is a problem of this status and code.
    #[track_caller]
    pub fn refused(&self, status: u16, code: &str) {
        assert_eq!((self.status, self.code().as_str()), (status, code), "{}", self.said());
    }

    /// Request and answer, for a failure's text.
    pub fn said(&self) -> String {
        format!("{} → {} {}", self.asked, self.status, self.text())
    }
}
