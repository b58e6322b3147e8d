//! Payloads about members, credentials, roles and services.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::encoding::{B64, Hash};
use crate::ids::{ActionId, MemberId, ServiceId, SlotName};
use crate::policy::Role;
use crate::timestamp::Timestamp;
use crate::webauthn::Credential;

payload!(
    /// See [`super::Payload::CredentialAdded`].
    CredentialAdded {
        /// The action.
        action: ActionId,
        /// The authenticator.
        credential: Credential,
        /// Whose.
        member: MemberId,
    }
);

payload!(
    /// See [`super::Payload::CredentialRemoved`].
    CredentialRemoved {
        /// The action.
        action: ActionId,
        /// Which.
        credential_id: B64,
        /// Whose.
        member: MemberId,
    }
);

payload!(
    /// See [`super::Payload::MemberRecovered`].
    MemberRecovered {
        /// The action.
        action: ActionId,
        /// The authenticators that the member holds from now on, instead of all before.
        credentials: Vec<Credential>,
        /// Who.
        member: MemberId,
    }
);

/// Containment events: who did it is the event's actor.
macro_rules! suspension {
    ($(#[$doc:meta])* $name:ident { $($(#[$member_doc:meta])* $member:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            /// When it ends by itself; exactly where it would make its own lifting unreachable, 72 h on.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub lapses_at: Option<Timestamp>,
            $($(#[$member_doc])* pub $member: $type,)*
        }
    };
}

suspension!(
    /// See [`super::Payload::SlotSuspended`].
    SlotSuspended {
        /// Which.
        slot: SlotName,
    }
);
suspension!(
    /// See [`super::Payload::CredentialSuspended`].
    CredentialSuspended {
        /// Which.
        credential_id: B64,
        /// Whose.
        member: MemberId,
    }
);

suspension!(
    /// See [`super::Payload::MemberSuspended`].
    MemberSuspended {
        /// Who.
        member: MemberId,
    }
);

suspension!(
    /// See [`super::Payload::ServiceSuspended`].
    ServiceSuspended {
        /// Which.
        service: ServiceId,
    }
);

/// See [`super::Payload::MemberEnrolled`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemberEnrolled {
    /// The action; absent for founders.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<ActionId>,
    /// The authenticators, sorted by id as text.
    pub credentials: Vec<Credential>,
    /// Who.
    pub member: MemberId,
    /// The roles to begin with, untimed.
    pub roles: BTreeSet<Role>,
}

payload!(
    /// See [`super::Payload::MemberRemoved`].
    MemberRemoved {
        /// The action.
        action: ActionId,
        /// Who.
        member: MemberId,
    }
);

/// See [`super::Payload::MemberRestored`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemberRestored {
    /// The action.
    pub action: ActionId,
    /// The one credential; the member where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential_id: Option<B64>,
    /// Who.
    pub member: MemberId,
}

/// See [`super::Payload::RoleGranted`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoleGranted {
    /// The action.
    pub action: ActionId,
    /// To whom.
    pub member: MemberId,
    /// First moment that it no longer holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_after: Option<Timestamp>,
    /// First moment that it holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
    /// Which.
    pub role: Role,
}

payload!(
    /// See [`super::Payload::RoleRevoked`].
    RoleRevoked {
        /// The action.
        action: ActionId,
        /// From whom.
        member: MemberId,
        /// Which.
        role: Role,
    }
);

payload!(
    /// See [`super::Payload::ServiceEnrolled`].
    ServiceEnrolled {
        /// The action.
        action: ActionId,
        /// Which.
        service: ServiceId,
        /// The slots that it may use.
        slots: BTreeSet<SlotName>,
        /// First moment that the token no longer holds.
        token_expires_at: Timestamp,
        /// SHA-256 of the token's 32 bytes.
        token_sha256: Hash,
    }
);

/// See [`super::Payload::ServiceGranted`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceGranted {
    /// The action.
    pub action: ActionId,
    /// Which.
    pub service: ServiceId,
    /// The slots that it may use from now on.
    pub slots: BTreeSet<SlotName>,
    /// A new token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<crate::action::TokenGrant>,
}

payload!(
    /// See [`super::Payload::ServiceRemoved`].
    ServiceRemoved {
        /// The action.
        action: ActionId,
        /// Which.
        service: ServiceId,
    }
);

payload!(
    /// See [`super::Payload::ServiceRestored`].
    ServiceRestored {
        /// The action.
        action: ActionId,
        /// Which.
        service: ServiceId,
    }
);
