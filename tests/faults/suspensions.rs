//! Slots suspended while signatures are in flight, again and again: each signature is released or kept back by its place in
//! the ledger, and nobody holds one that the ledger says was kept back.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use integration::bundle::Bundle;
use integration::tenant::{Service, sha256, text};
use integration::{Server, Tenant, waiting};
use serde_json::{Value, json};

use crate::load::{SLOT, site};

/// Signers at once.
const SIGNERS: usize = 8;

/// Signatures and suspensions that there are at least, unless the environment says how many signatures.
const SIGNATURES: usize = 3000;
const SUSPENSIONS: usize = 24;

/// Most signatures from a resumption to the next suspension.
const STRETCH: usize = 240;

/// What a client received: the event that records it, and the signature.
type Received = BTreeMap<u64, String>;

#[test]
fn a_signature_in_flight_while_its_slot_is_suspended_is_released_or_withheld_and_never_both() {
    let number = |name: &str| Some(std::env::var(name).ok()?.parse::<u64>().expect("a number"));
    let seed = number("SEALBOOK_SEED").unwrap_or_else(|| fastrand::u64(..));
    println!("SEALBOOK_SEED={seed}");
    let wanted = number("SEALBOOK_SIGNATURES").map_or(SIGNATURES, |wanted| wanted as usize);
    let mut rng = fastrand::Rng::with_seed(seed);
    let server = Server::shared();
    let (tenant, service) = site(&server);
    let (stop, count) = (AtomicBool::new(false), AtomicUsize::new(0));
    let began = Instant::now();
    let received = std::thread::scope(|scope| {
        let signers: Vec<_> = (0..SIGNERS)
            .map(|signer| {
                let (tenant, service, stop, count) = (&tenant, &service, &stop, &count);
                scope.spawn(move || signs(tenant, service, signer, (stop, count)))
            })
            .collect();
        // Ended also where something does not hold: the signers would go on for ever.
        let ends = Ends(&stop);
        let mut suspended = 0;
        while count.load(Ordering::Relaxed) < wanted || suspended < SUSPENSIONS {
            let until = count.load(Ordering::Relaxed) + rng.usize(1..STRETCH);
            waiting::until("signatures", || (count.load(Ordering::Relaxed) >= until).then_some(()));
            stopped(&tenant, suspended);
            tenant.executed("slot.resume", &json!({ "slot": SLOT }));
            suspended += 1;
        }
        drop(ends);
        println!("{suspended} suspensions in {:?}", began.elapsed());
        let mut all = Received::new();
        signers.into_iter().for_each(|signer| all.extend(signer.join().unwrap()));
        all
    });
    tenant.verified();
    hold_together(&Bundle::open(&tenant.exported()).parsed(), &received);
}

struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// By turns as containment alone, and by an incident, which ends as a false alarm.
fn stopped(tenant: &Tenant, turn: usize) {
    if turn.is_multiple_of(2) {
        tenant.post(&format!("/slots/{SLOT}/suspend"), &json!({})).expect(201);
        return;
    }
    let incident = tenant.post("/incidents", &json!({ "slot": SLOT })).expect(201).json();
    let path = format!("/incidents/{}/close", text(&incident["incident"]));
    tenant.executed("slot.resume", &json!({ "slot": SLOT }));
    tenant.post(&path, &json!({ "outcome": "false_alarm" })).expect(200);
    tenant.post(&format!("/slots/{SLOT}/suspend"), &json!({})).expect(201);
}

fn signs(
    tenant: &Tenant,
    service: &Service,
    signer: usize,
    (stop, count): (&AtomicBool, &AtomicUsize),
) -> Received {
    let (path, mut received) = (tenant.path(&format!("/slots/{SLOT}/sign")), Received::new());
    for n in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        // For production the change board would be asked while an incident is open.
        let body = json!({ "environment": "staging", "digest": sha256(format!("{signer} {n}").as_bytes()) });
        let answer = service.api.post(&path, &body);
        if answer.status != 200 {
            assert_eq!(answer.code(), "slot.suspended", "{}", answer.said());
            continue;
        }
        let signed = answer.json();
        received.insert(signed["seq"].as_u64().unwrap(), text(&signed["signature_b64"]).to_owned());
        count.fetch_add(1, Ordering::Relaxed);
    }
    received
}

/// The ledger read from its beginning, with nothing but the order of its events.
fn hold_together(events: &[Value], received: &Received) {
    let (mut suspended, mut open, mut released) = (false, BTreeSet::new(), Received::new());
    let (mut withheld, mut in_flight) = (0, 0);
    for event in events {
        let (seq, data) = (event["seq"].as_u64().unwrap(), &event["data"]);
        match text(&event["type"]) {
            "slot.suspended" => {
                in_flight += open.len();
                suspended = true;
            }
            "slot.resumed" => suspended = false,
            "signature.authorized" => {
                assert!(!suspended, "authorised while suspended: {event:#}");
                open.insert(seq);
            }
            "signature.created" => {
                assert!(!suspended, "released while suspended: {event:#}");
                assert!(open.remove(&data["authorization"].as_u64().unwrap()), "{event:#}");
                let signature = URL_SAFE_NO_PAD.decode(text(&data["signature"])).unwrap();
                released.insert(seq, STANDARD.encode(signature));
            }
            "signature.withheld" => {
                assert!(suspended && data["reason"] == "suspended", "{event:#}");
                assert!(open.remove(&data["authorization"].as_u64().unwrap()), "{event:#}");
                withheld += 1;
            }
            _ => {}
        }
    }
    println!("{} released, {withheld} withheld, {in_flight} were in flight", released.len());
    assert!(open.is_empty(), "without an outcome: {open:?}");
    assert_eq!(&released, received, "who asked got what the ledger says was released, and nothing else");
    assert!(withheld > 0, "no suspension came while a signature was in flight");
}
