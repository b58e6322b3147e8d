//! A rotation's steps as people read them, at once or as they come.

use std::time::Duration;

use sealbook_ledger::ids::ActionId;

use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::output::{fields, printable};
use crate::client::answers::{Rotation, RotationStep};
use crate::client::{Call, Client};

/// How long the server is asked to wait for a change, in milliseconds: the longest that it grants.
const WAIT_MS: u64 = 10_000;

/// How long such a call may take.
const PATIENCE: Duration = Duration::from_secs(40);

/// Below which a step's sentence stands.
const INDENT: &str = "      ";

/// The width that lines keep to, in columns.
const WIDTH: usize = 80;

/// A rotation, then a line for each of its steps, and what it waits for.
pub(super) fn describe(rotation: &Rotation) -> String {
    let or_none = |text: Option<String>| text.unwrap_or_else(|| "none".to_owned());
    let mut pairs = vec![
        ("rotation", rotation.rotation.to_string()),
        ("slot", rotation.slot.to_string()),
        ("state", rotation.state.clone()),
        ("kind", if rotation.emergency { "break-glass" } else { "planned" }.to_owned()),
        ("old key", rotation.old_key.to_string()),
        ("new key", or_none(rotation.new_key.map(|key| key.to_string()))),
        ("started", rotation.started_at.to_string()),
    ];
    let dates = [
        ("cutover before", rotation.cut_over_before),
        ("cut over", rotation.cut_over_at),
        ("overlap ends", rotation.overlap_ends_at),
        ("completed", rotation.completed_at),
    ];
    pairs.extend(dates.into_iter().filter_map(|(name, at)| Some((name, at?.to_string()))));
    if let Some(failure) = &rotation.failure {
        let reason = failure.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
        pairs.push(("failed", format!("{}{reason}", failure.code)));
    }
    let mut text = fields(&pairs);
    text.push('\n');
    rotation.steps.iter().for_each(|step| text.push_str(&line(step)));
    text
}

/// A step in one line, and in another what it waits for.
fn line(step: &RotationStep) -> String {
    let mark = match step.state.as_str() {
        "done" => "[x]",
        "now" => "[>]",
        "skipped" => "[-]",
        "failed" => "[!]",
        _ => "[ ]",
    };
    let title = printable(&step.title);
    let when = step.time.map(|time| {
        let time = time.to_string();
        time.get(..19).unwrap_or(&time).replace('T', " ")
    });
    let event = step.seq.map(|seq| format!("  event {seq}")).unwrap_or_default();
    let first = format!("{mark} {title:<24} {}{event}", when.unwrap_or_default());
    let says = matches!(step.state.as_str(), "now" | "failed" | "waiting" | "skipped");
    let second = if says { indented(&printable(&step.sentence)) } else { String::new() };
    format!("{}\n{second}", first.trim_end())
}

/// A text below its step, in lines of at most [`WIDTH`] columns.
fn indented(text: &str) -> String {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let room = WIDTH - INDENT.len();
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= room || line.is_empty() => {
                line.push_str(if line.is_empty() { "" } else { " " });
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines.iter().map(|line| format!("{INDENT}{line}\n")).collect()
}

/// Shows a rotation, then what changes, until it has ended.
pub(super) fn watch(context: &Context, client: &Client, id: ActionId) -> Result<(), Failure> {
    let mut seen = super::one(context, client, id)?;
    tell(context, &seen, &describe(&seen))?;
    while !matches!(seen.state.as_str(), "completed" | "failed") {
        let path = format!("/rotations/{id}?wait_ms={WAIT_MS}&seen={}", seen.version);
        let now: Rotation = client.json(&Call::get(context.path(&path)?).within(PATIENCE))?;
        let lines = changed(&seen, &now);
        if !lines.is_empty() {
            tell(context, &now, &lines)?;
        }
        seen = now;
    }
    match (&seen.failure, seen.state.as_str()) {
        (Some(failure), _) => Err(Failure::RotationFailed { code: printable(&failure.code) }),
        (None, "failed") => Err(Failure::RotationFailed { code: "rotation.failed".to_owned() }),
        (None, _) => Ok(()),
    }
}

/// The lines of steps that are no longer as they were.
fn changed(before: &Rotation, now: &Rotation) -> String {
    let same = |step: &&RotationStep| {
        let was = before.steps.iter().find(|was| was.step == step.step && was.channel == step.channel);
        was.is_some_and(|was| was.state == step.state && was.sentence == step.sentence)
    };
    // What waits for another reason than before is no news.
    let news = |step: &&RotationStep| !same(step) && step.state != "waiting";
    now.steps.iter().filter(news).map(line).collect()
}

/// One JSON value a line, or lines for people.
fn tell(context: &Context, rotation: &Rotation, lines: &str) -> Result<(), Failure> {
    if context.out.is_json() {
        let line = serde_json::to_string(rotation).map_err(|error| Failure::Output(error.into()))?;
        context.out.line(&line)
    } else {
        context.out.line(lines.trim_end())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(name: &str, state: &str, sentence: &str) -> RotationStep {
        let value = serde_json::json!({
            "step": name, "title": name, "state": state, "seq": 7, "sentence": sentence,
            "time": "2026-11-22T01:02:03.000000Z",
        });
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn a_step_that_is_done_is_one_line_and_one_that_is_on_says_what_it_waits_for() {
        let done = line(&step("Canary", "done", "All of it verified."));
        assert_eq!(done, "[x] Canary                   2026-11-22 01:02:03  event 7\n");
        let now = line(&step("Canary", "now", "3 of 5 digests.\u{1b}[2J"));
        assert!(
            now.starts_with("[>] Canary") && now.ends_with("\n      3 of 5 digests.\\u{1b}[2J\n"),
            "{now}"
        );
    }
}
