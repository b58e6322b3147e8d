//! `sealbook events`: what happened, one line an event.

use clap::Args;
use sealbook_ledger::canonical;
use sealbook_ledger::event::{Envelope, Event};
use serde_json::Value;

use super::context::Context;
use super::failure::Failure;
use crate::client::answers::{EventEntry, Events};
use crate::client::{Call, Client};
use crate::views::story::{Names, story_line};

/// Most events that are asked for at once.
const PAGE: u32 = 500;

/// Tell what happened, one readable line an event
#[derive(Debug, Args)]
pub struct EventsCommand {
    /// Only events of this type, e.g. slot.created
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<String>,
    /// Begin after this event
    #[arg(long, value_name = "SEQ")]
    after: Option<u64>,
    /// Most that are shown
    #[arg(long, default_value_t = 100)]
    limit: u32,
    /// Tell the whole story: every event from the first, however many there are
    #[arg(long, conflicts_with_all = ["limit", "after"])]
    story: bool,
}

/// Runs the command.
pub fn run(command: &EventsCommand, context: &Context) -> Result<(), Failure> {
    let client = context.caller()?;
    let mut names = context.names(&client)?;
    let mut after = command.after;
    let mut left = if command.story { u32::MAX } else { command.limit };
    while left > 0 {
        let page = page(command, context, &client, after, left.min(PAGE))?;
        let count = u32::try_from(page.events.len()).unwrap_or(u32::MAX);
        if context.out.is_json() {
            for entry in &page.events {
                let line = serde_json::to_string(entry).map_err(|error| Failure::Output(error.into()))?;
                context.out.line(&line)?;
            }
        } else {
            for entry in &page.events {
                context.out.line(&tell(entry, &mut names)?)?;
            }
        }
        after = page.events.last().map(|entry| entry.seq.get());
        left = left.saturating_sub(count);
        if count == 0 || page.next.is_none() {
            break;
        }
    }
    Ok(())
}

fn page(
    command: &EventsCommand,
    context: &Context,
    client: &Client,
    after: Option<u64>,
    limit: u32,
) -> Result<Events, Failure> {
    let mut path = context.path(&format!("/events?limit={limit}"))?;
    if let Some(after) = after {
        path.push_str(&format!("&after={after}"));
    }
    if let Some(kind) = &command.kind {
        path.push_str(&format!("&type={}", super::query_word("type", kind)?));
    }
    Ok(client.json(&Call::get(path))?)
}

/// A type that this version doesn't know is named as such, never skipped.
fn tell(entry: &EventEntry, names: &mut Names) -> Result<String, Failure> {
    let value = Value::Object(entry.event.clone());
    let bytes = canonical::value_to_vec(&value).map_err(super::document::DocumentError::from)?;
    let event = Envelope::parse(&bytes).ok().and_then(|envelope| Event::from_envelope(envelope).ok());
    let Some(event) = event else {
        let kind = super::output::printable(entry.event.get("type").and_then(Value::as_str).unwrap_or("?"));
        return Ok(format!("{:>6}  an event of type {kind}, which is not known here", entry.seq));
    };
    names.learn(&event, &entry.disclosures);
    let line = story_line(&event, names);
    names.forget(&event);
    Ok(line)
}
