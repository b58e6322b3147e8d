//! The list's rows, one by one, with what is disclosed about them: as a table, or as JSON lines, with receipts where they
//! are asked for. Memory stays constant, and a reader who is slow or gone ends it.

use std::collections::BTreeMap;
use std::sync::Arc;

use sealbook_ledger::blast_radius::Affected;
use sealbook_ledger::checkpoint::SignedCheckpoint;
use tokio::sync::{mpsc, oneshot};

use super::{Named, Scope, unwritable};
use crate::auditing::off_the_workers;
use crate::exporting::{CHUNK, Chunks, ExportStream, QUEUE, SLOWEST_CHUNK, flush};
use crate::ledger::{EngineError, Ledger};
use crate::store::Store;
use crate::store::rows::StoredEvent;
use crate::views::Names;
use crate::views::blast_radius::{Told, json_lines, table, table_head};

/// Rows whose receipts are made in one go: some 4 KB each.
const PROVEN_AT_ONCE: usize = 100;

/// How rows are written.
#[derive(Debug, Clone)]
pub enum Form {
    /// RFC 4180.
    Csv,
    /// An object a line.
    JsonLines,
    /// The same, each with the receipts of its events under a checkpoint that covers the list.
    Proven(Arc<SignedCheckpoint>),
}

/// Starts to stream a list's rows; the size is the ledger's that they stand for.
pub(crate) async fn stream(
    store: Arc<Store>,
    ledger: Arc<Ledger>,
    scope: Scope,
    form: Form,
    names: Names,
) -> Result<ExportStream, EngineError> {
    let (sender, chunks) = mpsc::channel(QUEUE);
    let (begun, has_begun) = oneshot::channel();
    tokio::spawn(async move {
        let reading = match Named::begin(&store, &ledger, scope, true).await {
            Ok(reading) => reading,
            // Whoever asked is told so, or is gone.
            Err(error) => return drop(begun.send(Err(error))),
        };
        if begun.send(Ok(())).is_err() {
            return;
        }
        let rows = Rows { store: &store, ledger: &ledger, form, names: Arc::new(names) };
        if let Err(error) = rows.write(reading, &sender).await {
            tracing::warn!(origin = %ledger.origin(), code = error.code(), %error, "a blast radius was cut off");
            // As with exports: a reader without room notices by the end that is missing.
            let _ = sender.send_timeout(Err(error), SLOWEST_CHUNK).await;
        }
    });
    let ended = |error| EngineError::fault("a reading task ended", error);
    has_begun.await.map_err(ended)??;
    Ok(ExportStream { size: scope.size, chunks })
}

struct Rows<'a> {
    store: &'a Store,
    ledger: &'a Ledger,
    form: Form,
    names: Arc<Names>,
}

impl Rows<'_> {
    async fn write(&self, mut reading: Named<'_>, to: &Chunks) -> Result<(), EngineError> {
        let mut out = match self.form {
            Form::Csv => table_head().into_bytes(),
            Form::JsonLines | Form::Proven(_) => Vec::new(),
        };
        let mut page = reading.next().await?;
        while let Some(rows) = page {
            ((), page) = tokio::try_join!(self.page(rows, &mut out, to), reading.next())?;
        }
        flush(&mut out, 0, to).await
    }

    async fn page(
        &self,
        rows: Vec<(Affected, Told)>,
        out: &mut Vec<u8>,
        to: &Chunks,
    ) -> Result<(), EngineError> {
        let Form::Proven(checkpoint) = &self.form else {
            let names = Arc::clone(&self.names);
            let is_table = matches!(self.form, Form::Csv);
            let written = off_the_workers(move || match is_table {
                true => Ok(table(&rows, &names).into_bytes()),
                false => json_lines(&rows, &names, &BTreeMap::new()),
            });
            out.extend(written.await?.map_err(unwritable)?);
            return flush(out, CHUNK, to).await;
        };
        for rows in rows.chunks(PROVEN_AT_ONCE) {
            let receipts = self.receipts(rows, checkpoint).await?;
            let (rows, names) = (rows.to_vec(), Arc::clone(&self.names));
            let written = off_the_workers(move || json_lines(&rows, &names, &receipts));
            out.extend(written.await?.map_err(unwritable)?);
            flush(out, CHUNK, to).await?;
        }
        Ok(())
    }

    /// The receipts of some rows' events, by seq.
    async fn receipts(
        &self,
        rows: &[(Affected, Told)],
        checkpoint: &SignedCheckpoint,
    ) -> Result<BTreeMap<u64, String>, EngineError> {
        let seqs =
            rows.iter().flat_map(|(row, _)| [Some(row.authorization), row.ended.map(|ended| ended.seq)]);
        let seqs: Vec<u64> = seqs.flatten().map(|seq| seq.get()).collect();
        let receipt = |StoredEvent { seq, bytes, .. }| {
            Ok((seq, self.ledger.prove(bytes, seq, checkpoint)?.to_string()))
        };
        self.store.events_of(self.ledger.id(), &seqs).await?.into_iter().map(receipt).collect()
    }
}
