//! The document of a service's proposal. Nobody signs it as its proposer; approvers sign it as it stands in the event.

use sealbook_ledger::action::{ActionDocument, Params};
use sealbook_ledger::attachment::MediaType;
use sealbook_ledger::ids::{ActionId, Origin, ServiceId};
use sealbook_ledger::policy::Environment;
use sealbook_ledger::rule::Rule;
use sealbook_ledger::state::Founded;
use sealbook_ledger::timestamp::Timestamp;

use crate::ledger::Disclosure;

/// How long people have to decide on what a service asks for, in seconds: a day, as with proposals of people.
const LIFE_S: u32 = 24 * 60 * 60;

/// Fills in what the ledger knows.
pub(super) fn of_service(
    origin: &Origin,
    founded: &Founded,
    service: ServiceId,
    params: Params,
    reason: &Disclosure,
    at: Timestamp,
) -> Result<ActionDocument, Rule> {
    let rule = founded.policy().actions.get(&params.kind()).ok_or(Rule::PolicyForm)?;
    Ok(ActionDocument {
        action: ActionId::from(uuid::Uuid::new_v4()),
        expires_at: at.plus_seconds(LIFE_S),
        execute_at: None,
        head: founded.latest_head().ok_or(Rule::FoundingMissing)?,
        origin: origin.clone(),
        params,
        policy: founded.policy_digest(),
        proposed_at: at,
        proposed_by: service.into(),
        quorum: rule.quorum.clone(),
        reason_digest: reason.digest(),
    })
}

pub(super) const fn name_of(environment: Environment) -> &'static str {
    match environment {
        Environment::Development => "development",
        Environment::Production => "production",
        Environment::Staging => "staging",
    }
}

#[allow(clippy::expect_used, reason = "the literal is a media type")]
pub(super) fn octets() -> MediaType {
    "application/octet-stream".parse().expect("a media type")
}
