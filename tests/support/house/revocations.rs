//! What the house no longer believes: a CA of its own, keys and certificates that were given up, and a key that its device has
//! forgotten.

use serde_json::{Value, json};

use super::House;
use crate::rotating::{self, certificate, rotation, shown};
use crate::tenant::{signing_policy, text};
use crate::waiting;

impl House {
    /// Certifies two slots, gives up what nobody should believe, and waits until the CA's list says so.
    pub(super) fn give_up(&mut self) {
        self.certified("acme-root", &ca());
        for (slot, name) in [("msi-authenticode", "Acme Installers"), ("drivers", "Acme Drivers")] {
            self.certified(slot, &of_ca(name));
        }
        let (drivers, _) = shown(&self.tenant, "drivers");
        let alone = json!({
            "certificate": drivers["certificate"]["certificate"], "reason": "affiliation_changed",
            "invalid_since": "2026-11-01T00:00:00.000000Z",
        });
        self.decided(
            "certificate.revoke",
            &alone,
            "The drivers' team is another company's since 1 November.",
        );
        let spent = self.tenant.get("/slots/apt-legacy").expect(200).json()["active_key"].clone();
        let needless = json!({ "key": spent, "reason": "cessation_of_operation" });
        self.decided("key.revoke", &needless, "The old archive takes no packages any more.");
        self.decided("key.destroy", &json!({ "key": spent }), "Its token is to be thrown away.");
        let (msi, policy) = shown(&self.tenant, "msi-authenticode");
        let replace = json!({ "slot": "msi-authenticode", "old_key": msi["active_key"], "policy": policy });
        let replaced = self.decided("key.rotate_emergency", &replace, "A build host was imaged.");
        let id = text(&replaced["action"]).to_owned();
        rotating::until(&self.tenant, &id, "the new key", |rotation| rotation["state"] == "completed");
        let compromised = json!({
            "key": msi["active_key"], "reason": "key_compromise", "compromised_since": "2026-11-19T14:00:00.000000Z",
        });
        self.decided("key.revoke_emergency", &compromised, "Its PIN was in the image.");
        waiting::until("the list that says so", || {
            let lists = self.tenant.get("/revocations").expect(200).json()["lists"][0].clone();
            (lists["entries"] == 2 && lists["complete"] == true).then_some(())
        });
    }

    fn certified(&self, name: &str, rotation: &Value) {
        let mut slot =
            self.slot(name, "ecdsa-p256-sha256", &signing_policy(), "It gets a certificate of ours.");
        slot["params"]["rotation_days"] = rotation["rotation_days"].clone();
        slot["params"]["overlap_days"] = rotation["overlap_days"].clone();
        slot["params"]["rotation"] = rotation.clone();
        self.executed(0, "platform_admin", &slot);
        let (made, policy) = shown(&self.tenant, name);
        let issue = json!({ "slot": name, "key": made["active_key"], "policy": policy });
        self.decided("certificate.issue", &issue, "Its first one.");
        rotating::certified(&self.tenant, name, "active");
    }

    fn decided(&self, kind: &str, params: &Value, reason: &str) -> Value {
        self.executed(0, "security_reviewer", &json!({ "type": kind, "params": params, "reason": reason }))
    }
}

fn ca() -> Value {
    let usage = json!({ "kind": "issuing", "path_len": 1 });
    let mut root = rotation(&certificate(&json!({ "kind": "self" }), &usage, "Acme Root 2026"), &[]);
    root["certificate"]["crl_url"] = json!("http://pki.acme.example/crl/acme-root");
    root
}

fn of_ca(name: &str) -> Value {
    let issuer = json!({ "kind": "slot", "slot": "acme-root" });
    rotation(&certificate(&issuer, &json!({ "kind": "code_signing" }), name), &[])
}
