//! Incidents: opened by one person in one request, shown as they stand.

use std::collections::BTreeMap;

use actix_web::{HttpRequest, HttpResponse, get, post, web};
use sealbook_ledger::command::{IncidentMove, IncidentOpening};
use sealbook_ledger::event::Actor;
use sealbook_ledger::ids::{IncidentId, KeyId, SlotName};
use sealbook_ledger::incident::{Incident, IncidentStep};
use sealbook_ledger::rule::Rule;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::answer::correlation;
use super::auth::{MemberCaller, Reader};
use super::body::Body;
use super::disclosure;
use super::moment::Moment;
use super::problem::{Problem, ProblemDocument};
use crate::app::incidents::submission;
use crate::text::Untrusted;
use crate::views::Names;
use crate::views::incidents::{self, IncidentView, MAX_PAGE};

/// Which incidents.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct IncidentQuery {
    /// Only those that go on, or only those that have ended.
    open: Option<bool>,
    /// Only drills, or only what is none.
    drill: Option<bool>,
    /// Only of this slot.
    #[param(value_type = Option<String>)]
    slot: Option<SlotName>,
    /// The `next` of the page before.
    #[param(value_type = Option<String>, format = Uuid)]
    after: Option<IncidentId>,
    /// At most 100, which is also what a page has where nothing is said.
    limit: Option<usize>,
}

/// What may have happened.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct OpeningBody {
    /// The slot.
    #[schema(value_type = String)]
    slot: SlotName,
    /// The key that somebody else may hold or have used; the slot's key in charge where absent.
    #[schema(value_type = Option<String>, format = Uuid)]
    key: Option<KeyId>,
    /// Since when that is suspected.
    #[schema(value_type = Option<String>, format = DateTime)]
    suspected_since: Option<Moment>,
    /// Whether the slot is suspended with it; it is where nothing is said.
    contain: Option<bool>,
    /// Why, in plain text. The statement quotes it; the ledger holds a digest of it.
    #[schema(value_type = Option<String>)]
    reason: Option<Untrusted>,
    /// Until when commanders and change board have to answer; others are told whom nobody heard of. Within a day.
    #[schema(value_type = Option<String>, format = DateTime)]
    acknowledge_by: Option<Moment>,
    /// Within how many seconds steps are to be taken.
    #[serde(default)]
    #[schema(value_type = BTreeMap<String, u32>)]
    targets: BTreeMap<IncidentStep, u32>,
}

#[derive(Serialize, ToSchema)]
struct IncidentList {
    /// The newest first.
    incidents: Vec<IncidentView>,
    /// The value of `after` for the next page; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = Uuid)]
    next: Option<IncidentId>,
}

/// The incident as it stands now.
pub(super) async fn shown(member: &MemberCaller, id: IncidentId) -> Result<IncidentView, Problem> {
    let names = Names::load(member.store(), member.ledger.id()).await?;
    let (state, at) = (member.ledger.state(), member.ledger.now());
    let founded = state.founded()?;
    Ok(IncidentView::new(id, founded.incident(id)?, founded, &names, at))
}

/// The key that an incident is about where its opener names none.
pub(super) fn key_of(member: &MemberCaller, slot: &SlotName, named: Option<KeyId>) -> Result<KeyId, Problem> {
    if let Some(key) = named {
        return Ok(key);
    }
    // Which slots there are is no secret to a member.
    Ok(member.founded()?.slot(slot)?.active.ok_or(Rule::SlotKeyless)?)
}

/// Lists incidents and drills, the newest first.
#[utoipa::path(tag = "incidents", params(("tenant" = String, Path), IncidentQuery),
    responses((status = 200, body = IncidentList), (status = "4XX", body = ProblemDocument)))]
#[get("/v1/tenants/{tenant}/incidents")]
pub(super) async fn list_incidents(
    reader: Reader,
    query: web::Query<IncidentQuery>,
) -> Result<HttpResponse, Problem> {
    let names = Names::load(reader.store(), reader.ledger.id()).await?;
    let wanted = |incident: &Incident| {
        query.open.is_none_or(|open| open == incident.is_open())
            && query.drill.is_none_or(|drill| drill == incident.drill)
            && query.slot.as_ref().is_none_or(|slot| *slot == incident.slot)
    };
    let asked = (query.after, query.limit.unwrap_or(MAX_PAGE));
    let page = incidents::page(reader.founded()?, &names, reader.at, wanted, asked)?;
    Ok(HttpResponse::Ok().json(IncidentList { incidents: page.incidents, next: page.next }))
}

/// Shows one incident with its clocks and steps: which are done, by which event, and what the rest waits for.
#[utoipa::path(tag = "incidents", params(("tenant" = String, Path), ("incident" = uuid::Uuid, Path)),
    responses((status = 200, body = IncidentView), (status = "4XX", body = ProblemDocument)))]
#[get("/v1/tenants/{tenant}/incidents/{incident}")]
pub(super) async fn show_incident(
    reader: Reader,
    path: web::Path<(String, IncidentId)>,
) -> Result<HttpResponse, Problem> {
    Ok(HttpResponse::Ok().json(shown(&reader, path.into_inner().1).await?))
}

/// Opens an incident about a key, and suspends its slot with it: one person, at once. It takes the right to suspend the
/// slot.
#[utoipa::path(tag = "incidents", params(("tenant" = String, Path)), request_body = OpeningBody,
    responses((status = 201, body = IncidentView), (status = "4XX", body = ProblemDocument)))]
#[post("/v1/tenants/{tenant}/incidents")]
pub(super) async fn open_incident(
    member: MemberCaller,
    body: Body<OpeningBody>,
    req: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let body = body.value;
    let disclosures = disclosure::quoted("reason", body.reason)?;
    let by = Actor::Member(member.id);
    // Who may not stop the slot learns nothing of it.
    member.founded()?.judge_containment(by, Some(&body.slot), member.at)?;
    let opening = IncidentOpening {
        acknowledge_by: body.acknowledge_by.map(Moment::get),
        contain: body.contain.unwrap_or(true),
        drill: false,
        key: key_of(&member, &body.slot, body.key)?,
        slot: body.slot,
        suspected_since: body.suspected_since.map(Moment::get),
        tabletop: false,
        targets: body.targets,
    };
    let id = IncidentId::from(Uuid::new_v4());
    let step = IncidentMove::Open(opening);
    member.ledger.submit(submission((by, id), step, disclosures, correlation(&req)?)).await?;
    Ok(HttpResponse::Created().json(shown(&member, id).await?))
}
