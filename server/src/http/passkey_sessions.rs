//! Signing in with a passkey in a browser: nobody types a name, and every failure looks the same.

use std::sync::Arc;

use actix_web::http::header::SET_COOKIE;
use actix_web::{HttpRequest, HttpResponse, post, web};
use sealbook_ledger::encoding::B64;
use sealbook_ledger::ids::MemberId;
use sealbook_ledger::timestamp::Timestamp;
use sealbook_ledger::webauthn::{ApprovalRp, Assertion, Credential};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::Api;
use super::auth::MemberCaller;
use super::body::Body;
use super::cookie;
use super::problem::{Problem, ProblemDocument};
use super::session_table::{Carrier, Session, SignIn};
use super::shown::Shown;
use super::token::Token;
use crate::app::App;
use crate::clock;
use crate::ledger::Ledger;
use crate::passkeys::{self, PasskeyAnswer};
use crate::relying_parties::may_sign_in;

/// Of which kind the passkey is to be.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ChallengeBody {
    /// Asks for a passkey that approves as well, on a server that keeps others for signing in: ledgers whose founders
    /// shared it have no other.
    #[serde(default)]
    shared: bool,
}

/// What to ask the browser.
#[derive(Serialize, ToSchema)]
struct PasskeyChallenge {
    /// Names the challenge; send it back with the answer.
    #[schema(value_type = String)]
    challenge: B64,
    /// For `navigator.credentials.get`, binary as base64url. Good for two minutes and one answer.
    public_key: Value,
}

/// What the browser answered.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PasskeyBody {
    #[schema(value_type = String)]
    challenge: B64,
    #[schema(value_type = String)]
    credential_id: B64,
    #[schema(value_type = String)]
    authenticator_data: B64,
    #[schema(value_type = String)]
    client_data_json: B64,
    #[schema(value_type = String)]
    signature: B64,
    #[schema(value_type = String)]
    user_handle: B64,
}

/// The session, whose token is in the cookie and nowhere else.
#[derive(Serialize, ToSchema)]
struct BrowserSession {
    /// Whose ledger.
    tenant: String,
    #[schema(value_type = String, format = Uuid)]
    member: MemberId,
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
    /// The page that a sign-in leads to.
    inbox: String,
}

fn refused() -> Problem {
    Problem::of("session.refused")
}

/// Draws a challenge that any passkey of this server answers.
#[utoipa::path(tag = "sessions", security(()), request_body = ChallengeBody,
    responses((status = 200, body = PasskeyChallenge), (status = "4XX", body = ProblemDocument)))]
#[post("/v1/session/challenge")]
pub(super) async fn passkey_challenge(
    api: web::Data<Api>,
    req: HttpRequest,
    body: Body<ChallengeBody>,
) -> Result<HttpResponse, Problem> {
    let now = clock::forward();
    cookie::same_origin(req.headers(), &api.public_url)?;
    api.throttle.pass(None, &req, now)?;
    let config = api.app.config();
    let rp = config.sign_in_rp.as_ref().filter(|_| !body.value.shared).unwrap_or(&config.approval_rp);
    let begun = api.sign_ins.begin(rp, &[], now);
    let (challenge, public_key) = begun.map_err(Problem::fault)?;
    Ok(HttpResponse::Ok().json(PasskeyChallenge { challenge, public_key }))
}

/// Signs a browser in: the session's token is set as a cookie, and whatever session the browser had before ends.
#[utoipa::path(tag = "sessions", security(()), request_body = PasskeyBody,
    responses((status = 201, body = BrowserSession), (status = "4XX", body = ProblemDocument)))]
#[post("/v1/session")]
pub(super) async fn passkey_sign_in(
    api: web::Data<Api>,
    req: HttpRequest,
    body: Body<PasskeyBody>,
) -> Result<HttpResponse, Problem> {
    let now = clock::forward();
    cookie::same_origin(req.headers(), &api.public_url)?;
    api.throttle.pass(None, &req, now)?;
    let who = check(&api, &req, body.value, now)?;
    let inbox = format!("/t/{}/inbox", who.tenant);
    // Never the token that the browser came with, which somebody else may have put there.
    if let Some(before) = cookie::token(req.headers()) {
        api.sessions.end(&before.sha256());
    }
    let (token, session) = api.sessions.open(who, now)?;
    Ok(HttpResponse::Created().insert_header((SET_COOKIE, cookie::set(&token))).json(BrowserSession {
        tenant: session.tenant.to_string(),
        member: session.member,
        expires_at: session.expires_at,
        inbox,
    }))
}

/// The session as it goes on.
#[derive(Serialize, ToSchema)]
struct RenewedSession {
    /// What the page sends along from now on.
    #[schema(value_type = String)]
    csrf: B64,
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
    /// How long the session is fresh, in seconds.
    fresh_for_s: u32,
}

/// Draws a challenge that one of the caller's own passkeys answers, of the kind that the session began with.
#[utoipa::path(tag = "sessions", params(("tenant" = String, Path)), security(("session" = [])),
    responses((status = 200, body = PasskeyChallenge), (status = "4XX", body = ProblemDocument)))]
#[post("/v1/tenants/{tenant}/session/renewal/challenge")]
pub(super) async fn renewal_challenge(
    member: MemberCaller,
    api: web::Data<Api>,
    req: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let now = clock::forward();
    api.throttle.pass(Some(member.ledger.tenant()), &req, now)?;
    let (_, session) = of_browser(&api, &req, now)?;
    let held = &member.founded()?.active_member(member.id, member.at)?.credentials;
    let began = held.iter().find(|held| held.credential.credential_id == session.credential_id);
    let rp = began.and_then(|began| party(&api, &began.credential.rp_id)).ok_or_else(refused)?;
    let own = held.iter().map(|held| &held.credential).filter(|credential| credential.rp_id == rp.id);
    let own: Vec<B64> = own.map(|credential| credential.credential_id.clone()).collect();
    let (challenge, public_key) = api.sign_ins.begin(rp, &own, now).map_err(Problem::fault)?;
    Ok(HttpResponse::Ok().json(PasskeyChallenge { challenge, public_key }))
}

/// Renews the caller's session, as a sign-in does: the member shows a passkey again, the session goes on under another
/// token, in the cookie, until the same end as before. The token from before is worth nothing.
#[utoipa::path(tag = "sessions", params(("tenant" = String, Path)), security(("session" = [])),
    request_body = PasskeyBody,
    responses((status = 200, body = RenewedSession), (status = "4XX", body = ProblemDocument)))]
#[post("/v1/tenants/{tenant}/session/renewal")]
pub(super) async fn renew_session(
    member: MemberCaller,
    api: web::Data<Api>,
    body: Body<PasskeyBody>,
    req: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let now = clock::forward();
    api.throttle.pass(Some(member.ledger.tenant()), &req, now)?;
    let (before, _) = of_browser(&api, &req, now)?;
    let mut answer = body.value;
    if answer.user_handle.as_bytes().is_empty() {
        // An authenticator that was told which passkey to use need not say whose it is.
        answer.user_handle = B64::from(member.id.uuid().as_bytes().as_slice());
    }
    let who = check(&api, &req, answer, now)?;
    // Another member's passkey signs in, and renews nothing of this one's.
    if who.member != member.id || who.tenant != *member.ledger.tenant() {
        return Err(refused());
    }
    let renewed = api.sessions.renew(&before.sha256(), who.credential_id, now)?;
    let (token, session) = renewed.ok_or_else(|| Problem::of("auth.token"))?;
    Ok(HttpResponse::Ok().insert_header((SET_COOKIE, cookie::set(&token))).json(RenewedSession {
        csrf: api.sessions.csrf(&token.sha256()),
        expires_at: session.expires_at,
        fresh_for_s: api.app.config().fresh_sign_in_s,
    }))
}

/// The caller's own session, where a browser carries it: programs sign in again instead.
fn of_browser(api: &Api, req: &HttpRequest, now: Timestamp) -> Result<(Token, Session), Problem> {
    let shown = Shown::of(req).filter(|shown| shown.carrier == Carrier::Cookie).ok_or_else(refused)?;
    let session = api.sessions.peek(&shown.token.sha256(), now).ok_or_else(|| Problem::of("auth.token"))?;
    Ok((shown.token, session))
}

/// This server's relying party of an id: that of approvals, or that of passkeys that only sign in.
fn party<'a>(api: &'a Api, id: &str) -> Option<&'a ApprovalRp> {
    let config = api.app.config();
    [Some(&config.approval_rp), config.sign_in_rp.as_ref()].into_iter().flatten().find(|rp| rp.id == id)
}

/// Whose passkey answered, if it holds: an active member's, in force, and one that may sign in.
fn check(api: &Api, req: &HttpRequest, body: PasskeyBody, now: Timestamp) -> Result<SignIn, Problem> {
    let challenged = api.sign_ins.take(&body.challenge, now).ok_or_else(refused)?;
    let PasskeyBody { credential_id, authenticator_data, client_data_json, signature, user_handle, .. } =
        body;
    let assertion = Assertion::new(credential_id, authenticator_data, client_data_json, signature)?;
    let answer = PasskeyAnswer { assertion, user_handle };
    let rp = party(api, challenged.rp_id()).ok_or_else(refused)?;
    let member = answer.member().ok_or_else(refused)?;
    let (ledger, credential) =
        find(&api.app, rp, member, answer.assertion.credential_id()).ok_or_else(refused)?;
    if !passkeys::holds(challenged, &answer, &credential, rp) {
        return Err(refused());
    }
    Ok(SignIn {
        tenant: ledger.tenant().clone(),
        member,
        credential_id: credential.credential_id,
        carrier: Carrier::Cookie,
        agent: cookie::agent(req.headers()),
    })
}

/// The credential of a member of any ledger, if both are in force and it may sign in.
fn find(app: &App, rp: &ApprovalRp, member: MemberId, id: &B64) -> Option<(Arc<Ledger>, Credential)> {
    app.ledgers().into_iter().find_map(|ledger| {
        let (state, at) = (ledger.state(), ledger.now());
        let founded = state.founded().ok()?;
        let credential = founded.active_member(member, at).ok()?.credential_at(id, at)?;
        let may = credential.rp_id == rp.id && may_sign_in(credential, founded.approval_rp());
        may.then(|| (ledger.clone(), credential.clone()))
    })
}
