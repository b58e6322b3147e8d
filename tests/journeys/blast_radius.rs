//! The blast radius of a key: every signature that it may have made since a moment, told, listed and proved.

use std::fs;
use std::process::Command;

use integration::programs::{Ended, program, run};
use integration::shim::{Fault, Function, Rule, Shim, rv};
use integration::tenant::{in_seconds, sha256, text};
use integration::{Answer, Server, Service, Tenant};
use sealbook_ledger::canonical;
use sealbook_ledger::receipt::Receipt;
use serde_json::{Value, json};

/// A name, a version and a ticket that a spreadsheet would run.
const FORMULAS: [&str; 3] = ["=HYPERLINK(\"http://x\",\"y\")", "+1+1", "@SUM(A1)"];

fn sign(tenant: &Tenant, service: &Service, name: &str, artifact: &Value) -> Answer {
    let body = json!({ "digest": sha256(name.as_bytes()), "environment": "staging", "artifact": artifact });
    service.api.post(&tenant.path("/slots/release/sign"), &body)
}

fn told(tenant: &Tenant, key: &str, query: &str) -> Value {
    tenant.get(&format!("/keys/{key}/blast-radius{query}")).expect(200).json()
}

/// The rows as JSON, which have the digest that was told.
fn listed(tenant: &Tenant, told: &Value, query: &str) -> Vec<Value> {
    let (key, size) = (text(&told["key"]), &told["size"]);
    let answer = tenant.get(&format!("/keys/{key}/blast-radius.jsonl?size={size}{query}")).expect(200);
    assert_eq!(answer.header("x-sealbook-size"), Some(size.to_string().as_str()));
    let rows: Vec<Value> = answer.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut lines = Vec::new();
    for row in &rows {
        lines.extend(canonical::value_to_vec(&row["signature"]).unwrap());
        lines.push(b'\n');
    }
    assert_eq!(sha256(&lines), text(&told["digest"]));
    assert_eq!(rows.len() as u64, told["count"].as_u64().unwrap());
    rows
}

fn outcomes(told: &Value) -> [u64; 5] {
    ["created", "withheld", "abandoned", "open", "failed"]
        .map(|outcome| told["outcomes"][outcome].as_u64().unwrap())
}

#[test]
fn every_signature_since_a_moment_is_told_whatever_came_of_it() {
    let shim = Shim::new();
    let server = Server::start_with(shim.options());
    let tenant = Tenant::founded(&server, 3);
    let slot = tenant.slot("release", "ecdsa-p256-sha256");
    let key = text(&slot["created"]["key"]).to_owned();
    tenant.slot("elsewhere", "ecdsa-p256-sha256");
    let service = tenant.service(&["release", "elsewhere"]);
    let app = json!({ "name": "app", "version": "1.0", "ticket": "CHG-1" });
    sign(&tenant, &service, "before", &app).expect(200);
    let since = format!("since={}", in_seconds(0));
    tenant.sign(&service, "elsewhere", &sha256(b"another key's")).expect(200);
    sign(&tenant, &service, "after", &app).expect(200);
    sign(&tenant, &service, "unnamed", &json!({})).expect(200);
    let device = shim.slot_key(&tenant, "release");
    let failing = Rule::new(Function::Sign, Fault::Return(rv::CKR_BUFFER_TOO_SMALL)).of_key(&device).times(1);
    let failing = shim.set(failing);
    sign(&tenant, &service, "failed", &app).refused(503, "custody.refused");
    failing.withdraw();

    // Two are in the device when the slot is suspended: nobody knows yet what becomes of them, and they count.
    let hanging = shim.set(Rule::new(Function::Sign, Fault::Hang).of_key(&device).times(2));
    let while_open = std::thread::scope(|scope| {
        let asked = ["one", "two"].map(|name| {
            let (tenant, service, app) = (&tenant, &service, &app);
            scope.spawn(move || sign(tenant, service, name, app))
        });
        hanging.wait_for(2);
        tenant.post("/slots/release/suspend", &json!({})).expect(201);
        let told = told(&tenant, &key, &format!("?{since}"));
        hanging.withdraw();
        for asked in asked {
            asked.join().unwrap().refused(409, "slot.suspended");
        }
        told
    });
    assert_eq!(outcomes(&while_open), [2, 0, 0, 2, 1]);
    assert_eq!((&while_open["count"], &while_open["signed"]), (&json!(5), &json!(4)));
    assert_eq!(while_open["resign_required"], 4);
    assert_eq!((&while_open["slot"], text(&while_open["key"])), (&json!("release"), key.as_str()));
    let now = told(&tenant, &key, &format!("?{since}"));
    assert_eq!(outcomes(&now), [2, 2, 0, 0, 1]);
    // What was kept back is in nobody's hands.
    assert_eq!(now["resign_required"], 2);
    assert_ne!(now["digest"], while_open["digest"]);
    let again = told(&tenant, &key, &format!("?{since}&size={}", while_open["size"]));
    assert_eq!((&again["digest"], &again["outcomes"]), (&while_open["digest"], &while_open["outcomes"]));
    let all = told(&tenant, &key, "");
    assert_eq!((outcomes(&all), &all["last"]), ([3, 2, 0, 0, 1], &now["last"]));
    assert!(all["first"]["seq"].as_u64() < now["first"]["seq"].as_u64());

    let group = |name: &str| now[name]["groups"].clone();
    assert_eq!(group("environments"), json!([{ "environment": "staging", "count": 5, "failed": 1 }]));
    assert_eq!(group("callers"), json!([{ "kind": "service", "id": service.id, "count": 5, "failed": 1 }]));
    let artifacts = json!([
        { "name": "app", "version": "1.0", "count": 4, "failed": 1 },
        { "without": "unnamed", "count": 1, "failed": 0 },
    ]);
    assert_eq!(group("artifacts"), artifacts);
    let rows = listed(&tenant, &now, &format!("&{since}"));
    let found: Vec<&str> = rows.iter().map(|row| text(&row["signature"]["outcome"])).collect();
    assert_eq!(found, ["created", "created", "failed", "withheld", "withheld"]);
    assert_eq!(rows[0]["artifact"], json!({ "name": "app", "ticket": "CHG-1", "version": "1.0" }));
    assert!(rows[1].get("artifact").is_none(), "{}", rows[1]);
    tenant.verified();
}

#[test]
fn rows_are_proved_and_no_cell_of_the_table_is_a_formula() {
    let server = Server::shared();
    let tenant = Tenant::founded(&server, 3);
    let slot = tenant.slot("release", "ed25519-over-sha256-digest");
    let key = text(&slot["created"]["key"]).to_owned();
    let service = tenant.service(&["release"]);
    let [name, version, ticket] = FORMULAS;
    sign(&tenant, &service, "one", &json!({ "name": name, "version": version, "ticket": ticket }))
        .expect(200);
    sign(&tenant, &service, "two", &json!({ "name": "-1", "version": "1,5" })).expect(200);

    let path = format!("/keys/{key}/blast-radius");
    let table = tenant.get(&format!("{path}.csv")).expect(200);
    assert!(table.header("content-type").unwrap().starts_with("text/csv"));
    let lines = table.text();
    let lines: Vec<&str> = lines.split_terminator("\r\n").collect();
    let head = "authorization,time,caller_kind,caller,digest,environment,purpose,purpose_id,outcome,outcome_seq,\
        caller_name,artifact_name,artifact_version,artifact_ticket,resign_required";
    assert_eq!((lines.len(), lines[0]), (3, head));
    let escaped = r#","'=HYPERLINK(""http://x"",""y"")","'+1+1","'@SUM(A1)",true"#;
    assert!(lines[1].ends_with(escaped), "{}", lines[1]);
    assert!(lines[2].ends_with(r#",,"'-1","1,5",,true"#), "{}", lines[2]);
    assert!(lines[1].contains(&format!(",service,{},{},staging,,,created,", service.id, sha256(b"one"))));

    // Each row with the proofs of both of its events, under the ledger key that was pinned.
    let told = told(&tenant, &key, "");
    let rows = listed(&tenant, &told, "&receipts=true&wait_ms=10000");
    for row in &rows {
        let signature = &row["signature"];
        let receipts = row["receipts"].as_array().unwrap();
        let seqs = [&signature["authorization"], &signature["outcome_seq"]];
        assert_eq!(receipts.len(), seqs.len());
        for (receipt, seq) in receipts.iter().zip(seqs) {
            let receipt = Receipt::parse(text(receipt).as_bytes()).unwrap();
            receipt.verify(&[tenant.vkey.parse().unwrap()]).unwrap();
            assert_eq!(json!(receipt.index()), *seq);
        }
    }
    assert_eq!(text(&rows[0]["artifact"]["name"]), name, "JSON is no spreadsheet");
    // Once the ledger rests, its newest checkpoint is that of the list.
    let told = self::told(&tenant, &key, "");
    let note = tenant.get("/checkpoint").expect(200).text();
    assert_eq!((text(&told["checkpoint"]), &told["count"]), (note.as_str(), &json!(2)));
}

#[test]
fn a_key_that_signed_nothing_has_an_empty_list_and_what_is_asked_wrongly_is_refused() {
    let server = Server::shared();
    let mut tenant = Tenant::founded(&server, 3);
    let slot = tenant.slot("release", "ecdsa-p256-sha256");
    let key = text(&slot["created"]["key"]).to_owned();
    let told = told(&tenant, &key, "");
    assert_eq!((&told["count"], told.get("first")), (&json!(0), None));
    assert_eq!(text(&told["digest"]), sha256(b""));
    assert!(listed(&tenant, &told, "").is_empty());
    let path = format!("/keys/{key}/blast-radius");
    for bad in ["since=yesterday", "size=0", "size=99999999", "size=-1", "until=2026-01-01"] {
        tenant.get(&format!("{path}?{bad}")).refused(400, "request.query");
    }
    tenant.get(&format!("{path}.csv?receipts=true")).refused(400, "request.query");
    let nobodys = uuid::Uuid::new_v4();
    for ending in ["", ".csv", ".jsonl"] {
        tenant.get(&format!("/keys/{nobodys}/blast-radius{ending}")).refused(404, "key.unknown");
    }
    let service = tenant.service(&["release"]);
    service.api.get(&tenant.path(&path)).refused(403, "role.missing");
    // An approver reads what a key did, and takes no rows away.
    let approver = tenant.enrolled(&["approver"]);
    let approver = &tenant.person(approver).api;
    approver.get(&tenant.path(&path)).expect(200);
    approver.get(&tenant.path(&format!("{path}.jsonl"))).refused(403, "role.missing");
}

fn sealbook(server: &Server, tenant: &Tenant, arguments: &[&str]) -> Ended {
    let person = tenant.person(0);
    let mut command = Command::new(program("sealbook"));
    command
        .current_dir(tenant.folder())
        .env("SEALBOOK_URL", server.url())
        .env("SEALBOOK_TENANT", &tenant.name)
        .env("SEALBOOK_STATE", tenant.folder().join("state"))
        .args(["--as", person.key_file.to_str().unwrap(), "--member", &person.id])
        .args(["key", "blast-radius"])
        .args(arguments);
    run(&mut command)
}

#[test]
fn the_command_line_tells_it_and_writes_rows_that_are_what_was_told() {
    let server = Server::shared();
    let tenant = Tenant::founded(&server, 3);
    let slot = tenant.slot("release", "ecdsa-p256-sha256");
    let key = text(&slot["created"]["key"]).to_owned();
    let service = tenant.service(&["release"]);
    let app = json!({ "name": "app", "version": "1.0" });
    for n in 0..3 {
        sign(&tenant, &service, &format!("artifact {n}"), &app).expect(200);
    }
    let arguments = [&key, "--csv", "rows.csv", "--jsonl", "rows.jsonl", "--receipts"];
    let told = sealbook(&server, &tenant, &arguments).expect(0).stdout;
    for words in [
        "3 signatures, of which 3 count as signed",
        "3 artifacts, or to give up",
        "3 created, 0 withheld",
        "app 1.0",
        "staging",
    ] {
        assert!(told.contains(words), "{words}: {told}");
    }
    let rows = fs::read_to_string(tenant.folder().join("rows.jsonl")).unwrap();
    assert_eq!((rows.lines().count(), rows.matches("c2sp.org/tlog-proof").count()), (3, 6));
    assert_eq!(fs::read_to_string(tenant.folder().join("rows.csv")).unwrap().matches("\r\n").count(), 4);
    let short = &key[key.len() - 12..];
    let later = sealbook(&server, &tenant, &[short, "--since", "2126-01-01T00:00:00Z", "--json"]).expect(0);
    assert_eq!((&later.json()["count"], &later.json()["key"]), (&json!(0), &json!(key)));
    sealbook(&server, &tenant, &[&key, "--since", "yesterday evening"]).expect(2);
    sealbook(&server, &tenant, &[&key, "--receipts"]).expect(2);
}
