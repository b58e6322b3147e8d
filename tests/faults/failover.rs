//! Behind a failover: the database that comes back is one that has not seen the last commits.

use std::time::Duration;
use std::{fs, thread};

use integration::proxy::{Act, Moment, Trap};
use integration::server::Reachable as _;
use integration::tenant::{Service, Tenant, sha256};
use integration::{Installation, waiting};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use rustix::process::Signal;
use sealbook_ledger::encoding::Hash;
use serde_json::Value;

use crate::commits::commit_of;
use crate::lease::Lease;
use crate::load::{Load, SLOT, Seen, settle, site};

/// A start that is refused is so by then.
const START: Duration = Duration::from_secs(30);

/// Has so many signed.
fn signed(tenant: &Tenant, service: &Service, seen: &mut Seen) {
    let load = Load::begin(tenant, service);
    load.wait_for(30);
    let more = load.end();
    assert!(more.refused.is_empty(), "{:?}", more.refused);
    seen.received.extend(more.received);
}

/// The ledger's size, once all of it is sealed.
fn sealed(tenant: &Tenant) -> u64 {
    waiting::until("everything to be sealed", || {
        let shown = tenant.get("").expect(200).json();
        (shown["size"] == shown["sealed_size"]).then(|| shown["size"].as_u64().unwrap())
    })
}

/// Takes a standby's place for it: the cluster as it is now.
fn copy(at: &mut Installation) {
    at.postgres.stop(Signal::INT);
    at.postgres.copy_to(&at.at("pg/standby"));
    at.postgres.start_again();
}

/// A ledger that signs, all of it sealed, and a standby that has all of it.
fn with_a_standby() -> (Installation, Tenant, Service, Seen) {
    let mut at = Installation::start();
    let (tenant, service) = site(&at);
    let mut seen = Seen::default();
    signed(&tenant, &service, &mut seen);
    sealed(&tenant);
    copy(&mut at);
    (at, tenant, service, seen)
}

/// The standby takes over; what the primary had alone lies in `pg/primary`.
fn fail_over(at: &mut Installation) {
    at.postgres.stop(Signal::QUIT);
    at.postgres.exchange(&at.at("pg/standby"), &at.at("pg/primary"));
    at.postgres.start_again();
}

/// The primary is back.
fn fail_back(at: &mut Installation) {
    at.postgres.stop(Signal::INT);
    at.postgres.exchange(&at.at("pg/primary"), &at.at("pg/standby"));
    at.postgres.start_again();
}

/// What the server answers to a signature once it knows its database again.
fn answered(tenant: &Tenant, service: &Service) -> integration::Answer {
    waiting::until("the server to know its database", || {
        let answer = tenant.sign(service, SLOT, &sha256(b"behind a failover"));
        (answer.status != 503).then_some(answer)
    })
}

fn refuses(at: &Installation, tenant: &Tenant, service: &Service, kept: u64) {
    let ready = at.api().get("/readyz").expect(503).json();
    assert!(ready.to_string().contains("ledger.corrupt"), "{ready:#}");
    assert_eq!(tenant.sign(service, SLOT, &sha256(b"refused")).status, 500);
    let log = at.log();
    let names = |line: &&str| {
        let origin = line.contains("ledger.corrupt") || line.contains("FROZEN");
        origin && line.contains(&tenant.origin) && line.contains(&format!(" {kept} "))
    };
    assert!(log.lines().any(|line| names(&line)), "no alarm names {} and {kept}", tenant.origin);
}

/// Starts a server that may refuse to, or serve and refuse the ledger.
fn restarts(at: &mut Installation, tenant: &Tenant, service: &Service) {
    at.kill();
    at.begin_to_start();
    let refused = waiting::within(START, || {
        if let Some(status) = at.ended_within(Duration::ZERO) {
            assert!(!status.success());
            let said = at.log_end();
            assert!(said.contains("are known to have been there"), "{said}");
            return Some(());
        }
        let asked = at.api().try_send("GET", "/readyz", &[], b"").ok()?;
        let answer: Value = tenant.sign(service, SLOT, &sha256(b"after a restart")).json();
        assert_eq!((asked.status, answer["code"].as_str()), (503, Some("ledger.corrupt")), "{answer:#}");
        at.kill();
        Some(())
    });
    refused.expect("a refusal");
}

#[test]
fn a_database_that_lost_what_was_answered_is_refused_for_good_until_it_is_back() {
    let mut at = Installation::start();
    let (mut tenant, service) = site(&at);
    let mut seen = Seen::default();
    signed(&tenant, &service, &mut seen);
    let kept = sealed(&tenant);
    copy(&mut at);
    // No file outside the database knows of what is not sealed: the server alone does.
    let lease = Lease::take_at(&at);
    signed(&tenant, &service, &mut seen);
    fail_over(&mut at);
    drop(lease);

    let refused = answered(&tenant, &service);
    refused.refused(500, "ledger.corrupt");
    refuses(&at, &tenant, &service, kept);
    // Whoever takes a restart for the cure is refused too.
    restarts(&mut at, &tenant, &service);
    let size = "DO $$ BEGIN ASSERT (SELECT count(*) FROM sealbook.events) = ";
    at.postgres.sql_in("sealbook", &format!("{size}{kept}; END $$"));

    fail_back(&mut at);
    at.start_again();
    tenant.sign_in_again();
    signed(&tenant, &service, &mut seen);
    let account = settle(&tenant, &seen);
    assert_eq!((account.open, account.abandoned), (0, 0), "{account:?}");
}

#[test]
fn a_commit_that_was_lost_before_anybody_was_answered_costs_that_request_alone() {
    let (mut at, tenant, service, mut seen) = with_a_standby();

    // The primary keeps an authorisation that the standby never sees, and nobody learns of either.
    let meant = commit_of("signature.authorized");
    let snare = at.proxy.set(Trap { meant, after: 0, moment: Moment::Answered, act: Act::Hang });
    let lost = thread::scope(|scope| {
        let asking = scope.spawn(|| {
            waiting::until("a round to begin", || {
                let answer = tenant.sign(&service, SLOT, &sha256(b"lost"));
                (answer.code() != "store.unavailable").then_some(answer)
            })
        });
        assert!(snare.wait(START), "no COMMIT came by");
        fail_over(&mut at);
        at.proxy.let_go();
        asking.join().unwrap()
    });
    lost.refused(503, "store.commit_unknown");
    signed(&tenant, &service, &mut seen);
    let account = settle(&tenant, &seen);
    assert_eq!((account.open, account.abandoned), (0, 0), "{account:?}");
    assert!(!at.log().contains("LEDGER FROZEN"));
}

#[test]
fn nobody_is_told_of_a_frozen_ledger_before_what_it_held_is_kept() {
    let (mut at, tenant, service, mut seen) = with_a_standby();
    let lease = Lease::take_at(&at);
    signed(&tenant, &service, &mut seen);
    let held = tenant.get("").expect(200).json()["size"].as_u64().unwrap();
    // Whoever writes the mark waits here for somebody to read it.
    let name = format!("state/high-water/{}.high-water.new", Hash::sha256(tenant.origin.as_bytes()));
    let disk = at.at(&name);
    mknodat(CWD, &disk, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    fail_over(&mut at);
    drop(lease);

    thread::scope(|scope| {
        let first = scope.spawn(|| answered(&tenant, &service));
        waiting::until("the alarm", || at.log().contains("LEDGER FROZEN").then_some(()));
        let late = scope.spawn(|| answered(&tenant, &service));
        let told = || (first.is_finished() || late.is_finished()).then_some(());
        let told = waiting::within(Duration::from_secs(2), told);
        // Read before anything is claimed, or the server waits for ever.
        let mark = fs::read_to_string(&disk).unwrap();
        assert!(told.is_none(), "an answer did not wait for the mark");
        assert!(mark.contains(&format!("\ncontained {held} ")), "{mark}");
        for asking in [first, late] {
            asking.join().unwrap().refused(500, "ledger.corrupt");
        }
    });
}
