//! Sealing that lags while everything else works: no new signatures, everything else goes on, and it recovers.

use std::time::Duration;

use integration::server::Options;
use integration::tenant::sha256;
use integration::{Installation, Server, Tenant, token, waiting};
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

/// Ledgers that are sealed at once, several for each connection of the pool.
const LEDGERS: usize = 12;

/// A sealer holds one connection and needs another one: if all were held by sealers, nobody would get on.
#[test]
fn more_ledgers_than_connections_are_sealed_and_answered() {
    let few = vec![("SEALBOOK_DATABASE_POOL_SIZE".to_owned(), "4".to_owned())];
    let at = Installation::start_with(&token::module(), few);
    let tenants: Vec<Tenant> = (0..LEDGERS).map(|_| Tenant::founded(&at, 2)).collect();
    let services: Vec<_> = tenants.iter().map(|tenant| tenant.service(&[])).collect();
    std::thread::scope(|scope| {
        for (tenant, service) in tenants.iter().zip(&services) {
            scope.spawn(move || {
                for n in 0..40 {
                    let evidence = json!({ "digest": sha256(&[n]), "media_type": "text/plain",
                        "subject": { "kind": "service", "id": service.id } });
                    service.api.post(&tenant.path("/evidence"), &evidence).expect(201);
                }
            });
        }
    });
    for tenant in &tenants {
        let size = tenant.get("").expect(200).json()["size"].as_u64().unwrap();
        waiting::until("its seal", || {
            let note = tenant.get("/checkpoint").expect(200).text();
            (note.lines().nth(1)?.parse::<u64>().ok()? >= size).then_some(())
        });
    }
}
