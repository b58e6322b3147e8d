//! The evidence of one rotation.

use serde::Serialize;

use super::checks::{Check, CheckResult, verdict};
use super::steps::{Steps, new_key};
use super::{
    Canary, CertificateFacts, Decision, EvidenceError, Facts, KeyFacts, Listed, Policies, Sealed, policies,
    rotation_checks,
};
use crate::certificate::Usage;
use crate::encoding::Hash;
use crate::ids::{ActionId, BackendName, Correlation, KeyId, MemberId, Origin, Seq, SlotName};
use crate::payload::{FailureCode, Payload, RotationCutOver, RotationStarted};

/// `schema` of a rotation's evidence.
const SCHEMA: &str = "sealbook:rotation-evidence/v1";

/// What auditors and their tools look for first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RotationEvent {
    /// Under which all events of the rotation stand.
    pub correlation_id: Correlation,
    /// Whether it was break-glass.
    pub emergency: bool,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<FailureCode>,
    /// SHA-256 of the new key's certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new_certificate_thumbprint: Option<Hash>,
    /// The key that took over, where one was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new_key: Option<KeyId>,
    /// The key that was replaced.
    pub old_key: KeyId,
    /// `completed` or `failed`.
    pub outcome: &'static str,
    /// The rotation: its action.
    pub rotation: ActionId,
    /// The slot.
    pub slot: SlotName,
    /// What the new key's signatures and its certificate came to.
    pub verification_results: VerificationResults,
}

/// What was verified again when the evidence was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VerificationResults {
    /// Signatures of the canary that do not hold or were not made.
    pub canary_failed: u32,
    /// Signatures of the canary.
    pub canary_signed: u32,
    /// Signatures of the canary that hold under the new key.
    pub canary_verified: u32,
    /// Whether the new certificate's path holds; `none` without a certificate.
    pub certificate_path: CheckResult,
}

/// The evidence of a rotation: `evidence.json`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RotationEvidence {
    /// The device.
    pub backend: BackendName,
    /// What the new key signed before it took over.
    pub canary: Canary,
    /// The certificates of the two keys, the old one's first.
    pub certificates: Vec<CertificateFacts>,
    /// What was checked.
    pub checks: Vec<Check>,
    /// Who asked and who approved.
    pub decision: Decision,
    /// Every event of the pack.
    pub events: Vec<Listed>,
    /// The old key and, where one was made, the new.
    pub keys: Vec<KeyFacts>,
    /// The ledger.
    pub origin: Origin,
    /// Who answers for the slot.
    pub owner: MemberId,
    /// What was in force when it began.
    pub policies: Policies,
    /// The rotation in short.
    pub rotation_event: RotationEvent,
    /// Which form this is.
    pub schema: &'static str,
    /// What the receipts lead to.
    pub sealed: Sealed,
    /// When each step was taken.
    pub steps: Steps,
    /// `fail` where any check does, else `pass`.
    pub verdict: CheckResult,
}

impl RotationEvidence {
    /// What the events say of a rotation.
    pub fn new(facts: &Facts<'_>, rotation: ActionId, sealed: Sealed) -> Result<Self, EvidenceError> {
        let (event, started) = started(facts, rotation)?;
        let (_, slot) = policies::created(facts, &started.slot)?;
        let decision = Decision::of(facts, rotation)?;
        let steps = Steps::of(facts, rotation, &decision);
        let old = KeyFacts::of(facts, started.old_key, slot)?;
        if old.active.is_none() {
            return Err(EvidenceError::Missing { what: "activation of the old key" });
        }
        let new = match (new_key(facts, rotation), steps.key_generated) {
            (Some(key), Some(_)) => Some(KeyFacts::of(facts, key, slot)?),
            _ => None,
        };
        let canary = Canary::of(facts, rotation, new.as_ref());
        let usage = usage_of(facts, &started.slot, event.seq)?;
        let cut = cut_over(facts, rotation);
        let taken = cut.and_then(|(_, cut)| cut.fingerprint);
        let new_certificate = match &new {
            Some(new) => CertificateFacts::of_key(facts, new.key, usage, |made| match taken {
                Some(taken) => made.fingerprint == taken,
                None => true,
            })?,
            None => None,
        };
        let ends = cut.map_or(event.seq, |(seq, _)| seq);
        let old_certificate = CertificateFacts::of_key(facts, old.key, usage, |made| made.seq < ends)?;
        let rotation_event = RotationEvent {
            correlation_id: event.correlation,
            emergency: started.emergency,
            failure: failure(facts, rotation),
            new_certificate_thumbprint: new_certificate.as_ref().map(|new| new.fingerprint),
            new_key: new.as_ref().map(|new| new.key),
            old_key: old.key,
            outcome: match (&steps.completed, &steps.failed) {
                (Some(_), _) => "completed",
                (None, _) => "failed",
            },
            rotation,
            slot: started.slot.clone(),
            verification_results: VerificationResults {
                canary_failed: canary.failed,
                canary_signed: canary.signed,
                canary_verified: canary.verified,
                certificate_path: path_result(new_certificate.as_ref()),
            },
        };
        let policies = Policies::of(facts, &started.slot, event.seq)?;
        policies_are_named(&policies, (event.seq, started), &decision)?;
        if steps.completed.is_none() && steps.failed.is_none() {
            return Err(EvidenceError::Missing { what: "end of the rotation" });
        }
        let mut evidence = Self {
            backend: slot.backend.clone(),
            canary,
            certificates: old_certificate.into_iter().chain(new_certificate).collect(),
            checks: Vec::new(),
            decision,
            events: facts.listed(),
            keys: [old].into_iter().chain(new).collect(),
            origin: facts.origin().clone(),
            owner: slot.owner,
            policies,
            rotation_event,
            schema: SCHEMA,
            sealed,
            steps,
            verdict: CheckResult::None,
        };
        evidence.checks = rotation_checks::all(facts, &evidence);
        evidence.verdict = verdict(&evidence.checks);
        Ok(evidence)
    }

    /// The key that was replaced.
    pub fn old_key(&self) -> Option<&KeyFacts> {
        self.keys.first()
    }

    /// The key that took over, where one was made.
    pub fn new_key(&self) -> Option<&KeyFacts> {
        self.keys.get(1)
    }

    /// The certificate of a key.
    pub fn certificate_of(&self, key: KeyId) -> Option<&CertificateFacts> {
        self.certificates.iter().find(|certificate| certificate.key == key)
    }
}

/// The policies in force are those that the proposal and the start name by their digests.
fn policies_are_named(
    policies: &Policies,
    (start, started): (Seq, &RotationStarted),
    decision: &Decision,
) -> Result<(), EvidenceError> {
    let other = |seq, what| Err(EvidenceError::Policy { seq, what });
    if started.policy != policies.rotation.digest {
        return other(start, "rotation policy");
    }
    if decision.document.policy != policies.ledger.digest {
        return other(decision.proposed.seq, "ledger policy");
    }
    Ok(())
}

fn path_result(certificate: Option<&CertificateFacts>) -> CheckResult {
    match certificate {
        None => CheckResult::None,
        Some(certificate) if certificate.path_holds => CheckResult::Pass,
        Some(_) => CheckResult::Fail,
    }
}

fn started<'a>(
    facts: &Facts<'a>,
    rotation: ActionId,
) -> Result<(&'a crate::event::Event, &'a RotationStarted), EvidenceError> {
    facts
        .first(move |payload| match payload {
            Payload::RotationStarted(p) if p.action == rotation => Some(&**p),
            _ => None,
        })
        .ok_or(EvidenceError::Missing { what: "beginning of the rotation" })
}

/// What the rotation policy in force has certificates say.
fn usage_of(facts: &Facts<'_>, slot: &SlotName, before: Seq) -> Result<Option<Usage>, EvidenceError> {
    let policies = Policies::of(facts, slot, before)?;
    Ok(policies.rotation.policy.certificate.map(|certificate| certificate.usage))
}

fn cut_over<'a>(facts: &Facts<'a>, rotation: ActionId) -> Option<(Seq, &'a RotationCutOver)> {
    let cut = facts.first(move |payload| match payload {
        Payload::RotationCutOver(p) if p.action == rotation => Some(&**p),
        _ => None,
    });
    cut.map(|(event, cut)| (event.seq, cut))
}

fn failure(facts: &Facts<'_>, rotation: ActionId) -> Option<FailureCode> {
    facts
        .first(move |payload| match payload {
            Payload::RotationFailed(p) if p.action == rotation => Some(p.code.clone()),
            _ => None,
        })
        .map(|(_, code)| code)
}
