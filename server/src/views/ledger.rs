//! A ledger as a whole: its names, how far it has come, and its policy.

use sealbook_ledger::encoding::Hash;
use sealbook_ledger::ids::TenantName;
use sealbook_ledger::policy::LedgerPolicy;
use sealbook_ledger::state::State;
use sealbook_ledger::webauthn::ApprovalRp;
use serde::Serialize;
use utoipa::ToSchema;

/// A tenant's ledger in a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct LedgerEntry {
    /// Whose.
    #[schema(value_type = String, example = "acme")]
    pub tenant: TenantName,
    /// The ledger's name.
    #[schema(example = "sealbook.example.com/acme")]
    pub origin: String,
    /// Whether its founders have signed.
    pub founded: bool,
    /// Number of events.
    pub size: u64,
    /// Number of events under a checkpoint.
    pub sealed_size: u64,
}

/// A tenant's ledger.
#[derive(Debug, Serialize, ToSchema)]
pub struct LedgerView {
    /// Its place in the list.
    #[serde(flatten)]
    pub entry: LedgerEntry,
    /// The ledger key in force, in C2SP form; absent before the first event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vkey: Option<String>,
    /// What the founders signed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub founding_digest: Option<Hash>,
    /// The rules version in force.
    pub rules: u64,
    /// The relying party that approvals are made for: `id`, `origins`, `shared`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub approval_rp: Option<ApprovalRp>,
    /// Digest of the ledger policy in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub policy_digest: Option<Hash>,
}

/// The ledger policy in force.
#[derive(Debug, Serialize, ToSchema)]
pub struct PolicyView {
    /// Proposers and quorum clauses per action type, and the credential rules.
    #[schema(value_type = Object)]
    pub policy: LedgerPolicy,
    /// Hex of SHA-256 over its canonical form, as action documents name it.
    #[schema(value_type = String)]
    pub policy_digest: Hash,
}

impl LedgerEntry {
    /// The entry of a ledger in this state, of which so many events are sealed.
    pub fn new(tenant: &TenantName, state: &State, sealed_size: u64) -> Self {
        Self {
            tenant: tenant.clone(),
            origin: state.origin().to_string(),
            founded: state.founded().is_ok(),
            size: state.size(),
            sealed_size,
        }
    }
}

impl LedgerView {
    /// The view of a ledger in this state, of which so many events are sealed; `opening` are the rules of one that is not
    /// founded yet.
    pub fn new(tenant: &TenantName, state: &State, sealed_size: u64, opening: u64) -> Self {
        let founded = state.founded().ok();
        Self {
            entry: LedgerEntry::new(tenant, state, sealed_size),
            vkey: state.ledger_key().map(|key| key.vkey.to_string()),
            founding_digest: founded.map(|founded| founded.founding_digest()),
            rules: founded.map_or(opening, |founded| founded.rules()),
            approval_rp: founded.map(|founded| founded.approval_rp().clone()),
            policy_digest: founded.map(|founded| founded.policy_digest()),
        }
    }
}
