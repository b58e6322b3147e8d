//! Evidence packs that were issued.

use std::collections::BTreeMap;

use sealbook_ledger::encoding::Hash;
use sealbook_ledger::event::{Envelope, Event};
use sealbook_ledger::ids::{ActionId, IncidentId, Seq, SlotName};
use sealbook_ledger::payload::{DocumentAuthorized, Payload, ReportKind};
use sealbook_ledger::state::Founded;
use sealbook_ledger::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::store::load::MAX_PAGE;
use crate::store::story::StoryFilter;
use crate::store::{LedgerId, Store, StoreError};

/// An evidence pack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReportView {
    /// SHA-256 of the pack, by which it is fetched.
    #[schema(value_type = String)]
    pub sha256: Hash,
    /// Its length in bytes.
    pub size: u64,
    /// `rotation`, `ledger_key`, `period` or `incident`.
    #[schema(value_type = String)]
    pub kind: ReportKind,
    /// The rotation, or the change of the ledger key, that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = Uuid)]
    pub action: Option<ActionId>,
    /// The incident or drill that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = Uuid)]
    pub incident: Option<IncidentId>,
    /// Whether that is a drill.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub drill: bool,
    /// The slot of the rotation, incident or drill.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub slot: Option<SlotName>,
    /// First moment of the period.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub from: Option<Timestamp>,
    /// First moment after the period.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub to: Option<Timestamp>,
    /// The `rep.issued`.
    #[schema(value_type = u64)]
    pub seq: Seq,
    /// When it was issued.
    #[schema(value_type = String, format = DateTime)]
    pub issued_at: Timestamp,
}

impl ReportView {
    /// The name of its file.
    pub fn file_name(&self) -> String {
        match (&self.slot, self.from, self.to) {
            (Some(slot), ..) => {
                let what = match (self.incident, self.drill) {
                    (None, _) => "rep",
                    (Some(_), false) => "incident",
                    (Some(_), true) => "drill",
                };
                format!("{what}-{slot}-{}", self.seq)
            }
            (None, Some(from), Some(to)) => {
                let day = |at: Timestamp| at.to_string().get(..10).unwrap_or_default().to_owned();
                format!("rep-{}-{}-{}", day(from), day(to), self.seq)
            }
            (None, ..) => format!("rep-ledger-key-{}", self.seq),
        }
    }
}

/// Every evidence pack of a ledger, the newest first.
pub async fn all(
    store: &Store,
    ledger: LedgerId,
    founded: &Founded,
    size: u64,
) -> Result<Vec<ReportView>, StoreError> {
    let kinds = ["document.authorized", "rep.issued"].map(str::to_owned).to_vec();
    let mut filter = StoryFilter { below: size, kinds, beside_signatures: true, ..StoryFilter::default() };
    let mut events = Vec::new();
    loop {
        let page = store.story(ledger, &filter, MAX_PAGE).await?;
        for stored in &page.events {
            let event = Envelope::parse(&stored.bytes).ok().and_then(|e| Event::from_envelope(e).ok());
            events.push(event.ok_or_else(|| StoreError::corruption("a stored event can't be read"))?);
        }
        match page.next {
            Some(next) => filter.below = next,
            None => break,
        }
    }
    Ok(issued(&events, founded))
}

fn issued(events: &[Event], founded: &Founded) -> Vec<ReportView> {
    let asked: BTreeMap<Seq, &DocumentAuthorized> = events
        .iter()
        .filter_map(|event| match &event.payload {
            Payload::DocumentAuthorized(asked) => Some((event.seq, &**asked)),
            _ => None,
        })
        .collect();
    let view = |event: &Event| {
        let Payload::RepIssued(issued) = &event.payload else { return None };
        // A trust root is no pack: it is handed out at a place of its own.
        let about = asked.get(&issued.authorization).filter(|about| about.kind != ReportKind::TrustRoot)?;
        let rotation = about.action.and_then(|action| founded.rotation(action).ok());
        let incident = about.incident.and_then(|incident| founded.incident(incident).ok());
        let slot = rotation.map(|rotation| &rotation.slot).or(incident.map(|incident| &incident.slot));
        Some(ReportView {
            sha256: issued.sha256,
            size: issued.size,
            kind: about.kind,
            action: about.action,
            incident: about.incident,
            drill: incident.is_some_and(|incident| incident.drill),
            slot: slot.cloned(),
            from: about.from,
            to: about.to,
            seq: event.seq,
            issued_at: event.time,
        })
    };
    events.iter().filter_map(view).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_named_after_what_they_are_about() {
        let view = ReportView {
            sha256: Hash::ZERO,
            size: 1,
            kind: ReportKind::Incident,
            action: None,
            incident: Some("01934f5e-6d3c-7b9a-8c11-0123456789ab".parse().unwrap()),
            drill: false,
            slot: Some("releases".parse().unwrap()),
            from: None,
            to: None,
            seq: Seq::new(7).unwrap(),
            issued_at: "2026-11-24T15:04:39.000000Z".parse().unwrap(),
        };
        assert_eq!(view.file_name(), "incident-releases-7");
        let json = serde_json::to_value(&view).unwrap();
        assert!(json.get("drill").is_none() && json["incident"].is_string(), "{json}");
        let drill = ReportView { drill: true, ..view.clone() };
        assert_eq!(drill.file_name(), "drill-releases-7");
        assert_eq!(serde_json::to_value(&drill).unwrap()["drill"], true);
        let rotation = ReportView { kind: ReportKind::Rotation, incident: None, ..view.clone() };
        assert_eq!(rotation.file_name(), "rep-releases-7");
        let (from, to) = (Some(view.issued_at), Some(view.issued_at.plus_seconds(86_400)));
        let period = ReportView { kind: ReportKind::Period, slot: None, incident: None, from, to, ..view };
        assert_eq!(period.file_name(), "rep-2026-11-24-2026-11-25-7");
    }
}
