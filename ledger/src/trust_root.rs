//! Trust roots (docs/spec/trust-root.md): which keys of a ledger are to be believed, and which are not, in one file that the
//! evidence key signed. Whoever has the ledger key from elsewhere believes the file offline.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::action::RevocationReason;
use crate::algorithm::Algorithm;
use crate::canonical;
use crate::encoding::{B64, Hash};
use crate::event::{Envelope as EventEnvelope, Event};
use crate::ids::{KeyId, Origin, Seq, SlotName};
use crate::note::Vkey;
use crate::pack::{Envelope, PackError};
use crate::payload::{LedgerEvidenceKeySet, Payload};
use crate::public_key::PublicKey;
use crate::receipt::{Receipt, ReceiptError, Verified};
use crate::slot::{Key, KeyState};
use crate::state::{Founded, State};
use crate::timestamp::Timestamp;

/// `schema` of the document.
const SCHEMA: &str = "sealbook:trust-root/v1";

/// How long a trust root is to be believed, in seconds: as long as a revocation list, seven days.
pub const HOLDS_S: u32 = 7 * 24 * 60 * 60;

/// The longest file in bytes.
pub const MAX_TRUST_ROOT: usize = 16 * 1024 * 1024;

/// Whether a key signs, and is to be believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trust {
    /// It signs.
    Active,
    /// It signs no more, and what it has signed holds.
    Retired,
    /// It is not to be believed: see the revocation.
    Revoked,
}

/// A key of a slot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrustedKey {
    /// What it signs with.
    pub algorithm: Algorithm,
    /// SHA-256 of its newest certificate, DER.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate_sha256: Option<Hash>,
    /// Its id.
    pub key: KeyId,
    /// Why it is not to be believed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revocation: Option<TrustRevocation>,
    /// Its slot.
    pub slot: SlotName,
    /// SubjectPublicKeyInfo, DER.
    pub spki: B64,
    /// SHA-256 of it.
    pub spki_sha256: Hash,
    /// Whether it is to be believed.
    pub trust: Trust,
}

/// Why a key is not to be believed, and from when on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrustRevocation {
    /// From when on nothing that it signed is to be believed, where that is before it was revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invalid_since: Option<Timestamp>,
    /// Why.
    pub reason: RevocationReason,
    /// When it was revoked.
    pub revoked_at: Timestamp,
    /// The event by which it was.
    pub seq: Seq,
}

/// A ledger key, current or former.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrustedVkey {
    /// The event from which on it seals.
    pub since: Seq,
    /// Whether it seals.
    pub trust: Trust,
    /// The key.
    pub vkey: Vkey,
}

/// What is signed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrustRoot {
    /// When it was made.
    pub at: Timestamp,
    /// Every slot's key that was made, by its id.
    pub keys: Vec<TrustedKey>,
    /// Every ledger key, the first first.
    pub ledger_keys: Vec<TrustedVkey>,
    /// When there is another one at the latest.
    pub next_update: Timestamp,
    /// The ledger.
    pub origin: Origin,
    /// Which form this is.
    pub schema: String,
    /// How many events it follows from.
    pub size: u64,
}

impl TrustRoot {
    /// What a ledger says of its keys at a moment, given every ledger key that it had, by the event that brought it.
    ///
    /// None before the founding.
    pub fn of(state: &State, at: Timestamp, ledger_keys: &[(Seq, Vkey)]) -> Option<Self> {
        let founded = state.founded().ok()?;
        let last = ledger_keys.last().map(|(seq, _)| *seq);
        let vkey = |(since, vkey): &(Seq, Vkey)| TrustedVkey {
            since: *since,
            trust: if Some(*since) == last { Trust::Active } else { Trust::Retired },
            vkey: vkey.clone(),
        };
        Some(Self {
            at,
            keys: founded.keys().iter().filter_map(|(id, key)| trusted(founded, *id, key)).collect(),
            ledger_keys: ledger_keys.iter().map(vkey).collect(),
            next_update: at.plus_seconds(HOLDS_S),
            origin: state.origin().clone(),
            schema: SCHEMA.to_owned(),
            size: state.size(),
        })
    }

    /// Its canonical JSON, whose SHA-256 the statement names.
    pub fn to_bytes(&self) -> Result<Vec<u8>, PackError> {
        Ok(canonical::to_vec(self)?)
    }

    /// Whether it says the same of every key as another one.
    pub fn agrees_with(&self, other: &Self) -> bool {
        self.keys == other.keys && self.ledger_keys == other.ledger_keys
    }
}

fn trusted(founded: &Founded, id: KeyId, key: &Key) -> Option<TrustedKey> {
    let material = key.material()?;
    // What is for drills is nobody's to rely on.
    if founded.slots().get(&key.slot).is_some_and(|slot| slot.drill) {
        return None;
    }
    let trust = match &key.state {
        KeyState::Active { .. } | KeyState::Retiring { .. } => Trust::Active,
        KeyState::Deactivated { .. } | KeyState::Destroyed { revocation: None, .. } => Trust::Retired,
        KeyState::Revoked { .. } | KeyState::Destroyed { revocation: Some(_), .. } => Trust::Revoked,
        // Of these nothing was ever signed.
        KeyState::Generating { .. } | KeyState::NotGenerated | KeyState::PreActivation(_) => return None,
    };
    let revocation = key.revocation().map(|revocation| TrustRevocation {
        invalid_since: revocation.since,
        reason: revocation.reason,
        revoked_at: revocation.at,
        seq: revocation.seq,
    });
    Some(TrustedKey {
        algorithm: key.algorithm,
        certificate_sha256: founded.certificate_of(id).map(|issued| issued.fingerprint),
        key: id,
        revocation,
        slot: key.slot.clone(),
        spki: material.spki.clone(),
        spki_sha256: material.spki_sha256,
        trust,
    })
}

/// The file: a trust root, the evidence key's signature, and the proof of whose key that is.
#[derive(Debug, Clone, PartialEq)]
pub struct TrustRootFile {
    /// What is signed.
    pub trust_root: TrustRoot,
    /// SHA-256 of it, as it stands in the file.
    pub sha256: Hash,
    /// The statement about it, signed.
    pub envelope: Envelope,
    /// The receipt of the event that names the evidence key.
    pub evidence_key: Receipt,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileJson {
    envelope: Box<RawValue>,
    evidence_key: String,
    trust_root: Box<RawValue>,
}

/// Why a file is no trust root that is to be believed.
#[derive(Debug, thiserror::Error)]
pub enum TrustRootError {
    /// It is not in its one form.
    #[error("the file is not canonical JSON of a trust root")]
    Form(#[source] Option<Box<dyn std::error::Error + Send + Sync>>),
    /// The proof of the evidence key does not hold.
    #[error("the evidence key's receipt does not hold")]
    Receipt(#[source] ReceiptError),
    /// The receipt is of another event, or of another ledger.
    #[error("the receipt is not of the evidence key of this ledger")]
    EvidenceKey,
    /// The statement is about something else.
    #[error("what the evidence key signed is not this trust root")]
    Statement,
    /// The signature does not hold.
    #[error("the evidence key's signature does not hold")]
    Signature(#[source] PackError),
}

impl TrustRootError {
    /// Its stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Form(_) => "trust_root.form",
            Self::Receipt(error) => error.code(),
            Self::EvidenceKey => "evidence_key.other",
            Self::Statement => "trust_root.statement",
            Self::Signature(_) => "trust_root.signature",
        }
    }

    fn form(error: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Form(Some(Box::new(error)))
    }
}

impl TrustRootFile {
    /// The file's bytes.
    pub fn to_bytes(&self) -> Result<Vec<u8>, PackError> {
        let raw =
            |bytes: Vec<u8>| serde_json::from_slice::<Box<RawValue>>(&bytes).map_err(PackError::Predicate);
        Ok(canonical::to_vec(&FileJson {
            envelope: raw(self.envelope.to_bytes()?)?,
            evidence_key: self.evidence_key.to_string(),
            trust_root: raw(self.trust_root.to_bytes()?)?,
        })?)
    }

    /// Reads a file; what it says is to be believed once [`verify`](Self::verify) has held.
    pub fn parse(bytes: &[u8]) -> Result<Self, TrustRootError> {
        if bytes.len() > MAX_TRUST_ROOT {
            return Err(TrustRootError::Form(None));
        }
        canonical::check(bytes).map_err(TrustRootError::form)?;
        let file: FileJson = serde_json::from_slice(bytes).map_err(TrustRootError::form)?;
        let trust_root: TrustRoot =
            serde_json::from_str(file.trust_root.get()).map_err(TrustRootError::form)?;
        if trust_root.schema != SCHEMA {
            return Err(TrustRootError::Form(None));
        }
        Ok(Self {
            trust_root,
            sha256: Hash::sha256(file.trust_root.get().as_bytes()),
            envelope: Envelope::parse(file.envelope.get().as_bytes()).map_err(TrustRootError::form)?,
            evidence_key: Receipt::parse(file.evidence_key.as_bytes()).map_err(TrustRootError::form)?,
        })
    }

    /// Whether bytes begin like a trust root's file, whatever comes of them.
    pub fn looks_like(bytes: &[u8]) -> bool {
        bytes.starts_with(b"{\"envelope\":")
    }

    /// Believes it: a pinned ledger key sealed the event that names the evidence key, and that key signed this document.
    pub fn verify(&self, vkeys: &[Vkey]) -> Result<Verified, TrustRootError> {
        let verified = self.evidence_key.verify(vkeys).map_err(TrustRootError::Receipt)?;
        self.verify_signature().map(|_| verified)
    }

    /// The evidence key that the receipt's event names, whose signature holds.
    pub fn verify_signature(&self) -> Result<PublicKey, TrustRootError> {
        let set = self.evidence_key_set().ok_or(TrustRootError::EvidenceKey)?;
        if self.evidence_key.checkpoint().checkpoint().origin != self.trust_root.origin {
            return Err(TrustRootError::EvidenceKey);
        }
        let key = PublicKey::from_der(set.spki.as_bytes()).map_err(|_| TrustRootError::EvidenceKey)?;
        let report = crate::command::Document::TrustRoot.report(&self.trust_root.origin);
        let statement = report.statement(self.sha256).map_err(|_| TrustRootError::Statement)?;
        if self.envelope.payload() != statement {
            return Err(TrustRootError::Statement);
        }
        self.envelope.verify(&key).map_err(TrustRootError::Signature)?;
        Ok(key)
    }

    fn evidence_key_set(&self) -> Option<LedgerEvidenceKeySet> {
        let envelope = EventEnvelope::parse(self.evidence_key.event_bytes()).ok()?;
        match Event::from_envelope(envelope).ok()?.payload {
            Payload::LedgerEvidenceKeySet(set) => Some(*set),
            _ => None,
        }
    }
}
