//! Which events an incident's statement holds.

use std::collections::BTreeSet;

use sealbook_ledger::event::{Actor, Event};
use sealbook_ledger::ids::{ActionId, CertificateId, IncidentId, KeyId, MemberId, Seq};
use sealbook_ledger::payload::{IncidentOpened, Payload, RotationCutOver};
use sealbook_ledger::policy::Role;
use sealbook_ledger::public_key::PublicKey;

use super::{Choosing, is_of_keys, is_of_rotation};

impl Choosing<'_> {
    /// What people decided in an incident: its rotations, the revocation of its key, and that its slot signs again.
    pub(in crate::packs) fn actions_of(&self, incident: IncidentId) -> BTreeSet<ActionId> {
        let Some(course) = self.course(incident) else { return BTreeSet::new() };
        let decided = self.events.iter().filter_map(|event| match &event.payload {
            Payload::KeyRevoked(p) if p.key == course.opened.key => Some(p.action),
            Payload::SlotResumed(p) if course.holds(event) && p.slot == course.opened.slot => Some(p.action),
            _ => None,
        });
        decided.chain(self.replacements(&course).iter().map(|replaced| replaced.action)).collect()
    }

    pub(super) fn of_incident(&self, incident: IncidentId) -> BTreeSet<Seq> {
        let Some(course) = self.course(incident) else { return BTreeSet::new() };
        let opened = course.opened;
        let keys = self.keys_in(&course);
        let before = self.before(&course);
        let slot = |event: &Event| match &event.payload {
            Payload::SlotCreated(p) => p.slot == opened.slot,
            Payload::SlotSuspended(p) => p.slot == opened.slot && course.holds(event),
            Payload::SlotResumed(p) => p.slot == opened.slot && course.holds(event),
            _ => false,
        };
        let actions = self.actions_of(incident);
        let rotation = |event: &Event| actions.iter().any(|action| is_of_rotation(event, *action));
        let mut chosen = self.common(course.from);
        chosen.extend(self.pick(|event| event.payload.incident() == Some(incident)));
        chosen.extend(self.pick(|event| slot(event) || rotation(event) || is_of_keys(event, &keys)));
        let people = self.people_in(&chosen);
        chosen.extend(self.decision(None, &people));
        for action in &actions {
            chosen.extend(self.decision(Some(*action), &people));
        }
        chosen.extend(before);
        chosen.extend(self.certificates(&BTreeSet::from([opened.key]), course.to));
        chosen.retain(|seq| course.to.is_none_or(|to| *seq <= to));
        // What vouches for it all may be younger, and so may the list that tells of the revocation.
        chosen.extend(self.last(|e| matches!(e.payload, Payload::LedgerEvidenceKeySet(_))));
        chosen.extend(self.list_after(opened.key));
        chosen
    }

    /// What the opening found: the false alarms that it takes up again, a suspension, and where approvals were made.
    fn before(&self, course: &Span<'_>) -> BTreeSet<Seq> {
        let mut chosen = BTreeSet::new();
        let mut follows = course.opened.follows;
        while let Some(before) = follows {
            let ends = |event: &Event| match &event.payload {
                Payload::IncidentOpened(p) => p.incident == before,
                Payload::IncidentClosed(p) => p.incident == before,
                _ => false,
            };
            chosen.extend(self.pick(ends));
            follows = self
                .course(before)
                .filter(|span| span.from < course.from)
                .and_then(|span| span.opened.follows);
        }
        let of_slot = |event: &Event| match &event.payload {
            Payload::SlotSuspended(p) => p.slot == course.opened.slot,
            Payload::SlotResumed(p) => p.slot == course.opened.slot,
            _ => false,
        };
        chosen.extend(self.last(|event| event.seq < course.from && of_slot(event)));
        chosen.extend(self.pick(|event| matches!(event.payload, Payload::ApprovalRpSet(_))));
        chosen
    }

    /// Whether an incident has come to its end.
    pub(in crate::packs) fn has_closed(&self, incident: IncidentId) -> bool {
        self.course(incident).is_some_and(|course| course.to.is_some())
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

    /// How the key was replaced: a replacement may have been replaced in its turn.
    fn replacements(&self, course: &Span<'_>) -> Vec<&RotationCutOver> {
        let mut key = course.opened.key;
        let mut replacements = Vec::new();
        for event in self.events.iter().filter(|event| course.holds(event)) {
            if let Payload::RotationCutOver(cut) = &event.payload
                && cut.old_key == key
            {
                key = cut.new_key;
                replacements.push(&**cut);
            }
        }
        replacements
    }

    /// The key, and those that took its place.
    fn keys_in(&self, course: &Span<'_>) -> BTreeSet<KeyId> {
        let new = self.replacements(course).into_iter().map(|cut| cut.new_key);
        [course.opened.key].into_iter().chain(new).collect()
    }

    /// Whoever did something of what is chosen, was missed, or could have been called.
    fn people_in(&self, chosen: &BTreeSet<Seq>) -> Vec<MemberId> {
        let by = self.events.iter().filter(|event| chosen.contains(&event.seq));
        let mut people = self.holders(&[Role::ChangeBoard, Role::IncidentCommander]);
        for event in by {
            if let Actor::Member(member) = event.actor {
                people.insert(member);
            }
            // Whoever was missed has done nothing.
            if let Payload::IncidentEscalated(p) = &event.payload {
                people.extend(&p.missed);
            }
        }
        people.into_iter().collect()
    }

    /// The first revocation list of the key's CA that was asked for after the revocation and issued, and that CA's key.
    fn list_after(&self, key: KeyId) -> BTreeSet<Seq> {
        let revoked = self.last(|event| matches!(&event.payload, Payload::KeyRevoked(p) if p.key == key));
        let Some(revoked) = revoked else { return BTreeSet::new() };
        let issued = self.events.iter().find_map(|event| match &event.payload {
            Payload::CrlIssued(p) if p.authorization > revoked && self.has_certified(p.key, key) => {
                Some((p.key, [p.authorization, event.seq]))
            }
            _ => None,
        });
        let Some((ca, list)) = issued else { return BTreeSet::new() };
        let made = |event: &Event| match &event.payload {
            Payload::KeyGenerated(p) => p.key == ca,
            Payload::KeyAdopted(p) => p.key == ca,
            _ => false,
        };
        list.into_iter().chain(self.pick(made)).collect()
    }

    /// Whether a CA's key has signed a certificate of another key.
    fn has_certified(&self, ca: KeyId, key: KeyId) -> bool {
        let public = self.events.iter().find_map(|event| match &event.payload {
            Payload::KeyGenerated(p) if p.key == ca => PublicKey::from_der(p.spki.as_bytes()).ok(),
            Payload::KeyAdopted(p) if p.key == ca => PublicKey::from_der(p.spki.as_bytes()).ok(),
            _ => None,
        });
        let Some(public) = public else { return false };
        let ordered = self.events.iter().filter_map(|event| match &event.payload {
            Payload::CertificateOrdered(p) if p.key == key => Some(p.certificate),
            _ => None,
        });
        let ordered: BTreeSet<CertificateId> = ordered.collect();
        let made = self.certificates_made(None);
        made.iter().any(|(id, certificate)| ordered.contains(id) && certificate.is_signed_by(&public))
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
