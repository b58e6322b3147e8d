//! Checkpoints and transitions that were changed, cut, left out or brought from elsewhere.

use integration::bundle::Bundle;
use integration::verifier::Pinned;

use crate::{Place, assert_found, genuine};

/// Flips a bit of the last signature of a note.
fn flip_signature(note: &mut [u8]) {
    let at = note.len() - 6;
    note[at] = if note[at] == b'A' { b'B' } else { b'A' };
}

fn transition() -> String {
    genuine().bundle.names("transitions/").remove(0)
}

fn size_of(note: &str) -> usize {
    note.lines().nth(1).unwrap().parse().unwrap()
}

/// From the last root that two keys have signed to the end.
fn since_the_rotation() -> Place {
    let rotated = genuine().bundle.of_type("ledger.key_rotated")[0];
    Place::Range(rotated + 1, genuine().bundle.events().len() - 1)
}

/// The bundle as it was when `checkpoint` was its newest: what somebody shows who wants the rest forgotten.
fn cut(bundle: &mut Bundle, checkpoint: &str) {
    let size = size_of(checkpoint);
    let events = bundle.events()[..size].to_vec();
    bundle.set_events(&events);
    *bundle.member_mut("checkpoint") = checkpoint.as_bytes().to_vec();
    let kept = bundle.lines("disclosures.jsonl").into_iter().filter(|line| {
        let line: serde_json::Value = serde_json::from_slice(line).unwrap();
        line["seq"].as_u64().unwrap() < size as u64
    });
    bundle.set_lines("disclosures.jsonl", &kept.collect::<Vec<_>>());
    bundle.members().retain(|(name, _)| {
        name.strip_prefix("transitions/").is_none_or(|at| at.parse::<usize>().unwrap() <= size)
    });
}

#[test]
fn a_checkpoint_or_transition_with_a_flipped_bit_has_no_signature() {
    let judged = genuine().tampered(|bundle| flip_signature(bundle.member_mut("checkpoint")));
    assert_found("the checkpoint", &judged, "seals", "signature.invalid", Place::Whole);
    let rotated = genuine().bundle.of_type("ledger.key_rotated")[0];
    let judged = genuine().tampered(|bundle| flip_signature(bundle.member_mut(&transition())));
    assert_found("the transition", &judged, "seals", "signature.invalid", Place::Event(rotated));
}

#[test]
fn a_change_of_the_ledger_key_without_its_transition_is_not_followed() {
    let rotated = genuine().bundle.of_type("ledger.key_rotated")[0];
    let judged = genuine().tampered(|bundle| bundle.members().retain(|(name, _)| *name != transition()));
    assert_found("no transition", &judged, "seals", "seals.transition_missing", Place::Event(rotated));
}

#[test]
fn the_tail_cut_off_is_found_against_a_newer_checkpoint() {
    let genuine = genuine();
    let mut older = genuine.bundle.clone();
    cut(&mut older, &genuine.halfway);
    let missing = Place::Range(older.events().len(), genuine.bundle.clone().events().len() - 1);
    let older = older.to_tar();
    // By itself it is what the ledger once was.
    genuine.judged_by(&older, &genuine.pinned).assert_valid();
    let known = Some(genuine.file(genuine.newest.as_bytes()));
    let judged = genuine.judged_by(&older, &Pinned { known, ..genuine.pinned.clone() });
    assert_found("a cut tail", &judged, "seals", "seals.known_larger", missing);
    // The whole ledger extends what it was.
    let known = Some(genuine.file(genuine.halfway.as_bytes()));
    let pinned = Pinned { known, ..genuine.pinned.clone() };
    genuine.judged_by(&genuine.bundle.to_tar(), &pinned).assert_valid();
}

#[test]
fn the_tail_cut_off_under_the_newest_checkpoint_is_found_at_once() {
    let judged = genuine().tampered(|bundle| {
        let mut events = bundle.events();
        events.pop();
        bundle.set_events(&events);
    });
    assert_found("a cut tail", &judged, "seals", "seals.size", since_the_rotation());
}

#[test]
fn an_older_checkpoint_over_all_events_does_not_fit() {
    let halfway = genuine().halfway.clone();
    let Place::Range(rotated, last) = since_the_rotation() else { unreachable!() };
    let beyond = Place::Range(size_of(&halfway).min(rotated), last);
    let judged = genuine().tampered(|bundle| *bundle.member_mut("checkpoint") = halfway.into_bytes());
    assert_found("an older checkpoint", &judged, "seals", "seals.size", beyond);
}
