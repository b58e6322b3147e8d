//! The test's own device: what it counts, and that it fails when it is told to.

use integration::shim::{Fault, Function, Rule, Shim, rv};
use integration::tenant::sha256;
use integration::{Server, waiting};

use crate::load::{SLOT, site};

#[test]
fn each_signature_is_counted_under_its_key_and_a_rule_fails_as_many_calls_as_it_says() {
    let shim = Shim::new();
    let mut server = Server::start_with(shim.options());
    let (mut tenant, service) = site(&server);
    let (slot_key, ledger_key) = (shim.slot_key(&tenant, SLOT), shim.ledger_key(&tenant));
    for n in 0..3 {
        tenant.sign(&service, SLOT, &sha256(format!("{n}").as_bytes())).expect(200);
    }
    let count = shim.count(&slot_key);
    assert_eq!((count.entered, count.signed, count.refused), (3, 3, 0));
    assert!(shim.count(&ledger_key).signed > 0);

    let busy = Rule::new(Function::Sign, Fault::Return(rv::CKR_DEVICE_REMOVED)).of_key(&slot_key).times(1);
    let busy = shim.set(busy);
    assert_eq!(tenant.sign(&service, SLOT, &sha256(b"refused")).status, 503);
    assert_eq!(busy.fired(), 1);
    let signed = || (tenant.sign(&service, SLOT, &sha256(b"later")).status == 200).then_some(());
    waiting::until("signing to go on", signed);
    assert_eq!((busy.fired(), shim.count(&slot_key)), (1, count_of(5, 4)));

    // A process that kills itself after the device leaves its call on record, and doesn't do it again.
    let killed = shim.set(Rule::new(Function::Sign, Fault::KillAfter).of_key(&slot_key).times(1));
    let path = tenant.path(&format!("/slots/{SLOT}/sign"));
    let body = format!(r#"{{"digest":"{}"}}"#, sha256(b"killed"));
    let headers = [("content-type", "application/json")];
    assert!(service.api.try_send("POST", &path, &headers, body.as_bytes()).is_err());
    assert_eq!((killed.fired(), shim.count(&slot_key)), (1, count_of(6, 5)));
    server.kill();
    server.start_again();
    tenant.sign_in_again();
    tenant.sign(&service, SLOT, &sha256(b"after the kill")).expect(200);
    assert_eq!((killed.fired(), shim.count(&slot_key)), (1, count_of(7, 6)));
    tenant.verified();
}

fn count_of(entered: usize, signed: usize) -> integration::shim::Count {
    integration::shim::Count { entered, signed, refused: 0 }
}
