//! Recovery: two authenticators, sealed at the founding, that together give a member others, and do nothing else.
//!
//! The proposer's signature and the other one's approval are the two; 72 hours lie between the proposal and its effect,
//! in which any member may refuse it. How it is decided is fixed: no ledger policy can loosen or widen it.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::action::{ActionType, MemberRecoverParams};
use crate::event::Event;
use crate::member::{HeldCredential, Member, credentials_are_well_formed, key_bytes};
use crate::payload::MemberRecovered;
use crate::policy::Role;
use crate::rule::Rule;
use crate::state::{Founded, OpenAction};
use crate::timestamp::Timestamp;

/// How long a recovery can be refused before it takes effect, in seconds: 72 hours.
pub const RECOVERY_WAIT_S: u32 = 72 * 60 * 60;

/// A recovery authenticator is for recovery alone.
pub(crate) fn recovery_stands_alone(roles: &BTreeSet<Role>) -> bool {
    !roles.contains(&Role::Recovery) || roles.len() == 1
}

impl Founded {
    /// Whether an action that is fully approved has waited long enough.
    pub(crate) fn has_waited(action: &OpenAction, at: Timestamp) -> bool {
        action.document.kind() != ActionType::MemberRecover
            || at >= action.proposal.at.plus_seconds(RECOVERY_WAIT_S)
    }

    pub(crate) fn permits_recovery(&self, params: &MemberRecoverParams) -> Result<(), Rule> {
        let member = self.members.get(&params.member).ok_or(Rule::MemberUnknown)?;
        if member.removed {
            return Err(Rule::MemberInactive);
        }
        // What re-enrols others is not itself re-enrolled by them.
        if member.grants.iter().any(|grant| grant.role == Role::Recovery) {
            return Err(Rule::RoleSeparation);
        }
        if !credentials_are_well_formed(&params.credentials, &self.approval_rp) {
            return Err(Rule::CredentialForm);
        }
        params
            .credentials
            .iter()
            .try_for_each(|credential| self.permits_credential(credential, params.member))
    }

    pub(crate) fn apply_recovered(&mut self, recovered: &MemberRecovered, event: &Event) {
        let held = recovered.credentials.iter().map(|credential| HeldCredential {
            credential: credential.clone(),
            since: event.seq,
            suspension: None,
            interrupted: None,
        });
        let held: Vec<HeldCredential> = held.collect();
        if let Some(member) = Arc::make_mut(&mut self.members).get_mut(&recovered.member) {
            // A suspension stays: lifting containment takes a quorum.
            *member = Member { credentials: held, ..member.clone() };
        }
        let owners = recovered.credentials.iter().map(|c| (key_bytes(c), recovered.member));
        Arc::make_mut(&mut self.key_owners).extend(owners);
    }
}
