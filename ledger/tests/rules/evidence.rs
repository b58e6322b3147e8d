//! What evidence says follows from the events that it is given, and notices what it can when some are missing.

use sealbook_ledger::action::FipsCertificate;
use sealbook_ledger::command::{DocumentSubject, RotationCommand};
use sealbook_ledger::encoding::Hash;
use sealbook_ledger::event::Event;
use sealbook_ledger::evidence::{
    Check, CheckResult, Evidence, EvidenceError, Facts, RotationEvidence, Sealed,
};
use sealbook_ledger::ids::ActionId;
use sealbook_ledger::payload::Payload;
use sealbook_ledger::rotation::RotationPolicy;
use sealbook_ledger::timestamp::Timestamp;

use crate::rotations::plain_ledger;
use crate::support::*;

/// A rotation as planned, to its end.
fn rotated() -> (Vec<Event>, ActionId) {
    let mut ledger = plain_ledger();
    let action = ledger.rotation_started("releases");
    ledger.cut_over(action);
    ledger.wait(7 * DAY);
    ledger.step(RotationCommand::Complete(action)).unwrap();
    (ledger.history.into_iter().map(|decided| decided.event).collect(), action)
}

fn evidence(events: &[Event], action: ActionId) -> Result<RotationEvidence, EvidenceError> {
    let sealed = Sealed { root: Hash::ZERO, size: events.len() as u64 };
    RotationEvidence::new(&Facts::new(events)?, action, sealed)
}

fn result(evidence: &RotationEvidence, id: &str) -> CheckResult {
    evidence.checks.iter().find(|check| check.id == id).map(|check: &Check| check.result).unwrap()
}

fn without(events: &[Event], which: impl Fn(&Payload) -> bool) -> Vec<Event> {
    let left: Vec<Event> = events.iter().filter(|event| !which(&event.payload)).cloned().collect();
    assert!(left.len() < events.len());
    left
}

#[test]
fn the_evidence_of_a_planned_rotation_says_what_happened() {
    let (events, action) = rotated();
    let evidence = evidence(&events, action).unwrap();
    let held = [
        "outcome",
        "dual_control",
        "separation_of_duties",
        "owners",
        "non_exportable",
        "cadence",
        "in_time",
        "overlap",
        "retired",
    ];
    for id in held {
        assert_eq!(result(&evidence, id), CheckResult::Pass, "{id}");
    }
    for id in ["certificate", "channels", "confirmed", "access_review", "revocation_drill", "fips"] {
        assert_eq!(result(&evidence, id), CheckResult::None, "{id}");
    }
    // The signatures of these tests are no real ones.
    assert_eq!(result(&evidence, "canary"), CheckResult::Fail);
    assert_eq!(evidence.rotation_event.outcome, "completed");
}

#[test]
fn a_review_before_the_rotation_says_under_which_certificate_the_device_runs() {
    let founders = (0..3).map(|_| DECIDING.to_vec()).collect();
    let mut ledger = Ledger::founded_under(3, "acme", founders, |_| {});
    ledger.rotating_slot("releases", RotationPolicy::of_days(90, 7));
    let named = FipsCertificate { certificate: 4735, level: 3 };
    let mut fips = |before: Option<FipsCertificate>, after: Option<FipsCertificate>| {
        ledger.decree(review(before));
        let action = ledger.rotation_started("releases");
        ledger.cut_over(action);
        ledger.decree(review(after));
        ledger.wait(7 * DAY);
        ledger.step(RotationCommand::Complete(action)).unwrap();
        let events: Vec<Event> = ledger.history.iter().map(|one| one.event.clone()).collect();
        result(&evidence(&events, action).unwrap(), "fips")
    };
    assert_eq!(fips(Some(named), None), CheckResult::Pass);
    assert_eq!(fips(None, Some(named)), CheckResult::None);
}

#[test]
fn the_same_events_make_the_same_files() {
    let (events, action) = rotated();
    let made = || {
        let sealed = Sealed { root: Hash::ZERO, size: 1 };
        Evidence::new(&Facts::new(&events).unwrap(), DocumentSubject::Rotation(action), sealed)
            .unwrap()
            .files()
            .unwrap()
    };
    assert_eq!(made(), made());
    assert!(made().iter().all(|file| !file.bytes.is_empty()));
}

#[test]
fn a_canary_that_is_left_out_passes_for_none() {
    let (events, action) = rotated();
    let silent = without(&events, |payload| payload.type_name().starts_with("signature."));
    assert_eq!(result(&evidence(&silent, action).unwrap(), "canary"), CheckResult::Fail);
}

#[test]
fn an_approval_that_is_left_out_or_altered_is_noticed() {
    let (events, action) = rotated();
    let approved = |payload: &Payload| matches!(payload, Payload::ActionApproved(p) if p.action == action);
    let alone = without(&events, approved);
    assert_eq!(result(&evidence(&alone, action).unwrap(), "dual_control"), CheckResult::Fail);
    // Two people, and a seat that nobody fills.
    let last = events.iter().rposition(|event| approved(&event.payload)).unwrap();
    let one_short = [&events[..last], &events[last + 1..]].concat();
    assert_eq!(result(&evidence(&one_short, action).unwrap(), "dual_control"), CheckResult::Fail);
    let mut forged = events.clone();
    let other = forged.iter().find_map(|event| match &event.payload {
        Payload::ActionApproved(p) if p.action != action => Some(p.signature.clone()),
        _ => None,
    });
    for event in &mut forged {
        if let Payload::ActionApproved(p) = &mut event.payload
            && p.action == action
        {
            p.signature = other.clone().unwrap();
        }
    }
    assert_eq!(result(&evidence(&forged, action).unwrap(), "dual_control"), CheckResult::Fail);
}

#[test]
fn another_policy_than_the_one_that_people_approved_is_no_evidence() {
    let (events, action) = rotated();
    let altered = |alter: fn(&mut Payload)| {
        let mut events = events.clone();
        events.iter_mut().for_each(|event| alter(&mut event.payload));
        evidence(&events, action).map(|_| ()).unwrap_err().code()
    };
    let of_slot = altered(|payload| {
        if let Payload::SlotCreated(created) = payload {
            created.rotation = Some(RotationPolicy::of_days(30, 7));
        }
    });
    assert_eq!(of_slot, "evidence.policy");
    let of_ledger = altered(|payload| {
        if let Payload::LedgerFounded(founded) = payload {
            founded.document.policy.credentials.hardware_only = true;
        }
    });
    assert_eq!(of_ledger, "evidence.policy");
}

#[test]
fn an_overlap_that_was_too_short_or_not_waited_for_fails() {
    let (events, action) = rotated();
    let mut hasty = events.clone();
    let completed = hasty.last_mut().unwrap();
    assert_eq!(completed.payload.type_name(), "rotation.completed");
    let micros = completed.time.unix_micros() - 1_000_000;
    completed.time = Timestamp::from_unix_micros(micros).unwrap();
    assert_eq!(result(&evidence(&hasty, action).unwrap(), "overlap"), CheckResult::Fail);
    let mut short = events.clone();
    for event in &mut short {
        if let Payload::RotationCutOver(cut) = &mut event.payload {
            cut.overlap_ends_at = event.time.plus_seconds(7 * DAY - 1);
        }
    }
    assert_eq!(result(&evidence(&short, action).unwrap(), "overlap"), CheckResult::Fail);
}

#[test]
fn what_has_to_be_there_is_missed() {
    let (events, action) = rotated();
    type Test = fn(&Payload) -> bool;
    let needed: [(&str, Test); 5] = [
        ("the end", |payload| matches!(payload, Payload::RotationCompleted(_))),
        ("the beginning", |payload| matches!(payload, Payload::RotationStarted(_))),
        ("the slot", |payload| matches!(payload, Payload::SlotCreated(_))),
        ("the proposal", |payload| matches!(payload, Payload::ActionProposed(_))),
        ("the old key's activation", |payload| matches!(payload, Payload::KeyActivated(_))),
    ];
    for (what, test) in needed {
        let code = evidence(&without(&events, test), action).map(|_| ()).unwrap_err().code();
        assert_eq!(code, "evidence.missing", "{what}");
    }
}

#[test]
fn events_out_of_order_or_twice_are_none() {
    let (events, _) = rotated();
    let twice = [&events[..1], &events[..]].concat();
    assert_eq!(Facts::new(&twice).unwrap_err().code(), "evidence.order");
    assert_eq!(Facts::new(&[]).unwrap_err().code(), "evidence.missing");
}
