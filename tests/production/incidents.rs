//! What is told of incidents and drills, outside the server: each step, whom it calls, and nothing that is disclosed.

use std::collections::BTreeSet;
use std::fs;

use integration::receiver::{Answer, Received, Receiver};
use integration::waiting;
use serde_json::{Value, json};

use crate::deployment::{DOMAIN, Deployment};
use crate::operating::{by_quorum, found};
use crate::webhooks::{is_signed, prepare, tell};

/// What people said, in words that no id has: none of it leaves the server.
const PRIVATE: [&str; 9] = [
    "a leak at night",
    "the disk was read",
    "taken down",
    "signed anew",
    "back again",
    "ACME-2026-1",
    "Use 1.1",
    "grace",
    "disclosed",
];

/// How an incident goes, as notices tell it.
const COURSE: [&str; 9] = [
    "opened",
    "acknowledged",
    "noted",
    "scoped",
    "withdrawn",
    "resigned",
    "reinstated",
    "advised",
    "resolved",
];

/// A rotation policy with one channel and no certificate.
fn policy() -> Value {
    json!({
        "channels": ["web"], "old_key_signs": false, "overlap_days": 7, "propose_days": 14,
        "revoke_superseded": false, "rotation_days": 90, "v": 1,
    })
}

/// People at their terminals.
struct Desk<'a>(&'a Deployment);

impl Desk<'_> {
    /// A command of one of them that is done at once.
    #[track_caller]
    fn by(&self, name: &str, arguments: &[&str]) -> Value {
        let person = self.0.at(name).display().to_string();
        self.0.client([&["--as", person.as_str()], arguments].concat()).expect(0).json()
    }

    fn slot(&self, name: &str, more: &[&str]) {
        let file = self.0.at("rotation.json");
        fs::write(&file, policy().to_string()).unwrap();
        let rotation = ["--rotation", file.to_str().unwrap()];
        let create = ["slot", "create", name, "--algorithm", "ecdsa-p256-sha256", "--backend", "hsm"];
        by_quorum(self.0, &[&create[..], &rotation, more].concat());
    }

    /// Break-glass: Ada's own signature fills a seat, Grace fills the other.
    fn break_glass(&self, arguments: &[&str]) -> String {
        let proposed = [arguments, &["--emergency", "--reason", "a leak at night", "--yes"]].concat();
        let action = self.by("ada", &proposed)["action"].as_str().unwrap().to_owned();
        let ended = self.by("grace", &["action", "approve", &action, "--yes", "--wait"]);
        assert_eq!(ended["status"], "executed", "{ended}");
        action
    }

    /// Takes an incident from its opening to its end; its view at the opening.
    fn respond(&self) -> Value {
        let open = ["incident", "open", "--slot", "release", "--reason", "a leak at night"];
        let opened = self.by("ada", &[&open[..], &["--acknowledge-within", "1"]].concat());
        let id = opened["incident"].as_str().unwrap();
        let step = |name: &str, step: &str, more: &[&str]| {
            self.by(name, &[&["incident", step, id], more].concat());
        };
        step("grace", "acknowledge", &[]);
        step("grace", "note", &["the disk was read"]);
        step("ada", "scope", &[]);
        step("ada", "withdraw", &["web", "--note", "taken down"]);
        let rotation = self.break_glass(&["rotation", "propose", "release"]);
        let ada = self.0.at("ada").display().to_string();
        self.0.client(["--as", &ada, "rotation", "show", &rotation, "--watch"]).expect(0);
        let key = opened["key"].as_str().unwrap();
        self.break_glass(&["key", "revoke", key, "--because", "key-compromise"]);
        by_quorum(self.0, &["slot", "resume", "release"]);
        step("ada", "resign", &["--note", "signed anew"]);
        step("ada", "reinstate", &["web", "--note", "back again"]);
        step("ada", "advise", &["--reference", "ACME-2026-1", "--text", "Use 1.1: 1.0 may be a thief's."]);
        opened
    }
}

/// The notices of an incident that a receiver took, in the order of their events.
fn told(receiver: &Receiver, id: &Value) -> Vec<Value> {
    let taken = receiver.received().into_iter().filter(Received::was_accepted);
    let mut told: Vec<Value> =
        taken.map(|one| one.json()).filter(|body| body["incident"]["id"] == *id).collect();
    told.sort_by_key(|body| body["seq"].as_u64());
    told
}

fn statuses(told: &[Value]) -> Vec<&str> {
    told.iter().filter(|body| body["kind"] == "incident").filter_map(|body| body["status"].as_str()).collect()
}

fn await_told(receiver: &Receiver, id: &Value, status: &str) -> Value {
    waiting::until(&format!("{status} of {id}"), || {
        told(receiver, id).into_iter().find(|body| body["status"] == status)
    })
}

/// Whoever has not answered, by what the console shows.
fn silent(view: &Value) -> BTreeSet<&str> {
    let responders = view["responders"].as_array().unwrap().iter();
    responders.filter(|one| one["acknowledged"] == false).filter_map(|one| one["member"].as_str()).collect()
}

fn people(body: &Value) -> BTreeSet<&str> {
    body["incident"]["people"].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

#[test]
fn an_incident_is_told_step_by_step_with_whom_it_calls_and_whom_it_missed() {
    let receiver = Receiver::start(Answer::Status(204));
    let knowing = Receiver::start(Answer::Status(200));
    let deployment = prepare(&receiver, "allow_private = true");
    let url = format!("http://{}/hook", knowing.address());
    tell(&deployment, "knowing", &url, "allow_private = true\ndisclose = true");
    let serving = deployment.serve();
    found(&deployment);
    let desk = Desk(&deployment);
    desk.slot("release", &[]);
    let opened = desk.respond();
    let id = &opened["incident"];

    // Alan never answers; that the incident goes on meanwhile excuses nobody.
    let missed = await_told(&receiver, id, "missed");
    assert_eq!(missed["kind"], "incident.escalated");
    desk.by("ada", &["incident", "close", id.as_str().unwrap(), "--note", "signed anew"]);
    await_told(&receiver, id, "resolved");
    await_told(&knowing, id, "resolved");
    let told = told(&receiver, id);
    assert_eq!((statuses(&told), told.len()), (COURSE.to_vec(), COURSE.len() + 1));
    let calling = &told[0];
    assert_eq!(people(calling), silent(&opened), "everybody but the opener is called");
    let shown = desk.by("ada", &["incident", "show", id.as_str().unwrap()]);
    assert_eq!((people(&missed), people(calling).len()), (silent(&shown), silent(&shown).len() + 1));
    for body in &told {
        let about = &body["incident"];
        assert_eq!(
            (&about["drill"], &about["slot"], &about["key"]),
            (&json!(false), &json!("release"), &opened["key"])
        );
        let calls = matches!(body["status"].as_str(), Some("opened" | "missed"));
        assert_eq!(
            about["acknowledge_by"],
            if calls { opened["acknowledge_by"].clone() } else { Value::Null }
        );
        assert_eq!(about.get("people").is_some(), calls, "{body}");
        assert_eq!(body["url"], format!("https://{DOMAIN}/t/acme/incidents/{}", id.as_str().unwrap()));
    }
    nothing_is_disclosed(&[&receiver, &knowing], id);
    assert!(serving.stop().success());
}

#[test]
fn a_drill_is_told_as_one() {
    let receiver = Receiver::start(Answer::Status(204));
    let deployment = prepare(&receiver, "allow_private = true");
    let serving = deployment.serve();
    found(&deployment);
    let desk = Desk(&deployment);
    desk.slot("practice", &["--drill"]);
    let start = ["drill", "start", "--slot", "practice", "--reason", "a leak at night"];
    let opened = desk.by("ada", &[&start[..], &["--acknowledge-within", "15"]].concat());
    let id = &opened["incident"];
    desk.by("ada", &["drill", "advance", id.as_str().unwrap()]);
    by_quorum(&deployment, &["slot", "resume", "practice"]);
    desk.by("ada", &["incident", "close", id.as_str().unwrap(), "--outcome", "false_alarm"]);
    await_told(&receiver, id, "false_alarm");
    let told = told(&receiver, id);
    assert_eq!(statuses(&told), ["opened", "scoped", "withdrawn", "false_alarm"]);
    assert_eq!((people(&told[0]), people(&told[0]).len()), (silent(&opened), 2));
    for body in &told {
        let about = &body["incident"];
        assert_eq!(
            (&about["drill"], &about["slot"], &about["key"]),
            (&json!(true), &json!("practice"), &opened["key"])
        );
    }
    nothing_is_disclosed(&[&receiver], id);
    assert!(serving.stop().success());
}

/// Not even to whoever may know what actions disclose: an incident's notice has a page to look at, and that asks who looks.
fn nothing_is_disclosed(receivers: &[&Receiver], id: &Value) {
    let taken = receivers.iter().flat_map(|receiver| receiver.received());
    let about: Vec<Received> = taken.filter(|one| one.json()["incident"]["id"] == *id).collect();
    assert!(!about.is_empty());
    for received in about {
        is_signed(&received);
        let text = String::from_utf8_lossy(&received.body).into_owned();
        let seen = PRIVATE.iter().find(|private| text.contains(**private));
        assert_eq!(seen, None, "{text}");
    }
}
