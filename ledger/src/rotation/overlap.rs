//! After the cutover: clients confirm the new key, channels move to it, and the old one retires.

use crate::action::RevocationReason;
use crate::event::Actor;
use crate::ids::{ActionId, MemberId, ServiceId};
use crate::payload::{CertificateRevoked, RotationChannelMoved, RotationCompleted, RotationConfirmed};
use crate::policy::Role;
use crate::rotation::{Rotation, RotationStep};
use crate::rule::Rule;
use crate::slot::Slot;
use crate::state::Founded;
use crate::timestamp::Timestamp;

impl Founded {
    pub(crate) fn judge_confirmed(
        &self,
        confirmed: &RotationConfirmed,
        actor: Actor,
        at: Timestamp,
    ) -> Result<(), Rule> {
        let rotation = self.in_overlap(confirmed.action)?;
        self.judge_caller(&rotation.slot, actor, at)?;
        if rotation.new_key() != Some(confirmed.key) || rotation.confirmed {
            return Err(Rule::RotationStep);
        }
        Ok(())
    }

    pub(crate) fn judge_channel_moved(
        &self,
        moved: &RotationChannelMoved,
        actor: Actor,
        at: Timestamp,
    ) -> Result<(), Rule> {
        let rotation = self.in_overlap(moved.action)?;
        let slot = self.slot(&rotation.slot)?;
        match actor {
            Actor::Member(id) => self.judge_keeper(id, slot, at)?,
            Actor::Service(_) => self.judge_caller(&rotation.slot, actor, at)?,
            Actor::System => return Err(Rule::Actor),
        }
        if !rotation.policy.channels.contains(&moved.channel) {
            return Err(Rule::ChannelUnknown);
        }
        if rotation.moved.contains(&moved.channel) { Err(Rule::RotationStep) } else { Ok(()) }
    }

    /// Whoever looks after a slot: its key owner, packaging engineers, platform admins, security reviewers.
    pub fn judge_keeper(&self, id: MemberId, slot: &Slot, at: Timestamp) -> Result<(), Rule> {
        let roles = self.active_member(id, at)?.roles_at(at);
        let keeps = |role: &Role| match role {
            Role::KeyOwner => slot.owner == id,
            Role::PackagingEngineer | Role::PlatformAdmin | Role::SecurityReviewer => true,
            Role::Approver | Role::Auditor | Role::ChangeBoard | Role::IncidentCommander | Role::Recovery => {
                false
            }
        };
        if roles.iter().any(keeps) { Ok(()) } else { Err(Rule::RoleMissing) }
    }

    fn in_overlap(&self, id: ActionId) -> Result<&Rotation, Rule> {
        let rotation = self.rotation(id)?;
        match rotation.step {
            RotationStep::CutOver { .. } => Ok(rotation),
            _ => Err(Rule::RotationStep),
        }
    }

    /// What still stands between a rotation that has cut over and its completion; empty where nothing does.
    pub fn completion_bars(&self, rotation: &Rotation, at: Timestamp) -> Vec<Rule> {
        let RotationStep::CutOver { overlap_ends_at, .. } = rotation.step else {
            return vec![Rule::RotationStep];
        };
        let in_charge = self.slots.get(&rotation.slot).and_then(|slot| slot.active);
        let overtaken = in_charge != rotation.new_key();
        // Break-glass skips waiting, its overlap has no length: an old key that may be in the wrong hands serves nobody. Nor
        // does anybody wait for a new key that has been replaced meanwhile.
        if rotation.emergency || overtaken {
            return Vec::new();
        }
        let mut bars = Vec::new();
        if at < overlap_ends_at {
            bars.push(Rule::RotationOverlap);
        }
        let uses = |id: &ServiceId| {
            self.active_service(*id, at).is_ok_and(|service| service.slots.contains(&rotation.slot))
        };
        if !rotation.confirmed && self.services.keys().any(uses) {
            bars.push(Rule::RotationUnconfirmed);
        }
        if !rotation.policy.channels.is_subset(&rotation.moved) {
            bars.push(Rule::RotationChannels);
        }
        bars
    }

    pub(crate) fn judge_completed(&self, completed: &RotationCompleted, at: Timestamp) -> Result<(), Rule> {
        let rotation = self.in_overlap(completed.action)?;
        if rotation.new_key() != Some(completed.new_key) || rotation.old_key != completed.old_key {
            return Err(Rule::RotationStep);
        }
        let open = self.pending.values().any(|pending| pending.key == completed.old_key);
        match self.completion_bars(rotation, at).first() {
            Some(bar) => Err(*bar),
            None if open => Err(Rule::RotationStep),
            None => Ok(()),
        }
    }

    pub(crate) fn judge_superseded(&self, revoked: &CertificateRevoked) -> Result<(), Rule> {
        let rotation = self.rotation(revoked.action)?;
        let issuance = self.issuance(revoked.certificate)?;
        let over = matches!(rotation.step, RotationStep::Completed { .. });
        let due = rotation.policy.revoke_superseded
            && revoked.reason == RevocationReason::Superseded
            && revoked.invalid_since.is_none();
        if over && due && issuance.key == rotation.old_key && issuance.active().is_some() {
            Ok(())
        } else {
            Err(Rule::RotationStep)
        }
    }
}
