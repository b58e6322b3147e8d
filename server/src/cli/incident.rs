//! `sealbook incident`: a key that somebody else may hold, from the suspicion to the last customer's news.

pub(super) mod console;
mod opening;
mod statement;

use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Subcommand, ValueEnum};
use sealbook_ledger::ids::{ChannelName, IncidentId, SlotName};
use sealbook_ledger::incident::IncidentOutcome;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::context::Context;
use super::failure::Failure;
use super::output::table;
use super::short_id::IdArg;
use crate::client::{Call, Client};
use crate::text::MAX_PROSE;
use crate::views::incidents::{ChannelView, IncidentView};

pub(super) use opening::{Expected, stated};

/// Longest wait for what goes through the ledger or has signatures made; the server gives up first.
pub(super) const PATIENCE: Duration = Duration::from_secs(11 * 60);

/// More than an advisory has however its lines end: what is longer is not read to its end.
const MAX_READ: u64 = 64 * 1024;

/// Incidents: a key that somebody else may hold
#[derive(Debug, Subcommand)]
pub enum IncidentCommand {
    /// List incidents and drills, the newest first
    List {
        /// Only of this slot
        #[arg(long)]
        slot: Option<SlotName>,
        /// Only those that have not ended
        #[arg(long)]
        open: bool,
    },
    /// Show one: its clocks and steps, and what to do next
    Show {
        /// Which
        incident: IdArg,
    },
    /// Open one at once: its slot is suspended with it, and people are called
    Open(opening::OpenArgs),
    /// Say that you take part
    Acknowledge {
        /// Which
        incident: IdArg,
    },
    /// Put on record what you saw or did
    Note {
        /// Which
        incident: IdArg,
        /// What: members read it, no statement has it
        text: String,
    },
    /// Find the signatures that may be affected, and put their list's digest on record
    Scope {
        /// Which
        incident: IdArg,
        /// Since when, RFC 3339; the suspicion if absent
        #[arg(long, value_name = "TIME")]
        since: Option<String>,
    },
    /// Say that what is affected is offered no longer in a channel
    Withdraw(ChannelArgs),
    /// Say that a channel offers replacements, which verify
    Reinstate(ChannelArgs),
    /// Say that all that is affected is signed again by the new key, or given up
    Resign {
        /// Which
        incident: IdArg,
        /// How many of the signatures are given up
        #[arg(long, default_value_t = 0, value_name = "COUNT")]
        dropped: u64,
        /// What there is to say about it: members read it, no statement has it
        #[arg(long, value_name = "TEXT")]
        note: Option<String>,
    },
    /// Put on record what those were told who rely on the key: plain text
    Advise {
        /// Which
        incident: IdArg,
        /// By what name they find it, such as a CVE
        #[arg(long, value_name = "NAME")]
        reference: String,
        /// What it says
        #[arg(long, value_name = "TEXT", required_unless_present = "file", conflicts_with = "file")]
        text: Option<String>,
        /// A file that says it; - for standard input
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
    },
    /// End it
    Close {
        /// Which
        incident: IdArg,
        /// What it came to
        #[arg(long, value_enum, default_value_t = OutcomeArg::Resolved)]
        outcome: OutcomeArg,
        /// What there is to say about it, in plain text: the statement quotes it
        #[arg(long, value_name = "TEXT")]
        note: Option<String>,
    },
    /// Have its statement made and signed, and fetch it
    Statement {
        /// Which
        incident: IdArg,
        /// The file to write
        #[arg(long, short, value_name = "FILE")]
        out: PathBuf,
        /// Write the report for people as PDF too
        #[arg(long, value_name = "FILE")]
        pdf: Option<PathBuf>,
        /// Write what the events say, for programs, as JSON too
        #[arg(long, value_name = "FILE")]
        evidence: Option<PathBuf>,
    },
}

/// A channel of an incident.
#[derive(Debug, clap::Args)]
pub struct ChannelArgs {
    /// Which
    incident: IdArg,
    /// The channel, as the slot's rotation policy names it
    channel: ChannelName,
    /// What there is to say about it: members read it, no statement has it
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
}

/// [`IncidentOutcome`] on a command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum OutcomeArg {
    /// The key is replaced and revoked, and everybody heard
    Resolved,
    /// The key is revoked and everybody heard; the slot signs no more
    GivenUp,
    /// Nobody else held the key
    FalseAlarm,
}

impl From<OutcomeArg> for IncidentOutcome {
    fn from(outcome: OutcomeArg) -> Self {
        match outcome {
            OutcomeArg::Resolved => Self::Resolved,
            OutcomeArg::GivenUp => Self::GivenUp,
            OutcomeArg::FalseAlarm => Self::FalseAlarm,
        }
    }
}

/// `GET …/incidents`.
#[derive(Serialize, Deserialize)]
pub(super) struct Incidents {
    /// The newest first.
    pub(super) incidents: Vec<IncidentView>,
    /// Where the next page begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    next: Option<IncidentId>,
}

impl Incidents {
    /// All that a query finds, page by page.
    pub(super) fn all(context: &Context, client: &Client, query: &[String]) -> Result<Self, Failure> {
        let (mut incidents, mut next) = (Vec::new(), None);
        loop {
            let after = next.map(|id: IncidentId| format!("after={id}"));
            let query: Vec<String> = query.iter().cloned().chain(after).collect();
            let page: Self =
                client.json(&Call::get(context.path(&format!("/incidents?{}", query.join("&")))?))?;
            // Where a page says nothing more, there are no more.
            next = page.next.filter(|_| !page.incidents.is_empty());
            incidents.extend(page.incidents);
            if next.is_none() {
                return Ok(Self { incidents, next });
            }
        }
    }
}

/// Runs the command.
pub fn run(command: &IncidentCommand, context: &Context) -> Result<(), Failure> {
    match command {
        IncidentCommand::List { slot, open } => list(context, slot.as_ref(), *open),
        IncidentCommand::Show { incident } => {
            let client = context.caller()?;
            let id = context.incident_id(&client, incident)?;
            show(context, &one(context, &client, id)?)
        }
        IncidentCommand::Open(args) => opening::open(context, args),
        IncidentCommand::Acknowledge { incident } => take(context, incident, "acknowledge", &json!({})),
        IncidentCommand::Note { incident, text } => take(context, incident, "note", &json!({ "text": text })),
        IncidentCommand::Scope { incident, since } => {
            take(context, incident, "scope", &stated([("since", since.clone().map(Value::from))]))
        }
        // A pipeline takes its own artifacts down.
        IncidentCommand::Withdraw(args) if !context.is_person() => args.withdraw_as_service(context),
        IncidentCommand::Withdraw(args) => args.take(context, "withdraw"),
        IncidentCommand::Reinstate(args) => args.take(context, "reinstate"),
        IncidentCommand::Resign { incident, dropped, note } => {
            let note = note.clone().map(Value::from);
            take(context, incident, "resign", &stated([("dropped", Some(json!(dropped))), ("note", note)]))
        }
        IncidentCommand::Advise { incident, reference, text, file } => {
            let text = advisory(text.as_deref(), file.as_deref())?;
            take(context, incident, "advise", &json!({ "reference": reference, "text": text }))
        }
        IncidentCommand::Close { incident, outcome, note } => {
            let outcome = json!(IncidentOutcome::from(*outcome));
            let note = note.clone().map(Value::from);
            take(context, incident, "close", &stated([("outcome", Some(outcome)), ("note", note)]))
        }
        IncidentCommand::Statement { incident, out, pdf, evidence } => {
            statement::fetch(context, incident, out, (pdf.as_deref(), evidence.as_deref()))
        }
    }
}

fn list(context: &Context, slot: Option<&SlotName>, open: bool) -> Result<(), Failure> {
    let mut query = Vec::new();
    query.extend(slot.map(|slot| format!("slot={slot}")));
    query.extend(open.then(|| "open=true".to_owned()));
    let all = Incidents::all(context, &context.caller()?, &query)?;
    let rows: Vec<_> = all.incidents.iter().map(console::row).collect();
    context.out.show(&all, || table(&console::HEADINGS, &rows))
}

/// An incident or drill as it stands.
pub(super) fn one(context: &Context, client: &Client, id: IncidentId) -> Result<IncidentView, Failure> {
    Ok(client.json(&Call::get(context.path(&format!("/incidents/{id}"))?))?)
}

pub(super) fn show(context: &Context, incident: &IncidentView) -> Result<(), Failure> {
    context.out.show(incident, || console::describe(incident))
}

/// Takes a step of an incident, and shows how it stands then.
fn take(context: &Context, incident: &IdArg, step: &str, body: &Value) -> Result<(), Failure> {
    let client = context.person()?.client;
    let id = context.incident_id(&client, incident)?;
    let path = context.path(&format!("/incidents/{id}/{step}"))?;
    show(context, &client.json(&Call::post(path, body)?.within(PATIENCE))?)
}

impl ChannelArgs {
    fn body(&self) -> Value {
        let note = self.note.clone().map(Value::from);
        stated([("channel", Some(json!(self.channel))), ("note", note)])
    }

    fn take(&self, context: &Context, step: &str) -> Result<(), Failure> {
        take(context, &self.incident, step, &self.body())
    }

    /// Services are shown no incident, so they name it by its whole id and hear of the channel alone.
    fn withdraw_as_service(&self, context: &Context) -> Result<(), Failure> {
        let client = context.caller()?;
        let id = context.incident_id(&client, &self.incident)?;
        let path = context.path(&format!("/incidents/{id}/withdraw"))?;
        let channel: ChannelView = client.json(&Call::post(path, &self.body())?)?;
        context.out.show(&channel, || console::channel(&channel))
    }
}

/// The text of an advisory, as given or from where it was written.
fn advisory(text: Option<&str>, file: Option<&Path>) -> Result<String, Failure> {
    match (text, file) {
        (_, Some(file)) if file == Path::new("-") => read(std::io::stdin().lock(), file),
        (_, Some(file)) => read(std::fs::File::open(file).map_err(Failure::file("read", file))?, file),
        (Some(text), None) => Ok(text.to_owned()),
        (None, None) => Err(Failure::usage("an advisory says something", "Give --text, or --file.")),
    }
}

fn read(from: impl Read, file: &Path) -> Result<String, Failure> {
    let mut text = String::new();
    let read = from.take(MAX_READ).read_to_string(&mut text).map_err(Failure::file("read", file))?;
    // The ledger's lines end with a line feed alone, whatever wrote the file.
    let text = text.replace("\r\n", "\n").trim_end().to_owned();
    if read as u64 == MAX_READ || text.len() > MAX_PROSE {
        let what = format!("an advisory has at most {MAX_PROSE} bytes");
        return Err(Failure::usage(what, "Say what matters, and refer to the rest."));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_advisory_is_what_its_file_says_without_the_last_line_break() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("advisory.txt");
        std::fs::write(&file, "Take 2.1.1.\n\nIt is signed anew.\n").unwrap();
        assert_eq!(advisory(None, Some(&file)).unwrap(), "Take 2.1.1.\n\nIt is signed anew.");
        assert_eq!(advisory(Some("Take 2.1.1."), None).unwrap(), "Take 2.1.1.");
        std::fs::write(&file, "Take 2.1.1.\r\nIt is signed anew.\r\n").unwrap();
        assert_eq!(advisory(None, Some(&file)).unwrap(), "Take 2.1.1.\nIt is signed anew.");
        std::fs::write(&file, "x".repeat(MAX_PROSE) + "\n").unwrap();
        assert_eq!(advisory(None, Some(&file)).unwrap().len(), MAX_PROSE);
        for long in ["x".repeat(MAX_PROSE + 1), "x".repeat(64 * 1024 + 1)] {
            std::fs::write(&file, long).unwrap();
            assert!(matches!(advisory(None, Some(&file)), Err(Failure::Usage { .. })));
        }
        assert!(matches!(advisory(None, Some(&folder.path().join("none"))), Err(Failure::File { .. })));
    }
}
