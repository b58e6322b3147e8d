//! The report of another ledger key.

use sealbook_ledger::evidence::LedgerKeyEvidence;

use super::{Source, checks, day, exact, fact, step, tally, timeline, words};
use crate::reports::document::{Block, Document, Value};
use crate::views::sentence::moment;

pub(super) fn document(source: &Source<'_>, evidence: &LedgerKeyEvidence) -> Document {
    let mut blocks = vec![
        Block::Section("Summary".to_owned()),
        Block::Facts(summary(evidence)),
        Block::Section("Checks".to_owned()),
        checks(&evidence.checks),
        Block::Section("Timeline".to_owned()),
    ];
    let decision = &evidence.decision;
    let steps = [
        step("The key before took effect", Some(evidence.old_since)),
        step("Proposed", Some(decision.proposed)),
        step("Approved by the last", decision.approved()),
        step("Began", decision.executing),
        step("The new key took effect", Some(evidence.since)),
    ];
    blocks.push(timeline(steps.into_iter().flatten().collect()));
    blocks.push(Block::Section("Approvals".to_owned()));
    blocks.extend(source.decision(decision));
    blocks.push(Block::Section("Keys and digests to compare".to_owned()));
    blocks.extend(source.pins());
    let how = if evidence.recovered { "was lost and its standby took over" } else { "was rotated" };
    let sentence =
        format!("The ledger key {how} on {}; {}.", day(evidence.since.time), tally(&evidence.checks));
    let action = decision.action.to_string();
    source.frame(sentence, &evidence.checks, ("ledger key", &action), blocks)
}

fn summary(evidence: &LedgerKeyEvidence) -> Vec<(String, Value)> {
    vec![
        fact("Ledger", exact(&evidence.origin)),
        fact("Old ledger key", exact(&evidence.old_vkey)),
        fact("New ledger key", exact(&evidence.new_vkey)),
        fact("Device", words(evidence.custody.to_string())),
        fact("Since", words(format!("{}, seq {}", moment(evidence.since.time), evidence.since.seq))),
        fact("Standby", exact(evidence.next_vkey_digest)),
        fact("Policy in force", Value::Digest(evidence.policy.digest.to_string())),
    ]
}
