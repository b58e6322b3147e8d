//! The statement about an incident or drill, as one sends it to those who rely on the key.

use sealbook_ledger::event::Actor;
use sealbook_ledger::evidence::{Clock, Decision, IncidentEvidence, KeyFacts, Taken};
use sealbook_ledger::incident::IncidentOutcome;

use super::{Source, checks, day, exact, fact, time, words};
use crate::reports::document::{Block, Column, Document, Mark, Scale, Span, Table, Value};
use crate::views::sentence::moment;
use crate::views::story::revocation;

pub(super) fn document(source: &Source<'_>, evidence: &IncidentEvidence) -> Document {
    let mut blocks = vec![Block::Section("Summary".to_owned())];
    if evidence.drill {
        blocks.push(Block::Note(
            "This was a drill: the key was made to be practised on, and what it signed was made for the purpose. No \
             product is affected."
                .to_owned(),
        ));
    }
    blocks.push(Block::Facts(summary(evidence)));
    blocks.push(Block::Section("What was told to those who rely on the key".to_owned()));
    blocks.extend(advisories(source, evidence));
    blocks.push(Block::Section("Timeline".to_owned()));
    blocks.extend(scale(evidence));
    blocks.push(timeline(source, evidence));
    blocks.push(Block::Section("Clocks".to_owned()));
    blocks.push(clocks(evidence));
    blocks.push(Block::Section("Affected signatures".to_owned()));
    blocks.extend(affected(evidence));
    blocks.push(Block::Section("Keys".to_owned()));
    blocks.push(Block::Subsection("The key that is not to be believed".to_owned()));
    let mut facts = key_facts(&evidence.key);
    for certificate in &evidence.certificates {
        facts.push(fact("Certificate, serial number", exact(&certificate.serial)));
        facts.push(fact("That certificate, SHA-256", Value::Digest(certificate.fingerprint.to_string())));
    }
    blocks.push(Block::Facts(facts));
    if let Some(key) = &evidence.replacement {
        blocks.push(Block::Subsection("The key that took its place".to_owned()));
        blocks.push(Block::Facts(key_facts(key)));
    }
    blocks.push(Block::Section("Approvals".to_owned()));
    if evidence.decisions.is_empty() {
        blocks.push(Block::Text("Nothing was decided by a quorum.".to_owned()));
    }
    for decision in &evidence.decisions {
        blocks.push(Block::Subsection(title_of(decision)));
        blocks.extend(source.decision(decision));
    }
    blocks.push(Block::Section("Checks".to_owned()));
    blocks.push(checks(&evidence.checks));
    blocks.push(Block::Section("Keys and digests to compare".to_owned()));
    blocks.extend(source.pins());
    let what = if evidence.drill { "drill" } else { "incident" };
    let id = evidence.incident.to_string();
    source.frame(sentence(evidence), &evidence.checks, (what, &id), blocks)
}

/// The reader's first question: what happened, and is it over.
fn sentence(evidence: &IncidentEvidence) -> String {
    let (slot, opened) = (&evidence.slot, day(evidence.opened.mark.time));
    let count = evidence.scope.as_ref().map(|scope| scope.count);
    let affected = match count {
        None => "which signatures are affected is not known yet".to_owned(),
        Some(0) => "no signature is affected".to_owned(),
        Some(1) => "1 signature may be affected".to_owned(),
        Some(count) => format!("{count} signatures may be affected"),
    };
    match (evidence.outcome, &evidence.closed) {
        (Some(IncidentOutcome::FalseAlarm), Some(closed)) => format!(
            "On {opened} the key of {slot} was suspected to be in other hands. It was not: the alarm was called off on {}.",
            day(closed.mark.time)
        ),
        (Some(IncidentOutcome::GivenUp), Some(closed)) => format!(
            "On {opened} the key of {slot} was suspected to be in other hands. It is revoked, its slot was given up, and \
             {affected}. Closed on {}.",
            day(closed.mark.time)
        ),
        (Some(IncidentOutcome::Resolved), Some(closed)) => format!(
            "On {opened} the key of {slot} was suspected to be in other hands. It is replaced and revoked, and {affected}. \
             Closed on {}.",
            day(closed.mark.time)
        ),
        _ => format!(
            "On {opened} the key of {slot} was suspected to be in other hands; {affected}. Work on it goes on."
        ),
    }
}

fn summary(evidence: &IncidentEvidence) -> Vec<(String, Value)> {
    let mut facts = vec![
        fact("Ledger", exact(&evidence.origin)),
        fact(if evidence.drill { "Drill" } else { "Incident" }, exact(evidence.incident)),
        fact("Slot", exact(&evidence.slot)),
        fact("Key", exact(evidence.key.key)),
    ];
    if let Some(since) = evidence.suspected_since {
        facts.push(fact("Suspected since", words(moment(since))));
    }
    if let Some(scope) = &evidence.scope {
        facts.push(fact("Affected signatures", words(scope.count.to_string())));
    }
    if let Some(revoked) = &evidence.revoked {
        facts.push(fact("Revoked as", words(revocation(revoked.reason))));
        if let Some(since) = revoked.compromised_since {
            facts.push(fact("Not to be believed from", words(moment(since))));
        }
        if let Some(list) = &revoked.listed {
            facts.push(fact(
                "On revocation list",
                words(format!("number {}, issued {}", list.number, moment(list.mark.time))),
            ));
            facts.push(fact("That list, SHA-256", Value::Digest(list.sha256.to_string())));
        }
    }
    if let Some(key) = &evidence.replacement {
        facts.push(fact("Replaced by", exact(key.key)));
    }
    facts.push(fact("Correlation", exact(evidence.correlation_id)));
    facts
}

fn advisories(source: &Source<'_>, evidence: &IncidentEvidence) -> Vec<Block> {
    if evidence.advised.is_empty() {
        return vec![Block::Text("Nobody was told yet.".to_owned())];
    }
    let mut blocks = Vec::new();
    for taken in &evidence.advised {
        let at = format!("{}, seq {}", moment(taken.mark.time), taken.mark.seq);
        match source.advisories.get(&taken.mark.seq) {
            Some(advisory) => {
                let facts = vec![fact("Advisory", words(&advisory.reference)), fact("Published", words(at))];
                blocks.extend([Block::Facts(facts), Block::Text(advisory.text.clone())]);
            }
            None => blocks.push(Block::Text(format!("Told on {at}; its text is withheld."))),
        }
    }
    blocks
}

/// From the opening to the end, each step where it was taken.
fn scale(evidence: &IncidentEvidence) -> Option<Block> {
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
        until("To scope", evidence.scope.as_ref().map(|scope| &scope.taken), false),
        until("To another key", evidence.rotated.as_ref(), true),
        until("To revocation", evidence.revoked.as_ref().map(|revoked| &revoked.taken), true),
        until("To advisory", evidence.advised.first(), false),
        until("To the end", evidence.closed.as_ref(), false),
    ];
    let spans = spans.into_iter().flatten().collect();
    Some(Block::Scale(Scale { from, to, names: (moment(from), moment(to)), spans }))
}

fn timeline(source: &Source<'_>, evidence: &IncidentEvidence) -> Block {
    let taken = [
        ("Opened", Some(&evidence.opened)),
        ("Contained: the slot signs nothing", evidence.contained.as_ref()),
        ("Affected signatures found", evidence.scope.as_ref().map(|scope| &scope.taken)),
        ("Another key took over", evidence.rotated.as_ref()),
        ("Signed again or given up", evidence.resigned.as_ref().map(|resigned| &resigned.taken)),
        ("Revoked", evidence.revoked.as_ref().map(|revoked| &revoked.taken)),
        ("Signs again", evidence.resumed.as_ref()),
        ("Closed", evidence.closed.as_ref()),
    ];
    let mut steps: Vec<(String, &Taken)> =
        taken.into_iter().filter_map(|(name, taken)| Some((name.to_owned(), taken?))).collect();
    for taken in &evidence.advised {
        steps.push(("Told to those who rely on it".to_owned(), taken));
    }
    for (name, channel) in &evidence.channels {
        steps.push((format!("Withdrawn from channel {name}"), &channel.withdrawn));
        if let Some(reinstated) = &channel.reinstated {
            steps.push((format!("Replacements in channel {name}"), reinstated));
        }
    }
    steps.sort_by_key(|(_, taken)| taken.mark.seq);
    let row = |(name, taken): (String, &Taken)| {
        vec![
            words(name),
            words(actor(source, taken)),
            time(taken.mark.time),
            words(taken.mark.seq.to_string()),
        ]
    };
    Block::Table(Table {
        columns: vec![
            Column::new("Step", 38),
            Column::new("By", 27),
            Column::new("When, UTC", 25),
            Column::numbers("Seq", 10),
        ],
        rows: steps.into_iter().map(row).collect(),
    })
}

fn actor(source: &Source<'_>, taken: &Taken) -> String {
    match (taken.by, taken.action) {
        (_, Some(_)) => "a quorum, see Approvals".to_owned(),
        (Actor::Member(member), None) => source.name(member),
        (Actor::Service(_), None) => "a service".to_owned(),
        (Actor::System, None) => "the server".to_owned(),
    }
}

fn clocks(evidence: &IncidentEvidence) -> Block {
    let row = |clock: &Clock| {
        let claim = match clock.id {
            "revoked" => "Revoked within 24 hours",
            _ => "Closed within 5 days",
        };
        let mark = match clock.met {
            Some(true) => Mark::Pass,
            Some(false) => Mark::Fail,
            None => Mark::None,
        };
        vec![words(claim), time(clock.due), Value::Mark(mark)]
    };
    Block::Table(Table {
        columns: vec![Column::new("Clock", 45), Column::new("Due, UTC", 35), Column::new("Met", 20)],
        rows: evidence.clocks.iter().map(row).collect(),
    })
}

fn affected(evidence: &IncidentEvidence) -> Vec<Block> {
    let Some(scope) = &evidence.scope else {
        return vec![Block::Text("It was not recorded which signatures are affected.".to_owned())];
    };
    let from = scope
        .since
        .map_or_else(|| "since the key was made".to_owned(), |since| format!("from {} on", moment(since)));
    let mut facts = vec![fact("Counted", words(from)), fact("Signatures", words(scope.count.to_string()))];
    if let (Some(first), Some(last)) = (scope.first, scope.last) {
        facts.push(fact("Authorised between", words(format!("seq {first} and seq {last}"))));
    }
    facts.push(fact("The list, SHA-256", Value::Digest(scope.list.to_string())));
    facts.push(fact("Events looked through", words(scope.size.to_string())));
    if let Some(resigned) = &evidence.resigned {
        facts.push(fact("Signed again", words(resigned.resigned.to_string())));
        facts.push(fact("Given up", words(resigned.dropped.to_string())));
    }
    vec![
        Block::Text(
            "Every signature that the key was authorised to make counts, also where its outcome is not known. The list names \
             each with its artifact's digest; where it is part of this pack, it is affected.jsonl."
                .to_owned(),
        ),
        Block::Facts(facts),
    ]
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

fn title_of(decision: &Decision) -> String {
    let text = decision.kind.to_string().replace(['_', '.'], " ");
    let mut letters = text.chars();
    let first: String = letters.next().map(|letter| letter.to_uppercase().collect()).unwrap_or_default();
    format!("{first}{}", letters.as_str())
}
