//! What must be said of a mutated bundle, told from the two archives alone.

use std::collections::BTreeSet;

use sealbook_ledger::checkpoint::SignedCheckpoint;
use sealbook_ledger::verify::{Failure, Layer, LayerReport, Place, Report, Verdict};
use serde_json::Value;

use super::Mutated;
use super::genuine::Genuine;
use super::reading::{Reading, lines};
use crate::ledger::{ORIGIN, vkey_of};

/// What a mutation came to.
pub enum Finding {
    /// It was found where it is.
    Located,
    /// It changed nothing that the bundle says, for these reasons.
    Harmless(BTreeSet<&'static str>),
}

/// Why a changed bundle may be valid. Whatever is not listed here must be found.
const FOR_READING: &str =
    "manifest.json and vkeys.txt are for people: no verdict depends on them (format §8)";
const REDACTED: &str = "a disclosure left out is redacted, and counted (format §6)";
const DISCLOSURES_MOVED: &str = "disclosures are found by their digests, whatever their order";
const NOT_CHECKED: &str = "a message left out is counted as not checked (format §8)";
const OTHER_SIGNATURES: &str =
    "signatures of unknown keys, and the order of known ones, are ignored (C2SP signed-note)";
const GENUINE_CHECKPOINT: &str = "another checkpoint that the ledger's key signed over the very same events";
const HEADERS: &str = "owner, mode, time and spelling in a header: another tool packed it";
const ZEROS: &str = "zeros behind the end are what tapes are padded with";

pub fn finding(genuine: &Genuine, mutated: &Mutated, report: &Report) -> Result<Finding, String> {
    let reading = Reading::of(&mutated.archive);
    match report.verdict() {
        Verdict::Valid => harmless(genuine, mutated, reading, report).map(Finding::Harmless),
        Verdict::Invalid => located(genuine, mutated, reading, report).map(|()| Finding::Located),
        Verdict::CantJudge => Err("nobody can judge it".to_owned()),
    }
}

fn harmless(
    genuine: &Genuine,
    mutated: &Mutated,
    reading: Option<Reading>,
    report: &Report,
) -> Result<BTreeSet<&'static str>, String> {
    let original = Reading::of(&genuine.tar).unwrap();
    let reading = reading.ok_or("valid, and no tar for another reader")?;
    let report = serde_json::to_value(report).unwrap();
    let mut reasons = BTreeSet::new();
    if reading.member("events.jsonl") != original.member("events.jsonl") {
        return Err("valid, and other events".to_owned());
    }
    for name in ["manifest.json", "vkeys.txt"] {
        if reading.member(name) != original.member(name) {
            reasons.insert(FOR_READING);
        }
    }
    disclosures(&original, &reading, &report, &mut reasons)?;
    attachments(&original, &reading, &report, &mut reasons)?;
    checkpoints(genuine, &reading, &mut reasons)?;
    let known = |name: &&str| {
        ["manifest.json", "vkeys.txt", "checkpoint", "disclosures.jsonl", "events.jsonl"].contains(name)
            || name.starts_with("transitions/")
            || name.starts_with("attachments/")
    };
    if let Some(stranger) = reading.names().into_iter().find(|name| !known(name)) {
        return Err(format!("valid, and there is a {stranger}"));
    }
    if reasons.is_empty() {
        if reading.members != original.members {
            return Err("valid, and its members differ".to_owned());
        }
        reasons.insert(beside_the_members(genuine, &mutated.archive)?);
    }
    Ok(reasons)
}

/// The members are the same: what differs lies in their headers, or is zeros behind the end.
fn beside_the_members(genuine: &Genuine, archive: &[u8]) -> Result<&'static str, String> {
    let headers = genuine.headers();
    let (kept, more) = archive.split_at(genuine.tar.len().min(archive.len()));
    if kept.len() < genuine.tar.len() || more.iter().any(|&byte| byte != 0) {
        return Err("valid, and something is behind its end".to_owned());
    }
    let differs = |&at: &usize| kept[at] != genuine.tar[at];
    let header = |at: usize| headers.iter().any(|&begins| (begins..begins + 512).contains(&at));
    if let Some(at) = (0..kept.len()).filter(differs).find(|&at| !header(at)) {
        return Err(format!("valid, and byte {at}, in no header, is another"));
    }
    Ok(if kept == genuine.tar { ZEROS } else { HEADERS })
}

fn disclosures(
    original: &Reading,
    reading: &Reading,
    report: &Value,
    reasons: &mut BTreeSet<&'static str>,
) -> Result<(), String> {
    let (was, is) = (original.lines("disclosures.jsonl"), reading.lines("disclosures.jsonl"));
    let all: BTreeSet<&Vec<u8>> = was.iter().collect();
    let left: BTreeSet<&Vec<u8>> = is.iter().collect();
    if left.len() != is.len() || !left.is_subset(&all) {
        return Err("valid, and other disclosures".to_owned());
    }
    if report["disclosures"]["redacted"] != was.len() - is.len() {
        return Err("redactions are not counted".to_owned());
    }
    if is.len() < was.len() {
        reasons.insert(REDACTED);
    } else if is != was {
        reasons.insert(DISCLOSURES_MOVED);
    }
    Ok(())
}

fn attachments(
    original: &Reading,
    reading: &Reading,
    report: &Value,
    reasons: &mut BTreeSet<&'static str>,
) -> Result<(), String> {
    let (was, is) = (original.folder("attachments/"), reading.folder("attachments/"));
    if is.iter().any(|one| !was.contains(one)) {
        return Err("valid, and other attachments".to_owned());
    }
    if report["signatures"]["not_checked"] != was.len() - is.len() {
        return Err("messages that are missing are not counted".to_owned());
    }
    if is.len() < was.len() {
        reasons.insert(NOT_CHECKED);
    }
    Ok(())
}

/// Every note must be one that the ledger's keys signed over these very events.
fn checkpoints(
    genuine: &Genuine,
    reading: &Reading,
    reasons: &mut BTreeSet<&'static str>,
) -> Result<(), String> {
    let mut notes = reading.folder("transitions/");
    if !notes.iter().any(|(size, _)| *size == genuine.rotated.to_string()) {
        return Err("valid without its transition".to_owned());
    }
    notes.push((genuine.parts.events.len().to_string(), reading.member("checkpoint").to_vec()));
    for (size, note) in notes {
        let size: usize = size.parse().map_err(|_| format!("valid, with transitions/{size}"))?;
        let read =
            SignedCheckpoint::parse(&note).map_err(|error| format!("valid, with a bad note: {error}"))?;
        let stated = read.checkpoint();
        let right = stated.size == size as u64
            && stated.origin == ORIGIN.parse().unwrap()
            && stated.root == genuine.root_at(size)
            && genuine.keys_at(size).iter().all(|key| read.verify(&vkey_of(key)).is_ok());
        if !right {
            return Err(format!("valid, with a checkpoint of size {size} that nobody signed"));
        }
        let ours = genuine.sealed_at(size).into_bytes();
        let in_bundle = size == genuine.rotated || size == genuine.parts.events.len();
        if lines(&note) != lines(&ours) {
            reasons.insert(OTHER_SIGNATURES);
        } else if !in_bundle || reading.folder("transitions/").len() > genuine.parts.transitions.len() {
            reasons.insert(GENUINE_CHECKPOINT);
        }
    }
    Ok(())
}

fn located(
    genuine: &Genuine,
    mutated: &Mutated,
    reading: Option<Reading>,
    report: &Report,
) -> Result<(), String> {
    let failures: Vec<&Failure> = Layer::ALL
        .iter()
        .filter_map(|&layer| match report.layer(layer) {
            LayerReport::Invalid(failure) => Some(failure),
            LayerReport::Valid(_) | LayerReport::NotChecked(_) => None,
        })
        .collect();
    let original = Reading::of(&genuine.tar).unwrap();
    match reading.filter(|reading| reading.names() == original.names()) {
        Some(reading) => located_in_members(genuine, mutated, &original, &reading, &failures),
        None => located_in_archive(genuine, mutated, &failures),
    }
}

/// Another reader finds the same members, and some of them hold something else.
fn located_in_members(
    genuine: &Genuine,
    mutated: &Mutated,
    original: &Reading,
    reading: &Reading,
    failures: &[&Failure],
) -> Result<(), String> {
    let changed: Vec<&str> = original
        .names()
        .into_iter()
        .filter(|name| original.member(name) != reading.member(name))
        .filter(|name| !["manifest.json", "vkeys.txt"].contains(name))
        .collect();
    let whole =
        failures.iter().find(|failure| failure.layer() == Layer::Bytes && *failure.place() == Place::Whole);
    if let Some(whole) = whole {
        // The first member that is not a bundle's is named, whatever lies behind it.
        let structural = ["bundle.header", "bundle.residue", "bundle.truncated", "bundle.too_large"];
        let named = changed.iter().any(|name| whole.reason().contains(name));
        return if named || structural.contains(&whole.rule()) {
            Ok(())
        } else {
            Err(format!("{changed:?} differ, and none of them is named"))
        };
    }
    let disclosed = located_in_disclosures(original, reading, failures);
    if changed.contains(&"events.jsonl") {
        let events = reading.lines("events.jsonl");
        let at = (first_difference(&genuine.parts.events, &events), events.len() as u64);
        return located_at(genuine, mutated, failures, at).or_else(|why| match (changed.len(), disclosed) {
            (2.., Some(Ok(()))) => Ok(()),
            (2.., _) => located_in_notes(genuine, failures).map_err(|_| why),
            _ => Err(why),
        });
    }
    disclosed.unwrap_or_else(|| located_in_notes(genuine, failures))
}

/// The archive can't be read by others either, or holds other members. The first byte that differs tells what has to be
/// named: its event, or that the archive or a note is not what a bundle has.
fn located_in_archive(genuine: &Genuine, mutated: &Mutated, failures: &[&Failure]) -> Result<(), String> {
    let offset = genuine.tar.iter().zip(&mutated.archive).take_while(|(was, is)| was == is).count();
    let begins = genuine.tar.len() - 1024 - genuine.parts.events_len().next_multiple_of(512);
    if offset >= begins && offset < begins + genuine.parts.events_len() {
        let before = &genuine.tar[begins..offset];
        let at = before.iter().filter(|&&byte| byte == b'\n').count() as u64;
        // Nothing of the first event is there, so that none is known to be missing.
        if at == 0 && failures.iter().any(|failure| failure.rule() == "bundle.truncated") {
            return Ok(());
        }
        // How many events are left nobody can tell: the place is named as if there were none behind it.
        return located_at(genuine, mutated, failures, (at, at));
    }
    let named = |failure: &&&Failure| [Layer::Bytes, Layer::Seals].contains(&failure.layer());
    failures
        .iter()
        .find(named)
        .map(|_| ())
        .ok_or("neither the archive nor the seals are said to be broken".to_owned())
}

fn first_difference(was: &[Vec<u8>], is: &[Vec<u8>]) -> u64 {
    let same = was.iter().zip(is).take_while(|(was, is)| was == is).count();
    same as u64
}

/// An event is named itself, or the one behind it whose link breaks. Where every link was computed anew, some place
/// before which nothing is sealed; where only a root differs, the range since the last good checkpoint.
fn located_at(
    genuine: &Genuine,
    mutated: &Mutated,
    failures: &[&Failure],
    (at, events): (u64, u64),
) -> Result<(), String> {
    let mut found = false;
    let behind = at + 1 < events;
    for failure in failures {
        match *failure.place() {
            Place::Event { seq, .. } if seq < at => {
                return Err(format!("event {at} differs, and event {seq} is accused"));
            }
            // Whatever changes an event breaks the link of the next one: no range is an answer where there is one.
            Place::Range { .. } if !mutated.relinked && behind => {}
            Place::Event { seq, .. } if mutated.relinked => found |= genuine.sealed_before(seq) <= at,
            Place::Event { seq, .. } => found |= seq <= at + 1,
            Place::Range { from, to } if to < at => {
                return Err(format!("event {at} differs, and events {from} to {to} are accused"));
            }
            Place::Range { from, .. } => found |= from <= at,
            Place::Whole => {}
        }
    }
    if found { Ok(()) } else { Err(format!("event {at} differs, and nothing tells where")) }
}

/// The event that a line says it belongs to. `None` where no line differs.
fn located_in_disclosures(
    original: &Reading,
    reading: &Reading,
    failures: &[&Failure],
) -> Option<Result<(), String>> {
    let (was, is) = (original.lines("disclosures.jsonl"), reading.lines("disclosures.jsonl"));
    if was == is {
        return None;
    }
    let count = |lines: &[Vec<u8>], line: &Vec<u8>| lines.iter().filter(|other| *other == line).count();
    let different = |line: &&Vec<u8>| count(&was, line) != count(&is, line);
    let seq_of = |line: &Vec<u8>| serde_json::from_slice::<Value>(line).ok()?["seq"].as_u64();
    let seqs: BTreeSet<u64> = was.iter().chain(&is).filter(different).filter_map(seq_of).collect();
    let bytes =
        failures.iter().find(|failure| failure.layer() == Layer::Bytes).map(|failure| failure.place());
    Some(match bytes {
        Some(Place::Event { seq, .. }) if seqs.contains(seq) => Ok(()),
        place => Err(format!("disclosures of {seqs:?} differ, and the place is {place:?}")),
    })
}

/// Checkpoints are named as such, or by the event after which two keys sign; no other event is accused.
fn located_in_notes(genuine: &Genuine, failures: &[&Failure]) -> Result<(), String> {
    let seals = failures.iter().find(|failure| failure.layer() == Layer::Seals);
    let seals = seals.ok_or("something differs, and neither seals nor archive say so")?;
    let rotation = genuine.rotated as u64 - 1;
    match *seals.place() {
        // A checkpoint that somebody filed as a transition of that size.
        Place::Event { seq, .. } if seq != rotation && !seals.rule().starts_with("signature.") => {
            Err(format!("only notes differ, and event {seq} is accused"))
        }
        Place::Event { .. } | Place::Range { .. } | Place::Whole => Ok(()),
    }
}
