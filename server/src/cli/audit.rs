//! `sealbook audit`: how a ledger stood at a date, and random samples that anybody can draw again.

mod rotation;

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use sealbook_ledger::ids::Origin;
use sealbook_ledger::sample::{MAX_SAMPLE, Population, Seed};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::context::Context;
use super::failure::Failure;
use super::output::{fields, printable, table};
use crate::client::Call;

/// How a ledger stood at a date, and random samples
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// People, their roles and authenticators as at a date
    Members(AsAtArgs),
    /// Proposals, approvals, rejections and cancellations up to a date
    Approvals(AsAtArgs),
    /// Keys and their states as at a date
    Keys(AsAtArgs),
    /// Refusals up to a date
    Refusals(AsAtArgs),
    /// Whether every key of the last 90 days came by a rotation on record, and none was late; fails where not
    Rotation(AsAtArgs),
    /// Draw a random sample with receipts: the same seed draws the same one
    Sample(SampleArgs),
}

/// When, and in which form.
#[derive(Debug, Args)]
pub struct AsAtArgs {
    /// The date and time, RFC 3339; now if absent
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// Approvals, refusals and rotations: not before this time
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Write comma-separated values
    #[arg(long)]
    csv: bool,
}

impl AsAtArgs {
    /// The same question, asked for its verdict.
    fn as_json(&self) -> Self {
        Self { at: self.at.clone(), from: self.from.clone(), csv: false }
    }
}

/// What is to be drawn.
#[derive(Debug, Args)]
pub struct SampleArgs {
    /// How many events, at most 200
    #[arg(long, default_value_t = 25)]
    n: usize,
    /// The seed: 1 to 64 letters, digits, dots, underscores and hyphens
    #[arg(long)]
    seed: Seed,
    /// Only events of this type, e.g. signature.created
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<String>,
    /// Draw under the checkpoint of this size, as an earlier sample did
    #[arg(long)]
    size: Option<u64>,
    /// A folder for checkpoint, receipts and the sample itself
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// `GET …/audit/sample`.
#[derive(Serialize, Deserialize)]
struct Sample {
    algorithm: String,
    origin: Origin,
    size: u64,
    root: String,
    checkpoint: String,
    seed: Seed,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
    n: usize,
    population: u64,
    sample: Vec<Drawn>,
}

#[derive(Serialize, Deserialize)]
struct Drawn {
    place: u64,
    seq: u64,
    #[serde(rename = "type")]
    kind: String,
    time: String,
    receipt: String,
}

/// Runs the command.
pub fn run(command: &AuditCommand, context: &Context) -> Result<(), Failure> {
    match command {
        AuditCommand::Members(args) => as_at(args, context, "members", &["display_name", "status", "member"]),
        AuditCommand::Approvals(args) => {
            as_at(args, context, "approvals", &["seq", "decision", "type", "status", "display_name", "time"])
        }
        AuditCommand::Keys(args) => as_at(args, context, "keys", &["slot", "state", "slot_status", "key"]),
        AuditCommand::Refusals(args) => {
            as_at(args, context, "refusals", &["seq", "minute", "count", "rule", "display_name"])
        }
        AuditCommand::Rotation(args) => rotation::run(args, context),
        AuditCommand::Sample(args) => sample(args, context),
    }
}

/// A time as it stands in a query; the server reads it.
pub(super) fn moment(text: &str) -> Result<String, Failure> {
    let clean = |b: u8| b.is_ascii_alphanumeric() || b"-:.+".contains(&b);
    if (1..=40).contains(&text.len()) && text.bytes().all(clean) {
        Ok(text.replace('+', "%2B"))
    } else {
        Err(Failure::usage("not a time", "Write it as 2026-11-24T15:00:00Z."))
    }
}

fn as_at(args: &AsAtArgs, context: &Context, list: &str, columns: &[&str]) -> Result<(), Failure> {
    let bytes = asked(args, context, list)?;
    if args.csv {
        return std::io::stdout().lock().write_all(&bytes).map_err(Failure::Output);
    }
    let answer: Value = serde_json::from_slice(&bytes).map_err(|error| Failure::Output(error.into()))?;
    context.out.show(&answer, || {
        let named = ["members", "decisions", "keys", "refusals"];
        let rows = named.iter().find_map(|name| answer.get(name)?.as_array());
        let rows: Vec<Vec<String>> = rows
            .into_iter()
            .flatten()
            .map(|row| columns.iter().map(|column| cell(&row[*column])).collect())
            .collect();
        let headings: Vec<String> = columns.iter().map(|column| column.to_uppercase()).collect();
        let headings: Vec<&str> = headings.iter().map(String::as_str).collect();
        let (at, size) = (cell(&answer["at"]), cell(&answer["size"]));
        format!("As at {at}, after {size} events.\n\n{}", table(&headings, &rows))
    })
}

/// A list as the server gives it.
fn asked(args: &AsAtArgs, context: &Context, list: &str) -> Result<Vec<u8>, Failure> {
    let mut path =
        context.path(&format!("/audit/{list}?format={}", if args.csv { "csv" } else { "json" }))?;
    for (name, value) in [("at", &args.at), ("from", &args.from)] {
        if let Some(value) = value {
            path.push_str(&format!("&{name}={}", moment(value)?));
        }
    }
    let mut stream = context.caller()?.stream(&path)?;
    let mut bytes = Vec::new();
    stream.reader.read_to_end(&mut bytes).map_err(Failure::Output)?;
    Ok(bytes)
}

fn cell(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| if value.is_null() { String::new() } else { value.to_string() }, str::to_owned)
}

fn sample(args: &SampleArgs, context: &Context) -> Result<(), Failure> {
    if !(1..=MAX_SAMPLE).contains(&args.n) {
        return Err(Failure::usage(format!("a sample has 1 to {MAX_SAMPLE} events"), "Correct --n."));
    }
    let mut path = context.path(&format!("/audit/sample?n={}&seed={}", args.n, args.seed))?;
    if let Some(kind) = &args.kind {
        path.push_str(&format!("&type={}", super::query_word("type", kind)?));
    }
    if let Some(size) = args.size {
        path.push_str(&format!("&size={size}"));
    }
    let drawn: Sample = context.caller()?.json(&Call::get(path))?;
    check(&drawn, args)?;
    if let Some(folder) = &args.out {
        keep(&drawn, folder)?;
    }
    context.out.show(&drawn, || {
        let rows: Vec<Vec<String>> = drawn
            .sample
            .iter()
            .map(|event| {
                vec![event.place.to_string(), event.seq.to_string(), event.time.clone(), event.kind.clone()]
            })
            .collect();
        let head = fields(&[
            ("drawn", format!("{} of {} events", drawn.sample.len(), drawn.population)),
            ("under", format!("the checkpoint of size {}, root {}", drawn.size, drawn.root)),
            (
                "kept in",
                args.out.as_ref().map_or_else(
                    || "nothing: give --out".to_owned(),
                    |folder| printable(&folder.display().to_string()),
                ),
            ),
        ]);
        format!("{head}\n{}", table(&["PLACE", "SEQ", "TIME", "TYPE"], &rows))
    })
}

/// Draws again on this machine: a server chooses neither the places nor, where all events count, the events.
fn check(drawn: &Sample, args: &SampleArgs) -> Result<(), Failure> {
    let kind = args.kind.as_deref();
    let population = Population { origin: &drawn.origin, size: drawn.size, kind, count: drawn.population };
    let places: Vec<u64> = drawn.sample.iter().map(|event| event.place).collect();
    let seqs_are_places = kind.is_some() || drawn.sample.iter().all(|event| event.seq == event.place);
    let whole = kind.is_some() || drawn.population == drawn.size;
    if places == population.places(&args.seed, args.n) && seqs_are_places && whole {
        Ok(())
    } else {
        Err(Failure::usage(
            "the server drew other events than this seed and checkpoint give",
            "Take an export and draw from it; tell the security reviewers.",
        ))
    }
}

fn keep(drawn: &Sample, folder: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(folder).map_err(Failure::file("make", folder))?;
    let write = |name: String, text: &str| {
        let file = folder.join(name);
        std::fs::write(&file, text).map_err(Failure::file("write", &file))
    };
    write("checkpoint".to_owned(), &drawn.checkpoint)?;
    for event in &drawn.sample {
        write(format!("{}.tlog-proof", event.seq), &event.receipt)?;
    }
    let whole = serde_json::to_string_pretty(drawn).map_err(|error| Failure::Output(error.into()))?;
    write("sample.json".to_owned(), &(whole + "\n"))
}
