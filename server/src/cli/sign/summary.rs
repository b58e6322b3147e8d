//! A run of `sealbook sign`, told to scripts, terminals and CI pages.

use std::collections::BTreeSet;

use sealbook_ledger::ids::SlotName;
use serde_json::{Value, json};

use super::one::{Done, Outcome};
use crate::cli::output::{printable, table};
use crate::cli::sentence::join;
use crate::client::answers::Awaiting;

/// One object a file.
pub(super) fn json(outcomes: &[Outcome]) -> Value {
    let one = |outcome: &Outcome| {
        let (file, sha256) = (&outcome.file, outcome.sha256);
        match &outcome.end {
            Ok(Done::Signed { signed, signature, receipt }) => json!({
                "file": file, "sha256": sha256, "result": "signed", "seq": signed.seq,
                "algorithm": signed.algorithm, "key": signed.key, "signature": signature, "receipt": receipt,
            }),
            Ok(Done::Awaiting(answer)) => {
                json!({"file": file, "sha256": sha256, "result": "awaiting", "answer": answer})
            }
            Ok(Done::Unasked(_)) => json!({"file": file, "sha256": sha256, "result": "unasked"}),
            Err(failure) => json!({
                "file": file, "sha256": sha256, "result": word(outcome), "code": failure.code(),
                "error": failure.to_string(), "to_do": failure.hint(),
            }),
        }
    };
    Value::Array(outcomes.iter().map(one).collect())
}

fn word(outcome: &Outcome) -> &'static str {
    use crate::cli::failure::Exit;
    match outcome.exit() {
        Exit::Done => "signed",
        Exit::Awaiting => "awaiting approval",
        Exit::Refused => "refused",
        Exit::Unavailable => "unavailable",
        Exit::Failed | Exit::Usage | Exit::Closed => "failed",
    }
}

fn what(outcome: &Outcome) -> String {
    match &outcome.end {
        Ok(Done::Signed { signed, .. }) => format!("event {}", signed.seq),
        Ok(Done::Awaiting(answer)) => format!("action {}", answer.action),
        Ok(Done::Unasked(_)) => "nobody was asked".to_owned(),
        Err(failure) => failure.code().to_owned(),
    }
}

/// For terminals.
pub(super) fn text(outcomes: &[Outcome]) -> String {
    let row = |outcome: &Outcome| {
        vec![word(outcome).to_owned(), what(outcome), outcome.file.to_string_lossy().into_owned()]
    };
    table(&["RESULT", "WHERE", "FILE"], &outcomes.iter().map(row).collect::<Vec<_>>())
}

/// What people have to decide on, each action once.
pub(super) fn awaited(outcomes: &[Outcome]) -> Vec<&Awaiting> {
    let mut seen = BTreeSet::new();
    let waiting = outcomes.iter().filter_map(|outcome| match &outcome.end {
        Ok(Done::Awaiting(awaiting)) => Some(&**awaiting),
        _ => None,
    });
    waiting.filter(|awaiting| seen.insert(awaiting.action)).collect()
}

/// The roles whose seats are open.
fn deciders(awaiting: &Awaiting) -> String {
    join(awaiting.seats.iter().filter(|seat| seat.filled_by.is_none()).map(|seat| seat.role))
}

/// Who has to do what before the files are signed.
pub(super) fn waits(awaiting: &Awaiting) -> String {
    format!(
        "waits for approval by {}: {}\n  to do: sealbook action approve {}\n  until: {}",
        deciders(awaiting),
        printable(&awaiting.sentence),
        awaiting.action,
        awaiting.expires_at
    )
}

/// For CI pages: GitHub's flavour of Markdown.
pub(super) fn markdown(slot: &SlotName, outcomes: &[Outcome]) -> String {
    let mut text =
        format!("### Signed with `{slot}`\n\n| File | SHA-256 | Result | Where |\n|---|---|---|---|\n");
    for outcome in outcomes {
        let sha256 = outcome.sha256.map(|hash| format!("`{hash}`")).unwrap_or_default();
        let file = cell(&outcome.file.to_string_lossy());
        text.push_str(&format!("| {file} | {sha256} | {} | {} |\n", word(outcome), cell(&what(outcome))));
    }
    for awaiting in awaited(outcomes) {
        text.push_str(&format!(
            "\n**Waits for approval** by {} until {}: action `{}`\n",
            cell(&deciders(awaiting)),
            awaiting.expires_at,
            awaiting.action
        ));
    }
    text
}

/// A file's name as it is, whatever Markdown or HTML it would be.
fn cell(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in printable(text).chars() {
        match character {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '|' | '`' | '*' | '_' | '[' | ']' | '\\' | '!' | '#' => out.extend(['\\', character]),
            _ => out.push(character),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::failure::Failure;

    #[test]
    fn a_file_name_cannot_break_out_of_its_cell() {
        let outcome = Outcome { file: "a|b<script>\n".into(), sha256: None, end: Err(Failure::Randomness) };
        let text = markdown(&"s".parse().unwrap(), &[outcome]);
        assert!(text.ends_with("| a\\|b&lt;script&gt;\\\\u{a} |  | failed | cli.randomness |\n"), "{text}");
    }
}
