//! The evidence of a span of time: which keys were replaced, which were late, and whether each has its pack.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::checks::{CADENCE_DAYS, Check, CheckResult, verdict};
use super::policies::{InForce, ledger_policy};
use super::{EvidenceError, Facts, Listed, Mark, Sealed};
use crate::encoding::Hash;
use crate::ids::{ActionId, BackendName, KeyId, MemberId, Origin, Seq, SlotName};
use crate::pack::envelope_algorithm;
use crate::payload::{Payload, RepIssued, RotationStarted};
use crate::policy::LedgerPolicy;
use crate::public_key::{PublicKey, SigningInput};
use crate::rotation::{DAY_S, RotationPolicy};
use crate::timestamp::Timestamp;

/// `schema` of a period's evidence.
const SCHEMA: &str = "sealbook:period-evidence/v1";

/// A pack that was issued.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Issued {
    /// When.
    #[serde(flatten)]
    pub mark: Mark,
    /// SHA-256 of the pack.
    pub sha256: Hash,
}

/// A rotation that began or ended in the period.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PeriodRotation {
    /// The old key was retired.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completed: Option<Mark>,
    /// The new key took over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cut_over: Option<Mark>,
    /// Whether it was break-glass.
    pub emergency: bool,
    /// It ended before its cutover.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed: Option<Mark>,
    /// The key that took over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new_key: Option<KeyId>,
    /// The key that was replaced.
    pub old_key: KeyId,
    /// Its evidence pack.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pack: Option<Issued>,
    /// The rotation: its action.
    pub rotation: ActionId,
    /// The slot.
    pub slot: SlotName,
    /// When it began.
    pub started: Mark,
}

/// A slot as it stood at the period's end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PeriodSlot {
    /// Since when it signs with its key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active: Option<Mark>,
    /// The device.
    pub backend: BackendName,
    /// Whether its key signs certificates.
    pub issuing: bool,
    /// The key that it signs with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<KeyId>,
    /// Days after which its key has to be replaced.
    pub interval_days: u16,
    /// Keys of it that were recorded as late within the period, or before it and not replaced until then.
    pub overdue: Vec<Mark>,
    /// Who answers for it.
    pub owner: MemberId,
    /// When its key was revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revoked: Option<Mark>,
    /// The slot.
    pub slot: SlotName,
}

impl PeriodSlot {
    /// Whether its key was late within the period, or is at its end; a revoked key is replaced for other reasons.
    pub fn is_late(&self, to: Timestamp) -> bool {
        let ends = |active: Mark| active.time.plus_seconds(u32::from(self.interval_days) * DAY_S);
        let due = self.active.filter(|_| self.revoked.is_none()).map(ends);
        !self.overdue.is_empty() || due.is_some_and(|due| due <= to)
    }
}

/// The evidence of a period: `evidence.json`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PeriodEvidence {
    /// What was checked.
    pub checks: Vec<Check>,
    /// Every event of the pack.
    pub events: Vec<Listed>,
    /// First moment.
    pub from: Timestamp,
    /// The ledger.
    pub origin: Origin,
    /// The ledger policy in force at its end.
    pub policy: InForce<LedgerPolicy>,
    /// The last review of each device until its end.
    pub reviews: BTreeMap<BackendName, Mark>,
    /// The rotations that began or ended in it, by their beginning.
    pub rotations: Vec<PeriodRotation>,
    /// Which form this is.
    pub schema: &'static str,
    /// What the receipts lead to.
    pub sealed: Sealed,
    /// Every slot.
    pub slots: Vec<PeriodSlot>,
    /// First moment after it.
    pub to: Timestamp,
    /// `fail` where any check does, else `pass`.
    pub verdict: CheckResult,
}

impl PeriodEvidence {
    /// What the events say of a period.
    pub fn new(
        facts: &Facts<'_>,
        (from, to): (Timestamp, Timestamp),
        sealed: Sealed,
    ) -> Result<Self, EvidenceError> {
        let end = facts.events.iter().find(|event| event.time >= to).map(|event| event.seq);
        let last = facts.events.last().map(|event| event.seq.get() + 1);
        let end = end.or_else(|| last.and_then(Seq::new)).unwrap_or(Seq::ZERO);
        let policy = ledger_policy(facts, end)?;
        let reviews = facts.all(|payload| match payload {
            Payload::HsmAccessReviewed(p) => Some(p.backend.clone()),
            _ => None,
        });
        let reviews = reviews.filter(|(event, _)| event.time < to);
        let mut evidence = Self {
            checks: Vec::new(),
            events: facts.listed(),
            from,
            origin: facts.origin().clone(),
            reviews: reviews.map(|(event, backend)| (backend, Mark::of(event))).collect(),
            rotations: rotations(facts, from, to),
            schema: SCHEMA,
            sealed,
            slots: slots(facts, &policy.policy, from, to),
            policy,
            to,
            verdict: CheckResult::None,
        };
        evidence.checks = evidence.checked();
        evidence.verdict = verdict(&evidence.checks);
        Ok(evidence)
    }

    fn checked(&self) -> Vec<Check> {
        vec![self.cadence(), self.in_time(), self.packs(), self.access_reviews()]
    }

    fn cadence(&self) -> Check {
        let long = self.slots.iter().filter(|slot| !slot.issuing && slot.interval_days > CADENCE_DAYS);
        let named = names(long.map(|slot| &slot.slot));
        let check = Check::new("cadence", "Keys of every slot are replaced every 90 days or oftener");
        let check = check.at([self.policy.since]);
        match named.is_empty() {
            true => check.holds(true, format!("{} slots; CAs have intervals of their own", self.slots.len())),
            false => check.holds(false, format!("beyond 90 days: {named}")),
        }
    }

    fn in_time(&self) -> Check {
        let late: Vec<&PeriodSlot> = self.slots.iter().filter(|slot| slot.is_late(self.to)).collect();
        let check = Check::new("in_time", "No key was late in the period, or is at its end");
        let check = check.at(late.iter().flat_map(|slot| {
            slot.overdue.iter().map(|mark| mark.seq).chain(slot.active.map(|active| active.seq))
        }));
        match late.is_empty() {
            true => check.holds(true, "none"),
            false => check.holds(false, format!("late: {}", names(late.iter().map(|slot| &slot.slot)))),
        }
    }

    fn packs(&self) -> Check {
        let ended = self.rotations.iter().filter(|rotation| {
            let ends = rotation.completed.or(rotation.failed);
            ends.is_some_and(|mark| mark.time < self.to)
        });
        let (with, without): (Vec<_>, Vec<_>) = ended.partition(|rotation| rotation.pack.is_some());
        let check = Check::new("packs", "Every rotation that ended in the period has its evidence pack");
        let check = check.at(with.iter().filter_map(|rotation| rotation.pack).map(|pack| pack.mark.seq));
        let detail = format!("{} of {} have theirs", with.len(), with.len() + without.len());
        check.holds(without.is_empty(), detail)
    }

    fn access_reviews(&self) -> Check {
        let days = self.policy.policy.cadence().access_review_days;
        let devices: BTreeSet<&BackendName> = self.slots.iter().map(|slot| &slot.backend).collect();
        let in_time = |device: &&&BackendName| {
            let last = self.reviews.get(**device);
            last.is_some_and(|mark| self.to <= mark.time.plus_seconds(u32::from(days) * DAY_S))
        };
        let reviewed = devices.iter().filter(in_time).count();
        Check::new("access_review", "Who can reach each device was reviewed in time")
            .holds(
                reviewed == devices.len(),
                format!("{reviewed} of {} devices, every {days} days", devices.len()),
            )
            .at(self.reviews.values().map(|mark| mark.seq))
    }
}

fn names<'a>(slots: impl Iterator<Item = &'a SlotName>) -> String {
    slots.map(SlotName::as_str).collect::<Vec<_>>().join(", ")
}

fn rotations(facts: &Facts<'_>, from: Timestamp, to: Timestamp) -> Vec<PeriodRotation> {
    let started = facts.all(|payload| match payload {
        Payload::RotationStarted(p) => Some(&**p),
        _ => None,
    });
    let all = started.map(|(event, started)| rotation(facts, Mark::of(event), started));
    all.filter(|rotation| {
        let ends = rotation.completed.or(rotation.failed);
        rotation.started.time < to && ends.is_none_or(|mark| from <= mark.time)
    })
    .collect()
}

fn rotation(facts: &Facts<'_>, started_at: Mark, started: &RotationStarted) -> PeriodRotation {
    let action = started.action;
    let cut = facts.first(move |payload| match payload {
        Payload::RotationCutOver(p) if p.action == action => Some(p.new_key),
        _ => None,
    });
    PeriodRotation {
        completed: facts.mark(move |p| matches!(p, Payload::RotationCompleted(p) if p.action == action)),
        cut_over: cut.map(|(event, _)| Mark::of(event)),
        emergency: started.emergency,
        failed: facts.mark(move |p| matches!(p, Payload::RotationFailed(p) if p.action == action)),
        new_key: cut.map(|(_, key)| key),
        old_key: started.old_key,
        pack: pack_of(facts, action),
        rotation: action,
        slot: started.slot.clone(),
        started: started_at,
    }
}

/// The pack of a rotation, if the evidence key of its time really signed it.
fn pack_of(facts: &Facts<'_>, action: ActionId) -> Option<Issued> {
    let asked = facts.all(move |payload| match payload {
        Payload::DocumentAuthorized(p) if p.action == Some(action) => Some(()),
        _ => None,
    });
    let asked: Vec<Seq> = asked.map(|(event, ())| event.seq).collect();
    let issued = facts.first(move |payload| match payload {
        Payload::RepIssued(p) if asked.contains(&p.authorization) => Some(&**p),
        _ => None,
    });
    let (event, issued) = issued?;
    signature_holds(facts, issued).then(|| Issued { mark: Mark::of(event), sha256: issued.sha256 })
}

fn signature_holds(facts: &Facts<'_>, issued: &RepIssued) -> bool {
    let id = issued.key;
    let set = facts.first(move |payload| match payload {
        Payload::LedgerEvidenceKeySet(p) if p.key == id => Some(&p.spki),
        _ => None,
    });
    let key = set.and_then(|(_, spki)| PublicKey::from_der(spki.as_bytes()).ok());
    key.is_some_and(|key| {
        let algorithm = envelope_algorithm(key.key_type());
        // An Ed25519 key's is over the encoding itself, which is in its pack alone.
        algorithm.needs_message()
            || key
                .verify(algorithm, SigningInput::Digest(&issued.digest.0), issued.signature.as_bytes())
                .is_ok()
    })
}

fn slots(facts: &Facts<'_>, policy: &LedgerPolicy, from: Timestamp, to: Timestamp) -> Vec<PeriodSlot> {
    let created = facts.all(|payload| match payload {
        Payload::SlotCreated(p) => Some(&**p),
        _ => None,
    });
    let longest = policy.cadence().rotation_days;
    let created = created.filter(|(event, _)| event.time < to);
    let mut slots: Vec<PeriodSlot> = created
        .map(|(_, created)| {
            let (issuing, own) = interval(facts, &created.slot, to)
                .or_else(|| created.rotation.as_ref().map(terms))
                .unwrap_or((false, created.rotation_days));
            let active = active(facts, &created.slot, to);
            PeriodSlot {
                active: active.map(|(mark, _)| mark),
                backend: created.backend.clone(),
                issuing,
                key: active.map(|(_, key)| key),
                interval_days: if issuing { own } else { own.min(longest) },
                overdue: overdue(facts, &created.slot, from, to),
                owner: created.owner,
                revoked: active.and_then(|(_, key)| {
                    facts.mark(move |p| matches!(p, Payload::KeyRevoked(p) if p.key == key))
                }),
                slot: created.slot.clone(),
            }
        })
        .collect();
    slots.sort_by(|a, b| a.slot.cmp(&b.slot));
    slots
}

fn terms(policy: &RotationPolicy) -> (bool, u16) {
    (policy.is_issuing(), policy.rotation_days)
}

/// What a slot's last rotation policy before a moment says.
fn interval(facts: &Facts<'_>, slot: &SlotName, to: Timestamp) -> Option<(bool, u16)> {
    let mut set = facts.all(|payload| match payload {
        Payload::SlotRotationSet(p) => Some(&**p),
        _ => None,
    });
    set.rfind(|(event, p)| event.time < to && p.slot == *slot).map(|(_, p)| terms(&p.rotation))
}

/// The keys that a slot signed with, each from when on.
fn activations(facts: &Facts<'_>, slot: &SlotName) -> Vec<(Mark, KeyId)> {
    let rotations: Vec<ActionId> = facts
        .all(|payload| match payload {
            Payload::RotationStarted(p) => Some(&**p),
            _ => None,
        })
        .filter(|(_, p)| p.slot == *slot)
        .map(|(_, p)| p.action)
        .collect();
    let slot = slot.clone();
    let taken = facts.all(move |payload| match payload {
        Payload::KeyActivated(p) if p.slot == slot => Some(p.key),
        Payload::RotationCutOver(p) if rotations.contains(&p.action) => Some(p.new_key),
        _ => None,
    });
    taken.map(|(event, key)| (Mark::of(event), key)).collect()
}

/// The key that a slot signed with at a moment, and since when.
fn active(facts: &Facts<'_>, slot: &SlotName, to: Timestamp) -> Option<(Mark, KeyId)> {
    activations(facts, slot).into_iter().rev().find(|(mark, _)| mark.time < to)
}

fn overdue(facts: &Facts<'_>, slot: &SlotName, from: Timestamp, to: Timestamp) -> Vec<Mark> {
    let activations = activations(facts, slot);
    let late = facts.all(|payload| match payload {
        Payload::SlotRotationOverdue(p) => Some(&p.slot),
        _ => None,
    });
    let late = late.filter(|(event, of)| *of == slot && event.time < to);
    let still = |mark: &Mark| {
        let next = activations.iter().find(|(taken, _)| taken.seq > mark.seq);
        mark.time >= from || next.is_none_or(|(taken, _)| taken.time >= from)
    };
    late.map(|(event, _)| Mark::of(event)).filter(still).collect()
}
