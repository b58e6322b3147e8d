//! The words that a story is made of.

use sealbook_ledger::action::{ActionDocument, Params, RevocationReason};
use sealbook_ledger::policy::Environment;

use super::Names;
use crate::views::sentence::sentence;

/// The same, to stand inside another sentence.
pub fn clause(document: &ActionDocument, names: &Names) -> String {
    let text = sentence(document, &names.shown());
    let mut chars = text.trim_end_matches('.').chars();
    chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}

/// The same in a few words, for where the whole sentence has been told already.
pub fn title(document: &ActionDocument, names: &Names) -> String {
    match &document.params {
        Params::CertificateIssue(p) => format!("issue a certificate for {}", p.slot),
        Params::CertificateRevoke(p) => {
            format!("revoke {}", names.certificate(p.certificate))
        }
        Params::HsmAccessReview(p) => format!("review who can reach {}", p.backend),
        Params::KeyAdopt(p) => format!("adopt a key as slot {}", p.slot.slot),
        Params::KeyDestroy(p) => format!("destroy {}", names.key(p.key)),
        Params::KeyRotate(p) => format!("replace the key of {}", p.slot),
        Params::KeyRotateEmergency(p) => format!("replace the key of {} at once", p.slot),
        Params::MemberEnroll(p) => format!("enrol {}", names.member(p.member)),
        Params::ServiceEnroll(p) => format!("enrol {}", names.service(p.service)),
        Params::ServiceGrant(p) => format!("change what {} may use", names.service(p.service)),
        Params::SlotCreate(p) => {
            format!("create slot {}{}", p.slot, if p.drill { ", for drills alone" } else { "" })
        }
        Params::SlotPolicySet(p) => format!("replace the signing policy of {}", p.slot),
        Params::SlotRotationSet(p) => format!("replace the rotation policy of {}", p.slot),
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

/// An environment's name.
pub fn environment_name(environment: Environment) -> &'static str {
    match environment {
        Environment::Development => "development",
        Environment::Production => "production",
        Environment::Staging => "staging",
    }
}

/// Why a key was revoked, in a few words.
pub fn revocation(reason: RevocationReason) -> &'static str {
    match reason {
        RevocationReason::AffiliationChanged => "affiliation changed",
        RevocationReason::CessationOfOperation => "no longer needed",
        RevocationReason::KeyCompromise => "compromised",
        RevocationReason::PrivilegeWithdrawn => "privilege withdrawn",
        RevocationReason::Superseded => "superseded",
    }
}

/// Items, by commas.
pub fn join<T: std::fmt::Display>(items: impl Iterator<Item = T>) -> String {
    let items: Vec<String> = items.map(|item| item.to_string()).collect();
    if items.is_empty() { "nothing".to_owned() } else { items.join(", ") }
}

/// A count with its noun.
pub fn plural(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// The last eight characters of a time-ordered id (UUIDv7): those made close together begin alike, and only their ends
/// tell them apart.
pub fn short_end(id: &str) -> String {
    id.chars().skip(id.chars().count().saturating_sub(8)).collect()
}

/// The first eight characters: enough to tell two apart in a sentence.
pub fn short(id: &str) -> String {
    id.chars().take(8).collect()
}

/// Text from elsewhere, made safe to show: what would steer a terminal, or turn the direction of reading, is an escape.
pub fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if steers(character) {
            out.push_str(&format!("\\u{{{:x}}}", u32::from(character)));
        } else {
            out.push(character);
        }
    }
    out
}

/// Control characters, and the invisible ones of Unicode's bidirectional algorithm (UAX #9 §2) and of zero width.
pub fn steers(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}
