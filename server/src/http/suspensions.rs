//! Containment: one person stops something, now. Lifting it takes a quorum.

use actix_web::{HttpRequest, HttpResponse, post, web};
use sealbook_ledger::command::{Command, Containment};
use sealbook_ledger::encoding::B64;
use sealbook_ledger::ids::{Correlation, MemberId, Seq, ServiceId, SlotName};
use sealbook_ledger::payload::Payload;
use sealbook_ledger::state::Prechecked;
use sealbook_ledger::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::answer::correlation;
use super::auth::MemberCaller;
use super::body::Body;
use super::disclosure;
use super::problem::{Problem, ProblemDocument};
use crate::ledger::{Submission, digests};
use crate::text::Untrusted;

/// Why, if that is to be said.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SuspensionBody {
    #[schema(value_type = Option<String>)]
    reason: Option<Untrusted>,
}

/// What was recorded.
#[derive(Serialize, ToSchema)]
struct SuspensionView {
    #[schema(value_type = u64)]
    seq: Seq,
    #[schema(value_type = String, format = Uuid)]
    correlation: Correlation,
    /// When it ends by itself, where nobody could get it lifted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    lapses_at: Option<Timestamp>,
}

async fn contain(
    member: MemberCaller,
    target: Containment,
    body: Body<SuspensionBody>,
    req: &HttpRequest,
) -> Result<HttpResponse, Problem> {
    let disclosures = disclosure::optional("reason", body.value.reason)?;
    let sd = digests(&disclosures);
    let submission = Submission {
        command: Command::Contain { by: member.id, target, sd },
        disclosures,
        attachments: Vec::new(),
        checked: Prechecked::default(),
        idempotency: None,
        correlation: correlation(req)?,
    };
    let appended = member.ledger.submit(submission).await?;
    let recorded = appended.events.first().ok_or_else(|| Problem::fault("a containment without an event"))?;
    let lapses_at = match &recorded.event.payload {
        Payload::CredentialSuspended(p) => p.lapses_at,
        Payload::MemberSuspended(p) => p.lapses_at,
        Payload::ServiceSuspended(p) => p.lapses_at,
        Payload::SlotSuspended(p) => p.lapses_at,
        _ => None,
    };
    let view = SuspensionView { seq: recorded.event.seq, correlation: appended.correlation, lapses_at };
    Ok(HttpResponse::Created().json(view))
}

/// Suspends a person.
#[utoipa::path(tag = "containment", params(("tenant" = String, Path), ("member" = uuid::Uuid, Path)),
    request_body = SuspensionBody,
    responses((status = 201, body = SuspensionView), (status = "4XX", body = ProblemDocument)))]
#[post("/v1/tenants/{tenant}/members/{member}/suspend")]
pub(super) async fn suspend_member(
    caller: MemberCaller,
    path: web::Path<(String, MemberId)>,
    body: Body<SuspensionBody>,
    req: HttpRequest,
) -> Result<HttpResponse, Problem> {
    contain(caller, Containment::Member(path.into_inner().1), body, &req).await
}

/// Suspends one authenticator of a person.
#[utoipa::path(tag = "containment",
    params(("tenant" = String, Path), ("member" = uuid::Uuid, Path), ("credential_id" = String, Path)),
    request_body = SuspensionBody,
    responses((status = 201, body = SuspensionView), (status = "4XX", body = ProblemDocument)))]
#[post("/v1/tenants/{tenant}/members/{member}/credentials/{credential_id}/suspend")]
pub(super) async fn suspend_credential(
    caller: MemberCaller,
    path: web::Path<(String, MemberId, B64)>,
    body: Body<SuspensionBody>,
    req: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let (_, member, credential_id) = path.into_inner();
    contain(caller, Containment::Credential(member, credential_id), body, &req).await
}

/// Suspends a machine client.
#[utoipa::path(tag = "containment", params(("tenant" = String, Path), ("service" = uuid::Uuid, Path)),
    request_body = SuspensionBody,
    responses((status = 201, body = SuspensionView), (status = "4XX", body = ProblemDocument)))]
#[post("/v1/tenants/{tenant}/services/{service}/suspend")]
pub(super) async fn suspend_service(
    caller: MemberCaller,
    path: web::Path<(String, ServiceId)>,
    body: Body<SuspensionBody>,
    req: HttpRequest,
) -> Result<HttpResponse, Problem> {
    contain(caller, Containment::Service(path.into_inner().1), body, &req).await
}

/// Suspends a slot: it signs nothing until a quorum resumes it.
#[utoipa::path(tag = "containment", params(("tenant" = String, Path), ("slot" = String, Path)),
    request_body = SuspensionBody,
    responses((status = 201, body = SuspensionView), (status = "4XX", body = ProblemDocument)))]
#[post("/v1/tenants/{tenant}/slots/{slot}/suspend")]
pub(super) async fn suspend_slot(
    caller: MemberCaller,
    path: web::Path<(String, SlotName)>,
    body: Body<SuspensionBody>,
    req: HttpRequest,
) -> Result<HttpResponse, Problem> {
    contain(caller, Containment::Slot(path.into_inner().1), body, &req).await
}
