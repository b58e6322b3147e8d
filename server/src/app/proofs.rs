//! What leaves the house: receipts, bundles, and answers about the past.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use sealbook_ledger::blast_radius::Extent;
use sealbook_ledger::event::Event;
use sealbook_ledger::ids::Seq;
use sealbook_ledger::receipt::Receipt;
use sealbook_ledger::sample::Seed;
use sealbook_ledger::timestamp::Timestamp;

use super::App;
use crate::auditing::{AsAt, Sample};
use crate::blast_radius::{self, Form, Scope as KeyScope};
use crate::exporting::{self, ExportStream, Scope};
use crate::ledger::{EngineError, Ledger};
use crate::proving::{self, Continuation, Together};
use crate::views::Names;
use crate::views::blast_radius::Tally;

impl App {
    /// A receipt for one event, once a checkpoint covers it.
    pub async fn receipt(&self, ledger: &Ledger, seq: u64, wait: Duration) -> Result<Receipt, EngineError> {
        proving::receipt(&self.0.store, ledger, seq, wait).await
    }

    /// The receipts of several events under one checkpoint; see [`proving::together`].
    pub async fn receipts(
        &self,
        ledger: &Ledger,
        seqs: &BTreeSet<Seq>,
        wait: Duration,
    ) -> Result<Together, EngineError> {
        proving::together(&self.0.store, ledger, seqs, wait).await
    }

    /// The newest checkpoint as the continuation of an earlier size; see [`proving::continuation`].
    pub async fn continuation(
        &self,
        ledger: &Ledger,
        old: u64,
        wait: Duration,
    ) -> Result<Continuation, EngineError> {
        proving::continuation(ledger, old, wait).await
    }

    /// The successions of the ledger key; see [`proving::transitions`].
    pub async fn transitions(&self, ledger: &Ledger) -> Result<Vec<Receipt>, EngineError> {
        proving::transitions(&self.0.store, ledger).await
    }

    /// Streams a ledger's bundle; waits so long for a checkpoint over everything that is there now.
    pub async fn export(&self, ledger: Arc<Ledger>, wait: Duration) -> Result<ExportStream, EngineError> {
        // On the main runtime, where the connections live.
        let store = Arc::clone(&self.0.store);
        self.apart(exporting::export(store, ledger, wait)).await
    }

    /// Streams a selection of a ledger's events, each with its receipt.
    pub async fn export_selection(
        &self,
        ledger: Arc<Ledger>,
        scope: Scope,
        wait: Duration,
    ) -> Result<ExportStream, EngineError> {
        let store = Arc::clone(&self.0.store);
        self.apart(exporting::select(store, ledger, scope, wait)).await
    }

    /// A ledger as it was at a moment.
    pub async fn as_at(&self, ledger: Arc<Ledger>, at: Timestamp) -> Result<AsAt, EngineError> {
        let app = self.clone();
        self.apart(async move { app.0.auditing.as_at(&ledger, at).await }).await
    }

    /// The events of some types after one moment and up to another.
    pub async fn events_until(
        &self,
        ledger: Arc<Ledger>,
        kinds: &'static [&'static str],
        since: Option<Timestamp>,
        at: Timestamp,
    ) -> Result<Vec<Event>, EngineError> {
        let app = self.clone();
        self.apart(async move { app.0.auditing.events(&ledger, kinds, since, at).await }).await
    }

    /// The events of some seqs, in their order.
    pub async fn events_at(&self, ledger: Arc<Ledger>, seqs: Vec<u64>) -> Result<Vec<Event>, EngineError> {
        let app = self.clone();
        self.apart(async move { app.0.auditing.events_at(&ledger, &seqs).await }).await
    }

    /// A random sample that can be drawn again from the same seed and size.
    pub async fn sample(
        &self,
        ledger: Arc<Ledger>,
        seed: Seed,
        n: usize,
        kind: Option<String>,
        size: Option<u64>,
    ) -> Result<Sample, EngineError> {
        let app = self.clone();
        self.apart(async move { app.0.auditing.sample(&ledger, &seed, n, kind.as_deref(), size).await }).await
    }

    /// What the list of a key's signatures comes to: count, ends and digest.
    pub async fn blast_radius(&self, ledger: Arc<Ledger>, scope: KeyScope) -> Result<Extent, EngineError> {
        let app = self.clone();
        self.apart(async move {
            let work = blast_radius::extent(&app.0.store, &ledger, scope);
            app.0.auditing.within_time(blast_radius::DEADLINE, work).await
        })
        .await
    }

    /// The same with its groups.
    pub async fn blast_radius_tally(
        &self,
        ledger: Arc<Ledger>,
        scope: KeyScope,
    ) -> Result<Tally, EngineError> {
        let app = self.clone();
        self.apart(async move {
            let work = blast_radius::tally(&app.0.store, &ledger, scope);
            app.0.auditing.within_time(blast_radius::DEADLINE, work).await
        })
        .await
    }

    /// Streams the list's rows.
    pub async fn blast_radius_rows(
        &self,
        ledger: Arc<Ledger>,
        scope: KeyScope,
        form: Form,
        names: Names,
    ) -> Result<ExportStream, EngineError> {
        let store = Arc::clone(&self.0.store);
        self.apart(blast_radius::stream(store, ledger, scope, form, names)).await
    }

    /// Runs work on the main runtime, and not on the thread that serves requests.
    async fn apart<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, EngineError>> + Send + 'static,
    ) -> Result<T, EngineError> {
        let task = self.0.runtime.spawn(work);
        task.await.map_err(|error| EngineError::fault("a reading task ended", error))?
    }
}
