//! A history of rules version 4: every type of event that came with it, and what a forger can't change in one.

use sealbook_ledger::command::{
    Document, DocumentOutcome, DocumentSubject, IncidentMove, IncidentOpening, RotationCommand,
};
use sealbook_ledger::encoding::{B64, Hash};
use sealbook_ledger::event::Actor;
use sealbook_ledger::incident::IncidentStep;
use sealbook_ledger::payload::Payload;

use super::forged::{Harmless, surprises};
use crate::support::*;

/// Beyond what is harmless under version 1.
const HARMLESS: &[Harmless] = &[
    ("document.authorized", "/data/expires_at", "any life of at most ten minutes"),
    ("incident.advised", "/data/incident", "whoever may take the steps of one may take those of the other"),
    ("incident.closed", "/data/outcome", "two outcomes that may both be true"),
    ("incident.noted", "/data/incident", "a note"),
    ("incident.opened", "/data/acknowledge_by", "any time to answer, within a day"),
    ("incident.opened", "/data/incident", "its id is first known by this event"),
    ("incident.opened", "/data/key", "any key of the slot"),
    ("incident.opened", "/data/targets", "what the opener asks for"),
    ("incident.opened", "/data/targets/scoped", "what the opener asks for"),
    ("incident.resigned", "/data/dropped", "a number that only the whole ledger tells"),
    ("incident.resigned", "/data/resigned", "a number that only the whole ledger tells"),
    ("incident.scoped", "/data/count", "a number that only the whole ledger tells"),
    ("incident.scoped", "/data/first", "a number that only the whole ledger tells"),
    ("incident.scoped", "/data/last", "a number that only the whole ledger tells"),
    ("incident.scoped", "/data/list", "the digest of a list that the whole ledger makes"),
    ("incident.scoped", "/data/size", "any size so far"),
    ("rep.issued", "/data/sha256", "the digest of a document that is kept, and given out with the event"),
    ("rep.issued", "/data/signature", "verified by the layer `signatures`"),
    ("rep.issued", "/data/size", "the length of that document"),
    ("rotation.canary_recorded", "/data/results", "a list of signatures, which are events themselves"),
];

/// A history with every type of event that came with version 4: an incident, and a drill.
fn story() -> Ledger {
    let mut ledger = alert();
    ledger.evidence_key();
    let key = ledger.rotating_slot("releases", channelled());
    let incident = incident_id(ledger.fresh());
    let acknowledge_by = Some(ledger.clock.plus_seconds(600));
    let targets = [(IncidentStep::Scoped, 900)].into();
    let opening = IncidentOpening { acknowledge_by, targets, ..plain_opening("releases", key) };
    ledger.moved(incident, IncidentMove::Open(opening)).unwrap();
    let other = Actor::Member(ledger.people[1].id);
    ledger.move_by(other, incident, IncidentMove::Acknowledge).unwrap();
    ledger.move_by(other, incident, IncidentMove::Note).unwrap();
    ledger.wait(600);
    ledger.move_by(Actor::System, incident, IncidentMove::Escalate).unwrap();
    ledger.moved(incident, IncidentMove::Scope(ledger.found(2))).unwrap();
    ledger.moved(incident, IncidentMove::Withdraw(channel("stable"))).unwrap();
    ledger.replaced("releases");
    ledger.moved(incident, IncidentMove::Resign { resigned: 2, dropped: 0 }).unwrap();
    ledger.moved(incident, IncidentMove::Reinstate(channel("stable"))).unwrap();
    ledger.resolved("releases", key, incident);
    let about = Document::Pack(DocumentSubject::Incident(incident));
    let authorize =
        RotationCommand::AuthorizeDocument { about, asked_by: None, manifest: Hash::ZERO, life_s: 60 };
    let authorization = ledger.step(authorize).unwrap()[0].seq;
    let outcome = DocumentOutcome::Signed { signature: B64(vec![9; 70]), sha256: Hash::ZERO, size: 1000 };
    ledger.step(RotationCommand::SettleDocument { authorization, outcome }).unwrap();
    ledger.drill_slot("drill");
    ledger.sampled("drill", 7);
    ledger
}

#[test]
fn the_story_holds_every_type_of_version_4_and_replays() {
    let ledger = story();
    let seen: std::collections::BTreeSet<&str> =
        ledger.history.iter().map(|one| one.event.payload.type_name()).collect();
    let missing: Vec<&str> = Payload::types_since(4).filter(|name| !seen.contains(name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert_eq!(format!("{:?}", ledger.replayed()), format!("{:?}", ledger.state));
    let kept = sealbook_ledger::snapshot::to_vec(&ledger.state).unwrap();
    let read = sealbook_ledger::snapshot::from_slice(&kept).unwrap();
    assert_eq!(format!("{read:?}"), format!("{:?}", ledger.state));
}

#[test]
fn a_changed_value_of_version_4_is_refused_at_its_place_or_known_to_be_harmless() {
    let surprises = surprises(&story(), HARMLESS);
    assert!(surprises.is_empty(), "accepted, and not listed as harmless:\n{surprises:#?}");
}
