//! Rotations: one key of a slot takes another's place, step by step, each step an event (rules version 2).
//!
//! A rotation goes by the id of the action that started it. Until it cuts over, the old key is in charge and the rotation may
//! fail without a trace in the slot; afterwards it can only be completed. At most one rotation of a slot stands before its
//! cutover, so two servers can't run one twice: the second key, certificate or cutover is refused.

mod overlap;
mod permitted;
mod policy;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use policy::{CertificatePolicy, IssuerPolicy, MAX_CA_VALIDITY_DAYS, MAX_VALIDITY_DAYS, RotationPolicy};

use crate::action::KeyRotateParams;
use crate::encoding::Hash;
use crate::event::{Actor, Event};
use crate::ids::{ActionId, ChannelName, Correlation, KeyId, Seq, SlotName};
use crate::member::suspended;
use crate::payload::{
    KeyGenerationAuthorized, Payload, RotationCanaryRecorded, RotationCutOver, RotationFailed,
    RotationStarted, SlotRotationOverdue,
};
use crate::recent::Signed;
use crate::rule::Rule;
use crate::signature::canary_message;
use crate::slot::{KeyState, device_label};
use crate::state::Founded;
use crate::timestamp::Timestamp;

/// The code of a signature that the device made and that does not verify: a canary that has one never cuts over.
pub const BAD_SIGNATURE: &str = "custody.bad_signature";

/// Longest time from a rotation's start to its cutover, in seconds: 30 days. What people approved does not take effect a
/// year later.
pub const MAX_PREPARATION_S: u32 = 30 * DAY_S;

/// Seconds of a day.
pub(crate) const DAY_S: u32 = 24 * 60 * 60;

/// A rotation, from its start on. Ended ones are kept: there are as many as there are keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rotation {
    /// The slot.
    pub slot: SlotName,
    /// The key that is replaced.
    pub old_key: KeyId,
    /// Whether waiting is skipped.
    pub emergency: bool,
    /// The event that started it.
    pub started: Seq,
    /// When it started.
    pub started_at: Timestamp,
    /// Under which correlation its events stand.
    pub correlation: Correlation,
    /// The policy that people saw when they approved it: it stands for the whole rotation.
    pub policy: RotationPolicy,
    /// How far it has come.
    pub step: RotationStep,
    /// The digests that the new key has yet to sign as a canary: at the start what the slot signed last.
    pub due: Vec<Signed>,
    /// How many digests it has signed.
    pub canary: u32,
    /// Whether a signature of the canary did not verify.
    pub canary_broken: bool,
    /// The channels that moved.
    pub moved: BTreeSet<ChannelName>,
    /// Whether a client confirmed that the new key works.
    pub confirmed: bool,
    /// Whether its evidence pack was issued.
    pub reported: bool,
}

/// How far a rotation has come; what holds only later exists only later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RotationStep {
    /// No key yet, or the device made none.
    Started,
    /// The device is making the new key.
    Generating(KeyId),
    /// The new key exists; its certificate and its canary come next.
    Generated(KeyId),
    /// The new key has signed what the slot signed last, and every signature verified.
    Proved(KeyId),
    /// The slot signs with the new key.
    CutOver {
        /// The new key.
        key: KeyId,
        /// When it took over.
        at: Timestamp,
        /// Until when the old key stays beside it.
        overlap_ends_at: Timestamp,
    },
    /// The old key is retired.
    Completed {
        /// The new key.
        key: KeyId,
        /// When the old one was retired.
        at: Timestamp,
    },
    /// It ended before its cutover; the old key is in charge.
    Failed,
}

impl Rotation {
    /// The key that takes over, once it was asked for.
    pub fn new_key(&self) -> Option<KeyId> {
        match self.step {
            RotationStep::Started | RotationStep::Failed => None,
            RotationStep::Generating(key)
            | RotationStep::Generated(key)
            | RotationStep::Proved(key)
            | RotationStep::CutOver { key, .. }
            | RotationStep::Completed { key, .. } => Some(key),
        }
    }

    /// Whether the old key is still in charge and the new one on its way.
    pub fn is_preparing(&self) -> bool {
        match self.step {
            RotationStep::Started
            | RotationStep::Generating(_)
            | RotationStep::Generated(_)
            | RotationStep::Proved(_) => true,
            RotationStep::CutOver { .. } | RotationStep::Completed { .. } | RotationStep::Failed => false,
        }
    }

    /// When its overlap ends if it cuts over now: break-glass waits for nothing.
    pub(crate) fn overlap_end(&self, at: Timestamp) -> Timestamp {
        let days = if self.emergency { 0 } else { u32::from(self.policy.overlap_days) };
        at.plus_seconds(days * DAY_S)
    }

    /// Whether nothing is left to do but its evidence.
    pub fn has_ended(&self) -> bool {
        matches!(self.step, RotationStep::Completed { .. } | RotationStep::Failed)
    }
}

impl Founded {
    /// Every rotation, by the action that started it.
    pub fn rotations(&self) -> &BTreeMap<ActionId, Arc<Rotation>> {
        &self.rotations
    }

    /// The rotation of an id.
    pub fn rotation(&self, id: ActionId) -> Result<&Rotation, Rule> {
        self.rotations.get(&id).map(Arc::as_ref).ok_or(Rule::RotationUnknown)
    }

    /// The rotation of a slot that stands before its cutover.
    pub fn preparing(&self, slot: &SlotName) -> Option<(ActionId, &Rotation)> {
        let mut open = self.rotations.iter().filter(|(_, r)| r.slot == *slot && r.is_preparing());
        open.next().map(|(id, rotation)| (*id, rotation.as_ref()))
    }

    /// The rotation that a key was, or is being, made for.
    pub(crate) fn rotation_of(&self, key: KeyId) -> Option<&Rotation> {
        self.rotations.get(&self.keys.get(&key)?.rotation?).map(Arc::as_ref)
    }

    /// Whether a key is on its way to a contained slot by break-glass: nobody can have used it before.
    pub(crate) fn breaks_glass(&self, key: KeyId) -> bool {
        self.rotation_of(key).is_some_and(|rotation| rotation.emergency && rotation.is_preparing())
    }

    /// A planned rotation rests while its slot is contained.
    fn judge_contained(&self, rotation: &Rotation, at: Timestamp) -> Result<(), Rule> {
        let suspension = self.slot(&rotation.slot)?.suspension;
        if !rotation.emergency && suspended(suspension, at) { Err(Rule::SlotSuspended) } else { Ok(()) }
    }

    /// Whether a rotation of a key may be asked for.
    pub(crate) fn permits_rotation(
        &self,
        params: &KeyRotateParams,
        emergency: bool,
        at: Timestamp,
    ) -> Result<(), Rule> {
        let slot = self.slot(&params.slot)?;
        if slot.active != Some(params.old_key) || slot.rotation.digest().ok() != Some(params.policy) {
            return Err(Rule::RotationKey);
        }
        // A contained slot goes on after its resumption; break-glass is how a contained slot gets a key that is trusted.
        if !emergency && suspended(slot.suspension, at) {
            return Err(Rule::SlotSuspended);
        }
        // Break-glass does not wait for a rotation that is on its way: it ends it first.
        let open = |rotation: &Arc<Rotation>| rotation.slot == params.slot && !rotation.has_ended();
        if !emergency && self.rotations.values().any(open) { Err(Rule::RotationBusy) } else { Ok(()) }
    }

    pub(crate) fn judge_started(&self, started: &RotationStarted, event: &Event) -> Result<(), Rule> {
        if self.preparing(&started.slot).is_some() {
            return Err(Rule::RotationBusy);
        }
        self.judge_effect(event)
    }

    /// The server proposes what is due, and nothing else.
    pub(crate) fn judge_due(&self, name: &SlotName, at: Timestamp) -> Result<(), Rule> {
        let slot = self.slot(name)?;
        let due = slot.active.and_then(|key| self.due_at(key)).ok_or(Rule::SlotKeyless)?;
        let ahead = u32::from(slot.rotation.propose_days) * DAY_S;
        if at.plus_seconds(ahead) >= due { Ok(()) } else { Err(Rule::RotationEarly) }
    }

    /// A key for a rotation: of the slot's algorithm, once the one before, if any, was not made.
    pub(crate) fn judge_rotation_generation(
        &self,
        authorized: &KeyGenerationAuthorized,
        at: Timestamp,
    ) -> Result<(), Rule> {
        let rotation = self.rotation(authorized.action)?;
        let slot = self.slot(&rotation.slot)?;
        let copies = authorized.slot == rotation.slot
            && authorized.algorithm == slot.algorithm
            && authorized.label == device_label(&self.origin, authorized.key);
        // The action ends with the start: nothing of the rotation may pass for an effect of it.
        let closed = !self.actions.contains_key(&authorized.action);
        let free = !self.knows_key_id(authorized.key);
        if rotation.step != RotationStep::Started || !copies || !closed || !free {
            return Err(Rule::RotationStep);
        }
        self.judge_contained(rotation, at)?;
        let longest = at.plus_seconds(crate::approval::MAX_EXECUTION_S);
        if authorized.expires_at > at && authorized.expires_at <= longest {
            Ok(())
        } else {
            Err(Rule::ExecutionLife)
        }
    }

    pub(crate) fn judge_canary(&self, recorded: &RotationCanaryRecorded, at: Timestamp) -> Result<(), Rule> {
        let rotation = self.rotation(recorded.action)?;
        if rotation.step != RotationStep::Generated(recorded.key) {
            return Err(Rule::RotationStep);
        }
        let proved = rotation.due.is_empty() && recorded.signed == rotation.canary;
        if rotation.canary_broken || !proved {
            return Err(Rule::RotationCanary);
        }
        self.judge_certified(rotation, recorded.key, at)
    }

    /// The new key has the certificate that the rotation's policy asks for, in force and young enough to begin with.
    fn judge_certified(&self, rotation: &Rotation, key: KeyId, at: Timestamp) -> Result<(), Rule> {
        if rotation.policy.certificate.is_none() {
            return Ok(());
        }
        let issued = self.certificate_in_force(key, at)?;
        let ends = issued.not_before.plus_seconds(u32::from(rotation.policy.rotation_days) * DAY_S);
        if at < ends { Ok(()) } else { Err(Rule::CertificateExpired) }
    }

    pub(crate) fn judge_cut_over(&self, cut: &RotationCutOver, at: Timestamp) -> Result<(), Rule> {
        let rotation = self.rotation(cut.action)?;
        let slot = self.slot(&rotation.slot)?;
        let old = slot.active == Some(cut.old_key) && rotation.old_key == cut.old_key;
        let late = at >= rotation.started_at.plus_seconds(MAX_PREPARATION_S);
        if rotation.step != RotationStep::Proved(cut.new_key) || !old || late {
            return Err(Rule::RotationStep);
        }
        self.judge_contained(rotation, at)?;
        let key = self.keys.get(&cut.new_key).ok_or(Rule::KeyUnknown)?;
        if !matches!(key.state, KeyState::PreActivation(_)) {
            return Err(Rule::KeyRevoked);
        }
        self.judge_certified(rotation, cut.new_key, at)?;
        if cut.fingerprint != self.cut_over_fingerprint(rotation, cut.new_key) {
            return Err(Rule::CertificateContent);
        }
        if cut.overlap_ends_at == rotation.overlap_end(at) { Ok(()) } else { Err(Rule::RotationOverlap) }
    }

    /// The certificate that a cutover names.
    pub(crate) fn cut_over_fingerprint(&self, rotation: &Rotation, key: KeyId) -> Option<Hash> {
        rotation.policy.certificate.as_ref()?;
        self.certificate_of(key).map(|issued| issued.fingerprint)
    }

    /// The server gives a rotation up, or one person who may contain the slot stops it. Nothing of it is in the device's
    /// hands then.
    pub(crate) fn judge_rotation_failed(
        &self,
        failed: &RotationFailed,
        actor: Actor,
        at: Timestamp,
    ) -> Result<(), Rule> {
        let rotation = self.rotation(failed.action)?;
        if let Actor::Member(_) = actor {
            self.judge_containment(actor, Some(&rotation.slot), at)?;
        }
        let generating = matches!(rotation.step, RotationStep::Generating(_));
        let signing =
            rotation.new_key().is_some_and(|key| self.pending.values().any(|pending| pending.key == key));
        if rotation.is_preparing() && !generating && !signing { Ok(()) } else { Err(Rule::RotationStep) }
    }

    pub(crate) fn judge_overdue(&self, overdue: &SlotRotationOverdue, at: Timestamp) -> Result<(), Rule> {
        let slot = self.slot(&overdue.slot)?;
        let noted = slot.overdue == Some((overdue.key, overdue.due_at));
        let same = slot.active == Some(overdue.key) && !noted;
        let due = self.due_at(overdue.key) == Some(overdue.due_at) && at >= overdue.due_at;
        if same && due { Ok(()) } else { Err(Rule::RotationEarly) }
    }

    pub(crate) fn apply_rotation(&mut self, event: &Event) {
        match &event.payload {
            Payload::RotationStarted(p) => self.apply_started(p, event),
            Payload::RotationCanaryRecorded(p) => {
                self.with_rotation(p.action, |rotation| rotation.step = RotationStep::Proved(p.key));
            }
            Payload::RotationCutOver(p) => self.apply_cut_over(p, event.time),
            Payload::RotationConfirmed(p) => {
                self.with_rotation(p.action, |rotation| rotation.confirmed = true)
            }
            Payload::RotationChannelMoved(p) => {
                self.with_rotation(p.action, |rotation| {
                    rotation.moved.insert(p.channel.clone());
                });
            }
            Payload::RotationCompleted(p) => {
                let (key, at) = (p.new_key, event.time);
                self.with_rotation(p.action, |rotation| rotation.step = RotationStep::Completed { key, at });
                self.with_key(p.old_key, |key| key.retire(at));
            }
            Payload::RotationFailed(p) => {
                let made = self.rotations.get(&p.action).and_then(|rotation| rotation.new_key());
                self.with_rotation(p.action, |rotation| {
                    rotation.step = RotationStep::Failed;
                    rotation.due = Vec::new();
                });
                // A key that never took over is kept as well, and never will.
                if let Some(made) = made {
                    self.with_key(made, |key| key.retire(event.time));
                }
            }
            Payload::SlotRotationOverdue(p) => {
                self.with_slot(&p.slot, |slot| slot.overdue = Some((p.key, p.due_at)));
            }
            Payload::KeyGenerationAuthorized(p) => {
                self.with_rotation(p.action, |rotation| rotation.step = RotationStep::Generating(p.key));
            }
            Payload::KeyGenerated(p) => self.step_on(p.key, RotationStep::Generated(p.key)),
            Payload::KeyGenerationFailed(p) => self.step_on(p.key, RotationStep::Started),
            Payload::KeyGenerationAbandoned(p) => self.step_on(p.key, RotationStep::Started),
            _ => {}
        }
    }

    fn apply_started(&mut self, started: &RotationStarted, event: &Event) {
        let Ok(slot) = self.slot(&started.slot) else { return };
        let rotation = Rotation {
            policy: slot.rotation.clone(),
            slot: started.slot.clone(),
            old_key: started.old_key,
            emergency: started.emergency,
            started: event.seq,
            started_at: event.time,
            correlation: event.correlation,
            step: RotationStep::Started,
            due: self.canary_of(started),
            canary: 0,
            canary_broken: false,
            moved: BTreeSet::new(),
            confirmed: false,
            reported: false,
        };
        Arc::make_mut(&mut self.rotations).insert(started.action, Arc::new(rotation));
    }

    /// What a rotation's canary signs: the slot's last distinct digests, or a message of the rotation's own. Its own where
    /// there are none; for a CA, which would issue a certificate again by signing its digest; and where the old key may have
    /// signed for others, whose artifacts the new one is not to vouch for.
    fn canary_of(&self, started: &RotationStarted) -> Vec<Signed> {
        let Ok(slot) = self.slot(&started.slot) else { return Vec::new() };
        let doubtful = slot.rotation.is_issuing() || started.emergency || self.is_revoked(started.old_key);
        let recent = if doubtful { Vec::new() } else { self.recent_digests(&started.slot) };
        if !recent.is_empty() {
            return recent;
        }
        vec![Signed { digest: slot.algorithm.digest_of(&canary_message(started.action)), original: None }]
    }

    fn apply_cut_over(&mut self, cut: &RotationCutOver, at: Timestamp) {
        let (key, overlap_ends_at) = (cut.new_key, cut.overlap_ends_at);
        self.with_rotation(cut.action, |rotation| {
            rotation.step = RotationStep::CutOver { key, at, overlap_ends_at };
        });
        let slot = self.rotations.get(&cut.action).map(|rotation| rotation.slot.clone());
        self.with_key(cut.new_key, |key| key.activate(at));
        self.with_key(cut.old_key, |key| key.step_back(overlap_ends_at));
        if let Some(slot) = slot {
            self.with_slot(&slot, |slot| slot.active = Some(key));
        }
    }

    /// Moves the rotation on that a device was making this very key for.
    fn step_on(&mut self, key: KeyId, step: RotationStep) {
        let id = self.keys.get(&key).and_then(|key| key.rotation);
        let generating = |rotation: &Rotation| rotation.step == RotationStep::Generating(key);
        if let Some(id) = id.filter(|id| self.rotation(*id).is_ok_and(generating)) {
            self.with_rotation(id, |rotation| rotation.step = step);
        }
    }

    pub(crate) fn with_rotation(&mut self, id: ActionId, change: impl FnOnce(&mut Rotation)) {
        if let Some(rotation) = Arc::make_mut(&mut self.rotations).get_mut(&id) {
            change(Arc::make_mut(rotation));
        }
    }
}
