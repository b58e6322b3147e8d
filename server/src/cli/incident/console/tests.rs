use serde_json::{Value, json};

use super::*;

const ID: &str = "01a2015c-8a7e-4a43-9c4f-0d1b5a1d2c3e";
const KEY: &str = "01a2015c-8a7e-7a43-9c4f-0d1baaaa0001";
const OTHER: &str = "01a2015c-8a7e-7a43-9c4f-0d1baaaa0002";
const ADA: &str = "01a2015c-8a7e-7a43-9c4f-0d1bbbbb0001";

/// An incident an hour after its opening, with the steps that are done.
fn incident(done: &[&str], more: Value) -> IncidentView {
    let step = |step: IncidentStep| {
        let done = done.contains(&name(step).as_str());
        let taken = done.then(|| json!({"seq": 12, "time": "2026-11-22T01:00:42.000000Z"}));
        json!({"step": step, "done": done, "taken": taken, "seconds": done.then_some(42)})
    };
    let mut value = json!({
        "incident": ID, "drill": false, "tabletop": false, "slot": "apt", "key": KEY, "contained": true,
        "opened": {"seq": 11, "time": "2026-11-22T01:00:00.000000Z"}, "opened_by": ADA, "opened_by_name": "Ada",
        "at": "2026-11-22T02:00:00.000000Z",
        "clocks": [
            {"id": "revoked", "due": "2026-11-23T01:00:00.000000Z"},
            {"id": "closed", "due": "2026-11-27T01:00:00.000000Z"},
        ],
        "responders": [{"member": ADA, "name": "Ada", "called": false, "acknowledged": true}],
        "steps": IncidentStep::ALL.map(step), "channels": [{"channel": "apt-stable"}], "reported": false,
    });
    for (member, other) in more.as_object().unwrap() {
        value[member] = other.clone();
    }
    serde_json::from_value(value).unwrap()
}

#[test]
fn the_console_says_what_is_left_of_each_clock_and_what_comes_next() {
    let mut shown = incident(&["contained"], json!({}));
    let contained = shown.steps.iter_mut().find(|step| step.step == IncidentStep::Contained).unwrap();
    (contained.target, contained.met) = (Some(300), Some(true));
    let text = describe(&shown);
    assert!(text.starts_with("INCIDENT 5a1d2c3e of slot apt\n"), "{text}");
    for told in [
        "opened        2026-11-22 01:00:00, event 11 by Ada\n",
        "to revoke by  2026-11-23 01:00:00, 23 h left\n",
        "to close by   2026-11-27 01:00:00, 4 d 23 h left\n",
        "responder     Ada (takes part)\n",
        "channel       apt-stable: OFFERED\n",
        "contained  done   2026-11-22 01:00:42  42 s   5 min met  event 12\n",
    ] {
        assert!(text.contains(told), "{told}{text}");
    }
    assert!(text.ends_with("\nnext: sealbook incident scope 5a1d2c3e\n"), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
}

#[test]
fn a_drill_is_called_so_wherever_it_is_shown() {
    let drill = incident(&[], json!({"drill": true, "tabletop": true}));
    assert_eq!(row(&drill)[0], "DRILL");
    assert_eq!(head(&drill), "DRILL 5a1d2c3e of slot apt, tabletop");
    assert!(describe(&drill).starts_with("DRILL "));
    assert_eq!(next(&drill), "sealbook drill advance 5a1d2c3e");
}

#[test]
fn each_step_has_its_command() {
    let channels = |withdrawn: bool, reinstated: bool| {
        let mark = |there: bool| there.then(|| json!({"seq": 20, "time": "2026-11-22T01:10:00.000000Z"}));
        json!({"channels": [
            {"channel": "apt-stable", "withdrawn": mark(withdrawn), "reinstated": mark(reinstated)}
        ]})
    };
    let up_to = |count: usize| -> Vec<String> {
        let order =
            ["contained", "scoped", "withdrawn", "rotated", "revoked", "resumed", "resigned", "advised"];
        let done = order[..count].iter().filter(|step| **step != "withdrawn" || count == 8);
        done.map(|step| (*step).to_owned()).collect()
    };
    let next = |count: usize, more: Value| {
        let done = up_to(count);
        next(&incident(&done.iter().map(String::as_str).collect::<Vec<_>>(), more))
    };
    let taken = channels(true, false);
    for (told, command) in [
        (next(0, json!({})), "sealbook slot suspend apt"),
        (next(1, json!({})), "sealbook incident scope 5a1d2c3e"),
        (next(2, json!({})), "sealbook incident withdraw 5a1d2c3e apt-stable"),
        (next(3, taken.clone()), "sealbook rotation propose apt --emergency --reason TEXT"),
        (
            next(4, taken.clone()),
            "sealbook key revoke aaaa0001 --because key-compromise --emergency --reason TEXT",
        ),
        (next(5, taken.clone()), "sealbook slot resume apt --reason TEXT"),
        (
            next(6, taken.clone()),
            "sealbook sign --slot apt --wait FILE…, then sealbook incident resign 5a1d2c3e",
        ),
        (next(7, taken), "sealbook incident reinstate 5a1d2c3e apt-stable"),
        (next(8, channels(true, true)), "sealbook incident close 5a1d2c3e"),
    ] {
        assert_eq!(told, command);
    }
}

#[test]
fn what_is_proposed_is_to_be_approved_and_what_is_closed_to_be_stated() {
    let taken =
        json!([{"channel": "apt-stable", "withdrawn": {"seq": 20, "time": "2026-11-22T01:10:00.000000Z"}}]);
    let mut waiting = incident(&["contained", "scoped"], json!({"channels": taken}));
    let rotated = waiting.steps.iter_mut().find(|step| step.step == IncidentStep::Rotated).unwrap();
    rotated.pending = OTHER.parse().ok();
    assert_eq!(next(&waiting), "sealbook action approve aaaa0002");
    assert!(describe(&waiting).contains("rotated    waits  -"));
    let rotated = waiting.steps.iter_mut().find(|step| step.step == IncidentStep::Rotated).unwrap();
    (rotated.pending, rotated.rotation) = (None, OTHER.parse().ok());
    assert_eq!(next(&waiting), "sealbook rotation show aaaa0002 --watch");
    assert!(describe(&waiting).contains("rotated    runs   -"));

    let end = json!({"outcome": "resolved", "seq": 90, "time": "2026-11-22T01:50:00.000000Z"});
    let closed = incident(&[], json!({"closed": end.clone()}));
    assert!(describe(&closed).ends_with("\nnext: sealbook incident statement 5a1d2c3e --out FILE.zip\n"));
    let reported = incident(&[], json!({"closed": end, "reported": true}));
    assert!(
        describe(&reported)
            .ends_with("\nits statement: sealbook incident statement 5a1d2c3e --out FILE.zip\n")
    );
    assert!(describe(&reported).contains("closed        resolved, 2026-11-22 01:50:00, event 90\n"));
}

#[test]
fn a_time_is_told_in_its_two_largest_units() {
    let told = [0, 59, 60, 75, 3600, 5400, 86_399, 86_400, 95_000].map(span);
    assert_eq!(
        told,
        ["0 s", "59 s", "1 min", "1 min 15 s", "1 h", "1 h 30 min", "23 h 59 min", "1 d", "1 d 2 h"]
    );
}
