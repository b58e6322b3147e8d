//! Outside evidence: its digest is recorded, its bytes stay where they are.

use actix_web::{HttpRequest, HttpResponse, get, post, web};
use sealbook_ledger::attachment::MediaType;
use sealbook_ledger::command::Command;
use sealbook_ledger::encoding::Hash;
use sealbook_ledger::event::Event;
use sealbook_ledger::ids::{Correlation, EvidenceId, Seq};
use sealbook_ledger::payload::{EvidenceRecorded, Payload, Subject};
use sealbook_ledger::state::Prechecked;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::answer::correlation;
use super::auth::{Caller, Reader};
use super::body::Body;
use super::disclosure;
use super::fresh::Fresh;
use super::problem::{Problem, ProblemDocument};
use crate::ledger::{Submission, digests};
use crate::text::Untrusted;
use crate::views::events::{self, EvidencePage};

/// Most records of a page.
const MAX_PAGE: usize = 200;

/// What happened elsewhere.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EvidenceBody {
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
pub(super) struct EvidenceQuery {
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
    Fresh(caller): Fresh<Caller>,
    body: Body<EvidenceBody>,
    req: HttpRequest,
) -> Result<HttpResponse, Problem> {
    caller.must_act()?;
    let idempotency = body.idempotency(&req, caller.actor())?;
    let EvidenceBody { digest, media_type, subject, description } = body.value;
    let disclosures = disclosure::optional("description", description)?;
    let sd = digests(&disclosures);
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
    let recorded = match appended.events.first() {
        Some(decided) => (decided.event.seq, evidence_of(&decided.event)),
        None => replayed(&caller, appended.first_seq).await?,
    };
    let (seq, Some(evidence)) = recorded else { return Err(Problem::fault("evidence without its event")) };
    Ok(HttpResponse::Created().json(RecordedView { evidence, seq, correlation: appended.correlation }))
}

fn evidence_of(event: &Event) -> Option<EvidenceId> {
    match &event.payload {
        Payload::EvidenceRecorded(recorded) => Some(recorded.evidence),
        _ => None,
    }
}

/// What the first request with this idempotency key recorded.
async fn replayed(caller: &Caller, seq: u64) -> Result<(Seq, Option<EvidenceId>), Problem> {
    let seq = Seq::new(seq).ok_or_else(|| Problem::fault("a seq beyond the format's bound"))?;
    let event = events::one(caller.store(), caller.ledger.id(), seq).await?;
    Ok((seq, event.as_ref().and_then(evidence_of)))
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
    let page = events::evidence(reader.store(), reader.ledger.id(), query.after, limit).await?;
    Ok(HttpResponse::Ok().json(page))
}
