//! Certificates of a slot's keys that wait for a CA outside, rotations aside: those have a page of their own.

use sealbook_ledger::ids::{CertificateId, MemberId, SlotName};
use sealbook_ledger::issuance::{Issuance, IssuanceStep};
use sealbook_ledger::rotation::IssuerPolicy;
use sealbook_ledger::state::Founded;
use sealbook_ledger::timestamp::Timestamp;

use crate::views::story;

/// What is waited for.
pub(super) struct Awaited {
    pub(super) certificate: CertificateId,
    /// The end of its key's id.
    pub(super) short: String,
    /// Whether the member may bring it, or give it up.
    pub(super) keeps: bool,
}

impl Awaited {
    /// Everything that a slot waits for, the oldest order first.
    pub(super) fn of(founded: &Founded, name: &SlotName, member: MemberId, at: Timestamp) -> Vec<Self> {
        let keeps = founded.slot(name).is_ok_and(|slot| founded.judge_keeper(member, slot, at).is_ok());
        let waits = |issuance: &Issuance| {
            issuance.slot == *name
                && issuance.step == IssuanceStep::Requested
                && matches!(issuance.policy.issuer, IssuerPolicy::Outside { .. })
                && !founded.rotations().contains_key(&issuance.action)
        };
        let mut all: Vec<_> = founded.issuances().iter().filter(|(_, issuance)| waits(issuance)).collect();
        all.sort_by_key(|(_, issuance)| issuance.ordered);
        let awaited = all.into_iter().map(|(certificate, issuance)| Self {
            certificate: *certificate,
            short: story::short_end(&issuance.key.to_string()),
            keeps,
        });
        awaited.collect()
    }
}
