//! Candidates: people who were invited and register an authenticator, before a quorum enrols them.

use std::collections::BTreeSet;

use actix_web::{HttpResponse, get, post};
use sealbook_ledger::ids::MemberId;
use sealbook_ledger::policy::Role;
use sealbook_ledger::timestamp::Timestamp;
use sealbook_ledger::webauthn::Credential;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::auth::{ENROLMENT, Inviter, Reader, TicketHolder, Ticketed, ToEnrol};
use super::body::Body;
use super::problem::{Problem, ProblemDocument};
use super::token::{Token, TokenKind};
use crate::registration::{self, Registration};
use crate::store::StoreError;
use crate::store::candidates::CandidateRow;
use crate::text::{Name, Untrusted};

/// How long an invitation holds, in seconds: a week.
const INVITATION_LIFE_S: u32 = 7 * 24 * 60 * 60;

/// Whom to invite.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct InvitationBody {
    #[schema(value_type = Option<String>)]
    display_name: Option<Untrusted>,
    /// The roles to propose the candidate with.
    #[schema(value_type = Vec<String>)]
    roles: BTreeSet<Role>,
}

/// An invitation.
#[derive(Serialize, ToSchema)]
struct InvitationView {
    #[schema(value_type = String, format = Uuid)]
    candidate: Uuid,
    /// Shown here once.
    ticket: String,
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

/// A candidate's authenticator.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CandidateRegistration {
    /// `credential` and `client_data_json`; the challenge is SHA-256 of `sealbook registration v1\0` and the ticket's 32
    /// bytes.
    #[schema(value_type = Object)]
    registration: Registration,
}

#[derive(Serialize, ToSchema)]
struct RegisteredCandidate {
    #[schema(value_type = String, format = Uuid)]
    candidate: Uuid,
    #[schema(value_type = String, format = Uuid)]
    member: MemberId,
}

/// What is known about a candidate: who was invited, then what they registered.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Known {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    display_name: Option<String>,
    roles: BTreeSet<Role>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    registered: Option<Registered>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Registered {
    member: MemberId,
    credential: Credential,
}

/// A candidate: what a `member.enroll` proposal needs.
#[derive(Serialize, ToSchema)]
struct CandidateView {
    #[schema(value_type = String, format = Uuid)]
    candidate: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = Uuid)]
    member: Option<MemberId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    display_name: Option<String>,
    #[schema(value_type = Vec<String>)]
    roles: BTreeSet<Role>,
    /// The registered credential, as `params.credentials` takes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    credential: Option<Credential>,
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

#[derive(Serialize, ToSchema)]
struct CandidateList {
    candidates: Vec<CandidateView>,
}

impl Known {
    fn of(row: &CandidateRow) -> Result<Self, Problem> {
        Self::deserialize(&row.body).map_err(|error| Problem::of("store.corruption").because(error))
    }
}

impl CandidateView {
    fn new(row: &CandidateRow) -> Result<Self, Problem> {
        let known = Known::of(row)?;
        let (member, credential) = known.registered.map(|made| (made.member, made.credential)).unzip();
        Ok(Self {
            candidate: row.candidate,
            member,
            display_name: known.display_name,
            roles: known.roles,
            credential,
            expires_at: row.expires_at,
        })
    }
}

/// Invites somebody. Only a quorum enrols: an invitation gives nobody anything.
#[utoipa::path(tag = "candidates", params(("tenant" = String, Path)), request_body = InvitationBody,
    responses((status = 201, body = InvitationView), (status = "4XX", body = ProblemDocument)))]
#[post("/v1/tenants/{tenant}/candidates")]
pub(super) async fn invite(inviter: Inviter, body: Body<InvitationBody>) -> Result<HttpResponse, Problem> {
    let ledger = &inviter.member.ledger;
    let InvitationBody { display_name, roles } = body.value;
    if roles.is_empty() {
        return Err(Problem::of("role.values"));
    }
    let display_name = display_name.map(Untrusted::name).transpose()?.map(Name::into_string);
    let known = Known { display_name, roles, registered: None };
    let (token, now) = (Token::draw(TokenKind::Ticket)?, ledger.now());
    let row = CandidateRow {
        ledger: ledger.id(),
        candidate: Uuid::new_v4(),
        ticket_hash: token.sha256(),
        purpose: ENROLMENT.to_owned(),
        body: serde_json::to_value(known).map_err(Problem::fault)?,
        created_at: now,
        expires_at: now.plus_seconds(INVITATION_LIFE_S),
        used_at: None,
    };
    inviter.member.store().insert_candidate(&row).await?;
    Ok(HttpResponse::Created().json(InvitationView {
        candidate: row.candidate,
        ticket: token.reveal().to_string(),
        expires_at: row.expires_at,
    }))
}

/// Registers a candidate's authenticator and uses the ticket up.
#[utoipa::path(tag = "candidates", params(("tenant" = String, Path)), security(("ticket" = [])),
    request_body = CandidateRegistration,
    responses((status = 201, body = RegisteredCandidate), (status = "4XX", body = ProblemDocument)))]
#[post("/v1/tenants/{tenant}/candidates/register")]
pub(super) async fn register_candidate(
    Ticketed { holder, body, .. }: Ticketed<ToEnrol, CandidateRegistration>,
) -> Result<HttpResponse, Problem> {
    let TicketHolder { app, ledger, token, invitation } = holder;
    let registration = body.value.registration;
    let state = ledger.state();
    registration.check(registration::challenge(token.secret()), state.founded()?.approval_rp())?;
    let member = MemberId::from(Uuid::new_v4());
    let mut known = Known::of(&invitation)?;
    known.registered = Some(Registered { member, credential: registration.credential });
    let known = serde_json::to_value(known).map_err(Problem::fault)?;
    let used = app.store().use_candidate(ledger.id(), token.sha256(), &known, ledger.now()).await;
    used.map_err(|error| match error {
        StoreError::Conflict { .. } => Problem::of("ticket.invalid"),
        other => other.into(),
    })?;
    Ok(HttpResponse::Created().json(RegisteredCandidate { candidate: invitation.candidate, member }))
}

/// Lists the candidates whose invitation holds.
#[utoipa::path(tag = "candidates", params(("tenant" = String, Path)),
    responses((status = 200, body = CandidateList), (status = "4XX", body = ProblemDocument)))]
#[get("/v1/tenants/{tenant}/candidates")]
pub(super) async fn list_candidates(reader: Reader) -> Result<HttpResponse, Problem> {
    let rows = reader.store().candidates(reader.ledger.id()).await?;
    let waiting = rows.iter().filter(|row| row.purpose == ENROLMENT && reader.at < row.expires_at);
    let candidates = waiting.map(CandidateView::new).collect::<Result<_, _>>()?;
    Ok(HttpResponse::Ok().json(CandidateList { candidates }))
}
