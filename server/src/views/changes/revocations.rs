//! What a revocation, or the destruction of a key, changes.

use sealbook_ledger::action::{CertificateRevokeParams, KeyDestroyParams, KeyRevokeParams, RevocationReason};
use sealbook_ledger::ids::KeyId;
use sealbook_ledger::issuance::IssuanceStep;
use sealbook_ledger::revocation::REVOKING;

use super::{Change, Now, list, policies, suspended};
use crate::views::sentence::moment;

impl Now<'_> {
    pub(super) fn key_revoke(&self, p: &KeyRevokeParams) -> Vec<Change> {
        let key = self.founded.keys().get(&p.key);
        let after = match p.reason {
            RevocationReason::KeyCompromise => "compromised",
            _ => "deactivated",
        };
        let state = key.map_or("not there", |key| key.state_name()).replace('_', " ");
        let mut rows = vec![
            Change::between(format!("State of key {}", p.key), state, format!("{after}, for good")),
            Change::new("Reason on record", policies::name_of(&p.reason)),
        ];
        if let Some(since) = p.compromised_since {
            rows.push(Change::new("Signatures are doubted since", moment(since)));
        }
        rows.extend(self.certificates_of(p.key));
        let slot = key.and_then(|key| Some((&key.slot, self.founded.slots().get(&key.slot)?)));
        if let Some((name, slot)) = slot
            && slot.active == Some(p.key)
        {
            let signs = if suspended(slot.suspension, self.at) { "suspended" } else { "signs" };
            rows.push(Change::between(format!("Slot {name}"), signs, "signs nothing: its key is revoked"));
        }
        rows
    }

    pub(super) fn certificate_revoke(&self, p: &CertificateRevokeParams) -> Vec<Change> {
        let issuance = self.founded.issuances().get(&p.certificate);
        let state = match issuance.map(|issuance| &issuance.step) {
            Some(IssuanceStep::Active(issued)) => format!("in force until {}", moment(issued.not_after)),
            Some(IssuanceStep::Revoked { .. }) => "revoked".to_owned(),
            Some(IssuanceStep::Ordered | IssuanceStep::Requested | IssuanceStep::Failed) | None => {
                "not there".to_owned()
            }
        };
        let mut rows =
            vec![Change::between(format!("Certificate {}", p.certificate), state, "revoked for good")];
        rows.push(Change::new("Reason on record", policies::name_of(&p.reason)));
        rows.extend(p.invalid_since.map(|since| Change::new("Not to be believed since", moment(since))));
        if let Some(issuance) = issuance {
            rows.push(Change::new("Its key, which stays as it is", issuance.key.to_string()));
            rows.push(Change::new("Slot", issuance.slot.to_string()));
        }
        rows.extend(
            issuance
                .and_then(|issuance| issuance.issued())
                .map(|issued| Change::new("SHA-256 of the certificate", issued.fingerprint.to_string())),
        );
        rows
    }

    pub(super) fn key_destroy(&self, p: &KeyDestroyParams) -> Vec<Change> {
        let key = self.founded.keys().get(&p.key);
        let state = key.map_or("not there", |key| key.state_name()).replace('_', " ");
        let mut rows = vec![Change::between(
            format!("Key {}", p.key),
            state,
            "destroyed: the device forgets it; what it signed can still be verified",
        )];
        rows.extend(key.map(|key| Change::new("Slot", key.slot.to_string())));
        if self.founded.list_signers().any(|signer| signer == p.key) {
            rows.push(Change::new("Before that", "its last revocation list, which never expires"));
        }
        rows
    }

    /// The certificates that a key takes with it.
    fn certificates_of(&self, key: KeyId) -> Option<Change> {
        let held = self.founded.issuances().values().filter(|issuance| issuance.key == key);
        let ends = held.filter_map(|issuance| issuance.active()).map(|issued| issued.fingerprint.to_string());
        let ends: Vec<String> = ends.collect();
        let listed = self.founded.rules() >= REVOKING;
        (listed && !ends.is_empty()).then(|| Change::new("Certificates revoked with it", list(&ends)))
    }
}
