//! Checkpoints, receipts, and changes of the key that signs them.

use ed25519_dalek::{Signer as _, SigningKey};
use sealbook_ledger::action::{DeviceKeyParams, Params};
use sealbook_ledger::checkpoint::{Checkpoint, SignedCheckpoint};
use sealbook_ledger::encoding::Hash;
use sealbook_ledger::event::Actor;
use sealbook_ledger::ids::{Origin, Seq};
use sealbook_ledger::note::Vkey;
use sealbook_ledger::payload::{ActionExecuted, LedgerKeyRecovered, LedgerKeyRotated, NextVkey};
use sealbook_ledger::policy::Role;
use sealbook_ledger::receipt::Receipt;

use super::{CONFINED, Ledger, ledger_key, vkey_of};

impl Ledger {
    /// Rotates to another ledger key, with the checkpoint that both sign.
    pub fn rotate_ledger_key(&mut self, n: u8) {
        let params = Params::LedgerKeyRotate(DeviceKeyParams { backend: "softhsm".parse().unwrap() });
        let action = self.decide(params, [Role::SecurityReviewer, Role::PlatformAdmin]);
        let new = ledger_key(n);
        let rotated = LedgerKeyRotated {
            action,
            attributes: CONFINED,
            custody: "pkcs11".parse().unwrap(),
            next_vkey_digest: NextVkey::Digest(vkey_of(&self.standby).digest()),
            vkey: vkey_of(&new),
        };
        self.append(Actor::System, rotated, Vec::new());
        let old = std::mem::replace(&mut self.ledger_key, new);
        let transition = self.sealed_by(&[&old, &ledger_key(n)], self.size());
        self.transitions.push(transition);
        self.append(Actor::System, ActionExecuted { action }, Vec::new());
    }

    /// The standby takes over; the lost key's last checkpoint was at `sealed`.
    pub fn recover_ledger_key(&mut self, sealed: Option<u64>) {
        if let Some(sealed) = sealed {
            self.transitions.push(self.sealed_by(&[&self.ledger_key], sealed));
        }
        let params = Params::LedgerKeyRecover(DeviceKeyParams { backend: "softhsm".parse().unwrap() });
        let action = self.decide(params, [Role::SecurityReviewer, Role::PlatformAdmin]);
        let recovered = LedgerKeyRecovered {
            action,
            attributes: CONFINED,
            custody: "pkcs11".parse().unwrap(),
            next_vkey_digest: NextVkey::None,
            vkey: vkey_of(&self.standby),
        };
        self.append(Actor::System, recovered, Vec::new());
        self.ledger_key = self.standby.clone();
        self.transitions.push(self.sealed_by(&[&self.ledger_key], self.size()));
        self.append(Actor::System, ActionExecuted { action }, Vec::new());
    }

    pub fn sealed_by(&self, keys: &[&SigningKey], size: u64) -> SignedCheckpoint {
        seal(&self.origin, size, self.tree.root_at(size).unwrap(), keys)
    }

    pub fn checkpoint(&self) -> SignedCheckpoint {
        self.sealed_by(&[&self.ledger_key], self.size())
    }

    pub fn receipt(&self, seq: Seq) -> Receipt {
        let path = self.tree.inclusion_proof(seq.get(), self.size()).unwrap();
        let event = self.events[usize::try_from(seq.get()).unwrap()].clone();
        Receipt::new(event, seq.get(), path, self.checkpoint()).unwrap()
    }
}

pub fn seal(origin: &Origin, size: u64, root: Hash, keys: &[&SigningKey]) -> SignedCheckpoint {
    let checkpoint = Checkpoint { origin: origin.clone(), size, root };
    let text = checkpoint.to_signable();
    let signatures: Vec<(Vkey, [u8; 64])> = keys
        .iter()
        .map(|key| {
            let vkey = Vkey::from_ed25519(origin.clone(), key.verifying_key().to_bytes()).unwrap();
            (vkey, key.sign(&text).to_bytes())
        })
        .collect();
    SignedCheckpoint::assemble(checkpoint, &signatures).unwrap()
}
