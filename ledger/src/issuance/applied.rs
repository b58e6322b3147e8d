//! What the events of certificates change.

use std::sync::Arc;

use super::{Asked, Issuance, IssuanceStep, Issued, Terms};
use crate::certificate::Certificate;
use crate::encoding::B64;
use crate::event::Event;
use crate::ids::{CertificateId, Seq};
use crate::payload::{CertificateImported, CertificateIssued, CertificateOrdered, Payload};
use crate::state::Founded;

impl Founded {
    fn apply_ordered(&mut self, ordered: &CertificateOrdered, event: &Event) {
        let rotation = self.rotation(ordered.action).map(|rotation| &rotation.policy);
        let Ok(policy) = rotation.or_else(|_| self.slot(&ordered.slot).map(|slot| &slot.rotation)) else {
            return;
        };
        let Some(certificate) = policy.certificate.clone() else { return };
        let issuance = Issuance {
            action: ordered.action,
            slot: ordered.slot.clone(),
            key: ordered.key,
            correlation: event.correlation,
            ordered: event.seq,
            policy: certificate,
            needed_days: u32::from(policy.rotation_days) + u32::from(policy.overlap_days),
            csr: None,
            step: IssuanceStep::Ordered,
            asked: None,
        };
        Arc::make_mut(&mut self.issuances).insert(ordered.certificate, Arc::new(issuance));
    }

    pub(crate) fn apply_certificate(&mut self, event: &Event) {
        match &event.payload {
            Payload::CertificateOrdered(p) => self.apply_ordered(p, event),
            Payload::CertificateRequested(p) => self.with_issuance(p.certificate, |issuance| {
                issuance.csr = Some(p.csr.clone());
                issuance.step = IssuanceStep::Requested;
                issuance.asked = None;
            }),
            Payload::CertificateIssued(p) => self.apply_issued(p, event.seq),
            Payload::CertificateImported(p) => self.apply_imported(p, event.seq),
            Payload::CertificateFailed(p) => {
                self.with_issuance(p.certificate, |issuance| issuance.step = IssuanceStep::Failed);
            }
            _ => {}
        }
    }

    fn apply_issued(&mut self, recorded: &CertificateIssued, seq: Seq) {
        let Ok(issuance) = self.issuance(recorded.certificate) else { return };
        let Some(Asked { terms: Some(terms), signer, .. }) = issuance.asked.clone() else { return };
        let issued = Issued {
            der: recorded.der.clone(),
            chain: Vec::new(),
            fingerprint: recorded.fingerprint,
            serial: Some(terms.serial),
            issuer: Some(signer),
            not_before: terms.not_before,
            not_after: terms.not_after,
            seq,
        };
        self.put_in_force(recorded.certificate, issued);
    }

    fn apply_imported(&mut self, recorded: &CertificateImported, seq: Seq) {
        // Judged: the first of the chain can be read.
        let Some((first, above)) = recorded.chain.split_first() else { return };
        let Ok(leaf) = Certificate::from_der(first.as_bytes()) else { return };
        let issued = Issued {
            der: first.clone(),
            chain: above.to_vec(),
            fingerprint: recorded.fingerprint,
            serial: None,
            issuer: None,
            not_before: leaf.not_before(),
            not_after: leaf.not_after(),
            seq,
        };
        self.put_in_force(recorded.certificate, issued);
    }

    fn put_in_force(&mut self, id: CertificateId, issued: Issued) {
        let Ok(key) = self.issuance(id).map(|issuance| issuance.key) else { return };
        self.with_issuance(id, |issuance| {
            issuance.asked = None;
            issuance.step = IssuanceStep::Active(issued);
        });
        self.with_key(key, |key| key.certificate = Some(id));
    }

    /// Keeps what the device is asked for.
    pub(crate) fn note_asked(&mut self, id: CertificateId, authorization: Seq, terms: Option<&Terms>) {
        if let Some(terms) = terms {
            Arc::make_mut(&mut self.serials).insert(terms.serial.clone(), id);
        }
        let Ok(issuance) = self.issuance(id) else { return };
        // Judged: both can be built.
        let (bytes, signer) = match terms {
            None => (self.request_bytes(issuance).unwrap_or_default(), issuance.key),
            Some(terms) => self.certificate_bytes(issuance, terms).unwrap_or((Vec::new(), issuance.key)),
        };
        let asked =
            Asked { authorization, bytes: bytes.into(), signer, terms: terms.cloned(), signature: None };
        self.with_issuance(id, |issuance| issuance.asked = Some(asked));
    }

    /// Keeps the signature that was asked for, or forgets what was asked where none came.
    pub(crate) fn note_answered(&mut self, id: CertificateId, signature: Option<&B64>) {
        self.with_issuance(id, |issuance| match signature {
            None => issuance.asked = None,
            Some(signature) => {
                if let Some(asked) = &mut issuance.asked {
                    asked.signature = Some(signature.clone());
                }
            }
        });
    }

    pub(crate) fn with_issuance(&mut self, id: CertificateId, change: impl FnOnce(&mut Issuance)) {
        if let Some(issuance) = Arc::make_mut(&mut self.issuances).get_mut(&id) {
            change(Arc::make_mut(issuance));
        }
    }
}
