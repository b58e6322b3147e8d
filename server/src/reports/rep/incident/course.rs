//! How an incident was dealt with: steps in their order, times, and people.

use sealbook_ledger::event::Actor;
use sealbook_ledger::evidence::{Clock, Decision, IncidentEvidence, StepTime, Taken};
use sealbook_ledger::ids::MemberId;
use sealbook_ledger::incident::{IncidentOutcome, IncidentStep};
use sealbook_ledger::timestamp::Timestamp;

use super::wording::{lasting, told};
use crate::reports::document::{Block, Column, Scale, Span, Table, Value};
use crate::reports::rep::{Source, time, words};
use crate::views::sentence::moment;

/// From the opening to the end, each step where it was taken.
pub(super) fn scale(evidence: &IncidentEvidence) -> Option<Block> {
    let from = evidence.opened.mark.time;
    let to = evidence.closed.as_ref()?.mark.time;
    if to <= from {
        return None;
    }
    let until = |name: &str, taken: Option<&Taken>, strong| {
        let to = taken?.mark.time.max(from);
        Some(Span { name: name.to_owned(), from, to, strong })
    };
    let spans = [
        until("To containment", evidence.contained.as_ref(), false),
        until("To the list", evidence.scope.as_ref().map(|scope| &scope.taken), false),
        until("To another key", evidence.rotated.as_ref(), true),
        until("To revocation", evidence.revoked.as_ref().map(|revoked| &revoked.taken), true),
        until("To the advisory", evidence.advised.first(), false),
        until("To the end", evidence.closed.as_ref(), false),
    ];
    let spans = spans.into_iter().flatten().collect();
    Some(Block::Scale(Scale { from, to, names: (moment(from), moment(to)), spans }))
}

/// Everything that was recorded, by whom and when.
pub(super) fn timeline(source: &Source<'_>, evidence: &IncidentEvidence) -> Block {
    let mut steps = steps(evidence);
    steps.sort_by_key(|(_, taken)| taken.mark.seq);
    let mut rows: Vec<(u64, Vec<Value>)> = steps
        .into_iter()
        .map(|(name, taken)| {
            let by = words(by(source, evidence, taken));
            (taken.mark.seq.get(), row(name, by, taken.mark.time, taken.mark.seq.get()))
        })
        .collect();
    for (member, mark) in &evidence.acknowledged {
        let by = words(source.name(*member));
        rows.push((mark.seq.get(), row("Takes part".to_owned(), by, mark.time, mark.seq.get())));
    }
    if let Some(escalated) = &evidence.escalated {
        let (mark, missed) = (escalated.mark, names(source, escalated.missed.iter()));
        let name = format!("Told others that some did not answer: {missed}");
        rows.push((mark.seq.get(), row(name, words("the server"), mark.time, mark.seq.get())));
    }
    rows.sort_by_key(|(seq, _)| *seq);
    Block::Table(Table {
        columns: vec![
            Column::new("Step", 36),
            Column::new("By", 34),
            Column::new("When, UTC", 22),
            Column::numbers("Seq", 8),
        ],
        rows: rows.into_iter().map(|(_, row)| row).collect(),
    })
}

fn row(name: String, by: Value, at: Timestamp, seq: u64) -> Vec<Value> {
    vec![words(name), by, time(at), words(seq.to_string())]
}

fn steps(evidence: &IncidentEvidence) -> Vec<(String, &Taken)> {
    let taken = [
        ("Opened", Some(&evidence.opened)),
        ("Contained: the slot signs nothing", evidence.contained.as_ref()),
        ("Listed what may be affected", evidence.scope.as_ref().map(|scope| &scope.taken)),
        ("Another key took over", evidence.rotated.as_ref()),
        ("Signed again or given up", evidence.resigned.as_ref().map(|resigned| &resigned.taken)),
        ("Revoked", evidence.revoked.as_ref().map(|revoked| &revoked.taken)),
        ("The slot signs again", evidence.resumed.as_ref()),
        ("Closed", evidence.closed.as_ref()),
    ];
    let mut steps: Vec<(String, &Taken)> =
        taken.into_iter().filter_map(|(name, taken)| Some((name.to_owned(), taken?))).collect();
    steps.extend(evidence.advised.iter().map(|taken| ("Told those who rely on it".to_owned(), taken)));
    steps.extend(evidence.notes.iter().map(|taken| ("Noted something, which is withheld".to_owned(), taken)));
    for (name, channel) in &evidence.channels {
        steps.push((format!("Withdrawn from channel {name}"), &channel.withdrawn));
        let back = channel.reinstated.as_ref();
        steps.extend(back.map(|taken| (format!("Replacements in channel {name}"), taken)));
    }
    steps
}

/// Who took a step; where people approved it, who they are.
fn by(source: &Source<'_>, evidence: &IncidentEvidence, taken: &Taken) -> String {
    let decided = taken.action.and_then(|action| {
        evidence.decisions.iter().enumerate().find(|(_, decision)| decision.action == action)
    });
    decided.map_or_else(|| told(source, taken), |(number, decision)| approved(source, number, decision))
}

fn approved(source: &Source<'_>, number: usize, decision: &Decision) -> String {
    let by = decision.proposer.as_ref().map(|proposer| source.name(proposer.member));
    let others = names(source, decision.approvals.iter().map(|approval| &approval.member));
    match by {
        Some(by) => format!("{by}, approved by {others} (approval {})", number + 1),
        None => format!("approved by {others} (approval {})", number + 1),
    }
}

fn names<'a>(source: &Source<'_>, members: impl Iterator<Item = &'a MemberId>) -> String {
    members.map(|member| source.name(*member)).collect::<Vec<String>>().join(", ")
}

/// What had to be done in time, and how long each step took.
pub(super) fn times(evidence: &IncidentEvidence) -> Vec<Block> {
    let mut blocks = vec![clocks(evidence), targets(evidence)];
    if evidence.clocks_from.seq != evidence.opened.mark.seq {
        let from = evidence.clocks_from;
        blocks.push(Block::Note(format!(
            "The clocks run from {} on, seq {}: this takes up an alarm that had been called off.",
            moment(from.time),
            from.seq
        )));
    }
    blocks
}

fn clocks(evidence: &IncidentEvidence) -> Block {
    let row = |clock: &Clock| {
        let (claim, done) = match clock.id {
            "revoked" => ("Revoked within 24 hours", evidence.revoked.as_ref().map(|revoked| &revoked.taken)),
            _ => ("Closed within 5 days", evidence.closed.as_ref()),
        };
        let done = done.map_or_else(|| words("\u{2013}"), |taken| time(taken.mark.time));
        vec![words(claim), time(clock.due), done, words(met(evidence, clock.met))]
    };
    Block::Table(Table {
        columns: vec![
            Column::new("Clock", 36),
            Column::new("Due, UTC", 24),
            Column::new("Done, UTC", 24),
            Column::new("Met", 16),
        ],
        rows: evidence.clocks.iter().map(row).collect(),
    })
}

fn targets(evidence: &IncidentEvidence) -> Block {
    let row = |step: &StepTime| {
        let taken = step.seconds.map_or_else(|| "\u{2013}".to_owned(), lasting);
        let target = step.target.map_or_else(|| "none".to_owned(), |target| lasting(target.into()));
        let met = match step.target {
            Some(_) => met(evidence, step.met),
            None => "\u{2013}",
        };
        vec![words(named(step.step)), words(taken), words(target), words(met)]
    };
    Block::Table(Table {
        columns: vec![
            Column::new("Step", 36),
            Column::new("Taken after", 24),
            Column::new("Target", 24),
            Column::new("Met", 16),
        ],
        rows: evidence.steps.iter().map(row).collect(),
    })
}

fn met(evidence: &IncidentEvidence, met: Option<bool>) -> &'static str {
    match (met, evidence.outcome) {
        (Some(true), _) => "met",
        (Some(false), _) => "missed",
        (None, Some(IncidentOutcome::FalseAlarm)) => "did not matter",
        (None, _) => "runs",
    }
}

const fn named(step: IncidentStep) -> &'static str {
    match step {
        IncidentStep::Contained => "Contained",
        IncidentStep::Scoped => "Listed what may be affected",
        IncidentStep::Withdrawn => "Withdrawn from all channels",
        IncidentStep::Rotated => "Another key",
        IncidentStep::Resigned => "Signed again or given up",
        IncidentStep::Revoked => "Revoked",
        IncidentStep::Advised => "Others told",
        IncidentStep::Resumed => "The slot signs again",
    }
}

/// Who opened it, who answered, and whom others had to stand in for.
pub(super) fn called(source: &Source<'_>, evidence: &IncidentEvidence) -> Vec<Block> {
    let due = match evidence.acknowledge_by {
        Some(due) => format!(
            "At the opening everybody was called who held the role incident_commander or change_board. They had to answer by \
             {}.",
            moment(due)
        ),
        None => "At the opening everybody was called who held the role incident_commander or change_board. No time was set \
                 within which they had to answer."
            .to_owned(),
    };
    let practised = evidence.tabletop.then(|| {
        Block::Note("People talked each step through before they took it (a tabletop exercise).".to_owned())
    });
    let mut rows = Vec::new();
    if let Actor::Member(opener) = evidence.opened.by {
        rows.push(vec![
            words(source.name(opener)),
            words("raised the alarm"),
            time(evidence.opened.mark.time),
        ]);
    }
    for (member, mark) in &evidence.acknowledged {
        let late = evidence.acknowledge_by.is_some_and(|due| mark.time > due);
        let said = if late { "answered late" } else { "answered" };
        rows.push(vec![words(source.name(*member)), words(said), time(mark.time)]);
    }
    let missed = evidence.escalated.as_ref().map(|escalated| &escalated.missed);
    for member in evidence.called.iter().filter(|member| !evidence.acknowledged.contains_key(member)) {
        let missed = missed.is_some_and(|missed| missed.contains(member));
        let said = if missed { "did not answer in time" } else { "no answer on record" };
        rows.push(vec![words(source.name(*member)), words(said), words("\u{2013}")]);
    }
    let columns = vec![Column::new("Who", 40), Column::new("", 35), Column::new("When, UTC", 25)];
    let mut blocks = vec![Block::Text(due), Block::Table(Table { columns, rows })];
    if let Some(escalated) = &evidence.escalated {
        blocks.push(Block::Text(format!(
            "On {} others were told whom the call had missed (seq {}).",
            moment(escalated.mark.time),
            escalated.mark.seq
        )));
    }
    blocks.extend(practised);
    blocks
}
