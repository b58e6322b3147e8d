//! What a person's passkeys are for: one approves, and where the founders wanted it so, another one signs in.

use sealbook_ledger::state::Founded;
use sealbook_ledger::webauthn::{ApprovalRp, Credential};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a passkey is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Use {
    /// It signs the founding, proposals and decisions.
    Approve,
    /// It signs in.
    SignIn,
}

impl Use {
    /// The use's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::SignIn => "sign_in",
        }
    }
}

/// For whom the passkeys of one ledger's people are made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelyingParties {
    approval: ApprovalRp,
    /// Where approvals and sign-ins are apart.
    sign_in: Option<ApprovalRp>,
}

impl RelyingParties {
    /// The relying party of a ledger's approvals, and the id of passkeys that only sign in. That one is of no account
    /// where approval credentials sign in as well.
    pub fn new(approval: ApprovalRp, sign_in_id: Option<String>) -> Self {
        let apart = sign_in_id.filter(|id| !approval.shared && *id != approval.id);
        let sign_in = apart.map(|id| ApprovalRp { id, ..approval.clone() });
        Self { approval, sign_in }
    }

    /// Those of a founded ledger, on a server that has this relying party for signing in.
    pub fn in_force(founded: &Founded, sign_in: Option<&ApprovalRp>) -> Self {
        Self::new(founded.approval_rp().clone(), sign_in.map(|rp| rp.id.clone()))
    }

    /// What people register by one link, in this order.
    pub fn uses(&self) -> &'static [Use] {
        if self.sign_in.is_some() { &[Use::Approve, Use::SignIn] } else { &[Use::Approve] }
    }

    /// Whom those that approve are made for.
    pub fn approval(&self) -> &ApprovalRp {
        &self.approval
    }

    /// Whom passkeys for a use are made for, where they are made at all.
    pub fn of(&self, wanted: Use) -> Option<&ApprovalRp> {
        match wanted {
            Use::Approve => Some(&self.approval),
            Use::SignIn => self.sign_in.as_ref(),
        }
    }
}

/// Whether a credential may sign in to a ledger whose approvals are made for `approval`: one that approves may only where
/// the founders shared it, for a server could otherwise disguise an approval as a sign-in.
pub fn may_sign_in(credential: &Credential, approval: &ApprovalRp) -> bool {
    credential.rp_id != approval.id || approval.shared
}

/// What a credential of a ledger is for.
pub fn uses_of(credential: &Credential, approval: &ApprovalRp) -> &'static [Use] {
    match (credential.rp_id == approval.id, may_sign_in(credential, approval)) {
        (true, true) => &[Use::Approve, Use::SignIn],
        (true, false) => &[Use::Approve],
        (false, _) => &[Use::SignIn],
    }
}
