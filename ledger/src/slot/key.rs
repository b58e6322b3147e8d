//! Keys: where each stands in its life (SP 800-57 part 1 §7).

use serde::{Deserialize, Serialize};

use crate::action::RevocationReason;
use crate::algorithm::Algorithm;
use crate::attributes::KeyAttributes;
use crate::encoding::{B64, Hash};
use crate::ids::{ActionId, CertificateId, Seq, SlotName};
use crate::revocation::Revocation;
use crate::timestamp::Timestamp;

/// One version of a key in a slot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    /// Its slot.
    pub slot: SlotName,
    /// What it signs with.
    pub algorithm: Algorithm,
    /// How the device knows it.
    pub label: String,
    /// The event that asked for it.
    pub created: Seq,
    /// Its newest certificate, once it was issued or imported.
    pub certificate: Option<CertificateId>,
    /// The rotation that it was made for.
    pub rotation: Option<ActionId>,
    /// Where it stands in its life.
    pub state: KeyState,
}

/// A public key and what the device says about its private half.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyMaterial {
    /// SubjectPublicKeyInfo, DER.
    pub spki: B64,
    /// SHA-256 of it.
    pub spki_sha256: Hash,
    /// As the device reported them.
    pub attributes: KeyAttributes,
}

/// Where a key stands in its life (SP 800-57 part 1 §7); what holds only later exists only later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum KeyState {
    /// The device was told to make it.
    Generating {
        /// First moment that it no longer may be recorded as made.
        expires_at: Timestamp,
    },
    /// The device made none, or nobody knows.
    NotGenerated,
    /// Made, not used yet.
    PreActivation(KeyMaterial),
    /// Signing.
    Active {
        /// The key.
        material: KeyMaterial,
        /// Since when.
        since: Timestamp,
    },
    /// Replaced, and kept beside its successor for a while.
    Retiring {
        /// The key.
        material: KeyMaterial,
        /// Since when it was active.
        since: Timestamp,
        /// Until when it may sign, where its slot's policy lets it.
        until: Timestamp,
    },
    /// Kept for verification.
    Deactivated {
        /// The key.
        material: KeyMaterial,
        /// Since when.
        at: Timestamp,
    },
    /// Kept for verification, not to be believed.
    Revoked {
        /// The key.
        material: KeyMaterial,
        /// Why, and since when.
        revocation: Revocation,
    },
    /// The device holds it no longer; its public half is kept for verification.
    Destroyed {
        /// The key.
        material: KeyMaterial,
        /// Why it was not to be believed, where it had been revoked.
        revocation: Option<Revocation>,
        /// Since when it was out of use.
        retired_at: Timestamp,
        /// Since when it is gone.
        at: Timestamp,
    },
}

impl Key {
    /// The public key and attributes, once there are any.
    pub fn material(&self) -> Option<&KeyMaterial> {
        material_of(&self.state)
    }

    /// Makes a key that was not used yet its slot's.
    pub(crate) fn activate(&mut self, since: Timestamp) {
        if let KeyState::PreActivation(material) = &self.state {
            self.state = KeyState::Active { material: material.clone(), since };
        }
    }

    /// Another key took over; a revoked key stays so.
    pub(crate) fn step_back(&mut self, until: Timestamp) {
        if let KeyState::Active { material, since } = &self.state {
            self.state = KeyState::Retiring { material: material.clone(), since: *since, until };
        }
    }

    /// Ends its use for good; a revoked key stays so.
    pub(crate) fn retire(&mut self, at: Timestamp) {
        if let KeyState::PreActivation(material) | KeyState::Retiring { material, .. } = &self.state {
            self.state = KeyState::Deactivated { material: material.clone(), at };
        }
    }

    /// Ends its use, and belief in it, for good.
    pub(crate) fn revoke(&mut self, revocation: Revocation) {
        match &mut self.state {
            KeyState::Destroyed { revocation: held, .. } => *held = Some(revocation),
            other => {
                if let Some(material) = material_of(other).cloned() {
                    self.state = KeyState::Revoked { material, revocation };
                }
            }
        }
    }

    /// Notes that the device holds it no longer.
    pub(crate) fn destroy(&mut self, at: Timestamp) {
        let (material, revocation, retired_at) = match &self.state {
            KeyState::Deactivated { material, at } => (material.clone(), None, *at),
            KeyState::Revoked { material, revocation } => {
                (material.clone(), Some(*revocation), revocation.at)
            }
            _ => return,
        };
        self.state = KeyState::Destroyed { material, revocation, retired_at, at };
    }

    /// Why it is not to be believed, where it was revoked.
    pub fn revocation(&self) -> Option<&Revocation> {
        match &self.state {
            KeyState::Revoked { revocation, .. } => Some(revocation),
            KeyState::Destroyed { revocation, .. } => revocation.as_ref(),
            _ => None,
        }
    }

    /// Whether somebody else may hold it.
    pub fn is_compromised(&self) -> bool {
        self.revocation().is_some_and(|revocation| revocation.reason == RevocationReason::KeyCompromise)
    }

    /// The state's name in SP 800-57's words.
    pub fn state_name(&self) -> &'static str {
        match &self.state {
            KeyState::Generating { .. } => "generating",
            KeyState::NotGenerated => "not_generated",
            KeyState::PreActivation(_) => "pre_activation",
            // A retiring key is active still: it may sign until its overlap ends.
            KeyState::Active { .. } | KeyState::Retiring { .. } => "active",
            KeyState::Deactivated { .. } => "deactivated",
            KeyState::Revoked { .. } if self.is_compromised() => "compromised",
            KeyState::Revoked { .. } => "deactivated",
            KeyState::Destroyed { .. } if self.is_compromised() => "destroyed_compromised",
            KeyState::Destroyed { .. } => "destroyed",
        }
    }
}

fn material_of(state: &KeyState) -> Option<&KeyMaterial> {
    match state {
        KeyState::Generating { .. } | KeyState::NotGenerated => None,
        KeyState::PreActivation(material)
        | KeyState::Active { material, .. }
        | KeyState::Retiring { material, .. }
        | KeyState::Deactivated { material, .. }
        | KeyState::Revoked { material, .. }
        | KeyState::Destroyed { material, .. } => Some(material),
    }
}
