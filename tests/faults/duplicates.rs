//! Retries of one request by the thousand, racing over many connections: one signature, one answer.

use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use integration::bundle::Bundle;
use integration::shim::{Fault, Function, Rule, Shim};
use integration::tenant::sha256;
use integration::{Api, Server, waiting};
use serde_json::json;

use crate::load::{SLOT, site};

/// Connections at once.
const CONNECTIONS: usize = 100;

#[test]
fn racing_retries_under_one_idempotency_key_make_one_signature_and_get_one_answer() {
    race(20);
}

#[test]
#[ignore = "ten thousand take half a minute: `make faults` runs it"]
fn ten_thousand_racing_retries_make_one_signature_and_get_one_answer() {
    race(100);
}

/// So many requests over each connection.
fn race(retries: usize) {
    let shim = Shim::new();
    let server = Server::start_with(shim.options());
    let (tenant, service) = site(&server);
    let key = shim.slot_key(&tenant, SLOT);
    // The first hangs in the device until everybody has asked.
    let hanging = shim.set(Rule::new(Function::Sign, Fault::Hang).of_key(&key).times(1));
    let (path, body) = (tenant.path(&format!("/slots/{SLOT}/sign")), json!({ "digest": sha256(b"once") }));
    let token = service.api.token().unwrap().to_owned();
    let (barrier, asked) = (Barrier::new(CONNECTIONS), AtomicUsize::new(0));
    let began = Instant::now();
    let answers: Vec<Vec<u8>> = std::thread::scope(|scope| {
        let retry = || {
            // An agent of its own, and with it a connection.
            let api = Api::new(server.port()).with_token(&token);
            barrier.wait();
            let mut answers = Vec::with_capacity(retries);
            for _ in 0..retries {
                asked.fetch_add(1, Ordering::Relaxed);
                answers.push(api.post_once(&path, "one and the same", &body).expect(200).body);
            }
            answers
        };
        let threads: Vec<_> = (0..CONNECTIONS).map(|_| scope.spawn(retry)).collect();
        hanging.wait_for(1);
        waiting::until("everybody to ask", || (asked.load(Ordering::Relaxed) == CONNECTIONS).then_some(()));
        hanging.withdraw();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    println!("{} retries in {:?}", answers.len(), began.elapsed());
    assert_eq!(answers.len(), CONNECTIONS * retries);
    assert!(answers.iter().all(|answer| *answer == answers[0]), "one answer for all");
    let count = shim.count(&key);
    assert_eq!((count.entered, count.signed), (1, 1));
    tenant.verified();
    let events = Bundle::open(&tenant.exported()).parsed();
    let of = |kind: &str| events.iter().filter(|event| event["type"] == kind).count();
    assert_eq!((of("signature.authorized"), of("signature.created")), (1, 1));
}
