//! What an approved action does: the events that its parameters stand for, and when each is allowed.

mod permitted;

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::action::{ActionDocument, ActionType, CertificateRevokeParams, KeyRotateParams, Params};
use crate::clearance::cleared_by;
use crate::encoding::{B64, Hash};
use crate::event::Event;
use crate::ids::{ActionId, CertificateId, MemberId, Seq, ServiceId, SlotName};
use crate::note::Vkey;
use crate::payload::{
    ApprovalRpSet, CertificateOrdered, CertificateRevoked, CredentialAdded, CredentialRemoved,
    HsmAccessReviewed, KeyRevoked, LedgerEvidenceKeySet, LedgerHighWaterAccepted, LedgerKeyRecovered,
    LedgerKeyRotated, LedgerRulesAdopted, MemberEnrolled, MemberRecovered, MemberRemoved, MemberRestored,
    NextVkey, Payload, PolicySet, RoleGranted, RoleRevoked, RotationStarted, ServiceEnrolled, ServiceGranted,
    ServiceRemoved, ServiceRestored, SlotPolicySet, SlotResumed, SlotRotationSet,
};
use crate::policy::{LedgerPolicy, Role};
use crate::public_key::PublicKey;
use crate::rule::Rule;
use crate::state::{Founded, LedgerKey, OpenAction, Progress, Stage};
use crate::timestamp::Timestamp;

pub use permitted::MAX_TOKEN_LIFE_S;

/// What an action's execution consists of.
pub enum Effect {
    /// One event, known from the parameters alone, with the digests that it lists.
    Event(Payload, Vec<B64>),
    /// Something that a device has to do first.
    Device,
}

/// The effect that an action's document stands for.
pub fn effect_of(document: &ActionDocument) -> Effect {
    let action = document.action;
    if let Some(cleared) = cleared_by(document) {
        return Effect::Event(cleared.into(), Vec::new());
    }
    let mut sd = Vec::new();
    let payload: Payload = match document.params.clone() {
        Params::LedgerEvidenceKeySet(_)
        | Params::LedgerKeyRecover(_)
        | Params::LedgerKeyRotate(_)
        | Params::KeyAdopt(_)
        | Params::KeyDestroy(_)
        | Params::SlotCreate(_) => return Effect::Device,
        // Told apart above.
        Params::SigningApprove(_) | Params::SigningBatch(_) => return Effect::Device,
        Params::ApprovalRpSet(p) => ApprovalRpSet { action, approval_rp: p.approval_rp }.into(),
        Params::CertificateIssue(p) => {
            let certificate = CertificateId::from(action.uuid());
            CertificateOrdered { action, certificate, key: p.key, slot: p.slot }.into()
        }
        Params::CertificateRevoke(p) => {
            let CertificateRevokeParams { certificate, invalid_since, reason } = p;
            CertificateRevoked { action, certificate, invalid_since, reason }.into()
        }
        Params::CredentialAdd(p) => {
            CredentialAdded { action, credential: p.credential, member: p.member }.into()
        }
        Params::CredentialRemove(p) => {
            CredentialRemoved { action, credential_id: p.credential_id, member: p.member }.into()
        }
        Params::HsmAccessReview(p) => {
            sd.push(p.holders_digest);
            sd.extend(p.findings_digest);
            sd.sort_by_key(B64::to_string);
            HsmAccessReviewed { action, backend: p.backend, fips: p.fips, holder_count: p.holder_count }
                .into()
        }
        Params::KeyRotate(p) => started(action, p, false).into(),
        Params::KeyRotateEmergency(p) => started(action, p, true).into(),
        Params::KeyRevoke(p) | Params::KeyRevokeEmergency(p) => {
            KeyRevoked { action, compromised_since: p.compromised_since, key: p.key, reason: p.reason }.into()
        }
        Params::MemberEnroll(p) => {
            sd.extend(p.display_name_digest);
            let action = Some(action);
            MemberEnrolled { action, credentials: p.credentials, member: p.member, roles: p.roles }.into()
        }
        Params::MemberRecover(p) => {
            MemberRecovered { action, credentials: p.credentials, member: p.member }.into()
        }
        Params::MemberRemove(p) => MemberRemoved { action, member: p.member }.into(),
        Params::MemberRestore(p) => {
            MemberRestored { action, credential_id: p.credential_id, member: p.member }.into()
        }
        Params::PolicySet(p) => PolicySet { action, policy: p.policy }.into(),
        Params::RoleGrant(p) => {
            let (not_after, not_before) = (p.not_after, p.not_before);
            RoleGranted { action, member: p.member, not_after, not_before, role: p.role }.into()
        }
        Params::RoleRevoke(p) => RoleRevoked { action, member: p.member, role: p.role }.into(),
        Params::RulesAdopt(p) => LedgerRulesAdopted { action, rules: p.rules }.into(),
        Params::ServiceEnroll(p) => {
            sd.extend(p.display_name_digest);
            ServiceEnrolled {
                action,
                service: p.service,
                slots: p.slots,
                token_expires_at: p.token_expires_at,
                token_sha256: p.token_sha256,
            }
            .into()
        }
        Params::ServiceGrant(p) => {
            ServiceGranted { action, service: p.service, slots: p.slots, token: p.token }.into()
        }
        Params::ServiceRemove(p) => ServiceRemoved { action, service: p.service }.into(),
        Params::ServiceRestore(p) => ServiceRestored { action, service: p.service }.into(),
        Params::SlotPolicySet(p) => {
            SlotPolicySet { action, signing_policy: p.signing_policy, slot: p.slot }.into()
        }
        Params::SlotResume(p) => SlotResumed { action, slot: p.slot }.into(),
        Params::SlotRotationSet(p) => SlotRotationSet { action, rotation: p.rotation, slot: p.slot }.into(),
    };
    Effect::Event(payload, sd)
}

fn started(action: ActionId, params: KeyRotateParams, emergency: bool) -> RotationStarted {
    RotationStarted { action, emergency, old_key: params.old_key, policy: params.policy, slot: params.slot }
}

impl Founded {
    /// The executing action that an effect belongs to, if it still may take effect.
    pub(crate) fn executing(&self, id: ActionId, at: Timestamp) -> Result<(&OpenAction, Progress), Rule> {
        match self.action(id)?.stage {
            Stage::Executing { expires_at, progress } if at < expires_at => Ok((self.action(id)?, progress)),
            Stage::Executing { .. } => Err(Rule::ActionExpired),
            Stage::Open => Err(Rule::ActionEffect),
        }
    }

    /// An effect that is one event: what was approved, nothing else, once.
    pub(crate) fn judge_effect(&self, event: &Event) -> Result<(), Rule> {
        let action = action_of(&event.payload).ok_or(Rule::ActionEffect)?;
        let (open, progress) = self.executing(action, event.time)?;
        if progress != Progress::NotBegun {
            return Err(Rule::ActionEffect);
        }
        let document = open.document();
        let Effect::Event(expected, sd) = effect_of(document) else { return Err(Rule::ActionEffect) };
        if expected != event.payload || sd != event.sd {
            return Err(Rule::ActionEffect);
        }
        self.permits(&document.params, event.time)
    }

    /// A slot's `key_owner` speaks for that slot alone.
    pub(crate) fn judge_ownership(&self, params: &Params, member: MemberId, role: Role) -> Result<(), Rule> {
        if role != Role::KeyOwner || self.owners(params).iter().all(|owner| *owner == member) {
            Ok(())
        } else {
            Err(Rule::RoleMissing)
        }
    }

    /// The owners of the slots that an action is about.
    pub fn owners(&self, params: &Params) -> BTreeSet<MemberId> {
        let of_slot = |name: &SlotName| self.slots.get(name).map(|slot| slot.owner);
        let of_service = |id: ServiceId| {
            self.services.get(&id).into_iter().flat_map(|service| &service.slots).filter_map(of_slot)
        };
        match params {
            Params::SigningApprove(p) => of_slot(&p.slot).into_iter().collect(),
            Params::SigningBatch(p) => of_slot(&p.slot).into_iter().collect(),
            Params::SlotCreate(p) => [p.owner].into(),
            Params::KeyAdopt(p) => [p.slot.owner].into(),
            Params::CertificateIssue(p) => of_slot(&p.slot).into_iter().collect(),
            Params::CertificateRevoke(p) => {
                let issuance = self.issuances.get(&p.certificate);
                issuance.and_then(|issuance| of_slot(&issuance.slot)).into_iter().collect()
            }
            Params::KeyDestroy(p) => {
                self.keys.get(&p.key).and_then(|key| of_slot(&key.slot)).into_iter().collect()
            }
            Params::KeyRotate(p) | Params::KeyRotateEmergency(p) => of_slot(&p.slot).into_iter().collect(),
            Params::SlotRotationSet(p) => of_slot(&p.slot).into_iter().collect(),
            Params::SlotPolicySet(p) => of_slot(&p.slot).into_iter().collect(),
            Params::SlotResume(p) => of_slot(&p.slot).into_iter().collect(),
            Params::KeyRevoke(p) | Params::KeyRevokeEmergency(p) => {
                self.keys.get(&p.key).and_then(|key| of_slot(&key.slot)).into_iter().collect()
            }
            Params::ServiceEnroll(p) => p.slots.iter().filter_map(of_slot).collect(),
            Params::ServiceGrant(p) => {
                p.slots.iter().filter_map(of_slot).chain(of_service(p.service)).collect()
            }
            Params::ServiceRemove(p) | Params::ServiceRestore(p) => of_service(p.service).collect(),
            Params::ApprovalRpSet(_)
            | Params::CredentialAdd(_)
            | Params::CredentialRemove(_)
            | Params::HsmAccessReview(_)
            | Params::LedgerEvidenceKeySet(_)
            | Params::LedgerKeyRecover(_)
            | Params::LedgerKeyRotate(_)
            | Params::MemberEnroll(_)
            | Params::MemberRecover(_)
            | Params::MemberRemove(_)
            | Params::MemberRestore(_)
            | Params::PolicySet(_)
            | Params::RoleGrant(_)
            | Params::RoleRevoke(_)
            | Params::RulesAdopt(_) => BTreeSet::new(),
        }
    }

    pub(crate) fn apply_policy(&mut self, policy: &LedgerPolicy, seq: Seq) {
        if *self.policy != *policy {
            self.policy_since = seq;
        }
        self.policy = Arc::new(policy.clone());
        // A typed policy always has a canonical form.
        self.policy_digest = policy.digest().unwrap_or(Hash::ZERO);
    }

    /// The rules version that governs the next event.
    pub fn rules(&self) -> u64 {
        self.rules
    }

    /// The ledger policy in force.
    pub fn policy(&self) -> &LedgerPolicy {
        &self.policy
    }

    /// Its digest, as action documents name it.
    pub fn policy_digest(&self) -> Hash {
        self.policy_digest
    }

    /// The relying party that approvals are made for.
    pub fn approval_rp(&self) -> &crate::webauthn::ApprovalRp {
        &self.approval_rp
    }

    /// The key that signs documents and envelopes, if one was set.
    pub fn evidence_key(&self) -> Option<&(crate::ids::KeyId, B64)> {
        self.evidence_key.as_ref()
    }

    /// The last event that a document may be bound to.
    pub fn latest_head(&self) -> Option<crate::action::HeadRef> {
        self.hashes.last_key_value().map(|(&seq, &hash)| crate::action::HeadRef { hash, seq })
    }

    pub(crate) fn judge_ledger_key_rotated(
        &self,
        change: &LedgerKeyRotated,
        at: Timestamp,
    ) -> Result<(), Rule> {
        self.judge_device_effect(change.action, ActionType::LedgerKeyRotate, at)?;
        self.judge_new_vkey(&change.vkey, change.next_vkey_digest)?;
        if change.attributes.is_confined() { Ok(()) } else { Err(Rule::KeyAttributes) }
    }

    pub(crate) fn judge_ledger_key_recovered(
        &self,
        change: &LedgerKeyRecovered,
        at: Timestamp,
    ) -> Result<(), Rule> {
        self.judge_device_effect(change.action, ActionType::LedgerKeyRecover, at)?;
        if self.key.next != NextVkey::Digest(change.vkey.digest()) {
            return Err(Rule::LedgerKeyNext);
        }
        self.judge_new_vkey(&change.vkey, change.next_vkey_digest)?;
        if change.attributes.is_confined() { Ok(()) } else { Err(Rule::KeyAttributes) }
    }

    /// Another key than the one in force, of this ledger's name, that doesn't stand by for itself.
    fn judge_new_vkey(&self, vkey: &Vkey, next: NextVkey) -> Result<(), Rule> {
        let other = *vkey != self.key.vkey && vkey.origin() == &self.origin;
        if other && next != NextVkey::Digest(vkey.digest()) { Ok(()) } else { Err(Rule::LedgerKeySame) }
    }

    pub(crate) fn judge_evidence_key(&self, set: &LedgerEvidenceKeySet, at: Timestamp) -> Result<(), Rule> {
        self.judge_device_effect(set.action, ActionType::LedgerEvidenceKeySet, at)?;
        // Version 1 let an evidence key come back.
        let known =
            if self.rules >= 2 { self.knows_key_id(set.key) } else { self.keys.contains_key(&set.key) };
        if known {
            return Err(Rule::KeyBytes);
        }
        let public = PublicKey::from_der(set.spki.as_bytes()).map_err(|_| Rule::KeyBytes)?;
        if self.holds_key(public.sha256()) { Err(Rule::KeyBytes) } else { Ok(()) }
    }

    pub(crate) fn apply_succession(&mut self, action: ActionId, vkey: &Vkey, next: NextVkey, since: Seq) {
        self.key = LedgerKey { vkey: vkey.clone(), next, since };
        // Under version 1 there are no packs.
        if self.rules >= 2 {
            Arc::make_mut(&mut self.successions).insert(action, false);
        }
    }

    pub(crate) fn apply_evidence_key(&mut self, set: &LedgerEvidenceKeySet) {
        if let Some((key, spki)) = self.evidence_key.replace((set.key, set.spki.clone())) {
            Arc::make_mut(&mut self.former_evidence_keys).insert(key, Hash::sha256(spki.as_bytes()));
        }
    }

    pub(crate) fn judge_device_effect(
        &self,
        id: ActionId,
        kind: ActionType,
        at: Timestamp,
    ) -> Result<(), Rule> {
        let (action, progress) = self.executing(id, at)?;
        if action.document().kind() == kind && progress == Progress::NotBegun {
            Ok(())
        } else {
            Err(Rule::ActionEffect)
        }
    }

    pub(crate) fn judge_high_water(&self, accepted: &LedgerHighWaterAccepted, seq: Seq) -> Result<(), Rule> {
        if accepted.size == seq.get() { Ok(()) } else { Err(Rule::HighWaterSize) }
    }

    /// Moves an executing action on by the effect that was just applied.
    pub(crate) fn note_progress(&mut self, event: &Event) {
        let step = match &event.payload {
            Payload::SlotCreated(p) => Some((p.action, Progress::SlotCreated)),
            Payload::KeyGenerationAuthorized(p) => Some((p.action, Progress::Generating(p.key))),
            Payload::KeyAdopted(p) => Some((p.action, Progress::Generated(p.key))),
            Payload::KeyGenerated(p) => {
                self.generating_action(p.key).map(|id| (id, Progress::Generated(p.key)))
            }
            Payload::KeyGenerationFailed(p) => self.generating_action(p.key).map(|id| (id, Progress::Broken)),
            Payload::KeyGenerationAbandoned(p) => {
                self.generating_action(p.key).map(|id| (id, Progress::Broken))
            }
            other => action_of(other).map(|id| (id, Progress::Complete)),
        };
        let Some((id, reached)) = step else { return };
        // What a rotation does is no effect of its action, which ends with the start.
        if self.rotations.contains_key(&id) {
            return;
        }
        self.with_action(id, |action| {
            if let Stage::Executing { progress, .. } = &mut action.stage {
                *progress = reached;
            }
        });
    }

    pub(crate) fn generating_action(&self, key: crate::ids::KeyId) -> Option<ActionId> {
        self.actions.iter().find_map(|(id, action)| match action.stage {
            Stage::Executing { progress: Progress::Generating(of), .. } if of == key => Some(*id),
            Stage::Executing { .. } | Stage::Open => None,
        })
    }
}

/// The action that a completing effect belongs to.
fn action_of(payload: &Payload) -> Option<ActionId> {
    match payload {
        Payload::ApprovalRpSet(p) => Some(p.action),
        Payload::CertificateOrdered(p) => Some(p.action),
        Payload::CertificateRevoked(p) => Some(p.action),
        Payload::CredentialAdded(p) => Some(p.action),
        Payload::CredentialRemoved(p) => Some(p.action),
        Payload::HsmAccessReviewed(p) => Some(p.action),
        Payload::KeyActivated(p) => Some(p.action),
        Payload::KeyDestroyed(p) => Some(p.action),
        Payload::KeyRevoked(p) => Some(p.action),
        Payload::LedgerEvidenceKeySet(p) => Some(p.action),
        Payload::LedgerKeyRecovered(p) => Some(p.action),
        Payload::LedgerKeyRotated(p) => Some(p.action),
        Payload::LedgerRulesAdopted(p) => Some(p.action),
        Payload::MemberEnrolled(p) => p.action,
        Payload::MemberRecovered(p) => Some(p.action),
        Payload::MemberRemoved(p) => Some(p.action),
        Payload::MemberRestored(p) => Some(p.action),
        Payload::PolicySet(p) => Some(p.action),
        Payload::RotationStarted(p) => Some(p.action),
        Payload::RoleGranted(p) => Some(p.action),
        Payload::RoleRevoked(p) => Some(p.action),
        Payload::ServiceEnrolled(p) => Some(p.action),
        Payload::ServiceGranted(p) => Some(p.action),
        Payload::ServiceRemoved(p) => Some(p.action),
        Payload::ServiceRestored(p) => Some(p.action),
        Payload::SigningApproved(p) => Some(p.action),
        Payload::SlotPolicySet(p) => Some(p.action),
        Payload::SlotResumed(p) => Some(p.action),
        Payload::SlotRotationSet(p) => Some(p.action),
        _ => None,
    }
}
