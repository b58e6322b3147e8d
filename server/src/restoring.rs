//! Backups, and the way back: a lost tail is put back byte for byte from a bundle, or not at all.

use std::fs::File;
use std::io::{BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sealbook_ledger::bundle::{BundleError, Item, Reader};
use sealbook_ledger::checkpoint::SignedCheckpoint;
use sealbook_ledger::event::{Envelope, Event};
use sealbook_ledger::ids::{BackendName, KeyId, Origin, TenantName};
use sealbook_ledger::merkle::{Frontier, leaf_hash};
use sealbook_ledger::note::Vkey;
use sealbook_ledger::pack::MAX_PACK;
use sealbook_ledger::verify::{Failure, Pins, Verdict, verify_bundle};
use serde::{Deserialize, Serialize};

use crate::clock;
use crate::exporting;
use crate::ledger::EngineError;
use crate::store::checkpoints::CheckpointRow;
use crate::store::ledgers::{KeyIntentRow, KeyMadeRow, LedgerRow};
use crate::store::restore::Tail;
use crate::store::rows::{AttachmentRow, DisclosureRow, EventRow};
use crate::store::{Head, LedgerId, Store, StoreError};

/// Events that are put back in one transaction.
const CHUNK: usize = 1000;

/// Why a backup or a restore did not happen. Nothing was changed, but for whole chunks of a tail that did fit.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// A file can't be made or read.
    #[error("{} can't be made or read", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The bundle does not verify.
    #[error("the bundle does not verify, so nothing is restored from it: {0}")]
    Invalid(String),
    /// The bundle can't be read.
    #[error("the bundle can't be read")]
    Bundle(#[from] BundleError),
    /// The bundle is of another history.
    #[error(
        "event {0} in the database differs from the bundle's: this is another history, and nothing is overwritten"
    )]
    Differs(u64),
    /// The keys file is none.
    #[error("the keys file can't be read")]
    Keys(#[source] serde_json::Error),
    /// The database did not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The server did not do it.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// Where ledger keys are in their devices: what a bundle does not say. Holds no secret.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyPlaces {
    origin: Origin,
    tenant: TenantName,
    keys: Vec<KeyPlace>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyPlace {
    key: KeyId,
    label: String,
    backend: BackendName,
    vkey: Option<String>,
}

/// What was written for one tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackedUp {
    /// The bundle.
    pub bundle: PathBuf,
    /// Where its ledger keys are.
    pub keys: PathBuf,
    /// Events in it.
    pub events: u64,
}

/// Writes a tenant's bundle and the places of its ledger keys into a folder.
pub async fn back_up(
    store: &Arc<Store>,
    row: &LedgerRow,
    folder: &Path,
) -> Result<Option<BackedUp>, RestoreError> {
    let Some(checkpoint) = store.latest_checkpoint(row.ledger).await? else { return Ok(None) };
    let checkpoint = SignedCheckpoint::parse(checkpoint.note.as_bytes())
        .map_err(|_| EngineError::Corrupt("a stored checkpoint can't be read".into()))?;
    let mut stream = exporting::stream(Arc::clone(store), row.ledger, Arc::new(checkpoint));
    let bundle = folder.join(format!("{}.tar", row.tenant));
    let partial = folder.join(format!("{}.tar.partial", row.tenant));
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| RestoreError::File { path, source }
    };
    let mut file = File::create(&partial).map_err(failed(&partial))?;
    while let Some(chunk) = stream.chunks.recv().await {
        file.write_all(&chunk?).map_err(failed(&partial))?;
    }
    file.sync_all().map_err(failed(&partial))?;
    std::fs::rename(&partial, &bundle).map_err(failed(&bundle))?;
    let keys = store.ledger_keys(row.ledger).await?;
    let keys = keys.into_iter().map(|(intent, made)| KeyPlace {
        key: intent.key,
        label: intent.label,
        backend: intent.backend,
        vkey: made.map(|made| made.vkey),
    });
    let places = KeyPlaces { origin: row.origin.clone(), tenant: row.tenant.clone(), keys: keys.collect() };
    let text = serde_json::to_vec_pretty(&places).map_err(RestoreError::Keys)?;
    let path = folder.join(format!("{}.keys.json", row.tenant));
    std::fs::write(&path, text).map_err(failed(&path))?;
    Ok(Some(BackedUp { bundle, keys: path, events: stream.size }))
}

/// What a restore did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// The ledger.
    pub origin: Origin,
    /// Events that were there.
    pub had: u64,
    /// Events that are there now.
    pub has: u64,
}

/// Puts back what the database lost of a bundle's ledger. The bundle has to verify under `vkeys`; what the database still
/// has must be the bundle's, byte for byte.
pub async fn restore(
    store: &Store,
    bundle: &Path,
    keys: Option<&Path>,
    vkeys: Vec<Vkey>,
) -> Result<Restored, RestoreError> {
    let origin = verified_origin(bundle, vkeys)?;
    let row = ledger_row(store, &origin).await?;
    if let Some(path) = keys {
        restore_keys(store, row.ledger, path).await?;
    }
    let head = store.head(row.ledger).await?.ok_or(StoreError::corruption("a ledger without a head"))?;
    let mut restorer = Restorer {
        store,
        ledger: row.ledger,
        head,
        tip: Head::empty(row.ledger),
        frontier: Frontier::new(),
        tail: Chunk::default(),
    };
    let had = restorer.head.size;
    let mut checkpoints = Vec::new();
    let failed = |source| RestoreError::File { path: bundle.to_owned(), source };
    let file = BufReader::new(File::open(bundle).map_err(failed)?);
    let mut reader = Reader::new(file).keeping(MAX_PACK);
    while let Some(item) = reader.next_item()? {
        match owned(item, row.ledger)? {
            Some(Owned::Checkpoint(note, transition)) => checkpoints.push((note, transition)),
            Some(Owned::Disclosure(row)) => restorer.tail.disclosures.push(row),
            Some(Owned::Attachment(row)) => restorer.tail.attachments.push(row),
            Some(Owned::Event(bytes)) => restorer.event(bytes).await?,
            None => {}
        }
    }
    restorer.flush().await?;
    for (note, transition) in checkpoints {
        let row = CheckpointRow { size: note.checkpoint().size, note: note.to_string(), transition };
        match store.insert_checkpoint(restorer.ledger, &row).await {
            Ok(()) | Err(StoreError::Conflict { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Restored { origin, had, has: restorer.tip.size.max(had) })
}

fn verified_origin(bundle: &Path, vkeys: Vec<Vkey>) -> Result<Origin, RestoreError> {
    let pins = Pins { vkeys, ..Pins::default() };
    let failed = |source| RestoreError::File { path: bundle.to_owned(), source };
    let file = File::open(bundle).map_err(failed)?;
    let report = verify_bundle(BufReader::new(file), &pins).map_err(failed)?;
    let why = report.failure().map(Failure::to_string);
    match (report.verdict(), report.origin()) {
        (Verdict::Valid, Some(origin)) => Ok(origin.clone()),
        _ => Err(RestoreError::Invalid(why.unwrap_or_else(|| "it can't be judged".to_owned()))),
    }
}

async fn ledger_row(store: &Store, origin: &Origin) -> Result<LedgerRow, RestoreError> {
    if let Some(row) = store.ledgers().await?.into_iter().find(|row| row.origin == *origin) {
        return Ok(row);
    }
    let tenant = origin.as_str().rsplit('/').next().and_then(|name| name.parse().ok());
    let tenant = tenant.ok_or_else(|| RestoreError::Invalid("its origin names no tenant".to_owned()))?;
    let ledger = LedgerId::from_random(rand::random());
    let row = LedgerRow { ledger, origin: origin.clone(), tenant, opened_at: clock::now() };
    store.create_ledger(&row).await?;
    Ok(row)
}

async fn restore_keys(store: &Store, ledger: LedgerId, path: &Path) -> Result<(), RestoreError> {
    let mut text = String::new();
    let failed = |source| RestoreError::File { path: path.to_owned(), source };
    File::open(path).and_then(|file| file.take(1 << 20).read_to_string(&mut text)).map_err(failed)?;
    let places: KeyPlaces = serde_json::from_str(&text).map_err(RestoreError::Keys)?;
    for place in places.keys {
        let (key, now) = (place.key, clock::now());
        let intent =
            KeyIntentRow { ledger, key, label: place.label, backend: place.backend, intended_at: now };
        allow_known(store.insert_key_intent(&intent).await)?;
        if let Some(vkey) = place.vkey {
            allow_known(store.insert_key_made(&KeyMadeRow { ledger, key, vkey, made_at: now }).await)?;
        }
    }
    Ok(())
}

fn allow_known(result: Result<(), StoreError>) -> Result<(), StoreError> {
    match result {
        Ok(()) | Err(StoreError::Conflict { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}

enum Owned {
    Checkpoint(SignedCheckpoint, bool),
    Disclosure(DisclosureRow),
    Attachment(AttachmentRow),
    Event(Vec<u8>),
}

/// An item as rows need it; `None` for what no row holds.
fn owned(item: Item<'_>, ledger: LedgerId) -> Result<Option<Owned>, RestoreError> {
    Ok(Some(match item {
        Item::Checkpoint(note) => Owned::Checkpoint(note, false),
        Item::Transition(note) => Owned::Checkpoint(note, true),
        Item::Disclosure(disclosure) => Owned::Disclosure(DisclosureRow {
            ledger,
            seq: disclosure.seq().get(),
            name: disclosure.name().to_owned(),
            salt: disclosure.salt(),
            value: disclosure.value().to_owned(),
        }),
        Item::Attachment { sha256, bytes } => Owned::Attachment(AttachmentRow {
            ledger,
            sha256,
            seq: 0,
            media_type: "application/octet-stream".to_owned(),
            bytes: bytes.ok_or_else(|| {
                RestoreError::Invalid(format!(
                    "the attachment {sha256} is longer than any that this version writes"
                ))
            })?,
        }),
        Item::Event(bytes) => Owned::Event(bytes.to_vec()),
        Item::Receipt(_) => return Ok(None),
    }))
}

#[derive(Default)]
struct Chunk {
    events: Vec<EventRow>,
    disclosures: Vec<DisclosureRow>,
    attachments: Vec<AttachmentRow>,
}

struct Restorer<'a> {
    store: &'a Store,
    ledger: LedgerId,
    /// Where the database ends.
    head: Head,
    /// Where the bundle has been read to.
    tip: Head,
    frontier: Frontier,
    tail: Chunk,
}

impl Restorer<'_> {
    async fn event(&mut self, bytes: Vec<u8>) -> Result<(), RestoreError> {
        let seq = self.tip.size;
        let hash = Event::hash(&bytes);
        self.frontier.append(leaf_hash(&bytes));
        self.tip = Head {
            ledger: self.ledger,
            size: seq + 1,
            hash,
            root: self.frontier.root(),
            end_offset: self.tip.end_offset + bytes.len() as u64 + 1,
        };
        if seq < self.head.size {
            let there = self.store.page(self.ledger, seq, 1).await?;
            let same = there.first().is_some_and(|stored| stored.bytes == bytes && stored.hash == hash);
            return if same { Ok(()) } else { Err(RestoreError::Differs(seq)) };
        }
        let unreadable = || RestoreError::Invalid(format!("event {seq} can't be read"));
        let envelope = Envelope::parse(&bytes).map_err(|_| unreadable())?;
        self.tail.events.push(EventRow {
            ledger: self.ledger,
            seq,
            hash,
            end_offset: self.tip.end_offset,
            time: envelope.time,
            kind: envelope.type_name,
            bytes,
        });
        if self.tail.events.len() >= CHUNK { self.flush().await } else { Ok(()) }
    }

    async fn flush(&mut self) -> Result<(), RestoreError> {
        let events = std::mem::take(&mut self.tail.events);
        let Some(last) = events.last().map(|event| event.seq) else { return Ok(()) };
        let first = self.head.size;
        // What belongs to events that the database still has is there already.
        self.tail.disclosures.retain(|row| row.seq >= first);
        let here = |row: &DisclosureRow| row.seq <= last;
        let (disclosures, later) = std::mem::take(&mut self.tail.disclosures).into_iter().partition(here);
        self.tail.disclosures = later;
        let attachments = std::mem::take(&mut self.tail.attachments);
        let tail = Tail { expected: self.head, new: self.tip, events, disclosures, attachments };
        self.store.restore_tail(tail).await?;
        self.head = self.tip;
        Ok(())
    }
}
