//! What has been with a slot: its policies, the lives of its keys, and its newest signatures.

use std::collections::BTreeMap;

use sealbook_ledger::action::RevocationReason;
use sealbook_ledger::ids::{ActionId, KeyId, SlotName};
use sealbook_ledger::payload::Payload;
use sealbook_ledger::policy::{Caller, Release, SigningPolicy};
use sealbook_ledger::timestamp::Timestamp;

use super::ViewError;
use super::story::{Told, environment_name, join};
use crate::store::signatures::{Outcome, SignatureRow};
use crate::store::{LedgerId, Store};

/// Most rows of the signatures' table that are looked at for one list: two belong to each signature.
const MAX_ROWS: usize = 60;

/// A version of a slot's signing policy.
#[derive(Debug)]
pub struct PolicyVersion {
    /// The event that brought it.
    pub seq: u64,
    /// When.
    pub time: Timestamp,
    /// The action that people approved.
    pub action: Option<ActionId>,
    /// What is different from the version before; everything, for the first.
    pub changes: Vec<Change>,
}

/// A line of a policy, before and after.
#[derive(Debug, PartialEq, Eq)]
pub struct Change {
    /// What it is about.
    pub field: &'static str,
    /// What it said; nothing in the first version.
    pub was: Option<String>,
    /// What it says.
    pub new: String,
}

/// What a key was at some time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The device makes it.
    Making,
    /// It is there, and not used yet.
    Ready,
    /// The slot signs with it.
    Active,
    /// Another took its place, and it stays beside that one for a while.
    Retiring,
    /// It is kept for verification alone.
    Retired,
    /// It is revoked.
    Revoked(RevocationReason),
    /// Its device has forgotten it.
    Destroyed,
    /// The device made none, or nobody knows.
    Never,
}

/// A key's life: what it became, and when, in order.
#[derive(Debug)]
pub struct Life {
    /// The key.
    pub key: KeyId,
    /// Its turns.
    pub turns: Vec<(Timestamp, Phase)>,
}

/// What the events of a slot say about it.
#[derive(Debug, Default)]
pub struct History {
    /// Its policies, the newest first.
    pub policies: Vec<PolicyVersion>,
    /// Its keys, in the order in which they were asked for.
    pub lives: Vec<Life>,
    /// When it was suspended, and until when, if that is over.
    pub halts: Vec<(Timestamp, Option<Timestamp>)>,
}

impl History {
    /// What some events say, the newest of which come first.
    pub fn of(slot: &SlotName, told: &[Told]) -> Self {
        let mut history = Self::default();
        let mut policy: Option<SigningPolicy> = None;
        for told in told.iter().rev() {
            history.add(slot, told, &mut policy);
        }
        history.policies.reverse();
        history
    }

    fn add(&mut self, slot: &SlotName, told: &Told, policy: &mut Option<SigningPolicy>) {
        let at = told.time;
        let mut turn = |key: KeyId, phase: Phase| {
            // Keys are asked for before anything else becomes of them; other slots' keys are not in the list.
            if let Some(life) = self.lives.iter_mut().find(|life| life.key == key) {
                life.turns.push((at, phase));
            }
        };
        match &told.event.payload {
            Payload::KeyGenerationAuthorized(p) if p.slot == *slot => {
                self.lives.push(Life { key: p.key, turns: vec![(at, Phase::Making)] });
            }
            Payload::KeyAdopted(p) if p.slot == *slot => {
                self.lives.push(Life { key: p.key, turns: vec![(at, Phase::Ready)] });
            }
            Payload::KeyGenerated(p) => turn(p.key, Phase::Ready),
            Payload::KeyGenerationFailed(p) => turn(p.key, Phase::Never),
            Payload::KeyGenerationAbandoned(p) => turn(p.key, Phase::Never),
            Payload::KeyActivated(p) => turn(p.key, Phase::Active),
            Payload::KeyRevoked(p) => turn(p.key, Phase::Revoked(p.reason)),
            Payload::KeyDestroyed(p) => turn(p.key, Phase::Destroyed),
            Payload::RotationCutOver(p) => {
                turn(p.old_key, Phase::Retiring);
                turn(p.new_key, Phase::Active);
            }
            Payload::RotationCompleted(p) => turn(p.old_key, Phase::Retired),
            // A key that was made for it, and never signed for anybody, is kept as well.
            Payload::RotationFailed(_) => {
                let made =
                    self.lives.last_mut().filter(|life| matches!(life.turns.last(), Some((_, Phase::Ready))));
                made.into_iter().for_each(|life| life.turns.push((at, Phase::Retired)));
            }
            Payload::SlotSuspended(p) if p.slot == *slot => self.halts.push((at, p.lapses_at)),
            Payload::SlotResumed(p) if p.slot == *slot => {
                if let Some(halt) = self.halts.last_mut() {
                    halt.1 = Some(at);
                }
            }
            Payload::SlotCreated(p) if p.slot == *slot => self.version(told, &p.signing_policy, policy),
            Payload::SlotPolicySet(p) if p.slot == *slot => self.version(told, &p.signing_policy, policy),
            _ => {}
        }
    }

    fn version(&mut self, told: &Told, new: &SigningPolicy, before: &mut Option<SigningPolicy>) {
        let changes = changes(before.as_ref(), new);
        *before = Some(new.clone());
        let version = PolicyVersion { seq: told.seq, time: told.time, action: told.action, changes };
        self.policies.push(version);
    }
}

/// A signing policy, line by line.
pub fn policy_lines(policy: &SigningPolicy) -> Vec<(&'static str, String)> {
    let environments = |set: &std::collections::BTreeSet<_>| join(set.iter().map(|e| environment_name(*e)));
    let callers = policy.callers.iter().map(|caller| match caller {
        Caller::PackagingEngineers => "packaging engineers",
        Caller::Services => "services with a grant",
    });
    let rate =
        policy.rate_per_minute.map_or_else(|| "no limit".to_owned(), |rate| format!("{rate} a minute"));
    let release = match policy.release {
        Release::Durable => "once recorded",
        Release::Sealed => "once sealed",
    };
    vec![
        ("May ask", join(callers)),
        ("Environments", environments(&policy.environments)),
        ("People approve first", environments(&policy.approval)),
        ("Must name", join(policy.artifact_fields.iter().map(|field| field.name().replace('_', " ")))),
        ("Rate", rate),
        ("Released", release.to_owned()),
    ]
}

fn changes(before: Option<&SigningPolicy>, new: &SigningPolicy) -> Vec<Change> {
    let was: BTreeMap<_, _> = before.map(policy_lines).unwrap_or_default().into_iter().collect();
    policy_lines(new)
        .into_iter()
        .filter(|(field, text)| was.get(field) != Some(text))
        .map(|(field, new)| Change { field, was: was.get(field).cloned(), new })
        .collect()
}

/// One signature of a slot.
#[derive(Debug)]
pub struct RecentSignature {
    /// The event that says what became of it; its authorisation while nothing has.
    pub seq: u64,
    /// What became of it.
    pub outcome: Outcome,
    /// When.
    pub time: Timestamp,
    /// The id of who asked.
    pub caller: String,
    /// What was signed.
    pub digest: Vec<u8>,
    /// The artifact's name and version, where they are disclosed.
    pub artifact: Option<String>,
}

/// A slot's newest signatures, the newest first.
pub async fn recent_signatures(
    store: &Store,
    ledger: LedgerId,
    slot: &SlotName,
    limit: usize,
) -> Result<Vec<RecentSignature>, ViewError> {
    let rows = store.signatures_of_slot(ledger, slot, None, MAX_ROWS).await?;
    let newest = newest_of_each(rows, limit);
    let seqs: Vec<u64> = newest.iter().map(|row| row.authorized_seq).collect();
    let mut named: BTreeMap<u64, BTreeMap<String, String>> = BTreeMap::new();
    for row in store.disclosures_of(ledger, &seqs).await? {
        named.entry(row.seq).or_default().insert(row.name, row.value);
    }
    let signature = |row: SignatureRow| {
        let fields = named.get(&row.authorized_seq);
        let field = |name: &str| fields.and_then(|fields| fields.get(name)).cloned();
        let artifact = match (field("artifact_name"), field("artifact_version")) {
            (Some(name), Some(version)) => Some(format!("{name} {version}")),
            (name, version) => name.or(version),
        };
        let SignatureRow { seq, outcome, time, caller, digest, .. } = row;
        RecentSignature { seq, outcome, time, caller, digest, artifact }
    };
    Ok(newest.into_iter().map(signature).collect())
}

/// The newest row of each signature: what became of it, or that it was authorised.
fn newest_of_each(rows: Vec<SignatureRow>, limit: usize) -> Vec<SignatureRow> {
    let mut kept: Vec<SignatureRow> = Vec::new();
    for row in rows {
        if !kept.iter().any(|known| known.authorized_seq == row.authorized_seq) {
            kept.push(row);
        }
    }
    kept.truncate(limit);
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_names_what_is_different_and_the_first_names_everything() {
        let first = SigningPolicy::default();
        assert_eq!(changes(None, &first).len(), policy_lines(&first).len());
        let second = SigningPolicy { rate_per_minute: Some(5), ..SigningPolicy::default() };
        let expected =
            Change { field: "Rate", was: Some("no limit".to_owned()), new: "5 a minute".to_owned() };
        assert_eq!(changes(Some(&first), &second), [expected]);
        assert_eq!(changes(Some(&second), &second), []);
    }

    #[test]
    fn a_signature_is_listed_once_by_what_became_of_it() {
        let row = |seq, authorized_seq, outcome| SignatureRow {
            seq,
            authorized_seq,
            slot: "release".parse().unwrap(),
            key: "01934f00-0000-7000-8000-0000000000c1".parse().unwrap(),
            digest: vec![1],
            outcome,
            caller: "somebody".to_owned(),
            time: "2026-11-22T00:00:00.000000Z".parse().unwrap(),
        };
        let rows =
            vec![row(9, 9, Outcome::Authorized), row(8, 5, Outcome::Created), row(5, 5, Outcome::Authorized)];
        let kept: Vec<u64> = newest_of_each(rows, 5).iter().map(|row| row.seq).collect();
        assert_eq!(kept, [9, 8]);
    }
}
