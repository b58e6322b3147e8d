//! Selections: single events of a ledger, each with a receipt that stands alone (LEDGER_FORMAT §8). They claim neither
//! chain nor rules, and disclose nothing of what was not selected.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use sealbook_ledger::bundle::{Attachments, BundleWriter, Disclosures};
use sealbook_ledger::checkpoint::SignedCheckpoint;
use sealbook_ledger::ids::{ActionId, SlotName};
use sealbook_ledger::timestamp::Timestamp;
use serde_json::Value;
use tokio::sync::mpsc;

use super::{
    CHUNK, Chunks, Export, ExportStream, QUEUE, SLOWEST_CHUNK, broken, corrupt, disclosure, flush, newest,
};
use crate::ledger::{EngineError, Ledger};
use crate::store::Store;
use crate::store::load::{EventFilter, MAX_PAGE};
use crate::store::rows::StoredEvent;

/// Most events of a selection: their receipts are some 100 MB. Who wants more takes the whole ledger.
const MAX_SELECTED: usize = 20_000;

/// Events that are read at once.
const AT_ONCE: usize = 200;

/// Which events. Empty fields let everything pass.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scope {
    /// Only these types.
    pub kinds: Vec<String>,
    /// Not before this time.
    pub from: Option<Timestamp>,
    /// Before this time.
    pub to: Option<Timestamp>,
    /// Only what is about this slot: the slot itself, its keys, signatures, and actions that name it.
    pub slot: Option<SlotName>,
}

impl Scope {
    /// Whether it leaves nothing out.
    pub fn is_everything(&self) -> bool {
        *self == Self::default()
    }
}

/// Chooses the events of a scope under the newest checkpoint, and starts to stream them.
pub(crate) async fn select(
    store: Arc<Store>,
    ledger: Arc<Ledger>,
    scope: Scope,
    wait: Duration,
) -> Result<ExportStream, EngineError> {
    let checkpoint = newest(&ledger, wait).await?;
    let chosen = Choosing { store: &store, ledger: &ledger, actions: BTreeMap::new() }
        .choose(&scope, checkpoint.checkpoint().size)
        .await?;
    let (sender, chunks) = mpsc::channel(QUEUE);
    let size = chosen.len() as u64;
    let selection = Selection { store, ledger, checkpoint, chosen };
    tokio::spawn(async move {
        if let Err(error) = selection.write(&sender).await {
            tracing::warn!(origin = %selection.ledger.origin(), code = error.code(), %error, "a selection was cut off");
            // As with whole ledgers: a reader without room notices by the end that is missing.
            let _ = sender.send_timeout(Err(error), SLOWEST_CHUNK).await;
        }
    });
    Ok(ExportStream { size, chunks })
}

/// Finds out which events a scope holds.
struct Choosing<'a> {
    store: &'a Store,
    ledger: &'a Ledger,
    /// The slots that actions name, as far as they were looked up.
    actions: BTreeMap<ActionId, Option<String>>,
}

impl Choosing<'_> {
    async fn choose(mut self, scope: &Scope, size: u64) -> Result<Vec<u64>, EngineError> {
        let filter = EventFilter { kinds: scope.kinds.clone(), since: scope.from, until: scope.to };
        let (mut chosen, mut place) = (Vec::new(), Some(0));
        while let Some(from) = place.filter(|from| *from < size) {
            let page = self.store.filtered_page(self.ledger.id(), &filter, from, MAX_PAGE).await?;
            for stored in page.events.iter().filter(|stored| stored.seq < size) {
                let fits = match &scope.slot {
                    Some(slot) => self.is_about(stored, slot.as_str()).await?,
                    None => true,
                };
                chosen.extend(fits.then_some(stored.seq));
            }
            if chosen.len() > MAX_SELECTED {
                return Err(EngineError::Conflict {
                    code: "export.too_large",
                    sentence: "more than 20,000 events fit; narrow the selection, or export the whole ledger",
                });
            }
            place = page.next;
        }
        if chosen.is_empty() {
            return Err(EngineError::Conflict {
                code: "export.nothing",
                sentence: "no sealed event fits; widen the selection",
            });
        }
        Ok(chosen)
    }

    /// Whether an event is about a slot. Names are looked for where the catalogue has them.
    async fn is_about(&mut self, stored: &StoredEvent, slot: &str) -> Result<bool, EngineError> {
        let event: Value =
            serde_json::from_slice(&stored.bytes).map_err(|_| corrupt("a stored event can't be read"))?;
        let data = &event["data"];
        let texts = |paths: &[&str]| -> Vec<&str> {
            paths.iter().filter_map(|path| data.pointer(path).and_then(Value::as_str)).collect()
        };
        let subject = |kind: &str| {
            data.pointer("/subject/kind").filter(|found| *found == kind)?;
            data.pointer("/subject/id")?.as_str()
        };
        let mut named = texts(&["/slot", "/document/params/slot"]);
        named.extend(subject("slot"));
        let mut keys = texts(&["/key", "/document/params/key"]);
        keys.extend(subject("key"));
        if named.contains(&slot) || keys.iter().any(|key| self.slot_of_key(key).as_deref() == Some(slot)) {
            return Ok(true);
        }
        if let Some(action) = texts(&["/action"]).first().and_then(|id| id.parse().ok()) {
            return Ok(self.slot_of_action(action).await?.as_deref() == Some(slot));
        }
        let Some(authorization) = data.get("authorization").and_then(Value::as_u64) else { return Ok(false) };
        let authorized = self.store.page(self.ledger.id(), authorization, 1).await?;
        let authorized = authorized.first().ok_or_else(|| corrupt("an authorisation is missing"))?;
        let authorized: Value =
            serde_json::from_slice(&authorized.bytes).map_err(|_| corrupt("a stored event can't be read"))?;
        Ok(authorized.pointer("/data/slot").is_some_and(|found| found == slot))
    }

    fn slot_of_key(&self, key: &str) -> Option<String> {
        let state = self.ledger.state();
        let key = state.founded().ok()?.keys().get(&key.parse().ok()?)?;
        Some(key.slot.to_string())
    }

    async fn slot_of_action(&mut self, action: ActionId) -> Result<Option<String>, EngineError> {
        if let Some(known) = self.actions.get(&action) {
            return Ok(known.clone());
        }
        let row = self.store.action(self.ledger.id(), action).await?;
        let params = row.and_then(|row| row.document.get("params").cloned()).unwrap_or_default();
        let text = |name: &str| params.get(name).and_then(Value::as_str);
        let slot = match (text("slot"), text("key")) {
            (Some(slot), _) => Some(slot.to_owned()),
            (None, Some(key)) => self.slot_of_key(key),
            (None, None) => None,
        };
        self.actions.insert(action, slot.clone());
        Ok(slot)
    }
}

/// A selection on its way out.
struct Selection {
    store: Arc<Store>,
    ledger: Arc<Ledger>,
    checkpoint: Arc<SignedCheckpoint>,
    chosen: Vec<u64>,
}

impl Selection {
    async fn write(&self, to: &Chunks) -> Result<(), EngineError> {
        let (origin, events) = (self.ledger.origin().clone(), self.chosen.len() as u64);
        let size = self.checkpoint.checkpoint().size;
        let vkeys = Export { store: Arc::clone(&self.store), ledger: self.ledger.id(), size }.vkeys().await?;
        // Disclosures are read twice: their size stands before them in the archive.
        let total = self.disclosed().await?;
        let writer =
            BundleWriter::<Vec<u8>, Disclosures>::selection(Vec::new(), origin, events, &vkeys, total);
        let mut writer = writer.map_err(broken)?;
        for seqs in self.chosen.chunks(AT_ONCE) {
            for row in self.store.disclosures_of(self.ledger.id(), seqs).await? {
                writer.disclosure(&disclosure(row)?).map_err(broken)?;
            }
            flush(writer.output(), CHUNK, to).await?;
        }
        let mut writer = writer.attachments().map_err(broken)?;
        self.attachments(&mut writer, to).await?;
        let mut writer = writer.receipts().map_err(broken)?;
        for seqs in self.chosen.chunks(AT_ONCE) {
            for stored in self.store.events_of(self.ledger.id(), seqs).await? {
                let receipt = self.ledger.prove(stored.bytes, stored.seq, &self.checkpoint)?;
                writer.receipt(&receipt).map_err(broken)?;
            }
            flush(writer.output(), CHUNK, to).await?;
        }
        let mut rest = writer.finish().map_err(broken)?;
        flush(&mut rest, 0, to).await
    }

    /// Bytes of all disclosures' lines.
    async fn disclosed(&self) -> Result<u64, EngineError> {
        let mut total = 0;
        for seqs in self.chosen.chunks(AT_ONCE) {
            for row in self.store.disclosures_of(self.ledger.id(), seqs).await? {
                let line = disclosure(row)?.to_line();
                total += line.map_err(|error| EngineError::fault("a disclosure", error))?.len() as u64 + 1;
            }
        }
        Ok(total)
    }

    async fn attachments(
        &self,
        writer: &mut BundleWriter<Vec<u8>, Attachments>,
        to: &Chunks,
    ) -> Result<(), EngineError> {
        let mut referred = Vec::new();
        for seqs in self.chosen.chunks(AT_ONCE) {
            referred.extend(self.store.attachments_of(self.ledger.id(), seqs).await?);
        }
        referred.sort_unstable();
        for (sha256, size) in referred {
            let row = self.store.attachment(self.ledger.id(), sha256).await?;
            let row = row.ok_or_else(|| corrupt("a listed attachment is missing"))?;
            writer.attachment(sha256, size, row.bytes.as_slice()).map_err(broken)?;
            flush(writer.output(), CHUNK, to).await?;
        }
        Ok(())
    }
}
