//! Sealing: the ledger's first auditor. It reads new rows back from storage, runs the verifier that auditors run,
//! compares with the head, has the device sign the checkpoint, and stores it. It knows nothing of commands.
//!
//! What fails is quarantined: never sealed, loudly alarmed, and the ledger is frozen.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use sealbook_ledger::checkpoint::{Checkpoint, SignedCheckpoint};
use sealbook_ledger::encoding::Hash;
use sealbook_ledger::note::Vkey;
use sealbook_ledger::verify::{Read, Verifier};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::devices::Devices;
use crate::high_water::Mark;
use crate::ledger::{EngineError, Ledger};
use crate::snapshots::{Aside, SnapshotFile};
use crate::store::checkpoints::CheckpointRow;
use crate::store::load::MAX_PAGE;
use crate::store::rows::StoredEvent;
use crate::store::{Store, StoreError};

/// Shortest time between two checkpoints of a ledger, unless a release waits for one.
const PAUSE: Duration = Duration::from_millis(200);

/// How long a sealer waits after a failure before it tries again.
const RETRY: Duration = Duration::from_millis(500);

/// How often a sealer without work looks whether there is some.
const LOOK: Duration = Duration::from_secs(2);

/// Rows that are verified before others get their turn on the thread: some hundred microseconds.
const ROWS_AT_A_TIME: usize = 50;

/// How long another server's sealer is left alone before the lease is asked for again.
const TURN: Duration = Duration::from_millis(50);

pub(crate) struct Sealer {
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) store: Arc<Store>,
    pub(crate) devices: Devices,
    /// Has seen exactly what is sealed, or is about to be.
    pub(crate) verifier: Verifier,
    /// Bytes of what the verifier has seen, as an export counts them.
    pub(crate) end_offset: u64,
    /// Who has to sign at the verifier's size; kept until they have, for a change of keys is read only once.
    pub(crate) unsigned: Option<Signers>,
    pub(crate) keeping: Keeping,
}

/// What is put aside of what is sealed.
pub(crate) struct Keeping {
    pub(crate) file: SnapshotFile,
    /// Events after which the state is put aside again.
    pub(crate) every: u64,
    /// Events below the newest snapshot.
    pub(crate) kept: u64,
    /// Events when it was last tried.
    pub(crate) tried: u64,
    /// The one that is being written, and of how many events.
    pub(crate) writing: Option<(u64, JoinHandle<std::io::Result<()>>)>,
}

impl Sealer {
    /// The type of the event after which two keys sign.
    const ROTATED: &str = "ledger.key_rotated";

    /// Seals whenever there is something new, until `stop` says so.
    pub(crate) async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let mut size = self.ledger.watch_size();
        self.put_aside().await;
        loop {
            let began = Instant::now();
            if self.ledger.frozen().is_none() && *size.borrow_and_update() > self.ledger.sealed_size() {
                let sealed = self.seal().await;
                self.ledger.note_sealing(sealed.as_ref().err().map(ToString::to_string));
                if let Err(error) = sealed {
                    tracing::warn!(origin = %self.ledger.origin(), code = error.code(), error = &error as &dyn std::error::Error, "sealing failed");
                    tokio::select! {
                        () = tokio::time::sleep(RETRY) => {}
                        _ = stop.changed() => return,
                    }
                    continue;
                }
                self.put_aside().await;
                if *stop.borrow() {
                    return;
                }
                while began.elapsed() < PAUSE && !self.ledger.seal_is_wanted() {
                    tokio::select! {
                        () = tokio::time::sleep_until(began + PAUSE) => {}
                        _ = size.changed() => {}
                    }
                }
                continue;
            }
            tokio::select! {
                _ = size.changed() => {}
                () = tokio::time::sleep(LOOK) => {}
                changed = stop.changed() => {
                    // What is committed is sealed before the server ends, if the device lets it.
                    let done = self.ledger.size() <= self.ledger.sealed_size();
                    if changed.is_err() || done || self.ledger.frozen().is_some() {
                        return;
                    }
                }
            }
        }
    }

    async fn seal(&mut self) -> Result<(), EngineError> {
        let Some(lease) = self.store.lease_sealing(self.ledger.id()).await? else {
            self.adopt_newest().await?;
            // Also where somebody waits for a seal: the lease is not asked for in a tight loop.
            tokio::time::sleep(TURN).await;
            return Ok(());
        };
        let sealed = self.seal_new_rows().await;
        lease.release().await?;
        sealed
    }

    /// Another server seals this ledger: its checkpoints are ours, once our own reading agrees.
    async fn adopt_newest(&mut self) -> Result<(), EngineError> {
        let Some(row) = self.store.latest_checkpoint(self.ledger.id()).await? else { return Ok(()) };
        if row.size < self.verifier.size() || row.size <= self.ledger.sealed_size() {
            return Ok(());
        }
        let store = Arc::clone(&self.store);
        let _turn = store.turn().await?;
        // Reading stops at every change of keys; the other server has sealed those sizes too.
        while self.verifier.size() < row.size {
            self.unsigned = Some(self.read_to(row.size).await?);
        }
        let signer = self.verifier.state().ledger_key().map(|key| key.vkey.clone());
        let agrees = |known: &SignedCheckpoint| {
            known.checkpoint().root == self.verifier.root()
                && signer.as_ref().is_some_and(|signer| known.verify(signer).is_ok())
        };
        match SignedCheckpoint::parse(row.note.as_bytes()) {
            Ok(known) if agrees(&known) => {
                self.unsigned = None;
                self.ledger.publish_seal(known);
                self.ledger.note_vitals(|vitals| vitals.sealed_at = Some(self.ledger.now()));
                Ok(())
            }
            Ok(_) | Err(_) => {
                let size = row.size;
                Err(self
                    .quarantine(&format!("another server's checkpoint at {size} disagrees with the events")))
            }
        }
    }

    async fn seal_new_rows(&mut self) -> Result<(), EngineError> {
        let target = self.ledger.size();
        loop {
            // An earlier attempt may have read rows and not had them signed. A change of keys is made up for before
            // anything else; any other size may be passed over for a larger one.
            let signers = match self.unsigned.take() {
                Some(signers) if signers.old.is_some() || self.verifier.size() >= target => signers,
                Some(_) | None if self.verifier.size() < target => self.read_to(target).await?,
                Some(_) | None => return Ok(()),
            };
            let sealed = self.seal_here(&signers).await;
            if sealed.is_err() {
                self.unsigned = Some(signers);
                return sealed;
            }
        }
    }

    /// Reads and verifies rows up to `target`, or to the first change of the ledger key: that size is sealed by itself.
    async fn read_to(&mut self, target: u64) -> Result<Signers, EngineError> {
        loop {
            let wanted = usize::try_from(target - self.verifier.size()).unwrap_or(MAX_PAGE).min(MAX_PAGE);
            let page = self.store.page(self.ledger.id(), self.verifier.size(), wanted).await?;
            if page.is_empty() {
                let gone = self.verifier.size();
                return Err(self.quarantine(&format!("the committed event {gone} is missing from storage")));
            }
            for rows in page.chunks(ROWS_AT_A_TIME) {
                let mut leaves = Vec::with_capacity(rows.len());
                let read = self.read_rows(rows, target, &mut leaves);
                self.ledger.tree.write().unwrap_or_else(PoisonError::into_inner).extend(leaves);
                if let Some(signers) = read? {
                    return Ok(signers);
                }
                tokio::task::yield_now().await;
            }
        }
    }

    /// Verifies rows; says who has to sign where they reach `target` or a change of the ledger key, at which it stops. The
    /// leaves of what holds are added to `leaves`, also where something later does not.
    fn read_rows(
        &mut self,
        rows: &[StoredEvent],
        target: u64,
        leaves: &mut Vec<Hash>,
    ) -> Result<Option<Signers>, EngineError> {
        for stored in rows {
            let before = self.verifier.state().ledger_key().map(|key| key.since);
            let old = match before {
                Some(_) if stored.kind == Self::ROTATED => Some(self.vkey()?),
                Some(_) | None => None,
            };
            let read = Read::from_bytes(&stored.bytes);
            let leaf = read.leaf();
            if let Err(failure) = self.verifier.push_read(read) {
                return Err(self.quarantine(&failure.to_string()));
            }
            self.end_offset += stored.bytes.len() as u64 + 1;
            if stored.hash != self.verifier.state().head() {
                return Err(
                    self.quarantine(&format!("the row of event {} disagrees with its bytes", stored.seq))
                );
            }
            leaves.push(leaf);
            let since = self.verifier.state().ledger_key().map(|key| key.since);
            // A key that is recovered from its loss can't sign: the recovered one seals alone.
            if before.is_some() && before != since {
                return Ok(Some(Signers { old, new: self.vkey()? }));
            }
            if self.verifier.size() == target {
                return Ok(Some(Signers { old: None, new: self.vkey()? }));
            }
        }
        Ok(None)
    }

    /// The ledger key in force after what has been read.
    fn vkey(&self) -> Result<Vkey, EngineError> {
        let key = self.verifier.state().ledger_key().map(|key| key.vkey.clone());
        key.ok_or_else(|| self.quarantine("a ledger without a key"))
    }

    async fn seal_here(&self, signers: &Signers) -> Result<(), EngineError> {
        let (size, root) = (self.verifier.size(), self.verifier.root());
        let head = self.store.head(self.ledger.id()).await?;
        let head = head.ok_or_else(|| EngineError::Corrupt("the ledger has no head".into()))?;
        let differs = head.size == size && (head.root != root || head.hash != self.verifier.state().head());
        if head.size < size || differs {
            return Err(
                self.quarantine(&format!("the head differs from the {size} events that were read back"))
            );
        }
        self.note_high_water(Mark { size, hash: root }).await?;
        let checkpoint = Checkpoint { origin: self.ledger.origin().clone(), size, root };
        let mut signatures = Vec::with_capacity(2);
        for vkey in signers.old.iter().chain([&signers.new]) {
            let signature =
                self.devices.sign_checkpoint(&self.store, &self.ledger, vkey, &checkpoint).await?;
            signatures.push((vkey.clone(), signature));
        }
        let signed = SignedCheckpoint::assemble(checkpoint, &signatures).map_err(|error| {
            EngineError::fault("the device's signature of a checkpoint does not verify", error)
        })?;
        let row = CheckpointRow { size, note: signed.to_string(), transition: signers.old.is_some() };
        match self.store.insert_checkpoint(self.ledger.id(), &row).await {
            // A checkpoint of this size is there already: another server's, over the same root, or it would not verify.
            Ok(()) | Err(StoreError::Conflict { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        self.ledger.publish_seal(signed);
        self.ledger.note_vitals(|vitals| vitals.sealed_at = Some(self.ledger.now()));
        Ok(())
    }

    /// Puts the state aside, where the ledger has grown enough since: what was read back from storage, judged and sealed, and
    /// nothing else. Sealing does not wait for it.
    async fn put_aside(&mut self) {
        let keeping = &mut self.keeping;
        if let Some((size, writing)) = keeping.writing.take_if(|(_, writing)| writing.is_finished()) {
            match writing.await.unwrap_or_else(|error| Err(std::io::Error::other(error))) {
                Ok(()) => keeping.kept = size,
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(origin = %self.ledger.origin(), error, "the state can't be put aside; the next start takes longer");
                }
            }
        }
        let size = self.verifier.size();
        let due = size == self.ledger.sealed_size() && size >= keeping.tried + keeping.every;
        if !due || keeping.writing.is_some() || self.ledger.frozen().is_some() {
            return;
        }
        keeping.tried = size;
        let aside = Aside {
            state: self.verifier.state().clone(),
            root: self.verifier.root(),
            end_offset: self.end_offset,
        };
        let (ledger, file, from) = (Arc::clone(&self.ledger), keeping.file.clone(), keeping.kept);
        let leaves = move |at: u64, wanted: usize| {
            let at = usize::try_from(at).ok()?;
            let tree = ledger.tree.read().unwrap_or_else(PoisonError::into_inner);
            tree.leaves().get(at..at.checked_add(wanted)?).map(<[_]>::to_vec)
        };
        let writing = tokio::task::spawn_blocking(move || file.write(&aside, from, leaves));
        keeping.writing = Some((size, writing));
    }

    /// The root is outside the database before the device signs it.
    async fn note_high_water(&self, mark: Mark) -> Result<(), EngineError> {
        let ledger = Arc::clone(&self.ledger);
        let written = tokio::task::spawn_blocking(move || {
            ledger.high_water.lock().unwrap_or_else(PoisonError::into_inner).record_sealed(mark)
        });
        let written =
            written.await.map_err(|error| EngineError::fault("the high-water writer ended", error))?;
        written.map_err(|error| EngineError::Unavailable {
            code: "high_water.write",
            sentence: "the high-water file can't be written, so nothing is sealed".to_owned(),
            source: Some(Box::new(error)),
        })
    }

    fn quarantine(&self, why: &str) -> EngineError {
        self.ledger.freeze(why);
        EngineError::Corrupt(why.into())
    }
}

/// Who signs a checkpoint: at a change of the ledger key, the old key as well.
pub(crate) struct Signers {
    old: Option<Vkey>,
    new: Vkey,
}
