//! What is not to be believed any more: the same facts as the lists that CAs sign, with the events that prove them.

use std::time::Duration;

use actix_web::{HttpResponse, get, web};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::auth::Reader;
use super::problem::{Problem, ProblemDocument};
use crate::ledger::EngineError;
use crate::views::revocations::{self, ListView, RevokedView};

/// Whether receipts come along.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct RevocationQuery {
    /// With each row the event that proves it and its inclusion proof (C2SP tlog-proof); without where absent.
    receipts: Option<bool>,
}

/// Revoked keys and certificates, and the newest revocation lists.
#[derive(Serialize, ToSchema)]
struct Revocations {
    /// The newest list of each CA's key.
    lists: Vec<ListView>,
    /// The newest revocation first.
    revoked: Vec<RevokedView>,
}

/// Lists what was revoked, and the newest revocation lists.
#[utoipa::path(tag = "revocation", params(("tenant" = String, Path), RevocationQuery),
    responses((status = 200, body = Revocations), (status = "4XX", body = ProblemDocument)))]
#[get("/v1/tenants/{tenant}/revocations")]
pub(super) async fn list_revocations(
    reader: Reader,
    query: web::Query<RevocationQuery>,
) -> Result<HttpResponse, Problem> {
    let (ledger, founded) = (&reader.ledger, reader.founded()?);
    let mut revoked = revocations::all(reader.store(), ledger.id(), founded).await?;
    if query.receipts == Some(true) {
        for one in &mut revoked {
            one.receipt = match reader.app.receipt(ledger, one.seq.get(), Duration::ZERO).await {
                Ok(receipt) => Some(receipt.to_string()),
                // No checkpoint covers it yet: the row says so by having none.
                Err(EngineError::Unavailable { .. }) => None,
                Err(error) => return Err(error.into()),
            };
        }
    }
    let lists = revocations::lists(founded, ledger.tenant().as_str(), &ledger.list_numbers, reader.at);
    Ok(HttpResponse::Ok().json(Revocations { lists, revoked }))
}
