//! `sealbook report`: evidence packs, which come by themselves with every rotation and incident, and packs of a period.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use sealbook_ledger::encoding::Hash;
use sealbook_ledger::payload::ReportKind;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::context::Context;
use super::download;
use super::failure::Failure;
use super::output::{fields, printable, table};
use super::sentence::short;
use crate::client::Call;
use crate::views::reports::ReportView;

/// Evidence packs: what was issued, the packs themselves, and packs of a period
#[derive(Debug, Subcommand)]
pub enum ReportCommand {
    /// List the evidence packs that were issued, the newest first
    List,
    /// Fetch an evidence pack
    Fetch {
        /// SHA-256 of the pack, or its beginning; the newest where absent
        sha256: Option<String>,
        /// The file to write
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// The report for people alone, as PDF
        #[arg(long)]
        pdf: bool,
    },
    /// Make the evidence pack of a period
    Period {
        /// First moment, such as 2026-07-01
        #[arg(long)]
        from: String,
        /// First moment after it, not in the future
        #[arg(long)]
        to: String,
    },
}

#[derive(Serialize, Deserialize)]
struct ReportList {
    reports: Vec<ReportView>,
}

#[derive(Serialize, Deserialize)]
struct Made {
    sha256: Hash,
    size: u64,
    seq: u64,
}

/// Runs the command.
pub fn run(command: &ReportCommand, context: &Context) -> Result<(), Failure> {
    match command {
        ReportCommand::List => {
            let list = list(context)?;
            let rows: Vec<Vec<String>> = list.reports.iter().map(row).collect();
            context.out.show(&list, || table(&["EVENT", "ISSUED", "ABOUT", "SHA-256", "BYTES"], &rows))
        }
        ReportCommand::Fetch { sha256, out, pdf } => fetch(context, sha256.as_deref(), out, *pdf),
        ReportCommand::Period { from, to } => {
            let call = Call::post(context.path("/reports")?, &json!({ "from": from, "to": to }))?;
            let made: Made = context.caller()?.json(&call)?;
            context.out.show(&made, || {
                fields(&[
                    ("pack", made.sha256.to_string()),
                    ("bytes", made.size.to_string()),
                    ("recorded", format!("event {}", made.seq)),
                    (
                        "fetch it",
                        format!("sealbook report fetch {} --out FILE", short(&made.sha256.to_string())),
                    ),
                ])
            })
        }
    }
}

fn list(context: &Context) -> Result<ReportList, Failure> {
    Ok(context.caller()?.json(&Call::get(context.path("/reports")?))?)
}

fn row(report: &ReportView) -> Vec<String> {
    let about = match (report.kind, &report.slot, report.from, report.to) {
        (ReportKind::Rotation, Some(slot), ..) => format!("rotation of {slot}"),
        (ReportKind::Rotation, None, ..) => "rotation".to_owned(),
        (ReportKind::LedgerKey, ..) => "ledger key".to_owned(),
        (ReportKind::Period, _, Some(from), Some(to)) => format!("{from} to {to}"),
        (ReportKind::Period, ..) => "period".to_owned(),
        (ReportKind::Incident, Some(slot), ..) => format!("{} of {slot}", named(report)),
        (ReportKind::Incident, None, ..) => named(report).to_owned(),
        (ReportKind::TrustRoot, ..) => "trust root".to_owned(),
    };
    let (seq, at) = (report.seq.to_string(), report.issued_at.to_string());
    vec![seq, at, about, short(&report.sha256.to_string()), report.size.to_string()]
}

/// What a statement about an incident is called; that it was practised nobody overlooks.
const fn named(report: &ReportView) -> &'static str {
    if report.drill { "DRILL statement" } else { "incident statement" }
}

fn fetch(context: &Context, wanted: Option<&str>, out: &Path, pdf: bool) -> Result<(), Failure> {
    let reports = list(context)?.reports;
    let begins =
        |report: &&ReportView| wanted.is_none_or(|begin| report.sha256.to_string().starts_with(begin));
    let mut found = reports.iter().filter(begins);
    let hint = "See `sealbook report list`.";
    let Some(report) = found.next() else {
        return Err(Failure::usage("no evidence pack of this ledger has a SHA-256 that begins so", hint));
    };
    if wanted.is_some() && found.next().is_some() {
        return Err(Failure::usage("more than one evidence pack has a SHA-256 that begins so", hint));
    }
    let file = if pdf { "/REP.pdf" } else { "" };
    let size = download::save(context, &context.path(&format!("/reports/{}{file}", report.sha256))?, out)?;
    context.out.show(&json!({"file": out, "size": size, "sha256": report.sha256}), || {
        let mut lines = vec![
            ("wrote", printable(&out.display().to_string())),
            ("bytes", size.to_string()),
            ("pack", report.sha256.to_string()),
        ];
        if !pdf {
            lines.push(("check it", "sealbook-verify FILE --vkey @PINNED.vkey".to_owned()));
        }
        fields(&lines)
    })
}
