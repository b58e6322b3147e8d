//! What auditors ask: how things stood at a moment, samples that can be drawn again, and selections that verify.

use integration::programs::verify;
use integration::tenant::{sha256, text};
use integration::{Server, Tenant};
use sealbook_ledger::sample::{Population, Seed};
use serde_json::{Value, json};

fn members(tenant: &Tenant, at: &str) -> Value {
    tenant.get(&format!("/audit/members?at={at}")).expect(200).json()
}

fn status(list: &Value, id: &str) -> Option<String> {
    let member = list["members"].as_array().unwrap().iter().find(|member| member["member"] == id)?;
    Some(text(&member["status"]).to_owned())
}

/// The time of the ledger's latest event.
fn now(tenant: &Tenant) -> String {
    let size = tenant.get("").expect(200).json()["size"].as_u64().unwrap();
    let event = tenant.get(&format!("/events/{}", size - 1)).expect(200).json();
    text(&event["event"]["time"]).to_owned()
}

#[test]
fn people_keys_and_decisions_are_told_as_at_a_moment() {
    let server = Server::shared();
    let mut tenant = Tenant::founded(&server, 3);
    let before = now(&tenant);
    let joined = tenant.enrolled(&["auditor"]);
    let id = tenant.person(joined).id.clone();
    let enrolled = now(&tenant);
    tenant.post(&format!("/members/{id}/suspend"), &json!({})).expect(201);
    let suspended = now(&tenant);
    tenant.slot("release", "ecdsa-p256-sha256");

    assert_eq!(status(&members(&tenant, &before), &id), None);
    assert_eq!(status(&members(&tenant, &enrolled), &id).as_deref(), Some("active"));
    assert_eq!(status(&members(&tenant, &suspended), &id).as_deref(), Some("suspended"));
    assert_eq!(members(&tenant, &before)["at"], before.as_str());

    let keys = |at: &str| tenant.get(&format!("/audit/keys?at={at}")).expect(200).json();
    assert_eq!(keys(&suspended)["keys"].as_array().unwrap().len(), 0);
    let latest = tenant.get("/audit/keys").expect(200).json();
    assert_eq!(
        (&latest["keys"][0]["slot"], &latest["keys"][0]["state"]),
        (&json!("release"), &json!("active"))
    );

    let decisions = |query: &str| tenant.get(&format!("/audit/approvals{query}")).expect(200).json();
    let then = decisions(&format!("?at={enrolled}"));
    let then = then["decisions"].as_array().unwrap();
    assert!(then.iter().all(|decision| decision["type"] == "member.enroll"), "{then:?}");
    assert_eq!(then.iter().filter(|decision| decision["decision"] == "approved").count(), 2);
    let later = decisions(&format!("?from={suspended}"));
    assert!(later["decisions"].as_array().unwrap().iter().all(|decision| decision["type"] == "slot.create"));

    let csv = tenant.get("/audit/members?format=csv").expect(200);
    assert!(csv.header("content-type").unwrap().starts_with("text/csv"));
    assert!(csv.text().starts_with("member,name,status,roles,authenticators\r\n"));
    tenant.get("/audit/members?at=yesterday").refused(400, "request.query");
    tenant.verified();
}

#[test]
fn a_name_that_begins_like_a_formula_is_text_in_a_table() {
    let server = Server::shared();
    let tenant = Tenant::founded(&server, 3);
    let mut candidate = tenant.stranger();
    let ticket = tenant.invited(&["auditor"]);
    let body = json!({ "registration": candidate.registration(&ticket) });
    let by_ticket = tenant.anonymous().with_token(&ticket);
    let made = by_ticket.post(&tenant.path("/candidates/register"), &body).expect(201).json();
    candidate.id = text(&made["member"]).to_owned();
    let listed = tenant.get("/candidates").expect(200).json()["candidates"][0].clone();
    let params = json!({ "member": listed["member"], "credentials": [listed["credential"]], "roles": listed["roles"] });
    let asked = json!({
        "type": "member.enroll", "params": params, "reason": "joins", "private": { "display_name": "=HYPERLINK(1)" },
    });
    let draft = tenant.post("/actions/draft", &asked).expect(200).json();
    let proposal = tenant.proposal(tenant.person(0), "platform_admin", &draft);
    let action = tenant.post("/actions", &proposal).expect(201).json();
    assert_eq!(tenant.approved(&action)["status"], "executed");
    let csv = tenant.get("/audit/members?format=csv").expect(200).text();
    assert!(csv.contains(",\"'=HYPERLINK(1)\",") && !csv.contains(",=HYPERLINK"), "{csv}");
}

#[test]
fn a_sample_is_drawn_again_from_its_seed_and_checkpoint() {
    let server = Server::shared();
    let tenant = Tenant::founded(&server, 3);
    tenant.slot("release", "ecdsa-p256-sha256");
    let size = tenant.get("").expect(200).json()["size"].as_u64().unwrap();
    tenant.get(&format!("/receipts/{}?wait_ms=10000", size - 1)).expect(200);
    let first = tenant.get("/audit/sample?n=5&seed=2026-Q4").expect(200).json();
    let drawn_under = first["size"].as_u64().unwrap();
    let origin = tenant.origin.parse().unwrap();
    let population = Population { origin: &origin, size: drawn_under, kind: None, count: drawn_under };
    let seed: Seed = "2026-Q4".parse().unwrap();
    let seqs = |sample: &Value| -> Vec<u64> {
        sample["sample"].as_array().unwrap().iter().map(|event| event["seq"].as_u64().unwrap()).collect()
    };
    assert_eq!(seqs(&first), population.places(&seed, 5));

    // The ledger grows; the same checkpoint gives the same sample.
    let service = tenant.service(&["release"]);
    tenant.sign(&service, "release", &sha256(b"an artifact")).expect(200);
    let again = tenant.get(&format!("/audit/sample?n=5&seed=2026-Q4&size={drawn_under}")).expect(200).json();
    assert_eq!(again, first);
    let of_a_type = tenant.get("/audit/sample?n=50&seed=s&type=member.enrolled").expect(200).json();
    assert_eq!((seqs(&of_a_type), &of_a_type["population"]), (vec![1, 2, 3], &json!(3)));
    assert!(text(&first["sample"][0]["receipt"]).contains(&tenant.origin));
    for bad in ["seed=", "seed=a%20b", "n=0&seed=s", "n=201&seed=s", "seed=s&type=no.such"] {
        tenant.get(&format!("/audit/sample?{bad}")).refused(400, "request.query");
    }
    tenant.get("/audit/sample?seed=s&size=999999").refused(404, "checkpoint.unknown");
}

#[test]
fn a_selection_holds_what_is_about_a_slot_and_verifies() {
    let server = Server::shared();
    let tenant = Tenant::founded(&server, 3);
    tenant.slot("release", "ecdsa-p256-sha256");
    tenant.slot("elsewhere", "ecdsa-p256-sha256");
    let service = tenant.service(&["release", "elsewhere"]);
    for slot in ["release", "elsewhere"] {
        tenant.sign(&service, slot, &sha256(slot.as_bytes())).expect(200);
    }
    let answer = tenant.get("/export?slot=elsewhere&wait_ms=10000").expect(200);
    let events: usize = answer.header("x-sealbook-events").unwrap().parse().unwrap();
    // Proposal, two approvals, execution, slot, key, its three steps, and two of a signature.
    assert!(events >= 9, "{events}");
    let archive = String::from_utf8_lossy(&answer.body).into_owned();
    assert!(archive.contains("receipts/") && !archive.contains("events.jsonl"));
    let file = tenant.folder().join("selection.tar");
    std::fs::write(&file, &answer.body).unwrap();
    verify([file.to_str().unwrap(), "--vkey", &tenant.vkey]).expect(0);
    let narrow = tenant.get("/export?slot=elsewhere&type=signature.created").expect(200);
    assert_eq!(narrow.header("x-sealbook-events"), Some("1"));
    tenant.get("/export?slot=nothing").refused(409, "export.nothing");
}

#[test]
fn health_tells_whose_absence_would_block_what() {
    let server = Server::shared();
    let tenant = Tenant::founded(&server, 3);
    let report = tenant.get("/health-report").expect(200).json();
    assert_eq!((&report["storage"]["ok"], &report["devices"][0]["state"]), (&json!(true), &json!("ready")));
    assert_eq!(report["high_water"]["state"], "present");
    let absence = report["absence"].as_array().unwrap();
    assert_eq!(absence.len(), 3);
    let groups = absence[0]["blocked"].as_array().unwrap();
    let group =
        groups.iter().find(|group| group["types"].as_array().unwrap().contains(&json!("slot.create")));
    assert_eq!(group.unwrap()["mended_by"], json!(["approver"]));
    for page in ["people", "health", "audit", "audit?list=keys", "audit?list=approvals&at=2020-01-01T00:00"] {
        let answer = tenant.person(0).api.get(&format!("/t/{}/{page}", tenant.name)).expect(200);
        assert!(answer.text().contains("<h1>"), "{page}");
    }
    tenant.person(0).api.get(&format!("/t/{}/audit?at=nonsense", tenant.name)).expect(200);
}
