//! The keys of a ledger's slots.

use sealbook_ledger::algorithm::Algorithm;
use sealbook_ledger::attributes::KeyAttributes;
use sealbook_ledger::encoding::Hash;
use sealbook_ledger::ids::{KeyId, SlotName};
use sealbook_ledger::public_key::{PublicKey, PublicKeyError};
use sealbook_ledger::slot::{Key, KeyMaterial};
use serde::Serialize;
use utoipa::ToSchema;

/// One version of a key in a slot.
#[derive(Debug, Serialize, ToSchema)]
pub struct KeyView {
    /// Which.
    #[schema(value_type = String, format = Uuid)]
    pub key: KeyId,
    /// Its slot.
    #[schema(value_type = String)]
    pub slot: SlotName,
    /// What it signs with.
    #[schema(value_type = String)]
    pub algorithm: Algorithm,
    /// Its state (NIST SP 800-57 part 1 §7).
    pub state: &'static str,
    /// SHA-256 of its SubjectPublicKeyInfo.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub spki_sha256: Option<Hash>,
    /// As the device reported them.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub attributes: Option<KeyAttributes>,
    /// Its public half, PEM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public_key_pem: Option<String>,
}

impl KeyView {
    /// The view of a key.
    ///
    /// Fails where the recorded public key can't be read, which the rules don't let pass.
    pub fn new(id: KeyId, key: &Key) -> Result<Self, PublicKeyError> {
        let material = key.material();
        Ok(Self {
            key: id,
            slot: key.slot.clone(),
            algorithm: key.algorithm,
            state: key.state_name(),
            spki_sha256: material.map(|material| material.spki_sha256),
            attributes: material.map(|material| material.attributes),
            public_key_pem: material.map(public_key).transpose()?.map(|public| public.to_pem()),
        })
    }
}

/// The public key of some recorded material.
pub fn public_key(material: &KeyMaterial) -> Result<PublicKey, PublicKeyError> {
    PublicKey::from_der(material.spki.as_bytes())
}
