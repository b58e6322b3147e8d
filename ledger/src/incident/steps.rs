//! Which steps of an incident are done, and since when its key is suspected.

use std::collections::BTreeSet;

use super::{Incident, IncidentStep, Mark, Withdrawal};
use crate::ids::{ChannelName, KeyId, SlotName};
use crate::member::suspended;
use crate::slot::{Key, KeyState};
use crate::state::Founded;
use crate::timestamp::Timestamp;

impl Founded {
    /// What is left to do before an incident is resolved; empty where nothing is.
    pub fn steps_left(&self, incident: &Incident, at: Timestamp) -> Vec<IncidentStep> {
        IncidentStep::ALL.into_iter().filter(|step| !self.is_done(incident, *step, at)).collect()
    }

    /// Whether a step is done at a moment.
    pub fn is_done(&self, incident: &Incident, step: IncidentStep, at: Timestamp) -> bool {
        let (slot, key) = (self.slots.get(&incident.slot), self.keys.get(&incident.key));
        match step {
            IncidentStep::Contained => {
                let signs = key.is_some_and(|key| {
                    matches!(key.state, KeyState::Active { .. } | KeyState::Retiring { .. })
                });
                incident.contained.is_some() || !signs
            }
            IncidentStep::Scoped => self.is_scoped(incident),
            IncidentStep::Withdrawn => self.is_withdrawn(incident, |channel, scope| {
                channel.reinstated.is_some_and(|reinstated| reinstated.seq > scope.seq)
            }),
            IncidentStep::Rotated => self.replacement(incident).is_some(),
            IncidentStep::Resigned => match incident.resigned {
                // What is not to be believed either has replaced nothing.
                Some((Some(key), _)) => self.keys.get(&key).is_some_and(|key| key.revocation().is_none()),
                Some((None, _)) => true,
                None => incident.scope.is_some_and(|scope| scope.count == 0),
            },
            IncidentStep::Revoked => key.is_some_and(Key::is_compromised),
            // What others were told is about what was found.
            IncidentStep::Advised => incident
                .advised
                .is_some_and(|advised| incident.scope.is_none_or(|scope| scope.mark.seq < advised.seq)),
            // A suspension that lapsed was lifted by nobody.
            IncidentStep::Resumed => {
                (incident.resumed.is_some() || incident.contained.is_none())
                    && slot.is_some_and(|slot| !suspended(slot.suspension, at))
            }
        }
    }

    /// Whether the last look through the ledger found everything: nothing was asked of the key since, and it began no later
    /// than the suspicion and what people have revoked the key for.
    fn is_scoped(&self, incident: &Incident) -> bool {
        let Some(scope) = incident.scope else { return false };
        self.reaches_back(incident, scope.since)
            && incident.last_asked.is_none_or(|asked| asked.get() < scope.size)
    }

    /// Whether a look through the ledger from a moment on misses nothing that is suspected.
    pub(crate) fn reaches_back(&self, incident: &Incident, since: Option<Timestamp>) -> bool {
        let suspected = self.suspected(incident);
        since.is_none_or(|since| suspected.is_some_and(|suspected| since <= suspected))
    }

    /// Since when an incident's key is suspected; of all time where nobody says. One person opens an incident: the quorum
    /// that revokes the key has to say so too.
    pub fn suspected(&self, incident: &Incident) -> Option<Timestamp> {
        let revocation = self.keys.get(&incident.key).filter(|key| key.is_compromised());
        let opened = incident.suspected_since?;
        match revocation.and_then(Key::revocation) {
            Some(revocation) => revocation.since.map(|since| since.min(opened)),
            None => Some(opened),
        }
    }

    /// Whether affected artifacts were taken from every channel of the slot, and what else is asked of each holds.
    pub(crate) fn is_withdrawn(&self, incident: &Incident, also: impl Fn(&Withdrawal, Mark) -> bool) -> bool {
        let Some(scope) = incident.scope else { return incident.channels.is_empty() };
        let slot = self.slots.get(&incident.slot);
        let channels = slot.map(|slot| &slot.rotation.channels).into_iter().flatten();
        let all: BTreeSet<&ChannelName> = match scope.count {
            0 => incident.channels.keys().collect(),
            _ => channels.chain(incident.channels.keys()).collect(),
        };
        let held = |name: &ChannelName| incident.channels.get(name);
        all.into_iter().all(|name| held(name).is_some_and(|channel| also(channel, scope.mark)))
    }

    /// The key that signs in the place of an incident's, with no open incident of its own.
    pub fn replacement(&self, incident: &Incident) -> Option<KeyId> {
        let active = self.slots.get(&incident.slot)?.active.filter(|active| *active != incident.key)?;
        // What is suspected itself replaces nothing.
        if self.open_incidents(&incident.slot).any(|(_, other)| other.key == active) {
            return None;
        }
        matches!(self.keys.get(&active)?.state, KeyState::Active { .. }).then_some(active)
    }

    /// Whether a slot is suspended, or has no key that signs.
    pub(crate) fn signs_nothing(&self, name: &SlotName, at: Timestamp) -> bool {
        let Some(slot) = self.slots.get(name) else { return true };
        let active = slot.active.and_then(|active| self.keys.get(&active));
        suspended(slot.suspension, at)
            || !active.is_some_and(|key| matches!(key.state, KeyState::Active { .. }))
    }
}
