//! What the devices hold, against what the ledgers say: an object that no event explains is reported, and never deleted.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use sealbook_ledger::command::Command;
use sealbook_ledger::encoding::Hash;
use sealbook_ledger::event::{Envelope, Event};
use sealbook_ledger::ids::{BackendName, Origin};
use sealbook_ledger::payload::{CustodyUnexplained, Payload};
use sealbook_ledger::slot::device_label;
use tokio::sync::watch;

use crate::devices::Devices;
use crate::ledger::{EngineError, Ledger, Stock, Submission};
use crate::store::Store;
use crate::store::load::{EventFilter, MAX_PAGE};

/// How often devices are looked through.
const EVERY: Duration = Duration::from_secs(60 * 60);

/// How long a new ledger's first events are waited for before its device is looked through.
const FIRST: Duration = Duration::from_secs(10);

/// Looks through the devices for one ledger, over and over, until `stop` says so.
pub(crate) async fn run(
    store: Arc<Store>,
    ledger: Arc<Ledger>,
    devices: Devices,
    mut stop: watch::Receiver<bool>,
) {
    let mut pause = FIRST;
    loop {
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = stop.changed() => return,
        }
        pause = EVERY;
        if let Err(error) = take_stock(&store, &ledger, &devices).await {
            tracing::warn!(origin = %ledger.origin(), code = error.code(), %error, "the devices could not be looked through");
        }
    }
}

/// Reports every object that carries this ledger's name and that nothing explains; says how many were new.
pub(crate) async fn take_stock(
    store: &Store,
    ledger: &Ledger,
    devices: &Devices,
) -> Result<usize, EngineError> {
    let prefix = format!("sealbook/{}/", ledger.origin());
    let (mut found, mut silent) = (Vec::new(), 0);
    for device in devices.all() {
        match device.inventory().await {
            Ok(objects) => found.extend(
                objects
                    .into_iter()
                    .filter(|object| object.label.starts_with(&prefix))
                    .map(|object| (device.name().clone(), object.label)),
            ),
            // A device that is down is somebody else's alarm.
            Err(error) => {
                silent += 1;
                tracing::debug!(device = %device.name(), code = error.code(), "no inventory");
            }
        }
    }
    // Read after the devices: what was made meanwhile is explained by then.
    let explained = explained(store, ledger).await?;
    let mut reported = reported(store, ledger).await?;
    found.retain(|(_, label)| !explained.contains(label));
    let unexplained = found.len();
    let mut new = 0;
    for (backend, label) in found {
        let object_sha256 = Hash::sha256(label.as_bytes());
        if reported.insert((backend.clone(), object_sha256)) {
            tracing::error!(origin = %ledger.origin(), %backend, %label, "the device holds an object that no event explains");
            let unexplained = CustodyUnexplained { backend, object_sha256 };
            ledger.submit(Submission::new(Command::ReportUnexplained(unexplained))).await?;
            new += 1;
        }
    }
    let stock = Stock { at: ledger.now(), unexplained, silent };
    ledger.note_vitals(|vitals| vitals.stocked = Some(stock));
    Ok(new)
}

/// The labels of every key that the ledger, or the intents before it, speak of.
async fn explained(store: &Store, ledger: &Ledger) -> Result<BTreeSet<String>, EngineError> {
    let mut labels: BTreeSet<String> =
        store.ledger_keys(ledger.id()).await?.into_iter().map(|(intent, _)| intent.label).collect();
    if let Ok(founded) = ledger.state().founded() {
        labels.extend(founded.keys().values().map(|key| key.label.clone()));
    }
    let origin: &Origin = ledger.origin();
    for event in of_kind(store, ledger, "ledger.evidence_key_set").await? {
        if let Payload::LedgerEvidenceKeySet(set) = event.payload {
            labels.insert(device_label(origin, set.key));
        }
    }
    Ok(labels)
}

async fn reported(store: &Store, ledger: &Ledger) -> Result<BTreeSet<(BackendName, Hash)>, EngineError> {
    let events = of_kind(store, ledger, "custody.unexplained").await?;
    Ok(events
        .into_iter()
        .filter_map(|event| match event.payload {
            Payload::CustodyUnexplained(p) => Some((p.backend.clone(), p.object_sha256)),
            _ => None,
        })
        .collect())
}

async fn of_kind(store: &Store, ledger: &Ledger, kind: &str) -> Result<Vec<Event>, EngineError> {
    let filter = EventFilter { kinds: vec![kind.to_owned()], ..EventFilter::default() };
    let (mut events, mut from) = (Vec::new(), Some(0));
    while let Some(at) = from {
        let page = store.filtered_page(ledger.id(), &filter, at, MAX_PAGE).await?;
        for stored in page.events {
            let event = Envelope::parse(&stored.bytes).ok().and_then(|e| Event::from_envelope(e).ok());
            events.push(event.ok_or_else(|| EngineError::Corrupt("a stored event can't be read".into()))?);
        }
        from = page.next;
    }
    Ok(events)
}
