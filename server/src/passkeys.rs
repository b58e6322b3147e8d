//! Passkeys made in browsers: registration by webauthn-rs-core, and what the ledger enrols of it.
//!
//! Nothing else here knows webauthn-rs-core. Approvals are not its business: their challenges are digests of documents,
//! and the ledger crate checks them, as the offline verifier does.

mod registration;
mod roots;
mod sign_in;
#[cfg(test)]
mod tests;

pub use registration::{
    Asked, Begun, CHALLENGE_LIFE_S, MadePasskey, PasskeyError, PasskeyResponse, begin, finish,
};
pub use roots::{AttestationRoots, RootsError};
pub use sign_in::{PasskeyAnswer, SIGN_IN_LIFE_S, SignIns, holds};
