//! Outside evidence: its digest is recorded, its bytes stay where they are.

use actix_web::{HttpRequest, HttpResponse, get, post, web};
use sealbook_ledger::attachment::MediaType;
use sealbook_ledger::command::Command;
use sealbook_ledger::encoding::Hash;
use sealbook_ledger::ids::{Correlation, EvidenceId, Seq};
use sealbook_ledger::payload::{EvidenceRecorded, Subject};
use sealbook_ledger::state::Prechecked;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::answer::correlation;
use super::auth::{Caller, Reader};
use super::body::Body;
use super::disclosure;
use super::problem::{Problem, ProblemDocument};
use crate::app::Submission;
use crate::text::Untrusted;
use crate::views::events::{self, EvidencePage};

/// Most records of a page.
const MAX_PAGE: usize = 200;

/// What happened elsewhere.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct EvidenceBody {
    /// SHA-256 of the evidence, in hex.
    #[schema(value_type = String)]
    digest: Hash,
    /// What kind of thing it is, such as `application/vnd.in-toto+json`.
    #[schema(value_type = String)]
    media_type: MediaType,
    /// What it is about: `kind` (action, event, key, member, service, slot) and `id`.
    #[schema(value_type = Object)]
    subject: Subject,
    #[schema(value_type = Option<String>)]
    description: Option<Untrusted>,
}

/// What was recorded.
#[derive(Serialize, ToSchema)]
struct RecordedView {
    #[schema(value_type = String, format = Uuid)]
    evidence: EvidenceId,
    #[schema(value_type = u64)]
    seq: Seq,
    #[schema(value_type = String, format = Uuid)]
    correlation: Correlation,
}

/// Which page.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct EvidenceQuery {
    /// The `next` of the page before.
    after: Option<u64>,
    /// At most 200, which is also what a page has where nothing is said.
    limit: Option<usize>,
}

/// Records outside evidence by its digest.
#[utoipa::path(tag = "evidence", params(("tenant" = String, Path), ("Idempotency-Key" = Option<String>, Header)),
    request_body = EvidenceBody,
    responses((status = 201, body = RecordedView), (status = "4XX", body = ProblemDocument)))]
#[post("/v1/tenants/{tenant}/evidence")]
pub(super) async fn record_evidence(
    caller: Caller,
    body: Body<EvidenceBody>,
    req: HttpRequest,
) -> Result<HttpResponse, Problem> {
    caller.must_act()?;
    let idempotency = body.idempotency(&req, caller.actor())?;
    let EvidenceBody { digest, media_type, subject, description } = body.value;
    let (sd, disclosures) = disclosure::optional("description", description)?;
    let evidence = EvidenceRecorded { digest, evidence: Uuid::new_v4().into(), media_type, subject };
    let submission = Submission {
        command: Command::RecordEvidence { by: caller.actor(), evidence: Box::new(evidence), sd },
        disclosures,
        attachments: Vec::new(),
        checked: Prechecked::default(),
        idempotency,
        correlation: correlation(&req)?,
    };
    let appended = caller.ledger.submit(submission).await?;
    let event = appended.events.first().map(|decided| &decided.event);
    // Read back from the event: a replay answers with the id of the first time.
    match event.map(|event| (event.seq, &event.payload)) {
        Some((seq, sealbook_ledger::payload::Payload::EvidenceRecorded(recorded))) => {
            let view = RecordedView { evidence: recorded.evidence, seq, correlation: appended.correlation };
            Ok(HttpResponse::Created().json(view))
        }
        Some(_) | None => Err(Problem::fault("evidence without its event")),
    }
}

/// Lists recorded evidence.
#[utoipa::path(tag = "evidence", params(("tenant" = String, Path), EvidenceQuery),
    responses((status = 200, body = EvidencePage), (status = "4XX", body = ProblemDocument)))]
#[get("/v1/tenants/{tenant}/evidence")]
pub(super) async fn list_evidence(
    reader: Reader,
    query: web::Query<EvidenceQuery>,
) -> Result<HttpResponse, Problem> {
    let limit = query.limit.unwrap_or(MAX_PAGE).clamp(1, MAX_PAGE);
    let page = events::evidence(reader.ledger.store(), reader.ledger.id(), query.after, limit).await?;
    Ok(HttpResponse::Ok().json(page))
}
