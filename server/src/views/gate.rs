//! The gate: whether suspension, key, age and certificate let a slot sign now, and if not, why.

use sealbook_ledger::encoding::Hash;
use sealbook_ledger::ids::{KeyId, SlotName};
use sealbook_ledger::rule::Rule;
use sealbook_ledger::state::Founded;
use sealbook_ledger::timestamp::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::rotations::ReasonView;

/// Microseconds of a day.
const DAY_US: i64 = 24 * 60 * 60 * 1_000_000;

/// What the gate says, as deployment systems ask.
#[derive(Debug, Serialize, ToSchema)]
pub struct GateView {
    /// The slot.
    #[schema(value_type = String)]
    pub slot: SlotName,
    /// Whether the slot signs.
    pub pass: bool,
    /// Why it does not: every reason.
    pub reasons: Vec<ReasonView>,
    /// The key that it signs with.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = Uuid)]
    pub key: Option<KeyId>,
    /// SHA-256 of the key's newest certificate, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub certificate_fingerprint: Option<Hash>,
    /// Full days since that certificate began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate_age_days: Option<i64>,
    /// Days after which the key has to be replaced: its slot's, or the ledger policy's where those are fewer.
    pub rotation_interval: u16,
    /// When that is.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub due_at: Option<Timestamp>,
    /// The moment that it was judged at.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
}

impl GateView {
    /// What the gate of a slot says at a moment.
    pub fn new(name: &SlotName, founded: &Founded, at: Timestamp) -> Result<Self, Rule> {
        let slot = founded.slot(name)?;
        let reasons: Vec<ReasonView> = founded.gate(name, at)?.into_iter().map(ReasonView::from).collect();
        let issued = slot.active.and_then(|key| founded.certificate_of(key));
        let age = |from: Timestamp| (at.unix_micros() - from.unix_micros()).div_euclid(DAY_US);
        Ok(Self {
            slot: name.clone(),
            pass: reasons.is_empty(),
            reasons,
            key: slot.active,
            certificate_fingerprint: issued.map(|issued| issued.fingerprint),
            certificate_age_days: issued.map(|issued| age(issued.not_before)),
            rotation_interval: founded.rotation_interval(slot),
            due_at: slot.active.and_then(|key| founded.due_at(key)),
            at,
        })
    }
}
