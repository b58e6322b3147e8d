use sealbook_ledger::policy::Cadence;
use serde_json::json;

use super::*;
use crate::views::calendar::hand_made::{Tale, at, id, policy};

impl Tale {
    fn audit(&self, day: u32) -> RotationAudit {
        self.audit_since(day.saturating_sub(u32::from(WINDOW_DAYS)), day)
    }

    /// The audit of the time between two days, given what it asks for and no more.
    fn audit_since(&self, from: u32, day: u32) -> RotationAudit {
        let moment = Moment { origin: "vectors".to_owned(), at: at(day), size: self.state.size() };
        let from = at(from);
        let asked = RotationAudit::asks(self.now(), from);
        let came = |event: &Event| asked.contains(&event.seq.get());
        let first = self.events.iter().find(|event| came(event)).map(|event| event.time);
        let told = |event: &Event| {
            LATENESS.contains(&event.payload.type_name()) && first.is_some_and(|first| event.time >= first)
        };
        let events: Vec<Event> =
            self.events.iter().filter(|event| came(event) || told(event)).cloned().collect();
        let mut past = Past { from, events: &events, beginning: None };
        let then = RotationAudit::asks_beginning(self.now(), &past).then(|| self.as_at(from));
        past.beginning = then.as_ref().map(|then| then.founded().unwrap());
        RotationAudit::new(moment, self.now(), &past).unwrap()
    }

    /// A rotation policy of other days is in force.
    fn set_interval(&mut self, slot: &str, days: u16) {
        self.tell(
            "slot.rotation_set",
            json!({"action": id('a', 400), "rotation": policy(days), "slot": slot}),
        );
    }
}

/// The key of a number, as an audit judged it.
fn judged(audit: &RotationAudit, key: u32) -> &AuditedKey {
    let found = audit.keys.iter().find(|judged| judged.key.to_string() == id('c', key));
    found.unwrap_or_else(|| panic!("no key {key}: {audit:?}"))
}

/// A slot whose key, due on day 90, is replaced on day 96; gives the seq that says so.
fn replaced_late(tale: &mut Tale) -> u64 {
    tale.slot("apt-repo", 1, policy(90));
    let seq = tale.on(90).overdue("apt-repo", 1, 90);
    tale.on(95).rotation("apt-repo", 1, 2);
    tale.on(96).cut_over("apt-repo", 1, 2);
    seq
}

fn told(audit: &RotationAudit) -> Vec<(String, Verdict, Pack)> {
    audit.keys.iter().map(|key| (key.key.to_string(), key.verdict, key.pack)).collect()
}

#[test]
fn a_first_key_passes_while_it_is_young() {
    let mut tale = Tale::founded(|_| {});
    let seq = tale.on(5).slot("apt-repo", 1, policy(90));
    let audit = tale.audit(20);
    assert!(audit.passed, "{audit:?}");
    let [key] = audit.keys.as_slice() else { panic!("{audit:?}") };
    assert_eq!((key.came_by.seq.get(), key.came_by.kind), (seq, "key.generation_authorized"));
    assert_eq!((key.active_since, key.rotation, key.pack), (Some(at(5)), None, Pack::None));

    let late = tale.audit(95);
    assert!(!late.passed);
    assert_eq!(late.failed, 1);
    assert_eq!(late.keys[0].reasons, ["It was to be replaced by 2026-04-06: its interval is 90 days."]);
}

#[test]
fn a_rotated_key_passes_with_its_pack_and_fails_without() {
    let mut tale = Tale::founded(|_| {});
    tale.slot("apt-repo", 1, policy(90));
    let (old, new) = (id('c', 1), id('c', 2));
    tale.on(70).rotation("apt-repo", 1, 2);
    let preparing = tale.audit(70);
    assert_eq!(
        told(&preparing),
        [(old.clone(), Verdict::Passed, Pack::None), (new.clone(), Verdict::Pending, Pack::Due)]
    );
    assert!(preparing.passed, "what is under way fails nobody");
    tale.on(71).cut_over("apt-repo", 1, 2);
    assert_eq!(tale.audit(72).keys[1].reasons, ["The key before it has yet to be retired."]);
    tale.on(78).completed(1, 2);
    assert_eq!(tale.audit(78).keys[1].verdict, Verdict::Pending);

    let without = tale.audit(79);
    assert_eq!(
        told(&without),
        [(old.clone(), Verdict::Passed, Pack::None), (new.clone(), Verdict::Failed, Pack::Missing)]
    );
    assert_eq!((without.passed, without.failed), (false, 1));
    tale.on(79).reported(2);
    let with = tale.audit(80);
    assert_eq!(
        told(&with),
        [(old, Verdict::Passed, Pack::None), (new.clone(), Verdict::Passed, Pack::Issued)]
    );
    assert!(with.passed);
    assert_eq!(with.keys[1].rotation.unwrap().to_string(), id('a', 2));

    // The old key was retired on day 78: a window that begins later does not see it.
    tale.on(160).rotation("apt-repo", 2, 3);
    assert!(told(&tale.audit(169)).iter().all(|(key, _, _)| *key == new || *key == id('c', 3)));
}

#[test]
fn a_key_that_was_replaced_late_fails_although_its_successor_is_young() {
    let mut tale = Tale::founded(|_| {});
    let seq = replaced_late(&mut tale);
    let late = format!(
        "It was overdue since 2026-04-01 00:00:00 UTC (event {seq}) and in charge until 2026-04-07 00:00:00 UTC."
    );
    let beside = tale.audit(97);
    assert_eq!((beside.passed, beside.failed), (false, 1));
    assert_eq!((judged(&beside, 1).state, &judged(&beside, 1).reasons), ("active", &vec![late.clone()]));

    tale.on(103).completed(1, 2);
    tale.on(104).reported(2);
    let retired = tale.audit(105);
    assert_eq!((retired.passed, retired.failed), (false, 1));
    let old = judged(&retired, 1);
    assert_eq!((old.state, old.verdict, &old.reasons), ("deactivated", Verdict::Failed, &vec![late]));
    assert_eq!(judged(&retired, 2).verdict, Verdict::Passed);
    assert!(retired.to_csv().contains("It was overdue since"));
}

#[test]
fn a_late_key_fails_every_window_that_it_was_in_charge_in_and_no_other() {
    let mut tale = Tale::founded(|_| {});
    replaced_late(&mut tale);
    tale.on(103).completed(1, 2);
    tale.on(104).reported(2);
    let verdict = |from| judged(&tale.audit_since(from, 110), 1).verdict;
    assert_eq!([verdict(90), verdict(91), verdict(95)], [Verdict::Failed; 3]);
    // Beside its successor it is in charge of nothing.
    assert_eq!([verdict(96), verdict(103)], [Verdict::Passed; 2]);
    assert!(tale.audit_since(104, 110).passed);
}

#[test]
fn a_late_key_that_was_revoked_was_in_charge_until_then() {
    let mut tale = Tale::founded(|_| {});
    tale.slot("apt-repo", 1, policy(90));
    tale.on(90).overdue("apt-repo", 1, 90);
    let revoked = json!({"action": id('a', 9), "key": id('c', 1), "reason": "cessation_of_operation"});
    tale.on(92).tell("key.revoked", revoked);
    let reasons = judged(&tale.audit(93), 1).reasons.join(" ");
    assert!(reasons.ends_with("in charge until 2026-04-03 00:00:00 UTC."), "{reasons}");
    assert_eq!(judged(&tale.audit_since(92, 93), 1).verdict, Verdict::Passed);
}

#[test]
fn a_key_that_is_late_now_is_told_once() {
    let mut tale = Tale::founded(|_| {});
    tale.slot("apt-repo", 1, policy(90));
    tale.on(90).overdue("apt-repo", 1, 90);
    for audit in [tale.audit(91), tale.audit_since(91, 92)] {
        assert_eq!(
            judged(&audit, 1).reasons,
            ["It was to be replaced by 2026-04-01: its interval is 90 days."]
        );
    }
}

#[test]
fn a_longer_interval_undoes_no_lateness_and_ends_it() {
    let mut tale = Tale::founded(|_| {});
    tale.slot("apt-repo", 1, policy(30));
    let seq = tale.on(30).overdue("apt-repo", 1, 30);
    tale.on(40).set_interval("apt-repo", 90);
    let moved = format!(
        "It was overdue since 2026-01-31 00:00:00 UTC (event {seq}); it is in charge still, and its due date moved."
    );
    assert_eq!(judged(&tale.audit_since(0, 50), 1).reasons, [moved.as_str()]);
    assert_eq!(judged(&tale.audit_since(39, 50), 1).reasons, [moved.as_str()]);
    assert!(tale.audit_since(40, 50).passed, "by then it was due on day 90");

    tale.on(80).rotation("apt-repo", 1, 2);
    tale.on(81).cut_over("apt-repo", 1, 2);
    tale.on(88).completed(1, 2);
    tale.on(88).reported(2);
    assert_eq!(judged(&tale.audit_since(39, 89), 1).verdict, Verdict::Failed);
    assert!(tale.audit_since(40, 89).passed);
}

#[test]
fn a_key_that_no_rotation_brought_fails_where_its_slot_had_another() {
    let mut tale = Tale::founded(|_| {});
    tale.slot("apt-repo", 1, policy(90));
    // The rules allow no such thing; the audit does not take their word for it.
    let action = id('a', 77);
    tale.on(10).key("apt-repo", 2, &action);
    tale.tell("key.activated", json!({"action": action, "key": id('c', 2), "slot": "apt-repo"}));
    let audit = tale.audit(11);
    assert!(!audit.passed);
    let failed: Vec<&AuditedKey> = audit.keys.iter().filter(|key| key.verdict == Verdict::Failed).collect();
    assert_eq!(failed[0].key.to_string(), id('c', 2));
    assert_eq!(failed[0].reasons, ["It is not its slot's first key, and no rotation brought it."]);
    assert!(audit.to_csv().contains("no rotation brought it"));
}

#[test]
fn an_interval_beyond_90_days_blocks_although_every_key_passes() {
    let mut tale = Tale::founded(|policy| {
        policy.cadence = Some(Cadence { rotation_days: 365, ..Cadence::default() });
    });
    tale.slot("slow", 1, policy(365));
    let audit = tale.audit(200);
    assert_eq!((audit.failed, audit.passed, audit.blockers.len()), (0, false, 1));
}

#[test]
fn an_event_that_is_not_at_hand_is_no_pass() {
    let mut tale = Tale::founded(|_| {});
    let seq = tale.slot("apt-repo", 1, policy(90));
    let moment = Moment { origin: "vectors".to_owned(), at: at(1), size: tale.state.size() };
    let past = Past { from: at(0), events: &[], beginning: None };
    let missing = RotationAudit::new(moment, tale.now(), &past);
    assert!(matches!(missing, Err(ViewError::Corrupt { seq: told, .. }) if told == seq));
}
