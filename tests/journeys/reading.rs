//! What is read: events and their pages, evidence, checkpoints, health, the API's own documents.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use integration::tenant::{sha256, text};
use integration::{Server, Tenant};
use sealbook_ledger::encoding::Hash;
use serde_json::{Value, json};

fn seqs(page: &Value) -> Vec<u64> {
    page["events"].as_array().unwrap().iter().map(|event| event["seq"].as_u64().unwrap()).collect()
}

#[test]
fn events_are_paged_filtered_and_served_as_their_exact_bytes() {
    let server = Server::shared();
    let tenant = Tenant::founded(&server, 3);
    tenant.slot("release", "ecdsa-p256-sha256");
    let all = tenant.get("/events?limit=500").expect(200).json();
    let size = tenant.get("").expect(200).json()["size"].as_u64().unwrap();
    assert_eq!(seqs(&all), (0..size).collect::<Vec<_>>());

    let (mut paged, mut after) = (Vec::new(), String::new());
    loop {
        let page = tenant.get(&format!("/events?limit=4{after}")).expect(200).json();
        paged.extend(seqs(&page));
        let Some(next) = page.get("next") else { break };
        after = format!("&after={next}");
    }
    assert_eq!(paged, seqs(&all));

    let of = |query: &str| tenant.get(&format!("/events?{query}")).expect(200).json();
    let founding = of("type=ledger.founded,member.enrolled");
    assert_eq!(seqs(&founding), [1, 2, 3, 4]);
    let moment = text(&all["events"][4]["event"]["time"]);
    let (before, since) =
        (seqs(&of(&format!("to={moment}"))), seqs(&of(&format!("from={moment}&limit=500"))));
    assert_eq!(before.iter().chain(&since).copied().collect::<Vec<_>>(), seqs(&all));
    assert!(!before.contains(&4) && since.contains(&4));

    let event = &all["events"][4];
    let raw = tenant.person(0).api.send(
        "GET",
        &tenant.path("/events/4"),
        &[("accept", "application/octet-stream")],
        b"",
    );
    assert_eq!(raw.body, STANDARD.decode(text(&event["bytes_b64"])).unwrap());
    assert_eq!(serde_json::from_slice::<Value>(&raw.body).unwrap(), event["event"]);
    assert_eq!(all["events"][5]["event"]["prev"], event["hash"]);
    for bad in ["type=no.such", "limit=x", "unknown=1", "from=yesterday"] {
        tenant.get(&format!("/events?{bad}")).refused(400, "request.query");
    }
    tenant.get("/events/999999").refused(404, "event.unknown");
}

#[test]
fn outside_evidence_is_recorded_and_found_again() {
    let server = Server::shared();
    let tenant = Tenant::founded(&server, 2);
    tenant.slot("release", "ecdsa-p256-sha256");
    let service = tenant.service(&["release"]);
    let body = json!({
        "digest": sha256(b"a provenance"), "media_type": "application/vnd.in-toto+json",
        "subject": { "kind": "slot", "id": "release" }, "description": "built from source",
    });
    let recorded = service.api.post_once(&tenant.path("/evidence"), "once", &body).expect(201).json();
    let again = service.api.post_once(&tenant.path("/evidence"), "once", &body).expect(201).json();
    assert_eq!((&again["evidence"], &again["seq"]), (&recorded["evidence"], &recorded["seq"]));
    let listed = tenant.get("/evidence").expect(200).json();
    let listed = listed["evidence"].as_array().unwrap();
    assert_eq!((listed.len(), &listed[0]["seq"]), (1, &recorded["seq"]));
    assert_eq!(listed[0]["description"], "built from source");
    let mut elsewhere = body;
    elsewhere["subject"]["id"] = json!("no-such-slot");
    service.api.post(&tenant.path("/evidence"), &elsewhere).refused(404, "evidence.subject");
    tenant.verified();
}

#[test]
fn a_checkpoint_names_its_ledger_and_a_receipt_waits_for_one() {
    let server = Server::shared();
    let tenant = Tenant::founded(&server, 2);
    let size = tenant.get("").expect(200).json()["size"].as_u64().unwrap();
    let receipt = tenant.get(&format!("/receipts/{}?wait_ms=10000", size - 1)).expect(200).text();
    assert!(receipt.contains(&tenant.origin));
    let checkpoint = tenant.get("/checkpoint").expect(200).text();
    assert_eq!(checkpoint.lines().next(), Some(tenant.origin.as_str()));
}

#[test]
fn the_openapi_document_lists_every_route_and_every_problem_is_documented() {
    let server = Server::shared();
    let api = server.api();
    let document = api.get("/openapi.json").expect(200).json();
    assert_eq!(document["openapi"], "3.1.0");
    assert!(document["info"]["title"].is_string() && document["info"]["version"].is_string());
    let mut ids = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            assert!(["get", "post", "delete"].contains(&method.as_str()), "{method} {path}");
            assert!(ids.insert(text(&operation["operationId"]).to_owned()), "{method} {path}");
            let named: BTreeSet<&str> =
                path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).collect();
            let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
            let declared: BTreeSet<&str> = parameters
                .iter()
                .filter(|parameter| parameter["in"] == "path")
                .map(|parameter| text(&parameter["name"]))
                .collect();
            assert_eq!(declared, named, "{method} {path}");
            // A route that is listed is served: nothing answers that the path is unknown.
            let filled = path.replace("{tenant}", "nobody").replace(['{', '}'], "");
            let answer = api.send(&method.to_uppercase(), &filled, &[], b"");
            assert!(answer.status < 500 && answer.status != 405, "{}", answer.said());
            let unknown = answer.status == 404 && answer.code() == "path.unknown";
            assert!(!unknown, "{}", answer.said());
        }
    }
    let errors = api.get("/docs/errors").expect(200).json();
    let codes: BTreeSet<&str> =
        errors["errors"].as_array().unwrap().iter().map(|e| text(&e["code"])).collect();
    assert!(codes.contains("slot.suspended") && codes.contains("auth.token"));
}

#[test]
fn health_readiness_and_metrics_are_served_without_a_token() {
    let server = Server::shared();
    let tenant = Tenant::founded(&server, 2);
    let api = server.api();
    assert_eq!(api.get("/healthz").expect(200).text(), "ok");
    assert_eq!(api.get("/readyz").expect(200).json()["ready"], true);
    assert_eq!(api.get("/health").expect(200).json()["status"], "ok");
    let metrics = api.get("/metrics").expect(200).text();
    assert!(metrics.lines().any(|line| line.starts_with("# TYPE sealbook_")), "{metrics}");
    let listed = server.operator().get("/v1/tenants").expect(200).json();
    let listed = listed["tenants"].as_array().unwrap();
    assert!(listed.iter().any(|entry| entry["tenant"] == tenant.name.as_str() && entry["founded"] == true));
    api.get("/nothing/here").refused(404, "path.unknown");
    api.send("DELETE", "/healthz", &[], b"").refused(405, "method.unknown");
    let digest: Result<Hash, _> = tenant.founding_digest.parse();
    assert!(digest.is_ok());
}
