use sealbook_ledger::action::ActionType;
use sealbook_ledger::policy::{Cadence, LedgerPolicy, Proposer};
use serde_json::json;

use super::hand_made::{Tale, at, id, policy};
use super::*;

impl Tale {
    fn calendar(&self, day: u32) -> Calendar {
        Calendar::new("sealbook.example.com/vectors".to_owned(), self.now(), &self.milestones, at(day))
    }

    fn entry(&self, day: u32, kind: Kind) -> Entry {
        let entries = self.calendar(day).entries;
        entries.into_iter().find(|entry| entry.kind == kind).unwrap_or_else(|| panic!("no {kind:?}"))
    }
}

fn review(tale: &mut Tale, day: u32) -> u64 {
    review_of(tale, "softhsm", day)
}

fn review_of(tale: &mut Tale, backend: &str, day: u32) -> u64 {
    let data = json!({"action": id('a', 500), "backend": backend, "holder_count": 2});
    tale.on(day).tell("hsm.access_reviewed", data)
}

/// The devices whose reviews the calendar asks for, and how near each is.
fn reviews(tale: &Tale, day: u32) -> Vec<(String, State)> {
    let entries = tale.calendar(day).entries.into_iter();
    let reviews = entries.filter(|entry| entry.kind == Kind::AccessReview);
    reviews.map(|entry| (entry.subject, entry.state)).collect()
}

#[test]
fn a_fresh_ledger_has_its_own_key_to_replace_and_its_device_to_review() {
    let mut tale = Tale::founded(|_| {});
    let calendar = tale.calendar(0);
    let [review_due, entry] = calendar.entries.as_slice() else { panic!("{:?}", calendar.entries) };
    assert_eq!((review_due.kind, review_due.subject.as_str()), (Kind::AccessReview, "softhsm"));
    assert_eq!((review_due.state, review_due.due_at), (State::Overdue, at(0)));
    assert_eq!((entry.kind, entry.state, entry.due_at), (Kind::LedgerKey, State::Fine, at(365)));
    assert_eq!(entry.propose_from, None, "the server proposes rotations of slots alone");
    review(&mut tale, 0);
    assert_eq!(tale.calendar(0).days_to_next(), Some(90));
}

#[test]
fn devices_of_the_ledger_key_and_of_the_evidence_key_are_reviewed_like_those_of_slots() {
    let mut tale = Tale::founded(|_| {});
    tale.slot("apt-repo", 1, policy(90));
    tale.evidence_key_in("hsm-a", 800);
    let overdue = |names: &[&str]| -> Vec<(String, State)> {
        names.iter().map(|name| ((*name).to_owned(), State::Overdue)).collect()
    };
    assert_eq!(reviews(&tale, 1), overdue(&["hsm-a", "softhsm"]), "one a device, whatever it holds");
    tale.on(2).ledger_key_in("hsm-b", 1);
    assert_eq!(reviews(&tale, 2), overdue(&["hsm-a", "hsm-b", "softhsm"]));
    // A key that was made and never came into force is not the ledger's.
    tale.place("hsm-c", 802, None);
    tale.on(3).evidence_key_in("hsm-b", 801);
    assert_eq!(reviews(&tale, 3), overdue(&["hsm-b", "softhsm"]));

    review_of(&mut tale, "hsm-b", 4);
    let [late, fine] = reviews(&tale, 5).try_into().unwrap();
    assert_eq!((late.0.as_str(), late.1), ("softhsm", State::Overdue));
    assert_eq!((fine.0.as_str(), fine.1), ("hsm-b", State::Fine));
    let told = reviews_to_tell(tale.now(), &tale.milestones, at(94));
    assert!(told.contains(&("hsm-b".to_owned(), "overdue", at(94))), "{told:?}");
}

#[test]
fn a_key_is_fine_then_soon_then_overdue() {
    let mut tale = Tale::founded(|_| {});
    tale.on(10).slot("apt-repo", 1, policy(90));
    let stands = |day| tale.entry(day, Kind::SlotKey).state;
    assert_eq!(
        [stands(10), stands(85), stands(86), stands(99)],
        [State::Fine, State::Fine, State::Soon, State::Soon]
    );
    assert_eq!(stands(100), State::Overdue);
    let entry = tale.entry(20, Kind::SlotKey);
    assert_eq!((entry.due_at, entry.propose_from), (at(100), Some(at(86))));
    assert_eq!(
        entry.sentence,
        "The key of apt-repo is replaced every 90 days; the server proposes it from 2026-03-28 on."
    );
    assert!(entry.blockers.is_empty(), "{:?}", entry.blockers);
    let late = tale.entry(103, Kind::SlotKey).sentence;
    assert!(late.starts_with("The key of apt-repo was to be replaced by 2026-04-11, 3 days ago."), "{late}");
    assert!(late.ends_with("The slot signs nothing until another key takes its place."), "{late}");
    assert_eq!(tale.calendar(103).days_to_next(), Some(-103), "the review was due on the first day");
}

#[test]
fn what_is_late_comes_first_then_what_is_due_first() {
    let mut tale = Tale::founded(|_| {});
    tale.slot("later", 1, policy(90));
    tale.slot("sooner", 2, policy(30));
    review(&mut tale, 1);
    let order =
        |day| -> Vec<String> { tale.calendar(day).entries.into_iter().map(|entry| entry.subject).collect() };
    assert_eq!(order(2), ["sooner", "later", "softhsm", "ledger"]);
    assert_eq!(order(400), ["sooner", "later", "softhsm", "ledger"]);
    assert_eq!(tale.calendar(31).overdue, 1);
    assert_eq!(tale.calendar(31).overdue_of(Kind::SlotKey), 1);
    assert_eq!(tale.calendar(31).overdue_of(Kind::AccessReview), 0);
}

#[test]
fn a_rotation_under_way_is_told_until_it_has_ended() {
    let mut tale = Tale::founded(|_| {});
    tale.slot("apt-repo", 1, policy(90));
    let action = tale.on(80).rotation("apt-repo", 1, 2);
    let entry = tale.entry(81, Kind::SlotKey);
    assert_eq!((entry.state, entry.action.unwrap().to_string()), (State::Rotating, action.clone()));
    assert_eq!(entry.key.unwrap().to_string(), id('c', 1));
    let late = tale.entry(95, Kind::SlotKey);
    assert_eq!(late.state, State::Overdue, "a rotation that has not cut over puts nothing off");
    assert!(late.sentence.ends_with("A rotation is under way."), "{}", late.sentence);

    tale.on(96).cut_over("apt-repo", 1, 2);
    let entry = tale.entry(97, Kind::SlotKey);
    assert_eq!(
        (entry.state, entry.due_at, entry.key.unwrap().to_string()),
        (State::Rotating, at(186), id('c', 2))
    );
    tale.on(103).completed(1, 2);
    assert_eq!(tale.entry(104, Kind::SlotKey).state, State::Fine);
}

#[test]
fn an_interval_beyond_90_days_is_a_blocker_wherever_the_tenant_let_it_be() {
    let mut tale = Tale::founded(|policy| {
        policy.cadence = Some(Cadence { rotation_days: 365, ..Cadence::default() });
    });
    tale.slot("slow", 1, policy(365));
    let entry = tale.entry(0, Kind::SlotKey);
    assert_eq!(entry.due_at, at(365));
    assert!(entry.blockers[0].contains("for 365 days"), "{:?}", entry.blockers);

    // The ledger policy of another tenant cuts the same interval short.
    let mut tale = Tale::founded(|_| {});
    tale.slot("slow", 1, policy(365));
    assert_eq!(tale.entry(0, Kind::SlotKey).due_at, at(90));
    assert!(tale.entry(0, Kind::SlotKey).blockers.is_empty());
}

#[test]
fn where_the_server_may_not_propose_somebody_has_to() {
    let mut tale = Tale::founded(|policy: &mut LedgerPolicy| {
        let rule = policy.actions.get_mut(&ActionType::KeyRotate).unwrap();
        rule.proposers.remove(&Proposer::System);
    });
    tale.slot("apt-repo", 1, policy(90));
    let entry = tale.entry(0, Kind::SlotKey);
    assert_eq!(entry.propose_from, None);
    assert!(entry.blockers[0].contains("somebody has to"), "{:?}", entry.blockers);
}

#[test]
fn a_revoked_key_comes_round_no_more() {
    let mut tale = Tale::founded(|_| {});
    tale.slot("apt-repo", 1, policy(90));
    tale.tell(
        "key.revoked",
        json!({"action": id('a', 9), "key": id('c', 1), "reason": "cessation_of_operation"}),
    );
    assert!(tale.calendar(200).entries.iter().all(|entry| entry.kind != Kind::SlotKey));
}

#[test]
fn a_device_that_holds_keys_is_reviewed_from_the_founding_on_and_then_by_the_cadence() {
    let mut tale = Tale::founded(|policy| {
        policy.cadence = Some(Cadence { access_review_days: 30, ..Cadence::default() });
    });
    tale.on(5).slot("apt-repo", 1, policy(90));
    let entry = tale.entry(5, Kind::AccessReview);
    assert_eq!((entry.due_at, entry.state), (at(0), State::Overdue));
    assert_eq!(entry.sentence, "Nobody has put on record who can reach softhsm.");
    let seq = review(&mut tale, 6);
    let entry = tale.entry(7, Kind::AccessReview);
    assert_eq!((entry.due_at, entry.state), (at(36), State::Fine));
    assert!(entry.sentence.ends_with(&format!("last on 2026-01-07, event {seq}.")), "{}", entry.sentence);
    assert_eq!(tale.entry(23, Kind::AccessReview).state, State::Soon);
    assert_eq!(tale.entry(36, Kind::AccessReview).state, State::Overdue);
}

#[test]
fn people_hear_of_a_review_two_weeks_ahead_and_when_it_is_late() {
    let mut tale = Tale::founded(|_| {});
    tale.slot("apt-repo", 1, policy(90));
    review(&mut tale, 10);
    let told = |day| reviews_to_tell(tale.now(), &tale.milestones, at(day));
    assert_eq!(told(85), []);
    assert_eq!(told(86), [("softhsm".to_owned(), "due", at(100))]);
    assert_eq!(told(100), [("softhsm".to_owned(), "overdue", at(100))]);
}

#[test]
fn the_ledger_key_is_due_by_its_own_cadence() {
    let tale = Tale::founded(|policy| {
        policy.cadence = Some(Cadence { ledger_key_days: 100, ..Cadence::default() });
    });
    let stands = |day| tale.entry(day, Kind::LedgerKey).state;
    assert_eq!([stands(69), stands(70), stands(100)], [State::Fine, State::Soon, State::Overdue]);
}

#[test]
fn days_are_counted_back_and_forth() {
    assert_eq!(days_before(at(20), 14), at(6));
    assert_eq!(days_after(at(6), 14), at(20));
    assert_eq!([days(0), days(1), days(2)], ["less than a day", "a day", "2 days"]);
    assert_eq!(every(1), "every day");
}

#[test]
fn slots_for_drills_are_in_it_by_the_next_drill_alone() {
    let mut tale = Tale::founded(|_| {});
    let drills = |tale: &Tale, day| {
        let calendar = tale.calendar(day);
        assert!(calendar.entries.iter().all(|entry| entry.kind != Kind::SlotKey), "{calendar:?}");
        calendar.entries.into_iter().find(|entry| entry.kind == Kind::Drill)
    };
    assert!(drills(&tale, 1).is_none(), "there is nothing to practise on");
    tale.on(1).drill_slot("drill", 1);
    let due = drills(&tale, 2).unwrap();
    assert_eq!((due.due_at, due.state), (at(92), State::Fine));
    assert_eq!(drills(&tale, 80).unwrap().state, State::Soon);
    assert_eq!(drills(&tale, 200).unwrap().state, State::Overdue);
}
