//! Signing in: an assertion over a server's nonce makes a session. Nothing of it is recorded in a ledger.

use actix_web::http::header::SET_COOKIE;
use actix_web::{HttpRequest, HttpResponse, delete, get, post, web};
use sealbook_ledger::canonical;
use sealbook_ledger::encoding::B64;
use sealbook_ledger::ids::{MemberId, Origin, TenantName};
use sealbook_ledger::timestamp::Timestamp;
use sealbook_ledger::webauthn::{self, ApprovalRp, Assertion, Purpose};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Api;
use super::auth::MemberCaller;
use super::body::Body;
use super::cookie;
use super::fresh::Fresh;
use super::problem::{Problem, ProblemDocument};
use super::session_table::{Carrier, Session, SignIn};
use super::shown::Shown;
use super::token::{Token, TokenKind};
use crate::clock;
use crate::relying_parties::may_sign_in;

/// Nothing.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Empty {}

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
pub(super) struct SessionBody {
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
    req: HttpRequest,
) -> Result<HttpResponse, Problem> {
    api.throttle.pass(api.app.ledger(&tenant).map(|_| &*tenant), &req, clock::forward())?;
    let origin = api.app.config().origin_prefix.origin(&tenant).map_err(Problem::fault)?.to_string();
    let (nonce, expires_at) = api.sessions.issue_nonce(&tenant, clock::forward())?;
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
    req: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let (body, now) = (body.value, clock::forward());
    api.throttle.pass(api.app.ledger(&tenant).map(|_| &*tenant), &req, now)?;
    if !api.sessions.knows_nonce(&tenant, &body.nonce, now) {
        return Err(Problem::of("session.nonce"));
    }
    check(&api, &tenant, &body)?;
    let who = SignIn {
        tenant: tenant.into_inner(),
        member: body.member,
        credential_id: body.credential_id,
        carrier: Carrier::Bearer,
        agent: cookie::agent(req.headers()),
    };
    let before = Token::bearer(req.headers());
    let (token, session) = api.sessions.begin(&body.nonce, who, now)?;
    // A program that signs in again shows the session that it leaves.
    if let Some(left) = before.filter(|left| left.kind() == TokenKind::Session) {
        api.sessions.end(&left.sha256());
    }
    Ok(HttpResponse::Created().json(SessionView {
        token: token.reveal().to_string(),
        member: session.member,
        expires_at: session.expires_at,
    }))
}

/// Whether the assertion is an active member's, over this nonce, by a credential that may sign in.
fn check(api: &Api, tenant: &TenantName, body: &SessionBody) -> Result<(), Problem> {
    let ledger = match api.app.refused(tenant) {
        Some(damaged) => return Err(damaged.error().into()),
        None => api.app.ledger(tenant).ok_or_else(refused)?,
    };
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
    // The same pages ask for both kinds of passkeys; the id alone differs.
    let rp = ApprovalRp { id: credential.rp_id.clone(), ..founded.approval_rp().clone() };
    let known = rp.id == founded.approval_rp().id
        || api.app.config().sign_in_rp.as_ref().is_some_and(|own| own.id == rp.id);
    if !known || webauthn::verify(&assertion, credential, &rp, challenge).is_err() {
        return Err(refused());
    }
    if may_sign_in(credential, founded.approval_rp()) {
        Ok(())
    } else {
        Err(Problem::of("session.not_shared"))
    }
}

/// Signs out: the session that asks ends.
#[utoipa::path(tag = "sessions", params(("tenant" = String, Path)), security(("session" = [])),
    responses((status = 204), (status = "4XX", body = ProblemDocument)))]
#[delete("/v1/tenants/{tenant}/session")]
pub(super) async fn sign_out(_member: MemberCaller, api: web::Data<Api>, req: HttpRequest) -> HttpResponse {
    let mut response = HttpResponse::NoContent();
    if let Some(shown) = Shown::of(&req) {
        api.sessions.end(&shown.token.sha256());
        if shown.carrier == Carrier::Cookie {
            response.insert_header((SET_COOKIE, cookie::CLEARED));
        }
    }
    response.finish()
}

/// A session, as its owner sees it.
#[derive(Serialize, ToSchema)]
pub(crate) struct OwnSession {
    /// Names it; good for nothing but ending it.
    #[schema(value_type = String)]
    pub(crate) session: B64,
    /// Whether it is the one that asks.
    pub(crate) current: bool,
    /// What the program calls itself.
    pub(crate) agent: String,
    /// Whether it is a browser's.
    pub(crate) browser: bool,
    #[schema(value_type = String, format = DateTime)]
    pub(crate) began_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    pub(crate) used_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    pub(crate) expires_at: Timestamp,
}

/// The session that asks.
#[derive(Serialize, ToSchema)]
struct CurrentSession {
    /// Whose it is: a page of somebody else's acts for nobody in it.
    #[schema(value_type = String, format = Uuid)]
    member: MemberId,
    /// What pages of it send along with whatever changes something; absent for programs.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    csrf: Option<B64>,
    /// Whether what needs a fresh sign-in would be done.
    fresh: bool,
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

/// Shows the session that asks.
#[utoipa::path(tag = "sessions", params(("tenant" = String, Path)), security(("session" = [])),
    responses((status = 200, body = CurrentSession), (status = "4XX", body = ProblemDocument)))]
#[get("/v1/tenants/{tenant}/session")]
pub(super) async fn show_session(
    _member: MemberCaller,
    api: web::Data<Api>,
    req: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let (now, nobody) = (clock::forward(), || Problem::of("auth.token"));
    let shown = Shown::of(&req).ok_or_else(nobody)?;
    let hash = shown.token.sha256();
    let session = api.sessions.peek(&hash, now).ok_or_else(nobody)?;
    Ok(HttpResponse::Ok().json(CurrentSession {
        member: session.member,
        csrf: (shown.carrier == Carrier::Cookie).then(|| api.sessions.csrf(&hash)),
        fresh: session.is_fresh(api.app.config().fresh_sign_in_s, now),
        expires_at: session.expires_at,
    }))
}

#[derive(Serialize, ToSchema)]
struct SessionList {
    /// The youngest first; at most 16.
    sessions: Vec<OwnSession>,
}

impl OwnSession {
    /// Every session of the member who asks.
    pub(crate) fn list(api: &Api, member: &MemberCaller, req: &HttpRequest) -> Vec<Self> {
        let now = clock::forward();
        let current = Shown::of(req).and_then(|shown| api.sessions.peek(&shown.token.sha256(), now));
        let own = api.sessions.of_member(member.ledger.tenant(), member.id, now);
        own.into_iter().map(|session| Self::new(session, current.as_ref())).collect()
    }

    fn new(session: Session, current: Option<&Session>) -> Self {
        Self {
            current: current.is_some_and(|current| current.handle == session.handle),
            session: session.handle,
            agent: session.agent,
            browser: session.carrier == Carrier::Cookie,
            began_at: session.began_at,
            used_at: session.used_at,
            expires_at: session.expires_at,
        }
    }
}

/// Lists the sessions of whoever asks: nobody sees another's.
#[utoipa::path(tag = "sessions", params(("tenant" = String, Path)), security(("session" = [])),
    responses((status = 200, body = SessionList), (status = "4XX", body = ProblemDocument)))]
#[get("/v1/tenants/{tenant}/sessions")]
pub(super) async fn list_sessions(
    member: MemberCaller,
    api: web::Data<Api>,
    req: HttpRequest,
) -> HttpResponse {
    HttpResponse::Ok().json(SessionList { sessions: OwnSession::list(&api, &member, &req) })
}

/// Ends one of the caller's sessions.
#[utoipa::path(tag = "sessions", params(("tenant" = String, Path), ("session" = String, Path)),
    security(("session" = [])), responses((status = 204), (status = "4XX", body = ProblemDocument)))]
#[delete("/v1/tenants/{tenant}/sessions/{session}")]
pub(super) async fn end_session(
    Fresh(member): Fresh<MemberCaller>,
    api: web::Data<Api>,
    path: web::Path<(String, B64)>,
) -> Result<HttpResponse, Problem> {
    let (_, handle) = path.into_inner();
    if api.sessions.end_of_member(member.ledger.tenant(), member.id, &handle) {
        Ok(HttpResponse::NoContent().finish())
    } else {
        Err(Problem::of("session.unknown"))
    }
}
