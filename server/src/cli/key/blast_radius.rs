//! `sealbook key blast-radius`: every signature that a key may have made since a moment.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use sealbook_ledger::encoding::Hash;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};

use crate::cli::audit::moment;
use crate::cli::context::Context;
use crate::cli::download;
use crate::cli::failure::Failure;
use crate::cli::output::{fields, printable, table};
use crate::cli::short_id::IdArg;
use crate::client::Call;

/// Longest wait for the summary; the server gives up first.
const DEADLINE: Duration = Duration::from_secs(11 * 60);

/// Longest wait for the seal that receipts take, in milliseconds.
const SEAL_WAIT_MS: u32 = 10_000;

/// Longest row in bytes: a line of the list, names, and two receipts of the longest events.
const MAX_LINE: u64 = 1024 * 1024;

/// Of which key, since when, and where the rows go.
#[derive(Debug, Args)]
pub struct BlastRadiusArgs {
    /// Which
    key: IdArg,
    /// Since when it is suspected, RFC 3339; all of time if absent
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// As the ledger's first so many events have it, as an earlier list did
    #[arg(long, value_name = "EVENTS")]
    size: Option<u64>,
    /// Write every signature to a table
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// Write every signature to JSON lines
    #[arg(long, value_name = "FILE")]
    jsonl: Option<PathBuf>,
    /// The JSON lines hold the receipts of each signature's events
    #[arg(long, requires = "jsonl")]
    receipts: bool,
}

/// `GET …/keys/{key}/blast-radius`.
#[derive(Serialize, Deserialize)]
struct Summary {
    origin: String,
    key: String,
    slot: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<String>,
    size: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    checkpoint: Option<String>,
    count: u64,
    signed: u64,
    resign_required: u64,
    outcomes: Outcomes,
    #[serde(skip_serializing_if = "Option::is_none")]
    first: Option<Mark>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last: Option<Mark>,
    digest: Hash,
    environments: Groups,
    callers: Groups,
    artifacts: Groups,
}

#[derive(Serialize, Deserialize)]
struct Outcomes {
    abandoned: u64,
    created: u64,
    failed: u64,
    open: u64,
    withheld: u64,
}

#[derive(Serialize, Deserialize)]
struct Mark {
    seq: u64,
    time: String,
}

#[derive(Serialize, Deserialize)]
struct Groups {
    groups: Vec<Group>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rest: Option<Rest>,
}

/// A group of any kind: what it goes by is what is there.
#[derive(Serialize, Deserialize)]
struct Group {
    #[serde(skip_serializing_if = "Option::is_none")]
    environment: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    purpose: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    without: Option<String>,
    count: u64,
    failed: u64,
}

#[derive(Serialize, Deserialize)]
struct Rest {
    #[serde(skip_serializing_if = "Option::is_none")]
    groups: Option<u64>,
    count: u64,
    failed: u64,
}

/// A line of `…/blast-radius.jsonl`, as far as the digest takes it.
#[derive(Deserialize)]
struct Row<'a> {
    #[serde(borrow)]
    signature: &'a RawValue,
}

pub(super) fn run(args: &BlastRadiusArgs, context: &Context) -> Result<(), Failure> {
    let key = context.key_id(&args.key)?;
    let since = match &args.since {
        Some(since) => format!("&since={}", moment(since)?),
        None => String::new(),
    };
    let size = args.size.map_or_else(String::new, |size| format!("&size={size}"));
    let path = |ending: &str, query: &str| {
        let query = query.trim_start_matches('&');
        context.path(&format!("/keys/{key}/blast-radius{ending}?{query}"))
    };
    let asked = Call::get(path("", &format!("{since}{size}"))?).within(DEADLINE);
    let summary: Summary = context.caller()?.json(&asked)?;
    // The rows are of the same events, whatever was recorded meanwhile.
    let same = format!("{since}&size={}", summary.size);
    if let Some(file) = &args.csv {
        download::save(context, &path(".csv", &same)?, file)?;
    }
    if let Some(file) = &args.jsonl {
        let proven = format!("&receipts=true&wait_ms={SEAL_WAIT_MS}");
        let query = if args.receipts { same.clone() + &proven } else { same };
        download::save(context, &path(".jsonl", &query)?, file)?;
        check(file, &summary)?;
    }
    context.out.show(&summary, || summary.text(args))
}

/// Makes the list's digest again from the rows: what was written is what the summary is of.
fn check(file: &Path, summary: &Summary) -> Result<(), Failure> {
    let (mut sha256, mut count, mut line) = (Sha256::new(), 0, Vec::new());
    let mut rows = BufReader::new(File::open(file).map_err(Failure::file("read", file))?);
    loop {
        line.clear();
        let length = rows.by_ref().take(MAX_LINE).read_until(b'\n', &mut line);
        if length.map_err(Failure::file("read", file))? == 0 {
            break;
        }
        let row: Row<'_> = serde_json::from_slice(&line).map_err(|error| Failure::Output(error.into()))?;
        sha256.update(row.signature.get());
        sha256.update(b"\n");
        count += 1;
    }
    if Hash(sha256.finalize().into()) == summary.digest && count == summary.count {
        return Ok(());
    }
    Err(Failure::usage(
        "the rows are not those of the list that the server told",
        "Take an export and make the list from it; tell the security reviewers.",
    ))
}

impl Summary {
    fn text(&self, args: &BlastRadiusArgs) -> String {
        let Outcomes { abandoned, created, failed, open, withheld } = &self.outcomes;
        let mark = |mark: &Option<Mark>| {
            mark.as_ref()
                .map_or_else(|| "none".to_owned(), |mark| format!("event {} at {}", mark.seq, mark.time))
        };
        let sealed = if self.checkpoint.is_some() { ", which a checkpoint covers" } else { "" };
        let mut pairs = vec![
            ("key", self.key.clone()),
            ("slot", self.slot.clone()),
            ("since", self.since.clone().unwrap_or_else(|| "the beginning".to_owned())),
            ("as of", format!("the ledger's first {} events{sealed}", self.size)),
            ("affected", format!("{} signatures, of which {} count as signed", self.count, self.signed)),
            ("to sign again", format!("{} artifacts, or to give up", self.resign_required)),
            (
                "outcomes",
                format!(
                    "{created} created, {withheld} withheld, {abandoned} abandoned, {open} open, {failed} failed"
                ),
            ),
            ("first", mark(&self.first)),
            ("last", mark(&self.last)),
            ("list SHA-256", self.digest.to_string()),
        ];
        let files = [("table", &args.csv), ("JSON lines", &args.jsonl)];
        for (name, file) in files {
            pairs.extend(file.as_ref().map(|file| (name, file.display().to_string())));
        }
        let mut text = fields(&pairs);
        for (heading, groups) in
            [("FOR", &self.environments), ("CALLER", &self.callers), ("ARTIFACT", &self.artifacts)]
        {
            if !groups.groups.is_empty() {
                text.push('\n');
                text.push_str(&table(&["SIGNATURES", "FAILED", heading], &groups.rows()));
            }
        }
        text
    }
}

impl Groups {
    fn rows(&self) -> Vec<Vec<String>> {
        let row = |count: u64, failed: u64, what: String| vec![count.to_string(), failed.to_string(), what];
        let mut rows: Vec<_> =
            self.groups.iter().map(|group| row(group.count, group.failed, group.called())).collect();
        rows.extend(self.rest.as_ref().map(|rest| {
            let what = match rest.groups {
                Some(groups) => format!("({groups} others)"),
                None => "(all others)".to_owned(),
            };
            row(rest.count, rest.failed, what)
        }));
        rows
    }
}

impl Group {
    fn called(&self) -> String {
        let without = self.without.as_deref().map(|why| match why {
            "own" => "(the server's own)".to_owned(),
            "redacted" => "(not disclosed)".to_owned(),
            "unnamed" => "(nothing was said)".to_owned(),
            other => format!("({})", printable(other)),
        });
        let who = match (&self.name, &self.version, &self.kind, &self.id) {
            (Some(name), None, Some(kind), _) => Some(format!("{kind} {name}")),
            (None, None, Some(kind), Some(id)) => Some(format!("{kind} {id}")),
            (Some(name), Some(version), ..) => Some(format!("{name} {version}")),
            (Some(name), None, ..) => Some(name.clone()),
            (None, Some(version), ..) => Some(format!("version {version}")),
            _ => None,
        };
        let own = self.purpose.as_ref().map(|purpose| format!("(the server's own: {purpose})"));
        who.or_else(|| self.environment.clone()).or(own).or(without).unwrap_or_else(|| "(nothing)".to_owned())
    }
}
