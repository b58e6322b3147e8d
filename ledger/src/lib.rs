//! The pure core of Sealbook: what is recorded, which rules allow it, and how anybody checks it afterwards.
//!
//! Nothing here performs IO of its own, reads a clock or draws randomness: those are arguments. The modules, in the
//! order data flows:
//!
//! - [`ids`], [`encoding`], [`timestamp`], [`algorithm`]: words that cannot be wrong
//! - [`canonical`]: the bytes that are hashed and signed

pub mod algorithm;
pub mod attachment;
pub mod attributes;
pub mod canonical;
pub mod encoding;
pub mod ids;
pub mod public_key;
pub mod timestamp;
pub mod webauthn;
