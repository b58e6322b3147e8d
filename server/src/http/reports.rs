//! Evidence packs: what was issued, the packs themselves, and packs of a period.

use actix_web::http::header::CONTENT_DISPOSITION;
use actix_web::{HttpResponse, get, post, web};
use sealbook_ledger::encoding::Hash;
use sealbook_ledger::evidence::REPORT;
use sealbook_ledger::ids::Seq;
use sealbook_ledger::pack::Pack;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::auth::{Exporter, Reader};
use super::body::Body;
use super::fresh::Fresh;
use super::moment::Moment;
use super::problem::{Problem, ProblemDocument};
use crate::views::reports::{self, ReportView};

/// The evidence packs of a ledger, the newest first.
#[derive(Serialize, ToSchema)]
struct ReportList {
    reports: Vec<ReportView>,
}

/// Which period.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PeriodBody {
    /// First moment.
    #[schema(value_type = String, format = DateTime)]
    from: Moment,
    /// First moment after it, not in the future.
    #[schema(value_type = String, format = DateTime)]
    to: Moment,
}

/// A pack that was made.
#[derive(Serialize, ToSchema)]
pub(super) struct MadeView {
    /// SHA-256 of the pack, by which it is fetched.
    #[schema(value_type = String)]
    sha256: Hash,
    /// Its length in bytes.
    size: u64,
    /// The `rep.issued`.
    #[schema(value_type = u64)]
    seq: Seq,
}

impl MadeView {
    pub(super) fn new(sha256: Hash, size: u64, seq: Seq) -> Self {
        Self { sha256, size, seq }
    }
}

/// Lists the evidence packs that were issued.
#[utoipa::path(tag = "reports", params(("tenant" = String, Path)),
    responses((status = 200, body = ReportList), (status = "4XX", body = ProblemDocument)))]
#[get("/v1/tenants/{tenant}/reports")]
pub(super) async fn list_reports(reader: Reader) -> Result<HttpResponse, Problem> {
    let ledger = &reader.ledger;
    let reports = reports::all(reader.store(), ledger.id(), reader.founded()?, ledger.size()).await?;
    Ok(HttpResponse::Ok().json(ReportList { reports }))
}

/// Makes the evidence pack of a period, has the evidence key sign it, and keeps it.
#[utoipa::path(tag = "reports", params(("tenant" = String, Path)), request_body = PeriodBody,
    responses((status = 201, body = MadeView), (status = "4XX", body = ProblemDocument)))]
#[post("/v1/tenants/{tenant}/reports")]
pub(super) async fn report_period(
    Fresh(exporter): Fresh<Exporter>,
    body: Body<PeriodBody>,
) -> Result<HttpResponse, Problem> {
    let PeriodBody { from, to } = body.value;
    let issued = exporter
        .member
        .app
        .report_period(&exporter.member.ledger, exporter.member.id, (from.get(), to.get()))
        .await?;
    Ok(HttpResponse::Created().json(MadeView::new(issued.sha256, issued.size, issued.seq)))
}

/// Hands out an evidence pack, byte for byte as it was issued.
#[utoipa::path(tag = "reports", params(("tenant" = String, Path), ("sha256" = String, Path)),
    responses((status = 200, body = Vec<u8>, content_type = "application/zip"), (status = "4XX", body = ProblemDocument)))]
#[get("/v1/tenants/{tenant}/reports/{sha256}")]
pub(super) async fn fetch_pack(
    reader: Reader,
    path: web::Path<(String, Hash)>,
) -> Result<HttpResponse, Problem> {
    let (report, bytes) = reader.app.pack(&reader.ledger, path.into_inner().1).await?;
    let name = report.file_name();
    Ok(HttpResponse::Ok()
        .content_type("application/zip")
        .insert_header((CONTENT_DISPOSITION, format!("attachment; filename=\"{name}.zip\"")))
        .body(bytes))
}

/// Hands out an evidence pack's report alone, for people.
#[utoipa::path(tag = "reports", params(("tenant" = String, Path), ("sha256" = String, Path)),
    responses((status = 200, body = Vec<u8>, content_type = "application/pdf"), (status = "4XX", body = ProblemDocument)))]
#[get("/v1/tenants/{tenant}/reports/{sha256}/REP.pdf")]
pub(super) async fn fetch_report(
    reader: Reader,
    path: web::Path<(String, Hash)>,
) -> Result<HttpResponse, Problem> {
    let (report, bytes) = reader.app.pack(&reader.ledger, path.into_inner().1).await?;
    let name = report.file_name();
    let pack = Pack::open(&bytes).map_err(Problem::fault)?;
    let report = pack.file(REPORT).ok_or_else(|| Problem::fault("an evidence pack without its report"))?;
    Ok(HttpResponse::Ok()
        .content_type("application/pdf")
        .insert_header((CONTENT_DISPOSITION, format!("attachment; filename=\"{name}.pdf\"")))
        .body(report.to_vec()))
}
