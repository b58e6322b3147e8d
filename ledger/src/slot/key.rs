//! Keys: where each stands in its life (SP 800-57 part 1 §7).

use serde::{Deserialize, Serialize};

use crate::action::RevocationReason;
use crate::algorithm::Algorithm;
use crate::attributes::KeyAttributes;
use crate::encoding::{B64, Hash};
use crate::ids::{ActionId, CertificateId, Seq, SlotName};
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
    /// Kept for verification, not to be believed since some moment.
    Revoked {
        /// The key.
        material: KeyMaterial,
        /// Why.
        reason: RevocationReason,
        /// Since when it is suspected.
        compromised_since: Option<Timestamp>,
        /// When it was revoked.
        at: Timestamp,
    },
    /// The device holds it no longer; its public half is kept for verification.
    Destroyed {
        /// The key.
        material: KeyMaterial,
        /// What it had been revoked for, if it had.
        revoked: Option<Distrust>,
        /// Since when.
        at: Timestamp,
    },
}

/// Why a key that was destroyed is not to be believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Distrust {
    /// Why it was revoked.
    pub reason: RevocationReason,
    /// Since when it is suspected.
    pub compromised_since: Option<Timestamp>,
    /// When it was revoked.
    pub at: Timestamp,
}

impl Key {
    /// The public key and attributes, once there are any.
    pub fn material(&self) -> Option<&KeyMaterial> {
        match &self.state {
            KeyState::Generating { .. } | KeyState::NotGenerated => None,
            KeyState::PreActivation(material)
            | KeyState::Active { material, .. }
            | KeyState::Retiring { material, .. }
            | KeyState::Deactivated { material, .. }
            | KeyState::Revoked { material, .. }
            | KeyState::Destroyed { material, .. } => Some(material),
        }
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

    /// Notes that the device holds it no longer.
    pub(crate) fn destroy(&mut self, at: Timestamp) {
        let (material, revoked) = match &self.state {
            KeyState::Deactivated { material, .. } => (material.clone(), None),
            KeyState::Revoked { material, reason, compromised_since, at } => {
                let (reason, compromised_since, at) = (*reason, *compromised_since, *at);
                (material.clone(), Some(Distrust { reason, compromised_since, at }))
            }
            _ => return,
        };
        self.state = KeyState::Destroyed { material, revoked, at };
    }

    /// Why it is not to be believed, where it was revoked.
    pub fn distrust(&self) -> Option<Distrust> {
        match self.state {
            KeyState::Revoked { reason, compromised_since, at, .. } => {
                Some(Distrust { reason, compromised_since, at })
            }
            KeyState::Destroyed { revoked, .. } => revoked,
            _ => None,
        }
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
            KeyState::Revoked { reason: RevocationReason::KeyCompromise, .. } => "compromised",
            KeyState::Revoked { .. } => "deactivated",
            KeyState::Destroyed { .. } => match self.distrust().map(|revoked| revoked.reason) {
                Some(RevocationReason::KeyCompromise) => "destroyed_compromised",
                Some(_) | None => "destroyed",
            },
        }
    }
}
