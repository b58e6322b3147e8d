//! Return values of PKCS#11, one after another, while eight sign.

use std::collections::BTreeMap;

use integration::shim::{Fault, Function, Rule, rv};

use super::stand::Stand;

/// How often each value comes back in place of a step.
const TIMES: u64 = 5;

/// Values that say that session, token or login is gone.
const LOST: [(rv::CK_RV, &str); 5] = [
    (rv::CKR_DEVICE_REMOVED, "CKR_DEVICE_REMOVED"),
    (rv::CKR_SESSION_HANDLE_INVALID, "CKR_SESSION_HANDLE_INVALID"),
    (rv::CKR_TOKEN_NOT_PRESENT, "CKR_TOKEN_NOT_PRESENT"),
    (rv::CKR_OPERATION_ACTIVE, "CKR_OPERATION_ACTIVE"),
    (rv::CKR_USER_NOT_LOGGED_IN, "CKR_USER_NOT_LOGGED_IN"),
];

/// Beside them one that says nothing of the kind.
const IN_SIGNING: [(rv::CK_RV, &str, &str); 6] = [
    (LOST[0].0, LOST[0].1, "custody.token_unavailable"),
    (LOST[1].0, LOST[1].1, "custody.token_unavailable"),
    (LOST[2].0, LOST[2].1, "custody.token_unavailable"),
    (LOST[3].0, LOST[3].1, "custody.token_unavailable"),
    (LOST[4].0, LOST[4].1, "custody.token_unavailable"),
    (rv::CKR_BUFFER_TOO_SMALL, "CKR_BUFFER_TOO_SMALL", "custody.refused"),
];

#[test]
fn a_step_that_had_no_effect_is_repeated_in_a_new_session_and_nobody_notices() {
    let mut stand = Stand::start(&[]);
    let load = stand.load();
    for (value, name) in LOST {
        for _ in 0..TIMES {
            let rule = Rule::new(Function::SignInit, Fault::Return(value)).of_key(&stand.key).times(1);
            let rule = stand.shim.set(rule);
            rule.wait_for(1);
            load.wait_for(8);
        }
        println!("{name} at C_SignInit: repeated");
    }
    let seen = stand.end(load);
    assert!(seen.refused.is_empty(), "{:?}", seen.refused);
    let account = stand.settle();
    assert_eq!(
        (account.failed, account.withheld, account.abandoned, account.open),
        (0, 0, 0, 0),
        "{account:?}"
    );
    assert_eq!(account.created, stand.shim.count(&stand.key).signed);
}

#[test]
fn a_signature_that_fails_is_recorded_as_failed_and_never_made_again() {
    let mut stand = Stand::start(&[]);
    let (mut failed, mut made) = (0, 0);
    for (value, name, code) in IN_SIGNING {
        for (fault, at_all) in [(Fault::Return(value), 0), (Fault::ReturnAfter(value), TIMES)] {
            let before = stand.shim.count(&stand.key);
            let load = stand.load();
            load.wait_for(8);
            let rule = stand.shim.set(Rule::new(Function::Sign, fault).of_key(&stand.key).times(TIMES));
            rule.wait_for(TIMES as usize);
            rule.withdraw();
            // Others' signatures are the first sign of life, or the next look at the device.
            let again = super::stand::used_again(&load);
            let seen = stand.end(load);
            let times = TIMES as usize;
            assert_eq!(seen.refused.get(code), Some(&times), "{name}: {:?}", seen.refused);
            let others: BTreeMap<_, _> = seen.refused.iter().filter(|(other, _)| *other != code).collect();
            assert!(others.keys().all(|other| *other == "custody.unavailable"), "{name}: {others:?}");
            (failed, made) = (failed + times, made + at_all as usize);
            let now = stand.shim.count(&stand.key);
            let entered = now.entered - before.entered;
            assert_eq!(entered, seen.received.len() + times, "{name}: nothing is signed twice");
            println!("{name} at C_Sign: {code}, signing again after {again:?}, longest {:?}", seen.longest);
        }
    }
    let account = stand.settle();
    assert_eq!((account.failed, account.withheld, account.abandoned, account.open), (failed, 0, 0, 0));
    assert_eq!(account.created + made, stand.shim.count(&stand.key).signed, "{account:?}");
}
