//! The server killed in the middle of signing.

use integration::{Server, waiting};

use crate::load::{Load, settle, site};

/// Longer than an authorisation lives.
const EXPIRY: std::time::Duration = std::time::Duration::from_secs(100);

#[test]
fn killed_while_eight_sign_a_server_comes_back_with_every_signature_that_was_released() {
    let mut server = Server::start();
    let (mut tenant, service) = site(&server);
    let load = Load::begin(&tenant, &service);
    load.wait_for(100);
    server.kill();
    let mut seen = load.end();
    assert!(seen.received.len() >= 100 && seen.refused.contains_key("broken"), "{:?}", seen.refused);

    server.start_again();
    tenant.sign_in_again();
    let account = settle(&tenant, &seen);
    assert_eq!((account.failed, account.withheld, account.abandoned), (0, 0, 0), "{account:?}");
    assert!(account.open <= 8, "no more than were under way: {account:?}");

    // The next ones are signed beside them, and after their expiry those that nobody knows about are abandoned.
    let load = Load::begin(&tenant, &service);
    load.wait_for(20);
    let more = load.end();
    seen.received.extend(more.received);
    assert!(more.refused.is_empty(), "{:?}", more.refused);
    let left = account.open;
    let end = waiting::within(EXPIRY, || {
        let page = tenant.get("/events?type=signature.abandoned&limit=100").expect(200).json();
        (page["events"].as_array().unwrap().len() == left).then_some(())
    });
    end.expect("what was under way is abandoned after its expiry");
    let account = settle(&tenant, &seen);
    assert_eq!((account.abandoned, account.open), (left, 0), "{account:?}");
}

#[test]
fn killed_again_and_again_it_comes_back_each_time() {
    let mut server = Server::start();
    let (mut tenant, service) = site(&server);
    for _ in 0..4 {
        let load = Load::begin(&tenant, &service);
        load.wait_for(15);
        server.kill();
        let seen = load.end();
        server.start_again();
        tenant.sign_in_again();
        settle(&tenant, &seen);
    }
}
