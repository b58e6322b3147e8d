//! Refusals are facts too.

use integration::tenant::sha256;
use integration::{Server, Tenant};

#[test]
fn refusals_of_known_callers_are_recorded_with_their_number_when_the_server_stops() {
    // A server of its own: it stops and starts again.
    let mut server = Server::start();
    let mut tenant = Tenant::founded(&server, 2);
    tenant.slot("release", "ecdsa-p256-sha256");
    let service = tenant.service(&["release"]);
    for _ in 0..3 {
        tenant.sign(&service, "elsewhere", &sha256(b"x")).refused(404, "slot.unknown");
        // Nobody is known here: this is no fact about anybody.
        tenant.anonymous().get(&tenant.path("/slots")).refused(401, "auth.token");
    }
    server.stop();
    server.start_again();

    for person in &mut tenant.people {
        person.api = server.api();
        person.sign_in(&tenant.name);
    }
    let page = tenant.get("/events?type=refusal.recorded").expect(200).json();
    let refusals: Vec<_> =
        page["events"].as_array().unwrap().iter().map(|event| &event["event"]["data"]).collect();
    let of_service = refusals.iter().filter(|refusal| refusal["caller"]["id"] == service.id.as_str());
    // A minute may have ended in between: its refusals are counted apart.
    let counted: u64 = of_service.clone().map(|refusal| refusal["count"].as_u64().unwrap()).sum();
    assert_eq!(counted, 3, "{refusals:?}");
    assert!(of_service.clone().all(|refusal| refusal["rule"] == "slot.unknown"));
    // The server signs on where it stopped.
    tenant.sign(&service, "release", &sha256(b"x")).expect(200);
    tenant.verified();
}
