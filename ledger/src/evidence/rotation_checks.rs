//! What an auditor asks of a rotation.

use super::checks::{CADENCE_DAYS, Check};
use super::{Facts, RotationEvidence, people};
use crate::event::Event;
use crate::gate::GRACE_DAYS;
use crate::ids::Seq;
use crate::payload::{HsmAccessReviewed, Payload};
use crate::policy::Role;
use crate::rotation::DAY_S;
use crate::slot::MIN_OVERLAP_DAYS;
use crate::timestamp::Timestamp;

/// Every check, in the order in which they are read.
pub(super) fn all(facts: &Facts<'_>, evidence: &RotationEvidence) -> Vec<Check> {
    let [dual, separation] = evidence.decision.checks(facts);
    vec![
        outcome(evidence),
        dual,
        separation,
        owners(facts, evidence),
        confined(evidence),
        cadence(evidence),
        in_time(facts, evidence),
        certificate(evidence),
        canary(facts, evidence),
        overlap(facts, evidence),
        confirmed(evidence),
        channels(facts, evidence),
        retired(evidence),
        access_review(facts, evidence),
        Check::new("revocation_drill", "A revocation drill is on record")
            .none("no event of this pack is about one"),
        fips(facts, evidence),
    ]
}

fn outcome(evidence: &RotationEvidence) -> Check {
    let check = Check::new("outcome", "The new key took over and the old one is retired");
    let steps = &evidence.steps;
    match (&steps.completed, &evidence.rotation_event.failure) {
        (Some(completed), _) => check.holds(true, "the rotation was completed").at(steps
            .cut_over
            .iter()
            .map(|mark| mark.seq)
            .chain([completed.seq])),
        (None, Some(code)) => check
            .holds(false, format!("it failed ({}); the old key stayed in charge", code.as_str()))
            .at(steps.failed.iter().map(|mark| mark.seq)),
        (None, None) => check.holds(false, "it has not ended"),
    }
}

fn start(evidence: &RotationEvidence) -> (Seq, Timestamp) {
    let mark = evidence.steps.started.unwrap_or(evidence.steps.proposed);
    (mark.seq, mark.time)
}

fn owners(facts: &Facts<'_>, evidence: &RotationEvidence) -> Check {
    let (before, at) = start(evidence);
    let answers = |role: &Role| matches!(role, Role::SecurityReviewer | Role::PlatformAdmin);
    let roles = people::roles_at(facts, before, at);
    let owner = evidence.owner;
    let accountable: Vec<_> = roles
        .iter()
        .filter(|(member, roles)| **member == owner || roles.iter().any(answers))
        .map(|(member, _)| *member)
        .collect();
    let there = if accountable.contains(&owner) { "its owner is among them" } else { "its owner is gone" };
    let seqs = accountable.iter().flat_map(|member| people::seqs_of(facts, *member, before));
    Check::new("owners", "Two people or more answer for the key: its slot's owner, reviewers, administrators")
        .holds(
            accountable.len() >= 2 && accountable.contains(&owner),
            format!("{} people; {there}", accountable.len()),
        )
        .at(seqs)
}

fn confined(evidence: &RotationEvidence) -> Check {
    let check = Check::new("non_exportable", "The new key was made in the device and can't leave it");
    match evidence.new_key() {
        None => check.none("no key was made"),
        Some(key) => check
            .holds(
                key.attributes.is_confined(),
                "the attributes that the device reports; it gave no attestation of them",
            )
            .at([key.made.seq]),
    }
}

fn cadence(evidence: &RotationEvidence) -> Check {
    let rotation = &evidence.policies.rotation;
    let own = rotation.policy.rotation_days;
    let check = Check::new("cadence", "Keys of the slot are replaced every 90 days or oftener")
        .at([rotation.since, evidence.policies.ledger.since]);
    if rotation.policy.is_issuing() {
        return check.none(format!("a CA's interval is its own: {own} days"));
    }
    let days = evidence.policies.interval_days();
    let by = if days > CADENCE_DAYS { "; the ledger policy lets it be longer" } else { "" };
    check.holds(days <= CADENCE_DAYS, format!("every {days} days{by}"))
}

fn in_time(facts: &Facts<'_>, evidence: &RotationEvidence) -> Check {
    let check = Check::new("in_time", "The old key was replaced before it was due");
    let (Some(cut), Some(old)) = (evidence.steps.cut_over, evidence.old_key()) else {
        return check.none("no key was replaced");
    };
    let key = old.key;
    let overdue =
        facts.mark(move |payload| matches!(payload, Payload::SlotRotationOverdue(p) if p.key == key));
    match (overdue, old.active) {
        (Some(overdue), _) => {
            check.holds(false, "it was overdue, and recorded as such").at([overdue.seq, cut.seq])
        }
        (None, Some(active)) => {
            let days = evidence.policies.interval_days();
            let age = cut.time.unix_micros() - active.time.unix_micros();
            let age_days = age / (i64::from(DAY_S) * 1_000_000);
            let in_time = cut.time <= active.time.plus_seconds(u32::from(days) * DAY_S);
            let check = check.at([active.seq, cut.seq]);
            match adopted_lately(facts, cut.time) {
                Some(adopted) if !in_time => check
                    .none("rules that know ages were adopted less than 30 days before")
                    .at([adopted, cut.seq]),
                _ => check.holds(in_time, format!("it was {age_days} days old of {days}")),
            }
        }
        (None, None) => check.none("nothing says since when it was active"),
    }
}

/// The adoption of rules under which keys have an age, where nothing was due yet at a moment.
fn adopted_lately(facts: &Facts<'_>, at: Timestamp) -> Option<Seq> {
    let adopted = facts.mark(|payload| matches!(payload, Payload::LedgerRulesAdopted(p) if p.rules >= 2))?;
    (at < adopted.time.plus_seconds(GRACE_DAYS * DAY_S)).then_some(adopted.seq)
}

fn certificate(evidence: &RotationEvidence) -> Check {
    let check = Check::new(
        "certificate",
        "The new key had a certificate in force when it took over, and its path holds",
    );
    if evidence.policies.rotation.policy.certificate.is_none() {
        return check.none("the slot's policy asks for none");
    }
    let certificate = evidence.new_key().and_then(|key| evidence.certificate_of(key.key));
    let (Some(certificate), Some(cut)) = (certificate, evidence.steps.cut_over) else {
        return check.none("no key took over");
    };
    let covers = certificate.not_before <= cut.time && cut.time.second() <= certificate.not_after;
    let detail = match (covers, certificate.path_holds) {
        (true, true) => format!("{} certificates up to the root or anchor", certificate.path.len()),
        (false, _) => "its dates do not cover the cutover".to_owned(),
        (true, false) => "its path does not hold".to_owned(),
    };
    let seqs = certificate.requested.iter().map(|mark| mark.seq);
    check.holds(covers && certificate.path_holds, detail).at(seqs.chain([certificate.recorded.seq, cut.seq]))
}

fn canary(facts: &Facts<'_>, evidence: &RotationEvidence) -> Check {
    let check =
        Check::new("canary", "The new key signed what the slot signed last, and every signature holds");
    let canary = &evidence.canary;
    let rotation = evidence.rotation_event.rotation;
    let recorded = facts.first(move |payload| match payload {
        Payload::RotationCanaryRecorded(p) if p.action == rotation => Some(&**p),
        _ => None,
    });
    let Some((event, recorded)) = recorded else {
        return match canary.results.is_empty() {
            true => check.none("the rotation ended before its canary"),
            false => check
                .holds(false, "it was not passed")
                .at(canary.results.iter().map(|result| result.authorization)),
        };
    };
    let check = check.at([event.seq]);
    if !canary.is_as_recorded(recorded) {
        return check.holds(false, "the signatures here are not those that were recorded");
    }
    if canary.results.iter().any(|result| result.verified == Some(false)) {
        return check.holds(false, "a signature does not hold under the new key");
    }
    let own = canary.results.iter().all(|result| result.original.is_none());
    let what = if own { "a message of the rotation's own" } else { "digests that the slot had released" };
    match canary.signed.saturating_sub(canary.verified) {
        0 => check.holds(true, format!("{} of {what}, each verified again", canary.verified)),
        unseen => check.none(format!(
            "{} of {what}; the messages of {unseen} are not in this pack, so nobody can verify them here",
            canary.signed
        )),
    }
}

/// The cutover by which the new key was replaced in its turn before its rotation was over: break-glass.
fn overtaken(facts: &Facts<'_>, evidence: &RotationEvidence) -> Option<Seq> {
    let new = evidence.new_key().map(|key| key.key)?;
    let cut = facts.mark(move |payload| matches!(payload, Payload::RotationCutOver(p) if p.old_key == new));
    cut.map(|mark| mark.seq)
}

fn overlap(facts: &Facts<'_>, evidence: &RotationEvidence) -> Check {
    let check = Check::new("overlap", "Old and new key stood side by side for 7 days or more");
    let (Some(cut), Some(ends)) = (evidence.steps.cut_over, evidence.steps.overlap_ends_at) else {
        return check.none("no key was replaced");
    };
    if evidence.rotation_event.emergency {
        return check.none("break-glass: the old key was retired at once").at([cut.seq]);
    }
    if let Some(overtaken) = overtaken(facts, evidence) {
        let text = "cut short: the new key was replaced in its turn, by break-glass";
        return check.none(text).at([cut.seq, overtaken]);
    }
    let long = cut.time.plus_seconds(u32::from(MIN_OVERLAP_DAYS) * DAY_S) <= ends;
    let waited = evidence.steps.completed.is_none_or(|completed| completed.time >= ends);
    let days = (ends.unix_micros() - cut.time.unix_micros()) / (i64::from(DAY_S) * 1_000_000);
    let completed = evidence.steps.completed.iter().map(|mark| mark.seq);
    check.holds(long && waited, format!("{days} days")).at([cut.seq].into_iter().chain(completed))
}

fn confirmed(evidence: &RotationEvidence) -> Check {
    let check =
        Check::new("confirmed", "A client found that the new key works before the old one was retired");
    match (&evidence.steps.confirmed, evidence.steps.cut_over) {
        (_, None) => check.none("no key was replaced"),
        (Some(confirmed), Some(_)) => {
            let before = evidence.steps.completed.is_none_or(|completed| confirmed.mark.seq < completed.seq);
            check.holds(before, format!("by a {}", confirmed.by.kind())).at([confirmed.mark.seq])
        }
        (None, Some(_)) if evidence.rotation_event.emergency => {
            check.none("break-glass does not wait for it")
        }
        (None, Some(_)) => check.none("no confirmation is in this pack"),
    }
}

fn channels(facts: &Facts<'_>, evidence: &RotationEvidence) -> Check {
    let check = Check::new("channels", "Every channel relied on the new key before the old one was retired");
    let wanted = &evidence.policies.rotation.policy.channels;
    if wanted.is_empty() {
        return check.none("the slot has no channels");
    }
    let Some(completed) = evidence.steps.completed else { return check.none("the old key was not retired") };
    let moved = &evidence.steps.channels;
    let all = wanted.iter().all(|name| moved.get(name).is_some_and(|moved| moved.mark.seq < completed.seq));
    let detail = format!("{} of {} moved", moved.len(), wanted.len());
    let check = check.at(moved.values().map(|moved| moved.mark.seq));
    let excused = evidence.rotation_event.emergency || overtaken(facts, evidence).is_some();
    if excused && !all {
        return check.none(format!("break-glass does not wait for them: {detail}"));
    }
    check.holds(all, detail)
}

fn retired(evidence: &RotationEvidence) -> Check {
    let check = Check::new("retired", "The old key signs no more and is kept for verification");
    match evidence.steps.completed {
        None => check.none("it is still in charge, or in its overlap"),
        Some(completed) => {
            let old = evidence.rotation_event.old_key;
            let revoked = evidence.certificate_of(old).and_then(|certificate| certificate.revoked);
            let text = match revoked {
                None => "retired",
                Some(_) => "retired, its certificate revoked",
            };
            check.holds(true, text).at([completed.seq].into_iter().chain(revoked.map(|mark| mark.seq)))
        }
    }
}

/// The last review of the slot's device before the rotation began.
fn last_review<'a>(
    facts: &Facts<'a>,
    evidence: &RotationEvidence,
) -> Option<(&'a Event, &'a HsmAccessReviewed)> {
    let (before, _) = start(evidence);
    let backend = evidence.backend.clone();
    let mut reviewed = facts.all(|payload| match payload {
        Payload::HsmAccessReviewed(p) => Some(&**p),
        _ => None,
    });
    reviewed.rfind(|(event, p)| event.seq < before && p.backend == backend)
}

fn fips(facts: &Facts<'_>, evidence: &RotationEvidence) -> Check {
    let check = Check::new("fips", "The device's FIPS 140 certificate and level are on record");
    let named = last_review(facts, evidence).and_then(|(event, review)| Some((event, review.fips?)));
    match named {
        None => check.none("none: no review of the device in this pack names one"),
        Some((event, fips)) => check
            .holds(true, format!("certificate {} of the CMVP, level {}", fips.certificate, fips.level))
            .at([event.seq]),
    }
}

fn access_review(facts: &Facts<'_>, evidence: &RotationEvidence) -> Check {
    let (_, at) = start(evidence);
    let days = evidence.policies.ledger.policy.cadence().access_review_days;
    let check = Check::new("access_review", "Who can reach the device was reviewed in time");
    match last_review(facts, evidence) {
        None => check.none("no review is in this pack"),
        Some((event, p)) => {
            let ends = event.time.plus_seconds(u32::from(days) * DAY_S);
            check
                .holds(at < ends, format!("{} can reach it; reviewed every {days} days", p.holder_count))
                .at([event.seq])
        }
    }
}
