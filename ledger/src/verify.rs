//! Verification: the five layers of a verdict, and the first failure named (ledger format §8).
//!
//! - **bytes**: every event is its own canonical form; the archive and what it discloses are in order
//! - **chain**: every event names the hash of the one before it
//! - **seals**: the signed roots are those of the events, and the keys lead back to one that the user pinned
//! - **rules**: every event was allowed by the state before it
//! - **signatures**: every released signature holds under its recorded key, every attestation under the roots given
//!
//! [`Verifier`] takes events one by one and knows nothing of bundles: the server's sealer runs the very same one over
//! what it reads back from storage. [`verify_bundle`], [`verify_receipt`] and [`verify_artifact`] are what auditors run.

mod artifact;
mod attestations;
mod crew;
mod disclosures;
mod failure;
mod incremental;
mod ledger;
mod pack;
mod read;
mod receipts;
mod render;
mod report;
mod seals;
mod signatures;
mod trust_root;

pub use artifact::{Signed, verify_artifact};
pub use failure::{Failure, Layer, Place};
pub use incremental::{LayerState, Pushed, ResumeError, Stopped, Verifier};
pub use ledger::verify_bundle;
pub use pack::{PACK_START, verify_pack};
pub use read::Read;
pub use receipts::verify_receipt;
pub use render::{Style, render};
pub use report::{Founding, LayerReport, NotChecked, Report, Step, Subject, Verdict};
pub use trust_root::verify_trust_root;

use crate::checkpoint::SignedCheckpoint;
use crate::encoding::Hash;
use crate::note::Vkey;
use crate::webauthn::attestation::AttestationRoots;

/// What the user brings along. Trust starts here, never in what is verified.
#[derive(Debug, Clone, Default)]
pub struct Pins {
    /// Ledger keys, of any age: a later one covers all earlier events.
    pub vkeys: Vec<Vkey>,
    /// The digest that the founders signed.
    pub founding: Option<Hash>,
    /// A checkpoint that is believed as it stands: the ledger must extend it.
    pub known: Option<SignedCheckpoint>,
    /// Whether to check every signature that was released.
    pub signatures: bool,
    /// Makers of authenticators that are believed: every `hardware` credential has to lead to one of them.
    pub attestation_roots: Option<AttestationRoots>,
}
