//! Rotations, certificates and the gate.

use sealbook_ledger::certificate::Subject;
use sealbook_ledger::encoding::Hash;
use sealbook_ledger::ids::{ActionId, CertificateId, ChannelName, Correlation, KeyId, Seq, SlotName};
use sealbook_ledger::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

answer!(
    /// `GET …/rotations`.
    Rotations {
        /// A page of those that whoever asks may see, the newest first.
        rotations: Vec<Rotation>,
        /// Where the next page begins.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next: Option<ActionId>,
    }
);
answer!(
    /// A rotation.
    Rotation {
        /// Its id.
        rotation: ActionId,
        /// Its slot.
        slot: SlotName,
        /// `started`, `generating`, `generated`, `proved`, `cut_over`, `completed` or `failed`.
        state: String,
        /// Whether waiting is skipped.
        emergency: bool,
        /// The key that is replaced.
        old_key: KeyId,
        /// The key that takes its place.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        new_key: Option<KeyId>,
        /// The rotation policy that it stands under.
        policy: Value,
        /// Its digest.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        policy_digest: Option<Hash>,
        /// The event that started it.
        started_seq: Seq,
        /// When.
        started_at: Timestamp,
        /// The piece of work.
        correlation: Correlation,
        /// How many digests the new key has signed, and has yet to sign.
        canary: Canary,
        /// The new key's certificates.
        certificates: Vec<CertificateId>,
        /// Until when it has to cut over.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cut_over_before: Option<Timestamp>,
        /// When the new key took over.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cut_over_at: Option<Timestamp>,
        /// Until when the old key stays beside it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        overlap_ends_at: Option<Timestamp>,
        /// When the old key was retired.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        completed_at: Option<Timestamp>,
        /// Whether a client confirmed that the new key works.
        confirmed: bool,
        /// The channels, and which of them moved.
        channels: Vec<Channel>,
        /// What stands between cutover and completion.
        waits_for: Vec<Reason>,
        /// Whether its evidence pack was issued.
        reported: bool,
        /// Another one for other facts.
        version: Hash,
        /// How it failed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        failure: Option<RotationFailure>,
        /// Its steps, where it is shown by itself.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        steps: Vec<RotationStep>,
    }
);
answer!(
    /// What a new key signs before it takes over.
    Canary {
        /// How many digests it has yet to sign.
        due: u64,
        /// How many it has signed.
        signed: u64,
        /// Whether a signature did not verify.
        broken: bool,
    }
);
answer!(
    /// A channel of a rotation.
    Channel {
        /// Its name.
        channel: ChannelName,
        /// Whether it relies on the new key.
        moved: bool,
    }
);
answer!(
    /// Why something is not so yet.
    Reason {
        /// The stable code.
        code: String,
        /// What is demanded.
        sentence: String,
    }
);
answer!(
    /// How a rotation failed.
    RotationFailure {
        /// A stable word.
        code: String,
        /// The event.
        seq: Seq,
        /// When.
        time: Timestamp,
        /// Who stopped it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<String>,
        /// What was said about it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    }
);
answer!(
    /// A step of a rotation.
    RotationStep {
        /// Which.
        step: String,
        /// The channel, of a step about one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        channel: Option<ChannelName>,
        /// What people call it.
        title: String,
        /// `done`, `now`, `waiting`, `skipped` or `failed`.
        state: String,
        /// The event that proves it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seq: Option<Seq>,
        /// When that was.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        time: Option<Timestamp>,
        /// What happened, or what it waits for.
        sentence: String,
    }
);
answer!(
    /// `GET …/certificates`.
    Certificates {
        /// Those that whoever asks may see, the newest first.
        certificates: Vec<Certificate>,
    }
);
answer!(
    /// A certificate, from its order on.
    Certificate {
        /// Its id.
        certificate: CertificateId,
        /// The slot of its key.
        slot: SlotName,
        /// The key that it names.
        key: KeyId,
        /// What it is for.
        action: ActionId,
        /// The piece of work.
        correlation: Correlation,
        /// `ordered`, `requested`, `active`, `expired`, `revoked` or `failed`.
        state: String,
        /// Whether it is the newest of its key.
        newest: bool,
        /// Whom it names, as its policy says.
        subject: Subject,
        /// Who issues it.
        issuer: Value,
        /// The event that ordered it.
        ordered_seq: Seq,
        /// Whether its request is there.
        requested: bool,
        /// The certificate itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        issued: Option<Issued>,
        /// Why it was revoked.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        revocation_reason: Option<String>,
        /// When.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        revoked_at: Option<Timestamp>,
        /// From when on it is not to be believed, where that is before.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        invalid_since: Option<Timestamp>,
    }
);
answer!(
    /// A certificate that exists.
    Issued {
        /// SHA-256 of it.
        fingerprint: Hash,
        /// Its serial number, in hex.
        serial: String,
        /// Whom it names.
        subject: String,
        /// Who issued it.
        issuer: String,
        /// The CA's key, where a CA of the ledger issued it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        issuer_key: Option<KeyId>,
        /// From when it holds.
        not_before: Timestamp,
        /// The last second that it holds.
        not_after: Timestamp,
        /// The event.
        seq: Seq,
    }
);
answer!(
    /// `GET …/slots/{slot}/gate`.
    Gate {
        /// The slot.
        slot: SlotName,
        /// Whether it signs.
        pass: bool,
        /// Why it does not.
        reasons: Vec<Reason>,
        /// The key that it signs with.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<KeyId>,
        /// SHA-256 of the key's certificate.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        certificate_fingerprint: Option<Hash>,
        /// Full days since that began.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        certificate_age_days: Option<i64>,
        /// Days after which the key has to be replaced.
        rotation_interval: u16,
        /// When that is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        due_at: Option<Timestamp>,
        /// The moment that it was judged at.
        at: Timestamp,
    }
);
