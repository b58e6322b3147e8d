//! The gate: whether a slot may sign now, and if not, every reason (rules version 2).

use crate::ids::{KeyId, SlotName};
use crate::member::suspended;
use crate::payload::Signing;
use crate::rotation::DAY_S;
use crate::rule::Rule;
use crate::slot::{KeyState, Slot};
use crate::state::Founded;
use crate::timestamp::Timestamp;

/// The rules version from which keys and certificates have an age, and reviews are known.
pub const AGEING: u64 = 2;

/// How long a key that was too old when ages began may go on, in days.
pub(crate) const GRACE_DAYS: u32 = 30;

impl Founded {
    /// Every reason for which a slot would sign nothing now; empty where it signs.
    pub fn gate(&self, name: &SlotName, at: Timestamp) -> Result<Vec<Rule>, Rule> {
        let slot = self.slot(name)?;
        let mut reasons = Vec::new();
        if suspended(slot.suspension, at) {
            reasons.push(Rule::SlotSuspended);
        }
        let key = slot.active.and_then(|id| Some((id, self.keys.get(&id)?)));
        let Some((id, key)) = key else {
            reasons.push(Rule::SlotKeyless);
            return Ok(reasons);
        };
        match key.state {
            KeyState::Active { .. } => {}
            KeyState::Revoked { .. } => reasons.push(Rule::KeyRevoked),
            _ => reasons.push(Rule::SlotKeyless),
        }
        if slot.rotation.is_issuing() {
            reasons.push(Rule::SlotPurpose);
        }
        reasons.extend(self.judge_age(slot, id, at).err());
        if slot.requires_certificate() {
            reasons.extend(self.certificate_in_force(id, at).err());
        }
        reasons.dedup();
        Ok(reasons)
    }

    /// When a key has to be replaced: its own age counts, and its certificate's where its slot requires one, whichever is
    /// greater, and no interval is longer than the ledger policy lets it be. Where version 2 was adopted later, nothing is
    /// due before 30 days have passed.
    pub fn due_at(&self, id: KeyId) -> Option<Timestamp> {
        let key = self.keys.get(&id)?;
        let slot = self.slots.get(&key.slot)?;
        let since = match key.state {
            KeyState::Active { since, .. } | KeyState::Retiring { since, .. } => since,
            _ => return None,
        };
        let certified = self.certificate_of(id).filter(|_| slot.requires_certificate());
        let begins = certified.map_or(since, |issued| issued.not_before.min(since));
        let due = begins.plus_seconds(u32::from(self.rotation_interval(slot)) * DAY_S);
        let grace = self.ageing_since.map(|adopted| adopted.plus_seconds(GRACE_DAYS * DAY_S));
        Some(grace.map_or(due, |grace| due.max(grace)))
    }

    /// Days after which a slot's key has to be replaced: its own, or the ledger policy's where those are fewer and the slot
    /// is neither a CA nor for drills.
    pub fn rotation_interval(&self, slot: &Slot) -> u16 {
        let own = slot.rotation.rotation_days;
        if slot.rotation.is_issuing() || slot.drill {
            own
        } else {
            own.min(self.policy.cadence().rotation_days)
        }
    }

    /// Past its interval a key signs nothing.
    pub(crate) fn judge_age(&self, slot: &Slot, key: KeyId, at: Timestamp) -> Result<(), Rule> {
        // A CA's certificates outlive its interval; its own dates end it.
        let ages = self.rules >= AGEING && !slot.rotation.is_issuing();
        match self.due_at(key) {
            Some(due) if ages && at >= due => Err(Rule::KeyOverdue),
            _ => Ok(()),
        }
    }

    /// What a signature says of the certificate of its key: exactly where the slot requires one.
    pub fn signing_of(&self, slot: &Slot, key: KeyId) -> Option<Signing> {
        let issued = self.certificate_of(key).filter(|_| slot.requires_certificate())?;
        Some(Signing { certificate_issued: issued.not_before, fingerprint: issued.fingerprint })
    }
}
