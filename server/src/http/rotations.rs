//! Rotations: how far each has come, and what people and services say of it.

use std::time::{Duration, Instant};

use actix_web::{HttpResponse, get, post, web};
use sealbook_ledger::command::{Command, RotationCommand};
use sealbook_ledger::decide::Refusal;
use sealbook_ledger::encoding::Hash;
use sealbook_ledger::event::Actor;
use sealbook_ledger::ids::{ActionId, ChannelName, Correlation, SlotName};
use sealbook_ledger::rotation::Rotation;
use sealbook_ledger::rule::Rule;
use sealbook_ledger::state::Founded;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::auth::{Caller, MemberCaller, Who};
use super::body::Body;
use super::disclosure;
use super::fresh::Fresh;
use super::problem::{Problem, ProblemDocument};
use super::proofs::Wait;
use crate::ledger::{EngineError, Ledger, Submission, digests, failure_code};
use crate::store::Store;
use crate::text::Untrusted;
use crate::views::rotations::{self, RotationView};

/// Most rotations of a page.
const MAX_PAGE: usize = 100;

/// Two looks at a rotation that is waited for are at least so far apart, however fast the ledger grows.
const PAUSE: Duration = Duration::from_millis(100);

/// Why a rotation fails that somebody stopped.
const STOPPED: &str = "rotation.stopped";

#[derive(Serialize, ToSchema)]
struct RotationList {
    /// The newest first.
    rotations: Vec<RotationView>,
    /// The value of `after` for the next page; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = Uuid)]
    next: Option<ActionId>,
}

/// Which rotations.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct RotationQuery {
    /// Only of this slot.
    #[param(value_type = Option<String>)]
    slot: Option<SlotName>,
    /// Only those that have not ended, or only those that have.
    open: Option<bool>,
    /// The `next` of the page before.
    #[param(value_type = Option<String>, format = Uuid)]
    after: Option<ActionId>,
    /// At most 100, which is also what a page has where nothing is said.
    limit: Option<usize>,
}

/// What to wait for.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Until {
    /// Milliseconds, at most 10,000; no wait where absent.
    wait_ms: Option<u64>,
    /// The `version` that the caller has seen: the wait ends with another one. Where absent it ends with the rotation.
    #[param(value_type = Option<String>)]
    seen: Option<Hash>,
}

/// Nothing more than what the path says.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NoMembers {}

/// Why, if that is to be said.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StopBody {
    /// Members read it; the ledger holds a digest of it.
    #[schema(value_type = Option<String>)]
    reason: Option<Untrusted>,
}

/// Lists the rotations, the newest first; a service sees those of the slots that it may use.
#[utoipa::path(tag = "rotations", params(("tenant" = String, Path), RotationQuery),
    responses((status = 200, body = RotationList), (status = "4XX", body = ProblemDocument)))]
#[get("/v1/tenants/{tenant}/rotations")]
pub(super) async fn list_rotations(
    caller: Caller,
    query: web::Query<RotationQuery>,
) -> Result<HttpResponse, Problem> {
    let founded = caller.state.founded()?;
    let query = query.into_inner();
    let wanted = |rotation: &Rotation| {
        query.slot.as_ref().is_none_or(|slot| *slot == rotation.slot)
            && query.open.is_none_or(|open| open != rotation.has_ended())
            && caller.may_see(&rotation.slot).is_ok()
    };
    let after = query.after.map(|id| founded.rotation(id).map(|rotation| rotation.started)).transpose()?;
    let all = founded.rotations().iter().map(|(id, rotation)| (*id, rotation.as_ref()));
    let mut found: Vec<_> = all
        .filter(|(_, rotation)| wanted(rotation) && after.is_none_or(|seq| rotation.started < seq))
        .collect();
    found.sort_by_key(|(_, rotation)| std::cmp::Reverse(rotation.started));
    let limit = query.limit.unwrap_or(MAX_PAGE).clamp(1, MAX_PAGE);
    let next = found.get(limit).and(found.get(limit - 1)).map(|(id, _)| *id);
    let page = found.into_iter().take(limit);
    let rotations = page.map(|(id, rotation)| RotationView::new(id, rotation, founded, caller.at)).collect();
    Ok(HttpResponse::Ok().json(RotationList { rotations, next }))
}

/// Shows one rotation with its steps: which are done, by which event, and what the next one waits for. It may be waited for
/// with `wait_ms`.
#[utoipa::path(tag = "rotations", params(("tenant" = String, Path), ("rotation" = uuid::Uuid, Path), Until),
    responses((status = 200, body = RotationView), (status = "4XX", body = ProblemDocument)))]
#[get("/v1/tenants/{tenant}/rotations/{rotation}")]
pub(super) async fn show_rotation(
    caller: Caller,
    path: web::Path<(String, ActionId)>,
    until: web::Query<Until>,
) -> Result<HttpResponse, Problem> {
    let (_, id) = path.into_inner();
    visible(&caller, caller.state.founded()?, id)?;
    let wait = Wait::of(until.wait_ms).duration();
    wait_for(&caller.ledger, id, until.seen, wait).await?;
    shown(&caller.ledger, caller.store(), id, matches!(caller.who, Who::Member { .. })).await
}

/// The rotation of an id; one of a slot that the caller may not see is none of the caller's.
fn visible<'a>(caller: &Caller, founded: &'a Founded, id: ActionId) -> Result<&'a Rotation, Problem> {
    let rotation = founded.rotation(id)?;
    caller.may_see(&rotation.slot).map_err(|_| Rule::RotationUnknown)?;
    Ok(rotation)
}

/// Waits until a rotation is no longer as it was seen, or has ended, or the time is over.
async fn wait_for(ledger: &Ledger, id: ActionId, seen: Option<Hash>, wait: Duration) -> Result<(), Problem> {
    let until = Instant::now() + wait;
    let mut size = ledger.watch_size();
    loop {
        size.borrow_and_update();
        let state = ledger.state();
        let founded = state.founded()?;
        let rotation = founded.rotation(id)?;
        let over = match seen {
            Some(seen) => rotations::version(founded, id, rotation) != seen,
            None => rotation.has_ended(),
        };
        let left = until.saturating_duration_since(Instant::now());
        if over || left.is_zero() || tokio::time::timeout(left, size.changed()).await.is_err() {
            return Ok(());
        }
        tokio::time::sleep(PAUSE.min(left)).await;
    }
}

/// The rotation as it stands now.
async fn shown(
    ledger: &Ledger,
    store: &Store,
    id: ActionId,
    to_member: bool,
) -> Result<HttpResponse, Problem> {
    let (state, at) = (ledger.state(), ledger.now());
    let founded = state.founded()?;
    let rotation = founded.rotation(id)?;
    let view = rotations::one(store, ledger.id(), (founded, state.size()), (id, rotation), at).await?;
    let view = if to_member { view.with_reason(store, ledger.id()).await? } else { view };
    Ok(HttpResponse::Ok().json(view))
}

/// A step in the piece of work that it belongs to. The log ties the request to it.
pub(super) fn in_work(command: RotationCommand, correlation: Correlation) -> Submission {
    tracing::info!(work = %correlation, "asked for a step of a piece of work");
    Submission { correlation, ..Submission::new(Command::Rotate(command)) }
}

/// Records a step in the rotation's own piece of work; what is so already needs no other event.
async fn record(
    caller: &Caller,
    id: ActionId,
    command: RotationCommand,
    already: impl Fn(&Rotation) -> bool,
) -> Result<HttpResponse, Problem> {
    caller.must_act()?;
    let correlation = visible(caller, caller.state.founded()?, id)?.correlation;
    match caller.ledger.submit(in_work(command, correlation)).await {
        Ok(_) => {}
        Err(EngineError::Refused(Refusal::Rule(Rule::RotationStep)))
            if already(caller.ledger.state().founded()?.rotation(id)?) => {}
        Err(error) => return Err(error.into()),
    }
    shown(&caller.ledger, caller.store(), id, matches!(caller.who, Who::Member { .. })).await
}

/// Says that the new key works: a service that signs with the slot, or a packaging engineer where its policy lets these
/// sign. Saying so again changes nothing.
#[utoipa::path(tag = "rotations", params(("tenant" = String, Path), ("rotation" = uuid::Uuid, Path)),
    request_body = NoMembers,
    responses((status = 200, body = RotationView), (status = "4XX", body = ProblemDocument)))]
#[post("/v1/tenants/{tenant}/rotations/{rotation}/confirm")]
pub(super) async fn confirm_rotation(
    Fresh(caller): Fresh<Caller>,
    path: web::Path<(String, ActionId)>,
    _body: Body<NoMembers>,
) -> Result<HttpResponse, Problem> {
    let (_, action) = path.into_inner();
    let command = RotationCommand::Confirm { by: caller.actor(), action };
    record(&caller, action, command, |rotation| rotation.confirmed).await
}

/// Says that a channel relies on the new key. Saying so again changes nothing.
#[utoipa::path(tag = "rotations",
    params(("tenant" = String, Path), ("rotation" = uuid::Uuid, Path), ("channel" = String, Path)),
    request_body = NoMembers,
    responses((status = 200, body = RotationView), (status = "4XX", body = ProblemDocument)))]
#[post("/v1/tenants/{tenant}/rotations/{rotation}/channels/{channel}")]
pub(super) async fn move_channel(
    Fresh(caller): Fresh<Caller>,
    path: web::Path<(String, ActionId, ChannelName)>,
    _body: Body<NoMembers>,
) -> Result<HttpResponse, Problem> {
    let (_, action, channel) = path.into_inner();
    let moved = channel.clone();
    let command = RotationCommand::MoveChannel { by: caller.actor(), action, channel };
    record(&caller, action, command, |rotation| rotation.moved.contains(&moved)).await
}

/// Stops a rotation before its cutover: one person who may suspend the slot is enough. The old key stays in charge.
#[utoipa::path(tag = "containment", params(("tenant" = String, Path), ("rotation" = uuid::Uuid, Path)),
    request_body = StopBody,
    responses((status = 200, body = RotationView), (status = "4XX", body = ProblemDocument)))]
#[post("/v1/tenants/{tenant}/rotations/{rotation}/stop")]
pub(super) async fn stop_rotation(
    member: MemberCaller,
    path: web::Path<(String, ActionId)>,
    body: Body<StopBody>,
) -> Result<HttpResponse, Problem> {
    let (_, action) = path.into_inner();
    let correlation = member.founded()?.rotation(action)?.correlation;
    let disclosures = disclosure::optional("reason", body.value.reason)?;
    let fail = RotationCommand::Fail {
        by: Actor::Member(member.id),
        action,
        code: failure_code(STOPPED),
        sd: digests(&disclosures),
    };
    let submission = Submission { disclosures, ..in_work(fail, correlation) };
    member.ledger.submit(submission).await?;
    shown(&member.ledger, member.store(), action, true).await
}
