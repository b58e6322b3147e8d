//! Which events an incident's statement holds.

use std::collections::BTreeSet;

use sealbook_ledger::event::{Actor, Event};
use sealbook_ledger::ids::{ActionId, IncidentId, KeyId, MemberId, Seq};
use sealbook_ledger::payload::{IncidentOpened, Payload};

use super::{Choosing, is_of_keys, is_of_rotation};

impl Choosing<'_> {
    /// What people decided in an incident: its rotation, the revocation of its key, and that its slot signs again.
    pub(in crate::packs) fn actions_of(&self, incident: IncidentId) -> BTreeSet<ActionId> {
        let Some(course) = self.course(incident) else { return BTreeSet::new() };
        let decided = self.events.iter().filter_map(|event| match &event.payload {
            Payload::KeyRevoked(p) if p.key == course.opened.key => Some(p.action),
            Payload::RotationCutOver(p) if course.holds(event) && p.old_key == course.opened.key => {
                Some(p.action)
            }
            Payload::SlotResumed(p) if course.holds(event) && p.slot == course.opened.slot => Some(p.action),
            _ => None,
        });
        decided.collect()
    }

    pub(super) fn of_incident(&self, incident: IncidentId) -> BTreeSet<Seq> {
        let Some(course) = self.course(incident) else { return BTreeSet::new() };
        let opened = course.opened;
        let keys = self.keys_in(&course);
        let slot = |event: &Event| match &event.payload {
            Payload::SlotCreated(p) => p.slot == opened.slot,
            Payload::SlotSuspended(p) => p.slot == opened.slot && course.holds(event),
            Payload::SlotResumed(p) => p.slot == opened.slot && course.holds(event),
            _ => false,
        };
        let actions = self.actions_of(incident);
        let rotation = |event: &Event| actions.iter().any(|action| is_of_rotation(event, *action));
        let mut chosen = self.common(course.from);
        chosen.extend(self.pick(|event| incident_of(&event.payload) == Some(incident)));
        chosen.extend(self.pick(|event| slot(event) || rotation(event) || is_of_keys(event, &keys)));
        let people = self.people_in(&chosen);
        chosen.extend(self.decision(None, &people));
        for action in &actions {
            chosen.extend(self.decision(Some(*action), &people));
        }
        chosen.retain(|seq| course.to.is_none_or(|to| *seq <= to));
        // What vouches for it all may be younger, and so may the list that tells of the revocation.
        chosen.extend(self.last(|e| matches!(e.payload, Payload::LedgerEvidenceKeySet(_))));
        chosen.extend(self.list_after(opened.key));
        chosen
    }

    fn course(&self, incident: IncidentId) -> Option<Span<'_>> {
        let (from, opened) = self.events.iter().find_map(|event| match &event.payload {
            Payload::IncidentOpened(p) if p.incident == incident => Some((event.seq, &**p)),
            _ => None,
        })?;
        let closed =
            |event: &&Event| matches!(&event.payload, Payload::IncidentClosed(p) if p.incident == incident);
        let to = self.events.iter().find(closed).map(|event| event.seq);
        Some(Span { opened, from, to })
    }

    /// The key, and the one that took its place.
    fn keys_in(&self, course: &Span<'_>) -> BTreeSet<KeyId> {
        let new = self.events.iter().find_map(|event| match &event.payload {
            Payload::RotationCutOver(p) if course.holds(event) && p.old_key == course.opened.key => {
                Some(p.new_key)
            }
            _ => None,
        });
        [course.opened.key].into_iter().chain(new).collect()
    }

    /// Whoever did something of what is chosen.
    fn people_in(&self, chosen: &BTreeSet<Seq>) -> Vec<MemberId> {
        let by = self.events.iter().filter(|event| chosen.contains(&event.seq));
        let people: BTreeSet<MemberId> = by
            .filter_map(|event| match event.actor {
                Actor::Member(member) => Some(member),
                Actor::Service(_) | Actor::System => None,
            })
            .collect();
        people.into_iter().collect()
    }

    /// The first revocation list that was asked for after a key's revocation and issued.
    fn list_after(&self, key: KeyId) -> Vec<Seq> {
        let revoked = self.last(|event| matches!(&event.payload, Payload::KeyRevoked(p) if p.key == key));
        let Some(revoked) = revoked else { return Vec::new() };
        let issued = self.events.iter().find_map(|event| match &event.payload {
            Payload::CrlIssued(p) if p.authorization > revoked => Some([p.authorization, event.seq]),
            _ => None,
        });
        issued.into_iter().flatten().collect()
    }
}

/// From the opening to the end.
struct Span<'a> {
    opened: &'a IncidentOpened,
    from: Seq,
    to: Option<Seq>,
}

impl Span<'_> {
    fn holds(&self, event: &Event) -> bool {
        event.seq >= self.from && self.to.is_none_or(|to| event.seq <= to)
    }
}

/// The incident that an event is a step of.
pub(in crate::packs) fn incident_of(payload: &Payload) -> Option<IncidentId> {
    match payload {
        Payload::IncidentAcknowledged(p) => Some(p.incident),
        Payload::IncidentAdvised(p) => Some(p.incident),
        Payload::IncidentClosed(p) => Some(p.incident),
        Payload::IncidentNoted(p) => Some(p.incident),
        Payload::IncidentOpened(p) => Some(p.incident),
        Payload::IncidentReinstated(p) => Some(p.incident),
        Payload::IncidentResigned(p) => Some(p.incident),
        Payload::IncidentScoped(p) => Some(p.incident),
        Payload::IncidentWithdrawn(p) => Some(p.incident),
        _ => None,
    }
}
