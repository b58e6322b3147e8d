//! Which events a pack holds: those that its evidence is about, and those that say what was in force. Pure: the same
//! events give the same choice.

mod incident;

use std::collections::{BTreeMap, BTreeSet};

use sealbook_ledger::certificate::Certificate;
use sealbook_ledger::command::DocumentSubject;
use sealbook_ledger::event::Event;
use sealbook_ledger::ids::{ActionId, CertificateId, KeyId, MemberId, Seq};
use sealbook_ledger::payload::{Payload, RotationStarted, SlotCreated};
use sealbook_ledger::policy::Role;
use sealbook_ledger::timestamp::Timestamp;

/// The types that a pack's events are chosen from; those of the action and of the canary are looked for by themselves.
pub(super) const KINDS: [&str; 55] = [
    "approval_rp.set",
    "certificate.failed",
    "certificate.imported",
    "certificate.issued",
    "certificate.ordered",
    "certificate.requested",
    "certificate.revoked",
    "credential.added",
    "crl.authorized",
    "crl.issued",
    "document.authorized",
    "hsm.access_reviewed",
    "incident.acknowledged",
    "incident.advised",
    "incident.closed",
    "incident.escalated",
    "incident.noted",
    "incident.opened",
    "incident.reinstated",
    "incident.resigned",
    "incident.scoped",
    "incident.withdrawn",
    "key.activated",
    "key.adopted",
    "key.generated",
    "key.generation_abandoned",
    "key.generation_authorized",
    "key.generation_failed",
    "key.revoked",
    "ledger.evidence_key_set",
    "ledger.founded",
    "ledger.key_recovered",
    "ledger.key_rotated",
    "ledger.opened",
    "ledger.rules_adopted",
    "member.enrolled",
    "member.recovered",
    "member.removed",
    "policy.set",
    "rep.issued",
    "role.granted",
    "role.revoked",
    "rotation.canary_recorded",
    "rotation.channel_moved",
    "rotation.completed",
    "rotation.confirmed",
    "rotation.cut_over",
    "rotation.failed",
    "rotation.started",
    "slot.created",
    "slot.policy_set",
    "slot.resumed",
    "slot.rotation_overdue",
    "slot.rotation_set",
    "slot.suspended",
];

/// The events of [`KINDS`] and of the action that a pack is about: what it is chosen from.
pub(super) struct Choosing<'a> {
    pub(super) events: &'a [Event],
}

impl Choosing<'_> {
    /// The chosen events.
    pub(super) fn choose(&self, about: DocumentSubject) -> BTreeSet<Seq> {
        match about {
            DocumentSubject::Rotation(action) => self.of_rotation(action),
            DocumentSubject::LedgerKey(action) => self.of_ledger_key(action),
            DocumentSubject::Incident(incident) => self.of_incident(incident),
            DocumentSubject::Period { from, to } => self.of_period(from, to),
        }
    }

    /// The rotation's beginning, and the canary's span: from there to its record or the rotation's end.
    pub(super) fn canary_span(&self, action: ActionId) -> Option<(Seq, Seq)> {
        let started = self.started(action)?.0;
        let ends = self.events.iter().find(|event| match &event.payload {
            Payload::RotationCanaryRecorded(p) => p.action == action,
            Payload::RotationFailed(p) => p.action == action,
            _ => false,
        });
        Some((started, ends?.seq))
    }

    fn pick(&self, test: impl Fn(&Event) -> bool) -> impl Iterator<Item = Seq> {
        self.events.iter().filter(move |event| test(event)).map(|event| event.seq)
    }

    fn last(&self, test: impl Fn(&Event) -> bool) -> Option<Seq> {
        self.events.iter().rev().find(|event| test(event)).map(|event| event.seq)
    }

    fn started(&self, action: ActionId) -> Option<(Seq, &RotationStarted)> {
        self.events.iter().find_map(|event| match &event.payload {
            Payload::RotationStarted(p) if p.action == action => Some((event.seq, &**p)),
            _ => None,
        })
    }

    /// What every pack has: the beginning, the policy in force and the evidence key.
    fn common(&self, before: Seq) -> BTreeSet<Seq> {
        let founded =
            self.pick(|e| matches!(e.payload, Payload::LedgerFounded(_) | Payload::LedgerOpened(_)));
        let policy = self.last(|e| e.seq < before && matches!(e.payload, Payload::PolicySet(_)));
        let rules = self.last(|e| e.seq < before && matches!(e.payload, Payload::LedgerRulesAdopted(_)));
        let parties = self.pick(|e| e.seq < before && matches!(e.payload, Payload::ApprovalRpSet(_)));
        let evidence = self.last(|e| matches!(e.payload, Payload::LedgerEvidenceKeySet(_)));
        founded.chain(parties).chain(policy).chain(rules).chain(evidence).collect()
    }

    /// The action, the people in it and others who matter, and what is known of them.
    fn decision(&self, action: Option<ActionId>, others: &[MemberId]) -> BTreeSet<Seq> {
        let mut people: BTreeSet<MemberId> = others.iter().copied().chain(self.accountable()).collect();
        let mut chosen = BTreeSet::new();
        for event in self.events {
            let of_action = match &event.payload {
                Payload::ActionProposed(p) if Some(p.document.action) == action => {
                    people.extend(p.signed.as_ref().map(|signed| signed.member));
                    true
                }
                Payload::ActionApproved(p) if Some(p.action) == action => {
                    people.insert(p.member);
                    true
                }
                Payload::ActionExecuting(p) => Some(p.action) == action,
                Payload::ActionExecuted(p) => Some(p.action) == action,
                Payload::ActionFailed(p) => Some(p.action) == action,
                _ => false,
            };
            if of_action {
                chosen.insert(event.seq);
            }
        }
        let known = |event: &Event| match &event.payload {
            Payload::MemberEnrolled(p) => people.contains(&p.member),
            Payload::MemberRecovered(p) => people.contains(&p.member),
            Payload::MemberRemoved(p) => people.contains(&p.member),
            Payload::RoleGranted(p) => people.contains(&p.member),
            Payload::RoleRevoked(p) => people.contains(&p.member),
            Payload::CredentialAdded(p) => people.contains(&p.member),
            _ => false,
        };
        chosen.extend(self.pick(known));
        chosen
    }

    /// Everybody who ever could answer for a key: its reviewers and administrators.
    fn accountable(&self) -> BTreeSet<MemberId> {
        self.holders(&[Role::SecurityReviewer, Role::PlatformAdmin])
    }

    /// Everybody who ever held one of some roles.
    fn holders(&self, roles: &[Role]) -> BTreeSet<MemberId> {
        let held = self.events.iter().filter_map(|event| match &event.payload {
            Payload::MemberEnrolled(p) if p.roles.iter().any(|role| roles.contains(role)) => Some(p.member),
            Payload::RoleGranted(p) if roles.contains(&p.role) => Some(p.member),
            _ => None,
        });
        held.collect()
    }

    fn of_rotation(&self, action: ActionId) -> BTreeSet<Seq> {
        let Some((start, started)) = self.started(action) else { return BTreeSet::new() };
        let slot = &started.slot;
        let created = self.events.iter().find_map(|event| match &event.payload {
            Payload::SlotCreated(p) if p.slot == *slot => Some(&**p),
            _ => None,
        });
        let owner: Vec<MemberId> = created.iter().map(|created| created.owner).collect();
        let keys = self.keys_of(action, started.old_key);
        let mut chosen = self.common(start);
        chosen.extend(self.decision(Some(action), &owner));
        chosen.extend(self.pick(|event| is_of_rotation(event, action) || is_of_keys(event, &keys)));
        chosen.extend(self.slot_in_force(start, started, created));
        // What came after its end is another story's, but for what ended with it and the key that vouches for it all.
        let end = self.pick(|event| is_end(event, action)).next();
        chosen.extend(self.certificates(&keys, end));
        let later = self.pick(|event| match &event.payload {
            Payload::CertificateRevoked(p) => p.action == action,
            _ => false,
        });
        let evidence = self.last(|e| matches!(e.payload, Payload::LedgerEvidenceKeySet(_)));
        let later: BTreeSet<Seq> = later.chain(evidence).collect();
        chosen.retain(|seq| end.is_none_or(|end| *seq <= end) || later.contains(seq));
        chosen
    }

    /// The old key, and every key that was asked for.
    fn keys_of(&self, action: ActionId, old: KeyId) -> BTreeSet<KeyId> {
        let made = self.events.iter().filter_map(|event| match &event.payload {
            Payload::KeyGenerationAuthorized(p) if p.action == action => Some(p.key),
            _ => None,
        });
        [old].into_iter().chain(made).collect()
    }

    /// What was in force for the slot when the rotation began.
    fn slot_in_force(
        &self,
        start: Seq,
        started: &RotationStarted,
        created: Option<&SlotCreated>,
    ) -> Vec<Seq> {
        let slot = &started.slot;
        let first = self.pick(|e| matches!(&e.payload, Payload::SlotCreated(p) if p.slot == *slot));
        let rotation = self
            .last(|e| e.seq < start && matches!(&e.payload, Payload::SlotRotationSet(p) if p.slot == *slot));
        let signing = self
            .last(|e| e.seq < start && matches!(&e.payload, Payload::SlotPolicySet(p) if p.slot == *slot));
        let review = self.last(|event| match &event.payload {
            Payload::HsmAccessReviewed(p) => {
                event.seq < start && created.is_some_and(|created| created.backend == p.backend)
            }
            _ => false,
        });
        first.chain(rotation).chain(signing).chain(review).collect()
    }

    /// The certificates of some keys, and those of the CAs above them.
    fn certificates(&self, keys: &BTreeSet<KeyId>, end: Option<Seq>) -> BTreeSet<Seq> {
        let mut wanted: BTreeSet<CertificateId> = self
            .events
            .iter()
            .filter_map(|event| match &event.payload {
                Payload::CertificateOrdered(p) if keys.contains(&p.key) => Some(p.certificate),
                _ => None,
            })
            .collect();
        let known = self.certificates_made(end);
        // Each round finds the issuers of those that the last one found; paths are short.
        for _ in 0..sealbook_ledger::certificate::MAX_PATH {
            let issuers: Vec<CertificateId> = known
                .iter()
                .filter(|(id, _)| wanted.contains(id))
                .filter_map(|(_, certificate)| issuer_of(certificate, &known))
                .collect();
            wanted.extend(issuers);
        }
        self.pick(|event| certificate_of(&event.payload).is_some_and(|id| wanted.contains(&id))).collect()
    }

    fn certificates_made(&self, end: Option<Seq>) -> Vec<(CertificateId, Certificate)> {
        let before = self.events.iter().take_while(|event| end.is_none_or(|end| event.seq <= end));
        let made = before.filter_map(|event| match &event.payload {
            Payload::CertificateIssued(p) => Some((p.certificate, &p.der)),
            Payload::CertificateImported(p) => Some((p.certificate, p.chain.first()?)),
            _ => None,
        });
        made.filter_map(|(id, der)| Some((id, Certificate::from_der(der.as_bytes()).ok()?))).collect()
    }

    fn of_ledger_key(&self, action: ActionId) -> BTreeSet<Seq> {
        let change = self.events.iter().position(|event| match &event.payload {
            Payload::LedgerKeyRotated(p) => p.action == action,
            Payload::LedgerKeyRecovered(p) => p.action == action,
            _ => false,
        });
        let Some(change) = change else { return BTreeSet::new() };
        let (before, from) = self.events.split_at(change);
        let Some(event) = from.first() else { return BTreeSet::new() };
        let old = before.iter().rev().find(|event| {
            matches!(event.payload, Payload::LedgerKeyRotated(_) | Payload::LedgerKeyRecovered(_))
        });
        let mut chosen = self.common(event.seq);
        chosen.extend(self.decision(Some(action), &[]));
        chosen.extend(old.map(|old| old.seq).into_iter().chain([event.seq]));
        chosen
    }

    /// What the period's rotations and slots are told from: what lies in it, and of what lies before the last of each slot
    /// and device.
    fn of_period(&self, from: Timestamp, to: Timestamp) -> BTreeSet<Seq> {
        let rotations = self.rotations_of(from, to);
        let mut chosen: BTreeSet<Seq> = self
            .pick(|event| match &event.payload {
                Payload::LedgerOpened(_) | Payload::LedgerFounded(_) | Payload::LedgerEvidenceKeySet(_) => {
                    true
                }
                Payload::SlotCreated(_) => event.time < to,
                Payload::RotationStarted(p) => rotations.contains(&p.action),
                Payload::RotationCutOver(p) => rotations.contains(&p.action),
                Payload::RotationCompleted(p) => rotations.contains(&p.action),
                Payload::RotationFailed(p) => rotations.contains(&p.action),
                Payload::SlotRotationSet(_) | Payload::SlotRotationOverdue(_) | Payload::KeyActivated(_) => {
                    (from..to).contains(&event.time)
                }
                Payload::KeyRevoked(_) | Payload::HsmAccessReviewed(_) => (from..to).contains(&event.time),
                _ => false,
            })
            .collect();
        chosen.extend(self.last(|event| event.time < to && matches!(event.payload, Payload::PolicySet(_))));
        chosen.extend(self.packs_of(&rotations));
        let mut last: BTreeMap<(&str, String), Vec<Seq>> = BTreeMap::new();
        for event in self.events.iter().filter(|event| event.time < from) {
            self.note_last(event, &mut last);
        }
        chosen.extend(last.into_values().flatten());
        chosen
    }

    /// The last of each thing before a period: an activation by rotation takes the rotation's beginning along.
    fn note_last(&self, event: &Event, last: &mut BTreeMap<(&'static str, String), Vec<Seq>>) {
        let (kind, of, seqs) = match &event.payload {
            Payload::SlotRotationSet(p) => ("policy", p.slot.to_string(), vec![event.seq]),
            Payload::SlotRotationOverdue(p) => ("overdue", p.slot.to_string(), vec![event.seq]),
            Payload::KeyActivated(p) => ("active", p.slot.to_string(), vec![event.seq]),
            Payload::KeyRevoked(p) => ("revoked", p.key.to_string(), vec![event.seq]),
            Payload::HsmAccessReviewed(p) => ("review", p.backend.to_string(), vec![event.seq]),
            Payload::RotationCutOver(p) => {
                let Some((seq, started)) = self.started(p.action) else { return };
                let end = self.pick(|other| is_end(other, p.action));
                ("active", started.slot.to_string(), [seq, event.seq].into_iter().chain(end).collect())
            }
            _ => return,
        };
        last.insert((kind, of), seqs);
    }

    /// The rotations that began or ended in a period, or stood open in it.
    fn rotations_of(&self, from: Timestamp, to: Timestamp) -> BTreeSet<ActionId> {
        let ended: BTreeMap<ActionId, Timestamp> = self
            .events
            .iter()
            .filter_map(|event| match &event.payload {
                Payload::RotationCompleted(p) => Some((p.action, event.time)),
                Payload::RotationFailed(p) => Some((p.action, event.time)),
                _ => None,
            })
            .collect();
        let within = self.events.iter().filter_map(|event| match &event.payload {
            Payload::RotationStarted(p) if event.time < to => Some(p.action),
            _ => None,
        });
        within.filter(|action| ended.get(action).is_none_or(|ended| from <= *ended)).collect()
    }

    /// The packs of some rotations: what was issued, and its authorisation.
    fn packs_of(&self, rotations: &BTreeSet<ActionId>) -> BTreeSet<Seq> {
        let asked: BTreeSet<Seq> = self
            .pick(|event| match &event.payload {
                Payload::DocumentAuthorized(p) => p.action.is_some_and(|action| rotations.contains(&action)),
                _ => false,
            })
            .collect();
        let issued = self.events.iter().filter_map(|event| match &event.payload {
            Payload::RepIssued(p) if asked.contains(&p.authorization) => Some([p.authorization, event.seq]),
            _ => None,
        });
        issued.flatten().collect()
    }
}

fn is_of_rotation(event: &Event, action: ActionId) -> bool {
    match &event.payload {
        Payload::RotationStarted(p) => p.action == action,
        Payload::RotationCanaryRecorded(p) => p.action == action,
        Payload::RotationCutOver(p) => p.action == action,
        Payload::RotationConfirmed(p) => p.action == action,
        Payload::RotationChannelMoved(p) => p.action == action,
        Payload::RotationCompleted(p) => p.action == action,
        Payload::RotationFailed(p) => p.action == action,
        _ => false,
    }
}

fn is_end(event: &Event, action: ActionId) -> bool {
    match &event.payload {
        Payload::RotationCompleted(p) => p.action == action,
        Payload::RotationFailed(p) => p.action == action,
        _ => false,
    }
}

fn is_of_keys(event: &Event, keys: &BTreeSet<KeyId>) -> bool {
    match &event.payload {
        Payload::KeyGenerationAuthorized(p) => keys.contains(&p.key),
        Payload::KeyGenerated(p) => keys.contains(&p.key),
        Payload::KeyGenerationFailed(p) => keys.contains(&p.key),
        Payload::KeyGenerationAbandoned(p) => keys.contains(&p.key),
        Payload::KeyAdopted(p) => keys.contains(&p.key),
        Payload::KeyActivated(p) => keys.contains(&p.key),
        Payload::KeyRevoked(p) => keys.contains(&p.key),
        // When the old key took over, and whether the new one was replaced in its turn.
        Payload::RotationCutOver(p) => keys.contains(&p.new_key) || keys.contains(&p.old_key),
        Payload::SlotRotationOverdue(p) => keys.contains(&p.key),
        _ => false,
    }
}

fn certificate_of(payload: &Payload) -> Option<CertificateId> {
    match payload {
        Payload::CertificateOrdered(p) => Some(p.certificate),
        Payload::CertificateRequested(p) => Some(p.certificate),
        Payload::CertificateIssued(p) => Some(p.certificate),
        Payload::CertificateImported(p) => Some(p.certificate),
        Payload::CertificateFailed(p) => Some(p.certificate),
        Payload::CertificateRevoked(p) => Some(p.certificate),
        _ => None,
    }
}

/// The newest certificate of an issuer's name whose key really signed.
fn issuer_of(certificate: &Certificate, known: &[(CertificateId, Certificate)]) -> Option<CertificateId> {
    let signed = |issuer: &Certificate| {
        issuer.subject() == certificate.issuer()
            && issuer.public_key().is_ok_and(|key| certificate.is_signed_by(&key))
    };
    known.iter().rev().find(|(_, issuer)| signed(issuer)).map(|(id, _)| *id)
}
