//! The machine clients of a ledger.

use std::collections::BTreeSet;

use sealbook_ledger::ids::{ServiceId, SlotName};
use sealbook_ledger::member::Service;
use sealbook_ledger::timestamp::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::Names;
use super::people::Standing;

/// A machine client.
#[derive(Debug, Serialize, ToSchema)]
pub struct ServiceView {
    /// Which.
    #[schema(value_type = String, format = Uuid)]
    pub service: ServiceId,
    /// How it is called, if that is disclosed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// Whether it may act.
    pub status: Standing,
    /// The slots that it may use.
    #[schema(value_type = Vec<String>)]
    pub slots: BTreeSet<SlotName>,
    /// First moment that its token no longer holds.
    #[schema(value_type = String, format = DateTime)]
    pub token_expires_at: Timestamp,
}

impl ServiceView {
    /// The view of a machine client at a moment.
    pub fn new(id: ServiceId, service: &Service, names: &Names, at: Timestamp) -> Self {
        Self {
            service: id,
            display_name: names.service(id).map(str::to_owned),
            status: Standing::at(service.removed, service.suspension, at),
            slots: service.slots.clone(),
            token_expires_at: service.token_expires_at,
        }
    }
}
