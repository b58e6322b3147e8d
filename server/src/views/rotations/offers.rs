//! What a member may do about a rotation: the rules' own answers, told before anybody asks.

use sealbook_ledger::event::Actor;
use sealbook_ledger::ids::{ActionId, CertificateId, MemberId};
use sealbook_ledger::issuance::IssuanceStep;
use sealbook_ledger::rotation::{IssuerPolicy, Rotation};
use sealbook_ledger::state::Founded;
use sealbook_ledger::timestamp::Timestamp;

use super::issuances;

/// What a member is offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offers {
    /// To say that the new key works, where that is waited for.
    pub confirm: bool,
    /// To say that a channel relies on it, where that is waited for.
    pub move_channels: bool,
    /// To bring the chain of this certificate, which a CA outside issues.
    pub import: Option<CertificateId>,
    /// To stop the rotation: nothing of it has taken effect.
    pub stop: bool,
}

impl Offers {
    /// What a member may do about a rotation at a moment.
    pub fn of(
        founded: &Founded,
        (id, rotation): (ActionId, &Rotation),
        member: MemberId,
        at: Timestamp,
    ) -> Self {
        let actor = Actor::Member(member);
        let slot = founded.slot(&rotation.slot);
        let keeps = slot.is_ok_and(|slot| founded.judge_keeper(member, slot, at).is_ok());
        let contains = founded.judge_containment(actor, Some(&rotation.slot), at).is_ok();
        Self {
            confirm: founded.judge_caller(&rotation.slot, actor, at).is_ok(),
            move_channels: keeps,
            import: awaited(founded, id, rotation).filter(|_| keeps),
            stop: rotation.is_preparing() && contains,
        }
    }
}

/// The new key's certificate, where its request waits for a CA outside.
fn awaited(founded: &Founded, id: ActionId, rotation: &Rotation) -> Option<CertificateId> {
    let key = rotation.new_key()?;
    let (certificate, issuance) = issuances(founded, id).into_iter().rfind(|(_, one)| one.key == key)?;
    let outside = matches!(issuance.policy.issuer, IssuerPolicy::Outside { .. });
    (outside && issuance.step == IssuanceStep::Requested).then_some(*certificate)
}
