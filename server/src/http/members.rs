//! People.

use actix_web::{HttpResponse, get, web};
use sealbook_ledger::ids::MemberId;
use sealbook_ledger::rule::Rule;
use serde::Serialize;
use utoipa::ToSchema;

use super::auth::Reader;
use super::problem::{Problem, ProblemDocument};
use crate::views::Names;
use crate::views::people::MemberView;

#[derive(Serialize, ToSchema)]
struct MemberList {
    members: Vec<MemberView>,
}

/// Lists everybody who was ever enrolled.
#[utoipa::path(tag = "members", params(("tenant" = String, Path)),
    responses((status = 200, body = MemberList), (status = "4XX", body = ProblemDocument)))]
#[get("/v1/tenants/{tenant}/members")]
pub(super) async fn list_members(reader: Reader) -> Result<HttpResponse, Problem> {
    let names = Names::load(reader.store(), reader.ledger.id()).await?;
    let founded = reader.founded()?;
    let members = founded.members().iter();
    let members =
        members.map(|(id, member)| MemberView::new(*id, member, founded, &names, reader.at)).collect();
    Ok(HttpResponse::Ok().json(MemberList { members }))
}

/// Shows one person.
#[utoipa::path(tag = "members", params(("tenant" = String, Path), ("member" = uuid::Uuid, Path)),
    responses((status = 200, body = MemberView), (status = "4XX", body = ProblemDocument)))]
#[get("/v1/tenants/{tenant}/members/{member}")]
pub(super) async fn show_member(
    reader: Reader,
    path: web::Path<(String, MemberId)>,
) -> Result<HttpResponse, Problem> {
    let (_, id) = path.into_inner();
    let founded = reader.founded()?;
    let member = founded.members().get(&id).ok_or(Rule::MemberUnknown)?;
    let names = Names::load(reader.store(), reader.ledger.id()).await?;
    Ok(HttpResponse::Ok().json(MemberView::new(id, member, founded, &names, reader.at)))
}
