//! A device that is away and comes back: used again at once, without a restart and without anybody asking.

use std::time::{Duration, Instant};

use integration::shim::{Fault, Function, Rule, rv};
use integration::tenant::sha256;
use integration::waiting;

use super::stand::{RETURN, Stand, used_again};
use crate::load::SLOT;

/// How often each kind of absence is tried: the return falls into another part of the interval between two looks.
const ROUNDS: usize = 2;

/// What a device answers while it is away.
fn absences() -> Vec<(&'static str, Vec<Rule>)> {
    let at = |functions: &[Function], value| {
        functions.iter().map(|function| Rule::new(*function, Fault::Return(value))).collect::<Vec<_>>()
    };
    use Function::{
        Any, FindObjectsInit, GetAttributeValue, GetSessionInfo, Login, OpenSession, Sign, SignInit,
    };
    let session = [GetSessionInfo, Login, FindObjectsInit, GetAttributeValue, SignInit, Sign];
    vec![
        ("CKR_DEVICE_REMOVED everywhere", at(&[Any], rv::CKR_DEVICE_REMOVED)),
        ("CKR_TOKEN_NOT_PRESENT everywhere", at(&[Any], rv::CKR_TOKEN_NOT_PRESENT)),
        ("CKR_SESSION_HANDLE_INVALID of every session", at(&session, rv::CKR_SESSION_HANDLE_INVALID)),
        ("CKR_USER_NOT_LOGGED_IN of every use", at(&[FindObjectsInit, SignInit], rv::CKR_USER_NOT_LOGGED_IN)),
        ("CKR_OPERATION_ACTIVE of every session", at(&[SignInit], rv::CKR_OPERATION_ACTIVE)),
        ("CKR_DEVICE_REMOVED of new sessions", at(&[OpenSession, SignInit], rv::CKR_DEVICE_REMOVED)),
    ]
}

#[test]
fn a_device_that_has_returned_is_used_again_within_two_seconds_and_needs_no_restart() {
    let mut stand = Stand::start(&[]);
    for (name, rules) in absences() {
        let load = stand.load();
        let mut longest = Duration::ZERO;
        for _ in 0..ROUNDS {
            load.wait_for(8);
            let away = stand.shim.plan(rules.clone());
            let signing = || {
                let before = load.received();
                waiting::within(Duration::from_millis(200), || (load.received() > before).then_some(()))
            };
            waiting::until("signing to stop", || signing().is_none().then_some(()));
            assert!(away.fired() > 0);
            away.withdraw();
            longest = longest.max(used_again(&load));
        }
        let seen = stand.end(load);
        println!(
            "{name}: used again after {longest:?} at most; {:?}; longest answer {:?}",
            seen.refused, seen.longest
        );
        let codes = ["custody.token_unavailable", "custody.unavailable"];
        assert!(seen.refused.keys().all(|code| codes.contains(&code.as_str())), "{name}: {:?}", seen.refused);
        assert!(!seen.refused.is_empty(), "{name}");
        assert!(seen.longest < Duration::from_secs(5), "{name}: somebody waited {:?}", seen.longest);
        waiting::until("everything to be well", || {
            (stand.server.api().get("/readyz").status == 200).then_some(())
        });
    }
    let account = stand.settle();
    assert_eq!((account.withheld, account.abandoned, account.open), (0, 0, 0), "{account:?}");
}

#[test]
fn without_any_work_to_do_a_server_notices_the_return_as_soon() {
    let stand = Stand::start(&[]);
    let ready = |status| {
        waiting::until("health to change", || {
            (stand.server.api().get("/readyz").status == status).then_some(())
        })
    };
    let digest = |n: usize| sha256(format!("after absence {n}").as_bytes());
    for round in 0..ROUNDS {
        // Sealed to its end: nothing asks the device for anything but its health.
        waiting::until("everything to be sealed", || {
            let shown = stand.tenant.get("").expect(200).json();
            (shown["size"] == shown["sealed_size"]).then_some(())
        });
        let away = stand.shim.set(Rule::new(Function::Any, Fault::Return(rv::CKR_DEVICE_REMOVED)));
        ready(503);
        away.withdraw();
        let began = Instant::now();
        waiting::until("a signature", || {
            (stand.tenant.sign(&stand.service, SLOT, &digest(round)).status == 200).then_some(())
        });
        let took = began.elapsed();
        println!("idle: used again after {took:?}");
        assert!(took <= RETURN, "used again after {took:?}");
    }
    let account = stand.settle();
    assert_eq!((account.created, account.authorized), (ROUNDS, ROUNDS), "{account:?}");
}
