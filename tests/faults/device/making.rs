//! A device that fails while it makes a key: the key is found again, or made; never twice.

use integration::shim::{Fault, Function, Rule, Shim, rv};
use integration::tenant::sha256;
use integration::{Server, Tenant};

#[test]
fn a_key_whose_making_failed_is_found_by_its_label_or_made_and_never_made_twice() {
    let shim = Shim::new();
    let server = Server::start_with(shim.options());
    let tenant = Tenant::founded(&server, 3);
    let faults = [
        ("removed-before", Fault::Return(rv::CKR_DEVICE_REMOVED)),
        ("removed-after", Fault::ReturnAfter(rv::CKR_DEVICE_REMOVED)),
        ("session-before", Fault::Return(rv::CKR_SESSION_HANDLE_INVALID)),
        ("session-after", Fault::ReturnAfter(rv::CKR_SESSION_HANDLE_INVALID)),
    ];
    for (slot, fault) in faults.clone() {
        let failing = shim.set(Rule::new(Function::GenerateKeyPair, fault).times(1));
        tenant.slot(slot, "ecdsa-p256-sha256");
        assert_eq!(failing.fired(), 1, "{slot}");
    }
    let service = tenant.service(&faults.clone().map(|(slot, _)| slot));
    for (slot, _) in faults {
        // Were there two keys of this label, it could not be said which one signs.
        tenant.sign(&service, slot, &sha256(slot.as_bytes())).expect(200);
    }
    tenant.verified();
}
