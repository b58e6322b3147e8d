//! Statements about incidents and drills. A closed one gets its statement by itself; who has to tell others before that asks
//! for one.

use actix_web::{HttpResponse, post, web};
use sealbook_ledger::ids::IncidentId;
use serde::Deserialize;
use utoipa::ToSchema;

use super::auth::Exporter;
use super::body::Body;
use super::fresh::Fresh;
use super::problem::{Problem, ProblemDocument};
use super::reports::MadeView;

/// Nothing: which incident, the path says.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StatementBody {}

/// Makes the statement about an incident or drill as it stands, has the evidence key sign it, and keeps it; one that says the
/// same already is answered with.
#[utoipa::path(tag = "incidents", params(("tenant" = String, Path), ("incident" = String, Path)),
    request_body = StatementBody,
    responses((status = 201, body = MadeView), (status = "4XX", body = ProblemDocument)))]
#[post("/v1/tenants/{tenant}/incidents/{incident}/statement")]
pub(super) async fn make_statement(
    Fresh(exporter): Fresh<Exporter>,
    path: web::Path<(String, IncidentId)>,
    _body: Body<StatementBody>,
) -> Result<HttpResponse, Problem> {
    let (member, incident) = (&exporter.member, path.into_inner().1);
    let issued = member.app.report_incident(&member.ledger, member.id, incident).await?;
    Ok(HttpResponse::Created().json(MadeView::new(issued.sha256, issued.size, issued.seq)))
}
