//! Signing in: an assertion over a server's nonce makes a session. Nothing of it is recorded in a ledger.

use actix_web::{HttpRequest, HttpResponse, delete, post, web};
use sealbook_ledger::canonical;
use sealbook_ledger::encoding::B64;
use sealbook_ledger::ids::{MemberId, Origin, TenantName};
use sealbook_ledger::timestamp::Timestamp;
use sealbook_ledger::webauthn::{self, Assertion, Purpose};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Api;
use super::auth::MemberCaller;
use super::body::Body;
use super::problem::{Problem, ProblemDocument};
use super::token::Token;
use crate::clock;

/// Nothing.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Empty {}

/// What to sign: SHA-256 over `sealbook session v1\0` and the canonical form of `{nonce, origin, v: 1}`.
#[derive(Serialize, ToSchema)]
struct NonceView {
    #[schema(value_type = String)]
    nonce: B64,
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
    origin: String,
}

/// The document that a session's challenge is made from.
#[derive(Serialize)]
struct SessionDocument<'a> {
    nonce: &'a B64,
    origin: &'a Origin,
    v: u8,
}

/// A member's answer.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SessionBody {
    #[schema(value_type = String, format = Uuid)]
    member: MemberId,
    #[schema(value_type = String)]
    nonce: B64,
    #[schema(value_type = String)]
    credential_id: B64,
    #[schema(value_type = String)]
    authenticator_data: B64,
    #[schema(value_type = String)]
    client_data_json: B64,
    #[schema(value_type = String)]
    signature: B64,
}

#[derive(Serialize, ToSchema)]
struct SessionView {
    /// Shown here once.
    token: String,
    #[schema(value_type = String, format = Uuid)]
    member: MemberId,
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

fn refused() -> Problem {
    Problem::of("session.refused")
}

/// Makes a nonce to sign in with. A tenant that does not exist gets one like any other.
#[utoipa::path(tag = "sessions", params(("tenant" = String, Path)), security(()), request_body = Empty,
    responses((status = 200, body = NonceView), (status = "4XX", body = ProblemDocument)))]
#[post("/v1/tenants/{tenant}/session/challenge")]
pub(super) async fn session_challenge(
    tenant: web::Path<TenantName>,
    api: web::Data<Api>,
    _body: Body<Empty>,
) -> Result<HttpResponse, Problem> {
    let origin = api.app.config().origin_prefix.origin(&tenant).map_err(Problem::fault)?.to_string();
    let (nonce, expires_at) = api.sessions.issue_nonce(&tenant, clock::now())?;
    Ok(HttpResponse::Ok().json(NonceView { nonce, expires_at, origin }))
}

/// Signs a member in. Tenant, member, credential and assertion that don't belong together all look the same.
#[utoipa::path(tag = "sessions", params(("tenant" = String, Path)), security(()), request_body = SessionBody,
    responses((status = 201, body = SessionView), (status = "4XX", body = ProblemDocument)))]
#[post("/v1/tenants/{tenant}/session")]
pub(super) async fn sign_in(
    tenant: web::Path<TenantName>,
    api: web::Data<Api>,
    body: Body<SessionBody>,
) -> Result<HttpResponse, Problem> {
    let (body, now) = (body.value, clock::now());
    if !api.sessions.knows_nonce(&tenant, &body.nonce, now) {
        return Err(Problem::of("session.nonce"));
    }
    check(&api, &tenant, &body)?;
    let (token, session) = api.sessions.begin(&tenant, &body.nonce, body.member, &body.credential_id, now)?;
    Ok(HttpResponse::Created().json(SessionView {
        token: token.reveal().to_string(),
        member: session.member,
        expires_at: session.expires_at,
    }))
}

/// Whether the assertion is an active member's, over this nonce, by a credential that may sign in.
fn check(api: &Api, tenant: &TenantName, body: &SessionBody) -> Result<(), Problem> {
    let ledger = api.app.ledger(tenant).ok_or_else(refused)?;
    let (state, at) = (ledger.state(), ledger.now());
    let founded = state.founded().map_err(|_| refused())?;
    let member = founded.active_member(body.member, at).map_err(|_| refused())?;
    let credential = member.credential_at(&body.credential_id, at).ok_or_else(refused)?;
    let document = SessionDocument { nonce: &body.nonce, origin: ledger.origin(), v: 1 };
    let challenge = Purpose::Session.challenge(&canonical::to_vec(&document).map_err(Problem::fault)?);
    let assertion = Assertion::new(
        body.credential_id.clone(),
        body.authenticator_data.clone(),
        body.client_data_json.clone(),
        body.signature.clone(),
    )?;
    webauthn::verify(&assertion, credential, founded.approval_rp(), challenge).map_err(|_| refused())?;
    if founded.approval_rp().shared { Ok(()) } else { Err(Problem::of("session.not_shared")) }
}

/// Signs out.
#[utoipa::path(tag = "sessions", params(("tenant" = String, Path)), security(("session" = [])),
    responses((status = 204), (status = "4XX", body = ProblemDocument)))]
#[delete("/v1/tenants/{tenant}/session")]
pub(super) async fn sign_out(_member: MemberCaller, api: web::Data<Api>, req: HttpRequest) -> HttpResponse {
    if let Some(token) = Token::bearer(req.headers()) {
        api.sessions.end(&token.sha256());
    }
    HttpResponse::NoContent().finish()
}
