//! Whom an incident calls, who has not answered, and what is asked of those who respond.

use sealbook_ledger::action::ActionType;
use sealbook_ledger::command::{IncidentMove, IncidentOpening};
use sealbook_ledger::event::Actor;
use sealbook_ledger::incident::IncidentStep;
use sealbook_ledger::payload::Payload;
use sealbook_ledger::policy::Role;
use sealbook_ledger::rule::Rule;

use crate::support::*;

#[test]
fn whoever_is_called_and_does_not_answer_in_time_is_named_once() {
    let deciding = || DECIDING.to_vec();
    let others = [vec![Role::ChangeBoard], vec![Role::IncidentCommander], vec![Role::Auditor]];
    let founders = [deciding(), deciding(), deciding()].into_iter().chain(others).collect();
    let mut ledger = Ledger::founded_under(4, "acme", founders, |_| {});
    let key = ledger.rotating_slot("releases", channelled());
    let person = |ledger: &Ledger, n: usize| Actor::Member(ledger.people[n].id);
    let by = ledger.clock.plus_seconds(600);
    let opening = IncidentOpening { acknowledge_by: Some(by), ..plain_opening("releases", key) };
    ledger.moved(incident_id(1), IncidentMove::Open(opening)).unwrap();
    let called = ledger.now().incident(incident_id(1)).unwrap().called.clone();
    assert!(called.contains(&ledger.people[3].id) && called.contains(&ledger.people[4].id));
    // Neither who opened it nor who has no part in it.
    assert!(!called.contains(&ledger.people[0].id) && !called.contains(&ledger.people[5].id));
    for n in [1, 2, 4, 5] {
        let who = person(&ledger, n);
        ledger.move_by(who, incident_id(1), IncidentMove::Acknowledge).unwrap();
    }
    let escalate =
        |ledger: &mut Ledger| ledger.move_by(Actor::System, incident_id(1), IncidentMove::Escalate);
    assert_eq!(escalate(&mut ledger).unwrap_err(), Rule::IncidentStep);
    ledger.wait(601);
    let by_person = ledger.moved(incident_id(1), IncidentMove::Escalate).unwrap_err();
    assert_eq!(by_person, Rule::Actor);
    let events = escalate(&mut ledger).unwrap();
    let Payload::IncidentEscalated(escalated) = &events[0].payload else { panic!("{events:?}") };
    assert_eq!(escalated.missed, [ledger.people[3].id].into());
    assert_eq!(escalate(&mut ledger).unwrap_err(), Rule::IncidentStep);
    // Late is better than never.
    let late = person(&ledger, 3);
    ledger.move_by(late, incident_id(1), IncidentMove::Acknowledge).unwrap();
    assert!(ledger.now().incident(incident_id(1)).unwrap().missed().is_empty());
}

#[test]
fn nobody_is_missed_where_everybody_has_answered_or_nobody_was_asked() {
    let (mut ledger, key) = releases();
    let other = ledger.rotating_slot("other", channelled());
    let unasked = ledger.opened_about("other", other);
    let by = ledger.clock.plus_seconds(600);
    let opening = IncidentOpening { acknowledge_by: Some(by), ..plain_opening("releases", key) };
    ledger.moved(incident_id(1), IncidentMove::Open(opening)).unwrap();
    for n in [1, 2] {
        let who = Actor::Member(ledger.people[n].id);
        ledger.move_by(who, incident_id(1), IncidentMove::Acknowledge).unwrap();
    }
    ledger.wait(601);
    for id in [incident_id(1), unasked] {
        assert_eq!(
            ledger.move_by(Actor::System, id, IncidentMove::Escalate).unwrap_err(),
            Rule::IncidentStep
        );
    }
}

#[test]
fn what_is_asked_of_those_who_respond_can_be_done() {
    let (mut ledger, key) = releases();
    let now = ledger.clock;
    let plain = || plain_opening("releases", key);
    let unreasonable = [
        IncidentOpening { acknowledge_by: Some(now), ..plain() },
        IncidentOpening { acknowledge_by: Some(now.plus_seconds(86_402)), ..plain() },
        IncidentOpening { targets: [(IncidentStep::Contained, 0)].into(), ..plain() },
        IncidentOpening { targets: [(IncidentStep::Resumed, 432_001)].into(), ..plain() },
        // Only drills are talked through.
        IncidentOpening { tabletop: true, ..plain() },
    ];
    for opening in unreasonable {
        assert_eq!(
            ledger.moved(incident_id(1), IncidentMove::Open(opening)).unwrap_err(),
            Rule::IncidentForm
        );
    }
    // Their order in the bytes is that of their names.
    let targets =
        [(IncidentStep::Scoped, 60), (IncidentStep::Advised, 90), (IncidentStep::Resumed, 432_000)].into();
    let events =
        ledger.moved(incident_id(1), IncidentMove::Open(IncidentOpening { targets, ..plain() })).unwrap();
    let text = String::from_utf8(events[0].to_bytes().unwrap()).unwrap();
    assert!(text.contains(r#""targets":{"advised":90,"resumed":432000,"scoped":60}"#), "{text}");
}

#[test]
fn a_service_whose_slot_an_incident_is_about_counts_among_those_who_have_to_ask() {
    // Nobody sits on the change board, and nobody but services would ask it.
    let roles = vec![vec![Role::Approver, Role::PlatformAdmin, Role::SecurityReviewer]; 3];
    let mut ledger = Ledger::founded_under(4, "acme", roles, |_| {});
    let key = ledger.rotating_slot("releases", channelled());
    let service = ledger.service(&["releases"]);
    let unanswered = |ledger: &Ledger| {
        let asked = (ActionType::SigningApprove, Actor::Service(service));
        ledger.now().unreachable(ledger.clock).contains(&asked)
    };
    assert!(!unanswered(&ledger));
    ledger.opened_about("releases", key);
    assert!(unanswered(&ledger));
}
