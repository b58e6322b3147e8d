//! The blast radius of a key: every signature that it may have made since a moment (docs/spec/blast-radius.md).

use actix_web::http::header::{CONTENT_DISPOSITION, HeaderName};
use actix_web::{HttpResponse, get, web};
use sealbook_ledger::ids::KeyId;
use sealbook_ledger::rule::Rule;
use serde::Deserialize;
use utoipa::IntoParams;

use super::auth::{Exporter, MemberCaller, Reader};
use super::fresh::Fresh;
use super::moment::Moment;
use super::problem::{Problem, ProblemDocument};
use super::proofs::{Wait, chunks};
use crate::blast_radius::{Form, Scope};
use crate::views::Names;
use crate::views::blast_radius::{BlastRadiusView, Subject};

/// Says how many of the ledger's events a list stands for.
const SIZE: HeaderName = HeaderName::from_static("x-sealbook-size");

/// Since when, and among how many events.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ScopeQuery {
    /// Not before this time, RFC 3339; all of time where absent.
    #[param(value_type = Option<String>, format = DateTime)]
    since: Option<Moment>,
    /// As the ledger's first so many events have it; all that there are now where absent. A list that was made before is made
    /// again with its size.
    size: Option<u64>,
}

/// The same, and whether each row brings its proofs.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ProvenQuery {
    /// Not before this time, RFC 3339; all of time where absent.
    #[param(value_type = Option<String>, format = DateTime)]
    since: Option<Moment>,
    /// As the ledger's first so many events have it; where absent, all that there are now or, with receipts, those that are
    /// sealed.
    size: Option<u64>,
    /// Whether each row brings the receipts of its events (C2SP tlog-proof).
    receipts: Option<bool>,
    /// Milliseconds to wait for a checkpoint that receipts take, at most 10,000; no wait where absent.
    wait_ms: Option<u64>,
}

/// Every signature that a key may have made since a moment, in short: how many, what became of them, the list's digest, and
/// the largest groups.
#[utoipa::path(tag = "keys", params(("tenant" = String, Path), ("key" = uuid::Uuid, Path), ScopeQuery), responses(
    (status = 200, body = BlastRadiusView), (status = "4XX", body = ProblemDocument),
    (status = 503, body = ProblemDocument)
))]
#[get("/v1/tenants/{tenant}/keys/{key}/blast-radius")]
pub(super) async fn blast_radius(
    reader: Reader,
    path: web::Path<(String, KeyId)>,
    query: web::Query<ScopeQuery>,
) -> Result<HttpResponse, Problem> {
    let (MemberCaller { app, ledger, .. }, (_, key)) = (&reader, path.into_inner());
    let scope = Scope::new(ledger, key, query.since.map(Moment::get), query.size)?;
    let slot = reader.founded()?.keys().get(&key).ok_or(Rule::KeyUnknown)?.slot.clone();
    let tally = app.blast_radius_tally(ledger.clone(), scope).await?;
    let checkpoint = reader.store().checkpoint_at(ledger.id(), scope.size).await?;
    let subject = Subject {
        origin: ledger.origin().to_string(),
        key,
        slot,
        since: scope.since,
        size: scope.size,
        checkpoint: checkpoint.map(|row| row.note),
    };
    let names = Names::load(reader.store(), ledger.id()).await?;
    Ok(HttpResponse::Ok().json(tally.into_view(subject, &names)))
}

/// The list as a table, streamed (RFC 4180); no cell begins as a formula.
#[utoipa::path(tag = "keys", params(("tenant" = String, Path), ("key" = uuid::Uuid, Path), ScopeQuery), responses(
    (status = 200, body = str, content_type = "text/csv"), (status = "4XX", body = ProblemDocument),
    (status = 503, body = ProblemDocument)
))]
#[get("/v1/tenants/{tenant}/keys/{key}/blast-radius.csv")]
pub(super) async fn blast_radius_csv(
    Fresh(exporter): Fresh<Exporter>,
    path: web::Path<(String, KeyId)>,
    query: web::Query<ScopeQuery>,
) -> Result<HttpResponse, Problem> {
    let scope =
        Scope::new(&exporter.member.ledger, path.into_inner().1, query.since.map(Moment::get), query.size)?;
    rows(exporter.member, scope, Form::Csv).await
}

/// The list as JSON lines, streamed: each signature with what is disclosed about it and, where they are asked for, with the
/// receipts of its events.
#[utoipa::path(tag = "keys", params(("tenant" = String, Path), ("key" = uuid::Uuid, Path), ProvenQuery), responses(
    (status = 200, body = str, content_type = "application/jsonl"), (status = "4XX", body = ProblemDocument),
    (status = 503, body = ProblemDocument)
))]
#[get("/v1/tenants/{tenant}/keys/{key}/blast-radius.jsonl")]
pub(super) async fn blast_radius_jsonl(
    Fresh(exporter): Fresh<Exporter>,
    path: web::Path<(String, KeyId)>,
    query: web::Query<ProvenQuery>,
) -> Result<HttpResponse, Problem> {
    let ProvenQuery { since, size, receipts, wait_ms } = query.into_inner();
    let (ledger, key, since) = (&exporter.member.ledger, path.into_inner().1, since.map(Moment::get));
    let scope = Scope::new(ledger, key, since, size)?;
    if receipts != Some(true) {
        return rows(exporter.member, scope, Form::JsonLines).await;
    }
    let sealed = ledger.wait_sealed(scope.size, Wait::of(wait_ms).duration()).await;
    // What a caller names is proved as it is; where nothing is named, what is sealed is enough.
    let sealed = sealed.or_else(|| ledger.seal().checkpoint.filter(|_| size.is_none()));
    let checkpoint = sealed.ok_or_else(|| Problem::of("seal.pending"))?;
    let scope = Scope { size: scope.size.min(checkpoint.checkpoint().size), ..scope };
    rows(exporter.member, scope, Form::Proven(checkpoint)).await
}

async fn rows(member: MemberCaller, scope: Scope, form: Form) -> Result<HttpResponse, Problem> {
    let MemberCaller { app, ledger, .. } = member;
    let (media_type, ending) = match form {
        Form::Csv => ("text/csv; charset=utf-8; header=present", "csv"),
        Form::JsonLines | Form::Proven(_) => ("application/jsonl", "jsonl"),
    };
    let name = format!("attachment; filename=\"blast-radius-{}.{ending}\"", scope.key);
    let names = Names::load(app.store(), ledger.id()).await?;
    let export = app.blast_radius_rows(ledger, scope, form, names).await?;
    Ok(HttpResponse::Ok()
        .content_type(media_type)
        .insert_header((CONTENT_DISPOSITION, name))
        .insert_header((SIZE, export.size))
        .streaming(chunks(export)))
}
