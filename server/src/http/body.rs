//! Request bodies: JSON of a known form, bounded in length, time and depth, without members that are unknown.

use std::fmt::Display;
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::error::QueryPayloadError;
use actix_web::http::header::HeaderName;
use actix_web::{FromRequest, HttpMessage as _, HttpRequest};
use futures_util::StreamExt as _;
use futures_util::future::LocalBoxFuture;
use sealbook_ledger::encoding::Hash;
use sealbook_ledger::event::Actor;
use serde::de::DeserializeOwned;

use super::problem::Problem;
use crate::ledger::IdempotencyKey;

/// Longest body, in bytes: 1 MiB.
pub const MAX_BODY: usize = 1024 * 1024;

/// Longest wait for a whole body. actix' own timeout covers heads only.
const DEADLINE: Duration = Duration::from_secs(10);

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// A body that was read. An empty one counts as `{}`.
///
/// Depth is bounded by the parser, which gives up at 128 levels.
pub struct Body<T> {
    /// What it says.
    pub value: T,
    sha256: Hash,
}

impl<T> Body<T> {
    /// The idempotency key of a request, if it has one: hashed with the caller, bound to path and body.
    pub fn idempotency(&self, req: &HttpRequest, caller: Actor) -> Result<Option<IdempotencyKey>, Problem> {
        let mut values = req.headers().get_all(&IDEMPOTENCY_KEY);
        let Some(value) = values.next() else { return Ok(None) };
        let key = value.as_bytes();
        let printable = key.iter().all(|b| (b' '..=b'~').contains(b));
        if values.next().is_some() || !(1..=255).contains(&key.len()) || !printable {
            return Err(Problem::of("idempotency.key"));
        }
        let named = [caller.kind().as_bytes(), b"\0", caller.id().as_bytes(), b"\0", key].concat();
        let asked =
            [req.method().as_str().as_bytes(), b"\0", req.path().as_bytes(), b"\0", &self.sha256.0].concat();
        Ok(Some(IdempotencyKey {
            key_hash: Hash::sha256_in_context(b"sealbook idempotency key v1\0", &named),
            body_hash: Hash::sha256_in_context(b"sealbook idempotency body v1\0", &asked),
        }))
    }
}

impl<T: DeserializeOwned + 'static> FromRequest for Body<T> {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let head = check_head(req);
        let payload = payload.take();
        Box::pin(async move {
            let is_json = head?;
            let bytes = tokio::time::timeout(DEADLINE, read(payload))
                .await
                .map_err(|_| Problem::of("request.timeout"))??;
            if !is_json && !bytes.is_empty() {
                return Err(Problem::of("request.media_type"));
            }
            Ok(Self { value: parse(&bytes)?, sha256: Hash::sha256(&bytes) })
        })
    }
}

/// Reads a body that is complete.
pub(super) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let text: &[u8] = if bytes.is_empty() { b"{}" } else { bytes };
    serde_json::from_slice(text).map_err(|error| {
        let said = said_of(&error);
        Problem::of("request.json").saying(format_args!("the body is not of the documented form: {said}"))
    })
}

/// Why a query is refused.
pub(super) fn refused_query(error: &QueryPayloadError) -> Problem {
    Problem::of("request.query").saying(said_of(error))
}

/// What a parser says, which names members, types and places: long values that it quotes are cut off, and what would not
/// print is left out.
fn said_of(error: &dyn Display) -> String {
    error.to_string().chars().take(300).filter(|c| !c.is_control()).collect()
}

/// Refuses a body that is announced as too long; says whether it is announced as JSON.
fn check_head(req: &HttpRequest) -> Result<bool, Problem> {
    let length = req.headers().get(actix_web::http::header::CONTENT_LENGTH);
    let announced = length.and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > MAX_BODY) {
        return Err(Problem::of("request.too_large"));
    }
    Ok(req.content_type().eq_ignore_ascii_case("application/json"))
}

async fn read(mut payload: Payload) -> Result<Vec<u8>, Problem> {
    let mut bytes = Vec::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|_| Problem::of("request.malformed"))?;
        if bytes.len() + chunk.len() > MAX_BODY {
            return Err(Problem::of("request.too_large"));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}
