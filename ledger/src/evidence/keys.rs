//! Keys: where they were made, and what the device says of them.

use serde::Serialize;

use super::{EvidenceError, Facts, Mark};
use crate::algorithm::Algorithm;
use crate::attributes::KeyAttributes;
use crate::encoding::{B64, Hash};
use crate::ids::{BackendName, KeyId};
use crate::payload::{Payload, SlotCreated};
use crate::public_key::PublicKey;

/// What a device's maker says of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Attestation {
    /// Nothing: the device gave none, or none that is recorded.
    None,
}

/// One key of the slot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeyFacts {
    /// From when on the slot signed with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active: Option<Mark>,
    /// Whether it was in the device before its slot.
    pub adopted: bool,
    /// What it signs with.
    pub algorithm: Algorithm,
    /// What its maker says of it.
    pub attestation: Attestation,
    /// As the device reports them.
    pub attributes: KeyAttributes,
    /// The device.
    pub backend: BackendName,
    /// Its id.
    pub key: KeyId,
    /// How the device knows it.
    pub label: String,
    /// When it was recorded as made, or adopted.
    pub made: Mark,
    /// Since when it signs no more and is kept for verification.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retired: Option<Mark>,
    /// When it was revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revoked: Option<Mark>,
    /// SubjectPublicKeyInfo, DER.
    pub spki: B64,
    /// SHA-256 of it.
    pub spki_sha256: Hash,
}

impl KeyFacts {
    pub(super) fn of(facts: &Facts<'_>, key: KeyId, slot: &SlotCreated) -> Result<Self, EvidenceError> {
        let missing = EvidenceError::Missing { what: "key's making" };
        let (event, made) = facts
            .first(move |payload| match payload {
                Payload::KeyGenerated(p) if p.key == key => Some((p.attributes, p.spki.clone(), None)),
                Payload::KeyAdopted(p) if p.key == key => {
                    Some((p.attributes, p.spki.clone(), Some(p.label.clone())))
                }
                _ => None,
            })
            .ok_or(missing)?;
        let (attributes, spki, adopted_label) = made;
        let generated_label = || {
            facts.first(move |payload| match payload {
                Payload::KeyGenerationAuthorized(p) if p.key == key => Some(p.label.clone()),
                _ => None,
            })
        };
        let adopted = adopted_label.is_some();
        let label = match adopted_label {
            Some(label) => label,
            None => generated_label().ok_or(EvidenceError::Missing { what: "key's authorisation" })?.1,
        };
        Ok(Self {
            active: facts.mark(move |payload| match payload {
                Payload::KeyActivated(p) => p.key == key,
                Payload::RotationCutOver(p) => p.new_key == key,
                _ => false,
            }),
            adopted,
            algorithm: slot.algorithm,
            attestation: Attestation::None,
            attributes,
            backend: slot.backend.clone(),
            key,
            label,
            made: Mark::of(event),
            retired: facts
                .mark(move |payload| matches!(payload, Payload::RotationCompleted(p) if p.old_key == key)),
            revoked: facts.mark(move |payload| matches!(payload, Payload::KeyRevoked(p) if p.key == key)),
            spki_sha256: Hash::sha256(spki.as_bytes()),
            spki,
        })
    }

    /// The public key.
    pub fn public_key(&self) -> Result<PublicKey, EvidenceError> {
        let seq = self.made.seq;
        PublicKey::from_der(self.spki.as_bytes())
            .map_err(|_| EvidenceError::Content { seq, what: "public key" })
    }
}
