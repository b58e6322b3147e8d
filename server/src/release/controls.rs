//! The seven controls of a release: what each states, and which events prove it.

use sealbook_ledger::action::ActionType;
use sealbook_ledger::evidence::{CADENCE_DAYS, Decision};
use sealbook_ledger::policy::{ActionRule, Caller, Environment};
use sealbook_ledger::slot::MIN_OVERLAP_DAYS;
use serde::{Deserialize, Serialize};

use super::facts::Facts;
use super::proof::Cite;
use super::revocation::{REQUIRED_ACTIONS, REQUIRED_MEMBERS};
use super::{Code, Refusal, word};

/// The controls, in the order in which they stand.
pub const CONTROLS: [&str; 7] = [
    "release-signing-key-id-declared",
    "private-key-public-boundary-documented",
    "quarterly-key-rotation-policy",
    "incident-triggered-revocation-policy",
    "emergency-revocation-evidence-required",
    "replacement-key-overlap-guidance",
    "signed-release-evidence-required",
];

/// A control, proved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Control {
    /// The events that prove it, by rising seq.
    pub events: Vec<Cite>,
    /// Which.
    pub id: String,
    /// What is so.
    pub statement: String,
    /// `met`: one that is not lets no release come about.
    pub status: Status,
}

/// Whether a control holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Its events prove it.
    Met,
    /// They do not.
    Unmet,
}

/// All seven, proved by what events say; the first that does not hold is refused with [`Code::ControlUnmet`].
pub fn of(facts: &Facts, environment: Environment) -> Result<Vec<Control>, Refusal> {
    let made = [
        key_declared(facts)?,
        boundary(facts)?,
        rotation(facts)?,
        incident(facts)?,
        evidence_required(facts)?,
        overlap(facts)?,
        signed(facts, environment)?,
    ];
    let control = |(id, (statement, mut events)): (&str, (String, Vec<Cite>))| {
        events.sort();
        events.dedup();
        Control { events, id: id.to_owned(), statement, status: Status::Met }
    };
    Ok(CONTROLS.into_iter().zip(made).map(control).collect())
}

type Made = (String, Vec<Cite>);

fn unmet(at: usize, why: String) -> Refusal {
    Code::ControlUnmet.saying(format!("{}: {why}", CONTROLS[at]))
}

fn key_declared(facts: &Facts) -> Result<Made, Refusal> {
    let key = &facts.key;
    if let Some(revoked) = facts.revoked.iter().find(|revoked| revoked.key_id == key.id) {
        return Err(Code::KeyRevoked.saying(format!("key {} was revoked at {}", key.id, revoked.revoked_at)));
    }
    let statement = format!(
        "The release is signed by key {} of slot {} ({}), whose SubjectPublicKeyInfo has SHA-256 {}.",
        key.id,
        facts.slot,
        key.algorithm,
        key.public.sha256()
    );
    let events = key.made.iter().chain([&key.in_charge]).cloned().collect();
    Ok((statement, events))
}

fn boundary(facts: &Facts) -> Result<Made, Refusal> {
    if !facts.key.attributes.is_confined() {
        return Err(unmet(
            1,
            "the device did not report that the key was made in it and can't leave it".to_owned(),
        ));
    }
    let reviewed = facts.review.as_ref().map(|review| {
        let holders = match review.holders {
            1 => "one person or machine".to_owned(),
            holders => format!("{holders} people and machines"),
        };
        format!(" At the last review {holders} could reach the device.")
    });
    let statement = format!(
        "The private key was made in device {}, which reported that it never was readable and never can leave; only its \
         signatures and its public half come out.{}",
        facts.backend,
        reviewed.unwrap_or_default()
    );
    let review = facts.review.iter().map(|review| &review.event);
    let events = [&facts.created].into_iter().chain(&facts.key.made).chain(review).cloned().collect();
    Ok((statement, events))
}

fn rotation(facts: &Facts) -> Result<Made, Refusal> {
    let days = facts.interval_days();
    if days > CADENCE_DAYS {
        return Err(unmet(
            2,
            format!("the key is replaced after {days} days, and that is more than {CADENCE_DAYS}"),
        ));
    }
    let statement = format!(
        "The key is replaced within {days} days of coming into use, which was at {}; past that the slot signs nothing.",
        facts.key.since
    );
    let events = [&facts.rotation.since, &facts.ledger.since, &facts.key.in_charge];
    Ok((statement, events.into_iter().cloned().collect()))
}

/// The rule of an action type in the ledger policy in force.
pub(super) fn rule(facts: &Facts, kind: ActionType) -> Result<&ActionRule, Refusal> {
    let rule = facts.ledger.policy.actions.get(&kind);
    rule.ok_or_else(|| unmet(3, format!("the ledger policy has no rule for {kind}")))
}

fn incident(facts: &Facts) -> Result<Made, Refusal> {
    let emergency = rule(facts, ActionType::KeyRevokeEmergency)?;
    let proposers: Vec<String> = emergency.proposers.iter().map(ToString::to_string).collect();
    let statement = format!(
        "In an incident one person stops the slot at once; a key is revoked at the word of {}, approved by {}, of whom \
         the proposer may be one.",
        proposers.join(", "),
        Decision::quorum_text(&emergency.quorum)
    );
    Ok((statement, vec![facts.ledger.since.clone()]))
}

fn evidence_required(facts: &Facts) -> Result<Made, Refusal> {
    let planned = rule(facts, ActionType::KeyRevoke)?;
    let actions: Vec<&str> = REQUIRED_ACTIONS.iter().map(|(id, _)| *id).collect();
    let statement = format!(
        "A key is revoked by an event that {} approve. Where a key of the slot was revoked, no release of the slot is \
         accepted without evidence that names {}; the actions that an emergency requires are {}.",
        Decision::quorum_text(&planned.quorum),
        REQUIRED_MEMBERS.join(", "),
        actions.join(", ")
    );
    let revoked = facts.revoked.iter().map(|revoked| &revoked.event);
    Ok((statement, [&facts.ledger.since].into_iter().chain(revoked).cloned().collect()))
}

fn overlap(facts: &Facts) -> Result<Made, Refusal> {
    let policy = &facts.rotation.policy;
    if policy.overlap_days < MIN_OVERLAP_DAYS {
        let why = format!(
            "a replaced key stays for {} days, and that is less than {MIN_OVERLAP_DAYS}",
            policy.overlap_days
        );
        return Err(unmet(5, why));
    }
    let signs = if policy.old_key_signs { "may still sign" } else { "signs no more" };
    let statement = format!(
        "A replaced key {signs} and is kept beside the new one for {} days, so that whoever verifies can take up the new \
         public key first; in an emergency nothing overlaps.",
        policy.overlap_days
    );
    let replaced = facts.revoked.iter().filter_map(|revoked| revoked.replaced.as_ref());
    Ok((statement, [&facts.rotation.since].into_iter().chain(replaced).cloned().collect()))
}

fn signed(facts: &Facts, environment: Environment) -> Result<Made, Refusal> {
    let policy = &facts.signing.policy;
    let environment_name = word(&environment);
    if !policy.environments.contains(&environment) {
        return Err(unmet(6, format!("the slot does not sign for {environment_name}")));
    }
    let callers = policy.callers.iter().map(|caller| match caller {
        Caller::PackagingEngineers => "packaging engineers",
        Caller::Services => "services with a grant",
    });
    let callers: Vec<&str> = callers.collect();
    let approval = match policy.approval.contains(&environment) {
        true => "after people have approved each",
        false => "without asking people first",
    };
    let statement = format!(
        "The list of digests, the release evidence and the provenance are signed by this key; for {environment_name} {} may \
         ask, {approval}. A release without those signatures is refused.",
        callers.join(" and ")
    );
    Ok((statement, vec![facts.signing.since.clone()]))
}
