//! Which signatures are affected: what the event says of their list, and the first of them one by one.

use sealbook_ledger::blast_radius::{Outcome, named};
use sealbook_ledger::evidence::{IncidentEvidence, MAX_AFFECTED, ScopeFacts};

use crate::reports::document::{Block, Column, Table, Value};
use crate::reports::rep::{MAX_SHOWN, Shown, Source, fact, time, words};
use crate::views::sentence::moment;
use crate::views::story::environment_name;

pub(super) fn affected(source: &Source<'_>, evidence: &IncidentEvidence) -> Vec<Block> {
    let Some(scope) = &evidence.scope else {
        return vec![Block::Text("It was not recorded yet which signatures are affected.".to_owned())];
    };
    let mut blocks = vec![
        Block::Text(
            "Every signature that the key was authorised to make counts, also where its outcome is not known. Each is \
             named by the digest that was signed: compare it with what you have."
                .to_owned(),
        ),
        Block::Facts(facts(evidence, scope)),
    ];
    match source.affected {
        _ if scope.count == 0 => {}
        Some(shown) => {
            blocks.push(Block::Text(which(scope, shown)));
            blocks.push(table(shown));
        }
        None => blocks.push(Block::Text(format!(
            "The list is longer than {MAX_AFFECTED} lines, too long for this pack. It is made again from the ledger by \
             \u{201c}sealbook key blast-radius\u{201d}, or by anybody who has an export of it, and has the digest above."
        ))),
    }
    blocks
}

fn facts(evidence: &IncidentEvidence, scope: &ScopeFacts) -> Vec<(String, Value)> {
    let from = scope
        .since
        .map_or_else(|| "since the key was made".to_owned(), |since| format!("from {} on", moment(since)));
    let mut facts = vec![fact("Counted", words(from)), fact("Signatures", words(scope.count.to_string()))];
    if let (Some(first), Some(last)) = (scope.first, scope.last) {
        facts.push(fact("Authorised", words(format!("seq {first} to {last}"))));
    }
    facts.push(fact("Events looked at", words(format!("the first {} of the ledger", scope.size))));
    facts.push(fact("The list, SHA-256", Value::Digest(scope.list.to_string())));
    if let Some(resigned) = &evidence.resigned {
        facts.push(fact("Signed again", words(resigned.resigned.to_string())));
        facts.push(fact("Given up", words(resigned.dropped.to_string())));
    }
    facts
}

fn which(scope: &ScopeFacts, shown: &[Shown]) -> String {
    match shown.len() as u64 == scope.count {
        true => "All of them; affected.jsonl in the pack has the same for programs.".to_owned(),
        false => {
            format!("The first {MAX_SHOWN} of them; affected.jsonl in the pack has all {}.", scope.count)
        }
    }
}

fn table(shown: &[Shown]) -> Block {
    let row = |one: &Shown| {
        let line = &one.line;
        vec![
            words(line.authorization.to_string()),
            time(line.time),
            words(called(one)),
            Value::Digest(line.digest.to_string()),
            words(came_to(line.outcome())),
        ]
    };
    Block::Table(Table {
        columns: vec![
            Column::numbers("Seq", 6),
            Column::new("Authorised, UTC", 13),
            Column::new("Artifact", 28),
            Column::new("Digest", 42),
            Column::new("Outcome", 11),
        ],
        rows: shown.iter().map(row).collect(),
    })
}

/// What was signed, as far as it is disclosed, and where it was meant to go.
fn called(one: &Shown) -> String {
    let named = match (&one.name, &one.version, one.line.purpose.as_deref()) {
        (Some(name), Some(version), _) => format!("{name}, version {version}"),
        (Some(name), None, _) => name.clone(),
        (None, Some(version), _) => format!("version {version}"),
        (None, None, Some(purpose)) => {
            let (kind, _) = named(purpose);
            format!("the server's own: {}", kind.replace('_', " "))
        }
        (None, None, None) => "name not disclosed".to_owned(),
    };
    match one.line.environment {
        Some(environment) => format!("{named}; {}", environment_name(environment)),
        None => named,
    }
}

const fn came_to(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Created => "signed",
        Outcome::Withheld => "signed, kept back",
        Outcome::Abandoned => "not known",
        Outcome::Open => "not known yet",
        Outcome::Failed => "failed",
    }
}
