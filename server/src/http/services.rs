//! Machine clients.

use actix_web::{HttpResponse, get, web};
use sealbook_ledger::ids::ServiceId;
use sealbook_ledger::rule::Rule;
use serde::Serialize;
use utoipa::ToSchema;

use super::auth::Reader;
use super::problem::{Problem, ProblemDocument};
use crate::views::Names;
use crate::views::services::ServiceView;

#[derive(Serialize, ToSchema)]
struct ServiceList {
    services: Vec<ServiceView>,
}

/// Lists every machine client that was ever enrolled.
#[utoipa::path(tag = "services", params(("tenant" = String, Path)),
    responses((status = 200, body = ServiceList), (status = "4XX", body = ProblemDocument)))]
#[get("/v1/tenants/{tenant}/services")]
pub(super) async fn list_services(reader: Reader) -> Result<HttpResponse, Problem> {
    let names = Names::load(reader.store(), reader.ledger.id()).await?;
    let services = reader.founded()?.services().iter();
    let services = services.map(|(id, service)| ServiceView::new(*id, service, &names, reader.at)).collect();
    Ok(HttpResponse::Ok().json(ServiceList { services }))
}

/// Shows one machine client.
#[utoipa::path(tag = "services", params(("tenant" = String, Path), ("service" = uuid::Uuid, Path)),
    responses((status = 200, body = ServiceView), (status = "4XX", body = ProblemDocument)))]
#[get("/v1/tenants/{tenant}/services/{service}")]
pub(super) async fn show_service(
    reader: Reader,
    path: web::Path<(String, ServiceId)>,
) -> Result<HttpResponse, Problem> {
    let (_, id) = path.into_inner();
    let service = reader.founded()?.services().get(&id).ok_or(Rule::ServiceUnknown)?;
    let names = Names::load(reader.store(), reader.ledger.id()).await?;
    Ok(HttpResponse::Ok().json(ServiceView::new(id, service, &names, reader.at)))
}
