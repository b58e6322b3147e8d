//! Exports: a ledger's bundle, streamed page by page from storage (LEDGER_FORMAT §8).

mod selection;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sealbook_ledger::bundle::{BundleWriter, Disclosures, Transitions, WriteError};
use sealbook_ledger::checkpoint::SignedCheckpoint;
use sealbook_ledger::disclosure::Disclosure;
use sealbook_ledger::event::{Envelope, Event};
use sealbook_ledger::ids::Seq;
use sealbook_ledger::note::Vkey;
use sealbook_ledger::payload::Payload;
use tokio::sync::mpsc;

use crate::ledger::{EngineError, Ledger};
use crate::store::load::{EventFilter, MAX_PAGE};
use crate::store::rows::DisclosureRow;
use crate::store::{LedgerId, Store};

pub use selection::Scope;
pub(crate) use selection::select;

/// Bytes that are gathered before they are handed on.
pub(crate) const CHUNK: usize = 256 * 1024;

/// Chunks that may wait for a slow reader.
pub(crate) const QUEUE: usize = 4;

/// Longest wait for a reader to take one chunk: an export holds one of the database's few snapshots.
pub(crate) const SLOWEST_CHUNK: Duration = Duration::from_secs(60);

/// A bundle on its way: chunks in order, or the error that cut it off.
pub struct ExportStream {
    /// Events in it.
    pub size: u64,
    /// Its chunks; an archive that was cut off has no end mark and is refused by every verifier.
    pub chunks: mpsc::Receiver<Result<Bytes, EngineError>>,
}

pub(crate) type Chunks = mpsc::Sender<Result<Bytes, EngineError>>;

/// Starts an export of everything under the newest checkpoint that covers what is there now.
pub(crate) async fn export(
    store: Arc<Store>,
    ledger: Arc<Ledger>,
    wait: Duration,
) -> Result<ExportStream, EngineError> {
    let checkpoint = newest(&ledger, wait).await?;
    Ok(stream(store, ledger.id(), checkpoint))
}

/// A checkpoint over what is there now, if it comes in time; else the newest.
async fn newest(ledger: &Ledger, wait: Duration) -> Result<Arc<SignedCheckpoint>, EngineError> {
    let checkpoint = ledger.wait_sealed(ledger.size(), wait).await.or_else(|| ledger.seal().checkpoint);
    checkpoint
        .ok_or_else(|| EngineError::unavailable("seal.pending", "nothing is sealed yet; ask again shortly"))
}

/// Streams everything under a checkpoint.
pub(crate) fn stream(store: Arc<Store>, ledger: LedgerId, checkpoint: Arc<SignedCheckpoint>) -> ExportStream {
    let size = checkpoint.checkpoint().size;
    let (sender, chunks) = mpsc::channel(QUEUE);
    tokio::spawn(async move {
        let export = Export { store, ledger, size };
        if let Err(error) = export.write(&checkpoint, &sender).await {
            tracing::warn!(origin = %checkpoint.checkpoint().origin, code = error.code(), %error, "an export was cut off");
            // The reader may be gone, which is why exports are cut off; one without room is cut off by the end alone.
            let _ = sender.send_timeout(Err(error), SLOWEST_CHUNK).await;
        }
    });
    ExportStream { size, chunks }
}

struct Export {
    store: Arc<Store>,
    ledger: LedgerId,
    size: u64,
}

impl Export {
    async fn write(&self, checkpoint: &SignedCheckpoint, to: &Chunks) -> Result<(), EngineError> {
        let vkeys = self.vkeys().await?;
        let mut writer =
            BundleWriter::<Vec<u8>, Transitions>::ledger(Vec::new(), &vkeys, checkpoint).map_err(broken)?;
        for row in self.store.transitions(self.ledger).await? {
            if row.size <= self.size {
                let transition = SignedCheckpoint::parse(row.note.as_bytes());
                let transition =
                    transition.map_err(|_| corrupt("a stored transition checkpoint can't be read"))?;
                writer.transition(&transition).map_err(broken)?;
            }
        }
        let writer = self.disclosures(writer, to).await?;
        let mut writer = writer.attachments().map_err(broken)?;
        let mut after = None;
        loop {
            let page = self.store.attachment_list(self.ledger, self.size, after, MAX_PAGE).await?;
            let Some((last, _)) = page.last() else { break };
            after = Some(*last);
            for (sha256, size) in page {
                let row = self.store.attachment(self.ledger, sha256).await?;
                let row = row.ok_or_else(|| corrupt("a listed attachment is missing"))?;
                writer.attachment(sha256, size, row.bytes.as_slice()).map_err(broken)?;
                flush(writer.output(), CHUNK, to).await?;
            }
        }
        let last = self.store.page(self.ledger, self.size.saturating_sub(1), 1).await?;
        let total = last.first().map_or(0, |event| event.end_offset);
        let mut writer = writer.events(total).map_err(broken)?;
        let mut events = self.store.export(self.ledger, self.size).await?;
        while let Some(stored) = events.next().await? {
            writer.event(&stored.bytes).map_err(broken)?;
            flush(writer.output(), CHUNK, to).await?;
        }
        let mut rest = writer.finish().map_err(broken)?;
        flush(&mut rest, 0, to).await
    }

    /// Disclosures are read twice: their size stands before them in the archive.
    async fn disclosures(
        &self,
        writer: BundleWriter<Vec<u8>, Transitions>,
        to: &Chunks,
    ) -> Result<BundleWriter<Vec<u8>, Disclosures>, EngineError> {
        let mut total = 0;
        let mut place = None;
        while let Some(page) = self.disclosure_page(&mut place).await? {
            for disclosure in page {
                total +=
                    disclosure.to_line().map_err(|error| EngineError::fault("a disclosure", error))?.len()
                        as u64
                        + 1;
            }
        }
        let mut writer = writer.disclosures(total).map_err(broken)?;
        let mut place = None;
        while let Some(page) = self.disclosure_page(&mut place).await? {
            for disclosure in page {
                writer.disclosure(&disclosure).map_err(broken)?;
            }
            flush(writer.output(), CHUNK, to).await?;
        }
        Ok(writer)
    }

    async fn disclosure_page(
        &self,
        place: &mut Option<(u64, String)>,
    ) -> Result<Option<Vec<Disclosure>>, EngineError> {
        let after = place.as_ref().map(|(seq, name)| (*seq, name.as_str()));
        let rows = self.store.disclosures(self.ledger, self.size, after, MAX_PAGE).await?;
        let Some(last) = rows.last() else { return Ok(None) };
        *place = Some((last.seq, last.name.clone()));
        rows.into_iter().map(disclosure).collect::<Result<Vec<_>, _>>().map(Some)
    }

    /// The ledger keys in the order of their events; for reading only.
    async fn vkeys(&self) -> Result<Vec<Vkey>, EngineError> {
        let kinds =
            ["ledger.opened", "ledger.key_rotated", "ledger.key_recovered"].map(str::to_owned).to_vec();
        let filter = EventFilter { kinds, ..EventFilter::default() };
        let (mut vkeys, mut from) = (Vec::new(), Some(0));
        while let Some(at) = from.filter(|at| *at < self.size) {
            let page = self.store.filtered_page(self.ledger, &filter, at, MAX_PAGE).await?;
            for stored in page.events.iter().filter(|stored| stored.seq < self.size) {
                let event = Envelope::parse(&stored.bytes).ok().and_then(|e| Event::from_envelope(e).ok());
                match event.map(|event| event.payload) {
                    Some(Payload::LedgerOpened(p)) => vkeys.push(p.vkey),
                    Some(Payload::LedgerKeyRotated(p)) => vkeys.push(p.vkey),
                    Some(Payload::LedgerKeyRecovered(p)) => vkeys.push(p.vkey),
                    Some(_) | None => return Err(corrupt("a stored event is not what its row says")),
                }
            }
            from = page.next;
        }
        Ok(vkeys)
    }
}

fn disclosure(row: DisclosureRow) -> Result<Disclosure, EngineError> {
    let seq = Seq::new(row.seq).ok_or_else(|| corrupt("a disclosure beyond the ledger"))?;
    Ok(Disclosure::new(seq, row.name, row.value, row.salt))
}

/// Hands on what has gathered; an error when nobody reads any more.
pub(crate) async fn flush(buffer: &mut Vec<u8>, above: usize, to: &Chunks) -> Result<(), EngineError> {
    if buffer.len() <= above {
        return Ok(());
    }
    let chunk = Bytes::from(std::mem::take(buffer));
    let gone =
        || EngineError::unavailable("export.abandoned", "the reader of the export has gone, or is too slow");
    to.send_timeout(Ok(chunk), SLOWEST_CHUNK).await.map_err(|_| gone())
}

fn broken(error: WriteError) -> EngineError {
    EngineError::fault("a bundle can't be written", error)
}

fn corrupt(why: &str) -> EngineError {
    EngineError::Corrupt(why.into())
}
