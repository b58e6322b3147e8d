//! Who holds which role, as far as the events of a pack tell.

use std::collections::{BTreeMap, BTreeSet};

use super::Facts;
use crate::ids::{MemberId, Seq};
use crate::payload::{MemberEnrolled, Payload};
use crate::policy::Role;
use crate::timestamp::Timestamp;
use crate::webauthn::{ApprovalRp, Credential};

/// A role with the moments between which it holds.
type Grant = (Role, Option<Timestamp>, Option<Timestamp>);

/// The members of a pack with the roles that they hold at a moment, by what stands before an event.
pub(super) fn roles_at(facts: &Facts<'_>, before: Seq, at: Timestamp) -> BTreeMap<MemberId, BTreeSet<Role>> {
    let mut held: BTreeMap<MemberId, Vec<Grant>> = BTreeMap::new();
    for event in facts.events.iter().take_while(|event| event.seq < before) {
        match &event.payload {
            Payload::MemberEnrolled(p) => {
                held.insert(p.member, p.roles.iter().map(|role| (*role, None, None)).collect());
            }
            Payload::MemberRemoved(p) => drop(held.remove(&p.member)),
            Payload::RoleGranted(p) => {
                held.entry(p.member).or_default().push((p.role, p.not_before, p.not_after));
            }
            Payload::RoleRevoked(p) => {
                held.entry(p.member).or_default().retain(|(role, ..)| *role != p.role);
            }
            _ => {}
        }
    }
    let holds = |(role, from, to): &Grant| {
        let now = from.is_none_or(|from| from <= at) && to.is_none_or(|to| at < to);
        now.then_some(*role)
    };
    held.into_iter().map(|(member, grants)| (member, grants.iter().filter_map(holds).collect())).collect()
}

/// The events that tell of a person.
pub(super) fn seqs_of(facts: &Facts<'_>, member: MemberId, before: Seq) -> Vec<Seq> {
    let about = |payload: &Payload| match payload {
        Payload::MemberEnrolled(p) => p.member == member,
        Payload::MemberRemoved(p) => p.member == member,
        Payload::RoleGranted(p) => p.member == member,
        Payload::RoleRevoked(p) => p.member == member,
        _ => false,
    };
    let before = facts.events.iter().take_while(|event| event.seq < before);
    before.filter(|event| about(&event.payload)).map(|event| event.seq).collect()
}

/// An authenticator as it was enrolled, with the last event before a place that did so.
pub(super) fn credential<'a>(
    facts: &Facts<'a>,
    member: MemberId,
    id: &crate::encoding::B64,
    before: Seq,
) -> Option<&'a Credential> {
    let of = |credentials: &'a [Credential]| credentials.iter().find(|known| known.credential_id == *id);
    let events = facts.events.iter().take_while(|event| event.seq < before);
    let known = events.filter_map(|event| match &event.payload {
        Payload::MemberEnrolled(p) if p.member == member => of(enrolled(p)),
        Payload::MemberRecovered(p) if p.member == member => of(&p.credentials),
        Payload::CredentialAdded(p) if p.member == member && p.credential.credential_id == *id => {
            Some(&p.credential)
        }
        _ => None,
    });
    known.last()
}

fn enrolled(enrolled: &MemberEnrolled) -> &[Credential] {
    &enrolled.credentials
}

/// The relying party of approvals before an event.
pub(super) fn approval_rp<'a>(facts: &Facts<'a>, before: Seq) -> Option<&'a ApprovalRp> {
    let events = facts.events.iter().take_while(|event| event.seq < before);
    let known = events.filter_map(|event| match &event.payload {
        Payload::LedgerFounded(p) => Some(&p.document.approval_rp),
        Payload::ApprovalRpSet(p) => Some(&p.approval_rp),
        _ => None,
    });
    known.last()
}
