//! Rotations: how far each has come, step by step, what proves it, and what it waits for.
//!
//! Where a rotation stands is told by the folded state alone; events only add where and when a step was recorded.

mod course;
mod offers;
mod proofs;
mod steps;

use sealbook_ledger::encoding::Hash;
use sealbook_ledger::event::Actor;
use sealbook_ledger::ids::{ActionId, CertificateId, ChannelName, Correlation, KeyId, Seq, SlotName};
use sealbook_ledger::issuance::Issuance;
use sealbook_ledger::rotation::{MAX_PREPARATION_S, Rotation, RotationPolicy, RotationStep};
use sealbook_ledger::rule::Rule;
use sealbook_ledger::state::Founded;
use sealbook_ledger::timestamp::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

pub use offers::Offers;
pub use steps::{StepName, StepState, StepView};

use super::ViewError;
use crate::store::{LedgerId, Store};

use proofs::Proofs;

/// How far a rotation has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RotationState {
    /// No key yet.
    Started,
    /// The device makes the new key.
    Generating,
    /// The new key exists; its certificate and its canary come next.
    Generated,
    /// The canary holds.
    Proved,
    /// The slot signs with the new key; the old one stays beside it.
    CutOver,
    /// The old key is retired.
    Completed,
    /// It ended before its cutover; the old key is in charge.
    Failed,
}

impl RotationState {
    /// The name of a step.
    pub const fn of(step: RotationStep) -> Self {
        match step {
            RotationStep::Started => Self::Started,
            RotationStep::Generating(_) => Self::Generating,
            RotationStep::Generated(_) => Self::Generated,
            RotationStep::Proved(_) => Self::Proved,
            RotationStep::CutOver { .. } => Self::CutOver,
            RotationStep::Completed { .. } => Self::Completed,
            RotationStep::Failed => Self::Failed,
        }
    }
}

/// What the new key signs before it takes over.
#[derive(Debug, Serialize, ToSchema)]
pub struct CanaryView {
    /// How many digests it has yet to sign.
    pub due: usize,
    /// How many it has signed.
    pub signed: u32,
    /// Whether a signature did not verify: then the rotation can only fail.
    pub broken: bool,
}

/// A channel of the rotation's policy.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChannelView {
    /// Its name.
    #[schema(value_type = String)]
    pub channel: ChannelName,
    /// Whether it relies on the new key.
    pub moved: bool,
}

/// Why something is not so yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct ReasonView {
    /// The rule's stable code.
    #[schema(example = "rotation.overlap")]
    pub code: &'static str,
    /// What the rule demands.
    pub sentence: &'static str,
}

impl From<Rule> for ReasonView {
    fn from(rule: Rule) -> Self {
        Self { code: rule.code(), sentence: rule.sentence() }
    }
}

/// How a rotation failed.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct FailureView {
    /// A stable word for why.
    #[schema(example = "rotation.stopped")]
    pub code: String,
    /// The event.
    pub seq: u64,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub time: Timestamp,
    /// The member who stopped it; absent where the server gave it up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// What was said about it, if that is disclosed; members alone read it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A rotation.
#[derive(Debug, Serialize, ToSchema)]
pub struct RotationView {
    /// Its id: that of the action that started it.
    #[schema(value_type = String, format = Uuid)]
    pub rotation: ActionId,
    /// Its slot.
    #[schema(value_type = String)]
    pub slot: SlotName,
    /// How far it has come.
    pub state: RotationState,
    /// Whether waiting is skipped: a break-glass rotation.
    pub emergency: bool,
    /// The key that is replaced.
    #[schema(value_type = String, format = Uuid)]
    pub old_key: KeyId,
    /// The key that takes its place, once there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = Uuid)]
    pub new_key: Option<KeyId>,
    /// The slot's rotation policy as it was at the start: the whole rotation stands under it.
    #[schema(value_type = Object)]
    pub policy: RotationPolicy,
    /// Its digest, which people approved.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub policy_digest: Option<Hash>,
    /// The event that started it.
    #[schema(value_type = u64)]
    pub started_seq: Seq,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub started_at: Timestamp,
    /// The piece of work that its events belong to.
    #[schema(value_type = String, format = Uuid)]
    pub correlation: Correlation,
    /// What the new key signs before it takes over.
    pub canary: CanaryView,
    /// The new key's certificates, in the order in which they were ordered.
    #[schema(value_type = Vec<String>)]
    pub certificates: Vec<CertificateId>,
    /// First moment at which it no longer may cut over, until it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub cut_over_before: Option<Timestamp>,
    /// When the new key took over.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub cut_over_at: Option<Timestamp>,
    /// Until when the old key stays beside it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub overlap_ends_at: Option<Timestamp>,
    /// When the old key was retired.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub completed_at: Option<Timestamp>,
    /// Whether a client confirmed that the new key works.
    pub confirmed: bool,
    /// The channels of its policy.
    pub channels: Vec<ChannelView>,
    /// What stands between its cutover and its completion; empty before, after, and where nothing does.
    pub waits_for: Vec<ReasonView>,
    /// Whether its evidence pack was issued.
    pub reported: bool,
    /// Changes with everything that is told here but what time alone changes: to be waited beyond.
    #[schema(value_type = String)]
    pub version: Hash,
    /// How it failed, where it did and is shown by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<FailureView>,
    /// Its steps in their order, where it is shown by itself.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<StepView>,
}

/// Whether something is of a rotation.
fn is_of(id: ActionId) -> impl Fn(&(&CertificateId, &Issuance)) -> bool {
    move |(_, issuance)| issuance.action == id
}

/// The certificates that were ordered in a rotation, in that order.
fn issuances(founded: &Founded, id: ActionId) -> Vec<(&CertificateId, &Issuance)> {
    let all = founded.issuances().iter().map(|(id, issuance)| (id, issuance.as_ref()));
    let mut of_rotation: Vec<_> = all.filter(is_of(id)).collect();
    of_rotation.sort_by_key(|(_, issuance)| issuance.ordered);
    of_rotation
}

/// The key that was made for a rotation. One that has failed no longer says so itself.
fn made_for(founded: &Founded, id: ActionId, rotation: &Rotation) -> Option<KeyId> {
    let made = founded.keys().iter().filter(|(_, key)| key.rotation == Some(id) && key.material().is_some());
    rotation.new_key().or_else(|| made.map(|(id, _)| *id).next_back())
}

/// What a rotation's recorded facts come to: another value for other facts.
pub fn version(founded: &Founded, id: ActionId, rotation: &Rotation) -> Hash {
    // Both are of types that serialise; one that did not would only be waited for until the time is over.
    Hash::sha256(&serde_json::to_vec(&(rotation, issuances(founded, id))).unwrap_or_default())
}

impl RotationView {
    /// The view of a rotation at a moment, as lists show it.
    pub fn new(id: ActionId, rotation: &Rotation, founded: &Founded, at: Timestamp) -> Self {
        let (cut_over_at, overlap_ends_at, completed_at) = match rotation.step {
            RotationStep::CutOver { at, overlap_ends_at, .. } => (Some(at), Some(overlap_ends_at), None),
            RotationStep::Completed { at, .. } => (None, None, Some(at)),
            _ => (None, None, None),
        };
        let bars = match rotation.step {
            RotationStep::CutOver { .. } => founded.completion_bars(rotation, at),
            _ => Vec::new(),
        };
        let channels = rotation
            .policy
            .channels
            .iter()
            .map(|channel| ChannelView { channel: channel.clone(), moved: rotation.moved.contains(channel) });
        let canary =
            CanaryView { due: rotation.due.len(), signed: rotation.canary, broken: rotation.canary_broken };
        Self {
            rotation: id,
            slot: rotation.slot.clone(),
            state: RotationState::of(rotation.step),
            emergency: rotation.emergency,
            old_key: rotation.old_key,
            new_key: made_for(founded, id, rotation),
            policy: rotation.policy.clone(),
            policy_digest: rotation.policy.digest().ok(),
            started_seq: rotation.started,
            started_at: rotation.started_at,
            correlation: rotation.correlation,
            canary,
            certificates: issuances(founded, id).into_iter().map(|(id, _)| *id).collect(),
            cut_over_before: rotation
                .is_preparing()
                .then(|| rotation.started_at.plus_seconds(MAX_PREPARATION_S)),
            cut_over_at,
            overlap_ends_at,
            completed_at,
            confirmed: rotation.confirmed,
            channels: channels.collect(),
            waits_for: bars.into_iter().map(ReasonView::from).collect(),
            reported: rotation.reported,
            version: version(founded, id, rotation),
            failure: None,
            steps: Vec::new(),
        }
    }

    /// Adds what events tell: when what happened, and where it is recorded.
    fn with_steps(mut self, founded: &Founded, rotation: &Rotation, proofs: Proofs, at: Timestamp) -> Self {
        self.steps = steps::steps(founded, (self.rotation, rotation), &proofs, at);
        self.cut_over_at = self.cut_over_at.or(proofs.time_of(StepName::CutOver));
        self.overlap_ends_at = self.overlap_ends_at.or(proofs.overlap_ends_at);
        self.failure = proofs.failure.map(|failed| FailureView {
            code: failed.code.to_string(),
            seq: failed.proof.seq,
            time: failed.proof.time,
            by: match failed.by {
                Actor::Member(id) => Some(id.to_string()),
                Actor::Service(_) | Actor::System => None,
            },
            reason: None,
        });
        self
    }

    /// Says why it was stopped, to whoever may know.
    pub async fn with_reason(mut self, store: &Store, ledger: LedgerId) -> Result<Self, ViewError> {
        if let Some(failure) = &mut self.failure {
            let said = store.disclosures_of(ledger, &[failure.seq]).await?;
            failure.reason = said.into_iter().find(|row| row.name == "reason").map(|row| row.value);
        }
        Ok(self)
    }
}

/// The steps of a rotation as the state alone tells them: where each stands, and not which event proves it.
pub fn steps_of(founded: &Founded, (id, rotation): (ActionId, &Rotation), at: Timestamp) -> Vec<StepView> {
    steps::steps(founded, (id, rotation), &Proofs::default(), at)
}

/// One rotation of a ledger with `size` events, with its steps.
pub async fn one(
    store: &Store,
    ledger: LedgerId,
    (founded, size): (&Founded, u64),
    (id, rotation): (ActionId, &Rotation),
    at: Timestamp,
) -> Result<RotationView, ViewError> {
    let proofs = Proofs::find(store, ledger, (founded, size), (id, rotation)).await?;
    Ok(RotationView::new(id, rotation, founded, at).with_steps(founded, rotation, proofs, at))
}
