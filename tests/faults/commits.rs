//! Connections that are cut at a COMMIT, whose outcome the server can't know then.

use std::time::Duration;

use integration::Installation;
use integration::programs::library;
use integration::proxy::{Act, Meant, Moment, Trap};
use integration::shim::Shim;
use rustix::process::Signal;

use crate::load::{Load, SLOT, Seen, settle, site};

/// Cuts at each kind of COMMIT and moment.
const CUTS: usize = 8;

/// A trap that nobody steps into under load has not been set right.
const SOON: Duration = Duration::from_secs(20);

/// A COMMIT of a round that holds such an event.
pub fn commit_of(kind: &'static str) -> Meant {
    Box::new(move |statement, before| {
        statement.commits() && before.iter().any(|earlier| earlier.inserts("events", kind))
    })
}

/// Before Postgres has it, while nobody knows whether it has it, and after it is done.
const MOMENTS: [Moment; 3] = [Moment::Arrived, Moment::Forwarded, Moment::Answered];

#[test]
fn a_commit_whose_outcome_is_unknown_is_looked_up_and_nothing_is_signed_twice_or_lost() {
    let shim = Shim::new();
    let at = Installation::start_with(&library("pkcs11_shim"), shim.environment());
    let (tenant, service) = site(&at);
    let load = Load::begin(&tenant, &service);
    for cut in 0..CUTS {
        for kind in ["signature.authorized", "signature.created"] {
            for moment in MOMENTS {
                let meant = commit_of(kind);
                let snare = at.proxy.set(Trap { meant, after: cut, moment, act: Act::Cut });
                assert!(snare.wait(SOON), "no COMMIT of {kind} came by");
            }
        }
    }
    load.wait_for(30);
    let seen = load.end();
    assert!(!seen.refused.contains_key("broken"), "{:?}", seen.refused);
    println!("{} received, refused: {:?}", seen.received.len(), seen.refused);
    let account = settle(&tenant, &seen);
    // The server lived: every authorisation has its outcome, and no outcome was refused for being there already.
    assert_eq!(
        (account.open, account.failed, account.withheld, account.abandoned),
        (0, 0, 0, 0),
        "{account:?}"
    );
    assert_eq!(account.created, seen.received.len(), "{account:?}");
    assert_eq!(shim.count(&shim.slot_key(&tenant, SLOT)).signed, account.created);
    assert!(!at.log().contains("LEDGER FROZEN"));
}

#[test]
fn a_commit_that_hangs_is_given_up_within_its_deadline_and_looked_up_like_one_that_broke() {
    let at = Installation::start();
    let (tenant, service) = site(&at);
    let mut all = Seen::default();
    for kind in ["signature.authorized", "signature.created"] {
        let load = Load::begin(&tenant, &service);
        load.wait_for(10);
        let (meant, moment) = (commit_of(kind), Moment::Answered);
        let snare = at.proxy.set(Trap { meant, after: 0, moment, act: Act::Hang });
        assert!(snare.wait(SOON), "no COMMIT of {kind} came by");
        load.wait_for(10);
        let seen = load.end();
        assert!(!seen.refused.contains_key("broken"), "{:?}", seen.refused);
        all.received.extend(seen.received);
    }
    let account = settle(&tenant, &all);
    assert_eq!((account.open, account.abandoned), (0, 0), "{account:?}");
}

#[test]
fn postgres_restarted_under_load_in_order_or_not_loses_nothing_that_was_answered() {
    let mut at = Installation::start();
    let (tenant, service) = site(&at);
    let load = Load::begin(&tenant, &service);
    for signal in [Signal::INT, Signal::QUIT, Signal::INT, Signal::QUIT] {
        load.wait_for(30);
        at.postgres.stop(signal);
        at.postgres.start_again();
    }
    load.wait_for(30);
    let seen = load.end();
    assert!(!seen.refused.contains_key("broken"), "{:?}", seen.refused);
    let account = settle(&tenant, &seen);
    assert_eq!((account.open, account.abandoned), (0, 0), "{account:?}");
    assert!(!at.log().contains("LEDGER FROZEN"));
}
