//! Start-up of one ledger: everything is read back from storage, verified, and held against what lies outside the
//! database. A long ledger begins from a snapshot, and what lies below it is read back in the background.

use sealbook_ledger::checkpoint::SignedCheckpoint;
use sealbook_ledger::encoding::Hash;
use sealbook_ledger::event::Event;
use sealbook_ledger::merkle::{Tree, leaf_hash};
use sealbook_ledger::verify::{Read, Verifier};

use crate::high_water::{HighWater, HighWaterFile, Mark, Reading};
use crate::ledger::EngineError;
use crate::list_numbers::{ListNumbers, ListNumbersError};
use crate::replaying::Begun;
use crate::sequencer::Tip;
use crate::snapshots::{Kept, SnapshotFile};
use crate::store::ledgers::LedgerRow;
use crate::store::load::MAX_PAGE;
use crate::store::{Head, Store};

/// What a replay found.
pub(crate) struct Loaded {
    /// Has seen what is sealed.
    pub(crate) verifier: Verifier,
    pub(crate) tree: Tree,
    /// Bytes of what is sealed, as an export counts them.
    pub(crate) sealed_offset: u64,
    pub(crate) tip: Tip,
    pub(crate) checkpoint: Option<SignedCheckpoint>,
    /// What was handed out of its revocation lists.
    pub(crate) list_numbers: ListNumbers,
    /// A high-water file was missing and the operator said to go on.
    pub(crate) accepted: Option<Hash>,
    /// The snapshot that it began from: what lies below is still to be folded.
    pub(crate) begun: Option<Begun>,
}

/// Replays a ledger from storage. Refuses a database that is behind the high-water file or different from it; a missing
/// file needs the operator's word.
pub(crate) async fn load(
    store: &Store,
    row: &LedgerRow,
    high_water: &HighWaterFile,
    snapshots: &SnapshotFile,
    accept_missing: bool,
) -> Result<Loaded, EngineError> {
    let head = store.head(row.ledger).await?.ok_or_else(|| corrupt("the ledger has no head"))?;
    let mark = match high_water.read().map_err(|error| EngineError::fault("the high-water file", error))? {
        Reading::Present(mark) => mark,
        Reading::Corrupt { .. } => {
            return Err(corrupt("the high-water file is damaged; restore it or the ledger"));
        }
        Reading::Missing => HighWater::default(),
    };
    let list_numbers = ListNumbers::beside(high_water.path(), row.origin.clone());
    let list_numbers = list_numbers.map_err(|error| match error {
        ListNumbersError::Damaged { .. } => corrupt(&error.to_string()),
        ListNumbersError::Io { .. } => EngineError::fault("the numbers of revocation lists", error),
    })?;
    let checkpoint = store.latest_checkpoint(row.ledger).await?;
    let missing = mark == HighWater::default() && checkpoint.is_some();
    if missing && !accept_missing {
        return Err(EngineError::unavailable(
            "high_water.missing",
            format!(
                "the high-water file of {} is missing, so a lost tail can't be told from a short ledger; put it back, or \
                 start once with --accept-missing-high-water, which is recorded",
                row.origin
            ),
        ));
    }
    if missing {
        // What was kept of a history that is given up must not come back.
        snapshots.remove().map_err(|error| EngineError::fault("the snapshot can't be taken away", error))?;
    }
    let sealed = checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.size);
    let kept = match read_snapshot(snapshots).await?.filter(|kept| kept.bound.size <= sealed) {
        Some(kept) if agrees(store, row, &kept, &mark).await? => Some(kept),
        Some(_) | None => None,
    };
    if let Some(kept) = &kept {
        hold_against_row(store, row, kept).await?;
    }
    let begun = kept.as_ref().map(|kept| Begun {
        bound: kept.bound.clone(),
        digest: kept.digest,
        file: snapshots.clone(),
    });
    // Trees are large: a second one only where there is something to read twice.
    let spare = if sealed == head.size { None } else { kept.clone() };
    let mut replay = Replay::begin(row, kept)?;
    replay.run(store, row, &head, &mark).await?;
    let checkpoint = checkpoint.map(|row| replay.known(&row.note)).transpose()?;
    if checkpoint
        .as_ref()
        .is_some_and(|known| replay.tree.root_at(known.checkpoint().size) != Ok(known.checkpoint().root))
    {
        return Err(replay.rewritten(store, row).await?);
    }
    let accepted = missing.then(|| replay.verifier.root());
    let tip = Tip {
        state: replay.verifier.state().clone(),
        frontier: replay.verifier.frontier().clone(),
        end_offset: replay.end_offset,
    };
    // What is not sealed yet is the sealer's to read again: its verifier starts at the seal.
    let sealed = checkpoint.as_ref().map_or(0, |known| known.checkpoint().size);
    let Replay { verifier, tree, end_offset: sealed_offset } = if sealed == tip.state.size() {
        replay
    } else {
        let mut again = Replay::begin(row, spare)?;
        let until = Head { size: sealed, ..head };
        again.read(store, row, &until, &HighWater::default()).await?;
        again
    };
    let signer = verifier.state().ledger_key().map(|key| &key.vkey);
    let genuine = |known: &SignedCheckpoint| signer.is_some_and(|signer| known.verify(signer).is_ok());
    if checkpoint.as_ref().is_some_and(|known| !genuine(known)) {
        return Err(corrupt("the newest stored checkpoint is not signed by the ledger's key"));
    }
    Ok(Loaded { verifier, tree, sealed_offset, tip, checkpoint, list_numbers, accepted, begun })
}

async fn read_snapshot(snapshots: &SnapshotFile) -> Result<Option<Kept>, EngineError> {
    let file = snapshots.clone();
    let read = tokio::task::spawn_blocking(move || file.read()).await;
    read.map_err(|error| EngineError::fault("reading the snapshot ended early", error))
}

/// Whether the marks below a snapshot are those of the ledger that it was folded from; where one isn't, every event is
/// read, and what is found then says why.
async fn agrees(store: &Store, row: &LedgerRow, kept: &Kept, mark: &HighWater) -> Result<bool, EngineError> {
    let below = |mark: &Mark| mark.size <= kept.bound.size;
    let sealed = mark.sealed.filter(below);
    if sealed.is_some_and(|mark| kept.tree.root_at(mark.size) != Ok(mark.hash)) {
        return Ok(false);
    }
    let Some(contained) = mark.contained.filter(below) else { return Ok(true) };
    let Some(last) = contained.size.checked_sub(1) else { return Ok(true) };
    let page = store.page(row.ledger, last, 1).await?;
    // The row is believed because its leaf is in the snapshot's tree.
    Ok(page.first().is_some_and(|stored| {
        kept.tree.leaf(last) == Some(leaf_hash(&stored.bytes)) && Event::hash(&stored.bytes) == contained.hash
    }))
}

/// The last event below a snapshot is the one that it was folded to; all before it follow from the chain.
async fn hold_against_row(store: &Store, row: &LedgerRow, kept: &Kept) -> Result<(), EngineError> {
    let Some(last) = kept.bound.size.checked_sub(1) else { return Ok(()) };
    let page = store.page(row.ledger, last, 1).await?;
    let same = page.first().is_some_and(|stored| {
        stored.seq == last
            && stored.end_offset == kept.bound.end_offset
            && stored.hash == kept.bound.hash
            && Event::hash(&stored.bytes) == kept.bound.hash
    });
    if same {
        return Ok(());
    }
    Err(EngineError::Corrupt(
        format!(
            "event {last} in the database is not the one that this server has put aside as the ledger's {}th: its history \
             was rewritten or replaced",
            kept.bound.size
        )
        .into(),
    ))
}

struct Replay {
    verifier: Verifier,
    tree: Tree,
    end_offset: u64,
}

impl Replay {
    fn begin(row: &LedgerRow, kept: Option<Kept>) -> Result<Self, EngineError> {
        let Some(kept) = kept else {
            return Ok(Self {
                verifier: Verifier::new(row.origin.clone()),
                tree: Tree::new(),
                end_offset: 0,
            });
        };
        let verifier = Verifier::resume(kept.state, kept.tree.frontier())
            .map_err(|error| EngineError::fault("a snapshot's state and tree differ in size", error))?;
        Ok(Self { verifier, tree: kept.tree, end_offset: kept.bound.end_offset })
    }

    async fn run(
        &mut self,
        store: &Store,
        row: &LedgerRow,
        head: &Head,
        mark: &HighWater,
    ) -> Result<(), EngineError> {
        if head.size < mark.size() {
            return Err(behind(head.size, mark.size()));
        }
        self.read(store, row, head, mark).await?;
        let same = self.verifier.root() == head.root
            && self.verifier.state().head() == head.hash
            && self.end_offset == head.end_offset;
        let size = head.size;
        if same {
            Ok(())
        } else {
            Err(corrupt(&format!("the head at {size} events is not where the events end")))
        }
    }

    async fn read(
        &mut self,
        store: &Store,
        row: &LedgerRow,
        head: &Head,
        mark: &HighWater,
    ) -> Result<(), EngineError> {
        while self.verifier.size() < head.size {
            let wanted = usize::try_from(head.size - self.verifier.size()).unwrap_or(MAX_PAGE).min(MAX_PAGE);
            let page = store.page(row.ledger, self.verifier.size(), wanted).await?;
            if page.is_empty() {
                let (gone, size) = (self.verifier.size(), head.size);
                return Err(corrupt(&format!("event {gone} is not there, where the head promises {size}")));
            }
            for stored in page {
                let read = Read::from_bytes(&stored.bytes);
                self.tree.append(read.leaf());
                self.verifier.push_read(read).map_err(|failure| corrupt(&failure.to_string()))?;
                self.end_offset += stored.bytes.len() as u64 + 1;
                if stored.hash != self.verifier.state().head() || stored.end_offset != self.end_offset {
                    return Err(corrupt(&format!(
                        "the row of event {} disagrees with its bytes",
                        stored.seq
                    )));
                }
                if self.differs_from(mark) {
                    return Err(self.rewritten(store, row).await?);
                }
            }
        }
        Ok(())
    }

    /// Whether a mark at this very size says something else.
    fn differs_from(&self, mark: &HighWater) -> bool {
        let size = self.verifier.size();
        let sealed = mark.sealed.filter(|sealed| sealed.size == size);
        let contained = mark.contained.filter(|contained| contained.size == size);
        sealed.is_some_and(|sealed| sealed.hash != self.verifier.root())
            || contained.is_some_and(|contained| contained.hash != self.verifier.state().head())
    }

    /// Says of a history that is sound in itself, and not the one that was sealed, where the two part: between the last
    /// genuine checkpoint that they have in common and the first that they don't.
    async fn rewritten(&self, store: &Store, row: &LedgerRow) -> Result<EngineError, EngineError> {
        let key = self.verifier.state().ledger_key().map(|key| &key.vkey);
        let (mut from, mut to, mut beyond) = (0, self.verifier.size(), 0);
        'parted: loop {
            let page = store.checkpoints(row.ledger, beyond, MAX_PAGE).await?;
            for known in page.iter().filter_map(|row| SignedCheckpoint::parse(row.note.as_bytes()).ok()) {
                let checkpoint = known.checkpoint();
                if checkpoint.size >= to {
                    break 'parted;
                }
                // One of an earlier ledger key only leaves the range wider.
                let genuine = key.is_some_and(|key| known.verify(key).is_ok());
                match self.tree.root_at(checkpoint.size) == Ok(checkpoint.root) {
                    true if genuine => from = checkpoint.size,
                    false if genuine => {
                        to = checkpoint.size;
                        break 'parted;
                    }
                    _ => {}
                }
            }
            match page.last() {
                Some(last) => beyond = last.size,
                None => break,
            }
        }
        Ok(corrupt(&format!(
            "events {from} to {} are not those that were sealed or kept in the high-water file: the history was rewritten \
             or replaced",
            to - 1
        )))
    }

    fn known(&self, note: &str) -> Result<SignedCheckpoint, EngineError> {
        let known =
            SignedCheckpoint::parse(note.as_bytes()).map_err(|_| corrupt("a stored checkpoint is none"))?;
        if known.checkpoint().size > self.verifier.size() {
            return Err(behind(self.verifier.size(), known.checkpoint().size));
        }
        Ok(known)
    }
}

fn corrupt(why: &str) -> EngineError {
    EngineError::Corrupt(why.into())
}

fn behind(size: u64, known: u64) -> EngineError {
    EngineError::Corrupt(
        format!(
            "the database holds {size} events where {known} are known to have been there; put the lost tail back with \
             `sealbook restore BUNDLE`"
        )
        .into(),
    )
}
