//! Postgres killed, and Postgres that hangs, while others sign.

use std::time::Duration;

use integration::{Server, waiting};
use rustix::process::Signal;

use crate::load::{Load, settle, site};
use crate::processes;

/// No answer takes longer, whatever the database does: a statement's, a round's and an outcome's deadlines together.
const LONGEST_ANSWER: Duration = Duration::from_secs(75);

#[test]
fn postgres_killed_under_load_breaks_no_answer_and_comes_back_by_itself() {
    let server = Server::start();
    let (tenant, service) = site(&server);
    let load = Load::begin(&tenant, &service);
    for _ in 0..3 {
        load.wait_for(30);
        let before = processes::postmaster(&server);
        processes::signal(&processes::postgres(&server), Signal::KILL);
        waiting::until("another postmaster", || {
            processes::postmaster(&server).filter(|now| Some(*now) != before)
        });
    }
    load.wait_for(30);
    let seen = load.end();
    assert!(!seen.refused.contains_key("broken"), "{:?}", seen.refused);
    settle(&tenant, &seen);
}

#[test]
fn postgres_that_hangs_is_answered_with_503_within_the_deadlines() {
    let server = Server::start();
    let (tenant, service) = site(&server);
    let load = Load::begin(&tenant, &service);
    load.wait_for(30);
    let processes = processes::postgres(&server);
    processes::signal(&processes, Signal::STOP);
    let noticed = waiting::within(LONGEST_ANSWER, || {
        assert_eq!(server.api().get("/healthz").status, 200);
        let ready = server.api().get("/readyz");
        (ready.status == 503 && ready.text().contains("store.unavailable")).then_some(())
    });
    let path = tenant.path(&format!("/slots/{}/sign", crate::load::SLOT));
    let digest = serde_json::json!({ "digest": "00".repeat(32) });
    let answer = service.api.post(&path, &digest);
    processes::signal(&processes, Signal::CONT);
    assert!(noticed.is_some(), "readiness says nothing of it");
    assert_eq!(answer.status, 503, "{}", answer.said());
    load.wait_for(30);
    let seen = load.end();
    assert!(seen.longest < LONGEST_ANSWER, "somebody waited {:?}", seen.longest);
    assert!(!seen.refused.contains_key("broken"), "{:?}", seen.refused);
    settle(&tenant, &seen);
}
