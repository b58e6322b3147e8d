//! Events that were changed, dropped, added, moved or made up.

use integration::bundle::Bundle;
use serde_json::Value;

use crate::{Place, assert_found, genuine};

type Tamper = Box<dyn Fn(&mut Bundle)>;

/// What is done, which layer notices, by which rule, and where.
type Row = (&'static str, Tamper, &'static str, &'static str, Place);

fn on_events(change: impl Fn(&mut Vec<Vec<u8>>) + 'static) -> Tamper {
    Box::new(move |bundle| {
        let mut events = bundle.events();
        change(&mut events);
        bundle.set_events(&events);
    })
}

/// Changes one event as a value, and writes it in its canonical form again.
pub fn edit(bundle: &mut Bundle, seq: usize, change: impl Fn(&mut Value)) {
    let mut events = bundle.events();
    let mut event = serde_json::from_slice(&events[seq]).unwrap();
    change(&mut event);
    events[seq] = serde_json::to_vec(&event).unwrap();
    bundle.set_events(&events);
}

/// Another character in the place of the `at`th of a text.
pub fn altered(text: &str, at: usize) -> Value {
    let other = if text.as_bytes()[at] == b'A' { "B" } else { "A" };
    let mut text = text.to_owned();
    text.replace_range(at..=at, other);
    text.into()
}

fn on_event(seq: usize, change: impl Fn(&mut Value) + Copy + 'static) -> Tamper {
    Box::new(move |bundle| edit(bundle, seq, change))
}

fn first(kind: &str) -> usize {
    genuine().bundle.of_type(kind)[0]
}

#[test]
fn whatever_is_done_to_the_events_is_found_at_its_place() {
    let approved = first("action.approved");
    let suspended = first("slot.suspended");
    let created = first("signature.created");
    let last = genuine().bundle.events().len() - 1;
    let foreign = |event: &mut Value| event["origin"] = "sealbook.localhost/other".into();
    let rows: Vec<Row> = vec![
        (
            "a bit flipped so that the text stays canonical",
            on_event(approved, |e| e["correlation"] = "01934f00-0000-7000-8000-000000000000".into()),
            "chain",
            "chain.prev",
            Place::Event(approved + 1),
        ),
        (
            "a bit flipped so that it does not",
            on_events(move |e| e[approved][0] ^= 1),
            "bytes",
            "bytes.not_canonical",
            Place::Event(approved),
        ),
        (
            "a space slipped in",
            on_events(move |e| e[approved].insert(1, b' ')),
            "bytes",
            "bytes.not_canonical",
            Place::Event(approved),
        ),
        (
            "an event dropped",
            on_events(move |e| drop(e.remove(suspended))),
            "chain",
            "chain.seq",
            Place::Event(suspended),
        ),
        (
            "an event repeated",
            on_events(move |e| e.insert(suspended, e[suspended - 1].clone())),
            "chain",
            "chain.seq",
            Place::Event(suspended),
        ),
        (
            "two events swapped",
            on_events(move |e| e.swap(suspended, suspended + 1)),
            "chain",
            "chain.seq",
            Place::Event(suspended),
        ),
        ("the first event dropped", on_events(|e| drop(e.remove(0))), "chain", "chain.seq", Place::Event(0)),
        (
            "an event of another ledger",
            on_event(approved, foreign),
            "chain",
            "chain.origin",
            Place::Event(approved),
        ),
        (
            "a member that no event has",
            on_event(approved, |e| e["extra"] = 1.into()),
            "bytes",
            "bytes.envelope",
            Place::Event(approved),
        ),
        (
            "a member that the type has not",
            on_event(approved, |e| e["data"]["extra"] = 1.into()),
            "rules",
            "data.form",
            Place::Event(approved),
        ),
        (
            "a type that does not exist",
            on_event(approved, |e| e["type"] = "action.applauded".into()),
            "rules",
            "type.unknown",
            Place::Event(approved),
        ),
        (
            "a version that does not exist",
            on_event(approved, |e| e["v"] = 2.into()),
            "bytes",
            "bytes.version",
            Place::Event(approved),
        ),
        (
            "a time with an offset",
            on_event(approved, |e| e["time"] = "2026-11-22T00:00:00.000000+00:00".into()),
            "bytes",
            "bytes.envelope",
            Place::Event(approved),
        ),
        (
            "a null in the place of a value",
            on_event(approved, |e| e["data"]["role"] = Value::Null),
            "rules",
            "data.form",
            Place::Event(approved),
        ),
        (
            "the last event changed",
            on_event(last, |e| e["correlation"] = "01934f00-0000-7000-8000-000000000000".into()),
            "seals",
            "seals.root",
            Place::Range(first("ledger.key_rotated") + 1, last),
        ),
        (
            "a signature exchanged",
            on_event(created, |e| e["data"]["digest"] = "00".repeat(32).into()),
            "chain",
            "chain.prev",
            Place::Event(created + 1),
        ),
    ];
    for (what, tamper, layer, rule, place) in rows {
        let judged = genuine().tampered(tamper);
        assert_found(what, &judged, layer, rule, place);
    }
}

/// The forger recomputes every later link: only what the ledger key signed, and what people signed, gives them away.
#[test]
fn a_forgery_with_every_link_recomputed_is_found_by_the_seals() {
    let bundle = &genuine().bundle;
    let rotated = first("ledger.key_rotated");
    let last = bundle.events().len() - 1;
    let authorized = bundle.of_type("signature.authorized");
    let (early, late) = (authorized[0], *authorized.last().unwrap());
    for (seq, rule, place) in [
        (early, "seals.transition_root", Place::Range(0, rotated)),
        (late, "seals.root", Place::Range(rotated + 1, last)),
    ] {
        let judged = genuine().tampered(|bundle| {
            edit(bundle, seq, |event| event["data"]["environment"] = "staging".into());
            bundle.relink(seq + 1);
        });
        assert_eq!((judged.layer("bytes"), judged.layer("chain")), ("valid", "valid"), "{:#}", judged.report);
        assert_found("a forged authorisation", &judged, "seals", rule, place);
    }
}

#[test]
fn an_event_dropped_with_every_link_recomputed_is_found_by_the_seals() {
    let (suspended, rotated) = (first("slot.suspended"), first("ledger.key_rotated"));
    let judged = genuine().tampered(|bundle| {
        let mut events = bundle.events();
        events.remove(suspended);
        bundle.set_events(&events);
        bundle.relink(suspended);
    });
    assert_eq!(judged.layer("chain"), "valid", "{:#}", judged.report);
    assert_found("a dropped event", &judged, "seals", "seals.transition_missing", Place::Event(rotated - 1));
}

#[test]
fn an_approval_that_its_person_did_not_sign_is_named_by_the_rules() {
    let approved = first("action.approved");
    let judged = genuine().tampered(|bundle| {
        edit(bundle, approved, |event| {
            let signature = event["data"]["signature"].as_str().unwrap().to_owned();
            event["data"]["signature"] = altered(&signature, 20);
        });
        bundle.relink(approved + 1);
    });
    assert_found("an approval", &judged, "rules", "assertion.invalid", Place::Event(approved));
    assert_eq!(judged.layer("seals"), "invalid");
}

#[test]
fn an_approval_moved_to_another_person_is_named_by_the_rules() {
    let approvals = genuine().bundle.of_type("action.approved");
    let other = genuine().bundle.parsed()[approvals[1]]["data"]["member"].clone();
    let judged = genuine().tampered(|bundle| {
        let other = other.clone();
        edit(bundle, approvals[0], move |event| {
            event["actor"]["id"] = other.clone();
            event["data"]["member"] = other.clone();
        });
        bundle.relink(approvals[0] + 1);
    });
    let failure = judged.failure("rules");
    assert_eq!(
        (judged.code, failure["seq"].as_u64()),
        (Some(1), Some(approvals[0] as u64)),
        "{:#}",
        judged.report
    );
}

#[test]
fn a_released_signature_that_does_not_hold_is_named_by_its_event() {
    let created = *genuine().bundle.of_type("signature.created").last().unwrap();
    let judged = genuine().tampered(|bundle| {
        edit(bundle, created, |event| {
            let signature = event["data"]["signature"].as_str().unwrap().to_owned();
            event["data"]["signature"] = altered(&signature, 20);
        });
        bundle.relink(created + 1);
    });
    assert_found("a signature", &judged, "signatures", "signature.does_not_hold", Place::Event(created));
    assert_eq!(judged.layer("seals"), "invalid");
}
