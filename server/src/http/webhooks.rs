//! Where notices of a tenant go.

use actix_web::{HttpResponse, get};
use serde::Serialize;
use utoipa::ToSchema;

use super::auth::{MemberCaller, Overseer};
use super::problem::{Problem, ProblemDocument};
use crate::notifying::model::Webhook;
use crate::views::webhooks::{self, Destination, WebhookView};

#[derive(Serialize, ToSchema)]
struct WebhookList {
    webhooks: Vec<WebhookView>,
}

/// Lists the destinations that get notices of this tenant, and how that goes.
#[utoipa::path(tag = "platform", params(("tenant" = String, Path)),
    responses((status = 200, body = WebhookList), (status = "4XX", body = ProblemDocument)))]
#[get("/v1/tenants/{tenant}/webhooks")]
pub(super) async fn list_webhooks(overseer: Overseer) -> Result<HttpResponse, Problem> {
    Ok(HttpResponse::Ok().json(WebhookList { webhooks: of_tenant(&overseer.member).await? }))
}

/// The destinations that get notices of a member's tenant.
pub(super) async fn of_tenant(member: &MemberCaller) -> Result<Vec<WebhookView>, Problem> {
    let all = member.app.notifier().webhooks().iter();
    let known = all.filter(|hook| hook.may_know(member.ledger.tenant())).map(destination).collect();
    Ok(webhooks::list(member.store(), Some(member.ledger.id()), known).await?)
}

fn destination(hook: &Webhook) -> Destination {
    Destination {
        name: hook.name.clone(),
        address: hook.endpoint.origin(),
        kinds: hook.kinds.iter().map(|kind| kind.name()).collect(),
        disclose: hook.disclose,
        allow_private: hook.allow_private,
    }
}
