//! One event: what it says in words, its exact bytes, and what proves that they were never changed.

use std::collections::BTreeMap;
use std::time::Duration;

use actix_web::{HttpResponse, get, web};
use askama::Template;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sealbook_ledger::ids::Seq;
use sealbook_ledger::merkle::leaf_hash;
use sealbook_ledger::payload::Payload;
use sealbook_ledger::receipt::Receipt;

use super::Visit;
use super::page::{self, Frame, Place};
use super::wording;
use crate::http::problem::Problem;
use crate::views::events;
use crate::views::story::{self, Told};

/// Other events of the same piece of work that a page lists.
const MAX_RELATED: usize = 20;

/// The page.
#[derive(Template)]
#[template(path = "event.html")]
struct EventPage {
    frame: Frame,
    told: Told,
    bytes_b64: String,
    raw: String,
    pretty: String,
    leaf: String,
    prev: String,
    /// Neighbours, where there are any.
    before: Option<u64>,
    after: Option<u64>,
    disclosures: BTreeMap<String, String>,
    correlation: String,
    related: Vec<Told>,
    /// The smallest checkpoint that covers it.
    sealed_by: Option<u64>,
    proof: Option<Proof>,
    opened: Option<String>,
}

/// Why the event stands where it says, as a receipt carries it.
struct Proof {
    /// The size of the tree that it is about.
    size: u64,
    /// The hashes beside the way from the leaf to the root, in base64.
    path: Vec<String>,
    checkpoint: String,
}

impl Proof {
    /// Takes a receipt's text apart: three lines, the path, an empty line, the checkpoint.
    fn of(receipt: &Receipt) -> Option<Self> {
        let text = receipt.to_string();
        let (head, checkpoint) = text.split_once("\n\n")?;
        let size = checkpoint.lines().nth(1)?.parse().ok()?;
        let path = head.lines().skip(3).map(str::to_owned).collect();
        Some(Self { size, path, checkpoint: checkpoint.to_owned() })
    }
}

#[get("/t/{tenant}/ledger/{seq}")]
pub(super) async fn event(visit: Visit, path: web::Path<(String, Seq)>) -> Result<HttpResponse, Problem> {
    let (_, seq) = path.into_inner();
    let (store, ledger, founded) = (visit.store(), visit.ledger(), visit.member.founded()?);
    let known = (founded, &visit.names);
    let size = visit.member.ledger.size();
    let stored = events::stored(store, ledger, seq).await?.ok_or_else(|| Problem::of("event.unknown"))?;
    let gone = || Problem::fault("an event without its view");
    let view = events::with_disclosures(store, ledger, vec![stored.clone()]).await?.pop().ok_or_else(gone)?;
    let bytes = stored.bytes.clone();
    let told = story::told(store, ledger, known, vec![stored]).await?.pop().ok_or_else(gone)?;
    let correlation = told.event.correlation;
    let related = story::of_correlation(store, ledger, known, size, correlation, MAX_RELATED + 1).await?;
    let sealed_by = store.checkpoint_over(ledger, seq.get()).await?.map(|row| row.size);
    // Not sealed yet is no failure of the page.
    let receipt = visit.member.app.receipt(&visit.member.ledger, seq.get(), Duration::ZERO).await.ok();
    let opened = match events::one(store, ledger, Seq::ZERO).await?.map(|event| event.payload) {
        Some(Payload::LedgerOpened(opened)) => Some(opened.vkey.to_string()),
        Some(_) | None => None,
    };
    let page = EventPage {
        frame: visit.frame(format!("Event {}", seq.get()), Place::Ledger),
        bytes_b64: STANDARD.encode(&bytes),
        raw: String::from_utf8_lossy(&bytes).into_owned(),
        pretty: serde_json::to_string_pretty(&view.event).map_err(Problem::fault)?,
        leaf: leaf_hash(&bytes).to_string(),
        prev: told.event.prev.to_string(),
        before: seq.get().checked_sub(1),
        after: Some(seq.get() + 1).filter(|next| *next < size),
        disclosures: view.disclosures.into_iter().map(|(k, v)| (k, wording::lines(&v))).collect(),
        correlation: correlation.to_string(),
        related: related.told.into_iter().filter(|other| other.seq != seq.get()).collect(),
        sealed_by,
        proof: receipt.as_ref().and_then(Proof::of),
        opened,
        told,
    };
    page::show(&page)
}
