//! A device that signs wrongly: nothing of it leaves the server, and nothing of it is recorded as a signature.

use integration::bundle::Bundle;
use integration::shim::{Fault, Function, Rule, Shim};
use integration::tenant::{Tenant, sha256};
use integration::{Server, waiting};

use super::stand::{Stand, balance, used_again};
use crate::load::accounts;

/// One of each scheme.
const ALGORITHMS: [&str; 4] =
    ["ecdsa-p256-sha256", "ed25519-over-sha256-digest", "rsa3072-pkcs1-sha256", "rsa3072-pss-sha256"];

/// How often each fault occurs.
const TIMES: usize = 3;

#[test]
fn neither_a_wrong_signature_nor_another_keys_is_released_or_recorded() {
    let shim = Shim::new();
    let server = Server::start_with(shim.options());
    let tenant = Tenant::founded(&server, 3);
    let slots: Vec<[String; 2]> =
        ALGORITHMS.iter().map(|name| [format!("{name}-a"), format!("{name}-b")]).collect();
    for ([own, other], algorithm) in slots.iter().zip(ALGORITHMS) {
        tenant.slot(own, algorithm);
        tenant.slot(other, algorithm);
    }
    let names: Vec<&str> = slots.iter().flatten().map(String::as_str).collect();
    let service = tenant.service(&names);
    for [own, other] in &slots {
        let (key, others) = (shim.slot_key(&tenant, own), shim.slot_key(&tenant, other));
        for fault in [Fault::WrongSignature, Fault::SignatureOf(others)] {
            let told = format!("{own}: {fault}");
            let wrong = shim.set(Rule::new(Function::Sign, fault).of_key(&key).times(TIMES as u64));
            for n in 0..TIMES {
                let digest = sha256(format!("{told} {n}").as_bytes());
                tenant.sign(&service, own, &digest).refused(503, "custody.bad_signature");
            }
            assert_eq!(wrong.fired(), TIMES, "{told}");
            // The device is as well as before.
            tenant.sign(&service, own, &sha256(told.as_bytes())).expect(200);
        }
        tenant.sign(&service, other, &sha256(b"the other")).expect(200);
    }
    tenant.verified();
    let events = Bundle::open(&tenant.exported()).parsed();
    let codes = events.iter().filter(|event| event["type"] == "signature.failed");
    assert!(codes.clone().all(|event| event["data"]["code"] == "custody.bad_signature"));
    assert_eq!(codes.count(), 2 * TIMES * ALGORITHMS.len());
    let accounts = accounts(&events);
    for [own, other] in &slots {
        for (slot, created, failed) in [(own, 2, 2 * TIMES), (other, 1, 0)] {
            let key = shim.slot_key(&tenant, slot);
            let account = &accounts[key.rsplit('/').next().unwrap()];
            assert_eq!((account.created, account.failed), (created, failed), "{slot}: {account:?}");
            balance(&shim, &key, account);
        }
    }
}

#[test]
fn a_checkpoint_that_is_signed_wrongly_is_not_stored_and_sealing_recovers() {
    let mut stand = Stand::start(&["--max-unsealed", "1"]);
    let tenant = &stand.tenant;
    tenant.slot("ed25519", "ed25519-over-sha256-digest");
    let of_slot = stand.shim.slot_key(tenant, "ed25519");
    for fault in [Fault::WrongSignature, Fault::SignatureOf(of_slot)] {
        let load = stand.load();
        load.wait_for(8);
        let told = fault.to_string();
        let wrong = stand.shim.set(Rule::new(Function::Sign, fault).of_key(&stand.ledger_key));
        wrong.wait_for(1);
        let sealed = || stand.tenant.get("").expect(200).json()["sealed_size"].as_u64();
        // One that was signed rightly before the rule may still be on its way.
        wrong.wait_for(2);
        let before = sealed();
        wrong.wait_for(wrong.fired() + 2);
        assert_eq!(sealed(), before, "{told}");
        waiting::until("the server to say so", || {
            (stand.server.api().get("/readyz").status == 503).then_some(())
        });
        wrong.withdraw();
        waiting::until("sealing to go on", || (sealed() > before).then_some(()));
        let again = used_again(&load);
        let seen = stand.end(load);
        println!("{told} for checkpoints: signing again after {again:?}; {:?}", seen.refused);
        assert!(seen.refused.keys().all(|code| code == "seal.behind"), "{:?}", seen.refused);
    }
    stand.settle();
}
