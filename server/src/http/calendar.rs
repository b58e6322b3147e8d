//! What must come round, and when.

use actix_web::{HttpResponse, get};

use super::auth::{MemberCaller, Reader};
use super::problem::{Problem, ProblemDocument};
use crate::views::calendar::Calendar;

/// What has to come round: keys, certificates, reviews of who can reach a device, the ledger key. What is late comes first.
#[utoipa::path(tag = "tenants", params(("tenant" = String, Path)), responses(
    (status = 200, body = Calendar), (status = "4XX", body = ProblemDocument), (status = 503, body = ProblemDocument)
))]
#[get("/v1/tenants/{tenant}/calendar")]
pub(super) async fn calendar(reader: Reader) -> Result<HttpResponse, Problem> {
    Ok(HttpResponse::Ok().json(gather(&reader).await?))
}

/// Makes the calendar of a member's ledger.
pub(crate) async fn gather(member: &MemberCaller) -> Result<Calendar, Problem> {
    let milestones = member.ledger.milestones_now(member.store()).await?;
    Ok(Calendar::new(member.ledger.origin().to_string(), member.founded()?, &milestones, member.at))
}
