//! Whether what an action asks for could be done: asked when it is proposed, and again when it takes effect.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::action::Params;
use crate::encoding::Hash;
use crate::founding::approval_rp_is_well_formed;
use crate::ids::{MemberId, Seq, ServiceId, SlotName};
use crate::member::{
    MAX_CREDENTIALS, credential_is_well_formed, credentials_are_well_formed, key_bytes, roles_are_separate,
    rp_fits, suspended,
};
use crate::payload::{MemberEnrolled, NextVkey};
use crate::policy::Role;
use crate::rule::Rule;
use crate::state::Founded;
use crate::timestamp::Timestamp;
use crate::webauthn::Credential;

/// Longest life of a service's token, in seconds: two years of 366 days.
pub const MAX_TOKEN_LIFE_S: u32 = 2 * 366 * 24 * 60 * 60;

impl Founded {
    /// Whether what the parameters ask for could be done now. Checked at the proposal, so that nobody is asked to
    /// approve the impossible, and again when it takes effect.
    pub(crate) fn permits(&self, params: &Params, at: Timestamp) -> Result<(), Rule> {
        match params {
            Params::ApprovalRpSet(p) if !approval_rp_is_well_formed(&p.approval_rp) => {
                Err(Rule::CredentialForm)
            }
            // A credential is bound to its relying party: another id would leave nobody who can sign.
            Params::ApprovalRpSet(p) if p.approval_rp.id != self.approval_rp.id => Err(Rule::CredentialForm),
            Params::ApprovalRpSet(_) => Ok(()),
            Params::CredentialAdd(p) => {
                let member = self.members.get(&p.member).filter(|member| !member.removed);
                let member = member.ok_or(Rule::MemberUnknown)?;
                if member.credentials.len() >= MAX_CREDENTIALS {
                    return Err(Rule::CredentialForm);
                }
                self.permits_credential(&p.credential, p.member)
            }
            Params::CredentialRemove(p) => {
                let member = self.members.get(&p.member).ok_or(Rule::MemberUnknown)?;
                let held = |c: &crate::member::HeldCredential| c.credential.credential_id == p.credential_id;
                if !member.credentials.iter().any(held) {
                    return Err(Rule::CredentialUnknown);
                }
                self.permits_change(params, at)
            }
            Params::CertificateIssue(p) => self.permits_issuance(p),
            Params::CertificateRevoke(p) => self.permits_certificate_revocation(p, at),
            Params::HsmAccessReview(p) if p.holder_count == 0 => Err(Rule::AccessReview),
            Params::HsmAccessReview(p) if p.fips.is_some_and(|fips| !fips.is_well_formed()) => {
                Err(Rule::AccessReview)
            }
            Params::HsmAccessReview(_) => Ok(()),
            Params::KeyAdopt(p) => self.permits_adoption(p, at),
            Params::KeyDestroy(p) => self.permits_destruction(p, at),
            Params::KeyRotate(p) => self.permits_rotation(p, false, at),
            Params::KeyRotateEmergency(p) => self.permits_rotation(p, true, at),
            Params::KeyRevoke(p) | Params::KeyRevokeEmergency(p) => self.permits_revocation(p, at),
            Params::LedgerEvidenceKeySet(_) | Params::LedgerKeyRotate(_) => Ok(()),
            Params::LedgerKeyRecover(_) => match self.key.next {
                NextVkey::Digest(_) => Ok(()),
                NextVkey::None => Err(Rule::LedgerKeyNext),
            },
            Params::MemberEnroll(p) => {
                if self.members.contains_key(&p.member) {
                    return Err(Rule::MemberDuplicate);
                }
                if !credentials_are_well_formed(&p.credentials, &self.approval_rp) {
                    return Err(Rule::CredentialForm);
                }
                if !roles_are_separate(&p.roles) {
                    return Err(Rule::RoleSeparation);
                }
                p.credentials
                    .iter()
                    .try_for_each(|credential| self.permits_credential(credential, p.member))?;
                self.permits_change(params, at)
            }
            Params::MemberRecover(p) => self.permits_recovery(p),
            Params::MemberRemove(p) => {
                let member = self.members.get(&p.member).ok_or(Rule::MemberUnknown)?;
                if member.removed {
                    return Err(Rule::MemberInactive);
                }
                self.permits_change(params, at)
            }
            Params::MemberRestore(p) => {
                let member = self.members.get(&p.member).ok_or(Rule::MemberUnknown)?;
                let suspension = match &p.credential_id {
                    None => member.suspension,
                    Some(id) => {
                        let held =
                            member.credentials.iter().find(|held| held.credential.credential_id == *id);
                        held.ok_or(Rule::CredentialUnknown)?.suspension
                    }
                };
                if suspended(suspension, at) { Ok(()) } else { Err(Rule::SuspensionMissing) }
            }
            Params::PolicySet(p) if !p.policy.is_well_formed(self.rules) => Err(Rule::PolicyForm),
            Params::PolicySet(_) => self.permits_change(params, at),
            Params::RoleGrant(p) => self.permits_grant(p, params, at),
            Params::RoleRevoke(p) => {
                let member = self.members.get(&p.member).ok_or(Rule::MemberUnknown)?;
                if !member.grants.iter().any(|grant| grant.role == p.role) {
                    return Err(Rule::RoleUnknown);
                }
                self.permits_change(params, at)
            }
            Params::RulesAdopt(p) if p.rules != self.rules + 1 => Err(Rule::RulesUnknown),
            Params::RulesAdopt(_) => Ok(()),
            Params::ServiceEnroll(p) => {
                if self.services.contains_key(&p.service) {
                    return Err(Rule::ServiceDuplicate);
                }
                self.permits_slots(p.slots.iter())?;
                self.permits_token(p.token_sha256, p.token_expires_at, at)
            }
            Params::ServiceGrant(p) => {
                self.living_service(p.service)?;
                self.permits_slots(p.slots.iter())?;
                let token = p.token.as_ref();
                token.map_or(Ok(()), |token| self.permits_token(token.sha256, token.expires_at, at))
            }
            Params::ServiceRemove(p) => self.living_service(p.service).map(drop),
            Params::ServiceRestore(p) => {
                let service = self.living_service(p.service)?;
                if suspended(service.suspension, at) { Ok(()) } else { Err(Rule::SuspensionMissing) }
            }
            Params::SigningApprove(p) => {
                self.permits_clearance(&p.slot, p.environment, p.digest.0.len() as u64, 1)
            }
            Params::SigningBatch(p) => {
                self.permits_clearance(&p.slot, p.environment, p.digests.size, p.count)
            }
            Params::SlotCreate(p) => self.permits_slot(p, at),
            Params::SlotPolicySet(p) => {
                self.slot(&p.slot)?;
                if !p.signing_policy.is_well_formed() {
                    return Err(Rule::SlotForm);
                }
                self.judge_approvable(&p.signing_policy, at)
            }
            Params::SlotRotationSet(p) => self.permits_rotation_set(p),
            Params::SlotResume(p) => {
                let slot = self.slot(&p.slot)?;
                if suspended(slot.suspension, at) { Ok(()) } else { Err(Rule::SlotNotSuspended) }
            }
        }
    }

    fn living_service(&self, id: ServiceId) -> Result<&crate::member::Service, Rule> {
        let service = self.services.get(&id).ok_or(Rule::ServiceUnknown)?;
        if service.removed { Err(Rule::ServiceInactive) } else { Ok(service) }
    }

    fn permits_slots<'a>(&self, mut slots: impl Iterator<Item = &'a SlotName>) -> Result<(), Rule> {
        slots.try_for_each(|name| self.slot(name).map(drop))
    }

    fn permits_token(&self, sha256: Hash, expires_at: Timestamp, at: Timestamp) -> Result<(), Rule> {
        let used = self.services.values().any(|service| service.token_sha256 == sha256);
        let life = expires_at > at && expires_at <= at.plus_seconds(MAX_TOKEN_LIFE_S);
        if life && !used { Ok(()) } else { Err(Rule::ServiceToken) }
    }

    pub(crate) fn permits_credential(&self, credential: &Credential, member: MemberId) -> Result<(), Rule> {
        if !rp_fits(credential, &self.approval_rp) || !credential_is_well_formed(credential) {
            return Err(Rule::CredentialForm);
        }
        if !self.policy.credentials.accept(credential) {
            return Err(Rule::CredentialPolicy);
        }
        let others_key = self.key_owners.get(&key_bytes(credential)).is_some_and(|owner| *owner != member);
        let held = self.members.values().flat_map(|member| &member.credentials).any(|held| {
            held.credential.credential_id == credential.credential_id
                || held.credential.cose_public_key == credential.cose_public_key
        });
        if others_key || held { Err(Rule::CredentialDuplicate) } else { Ok(()) }
    }

    fn permits_grant(
        &self,
        grant: &crate::action::RoleGrantParams,
        params: &Params,
        at: Timestamp,
    ) -> Result<(), Rule> {
        let member = self.members.get(&grant.member).filter(|member| !member.removed);
        let member = member.ok_or(Rule::MemberUnknown)?;
        let begins = grant.not_before.map_or(at, |start| start.max(at));
        if grant.not_after.is_some_and(|end| end <= begins) {
            return Err(Rule::RoleTimes);
        }
        let same = |g: &crate::member::Grant| {
            g.role == grant.role && g.not_before == grant.not_before && g.not_after == grant.not_after
        };
        if member.grants.iter().any(same) {
            return Err(Rule::RoleDuplicate);
        }
        let roles: BTreeSet<Role> = member.grants.iter().map(|g| g.role).chain([grant.role]).collect();
        if !roles_are_separate(&roles) {
            return Err(Rule::RoleSeparation);
        }
        self.permits_change(params, at)
    }

    /// Tries a change of people or policy on a copy, and asks who could still get what approved.
    fn permits_change(&self, params: &Params, at: Timestamp) -> Result<(), Rule> {
        let after = self.contained(|state| state.try_on(params));
        self.judge_reachability(&after, at)
    }

    fn try_on(&mut self, params: &Params) {
        let members = Arc::make_mut(&mut self.members);
        match params {
            Params::CredentialRemove(p) => {
                if let Some(member) = members.get_mut(&p.member) {
                    member.credentials.retain(|held| held.credential.credential_id != p.credential_id);
                }
            }
            Params::MemberEnroll(p) => {
                let enrolled = MemberEnrolled {
                    action: None,
                    credentials: p.credentials.clone(),
                    member: p.member,
                    roles: p.roles.clone(),
                };
                members.insert(p.member, crate::member::Member::new(&enrolled, Seq::ZERO));
            }
            Params::MemberRemove(p) => {
                if let Some(member) = members.get_mut(&p.member) {
                    member.removed = true;
                }
            }
            Params::RoleGrant(p) => {
                if let Some(member) = members.get_mut(&p.member) {
                    let (not_before, not_after) = (p.not_before, p.not_after);
                    let since = Seq::ZERO;
                    member.grants.push(crate::member::Grant { role: p.role, not_before, not_after, since });
                }
            }
            Params::RoleRevoke(p) => {
                if let Some(member) = members.get_mut(&p.member) {
                    member.grants.retain(|grant| grant.role != p.role);
                }
            }
            Params::PolicySet(p) => self.policy = Arc::new(p.policy.clone()),
            _ => {}
        }
    }
}
