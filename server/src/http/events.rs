//! Events, as they are recorded.

use actix_web::http::header::ACCEPT;
use actix_web::{HttpRequest, HttpResponse, get, web};
use sealbook_ledger::event::Actor;
use sealbook_ledger::ids::{Seq, ServiceId};
use sealbook_ledger::payload::Payload;
use sealbook_ledger::timestamp::Timestamp;
use serde::Deserialize;
use utoipa::IntoParams;

use super::auth::{Caller, Reader, Who};
use super::problem::{Problem, ProblemDocument};
use crate::store::load::EventFilter;
use crate::store::rows::StoredEvent;
use crate::views::events::{self, EventPage, EventView};

/// Most events of a page.
const MAX_PAGE: usize = 500;

/// Which events.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct EventQuery {
    /// The `next` of the page before.
    after: Option<u64>,
    /// At most 500; 100 where nothing is said.
    limit: Option<usize>,
    /// Only of these types, separated by commas.
    #[serde(rename = "type")]
    kinds: Option<String>,
    /// Not before this time.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<Timestamp>,
    /// Before this time.
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<Timestamp>,
}

/// The types of a filter; one that does not exist is refused, for it would find nothing for ever.
pub(super) fn kinds(list: Option<&str>) -> Result<Vec<String>, Problem> {
    let kinds = list.into_iter().flat_map(|list| list.split(','));
    kinds
        .map(|kind| match Payload::TYPE_NAMES.contains(&kind) {
            true => Ok(kind.to_owned()),
            false => {
                Err(Problem::of("request.query").saying("`type` names an event type that does not exist"))
            }
        })
        .collect()
}

/// Lists events, with what was disclosed beside them.
#[utoipa::path(tag = "events", params(("tenant" = String, Path), EventQuery),
    responses((status = 200, body = EventPage), (status = "4XX", body = ProblemDocument)))]
#[get("/v1/tenants/{tenant}/events")]
pub(super) async fn list_events(
    reader: Reader,
    query: web::Query<EventQuery>,
) -> Result<HttpResponse, Problem> {
    let filter = EventFilter { kinds: kinds(query.kinds.as_deref())?, since: query.from, until: query.to };
    let limit = query.limit.unwrap_or(100).clamp(1, MAX_PAGE);
    let page = events::page(reader.store(), reader.ledger.id(), &filter, query.after, limit).await?;
    Ok(HttpResponse::Ok().json(page))
}

/// Shows one event, or its exact bytes where `Accept` is `application/octet-stream`.
#[utoipa::path(tag = "events", params(("tenant" = String, Path), ("seq" = u64, Path)), responses(
    (status = 200, content((EventView = "application/json"), (Vec<u8> = "application/octet-stream"))),
    (status = "4XX", body = ProblemDocument)
))]
#[get("/v1/tenants/{tenant}/events/{seq}")]
pub(super) async fn show_event(
    caller: Caller,
    path: web::Path<(String, Seq)>,
    req: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let stored = readable(&caller, path.into_inner().1).await?;
    let raw = req.headers().get(ACCEPT).is_some_and(|accept| accept == "application/octet-stream");
    if raw {
        return Ok(HttpResponse::Ok().content_type("application/octet-stream").body(stored.bytes));
    }
    let ledger = &caller.ledger;
    let mut views = events::with_disclosures(caller.store(), ledger.id(), vec![stored]).await?;
    let view = views.pop().ok_or_else(|| Problem::fault("an event without its view"))?;
    Ok(HttpResponse::Ok().json(view))
}

/// The stored event of a seq, if it is the caller's to read: all are a member's, its own are a service's.
pub(super) async fn readable(caller: &Caller, seq: Seq) -> Result<StoredEvent, Problem> {
    let unknown = || Problem::of("event.unknown");
    let stored = events::stored(caller.store(), caller.ledger.id(), seq).await?.ok_or_else(unknown)?;
    match &caller.who {
        Who::Member { .. } => Ok(stored),
        Who::Service { id, .. } if is_own(caller, &stored, *id).await? => Ok(stored),
        Who::Service { .. } => Err(unknown()),
    }
}

/// Whether a service caused an event, or asked for the signature that it is about.
async fn is_own(caller: &Caller, stored: &StoredEvent, id: ServiceId) -> Result<bool, Problem> {
    let event = events::parse(stored)?;
    let authorization = match &event.payload {
        Payload::SignatureCreated(p) => p.authorization,
        Payload::SignatureFailed(p) => p.authorization,
        Payload::SignatureWithheld(p) => p.authorization,
        Payload::SignatureAbandoned(p) => p.authorization,
        _ => return Ok(event.actor == Actor::Service(id)),
    };
    let authorized = events::one(caller.store(), caller.ledger.id(), authorization).await?;
    Ok(authorized.is_some_and(|authorized| authorized.actor == Actor::Service(id)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_names_types_that_exist() {
        assert!(kinds(None).unwrap().is_empty());
        assert_eq!(kinds(Some("slot.created,key.generated")).unwrap().len(), 2);
        assert_eq!(kinds(Some("slot.created,")).unwrap_err().code(), "request.query");
    }
}
