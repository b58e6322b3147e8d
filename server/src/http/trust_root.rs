//! Trust roots as relying parties fetch them: by anybody, at a well-known place (RFC 8615).

use actix_web::http::header::{self, ETag, EntityTag, IfNoneMatch};
use actix_web::web::Header;
use actix_web::{HttpResponse, get, web};
use sealbook_ledger::ids::TenantName;

use super::Api;
use super::problem::{Problem, ProblemDocument};

/// How long a trust root may be kept without asking again, in seconds: whoever keeps it longer learns of a revocation late.
const FRESH_S: u32 = 60;

/// The newest trust root of a ledger: which of its keys are to be believed, signed by its evidence key.
#[utoipa::path(tag = "revocation", params(("tenant" = String, Path)), security(()), responses(
    (status = 200, body = Vec<u8>, content_type = "application/json"), (status = 304),
    (status = "4XX", body = ProblemDocument)))]
#[get("/.well-known/sealbook/{tenant}/trust-root.json")]
pub(super) async fn trust_root(
    api: web::Data<Api>,
    path: web::Path<TenantName>,
    known: Header<IfNoneMatch>,
) -> Result<HttpResponse, Problem> {
    answer(&api, &path.into_inner(), &known)
}

/// The same of a server that keeps one ledger; of one that keeps several the tenant has to be named.
#[utoipa::path(tag = "revocation", security(()), responses(
    (status = 200, body = Vec<u8>, content_type = "application/json"), (status = 304),
    (status = "4XX", body = ProblemDocument)))]
#[get("/.well-known/sealbook/trust-root.json")]
pub(super) async fn only_trust_root(
    api: web::Data<Api>,
    known: Header<IfNoneMatch>,
) -> Result<HttpResponse, Problem> {
    match api.app.ledgers().as_slice() {
        [ledger] => answer(&api, ledger.tenant(), &known),
        _ => Err(nothing()),
    }
}

/// A tenant that is not there, and one whose evidence key has signed none: the same to whoever asks.
fn nothing() -> Problem {
    Problem::of("path.unknown")
}

fn answer(api: &Api, tenant: &TenantName, known: &IfNoneMatch) -> Result<HttpResponse, Problem> {
    let kept = api.app.ledger(tenant).and_then(|ledger| ledger.trust_root()).ok_or_else(nothing)?;
    let tag = EntityTag::new_strong(kept.sha256.to_string());
    let same = match known {
        IfNoneMatch::Any => true,
        IfNoneMatch::Items(tags) => tags.iter().any(|other| other.weak_eq(&tag)),
    };
    let mut answer = if same { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    answer
        .insert_header(ETag(tag))
        .insert_header((header::CACHE_CONTROL, format!("public, max-age={FRESH_S}")))
        .insert_header(("cross-origin-resource-policy", "cross-origin"));
    if same {
        return Ok(answer.finish());
    }
    Ok(answer.content_type("application/json").body(kept.bytes.clone()))
}
