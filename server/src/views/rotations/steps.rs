//! A rotation as an ordered list of steps.

use sealbook_ledger::ids::{ActionId, ChannelName};
use sealbook_ledger::rotation::{Rotation, RotationStep};
use sealbook_ledger::state::Founded;
use sealbook_ledger::timestamp::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::course::Course;
use super::proofs::{Proof, Proofs};

/// The steps of a rotation, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StepName {
    /// Somebody, or the server, asked for it.
    Proposed,
    /// The quorum was found.
    Approved,
    /// The device made the new key.
    KeyGenerated,
    /// The new key signed the request for its certificate.
    Request,
    /// The certificate is there.
    Certificate,
    /// The new key signed what the slot signed last.
    Canary,
    /// The slot signs with the new key.
    CutOver,
    /// The old key stays beside the new one.
    Overlap,
    /// A client found that the new key works.
    Confirmed,
    /// A channel relies on the new key.
    ChannelMoved,
    /// The old key is retired.
    Retired,
    /// The old key's certificate is revoked.
    CertificateRevoked,
    /// The evidence pack is issued.
    EvidencePack,
}

impl StepName {
    /// What people call it.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Proposed => "Proposed",
            Self::Approved => "Approved",
            Self::KeyGenerated => "Key generated",
            Self::Request => "Certificate requested",
            Self::Certificate => "Certificate",
            Self::Canary => "Canary",
            Self::CutOver => "Cutover",
            Self::Overlap => "Overlap",
            Self::Confirmed => "Confirmation",
            Self::ChannelMoved => "Channel",
            Self::Retired => "Old key retired",
            Self::CertificateRevoked => "Old certificate revoked",
            Self::EvidencePack => "Evidence pack",
        }
    }

    /// What is so once the step is done.
    pub(super) const fn done(self) -> &'static str {
        match self {
            Self::Proposed => "It was asked for.",
            Self::Approved => "The quorum was found, and the rotation began.",
            Self::KeyGenerated => "The device made the new key.",
            Self::Request => "The new key signed the request for its certificate.",
            Self::Certificate => "The new key has its certificate.",
            Self::Canary => "The new key signed the canary; every signature verified.",
            Self::CutOver => "The slot signs with the new key.",
            Self::Overlap => "The old key's time beside the new one is over.",
            Self::Confirmed => "A client found that the new key works.",
            Self::ChannelMoved => "The channel relies on the new key.",
            Self::Retired => "The old key is kept for verification, and signs nothing.",
            Self::CertificateRevoked => "The old key's certificate is revoked as superseded.",
            Self::EvidencePack => "The evidence key signed the pack about this rotation.",
        }
    }
}

/// Where a step stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StepState {
    /// It is done.
    Done,
    /// It is on.
    Now,
    /// Others come first.
    Waiting,
    /// It does not come, and need not.
    Skipped,
    /// Here the rotation failed.
    Failed,
}

/// A step.
#[derive(Debug, Serialize, ToSchema)]
pub struct StepView {
    /// Which.
    pub step: StepName,
    /// The channel, of a step about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub channel: Option<ChannelName>,
    /// What people call it.
    pub title: String,
    /// Where it stands.
    pub state: StepState,
    /// The event that proves it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
    /// When that was.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub time: Option<Timestamp>,
    /// What happened, or what it waits for.
    pub sentence: String,
}

/// The steps of a rotation at a moment.
pub(super) fn steps(
    founded: &Founded,
    (id, rotation): (ActionId, &Rotation),
    proofs: &Proofs,
    at: Timestamp,
) -> Vec<StepView> {
    let course = Course::new(founded, (id, rotation), proofs, at);
    let before = [
        StepName::Proposed,
        StepName::Approved,
        StepName::KeyGenerated,
        StepName::Request,
        StepName::Certificate,
        StepName::Canary,
        StepName::CutOver,
        StepName::Overlap,
        StepName::Confirmed,
    ];
    let after = [StepName::Retired, StepName::CertificateRevoked, StepName::EvidencePack];
    let mut failed = rotation.step == RotationStep::Failed;
    let mut steps: Vec<StepView> = before.map(|name| course.step(name, &mut failed)).into();
    steps.extend(rotation.policy.channels.iter().map(|channel| course.channel(channel)));
    steps.extend(after.map(|name| course.step(name, &mut failed)));
    steps
}

pub(super) fn view(
    step: StepName,
    channel: Option<&ChannelName>,
    (state, sentence): (StepState, String),
    proof: Option<Proof>,
) -> StepView {
    let title = match channel {
        Some(channel) => format!("{} {channel}", step.title()),
        None => step.title().to_owned(),
    };
    StepView {
        step,
        channel: channel.cloned(),
        title,
        state,
        seq: proof.map(|proof| proof.seq),
        time: proof.map(|proof| proof.time),
        sentence,
    }
}
