//! A rotation's steps: when each was taken.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Decision, Facts, Mark};
use crate::event::Actor;
use crate::ids::{ActionId, ChannelName};
use crate::payload::Payload;
use crate::timestamp::Timestamp;

/// Who said that a channel relies on the new key, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChannelMove {
    /// Who.
    pub by: Actor,
    /// When.
    #[serde(flatten)]
    pub mark: Mark,
}

/// When each step was taken; those that were not are absent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Steps {
    /// The last approval.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approved: Option<Mark>,
    /// The canary passed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub canary: Option<Mark>,
    /// The channels that moved.
    pub channels: BTreeMap<ChannelName, ChannelMove>,
    /// The old key was retired.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completed: Option<Mark>,
    /// A client found that the new key works.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confirmed: Option<ChannelMove>,
    /// The new key took the old one's place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cut_over: Option<Mark>,
    /// It ended before its cutover.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed: Option<Mark>,
    /// The device was asked for the new key: the last time, where it took more than one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_authorized: Option<Mark>,
    /// The device made the new key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_generated: Option<Mark>,
    /// Until when the old key stays beside the new one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overlap_ends_at: Option<Timestamp>,
    /// Somebody asked for it.
    pub proposed: Mark,
    /// It began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started: Option<Mark>,
}

impl Steps {
    pub(super) fn of(facts: &Facts<'_>, action: ActionId, decision: &Decision) -> Self {
        let cut = facts.first(move |payload| match payload {
            Payload::RotationCutOver(p) if p.action == action => Some(p.overlap_ends_at),
            _ => None,
        });
        let moved = facts.all(move |payload| match payload {
            Payload::RotationChannelMoved(p) if p.action == action => Some(p.channel.clone()),
            _ => None,
        });
        let by = |event: &crate::event::Event| ChannelMove { by: event.actor, mark: Mark::of(event) };
        let confirmed = facts
            .first(move |p| matches!(p, Payload::RotationConfirmed(p) if p.action == action).then_some(()));
        Self {
            approved: decision.approved(),
            canary: facts
                .mark(move |p| matches!(p, Payload::RotationCanaryRecorded(p) if p.action == action)),
            channels: moved.map(|(event, channel)| (channel, by(event))).collect(),
            completed: facts.mark(move |p| matches!(p, Payload::RotationCompleted(p) if p.action == action)),
            confirmed: confirmed.map(|(event, ())| by(event)),
            cut_over: cut.map(|(event, _)| Mark::of(event)),
            failed: facts.mark(move |p| matches!(p, Payload::RotationFailed(p) if p.action == action)),
            key_authorized: facts
                .last(move |p| {
                    matches!(p, Payload::KeyGenerationAuthorized(p) if p.action == action).then_some(())
                })
                .map(|(event, ())| Mark::of(event)),
            key_generated: new_key(facts, action)
                .and_then(|key| facts.mark(move |p| matches!(p, Payload::KeyGenerated(p) if p.key == key))),
            overlap_ends_at: cut.map(|(_, ends)| ends),
            proposed: decision.proposed,
            started: facts.mark(move |p| matches!(p, Payload::RotationStarted(p) if p.action == action)),
        }
    }
}

/// The key that a rotation's last authorisation was for.
pub(super) fn new_key(facts: &Facts<'_>, action: ActionId) -> Option<crate::ids::KeyId> {
    facts
        .last(move |payload| match payload {
            Payload::KeyGenerationAuthorized(p) if p.action == action => Some(p.key),
            _ => None,
        })
        .map(|(_, key)| key)
}
