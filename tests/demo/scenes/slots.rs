//! Keys are made in the HSM, each after a proposal and two approvals; a service may use them.

use std::path::PathBuf;

use crate::failure::Failure;
use crate::programs::words;
use crate::scenes::certifying;
use crate::stage::{Stage, Who};

/// A signing slot.
#[derive(Debug, Clone)]
pub(crate) struct Slot {
    /// Its name.
    pub(crate) name: &'static str,
    /// What it signs with.
    pub(crate) algorithm: &'static str,
    /// Who proposes it, and answers for it.
    pub(crate) proposer: Who,
    reason: &'static str,
}

impl Slot {
    /// The file of its public key.
    pub(crate) fn public_key(&self, stage: &Stage) -> PathBuf {
        stage.place().public(self.public_key_name())
    }

    /// That file, relative to `target/demo/`.
    pub(crate) fn public_key_name(&self) -> PathBuf {
        format!("pubkeys/{}.pem", self.name).into()
    }
}

/// The slot whose key has a certificate, and is replaced.
pub(crate) const CERTIFIED: &str = "apt-repo-rsa3072";

/// The company's slots. Each founder proposes one.
pub(crate) const SLOTS: [Slot; 3] = [
    Slot {
        name: "release-p256",
        algorithm: "ecdsa-p256-sha256",
        proposer: Who::Ada,
        reason: "Releases are signed from this quarter on",
    },
    Slot {
        name: CERTIFIED,
        algorithm: "rsa3072-pkcs1-sha256",
        proposer: Who::Grace,
        reason: "The package repository needs a key that apt reads",
    },
    Slot {
        name: "edge-ed25519",
        algorithm: "ed25519-over-sha256-digest",
        proposer: Who::Alan,
        reason: "Edge devices check small signatures",
    },
];

/// Creates the slots; their public keys are written when there is somebody who may read them.
pub(crate) fn create(stage: &Stage) -> Result<(String, Vec<Slot>), Failure> {
    for slot in &SLOTS {
        let mut arguments = words(["slot", "create", slot.name, "--algorithm", slot.algorithm]);
        if slot.name == CERTIFIED {
            arguments.extend(words(certifying::policy_of_the_certified(stage)?));
        }
        stage.by_quorum(slot.proposer, arguments, slot.reason)?;
        let pem = stage.tell(slot.proposer, ["slot", "pubkey", slot.name])?;
        let file = slot.public_key(stage);
        std::fs::write(&file, pem).map_err(Failure::file("write", &file))?;
    }
    Ok(("3 keys were made in the HSM, each after 2 approvals".to_owned(), SLOTS.to_vec()))
}

/// Enrols the service that will sign; its token is made on its own side.
pub(crate) fn enrol_service(stage: &Stage) -> Result<(String, ()), Failure> {
    let mut arguments = vec!["service".into(), "enroll".into(), Who::Service.name().into()];
    arguments.extend(SLOTS.iter().flat_map(|slot| ["--slot".into(), slot.name.into()]));
    arguments.extend(["--token-out".into(), stage.secret_of(Who::Service)]);
    stage.by_quorum(Who::Ada, arguments, "The build signs what it builds")?;
    Ok(("a build service may use them, by a token; 2 people approved".to_owned(), ()))
}
