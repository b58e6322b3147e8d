//! Incidents: one person stops, nobody goes on before every step is done, and drills touch nothing that counts.

use sealbook_ledger::action::{Params, RevocationReason, SigningApproveParams, SlotParams, SlotPolicyParams};
use sealbook_ledger::certificate::Usage;
use sealbook_ledger::command::{
    Containment, Document, DocumentOutcome, DocumentSubject, FoundScope, IncidentMove, IncidentOpening,
    OwnSignature, RotationCommand,
};
use sealbook_ledger::encoding::{B64, Hash, HexBytes};
use sealbook_ledger::event::Actor;
use sealbook_ledger::ids::Seq;
use sealbook_ledger::incident::{IncidentOutcome, IncidentStep};
use sealbook_ledger::payload::{Payload, SignatureAuthorized, SigningPurpose};
use sealbook_ledger::policy::{Environment, Role};
use sealbook_ledger::rotation::{IssuerPolicy, RotationPolicy};
use sealbook_ledger::rule::Rule;

use crate::support::*;

#[test]
fn one_person_opens_an_incident_and_contains_the_slot_at_once() {
    let (mut ledger, key) = releases();
    let service = ledger.service(&["releases"]);
    let incident = incident_id(1);
    let opening = ledger.opening_about("releases", key);
    let events = ledger.moved(incident, opening.clone()).unwrap();
    let types: Vec<&str> = events.iter().map(|event| event.payload.type_name()).collect();
    assert_eq!(types, ["incident.opened", "slot.suspended"]);
    let request = ledger.request("releases", 32);
    assert_eq!(rule_of(ledger.authorize(service, request).unwrap_err()), Rule::SlotSuspended);
    assert!(ledger.now().incident(incident).unwrap().contained.is_some());
    assert_eq!(ledger.moved(incident_id(2), opening).unwrap_err(), Rule::IncidentBusy);
}

#[test]
fn whoever_may_not_contain_a_slot_opens_nothing() {
    let mut ledger = Ledger::founded_under(
        4,
        "acme",
        vec![DECIDING.to_vec(), DECIDING.to_vec(), DECIDING.to_vec(), vec![Role::Auditor]],
        |_| {},
    );
    let key = ledger.rotating_slot("releases", channelled());
    let auditor = Actor::Member(ledger.people[3].id);
    let opening = ledger.opening_about("releases", key);
    assert_eq!(
        ledger.move_by(auditor, incident_id(1), opening.clone()).unwrap_err(),
        Rule::ContainmentHolder
    );
    assert_eq!(ledger.move_by(Actor::System, incident_id(1), opening).unwrap_err(), Rule::Actor);
    let incident = ledger.opened_about("releases", key);
    let scope = IncidentMove::Scope(ledger.found(0));
    assert_eq!(ledger.move_by(auditor, incident, scope).unwrap_err(), Rule::ContainmentHolder);
    // Taking part, and saying what was seen, is everybody's who is enrolled.
    ledger.move_by(auditor, incident, IncidentMove::Acknowledge).unwrap();
    assert_eq!(ledger.move_by(auditor, incident, IncidentMove::Acknowledge).unwrap_err(), Rule::IncidentStep);
    ledger.move_by(auditor, incident, IncidentMove::Note).unwrap();
}

#[test]
fn an_incident_is_about_a_key_of_its_slot_and_a_time_that_has_come() {
    let (mut ledger, key) = releases();
    let other = ledger.rotating_slot("other", channelled());
    let about = |key, suspected_since| {
        IncidentMove::Open(IncidentOpening {
            suspected_since,
            contain: false,
            ..plain_opening("releases", key)
        })
    };
    assert_eq!(ledger.moved(incident_id(1), about(other, None)).unwrap_err(), Rule::KeyUnknown);
    let ahead = Some(ledger.clock.plus_seconds(60));
    assert_eq!(ledger.moved(incident_id(1), about(key, ahead)).unwrap_err(), Rule::IncidentForm);
    ledger.moved(incident_id(1), about(key, Some(earlier(ledger.clock, 3)))).unwrap();
    assert!(ledger.now().incident(incident_id(1)).unwrap().contained.is_none());
    assert_eq!(ledger.moved(incident_id(9), IncidentMove::Note).unwrap_err(), Rule::IncidentUnknown);
    let mut older = pki_under(3).ledger;
    let opening = older.opening_about("releases", key);
    assert_eq!(older.moved(incident_id(1), opening).unwrap_err(), Rule::TypeUnknown);
}

#[test]
fn an_incident_is_resolved_once_every_step_is_done() {
    let (mut ledger, key) = releases();
    let incident = ledger.opened_about("releases", key);
    let left =
        |ledger: &Ledger| ledger.now().steps_left(ledger.now().incident(incident).unwrap(), ledger.clock);
    let close = IncidentMove::Close(IncidentOutcome::Resolved);
    use IncidentStep as S;
    assert_eq!(left(&ledger), [S::Scoped, S::Rotated, S::Revoked, S::Resumed, S::Resigned, S::Advised]);
    assert_eq!(ledger.moved(incident, close.clone()).unwrap_err(), Rule::IncidentOpen);
    let resign = IncidentMove::Resign { resigned: 2, dropped: 0 };
    assert_eq!(ledger.moved(incident, resign.clone()).unwrap_err(), Rule::IncidentStep);
    ledger.moved(incident, IncidentMove::Scope(ledger.found(2))).unwrap();
    // Nothing is signed again under the key that is suspected.
    assert_eq!(ledger.moved(incident, resign.clone()).unwrap_err(), Rule::IncidentStep);
    ledger.moved(incident, IncidentMove::Withdraw(channel("stable"))).unwrap();
    assert_eq!(
        ledger.moved(incident, IncidentMove::Withdraw(channel("stable"))).unwrap_err(),
        Rule::IncidentStep
    );
    let reinstate = IncidentMove::Reinstate(channel("stable"));
    assert_eq!(ledger.moved(incident, reinstate.clone()).unwrap_err(), Rule::IncidentStep);
    ledger.replaced("releases");
    let few = IncidentMove::Resign { resigned: 1, dropped: 0 };
    assert_eq!(ledger.moved(incident, few).unwrap_err(), Rule::IncidentForm);
    ledger.moved(incident, resign).unwrap();
    ledger.moved(incident, reinstate).unwrap();
    ledger.revoke(key, RevocationReason::KeyCompromise, None);
    ledger.moved(incident, IncidentMove::Advise).unwrap();
    assert_eq!(left(&ledger), [S::Resumed]);
    assert_eq!(ledger.moved(incident, close.clone()).unwrap_err(), Rule::IncidentOpen);
    ledger.decree(Params::SlotResume(SlotParams { slot: slot_name("releases") }));
    ledger.moved(incident, close).unwrap();
    let done = ledger.now().incident(incident).unwrap();
    assert!(done.rotated.is_some() && done.revoked.is_some() && done.resumed.is_some());
    assert_eq!(ledger.moved(incident, IncidentMove::Advise).unwrap_err(), Rule::IncidentClosed);
}

#[test]
fn a_step_that_is_taken_again_replaces_what_it_said() {
    let (mut ledger, key) = releases();
    let incident = ledger.opened_about("releases", key);
    ledger.moved(incident, IncidentMove::Scope(ledger.found(2))).unwrap();
    ledger.replaced("releases");
    ledger.moved(incident, IncidentMove::Resign { resigned: 2, dropped: 0 }).unwrap();
    ledger.moved(incident, IncidentMove::Scope(ledger.found(3))).unwrap();
    let now = ledger.now().incident(incident).unwrap();
    assert_eq!((now.scope.map(|scope| scope.count), now.resigned.is_some()), (Some(3), false));
}

#[test]
fn a_false_alarm_ends_once_the_slot_signs_again_and_nothing_was_revoked() {
    let (mut ledger, key) = releases();
    let incident = ledger.opened_about("releases", key);
    let close = IncidentMove::Close(IncidentOutcome::FalseAlarm);
    assert_eq!(ledger.moved(incident, close.clone()).unwrap_err(), Rule::IncidentOpen);
    ledger.decree(Params::SlotResume(SlotParams { slot: slot_name("releases") }));
    ledger.moved(incident, close.clone()).unwrap();
    let second = ledger.opened_about("releases", key);
    ledger.revoke(key, RevocationReason::KeyCompromise, None);
    ledger.decree(Params::SlotResume(SlotParams { slot: slot_name("releases") }));
    assert_eq!(ledger.moved(second, close).unwrap_err(), Rule::IncidentOpen);
}

#[test]
fn what_was_found_adds_up() {
    let (mut ledger, key) = releases();
    let incident = ledger.opened_about("releases", key);
    let found = ledger.found(2);
    let seq = |n: u64| Seq::new(n).unwrap();
    let wrong = [
        FoundScope { bounds: None, ..found },
        FoundScope { count: 0, ..found },
        FoundScope { count: 5, ..found },
        FoundScope { bounds: Some((seq(3), seq(2))), ..found },
        FoundScope { bounds: Some((seq(1), seq(found.size))), ..found },
        FoundScope { size: found.size + 1, ..found },
        FoundScope { since: Some(ledger.clock.plus_seconds(1)), ..found },
    ];
    for wrong in wrong {
        assert_eq!(
            ledger.moved(incident, IncidentMove::Scope(wrong)).unwrap_err(),
            Rule::IncidentForm,
            "{wrong:?}"
        );
    }
    ledger.moved(incident, IncidentMove::Scope(found)).unwrap();
}

#[test]
fn while_an_incident_is_open_production_is_signed_as_the_change_board_approves() {
    let (mut ledger, key) = releases();
    let service = ledger.service(&["releases"]);
    let ask = |ledger: &Ledger| {
        Params::SigningApprove(SigningApproveParams {
            artifact_name_digest: None,
            artifact_ticket_digest: None,
            artifact_version_digest: None,
            digest: HexBytes(vec![5; 32]),
            environment: Environment::Production,
            slot: ledger.now().slots().keys().next().unwrap().clone(),
        })
    };
    let early = ask(&ledger);
    assert_eq!(
        rule_of(ledger.propose_as(0, Role::KeyOwner, early).unwrap_err()),
        Rule::SigningApprovalNeedless
    );
    let incident = ledger.opened_about("releases", key);
    ledger.replaced("releases");
    ledger.revoke(key, RevocationReason::KeyCompromise, None);
    ledger.decree(Params::SlotResume(SlotParams { slot: slot_name("releases") }));
    let request = ledger.request("releases", 32);
    assert_eq!(rule_of(ledger.authorize(service, request).unwrap_err()), Rule::SigningApproval);
    let asked = ask(&ledger);
    ledger.propose_as(0, Role::KeyOwner, asked).unwrap();
    ledger.moved(incident, IncidentMove::Scope(ledger.found(0))).unwrap();
    ledger.moved(incident, IncidentMove::Advise).unwrap();
    ledger.moved(incident, IncidentMove::Close(IncidentOutcome::Resolved)).unwrap();
    let request = ledger.request("releases", 32);
    ledger.authorize(service, request).unwrap();
}

#[test]
fn a_channel_is_one_of_the_slots_and_whoever_looks_after_it_may_say() {
    let (mut ledger, key) = releases();
    let incident = ledger.opened_about("releases", key);
    let unknown = IncidentMove::Withdraw(channel("nightly"));
    assert_eq!(ledger.moved(incident, unknown).unwrap_err(), Rule::ChannelUnknown);
    let service = Actor::Service(ledger.service(&["releases"]));
    ledger.move_by(service, incident, IncidentMove::Withdraw(channel("stable"))).unwrap();
    let stranger = Actor::Service(ledger.service(&[]));
    let again = IncidentMove::Withdraw(channel("stable"));
    assert_eq!(ledger.move_by(stranger, incident, again).unwrap_err(), Rule::ServiceSlot);
}

#[test]
fn a_drill_is_about_a_slot_for_drills_and_nothing_else() {
    let mut ledger = alert();
    let real = ledger.rotating_slot("releases", channelled());
    let practised = ledger.drill_slot("drill");
    let about =
        |drill, name: &str, key| IncidentMove::Open(IncidentOpening { drill, ..plain_opening(name, key) });
    assert_eq!(ledger.moved(incident_id(1), about(true, "releases", real)).unwrap_err(), Rule::IncidentDrill);
    assert_eq!(
        ledger.moved(incident_id(1), about(false, "drill", practised)).unwrap_err(),
        Rule::IncidentDrill
    );
    ledger.sampled("drill", 1);
    let incident = incident_id(1);
    ledger.moved(incident, about(true, "drill", practised)).unwrap();
    ledger.resolved("drill", practised, incident);
    // Its key waits for the next drill.
    let key = ledger.now().slot(&slot_name("drill")).unwrap().active.unwrap();
    ledger.clock = ledger.clock.plus_seconds(300 * DAY);
    assert_eq!(ledger.now().gate(&slot_name("drill"), ledger.clock).unwrap(), []);
    assert!(ledger.now().due_at(key).unwrap() > ledger.clock);
}

#[test]
fn samples_are_signed_for_drills_alone() {
    let mut ledger = alert();
    ledger.rotating_slot("releases", channelled());
    ledger.drill_slot("drill");
    let sample = |name: &str, number| OwnSignature::Sample { slot: slot_name(name), number };
    assert_eq!(rule_of(ledger.authorize_own(sample("releases", 1)).unwrap_err()), Rule::IncidentDrill);
    for number in [0, 101] {
        assert_eq!(rule_of(ledger.authorize_own(sample("drill", number)).unwrap_err()), Rule::IncidentForm);
    }
    let state = ledger.state.clone();
    let seq = ledger.authorize_own(sample("drill", 100)).unwrap();
    let Payload::SignatureAuthorized(authorized) = ledger.history[seq.get() as usize].event.payload.clone()
    else {
        panic!("another event")
    };
    ledger.state = state;
    let judged = |change: fn(&mut SignatureAuthorized)| {
        let mut changed = (*authorized).clone();
        change(&mut changed);
        ledger.judged(changed)
    };
    assert_eq!(judged(|_| {}), Ok(()));
    assert_eq!(judged(|a| a.purpose = Some(SigningPurpose::Sample { number: 99 })), Err(Rule::IncidentForm));
    assert_eq!(judged(|a| a.digest = HexBytes(vec![1; 32])), Err(Rule::IncidentForm));
}

#[test]
fn nothing_that_counts_stands_on_a_drills_list_and_no_drill_on_one_that_counts() {
    let mut ledger = alert();
    ledger.root_ca("root");
    let mut ca = ledger.now().slot(&slot_name("root")).unwrap().rotation.clone();
    let certificate = ca.certificate.as_mut().unwrap();
    certificate.subject = serde_json::from_value(serde_json::json!({"common_name": "Drill Root"})).unwrap();
    let mut params = ledger.rotating_params("drill-root", ca);
    params.drill = true;
    ledger.decree(Params::SlotCreate(params));
    let under = |ledger: &Ledger, ca: &str, drill| {
        let issuer = IssuerPolicy::Slot { slot: slot_name(ca) };
        let certificate = Some(certified(issuer, Usage::CodeSigning, "Acme Releases"));
        let rotation = RotationPolicy { certificate, ..RotationPolicy::of_days(90, 7) };
        let mut params = ledger.rotating_params("under", rotation);
        params.drill = drill;
        Params::SlotCreate(params)
    };
    for (ca, drill) in [("root", true), ("drill-root", false)] {
        let wrong = under(&ledger, ca, drill);
        assert_eq!(rule_of(ledger.propose(0, wrong).unwrap_err()), Rule::CertificateIssuer);
    }
    for (ca, drill) in [("root", false), ("drill-root", true)] {
        let right = under(&ledger, ca, drill);
        ledger.propose(0, right).unwrap();
    }
}

#[test]
fn a_statement_may_be_signed_before_the_end_and_is_signed_again_after_it() {
    let (mut ledger, key) = releases();
    ledger.evidence_key();
    let incident = ledger.opened_about("releases", key);
    let stated = |ledger: &mut Ledger| {
        let about = Document::Pack(DocumentSubject::Incident(incident));
        let command =
            RotationCommand::AuthorizeDocument { about, asked_by: None, manifest: Hash::ZERO, life_s: 60 };
        let authorization = ledger.step(command.clone()).unwrap()[0].seq;
        assert_eq!(rule_of(ledger.step(command).unwrap_err()), Rule::ReportForm);
        let signature = B64::from([7; 64].as_slice());
        let outcome = DocumentOutcome::Signed { signature, sha256: Hash::ZERO, size: 10 };
        ledger.step(RotationCommand::SettleDocument { authorization, outcome }).unwrap();
        ledger.now().incident(incident).unwrap().reported
    };
    assert!(!stated(&mut ledger));
    ledger.resolved("releases", key, incident);
    assert!(!ledger.now().incident(incident).unwrap().reported);
    assert!(stated(&mut ledger));
}

#[test]
fn what_is_for_drills_signs_nothing_that_somebody_asks_for() {
    let mut ledger = alert();
    ledger.drill_slot("drill");
    let service = ledger.service(&["drill"]);
    let request = ledger.request("drill", 32);
    assert_eq!(rule_of(ledger.authorize(service, request).unwrap_err()), Rule::SlotPurpose);
    let issuer = IssuerPolicy::Outside { anchors: [Hash::ZERO].into() };
    let certificate = Some(certified(issuer, Usage::CodeSigning, "Acme Releases"));
    let mut params =
        ledger.rotating_params("other", RotationPolicy { certificate, ..RotationPolicy::of_days(90, 7) });
    params.drill = true;
    assert_eq!(rule_of(ledger.propose(0, Params::SlotCreate(params)).unwrap_err()), Rule::CertificateIssuer);
}

#[test]
fn what_the_key_signs_after_the_look_has_to_be_looked_for_again() {
    let (mut ledger, key) = releases();
    let service = ledger.service(&["releases"]);
    let mut signing_policy = ledger.now().slot(&slot_name("releases")).unwrap().signing_policy.clone();
    signing_policy.environments.insert(Environment::Staging);
    ledger.decree(Params::SlotPolicySet(SlotPolicyParams { signing_policy, slot: slot_name("releases") }));
    let incident = incident_id(1);
    let opening = IncidentMove::Open(IncidentOpening {
        suspected_since: Some(earlier(ledger.clock, 60)),
        contain: false,
        ..plain_opening("releases", key)
    });
    ledger.moved(incident, opening).unwrap();
    let is_scoped = |ledger: &Ledger| {
        let incident = ledger.now().incident(incident).unwrap();
        ledger.now().is_done(incident, IncidentStep::Scoped, ledger.clock)
    };
    let late = FoundScope { since: Some(ledger.clock), ..ledger.found(0) };
    assert_eq!(ledger.moved(incident, IncidentMove::Scope(late)).unwrap_err(), Rule::IncidentForm);
    ledger.moved(incident, IncidentMove::Scope(ledger.found(0))).unwrap();
    assert!(is_scoped(&ledger));
    let mut request = ledger.request("releases", 32);
    request.environment = Environment::Staging;
    ledger.authorize(service, request).unwrap();
    assert!(!is_scoped(&ledger));
}

#[test]
fn that_it_was_a_false_alarm_takes_a_quorum_and_the_key_that_was_suspected() {
    let (mut ledger, key) = releases();
    let opening = |contain| IncidentMove::Open(IncidentOpening { contain, ..plain_opening("releases", key) });
    let close = IncidentMove::Close(IncidentOutcome::FalseAlarm);
    ledger.moved(incident_id(1), opening(false)).unwrap();
    assert_eq!(ledger.moved(incident_id(1), close.clone()).unwrap_err(), Rule::IncidentOpen);
    ledger.contain(0, Containment::Slot(slot_name("releases"))).unwrap();
    ledger.decree(Params::SlotResume(SlotParams { slot: slot_name("releases") }));
    ledger.moved(incident_id(1), close.clone()).unwrap();
    let again = ledger.moved(incident_id(2), opening(true)).unwrap();
    let Payload::IncidentOpened(opened) = &again[0].payload else { panic!("another event") };
    assert_eq!(opened.follows, Some(incident_id(1)), "the clocks go on");
    ledger.replaced("releases");
    ledger.decree(Params::SlotResume(SlotParams { slot: slot_name("releases") }));
    assert_eq!(ledger.moved(incident_id(2), close).unwrap_err(), Rule::IncidentOpen);
}

#[test]
fn a_stolen_key_is_revoked_as_compromised_and_replaced_by_one_that_is_not() {
    let (mut ledger, key) = releases();
    let incident = ledger.opened_about("releases", key);
    let left =
        |ledger: &Ledger| ledger.now().steps_left(ledger.now().incident(incident).unwrap(), ledger.clock);
    ledger.moved(incident, IncidentMove::Scope(ledger.found(1))).unwrap();
    let second = ledger.replaced("releases");
    ledger.moved(incident, IncidentMove::Resign { resigned: 1, dropped: 0 }).unwrap();
    ledger.revoke(key, RevocationReason::Superseded, None);
    assert!(left(&ledger).contains(&IncidentStep::Revoked));
    ledger.revoke(key, RevocationReason::KeyCompromise, None);
    assert!(!left(&ledger).contains(&IncidentStep::Revoked));
    assert!(!left(&ledger).contains(&IncidentStep::Resigned));
    ledger.revoke(second, RevocationReason::KeyCompromise, None);
    let left = left(&ledger);
    assert!(left.contains(&IncidentStep::Resigned) && left.contains(&IncidentStep::Rotated), "{left:?}");
}

#[test]
fn a_slot_that_is_given_up_needs_no_other_key() {
    let (mut ledger, key) = releases();
    let incident = ledger.opened_about("releases", key);
    let close = IncidentMove::Close(IncidentOutcome::GivenUp);
    ledger.moved(incident, IncidentMove::Scope(ledger.found(2))).unwrap();
    let resigned = IncidentMove::Resign { resigned: 1, dropped: 1 };
    assert_eq!(ledger.moved(incident, resigned).unwrap_err(), Rule::IncidentStep);
    ledger.moved(incident, IncidentMove::Resign { resigned: 0, dropped: 2 }).unwrap();
    ledger.revoke(key, RevocationReason::KeyCompromise, None);
    ledger.moved(incident, IncidentMove::Advise).unwrap();
    assert_eq!(ledger.moved(incident, close.clone()).unwrap_err(), Rule::IncidentOpen);
    ledger.moved(incident, IncidentMove::Withdraw(channel("stable"))).unwrap();
    ledger.moved(incident, close).unwrap();
}

#[test]
fn nobody_makes_an_incident_too_long_to_be_told() {
    let (mut ledger, key) = releases();
    let incident = ledger.opened_about("releases", key);
    for _ in 1..sealbook_ledger::incident::MAX_NOTES {
        ledger.moved(incident, IncidentMove::Note).unwrap();
    }
    assert_eq!(ledger.moved(incident, IncidentMove::Note).unwrap_err(), Rule::IncidentForm);
    let scope = IncidentMove::Scope(ledger.found(0));
    for _ in sealbook_ledger::incident::MAX_NOTES..sealbook_ledger::incident::MAX_STEPS {
        ledger.moved(incident, scope.clone()).unwrap();
    }
    assert_eq!(ledger.moved(incident, scope).unwrap_err(), Rule::IncidentForm);
    // What is left to do may be done all the same.
    ledger.moved(incident, IncidentMove::Advise).unwrap();
    ledger.decree(Params::SlotResume(SlotParams { slot: slot_name("releases") }));
    let closed = ledger.moved(incident, IncidentMove::Close(IncidentOutcome::FalseAlarm)).unwrap();
    let Payload::IncidentClosed(closed) = &closed[0].payload else { panic!("another event") };
    assert_eq!(closed.steps, sealbook_ledger::incident::MAX_STEPS + 2);
}

#[test]
fn a_service_withdraws_and_only_people_put_replacements_out() {
    let (mut ledger, key) = releases();
    let incident = ledger.opened_about("releases", key);
    let service = Actor::Service(ledger.service(&["releases"]));
    ledger.move_by(service, incident, IncidentMove::Withdraw(channel("stable"))).unwrap();
    let reinstate = IncidentMove::Reinstate(channel("stable"));
    assert_eq!(ledger.move_by(service, incident, reinstate).unwrap_err(), Rule::Actor);
}
