//! The life of a dual-control action: proposed, approved, executing, and its several ends.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::action::{ActionDocument, ActionType, MAX_ACTION_LIFE_S, Params};
use crate::encoding::B64;
use crate::event::{Actor, Event, sd_is_well_formed};
use crate::ids::{ActionId, MemberId};
use crate::payload::{
    ActionApproved, ActionCancelled, ActionExecuting, ActionProposed, ActionRejected, Payload, SignedProposal,
};
use crate::policy::{Environment, Proposer, Role};
use crate::quorum::{self, Candidate};
use crate::rule::Rule;
use crate::state::{Approval, Closure, Founded, OpenAction, Prechecked, Progress, Proposal, Stage};
use crate::timestamp::Timestamp;
use crate::webauthn::{Assertion, Credential, Purpose};

/// Longest time that an action may take effect, in seconds: one hour.
pub const MAX_EXECUTION_S: u32 = 60 * 60;

/// The members that a signed decision carries, borrowed from whichever event carries them.
struct Signed<'a> {
    member: MemberId,
    role: Role,
    assertion: Assertion,
    purpose: Purpose,
    document: &'a [u8],
}

macro_rules! assertion_of {
    ($payload:expr) => {
        Assertion::new(
            $payload.credential_id.clone(),
            $payload.authenticator_data.clone(),
            $payload.client_data_json.clone(),
            $payload.signature.clone(),
        )
        .map_err(|_| Rule::AssertionInvalid)?
    };
}

impl Founded {
    /// The actions that have not ended.
    pub fn actions(&self) -> &BTreeMap<ActionId, OpenAction> {
        &self.actions
    }

    /// How an action ended, if it did.
    pub fn closure(&self, id: ActionId) -> Option<Closure> {
        self.closed.get(&id).copied()
    }

    /// The open action of an id; says whether it ended or never was.
    pub fn action(&self, id: ActionId) -> Result<&OpenAction, Rule> {
        self.actions.get(&id).ok_or(match self.closed.get(&id) {
            Some(Closure::Expired) => Rule::ActionExpired,
            Some(Closure::Voided) => Rule::ActionVoided,
            Some(Closure::Executed | Closure::Failed | Closure::Rejected | Closure::Cancelled) => {
                Rule::ActionClosed
            }
            None => Rule::ActionUnknown,
        })
    }

    /// An action that still collects approvals at a moment.
    fn collecting(&self, id: ActionId, at: Timestamp) -> Result<&OpenAction, Rule> {
        let action = self.action(id)?;
        if action.stage != Stage::Open {
            return Err(Rule::ActionStage);
        }
        if at >= action.document.expires_at {
            return Err(Rule::ActionExpired);
        }
        if self.is_outdated(action) {
            return Err(Rule::ActionVoided);
        }
        Ok(action)
    }

    /// Whether the ledger policy has changed since an action was proposed, or people could not know of the incident that
    /// is about what it asks for: that a slot signs again, or signs something for production.
    pub fn is_outdated(&self, action: &OpenAction) -> bool {
        let proposed = action.proposal.seq;
        let slot = match &action.document.params {
            Params::SlotResume(p) => Some(&p.slot),
            Params::SigningApprove(p) if p.environment == Environment::Production => Some(&p.slot),
            Params::SigningBatch(p) if p.environment == Environment::Production => Some(&p.slot),
            _ => None,
        };
        let alarmed = slot.and_then(|slot| self.alarms.get(slot)).is_some_and(|alarm| proposed < *alarm);
        alarmed || proposed < self.policy_since
    }

    fn judge_signed(&self, signed: &Signed<'_>, at: Timestamp, checked: &Prechecked) -> Result<(), Rule> {
        let member = self.require_role(signed.member, signed.role, at)?;
        let credential: &Credential =
            member.credential_at(signed.assertion.credential_id(), at).ok_or(Rule::CredentialUnknown)?;
        let digest = signed.purpose.challenge(signed.document);
        if checked.holds(&signed.assertion, credential, &self.approval_rp, digest) {
            Ok(())
        } else {
            Err(Rule::AssertionInvalid)
        }
    }

    pub(crate) fn judge_proposed(
        &self,
        proposed: &ActionProposed,
        event: &Event,
        checked: &Prechecked,
    ) -> Result<(), Rule> {
        let (document, at) = (&proposed.document, event.time);
        if self.actions.contains_key(&document.action) || self.closed.contains_key(&document.action) {
            return Err(Rule::ActionDuplicate);
        }
        self.judge_document(document, proposed.actor(), at)?;
        if event.sd != document.private_digests() || !sd_is_well_formed(&event.sd) {
            return Err(Rule::ActionDocument);
        }
        match (&proposed.signed, proposed.actor()) {
            (Some(signed), _) => self.judge_member_proposal(document, signed, at, checked)?,
            (None, Actor::Service(service)) => self.judge_service_proposal(document, service, at)?,
            (None, Actor::System) => self.judge_system_proposal(document, at)?,
            (None, Actor::Member(_)) => return Err(Rule::Actor),
        }
        self.permits(&document.params, at)
    }

    fn judge_member_proposal(
        &self,
        document: &ActionDocument,
        proposed: &SignedProposal,
        at: Timestamp,
        checked: &Prechecked,
    ) -> Result<(), Rule> {
        let rule = self.policy.actions.get(&document.kind()).ok_or(Rule::PolicyForm)?;
        if !rule.proposers.contains(&proposed.role.into()) {
            return Err(Rule::RoleMissing);
        }
        let bytes = document.to_bytes().map_err(|_| Rule::ActionDocument)?;
        let signed = Signed {
            member: proposed.member,
            role: proposed.role,
            assertion: assertion_of!(proposed),
            purpose: Purpose::Proposal,
            document: &bytes,
        };
        self.judge_signed(&signed, at, checked)?;
        self.judge_ownership(&document.params, proposed.member, proposed.role)
    }

    /// The server proposes rotations that are due, where the policy lets it.
    fn judge_system_proposal(&self, document: &ActionDocument, at: Timestamp) -> Result<(), Rule> {
        let rule = self.policy.actions.get(&document.kind()).ok_or(Rule::PolicyForm)?;
        match &document.params {
            Params::KeyRotate(p) if rule.proposers.contains(&Proposer::System) => self.judge_due(&p.slot, at),
            // Before version 2 it proposed nothing.
            _ => Err(Rule::Actor),
        }
    }

    fn judge_document(&self, document: &ActionDocument, proposer: Actor, at: Timestamp) -> Result<(), Rule> {
        if self.hashes.get(&document.head.seq) != Some(&document.head.hash) {
            return Err(Rule::ActionHead);
        }
        if document.policy != self.policy_digest {
            return Err(Rule::ActionVoided);
        }
        let rule = self.policy.actions.get(&document.kind()).ok_or(Rule::PolicyForm)?;
        let fits = document.origin == self.origin
            && document.proposed_by.to_string() == proposer.id()
            && document.quorum == rule.quorum
            && document.proposed_at <= at
            && document.expires_at <= document.proposed_at.plus_seconds(MAX_ACTION_LIFE_S)
            && document.execute_at.is_none_or(|begin| begin < document.expires_at);
        if !fits {
            return Err(Rule::ActionDocument);
        }
        if at >= document.expires_at { Err(Rule::ActionExpired) } else { Ok(()) }
    }

    pub(crate) fn judge_approved(
        &self,
        approved: &ActionApproved,
        at: Timestamp,
        checked: &Prechecked,
    ) -> Result<(), Rule> {
        let action = self.collecting(approved.action, at)?;
        if Actor::Member(approved.member) == action.proposal.by {
            return Err(Rule::ApprovalOwn);
        }
        if !action.document.quorum.iter().any(|clause| clause.role == approved.role) {
            return Err(Rule::ApprovalSeat);
        }
        let again =
            |approval: &Approval| approval.member == approved.member && approval.role == approved.role;
        if action.approvals.iter().any(again) {
            return Err(Rule::ApprovalDuplicate);
        }
        let signed = Signed {
            member: approved.member,
            role: approved.role,
            assertion: assertion_of!(approved),
            purpose: Purpose::Approval,
            document: &action.bytes,
        };
        self.judge_signed(&signed, at, checked)
    }

    pub(crate) fn judge_rejected(
        &self,
        rejected: &ActionRejected,
        at: Timestamp,
        checked: &Prechecked,
    ) -> Result<(), Rule> {
        let action = self.collecting(rejected.action, at)?;
        let contains = [Role::IncidentCommander, Role::PlatformAdmin, Role::SecurityReviewer];
        let seated = action.document.quorum.iter().any(|clause| clause.role == rejected.role);
        let owns = rejected.role == Role::KeyOwner
            && self.owners(&action.document.params).contains(&rejected.member);
        // What the sealed authenticators ask for, any member may refuse (DOMAIN, recovery).
        let recovery = action.document.kind() == ActionType::MemberRecover;
        if !seated && !owns && !recovery && !contains.contains(&rejected.role) {
            return Err(Rule::ApprovalSeat);
        }
        let signed = Signed {
            member: rejected.member,
            role: rejected.role,
            assertion: assertion_of!(rejected),
            purpose: Purpose::Rejection,
            document: &action.bytes,
        };
        self.judge_signed(&signed, at, checked)
    }

    pub(crate) fn judge_cancelled(
        &self,
        cancelled: &ActionCancelled,
        at: Timestamp,
        checked: &Prechecked,
    ) -> Result<(), Rule> {
        let action = self.collecting(cancelled.action, at)?;
        if Actor::Member(cancelled.member) != action.proposal.by {
            return Err(Rule::RoleMissing);
        }
        let signed = Signed {
            member: cancelled.member,
            role: cancelled.role,
            assertion: assertion_of!(cancelled),
            purpose: Purpose::Cancellation,
            document: &action.bytes,
        };
        self.judge_signed(&signed, at, checked)
    }

    pub(crate) fn judge_expired(&self, id: ActionId, at: Timestamp) -> Result<(), Rule> {
        let action = self.action(id)?;
        if action.stage != Stage::Open {
            return Err(Rule::ActionStage);
        }
        if at >= action.document.expires_at { Ok(()) } else { Err(Rule::ActionNotExpired) }
    }

    pub(crate) fn judge_voided(&self, id: ActionId) -> Result<(), Rule> {
        let action = self.action(id)?;
        if action.stage != Stage::Open {
            return Err(Rule::ActionStage);
        }
        if self.is_outdated(action) { Ok(()) } else { Err(Rule::ActionNotVoid) }
    }

    pub(crate) fn judge_executing(&self, executing: &ActionExecuting, at: Timestamp) -> Result<(), Rule> {
        let action = self.collecting(executing.action, at)?;
        if action.document.execute_at.is_some_and(|begin| at < begin) {
            return Err(Rule::ActionPremature);
        }
        if !Self::has_waited(action, at) {
            return Err(Rule::ActionPremature);
        }
        if executing.expires_at <= at || executing.expires_at > at.plus_seconds(MAX_EXECUTION_S) {
            return Err(Rule::ExecutionLife);
        }
        if self.quorum_holds(action, at) { Ok(()) } else { Err(Rule::QuorumOpen) }
    }

    /// Whether an action could begin now: its quorum holds, and neither an agreed time nor a wait lies ahead.
    pub fn may_begin(&self, action: &OpenAction, at: Timestamp) -> bool {
        let agreed = action.document.execute_at.is_none_or(|begin| begin <= at);
        agreed && Self::has_waited(action, at) && self.quorum_holds(action, at)
    }

    /// Whether an approval still counts: member, role and credential are in force at this moment, and were so, without
    /// interruption, since before it was given.
    pub fn counts(&self, approval: &Approval, at: Timestamp) -> bool {
        self.members.get(&approval.member).is_some_and(|member| member.stands_behind(approval, at))
    }

    /// Whether approvals that still count fill every seat.
    pub fn quorum_holds(&self, action: &OpenAction, at: Timestamp) -> bool {
        let mut people: BTreeMap<MemberId, BTreeSet<Role>> = BTreeMap::new();
        let own = action.proposal.signed.as_ref().filter(|_| action.document.kind().is_emergency());
        for approval in action.approvals.iter().chain(own).filter(|approval| self.counts(approval, at)) {
            people.entry(approval.member).or_default().insert(approval.role);
        }
        let candidates: Vec<Candidate> = people.into_iter().collect();
        quorum::fillable(&action.document.quorum, &candidates)
    }

    pub(crate) fn judge_executed(&self, id: ActionId) -> Result<(), Rule> {
        match self.action(id)?.stage {
            Stage::Executing { progress: Progress::Complete, .. } => Ok(()),
            Stage::Executing { .. } => Err(Rule::ActionUnfinished),
            Stage::Open => Err(Rule::ActionStage),
        }
    }

    /// An action fails only while nothing is in the device's hands and its effects are not complete; or once the
    /// key that was made for it was revoked, so that they never will be.
    pub(crate) fn judge_failed(&self, id: ActionId) -> Result<(), Rule> {
        let Stage::Executing { progress, .. } = self.action(id)?.stage else { return Err(Rule::ActionStage) };
        let hopeless = match progress {
            Progress::NotBegun | Progress::SlotCreated | Progress::Broken => true,
            Progress::Generated(key) => self.is_revoked(key),
            Progress::Generating(_) | Progress::Complete => false,
        };
        if hopeless { Ok(()) } else { Err(Rule::ActionStage) }
    }

    fn close(&mut self, id: ActionId, closure: Closure) {
        Arc::make_mut(&mut self.actions).remove(&id);
        Arc::make_mut(&mut self.closed).insert(id, closure);
    }

    pub(crate) fn with_action(&mut self, id: ActionId, change: impl FnOnce(&mut OpenAction)) {
        if let Some(action) = Arc::make_mut(&mut self.actions).get_mut(&id) {
            change(action);
        }
    }

    pub(crate) fn apply_action(&mut self, event: &Event) {
        match &event.payload {
            Payload::ActionProposed(p) => {
                let action = OpenAction {
                    document: Arc::new(p.document.clone()),
                    // Judged: the document has a canonical form.
                    bytes: p.document.to_bytes().unwrap_or_default().into(),
                    proposal: Proposal {
                        by: event.actor,
                        at: event.time,
                        seq: event.seq,
                        correlation: event.correlation,
                        signed: p
                            .signed
                            .as_ref()
                            .map(|s| approval(s.member, s.role, &s.credential_id, event)),
                    },
                    approvals: Vec::new(),
                    stage: Stage::Open,
                };
                Arc::make_mut(&mut self.actions).insert(p.document.action, action);
            }
            Payload::ActionApproved(p) => {
                let approval = approval(p.member, p.role, &p.credential_id, event);
                self.with_action(p.action, |action| action.approvals.push(approval));
            }
            Payload::ActionExecuting(p) => {
                let stage = Stage::Executing { expires_at: p.expires_at, progress: Progress::NotBegun };
                self.with_action(p.action, |action| action.stage = stage);
            }
            Payload::ActionRejected(p) => self.close(p.action, Closure::Rejected),
            Payload::ActionCancelled(p) => self.close(p.action, Closure::Cancelled),
            Payload::ActionExpired(p) => self.close(p.action, Closure::Expired),
            Payload::ActionVoided(p) => self.close(p.action, Closure::Voided),
            Payload::ActionExecuted(p) => self.close(p.action, Closure::Executed),
            Payload::ActionFailed(p) => self.close(p.action, Closure::Failed),
            _ => {}
        }
    }
}

fn approval(member: MemberId, role: Role, credential_id: &B64, event: &Event) -> Approval {
    Approval { member, role, credential_id: credential_id.clone(), seq: event.seq }
}
