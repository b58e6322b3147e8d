//! What holds in every history, said once more without the rules' own words.

use std::collections::{BTreeMap, BTreeSet};

use sealbook_ledger::action::ActionType;
use sealbook_ledger::event::{Actor, Event};
use sealbook_ledger::ids::{ActionId, KeyId, MemberId, Seq, ServiceId, SlotName};
use sealbook_ledger::payload::{Payload, SignatureAuthorized};
use sealbook_ledger::policy::{Clause, Proposer, Role};
use sealbook_ledger::state::Founded;
use sealbook_ledger::timestamp::Timestamp;

use crate::support::Ledger;

/// A consent as its event tells it.
struct Consent {
    member: MemberId,
    role: Role,
    credential: sealbook_ledger::encoding::B64,
}

#[derive(Default)]
struct Shadow {
    proposals: BTreeMap<ActionId, (Option<Consent>, ActionType, Vec<Clause>)>,
    consents: BTreeMap<ActionId, Vec<Consent>>,
    authorized: BTreeMap<Seq, (SignatureAuthorized, Actor)>,
    ended: BTreeSet<Seq>,
    used: BTreeSet<(ActionId, u32)>,
    stopped: BTreeMap<SlotName, Option<Timestamp>>,
    revoked: BTreeSet<KeyId>,
    gone: BTreeSet<Actor>,
}

pub fn check(ledger: &Ledger) {
    let mut shadow = Shadow::default();
    for (one, before) in ledger.history.iter().zip(&ledger.before) {
        shadow.see(&one.event, before.founded().ok());
    }
    let outstanding = shadow.authorized.len() - shadow.ended.len();
    assert_eq!(ledger.now().pending_signatures().len(), outstanding);
    for pair in ledger.before.windows(2) {
        if let (Ok(before), Ok(after)) = (pair[0].founded(), pair[1].founded()) {
            let at = pair[1].time().unwrap();
            reachability_holds(
                before,
                after,
                at,
                &ledger.history[usize::try_from(pair[0].size()).unwrap()].event,
            );
        }
    }
}

impl Shadow {
    fn see(&mut self, event: &Event, before: Option<&Founded>) {
        match &event.payload {
            Payload::ActionProposed(p) => {
                let document = &p.document;
                assert_eq!(event.actor.id(), document.proposed_by.to_string());
                let consent = p.signed.as_ref().map(|signed| {
                    assert_eq!(event.actor, Actor::Member(signed.member));
                    let (member, role) = (signed.member, signed.role);
                    Consent { member, role, credential: signed.credential_id.clone() }
                });
                assert!(consent.is_some() || document.kind().concerns_signatures());
                self.proposals.insert(document.action, (consent, document.kind(), document.quorum.clone()));
            }
            Payload::ActionApproved(p) => {
                let proposer = self.proposals[&p.action].0.as_ref().map(|consent| consent.member);
                assert_ne!(proposer, Some(p.member), "nobody approves their own");
                let consent = Consent { member: p.member, role: p.role, credential: p.credential_id.clone() };
                self.consents.entry(p.action).or_default().push(consent);
            }
            Payload::ActionExecuting(p) => self.quorum_is_there(p.action, before.unwrap(), event.time),
            Payload::SignatureAuthorized(p) => {
                let policy = &before.unwrap().slots()[&p.slot].signing_policy;
                let asks = p.environment.is_some_and(|environment| policy.approval.contains(&environment));
                assert_eq!(p.clearance.is_some(), asks, "signed without approval, or with one too many");
                if let Some(place) = p.clearance.as_ref().map(|used| (used.action, used.index)) {
                    assert!(self.used.insert(place), "what was approved is signed once");
                }
                self.authorized.insert(event.seq, (p.as_ref().clone(), event.actor));
            }
            Payload::SignatureCreated(p) => {
                let (authorized, caller) = &self.authorized[&p.authorization];
                assert!(event.time < authorized.expires_at, "nothing is released late");
                assert!(!self.revoked.contains(&authorized.key), "nothing is released under a revoked key");
                assert!(!self.gone.contains(caller), "nothing is released to whoever is gone");
                let stopped = self.stopped.get(&authorized.slot);
                let holds = stopped.is_some_and(|lapse| lapse.is_none_or(|end| event.time < end));
                assert!(!holds, "nothing is released of a suspended slot");
                assert_eq!((&p.digest, p.key), (&authorized.digest, authorized.key));
                self.end(p.authorization);
            }
            Payload::SignatureFailed(p) => {
                if let Some(used) = &self.authorized[&p.authorization].0.clearance {
                    self.used.remove(&(used.action, used.index));
                }
                self.end(p.authorization);
            }
            Payload::SignatureWithheld(p) => self.end(p.authorization),
            Payload::SignatureAbandoned(p) => {
                assert!(event.time >= self.authorized[&p.authorization].0.expires_at);
                self.end(p.authorization);
            }
            Payload::SlotSuspended(p) => drop(self.stopped.insert(p.slot.clone(), p.lapses_at)),
            Payload::SlotResumed(p) => drop(self.stopped.remove(&p.slot)),
            Payload::KeyRevoked(p) => drop(self.revoked.insert(p.key)),
            Payload::MemberRemoved(p) => drop(self.gone.insert(Actor::Member(p.member))),
            Payload::ServiceRemoved(p) => drop(self.gone.insert(Actor::Service(p.service))),
            _ => {}
        }
    }

    fn end(&mut self, authorization: Seq) {
        assert!(self.authorized.contains_key(&authorization));
        assert!(self.ended.insert(authorization), "an authorisation has one outcome");
    }

    fn quorum_is_there(&self, action: ActionId, before: &Founded, at: Timestamp) {
        let (proposal, kind, quorum) = &self.proposals[&action];
        let own = proposal.as_ref().filter(|_| kind.name().ends_with("_emergency"));
        let consents: Vec<&Consent> = self
            .consents
            .get(&action)
            .into_iter()
            .flatten()
            .chain(own)
            .filter(|consent| {
                let member = &before.members()[&consent.member];
                member.is_active(at)
                    && member.roles_at(at).contains(&consent.role)
                    && member.credential_at(&consent.credential, at).is_some()
            })
            .collect();
        let seats = seats(quorum);
        let offers: Vec<(MemberId, Role)> =
            consents.iter().map(|consent| (consent.member, consent.role)).collect();
        assert!(fill(&seats, &offers, &mut BTreeSet::new()), "nothing begins without its quorum");
    }
}

fn seats(quorum: &[Clause]) -> Vec<Role> {
    quorum.iter().flat_map(|clause| vec![clause.role; clause.count.into()]).collect()
}

/// Tries every way to fill the seats by different people.
fn fill(seats: &[Role], offers: &[(MemberId, Role)], seated: &mut BTreeSet<MemberId>) -> bool {
    let Some((seat, rest)) = seats.split_first() else { return true };
    offers.iter().any(|(member, role)| {
        if role != seat || !seated.insert(*member) {
            return false;
        }
        let filled = fill(rest, offers, seated);
        seated.remove(member);
        filled
    })
}

/// Who may propose what, now or later, and could never get it approved by people who can sign.
fn stuck(founded: &Founded, at: Timestamp) -> BTreeSet<(ActionType, Actor)> {
    let can_sign = |id: &MemberId| {
        let member = &founded.members()[id];
        let credentials = member.credentials.iter().map(|held| &held.credential.credential_id);
        member.is_active(at) && credentials.into_iter().any(|id| member.credential_at(id, at).is_some())
    };
    let lasting: Vec<(MemberId, Role)> = founded
        .members()
        .iter()
        .filter(|(id, _)| can_sign(id))
        .flat_map(|(id, member)| {
            let untimed = member.grants.iter().filter(|g| g.not_before.is_none() && g.not_after.is_none());
            untimed.map(|grant| (*id, grant.role))
        })
        .collect();
    let guarded = |name: &SlotName| !founded.slots()[name].signing_policy.approval.is_empty();
    let asking: Vec<ServiceId> = founded
        .services()
        .iter()
        .filter(|(_, service)| !service.removed && service.slots.iter().any(guarded))
        .map(|(id, _)| *id)
        .collect();
    let mut stuck = BTreeSet::new();
    for (kind, rule) in &founded.policy().actions {
        for (id, member) in founded.members().iter().filter(|(_, member)| !member.removed) {
            let ahead = member.grants.iter().filter(|grant| grant.not_after.is_none_or(|end| at < end));
            let proposing: BTreeSet<Role> = ahead
                .map(|grant| grant.role)
                .filter(|r| rule.proposers.contains(&Proposer::Role(*r)))
                .collect();
            let mut offers: Vec<(MemberId, Role)> =
                lasting.iter().copied().filter(|(other, _)| other != id).collect();
            if kind.name().ends_with("_emergency") && can_sign(id) {
                offers.extend(proposing.iter().map(|role| (*id, *role)));
            }
            if !proposing.is_empty() && !fill(&seats(&rule.quorum), &offers, &mut BTreeSet::new()) {
                stuck.insert((*kind, Actor::Member(*id)));
            }
        }
        let asked = rule.proposers.contains(&Proposer::Service);
        if asked && !fill(&seats(&rule.quorum), &lasting, &mut BTreeSet::new()) {
            stuck.extend(asking.iter().map(|id| (*kind, Actor::Service(*id))));
        }
    }
    stuck
}

/// No enrolment, removal, role or policy change leaves somebody stuck who was not.
fn reachability_holds(before: &Founded, after: &Founded, at: Timestamp, event: &Event) {
    let changes = matches!(
        event.payload,
        Payload::MemberEnrolled(_)
            | Payload::MemberRemoved(_)
            | Payload::MemberRestored(_)
            | Payload::CredentialAdded(_)
            | Payload::CredentialRemoved(_)
            | Payload::RoleGranted(_)
            | Payload::RoleRevoked(_)
            | Payload::PolicySet(_)
    );
    if changes {
        let (was, is) = (stuck(before, at), stuck(after, at));
        assert!(is.is_subset(&was), "{}: {:?}", event.payload.type_name(), is.difference(&was));
        assert_eq!(is, after.unreachable(at));
    }
}
