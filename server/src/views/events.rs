//! Events as they are recorded, with what was disclosed beside them.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sealbook_ledger::encoding::Hash;
use sealbook_ledger::event::{Envelope, Event};
use sealbook_ledger::ids::{EvidenceId, Seq};
use sealbook_ledger::payload::{Payload, Subject};
use sealbook_ledger::timestamp::Timestamp;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::ViewError;
use crate::store::load::EventFilter;
use crate::store::rows::StoredEvent;
use crate::store::{LedgerId, Store};

/// An event.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventView {
    /// Its place.
    pub seq: u64,
    /// Its chain hash (LEDGER_FORMAT §3).
    #[schema(value_type = String)]
    pub hash: Hash,
    /// Its exact bytes, standard base64.
    pub bytes_b64: String,
    /// The same as JSON.
    #[schema(value_type = Object)]
    pub event: Value,
    /// Redactable fields by name, as far as they are disclosed.
    pub disclosures: BTreeMap<String, String>,
}

/// A page of events.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventPage {
    /// In order of seq. May be empty while `next` says that there is more to look at.
    pub events: Vec<EventView>,
    /// The value of `after` for the next page; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
}

/// Outside evidence that was recorded.
#[derive(Debug, Serialize, ToSchema)]
pub struct EvidenceView {
    /// Its id.
    #[schema(value_type = String, format = Uuid)]
    pub evidence: EvidenceId,
    /// The event that recorded it.
    #[schema(value_type = u64)]
    pub seq: Seq,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub time: Timestamp,
    /// SHA-256 of it.
    #[schema(value_type = String)]
    pub digest: Hash,
    /// What kind of thing it is.
    pub media_type: String,
    /// What it is about: `kind` and `id`.
    #[schema(value_type = Object)]
    pub subject: Subject,
    /// What was said about it, if that is disclosed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// A page of evidence.
#[derive(Debug, Serialize, ToSchema)]
pub struct EvidencePage {
    /// In order of seq.
    pub evidence: Vec<EvidenceView>,
    /// The value of `after` for the next page; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
}

/// Reads the event of a stored row.
pub(crate) fn parse(stored: &StoredEvent) -> Result<Event, ViewError> {
    let corrupt = ViewError::Corrupt { what: "event", seq: stored.seq };
    let Ok(envelope) = Envelope::parse(&stored.bytes) else { return Err(corrupt) };
    Event::from_envelope(envelope).map_err(|_| corrupt)
}

/// The stored row of one event; `None` beyond the ledger's end.
pub async fn stored(store: &Store, ledger: LedgerId, seq: Seq) -> Result<Option<StoredEvent>, ViewError> {
    let page = store.page(ledger, seq.get(), 1).await?;
    Ok(page.into_iter().find(|event| event.seq == seq.get()))
}

/// The ledger's first events, at most so many.
pub async fn first_events(store: &Store, ledger: LedgerId, most: usize) -> Result<Vec<Event>, ViewError> {
    store.page(ledger, 0, most).await?.iter().map(parse).collect()
}

/// One event; `None` beyond the ledger's end.
pub async fn one(store: &Store, ledger: LedgerId, seq: Seq) -> Result<Option<Event>, ViewError> {
    stored(store, ledger, seq).await?.as_ref().map(parse).transpose()
}

/// A page of the events that a filter lets pass, after a seq.
pub async fn page(
    store: &Store,
    ledger: LedgerId,
    filter: &EventFilter,
    after: Option<u64>,
    limit: usize,
) -> Result<EventPage, ViewError> {
    let from = after.map_or(0, |seq| seq.saturating_add(1));
    let page = store.filtered_page(ledger, filter, from, limit).await?;
    let events = with_disclosures(store, ledger, page.events).await?;
    // The store says where to go on; `after` names the event before it.
    Ok(EventPage { events, next: page.next.map(|next| next.saturating_sub(1)) })
}

/// Events with what was disclosed beside them.
pub async fn with_disclosures(
    store: &Store,
    ledger: LedgerId,
    events: Vec<StoredEvent>,
) -> Result<Vec<EventView>, ViewError> {
    let mut disclosed = disclosures(store, ledger, &events).await?;
    events
        .into_iter()
        .map(|stored| {
            let json = serde_json::from_slice(&stored.bytes);
            Ok(EventView {
                seq: stored.seq,
                hash: stored.hash,
                bytes_b64: STANDARD.encode(&stored.bytes),
                event: json.map_err(|_| ViewError::Corrupt { what: "event", seq: stored.seq })?,
                disclosures: disclosed.remove(&stored.seq).unwrap_or_default(),
            })
        })
        .collect()
}

/// Clear texts by seq and name.
type Disclosed = BTreeMap<u64, BTreeMap<String, String>>;

async fn disclosures(
    store: &Store,
    ledger: LedgerId,
    events: &[StoredEvent],
) -> Result<Disclosed, ViewError> {
    let seqs: Vec<u64> = events.iter().map(|event| event.seq).collect();
    let mut disclosed = Disclosed::new();
    for row in store.disclosures_of(ledger, &seqs).await? {
        disclosed.entry(row.seq).or_default().insert(row.name, row.value);
    }
    Ok(disclosed)
}

/// A page of outside evidence, after a seq.
pub async fn evidence(
    store: &Store,
    ledger: LedgerId,
    after: Option<u64>,
    limit: usize,
) -> Result<EvidencePage, ViewError> {
    let stored = store.evidence_events(ledger, after, limit).await?;
    let next = (stored.len() == limit).then(|| stored.last().map(|event| event.seq)).flatten();
    let mut disclosed = disclosures(store, ledger, &stored).await?;
    let evidence = stored
        .iter()
        .map(|row| {
            let event = parse(row)?;
            let Payload::EvidenceRecorded(recorded) = event.payload else {
                return Err(ViewError::Corrupt { what: "evidence", seq: row.seq });
            };
            Ok(EvidenceView {
                evidence: recorded.evidence,
                seq: event.seq,
                time: event.time,
                digest: recorded.digest,
                media_type: recorded.media_type.to_string(),
                subject: recorded.subject,
                description: disclosed.remove(&row.seq).and_then(|mut fields| fields.remove("description")),
            })
        })
        .collect::<Result<_, _>>()?;
    Ok(EvidencePage { evidence, next })
}
