//! Payloads of dual-control actions.

use serde::{Deserialize, Serialize};

use crate::action::ActionDocument;
use crate::encoding::B64;
use crate::event::Actor;
use crate::ids::{ActionId, MemberId, ProposerId, ServiceId};
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

/// See [`super::Payload::ActionProposed`]. The members of [`SignedProposal`] stand flat beside `document`, all or none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "FlatProposal", into = "FlatProposal")]
pub struct ActionProposed {
    /// What is asked for, whole.
    pub document: ActionDocument,
    /// A member's signature. A service's proposal has none: it asks for approval of signatures alone. Nor has the server's:
    /// it proposes rotations that are due (rules version 2). Neither decides anything.
    pub signed: Option<SignedProposal>,
}

/// A member's assertion over a proposal; the challenge's context is `sealbook proposal v1`.
#[derive(Debug, Clone, PartialEq)]
pub struct SignedProposal {
    /// WebAuthn §6.1.
    pub authenticator_data: B64,
    /// WebAuthn §5.8.1.
    pub client_data_json: B64,
    /// Which of the member's authenticators.
    pub credential_id: B64,
    /// Who asks.
    pub member: MemberId,
    /// In which role.
    pub role: Role,
    /// Over `authenticator_data` and the hash of `client_data_json`.
    pub signature: B64,
}

impl ActionProposed {
    /// Whose proposal it is.
    pub fn actor(&self) -> Actor {
        match &self.signed {
            Some(signed) => Actor::Member(signed.member),
            None => match self.document.proposed_by {
                ProposerId::Id(id) => Actor::Service(ServiceId::from(id)),
                ProposerId::Server => Actor::System,
            },
        }
    }
}

/// The members as they are written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FlatProposal {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    authenticator_data: Option<B64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    client_data_json: Option<B64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    credential_id: Option<B64>,
    document: ActionDocument,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    member: Option<MemberId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    role: Option<Role>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    signature: Option<B64>,
}

/// A proposal with some members of an assertion, and without others.
#[derive(Debug, thiserror::Error)]
#[error("a proposal carries a whole assertion, with member and role, or nothing of it")]
struct HalfSigned;

impl TryFrom<FlatProposal> for ActionProposed {
    type Error = HalfSigned;

    fn try_from(flat: FlatProposal) -> Result<Self, HalfSigned> {
        let FlatProposal { authenticator_data, client_data_json, credential_id, document, .. } = flat;
        let (member, role, signature) = (flat.member, flat.role, flat.signature);
        let signed = match (authenticator_data, client_data_json, credential_id, member, role, signature) {
            (None, None, None, None, None, None) => None,
            (
                Some(authenticator_data),
                Some(client_data_json),
                Some(credential_id),
                Some(member),
                Some(role),
                Some(signature),
            ) => Some(SignedProposal {
                authenticator_data,
                client_data_json,
                credential_id,
                member,
                role,
                signature,
            }),
            _ => return Err(HalfSigned),
        };
        Ok(Self { document, signed })
    }
}

impl From<ActionProposed> for FlatProposal {
    fn from(proposed: ActionProposed) -> Self {
        let ActionProposed { document, signed } = proposed;
        let unsigned = Self {
            authenticator_data: None,
            client_data_json: None,
            credential_id: None,
            document,
            member: None,
            role: None,
            signature: None,
        };
        match signed {
            None => unsigned,
            Some(signed) => Self {
                authenticator_data: Some(signed.authenticator_data),
                client_data_json: Some(signed.client_data_json),
                credential_id: Some(signed.credential_id),
                member: Some(signed.member),
                role: Some(signed.role),
                signature: Some(signed.signature),
                ..unsigned
            },
        }
    }
}

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
