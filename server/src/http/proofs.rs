//! Proofs: checkpoints, receipts, and the ledger as a whole.

use std::time::Duration;

use actix_web::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, HeaderName};
use actix_web::{HttpResponse, get, web};
use futures_util::stream;
use sealbook_ledger::ids::{Seq, SlotName};
use serde::Deserialize;
use utoipa::IntoParams;

use super::auth::{Caller, Exporter, MemberCaller};
use super::events::{kinds, readable};
use super::moment::Moment;
use super::problem::{Problem, ProblemDocument};
use crate::exporting::Scope;

/// Longest wait for the sealer, or for people, in milliseconds.
const MAX_WAIT_MS: u64 = 10_000;

/// Says how many events an export holds, so that a page can show how far it has come.
const EVENTS: HeaderName = HeaderName::from_static("x-sealbook-events");

/// How long to wait for what is asked about.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Wait {
    /// Milliseconds, at most 10,000; no wait where absent.
    wait_ms: Option<u64>,
}

impl Wait {
    pub(super) fn duration(&self) -> Duration {
        Duration::from_millis(self.wait_ms.unwrap_or(0).min(MAX_WAIT_MS))
    }
}

/// The newest checkpoint (C2SP tlog-checkpoint).
#[utoipa::path(tag = "proofs", params(("tenant" = String, Path)), responses(
    (status = 200, body = str, content_type = "text/plain"), (status = "4XX", body = ProblemDocument),
    (status = 503, body = ProblemDocument)
))]
#[get("/v1/tenants/{tenant}/checkpoint")]
pub(super) async fn checkpoint(caller: Caller) -> Result<HttpResponse, Problem> {
    let checkpoint = caller.ledger.seal().checkpoint.ok_or_else(|| Problem::of("seal.pending"))?;
    Ok(HttpResponse::Ok().content_type("text/plain; charset=utf-8").body(checkpoint.note().to_string()))
}

/// The receipt of an event (C2SP tlog-proof, with the event's bytes), once a checkpoint covers it.
#[utoipa::path(tag = "proofs", params(("tenant" = String, Path), ("seq" = u64, Path), Wait), responses(
    (status = 200, body = str, content_type = "text/plain"), (status = "4XX", body = ProblemDocument),
    (status = 503, body = ProblemDocument)
))]
#[get("/v1/tenants/{tenant}/receipts/{seq}")]
pub(super) async fn receipt(
    caller: Caller,
    path: web::Path<(String, Seq)>,
    wait: web::Query<Wait>,
) -> Result<HttpResponse, Problem> {
    let (_, seq) = path.into_inner();
    readable(&caller, seq).await?;
    let receipt = caller.app.receipt(&caller.ledger, seq.get(), wait.duration()).await?;
    Ok(HttpResponse::Ok().content_type("text/plain; charset=utf-8").body(receipt.to_string()))
}

/// Which part of a ledger.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ExportQuery {
    /// Milliseconds to wait for the sealer, at most 10,000; no wait where absent.
    wait_ms: Option<u64>,
    /// Only events of these types, separated by commas.
    #[serde(rename = "type")]
    kinds: Option<String>,
    /// Not before this time.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<Moment>,
    /// Before this time.
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<Moment>,
    /// Only what is about this slot.
    #[param(value_type = Option<String>)]
    slot: Option<SlotName>,
}

impl ExportQuery {
    fn scope(&self) -> Result<Scope, Problem> {
        Ok(Scope {
            kinds: kinds(self.kinds.as_deref())?,
            from: self.from.map(Moment::get),
            to: self.to.map(Moment::get),
            slot: self.slot.clone(),
        })
    }
}

/// A ledger up to the newest checkpoint as a tar (LEDGER_FORMAT §8), streamed: the whole of it, or, where a type, a time or
/// a slot is given, a selection of single events with their receipts.
#[utoipa::path(tag = "proofs", params(("tenant" = String, Path), ExportQuery), responses(
    (status = 200, body = Vec<u8>, content_type = "application/x-tar"), (status = "4XX", body = ProblemDocument),
    (status = 503, body = ProblemDocument)
))]
#[get("/v1/tenants/{tenant}/export")]
pub(super) async fn export(
    exporter: Exporter,
    query: web::Query<ExportQuery>,
) -> Result<HttpResponse, Problem> {
    let MemberCaller { app, ledger, .. } = exporter.member;
    let (scope, wait) = (query.scope()?, Wait { wait_ms: query.wait_ms }.duration());
    let (export, name) = if scope.is_everything() {
        (app.export(ledger.clone(), wait).await?, ledger.tenant().to_string())
    } else {
        (app.export_selection(ledger.clone(), scope, wait).await?, format!("{}-selection", ledger.tenant()))
    };
    // After the first byte nothing can be taken back: a stream that fails ends the connection, not the tar.
    let stream = stream::unfold(export.chunks, |mut chunks| async move {
        let chunk = chunks.recv().await?;
        Some((chunk.map_err(Problem::from), chunks))
    });
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "application/x-tar"))
        .insert_header((CONTENT_DISPOSITION, format!("attachment; filename=\"{name}.tar\"")))
        .insert_header((EVENTS, export.size))
        .streaming(stream))
}
