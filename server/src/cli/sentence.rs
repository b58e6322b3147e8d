//! The words that the command line's texts are made of.
//!
//! An action's sentence is made here, from the document that is signed, by the same function that the server uses: never
//! the server's own words.

use sealbook_ledger::action::ActionDocument;
use sealbook_ledger::policy::{Caller, Release, SigningPolicy};
use sealbook_ledger::rotation::RotationPolicy;

use crate::views;
use crate::views::story::Names;
pub(super) use crate::views::story::{environment_name, join, plural, short, short_end};

/// What an action asks for, in plain words.
pub fn sentence(document: &ActionDocument, names: &Names) -> String {
    views::sentence::sentence(document, &names.shown())
}

/// A slot's rotation policy in plain words.
pub(super) fn rotation_policy(policy: &RotationPolicy) -> String {
    views::sentence::rotation_policy(policy)
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
