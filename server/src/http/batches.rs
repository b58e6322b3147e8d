//! Asking people for many signatures at once: a release is one decision.

use actix_web::http::header::LOCATION;
use actix_web::{HttpRequest, HttpResponse, post, web};
use sealbook_ledger::clearance::MAX_CLEARED;
use sealbook_ledger::encoding::HexBytes;
use sealbook_ledger::ids::{ActionId, SlotName};
use sealbook_ledger::policy::Environment;
use sealbook_ledger::rule::Rule;
use sealbook_ledger::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::answer::correlation;
use super::auth::{Caller, Who};
use super::body::Body;
use super::problem::{Problem, ProblemDocument};
use crate::clearing::ListCall;
use crate::text::{Name, Untrusted};
use crate::views::actions::{self, ActionStatus, Seat};

/// Artifacts whose signatures are asked for together.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BatchBody {
    /// `development`, `staging` or `production`; the last where absent.
    #[schema(value_type = Option<String>)]
    environment: Option<Environment>,
    /// 1 to 10,000, in the order in which people see them.
    artifacts: Vec<BatchArtifact>,
    /// Why; a sentence with the service's name where absent.
    #[schema(value_type = Option<String>)]
    reason: Option<Untrusted>,
}

/// An artifact of a batch.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct BatchArtifact {
    #[schema(value_type = String)]
    name: Untrusted,
    /// Lower-case hex, of the length that the slot's algorithm fixes; for pure Ed25519 the SHA-256 of the message.
    #[schema(value_type = String)]
    digest: HexBytes,
}

/// What waits for people.
#[derive(Serialize, ToSchema)]
pub(super) struct AwaitingView {
    /// Follow it at `GET …/actions/{action}`: whoever asked may read it, services too.
    #[schema(value_type = String, format = Uuid)]
    action: ActionId,
    status: ActionStatus,
    /// What people are asked, in words.
    sentence: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// Who has to approve it.
    seats: Vec<Seat>,
    /// First moment that it no longer can be approved, and that nothing is signed by it any more.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

/// The answer of a request that people decide on first.
pub(super) async fn awaiting(caller: &Caller, action: ActionId) -> Result<HttpResponse, Problem> {
    let view = actions::one(caller.store(), caller.ledger.id(), action).await?;
    let view = view.ok_or_else(|| Problem::fault("an action that was recorded and has no row"))?;
    let location = format!("/v1/tenants/{}/actions/{action}", caller.ledger.tenant());
    Ok(HttpResponse::Accepted().insert_header((LOCATION, location)).json(AwaitingView {
        action,
        status: view.status,
        sentence: view.sentence,
        reason: view.reason,
        seats: view.seats,
        expires_at: view.document.expires_at,
    }))
}

/// Asks people to approve a list of artifacts, as a service: each is signed once, when it is asked for after that.
#[utoipa::path(tag = "signing",
    params(("tenant" = String, Path), ("slot" = String, Path), ("Idempotency-Key" = Option<String>, Header)),
    request_body = BatchBody,
    responses((status = 202, body = AwaitingView), (status = "4XX", body = ProblemDocument)))]
#[post("/v1/tenants/{tenant}/slots/{slot}/batches")]
pub(super) async fn propose_batch(
    caller: Caller,
    path: web::Path<(String, SlotName)>,
    body: Body<BatchBody>,
    req: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let (_, slot) = path.into_inner();
    caller.may_see(&slot)?;
    let Who::Service { id: service, .. } = caller.who else {
        // Members propose actions, with their own signature.
        return Err(Rule::RoleMissing.into());
    };
    let idempotency = body.idempotency(&req, caller.actor())?;
    let BatchBody { environment, artifacts, reason } = body.value;
    if artifacts.len() > MAX_CLEARED as usize {
        return Err(Rule::SigningList.into());
    }
    let named = artifacts
        .into_iter()
        .map(|BatchArtifact { name, digest }| Ok((name.name().map(Name::into_string)?, digest)));
    let call = ListCall {
        service,
        slot,
        environment: environment.unwrap_or(Environment::Production),
        artifacts: named.collect::<Result<_, Problem>>()?,
        reason: reason.map(|text| text.text().map(|text| text.into_string())).transpose()?,
        idempotency,
        correlation: correlation(&req)?,
    };
    let action = caller.app.ask_for_list(&caller.ledger, call).await?;
    awaiting(&caller, action).await
}
