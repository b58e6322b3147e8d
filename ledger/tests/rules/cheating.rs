//! What an insider, or somebody with a stolen token, might try in an incident.

use sealbook_ledger::action::{Params, RevocationReason, SigningApproveParams, SlotParams, SlotPolicyParams};
use sealbook_ledger::command::{
    Command, Containment, DocumentSubject, FoundScope, IncidentMove, IncidentOpening,
};
use sealbook_ledger::encoding::{Hash, HexBytes};
use sealbook_ledger::event::{Actor, Event};
use sealbook_ledger::evidence::{CheckResult, Evidence, Facts, IncidentEvidence, Sealed};
use sealbook_ledger::ids::{ActionId, IncidentId, KeyId};
use sealbook_ledger::incident::{IncidentOutcome, IncidentStep, MAX_NOTES};
use sealbook_ledger::payload::{ClearanceUse, Payload};
use sealbook_ledger::policy::{Environment, Role};
use sealbook_ledger::rotation::RotationPolicy;
use sealbook_ledger::rule::Rule;
use sealbook_ledger::trust_root::TrustRoot;

use crate::support::*;

fn resume() -> Params {
    Params::SlotResume(SlotParams { slot: slot_name("releases") })
}

fn statement(ledger: &Ledger, incident: IncidentId) -> IncidentEvidence {
    let events: Vec<Event> = ledger.history.iter().map(|one| one.event.clone()).collect();
    let sealed = Sealed { root: Hash::ZERO, size: events.len() as u64 };
    let about = DocumentSubject::Incident(incident);
    match Evidence::new(&Facts::new(&events).unwrap(), about, sealed).unwrap() {
        Evidence::Incident(evidence) => *evidence,
        other => panic!("{other:?}"),
    }
}

fn result(evidence: &IncidentEvidence, id: &str) -> CheckResult {
    evidence.checks.iter().find(|check| check.id == id).unwrap().result
}

/// An action that its approvers let begin only later.
fn approved_for_later(ledger: &mut Ledger, params: Params, role: Role, seats: &[Role]) -> ActionId {
    let mut document = ledger.document(0, params);
    document.execute_at = Some(ledger.clock.plus_seconds(7200));
    let action = document.action;
    let command = ledger.proposal(0, role, document);
    ledger.run(command).unwrap();
    for (person, seat) in seats.iter().enumerate() {
        ledger.approve(person + 1, *seat, action).unwrap();
    }
    action
}

/// A slot that signs for production what the change board approves, and an approval of one digest.
fn clearing(ledger: &mut Ledger) -> Params {
    let mut signing_policy = ledger.now().slot(&slot_name("releases")).unwrap().signing_policy.clone();
    signing_policy.approval = [Environment::Production].into();
    ledger.decree(Params::SlotPolicySet(SlotPolicyParams { signing_policy, slot: slot_name("releases") }));
    Params::SigningApprove(SigningApproveParams {
        artifact_name_digest: None,
        artifact_ticket_digest: None,
        artifact_version_digest: None,
        digest: HexBytes(vec![5; 32]),
        environment: Environment::Production,
        slot: slot_name("releases"),
    })
}

fn voided(events: &[Event]) -> Vec<ActionId> {
    let voided = events.iter().filter_map(|event| match &event.payload {
        Payload::ActionVoided(p) => Some(p.action),
        _ => None,
    });
    voided.collect()
}

#[test]
fn what_was_approved_before_an_incident_lifts_no_containment_of_it() {
    let (mut ledger, key) = releases();
    ledger.contain(0, Containment::Slot(slot_name("releases"))).unwrap();
    let seats = [Role::SecurityReviewer, Role::Approver];
    let stale = approved_for_later(&mut ledger, resume(), Role::PlatformAdmin, &seats);
    ledger.decree(resume());
    let opening = ledger.opening_about("releases", key);
    let events = ledger.moved(incident_id(1), opening).unwrap();
    assert_eq!(voided(&events), [stale]);
    ledger.wait(7300);
    assert!(ledger.begin(stale).is_err());
    let close = IncidentMove::Close(IncidentOutcome::FalseAlarm);
    assert_eq!(ledger.moved(incident_id(1), close).unwrap_err(), Rule::IncidentOpen);
}

#[test]
fn what_the_change_board_approved_before_an_incident_is_asked_of_it_again() {
    let (mut ledger, key) = releases();
    let service = ledger.service(&["releases"]);
    let params = clearing(&mut ledger);
    let later = approved_for_later(&mut ledger, params.clone(), Role::KeyOwner, &[Role::ChangeBoard]);
    let mut document = ledger.document(0, params);
    document.expires_at = ledger.clock.plus_seconds(20 * DAY);
    let cleared = document.action;
    let command = ledger.proposal(0, Role::KeyOwner, document);
    ledger.run(command).unwrap();
    ledger.approve(1, Role::ChangeBoard, cleared).unwrap();
    ledger.begin(cleared).unwrap();
    let opening = ledger.opening_about("releases", key);
    let events = ledger.moved(incident_id(1), opening).unwrap();
    assert_eq!(voided(&events), [later]);
    ledger.resolved("releases", key, incident_id(1));
    // Nor does it come back with the end.
    let mut request = ledger.request("releases", 32);
    request.digest = HexBytes(vec![5; 32]);
    request.clearance = Some(ClearanceUse { action: cleared, index: 0, proof: vec![] });
    assert_eq!(rule_of(ledger.authorize(service, request).unwrap_err()), Rule::SigningApproval);
}

#[test]
fn what_nobody_had_to_do_misses_no_target() {
    let mut ledger = alert();
    let key = ledger.rotating_slot("releases", RotationPolicy::of_days(90, 7));
    let targets = IncidentStep::ALL.into_iter().map(|step| (step, 400_000)).collect();
    let opening = IncidentOpening { targets, ..plain_opening("releases", key) };
    ledger.moved(incident_id(1), IncidentMove::Open(opening)).unwrap();
    ledger.resolved("releases", key, incident_id(1));
    let said = statement(&ledger, incident_id(1));
    assert_eq!((result(&said, "targets"), said.verdict), (CheckResult::Pass, CheckResult::Pass));
}

#[test]
fn a_slot_that_signs_is_not_given_up() {
    let (mut ledger, key) = releases();
    let incident = ledger.opened_about("releases", key);
    ledger.moved(incident, IncidentMove::Scope(ledger.found(2))).unwrap();
    ledger.moved(incident, IncidentMove::Withdraw(channel("stable"))).unwrap();
    ledger.replaced("releases");
    ledger.moved(incident, IncidentMove::Resign { resigned: 0, dropped: 2 }).unwrap();
    ledger.revoke(key, RevocationReason::KeyCompromise, None);
    ledger.moved(incident, IncidentMove::Advise).unwrap();
    ledger.decree(resume());
    let close = IncidentMove::Close(IncidentOutcome::GivenUp);
    assert_eq!(ledger.moved(incident, close.clone()).unwrap_err(), Rule::IncidentOpen);
    ledger.contain(0, Containment::Slot(slot_name("releases"))).unwrap();
    ledger.moved(incident, close).unwrap();
}

#[test]
fn talk_neither_stops_an_incident_nor_hides_who_was_missed() {
    let (mut ledger, key) = releases();
    let acknowledge_by = Some(ledger.clock.plus_seconds(600));
    let opening = IncidentOpening { acknowledge_by, ..plain_opening("releases", key) };
    ledger.moved(incident_id(1), IncidentMove::Open(opening)).unwrap();
    for _ in 1..MAX_NOTES {
        ledger.moved(incident_id(1), IncidentMove::Note).unwrap();
    }
    assert_eq!(ledger.moved(incident_id(1), IncidentMove::Note).unwrap_err(), Rule::IncidentForm);
    ledger.wait(700);
    ledger.move_by(Actor::System, incident_id(1), IncidentMove::Escalate).unwrap();
    ledger.resolved("releases", key, incident_id(1));
}

#[test]
fn nobody_looks_for_less_than_is_suspected() {
    let (mut ledger, key) = releases();
    ledger.wait(3600);
    let suspected_since = Some(earlier(ledger.clock, 60));
    let opening = IncidentOpening { suspected_since, ..plain_opening("releases", key) };
    let incident = incident_id(1);
    ledger.moved(incident, IncidentMove::Open(opening)).unwrap();
    let narrow = FoundScope { since: Some(ledger.clock), ..ledger.found(0) };
    assert_eq!(ledger.moved(incident, IncidentMove::Scope(narrow)).unwrap_err(), Rule::IncidentForm);
    let as_suspected = FoundScope { since: suspected_since, ..ledger.found(0) };
    ledger.moved(incident, IncidentMove::Scope(as_suspected)).unwrap();
    let (withdraw, reinstate) =
        (IncidentMove::Withdraw(channel("stable")), IncidentMove::Reinstate(channel("stable")));
    ledger.moved(incident, withdraw.clone()).unwrap();
    ledger.moved(incident, reinstate.clone()).unwrap();
    ledger.moved(incident, withdraw).unwrap();
    // The opener alone says since when: a quorum that names no time means all that there was.
    ledger.revoke(key, RevocationReason::KeyCompromise, None);
    assert_eq!(ledger.moved(incident, reinstate).unwrap_err(), Rule::IncidentStep);
    let resign = IncidentMove::Resign { resigned: 0, dropped: 0 };
    assert_eq!(ledger.moved(incident, resign).unwrap_err(), Rule::IncidentStep);
    let left = ledger.now().steps_left(ledger.now().incident(incident).unwrap(), ledger.clock);
    assert!(left.contains(&IncidentStep::Scoped));
    let said = statement(&ledger, incident);
    assert_eq!((result(&said, "scoped"), said.verdict), (CheckResult::Fail, CheckResult::Fail));
    ledger.moved(incident, IncidentMove::Scope(FoundScope { since: None, ..ledger.found(2) })).unwrap();
    assert_eq!(result(&statement(&ledger, incident), "scoped"), CheckResult::Pass);
}

#[test]
fn only_compromise_counts_as_revoked_whenever_it_was() {
    let (mut ledger, key) = releases();
    let incident = ledger.opened_about("releases", key);
    ledger.revoke(key, RevocationReason::Superseded, None);
    let said = statement(&ledger, incident);
    assert_eq!(result(&said, "revoked"), CheckResult::None);
    assert!(ledger.now().incident(incident).unwrap().revoked.is_none());

    let (mut ledger, key) = releases();
    ledger.revoke(key, RevocationReason::KeyCompromise, None);
    let incident = ledger.opened_about("releases", key);
    let revoked = ledger.now().incident(incident).unwrap().revoked;
    let said = statement(&ledger, incident);
    assert_eq!(said.clocks[0].met, Some(true));
    assert_eq!(revoked.map(|mark| mark.seq), said.revoked.map(|revoked| revoked.taken.mark.seq));
}

#[test]
fn a_key_that_is_suspected_itself_replaces_nothing() {
    let (mut ledger, key) = releases();
    let incident = ledger.opened_about("releases", key);
    ledger.moved(incident, IncidentMove::Scope(ledger.found(2))).unwrap();
    let second = ledger.replaced("releases");
    ledger.opened_about("releases", second);
    let resign = IncidentMove::Resign { resigned: 2, dropped: 0 };
    assert_eq!(ledger.moved(incident, resign).unwrap_err(), Rule::IncidentStep);
}

fn generating(ledger: &Ledger, name: &str) -> KeyId {
    let made =
        |key: &sealbook_ledger::slot::Key| key.slot.as_str() == name && key.state_name() == "generating";
    *ledger.now().keys().iter().find(|(_, key)| made(key)).unwrap().0
}

#[test]
fn a_slot_becomes_no_other_kind_under_a_name_that_others_rely_on() {
    let mut ledger = alert();
    ledger.root_ca("other");
    let mut ca = ledger.now().slot(&slot_name("other")).unwrap().rotation.clone();
    let certificate = ca.certificate.as_mut().unwrap();
    certificate.subject = serde_json::from_value(serde_json::json!({"common_name": "Second Root"})).unwrap();
    let mut params = ledger.rotating_params("root", ca);
    ledger.decree(Params::SlotCreate(params.clone()));
    let key = generating(&ledger, "root");
    ledger.run(Command::KeyNotMade { key, code: "device.error".parse().unwrap() }).unwrap();
    params.drill = true;
    assert_eq!(rule_of(ledger.propose(0, Params::SlotCreate(params.clone())).unwrap_err()), Rule::SlotForm);
    params.drill = false;
    ledger.decree(Params::SlotCreate(params));
}

#[test]
fn trust_roots_have_no_key_for_drills() {
    let mut ledger = alert();
    let drill = ledger.drill_slot("drill");
    let releases = ledger.rotating_slot("releases", channelled());
    let root = TrustRoot::of(&ledger.state, ledger.clock, &[]).unwrap();
    assert!(root.keys.iter().any(|one| one.key == releases));
    assert!(root.keys.iter().all(|one| one.key != drill));
}

#[test]
fn an_answer_that_came_late_is_no_answer_in_time() {
    let (mut ledger, key) = releases();
    let acknowledge_by = Some(ledger.clock.plus_seconds(600));
    let opening = IncidentOpening { acknowledge_by, ..plain_opening("releases", key) };
    ledger.moved(incident_id(1), IncidentMove::Open(opening)).unwrap();
    ledger.wait(5000);
    for person in [1, 2] {
        let who = Actor::Member(ledger.people[person].id);
        ledger.move_by(who, incident_id(1), IncidentMove::Acknowledge).unwrap();
    }
    assert_eq!(result(&statement(&ledger, incident_id(1)), "answered"), CheckResult::Fail);
}

#[test]
fn the_suspension_that_an_opening_found_contained_the_key() {
    let (mut ledger, key) = releases();
    ledger.contain(0, Containment::Slot(slot_name("releases"))).unwrap();
    let targets = [(IncidentStep::Contained, 60)].into();
    let opening = IncidentOpening { targets, ..plain_opening("releases", key) };
    ledger.moved(incident_id(1), IncidentMove::Open(opening)).unwrap();
    ledger.decree(resume());
    ledger.wait(3600);
    ledger.contain(0, Containment::Slot(slot_name("releases"))).unwrap();
    assert_eq!(statement(&ledger, incident_id(1)).steps[0].met, Some(true));
}

#[test]
fn a_stolen_token_takes_away_nothing_that_people_have_put_in_place() {
    let (mut ledger, key) = releases();
    let service = Actor::Service(ledger.service(&["releases"]));
    let incident = ledger.opened_about("releases", key);
    let withdraw = IncidentMove::Withdraw(channel("stable"));
    ledger.moved(incident, IncidentMove::Scope(ledger.found(0))).unwrap();
    ledger.move_by(service, incident, withdraw.clone()).unwrap();
    ledger.moved(incident, IncidentMove::Reinstate(channel("stable"))).unwrap();
    assert_eq!(ledger.move_by(service, incident, withdraw.clone()).unwrap_err(), Rule::IncidentStep);
    ledger.moved(incident, withdraw).unwrap();
}

#[test]
fn what_others_were_told_is_about_what_was_found() {
    let (mut ledger, key) = releases();
    let incident = ledger.opened_about("releases", key);
    let told = |ledger: &Ledger| {
        let left = ledger.now().steps_left(ledger.now().incident(incident).unwrap(), ledger.clock);
        !left.contains(&IncidentStep::Advised)
    };
    ledger.moved(incident, IncidentMove::Advise).unwrap();
    assert!(told(&ledger));
    ledger.moved(incident, IncidentMove::Scope(ledger.found(2))).unwrap();
    assert!(!told(&ledger));
    assert_eq!(result(&statement(&ledger, incident), "advised"), CheckResult::None);
    ledger.moved(incident, IncidentMove::Advise).unwrap();
    assert!(told(&ledger));
    assert_eq!(result(&statement(&ledger, incident), "advised"), CheckResult::Pass);
}

#[test]
fn a_suspension_that_lapsed_was_lifted_by_nobody() {
    let (mut ledger, key) = releases();
    let opening = IncidentOpening { contain: false, ..plain_opening("releases", key) };
    ledger.moved(incident_id(1), IncidentMove::Open(opening)).unwrap();
    // With two of three people away nobody can lift what the third one stops.
    for person in [1, 2] {
        ledger.contain(0, Containment::Member(ledger.people[person].id)).unwrap();
    }
    let suspended = ledger.contain(0, Containment::Slot(slot_name("releases"))).unwrap();
    let Payload::SlotSuspended(suspended) = &suspended.payload else { panic!("{suspended:?}") };
    assert!(suspended.lapses_at.is_some());
    ledger.wait(73 * 60 * 60);
    let (now, at) = (ledger.now(), ledger.clock);
    let incident = now.incident(incident_id(1)).unwrap();
    let slot = now.slot(&slot_name("releases")).unwrap();
    assert!(slot.suspension.is_none_or(|suspension| !suspension.holds(at)));
    assert!(!now.is_done(incident, IncidentStep::Resumed, at));
    let close = IncidentMove::Close(IncidentOutcome::FalseAlarm);
    assert_eq!(ledger.moved(incident_id(1), close).unwrap_err(), Rule::IncidentOpen);
}
