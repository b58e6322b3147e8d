//! Sealing that lags while everything else works: no new signatures, everything else goes on, and it recovers.

use std::time::Duration;

use integration::server::Options;
use integration::tenant::sha256;
use integration::{Server, waiting};
use serde_json::json;

use crate::lease::Lease;
use crate::load::site;

#[test]
fn while_sealing_is_behind_nothing_new_is_signed_but_containment_holds_and_it_recovers() {
    let options = Options { arguments: vec!["--max-unsealed".into(), "1".into()], ..Options::default() };
    let server = Server::start_with(options);
    let (tenant, service) = site(&server);
    tenant.sign(&service, crate::load::SLOT, &sha256(b"before")).expect(200);
    // Whoever holds the sealer's lease and does not seal: what a server that hangs looks like to the others.
    let lease = Lease::take(&server);
    let refused = waiting::until("signatures to be refused", || {
        let answer = tenant.sign(&service, crate::load::SLOT, &sha256(b"behind"));
        (answer.status != 200).then_some(answer)
    });
    assert_eq!((refused.status, refused.code().as_str()), (503, "seal.behind"), "{}", refused.said());
    let size = || tenant.get("").expect(200).json()["size"].as_u64().unwrap();
    let before = size();
    let path = format!("/slots/{}/suspend", crate::load::SLOT);
    tenant.post(&path, &json!({ "reason": "an alarm" })).expect(201);
    assert!(size() > before);
    lease.give_back();
    tenant.executed("slot.resume", &json!({ "slot": crate::load::SLOT }));
    let signed = waiting::within(Duration::from_secs(20), || {
        let answer = tenant.sign(&service, crate::load::SLOT, &sha256(b"after"));
        (answer.status == 200).then_some(())
    });
    signed.expect("sealing to recover");
    tenant.verified();
}
