//! The pages that people open by a one-time link, before anybody knows them: founding and joining.
//!
//! The ticket is in the link's fragment, which no browser sends: what the server answers is the same for every tenant's
//! name, and says of none whether it exists. Everything else is asked of the API, with the ticket.

use actix_web::{HttpRequest, HttpResponse, get, web};
use askama::Template;
use sealbook_ledger::ids::TenantName;

use super::page;
use crate::http::certificate;
use crate::http::problem::Problem;

/// The founding.
#[derive(Template)]
#[template(path = "found.html")]
struct FoundPage {
    tenant: TenantName,
}

/// An invitation.
#[derive(Template)]
#[template(path = "join.html")]
struct JoinPage {
    tenant: TenantName,
}

/// Leads founders from their registration to the pins.
#[get("/t/{tenant}/found")]
pub(super) async fn found(tenant: web::Path<TenantName>) -> Result<HttpResponse, Problem> {
    page::show(&FoundPage { tenant: tenant.into_inner() })
}

/// Leads an invited person through the registration.
#[get("/t/{tenant}/join")]
pub(super) async fn join(tenant: web::Path<TenantName>) -> Result<HttpResponse, Problem> {
    page::show(&JoinPage { tenant: tenant.into_inner() })
}

/// The ledger birth certificate, as the API prints it.
#[get("/t/{tenant}/birth-certificate.pdf")]
pub(super) async fn birth_certificate(req: HttpRequest) -> Result<HttpResponse, Problem> {
    certificate::answer(&req).await
}
