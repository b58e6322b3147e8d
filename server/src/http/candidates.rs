//! Candidates: people who were invited and register an authenticator, before a quorum enrols them.

mod known;

use std::collections::BTreeSet;

use actix_web::{HttpResponse, get, post, web};
use sealbook_ledger::encoding::{B64, Hash};
use sealbook_ledger::ids::MemberId;
use sealbook_ledger::policy::{CredentialRules, Role};
use sealbook_ledger::rule::Rule;
use sealbook_ledger::state::Founded;
use sealbook_ledger::timestamp::Timestamp;
use sealbook_ledger::webauthn::{ApprovalRp, Credential};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

pub(super) use known::attestations;
use known::{Known, Registered};

use super::Api;
use super::auth::{
    self, Demand as _, Invite, Inviter, MemberCaller, Reader, Ticket, TicketHolder, Ticketed, ToEnrol,
};
use super::body::Body;
use super::fresh::Fresh;
use super::problem::{Problem, ProblemDocument};
use super::registering::{self, Forms, RegistrationOptions};
use super::token::{Token, TokenKind};
use crate::app::App;
use crate::ledger::Ledger;
use crate::passkeys::{self, Asked, PasskeyResponse};
use crate::registration::Registration;
use crate::relying_parties::{RelyingParties, Use};
use crate::store::StoreError;
use crate::store::candidates::{CREDENTIAL, CandidateRow, ENROLMENT, Exchange};
use crate::text::{Name, Untrusted};
use crate::views::{Names, changes};

/// How long an invitation holds, in seconds: a week.
const INVITATION_LIFE_S: u32 = 7 * 24 * 60 * 60;

/// Most invitations of one member that hold at a time: several authenticators, and a few links that were lost.
const MAX_OF_MEMBER: i64 = 8;

/// Most invitations of a ledger that hold at a time, used ones among them: more than an organisation enrols in a week.
const MAX_OF_LEDGER: i64 = 200;

/// Whom to invite.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct InvitationBody {
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
    /// The page of the invited; a link to it carries the ticket behind a `#`.
    page_url: String,
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

/// A candidate's authenticator, in one of two forms.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CandidateRegistration {
    /// `credential` and `client_data_json`; the challenge is SHA-256 of `sealbook registration v1\0` and the ticket's 32
    /// bytes.
    #[schema(value_type = Option<Object>)]
    registration: Option<Registration>,
    /// A browser's answer to the registration options: `attestation_object` and `client_data_json`, base64url.
    #[schema(value_type = Option<Object>)]
    passkey: Option<PasskeyResponse>,
}

/// A candidate who registered; a quorum enrols them.
#[derive(Serialize, ToSchema)]
struct RegisteredCandidate {
    #[schema(value_type = String, format = Uuid)]
    candidate: Uuid,
    #[schema(value_type = String, format = Uuid)]
    member: MemberId,
    /// What is to be registered next under the same ticket: `sign_in`, or absent once everything is.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<Use>,
}

/// What a member's other authenticators are to be for.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AnotherBody {
    /// `approve` where absent; `sign_in`, or both, where the ledger keeps sign-ins apart from approvals. One passkey is
    /// registered for each.
    #[serde(default)]
    uses: BTreeSet<Use>,
}

/// A candidate: what a `member.enroll` or `credential.add` proposal needs.
#[derive(Serialize, ToSchema)]
struct CandidateView {
    #[schema(value_type = String, format = Uuid)]
    candidate: Uuid,
    /// `enrolment`, or `credential` for another authenticator of somebody who is a member.
    purpose: String,
    /// Whether the ledger has the registered credential already.
    enrolled: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = Uuid)]
    member: Option<MemberId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    display_name: Option<String>,
    #[schema(value_type = Vec<String>)]
    roles: BTreeSet<Role>,
    /// What a member's other authenticators are to be for; empty says: for approving.
    uses: BTreeSet<Use>,
    /// The registered credential, as `credential.add` takes it; where two were registered, the one that approves.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    credential: Option<Credential>,
    /// Everything that was registered, as `params.credentials` takes it.
    #[schema(value_type = Vec<Object>)]
    credentials: Vec<Credential>,
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

#[derive(Serialize, ToSchema)]
struct CandidateList {
    candidates: Vec<CandidateView>,
}

impl CandidateView {
    fn new(row: &CandidateRow, founded: &Founded) -> Result<Self, Problem> {
        let known = Known::of(row)?;
        // Half a registration is nothing to decide about.
        let registered = known.registered.filter(|_| row.used_at.is_some());
        let credentials = registered.as_ref().map(Registered::credentials).unwrap_or_default();
        let (member, credential) = registered.map(|made| (made.member, made.credential)).unzip();
        let held = |id: &MemberId| founded.members().get(id).map_or(&[][..], |member| &member.credentials);
        let enrolled = member
            .iter()
            .flat_map(held)
            .any(|held| credential.as_ref().is_some_and(|made| held.credential == *made));
        Ok(Self {
            candidate: row.candidate,
            purpose: row.purpose.clone(),
            enrolled,
            member: member.or(known.member.filter(|_| row.purpose == CREDENTIAL)),
            display_name: known.display_name,
            roles: known.roles,
            uses: known.uses,
            credential,
            credentials,
            expires_at: row.expires_at,
        })
    }
}

/// Invites somebody. Only a quorum enrols: an invitation gives nobody anything.
#[utoipa::path(tag = "candidates", params(("tenant" = String, Path)), request_body = InvitationBody,
    responses((status = 201, body = InvitationView), (status = "4XX", body = ProblemDocument)))]
#[post("/v1/tenants/{tenant}/candidates")]
pub(super) async fn invite(
    Fresh(inviter): Fresh<Inviter>,
    api: web::Data<Api>,
    body: Body<InvitationBody>,
) -> Result<HttpResponse, Problem> {
    let ledger = &inviter.member.ledger;
    let InvitationBody { display_name, roles } = body.value;
    if roles.is_empty() {
        return Err(Problem::of("role.values"));
    }
    let display_name = display_name.map(Untrusted::name).transpose()?.map(Name::into_string);
    let uses = BTreeSet::new();
    let known = Known { display_name, roles, member: None, uses, begun: None, registered: None };
    issue(&api, ledger, ENROLMENT, &known).await
}

/// Invites a member to register another authenticator, be it beside the others or in place of a lost one: members
/// themselves do, whoever may invite, and the sealed recovery authenticators. A quorum adds it.
#[utoipa::path(tag = "candidates", params(("tenant" = String, Path), ("member" = Uuid, Path)),
    request_body = AnotherBody,
    responses((status = 201, body = InvitationView), (status = "4XX", body = ProblemDocument)))]
#[post("/v1/tenants/{tenant}/members/{member}/invitations")]
pub(super) async fn invite_again(
    Fresh(caller): Fresh<MemberCaller>,
    api: web::Data<Api>,
    path: web::Path<(String, MemberId)>,
    body: Body<AnotherBody>,
) -> Result<HttpResponse, Problem> {
    let (_, id) = path.into_inner();
    // A recovery begins when nobody else may be left to invite.
    let may = auth::any(&caller.roles, Invite::ANY_OF) || auth::any(&caller.roles, &[Role::Recovery]);
    if caller.id != id && !may {
        return Err(Rule::RoleMissing.into());
    }
    let living = caller.founded()?.members().get(&id).filter(|member| !member.removed);
    living.ok_or(Rule::MemberUnknown)?;
    let names = Names::load(caller.store(), caller.ledger.id()).await?;
    let display_name = names.member(id).map(str::to_owned);
    let uses = body.value.uses;
    let parties = RelyingParties::in_force(caller.founded()?, api.app.config().sign_in_rp.as_ref());
    if uses.iter().any(|wanted| parties.of(*wanted).is_none()) {
        return Err(Problem::of("session.shared"));
    }
    let roles = BTreeSet::new();
    let known = Known { display_name, roles, member: Some(id), uses, begun: None, registered: None };
    issue(&api, &caller.ledger, CREDENTIAL, &known).await
}

/// Refuses an invitation beyond what may hold at a time. Requests that are looked at side by side may each find room: that
/// is one too many for each connection to the database at most.
async fn leave_room(api: &Api, ledger: &Ledger, member: Option<MemberId>) -> Result<(), Problem> {
    let (all, own) = api.app.store().count_invitations(ledger.id(), member, ledger.now()).await?;
    if own >= MAX_OF_MEMBER {
        return Err(Problem::of("invitation.member_full"));
    }
    if all >= MAX_OF_LEDGER { Err(Problem::of("invitation.ledger_full")) } else { Ok(()) }
}

/// Draws a ticket and keeps its hash with what is known.
async fn issue(api: &Api, ledger: &Ledger, purpose: &str, known: &Known) -> Result<HttpResponse, Problem> {
    leave_room(api, ledger, known.member).await?;
    let (token, now) = (Token::draw(TokenKind::Ticket)?, ledger.now());
    let row = CandidateRow {
        ledger: ledger.id(),
        candidate: Uuid::new_v4(),
        ticket_hash: token.sha256(),
        purpose: purpose.to_owned(),
        body: serde_json::to_value(known).map_err(Problem::fault)?,
        created_at: now,
        expires_at: now.plus_seconds(INVITATION_LIFE_S),
        used_at: None,
    };
    api.app.store().insert_candidate(&row).await?;
    Ok(HttpResponse::Created().json(InvitationView {
        candidate: row.candidate,
        ticket: token.reveal().to_string(),
        page_url: format!("{}/t/{}/join", api.public_url, ledger.tenant()),
        expires_at: row.expires_at,
    }))
}

/// A ticket that is gone answers the same, however it went.
fn used_up(error: StoreError) -> Problem {
    match error {
        StoreError::Conflict { .. } => Problem::of("ticket.invalid"),
        other => other.into(),
    }
}

/// What the holder of an invitation's ticket may know.
#[derive(Serialize, ToSchema)]
struct InvitationStatus {
    /// `enrolment`, or `credential` for another authenticator of somebody who is a member.
    purpose: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    display_name: Option<String>,
    #[schema(value_type = Vec<String>)]
    roles: BTreeSet<Role>,
    registered: bool,
    /// What is to be registered next: `approve`, or `sign_in` where the two are apart.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<Use>,
    /// Whether the ledger's people have two passkeys: one that approves, and one that signs in.
    separate_sign_in: bool,
    /// How many passkeys are registered by this invitation.
    of: usize,
    /// Whether the ledger has the registered credential.
    enrolled: bool,
    /// SHA-256 of the registered public key, for the invited to read to those who decide.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    fingerprint: Option<Hash>,
    /// Which authenticators may be enrolled.
    #[schema(value_type = Object)]
    credential_rules: CredentialRules,
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

/// Shows an invitation to whoever holds its ticket, used or not.
#[utoipa::path(tag = "candidates", params(("tenant" = String, Path)), security(("ticket" = [])),
    responses((status = 200, body = InvitationStatus), (status = "4XX", body = ProblemDocument)))]
#[get("/v1/tenants/{tenant}/invitation")]
pub(super) async fn show_invitation(ticket: Ticket<ToEnrol>) -> Result<HttpResponse, Problem> {
    let TicketHolder { app, ledger, invitation, .. } = ticket.holder;
    let state = ledger.state();
    let founded = state.founded()?;
    let parties = RelyingParties::in_force(founded, app.config().sign_in_rp.as_ref());
    let known = Known::of(&invitation)?;
    let next = known.next(&invitation.purpose, &parties);
    let view = CandidateView::new(&invitation, founded)?;
    let made = view.credential.as_ref();
    Ok(HttpResponse::Ok().json(InvitationStatus {
        registered: made.is_some(),
        next: next.filter(|_| made.is_none()),
        of: known.wanted(&invitation.purpose, &parties).len(),
        separate_sign_in: parties.of(Use::SignIn).is_some(),
        fingerprint: made.map(changes::fingerprint),
        purpose: view.purpose,
        display_name: view.display_name,
        roles: view.roles,
        enrolled: view.enrolled,
        credential_rules: founded.policy().credentials.clone(),
        expires_at: view.expires_at,
    }))
}

/// Draws up what a candidate's browser is to be asked for. Only the newest options of a ticket can be answered.
#[utoipa::path(tag = "candidates", params(("tenant" = String, Path)), security(("ticket" = [])),
    responses((status = 200, body = RegistrationOptions), (status = "4XX", body = ProblemDocument)))]
#[post("/v1/tenants/{tenant}/candidates/registration-options")]
pub(super) async fn begin_candidate(ticket: Ticket<ToEnrol>) -> Result<HttpResponse, Problem> {
    let TicketHolder { app, ledger, token, invitation } = ticket.holder;
    let mut known = Known::of(&invitation)?;
    let state = ledger.state();
    let founded = state.founded()?;
    let member = known.member.unwrap_or_else(|| MemberId::from(Uuid::new_v4()));
    let held = founded.members().get(&member).map_or(&[][..], |member| &member.credentials);
    let exclude: Vec<B64> = held.iter().map(|held| held.credential.credential_id.clone()).collect();
    let name = known.display_name.clone().unwrap_or_else(|| format!("A member of {}", ledger.tenant()));
    let rp = party(&known, &invitation, founded, &app)?;
    let asked = Asked { rp: &rp, member, name: &name, exclude: &exclude };
    let (options, begun) = passkeys::begin(&asked, ledger.now())?;
    (known.member, known.begun) = (Some(member), Some(begun));
    let known = serde_json::to_value(known).map_err(Problem::fault)?;
    let bodies = Exchange { before: &invitation.body, after: &known };
    app.store().update_candidate(ledger.id(), token.sha256(), bodies, ledger.now()).await.map_err(used_up)?;
    let rules = founded.policy().credentials.clone();
    Ok(HttpResponse::Ok().json(RegistrationOptions::new(options, rules)))
}

/// Registers a candidate's authenticator and uses the ticket up.
#[utoipa::path(tag = "candidates", params(("tenant" = String, Path)), security(("ticket" = [])),
    request_body = CandidateRegistration,
    responses((status = 201, body = RegisteredCandidate), (status = "4XX", body = ProblemDocument)))]
#[post("/v1/tenants/{tenant}/candidates/register")]
pub(super) async fn register_candidate(
    Ticketed { holder, body, .. }: Ticketed<ToEnrol, CandidateRegistration>,
) -> Result<HttpResponse, Problem> {
    let CandidateRegistration { registration, passkey } = body.value;
    let state = holder.ledger.state();
    let founded = state.founded()?;
    let mut known = Known::of(&holder.invitation)?;
    let rp = party(&known, &holder.invitation, founded, &holder.app)?;
    let made = Forms { registration, passkey }.made(&holder, known.begun.as_ref(), &rp)?;
    registering::accepted(&founded.policy().credentials, &made)?;
    let TicketHolder { app, ledger, token, invitation } = holder;
    let member = known.member.unwrap_or_else(|| MemberId::from(Uuid::new_v4()));
    known.add(member, made);
    let next =
        known.next(&invitation.purpose, &RelyingParties::in_force(founded, app.config().sign_in_rp.as_ref()));
    let known = serde_json::to_value(known).map_err(Problem::fault)?;
    let (store, ticket, now) = (app.store(), token.sha256(), ledger.now());
    let bodies = Exchange { before: &invitation.body, after: &known };
    let kept = match next {
        Some(_) => store.update_candidate(ledger.id(), ticket, bodies, now).await,
        None => store.use_candidate(ledger.id(), ticket, bodies, now).await,
    };
    kept.map_err(used_up)?;
    Ok(HttpResponse::Created().json(RegisteredCandidate { candidate: invitation.candidate, member, next }))
}

/// For whom the next passkey of an invitation is made.
fn party(
    known: &Known,
    invitation: &CandidateRow,
    founded: &Founded,
    app: &App,
) -> Result<ApprovalRp, Problem> {
    let parties = RelyingParties::in_force(founded, app.config().sign_in_rp.as_ref());
    let next = known.next(&invitation.purpose, &parties).filter(|_| invitation.used_at.is_none());
    let rp = next.and_then(|next| parties.of(next)).cloned();
    rp.ok_or_else(|| Problem::of("ticket.invalid"))
}

/// Lists the candidates whose invitation holds.
#[utoipa::path(tag = "candidates", params(("tenant" = String, Path)),
    responses((status = 200, body = CandidateList), (status = "4XX", body = ProblemDocument)))]
#[get("/v1/tenants/{tenant}/candidates")]
pub(super) async fn list_candidates(reader: Reader) -> Result<HttpResponse, Problem> {
    let rows = reader.store().candidates(reader.ledger.id()).await?;
    let invited = |row: &&CandidateRow| row.purpose == ENROLMENT || row.purpose == CREDENTIAL;
    let waiting = rows.iter().filter(invited).filter(|row| reader.at < row.expires_at);
    let founded = reader.founded()?;
    let candidates = waiting.map(|row| CandidateView::new(row, founded)).collect::<Result<_, _>>()?;
    Ok(HttpResponse::Ok().json(CandidateList { candidates }))
}
