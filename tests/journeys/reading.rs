//! What is read: events and their pages, evidence, checkpoints, health, the API's own documents.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use integration::story::Story;
use integration::tenant::{sha256, text};
use integration::{Server, Tenant, waiting};
use sealbook_ledger::checkpoint::SignedCheckpoint;
use sealbook_ledger::encoding::Hash;
use sealbook_ledger::merkle::verify_consistency;
use sealbook_ledger::receipt::Receipt;
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
fn a_reader_follows_the_ledger_from_what_it_has_seen_and_from_key_to_key() {
    let server = Server::shared();
    let story = Story::tell(&server, &["ed25519"]);
    let tenant = &story.tenant;
    let newest: SignedCheckpoint = checkpoint(&story.sealed());
    let seen = checkpoint(&story.halfway);
    let shown = tenant.get(&format!("/consistency?old={}", seen.checkpoint().size)).expect(200).json();
    let now = checkpoint(text(&shown["checkpoint"]));
    let path: Vec<Hash> =
        shown["path_b64"].as_array().unwrap().iter().map(|hash| hash_of(text(hash))).collect();
    let (old, new) = (seen.checkpoint(), now.checkpoint());
    assert!(shown["size"] == new.size && new.size >= newest.checkpoint().size);
    verify_consistency(old.size, new.size, &old.root, &new.root, &path).unwrap();
    let beyond =
        tenant.get(&format!("/consistency?old={}&wait_ms=10000", new.size + 9999)).expect(200).json();
    assert!(beyond.get("path_b64").is_none() && beyond["size"].as_u64().unwrap() >= new.size);
    for bad in ["", "?old=0", "?old=x", "?old=1&more=1"] {
        tenant.get(&format!("/consistency{bad}")).refused(400, "request.query");
    }

    let handed = tenant.get("/transitions").expect(200).json();
    let receipts = handed["receipts"].as_array().unwrap();
    assert_eq!(receipts.len(), 1);
    let receipt = Receipt::parse(text(&receipts[0]).as_bytes()).unwrap();
    // Under the key of seq 0 alone: the old key has signed the size that ends with the rotation.
    let verified = receipt.verify(&[tenant.vkey.parse().unwrap()]).unwrap();
    assert_eq!(verified.seq.get() + 1, verified.checkpoint.size);
    let event: Value = serde_json::from_slice(receipt.event_bytes()).unwrap();
    assert_eq!(event["type"], "ledger.key_rotated");
    now.verify(&text(&event["data"]["vkey"]).parse().unwrap()).unwrap();
}

fn checkpoint(note: &str) -> SignedCheckpoint {
    SignedCheckpoint::parse(note.as_bytes()).unwrap()
}

fn hash_of(base64: &str) -> Hash {
    Hash(STANDARD.decode(base64).unwrap().try_into().unwrap())
}

/// A page, as a browser asks for one.
fn page(tenant: &Tenant, path: &str) -> integration::Answer {
    let path = format!("/t/{}{path}", tenant.name);
    tenant.person(0).api.send("GET", &path, &[("accept", "text/html")], b"")
}

#[test]
fn pages_tell_of_slots_and_events_and_of_nothing_that_is_not_there() {
    let server = Server::shared();
    let story = Story::tell(&server, &["ed25519"]);
    let tenant = &story.tenant;
    let slots = page(tenant, "/slots").expect(200).text();
    assert!(slots.contains("/slots/ed25519") && slots.contains("Signing"), "{slots}");
    let slot = waiting::until("signatures on the slot's page", || {
        let shown = page(tenant, "/slots/ed25519").expect(200).text();
        shown.contains("after für ed25519 1.0").then_some(shown)
    });
    for said in ["BEGIN PUBLIC KEY", "Never extractable", "How its policy came about"] {
        assert!(slot.contains(said), "{said} is not in {slot}");
    }
    let whole = page(tenant, "/ledger").expect(200).text();
    assert!(whole.contains("Checkpoint ") && whole.contains("asked for a signature of after für ed25519"));
    let suspended = page(tenant, "/ledger?group=stops&slot=ed25519").expect(200).text();
    assert!(suspended.contains("suspended slot ed25519") && !suspended.contains("slot ed25519 signs again"));
    let of_service = format!("/ledger?actor=service:{}", story.service.id);
    let asked = page(tenant, &of_service).expect(200).text();
    assert!(asked.contains("signature.authorized") && !asked.contains("member.enrolled"));
    let none = page(tenant, "/ledger?to=2020-01-01T00:00").expect(200).text();
    assert!(none.contains("Nothing of the kind"));
    let wrong = page(tenant, "/ledger?action=no-id&before=x").expect(200).text();
    assert!(wrong.contains("Nothing was looked for") && wrong.contains("action, place"));

    let event = page(tenant, "/ledger/4").expect(200).text();
    assert!(event.contains("ledger.founded") && event.contains("data-verify-event=\"4\""));
    page(tenant, "/ledger/999999").expect(404);
    page(tenant, "/slots/no-such-slot").expect(404);
    let stranger = Tenant::founded(&server, 2);
    let elsewhere = format!("/t/{}/ledger/0", stranger.name);
    tenant.person(0).api.send("GET", &elsewhere, &[("accept", "text/html")], b"").expect(404);
}

#[test]
fn a_piece_of_work_is_told_as_a_whole() {
    let server = Server::shared();
    let tenant = Tenant::founded(&server, 2);
    tenant.slot("release", "ecdsa-p256-sha256");
    let service = tenant.service(&["release"]);
    let signed = tenant.sign(&service, "release", &sha256(b"an artifact")).expect(200).json();
    let seq = signed["seq"].as_u64().unwrap();
    let event = tenant.get(&format!("/events/{seq}")).expect(200).json();
    let correlation = text(&event["event"]["correlation"]);
    let work = page(&tenant, &format!("/ledger?correlation={correlation}")).expect(200).text();
    assert!(work.contains("signature.authorized") && work.contains("signature.created"), "{work}");
    assert!(!work.contains("slot.created"));
    let proposed = tenant.get("/events?type=action.proposed").expect(200).json();
    let action = text(&proposed["events"][0]["event"]["data"]["document"]["action"]);
    let decided = page(&tenant, &format!("/ledger?action={action}")).expect(200).text();
    for kind in ["action.proposed", "action.executing", "slot.created", "key.activated", "action.executed"] {
        assert!(decided.contains(kind), "{kind}");
    }
    assert!(!decided.contains("service.enrolled"));
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
            // What is for everybody says of a tenant that is not there no more than of a path that is not.
            let public = path.starts_with("/crl/") || path.starts_with("/.well-known/");
            let unknown = !public && answer.status == 404 && answer.code() == "path.unknown";
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
