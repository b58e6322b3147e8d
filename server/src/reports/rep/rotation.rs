//! The report of one rotation.

use sealbook_ledger::evidence::{CertificateFacts, KeyFacts, RotationEvidence};

use super::{Source, checks, day, exact, fact, step, tally, time, timeline, words};
use crate::reports::document::{Block, Column, Document, Mark, Scale, Span, Table, Value};
use crate::views::sentence::moment;

pub(super) fn document(source: &Source<'_>, evidence: &RotationEvidence) -> Document {
    let mut blocks = vec![Block::Section("Summary".to_owned()), Block::Facts(summary(source, evidence))];
    blocks.extend([Block::Section("Checks".to_owned()), checks(&evidence.checks)]);
    blocks.push(Block::Section("Timeline".to_owned()));
    blocks.extend(scale(evidence));
    blocks.push(timeline(steps(evidence)));
    blocks.push(Block::Section("Approvals".to_owned()));
    blocks.extend(source.decision(&evidence.decision));
    blocks.push(Block::Section("Keys".to_owned()));
    for key in &evidence.keys {
        blocks.push(Block::Subsection(which(evidence, key).to_owned()));
        blocks.push(Block::Facts(key_facts(key)));
    }
    blocks.push(Block::Section("Certificates".to_owned()));
    if evidence.certificates.is_empty() {
        let why = match evidence.policies.rotation.policy.certificate {
            None => "None: the slot's policy asks for no certificate, and its keys' ages count.",
            Some(_) => "None was issued before the rotation ended.",
        };
        blocks.push(Block::Text(why.to_owned()));
    }
    for certificate in &evidence.certificates {
        let key = evidence.keys.iter().find(|key| key.key == certificate.key);
        let name = key.map_or("Certificate", |key| which(evidence, key));
        blocks.push(Block::Subsection(name.replace("key", "key's certificate")));
        blocks.push(Block::Facts(certificate_facts(certificate)));
    }
    blocks.push(Block::Section("Canary".to_owned()));
    blocks.extend(canary(evidence));
    blocks.extend([Block::Section("Policies in force".to_owned()), Block::Facts(policies(evidence))]);
    blocks.push(Block::Section("Keys and digests to compare".to_owned()));
    blocks.extend(source.pins());
    let rotation = evidence.rotation_event.rotation.to_string();
    source.frame(sentence(evidence), &evidence.checks, ("rotation", &rotation), blocks)
}

fn sentence(evidence: &RotationEvidence) -> String {
    let (slot, steps) = (&evidence.rotation_event.slot, &evidence.steps);
    let how = if evidence.rotation_event.emergency { "by break-glass" } else { "under dual control" };
    let tally = tally(&evidence.checks);
    match (steps.cut_over, &evidence.rotation_event.failure) {
        (Some(cut), _) => format!("The key of {slot} was rotated on {} {how}; {tally}.", day(cut.time)),
        (None, Some(code)) => {
            format!(
                "The rotation of {slot} failed ({}); the old key stayed in charge; {tally}.",
                code.as_str()
            )
        }
        (None, None) => format!("The rotation of {slot} has not ended; {tally}."),
    }
}

fn which(evidence: &RotationEvidence, key: &KeyFacts) -> &'static str {
    if key.key == evidence.rotation_event.old_key { "The old key" } else { "The new key" }
}

fn summary(source: &Source<'_>, evidence: &RotationEvidence) -> Vec<(String, Value)> {
    let event = &evidence.rotation_event;
    let mut facts = vec![
        fact("Ledger", exact(&evidence.origin)),
        fact("Slot", exact(&event.slot)),
        fact("Owner", words(source.name(evidence.owner))),
        fact("Device", words(format!("{}; FIPS 140 certificate on record: none", evidence.backend))),
        fact("Rotation", exact(event.rotation)),
        fact("Correlation", exact(event.correlation_id)),
        fact("Old key", exact(event.old_key)),
    ];
    if let Some(key) = evidence.new_key() {
        facts.push(fact("New key", exact(key.key)));
        facts.push(fact("Algorithm", exact(key.algorithm)));
        facts.push(fact("New public key, SHA-256", Value::Digest(key.spki_sha256.to_string())));
    }
    if let Some(thumbprint) = event.new_certificate_thumbprint {
        facts.push(fact("New certificate, SHA-256", Value::Digest(thumbprint.to_string())));
    }
    if let Some(ends) = evidence.steps.overlap_ends_at {
        facts.push(fact("Overlap until", words(moment(ends))));
    }
    facts
}

/// Both keys and the overlap between them, to scale.
fn scale(evidence: &RotationEvidence) -> Option<Block> {
    let steps = &evidence.steps;
    let (cut, ends) = (steps.cut_over?.time, steps.overlap_ends_at?);
    let from = steps.proposed.time;
    let completed = steps.completed.map(|mark| mark.time);
    let to = completed.unwrap_or(ends).max(ends);
    let span = |name: &str, from, to, strong| Span { name: name.to_owned(), from, to, strong };
    let mut spans = vec![span("Old key", from, completed.unwrap_or(to), false)];
    if let Some(approved) = steps.approved {
        spans.push(span("Decision", from, approved.time, false));
    }
    if let Some(started) = steps.started {
        spans.push(span("Preparation", started.time, cut, true));
    }
    spans.extend([span("Overlap", cut, ends, true), span("New key", cut, to, true)]);
    Some(Block::Scale(Scale { from, to, names: (moment(from), moment(to)), spans }))
}

fn steps(evidence: &RotationEvidence) -> Vec<Vec<Value>> {
    let steps = &evidence.steps;
    let certificate = evidence.new_key().and_then(|key| evidence.certificate_of(key.key));
    let old = evidence.old_key().and_then(|key| evidence.certificate_of(key.key));
    let mut rows: Vec<Vec<Value>> = [
        step("Proposed", Some(steps.proposed)),
        step("Approved by the last", steps.approved),
        step("Began", steps.started),
        step("The device was asked for a key", steps.key_authorized),
        step("The key was made", steps.key_generated),
        step("Certificate requested", certificate.and_then(|certificate| certificate.requested)),
        step("Certificate recorded", certificate.map(|certificate| certificate.recorded)),
        step("Canary passed", steps.canary),
        step("Cutover", steps.cut_over),
        step("Confirmed by a client", steps.confirmed.as_ref().map(|confirmed| confirmed.mark)),
    ]
    .into_iter()
    .flatten()
    .collect();
    rows.extend(
        steps
            .channels
            .iter()
            .filter_map(|(name, moved)| step(&format!("Channel {name} moved"), Some(moved.mark))),
    );
    if let Some(ends) = steps.overlap_ends_at {
        rows.push(vec![words("Overlap ends"), time(ends), words("\u{2013}")]);
    }
    rows.extend(
        [
            step("Old key retired", steps.completed),
            step("Old certificate revoked as superseded", old.and_then(|old| old.revoked)),
            step("Failed", steps.failed),
        ]
        .into_iter()
        .flatten(),
    );
    rows
}

fn key_facts(key: &KeyFacts) -> Vec<(String, Value)> {
    let at = &key.attributes;
    let flag = |name: &str, holds: bool| format!("{name} {}", if holds { "true" } else { "false" });
    let attributes = [
        flag("CKA_SENSITIVE", at.sensitive),
        flag("CKA_ALWAYS_SENSITIVE", at.always_sensitive),
        flag("CKA_EXTRACTABLE", at.extractable),
        flag("CKA_NEVER_EXTRACTABLE", at.never_extractable),
        flag("CKA_LOCAL", at.local),
    ];
    let mut facts = vec![
        fact("Key", exact(key.key)),
        fact("Label in the device", exact(&key.label)),
        fact("Public key, SHA-256", Value::Digest(key.spki_sha256.to_string())),
        fact(
            if key.adopted { "Adopted" } else { "Made" },
            words(format!("{}, seq {}", moment(key.made.time), key.made.seq)),
        ),
        fact("Attributes, read back", exact(attributes.join(" \u{b7} "))),
        fact("Attestation", words("none: the device gave none")),
    ];
    let when = |name: &str, mark: Option<sealbook_ledger::evidence::Mark>| {
        mark.map(|mark| fact(name, words(format!("{}, seq {}", moment(mark.time), mark.seq))))
    };
    facts.extend(when("Active since", key.active));
    facts.extend(when("Retired", key.retired));
    facts.extend(when("Revoked", key.revoked));
    facts
}

fn certificate_facts(certificate: &CertificateFacts) -> Vec<(String, Value)> {
    let path = match (certificate.path_holds, certificate.imported) {
        (true, true) => "holds up to the last certificate of the chain from outside",
        (true, false) => "holds up to the root, or to what a CA elsewhere vouches for",
        (false, _) => "does not hold",
    };
    vec![
        fact("Subject", words(&certificate.subject)),
        fact("Issuer", words(&certificate.issuer)),
        fact("Serial number", exact(&certificate.serial)),
        fact(
            "Valid",
            words(format!("{} to {}", moment(certificate.not_before), moment(certificate.not_after))),
        ),
        fact("Path", words(format!("{path} ({} certificates)", certificate.path.len()))),
        fact("Certificate, SHA-256", Value::Digest(certificate.fingerprint.to_string())),
        fact("Recorded", words(format!("seq {}", certificate.recorded.seq))),
    ]
}

fn canary(evidence: &RotationEvidence) -> Vec<Block> {
    let canary = &evidence.canary;
    if canary.results.is_empty() {
        return vec![Block::Text("The rotation ended before its canary.".to_owned())];
    }
    let row = |result: &sealbook_ledger::evidence::CanaryResult| {
        vec![
            words(result.original.map_or_else(|| "own message".to_owned(), |seq| seq.to_string())),
            exact(result.digest.to_string().chars().take(32).collect::<String>()),
            words(result.outcome.map_or_else(|| "\u{2013}".to_owned(), |seq| seq.to_string())),
            Value::Mark(match result.verified {
                Some(true) => Mark::Pass,
                Some(false) => Mark::Fail,
                None => Mark::None,
            }),
        ]
    };
    vec![
        Block::Text(format!(
            "Before it took over, the new key signed what the slot had released last: {} signatures were made, {} verify \
             under the new key, {} do not or were not made. The digests are in canary.csv in full.",
            canary.signed, canary.verified, canary.failed
        )),
        Block::Table(Table {
            columns: vec![
                Column::numbers("Released at seq", 16),
                Column::new("Digest (its beginning)", 52),
                Column::numbers("Signed at seq", 16),
                Column::new("Verifies", 16),
            ],
            rows: canary.results.iter().map(row).collect(),
        }),
    ]
}

fn policies(evidence: &RotationEvidence) -> Vec<(String, Value)> {
    let policies = &evidence.policies;
    let digest = |hash: sealbook_ledger::encoding::Hash| Value::Digest(hash.to_string());
    vec![
        fact("Rotation policy", digest(policies.rotation.digest)),
        fact(
            "Its interval and overlap",
            words(format!(
                "{} days, {} days; set at seq {}",
                policies.rotation.policy.rotation_days,
                policies.rotation.policy.overlap_days,
                policies.rotation.since
            )),
        ),
        fact("Signing policy", digest(policies.signing.digest)),
        fact("Set at", words(format!("seq {}", policies.signing.since))),
        fact("Ledger policy", digest(policies.ledger.digest)),
        fact("In force since", words(format!("seq {}", policies.ledger.since))),
    ]
}
