//! Steps of revocation lists.

use crate::encoding::B64;
use crate::ids::{ActionId, KeyId, Seq};
use crate::payload::FailureCode;

/// A step of a revocation list.
#[derive(Debug, Clone)]
pub enum CrlCommand {
    /// Has a CA's key sign a list.
    Authorize {
        /// The CA's key.
        key: KeyId,
        /// How long the list is to last.
        lasting: CrlLife,
        /// How long the signature may take, in seconds.
        life_s: u32,
    },
    /// Ends that by what the device answered.
    Settle {
        /// The seq of its `crl.authorized`.
        authorization: Seq,
        /// The answer; a signature was verified before it comes here.
        outcome: CrlOutcome,
    },
}

/// How long a list lasts.
#[derive(Debug, Clone, Copy)]
pub enum CrlLife {
    /// Until the next one, in seconds.
    Seconds(u32),
    /// For ever: its key is destroyed by this action.
    Last(ActionId),
}

/// What a CA's device answered.
#[derive(Debug, Clone)]
pub enum CrlOutcome {
    /// It signed.
    Signed(B64),
    /// It did not, or wrongly.
    Failed(FailureCode),
    /// Nobody knows, and the authorisation has expired.
    Abandoned,
}
