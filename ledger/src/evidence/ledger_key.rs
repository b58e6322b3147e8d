//! The evidence of a change of the ledger key (ledger format §5).

use serde::Serialize;

use super::checks::{Check, CheckResult, verdict};
use super::policies::{InForce, ledger_policy};
use super::{Decision, EvidenceError, Facts, Listed, Mark, Sealed};
use crate::attributes::KeyAttributes;
use crate::ids::{ActionId, BackendName, Correlation, Origin};
use crate::note::Vkey;
use crate::payload::{NextVkey, Payload};
use crate::policy::LedgerPolicy;
use crate::rotation::DAY_S;

/// `schema` of a ledger key's evidence.
const SCHEMA: &str = "sealbook:ledger-key-evidence/v1";

/// The evidence of another ledger key: `evidence.json`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LedgerKeyEvidence {
    /// As the device reports those of the new key.
    pub attributes: KeyAttributes,
    /// What was checked.
    pub checks: Vec<Check>,
    /// Under which the change stands.
    pub correlation_id: Correlation,
    /// The device.
    pub custody: BackendName,
    /// Who asked and who approved.
    pub decision: Decision,
    /// Every event of the pack.
    pub events: Vec<Listed>,
    /// The new ledger key.
    pub new_vkey: Vkey,
    /// The next standby.
    pub next_vkey_digest: NextVkey,
    /// The key before.
    pub old_vkey: Vkey,
    /// When the key before took effect.
    pub old_since: Mark,
    /// The ledger.
    pub origin: Origin,
    /// The ledger policy in force.
    pub policy: InForce<LedgerPolicy>,
    /// Whether the standby took over, rather than a key made for it.
    pub recovered: bool,
    /// Which form this is.
    pub schema: &'static str,
    /// What the receipts lead to.
    pub sealed: Sealed,
    /// When the new key took effect.
    pub since: Mark,
    /// `fail` where any check does, else `pass`.
    pub verdict: CheckResult,
}

/// What a change of the ledger key says.
struct Change<'a> {
    action: Option<ActionId>,
    vkey: &'a Vkey,
    attributes: KeyAttributes,
    custody: &'a BackendName,
    next: NextVkey,
    recovered: bool,
}

fn change(payload: &Payload) -> Option<Change<'_>> {
    match payload {
        Payload::LedgerOpened(p) => Some(Change {
            action: None,
            vkey: &p.vkey,
            attributes: p.attributes,
            custody: &p.custody,
            next: p.next_vkey_digest,
            recovered: false,
        }),
        Payload::LedgerKeyRotated(p) => Some(Change {
            action: Some(p.action),
            vkey: &p.vkey,
            attributes: p.attributes,
            custody: &p.custody,
            next: p.next_vkey_digest,
            recovered: false,
        }),
        Payload::LedgerKeyRecovered(p) => Some(Change {
            action: Some(p.action),
            vkey: &p.vkey,
            attributes: p.attributes,
            custody: &p.custody,
            next: p.next_vkey_digest,
            recovered: true,
        }),
        _ => None,
    }
}

impl LedgerKeyEvidence {
    /// What the events say of a change.
    pub fn new(facts: &Facts<'_>, action: ActionId, sealed: Sealed) -> Result<Self, EvidenceError> {
        let changes: Vec<_> = facts.all(change).collect();
        let at = changes
            .iter()
            .position(|(_, change)| change.action == Some(action))
            .ok_or(EvidenceError::Missing { what: "change of the ledger key" })?;
        let before = at.checked_sub(1).and_then(|at| changes.get(at));
        let (old_event, old) = before.ok_or(EvidenceError::Missing { what: "ledger key before" })?;
        let Some((event, new)) = changes.get(at) else {
            return Err(EvidenceError::Missing { what: "change of the ledger key" });
        };
        let mut evidence = Self {
            attributes: new.attributes,
            checks: Vec::new(),
            correlation_id: event.correlation,
            custody: new.custody.clone(),
            decision: Decision::of(facts, action)?,
            events: facts.listed(),
            new_vkey: new.vkey.clone(),
            next_vkey_digest: new.next,
            old_vkey: old.vkey.clone(),
            old_since: Mark::of(old_event),
            origin: facts.origin().clone(),
            policy: ledger_policy(facts, event.seq)?,
            recovered: new.recovered,
            schema: SCHEMA,
            sealed,
            since: Mark::of(event),
            verdict: CheckResult::None,
        };
        evidence.checks = evidence.checked(facts);
        evidence.verdict = verdict(&evidence.checks);
        Ok(evidence)
    }

    fn checked(&self, facts: &Facts<'_>) -> Vec<Check> {
        let [dual, separation] = self.decision.checks(facts);
        let confined = Check::new("non_exportable", "The new key was made in the device and can't leave it")
            .holds(self.attributes.is_confined(), "the attributes that the device reports")
            .at([self.since.seq]);
        let days = self.policy.policy.cadence().ledger_key_days;
        let age = self.since.time.unix_micros() - self.old_since.time.unix_micros();
        let age_days = age / (i64::from(DAY_S) * 1_000_000);
        let in_time = Check::new("in_time", "The ledger key was replaced before it was due")
            .holds(age_days < i64::from(days), format!("it was {age_days} days old of {days}"))
            .at([self.old_since.seq, self.since.seq]);
        let standby = Check::new("standby", "Another key stands by, should this one be lost");
        let standby = match self.next_vkey_digest {
            NextVkey::None => standby.none("none: a lost ledger key means pinning anew"),
            NextVkey::Digest(_) => standby.holds(true, "announced by its digest").at([self.since.seq]),
        };
        vec![dual, separation, confined, in_time, standby]
    }
}
