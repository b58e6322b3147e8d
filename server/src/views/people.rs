//! The people of a ledger.

use sealbook_ledger::encoding::B64;
use sealbook_ledger::ids::{Aaguid, MemberId};
use sealbook_ledger::member::{Grant, HeldCredential, Member, Suspension};
use sealbook_ledger::policy::Role;
use sealbook_ledger::state::Founded;
use sealbook_ledger::timestamp::Timestamp;
use sealbook_ledger::webauthn::CredentialKind;
use serde::Serialize;
use utoipa::ToSchema;

use super::Names;
use crate::relying_parties::{Use, uses_of};

/// Whether somebody or something may act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It may.
    Active,
    /// Not for now.
    Suspended,
    /// Never again.
    Removed,
}

impl Standing {
    /// The standing's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Removed => "removed",
        }
    }

    /// The standing at a moment.
    pub fn at(removed: bool, suspension: Option<Suspension>, at: Timestamp) -> Self {
        match (removed, suspension) {
            (true, _) => Self::Removed,
            (false, Some(suspension)) if suspension.holds(at) => Self::Suspended,
            (false, _) => Self::Active,
        }
    }
}

/// A person.
#[derive(Debug, Serialize, ToSchema)]
pub struct MemberView {
    /// Who.
    #[schema(value_type = String, format = Uuid)]
    pub member: MemberId,
    /// How the person is called, if that is disclosed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// Whether the person may act.
    pub status: Standing,
    /// The roles that were not revoked.
    pub roles: Vec<GrantView>,
    /// The authenticators that were not removed.
    pub credentials: Vec<CredentialView>,
}

/// A role that a person holds, perhaps for a time.
#[derive(Debug, Serialize, ToSchema)]
pub struct GrantView {
    /// Which.
    #[schema(value_type = String, example = "approver")]
    pub role: Role,
    /// First moment that it holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub not_before: Option<Timestamp>,
    /// First moment that it no longer holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub not_after: Option<Timestamp>,
}

/// An authenticator of a person.
#[derive(Debug, Serialize, ToSchema)]
pub struct CredentialView {
    /// Its id, base64url.
    #[schema(value_type = String)]
    pub credential_id: B64,
    /// `hardware`, `synced`, `unattested` or `software`.
    #[schema(value_type = String, example = "software")]
    pub kind: CredentialKind,
    /// Whether its private key may be copied to other devices.
    pub backup_eligible: bool,
    /// Its make.
    #[schema(value_type = String, format = Uuid)]
    pub aaguid: Aaguid,
    /// What it is for: `approve`, `sign_in`, or both where the ledger's founders shared it.
    pub uses: &'static [Use],
    /// Whether it is believed.
    pub status: Standing,
}

/// The name of where a private key lives.
pub const fn kind_name(kind: CredentialKind) -> &'static str {
    match kind {
        CredentialKind::Hardware => "hardware",
        CredentialKind::Synced => "synced",
        CredentialKind::Unattested => "unattested",
        CredentialKind::Software => "software",
    }
}

impl MemberView {
    /// The view of a person at a moment.
    pub fn new(id: MemberId, member: &Member, founded: &Founded, names: &Names, at: Timestamp) -> Self {
        Self {
            member: id,
            display_name: names.member(id).map(str::to_owned),
            status: Standing::at(member.removed, member.suspension, at),
            roles: member.grants.iter().map(GrantView::from).collect(),
            credentials: member
                .credentials
                .iter()
                .map(|held| CredentialView::new(held, founded, at))
                .collect(),
        }
    }
}

impl From<&Grant> for GrantView {
    fn from(grant: &Grant) -> Self {
        Self { role: grant.role, not_before: grant.not_before, not_after: grant.not_after }
    }
}

impl CredentialView {
    fn new(held: &HeldCredential, founded: &Founded, at: Timestamp) -> Self {
        Self {
            credential_id: held.credential.credential_id.clone(),
            kind: held.credential.kind,
            backup_eligible: held.credential.backup_eligible,
            aaguid: held.credential.aaguid,
            uses: uses_of(&held.credential, founded.approval_rp()),
            status: Standing::at(false, held.suspension, at),
        }
    }
}
