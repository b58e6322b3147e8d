//! What must come round: the calendar of a fresh tenant, what moves its dates, and the audit of rotations.

use std::process::Command;

use integration::programs::{Ended, program, run};
use integration::tenant::{sha256, signing_policy, text};
use integration::waiting;
use integration::{Server, Tenant};
use serde_json::{Value, json};

/// The parameters of a rotation of a slot, as it stands.
fn rotation_of(tenant: &Tenant, slot: &str) -> Value {
    let shown = tenant.get(&format!("/slots/{slot}")).expect(200).json();
    let policy = sealbook_ledger::canonical::to_vec(&shown["rotation"]).unwrap();
    json!({ "slot": slot, "old_key": shown["active_key"], "policy": sha256(&policy) })
}

fn entry(tenant: &Tenant, kind: &str) -> Value {
    let calendar = tenant.get("/calendar").expect(200).json();
    let entries = calendar["entries"].as_array().unwrap();
    entries.iter().find(|entry| entry["kind"] == kind).unwrap_or_else(|| panic!("{calendar:#}")).clone()
}

/// The program, as the tenant's first person.
fn sealbook(server: &Server, tenant: &Tenant, arguments: &[&str]) -> Ended {
    let mut command = Command::new(program("sealbook"));
    command
        .env("SEALBOOK_URL", server.url())
        .env("SEALBOOK_STATE", tenant.folder().join("state"))
        .args(["--tenant", &tenant.name, "--as"])
        .arg(&tenant.person(0).key_file)
        .args(["--member", &tenant.person(0).id])
        .args(arguments);
    run(&mut command)
}

/// Puts a review of who can reach the device on record.
fn review(tenant: &Tenant) {
    let params = json!({ "backend": "softhsm", "holder_count": 2 });
    let private = json!({ "holders": ["Ada", "the build farm"] });
    let person = tenant.person(0);
    let draft = tenant.draft_with(person, "hsm.access_review", &params, &private).expect(200).json();
    let proposal = tenant.proposal(person, "platform_admin", &draft);
    let action = person.api.post(&tenant.path("/actions"), &proposal).expect(201).json();
    let waits = entry(tenant, "access_review");
    assert_eq!((&waits["state"], &waits["action"]), (&json!("overdue"), &action["action"]), "{waits:#}");
    assert_eq!(tenant.approved(&action)["status"], "executed");
}

#[test]
fn a_fresh_tenant_has_its_dates_and_a_review_moves_its_own() {
    let server = Server::shared();
    let tenant = Tenant::founded(&server, 3);
    let calendar = tenant.get("/calendar").expect(200).json();
    assert_eq!(calendar["origin"], tenant.origin.as_str());
    // Its device is to be reviewed from the beginning on: it holds the ledger key.
    assert_eq!(calendar["overdue"], 1);
    let told = |entry: &Value| [&entry["kind"], &entry["subject"], &entry["state"]].map(text).join(" ");
    let entries: Vec<String> = calendar["entries"].as_array().unwrap().iter().map(told).collect();
    assert_eq!(entries, ["access_review softhsm overdue", "ledger_key ledger fine"]);

    tenant.slot("apt-repo", "ecdsa-p256-sha256");
    let slot = tenant.get("/slots/apt-repo").expect(200).json();
    let key = entry(&tenant, "slot_key");
    assert_eq!((&key["due_at"], &key["key"]), (&slot["due_at"], &slot["active_key"]));
    assert_eq!((&key["state"], &key["subject"]), (&json!("fine"), &json!("apt-repo")));
    assert!(key["blockers"].as_array().unwrap().is_empty(), "{key:#}");
    // The server proposes it two weeks ahead.
    assert!(text(&key["propose_from"]) < text(&key["due_at"]));

    let never = entry(&tenant, "access_review");
    assert_eq!((&never["state"], &never["subject"]), (&json!("overdue"), &json!("softhsm")));
    assert_eq!(never["sentence"], "Nobody has put on record who can reach softhsm.");
    let overdue = format!("sealbook_calendar_overdue{{kind=\"access_review\",tenant=\"{}\"}} ", tenant.name);
    let counted = |count: u8| {
        waiting::until("metrics to follow", || {
            let text = server.api().get("/metrics").expect(200).text();
            text.contains(&format!("{overdue}{count}\n")).then_some(text)
        })
    };
    let metrics = counted(1);
    assert!(metrics.contains(&format!("sealbook_calendar_next_due_days{{tenant=\"{}\"}} -1\n", tenant.name)));

    review(&tenant);
    let reviewed = entry(&tenant, "access_review");
    assert_eq!(reviewed["state"], "fine", "{reviewed:#}");
    assert!(text(&reviewed["due_at"]) > text(&never["due_at"]));
    assert_eq!(tenant.get("/calendar").expect(200).json()["overdue"], 0);
    counted(0);
    tenant.verified();
}

#[test]
fn the_command_line_lists_what_is_late_first() {
    let server = Server::shared();
    let tenant = Tenant::founded(&server, 3);
    tenant.slot("apt-repo", "ecdsa-p256-sha256");
    let listed = sealbook(&server, &tenant, &["calendar"]).expect(0);
    let place =
        |what: &str| listed.stdout.find(what).unwrap_or_else(|| panic!("{what} in {}", listed.stdout));
    assert!(listed.stdout.contains("one thing is overdue"), "{}", listed.stdout);
    assert!(place("OVERDUE  access review softhsm") < place("fine  slot key apt-repo"));
    assert!(place("fine  slot key apt-repo") < place("fine  ledger key ledger"));
    assert!(listed.stdout.lines().all(|line| line.chars().count() <= 80), "{}", listed.stdout);
    let same = sealbook(&server, &tenant, &["--json", "calendar"]).expect(0).json();
    assert_eq!(same["entries"], tenant.get("/calendar").expect(200).json()["entries"]);
}

#[test]
fn the_audit_of_rotations_passes_and_fails_where_an_interval_is_too_long() {
    let server = Server::shared();
    let tenant = Tenant::founded(&server, 3);
    tenant.slot("apt-repo", "ecdsa-p256-sha256");
    let audit = || tenant.get("/audit/rotation").expect(200).json();
    let first = audit();
    assert_eq!((&first["passed"], &first["failed"]), (&json!(true), &json!(0)), "{first:#}");
    let key = &first["keys"][0];
    assert_eq!((&key["verdict"], &key["pack"]), (&json!("passed"), &json!("none")));
    let came = tenant.get(&format!("/events/{}", key["came_by"]["seq"])).expect(200).json();
    assert_eq!(
        (&came["event"]["type"], &came["event"]["data"]["key"]),
        (&key["came_by"]["type"], &key["key"])
    );
    let passed = sealbook(&server, &tenant, &["audit", "rotation"]).expect(0);
    assert!(passed.stdout.contains("The audit passes"), "{}", passed.stdout);

    let action = tenant.executed("key.rotate_emergency", &rotation_of(&tenant, "apt-repo"));
    let rotated = waiting::until("the new key to take over", || {
        let now = audit();
        let new = now["keys"].as_array().unwrap().iter().find(|key| key["rotation"] == action["action"]);
        new.filter(|key| key["state"] == "active").map(|_| now.clone())
    });
    assert_eq!(rotated["passed"], true, "{rotated:#}");
    assert_eq!(rotated["keys"].as_array().unwrap().len(), 2);

    // A tenant may let its slots go on longer; no report passes over it.
    let mut policy = tenant.get("/policy").expect(200).json()["policy"].clone();
    policy["cadence"] = json!({ "access_review_days": 90, "ledger_key_days": 365, "rotation_days": 365 });
    tenant.executed("policy.set", &json!({ "policy": policy }));
    let mut slow = tenant.slot_params("slow", "ecdsa-p256-sha256", &signing_policy());
    slow["rotation_days"] = json!(365);
    tenant.executed("slot.create", &slow);
    let blocked = audit();
    assert_eq!((&blocked["passed"], &blocked["failed"]), (&json!(false), &json!(0)), "{blocked:#}");
    let said = text(&blocked["blockers"][0]);
    assert!(said.contains("slow") && said.contains("365 days"), "{said}");
    assert_eq!(entry_of(&tenant, "slow")["blockers"][0], blocked["blockers"][0]);
    let failed = sealbook(&server, &tenant, &["audit", "rotation"]).expect(1);
    assert!(failed.stdout.contains("blocker: Slot slow"), "{}", failed.stdout);
    assert!(failed.stderr.contains("audit.failed"), "{}", failed.stderr);
    let csv = sealbook(&server, &tenant, &["audit", "rotation", "--csv"]).expect(1).stdout;
    assert!(csv.starts_with("slot,key,state,"), "{csv}");
    tenant.verified();
}

fn entry_of(tenant: &Tenant, slot: &str) -> Value {
    let calendar = tenant.get("/calendar").expect(200).json();
    let of = |entry: &&Value| entry["kind"] == "slot_key" && entry["subject"] == slot;
    calendar["entries"].as_array().unwrap().iter().find(of).unwrap().clone()
}

#[test]
fn the_page_leads_to_what_can_be_proposed() {
    let server = Server::shared();
    let tenant = Tenant::founded(&server, 3);
    tenant.slot("apt-repo", "ecdsa-p256-sha256");
    let read = |person: usize, page: &str| {
        let path = format!("/t/{}{page}", tenant.name);
        tenant.person(person).api.send("GET", &path, &[("accept", "text/html")], b"").expect(200).text()
    };
    let page = read(0, "/calendar");
    assert!(page.contains("One thing is overdue") && page.contains("Twelve months from now"), "{page}");
    let review = format!("/t/{}/propose/hsm.access_review?backend=softhsm", tenant.name);
    assert!(page.contains(&review), "{page}");
    let form = read(0, "/propose/hsm.access_review?backend=softhsm");
    assert!(form.contains("value=\"softhsm\""), "{form}");
    assert!(page.contains(&format!("href=\"/t/{}/slots/apt-repo\"", tenant.name)), "{page}");
    let audit = read(0, "/audit?list=rotation");
    assert!(
        audit.contains("The audit of rotations passes.") && audit.contains("key.generation_authorized"),
        "{audit}"
    );
}
