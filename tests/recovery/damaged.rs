//! Ledgers that were damaged while no server ran: each is refused at the start, named with what was found, and stops no
//! other.

use std::fs;

use integration::tenant::{Service, sha256};
use integration::{Server, Tenant};
use sealbook_ledger::encoding::Hash;
use serde_json::{Value, json};

use crate::alarm;
use crate::forged::{evidence, evidence_request, site};
use crate::forger::{Forger, service, system};

/// A ledger in which evidence lies under the seal, to be meddled with.
fn victim(server: &Server) -> (Tenant, Service) {
    let (tenant, signer) = site(server);
    for n in 0..3 {
        signer.api.post(&tenant.path("/evidence"), &evidence_request(n)).expect(201);
    }
    tenant.exported();
    (tenant, signer)
}

/// Does something to a ledger, and says what the server is to name: words, or a range that holds an event, for where only a
/// root differs there is nothing nearer than the checkpoints around.
type Damage = fn(&mut Forger<'_>, &Server, &Tenant, &Service) -> String;

const DAMAGES: &[(&str, Damage)] = &[
    ("an event that no rule allows", |forger, _, tenant, _| {
        let data =
            json!({ "action": uuid::Uuid::new_v4(), "member": tenant.person(0).id, "role": "key_owner" });
        let seq = forger.append("role.granted", &system(), &data);
        format!("event {seq} (role.granted)")
    }),
    ("an edited event, the chain mended", |forger, _, _, _| {
        let at = forger.last("evidence.recorded") - 1;
        forger.rewrite(at, |events| events[at]["data"]["digest"] = sha256(b"another").into());
        format!("range with {at}")
    }),
    ("two events in another order, the chain mended", |forger, _, _, _| {
        let at = forger.last("evidence.recorded") - 1;
        // Times that go backwards would give it away.
        forger.rewrite(at, |events| {
            events.swap(at, at + 1);
            let later = events[at]["time"].take();
            let earlier = std::mem::replace(&mut events[at + 1]["time"], later);
            events[at]["time"] = earlier;
        });
        format!("range with {at}")
    }),
    ("an event dropped, others put at the end", |forger, _, _, signer| {
        let at = forger.last("evidence.recorded") - 1;
        forger.rewrite(at, |events| drop(events.remove(at)));
        forger.append("evidence.recorded", &service(&signer.id), &evidence(8));
        forger.append("evidence.recorded", &service(&signer.id), &evidence(9));
        format!("range with {at}")
    }),
    ("a byte changed, nothing mended", |forger, _, _, _| {
        let at = forger.last("evidence.recorded") - 1;
        let bytes = "bytes = set_byte(bytes, 9, get_byte(bytes, 9) # 1)";
        forger.execute(&format!("UPDATE sealbook.events SET {bytes} WHERE seq = {at} AND {}", forger.mine()));
        format!("event {at}")
    }),
    ("the tail cut off", |forger, _, _, _| {
        let at = forger.last("evidence.recorded");
        forger.rewrite(at, |events| events.truncate(at));
        format!("the database holds {at} events where {}", at + 1)
    }),
    ("everything cut off", |forger, _, _, _| {
        let size = forger.events().len();
        forger.rewrite(0, Vec::clear);
        format!("the database holds 0 events where {size}")
    }),
    ("its head taken away", |forger, _, _, _| {
        forger.forget(&["heads"]);
        "no head".to_owned()
    }),
    ("all of it taken away", |forger, _, _, _| {
        let size = forger.events().len();
        forger.forget(&["events", "heads", "ledgers"]);
        format!("known to have held {size} events")
    }),
    ("its high-water file damaged", |_, server, tenant, _| {
        fs::write(high_water(server, tenant), "sealbook high-water v1\n").unwrap();
        "high-water file is damaged".to_owned()
    }),
];

fn high_water(server: &Server, tenant: &Tenant) -> std::path::PathBuf {
    let name = format!("{}.high-water", Hash::sha256(tenant.origin.as_bytes()));
    server.data().join("high-water").join(name)
}

/// Whether a sentence names what was done.
fn names(sentence: &str, expected: &str) -> bool {
    let Some(at) = expected.strip_prefix("range with ") else { return sentence.contains(expected) };
    let at: u64 = at.parse().unwrap();
    let range = sentence.split_once("events ").and_then(|(_, rest)| rest.split_once(" are not those"));
    let range = range.and_then(|(range, _)| range.split_once(" to "));
    let Some((from, to)) = range else { return false };
    (from.parse::<u64>().unwrap()..=to.parse().unwrap()).contains(&at)
}

#[test]
fn every_damaged_ledger_is_refused_with_what_was_found_and_the_sound_one_is_served() {
    let mut server = Server::start();
    let (mut sound, signer) = victim(&server);
    let victims: Vec<(Tenant, Service)> = DAMAGES.iter().map(|_| victim(&server)).collect();
    let mut missing = victim(&server);
    let mut forgers: Vec<Forger<'_>> =
        victims.iter().map(|(tenant, _)| Forger::of(&server, tenant)).collect();
    // The server is held still, not stopped: its private Postgres is what the owner writes to.
    server.suspend();
    let mut expected = Vec::new();
    for ((forger, (tenant, signer)), (_, damage)) in forgers.iter_mut().zip(&victims).zip(DAMAGES) {
        expected.push(damage(forger, &server, tenant, signer));
    }
    drop(forgers);
    fs::remove_file(high_water(&server, &missing.0)).unwrap();
    server.kill();
    server.start_again();

    for ((what, _), ((tenant, signer), expected)) in DAMAGES.iter().zip(victims.iter().zip(&expected)) {
        let sentence = alarm::raised(&server, &tenant.name, &tenant.origin);
        assert!(names(&sentence, expected), "{what}: {expected}: {sentence}");
        // Whoever asks is told so, whatever they show; nothing is done.
        tenant.sign(signer, "release", &sha256(b"refused")).refused(500, "ledger.corrupt");
        server.operator().post(&tenant.path("/scrub"), &json!({})).refused(500, "ledger.corrupt");
        let founders = json!({ "tenant": tenant.name, "founders": [{}, {}] });
        server.operator().post("/v1/tenants", &founders).refused(500, "ledger.corrupt");
    }
    let (code, sentence) = alarm::missing(&server, &missing.0.origin).unwrap();
    assert_eq!(code, "high_water.missing", "{sentence}");
    missing.0.sign(&missing.1, "release", &sha256(b"refused")).refused(503, "high_water.missing");
    let listed = server.operator().get("/v1/tenants").expect(200).json();
    let of = |list: &Value| list.as_array().unwrap().len();
    assert_eq!((of(&listed["tenants"]), of(&listed["refused"])), (1, DAMAGES.len() + 1), "{listed:#}");

    // The sound one works as ever, sign-ins and seals included.
    assert_eq!(alarm::frozen(&server, &sound.name), Some(0));
    sound.sign_in_again();
    sound.sign(&signer, "release", &sha256(b"as ever")).expect(200);
    sound.verified();

    // What was mended is served again after the next start.
    server.stop();
    server.start_again_with(integration::server::Options {
        arguments: vec!["--accept-missing-high-water".to_owned()],
        ..Default::default()
    });
    missing.0.sign_in_again();
    missing.0.sign(&missing.1, "release", &sha256(b"served again")).expect(200);
}
