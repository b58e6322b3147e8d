//! What is due: rotations are proposed ahead of time, and what is late is recorded as late.

use std::time::Duration;

use sealbook_ledger::action::{ActionDocument, ActionType, KeyRotateParams, Params};
use sealbook_ledger::command::{Command, RotationCommand};
use sealbook_ledger::encoding::Hash;
use sealbook_ledger::ids::{ActionId, KeyId, ProposerId, SlotName};
use sealbook_ledger::payload::ActionProposed;
use sealbook_ledger::policy::Proposer;
use sealbook_ledger::rule::Rule;
use sealbook_ledger::slot::Slot;
use sealbook_ledger::state::Founded;
use sealbook_ledger::timestamp::Timestamp;

use super::{Effects, Step};
use crate::clock;
use crate::ledger::{Disclosure, EngineError, IdempotencyKey, Submission};

/// How long people have to decide on a rotation that the server proposes, in seconds: a week.
const LIFE_S: u32 = 7 * 24 * 60 * 60;

/// How often new events are looked through for what came round.
const RECKON: Duration = Duration::from_secs(5);

/// Seconds of a day.
const DAY_S: u32 = 24 * 60 * 60;

/// Context of the idempotency keys of proposals.
const TURN: &[u8] = b"sealbook proposes a rotation v1\0";

impl Effects {
    /// Proposals that are due, and keys that are late.
    pub(super) fn calendar_steps(&self, founded: &Founded, at: Timestamp) -> Vec<Step> {
        let mut steps = Vec::new();
        // Keys for drills wait for the next one.
        for (name, slot) in founded.slots().iter().filter(|(_, slot)| !slot.drill) {
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
            let in_turn = self.proposed.get(&key) != Some(&turn(due, at));
            if at.plus_seconds(ahead) >= due && in_turn && may_propose(founded, name, slot, at) {
                steps.push(Step::Propose { slot: name.clone(), key });
            }
        }
        steps.retain(|step| !self.has_to_wait(step));
        steps
    }

    /// Looks through new events for what came round, so that metrics and notices know it without reading.
    pub(super) async fn reckon(&mut self) {
        if self.reckoned.is_some_and(|when| self.since(when) < RECKON) {
            return;
        }
        self.reckoned = Some(self.ledger.clock().steady());
        if let Err(error) = self.ledger.milestones_now(&self.store).await {
            tracing::warn!(origin = %self.ledger.origin(), error = &error as &dyn std::error::Error, "the calendar lags");
        }
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
        let (turn, command) = (turn(due, at), Command::Propose(Box::new(proposed)));
        let idempotency = Some(idempotency_of(key, due, turn));
        let mut submission = Submission { idempotency, ..Submission::new(command) };
        submission.disclosures.push(reason);
        self.submit_whole(submission).await?;
        self.proposed.insert(key, turn);
        Ok(())
    }
}

/// The day before or after a key's due date. On each the servers together propose its rotation once: what people rejected,
/// or let expire, they are not asked again at once.
fn turn(due: Timestamp, at: Timestamp) -> i64 {
    (at.unix_micros() - due.unix_micros()).div_euclid(i64::from(DAY_S) * 1_000_000)
}

/// All servers propose with one key, so that the first one's proposal is that of all.
fn idempotency_of(key: KeyId, due: Timestamp, turn: i64) -> IdempotencyKey {
    // A due date that moved is another one.
    let (due, turn) = (due.unix_micros().to_be_bytes(), turn.to_be_bytes());
    let hash = Hash::sha256_in_context(TURN, &[&key.uuid().as_bytes()[..], &due, &turn].concat());
    IdempotencyKey { key_hash: hash, body_hash: hash }
}

/// Whether the server may put a rotation of a slot's key before people, and nobody has yet.
fn may_propose(founded: &Founded, name: &SlotName, slot: &Slot, at: Timestamp) -> bool {
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
    let suspended = slot.suspension.is_some_and(|suspension| suspension.holds(at));
    lets && !asked && !under_way && !suspended
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rotation_is_proposed_once_a_day_by_all_servers_together() {
        let due: Timestamp = "2026-11-28T12:00:00.000000Z".parse().unwrap();
        let at = |text: &str| turn(due, text.parse().unwrap());
        let asked = at("2026-11-14T12:00:00.000000Z");
        assert_eq!(asked, at("2026-11-15T11:59:59.999999Z"));
        assert_ne!(asked, at("2026-11-15T12:00:00.000000Z"));
        assert_ne!(at("2026-11-28T11:59:59.999999Z"), at("2026-11-28T12:00:00.000000Z"));
        let key = KeyId::from(uuid::Uuid::now_v7());
        assert_eq!(idempotency_of(key, due, asked), idempotency_of(key, due, asked));
        assert_ne!(idempotency_of(key, due, asked), idempotency_of(key, due, asked + 1));
        assert_ne!(
            idempotency_of(key, due, asked),
            idempotency_of(KeyId::from(uuid::Uuid::now_v7()), due, asked)
        );
    }
}
