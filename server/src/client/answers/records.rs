//! Slots, keys, signatures, evidence and events.

use std::collections::BTreeMap;

use sealbook_ledger::algorithm::Algorithm;
use sealbook_ledger::attachment::MediaType;
use sealbook_ledger::encoding::{Hash, HexBytes};
use sealbook_ledger::ids::{
    ActionId, BackendName, CertificateId, EvidenceId, KeyId, MemberId, Origin, Seq, SlotName,
};
use sealbook_ledger::note::Vkey;
use sealbook_ledger::payload::Subject;
use sealbook_ledger::policy::SigningPolicy;
use sealbook_ledger::rotation::RotationPolicy;
use sealbook_ledger::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

answer!(
    /// `GET …/slots`.
    Slots {
        /// Those that whoever asks may see.
        slots: Vec<Slot>,
    }
);
answer!(
    /// A slot.
    Slot {
        /// Its name.
        slot: SlotName,
        /// What it signs with.
        algorithm: Algorithm,
        /// The device.
        backend: BackendName,
        /// Whether it is for drills alone.
        #[serde(default)]
        drill: bool,
        /// Who answers for it.
        owner: MemberId,
        /// `active`, `suspended`, `keyless` or `revoked`.
        status: String,
        /// The key that it signs with.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        active_key: Option<KeyId>,
        /// What may be signed, by whom.
        signing_policy: SigningPolicy,
        /// Digest of that.
        policy_digest: Hash,
        /// How its key is replaced, and with which certificate.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rotation: Option<RotationPolicy>,
        /// Days after which its key is to be replaced.
        rotation_days: u16,
        /// Days that an old key stays usable.
        overlap_days: u16,
        /// Seconds since its key was made.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key_age_s: Option<u64>,
        /// When its key has to be replaced.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        due_at: Option<Timestamp>,
        /// The certificate of its key that is in force.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        certificate: Option<SlotCertificate>,
        /// The rotation that has not ended.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        open_rotation: Option<ActionId>,
    }
);
answer!(
    /// The certificate that a slot's key has.
    SlotCertificate {
        /// Its id.
        certificate: CertificateId,
        /// SHA-256 of it.
        fingerprint: Hash,
        /// From when it holds.
        not_before: Timestamp,
        /// The last second that it holds.
        not_after: Timestamp,
    }
);
answer!(
    /// `GET …/keys`.
    Keys {
        /// Those that whoever asks may see.
        keys: Vec<Key>,
    }
);
answer!(
    /// A key.
    Key {
        /// Its id.
        key: KeyId,
        /// Its slot.
        slot: SlotName,
        /// What it signs with.
        algorithm: Algorithm,
        /// Its state (NIST SP 800-57).
        state: String,
        /// SHA-256 of its SubjectPublicKeyInfo.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        spki_sha256: Option<Hash>,
        /// The public key.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        public_key_pem: Option<String>,
    }
);
answer!(
    /// A signature.
    Signed {
        /// The slot.
        slot: SlotName,
        /// What it was made with.
        algorithm: Algorithm,
        /// The key.
        key: KeyId,
        /// SHA-256 of the key's SubjectPublicKeyInfo.
        spki_sha256: Hash,
        /// What was signed.
        digest: HexBytes,
        /// Standard base64 with padding.
        signature_b64: String,
        /// The event that recorded it.
        seq: Seq,
        /// The event that authorised it.
        authorization: Seq,
        /// The ledger.
        origin: Origin,
        /// The ledger key in force.
        vkey: Vkey,
    }
);
answer!(
    /// Evidence that was just recorded.
    EvidenceRecorded {
        /// Its id.
        evidence: EvidenceId,
        /// The event.
        seq: Seq,
    }
);
answer!(
    /// `GET …/evidence`.
    EvidenceList {
        /// A page of it.
        evidence: Vec<Evidence>,
        /// Where the next page begins.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next: Option<Value>,
    }
);
answer!(
    /// A record of outside evidence.
    Evidence {
        /// Its id.
        evidence: EvidenceId,
        /// SHA-256 of it.
        digest: Hash,
        /// What kind of thing it is.
        media_type: MediaType,
        /// What it is about.
        subject: Subject,
        /// What was said about it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        description: Option<String>,
        /// The event.
        seq: Seq,
    }
);
answer!(
    /// `GET …/events`.
    Events {
        /// A page of them.
        events: Vec<EventEntry>,
        /// Where the next page begins.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next: Option<Value>,
    }
);
answer!(
    /// An event, with what is disclosed of it.
    EventEntry {
        /// Its place.
        seq: Seq,
        /// Its hash.
        hash: Hash,
        /// The event as JSON.
        event: Map<String, Value>,
        /// The private fields that are disclosed.
        #[serde(default)]
        disclosures: BTreeMap<String, String>,
    }
);
