//! Keys that were late while they were in charge: what the events say of since when, and until when.

use std::collections::BTreeMap;

use sealbook_ledger::event::Event;
use sealbook_ledger::ids::KeyId;
use sealbook_ledger::payload::{Payload, SlotRotationOverdue};
use sealbook_ledger::slot::Key;
use sealbook_ledger::state::Founded;
use sealbook_ledger::timestamp::Timestamp;

use super::Past;
use crate::views::sentence::moment;

/// Types of the events that say which keys were late, and when others took over.
pub const LATENESS: [&str; 2] = ["rotation.cut_over", "slot.rotation_overdue"];

/// What the events say of keys that were late.
pub(super) struct Late<'a> {
    founded: &'a Founded,
    past: &'a Past<'a>,
    /// When other keys took over.
    replaced: BTreeMap<KeyId, Timestamp>,
}

impl<'a> Late<'a> {
    pub(super) fn new(founded: &'a Founded, past: &'a Past<'a>) -> Self {
        let replaced = past.events.iter().filter_map(|event| match &event.payload {
            Payload::RotationCutOver(cut) => Some((cut.old_key, event.time)),
            _ => None,
        });
        Self { founded, past, replaced: replaced.collect() }
    }

    /// Whether a key was recorded as overdue before the time looked at, and was in charge in it, and neither events nor
    /// the state say whether it still was late by then.
    pub(super) fn is_open(&self) -> bool {
        self.noted().any(|(event, overdue)| {
            let key = self.founded.keys().get(&overdue.key);
            let in_charge = key.is_some_and(|key| self.was_in_charge(overdue.key, key));
            in_charge && !self.is_certain(event, overdue)
        })
    }

    /// How a key was late in the time looked at, in words; what it is late by now is not repeated.
    pub(super) fn reasons(&self, id: KeyId, key: &Key) -> impl Iterator<Item = String> {
        let until = self.in_charge_until(id, key);
        let due_now = self.founded.due_at(id).filter(|_| until.is_none());
        let noted = self.noted().filter(move |(event, overdue)| {
            let is_new = overdue.key == id && due_now != Some(overdue.due_at);
            is_new && self.was_in_charge(id, key) && self.counts(event, overdue)
        });
        noted.map(move |(event, overdue)| {
            let since = format!("It was overdue since {} (event {})", moment(overdue.due_at), event.seq);
            match until {
                Some(until) => format!("{since} and in charge until {}.", moment(until)),
                None => format!("{since}; it is in charge still, and its due date moved."),
            }
        })
    }

    fn noted(&self) -> impl Iterator<Item = (&'a Event, &'a SlotRotationOverdue)> {
        self.past.events.iter().filter_map(|event| match &event.payload {
            Payload::SlotRotationOverdue(overdue) => Some((event, &**overdue)),
            _ => None,
        })
    }

    /// Until when a key was in charge of its slot; none where it still is. A revoked key is in charge of nothing.
    fn in_charge_until(&self, id: KeyId, key: &Key) -> Option<Timestamp> {
        let revoked = key.revocation().map(|revocation| revocation.at);
        self.replaced.get(&id).copied().into_iter().chain(revoked).min()
    }

    fn was_in_charge(&self, id: KeyId, key: &Key) -> bool {
        self.in_charge_until(id, key).is_none_or(|until| until > self.past.from)
    }

    /// Whether a key was late in the time looked at, beyond doubt: it was recorded then, or its due date is the same still.
    fn is_certain(&self, event: &Event, overdue: &SlotRotationOverdue) -> bool {
        event.time >= self.past.from || self.founded.due_at(overdue.key) == Some(overdue.due_at)
    }

    /// Whether a key was late in the time looked at. What was late before, and was given a later date in time, was not;
    /// where nobody says how things stood, it was.
    fn counts(&self, event: &Event, overdue: &SlotRotationOverdue) -> bool {
        let stood = |then: &Founded| then.due_at(overdue.key) == Some(overdue.due_at);
        self.is_certain(event, overdue) || self.past.beginning.is_none_or(stood)
    }
}
