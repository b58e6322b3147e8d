//! The list of affected signatures that an incident's pack brings along: it is the one that the event names, or the pack is
//! refused.

use sealbook_ledger::blast_radius::{Affected, BlastRadius, Extent, Fact};
use sealbook_ledger::command::{DocumentSubject, FoundScope, IncidentMove};
use sealbook_ledger::evidence::{AFFECTED, MAX_AFFECTED};
use sealbook_ledger::ids::{IncidentId, KeyId, Seq};
use sealbook_ledger::payload::Payload;
use sealbook_ledger::verify::{Layer, Report, Style, Verdict, render};

use crate::packs::{Parts, file};
use crate::support::*;

/// Everything that the key was asked for, as the ledger's own events say.
fn affected(ledger: &Ledger, key: KeyId) -> Vec<Affected> {
    let mut list = BlastRadius::new(key, None);
    ledger.history.iter().filter_map(|decided| Fact::of(&decided.event)).for_each(|fact| list.take_in(fact));
    std::iter::from_fn(|| list.next_at_end()).collect()
}

fn written(lines: &[Affected]) -> Vec<u8> {
    let mut bytes = Vec::new();
    lines.iter().for_each(|line| line.write_line(&mut bytes).unwrap());
    bytes
}

/// A drill about a key with some samples, and how it is scoped.
fn practised() -> (Ledger, KeyId, IncidentId) {
    let mut ledger = alert();
    let key = ledger.drill_slot("practice");
    for number in 1..=4 {
        ledger.sampled("practice", number);
    }
    let incident = ledger.opened_about("practice", key);
    (ledger, key, incident)
}

/// What was found, where it is this list.
fn found(ledger: &Ledger, lines: &[Affected]) -> FoundScope {
    let mut extent = Extent::default();
    for line in lines {
        extent.add(line).unwrap();
    }
    let bounds = extent.first().zip(extent.last()).map(|((first, _), (last, _))| (first, last));
    FoundScope {
        count: extent.count(),
        bounds,
        list: extent.digest(),
        since: None,
        size: ledger.state.size(),
    }
}

/// The pack of the drill whose scope names some list, with that list in it.
fn packed(change: impl FnOnce(&mut Vec<Affected>)) -> Parts {
    let (mut ledger, key, incident) = practised();
    let mut lines = affected(&ledger, key);
    assert_eq!(lines.len(), 4);
    change(&mut lines);
    let scope = found(&ledger, &lines);
    ledger.moved(incident, IncidentMove::Scope(scope)).unwrap();
    let mut parts = Parts::of(ledger, DocumentSubject::Incident(incident));
    parts.files.push(file(AFFECTED, "application/jsonl", &written(&lines)));
    parts
}

fn reason(report: &Report) -> String {
    assert_eq!(report.verdict(), Verdict::Invalid, "{}", render(report, Style::Plain));
    let failure = report.failure().unwrap();
    assert_eq!((failure.layer(), failure.rule()), (Layer::Rules, "pack.evidence"));
    failure.reason().to_owned()
}

/// Why a pack is refused whose list was changed after the event had named it.
fn changed(change: impl FnOnce(&mut Parts)) -> String {
    let mut parts = packed(|_| {});
    change(&mut parts);
    reason(&parts.judged())
}

#[test]
fn a_pack_with_the_list_that_its_event_names_is_valid_and_says_so() {
    let report = packed(|_| {}).judged();
    assert_eq!(report.verdict(), Verdict::Valid, "{}", render(&report, Style::Plain));
    let notes = report.notes().join("\n");
    assert!(notes.contains("affected.jsonl is the list of 4 affected signatures"), "{notes}");
}

#[test]
fn a_key_that_signed_nothing_has_a_list_too_without_lines() {
    let mut ledger = alert();
    let key = ledger.drill_slot("practice");
    let incident = ledger.opened_about("practice", key);
    let scope = found(&ledger, &[]);
    ledger.moved(incident, IncidentMove::Scope(scope)).unwrap();
    let mut parts = Parts::of(ledger, DocumentSubject::Incident(incident));
    assert!(reason(&parts.judged()).contains("is missing"));
    parts.files.push(file(AFFECTED, "application/jsonl", b""));
    assert_eq!(parts.judged().verdict(), Verdict::Valid);
}

#[test]
fn a_list_that_is_missing_changed_or_shortened_is_refused() {
    assert!(changed(|parts| parts.without(AFFECTED)).contains("is missing"));
    let other = |change: fn(&mut Vec<u8>)| changed(|parts| change(&mut parts.file(AFFECTED).bytes));
    let named = "is not the list that event";
    assert!(other(|bytes| bytes.push(b'\n')).contains(named));
    assert!(other(|bytes| bytes.truncate(bytes.len() - 1)).contains(named));
    assert!(other(|bytes| bytes.truncate(bytes.len() / 2)).contains(named));
    assert!(other(|bytes| bytes[20] ^= 1).contains(named));
    assert!(other(Vec::clear).contains(named));
    let retyped = |parts: &mut Parts| parts.file(AFFECTED).media_type = "text/plain".parse().unwrap();
    assert!(changed(retyped).contains(named));
}

#[test]
fn a_list_that_its_event_names_and_that_events_of_the_pack_deny_is_refused() {
    let denied = |change: fn(&mut Vec<Affected>)| reason(&packed(change).judged());
    let says = "says something else than it";
    assert!(denied(|lines| drop(lines.remove(1))).contains(says), "one is left out");
    assert!(denied(|lines| lines[1].ended = None).contains(says), "its outcome is left out");
    assert!(denied(|lines| lines[2].digest.0[0] ^= 1).contains(says), "something else was signed");
    let another = |lines: &mut Vec<Affected>| {
        let seq = Seq::new(lines[0].authorization.get() - 1).unwrap();
        lines.insert(0, Affected { authorization: seq, ended: None, ..lines[0].clone() });
    };
    assert!(denied(another).contains(says), "one that nobody asked for");
    assert!(denied(|lines| lines.swap(0, 1)).contains("does not come after"));
}

#[test]
fn numbers_that_are_not_those_of_the_list_are_refused() {
    let (mut ledger, key, incident) = practised();
    let lines = affected(&ledger, key);
    let mut scope = found(&ledger, &lines);
    scope.count = 3;
    ledger.moved(incident, IncidentMove::Scope(scope)).unwrap();
    let mut parts = Parts::of(ledger, DocumentSubject::Incident(incident));
    parts.files.push(file(AFFECTED, "application/jsonl", &written(&lines)));
    assert!(reason(&parts.judged()).contains("not as many lines"));
}

#[test]
fn a_list_that_is_too_long_for_a_pack_is_told_of_and_stays_out() {
    let mut parts = packed(|_| {});
    // No ledger of this size here: its event says so.
    let (event, bytes) = parts
        .events
        .iter_mut()
        .find(|(event, _)| matches!(event.payload, Payload::IncidentScoped(_)))
        .unwrap();
    if let Payload::IncidentScoped(scoped) = &mut event.payload {
        scoped.count = MAX_AFFECTED + 1;
    }
    *bytes = event.to_bytes().unwrap();
    let list = parts.files.pop().unwrap();
    parts.files = parts.made_of(|_| true);
    let report = parts.judged();
    assert_eq!(report.verdict(), Verdict::Valid, "{}", render(&report, Style::Plain));
    let notes = report.notes().join("\n");
    assert!(
        notes.contains("the list of 100001 affected signatures") && notes.contains("too long"),
        "{notes}"
    );
    parts.files.push(list);
    assert!(reason(&parts.judged()).contains("nothing explains"));
}
