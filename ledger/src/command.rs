//! What somebody asks of a ledger; commands are imperative, events are past tense.

mod incidents;
mod revoking;
mod work;

use crate::attachment::Attachment;
use crate::attributes::KeyAttributes;
use crate::encoding::{B64, Hash, HexBytes};
use crate::event::Actor;
use crate::ids::{
    ActionId, BackendName, CertificateId, ChannelName, IncidentId, KeyId, MemberId, Seq, ServiceId, SlotName,
};
use crate::issuance::Terms;
use crate::note::Vkey;
use crate::payload::{
    ActionApproved, ActionCancelled, ActionProposed, ActionRejected, ClearanceUse, CustodyUnexplained,
    EvidenceRecorded, FailureCode, LedgerFounded, LedgerOpened, MemberEnrolled, NextVkey, RefusalRecorded,
};
use crate::policy::Environment;
use crate::timestamp::Timestamp;

pub use incidents::{FoundScope, IncidentCommand, IncidentMove, IncidentOpening};
pub use revoking::{CrlCommand, CrlLife, CrlOutcome};

/// A founder, and the digests of what is private about that person.
#[derive(Debug, Clone)]
pub struct Founder {
    /// As the event records it.
    pub enrolled: MemberEnrolled,
    /// Its `_sd`, sorted as text.
    pub sd: Vec<B64>,
}

/// What a containment stops.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Containment {
    /// A slot.
    Slot(SlotName),
    /// A person.
    Member(MemberId),
    /// One authenticator of a person.
    Credential(MemberId, B64),
    /// A machine client.
    Service(ServiceId),
}

/// A request for one signature.
#[derive(Debug, Clone)]
pub struct SignRequest {
    /// The slot.
    pub slot: SlotName,
    /// What is to be signed; for pure Ed25519 the SHA-256 of the message.
    pub digest: HexBytes,
    /// The message, for pure Ed25519 alone.
    pub message: Option<Attachment>,
    /// Where the artifact is meant to go.
    pub environment: Environment,
    /// How long the signature may take, in seconds.
    pub life_s: u32,
    /// Digests of what was said about the artifact, sorted as text.
    pub sd: Vec<B64>,
    /// The approval to use up, where the slot's policy asks for one.
    pub clearance: Option<ClearanceUse>,
    /// The key that is to sign: the slot's active one where absent.
    pub key: Option<KeyId>,
}

/// What a device answered to an authorised signature; a signature was verified before it comes here.
#[derive(Debug, Clone)]
pub enum SigningOutcome {
    /// It signed.
    Signed(B64),
    /// It did not, or wrongly.
    Failed(FailureCode),
}

/// A step of a rotation, of a certificate, or of a document about them.
#[derive(Debug, Clone)]
pub enum RotationCommand {
    /// Has a device make the new key.
    Generate {
        /// The rotation.
        action: ActionId,
        /// The new key's id.
        key: KeyId,
        /// How long the device may take, in seconds.
        life_s: u32,
    },
    /// Orders the new key's certificate.
    Order {
        /// The rotation.
        action: ActionId,
        /// The certificate's id.
        certificate: CertificateId,
    },
    /// Authorises a signature that nobody asked for but the process itself.
    Authorize {
        /// For what.
        own: OwnSignature,
        /// The message, for pure Ed25519 alone.
        message: Option<Attachment>,
        /// How long the signature may take, in seconds.
        life_s: u32,
    },
    /// Records a request, or a certificate, once it is signed.
    Record(CertificateId),
    /// Records a chain from outside.
    Import {
        /// Who brings it.
        by: MemberId,
        /// The certificate.
        certificate: CertificateId,
        /// The certificate and those above it, DER.
        chain: Vec<B64>,
    },
    /// Gives a certificate up.
    FailCertificate {
        /// The server, or whoever looks after the slot.
        by: Actor,
        /// Which.
        certificate: CertificateId,
        /// Why.
        code: FailureCode,
    },
    /// Records that the canary holds.
    Canary {
        /// The rotation.
        action: ActionId,
        /// What was signed.
        results: Attachment,
    },
    /// Puts the new key in charge.
    CutOver(ActionId),
    /// A client found that the new key works.
    Confirm {
        /// Who.
        by: Actor,
        /// The rotation.
        action: ActionId,
    },
    /// A channel relies on the new key.
    MoveChannel {
        /// Who says so.
        by: Actor,
        /// The rotation.
        action: ActionId,
        /// The channel.
        channel: ChannelName,
    },
    /// Retires the old key, and revokes its certificate where the policy says so.
    Complete(ActionId),
    /// Ends a rotation before its cutover.
    Fail {
        /// The server, or whoever stops it.
        by: Actor,
        /// The rotation.
        action: ActionId,
        /// Why.
        code: FailureCode,
        /// The digest of the disclosure `reason`, if one was given.
        sd: Vec<B64>,
    },
    /// Records that a slot's key is late.
    Overdue(SlotName),
    /// Has the evidence key sign a document.
    AuthorizeDocument {
        /// What it is.
        about: Document,
        /// The member who asked for it, where one did.
        asked_by: Option<MemberId>,
        /// SHA-256 of the pack's manifest, or of the trust root.
        manifest: Hash,
        /// How long the signature may take, in seconds.
        life_s: u32,
    },
    /// Ends that by what the device answered.
    SettleDocument {
        /// The seq of its `document.authorized`.
        authorization: Seq,
        /// The answer.
        outcome: DocumentOutcome,
    },
}

/// What the server has signed on its own.
#[derive(Debug, Clone)]
pub enum OwnSignature {
    /// What a drill takes for an artifact.
    Sample {
        /// The slot, which is for drills.
        slot: SlotName,
        /// Which sample.
        number: u8,
    },
    /// A digest of the slot's past, by the new key.
    Canary {
        /// The rotation.
        action: ActionId,
        /// What is signed.
        digest: HexBytes,
    },
    /// A key's request for its certificate.
    Request(CertificateId),
    /// A certificate.
    Certificate {
        /// Which.
        certificate: CertificateId,
        /// What it says besides what its policy and its issuer fix.
        terms: Terms,
    },
}

/// What a document is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DocumentSubject {
    /// One rotation.
    Rotation(ActionId),
    /// One change of the ledger key.
    LedgerKey(ActionId),
    /// Everything from one moment to before another.
    Period {
        /// First moment.
        from: Timestamp,
        /// First moment after it.
        to: Timestamp,
    },
    /// One incident or drill.
    Incident(IncidentId),
}

/// What the evidence key signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Document {
    /// That a manifest is that of an evidence pack about this.
    Pack(DocumentSubject),
    /// The keys of the ledger, and which of them are to be believed (rules version 3).
    TrustRoot,
}

impl From<DocumentSubject> for Document {
    fn from(about: DocumentSubject) -> Self {
        Self::Pack(about)
    }
}

/// What the evidence key's device answered.
#[derive(Debug, Clone)]
pub enum DocumentOutcome {
    /// It signed; the document is kept.
    Signed {
        /// Over the DSSE pre-authentication encoding, verified.
        signature: B64,
        /// SHA-256 of the document.
        sha256: Hash,
        /// Its length in bytes.
        size: u64,
    },
    /// It did not, or wrongly.
    Failed(FailureCode),
    /// Nobody knows, and the authorisation has expired.
    Abandoned,
}

/// A request to a ledger. Ids are made by whoever asks, so that deciding needs no randomness.
#[derive(Debug, Clone)]
pub enum Command {
    /// Writes the first event.
    Open(LedgerOpened),
    /// Enrols the founders and records what they signed.
    Found {
        /// In the document's order.
        founders: Vec<Founder>,
        /// The document and the assertions.
        founded: Box<LedgerFounded>,
    },
    /// Proposes an action.
    Propose(Box<ActionProposed>),
    /// Approves it.
    Approve(Box<ActionApproved>),
    /// Rejects it.
    Reject {
        /// The signed decision.
        rejected: Box<ActionRejected>,
        /// The digest of the disclosure `reason`, if one was given.
        sd: Vec<B64>,
    },
    /// Takes it back.
    Cancel(Box<ActionCancelled>),
    /// Records that an action ran out of time.
    Expire(ActionId),
    /// Records that the policy changed under an action.
    Void(ActionId),
    /// Lets an approved action take effect, as far as no device is needed.
    Begin {
        /// The action.
        action: ActionId,
        /// The id of the key that it makes, should it make one.
        key: KeyId,
        /// How long the device may take, in seconds.
        life_s: u32,
    },
    /// Gives up an action that began.
    Fail {
        /// The action.
        action: ActionId,
        /// Why.
        code: FailureCode,
    },
    /// A device made a slot's key.
    KeyMade {
        /// The key.
        key: KeyId,
        /// SubjectPublicKeyInfo, DER.
        spki: B64,
        /// Read back from the device.
        attributes: KeyAttributes,
    },
    /// A device made no key.
    KeyNotMade {
        /// The key.
        key: KeyId,
        /// Why.
        code: FailureCode,
    },
    /// Nobody knows whether a device made a key, and its time is over.
    KeyAbandoned(KeyId),
    /// The device holds the key that is to be adopted.
    KeyFound {
        /// The action.
        action: ActionId,
        /// The key's id from now on.
        key: KeyId,
        /// SubjectPublicKeyInfo, DER.
        spki: B64,
        /// Read back from the device.
        attributes: KeyAttributes,
    },
    /// Takes a rotation, or a certificate, a step further.
    Rotate(RotationCommand),
    /// Takes an incident a step further.
    Incident(IncidentCommand),
    /// Takes a revocation list a step further.
    List(CrlCommand),
    /// A device holds a key no longer.
    KeyDestroyed(ActionId),
    /// A device made another ledger key, or holds the standby.
    LedgerKeyMade {
        /// The action.
        action: ActionId,
        /// The key.
        vkey: Vkey,
        /// The kind of custody.
        custody: BackendName,
        /// Read back from the device.
        attributes: KeyAttributes,
        /// The next standby.
        next: NextVkey,
    },
    /// A device made the evidence key.
    EvidenceKeyMade {
        /// The action.
        action: ActionId,
        /// The key.
        key: KeyId,
        /// SubjectPublicKeyInfo, DER.
        spki: B64,
    },
    /// Stops something, now.
    Contain {
        /// Who.
        by: MemberId,
        /// What.
        target: Containment,
        /// The digest of the disclosure `reason`, if one was given.
        sd: Vec<B64>,
    },
    /// Authorises a signature.
    Authorize {
        /// Who asks.
        caller: Actor,
        /// For what.
        request: Box<SignRequest>,
    },
    /// Ends an authorisation by what the device answered.
    Settle {
        /// The seq of its `signature.authorized`.
        authorization: Seq,
        /// The answer.
        outcome: SigningOutcome,
    },
    /// Ends an authorisation whose outcome nobody knows.
    Abandon(Seq),
    /// Records outside evidence.
    RecordEvidence {
        /// Who.
        by: Actor,
        /// What.
        evidence: Box<EvidenceRecorded>,
        /// Digests of what was said about it, sorted as text.
        sd: Vec<B64>,
    },
    /// Records refused requests of one caller.
    RecordRefusal(RefusalRecorded),
    /// Records that an operator went on without a high-water file.
    AcceptHighWater {
        /// What the database held.
        root: Hash,
    },
    /// Records an object that no event explains.
    ReportUnexplained(CustodyUnexplained),
}
