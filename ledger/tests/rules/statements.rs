//! What an incident's statement says follows from the events, and nothing of its course can be left out.

use sealbook_ledger::action::{Params, RevocationReason, SlotParams};
use sealbook_ledger::command::{Containment, DocumentSubject, IncidentMove, IncidentOpening};
use sealbook_ledger::encoding::Hash;
use sealbook_ledger::event::{Actor, Event};
use sealbook_ledger::evidence::{CheckResult, Evidence, EvidenceError, Facts, IncidentEvidence, Sealed};
use sealbook_ledger::ids::{IncidentId, KeyId};
use sealbook_ledger::incident::{IncidentOutcome, IncidentStep};
use sealbook_ledger::payload::Payload;

use crate::support::*;

fn events(ledger: &Ledger) -> Vec<Event> {
    ledger.history.iter().map(|decided| decided.event.clone()).collect()
}

fn statement(events: &[Event], incident: IncidentId) -> Result<IncidentEvidence, EvidenceError> {
    let sealed = Sealed { root: Hash::ZERO, size: events.len() as u64 };
    match Evidence::new(&Facts::new(events)?, DocumentSubject::Incident(incident), sealed)? {
        Evidence::Incident(evidence) => Ok(*evidence),
        other => panic!("{other:?}"),
    }
}

fn result(evidence: &IncidentEvidence, id: &str) -> CheckResult {
    evidence.checks.iter().find(|check| check.id == id).map(|check| check.result).unwrap()
}

/// An incident to its end.
fn ended() -> (Ledger, KeyId, IncidentId) {
    let mut ledger = alert();
    let key = ledger.rotating_slot("releases", channelled());
    let incident = ledger.opened_about("releases", key);
    ledger.resolved("releases", key, incident);
    (ledger, key, incident)
}

#[test]
fn the_statement_about_an_incident_says_what_happened() {
    let (ledger, key, incident) = ended();
    let said = statement(&events(&ledger), incident).unwrap();
    for id in ["contained", "scoped", "rotated", "revoked", "advised", "resigned", "channels", "dual_control"]
    {
        assert_eq!(result(&said, id), CheckResult::Pass, "{id}: {:?}", said.checks);
    }
    assert_eq!((said.key.key, said.outcome), (key, Some(IncidentOutcome::Resolved)));
    assert_eq!(said.resigned.as_ref().and_then(|resigned| resigned.key), Some(said.replacement.unwrap().key));
    assert!(said.clocks.iter().all(|clock| clock.met == Some(true)), "{:?}", said.clocks);
    assert_eq!(said.decisions.len(), 4, "a slot, a rotation, a revocation, a resumption");
}

#[test]
fn no_step_of_an_incident_that_ended_can_be_left_out() {
    let (ledger, _, incident) = ended();
    let all = events(&ledger);
    let steps: Vec<usize> =
        (0..all.len()).filter(|at| all[*at].payload.incident() == Some(incident)).collect();
    assert!(steps.len() > 6);
    for at in steps {
        let mut left = all.clone();
        let gone = left.remove(at);
        match (&gone.payload, statement(&left, incident)) {
            (_, Err(error)) => assert_eq!(error.code(), "evidence.missing"),
            // Without its end it is one that goes on.
            (Payload::IncidentClosed(_), Ok(said)) => assert_eq!(said.outcome, None),
            (payload, Ok(_)) => panic!("{} was left out", payload.type_name()),
        }
    }
}

#[test]
fn the_clocks_of_a_false_alarm_that_was_none_go_on() {
    let mut ledger = alert();
    let key = ledger.rotating_slot("releases", channelled());
    let first = ledger.opened_about("releases", key);
    ledger.decree(Params::SlotResume(SlotParams { slot: slot_name("releases") }));
    ledger.moved(first, IncidentMove::Close(IncidentOutcome::FalseAlarm)).unwrap();
    ledger.wait(2 * DAY);
    let second = ledger.opened_about("releases", key);
    let said = statement(&events(&ledger), second).unwrap();
    let opened = ledger.now().incident(first).unwrap().opened;
    assert_eq!((said.follows, said.clocks_from.seq), (Some(first), opened.seq));
    assert_eq!(said.clocks[0].met, Some(false), "a day has passed since the first opening");
    let without: Vec<Event> =
        events(&ledger).into_iter().filter(|event| event.payload.incident() != Some(first)).collect();
    assert_eq!(statement(&without, second).unwrap_err().code(), "evidence.missing");
}

#[test]
fn what_was_counted_against_an_earlier_list_says_nothing_of_the_last_one() {
    let mut ledger = alert();
    let key = ledger.rotating_slot("releases", channelled());
    let incident = ledger.opened_about("releases", key);
    ledger.moved(incident, IncidentMove::Scope(ledger.found(2))).unwrap();
    ledger.replaced("releases");
    ledger.moved(incident, IncidentMove::Resign { resigned: 2, dropped: 0 }).unwrap();
    assert_eq!(result(&statement(&events(&ledger), incident).unwrap(), "resigned"), CheckResult::Pass);
    ledger.moved(incident, IncidentMove::Scope(ledger.found(2))).unwrap();
    assert_eq!(result(&statement(&events(&ledger), incident).unwrap(), "resigned"), CheckResult::None);
}

#[test]
fn a_suspension_that_the_opening_found_counts_and_one_after_a_resumption_takes_it_back() {
    let mut ledger = alert();
    let key = ledger.rotating_slot("releases", channelled());
    let contain = |ledger: &mut Ledger| {
        ledger.contain(0, Containment::Slot(slot_name("releases"))).unwrap();
    };
    contain(&mut ledger);
    let incident = ledger.opened_about("releases", key);
    let said = statement(&events(&ledger), incident).unwrap();
    assert!(said.contained.is_some_and(|taken| taken.mark.seq < said.opened.mark.seq));
    ledger.decree(Params::SlotResume(SlotParams { slot: slot_name("releases") }));
    assert!(statement(&events(&ledger), incident).unwrap().resumed.is_some());
    contain(&mut ledger);
    assert!(statement(&events(&ledger), incident).unwrap().resumed.is_none());
}

#[test]
fn a_revocation_before_the_opening_is_told_with_its_reason() {
    let mut ledger = alert();
    let key = ledger.rotating_slot("releases", channelled());
    ledger.revoke(key, RevocationReason::KeyCompromise, None);
    let incident = ledger.opened_about("releases", key);
    let said = statement(&events(&ledger), incident).unwrap();
    assert_eq!(said.revoked.map(|revoked| revoked.reason), Some(RevocationReason::KeyCompromise));
}

/// Asks two to answer within ten minutes, and for containment within one.
fn called(ledger: &mut Ledger) -> IncidentId {
    let key = ledger.rotating_slot("releases", channelled());
    let by = ledger.clock.plus_seconds(600);
    let targets = [(IncidentStep::Contained, 60), (IncidentStep::Scoped, 300)].into();
    let opening = IncidentOpening { acknowledge_by: Some(by), targets, ..plain_opening("releases", key) };
    ledger.moved(incident_id(1), IncidentMove::Open(opening)).unwrap();
    incident_id(1)
}

fn answers(ledger: &mut Ledger, incident: IncidentId, who: usize) {
    let who = Actor::Member(ledger.people[who].id);
    ledger.move_by(who, incident, IncidentMove::Acknowledge).unwrap();
}

#[test]
fn whoever_was_called_is_told_of_and_nobody_is_said_to_have_answered_who_has_not() {
    let mut ledger = alert();
    let incident = called(&mut ledger);
    let said = |ledger: &Ledger| {
        let said = statement(&events(ledger), incident).unwrap();
        assert_eq!(said.called, ledger.now().incident(incident).unwrap().called);
        (result(&said, "answered"), said.acknowledged.len())
    };
    assert_eq!(said(&ledger), (CheckResult::None, 0), "there is time");
    answers(&mut ledger, incident, 1);
    ledger.wait(700);
    ledger.moved(incident, IncidentMove::Note).unwrap();
    assert_eq!(said(&ledger), (CheckResult::None, 1), "no event says who was missed");
    ledger.move_by(Actor::System, incident, IncidentMove::Escalate).unwrap();
    assert_eq!(said(&ledger), (CheckResult::Fail, 1));
    answers(&mut ledger, incident, 2);
    assert_eq!(said(&ledger), (CheckResult::Fail, 2), "late is late");

    let mut ledger = alert();
    let incident = called(&mut ledger);
    answers(&mut ledger, incident, 1);
    answers(&mut ledger, incident, 2);
    ledger.wait(700);
    ledger.moved(incident, IncidentMove::Note).unwrap();
    assert_eq!(result(&statement(&events(&ledger), incident).unwrap(), "answered"), CheckResult::Pass);
}

#[test]
fn targets_are_met_or_missed_once_their_time_is_over() {
    let mut ledger = alert();
    let incident = called(&mut ledger);
    let said = |ledger: &Ledger| statement(&events(ledger), incident).unwrap();
    let met = |ledger: &Ledger, step| said(ledger).steps.iter().find(|one| one.step == step).unwrap().met;
    assert_eq!(met(&ledger, IncidentStep::Contained), Some(true));
    assert_eq!(met(&ledger, IncidentStep::Scoped), None);
    assert_eq!(met(&ledger, IncidentStep::Advised), None, "it has no target");
    assert_eq!(result(&said(&ledger), "targets"), CheckResult::None);
    ledger.wait(301);
    ledger.moved(incident, IncidentMove::Note).unwrap();
    assert_eq!(met(&ledger, IncidentStep::Scoped), Some(false));
    assert_eq!(result(&said(&ledger), "targets"), CheckResult::Fail);
}
