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
use super::body::Body;
use super::cookie;
use super::problem::{Problem, ProblemDocument};
use super::session_table::{Carrier, SignIn};
use crate::app::App;
use crate::clock;
use crate::ledger::Ledger;
use crate::passkeys::{self, PasskeyAnswer};

/// Nothing.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NoFields {}

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
struct PasskeyBody {
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
#[utoipa::path(tag = "sessions", security(()), request_body = NoFields,
    responses((status = 200, body = PasskeyChallenge), (status = "4XX", body = ProblemDocument)))]
#[post("/v1/session/challenge")]
pub(super) async fn passkey_challenge(
    api: web::Data<Api>,
    req: HttpRequest,
    _body: Body<NoFields>,
) -> Result<HttpResponse, Problem> {
    let now = clock::now();
    cookie::same_origin(req.headers(), &api.public_url)?;
    api.throttle.pass(None, &req, now)?;
    let begun = api.sign_ins.begin(&api.app.config().approval_rp, now);
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
    let now = clock::now();
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

/// Whose passkey answered, if it holds: an active member's, in force, and one that may sign in.
fn check(api: &Api, req: &HttpRequest, body: PasskeyBody, now: Timestamp) -> Result<SignIn, Problem> {
    let challenged = api.sign_ins.take(&body.challenge, now).ok_or_else(refused)?;
    let PasskeyBody { credential_id, authenticator_data, client_data_json, signature, user_handle, .. } =
        body;
    let assertion = Assertion::new(credential_id, authenticator_data, client_data_json, signature)?;
    let answer = PasskeyAnswer { assertion, user_handle };
    let rp = &api.app.config().approval_rp;
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
///
/// A credential that approves signs in only where the founders shared it; one of this server's own relying party, where
/// approvals are made for another, is for signing in alone.
fn find(app: &App, rp: &ApprovalRp, member: MemberId, id: &B64) -> Option<(Arc<Ledger>, Credential)> {
    app.ledgers().into_iter().find_map(|ledger| {
        let (state, at) = (ledger.state(), ledger.now());
        let founded = state.founded().ok()?;
        let credential = founded.active_member(member, at).ok()?.credential_at(id, at)?;
        let approves = founded.approval_rp().id == rp.id;
        let may = credential.rp_id == rp.id && (founded.approval_rp().shared || !approves);
        may.then(|| (ledger.clone(), credential.clone()))
    })
}
