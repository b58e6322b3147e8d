//! A typed, blocking client of the HTTP API: deadlines on every call, bounded answers, problems read into errors.
//!
//! A call is repeated only where repeating is safe (a read, or a write with an Idempotency-Key), only when the
//! server said that it can't at present (503), and only until the call's deadline.

pub mod answers;
mod base_url;
mod error;
mod session;
mod token;

#[cfg(test)]
pub(crate) mod fake_server;
#[cfg(test)]
mod tests;

use std::io::Read;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;
use ureq::http::{self, Method};
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, Body};

pub use base_url::{BaseUrl, InvalidUrl};
pub use error::{ClientError, Problem};
pub use session::{PersonSession, SessionPlace};
pub use token::{InvalidToken, Token, TokenKind};

/// How long a call may take, its repetitions included, where nothing else is said.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// Longest answer in bytes that is read into memory: a page of a thousand events of some 4 KiB.
const MAX_ANSWER: u64 = 8 * 1024 * 1024;

/// Longest a streamed answer may take, and longest a single read of it: exports are large, stalls are not.
const STREAM_DEADLINE: Duration = Duration::from_secs(6 * 60 * 60);
const STREAM_STALL: Duration = Duration::from_secs(60);

/// The pauses between repetitions: doubled each time from the first to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// One request, before anybody's authority is added to it.
#[derive(Debug, Clone)]
pub struct Call {
    method: Method,
    path: String,
    body: Option<Vec<u8>>,
    idempotency_key: Option<String>,
    deadline: Duration,
}

impl Call {
    /// A read.
    pub fn get(path: impl Into<String>) -> Self {
        Self { method: Method::GET, path: path.into(), body: None, idempotency_key: None, deadline: DEADLINE }
    }

    /// A write with a JSON body.
    pub fn post(path: impl Into<String>, body: &impl Serialize) -> Result<Self, ClientError> {
        let body = serde_json::to_vec(body).map_err(ClientError::Request)?;
        Ok(Self { method: Method::POST, body: Some(body), ..Self::get(path) })
    }

    /// Makes a write safe to repeat: the server answers a second one of this key as it answered the first.
    pub fn idempotency_key(self, key: String) -> Self {
        Self { idempotency_key: Some(key), ..self }
    }

    /// How long the call may take, its repetitions included.
    pub fn within(self, deadline: Duration) -> Self {
        Self { deadline, ..self }
    }

    fn may_repeat(&self) -> bool {
        self.method == Method::GET || self.idempotency_key.is_some()
    }
}

/// In whose name calls are made.
#[derive(Clone)]
enum Authority {
    Nobody,
    Bearer(Token),
    Person(Arc<PersonSession>),
}

/// A server, and in whose name it is asked. Cheap to clone; threads may share it.
#[derive(Clone)]
pub struct Client {
    agent: Agent,
    base: BaseUrl,
    authority: Authority,
}

/// An answer that is read as it arrives.
pub struct Stream {
    /// Its bytes.
    pub reader: Box<dyn Read>,
    /// Its length, where the server said it.
    pub length: Option<u64>,
}

impl Client {
    /// A client of one server, with nobody's authority yet. Nothing is sent.
    pub fn new(base: BaseUrl) -> Result<Self, ClientError> {
        let config = Agent::config_builder()
            .https_only(base.is_secure())
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_connect(Some(Duration::from_secs(10)))
            .timeout_global(Some(DEADLINE))
            .user_agent(concat!("sealbook/", env!("CARGO_PKG_VERSION")));
        // A proxy has no business between this machine and itself.
        let config = if base.is_secure() { config.tls_config(tls()?) } else { config.proxy(None) };
        Ok(Self { agent: config.build().new_agent(), base, authority: Authority::Nobody })
    }

    /// The same server, asked with a token.
    pub fn with_token(&self, token: Token) -> Self {
        Self { authority: Authority::Bearer(token), ..self.clone() }
    }

    /// The same server, asked by a person, who signs in when that is needed.
    pub fn with_person(&self, person: Arc<PersonSession>) -> Self {
        Self { authority: Authority::Person(person), ..self.clone() }
    }

    fn anonymous(&self) -> Self {
        Self { authority: Authority::Nobody, ..self.clone() }
    }

    /// Where the server is.
    pub fn base(&self) -> &BaseUrl {
        &self.base
    }

    /// Makes a call and reads its answer as JSON.
    pub fn json<T: DeserializeOwned>(&self, call: &Call) -> Result<T, ClientError> {
        let (_, body) = self.bytes(call)?;
        serde_json::from_slice(&body).map_err(|source| ClientError::Form { path: call.path.clone(), source })
    }

    /// Makes a call and reads its answer as text.
    pub fn text(&self, call: &Call) -> Result<String, ClientError> {
        use serde::de::Error as _;
        let (_, body) = self.bytes(call)?;
        String::from_utf8(body).map_err(|_| ClientError::Form {
            path: call.path.clone(),
            source: serde_json::Error::custom("not UTF-8"),
        })
    }

    /// Makes a call and reads its status and body.
    pub fn bytes(&self, call: &Call) -> Result<(u16, Vec<u8>), ClientError> {
        self.authorised(|token| self.repeated(call, token))
    }

    /// Makes a read whose answer may be longer than memory.
    pub fn stream(&self, path: &str) -> Result<Stream, ClientError> {
        let call = Call::get(path);
        let response = self.authorised(|token| {
            let request = self.request(&call, token)?;
            let request = self
                .agent
                .configure_request(request)
                .timeout_global(Some(STREAM_DEADLINE))
                .timeout_recv_response(Some(STREAM_STALL))
                .timeout_per_read(Some(STREAM_STALL))
                .build();
            let response = self.agent.run(request).map_err(|error| self.transport(error))?;
            refuse_problem(response)
        })?;
        let body = response.into_body();
        let length = body.content_length();
        Ok(Stream { reader: Box::new(body.into_with_config().limit(u64::MAX).reader()), length })
    }

    /// The server's clock as its `Date` header says it, and whether the answer was a success: for the doctor.
    pub fn probe(&self, path: &str) -> Result<Probe, ClientError> {
        let request = self.request(&Call::get(path), None)?;
        let response = self.agent.run(request).map_err(|error| self.transport(error))?;
        let date = response.headers().get(http::header::DATE).and_then(|value| value.to_str().ok());
        let (date, status) = (date.map(str::to_owned), response.status().as_u16());
        Ok(Probe { status, date, body: read_body(response)? })
    }

    /// Runs a call with the token of whoever asks; a person whose session has ended signs in again, once.
    fn authorised<T>(
        &self,
        run: impl Fn(Option<&Token>) -> Result<T, ClientError>,
    ) -> Result<T, ClientError> {
        match &self.authority {
            Authority::Nobody => run(None),
            Authority::Bearer(token) => run(Some(token)),
            Authority::Person(person) => {
                let token = person.token(self)?;
                match run(Some(&token)) {
                    Err(error) if error.wants_sign_in() => run(Some(&person.renew(self, &token)?)),
                    outcome => outcome,
                }
            }
        }
    }

    fn repeated(&self, call: &Call, token: Option<&Token>) -> Result<(u16, Vec<u8>), ClientError> {
        let deadline = Instant::now() + call.deadline;
        let mut pause = FIRST_PAUSE;
        loop {
            let remaining = deadline.saturating_duration_since(Instant::now());
            let outcome = self.attempt(call, token, remaining);
            let problem = outcome.as_ref().err().and_then(ClientError::problem);
            let Some(problem) = problem.filter(|problem| problem.status == 503 && call.may_repeat()) else {
                return outcome;
            };
            let wait = problem.retry_after.unwrap_or(pause).max(pause);
            if wait >= deadline.saturating_duration_since(Instant::now()) {
                return outcome;
            }
            thread::sleep(wait);
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    fn attempt(
        &self,
        call: &Call,
        token: Option<&Token>,
        remaining: Duration,
    ) -> Result<(u16, Vec<u8>), ClientError> {
        let request = self.request(call, token)?;
        let request = self.agent.configure_request(request).timeout_global(Some(remaining)).build();
        let response = match &call.body {
            Some(body) => self.agent.run(request.map(|()| body.as_slice())),
            None => self.agent.run(request),
        };
        let response = response.map_err(|error| self.transport(error))?;
        let response = refuse_problem(response)?;
        let status = response.status().as_u16();
        Ok((status, read_body(response)?))
    }

    fn request(&self, call: &Call, token: Option<&Token>) -> Result<http::Request<()>, ClientError> {
        let mut request =
            http::Request::builder().method(call.method.clone()).uri(self.base.join(&call.path));
        if call.body.is_some() {
            request = request.header(http::header::CONTENT_TYPE, "application/json");
        }
        if let Some(key) = &call.idempotency_key {
            request = request.header("Idempotency-Key", key);
        }
        let failed = |error: http::Error| self.transport(error.into());
        if let Some(token) = token {
            let mut value = http::HeaderValue::from_str(&format!("Bearer {}", token.expose()))
                .map_err(|error| failed(error.into()))?;
            value.set_sensitive(true);
            request = request.header(http::header::AUTHORIZATION, value);
        }
        request.body(()).map_err(failed)
    }

    fn transport(&self, error: ureq::Error) -> ClientError {
        let url = self.base.to_string();
        match error {
            ureq::Error::Timeout(_) => ClientError::TimedOut { url },
            ureq::Error::BodyExceedsLimit(max) => ClientError::TooLong { max },
            source => ClientError::Unreachable { url, source: Box::new(source) },
        }
    }
}

/// What a probe of a public route brought.
#[derive(Debug)]
pub struct Probe {
    /// The HTTP status.
    pub status: u16,
    /// The `Date` header (RFC 9110 §6.6.1).
    pub date: Option<String>,
    /// The body, bounded.
    pub body: Vec<u8>,
}

/// The system's roots under the one cryptographic provider that the whole product uses.
fn tls() -> Result<TlsConfig, ClientError> {
    let found = rustls_native_certs::load_native_certs();
    if found.certs.is_empty() {
        return Err(ClientError::NoRoots);
    }
    let roots: Vec<_> = found.certs.iter().map(|root| Certificate::from_der(root).to_owned()).collect();
    Ok(TlsConfig::builder()
        .root_certs(RootCerts::from(roots))
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .build())
}

fn refuse_problem(response: http::Response<Body>) -> Result<http::Response<Body>, ClientError> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let seconds = response.headers().get(http::header::RETRY_AFTER).and_then(|value| value.to_str().ok());
    let retry_after = seconds.and_then(|text| text.parse().ok()).map(Duration::from_secs);
    let body = read_body(response)?;
    Err(ClientError::Problem(Box::new(Problem::parse(status.as_u16(), &body, retry_after))))
}

fn read_body(response: http::Response<Body>) -> Result<Vec<u8>, ClientError> {
    let body = response.into_body().into_with_config().limit(MAX_ANSWER);
    body.read_to_vec().map_err(|error| match error {
        ureq::Error::BodyExceedsLimit(max) => ClientError::TooLong { max },
        ureq::Error::Timeout(_) => ClientError::TimedOut { url: "the server".to_owned() },
        source => ClientError::Unreachable { url: "the server".to_owned(), source: Box::new(source) },
    })
}
