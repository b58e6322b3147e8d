//! Why a release is refused: a stable code, and a sentence that says which part and what was found.

use std::fmt;

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident $code:literal;)+) => {
        /// The stable codes of refusals.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $($(#[$doc])* $variant,)+
        }

        impl Code {
            /// Every code.
            pub const ALL: [Self; [$($code),+].len()] = [$(Self::$variant),+];

            /// The code as it is written.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $code,)+ }
            }
        }
    };
}

codes! {
    /// The algorithm is none of the registry, or not that of the slot.
    Algorithm "release.algorithm";
    /// A file has another digest than the list says.
    Checksum "release.checksum";
    /// The list of digests is missing, or is not one.
    Checksums "release.checksums";
    /// A control is not there.
    ControlMissing "release.control_missing";
    /// A control is there and does not hold.
    ControlUnmet "release.control_unmet";
    /// Nothing says where the private key is kept, and what leaves that place.
    CustodyBoundary "release.custody_boundary";
    /// The release evidence is missing, or is not one.
    Evidence "release.evidence";
    /// The release evidence and the other papers differ.
    EvidenceMismatch "release.evidence_mismatch";
    /// A file of the list is not there.
    FileMissing "release.file_missing";
    /// The public key beside the papers is not the one that signed.
    Key "release.key";
    /// The key that signed is revoked.
    KeyRevoked "release.key_revoked";
    /// The papers are of a ledger, or under a ledger key, that was not pinned.
    Ledger "release.ledger";
    /// Something that is neither file nor folder.
    Link "release.link";
    /// A file's name that a release can't have.
    Name "release.name";
    /// The operations manifest is not one.
    Operations "release.operations";
    /// There is no operations manifest, or more than one.
    OperationsMissing "release.operations_missing";
    /// The provenance is missing, or is not one.
    Provenance "release.provenance";
    /// The provenance and the other papers differ.
    ProvenanceMismatch "release.provenance_mismatch";
    /// A receipt does not hold under the pinned key.
    Receipt "release.receipt";
    /// The receipt of an event that the papers cite is not there.
    ReceiptMissing "release.receipt_missing";
    /// Nothing says how a key is revoked, and what has to be shown then.
    Revocation "release.revocation";
    /// The revocation evidence is incomplete, or does not hold.
    RevocationEvidence "release.revocation_evidence";
    /// A key of the slot was revoked, and nothing tells what of it.
    RevocationEvidenceMissing "release.revocation_evidence_missing";
    /// Nothing says how often the key is replaced.
    Rotation "release.rotation";
    /// A signature's paper is not what the signature's events make.
    Signature "release.signature";
    /// A signature does not hold.
    SignatureFalse "release.signature_false";
    /// Something that has to be signed is not.
    SignatureMissing "release.signature_missing";
    /// The operations manifest says something else than its events.
    Statement "release.statement";
    /// More or larger files than a release has.
    TooLarge "release.too_large";
    /// A file that nothing names.
    Unlisted "release.unlisted";
    /// A paper of a version that is not known here.
    Version "release.version";
}

impl Code {
    /// Whether nothing was judged: a later program may know better.
    pub const fn is_undecided(self) -> bool {
        matches!(self, Self::Version)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a release is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{sentence}")]
pub struct Refusal {
    /// The stable code.
    pub code: Code,
    /// What was found, and where.
    pub sentence: String,
}

impl Refusal {
    /// A refusal.
    pub fn new(code: Code, sentence: impl Into<String>) -> Self {
        Self { code, sentence: sentence.into() }
    }
}

impl Code {
    /// A refusal with this code.
    pub fn saying(self, sentence: impl Into<String>) -> Refusal {
        Refusal::new(self, sentence)
    }
}
