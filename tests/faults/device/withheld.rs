//! A signature that is in the device when somebody suspends its slot: made, counted, recorded, and kept back.

use integration::bundle::Bundle;
use integration::shim::{Fault, Function, Rule};
use integration::tenant::sha256;
use serde_json::json;

use super::stand::Stand;
use crate::load::SLOT;

#[test]
fn a_signature_that_the_device_makes_after_a_suspension_is_withheld() {
    let stand = Stand::start(&[]);
    let hanging = stand.shim.set(Rule::new(Function::Sign, Fault::Hang).of_key(&stand.key).times(1));
    std::thread::scope(|scope| {
        let (tenant, service) = (&stand.tenant, &stand.service);
        let asked = scope.spawn(|| tenant.sign(service, SLOT, &sha256(b"in the device")));
        hanging.wait_for(1);
        let suspend = tenant.path(&format!("/slots/{SLOT}/suspend"));
        tenant.person(0).api.post(&suspend, &json!({ "reason": "an alarm" })).expect(201);
        assert_eq!(stand.shim.count(&stand.key).signed, 0);
        hanging.withdraw();
        asked.join().unwrap().refused(409, "slot.suspended");
    });
    assert_eq!(stand.shim.count(&stand.key).signed, 1);
    let account = stand.settle();
    assert_eq!((account.authorized, account.withheld), (1, 1), "{account:?}");
    let events = Bundle::open(&stand.tenant.exported()).parsed();
    let withheld = events.iter().find(|event| event["type"] == "signature.withheld").unwrap();
    assert_eq!(withheld["data"]["reason"], "suspended");
    assert!(withheld["data"].get("signature").is_none(), "{withheld:#}");
}
