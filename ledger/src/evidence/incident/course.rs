//! What the events of an incident say of each step.

use std::collections::BTreeMap;

use super::{ChannelFacts, ListFacts, ResignedFacts, RevocationFacts, ScopeFacts, Taken};
use crate::event::{Actor, Event};
use crate::evidence::{EvidenceError, Facts, KeyFacts, Mark};
use crate::ids::{ChannelName, MemberId, Seq};
use crate::incident::IncidentOutcome;
use crate::payload::{IncidentOpened, Payload, SlotCreated};

/// The events from the opening on.
pub(super) struct Course<'f, 'a> {
    pub(super) facts: &'f Facts<'a>,
    pub(super) opened: &'a IncidentOpened,
    pub(super) from: Seq,
}

impl<'a> Course<'_, 'a> {
    fn first<T: 'a>(&self, choice: impl Fn(&'a Payload) -> Option<T> + 'a) -> Option<(&'a Event, T)> {
        let from = self.from;
        self.facts.all(choice).find(move |(event, _)| event.seq > from)
    }

    fn last<T: 'a>(&self, choice: impl Fn(&'a Payload) -> Option<T> + 'a) -> Option<(&'a Event, T)> {
        let from = self.from;
        self.facts.all(choice).rfind(move |(event, _)| event.seq > from)
    }

    pub(super) fn all(&self, test: impl Fn(&'a Payload) -> bool + 'a) -> Vec<Taken> {
        let found = self.facts.all(move |payload| test(payload).then_some(()));
        found.map(|(event, ())| Taken::of(event, None)).collect()
    }

    pub(super) fn acknowledged(&self) -> BTreeMap<MemberId, Mark> {
        let id = self.opened.incident;
        let said = self.facts.all(move |payload| match payload {
            Payload::IncidentAcknowledged(p) if p.incident == id => Some(()),
            _ => None,
        });
        let by = |(event, ()): (&Event, ())| match event.actor {
            Actor::Member(member) => Some((member, Mark::of(event))),
            Actor::Service(_) | Actor::System => None,
        };
        said.filter_map(by).collect()
    }

    pub(super) fn contained(&self) -> Option<Taken> {
        let slot = &self.opened.slot;
        let found = self
            .facts
            .events()
            .iter()
            .filter(|event| event.seq > self.from)
            .find(|event| matches!(&event.payload, Payload::SlotSuspended(p) if p.slot == *slot));
        found.map(|event| Taken::of(event, None))
    }

    pub(super) fn resumed(&self) -> Option<Taken> {
        let slot = self.opened.slot.clone();
        let found = self.last(move |payload| match payload {
            Payload::SlotResumed(p) if p.slot == slot => Some(p.action),
            _ => None,
        });
        found.map(|(event, action)| Taken::of(event, Some(action)))
    }

    pub(super) fn scope(&self) -> Option<ScopeFacts> {
        let id = self.opened.incident;
        let (event, p) = self.last(move |payload| match payload {
            Payload::IncidentScoped(p) if p.incident == id => Some(&**p),
            _ => None,
        })?;
        Some(ScopeFacts {
            count: p.count,
            first: p.first,
            last: p.last,
            list: p.list,
            since: p.since,
            size: p.size,
            taken: Taken::of(event, None),
        })
    }

    pub(super) fn channels(&self) -> BTreeMap<ChannelName, ChannelFacts> {
        let id = self.opened.incident;
        let mut channels: BTreeMap<ChannelName, ChannelFacts> = BTreeMap::new();
        for event in self.facts.events() {
            match &event.payload {
                Payload::IncidentWithdrawn(p) if p.incident == id => {
                    let facts = ChannelFacts { reinstated: None, withdrawn: Taken::of(event, None) };
                    channels.insert(p.channel.clone(), facts);
                }
                Payload::IncidentReinstated(p) if p.incident == id => {
                    if let Some(channel) = channels.get_mut(&p.channel) {
                        channel.reinstated = Some(Taken::of(event, None));
                    }
                }
                _ => {}
            }
        }
        channels
    }

    pub(super) fn rotated(
        &self,
        slot: &SlotCreated,
    ) -> Result<(Option<Taken>, Option<KeyFacts>), EvidenceError> {
        let key = self.opened.key;
        let cut = self.first(move |payload| match payload {
            Payload::RotationCutOver(p) if p.old_key == key => Some((p.action, p.new_key)),
            _ => None,
        });
        let Some((event, (action, new))) = cut else { return Ok((None, None)) };
        Ok((Some(Taken::of(event, Some(action))), Some(KeyFacts::of(self.facts, new, slot)?)))
    }

    pub(super) fn resigned(&self) -> Option<ResignedFacts> {
        let id = self.opened.incident;
        let (event, (resigned, dropped)) = self.last(move |payload| match payload {
            Payload::IncidentResigned(p) if p.incident == id => Some((p.resigned, p.dropped)),
            _ => None,
        })?;
        Some(ResignedFacts { dropped, resigned, taken: Taken::of(event, None) })
    }

    pub(super) fn revoked(&self) -> Option<RevocationFacts> {
        let key = self.opened.key;
        let (event, p) = self.facts.last(move |payload| match payload {
            Payload::KeyRevoked(p) if p.key == key => Some(&**p),
            _ => None,
        })?;
        let after = event.seq;
        let listed = self.facts.all(|payload| match payload {
            Payload::CrlIssued(list) => Some(&**list),
            _ => None,
        });
        let mut listed = listed.filter(|(_, list)| list.authorization > after);
        Some(RevocationFacts {
            compromised_since: p.compromised_since,
            listed: listed.next().map(|(event, list)| ListFacts {
                key: list.key,
                number: list.authorization,
                sha256: list.sha256,
                mark: Mark::of(event),
            }),
            reason: p.reason,
            taken: Taken::of(event, Some(p.action)),
        })
    }

    pub(super) fn closed(&self) -> Option<(IncidentOutcome, Taken)> {
        let id = self.opened.incident;
        let (event, outcome) = self.first(move |payload| match payload {
            Payload::IncidentClosed(p) if p.incident == id => Some(p.outcome),
            _ => None,
        })?;
        Some((outcome, Taken::of(event, None)))
    }
}
