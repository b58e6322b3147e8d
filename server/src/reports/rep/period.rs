//! The report of a span of time.

use sealbook_ledger::evidence::{CADENCE_DAYS, PeriodEvidence, PeriodRotation, PeriodSlot};
use sealbook_ledger::timestamp::Timestamp;

use super::{Source, checks, day, exact, fact, tally, time, words};
use crate::reports::document::{Block, Column, Document, Mark, Table, Value};
use crate::views::sentence::moment;

pub(super) fn document(source: &Source<'_>, evidence: &PeriodEvidence) -> Document {
    let mut blocks = vec![
        Block::Section("Summary".to_owned()),
        Block::Facts(summary(evidence)),
        Block::Section("Checks".to_owned()),
        checks(&evidence.checks),
        Block::Section("Rotations".to_owned()),
    ];
    if evidence.rotations.is_empty() {
        blocks.push(Block::Text("None began or ended in the period.".to_owned()));
    } else {
        blocks.push(Block::Table(rotations(&evidence.rotations)));
    }
    blocks.push(Block::Section("Slots at the period's end".to_owned()));
    blocks.push(Block::Table(slots(source, &evidence.slots, evidence.to)));
    blocks.push(Block::Section("Keys and digests to compare".to_owned()));
    blocks.extend(source.pins());
    let count = evidence.rotations.len();
    let counted = if count == 1 { "1 rotation".to_owned() } else { format!("{count} rotations") };
    let sentence = format!(
        "From {} to before {}: {counted} of {} slots; {}.",
        day(evidence.from),
        day(evidence.to),
        evidence.slots.len(),
        tally(&evidence.checks)
    );
    let span = format!("{} to {}", evidence.from, evidence.to);
    source.frame(sentence, &evidence.checks, ("period", &span), blocks)
}

fn summary(evidence: &PeriodEvidence) -> Vec<(String, Value)> {
    let packs = evidence.rotations.iter().filter(|rotation| rotation.pack.is_some()).count();
    vec![
        fact("Ledger", exact(&evidence.origin)),
        fact("From", words(moment(evidence.from))),
        fact("To, not included", words(moment(evidence.to))),
        fact(
            "Rotations",
            words(format!("{} began or stood open; {packs} have a pack by now", evidence.rotations.len())),
        ),
        fact("Reviews of access to devices", words(evidence.reviews.len().to_string())),
        fact("Ledger policy", Value::Digest(evidence.policy.digest.to_string())),
    ]
}

fn rotations(rotations: &[PeriodRotation]) -> Table {
    let row = |rotation: &PeriodRotation| {
        let ended = rotation.completed.or(rotation.failed);
        let outcome = match (rotation.completed, rotation.failed) {
            (Some(_), _) if rotation.emergency => "completed, break-glass",
            (Some(_), _) => "completed",
            (None, Some(_)) => "failed",
            (None, None) => "under way",
        };
        let when = |at: Option<Timestamp>| at.map_or_else(|| words("\u{2013}"), time);
        vec![
            exact(&rotation.slot),
            when(Some(rotation.started.time)),
            when(rotation.cut_over.map(|mark| mark.time)),
            when(ended.map(|mark| mark.time)),
            words(outcome),
            words(rotation.pack.map_or_else(|| "none".to_owned(), |pack| format!("seq {}", pack.mark.seq))),
        ]
    };
    Table {
        columns: vec![
            Column::new("Slot", 22),
            Column::new("Began", 18),
            Column::new("Cutover", 18),
            Column::new("Ended", 18),
            Column::new("Outcome", 13),
            Column::new("Pack", 11),
        ],
        rows: rotations.iter().map(row).collect(),
    }
}

fn slots(source: &Source<'_>, slots: &[PeriodSlot], to: Timestamp) -> Table {
    let row = |slot: &PeriodSlot| {
        let blocked = !slot.issuing && slot.interval_days > CADENCE_DAYS;
        vec![
            exact(&slot.slot),
            words(source.name(slot.owner)),
            words(slot.interval_days.to_string()),
            slot.active.map_or_else(|| words("no key"), |mark| time(mark.time)),
            words(slot.overdue.len().to_string()),
            Value::Mark(if blocked || slot.is_late(to) { Mark::Fail } else { Mark::Pass }),
        ]
    };
    Table {
        columns: vec![
            Column::new("Slot", 24),
            Column::new("Owner", 20),
            Column::numbers("Interval, days", 14),
            Column::new("Key active since", 22),
            Column::numbers("Times late", 10),
            Column::new("", 10),
        ],
        rows: slots.iter().map(row).collect(),
    }
}
