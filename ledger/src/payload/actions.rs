//! Payloads of dual-control actions.

use serde::{Deserialize, Serialize};

use crate::action::ActionDocument;
use crate::encoding::B64;
use crate::ids::{ActionId, MemberId};
use crate::policy::Role;
use crate::timestamp::Timestamp;

/// A decision on an action, carried by the deciding member's assertion over the action's document.
macro_rules! signed_decision {
    ($(#[$doc:meta])* $name:ident) => {
        payload!($(#[$doc])* $name {
            /// The action.
            action: ActionId,
            /// WebAuthn §6.1.
            authenticator_data: B64,
            /// WebAuthn §5.8.1.
            client_data_json: B64,
            /// Which of the member's authenticators.
            credential_id: B64,
            /// Who.
            member: MemberId,
            /// In which role.
            role: Role,
            /// Over `authenticator_data` and the hash of `client_data_json`.
            signature: B64,
        });
    };
}

signed_decision!(
    /// See [`super::Payload::ActionApproved`]; the challenge's context is `sealbook approval v1`.
    ActionApproved
);

signed_decision!(
    /// See [`super::Payload::ActionRejected`]; the challenge's context is `sealbook rejection v1`.
    ActionRejected
);

signed_decision!(
    /// See [`super::Payload::ActionCancelled`]; the challenge's context is `sealbook cancellation v1`.
    ActionCancelled
);

payload!(
    /// See [`super::Payload::ActionProposed`]; the challenge's context is `sealbook proposal v1`.
    ActionProposed {
        /// WebAuthn §6.1.
        authenticator_data: B64,
        /// WebAuthn §5.8.1.
        client_data_json: B64,
        /// Which of the member's authenticators.
        credential_id: B64,
        /// What is asked for, whole.
        document: ActionDocument,
        /// Who asks.
        member: MemberId,
        /// In which role.
        role: Role,
        /// Over `authenticator_data` and the hash of `client_data_json`.
        signature: B64,
    }
);

payload!(
    /// See [`super::Payload::ActionExecuting`].
    ActionExecuting {
        /// The action.
        action: ActionId,
        /// First moment that its effects no longer may be recorded.
        expires_at: Timestamp,
    }
);

payload!(
    /// See [`super::Payload::ActionExecuted`].
    ActionExecuted {
        /// The action.
        action: ActionId,
    }
);

payload!(
    /// See [`super::Payload::ActionFailed`].
    ActionFailed {
        /// The action.
        action: ActionId,
        /// A stable word for why.
        code: FailureCode,
    }
);

payload!(
    /// See [`super::Payload::ActionExpired`].
    ActionExpired {
        /// The action.
        action: ActionId,
    }
);

payload!(
    /// See [`super::Payload::ActionVoided`].
    ActionVoided {
        /// The action.
        action: ActionId,
    }
);

/// A word for why something failed: stable, lower-case, of letters, digits, dots and underscores.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FailureCode(String);

impl FailureCode {
    /// The word.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for FailureCode {
    type Err = crate::ids::InvalidId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let clean = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'.' || b == b'_';
        if (1..=64).contains(&text.len()) && text.bytes().all(clean) {
            Ok(Self(text.to_owned()))
        } else {
            Err(crate::ids::InvalidId { what: "code", why: "1 to 64 of a-z, 0-9, `.` and `_`" })
        }
    }
}

impl std::fmt::Display for FailureCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

crate::ids::serde_as_text!(FailureCode);
