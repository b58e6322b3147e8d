//! The artifacts that an action about signatures lists: what approvers see of the digests that they let be signed.

use std::collections::HashSet;

use sealbook_ledger::action::Params;
use sealbook_ledger::clearance;
use sealbook_ledger::encoding::HexBytes;
use sealbook_ledger::ids::SlotName;
use serde::Serialize;
use utoipa::ToSchema;

use super::ViewError;
use super::actions::ActionView;
use crate::store::{LedgerId, Store};

/// An artifact of an action.
#[derive(Debug, Serialize, ToSchema)]
pub struct ArtifactView {
    /// Its name, if that is disclosed; the digest of the names stands in the document.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What is to be signed: in the order of the tree whose root stands in the document.
    #[schema(value_type = String)]
    pub digest: HexBytes,
    /// Whether the slot has signed it since it was proposed.
    pub signed: bool,
}

/// The artifacts of an action, in its order; none for an action about something else. At most 10,000.
pub async fn of(store: &Store, ledger: LedgerId, view: &ActionView) -> Result<Vec<ArtifactView>, ViewError> {
    let since = view.events.first().copied().unwrap_or_default();
    let (digests, names, slot): (_, Vec<&str>, &SlotName) = match &view.document.params {
        Params::SigningApprove(p) => {
            (vec![p.digest.clone()], disclosed(view, "artifact_name").into_iter().collect(), &p.slot)
        }
        Params::SigningBatch(p) => {
            let corrupt = || ViewError::Corrupt { what: "list of digests", seq: since };
            let row = store.attachment(ledger, p.digests.sha256).await?.ok_or_else(corrupt)?;
            let digests = clearance::read_list(p, &row.bytes).ok_or_else(corrupt)?;
            let names = disclosed(view, "names").map(|names| names.split('\n').collect());
            (digests, names.unwrap_or_default(), &p.slot)
        }
        _ => return Ok(Vec::new()),
    };
    let raw: Vec<&[u8]> = digests.iter().map(|digest| digest.0.as_slice()).collect();
    let signed: HashSet<Vec<u8>> = store.signed_since(ledger, slot, since, &raw).await?.into_iter().collect();
    // Names of another number than the digests name nothing.
    let named = names.len() == digests.len();
    let artifacts = digests.into_iter().enumerate().map(|(at, digest)| ArtifactView {
        name: names.get(at).filter(|_| named).map(|name| (*name).to_owned()),
        signed: signed.contains(&digest.0),
        digest,
    });
    Ok(artifacts.collect())
}

fn disclosed<'a>(view: &'a ActionView, name: &str) -> Option<&'a str> {
    view.disclosures.iter().find(|field| field.name == name).map(|field| field.value.as_str())
}
