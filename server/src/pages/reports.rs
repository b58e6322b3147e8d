//! Reports: the evidence packs that were issued, to take away, and packs of a period.

use actix_web::{HttpResponse, get};
use askama::Template;
use sealbook_ledger::ids::ActionId;
use sealbook_ledger::payload::ReportKind;

use super::Visit;
use super::page::{self, Frame, Place};
use crate::http::auth::{Demand as _, Export};
use crate::http::problem::Problem;
use crate::views::reports::{ReportView, all};

#[derive(Template)]
#[template(path = "reports.html")]
struct ReportsPage {
    frame: Frame,
    packs: Vec<PackRow>,
    /// Whether there is a key that signs packs.
    has_key: bool,
    /// Rotations and incidents that have ended and wait for theirs.
    waiting: usize,
    may_make: bool,
    /// The first day that a period may end at, in the form that browsers' fields have.
    today: String,
    quarter_ago: String,
}

struct PackRow {
    title: String,
    kind: &'static str,
    /// How its kind stands out.
    tone: &'static str,
    /// The rotation that it is about, if it is about one.
    rotation: Option<ActionId>,
    report: ReportView,
    size: String,
}

#[get("/t/{tenant}/reports")]
pub(super) async fn reports(visit: Visit) -> Result<HttpResponse, Problem> {
    let founded = visit.member.founded()?;
    let size = visit.member.ledger.size();
    let all = all(visit.store(), visit.ledger(), founded, size).await?;
    let rotations = founded.rotations().values().filter(|r| r.has_ended() && !r.reported).count();
    let incidents = founded.incidents().values().filter(|i| !i.is_open() && !i.reported).count();
    let day = |days: i64| {
        let micros = visit.member.at.unix_micros() - days * 86_400 * 1_000_000;
        let at = sealbook_ledger::timestamp::Timestamp::from_unix_micros(micros);
        at.map(|at| at.to_string().get(..10).unwrap_or_default().to_owned()).unwrap_or_default()
    };
    page::show(&ReportsPage {
        packs: all.into_iter().map(row).collect(),
        has_key: founded.evidence_key().is_some(),
        waiting: rotations + incidents,
        may_make: Export::ANY_OF.iter().any(|role| visit.member.roles.contains(role)),
        today: day(0),
        quarter_ago: day(90),
        frame: visit.frame("Reports", Place::Reports),
    })
}

fn row(report: ReportView) -> PackRow {
    let day =
        |at: sealbook_ledger::timestamp::Timestamp| at.to_string().get(..10).unwrap_or_default().to_owned();
    let (kind, title) = match (report.kind, &report.slot, report.from, report.to) {
        (ReportKind::Rotation, Some(slot), ..) => ("Rotation", format!("Rotation of {slot}")),
        (ReportKind::Rotation, None, ..) => ("Rotation", "A rotation".to_owned()),
        (ReportKind::LedgerKey, ..) => ("Ledger key", "Another ledger key".to_owned()),
        (ReportKind::Period, _, Some(from), Some(to)) => {
            ("Period", format!("{} to before {}", day(from), day(to)))
        }
        (ReportKind::Period, ..) => ("Period", "A period".to_owned()),
        (ReportKind::Incident, Some(slot), ..) if report.drill => {
            ("Drill", format!("DRILL: statement about the drill of {slot}"))
        }
        (ReportKind::Incident, Some(slot), ..) => {
            ("Incident", format!("Statement about the incident of {slot}"))
        }
        (ReportKind::Incident, None, ..) => ("Incident", "Statement about an incident".to_owned()),
        (ReportKind::TrustRoot, ..) => ("Trust root", "Keys to believe, and those not to".to_owned()),
    };
    let rotation = report.action.filter(|_| report.kind == ReportKind::Rotation);
    let tone = if report.drill { "warn" } else { "calm" };
    PackRow { title, kind, tone, rotation, size: amount(report.size), report }
}

/// Bytes as people read them.
fn amount(bytes: u64) -> String {
    match bytes {
        0..1_000_000 => format!("{} kB", bytes.div_ceil(1000)),
        _ => format!("{}.{} MB", bytes / 1_000_000, bytes % 1_000_000 / 100_000),
    }
}
