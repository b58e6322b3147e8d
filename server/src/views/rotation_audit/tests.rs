use sealbook_ledger::policy::Cadence;
use serde_json::json;

use super::*;
use crate::views::calendar::hand_made::{Tale, at, id, policy};

impl Tale {
    fn audit(&self, day: u32) -> RotationAudit {
        let moment = Moment { origin: "vectors".to_owned(), at: at(day), size: self.state.size() };
        let from = at(day.saturating_sub(u32::from(WINDOW_DAYS)));
        let asked = RotationAudit::asks(self.now(), from);
        let events: Vec<Event> =
            self.events.iter().filter(|event| asked.contains(&event.seq.get())).cloned().collect();
        RotationAudit::new(moment, self.now(), from, &events).unwrap()
    }
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
    let missing = RotationAudit::new(moment, tale.now(), at(0), &[]);
    assert!(matches!(missing, Err(ViewError::Corrupt { seq: told, .. }) if told == seq));
}
