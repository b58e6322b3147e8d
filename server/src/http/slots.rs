//! Slots and their public keys.

use actix_web::{HttpResponse, get, web};
use sealbook_ledger::ids::SlotName;
use sealbook_ledger::rule::Rule;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::auth::Caller;
use super::problem::{Problem, ProblemDocument};
use crate::views::gate::GateView;
use crate::views::keys::public_key;
use crate::views::slots::SlotView;

#[derive(Serialize, ToSchema)]
struct SlotList {
    slots: Vec<SlotView>,
}

/// In which form.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct KeyForm {
    /// PEM where absent.
    #[param(inline)]
    format: Option<Format>,
}

#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Format {
    /// RFC 7468.
    Pem,
    /// RFC 7517.
    Jwk,
}

/// Lists the slots; a service sees those that it may use.
#[utoipa::path(tag = "slots", params(("tenant" = String, Path)),
    responses((status = 200, body = SlotList), (status = "4XX", body = ProblemDocument)))]
#[get("/v1/tenants/{tenant}/slots")]
pub(super) async fn list_slots(caller: Caller) -> Result<HttpResponse, Problem> {
    let founded = caller.state.founded()?;
    let visible = founded.slots().iter().filter(|(name, _)| caller.may_see(name).is_ok());
    let slots = visible.map(|(name, slot)| SlotView::new(name, slot, founded, caller.at)).collect();
    Ok(HttpResponse::Ok().json(SlotList { slots }))
}

/// Shows one slot.
#[utoipa::path(tag = "slots", params(("tenant" = String, Path), ("slot" = String, Path)),
    responses((status = 200, body = SlotView), (status = "4XX", body = ProblemDocument)))]
#[get("/v1/tenants/{tenant}/slots/{slot}")]
pub(super) async fn show_slot(
    caller: Caller,
    path: web::Path<(String, SlotName)>,
) -> Result<HttpResponse, Problem> {
    let (_, name) = path.into_inner();
    caller.may_see(&name)?;
    let founded = caller.state.founded()?;
    Ok(HttpResponse::Ok().json(SlotView::new(&name, founded.slot(&name)?, founded, caller.at)))
}

/// Whether a slot signs for a caller now, and if not, every reason: for systems that deploy what it signed. The status is
/// 200 either way.
#[utoipa::path(tag = "slots", params(("tenant" = String, Path), ("slot" = String, Path)),
    responses((status = 200, body = GateView), (status = "4XX", body = ProblemDocument)))]
#[get("/v1/tenants/{tenant}/slots/{slot}/gate")]
pub(super) async fn gate(
    caller: Caller,
    path: web::Path<(String, SlotName)>,
) -> Result<HttpResponse, Problem> {
    let (_, name) = path.into_inner();
    caller.may_see(&name)?;
    Ok(HttpResponse::Ok().json(GateView::new(&name, caller.state.founded()?, caller.at)?))
}

/// The public half of the key that a slot signs with, as PEM or JWK.
#[utoipa::path(tag = "slots", params(("tenant" = String, Path), ("slot" = String, Path), KeyForm), responses(
    (status = 200, content((str = "text/x-pem"), (Object = "application/jwk+json"))),
    (status = "4XX", body = ProblemDocument)
))]
#[get("/v1/tenants/{tenant}/slots/{slot}/pubkey")]
pub(super) async fn pubkey(
    caller: Caller,
    path: web::Path<(String, SlotName)>,
    form: web::Query<KeyForm>,
) -> Result<HttpResponse, Problem> {
    let (_, name) = path.into_inner();
    caller.may_see(&name)?;
    let founded = caller.state.founded()?;
    let key = founded.slot(&name)?.active.and_then(|id| founded.keys().get(&id));
    let material = key.and_then(|key| key.material()).ok_or(Rule::SlotKeyless)?;
    let public = public_key(material)?;
    Ok(match form.format.unwrap_or(Format::Pem) {
        Format::Pem => HttpResponse::Ok().content_type("text/x-pem").body(public.to_pem()),
        Format::Jwk => {
            HttpResponse::Ok().content_type("application/jwk+json").body(public.to_jwk().to_string())
        }
    })
}
