//! Incidents: one person stops, everybody sees what is affected, and nothing ends before every step is done.

use std::time::{Duration, Instant};

use integration::rotating::{KEEPERS, certify, releases, root, rotate, shown, slot, until};
use integration::tenant::{Service, in_seconds, sha256, text};
use integration::{Answer, Server, Tenant, waiting};
use serde_json::{Value, json};

/// Within which a suspicion keeps a key from signing.
const CONTAINED_WITHIN: Duration = Duration::from_secs(1);

/// A tenant with a CA, a slot under it whose artifacts go to the channel `web`, and a service that signs there.
fn releasing(server: &Server) -> (Tenant, Service) {
    let tenant = Tenant::founded_with(server, &[KEEPERS; 4]);
    slot(&tenant, "root", "ecdsa-p256-sha256", root());
    slot(&tenant, "releases", "ecdsa-p256-sha256", releases());
    certify(&tenant, "root", "active");
    certify(&tenant, "releases", "active");
    let service = tenant.service(&["releases"]);
    (tenant, service)
}

fn opened(tenant: &Tenant, body: &Value) -> Value {
    tenant.post("/incidents", body).expect(201).json()
}

fn path(incident: &Value) -> String {
    format!("/incidents/{}", text(&incident["incident"]))
}

fn take(tenant: &Tenant, incident: &Value, step: &str, body: &Value) -> Answer {
    tenant.post(&format!("{}/{step}", path(incident)), body)
}

fn taken(tenant: &Tenant, incident: &Value, step: &str, body: &Value) -> Value {
    take(tenant, incident, step, body).expect(200).json()
}

fn left(incident: &Value) -> Vec<&str> {
    let steps = incident["steps"].as_array().unwrap().iter();
    steps.filter(|step| step["done"] == false).map(|step| text(&step["step"])).collect()
}

fn seen(tenant: &Tenant, incident: &Value) -> Value {
    tenant.get(&path(incident)).expect(200).json()
}

#[test]
fn from_suspicion_to_statement_every_step_is_on_record_and_none_can_be_left_out() {
    let server = Server::shared();
    let (tenant, service) = releasing(&server);
    tenant.executed("ledger.evidence_key_set", &json!({ "backend": "softhsm" }));
    for artifact in ["one", "two"] {
        tenant.sign(&service, "releases", &sha256(artifact.as_bytes())).expect(200);
    }
    let (slot, _) = shown(&tenant, "releases");
    let lost = slot["active_key"].clone();

    let began = Instant::now();
    let incident =
        opened(&tenant, &json!({ "slot": "releases", "reason": "a signature that nobody asked for" }));
    tenant.sign(&service, "releases", &sha256(b"three")).refused(409, "slot.suspended");
    assert!(began.elapsed() < CONTAINED_WITHIN, "refused after {:?}", began.elapsed());
    assert_eq!(
        (&incident["key"], &incident["contained"], &incident["drill"]),
        (&lost, &json!(true), &json!(false))
    );
    assert_eq!(left(&incident), ["scoped", "rotated", "revoked", "resumed", "resigned", "advised"]);
    tenant.post("/incidents", &json!({ "slot": "releases" })).refused(409, "incident.busy");
    take(&tenant, &incident, "close", &json!({ "outcome": "resolved" })).refused(409, "incident.open");
    take(&tenant, &incident, "resign", &json!({})).refused(409, "incident.step");

    taken(&tenant, &incident, "note", &json!({ "text": "the build host was reimaged" }));
    let scoped = taken(&tenant, &incident, "scope", &json!({}));
    // Two artifacts, and the request for the key's certificate.
    assert_eq!((&scoped["scope"]["count"], &scoped["scope"]["stale"]), (&json!(3), &json!(false)));
    let list = tenant.get(&format!("/keys/{}/blast-radius?size={}", text(&lost), scoped["scope"]["size"]));
    assert_eq!(list.expect(200).json()["count"], 3);
    taken(&tenant, &incident, "withdraw", &json!({ "channel": "web", "note": "taken from the mirror" }));
    take(&tenant, &incident, "withdraw", &json!({ "channel": "web" })).refused(409, "incident.step");
    take(&tenant, &incident, "reinstate", &json!({ "channel": "web" })).refused(409, "incident.step");

    replaced_and_signed_again(&tenant, &service, &incident, &lost);
    advised_and_closed(&tenant, &incident);
    tenant.verified();
}

fn replaced_and_signed_again(tenant: &Tenant, service: &Service, incident: &Value, lost: &Value) {
    let rotation = rotate(tenant, "releases", "key.rotate_emergency");
    until(tenant, &rotation, "the cutover", |rotation| rotation["state"] == "completed");
    let revoke = json!({ "key": lost, "reason": "key_compromise" });
    tenant.executed("key.revoke_emergency", &revoke);
    // Not without a quorum: one person can't.
    let params = json!({ "slot": "releases" });
    let asked =
        tenant.propose(tenant.person(0), "security_reviewer", "slot.resume", &params).expect(201).json();
    tenant.sign(service, "releases", &sha256(b"one")).refused(409, "slot.suspended");
    let step = |incident: &Value, name: &str| {
        let mut steps = incident["steps"].as_array().unwrap().iter();
        steps.find(|step| step["step"] == name).cloned().unwrap()
    };
    assert_eq!(step(&seen(tenant, incident), "resumed")["pending"], asked["action"]);
    tenant.approved(&asked);
    waiting::until("the resumption", || {
        left(&seen(tenant, incident)).iter().all(|step| *step != "resumed").then_some(())
    });
    assert_eq!(step(&seen(tenant, incident), "resumed")["action"], asked["action"]);

    // Until the end the slot signs for production only what the change board has approved.
    let body = json!({ "digest": sha256(b"one"), "artifact": { "name": "one", "version": "1.0" } });
    let awaiting = service.api.post(&tenant.path("/slots/releases/sign"), &body).expect(202).json();
    let action = tenant.get(&format!("/actions/{}", text(&awaiting["action"]))).expect(200).json();
    tenant.approved(&action);
    service.api.post(&tenant.path("/slots/releases/sign"), &body).expect(200);
}

fn advised_and_closed(tenant: &Tenant, incident: &Value) {
    take(tenant, incident, "resign", &json!({ "dropped": 4 })).refused(400, "incident.form");
    taken(tenant, incident, "resign", &json!({ "dropped": 2 }));
    taken(tenant, incident, "reinstate", &json!({ "channel": "web" }));
    for text in ["<b>Use 1.1</b>", "[here](https://evil.example)", "`x`", "&lt;script"] {
        let advisory = json!({ "reference": "ACME-2026-001", "text": text });
        take(tenant, incident, "advise", &advisory).refused(400, "advisory.markup");
    }
    take(tenant, incident, "advise", &json!({ "reference": "x<y", "text": "t" }))
        .refused(400, "advisory.markup");
    let told = |text: &str| json!({ "reference": "ACME-2026-001", "text": text });
    take(tenant, incident, "advise", &told("Use 1.1.\r\nNot 1.0.")).refused(400, "text.characters");
    take(tenant, incident, "advise", &told(&"a".repeat(4001))).refused(400, "text.length");
    let (first, second) = ("Use 1.1 or later.", "Fetch it again. ".repeat(80));
    let advised = taken(tenant, incident, "advise", &told(&format!("{first}\n\n{second}")));
    assert_eq!(left(&advised), [] as [&str; 0]);
    let closing = |note: &str| json!({ "outcome": "resolved", "note": note });
    take(tenant, incident, "close", &closing("<i>done</i>")).refused(400, "advisory.markup");
    let closed = taken(tenant, incident, "close", &closing("done"));
    assert_eq!(closed["closed"]["outcome"], "resolved");
    take(tenant, incident, "note", &json!({ "text": "late" })).refused(409, "incident.closed");
    let clocks = closed["clocks"].as_array().unwrap();
    assert!(clocks.iter().all(|clock| clock["met"] == true), "{clocks:?}");

    // The statement comes by itself.
    waiting::until("the statement", || (seen(tenant, incident)["reported"] == true).then_some(()));
    let reports = tenant.get("/reports").expect(200).json();
    let report = reports["reports"].as_array().unwrap().iter().find(|report| report["kind"] == "incident");
    let report = report.unwrap_or_else(|| panic!("{reports}"));
    assert!(tenant.get(&format!("/reports/{}", text(&report["sha256"]))).expect(200).body.len() > 1000);
}

#[test]
fn who_may_not_stop_a_slot_opens_nothing_and_anybody_may_say_what_was_seen() {
    let server = Server::shared();
    let tenant = Tenant::founded_with(&server, &[KEEPERS, KEEPERS, KEEPERS, &["approver"]]);
    tenant.slot("releases", "ecdsa-p256-sha256");
    let approver = tenant.person(3);
    let by = |rest: &str, body: &Value| approver.api.post(&tenant.path(rest), body);
    by("/incidents", &json!({ "slot": "releases" })).refused(403, "containment.holder");
    by("/incidents", &json!({ "slot": "nowhere" })).refused(403, "containment.holder");
    tenant.post("/incidents", &json!({ "slot": "nowhere" })).refused(404, "slot.unknown");
    let incident = opened(&tenant, &json!({ "slot": "releases", "contain": false }));
    assert_eq!(incident["contained"], false);
    let path = path(&incident);
    by(&format!("{path}/acknowledge"), &json!({})).expect(200);
    let again = by(&format!("{path}/acknowledge"), &json!({})).expect(200).json();
    assert_eq!(
        again["responders"].as_array().unwrap().iter().filter(|one| one["acknowledged"] == true).count(),
        2
    );
    by(&format!("{path}/note"), &json!({ "text": "seen at 3 a.m." })).expect(200);
    by(&format!("{path}/scope"), &json!({})).refused(403, "containment.holder");
    by(&format!("{path}/advance"), &json!({})).refused(403, "incident.drill");
    let unknown = "/incidents/01934f00-0000-4000-8000-0000000000f1";
    tenant.get(unknown).refused(404, "incident.unknown");
    tenant.verified();
}

#[test]
fn a_false_alarm_takes_the_quorum_that_let_the_slot_go_on() {
    let server = Server::shared();
    let (tenant, service) = releasing(&server);
    let incident = opened(&tenant, &json!({ "slot": "releases" }));
    let close = json!({ "outcome": "false_alarm" });
    take(&tenant, &incident, "close", &close).refused(409, "incident.open");
    tenant.executed("slot.resume", &json!({ "slot": "releases" }));
    taken(&tenant, &incident, "close", &close);
    tenant.sign(&service, "releases", &sha256(b"one")).expect(200);
    // The clocks of the next one about the same key go on from this one.
    let next = opened(&tenant, &json!({ "slot": "releases" }));
    assert_eq!(next["follows"], incident["incident"]);
    assert_eq!(next["clocks"], incident["clocks"]);
    a_page_says_where_the_next_begins(&tenant, &[&next, &incident]);
    tenant.verified();
}

fn a_page_says_where_the_next_begins(tenant: &Tenant, newest_first: &[&Value]) {
    let page = |query: &str| tenant.get(&format!("/incidents?{query}")).expect(200).json();
    let mut after = String::new();
    for (at, incident) in newest_first.iter().enumerate() {
        let listed = page(&format!("limit=1{after}"));
        assert_eq!(listed["incidents"].as_array().unwrap().len(), 1, "{listed}");
        assert_eq!(listed["incidents"][0]["incident"], incident["incident"]);
        let more = at + 1 < newest_first.len();
        assert_eq!(listed["next"], if more { incident["incident"].clone() } else { Value::Null });
        after = format!("&after={}", text(&incident["incident"]));
    }
    assert_eq!(page("limit=1000")["incidents"].as_array().unwrap().len(), newest_first.len());
    assert_eq!(page("open=false")["next"], Value::Null);
    let nowhere = "/incidents?after=01934f00-0000-4000-8000-0000000000f1";
    tenant.get(nowhere).refused(404, "incident.unknown");
}

#[test]
fn whoever_is_called_and_does_not_answer_is_named() {
    let server = Server::shared();
    let tenant = Tenant::founded_with(&server, &[KEEPERS, KEEPERS, KEEPERS, &["auditor"]]);
    tenant.slot("releases", "ecdsa-p256-sha256");
    let body = json!({ "slot": "releases", "acknowledge_by": in_seconds(2), "targets": { "contained": 60 } });
    let incident = opened(&tenant, &body);
    let called = |incident: &Value| {
        let responders = incident["responders"].as_array().unwrap().iter();
        responders.filter(|one| one["called"] == true).count()
    };
    assert_eq!(called(&incident), 2);
    let answer = |n: usize| {
        let path = tenant.path(&format!("{}/acknowledge", path(&incident)));
        tenant.person(n).api.post(&path, &json!({})).expect(200);
    };
    answer(1);
    let escalated = waiting::until("the escalation", || {
        let now = seen(&tenant, &incident);
        now["escalated"].is_object().then_some(now)
    });
    let event = tenant.get(&format!("/events/{}", escalated["escalated"]["seq"])).expect(200).json();
    assert_eq!(event["event"]["data"]["missed"], json!([tenant.person(2).id]));
    answer(2);
    tenant.verified();
}

#[test]
fn a_build_takes_artifacts_down_by_itself_and_cant_put_them_back() {
    let server = Server::shared();
    let (tenant, build) = releasing(&server);
    let stranger = tenant.service(&["root"]);
    let incident = opened(&tenant, &json!({ "slot": "releases", "reason": "a stolen token" }));
    let by = |service: &Service, step: &str, channel: &str| {
        let path = tenant.path(&format!("{}/{step}", path(&incident)));
        service.api.post(&path, &json!({ "channel": channel }))
    };
    // What is not a service's own looks like what is not there.
    by(&stranger, "withdraw", "web").refused(404, "incident.unknown");
    by(&build, "withdraw", "apt").refused(404, "channel.unknown");
    let withdrawn = by(&build, "withdraw", "web").expect(200).json();
    let seq = &withdrawn["withdrawn"]["seq"];
    let members: Vec<&str> = withdrawn.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!((members, &withdrawn["channel"]), (vec!["channel", "withdrawn"], &json!("web")));
    let event = tenant.get(&format!("/events/{seq}")).expect(200).json();
    assert_eq!(event["event"]["actor"], json!({ "kind": "service", "id": build.id }));
    assert_eq!(seen(&tenant, &incident)["channels"][0]["withdrawn"]["seq"], *seq);
    by(&build, "withdraw", "web").refused(409, "incident.step");

    // Nothing else of an incident is a service's.
    by(&build, "reinstate", "web").refused(403, "role.missing");
    build.api.get(&tenant.path(&path(&incident))).refused(403, "role.missing");
    build.api.get(&tenant.path("/incidents")).refused(403, "role.missing");
    tenant.verified();
}

#[test]
fn a_scope_reaches_as_far_back_as_the_quorum_that_revoked_says() {
    let server = Server::shared();
    let (tenant, service) = releasing(&server);
    tenant.sign(&service, "releases", &sha256(b"long ago")).expect(200);
    let since = in_seconds(0);
    let incident = opened(&tenant, &json!({ "slot": "releases", "suspected_since": since }));
    let scoped = taken(&tenant, &incident, "scope", &json!({}));
    assert_eq!((&scoped["scope"]["since"], &scoped["scope"]["count"]), (&json!(since), &json!(0)));
    // They name no moment: all that there was.
    tenant.executed("key.revoke_emergency", &json!({ "key": incident["key"], "reason": "key_compromise" }));
    assert_eq!(seen(&tenant, &incident)["scope"]["stale"], true);
    take(&tenant, &incident, "scope", &json!({ "since": since })).refused(400, "incident.form");
    let scoped = taken(&tenant, &incident, "scope", &json!({}));
    assert_eq!(scoped["scope"].get("since"), None);
    // The artifact, and the request for the key's certificate.
    assert_eq!((&scoped["scope"]["count"], &scoped["scope"]["stale"]), (&json!(2), &json!(false)));
    tenant.verified();
}
