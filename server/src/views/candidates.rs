//! Invitations that hold, in the few words that a page has for them; the API's own list says more.

use std::collections::BTreeSet;

use sealbook_ledger::policy::Role;
use sealbook_ledger::timestamp::Timestamp;
use sealbook_ledger::webauthn::Credential;
use serde::Deserialize as _;
use serde_json::Value;
use uuid::Uuid;

use super::ViewError;
use crate::store::candidates::CandidateRow;
use crate::store::{LedgerId, Store};

/// Somebody who was invited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invited {
    /// The invitation.
    pub candidate: Uuid,
    /// `enrolment`, or `credential` for another authenticator of a member.
    pub purpose: String,
    /// How they are called, if that was said.
    pub display_name: Option<String>,
    /// The roles that they are to be proposed with.
    pub roles: BTreeSet<Role>,
    /// The member that they will be, or are, once they have registered.
    pub member: Option<String>,
    /// The authenticator that they have registered.
    pub credential: Option<Credential>,
    /// When the invitation ends.
    pub expires_at: Timestamp,
}

/// Everybody whose invitation holds, founders left out: the ledger is founded.
pub async fn waiting(store: &Store, ledger: LedgerId, at: Timestamp) -> Result<Vec<Invited>, ViewError> {
    let rows = store.candidates(ledger).await?;
    let holds = |row: &&CandidateRow| {
        at < row.expires_at && matches!(row.purpose.as_str(), "enrolment" | "credential")
    };
    Ok(rows.iter().filter(holds).map(Invited::of).collect())
}

impl Invited {
    fn of(row: &CandidateRow) -> Self {
        let text = |path: &str| row.body.pointer(path).and_then(Value::as_str).map(str::to_owned);
        let roles = row.body.pointer("/roles").and_then(Value::as_array).into_iter().flatten();
        let registered = row.used_at.and_then(|_| row.body.pointer("/registered/credential"));
        Self {
            candidate: row.candidate,
            purpose: row.purpose.clone(),
            display_name: text("/display_name"),
            roles: roles.filter_map(Value::as_str).filter_map(|role| role.parse().ok()).collect(),
            member: row.used_at.and_then(|_| text("/registered/member")),
            credential: registered.and_then(|made| Credential::deserialize(made).ok()),
            expires_at: row.expires_at,
        }
    }
}
