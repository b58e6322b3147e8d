//! Steps of incidents, as the people who respond take them.

use actix_web::{HttpResponse, post, web};
use sealbook_ledger::command::IncidentMove;
use sealbook_ledger::decide::Refusal;
use sealbook_ledger::event::Actor;
use sealbook_ledger::ids::{ChannelName, IncidentId};
use sealbook_ledger::incident::IncidentOutcome;
use sealbook_ledger::rule::Rule;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::auth::{Caller, MemberCaller, Who};
use super::body::Body;
use super::disclosure;
use super::fresh::Fresh;
use super::incidents::shown;
use super::moment::Moment;
use super::problem::{Problem, ProblemDocument};
use super::rotations::NoMembers;
use crate::ledger::{Disclosure, EngineError};
use crate::text::{Untrusted, plain};
use crate::views::incidents::{ChannelView, IncidentView};

/// What was seen or thought.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NoteBody {
    /// Members read it, no statement has it; the ledger holds a digest. It may have lines, which end with LF, and 4,000 bytes.
    #[schema(value_type = String)]
    text: Untrusted,
}

/// Since when signatures may be affected.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FoundBody {
    /// The suspicion, where absent; all of the key's where that is unknown too.
    #[schema(value_type = Option<String>, format = DateTime)]
    since: Option<Moment>,
}

/// Where artifacts are promoted.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ChannelBody {
    /// The channel.
    #[schema(value_type = String)]
    channel: ChannelName,
    /// What there is to say about it. Members read it; no statement has it.
    #[schema(value_type = Option<String>)]
    note: Option<Untrusted>,
}

/// What became of the signatures that may be affected.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ResignBody {
    /// Of how many what they are over is given up; all others are signed again.
    #[serde(default)]
    dropped: u64,
    /// What there is to say about it. Members read it; no statement has it.
    #[schema(value_type = Option<String>)]
    note: Option<Untrusted>,
}

/// What those are told who rely on the key: plain text.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AdvisoryBody {
    /// By what name they find it, such as a CVE or an advisory number.
    #[schema(value_type = String)]
    reference: Untrusted,
    /// What it says. It may have lines, which end with LF, and 4,000 bytes.
    #[schema(value_type = String)]
    text: Untrusted,
}

/// What comes of a withdrawal. A service hears of the channel alone: whoever holds its token may be whom it is all about.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
enum WithdrawnView {
    /// To members, the incident.
    ToMember(Box<IncidentView>),
    /// To services, the channel.
    ToService(ChannelView),
}

/// What an incident came to.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ClosingBody {
    /// `resolved`, `given_up` or `false_alarm`.
    #[schema(value_type = String)]
    outcome: IncidentOutcome,
    /// What there is to say about it, in plain text. The statement quotes it.
    #[schema(value_type = Option<String>)]
    note: Option<Untrusted>,
}

/// Takes a step and shows what came of it.
async fn take(
    member: &MemberCaller,
    id: IncidentId,
    step: IncidentMove,
    said: Vec<Disclosure>,
) -> Result<HttpResponse, Problem> {
    member.app.take_step(&member.ledger, (Actor::Member(member.id), id), step, said).await?;
    Ok(HttpResponse::Ok().json(shown(member, id).await?))
}

/// Says that one takes part. Saying so again changes nothing.
#[utoipa::path(tag = "incidents", params(("tenant" = String, Path), ("incident" = uuid::Uuid, Path)),
    request_body = NoMembers,
    responses((status = 200, body = IncidentView), (status = "4XX", body = ProblemDocument)))]
#[post("/v1/tenants/{tenant}/incidents/{incident}/acknowledge")]
pub(super) async fn acknowledge_incident(
    member: MemberCaller,
    path: web::Path<(String, IncidentId)>,
    _body: Body<NoMembers>,
) -> Result<HttpResponse, Problem> {
    let id = path.into_inner().1;
    let by = (Actor::Member(member.id), id);
    match member.app.take_step(&member.ledger, by, IncidentMove::Acknowledge, Vec::new()).await {
        Ok(_) | Err(EngineError::Refused(Refusal::Rule(Rule::IncidentStep))) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(HttpResponse::Ok().json(shown(&member, id).await?))
}

/// Writes down what was seen or thought.
#[utoipa::path(tag = "incidents", params(("tenant" = String, Path), ("incident" = uuid::Uuid, Path)),
    request_body = NoteBody,
    responses((status = 200, body = IncidentView), (status = "4XX", body = ProblemDocument)))]
#[post("/v1/tenants/{tenant}/incidents/{incident}/note")]
pub(super) async fn note_incident(
    member: MemberCaller,
    path: web::Path<(String, IncidentId)>,
    body: Body<NoteBody>,
) -> Result<HttpResponse, Problem> {
    let note = body.value.text.prose()?.into_string();
    take(&member, path.into_inner().1, IncidentMove::Note, vec![Disclosure::new("note", note)]).await
}

/// Looks through the ledger for every signature that may be affected, and records count, ends and digest of the list.
#[utoipa::path(tag = "incidents", params(("tenant" = String, Path), ("incident" = uuid::Uuid, Path)),
    request_body = FoundBody,
    responses((status = 200, body = IncidentView), (status = "4XX", body = ProblemDocument),
        (status = 503, body = ProblemDocument)))]
#[post("/v1/tenants/{tenant}/incidents/{incident}/scope")]
pub(super) async fn scope_incident(
    member: MemberCaller,
    path: web::Path<(String, IncidentId)>,
    body: Body<FoundBody>,
) -> Result<HttpResponse, Problem> {
    let (id, since) = (path.into_inner().1, body.value.since.map(Moment::get));
    let slot = member.founded()?.incident(id)?.slot.clone();
    // Before the work: a look through a large ledger is not for everybody.
    member.founded()?.judge_containment(Actor::Member(member.id), Some(&slot), member.at)?;
    member.app.scope_incident(&member.ledger, member.id, id, since).await?;
    Ok(HttpResponse::Ok().json(shown(&member, id).await?))
}

/// Says that affected artifacts are offered no longer in a channel: also a service that signs with the slot.
#[utoipa::path(tag = "incidents", params(("tenant" = String, Path), ("incident" = uuid::Uuid, Path)),
    request_body = ChannelBody,
    responses((status = 200, body = WithdrawnView), (status = "4XX", body = ProblemDocument)))]
#[post("/v1/tenants/{tenant}/incidents/{incident}/withdraw")]
pub(super) async fn withdraw_channel(
    caller: Caller,
    path: web::Path<(String, IncidentId)>,
    body: Body<ChannelBody>,
) -> Result<HttpResponse, Problem> {
    let (id, ChannelBody { channel, note }) = (path.into_inner().1, body.value);
    let said = disclosure::optional("note", note)?;
    caller.must_act()?;
    // One of a slot that the caller may not see is none of the caller's.
    let slot = &caller.state.founded()?.incident(id)?.slot;
    caller.may_see(slot).map_err(|_| Rule::IncidentUnknown)?;
    let step = IncidentMove::Withdraw(channel.clone());
    caller.app.take_step(&caller.ledger, (caller.actor(), id), step, said).await?;
    let view = match caller.who {
        Who::Member { .. } => WithdrawnView::ToMember(Box::new(shown(&caller.into_member()?, id).await?)),
        Who::Service { .. } => {
            let state = caller.ledger.state();
            WithdrawnView::ToService(ChannelView::new(&channel, state.founded()?.incident(id)?))
        }
    };
    Ok(HttpResponse::Ok().json(view))
}

/// Says that a channel offers replacements, which verify, in the place of what was withdrawn.
#[utoipa::path(tag = "incidents", params(("tenant" = String, Path), ("incident" = uuid::Uuid, Path)),
    request_body = ChannelBody,
    responses((status = 200, body = IncidentView), (status = "4XX", body = ProblemDocument)))]
#[post("/v1/tenants/{tenant}/incidents/{incident}/reinstate")]
pub(super) async fn reinstate_channel(
    Fresh(member): Fresh<MemberCaller>,
    path: web::Path<(String, IncidentId)>,
    body: Body<ChannelBody>,
) -> Result<HttpResponse, Problem> {
    let ChannelBody { channel, note } = body.value;
    let said = disclosure::optional("note", note)?;
    take(&member, path.into_inner().1, IncidentMove::Reinstate(channel), said).await
}

/// Says that everything that may be affected is signed again by the slot's new key, or given up.
#[utoipa::path(tag = "incidents", params(("tenant" = String, Path), ("incident" = uuid::Uuid, Path)),
    request_body = ResignBody,
    responses((status = 200, body = IncidentView), (status = "4XX", body = ProblemDocument)))]
#[post("/v1/tenants/{tenant}/incidents/{incident}/resign")]
pub(super) async fn resign_affected(
    Fresh(member): Fresh<MemberCaller>,
    path: web::Path<(String, IncidentId)>,
    body: Body<ResignBody>,
) -> Result<HttpResponse, Problem> {
    let (id, ResignBody { dropped, note }) = (path.into_inner().1, body.value);
    let said = disclosure::optional("note", note)?;
    let incident = member.founded()?.incident(id)?;
    // The right to act comes first: how far it is, is not for everybody to try.
    member.founded()?.judge_containment(Actor::Member(member.id), Some(&incident.slot), member.at)?;
    let resigned =
        incident.scope.ok_or(Rule::IncidentStep)?.count.checked_sub(dropped).ok_or(Rule::IncidentForm)?;
    take(&member, id, IncidentMove::Resign { resigned, dropped }, said).await
}

/// Records what those were told who rely on the key: plain text, as the statement will quote it.
#[utoipa::path(tag = "incidents", params(("tenant" = String, Path), ("incident" = uuid::Uuid, Path)),
    request_body = AdvisoryBody,
    responses((status = 200, body = IncidentView), (status = "4XX", body = ProblemDocument)))]
#[post("/v1/tenants/{tenant}/incidents/{incident}/advise")]
pub(super) async fn advise_incident(
    Fresh(member): Fresh<MemberCaller>,
    path: web::Path<(String, IncidentId)>,
    body: Body<AdvisoryBody>,
) -> Result<HttpResponse, Problem> {
    let (reference, text) = (body.value.reference.name()?, body.value.text.prose()?);
    let markup = |_| Problem::of("advisory.markup");
    plain(reference.as_str()).and_then(|()| plain(text.as_str())).map_err(markup)?;
    let said = vec![
        Disclosure::new("reference", reference.into_string()),
        Disclosure::new("text", text.into_string()),
    ];
    take(&member, path.into_inner().1, IncidentMove::Advise, said).await
}

/// Ends an incident: resolved once every step is done, given up where its slot is to sign no more, or as a false alarm.
#[utoipa::path(tag = "incidents", params(("tenant" = String, Path), ("incident" = uuid::Uuid, Path)),
    request_body = ClosingBody,
    responses((status = 200, body = IncidentView), (status = "4XX", body = ProblemDocument)))]
#[post("/v1/tenants/{tenant}/incidents/{incident}/close")]
pub(super) async fn close_incident(
    Fresh(member): Fresh<MemberCaller>,
    path: web::Path<(String, IncidentId)>,
    body: Body<ClosingBody>,
) -> Result<HttpResponse, Problem> {
    let ClosingBody { outcome, note } = body.value;
    let said = disclosure::quoted("note", note)?;
    take(&member, path.into_inner().1, IncidentMove::Close(outcome), said).await
}
