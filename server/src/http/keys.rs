//! Keys: every version of every slot's.

use actix_web::{HttpResponse, get, web};
use sealbook_ledger::ids::KeyId;
use sealbook_ledger::rule::Rule;
use serde::Serialize;
use utoipa::ToSchema;

use super::auth::Caller;
use super::problem::{Problem, ProblemDocument};
use crate::views::keys::KeyView;

#[derive(Serialize, ToSchema)]
struct KeyList {
    keys: Vec<KeyView>,
}

/// Lists the keys; a service sees those of the slots that it may use.
#[utoipa::path(tag = "keys", params(("tenant" = String, Path)),
    responses((status = 200, body = KeyList), (status = "4XX", body = ProblemDocument)))]
#[get("/v1/tenants/{tenant}/keys")]
pub(super) async fn list_keys(caller: Caller) -> Result<HttpResponse, Problem> {
    let keys = caller.state.founded()?.keys().iter().filter(|(_, key)| caller.may_see(&key.slot).is_ok());
    let keys = keys.map(|(id, key)| KeyView::new(*id, key)).collect::<Result<_, _>>()?;
    Ok(HttpResponse::Ok().json(KeyList { keys }))
}

/// Shows one key.
#[utoipa::path(tag = "keys", params(("tenant" = String, Path), ("key" = uuid::Uuid, Path)),
    responses((status = 200, body = KeyView), (status = "4XX", body = ProblemDocument)))]
#[get("/v1/tenants/{tenant}/keys/{key}")]
pub(super) async fn show_key(
    caller: Caller,
    path: web::Path<(String, KeyId)>,
) -> Result<HttpResponse, Problem> {
    let (_, id) = path.into_inner();
    let key = caller.state.founded()?.keys().get(&id).ok_or(Rule::KeyUnknown)?;
    // A key of a slot that the caller may not see is no key of the caller's.
    caller.may_see(&key.slot).map_err(|_| Rule::KeyUnknown)?;
    Ok(HttpResponse::Ok().json(KeyView::new(id, key)?))
}
