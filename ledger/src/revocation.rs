//! Revocation: which certificates are not to be believed, the lists in which their CAs say so (RFC 5280 §5), and keys that
//! a device is to forget (rules version 3).
//!
//! What a list says is a pure function of what is recorded, so nobody can leave a certificate out: a device is only asked for
//! a signature over exactly those bytes. A CA's key signs its own lists for as long as it is kept, retired or not, since
//! readers look for the key that signed the certificate. A list's number is the place of its authorisation in the ledger.

mod destruction;
mod list;

use crate::action::{CertificateRevokeParams, RevocationReason};
use crate::event::Event;
use crate::ids::{CertificateId, KeyId, Seq};
use crate::issuance::{Issuance, IssuanceStep};
use crate::payload::{CertificateRevoked, Payload};
use crate::rule::Rule;
use crate::slot::{Key, KeyState};
use crate::state::Founded;
use crate::timestamp::Timestamp;

pub(crate) use list::never;
pub use list::{Crl, MAX_CRL_LIFE_S, PendingCrl};

/// The rules version from which CAs sign lists, and a key that is given up takes its certificates with it.
pub const REVOKING: u64 = 3;

/// Why, when and since when a certificate is revoked.
#[derive(Debug, Clone, Copy)]
struct Cause {
    reason: RevocationReason,
    invalid_since: Option<Timestamp>,
    at: Timestamp,
    seq: Seq,
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
        if params.invalid_since.is_some_and(|since| since > at) { Err(Rule::RevocationForm) } else { Ok(()) }
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
                let cause = Cause {
                    reason: p.reason,
                    invalid_since: p.invalid_since,
                    at: event.time,
                    seq: event.seq,
                };
                self.with_issuance(p.certificate, |issuance| revoke(issuance, cause));
            }
            Payload::KeyRevoked(p) => self.revoke_certificates_of(p.key, event),
            Payload::RotationFailed(p) => {
                let given_up = |key: &Key| {
                    key.rotation == Some(p.action) && matches!(key.state, KeyState::Deactivated { .. })
                };
                let keys = self.keys.iter().filter(|(_, key)| given_up(key));
                for key in keys.map(|(id, _)| *id).collect::<Vec<_>>() {
                    self.revoke_certificates_of(key, event);
                }
            }
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
    fn revoke_certificates_of(&mut self, key: KeyId, event: &Event) {
        let Some(cause) = self.given_up(key, event) else { return };
        let of_key = |issuance: &Issuance| issuance.key == key && issuance.active().is_some();
        let held = self.issuances.iter().filter(|(_, issuance)| of_key(issuance));
        for certificate in held.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.with_issuance(certificate, |issuance| revoke(issuance, cause));
        }
    }

    fn revoke_late(&mut self, certificate: CertificateId, event: &Event) {
        let Ok(key) = self.issuance(certificate).map(|issuance| issuance.key) else { return };
        if let Some(cause) = self.given_up(key, event) {
            self.with_issuance(certificate, |issuance| revoke(issuance, cause));
        }
    }

    /// Why certificates of a key are revoked from now on, where they are.
    fn given_up(&self, key: KeyId, event: &Event) -> Option<Cause> {
        if self.rules < REVOKING {
            return None;
        }
        let (reason, invalid_since) = match &self.keys.get(&key)?.state {
            KeyState::Revoked { reason, compromised_since, .. } => (*reason, *compromised_since),
            KeyState::Deactivated { .. } => (RevocationReason::CessationOfOperation, None),
            KeyState::Destroyed { revoked, .. } => match revoked {
                Some(revoked) => (revoked.reason, revoked.compromised_since),
                None => (RevocationReason::CessationOfOperation, None),
            },
            KeyState::Generating { .. }
            | KeyState::NotGenerated
            | KeyState::PreActivation(_)
            | KeyState::Active { .. }
            | KeyState::Retiring { .. } => return None,
        };
        Some(Cause { reason, invalid_since, at: event.time, seq: event.seq })
    }
}

fn revoke(issuance: &mut Issuance, cause: Cause) {
    if let IssuanceStep::Active(issued) = &issuance.step {
        let Cause { reason, invalid_since, at, seq } = cause;
        issuance.step = IssuanceStep::Revoked { issued: issued.clone(), reason, invalid_since, at, seq };
    }
}
