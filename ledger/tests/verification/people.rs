//! People with authenticators, and slots with keys: all in memory, all genuine.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use ed25519_dalek::{Signer as _, SigningKey};
use sealbook_ledger::encoding::{B64, Hash};
use sealbook_ledger::ids::MemberId;
use sealbook_ledger::public_key::PublicKey;
use sealbook_ledger::webauthn::{CosePublicKey, Credential, CredentialKind};

use crate::ledger::{RP, uuid_of};

pub fn p256() -> EcdsaKeyPair {
    EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap()
}

fn p256_sign(key: &EcdsaKeyPair, message: &[u8]) -> Vec<u8> {
    key.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec()
}

/// A founder with an authenticator in memory.
pub struct Person {
    pub id: MemberId,
    key: EcdsaKeyPair,
    pub credential_id: B64,
}

impl Person {
    pub fn new(n: u64) -> Self {
        Self { id: uuid_of(0xb0 + n).into(), key: p256(), credential_id: B64(vec![n as u8; 16]) }
    }

    pub fn credential(&self) -> Credential {
        Credential {
            credential_id: self.credential_id.clone(),
            cose_public_key: CosePublicKey::from_p256_point(self.key.public_key().as_ref()).unwrap(),
            aaguid: uuid::Uuid::nil().into(),
            rp_id: RP.to_owned(),
            backup_eligible: false,
            kind: CredentialKind::Software,
            attestation: None,
        }
    }

    /// Authenticator data, client data and signature.
    pub fn assert(&self, challenge: Hash) -> (B64, B64, B64) {
        let client = format!(
            r#"{{"type":"webauthn.get","challenge":"{}","origin":"https://{RP}","crossOrigin":false}}"#,
            B64::from(challenge.0.as_slice())
        );
        let data = [Hash::sha256(RP.as_bytes()).0.as_slice(), &[0x05, 0, 0, 0, 0]].concat();
        let signed = [data.as_slice(), &Hash::sha256(client.as_bytes()).0].concat();
        let signature = p256_sign(&self.key, &signed);
        (B64(data), B64(client.into_bytes()), B64(signature))
    }
}

/// A key that a device would hold.
pub enum SlotKey {
    P256(EcdsaKeyPair),
    Ed25519(SigningKey),
}

impl SlotKey {
    pub fn public(&self) -> PublicKey {
        match self {
            Self::P256(key) => PublicKey::from_ec_point(key.public_key().as_ref()).unwrap(),
            Self::Ed25519(key) => PublicKey::from_ed25519(key.verifying_key().as_bytes()).unwrap(),
        }
    }

    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::P256(key) => p256_sign(key, message),
            Self::Ed25519(key) => key.sign(message).to_bytes().to_vec(),
        }
    }
}
