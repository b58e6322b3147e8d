//! Assertions that were checked ahead of the rules.

use std::collections::BTreeSet;

use crate::encoding::Hash;
use crate::webauthn::{self, ApprovalRp, Assertion, Credential};

/// Assertions that were checked before, by fingerprint of everything that goes into the check.
///
/// The server checks assertions before it takes the ledger's lock; the rules find them here and don't check twice.
/// An empty set is always right: then the rules check for themselves.
#[derive(Debug, Clone, Default)]
pub struct Prechecked(BTreeSet<Hash>);

impl Prechecked {
    /// Checks an assertion and remembers that it holds.
    pub fn check(
        &mut self,
        assertion: &Assertion,
        credential: &Credential,
        rp: &ApprovalRp,
        challenge: Hash,
    ) -> Result<(), webauthn::AssertionError> {
        webauthn::verify(assertion, credential, rp, challenge)?;
        self.0.insert(webauthn::fingerprint(assertion, credential, rp, challenge));
        Ok(())
    }

    pub(crate) fn holds(
        &self,
        assertion: &Assertion,
        credential: &Credential,
        rp: &ApprovalRp,
        challenge: Hash,
    ) -> bool {
        (!self.0.is_empty() && self.0.contains(&webauthn::fingerprint(assertion, credential, rp, challenge)))
            || webauthn::verify(assertion, credential, rp, challenge).is_ok()
    }
}
