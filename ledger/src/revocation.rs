//! Revocation: which certificates are not to be believed, the lists in which their CAs say so (RFC 5280 §5), and keys that
//! a device is to forget (rules version 3).
//!
//! What a list says is a pure function of what is recorded, so nobody can leave a certificate out: a device is only asked for
//! a signature over exactly those bytes. A CA's key signs its own lists for as long as it is kept, retired or not, since
//! readers look for the key that signed the certificate. A list's number is the place of its authorisation in the ledger.

mod destruction;
mod list;

use serde::{Deserialize, Serialize};

use crate::action::{CertificateRevokeParams, RevocationReason};
use crate::event::Event;
use crate::ids::{ActionId, CertificateId, KeyId, Seq};
use crate::issuance::{Issuance, IssuanceStep};
use crate::payload::{CertificateRevoked, Payload};
use crate::rotation::RotationStep;
use crate::rule::Rule;
use crate::slot::{Key, KeyState};
use crate::state::Founded;
use crate::timestamp::Timestamp;

pub(crate) use list::never;
pub use list::{Crl, MAX_CRL_LIFE_S, PendingCrl};

/// The rules version from which CAs sign lists, and a key that is given up takes its certificates with it.
pub const REVOKING: u64 = 3;

/// Why a key or a certificate is not to be believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revocation {
    /// Why.
    pub reason: RevocationReason,
    /// From when on it is not to be believed, where that is before it was revoked.
    pub since: Option<Timestamp>,
    /// When it was revoked.
    pub at: Timestamp,
    /// The event by which it was.
    pub seq: Seq,
    /// The action that people approved, or the rotation that made it needless.
    pub action: ActionId,
}

impl Revocation {
    /// Whether it says more than an earlier one: that somebody else may hold the key.
    fn outweighs(&self, earlier: &Self) -> bool {
        self.reason == RevocationReason::KeyCompromise && earlier.reason != RevocationReason::KeyCompromise
    }
}

impl Founded {
    /// Whether people may revoke a certificate without its key.
    pub(crate) fn permits_certificate_revocation(
        &self,
        params: &CertificateRevokeParams,
        at: Timestamp,
    ) -> Result<(), Rule> {
        match self.issuance(params.certificate)?.step {
            IssuanceStep::Active(_) => {}
            IssuanceStep::Revoked { .. } => return Err(Rule::CertificateRevoked),
            IssuanceStep::Ordered | IssuanceStep::Requested | IssuanceStep::Failed => {
                return Err(Rule::CertificateMissing);
            }
        }
        // Whoever else holds the key gets by with another certificate: the key itself has to be revoked then.
        let compromise = params.reason == RevocationReason::KeyCompromise;
        let ahead = params.invalid_since.is_some_and(|since| since > at);
        if compromise || ahead { Err(Rule::RevocationForm) } else { Ok(()) }
    }

    /// By a rotation that made it needless, or by the action that people approved.
    pub(crate) fn judge_certificate_revoked(
        &self,
        revoked: &CertificateRevoked,
        event: &Event,
    ) -> Result<(), Rule> {
        if self.rules < REVOKING || self.rotations.contains_key(&revoked.action) {
            self.judge_superseded(revoked)
        } else {
            self.judge_effect(event)
        }
    }

    pub(crate) fn apply_revocation(&mut self, event: &Event) {
        match &event.payload {
            Payload::CertificateRevoked(p) => {
                let revocation = Revocation {
                    reason: p.reason,
                    since: p.invalid_since,
                    at: event.time,
                    seq: event.seq,
                    action: p.action,
                };
                self.with_issuance(p.certificate, |issuance| issuance.revoke(revocation));
            }
            Payload::KeyRevoked(p) => self.revoke_certificates_of(p.key, p.action, event),
            Payload::RotationFailed(p) => {
                let given_up = |key: &Key| {
                    key.rotation == Some(p.action) && matches!(key.state, KeyState::Deactivated { .. })
                };
                let keys = self.keys.iter().filter(|(_, key)| given_up(key));
                for key in keys.map(|(id, _)| *id).collect::<Vec<_>>() {
                    self.revoke_certificates_of(key, p.action, event);
                }
            }
            Payload::LedgerRulesAdopted(p) if p.rules == REVOKING => self.revoke_certificates_of_old(event),
            // A certificate that comes after its key was given up is none that anybody should believe.
            Payload::CertificateIssued(p) => self.revoke_late(p.certificate, event),
            Payload::CertificateImported(p) => self.revoke_late(p.certificate, event),
            Payload::CrlAuthorized(p) => self.apply_crl_authorized(p, event),
            Payload::CrlIssued(p) => self.apply_crl_issued(p, event.seq),
            Payload::CrlFailed(p) => self.forget_crl(p.authorization),
            Payload::CrlAbandoned(p) => self.forget_crl(p.authorization),
            Payload::KeyDestroyed(p) => self.with_key(p.key, |key| key.destroy(event.time)),
            _ => {}
        }
    }

    /// A key that is given up takes its certificates with it.
    fn revoke_certificates_of(&mut self, key: KeyId, action: ActionId, event: &Event) {
        let Some(revocation) = self.given_up(key, action, event) else { return };
        let held = self.issuances.iter().filter(|(_, issuance)| issuance.key == key);
        for certificate in held.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.with_issuance(certificate, |issuance| issuance.revoke(revocation));
        }
    }

    /// What earlier rules left in force: certificates of keys that were revoked, or never took over.
    fn revoke_certificates_of_old(&mut self, event: &Event) {
        let failed = |action: &ActionId| {
            self.rotations.get(action).is_some_and(|rotation| rotation.step == RotationStep::Failed)
        };
        let given_up = |key: &Key| match &key.state {
            KeyState::Revoked { revocation, .. } => Some(revocation.action),
            KeyState::Deactivated { .. } => key.rotation.filter(failed),
            _ => None,
        };
        let keys: Vec<(KeyId, ActionId)> =
            self.keys.iter().filter_map(|(id, key)| Some((*id, given_up(key)?))).collect();
        for (key, action) in keys {
            self.revoke_certificates_of(key, action, event);
        }
    }

    fn revoke_late(&mut self, certificate: CertificateId, event: &Event) {
        let Ok(Issuance { key, action, .. }) = self.issuance(certificate) else { return };
        if let Some(revocation) = self.given_up(*key, *action, event) {
            self.with_issuance(certificate, |issuance| issuance.revoke(revocation));
        }
    }

    /// Why certificates of a key are revoked by an event, where they are.
    fn given_up(&self, key: KeyId, action: ActionId, event: &Event) -> Option<Revocation> {
        if self.rules < REVOKING {
            return None;
        }
        let (at, seq) = (event.time, event.seq);
        match &self.keys.get(&key)?.state {
            KeyState::Generating { .. }
            | KeyState::NotGenerated
            | KeyState::PreActivation(_)
            | KeyState::Active { .. }
            | KeyState::Retiring { .. } => None,
            KeyState::Revoked { revocation, .. }
            | KeyState::Destroyed { revocation: Some(revocation), .. } => {
                Some(Revocation { at, seq, ..*revocation })
            }
            KeyState::Deactivated { .. } | KeyState::Destroyed { revocation: None, .. } => {
                let reason = RevocationReason::CessationOfOperation;
                Some(Revocation { reason, since: None, at, seq, action })
            }
        }
    }
}

impl Issuance {
    fn revoke(&mut self, revocation: Revocation) {
        match &self.step {
            IssuanceStep::Active(issued) => {
                self.step = IssuanceStep::Revoked { issued: issued.clone(), revocation };
            }
            IssuanceStep::Revoked { issued, revocation: held } if revocation.outweighs(held) => {
                // What was not to be believed before is no more to be believed now.
                let before = held.since.unwrap_or(held.at);
                let since = Some(revocation.since.map_or(before, |since| since.min(before)));
                let revocation = Revocation { since, ..revocation };
                self.step = IssuanceStep::Revoked { issued: issued.clone(), revocation };
            }
            _ => {}
        }
    }
}
