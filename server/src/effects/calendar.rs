//! What is due: rotations are proposed ahead of time, and what is late is recorded as late.

use std::time::Duration;

use sealbook_ledger::action::{ActionDocument, ActionType, KeyRotateParams, Params};
use sealbook_ledger::command::{Command, RotationCommand};
use sealbook_ledger::ids::{ActionId, KeyId, ProposerId, SlotName};
use sealbook_ledger::payload::ActionProposed;
use sealbook_ledger::policy::Proposer;
use sealbook_ledger::rule::Rule;
use sealbook_ledger::slot::Slot;
use sealbook_ledger::state::Founded;
use sealbook_ledger::timestamp::Timestamp;

use super::{Effects, Step};
use crate::clock;
use crate::ledger::{Disclosure, EngineError, Submission};

/// How long people have to decide on a rotation that the server proposes, in seconds: a week.
const LIFE_S: u32 = 7 * 24 * 60 * 60;

/// How long the server waits before it proposes again what people refused, or let expire.
pub(super) const AGAIN: Duration = Duration::from_secs(24 * 60 * 60);

/// Seconds of a day.
const DAY_S: u32 = 24 * 60 * 60;

impl Effects {
    /// Proposals that are due, and keys that are late.
    pub(super) fn calendar_steps(&self, founded: &Founded, at: Timestamp) -> Vec<Step> {
        let mut steps = Vec::new();
        for (name, slot) in founded.slots() {
            let Some(key) = slot.active else { continue };
            let Some(due) = founded.due_at(key) else { continue };
            if at >= due && slot.overdue != Some((key, due)) && founded.rules() >= 2 {
                steps.push(Step::Rotate {
                    of: key.uuid(),
                    correlation: clock::correlation(),
                    command: RotationCommand::Overdue(name.clone()),
                });
            }
            let ahead = u32::from(slot.rotation.propose_days) * DAY_S;
            if at.plus_seconds(ahead) >= due && self.may_propose(founded, name, slot, key, at) {
                steps.push(Step::Propose { slot: name.clone(), key });
            }
        }
        steps.retain(|step| !self.has_to_wait(step));
        steps
    }

    fn may_propose(
        &self,
        founded: &Founded,
        name: &SlotName,
        slot: &Slot,
        key: KeyId,
        at: Timestamp,
    ) -> bool {
        let lets = founded
            .policy()
            .actions
            .get(&ActionType::KeyRotate)
            .is_some_and(|rule| rule.proposers.contains(&Proposer::System));
        let asked = founded.actions().values().any(|action| match &action.document().params {
            Params::KeyRotate(p) | Params::KeyRotateEmergency(p) => p.slot == *name,
            _ => false,
        });
        let under_way = founded.rotations().values().any(|r| r.slot == *name && !r.has_ended());
        let lately = self.proposed.get(&key).is_some_and(|when| self.since(*when) < AGAIN);
        lets && !asked
            && !under_way
            && !lately
            && !slot.suspension.is_some_and(|suspension| suspension.holds(at))
    }

    /// Puts a rotation before people, in the server's name.
    pub(super) async fn propose(&mut self, slot: SlotName, key: KeyId) -> Result<(), EngineError> {
        let state = self.ledger.state();
        let (founded, at) = (state.founded()?, self.ledger.now());
        let due = founded.due_at(key).ok_or(Rule::SlotKeyless)?;
        let reason = Disclosure::new("reason", format!("The key of slot {slot} is to be replaced by {due}."));
        let digest = founded.slot(&slot)?.rotation.digest();
        let policy = digest.map_err(|error| EngineError::fault("a rotation policy has no digest", error))?;
        let params = Params::KeyRotate(KeyRotateParams { old_key: key, policy, slot });
        let rule = founded.policy().actions.get(&params.kind()).ok_or(Rule::PolicyForm)?;
        let document = ActionDocument {
            action: ActionId::from(uuid::Uuid::new_v4()),
            expires_at: at.plus_seconds(LIFE_S),
            execute_at: None,
            head: founded.latest_head().ok_or(Rule::FoundingMissing)?,
            origin: self.ledger.origin().clone(),
            quorum: rule.quorum.clone(),
            params,
            policy: founded.policy_digest(),
            proposed_at: at,
            proposed_by: ProposerId::Server,
            reason_digest: reason.digest(),
        };
        let proposed = ActionProposed { document, signed: None };
        let mut submission = Submission::new(Command::Propose(Box::new(proposed)));
        submission.disclosures.push(reason);
        self.submit_whole(submission).await?;
        self.proposed.insert(key, self.ledger.clock().steady());
        Ok(())
    }
}
