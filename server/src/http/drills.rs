//! Drills: incidents on keys that were made to be practised on.

use std::collections::BTreeMap;

use actix_web::{HttpRequest, HttpResponse, get, post, web};
use sealbook_ledger::action::ActionType;
use sealbook_ledger::algorithm::Algorithm;
use sealbook_ledger::command::IncidentOpening;
use sealbook_ledger::event::Actor;
use sealbook_ledger::ids::{ActionId, BackendName, IncidentId, KeyId, SlotName};
use sealbook_ledger::incident::IncidentStep;
use sealbook_ledger::state::Founded;
use sealbook_ledger::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::answer::correlation;
use super::auth::{MemberCaller, Reader};
use super::body::Body;
use super::disclosure;
use super::fresh::Fresh;
use super::incidents::{key_of, shown};
use super::moment::Moment;
use super::problem::{Problem, ProblemDocument};
use super::rotations::NoMembers;
use crate::text::Untrusted;
use crate::views::Names;
use crate::views::incidents::{self, IncidentView, MAX_PAGE, StepView, decided_by};

/// How a drill is to go.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DrillBody {
    /// A slot for drills.
    #[schema(value_type = String)]
    slot: SlotName,
    /// Whether people talk each step through before it is taken.
    #[serde(default)]
    tabletop: bool,
    /// What it is to show, in plain text. The statement quotes it; the ledger holds a digest of it.
    #[schema(value_type = Option<String>)]
    reason: Option<Untrusted>,
    /// Until when commanders and change board have to answer; within a day.
    #[schema(value_type = Option<String>, format = DateTime)]
    acknowledge_by: Option<Moment>,
    /// Within how many seconds steps are to be taken.
    #[serde(default)]
    #[schema(value_type = BTreeMap<String, u32>)]
    targets: BTreeMap<IncidentStep, u32>,
}

/// A slot for drills.
#[derive(Serialize, ToSchema)]
struct DrillSlotView {
    #[schema(value_type = String)]
    slot: SlotName,
    #[schema(value_type = String)]
    algorithm: Algorithm,
    /// The device that holds its keys.
    #[schema(value_type = String)]
    backend: BackendName,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = Uuid)]
    active_key: Option<KeyId>,
    /// The drill about it that goes on.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = Uuid)]
    open: Option<IncidentId>,
}

#[derive(Serialize, ToSchema)]
struct DrillList {
    /// The newest first, at most 100; `GET …/incidents?drill=true` has them all.
    drills: Vec<IncidentView>,
    slots: Vec<DrillSlotView>,
    /// When the next one is due; absent without a slot for drills.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    due: Option<Timestamp>,
}

/// What a drill waits for.
#[derive(Serialize, ToSchema)]
struct WaitView {
    #[schema(value_type = String)]
    step: IncidentStep,
    /// What has to be proposed and approved for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    action_type: Option<ActionType>,
    /// The action that is open for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = Uuid)]
    pending: Option<ActionId>,
}

/// How far a drill went.
#[derive(Serialize, ToSchema)]
struct AdvancedView {
    /// Steps that were taken now.
    #[schema(value_type = Vec<String>)]
    taken: Vec<IncidentStep>,
    /// What is left, and for what it waits.
    waits_for: Vec<WaitView>,
    incident: IncidentView,
}

/// Lists drills, the newest first, the slots for them, and when the next one is due.
#[utoipa::path(tag = "incidents", params(("tenant" = String, Path)),
    responses((status = 200, body = DrillList), (status = "4XX", body = ProblemDocument)))]
#[get("/v1/tenants/{tenant}/drills")]
pub(super) async fn list_drills(reader: Reader) -> Result<HttpResponse, Problem> {
    let names = Names::load(reader.store(), reader.ledger.id()).await?;
    let founded = reader.founded()?;
    let newest = (None, MAX_PAGE);
    let drills = incidents::page(founded, &names, reader.at, |incident| incident.drill, newest)?.incidents;
    let milestones = reader.ledger.milestones_now(reader.store()).await?;
    let due = incidents::next_drill(founded, &milestones);
    Ok(HttpResponse::Ok().json(DrillList { drills, slots: slots(founded), due }))
}

fn slots(founded: &Founded) -> Vec<DrillSlotView> {
    // CAs for drills are not practised on.
    let practised = founded.slots().iter().filter(|(_, slot)| slot.drill && !slot.rotation.is_issuing());
    practised
        .map(|(name, slot)| DrillSlotView {
            slot: name.clone(),
            algorithm: slot.algorithm,
            backend: slot.backend.clone(),
            active_key: slot.active,
            open: founded.open_incidents(name).next().map(|(id, _)| id),
        })
        .collect()
}

/// Starts a drill: the slot's key signs samples, then it is suspected and contained.
#[utoipa::path(tag = "incidents", params(("tenant" = String, Path)), request_body = DrillBody,
    responses((status = 201, body = IncidentView), (status = "4XX", body = ProblemDocument)))]
#[post("/v1/tenants/{tenant}/drills")]
pub(super) async fn start_drill(
    Fresh(member): Fresh<MemberCaller>,
    body: Body<DrillBody>,
    req: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let body = body.value;
    let disclosures = disclosure::quoted("reason", body.reason)?;
    member.founded()?.judge_containment(Actor::Member(member.id), Some(&body.slot), member.at)?;
    let opening = IncidentOpening {
        acknowledge_by: body.acknowledge_by.map(Moment::get),
        contain: true,
        drill: true,
        key: key_of(&member, &body.slot, None)?,
        slot: body.slot,
        suspected_since: None,
        tabletop: body.tabletop,
        targets: body.targets,
    };
    let id = IncidentId::from(Uuid::new_v4());
    let about = (id, opening);
    member.app.start_drill(&member.ledger, member.id, about, disclosures, correlation(&req)?).await?;
    Ok(HttpResponse::Created().json(shown(&member, id).await?))
}

/// Takes what steps of a drill can be taken without anybody else, one where it is a tabletop drill, and says what the rest
/// waits for.
#[utoipa::path(tag = "incidents", params(("tenant" = String, Path), ("incident" = uuid::Uuid, Path)),
    request_body = NoMembers,
    responses((status = 200, body = AdvancedView), (status = "4XX", body = ProblemDocument)))]
#[post("/v1/tenants/{tenant}/incidents/{incident}/advance")]
pub(super) async fn advance_drill(
    Fresh(member): Fresh<MemberCaller>,
    path: web::Path<(String, IncidentId)>,
    _body: Body<NoMembers>,
) -> Result<HttpResponse, Problem> {
    let id = path.into_inner().1;
    let taken = member.app.advance_drill(&member.ledger, member.id, id).await?;
    let incident = shown(&member, id).await?;
    let waits = |step: &StepView| WaitView {
        step: step.step,
        action_type: decided_by(step.step),
        pending: step.pending,
    };
    let left = incident.steps.iter().filter(|step| !step.done && incident.is_open());
    let waits_for = left.map(waits).collect();
    Ok(HttpResponse::Ok().json(AdvancedView { taken, waits_for, incident }))
}
