//! Proofs: checkpoints, receipts, and the ledger as a whole.

use std::time::Duration;

use actix_web::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, HeaderName};
use actix_web::{HttpResponse, get, web};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::{Stream, stream};
use sealbook_ledger::ids::{Seq, SlotName};
use sealbook_ledger::receipt::Receipt;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::auth::{Caller, Exporter, MemberCaller, Reader};
use super::events::{kinds, readable};
use super::fresh::Fresh;
use super::moment::Moment;
use super::problem::{Problem, ProblemDocument};
use crate::exporting::{ExportStream, Scope};
use crate::proving::Continuation;

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
    pub(super) const fn of(wait_ms: Option<u64>) -> Self {
        Self { wait_ms }
    }

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

/// Since when.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Since {
    /// The size of the checkpoint that the caller has seen; at least 1.
    old: u64,
    /// Milliseconds to wait for a checkpoint that is no smaller, at most 10,000; no wait where absent.
    wait_ms: Option<u64>,
}

/// The newest checkpoint, and the proof that it continues an earlier one.
#[derive(Serialize, ToSchema)]
struct Consistency {
    /// The size that was asked about.
    old: u64,
    /// The size of the newest checkpoint.
    size: u64,
    /// The newest checkpoint (C2SP tlog-checkpoint).
    checkpoint: String,
    /// The proof's hashes (RFC 6962 §2.1.2). Absent where `old` is larger than `size`: what shrank proves nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    path_b64: Option<Vec<String>>,
}

impl Consistency {
    fn new(old: u64, continuation: Continuation) -> Self {
        let note = continuation.checkpoint;
        let path = continuation.path;
        let path_b64 = path.map(|path| path.iter().map(|hash| STANDARD.encode(hash.0)).collect());
        Self { old, size: note.checkpoint().size, checkpoint: note.to_string(), path_b64 }
    }
}

#[derive(Serialize, ToSchema)]
struct TransitionList {
    /// The receipt (C2SP tlog-proof) of each `ledger.key_rotated`, oldest first; its checkpoint has both signatures.
    receipts: Vec<String>,
}

/// The newest checkpoint, with the proof that it continues one that the caller has seen (RFC 6962 §2.1.2).
#[utoipa::path(tag = "proofs", params(("tenant" = String, Path), Since), responses(
    (status = 200, body = Consistency), (status = "4XX", body = ProblemDocument),
    (status = 503, body = ProblemDocument)
))]
#[get("/v1/tenants/{tenant}/consistency")]
pub(super) async fn consistency(caller: Caller, since: web::Query<Since>) -> Result<HttpResponse, Problem> {
    if since.old == 0 {
        return Err(Problem::of("request.query").saying("everything continues nothing: `old` is at least 1"));
    }
    let wait = Wait::of(since.wait_ms).duration();
    let continued = caller.app.continuation(&caller.ledger, since.old, wait).await?;
    Ok(HttpResponse::Ok().json(Consistency::new(since.old, continued)))
}

/// The successions of the ledger key: the receipt of each `ledger.key_rotated` under its transition checkpoint, oldest
/// first (LEDGER_FORMAT §5).
#[utoipa::path(tag = "proofs", params(("tenant" = String, Path)), responses(
    (status = 200, body = TransitionList), (status = "4XX", body = ProblemDocument)
))]
#[get("/v1/tenants/{tenant}/transitions")]
pub(super) async fn transitions(reader: Reader) -> Result<HttpResponse, Problem> {
    let receipts = reader.app.transitions(&reader.ledger).await?;
    let receipts = receipts.iter().map(Receipt::to_string).collect();
    Ok(HttpResponse::Ok().json(TransitionList { receipts }))
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
pub(super) struct ExportQuery {
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
    Fresh(exporter): Fresh<Exporter>,
    query: web::Query<ExportQuery>,
) -> Result<HttpResponse, Problem> {
    let MemberCaller { app, ledger, .. } = exporter.member;
    let (scope, wait) = (query.scope()?, Wait { wait_ms: query.wait_ms }.duration());
    let (export, name) = if scope.is_everything() {
        (app.export(ledger.clone(), wait).await?, ledger.tenant().to_string())
    } else {
        (app.export_selection(ledger.clone(), scope, wait).await?, format!("{}-selection", ledger.tenant()))
    };
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "application/x-tar"))
        .insert_header((CONTENT_DISPOSITION, format!("attachment; filename=\"{name}.tar\"")))
        .insert_header((EVENTS, export.size))
        .streaming(chunks(export)))
}

/// What an export holds, as a body. After the first byte nothing can be taken back: a stream that fails ends the
/// connection, not the file.
pub(super) fn chunks(from: ExportStream) -> impl Stream<Item = Result<Bytes, Problem>> {
    stream::unfold(from.chunks, |mut chunks| async move {
        let chunk = chunks.recv().await?;
        Some((chunk.map_err(Problem::from), chunks))
    })
}
