//! Statements about incidents and drills. A closed one gets its statement by itself; who has to tell others before that asks
//! for one.

use actix_web::{HttpResponse, post, web};
use sealbook_ledger::ids::IncidentId;

use super::auth::Exporter;
use super::body::Body;
use super::fresh::Fresh;
use super::problem::{Problem, ProblemDocument};
use super::reports::MadeView;
use super::rotations::NoMembers;

/// Makes the statement about an incident or drill as it stands, has the evidence key sign it, and keeps it; one that says the
/// same already is answered with.
#[utoipa::path(tag = "incidents", params(("tenant" = String, Path), ("incident" = uuid::Uuid, Path)),
    request_body = NoMembers,
    responses((status = 201, body = MadeView), (status = "4XX", body = ProblemDocument)))]
#[post("/v1/tenants/{tenant}/incidents/{incident}/statement")]
pub(super) async fn make_statement(
    Fresh(exporter): Fresh<Exporter>,
    path: web::Path<(String, IncidentId)>,
    _body: Body<NoMembers>,
) -> Result<HttpResponse, Problem> {
    let (member, incident) = (&exporter.member, path.into_inner().1);
    let issued = member.app.report_incident(&member.ledger, member.id, incident).await?;
    Ok(HttpResponse::Created().json(MadeView::new(issued.sha256, issued.size, issued.seq)))
}
