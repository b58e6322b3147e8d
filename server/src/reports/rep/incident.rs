//! The statement about an incident or drill, as one sends it to those who rely on the key: what happened and what they have
//! to do stands before how it was dealt with, and that before what proves it.

mod affected;
mod course;
mod wording;

use sealbook_ledger::action::Params;
use sealbook_ledger::evidence::{CheckResult, Decision, IncidentEvidence, KeyFacts};
use sealbook_ledger::incident::IncidentOutcome;

use super::{Source, checks, day, exact, fact, tally, words};
use crate::reports::document::{Block, Code, Document, Mark, Status, Value, Verification};
use crate::views::sentence::moment;
use crate::views::story::revocation;
use wording::{told, what_happened};

pub(super) fn document(source: &Source<'_>, evidence: &IncidentEvidence) -> Document {
    let mut blocks = vec![Block::Section("Summary".to_owned())];
    if evidence.drill {
        blocks.push(Block::Note(
            "This was a drill: the key was made to be practised on, and what it signed was made for the purpose. No \
             product is affected, and nobody has to do anything."
                .to_owned(),
        ));
    }
    blocks.extend(what_happened(source, evidence).into_iter().map(Block::Text));
    blocks.push(Block::Facts(summary(evidence)));
    blocks.push(Block::Section(if evidence.drill {
        "What those who rely on the key would have been told".to_owned()
    } else {
        "What those who rely on the key have to do".to_owned()
    }));
    blocks.extend(advisories(source, evidence));
    blocks.push(Block::Section("Timeline".to_owned()));
    blocks.extend(course::scale(evidence));
    blocks.push(course::timeline(source, evidence));
    blocks.push(Block::Section("Clocks and targets".to_owned()));
    blocks.extend(course::times(evidence));
    blocks.push(Block::Section("Who was called".to_owned()));
    blocks.extend(course::called(source, evidence));
    blocks.push(Block::Section("Affected signatures".to_owned()));
    blocks.extend(affected::affected(source, evidence));
    blocks.push(Block::Section("Keys".to_owned()));
    blocks.extend(keys(evidence));
    blocks.push(Block::Section("Approvals".to_owned()));
    blocks.extend(approvals(source, evidence));
    blocks.push(Block::Section("Checks".to_owned()));
    blocks.push(checks(&evidence.checks));
    blocks.push(Block::Section("What this document does not prove".to_owned()));
    blocks.extend(wording::limits(evidence).into_iter().map(|text| Block::Text(text.to_owned())));
    blocks.push(Block::Section("Keys and digests to compare".to_owned()));
    blocks.extend(pins(source, evidence));
    let what = if evidence.drill { "drill" } else { "incident" };
    let id = evidence.incident.to_string();
    Document {
        status: Some(status(evidence)),
        verification: Some(verification(source, evidence)),
        ..source.frame(sentence(evidence), &evidence.checks, (what, &id), blocks)
    }
}

/// What it came to: whether every check passes is said in the summary, where there is room to say which do not.
fn status(evidence: &IncidentEvidence) -> Status {
    let (mark, word) = match evidence.outcome {
        Some(IncidentOutcome::Resolved) => (Mark::Pass, "RESOLVED"),
        Some(IncidentOutcome::GivenUp) => (Mark::Pass, "GIVEN UP"),
        Some(IncidentOutcome::FalseAlarm) => (Mark::Pass, "FALSE ALARM"),
        None => (Mark::None, "OPEN"),
    };
    Status { mark, word: word.to_owned() }
}

/// The reader's first question: what happened, and is it over.
fn sentence(evidence: &IncidentEvidence) -> String {
    let (slot, opened) = (&evidence.slot, day(evidence.opened.mark.time));
    let began = match evidence.drill {
        false => format!("On {opened} the key of {slot} was suspected to be in other hands"),
        true => format!("A drill: on {opened} the key of {slot} was treated as if it were in other hands"),
    };
    let affected = match evidence.scope.as_ref().map(|scope| scope.count) {
        None => "which signatures are affected is not known yet".to_owned(),
        Some(0) => "no signature is affected".to_owned(),
        Some(1) => "1 signature may be affected".to_owned(),
        Some(count) => format!("{count} signatures may be affected"),
    };
    let closed = evidence.closed.as_ref().map(|closed| day(closed.mark.time)).unwrap_or_default();
    match evidence.outcome {
        Some(IncidentOutcome::FalseAlarm) => {
            format!("{began}. It was not: the alarm was called off on {closed}.")
        }
        Some(IncidentOutcome::GivenUp) => {
            format!("{began}. It is revoked, its slot was given up, and {affected}. Closed on {closed}.")
        }
        Some(IncidentOutcome::Resolved) => {
            format!("{began}. It is replaced and revoked, and {affected}. Closed on {closed}.")
        }
        None => format!(
            "{began}; {affected}. Work on it goes on: this is what was known on {}.",
            day(evidence.as_of)
        ),
    }
}

fn summary(evidence: &IncidentEvidence) -> Vec<(String, Value)> {
    let mut facts = vec![
        fact(if evidence.drill { "Drill" } else { "Incident" }, exact(evidence.incident)),
        fact("Slot", exact(&evidence.slot)),
        fact("Key, SHA-256", Value::Digest(evidence.key.spki_sha256.to_string())),
        fact(
            "Suspected since",
            words(evidence.suspected_since.map_or_else(|| "not known".to_owned(), moment)),
        ),
    ];
    if let Some(scope) = &evidence.scope {
        facts.push(fact("Affected signatures", words(scope.count.to_string())));
    }
    if let Some(revoked) = &evidence.revoked {
        facts.push(fact("Revoked as", words(revocation(revoked.reason))));
    }
    if let Some(key) = &evidence.replacement {
        facts.push(fact("Replaced by", Value::Digest(key.spki_sha256.to_string())));
    }
    facts.push(fact("As of", words(moment(evidence.as_of))));
    let failed = evidence.checks.iter().filter(|check| check.result == CheckResult::Fail);
    let failed: Vec<String> = failed.map(|check| format!("\u{201c}{}\u{201d}", check.claim)).collect();
    let which = if failed.is_empty() { String::new() } else { format!(". Failing: {}", failed.join(", ")) };
    facts.push(fact("Checks", words(format!("{}{which}", tally(&evidence.checks)))));
    facts
}

/// What was told to others, the last first: it counts.
fn advisories(source: &Source<'_>, evidence: &IncidentEvidence) -> Vec<Block> {
    if evidence.advised.is_empty() {
        return vec![Block::Text(match evidence.outcome {
            Some(IncidentOutcome::FalseAlarm) => "Nothing: it was a false alarm.".to_owned(),
            _ => "No advisory was recorded yet.".to_owned(),
        })];
    }
    let mut blocks = Vec::new();
    for taken in evidence.advised.iter().rev() {
        let at = format!("{}, by {}, seq {}", moment(taken.mark.time), told(source, taken), taken.mark.seq);
        match source.advisories.get(&taken.mark.seq) {
            Some(advisory) => {
                blocks.push(Block::Text(advisory.text.clone()));
                let facts = vec![fact("Advisory", words(&advisory.reference)), fact("Told", words(at))];
                blocks.push(Block::Facts(facts));
            }
            None => blocks.push(Block::Text(format!("Told on {at}; the text is withheld."))),
        }
    }
    blocks
}

fn keys(evidence: &IncidentEvidence) -> Vec<Block> {
    let mut facts = key_facts(&evidence.key);
    for certificate in &evidence.certificates {
        facts.push(fact("Certificate, serial number", exact(&certificate.serial)));
        facts.push(fact("That certificate, SHA-256", Value::Digest(certificate.fingerprint.to_string())));
    }
    if let Some(revoked) = &evidence.revoked {
        let since = match revoked.compromised_since {
            Some(since) => format!("from {} on", moment(since)),
            None => "at no time".to_owned(),
        };
        let name = if revoked.compromised_since.is_some() { "Not to be believed" } else { "To be believed" };
        facts.push(fact(name, words(since)));
        if let Some(list) = &revoked.listed {
            let issued = format!("number {}, issued {}", list.number, moment(list.mark.time));
            facts.push(fact("On revocation list", words(issued)));
            facts.push(fact("That list, SHA-256", Value::Digest(list.sha256.to_string())));
        }
    }
    let mut blocks = vec![Block::Subsection("The key that it is about".to_owned()), Block::Facts(facts)];
    if let Some(key) = &evidence.replacement {
        blocks.push(Block::Subsection("The key that took its place".to_owned()));
        blocks.push(Block::Facts(key_facts(key)));
    }
    blocks
}

fn key_facts(key: &KeyFacts) -> Vec<(String, Value)> {
    let mut facts = vec![
        fact("Key", exact(key.key)),
        fact("Algorithm", exact(key.algorithm)),
        fact("Device", words(key.backend.to_string())),
        fact("Public key, SHA-256", Value::Digest(key.spki_sha256.to_string())),
        fact("Made", words(format!("{}, seq {}", moment(key.made.time), key.made.seq))),
    ];
    let marks = [("Active since", key.active), ("Retired", key.retired), ("Revoked", key.revoked)];
    for (name, mark) in marks {
        facts.extend(mark.map(|mark| fact(name, words(format!("{}, seq {}", moment(mark.time), mark.seq)))));
    }
    facts
}

fn approvals(source: &Source<'_>, evidence: &IncidentEvidence) -> Vec<Block> {
    if evidence.decisions.is_empty() {
        return vec![Block::Text("Nothing was decided by a quorum.".to_owned())];
    }
    let mut blocks = vec![Block::Text(
        "Who proposed or approved has signed the whole document with a passkey (WebAuthn). The receipt of each event \
         below, receipts/<seq>.tlog-proof in the pack, holds that signature; those of the enrolments hold the keys. \
         sealbook-verify makes the check \u{201c}dual_control\u{201d} again from them."
            .to_owned(),
    )];
    for (number, decision) in evidence.decisions.iter().enumerate() {
        blocks.push(Block::Subsection(format!("Approval {}: {}", number + 1, title_of(decision))));
        blocks.push(Block::Facts(vec![fact("Action", exact(decision.action))]));
        blocks.extend(source.decision(decision));
    }
    blocks
}

/// What was decided; others than these three are no part of an incident's course.
fn title_of(decision: &Decision) -> String {
    match &decision.document.params {
        Params::KeyRotate(_) => "another key for the slot".to_owned(),
        Params::KeyRotateEmergency(_) => "another key for the slot, at once".to_owned(),
        Params::KeyRevoke(_) | Params::KeyRevokeEmergency(_) => "revocation of the key".to_owned(),
        Params::SlotResume(_) => "the slot signs again".to_owned(),
        _ => decision.kind.to_string().replace(['_', '.'], " "),
    }
}

fn pins(source: &Source<'_>, evidence: &IncidentEvidence) -> Vec<Block> {
    let mut blocks = vec![Block::Codes(vec![
        Code { name: "Ledger key (vkey)".to_owned(), text: source.vkey.to_string() },
        Code { name: "evidence.json, SHA-256".to_owned(), text: source.digest.to_string() },
    ])];
    let mut facts = vec![
        fact("Ledger", exact(&evidence.origin)),
        fact("Checkpoint", words(format!("of {} events", evidence.sealed.size))),
        fact("Its root hash", Value::Digest(evidence.sealed.root.to_string())),
        fact("Correlation", exact(evidence.correlation_id)),
    ];
    if let Some(scope) = &evidence.scope {
        facts.push(fact("affected.jsonl, SHA-256", Value::Digest(scope.list.to_string())));
    }
    blocks.push(Block::Facts(facts));
    blocks
}

fn verification(source: &Source<'_>, evidence: &IncidentEvidence) -> Verification {
    let tenant = source.tenant;
    let mut verification = source.verification();
    verification.commands = vec![
        format!("cat {tenant}.vkey"),
        format!("sealbook-verify statement.zip --vkey @{tenant}.vkey"),
        "unzip -p statement.zip evidence.json | sha256sum".to_owned(),
    ];
    if evidence.scope.is_some() && source.affected.is_some() {
        verification.commands.push("unzip -p statement.zip affected.jsonl | sha256sum".to_owned());
    }
    verification
}
