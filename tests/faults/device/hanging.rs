//! Calls that hang: nobody waits past a deadline, others take over, and what comes back late is never released.

use std::time::{Duration, Instant};

use integration::shim::{Fault, Function, Rule, Shim};
use integration::{Server, waiting};

use super::stand::{Stand, shared, used_again};

/// Longest time that a device may take to sign (docs/operations/hsm.md), and what a busy machine adds.
const LONGEST: Duration = Duration::from_secs(20 + 15);

#[test]
fn where_every_session_hangs_nobody_waits_past_the_deadline_and_new_ones_take_over() {
    let shim = Shim::new();
    let server = Server::start_with(shim.options());
    let mut stand = Stand::new(&shim, &server);
    let (key, ledger_key) = (stand.key.clone(), stand.ledger_key.clone());
    let load = stand.load();
    load.wait_for(8);
    // Four sessions: two hang before the device has signed, one after, and one while a checkpoint is signed.
    let hanging = stand.shim.plan([
        Rule::new(Function::Sign, Fault::Hang).of_key(&key).times(2),
        Rule::new(Function::Sign, Fault::HangAfter).of_key(&key).times(1),
        Rule::new(Function::Sign, Fault::Hang).of_key(&ledger_key).times(1),
    ]);
    hanging.wait_for(4);
    // Nobody withdraws anything: the deadline does it.
    load.wait_for(8);
    waiting::until("four calls to be quarantined", || (quarantined(&server) >= 4).then_some(()));
    hanging.withdraw();
    waiting::until("what hung to come back", || (quarantined(&server) == 0).then_some(()));
    load.wait_for(8);
    let seen = stand.end(load);
    waiting::until("the device to have signed late", || {
        let count = stand.shim.count(&key);
        (count.entered == count.signed).then_some(())
    });
    // On a busy machine a call may take so long without a fault.
    let exceeded = seen.refused.get("custody.deadline_exceeded").copied().unwrap_or_default();
    assert!(exceeded >= 3, "{:?}", seen.refused);
    let others = ["custody.busy", "custody.deadline_exceeded", "custody.unavailable", "seal.behind"];
    assert!(seen.refused.keys().all(|code| others.contains(&code.as_str())), "{:?}", seen.refused);
    assert!(seen.longest < LONGEST, "somebody waited {:?}", seen.longest);
    println!("four calls hung: {:?}, the longest answer took {:?}", seen.refused, seen.longest);
    let account = stand.settle();
    // They stay open until they are abandoned: the device has signed all of them by now, and nothing left.
    assert_eq!((account.open + account.abandoned, account.withheld), (exceeded, 0), "{account:?}");
    assert_eq!(account.created, stand.seen.received.len());
    assert_eq!(stand.shim.count(&key).signed, account.created + exceeded);
}

/// How many calls the server says are hanging.
fn quarantined(server: &Server) -> usize {
    let metrics = server.operator().get("/metrics").expect(200).text();
    let line = metrics.lines().find(|line| line.starts_with("sealbook_custody_quarantined_calls{")).unwrap();
    line.rsplit_once(' ').unwrap().1.parse().unwrap()
}

#[test]
fn a_checkpoint_that_hangs_holds_up_signing_and_no_longer_than_it_hangs() {
    let shared = shared();
    let mut stand = Stand::new(&shared.0, &shared.1);
    let load = stand.load();
    load.wait_for(8);
    let hanging =
        stand.shim.set(Rule::new(Function::Sign, Fault::Hang).of_key(&stand.ledger_key.clone()).times(1));
    hanging.wait_for(1);
    load.wait_until_refused();
    hanging.withdraw();
    let took = used_again(&load);
    let seen = stand.end(load);
    println!("a checkpoint hung: signing again after {took:?}; {:?}", seen.refused);
    assert_eq!(seen.refused.keys().collect::<Vec<_>>(), ["seal.behind"], "{:?}", seen.refused);
    let account = stand.settle();
    assert_eq!(account.created, account.authorized, "{account:?}");
}

#[test]
fn told_to_end_while_calls_hang_a_server_ends_and_the_next_one_goes_on() {
    let shim = Shim::new();
    let mut server = Server::start_with(shim.options());
    let mut stand = Stand::new(&shim, &server);
    let key = stand.key.clone();
    let load = stand.load();
    load.wait_for(8);
    let hanging = shim.plan([
        Rule::new(Function::Sign, Fault::Hang).of_key(&key).times(1),
        Rule::new(Function::Sign, Fault::HangAfter).of_key(&key).times(1),
    ]);
    hanging.wait_for(2);
    let began = Instant::now();
    server.stop();
    println!("it ended after {:?}", began.elapsed());
    assert!(began.elapsed() < LONGEST, "it took {:?}", began.elapsed());
    stand.end(load);
    hanging.withdraw();
    server.start_again();
    stand.tenant.sign_in_again();
    let load = stand.load();
    load.wait_for(8);
    let seen = stand.end(load);
    assert!(seen.refused.is_empty(), "{:?}", seen.refused);
    let account = stand.settle();
    let unknown = account.open + account.abandoned;
    assert_eq!((unknown, account.created), (2, stand.seen.received.len()), "{account:?}");
}

#[test]
#[ignore = "two deadlines in a row take most of a minute: `make faults` runs it"]
fn a_device_in_which_too_many_calls_hang_is_down_and_is_used_again_when_they_return() {
    let shim = Shim::new();
    let server = Server::start_with(shim.options());
    let mut stand = Stand::new(&shim, &server);
    let load = stand.load();
    load.wait_for(8);
    // More than twice the four sessions.
    let hanging = shim.set(Rule::new(Function::Sign, Fault::Hang));
    hanging.wait_for(9);
    waiting::until("the server to say so", || {
        let ready = server.api().get("/readyz");
        (ready.status == 503 && ready.text().contains("restart")).then_some(())
    });
    hanging.withdraw();
    let took = used_again(&load);
    let seen = stand.end(load);
    println!("nine calls hung: used again {took:?} after they did; {:?}", seen.refused);
    assert!(seen.longest < LONGEST, "somebody waited {:?}", seen.longest);
    let account = stand.settle();
    assert_eq!(account.created, stand.seen.received.len(), "{account:?}");
}
