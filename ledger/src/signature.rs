//! Signatures: authorised before the device is touched, and ended by exactly one outcome.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::algorithm::{Algorithm, MAX_PURE_MESSAGE};
use crate::encoding::{Hash, HexBytes};
use crate::event::{Actor, Event};
use crate::ids::{ActionId, KeyId, Seq, SlotName};
use crate::member::suspended;
use crate::payload::{
    EvidenceRecorded, RefusalRecorded, SignatureAuthorized, SignatureCreated, SignatureWithheld, Subject,
    WithheldReason,
};
use crate::policy::{Caller, Role};
use crate::rule::Rule;
use crate::slot::KeyState;
use crate::state::Founded;
use crate::timestamp::Timestamp;

/// Longest life of an authorisation, in seconds: ten minutes.
pub const MAX_AUTHORIZATION_S: u32 = 10 * 60;

/// An authorisation that waits for its outcome. Until then it counts as signed in every report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// The slot.
    pub slot: SlotName,
    /// The key.
    pub key: KeyId,
    /// What it signs with.
    pub algorithm: Algorithm,
    /// What is signed.
    pub digest: HexBytes,
    /// Who asked.
    pub caller: Actor,
    /// First moment that the signature no longer may be released.
    pub expires_at: Timestamp,
    /// The place in an approved list that it used up.
    pub clearance: Option<(ActionId, u32)>,
}

impl Founded {
    /// The authorisations that wait for their outcomes, by seq.
    pub fn pending_signatures(&self) -> &BTreeMap<Seq, Pending> {
        &self.pending
    }

    pub(crate) fn pending(&self, seq: Seq) -> Result<&Pending, Rule> {
        self.pending.get(&seq).ok_or(Rule::SignatureUnknown)
    }

    pub(crate) fn judge_authorized(
        &self,
        authorized: &SignatureAuthorized,
        caller: Actor,
        at: Timestamp,
    ) -> Result<(), Rule> {
        self.judge_caller(&authorized.slot, caller, at)?;
        let slot = self.slot(&authorized.slot)?;
        if suspended(slot.suspension, at) {
            return Err(Rule::SlotSuspended);
        }
        let key = slot.active.and_then(|id| self.keys.get(&id)).ok_or(Rule::SlotKeyless)?;
        match key.state {
            KeyState::Active { .. } => {}
            KeyState::Revoked { .. } => return Err(Rule::KeyRevoked),
            KeyState::Generating { .. } | KeyState::NotGenerated | KeyState::PreActivation(_) => {
                return Err(Rule::SlotKeyless);
            }
        }
        let repeats = slot.active == Some(authorized.key)
            && slot.algorithm == authorized.algorithm
            && slot.policy_digest == authorized.policy;
        if !repeats {
            return Err(Rule::SignatureAlgorithm);
        }
        if !slot.signing_policy.environments.contains(&authorized.environment) {
            return Err(Rule::SignatureEnvironment);
        }
        judge_input(authorized)?;
        self.judge_clearance(authorized, slot, at)?;
        let ends = at.plus_seconds(MAX_AUTHORIZATION_S);
        if authorized.expires_at > at && authorized.expires_at <= ends {
            Ok(())
        } else {
            Err(Rule::SignatureLife)
        }
    }

    /// Whether a caller may use a slot at all; decided before anything about the slot is said.
    pub fn judge_caller(&self, name: &SlotName, caller: Actor, at: Timestamp) -> Result<(), Rule> {
        match caller {
            Actor::Service(id) => {
                let service = self.active_service(id, at)?;
                if !service.slots.contains(name) {
                    return Err(Rule::ServiceSlot);
                }
                let slot = self.slot(name)?;
                if slot.signing_policy.callers.contains(&Caller::Services) {
                    Ok(())
                } else {
                    Err(Rule::RoleMissing)
                }
            }
            Actor::Member(id) => {
                self.require_role(id, Role::PackagingEngineer, at)?;
                let slot = self.slot(name)?;
                let allowed = slot.signing_policy.callers.contains(&Caller::PackagingEngineers);
                if allowed { Ok(()) } else { Err(Rule::RoleMissing) }
            }
            Actor::System => Err(Rule::Actor),
        }
    }

    /// What bars a signature's release at a moment; revocation weighs more than suspension, suspension more than time.
    pub fn release_bar(&self, pending: &Pending, at: Timestamp) -> Option<WithheldReason> {
        let key_active =
            self.keys.get(&pending.key).is_some_and(|key| matches!(key.state, KeyState::Active { .. }));
        let (caller_gone, caller_suspended) = match pending.caller {
            Actor::Member(id) => match self.members.get(&id) {
                Some(member) => (member.removed, suspended(member.suspension, at)),
                None => (true, false),
            },
            Actor::Service(id) => match self.services.get(&id) {
                Some(service) => (service.removed, suspended(service.suspension, at)),
                None => (true, false),
            },
            Actor::System => (true, false),
        };
        let slot_suspended = self.slots.get(&pending.slot).is_none_or(|slot| suspended(slot.suspension, at));
        if !key_active || caller_gone {
            Some(WithheldReason::Revoked)
        } else if slot_suspended || caller_suspended {
            Some(WithheldReason::Suspended)
        } else if at >= pending.expires_at {
            Some(WithheldReason::Expired)
        } else {
            None
        }
    }

    pub(crate) fn judge_created(&self, created: &SignatureCreated, at: Timestamp) -> Result<(), Rule> {
        let pending = self.pending(created.authorization)?;
        if self.release_bar(pending, at).is_some() {
            return Err(Rule::ReleaseBarred);
        }
        let spki =
            self.keys.get(&pending.key).and_then(|key| key.material()).map(|material| material.spki_sha256);
        let repeats = created.key == pending.key
            && created.algorithm == pending.algorithm
            && created.digest == pending.digest
            && Some(created.spki_sha256) == spki;
        if repeats { Ok(()) } else { Err(Rule::SignatureAlgorithm) }
    }

    pub(crate) fn judge_withheld(&self, withheld: &SignatureWithheld, at: Timestamp) -> Result<(), Rule> {
        let pending = self.pending(withheld.authorization)?;
        if self.release_bar(pending, at) == Some(withheld.reason) {
            Ok(())
        } else {
            Err(Rule::ReleaseNotBarred)
        }
    }

    pub(crate) fn judge_abandoned(&self, authorization: Seq, at: Timestamp) -> Result<(), Rule> {
        let pending = self.pending(authorization)?;
        if at >= pending.expires_at { Ok(()) } else { Err(Rule::SignatureNotExpired) }
    }

    pub(crate) fn apply_authorized(&mut self, authorized: &SignatureAuthorized, event: &Event) {
        let pending = Pending {
            slot: authorized.slot.clone(),
            key: authorized.key,
            algorithm: authorized.algorithm,
            digest: authorized.digest.clone(),
            caller: event.actor,
            expires_at: authorized.expires_at,
            clearance: authorized.clearance.as_ref().map(|used| (used.action, used.index)),
        };
        if let Some(used) = &authorized.clearance {
            self.use_clearance(used);
        }
        Arc::make_mut(&mut self.pending).insert(event.seq, pending);
    }

    /// Ends an authorisation for which the device did not sign.
    pub(crate) fn settle_unsigned(&mut self, authorization: Seq) {
        let cleared = self.pending.get(&authorization).and_then(|pending| pending.clearance);
        if let Some(place) = cleared {
            self.give_back(place);
        }
        self.settle(authorization);
    }

    pub(crate) fn settle(&mut self, authorization: Seq) {
        Arc::make_mut(&mut self.pending).remove(&authorization);
    }

    pub(crate) fn judge_evidence(&self, recorded: &EvidenceRecorded, event: &Event) -> Result<(), Rule> {
        match event.actor {
            Actor::Member(id) => self.active_member(id, event.time).map(drop)?,
            Actor::Service(id) => self.active_service(id, event.time).map(drop)?,
            Actor::System => return Err(Rule::Actor),
        }
        let known = match &recorded.subject {
            Subject::Action(id) => self.actions.contains_key(id) || self.closed.contains_key(id),
            Subject::Event(seq) => *seq < event.seq,
            Subject::Key(id) => self.keys.contains_key(id),
            Subject::Member(id) => self.members.contains_key(id),
            Subject::Service(id) => self.services.contains_key(id),
            Subject::Slot(name) => self.slots.contains_key(name),
        };
        if known { Ok(()) } else { Err(Rule::EvidenceSubject) }
    }

    pub(crate) fn judge_refusal(&self, refused: &RefusalRecorded, at: Timestamp) -> Result<(), Rule> {
        let known = match refused.caller {
            Actor::Member(id) => self.members.contains_key(&id),
            Actor::Service(id) => self.services.contains_key(&id),
            Actor::System => false,
        };
        let minute = refused.minute == refused.minute.minute() && refused.minute <= at;
        if known && minute && refused.count > 0 { Ok(()) } else { Err(Rule::RefusalForm) }
    }
}

/// A digest of the algorithm's length; the message beside it exactly where the algorithm needs one.
fn judge_input(authorized: &SignatureAuthorized) -> Result<(), Rule> {
    let algorithm = authorized.algorithm;
    if authorized.digest.0.len() != algorithm.digest().byte_len() {
        return Err(Rule::DigestLength);
    }
    match &authorized.message {
        None if !algorithm.needs_message() => Ok(()),
        Some(message) if algorithm.needs_message() => {
            let same = Hash(message.sha256.0).0.as_slice() == authorized.digest.0.as_slice();
            let short = message.size <= MAX_PURE_MESSAGE as u64;
            if same && short { Ok(()) } else { Err(Rule::MessageForm) }
        }
        Some(_) | None => Err(Rule::MessageForm),
    }
}
