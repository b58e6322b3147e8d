//! The deployment: health, readiness, and the API's own documentation.

use actix_web::{HttpResponse, get, web};
use serde::Serialize;
use utoipa::ToSchema;

use super::problem::{Entry, Problem, table};
use super::{Api, openapi};

/// What the server is and how it does.
#[derive(Serialize, ToSchema)]
struct Health {
    /// `ok`, `degraded` or `stopping`.
    status: &'static str,
    /// The server's version.
    version: &'static str,
    /// Number of ledgers.
    ledgers: usize,
    /// Events that no checkpoint covers yet, over all ledgers.
    unsealed: u64,
    /// What is missing for full service.
    missing: Vec<MissingView>,
    /// Notices that were given up in the last 31 days, over all destinations.
    dead_webhooks: u64,
}

/// Something that is missing.
#[derive(Serialize, ToSchema)]
struct MissingView {
    /// Stable.
    code: &'static str,
    /// For people.
    sentence: String,
}

/// Whether requests are served.
#[derive(Serialize, ToSchema)]
struct Readiness {
    ready: bool,
    missing: Vec<MissingView>,
}

/// Every code of the API.
#[derive(Serialize, ToSchema)]
struct ErrorList {
    errors: Vec<ErrorEntry>,
}

#[derive(Serialize, ToSchema)]
struct ErrorEntry {
    #[serde(flatten)]
    entry: Entry,
    status: u16,
}

async fn missing(api: &Api) -> Vec<MissingView> {
    let stopping = api
        .is_stopping()
        .then(|| MissingView { code: "server.stopping", sentence: "The server is stopping.".to_owned() });
    let missing = api.app.missing().await.into_iter();
    stopping.into_iter().chain(missing.map(|m| MissingView { code: m.code, sentence: m.sentence })).collect()
}

/// How the server does.
#[utoipa::path(tag = "platform", security(()), responses((status = 200, body = Health)))]
#[get("/health")]
pub(super) async fn health(api: web::Data<Api>) -> HttpResponse {
    let missing = missing(&api).await;
    let ledgers = api.app.ledgers();
    let unsealed = ledgers.iter().map(|ledger| ledger.size().saturating_sub(ledger.sealed_size())).sum();
    let status = match (api.is_stopping(), missing.is_empty()) {
        (true, _) => "stopping",
        (false, true) => "ok",
        (false, false) => "degraded",
    };
    let version = env!("CARGO_PKG_VERSION");
    let dead_webhooks = api.app.notifier().standings().iter().map(|standing| standing.dead).sum();
    let ledgers = ledgers.len();
    HttpResponse::Ok().json(Health { status, version, ledgers, unsealed, missing, dead_webhooks })
}

/// Whether the process lives.
#[utoipa::path(tag = "platform", security(()), responses((status = 200, body = str, content_type = "text/plain")))]
#[get("/healthz")]
pub(super) async fn healthz() -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain; charset=utf-8").body("ok")
}

/// Whether requests are served, and what is missing where they are not.
#[utoipa::path(tag = "platform", security(()), responses(
    (status = 200, body = Readiness), (status = 503, body = Readiness)
))]
#[get("/readyz")]
pub(super) async fn readyz(api: web::Data<Api>) -> HttpResponse {
    let missing = missing(&api).await;
    let ready = missing.is_empty();
    let mut response = if ready { HttpResponse::Ok() } else { HttpResponse::ServiceUnavailable() };
    response.json(Readiness { ready, missing })
}

/// This document.
#[utoipa::path(tag = "platform", security(()), responses((status = 200, body = Object)))]
#[get("/openapi.json")]
pub(super) async fn openapi_json() -> Result<HttpResponse, Problem> {
    let text = openapi::document().to_json().map_err(Problem::fault)?;
    Ok(HttpResponse::Ok().content_type("application/json").body(text))
}

/// Every error code, with what would satisfy it.
#[utoipa::path(tag = "platform", security(()), responses((status = 200, body = ErrorList)))]
#[get("/docs/errors")]
pub(super) async fn errors() -> HttpResponse {
    let errors = table().map(|entry| ErrorEntry { status: entry.kind.status().as_u16(), entry }).collect();
    HttpResponse::Ok().json(ErrorList { errors })
}
