//! An action in one sentence, made here from the document that is signed: never the server's words.

use sealbook_ledger::action::{ActionDocument, Params, RevocationReason};
use sealbook_ledger::policy::{Caller, Environment, Release, SigningPolicy};

use super::story::Names;

/// What an action asks for, in plain words.
pub fn sentence(document: &ActionDocument, names: &Names) -> String {
    let text = params_sentence(&document.params, names);
    match document.execute_at {
        Some(at) => format!("{text}, not before {at}"),
        None => text,
    }
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
        | Params::MemberRemove(_)
        | Params::MemberRestore(_)
        | Params::PolicySet(_)
        | Params::RoleGrant(_)
        | Params::RoleRevoke(_)
        | Params::RulesAdopt(_)
        | Params::ServiceRemove(_)
        | Params::ServiceRestore(_)
        | Params::SlotResume(_) => params_sentence(&document.params, names),
    }
}

fn params_sentence(params: &Params, names: &Names) -> String {
    match params {
        Params::ApprovalRpSet(p) => {
            format!("take approvals at {} from {}", p.approval_rp.id, join(p.approval_rp.origins.iter()))
        }
        Params::CredentialAdd(p) => {
            format!("give {} another {:?} authenticator", names.member(p.member), p.credential.kind)
                .to_lowercase()
        }
        Params::CredentialRemove(p) => {
            format!(
                "take authenticator {} from {}",
                short(&p.credential_id.to_string()),
                names.member(p.member)
            )
        }
        Params::KeyRevoke(p) => format!("revoke key {} for good ({})", p.key, revocation(p.reason)),
        Params::KeyRevokeEmergency(p) => {
            format!("revoke key {} for good, as an emergency ({})", p.key, revocation(p.reason))
        }
        Params::LedgerEvidenceKeySet(p) => format!("make a key for signing documents in {}", p.backend),
        Params::LedgerKeyRecover(p) => format!("continue under the standby ledger key in {}", p.backend),
        Params::LedgerKeyRotate(p) => format!("replace the ledger key by a new one in {}", p.backend),
        Params::MemberEnroll(p) => {
            format!(
                "enrol {} with {}: {}",
                names.member(p.member),
                plural(p.credentials.len(), "authenticator"),
                join(p.roles.iter())
            )
        }
        Params::MemberRemove(p) => format!("remove {}", names.member(p.member)),
        Params::MemberRestore(p) => match &p.credential_id {
            Some(id) => format!(
                "lift the suspension of {}'s authenticator {}",
                names.member(p.member),
                short(&id.to_string())
            ),
            None => format!("lift the suspension of {}", names.member(p.member)),
        },
        Params::PolicySet(p) => format!(
            "replace the ledger policy by the one with digest {}",
            p.policy.digest().map_or_else(|_| "unknown".to_owned(), |digest| digest.to_string())
        ),
        Params::RoleGrant(p) => {
            let from = p.not_before.map(|at| format!(" from {at}")).unwrap_or_default();
            let until = p.not_after.map(|at| format!(" until {at}")).unwrap_or_default();
            format!("give {} the role {}{from}{until}", names.member(p.member), p.role)
        }
        Params::RoleRevoke(p) => format!("take the role {} from {}", p.role, names.member(p.member)),
        Params::RulesAdopt(p) => format!("adopt rules version {}", p.rules),
        Params::ServiceEnroll(p) => format!(
            "enrol {} for {}, with a token until {}",
            names.service(p.service),
            join(p.slots.iter()),
            p.token_expires_at
        ),
        Params::ServiceGrant(p) => {
            let token = if p.token.is_some() { ", with a new token" } else { "" };
            format!("let {} use {}{token}", names.service(p.service), join(p.slots.iter()))
        }
        Params::ServiceRemove(p) => format!("remove {}", names.service(p.service)),
        Params::ServiceRestore(p) => format!("lift the suspension of {}", names.service(p.service)),
        Params::SlotCreate(p) => format!(
            "create slot {} ({} in {}), owned by {}, rotated every {} days with {} days of overlap; {}",
            p.slot,
            p.algorithm,
            p.backend,
            names.member(p.owner),
            p.rotation_days,
            p.overlap_days,
            signing_policy(&p.signing_policy)
        ),
        Params::SlotPolicySet(p) => {
            format!("replace the signing policy of {}: {}", p.slot, signing_policy(&p.signing_policy))
        }
        Params::SlotResume(p) => format!("let slot {} sign again", p.slot),
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
    format!("signs for {callers} ({environments}), released {release}{rate}{fields}")
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
