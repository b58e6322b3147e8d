//! The slots of a ledger.

use sealbook_ledger::algorithm::Algorithm;
use sealbook_ledger::encoding::Hash;
use sealbook_ledger::ids::{ActionId, BackendName, CertificateId, KeyId, MemberId, Seq, SlotName};
use sealbook_ledger::policy::SigningPolicy;
use sealbook_ledger::rotation::RotationPolicy;
use sealbook_ledger::slot::{Key, KeyState, Slot};
use sealbook_ledger::state::Founded;
use sealbook_ledger::timestamp::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

/// Whether a slot signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SlotStatus {
    /// It does.
    Active,
    /// Not for now.
    Suspended,
    /// Not yet: its first key is not there.
    Keyless,
    /// Its key is revoked.
    Revoked,
}

/// A slot.
#[derive(Debug, Serialize, ToSchema)]
pub struct SlotView {
    /// Its name.
    #[schema(value_type = String, example = "release-p256")]
    pub slot: SlotName,
    /// What it signs with.
    #[schema(value_type = String, example = "ecdsa-p256-sha256")]
    pub algorithm: Algorithm,
    /// The device of its keys.
    #[schema(value_type = String, example = "softhsm")]
    pub backend: BackendName,
    /// The member who answers for it.
    #[schema(value_type = String, format = Uuid)]
    pub owner: MemberId,
    /// Whether it is for drills alone.
    pub drill: bool,
    /// Whether it signs.
    pub status: SlotStatus,
    /// The key that it signs with.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = Uuid)]
    pub active_key: Option<KeyId>,
    /// What may be signed, by whom.
    #[schema(value_type = Object)]
    pub signing_policy: SigningPolicy,
    /// Its digest, as signature events repeat it.
    #[schema(value_type = String)]
    pub policy_digest: Hash,
    /// Days after which its key is to be replaced.
    pub rotation_days: u16,
    /// Days that an old key stays usable beside a new one.
    pub overlap_days: u16,
    /// The rotation policy: the same days, the channels that have to move, and what the key's certificate says.
    #[schema(value_type = Object)]
    pub rotation: RotationPolicy,
    /// Seconds since its key was activated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_age_s: Option<u64>,
    /// When its key, or the certificate that it needs, has to be replaced.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub due_at: Option<Timestamp>,
    /// The certificate of its key that is in force, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<SlotCertificate>,
    /// The rotation that is on its way, or in its overlap.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = Uuid)]
    pub open_rotation: Option<ActionId>,
    /// The event that created it.
    #[schema(value_type = u64)]
    pub created_seq: Seq,
}

/// The certificate that a slot's key has now.
#[derive(Debug, Serialize, ToSchema)]
pub struct SlotCertificate {
    /// Its id.
    #[schema(value_type = String, format = Uuid)]
    pub certificate: CertificateId,
    /// SHA-256 of it.
    #[schema(value_type = String)]
    pub fingerprint: Hash,
    /// From when it holds.
    #[schema(value_type = String, format = DateTime)]
    pub not_before: Timestamp,
    /// The last second that it holds.
    #[schema(value_type = String, format = DateTime)]
    pub not_after: Timestamp,
}

/// A key's certificate, where it is in force.
fn in_force(founded: &Founded, key: KeyId, at: Timestamp) -> Option<SlotCertificate> {
    let certificate = founded.keys().get(&key)?.certificate?;
    let issued = founded.certificate_in_force(key, at).ok()?;
    Some(SlotCertificate {
        certificate,
        fingerprint: issued.fingerprint,
        not_before: issued.not_before,
        not_after: issued.not_after,
    })
}

/// The newest rotation of a slot that has not ended.
fn open_rotation(founded: &Founded, name: &SlotName) -> Option<ActionId> {
    let open =
        founded.rotations().iter().filter(|(_, rotation)| rotation.slot == *name && !rotation.has_ended());
    open.max_by_key(|(_, rotation)| rotation.started).map(|(id, _)| *id)
}

impl SlotView {
    /// The view of a slot at a moment.
    pub fn new(name: &SlotName, slot: &Slot, founded: &Founded, at: Timestamp) -> Self {
        let key = slot.active.and_then(|id| founded.keys().get(&id));
        Self {
            slot: name.clone(),
            algorithm: slot.algorithm,
            backend: slot.backend.clone(),
            owner: slot.owner,
            drill: slot.drill,
            status: status(slot, key, at),
            active_key: slot.active,
            signing_policy: slot.signing_policy.clone(),
            policy_digest: slot.policy_digest,
            rotation_days: slot.rotation.rotation_days,
            overlap_days: slot.rotation.overlap_days,
            rotation: slot.rotation.clone(),
            key_age_s: key.and_then(|key| age(key, at)),
            due_at: slot.active.and_then(|key| founded.due_at(key)),
            certificate: slot.active.and_then(|key| in_force(founded, key, at)),
            open_rotation: open_rotation(founded, name),
            created_seq: slot.created,
        }
    }
}

/// A revoked key outweighs a suspension: lifting that would not make the slot sign.
fn status(slot: &Slot, key: Option<&Key>, at: Timestamp) -> SlotStatus {
    let suspended = slot.suspension.is_some_and(|suspension| suspension.holds(at));
    match key.map(|key| &key.state) {
        Some(KeyState::Revoked { .. } | KeyState::Destroyed { revocation: Some(_), .. }) => {
            SlotStatus::Revoked
        }
        _ if suspended => SlotStatus::Suspended,
        Some(KeyState::Active { .. }) => SlotStatus::Active,
        Some(
            KeyState::Generating { .. }
            | KeyState::NotGenerated
            | KeyState::PreActivation(_)
            | KeyState::Retiring { .. }
            | KeyState::Deactivated { .. }
            | KeyState::Destroyed { revocation: None, .. },
        )
        | None => SlotStatus::Keyless,
    }
}

fn age(key: &Key, at: Timestamp) -> Option<u64> {
    match key.state {
        KeyState::Active { since, .. } | KeyState::Retiring { since, .. } => {
            u64::try_from((at.unix_micros() - since.unix_micros()) / 1_000_000).ok()
        }
        KeyState::Generating { .. }
        | KeyState::NotGenerated
        | KeyState::PreActivation(_)
        | KeyState::Deactivated { .. }
        | KeyState::Revoked { .. }
        | KeyState::Destroyed { .. } => None,
    }
}
