//! Where notices go and how that does; never with a secret, nor with the path of a URL, which may be one.

use serde::Serialize;
use utoipa::ToSchema;

use sealbook_ledger::timestamp::Timestamp;

use super::ViewError;
use crate::store::{LedgerId, Store};

/// A destination as the configuration has it.
#[derive(Debug, Serialize, ToSchema)]
pub struct Destination {
    /// What the operator calls it.
    pub name: String,
    /// Scheme, host and port.
    pub address: String,
    /// What it is told of.
    #[schema(value_type = Vec<String>)]
    pub kinds: Vec<&'static str>,
    /// Whether sentences, reasons and names go with it.
    pub disclose: bool,
    /// Whether it may be of a private network.
    pub allow_private: bool,
}

/// A destination, and how it does for one tenant.
#[derive(Debug, Serialize, ToSchema)]
pub struct WebhookView {
    /// Where it is.
    #[serde(flatten)]
    pub destination: Destination,
    /// Notices that wait or are tried again.
    pub pending: u64,
    /// Notices that arrived in the last 31 days.
    pub delivered: u64,
    /// Notices that were given up in the last 31 days.
    pub dead: u64,
    /// The newest attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<Attempt>,
}

/// An attempt to deliver.
#[derive(Debug, Serialize, ToSchema)]
pub struct Attempt {
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// What came of it, in a few words.
    pub outcome: String,
}

/// How destinations do for one ledger, or, without one, over everything that they are told.
pub async fn list(
    store: &Store,
    ledger: Option<LedgerId>,
    destinations: Vec<Destination>,
) -> Result<Vec<WebhookView>, ViewError> {
    let mut views = Vec::with_capacity(destinations.len());
    for destination in destinations {
        let counts = store.webhook_counts(&destination.name, ledger).await?;
        let last = counts.tried_at.zip(counts.outcome).map(|(at, outcome)| Attempt { at, outcome });
        let (pending, delivered, dead) = (counts.pending, counts.delivered, counts.dead);
        views.push(WebhookView { destination, pending, delivered, dead, last });
    }
    Ok(views)
}
