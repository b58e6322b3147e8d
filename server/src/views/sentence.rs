//! An action document in one plain sentence: what a person reads before deciding.
//!
//! Browsers make the same sentence from the document by themselves (`web/static/reading.js`) and sign nothing where the
//! two differ; `tests/interop/readings.rs` holds them together.

use std::collections::BTreeSet;
use std::fmt::Display;

use sealbook_ledger::action::{
    ActionDocument, ActionType, Params, RoleGrantParams, ServiceGrantParams, SlotCreateParams,
};
use sealbook_ledger::ids::SlotName;
use sealbook_ledger::policy::{ActionRule, Cadence, Caller, LedgerPolicy, Release, Role, SigningPolicy};
use sealbook_ledger::timestamp::Timestamp;
use sealbook_ledger::webauthn::{ApprovalRp, Credential, CredentialKind};

use super::Names;

mod revocations;
mod rotations;

pub use rotations::policy as rotation_policy;
pub(super) use rotations::{certificate_of_device, holders, span, subject, usage};

/// What a document asks for. Names are shown where they are disclosed; everything else stands in the document itself.
pub fn sentence(document: &ActionDocument, names: &Names) -> String {
    let asked = match &document.params {
        Params::ApprovalRpSet(p) => approval_rp(&p.approval_rp),
        Params::CredentialAdd(p) => {
            format!("Add {} to {}", authenticator(&p.credential), names.person(p.member))
        }
        Params::CertificateIssue(p) => format!(
            "Issue a certificate for key {} of slot {}, as the slot's rotation policy says",
            p.key, p.slot,
        ),
        Params::CertificateRevoke(p) => revocations::certificate(p),
        Params::CredentialRemove(p) => {
            format!("Remove authenticator {} from {}", p.credential_id, names.person(p.member))
        }
        Params::HsmAccessReview(p) => rotations::review(p),
        Params::KeyAdopt(p) => rotations::adopt(p, &slot(&p.slot, names)),
        Params::KeyDestroy(p) => {
            format!("Destroy key {}: its device forgets it, and nothing is signed with it ever again", p.key)
        }
        Params::KeyRevoke(p) => revocations::key(p),
        Params::KeyRevokeEmergency(p) => format!("Emergency: {}", lower_first(&revocations::key(p))),
        Params::KeyRotate(p) => format!("Replace key {} of slot {} by a new one", p.old_key, p.slot),
        Params::KeyRotateEmergency(p) => format!(
            "Emergency: replace key {} of slot {} by a new one, without an overlap",
            p.old_key, p.slot,
        ),
        Params::LedgerEvidenceKeySet(p) => {
            format!("Make a new key in {} that signs evidence documents", p.backend)
        }
        Params::LedgerKeyRecover(p) => {
            format!("Continue this ledger under the standby ledger key in {}", p.backend)
        }
        Params::LedgerKeyRotate(p) => {
            format!("Replace the ledger key, which seals this ledger, by a new one in {}", p.backend)
        }
        Params::MemberEnroll(p) => format!(
            "Enrol {} as {} with {}",
            names.person(p.member),
            roles(&p.roles),
            list(p.credentials.iter().map(authenticator)),
        ),
        Params::MemberRecover(p) => format!(
            "Recover {}: {} instead of every authenticator before, after 72 hours in which any member may refuse",
            names.person(p.member),
            list(p.credentials.iter().map(authenticator)),
        ),
        Params::MemberRemove(p) => format!("Remove {} for good", names.person(p.member)),
        Params::MemberRestore(p) => match &p.credential_id {
            Some(id) => format!("Lift the suspension of authenticator {id} of {}", names.person(p.member)),
            None => format!("Lift the suspension of {}", names.person(p.member)),
        },
        Params::PolicySet(p) => ledger_policy(&p.policy),
        Params::RoleGrant(p) => grant(p, names),
        Params::RoleRevoke(p) => {
            format!("Take the role {} from {}", p.role, names.person(p.member))
        }
        Params::RulesAdopt(p) => format!("Adopt rules version {} from then on", p.rules),
        Params::ServiceEnroll(p) => format!(
            "Enrol {} to use {}, with a token valid until {}",
            names.machine(p.service),
            slots(&p.slots),
            moment(p.token_expires_at),
        ),
        Params::ServiceGrant(p) => service_grant(p, names),
        Params::ServiceRemove(p) => format!("Remove {} for good", names.machine(p.service)),
        Params::ServiceRestore(p) => format!("Lift the suspension of {}", names.machine(p.service)),
        Params::SigningApprove(p) => format!(
            "Let slot {} sign the one digest {} for {}, once",
            p.slot,
            p.digest,
            name_of(&p.environment),
        ),
        Params::SigningBatch(p) => format!(
            "Let slot {} sign {} for {}, each once",
            p.slot,
            counted(p.count.into(), "listed digest"),
            name_of(&p.environment),
        ),
        Params::SlotCreate(p) => slot(p, names),
        Params::SlotPolicySet(p) => {
            format!("Replace the signing policy of slot {}: {}", p.slot, signing_policy(&p.signing_policy))
        }
        Params::SlotRotationSet(p) => {
            format!("Replace the rotation policy of slot {}: {}", p.slot, rotations::policy(&p.rotation),)
        }
        Params::SlotResume(p) => format!("Lift the suspension of slot {}, so that it signs again", p.slot),
    };
    match document.execute_at {
        Some(at) => format!("{asked}; not before {}.", moment(at)),
        None => format!("{asked}."),
    }
}

fn slot(p: &SlotCreateParams, names: &Names) -> String {
    let policy = &p.signing_policy;
    let certificate = p.rotation.as_ref().and_then(|rotation| rotation.certificate.as_ref());
    let asked = format!(
        "Create slot {}{} ({} in {}), owned by {}, rotated every {}{}",
        p.slot,
        if p.drill { ", for drills alone" } else { "" },
        p.algorithm,
        p.backend,
        names.person(p.owner),
        counted(p.rotation_days.into(), "day"),
        certificate.map(|certificate| format!(", {}", rotations::certified(certificate))).unwrap_or_default(),
    );
    if *policy == SigningPolicy::default() { asked } else { format!("{asked}; {}", signing_policy(policy)) }
}

fn signing_policy(policy: &SigningPolicy) -> String {
    let callers = list(policy.callers.iter().map(|caller| match caller {
        Caller::PackagingEngineers => "packaging engineers",
        Caller::Services => "services",
    }));
    let environments = list(policy.environments.iter().map(name_of));
    let mut text = format!("{callers} may sign for {environments}");
    if let Some(rate) = policy.rate_per_minute {
        text.push_str(&format!(", at most {rate} a minute"));
    }
    if !policy.artifact_fields.is_empty() {
        text.push_str(&format!(
            ", naming the artifact's {}",
            list(policy.artifact_fields.iter().map(name_of))
        ));
    }
    if !policy.approval.is_empty() {
        let asked = list(policy.approval.iter().map(name_of));
        text.push_str(&format!(", each signature for {asked} only once people have approved it"));
    }
    match policy.release {
        Release::Durable => text.push_str(", released once recorded"),
        Release::Sealed => text.push_str(", released once sealed"),
    }
    text
}

fn grant(p: &RoleGrantParams, names: &Names) -> String {
    let asked = format!("Give {} the role {}", names.person(p.member), p.role);
    match (p.not_before, p.not_after) {
        (None, None) => asked,
        (Some(from), None) => format!("{asked} from {} on", moment(from)),
        (None, Some(until)) => format!("{asked} until {}", moment(until)),
        (Some(from), Some(until)) => format!("{asked} from {} until {}", moment(from), moment(until)),
    }
}

fn service_grant(p: &ServiceGrantParams, names: &Names) -> String {
    let asked = format!("Let {} use {} and nothing else", names.machine(p.service), slots(&p.slots));
    match &p.token {
        Some(token) => format!("{asked}, with a new token valid until {}", moment(token.expires_at)),
        None => asked,
    }
}

fn ledger_policy(policy: &LedgerPolicy) -> String {
    let seats = |rule: &ActionRule| rule.quorum.iter().map(|clause| u32::from(clause.count)).sum::<u32>();
    // Releases are the change board's, and recovery takes both sealed authenticators: one seat is what they have.
    let usual = |kind: &ActionType| kind.concerns_signatures() || *kind == ActionType::MemberRecover;
    let single = policy.actions.iter().filter(|(kind, rule)| seats(rule) == 1 && !usual(kind));
    let single: Vec<_> = single.map(|(kind, _)| kind).collect();
    let hardware = if policy.credentials.hardware_only { "; only hardware authenticators enrol" } else { "" };
    let alone = if single.is_empty() {
        "every change takes at least two approvals".to_owned()
    } else {
        format!("one approval is enough for {}", list(single))
    };
    let longest = policy.cadence().rotation_days;
    let longer = if longest > Cadence::default().rotation_days {
        format!("; a slot may go on with one key for {longest} days")
    } else {
        String::new()
    };
    format!(
        "Replace the ledger policy, which says who may propose and approve what: {alone}{hardware}{longer}"
    )
}

fn approval_rp(rp: &ApprovalRp) -> String {
    let shared = if rp.shared { ", where approval credentials also sign in" } else { "" };
    format!("Take approvals for {} from {} from then on{shared}", rp.id, list(&rp.origins))
}

fn authenticator(credential: &Credential) -> String {
    let kind = match credential.kind {
        CredentialKind::Hardware => "a hardware authenticator",
        CredentialKind::Synced => "a synced passkey",
        CredentialKind::Unattested => "an unattested authenticator",
        CredentialKind::Software => "a software authenticator",
    };
    kind.to_owned()
}

fn roles(roles: &BTreeSet<Role>) -> String {
    if roles.is_empty() { "a member without a role".to_owned() } else { list(roles) }
}

fn slots(slots: &BTreeSet<SlotName>) -> String {
    match slots.len() {
        0 => "no slot".to_owned(),
        1 => format!("slot {}", list(slots)),
        _ => format!("slots {}", list(slots)),
    }
}

/// A unit variant's name as it is written in documents.
fn name_of<T: serde::Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(name)) => name,
        Ok(other) => other.to_string(),
        // Every enum of the policy is a list of unit variants: those have a JSON form.
        Err(_) => String::new(),
    }
}

fn counted(count: u64, unit: &str) -> String {
    if count == 1 { unit.to_owned() } else { format!("{count} {unit}s") }
}

/// `a`, `a and b`, `a, b and c`.
pub(super) fn list<T: Display>(items: impl IntoIterator<Item = T>) -> String {
    let words: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    match words.split_last() {
        None => "nothing".to_owned(),
        Some((only, [])) => only.clone(),
        Some((last, before)) => format!("{} and {last}", before.join(", ")),
    }
}

/// A moment to the second, in UTC: pages can't rewrite what stands inside a sentence.
pub(crate) fn moment(at: Timestamp) -> String {
    let text = at.to_string();
    let (day, time) = (text.get(..10).unwrap_or_default(), text.get(11..19).unwrap_or_default());
    format!("{day} {time} UTC")
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}

#[cfg(test)]
mod tests;
