//! The pure core of Sealbook: what is recorded, which rules allow it, and how anybody checks it afterwards.
//!
//! Nothing here performs IO of its own, reads a clock or draws randomness: those are arguments. The modules, in the
//! order data flows:
//!
//! - words that cannot be wrong: [`ids`], [`encoding`], [`timestamp`], [`algorithm`], [`attributes`], [`attachment`]
//! - the bytes that are hashed and signed: [`canonical`]
//! - what is recorded: [`event`] (the envelope), [`payload`] (the catalogue), [`action`], [`policy`]
//! - what binds it: [`chain`], [`merkle`], [`note`], [`checkpoint`], [`receipt`]
//! - who signed it: [`webauthn`], [`public_key`]; and who says whose key that is: [`certificate`]
//! - what is allowed: [`rule`], [`state`], and one noun a file: [`founding`], [`member`], [`reachability`], [`recovery`],
//!   [`approval`], [`effect`], [`slot`], [`clearance`], [`signature`], [`rotation`], [`issuance`], [`gate`], [`recent`], [`reporting`]
//! - what leaves the house, and how anybody checks it: [`disclosure`], [`bundle`], [`pack`], [`verify`], [`sample`],
//!   [`blast_radius`]
//! - what somebody asks, and what becomes of it: [`command`], [`decide`](mod@decide)
//! - what makes starting quick: [`snapshot`]

pub mod action;
mod adoption;
pub mod algorithm;
pub mod approval;
pub mod attachment;
pub mod attributes;
pub mod blast_radius;
pub mod bundle;
pub mod canonical;
pub mod certificate;
pub mod chain;
pub mod checkpoint;
pub mod clearance;
pub mod command;
pub mod decide;
pub mod disclosure;
pub mod effect;
pub mod encoding;
pub mod event;
pub mod evidence;
pub mod founding;
pub mod gate;
pub mod ids;
pub mod incident;
pub mod issuance;
pub mod member;
pub mod merkle;
pub mod note;
#[cfg(test)]
mod openssl_for_tests;
pub mod pack;
pub mod payload;
pub mod policy;
mod prechecked;
pub mod public_key;
mod quorum;
pub mod reachability;
pub mod receipt;
pub mod recent;
pub mod recovery;
pub mod reporting;
pub mod revocation;
pub mod rotation;
pub mod rule;
pub mod sample;
pub mod signature;
pub mod slot;
pub mod snapshot;
pub mod state;
pub mod timestamp;
pub mod trust_root;
pub mod verify;
pub mod webauthn;
