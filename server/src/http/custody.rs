//! How a slot's key is kept, for whoever signs releases with it.

use actix_web::{HttpResponse, get, web};
use sealbook_ledger::ids::SlotName;
use sealbook_ledger::rule::Rule;

use super::auth::Caller;
use super::problem::{Problem, ProblemDocument};
use super::proofs::Wait;
use crate::views::custody::{self, CustodyError, CustodyView};

/// The events that say how a slot's key is kept, replaced and revoked, each with its receipt under one checkpoint: policies
/// in force, the key's making and activation, the last review of its device, revoked keys of the slot and what replaced them.
#[utoipa::path(tag = "slots", params(("tenant" = String, Path), ("slot" = String, Path), Wait), responses(
    (status = 200, body = CustodyView), (status = "4XX", body = ProblemDocument),
    (status = 503, body = ProblemDocument)
))]
#[get("/v1/tenants/{tenant}/slots/{slot}/custody")]
pub(super) async fn show_custody(
    caller: Caller,
    path: web::Path<(String, SlotName)>,
    wait: web::Query<Wait>,
) -> Result<HttpResponse, Problem> {
    let (_, name) = path.into_inner();
    caller.may_see(&name)?;
    let (founded, ledger) = (caller.state.founded()?, &caller.ledger);
    let key = founded.slot(&name)?.active.ok_or(Rule::SlotKeyless)?;
    let size = caller.state.size();
    let seqs = custody::events(caller.store(), ledger.id(), (founded, size), &name).await?;
    let proved = caller.app.receipts(ledger, &seqs, wait.duration()).await?;
    let vkey = caller.state.ledger_key().ok_or(Rule::FoundingMissing)?.vkey.clone();
    // While the ledger key changes hands, the checkpoint may be of the other one for a moment.
    if proved.checkpoint.verify(&vkey).is_err() {
        return Err(Problem::of("seal.pending"));
    }
    Ok(HttpResponse::Ok().json(CustodyView {
        slot: name,
        key,
        // The ledger's time, which no clock that is behind lets a later event fall short of.
        at: caller.state.time().unwrap_or(caller.at),
        origin: ledger.origin().clone(),
        vkey,
        checkpoint: proved.checkpoint.note().to_string(),
        receipts: proved.receipts.iter().map(ToString::to_string).collect(),
    }))
}

impl From<CustodyError> for Problem {
    fn from(error: CustodyError) -> Self {
        match error {
            CustodyError::Rule(rule) => rule.into(),
            CustodyError::View(error) => error.into(),
            CustodyError::TooFar => Self::of("audit.slow"),
        }
    }
}
