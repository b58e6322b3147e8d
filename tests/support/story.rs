//! A ledger in which much has happened: what bundles are made of when tests take them apart.

use serde_json::{Value, json};

use crate::server::Server;
use crate::tenant::{Service, Tenant, sha256};
use crate::verifier::Pinned;

/// A tenant with a past.
pub struct Story {
    /// The tenant.
    pub tenant: Tenant,
    /// A service that may sign with every slot.
    pub service: Service,
    /// The slots' names, each that of its algorithm.
    pub slots: Vec<String>,
    /// The checkpoint over the first half.
    pub halfway: String,
}

impl Story {
    /// Founds a tenant; creates a slot for each algorithm and signs with it; rejects, suspends, resumes, refuses and
    /// records; and changes the ledger's key in the middle.
    pub fn tell(server: &Server, algorithms: &[&str]) -> Self {
        let tenant = Tenant::founded(server, 3);
        let slots: Vec<String> = algorithms.iter().map(|name| (*name).to_owned()).collect();
        for slot in &slots {
            tenant.slot(slot, slot);
        }
        let service = tenant.service(algorithms);
        let mut story = Self { tenant, service, slots, halfway: String::new() };
        story.sign_with_each("before");
        story.govern();
        story.tenant.get("/receipts/0?wait_ms=10000").expect(200);
        story.halfway = story.sealed();
        story.tenant.executed("ledger.key_rotate", &json!({ "backend": "softhsm" }));
        story.sign_with_each("after");
        story.record();
        story
    }

    /// What an auditor pins.
    pub fn pinned(&self) -> Pinned {
        Pinned {
            vkey: self.tenant.vkey.clone(),
            founding: Some(self.tenant.founding_digest.clone()),
            known: None,
        }
    }

    /// Signs once with each slot.
    pub fn sign_with_each(&self, what: &str) {
        for slot in &self.slots {
            self.sign(slot, what).expect(200);
        }
    }

    /// Signs what `what` and the slot's name make.
    pub fn sign(&self, slot: &str, what: &str) -> crate::api::Answer {
        let path = self.tenant.path(&format!("/slots/{slot}/sign"));
        self.service.api.post(&path, &signing_body(slot, what))
    }

    fn govern(&self) {
        let (tenant, slot) = (&self.tenant, &self.slots[0]);
        let proposer = tenant.person(1);
        let params = json!({ "slot": slot });
        tenant
            .post(&format!("/slots/{slot}/suspend"), &json!({ "reason": "a laptop is missing" }))
            .expect(201);
        assert_eq!(self.sign(slot, "while suspended").status, 409);
        let rejected =
            tenant.propose(proposer, "security_reviewer", "slot.resume", &params).expect(201).json();
        tenant.decide(tenant.person(2), "approver", "reject", &rejected).expect(200);
        let resumed =
            tenant.propose(proposer, "security_reviewer", "slot.resume", &params).expect(201).json();
        assert_eq!(tenant.approved(&resumed)["status"], "executed");
    }

    fn record(&self) {
        let slot = &self.slots[0];
        let evidence = json!({
            "digest": sha256(b"a report"), "media_type": "application/pdf",
            "subject": { "kind": "slot", "id": slot }, "description": "the auditors' report",
        });
        self.service.api.post(&self.tenant.path("/evidence"), &evidence).expect(201);
    }

    /// The newest checkpoint, once it covers everything that is there now.
    pub fn sealed(&self) -> String {
        let size = self.tenant.get("").expect(200).json()["size"].as_u64().unwrap();
        self.tenant.get(&format!("/receipts/{}?wait_ms=10000", size - 1)).expect(200);
        self.tenant.get("/checkpoint").expect(200).text()
    }
}

/// The body that asks a slot to sign what `what` and its algorithm make.
pub fn signing_body(algorithm: &str, what: &str) -> Value {
    let content = content(algorithm, what);
    let artifact = json!({ "name": format!("{what} für {algorithm}"), "version": "1.0" });
    match algorithm {
        "ed25519" => {
            json!({ "message": sealbook_ledger::encoding::B64::from(content.as_slice()), "artifact": artifact })
        }
        _ => json!({ "digest": digest(algorithm, &content), "artifact": artifact }),
    }
}

/// The bytes that are signed.
pub fn content(algorithm: &str, what: &str) -> Vec<u8> {
    format!("{what} by {algorithm}\n").into_bytes()
}

/// The digest that an algorithm wants, in hex.
fn digest(algorithm: &str, content: &[u8]) -> String {
    use sha2::Digest as _;
    match algorithm.rsplit('-').next() {
        Some("sha384") => hex::encode(sha2::Sha384::digest(content)),
        Some("sha512") => hex::encode(sha2::Sha512::digest(content)),
        _ => sha256(content),
    }
}
