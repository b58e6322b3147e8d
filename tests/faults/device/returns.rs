//! A device that is away and comes back: used again at once, without a restart and without anybody asking.

use std::time::{Duration, Instant};

use integration::shim::{Fault, Function, Rule, Shim, rv};
use integration::tenant::sha256;
use integration::{Server, waiting};

use super::stand::{RETURN, Stand, bound, used_again};
use crate::load::SLOT;

/// How often each kind of absence is tried: the return falls into another part of the interval between two looks.
const ROUNDS: usize = 2;

/// Longest that anybody waits for an answer meanwhile.
const LONGEST: Duration = Duration::from_secs(5);

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
    let shim = Shim::new();
    let server = Server::start_with(shim.options());
    let mut stand = Stand::new(&shim, &server);
    return_under_load(&mut stand, &server);
    return_to_the_idle(&stand, &server);
    let account = stand.settle();
    assert_eq!((account.withheld, account.abandoned, account.open), (0, 0, 0), "{account:?}");
}

/// Each kind of absence while eight sign.
fn return_under_load(stand: &mut Stand<'_>, server: &Server) {
    for (name, rules) in absences() {
        let load = stand.load();
        let mut longest = Duration::ZERO;
        for _ in 0..ROUNDS {
            load.wait_for(8);
            let away = stand.shim.plan(rules.clone());
            away.wait_for(8);
            load.wait_until_refused();
            away.withdraw();
            longest = longest.max(used_again(&load));
        }
        let seen = stand.end(load);
        println!(
            "{name}: used again after {longest:?} at most; {:?}; longest answer {:?}",
            seen.refused, seen.longest
        );
        let codes = ["custody.token_unavailable", "custody.unavailable", "seal.behind"];
        assert!(seen.refused.keys().all(|code| codes.contains(&code.as_str())), "{name}: {:?}", seen.refused);
        assert!(!seen.refused.is_empty(), "{name}");
        assert!(seen.longest < bound(LONGEST), "{name}: somebody waited {:?}", seen.longest);
        waiting::until("everything to be well", || (server.api().get("/readyz").status == 200).then_some(()));
    }
}

/// An absence that nobody meets: what notices the return is the server's own look.
fn return_to_the_idle(stand: &Stand<'_>, server: &Server) {
    let ready = |status| {
        waiting::until("health to change", || (server.api().get("/readyz").status == status).then_some(()))
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
        assert!(took <= bound(RETURN), "used again after {took:?}");
    }
}
