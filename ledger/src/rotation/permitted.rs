//! Which rotation policy a slot may have.

use crate::action::{SlotCreateParams, SlotRotationParams};
use crate::algorithm::Algorithm;
use crate::certificate::{Usage, is_certifiable};
use crate::ids::SlotName;
use crate::revocation::REVOKING;
use crate::rotation::{IssuerPolicy, RotationPolicy};
use crate::rule::Rule;
use crate::slot::rotation_of;
use crate::state::Founded;

impl Founded {
    /// The rotation policy of a slot that is to be: its days are the slot's, its algorithm one that certificates know.
    pub(crate) fn permits_new_rotation(&self, params: &SlotCreateParams) -> Result<(), Rule> {
        let policy = rotation_of(&params.rotation, params.rotation_days, params.overlap_days);
        let given = params.rotation.as_ref().is_none_or(|policy| {
            (policy.rotation_days, policy.overlap_days) == (params.rotation_days, params.overlap_days)
        });
        if !given {
            return Err(Rule::SlotForm);
        }
        self.permits_rotation_policy(&params.slot, &policy, params.algorithm, params.drill)
    }

    /// Whether a slot of an algorithm may have a rotation policy. Before version 2 there were none.
    pub(crate) fn permits_rotation_policy(
        &self,
        name: &SlotName,
        policy: &RotationPolicy,
        algorithm: Algorithm,
        drill: bool,
    ) -> Result<(), Rule> {
        if self.rules < 2 {
            return Ok(());
        }
        if !policy.is_well_formed() || (policy.certificate.is_some() && !is_certifiable(algorithm)) {
            return Err(Rule::SlotForm);
        }
        // Keys for drills wait for the next one.
        if !policy.is_issuing() && !drill && policy.rotation_days > self.policy.cadence().rotation_days {
            return Err(Rule::RotationInterval);
        }
        let Some(certificate) = &policy.certificate else { return Ok(()) };
        if drill && matches!(certificate.issuer, IssuerPolicy::Outside { .. }) {
            return Err(Rule::CertificateIssuer);
        }
        let IssuerPolicy::Slot { slot } = &certificate.issuer else { return Ok(()) };
        let issuer = self.slot(slot)?;
        let ca = issuer.rotation.certificate.as_ref().ok_or(Rule::CertificateIssuer)?;
        // No drill is on a list that anybody outside reads, and nothing that counts is on a drill's.
        if issuer.drill != drill {
            return Err(Rule::CertificateIssuer);
        }
        let may_issue = match (ca.usage, certificate.usage) {
            (Usage::Issuing { path_len }, Usage::Issuing { path_len: below }) => below < path_len,
            (Usage::Issuing { .. }, _) => true,
            _ => false,
        };
        // A certificate that bears its issuer's name would pass for one that signed itself (RFC 5280 §6.1).
        if slot == name || !may_issue || ca.subject == certificate.subject {
            return Err(Rule::CertificateIssuer);
        }
        Ok(())
    }

    /// A slot's policy is replaced; what it is for stays.
    pub(crate) fn permits_rotation_set(&self, params: &SlotRotationParams) -> Result<(), Rule> {
        let slot = self.slot(&params.slot)?;
        if slot.rotation.is_issuing() != params.rotation.is_issuing() {
            return Err(Rule::SlotForm);
        }
        // Its lists bear one name, and have to be those of every certificate that it signed.
        let name = |policy: &RotationPolicy| {
            policy.certificate.as_ref().map(|certificate| certificate.subject.clone())
        };
        let renamed = slot.rotation.is_issuing() && name(&slot.rotation) != name(&params.rotation);
        if renamed && self.rules >= REVOKING {
            return Err(Rule::SlotForm);
        }
        self.permits_rotation_policy(&params.slot, &params.rotation, slot.algorithm, slot.drill)
    }
}
