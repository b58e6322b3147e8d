//! People and machine clients, and their containment.

use std::collections::BTreeSet;

use sealbook_ledger::encoding::B64;
use sealbook_ledger::ids::{Correlation, MemberId, Seq, ServiceId, SlotName};
use sealbook_ledger::policy::Role;
use sealbook_ledger::timestamp::Timestamp;
use sealbook_ledger::webauthn::Credential;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::relying_parties::Use;

answer!(
    /// `GET …/members`.
    Members {
        /// Everybody ever enrolled.
        members: Vec<Member>,
    }
);
answer!(
    /// A person.
    Member {
        /// Who.
        member: MemberId,
        /// The name, where it is disclosed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        display_name: Option<String>,
        /// `active`, `suspended` or `removed`.
        status: String,
        /// The roles, some for a time.
        #[serde(default)]
        roles: Vec<RoleGrant>,
        /// The authenticators.
        #[serde(default)]
        credentials: Vec<HeldCredential>,
    }
);
answer!(
    /// A role that somebody holds.
    RoleGrant {
        /// Which.
        role: Role,
        /// First moment that it holds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        not_before: Option<Timestamp>,
        /// First moment that it no longer holds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        not_after: Option<Timestamp>,
    }
);
answer!(
    /// An authenticator that somebody holds.
    HeldCredential {
        /// Its id.
        credential_id: B64,
        /// `hardware`, `synced`, `unattested` or `software`.
        kind: String,
        /// `active` or `suspended`.
        status: String,
    }
);

/// An invitation, with its ticket. Never shown whole: the ticket is a secret.
#[derive(Deserialize)]
pub struct Invited {
    /// Its id.
    pub candidate: String,
    /// The ticket.
    pub ticket: Zeroizing<String>,
    /// The page that a link with the ticket leads to.
    pub page_url: String,
    /// First moment that it no longer holds.
    pub expires_at: Timestamp,
}

answer!(
    /// A candidate who registered.
    RegisteredCandidate {
        /// The invitation.
        candidate: String,
        /// The member to be.
        member: MemberId,
        /// What is to be registered next.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next: Option<Use>,
    }
);
answer!(
    /// `GET …/invitation`.
    Invitation {
        /// What is to be registered next.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next: Option<Use>,
    }
);
answer!(
    /// `GET …/candidates`.
    Candidates {
        /// Those whose invitation holds.
        candidates: Vec<Candidate>,
    }
);
answer!(
    /// Somebody who was invited.
    Candidate {
        /// The invitation.
        candidate: String,
        /// `enrolment` or `credential`.
        purpose: String,
        /// The member to be, once registered.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        member: Option<MemberId>,
        /// The name.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        display_name: Option<String>,
        /// The roles to begin with.
        roles: BTreeSet<Role>,
        /// The authenticator, once registered.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        credential: Option<Credential>,
        /// Every authenticator that was registered.
        #[serde(default)]
        credentials: Vec<Credential>,
        /// First moment that the invitation no longer holds.
        expires_at: Timestamp,
    }
);
answer!(
    /// `GET …/services`.
    Services {
        /// All ever enrolled.
        services: Vec<Service>,
    }
);
answer!(
    /// A machine client.
    Service {
        /// Which.
        service: ServiceId,
        /// The name, where it is disclosed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        display_name: Option<String>,
        /// `active`, `suspended` or `removed`.
        status: String,
        /// The slots that it may use.
        slots: BTreeSet<SlotName>,
        /// First moment that its token no longer holds.
        token_expires_at: Timestamp,
    }
);
answer!(
    /// A suspension that was just recorded.
    Suspended {
        /// The event.
        seq: Seq,
        /// The work that it belongs to.
        correlation: Correlation,
        /// When it ends by itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        lapses_at: Option<Timestamp>,
    }
);
