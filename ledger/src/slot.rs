//! Slots and their keys: made in a device under dual control, activated, suspended by one person, revoked for good.

mod key;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::action::{ActionType, KeyRevokeParams, Params, RevocationReason, SlotCreateParams};
use crate::algorithm::Algorithm;
use crate::encoding::Hash;
use crate::event::{Actor, Event};
use crate::ids::{BackendName, KeyId, MemberId, Origin, Seq, SlotName};
use crate::member::{Suspension, suspended};
use crate::payload::{
    KeyActivated, KeyGenerated, KeyGenerationAuthorized, KeyGenerationFailed, Payload, SlotCreated,
    SlotSuspended,
};
use crate::policy::SigningPolicy;
use crate::public_key::PublicKey;
use crate::revocation::{REVOKING, Revocation};
use crate::rotation::RotationPolicy;
use crate::rule::Rule;
use crate::state::{Founded, OpenAction, Progress, Stage};
use crate::timestamp::Timestamp;

pub use key::{Key, KeyMaterial, KeyState};

/// Fewest days that an old key stays usable beside a new one.
pub const MIN_OVERLAP_DAYS: u16 = 7;

/// Most days between two keys of a slot: ten years.
pub const MAX_ROTATION_DAYS: u16 = 3650;

/// A tenant's named signing purpose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slot {
    /// What it signs with.
    pub algorithm: Algorithm,
    /// The device that makes and keeps its keys.
    pub backend: BackendName,
    /// Whether it is for drills alone.
    pub drill: bool,
    /// The member who answers for it.
    pub owner: MemberId,
    /// What may be signed, by whom.
    pub signing_policy: SigningPolicy,
    /// The policy's digest, as signature events repeat it.
    pub policy_digest: Hash,
    /// How often its key is replaced, and with which certificate.
    pub rotation: RotationPolicy,
    /// The key that it signs with, once there is one.
    pub active: Option<KeyId>,
    /// The key that was recorded as overdue, and when it was due.
    pub overdue: Option<(KeyId, Timestamp)>,
    /// Whether it is contained.
    pub suspension: Option<Suspension>,
    /// The event that created it.
    pub created: Seq,
}

impl Slot {
    /// Whether it signs only with a key whose certificate is active.
    pub fn requires_certificate(&self) -> bool {
        self.rotation.certificate.as_ref().is_some_and(|certificate| certificate.required)
    }
}

/// The rotation policy of a slot: the one that it was given, or what its days alone say.
pub(crate) fn rotation_of(
    policy: &Option<RotationPolicy>,
    rotation_days: u16,
    overlap_days: u16,
) -> RotationPolicy {
    // Version 1 had no upper bound for an overlap.
    let overlap_days = overlap_days.min(MAX_ROTATION_DAYS);
    policy.clone().unwrap_or_else(|| RotationPolicy::of_days(rotation_days, overlap_days))
}

/// How a device knows a key: `sealbook/<origin>/<key id>`.
pub fn device_label(origin: &Origin, key: KeyId) -> String {
    format!("sealbook/{origin}/{key}")
}

impl Founded {
    /// Every slot by name.
    pub fn slots(&self) -> &BTreeMap<SlotName, Slot> {
        &self.slots
    }

    /// Every key that was ever asked for.
    pub fn keys(&self) -> &BTreeMap<KeyId, Key> {
        &self.keys
    }

    /// The slot of a name.
    pub fn slot(&self, name: &SlotName) -> Result<&Slot, Rule> {
        self.slots.get(name).ok_or(Rule::SlotUnknown)
    }

    /// A slot whose first key never came may be created anew.
    pub(crate) fn permits_slot(&self, params: &SlotCreateParams, at: Timestamp) -> Result<(), Rule> {
        let had_key = self
            .keys
            .values()
            .any(|key| key.slot == params.slot && !matches!(key.state, KeyState::NotGenerated));
        let about = |action: &OpenAction| match &action.document().params {
            Params::SlotCreate(other) => other.slot == params.slot,
            Params::KeyAdopt(other) => other.slot.slot == params.slot,
            _ => false,
        };
        let busy = self.actions.values().any(|action| {
            about(action)
                && matches!(
                    action.stage(),
                    Stage::Executing { progress: Progress::SlotCreated | Progress::Generating(_), .. }
                )
        });
        if had_key || busy {
            return Err(Rule::SlotDuplicate);
        }
        let days = (1..=MAX_ROTATION_DAYS).contains(&params.rotation_days)
            && params.overlap_days >= MIN_OVERLAP_DAYS;
        // Others may name it as their issuer already.
        let other = self.slots.get(&params.slot).is_some_and(|slot| slot.drill != params.drill);
        if !days || other || !params.signing_policy.is_well_formed() {
            return Err(Rule::SlotForm);
        }
        self.permits_new_rotation(params)?;
        self.judge_approvable(&params.signing_policy, at)?;
        self.active_member(params.owner, at).map(drop)
    }

    pub(crate) fn permits_revocation(&self, params: &KeyRevokeParams, at: Timestamp) -> Result<(), Rule> {
        let key = self.keys.get(&params.key).ok_or(Rule::KeyUnknown)?;
        let compromise = params.reason == RevocationReason::KeyCompromise;
        if params.compromised_since.is_some_and(|since| since > at || !compromise) {
            return Err(Rule::RevocationForm);
        }
        match &key.state {
            KeyState::PreActivation(_)
            | KeyState::Active { .. }
            | KeyState::Retiring { .. }
            | KeyState::Deactivated { .. } => Ok(()),
            // That somebody else may hold it can be found out later.
            KeyState::Revoked { .. } | KeyState::Destroyed { .. }
                if self.rules >= REVOKING && compromise && !key.is_compromised() =>
            {
                Ok(())
            }
            KeyState::Revoked { .. } => Err(Rule::KeyRevoked),
            KeyState::Destroyed { .. } => Err(Rule::KeyDestroyed),
            KeyState::Generating { .. } | KeyState::NotGenerated => Err(Rule::KeyUnknown),
        }
    }

    pub(crate) fn judge_slot_created(&self, created: &SlotCreated, at: Timestamp) -> Result<(), Rule> {
        let (action, progress) = self.executing(created.action, at)?;
        let params = match &action.document().params {
            Params::SlotCreate(params) => params,
            Params::KeyAdopt(params) => &params.slot,
            _ => return Err(Rule::ActionEffect),
        };
        let copies = created.slot == params.slot
            && created.algorithm == params.algorithm
            && created.backend == params.backend
            && created.drill == params.drill
            && created.owner == params.owner
            && created.signing_policy == params.signing_policy
            && created.rotation_days == params.rotation_days
            && created.overlap_days == params.overlap_days
            && created.rotation == params.rotation;
        if progress != Progress::NotBegun || !copies {
            return Err(Rule::ActionEffect);
        }
        self.permits_slot(params, at)
    }

    pub(crate) fn judge_generation(
        &self,
        authorized: &KeyGenerationAuthorized,
        at: Timestamp,
    ) -> Result<(), Rule> {
        if self.rotations.contains_key(&authorized.action) {
            return self.judge_rotation_generation(authorized, at);
        }
        let (action, progress) = self.executing(authorized.action, at)?;
        let Params::SlotCreate(params) = &action.document().params else { return Err(Rule::ActionEffect) };
        let copies = authorized.slot == params.slot
            && authorized.algorithm == params.algorithm
            && authorized.label == device_label(&self.origin, authorized.key);
        if progress != Progress::SlotCreated || !copies || self.keys.contains_key(&authorized.key) {
            return Err(Rule::ActionEffect);
        }
        let Stage::Executing { expires_at: ends, .. } = action.stage() else {
            return Err(Rule::ActionEffect);
        };
        if authorized.expires_at > at && authorized.expires_at <= ends {
            Ok(())
        } else {
            Err(Rule::ExecutionLife)
        }
    }

    /// The key that a device is making.
    fn generating(&self, id: KeyId) -> Result<(&Key, Timestamp), Rule> {
        let key = self.keys.get(&id).ok_or(Rule::GenerationUnknown)?;
        match key.state {
            KeyState::Generating { expires_at } => Ok((key, expires_at)),
            KeyState::NotGenerated
            | KeyState::PreActivation(_)
            | KeyState::Active { .. }
            | KeyState::Retiring { .. }
            | KeyState::Deactivated { .. }
            | KeyState::Revoked { .. }
            | KeyState::Destroyed { .. } => Err(Rule::GenerationUnknown),
        }
    }

    pub(crate) fn judge_generated(&self, generated: &KeyGenerated, at: Timestamp) -> Result<(), Rule> {
        let (key, expires_at) = self.generating(generated.key)?;
        if at >= expires_at {
            return Err(Rule::GenerationExpired);
        }
        if !generated.attributes.is_confined() {
            return Err(Rule::KeyAttributes);
        }
        let public = PublicKey::from_der(generated.spki.as_bytes()).map_err(|_| Rule::KeyBytes)?;
        let fits = public.key_type() == key.algorithm.key_type() && public.sha256() == generated.spki_sha256;
        if fits && !self.holds_key(generated.spki_sha256) { Ok(()) } else { Err(Rule::KeyBytes) }
    }

    /// Whether a public key is one of a slot's, or the evidence key; from version 2 on also whether it was.
    pub(crate) fn holds_key(&self, spki_sha256: Hash) -> bool {
        let evidence = self.evidence_key.iter().map(|(_, spki)| Hash::sha256(spki.as_bytes()));
        let slots = self.keys.values().filter_map(Key::material).map(|material| material.spki_sha256);
        let former = self.former_evidence_keys.values().copied().filter(|_| self.rules >= 2);
        slots.chain(evidence).chain(former).any(|other| other == spki_sha256)
    }

    /// Whether an id is a key's already, those of evidence keys included.
    pub(crate) fn knows_key_id(&self, id: KeyId) -> bool {
        let evidence = self.evidence_key.as_ref().is_some_and(|(evidence, _)| *evidence == id);
        self.keys.contains_key(&id) || evidence || self.former_evidence_keys.contains_key(&id)
    }

    /// Whether a key was revoked.
    pub(crate) fn is_revoked(&self, id: KeyId) -> bool {
        self.keys.get(&id).is_some_and(|key| key.revocation().is_some())
    }

    pub(crate) fn judge_generation_failed(&self, failed: &KeyGenerationFailed) -> Result<(), Rule> {
        self.generating(failed.key)?;
        // Attributes are recorded where they are the reason.
        if failed.attributes.is_some_and(|attributes| attributes.is_confined()) {
            return Err(Rule::KeyAttributes);
        }
        Ok(())
    }

    pub(crate) fn judge_generation_abandoned(&self, key: KeyId, at: Timestamp) -> Result<(), Rule> {
        let (_, expires_at) = self.generating(key)?;
        if at >= expires_at { Ok(()) } else { Err(Rule::GenerationNotExpired) }
    }

    /// A generated key is activated even when its action's time has run out meanwhile: the approval covered it.
    pub(crate) fn judge_activated(&self, activated: &KeyActivated) -> Result<(), Rule> {
        let action = self.action(activated.action)?;
        if !matches!(action.document().params, Params::SlotCreate(_) | Params::KeyAdopt(_)) {
            return Err(Rule::ActionEffect);
        }
        let made = matches!(
            action.stage(),
            Stage::Executing { progress: Progress::Generated(key), .. } if key == activated.key
        );
        let key = self.keys.get(&activated.key).ok_or(Rule::KeyUnknown)?;
        if self.is_revoked(activated.key) {
            return Err(Rule::KeyRevoked);
        }
        if made && key.slot == activated.slot { Ok(()) } else { Err(Rule::ActionEffect) }
    }

    pub(crate) fn judge_slot_suspended(
        &self,
        event: &SlotSuspended,
        actor: Actor,
        at: Timestamp,
    ) -> Result<(), Rule> {
        // The right to suspend comes first: which slots there are is not for everybody.
        self.judge_containment(actor, Some(&event.slot), at)?;
        let slot = self.slot(&event.slot)?;
        if suspended(slot.suspension, at) {
            return Err(Rule::SuspensionDuplicate);
        }
        let expected = self.lapse_of(ActionType::SlotResume, at);
        if event.lapses_at == expected { Ok(()) } else { Err(Rule::SuspensionLapse) }
    }

    pub(crate) fn apply_slot(&mut self, event: &Event) {
        match &event.payload {
            Payload::SlotCreated(p) => {
                let slot = Slot {
                    algorithm: p.algorithm,
                    backend: p.backend.clone(),
                    drill: p.drill,
                    owner: p.owner,
                    // A typed policy always has a canonical form.
                    policy_digest: p.signing_policy.digest().unwrap_or(Hash::ZERO),
                    signing_policy: p.signing_policy.clone(),
                    rotation: rotation_of(&p.rotation, p.rotation_days, p.overlap_days),
                    active: None,
                    overdue: None,
                    // A slot that is created anew stays suspended: lifting that is another action.
                    suspension: self.slots.get(&p.slot).and_then(|before| before.suspension),
                    created: event.seq,
                };
                Arc::make_mut(&mut self.slots).insert(p.slot.clone(), slot);
            }
            Payload::SlotPolicySet(p) => self.with_slot(&p.slot, |slot| {
                slot.policy_digest = p.signing_policy.digest().unwrap_or(Hash::ZERO);
                slot.signing_policy = p.signing_policy.clone();
            }),
            Payload::SlotRotationSet(p) => {
                self.with_slot(&p.slot, |slot| slot.rotation = p.rotation.clone());
            }
            Payload::SlotResumed(p) => self.with_slot(&p.slot, |slot| slot.suspension = None),
            Payload::SlotSuspended(p) => {
                let suspension = Some(Suspension { lapses_at: p.lapses_at });
                self.with_slot(&p.slot, |slot| slot.suspension = suspension);
            }
            Payload::KeyGenerationAuthorized(p) => {
                let key = Key {
                    slot: p.slot.clone(),
                    algorithm: p.algorithm,
                    label: p.label.clone(),
                    created: event.seq,
                    certificate: None,
                    rotation: self.rotations.contains_key(&p.action).then_some(p.action),
                    state: KeyState::Generating { expires_at: p.expires_at },
                };
                Arc::make_mut(&mut self.keys).insert(p.key, key);
            }
            Payload::KeyAdopted(p) => self.apply_adopted(p, event.seq),
            Payload::KeyGenerated(p) => {
                let material = KeyMaterial {
                    spki: p.spki.clone(),
                    spki_sha256: p.spki_sha256,
                    attributes: p.attributes,
                };
                self.with_key(p.key, |key| key.state = KeyState::PreActivation(material));
            }
            Payload::KeyGenerationFailed(p) => self.with_key(p.key, |key| key.state = KeyState::NotGenerated),
            Payload::KeyGenerationAbandoned(p) => {
                self.with_key(p.key, |key| key.state = KeyState::NotGenerated)
            }
            Payload::KeyActivated(p) => {
                self.with_key(p.key, |key| key.activate(event.time));
                self.with_slot(&p.slot, |slot| slot.active = Some(p.key));
            }
            Payload::KeyRevoked(p) => {
                let revocation = Revocation {
                    reason: p.reason,
                    since: p.compromised_since,
                    at: event.time,
                    seq: event.seq,
                    action: p.action,
                };
                self.with_key(p.key, |key| key.revoke(revocation));
            }
            _ => {}
        }
    }

    pub(crate) fn with_slot(&mut self, name: &SlotName, change: impl FnOnce(&mut Slot)) {
        if let Some(slot) = Arc::make_mut(&mut self.slots).get_mut(name) {
            change(slot);
        }
    }

    pub(crate) fn with_key(&mut self, id: KeyId, change: impl FnOnce(&mut Key)) {
        if let Some(key) = Arc::make_mut(&mut self.keys).get_mut(&id) {
            change(key);
        }
    }
}
