//! The bytes of requests and certificates: a pure function of what is recorded.

use crate::certificate::{self, Certificate, Issuer, PolicyOid, SerialNumber, Template};
use crate::encoding::B64;
use crate::ids::KeyId;
use crate::issuance::{Issuance, Issued, Terms};
use crate::public_key::PublicKey;
use crate::revocation::REVOKING;
use crate::rotation::{DAY_S, IssuerPolicy};
use crate::rule::Rule;
use crate::slot::Key;
use crate::state::Founded;
use crate::timestamp::Timestamp;

impl Founded {
    /// The bytes that a key signs to ask for its certificate (RFC 2986 §4.1).
    pub fn request_bytes(&self, issuance: &Issuance) -> Result<Vec<u8>, Rule> {
        let key = self.public_key(issuance.key)?;
        let policy = &issuance.policy;
        certificate::request_info(&policy.subject, &key, Some(policy.usage))
            .map_err(|_| Rule::CertificateContent)
    }

    /// The bytes that an issuer signs (RFC 5280 §4.1.1.1), and the key that signs them.
    pub fn certificate_bytes(&self, issuance: &Issuance, terms: &Terms) -> Result<(Vec<u8>, KeyId), Rule> {
        let policy = &issuance.policy;
        let certified = self.public_key(issuance.key)?;
        let (signer, above) = self.issuer_of(issuance)?;
        let key = self.keys.get(&signer).ok_or(Rule::KeyUnknown)?;
        let above = above.map(|issued| Certificate::from_der(issued.der.as_bytes()));
        let above = above.transpose().map_err(|_| Rule::CertificateIssuer)?;
        let crl_url = match (&above, self.slots.get(&key.slot)) {
            (Some(_), Some(ca)) => ca.rotation.certificate.as_ref().and_then(|ca| ca.crl_url.clone()),
            _ => None,
        };
        // Each key signs its own list, at a place of its own.
        let crl_url = if self.rules < REVOKING { crl_url } else { crl_url.map(|url| url.of_key(signer)) };
        let policies: Vec<PolicyOid> = policy.policies.iter().cloned().collect();
        let template = Template {
            algorithm: key.algorithm,
            crl_url: crl_url.as_ref(),
            issuer: above.as_ref().map_or(Issuer::SelfSigned, Issuer::Certificate),
            key: &certified,
            not_after: terms.not_after,
            not_before: terms.not_before,
            policies: &policies,
            serial: &terms.serial,
            subject: &policy.subject,
            usage: policy.usage,
        };
        let tbs = certificate::tbs(&template).map_err(|_| Rule::CertificateContent)?;
        Ok((tbs, signer))
    }

    /// The key that would sign a certificate now.
    pub fn issuer_key(&self, issuance: &Issuance) -> Result<KeyId, Rule> {
        self.issuer_of(issuance).map(|(key, _)| key)
    }

    /// The key that signs a certificate, and its own certificate; none for a root.
    pub(crate) fn issuer_of(&self, issuance: &Issuance) -> Result<(KeyId, Option<&Issued>), Rule> {
        match &issuance.policy.issuer {
            IssuerPolicy::SelfSigned => Ok((issuance.key, None)),
            IssuerPolicy::Outside { .. } => Err(Rule::CertificateIssuer),
            IssuerPolicy::Slot { slot } => {
                let ca = self.slot(slot)?;
                let signer = ca.active.ok_or(Rule::SlotKeyless)?;
                let held = self.keys.get(&signer).and_then(|key| key.certificate);
                let issued = held.and_then(|id| self.issuances.get(&id)?.active());
                issued.map(|issued| (signer, Some(issued))).ok_or(Rule::CertificateIssuer)
            }
        }
    }

    /// The terms of a certificate that begins now.
    pub fn terms(&self, issuance: &Issuance, serial: SerialNumber, at: Timestamp) -> Result<Terms, Rule> {
        // Certificates speak of full seconds.
        let not_before = at.second();
        Ok(Terms { serial, not_before, not_after: self.certificate_end(issuance, not_before)? })
    }

    /// When a certificate ends that begins at a moment: after the policy's days, and never after its issuer's.
    pub fn certificate_end(&self, issuance: &Issuance, not_before: Timestamp) -> Result<Timestamp, Rule> {
        let (_, above) = self.issuer_of(issuance)?;
        // Both ends count, so the last second is the one before.
        let last = |days: u32| not_before.plus_seconds(days * DAY_S - 1);
        let end = last(u32::from(issuance.policy.validity_days));
        let end = above.map_or(end, |above| end.min(above.not_after));
        // A CA that ends before the key's use does has to be replaced first.
        if end < last(issuance.needed_days) { Err(Rule::CertificateIssuer) } else { Ok(end) }
    }

    /// The request or certificate that a released signature makes: DER.
    pub(crate) fn assembled(&self, issuance: &Issuance) -> Result<B64, Rule> {
        let asked = issuance.asked.as_ref().ok_or(Rule::CertificateStep)?;
        let signature = asked.signature.as_ref().ok_or(Rule::CertificateStep)?.as_bytes();
        let algorithm = self.keys.get(&asked.signer).ok_or(Rule::KeyUnknown)?.algorithm;
        let der = match asked.terms {
            None => certificate::assemble_request(asked.bytes.as_bytes(), algorithm, signature),
            Some(_) => certificate::assemble(asked.bytes.as_bytes(), algorithm, signature),
        };
        der.map(B64::from).map_err(|_| Rule::CertificateContent)
    }

    pub(crate) fn public_key(&self, key: KeyId) -> Result<PublicKey, Rule> {
        let material = self.keys.get(&key).and_then(Key::material).ok_or(Rule::KeyUnknown)?;
        PublicKey::from_der(material.spki.as_bytes()).map_err(|_| Rule::KeyBytes)
    }
}
