//! What the events of an incident say of each step.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    CertificateListed, ChannelFacts, EscalationFacts, ListFacts, ResignedFacts, RevocationFacts, ScopeFacts,
    Taken,
};
use crate::action::RevocationReason;
use crate::certificate::Certificate;
use crate::encoding::{B64, Hash};
use crate::event::{Actor, Event};
use crate::evidence::people::roles_at;
use crate::evidence::{EvidenceError, Facts, KeyFacts, Mark};
use crate::ids::{CertificateId, ChannelName, KeyId, MemberId, Seq};
use crate::incident::IncidentOutcome;
use crate::payload::{IncidentOpened, Payload, SlotCreated};
use crate::policy::Role;
use crate::public_key::PublicKey;
use crate::timestamp::Timestamp;

/// The events from the opening on.
pub(super) struct Course<'f, 'a> {
    pub(super) facts: &'f Facts<'a>,
    pub(super) opened: &'a IncidentOpened,
    pub(super) from: Seq,
    pub(super) at: Timestamp,
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

    /// Who held a role at the opening that is called, but for whoever opened it.
    pub(super) fn called(&self, opener: Actor) -> BTreeSet<MemberId> {
        let responds = |role: &Role| matches!(role, Role::ChangeBoard | Role::IncidentCommander);
        let held = roles_at(self.facts, self.from, self.at).into_iter();
        let called = held.filter(|(_, roles)| roles.iter().any(responds)).map(|(member, _)| member);
        called.filter(|member| opener != Actor::Member(*member)).collect()
    }

    pub(super) fn escalated(&self) -> Option<EscalationFacts> {
        let id = self.opened.incident;
        let (event, missed) = self.first(move |payload| match payload {
            Payload::IncidentEscalated(p) if p.incident == id => Some(&p.missed),
            _ => None,
        })?;
        Some(EscalationFacts {
            due: self.opened.acknowledge_by?,
            missed: missed.clone(),
            mark: Mark::of(event),
        })
    }

    /// Every step up to the end is in the pack: the end says how many there are.
    pub(super) fn is_whole(&self) -> Result<(), EvidenceError> {
        let id = self.opened.incident;
        let closed = self.first(move |payload| match payload {
            Payload::IncidentClosed(p) if p.incident == id => Some(p.steps),
            _ => None,
        });
        let Some((_, steps)) = closed else { return Ok(()) };
        let there = self.facts.events().iter().filter(|event| event.payload.incident() == Some(id)).count();
        if u64::try_from(there) == Ok(steps) {
            Ok(())
        } else {
            Err(EvidenceError::Missing { what: "step of the incident" })
        }
    }

    /// The opening of the first of the incidents that go on in this one: false alarms that were none.
    pub(super) fn clocks_from(&self, opening: &Event) -> Result<Mark, EvidenceError> {
        let (mut from, mut follows) = (Mark::of(opening), self.opened.follows);
        while let Some(before) = follows {
            let missing = EvidenceError::Missing { what: "incident that it follows" };
            let ended = self.facts.first(move |payload| match payload {
                Payload::IncidentClosed(p) if p.incident == before => Some(p.outcome),
                _ => None,
            });
            let Some((_, outcome)) = ended else { return Err(missing) };
            if outcome != IncidentOutcome::FalseAlarm {
                break;
            }
            let opened = self.facts.first(move |payload| match payload {
                Payload::IncidentOpened(p) if p.incident == before => Some(p.follows),
                _ => None,
            });
            let Some((event, earlier)) = opened.filter(|(event, _)| event.seq < from.seq) else {
                return Err(missing);
            };
            (from, follows) = (Mark::of(event), earlier);
        }
        Ok(from)
    }

    /// What CAs of this ledger have certified the key with.
    pub(super) fn certificates(&self) -> Vec<CertificateListed> {
        let listed = |(id, der): (CertificateId, &B64)| {
            let certificate = Certificate::from_der(der.as_bytes()).ok()?;
            let serial = certificate.serial().to_string();
            Some(CertificateListed { certificate: id, fingerprint: Hash::sha256(der.as_bytes()), serial })
        };
        self.issued().into_iter().filter_map(listed).collect()
    }

    fn issued(&self) -> Vec<(CertificateId, &'a B64)> {
        let key = self.opened.key;
        let ordered: BTreeSet<CertificateId> = self
            .facts
            .all(move |payload| match payload {
                Payload::CertificateOrdered(p) if p.key == key => Some(p.certificate),
                _ => None,
            })
            .map(|(_, id)| id)
            .collect();
        let issued = self.facts.all(move |payload| match payload {
            Payload::CertificateIssued(p) => Some((p.certificate, &p.der)),
            _ => None,
        });
        issued.map(|(_, one)| one).filter(|(id, _)| ordered.contains(id)).collect()
    }

    /// Whether a CA's key has signed one of the key's certificates.
    fn certified_by(&self, ca: KeyId) -> bool {
        let spki = self.facts.first(move |payload| match payload {
            Payload::KeyGenerated(p) if p.key == ca => Some(&p.spki),
            Payload::KeyAdopted(p) if p.key == ca => Some(&p.spki),
            _ => None,
        });
        let public = spki.and_then(|(_, spki)| PublicKey::from_der(spki.as_bytes()).ok());
        let Some(public) = public else { return false };
        self.issued().into_iter().any(|(_, der)| {
            Certificate::from_der(der.as_bytes()).is_ok_and(|certificate| certificate.is_signed_by(&public))
        })
    }

    /// The suspension that the opening found; or the first one since.
    pub(super) fn contained(&self) -> Option<Taken> {
        let suspended = |event: &&Event| match &event.payload {
            Payload::SlotSuspended(p) => p.slot == self.opened.slot,
            _ => false,
        };
        let (before, after) = self.facts.events().split_at(self.place());
        let lifted =
            |event: &Event| matches!(&event.payload, Payload::SlotResumed(p) if p.slot == self.opened.slot);
        let last = before.iter().rfind(|event| suspended(event) || lifted(event));
        let found = last.filter(|last| match &last.payload {
            Payload::SlotSuspended(p) => p.lapses_at.is_none_or(|lapse| lapse > self.at),
            _ => false,
        });
        found.or_else(|| after.iter().find(suspended)).map(|event| Taken::of(event, None))
    }

    /// The last resumption, where no suspension came after it.
    pub(super) fn resumed(&self) -> Option<Taken> {
        let after = self.facts.events().get(self.place()..).unwrap_or_default();
        let of_slot = |event: &&Event| match &event.payload {
            Payload::SlotResumed(p) => p.slot == self.opened.slot,
            Payload::SlotSuspended(p) => p.slot == self.opened.slot,
            _ => false,
        };
        let last = after.iter().rfind(of_slot)?;
        match &last.payload {
            Payload::SlotResumed(p) => Some(Taken::of(last, Some(p.action))),
            _ => None,
        }
    }

    /// Where the events after the opening begin.
    fn place(&self) -> usize {
        self.facts.events().partition_point(|event| event.seq <= self.from)
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
                    channels.entry(p.channel.clone()).or_insert(facts).reinstated = None;
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
        // A replacement may have been replaced in its turn.
        let (mut key, mut cut) = (self.opened.key, None);
        for event in self.facts.events().get(self.place()..).unwrap_or_default() {
            if let Payload::RotationCutOver(p) = &event.payload
                && p.old_key == key
            {
                (key, cut) = (p.new_key, Some((event, p.action, p.new_key)));
            }
        }
        let Some((event, action, new)) = cut else { return Ok((None, None)) };
        Ok((Some(Taken::of(event, Some(action))), Some(KeyFacts::of(self.facts, new, slot)?)))
    }

    pub(super) fn resigned(&self) -> Option<ResignedFacts> {
        let id = self.opened.incident;
        let (event, p) = self.last(move |payload| match payload {
            Payload::IncidentResigned(p) if p.incident == id => Some(&**p),
            _ => None,
        })?;
        // What was counted against an earlier list says nothing of the last one.
        let scoped = self.scope()?.taken.mark.seq;
        let (dropped, key, resigned) = (p.dropped, p.key, p.resigned);
        (event.seq > scoped).then(|| ResignedFacts { dropped, key, resigned, taken: Taken::of(event, None) })
    }

    pub(super) fn revoked(&self) -> Option<RevocationFacts> {
        let key = self.opened.key;
        // For another reason it is to be believed as far as it goes.
        let (event, p) = self.facts.first(move |payload| match payload {
            Payload::KeyRevoked(p) if p.key == key && p.reason == RevocationReason::KeyCompromise => {
                Some(&**p)
            }
            _ => None,
        })?;
        let after = event.seq;
        let listed = self.facts.all(|payload| match payload {
            Payload::CrlIssued(list) => Some(&**list),
            _ => None,
        });
        let mut listed = listed.filter(|(_, list)| list.authorization > after && self.certified_by(list.key));
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
