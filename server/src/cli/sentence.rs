//! The words that the command line's texts are made of.
//!
//! An action's sentence is made here, from the document that is signed, by the same function that the server uses: never
//! the server's own words.

use sealbook_ledger::action::{ActionDocument, Params, RevocationReason};
use sealbook_ledger::policy::{Caller, Environment, Release, SigningPolicy};

use super::story::Names;
use crate::views;

/// What an action asks for, in plain words.
pub fn sentence(document: &ActionDocument, names: &Names) -> String {
    views::sentence::sentence(document, &names.shown())
}

/// The same, to stand inside another sentence.
pub(super) fn clause(document: &ActionDocument, names: &Names) -> String {
    let text = sentence(document, names);
    let mut chars = text.trim_end_matches('.').chars();
    chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}

/// The same in a few words, for where the whole sentence has been told already.
pub fn title(document: &ActionDocument, names: &Names) -> String {
    match &document.params {
        Params::MemberEnroll(p) => format!("enrol {}", names.member(p.member)),
        Params::ServiceEnroll(p) => format!("enrol {}", names.service(p.service)),
        Params::ServiceGrant(p) => format!("change what {} may use", names.service(p.service)),
        Params::SlotCreate(p) => format!("create slot {}", p.slot),
        Params::SlotPolicySet(p) => format!("replace the signing policy of {}", p.slot),
        Params::ApprovalRpSet(_)
        | Params::CredentialAdd(_)
        | Params::CredentialRemove(_)
        | Params::KeyRevoke(_)
        | Params::KeyRevokeEmergency(_)
        | Params::LedgerEvidenceKeySet(_)
        | Params::LedgerKeyRecover(_)
        | Params::LedgerKeyRotate(_)
        | Params::MemberRecover(_)
        | Params::MemberRemove(_)
        | Params::MemberRestore(_)
        | Params::PolicySet(_)
        | Params::RoleGrant(_)
        | Params::RoleRevoke(_)
        | Params::RulesAdopt(_)
        | Params::ServiceRemove(_)
        | Params::ServiceRestore(_)
        | Params::SigningApprove(_)
        | Params::SigningBatch(_)
        | Params::SlotResume(_) => clause(document, names),
    }
}

/// A slot's signing policy in plain words.
pub(super) fn signing_policy(policy: &SigningPolicy) -> String {
    let callers = join(policy.callers.iter().map(|caller| match caller {
        Caller::PackagingEngineers => "packaging engineers",
        Caller::Services => "services",
    }));
    let environments = join(policy.environments.iter().map(|&environment| environment_name(environment)));
    let release = match policy.release {
        Release::Durable => "once recorded",
        Release::Sealed => "once sealed",
    };
    let rate = policy.rate_per_minute.map(|rate| format!(", at most {rate} a minute")).unwrap_or_default();
    let fields = if policy.artifact_fields.is_empty() {
        String::new()
    } else {
        format!(", naming {}", join(policy.artifact_fields.iter().map(|field| field.name())))
    };
    let approval = if policy.approval.is_empty() {
        String::new()
    } else {
        format!(", approved first for {}", join(policy.approval.iter().map(|&e| environment_name(e))))
    };
    format!("signs for {callers} ({environments}), released {release}{rate}{fields}{approval}")
}

pub(super) fn environment_name(environment: Environment) -> &'static str {
    match environment {
        Environment::Development => "development",
        Environment::Production => "production",
        Environment::Staging => "staging",
    }
}

pub(super) fn revocation(reason: RevocationReason) -> &'static str {
    match reason {
        RevocationReason::AffiliationChanged => "affiliation changed",
        RevocationReason::CessationOfOperation => "no longer needed",
        RevocationReason::KeyCompromise => "compromised",
        RevocationReason::PrivilegeWithdrawn => "privilege withdrawn",
        RevocationReason::Superseded => "superseded",
    }
}

/// Items, by commas.
pub(super) fn join<T: std::fmt::Display>(items: impl Iterator<Item = T>) -> String {
    let items: Vec<String> = items.map(|item| item.to_string()).collect();
    if items.is_empty() { "nothing".to_owned() } else { items.join(", ") }
}

pub(super) fn plural(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// The last eight characters of a time-ordered id (UUIDv7): those made close together begin alike, and only their ends
/// tell them apart.
pub(super) fn short_end(id: &str) -> String {
    id.chars().skip(id.chars().count().saturating_sub(8)).collect()
}

/// The first eight characters: enough to tell two apart in a sentence.
pub(super) fn short(id: &str) -> String {
    id.chars().take(8).collect()
}
