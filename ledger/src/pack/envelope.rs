//! DSSE v1.0 (packs §6; github.com/secure-systems-lab/dsse, `protocol.md` and `envelope.md`): what is signed, and the JSON around
//! it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::{ENVELOPE, MAX_JSON, PackError};
use crate::algorithm::{Algorithm, KeyType};
use crate::canonical;
use crate::public_key::{PublicKey, SigningInput};

/// `payloadType` of every envelope: its payload is an in-toto statement.
pub const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// The pre-authentication encoding, which is what a signature of DSSE is over: `DSSEv1`, then type and payload, each
/// after its length in bytes, all separated by single spaces.
pub fn pae(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut out = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len()).into_bytes();
    out.extend_from_slice(payload);
    out
}

/// The one algorithm that a key of each type signs envelopes with, so that no envelope has to name it.
pub const fn envelope_algorithm(key_type: KeyType) -> Algorithm {
    match key_type {
        KeyType::EcP256 => Algorithm::EcdsaP256Sha256,
        KeyType::EcP384 => Algorithm::EcdsaP384Sha384,
        KeyType::Rsa3072 => Algorithm::Rsa3072PssSha256,
        KeyType::Rsa4096 => Algorithm::Rsa4096PssSha512,
        KeyType::Ed25519 => Algorithm::Ed25519,
    }
}

/// A signature of an envelope, and the key that it says it is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvelopeSignature {
    /// Ours: lower-case hex SHA-256 of the key's SubjectPublicKeyInfo. Others may call their keys as they like.
    pub keyid: String,
    /// The signature, in the encoding that its algorithm fixes.
    pub sig: Vec<u8>,
}

/// A statement's bytes and who signed them. Reading one believes nothing: call [`verify`](Self::verify) with the pinned
/// key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    payload: Vec<u8>,
    signatures: Vec<EnvelopeSignature>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EnvelopeJson {
    payload: String,
    #[serde(rename = "payloadType")]
    payload_type: String,
    signatures: Vec<SignatureJson>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SignatureJson {
    keyid: String,
    sig: String,
}

impl Envelope {
    /// An envelope with one signature, which was checked: it holds under the key, by the algorithm of the key's type.
    pub fn new(payload: Vec<u8>, key: &PublicKey, signature: Vec<u8>) -> Result<Self, PackError> {
        let signatures = vec![EnvelopeSignature { keyid: key.sha256().to_string(), sig: signature }];
        let envelope = Self { payload, signatures };
        envelope.verify(key)?;
        Ok(envelope)
    }

    /// Reads an envelope: canonical JSON with exactly the members of DSSE, base64 in its standard alphabet with padding.
    pub fn parse(bytes: &[u8]) -> Result<Self, PackError> {
        if bytes.len() > MAX_JSON {
            return Err(PackError::TooLarge { what: ENVELOPE, most: MAX_JSON });
        }
        canonical::check(bytes).map_err(|source| PackError::NotCanonical { what: ENVELOPE, source })?;
        let read: EnvelopeJson = serde_json::from_slice(bytes).map_err(PackError::Envelope)?;
        if read.payload_type != PAYLOAD_TYPE {
            return Err(PackError::PayloadType);
        }
        let signature = |signature: SignatureJson| {
            Ok(EnvelopeSignature { sig: decode("signature", &signature.sig)?, keyid: signature.keyid })
        };
        Ok(Self {
            payload: decode("payload", &read.payload)?,
            signatures: read.signatures.into_iter().map(signature).collect::<Result<_, PackError>>()?,
        })
    }

    /// The canonical JSON of `statement.dsse.json`.
    pub fn to_bytes(&self) -> Result<Vec<u8>, PackError> {
        let signature = |signature: &EnvelopeSignature| SignatureJson {
            keyid: signature.keyid.clone(),
            sig: STANDARD.encode(&signature.sig),
        };
        Ok(canonical::to_vec(&EnvelopeJson {
            payload: STANDARD.encode(&self.payload),
            payload_type: PAYLOAD_TYPE.to_owned(),
            signatures: self.signatures.iter().map(signature).collect(),
        })?)
    }

    /// The statement's exact bytes.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// The signatures as they stand.
    pub fn signatures(&self) -> &[EnvelopeSignature] {
        &self.signatures
    }

    /// Checks that exactly one signature is in the name of the key, and that it holds under it by the algorithm of the
    /// key's type ([`envelope_algorithm`]). Signatures of other keys are ignored.
    ///
    /// The keyid is DSSE's hint, never a proof: the caller pins the key itself.
    pub fn verify(&self, key: &PublicKey) -> Result<(), PackError> {
        let keyid = key.sha256();
        let name = keyid.to_string();
        let mut ours = self.signatures.iter().filter(|signature| signature.keyid == name);
        let signature = ours.next().ok_or(PackError::NotSigned { keyid })?;
        if ours.next().is_some() {
            return Err(PackError::SignedTwice { keyid });
        }
        let algorithm = envelope_algorithm(key.key_type());
        let message = pae(PAYLOAD_TYPE, &self.payload);
        let digest = algorithm.digest_of(&message).0;
        let input = if algorithm.needs_message() {
            SigningInput::Message(&message)
        } else {
            SigningInput::Digest(&digest)
        };
        Ok(key.verify(algorithm, input, &signature.sig)?)
    }
}

/// The engine refuses missing padding and non-zero trailing bits: no two texts mean the same bytes.
fn decode(what: &'static str, text: &str) -> Result<Vec<u8>, PackError> {
    STANDARD.decode(text).map_err(|_| PackError::Base64 { what })
}
