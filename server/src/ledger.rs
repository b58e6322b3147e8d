//! A ledger as the rest of the server sees it: snapshots of its folded state, how far it is sealed, and a door to its
//! sequencer. Nobody but the sequencer appends, nobody but the sealer moves the seal.

mod kept;
mod vitals;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use sealbook_ledger::attachment::Attachment;
use sealbook_ledger::canonical;
use sealbook_ledger::checkpoint::SignedCheckpoint;
use sealbook_ledger::command::Command;
use sealbook_ledger::decide::{Decided, Refusal};
use sealbook_ledger::disclosure;
use sealbook_ledger::encoding::{B64, Hash};
use sealbook_ledger::ids::{Correlation, Origin, Seq, TenantName};
use sealbook_ledger::merkle::Tree;
use sealbook_ledger::receipt::Receipt;
use sealbook_ledger::state::{Prechecked, State};
use sealbook_ledger::timestamp::Timestamp;
use tokio::sync::mpsc::error::SendTimeoutError;
use tokio::sync::{mpsc, oneshot, watch};

use crate::clock::{self, Clock};
use crate::high_water::{HighWaterFile, Mark};
use crate::list_numbers::ListNumbers;
use crate::milestones::Milestones;
use crate::store::ledgers::LedgerRow;
use crate::store::{LedgerId, StoreError};

pub use kept::TrustRootKept;
pub use vitals::{Pass, Replay, Stock, Vitals};

/// Why the engine did not do what it was asked: refusal, conflict, shortage, corruption and fault are kinds apart.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// A rule refuses; asking again the same way is refused again.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// It contradicts something that was asked before.
    #[error("{sentence} ({code})")]
    Conflict {
        /// The stable code.
        code: &'static str,
        /// What is in the way.
        sentence: &'static str,
    },
    /// It can't be done now; nothing was released, and the same request may succeed later.
    #[error("{sentence} ({code})")]
    Unavailable {
        /// The stable code.
        code: &'static str,
        /// What is missing.
        sentence: String,
        /// What failed underneath.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// The ledger's storage contradicts its proofs: it is frozen until an operator has looked.
    #[error("the ledger is frozen: {0} (ledger.corrupt)")]
    Corrupt(Arc<str>),
    /// The server is at fault.
    #[error("the server failed: {what} (server.fault)")]
    Fault {
        /// What failed.
        what: &'static str,
        /// The failure underneath.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
}

impl EngineError {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Refused(refusal) => refusal.code(),
            Self::Conflict { code, .. } | Self::Unavailable { code, .. } => code,
            Self::Corrupt(_) => "ledger.corrupt",
            Self::Fault { .. } => "server.fault",
        }
    }

    /// Something that is not there for now.
    pub fn unavailable(code: &'static str, sentence: impl Into<String>) -> Self {
        Self::Unavailable { code, sentence: sentence.into(), source: None }
    }

    /// The server's own failure.
    pub fn fault(what: &'static str, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Fault { what, source: Some(Box::new(source)) }
    }
}

/// Every stable code of this server is a failure code; a test of the problem table holds them to it.
pub(crate) fn failure_code(code: &str) -> sealbook_ledger::payload::FailureCode {
    code.parse().unwrap_or_else(|_| unknown_code())
}

#[allow(clippy::expect_used, reason = "the literal is a failure code")]
fn unknown_code() -> sealbook_ledger::payload::FailureCode {
    "server.fault".parse().expect("a failure code")
}

impl From<sealbook_ledger::rule::Rule> for EngineError {
    fn from(rule: sealbook_ledger::rule::Rule) -> Self {
        Self::Refused(rule.into())
    }
}

impl From<StoreError> for EngineError {
    fn from(error: StoreError) -> Self {
        let code = error.code();
        match error {
            StoreError::Unavailable { .. }
            | StoreError::DiskFull { .. }
            | StoreError::CommitUnknown { .. } => {
                Self::Unavailable { code, sentence: error.to_string(), source: Some(Box::new(error)) }
            }
            StoreError::Conflict { .. } => {
                Self::Conflict { code, sentence: "somebody else was first; look again and ask again" }
            }
            StoreError::Corruption { what, .. } => Self::Corrupt(what.into()),
            StoreError::Fault { what, .. } => Self::Fault { what, source: Some(Box::new(error)) },
        }
    }
}

/// The clear text of a field that events hold as a digest (LEDGER_FORMAT §6).
#[derive(Clone, PartialEq, Eq)]
pub struct Disclosure {
    name: String,
    salt: [u8; 16],
    value: String,
}

impl std::fmt::Debug for Disclosure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Salt and value are what redaction withholds: they have no place in a log.
        f.debug_struct("Disclosure").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Disclosure {
    /// A disclosure with a salt of its own.
    pub fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self::with_salt(name, rand::random(), value)
    }

    /// A disclosure whose salt was drawn before.
    pub fn with_salt(name: impl Into<String>, salt: [u8; 16], value: impl Into<String>) -> Self {
        Self { name: name.into(), salt, value: value.into() }
    }

    /// What it is called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Sixteen random bytes.
    pub fn salt(&self) -> [u8; 16] {
        self.salt
    }

    /// What it says.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// Whether a bundle can hold it, wherever it is recorded: as one line of `disclosures.jsonl`.
    pub fn fits(&self) -> bool {
        let Some(last) = Seq::new(canonical::MAX_INTEGER) else { return false };
        let (name, value) = (self.name.clone(), self.value.clone());
        let line = disclosure::Disclosure::new(last, name, value, self.salt).to_line();
        line.is_ok_and(|line| line.len() <= disclosure::MAX_DISCLOSURE_LEN)
    }

    /// SHA-256 over JCS([salt, name, value]): what `_sd` lists.
    pub fn digest(&self) -> B64 {
        let salt = B64::from(self.salt.as_slice()).to_string();
        // An array of three texts always has a canonical form.
        let bytes = canonical::to_vec(&[&salt, &self.name, &self.value]).unwrap_or_default();
        B64::from(Hash::sha256(&bytes).0.as_slice())
    }
}

/// The digests of some disclosures as `_sd` lists them: sorted as text, unique.
pub fn digests(disclosures: &[Disclosure]) -> Vec<B64> {
    let mut digests: Vec<B64> = disclosures.iter().map(Disclosure::digest).collect();
    digests.sort_by_key(B64::to_string);
    digests.dedup();
    digests
}

/// A caller's idempotency key and the request that it came with, both hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// SHA-256 over caller and key.
    pub key_hash: Hash,
    /// SHA-256 over the request.
    pub body_hash: Hash,
}

impl IdempotencyKey {
    /// The key of a step that comes before what the caller asked for: the same request keeps one for each.
    pub(crate) fn of_step(self, step: &[u8]) -> Self {
        let key_hash = Hash::sha256_in_context(step, &self.key_hash.0);
        Self { key_hash, ..self }
    }
}

/// A command on its way to its ledger's sequencer.
#[derive(Debug)]
pub struct Submission {
    /// What is asked.
    pub command: Command,
    /// Clear texts of fields that its events hold as digests.
    pub disclosures: Vec<Disclosure>,
    /// Bytes that its events refer to.
    pub attachments: Vec<(Attachment, Vec<u8>)>,
    /// Assertions that were checked before the ledger's lock is taken.
    pub checked: Prechecked,
    /// The caller's key, where one was sent.
    pub idempotency: Option<IdempotencyKey>,
    /// The piece of work.
    pub correlation: Correlation,
}

impl Submission {
    /// A command by itself, as a piece of work of its own.
    pub fn new(command: Command) -> Self {
        Self {
            command,
            disclosures: Vec::new(),
            attachments: Vec::new(),
            checked: Prechecked::default(),
            idempotency: None,
            correlation: clock::correlation(),
        }
    }
}

/// What became of a submission: its events are durable.
#[derive(Debug, Clone)]
pub struct Appended {
    /// The events; empty where the idempotency key was used before.
    pub events: Arc<[Decided]>,
    /// The first event's seq, also of an earlier use of the same idempotency key.
    pub first_seq: u64,
    /// The piece of work.
    pub correlation: Correlation,
    /// Whether an earlier request with the same key and content had done it already.
    pub replayed: bool,
}

/// Where a submission's outcome is waited for.
pub(crate) type Reply = oneshot::Sender<Result<Appended, EngineError>>;

pub(crate) struct Envelope {
    pub(crate) ledger: LedgerId,
    pub(crate) submission: Submission,
    pub(crate) reply: Reply,
}

/// The ways to a sequencer.
#[derive(Clone)]
pub(crate) struct Lanes {
    pub(crate) usual: mpsc::Sender<Envelope>,
    /// For containment, which waits behind nothing else.
    pub(crate) urgent: mpsc::Sender<Envelope>,
}

/// How far a ledger is sealed.
#[derive(Debug, Clone, Default)]
pub struct Seal {
    /// Events under the newest checkpoint.
    pub size: u64,
    /// The newest checkpoint.
    pub checkpoint: Option<Arc<SignedCheckpoint>>,
}

/// A ledger, shared by everybody who reads it.
pub struct Ledger {
    id: LedgerId,
    clock: Clock,
    tenant: TenantName,
    origin: Origin,
    state: ArcSwap<State>,
    size: watch::Sender<u64>,
    seal: watch::Sender<Seal>,
    /// Largest size that somebody waits to see sealed.
    wanted: AtomicU64,
    /// Every node of the Merkle tree over what was read back from storage, which is what is sealed and perhaps what is about
    /// to be: proofs come from here.
    pub(crate) tree: RwLock<Tree>,
    frozen: Mutex<Option<Arc<str>>>,
    /// Why the last attempt to seal failed.
    unsealable: Mutex<Option<String>>,
    vitals: Mutex<Vitals>,
    milestones: Mutex<Arc<Milestones>>,
    lanes: Lanes,
    pub(crate) high_water: Arc<Mutex<HighWaterFile>>,
    pub(crate) list_numbers: Arc<ListNumbers>,
    trust_root: ArcSwapOption<TrustRootKept>,
}

/// Longest wait for a place in the sequencer's queue, and for its answer.
const SUBMIT_DEADLINE: Duration = Duration::from_secs(30);

impl Ledger {
    pub(crate) fn new(
        row: &LedgerRow,
        clock: Clock,
        state: State,
        lanes: Lanes,
        high_water: HighWaterFile,
        list_numbers: ListNumbers,
    ) -> Self {
        Self {
            id: row.ledger,
            clock,
            tenant: row.tenant.clone(),
            origin: state.origin().clone(),
            size: watch::Sender::new(state.size()),
            state: ArcSwap::from_pointee(state),
            seal: watch::Sender::new(Seal::default()),
            wanted: AtomicU64::new(0),
            tree: RwLock::new(Tree::new()),
            frozen: Mutex::new(None),
            unsealable: Mutex::new(None),
            vitals: Mutex::default(),
            milestones: Mutex::default(),
            lanes,
            high_water: Arc::new(Mutex::new(high_water)),
            list_numbers: Arc::new(list_numbers),
            trust_root: ArcSwapOption::empty(),
        }
    }

    /// What rows call it.
    pub fn id(&self) -> LedgerId {
        self.id
    }

    /// Whose it is.
    pub fn tenant(&self) -> &TenantName {
        &self.tenant
    }

    /// What events call it.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The folded state as of the last commit.
    pub fn state(&self) -> Arc<State> {
        self.state.load_full()
    }

    /// The moment to judge by: the clock, or the last event's time where that is later.
    pub fn now(&self) -> Timestamp {
        self.state().time_at(self.clock.now())
    }

    /// The clock that it goes by.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Number of events.
    pub fn size(&self) -> u64 {
        *self.size.borrow()
    }

    /// Follows the number of events.
    pub fn watch_size(&self) -> watch::Receiver<u64> {
        self.size.subscribe()
    }

    /// How far it is sealed.
    pub fn seal(&self) -> Seal {
        self.seal.borrow().clone()
    }

    /// Events under the newest checkpoint.
    pub fn sealed_size(&self) -> u64 {
        self.seal.borrow().size
    }

    pub(crate) fn publish(&self, state: Arc<State>) {
        let size = state.size();
        self.state.store(state);
        self.size.send_replace(size);
    }

    pub(crate) fn publish_seal(&self, checkpoint: SignedCheckpoint) {
        let size = checkpoint.checkpoint().size;
        self.seal.send_replace(Seal { size, checkpoint: Some(Arc::new(checkpoint)) });
    }

    /// What its caretakers found last.
    pub fn vitals(&self) -> Vitals {
        *self.vitals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn note_vitals(&self, note: impl FnOnce(&mut Vitals)) {
        note(&mut self.vitals.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// The receipt of an event under a checkpoint that covers it.
    pub(crate) fn prove(
        &self,
        event_bytes: Vec<u8>,
        seq: u64,
        checkpoint: &SignedCheckpoint,
    ) -> Result<Receipt, EngineError> {
        let size = checkpoint.checkpoint().size;
        let path = self.tree.read().unwrap_or_else(PoisonError::into_inner).inclusion_proof(seq, size);
        let path = path.map_err(|error| EngineError::fault("an inclusion proof beyond the tree", error))?;
        Receipt::new(event_bytes, seq, path, checkpoint.clone())
            .map_err(|error| EngineError::fault("a receipt out of bounds", error))
    }

    /// Whether somebody waits for a seal that is not there yet.
    pub(crate) fn seal_is_wanted(&self) -> bool {
        self.wanted.load(Ordering::Relaxed) > self.sealed_size()
    }

    /// Stops everything on this ledger but reading, loudly. What was committed is in the high-water file before anybody is
    /// told, for the next start would otherwise believe a database that has forgotten what was not sealed yet: whoever
    /// meets a frozen ledger may restart the server at once. This happens once in a ledger's life, if ever, so the thread
    /// waits for the disk.
    pub(crate) fn freeze(&self, why: impl Into<Arc<str>>) {
        let why = why.into();
        tracing::error!(tenant = %self.tenant, origin = %self.origin, %why, "LEDGER FROZEN: storage contradicts its proofs");
        if self.frozen().is_none() {
            let state = self.state();
            let mark = Mark { size: state.size(), hash: state.head() };
            let written =
                self.high_water.lock().unwrap_or_else(PoisonError::into_inner).record_contained(mark);
            if let Err(error) = written {
                tracing::error!(origin = %self.origin, size = mark.size, %error, "what was committed is not in the high-water file");
            }
        }
        *self.frozen.lock().unwrap_or_else(PoisonError::into_inner) = Some(why);
    }

    /// Why the ledger is frozen, if it is.
    pub fn frozen(&self) -> Option<Arc<str>> {
        self.frozen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Hands a command to the sequencer and waits until its events are durable, or it is refused.
    pub async fn submit(&self, submission: Submission) -> Result<Appended, EngineError> {
        if let Some(why) = self.frozen() {
            return Err(EngineError::Corrupt(why));
        }
        let lane = if submission.command.is_containment() { &self.lanes.urgent } else { &self.lanes.usual };
        let (reply, answer) = oneshot::channel();
        let envelope = Envelope { ledger: self.id, submission, reply };
        let busy =
            || EngineError::unavailable("server.busy", "the ledger's queue is full; try again shortly");
        let stopped =
            || EngineError::unavailable("server.stopping", "the server is stopping; try again shortly");
        lane.send_timeout(envelope, SUBMIT_DEADLINE).await.map_err(|error| match error {
            SendTimeoutError::Timeout(_) => busy(),
            SendTimeoutError::Closed(_) => stopped(),
        })?;
        match tokio::time::timeout(SUBMIT_DEADLINE, answer).await {
            Ok(Ok(result)) => result,
            // It ended with the envelope in its hands: perhaps after its commit.
            Ok(Err(_)) => Err(EngineError::unavailable(
                "server.stopping",
                "the server is stopping; what was asked may still have happened: look before you ask again",
            )),
            Err(_) => Err(EngineError::unavailable(
                "server.slow",
                "the ledger did not answer in time; what was asked may still happen: look before you ask again",
            )),
        }
    }

    /// Waits until a checkpoint covers `size` events; `None` when the time is over first.
    pub async fn wait_sealed(&self, size: u64, wait: Duration) -> Option<Arc<SignedCheckpoint>> {
        self.wanted.fetch_max(size, Ordering::Relaxed);
        // Wakes the sealer out of its pause.
        self.size.send_modify(|_| {});
        let mut seal = self.seal.subscribe();
        let reached = seal.wait_for(|seal| seal.size >= size);
        let seal = tokio::time::timeout(wait, reached).await.ok()?.ok()?;
        seal.checkpoint.clone()
    }
}
