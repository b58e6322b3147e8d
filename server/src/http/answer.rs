//! What every answer has: a correlation id, a line in the log without secrets, and problems in their one form.

use std::sync::Arc;
use std::time::Instant;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage as _, HttpRequest, HttpResponse, web};
use sealbook_ledger::event::Actor;
use sealbook_ledger::ids::Correlation;
use tracing::Instrument as _;

use super::problem::{Kind, Problem};
use super::unread::Unread;
use super::{Api, Pages};
use crate::clock;
use crate::ledger::Ledger;

/// Carries the correlation id of a request. The events that it led to stand under it, unless they continue a piece of
/// work that has its own: an action from its proposal on, a rotation to its evidence.
pub const CORRELATION: HeaderName = HeaderName::from_static("x-correlation-id");

/// Who asks, once an extractor knows: refusals are recorded under this name.
#[derive(Clone)]
pub(super) struct Known {
    /// Where it is recorded.
    pub(super) ledger: Arc<Ledger>,
    /// Who.
    pub(super) actor: Actor,
}

/// The correlation id of a request.
pub(super) fn correlation(req: &HttpRequest) -> Result<Correlation, Problem> {
    req.extensions()
        .get::<Correlation>()
        .copied()
        .ok_or_else(|| Problem::fault("a request without a correlation"))
}

/// Wraps every request: correlation, log span, problem documents, recorded refusals.
pub(super) async fn answer<B: MessageBody + 'static>(
    mut req: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let correlation = clock::correlation();
    req.extensions_mut().insert(correlation);
    // The path's pattern, never the path or the query: what callers write there stays out of the log.
    let span = tracing::info_span!(
        "request",
        method = %req.method(),
        route = req.match_pattern().unwrap_or_default(),
        %correlation,
    );
    let begun = Instant::now();
    let unread = Unread::of(&mut req);
    let (req, response) = next.call(req).instrument(span.clone()).await?.into_parts();
    let _entered = span.enter();
    let problem = response.error().map(|error| as_problem(error, response.status()));
    let mut response = match problem {
        Some(problem) => written(&req, problem, correlation)?,
        None => response.map_into_boxed_body(),
    };
    response.headers_mut().insert(CORRELATION, header(&correlation.to_string())?);
    let micros = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
    tracing::info!(status = response.status().as_u16(), micros, "answered");
    Ok(ServiceResponse::new(req, Unread::until_answered(unread, response)))
}

/// A problem of ours, or a framework's error in our words.
enum Found<'a> {
    Ours(&'a Problem),
    Theirs(Problem),
}

fn as_problem(error: &Error, status: StatusCode) -> Found<'_> {
    match error.as_error::<Problem>() {
        Some(problem) => Found::Ours(problem),
        None => Found::Theirs(match status {
            StatusCode::NOT_FOUND => Problem::of("path.unknown"),
            StatusCode::PAYLOAD_TOO_LARGE => Problem::of("request.too_large"),
            StatusCode::REQUEST_TIMEOUT => Problem::of("request.timeout"),
            status if status.is_client_error() => Problem::of("request.malformed"),
            _ => Problem::fault(error.to_string()),
        }),
    }
}

fn written(
    req: &HttpRequest,
    problem: Found<'_>,
    correlation: Correlation,
) -> Result<HttpResponse<BoxBody>, Error> {
    let problem = match &problem {
        Found::Ours(problem) => problem,
        Found::Theirs(problem) => problem,
    };
    if let Some(error) = problem.internal() {
        tracing::error!(code = problem.code(), error, "the request failed");
    }
    let api = req.app_data::<web::Data<Api>>().ok_or_else(|| Problem::fault("an app without its data"))?;
    let known = req.extensions().get::<Known>().cloned();
    if let (Some(known), true) = (known, problem.is_recorded()) {
        api.app.note_refusal(&known.ledger, known.actor, problem.code());
    }
    let document = problem.document(&api.public_url, Some(correlation.to_string()));
    let page = req.app_data::<Pages>().and_then(|pages| (pages.problem)(req, problem, &document));
    if let Some(page) = page {
        return Ok(page);
    }
    let mut response = HttpResponse::build(problem.kind().status());
    response.insert_header((CONTENT_TYPE, "application/problem+json"));
    if let Some(seconds) = problem.retry_after() {
        response.insert_header((RETRY_AFTER, seconds));
    }
    if problem.kind() == Kind::Unauthenticated {
        response.insert_header((WWW_AUTHENTICATE, "Bearer"));
    }
    let body = serde_json::to_vec(&document).map_err(Problem::fault)?;
    Ok(response.body(body))
}

fn header(text: &str) -> Result<HeaderValue, Problem> {
    HeaderValue::from_str(text).map_err(Problem::fault)
}
