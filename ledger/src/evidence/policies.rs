//! The policies in force when the work began, whole, with the events that set them.

use serde::Serialize;
use serde::ser::Serializer;

use super::{EvidenceError, Facts};
use crate::encoding::Hash;
use crate::ids::{Seq, SlotName};
use crate::payload::{Payload, SlotCreated};
use crate::policy::{LedgerPolicy, SigningPolicy};
use crate::rotation::RotationPolicy;
use crate::slot::rotation_of;

/// A policy, and since when it is in force.
#[derive(Debug, Clone, PartialEq)]
pub struct InForce<P> {
    /// Its digest, as other events name it.
    pub digest: Hash,
    /// The policy.
    pub policy: P,
    /// The event that set it.
    pub since: Seq,
}

/// In the evidence by digest: the policy is a file of its own.
impl<P> Serialize for InForce<P> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Json {
            digest: Hash,
            since: Seq,
        }
        Json { digest: self.digest, since: self.since }.serialize(serializer)
    }
}

/// The policies of a rotation.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Policies {
    /// The ledger's.
    pub ledger: InForce<LedgerPolicy>,
    /// How the slot's keys are replaced.
    pub rotation: InForce<RotationPolicy>,
    /// What the slot signs.
    pub signing: InForce<SigningPolicy>,
}

impl Policies {
    /// The interval between two keys of the slot, that of the ledger policy included, in days: a CA's is its own.
    pub fn interval_days(&self) -> u16 {
        let own = self.rotation.policy.rotation_days;
        let longest = self.ledger.policy.cadence().rotation_days;
        if self.rotation.policy.is_issuing() { own } else { own.min(longest) }
    }

    pub(super) fn of(facts: &Facts<'_>, slot: &SlotName, before: Seq) -> Result<Self, EvidenceError> {
        let (created_seq, created) = created(facts, slot)?;
        let mut rotation = facts.all(|payload| match payload {
            Payload::SlotRotationSet(p) => Some(&**p),
            _ => None,
        });
        let rotation = rotation.rfind(|(event, p)| event.seq < before && p.slot == *slot);
        let (since, rotation) = match rotation {
            Some((event, set)) => (event.seq, set.rotation.clone()),
            None => {
                (created_seq, rotation_of(&created.rotation, created.rotation_days, created.overlap_days))
            }
        };
        let rotation = InForce { digest: rotation.digest()?, policy: rotation, since };
        let mut signing = facts.all(|payload| match payload {
            Payload::SlotPolicySet(p) => Some(&**p),
            _ => None,
        });
        let signing = signing.rfind(|(event, p)| event.seq < before && p.slot == *slot);
        let (since, signing) = match signing {
            Some((event, set)) => (event.seq, set.signing_policy.clone()),
            None => (created_seq, created.signing_policy.clone()),
        };
        let signing = InForce { digest: signing.digest()?, policy: signing, since };
        Ok(Self { ledger: ledger_policy(facts, before)?, rotation, signing })
    }
}

/// The ledger policy in force before an event.
pub(super) fn ledger_policy(facts: &Facts<'_>, before: Seq) -> Result<InForce<LedgerPolicy>, EvidenceError> {
    let mut set = facts.all(|payload| match payload {
        Payload::PolicySet(p) => Some(&p.policy),
        Payload::LedgerFounded(p) => Some(&p.document.policy),
        _ => None,
    });
    let (event, policy) =
        set.rfind(|(event, _)| event.seq < before).ok_or(EvidenceError::Missing { what: "ledger policy" })?;
    Ok(InForce { digest: policy.digest()?, policy: policy.clone(), since: event.seq })
}

/// How a slot began.
pub(super) fn created<'a>(
    facts: &Facts<'a>,
    slot: &SlotName,
) -> Result<(Seq, &'a SlotCreated), EvidenceError> {
    let created = facts.all(|payload| match payload {
        Payload::SlotCreated(p) => Some(&**p),
        _ => None,
    });
    let mut created = created.filter(|(_, p)| p.slot == *slot);
    let (event, created) = created.next().ok_or(EvidenceError::Missing { what: "creation of the slot" })?;
    Ok((event.seq, created))
}
