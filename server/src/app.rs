//! The server without its borders: ledgers, the tasks that serve them, and what callers may ask of them.
//!
//! Everything here lives on the main multi-thread runtime; HTTP workers reach it through channels.

mod drills;
mod founding;
pub(crate) mod incidents;
mod packs;
mod proofs;
mod refused;

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use sealbook_ledger::command::Command;
use sealbook_ledger::encoding::Hash;
use sealbook_ledger::event::Actor;
use sealbook_ledger::ids::{ActionId, BackendName, Origin, TenantName};
use sealbook_ledger::note::Vkey;
use sealbook_ledger::payload::{LedgerOpened, NextVkey};
use sealbook_ledger::webauthn::ApprovalRp;
use tokio::runtime::Handle;
use tokio::sync::{Mutex, watch};
use tokio::task::JoinHandle;

use crate::auditing::Auditing;
use crate::ceremony::{self, Issued, Plan};
use crate::clearing::ListCall;
use crate::clock::Clock;
use crate::config::OriginPrefix;
use crate::custody::BackendHealth;
use crate::devices::Devices;
use crate::effects::{Effects, Lists};
use crate::high_water::HighWaterFile;
use crate::inventory;
use crate::ledger::{EngineError, Ledger, Submission};
use crate::loading;
use crate::notifying::{Notifier, Notifying};
use crate::packs::{Packs, TrustRoots};
use crate::passkeys::AttestationRoots;
use crate::projector::Projector;
use crate::refusals::Refusals;
use crate::replaying;
use crate::scrubber::{self, Scrubbed};
use crate::sealer::{Keeping, Sealer};
use crate::sequencer::{self, Door, Limits, Live};
use crate::signing::{Reply, SignCall, Signer};
use crate::snapshots::Snapshots;
use crate::store::ledgers::LedgerRow;
use crate::store::{Head, LedgerId, Store, StoreError};

pub use refused::RefusedLedger;

/// Sequencers of a process; each serves the ledgers that fall to it.
const SEQUENCERS: u64 = 2;

/// Pause between two looks at the heads for what other servers appended: one query for all ledgers.
const LOOK: Duration = Duration::from_secs(1);

/// Longest time that a stopping server gives its tasks.
const STOP_DEADLINE: Duration = Duration::from_secs(10);

/// What the server has to know about itself.
#[derive(Clone)]
pub struct AppConfig {
    /// What its ledgers' origins begin with.
    pub origin_prefix: OriginPrefix,
    /// Who asks for approvals.
    pub approval_rp: ApprovalRp,
    /// For whom passkeys are made that only sign in: the same pages under another id. What it says of sharing means
    /// nothing.
    pub sign_in_rp: Option<ApprovalRp>,
    /// How long after a sign-in a session may do what needs a fresh one, in seconds.
    pub fresh_sign_in_s: u32,
    /// Whose attestations prove hardware.
    pub attestation_roots: Arc<AttestationRoots>,
    /// Where high-water files are, outside the database.
    pub high_water: PathBuf,
    /// Events after which a ledger's folded state is put aside for the next start.
    pub snapshot_every: u64,
    /// While the oldest unsealed event is older, nothing new is signed.
    pub max_unsealed: Duration,
    /// SHA-256 of the operator's token.
    pub operator_token_sha256: Hash,
    /// The operator's word that a missing high-water file is no loss; recorded.
    pub accept_missing_high_water: bool,
    /// Who is told what people should look at.
    pub notifying: Notifying,
    /// The clock that ledgers go by.
    pub clock: Clock,
}

/// The server.
#[derive(Clone)]
pub struct App(Arc<Inner>);

struct Inner {
    config: AppConfig,
    store: Arc<Store>,
    devices: Devices,
    doors: Vec<Door>,
    ledgers: RwLock<BTreeMap<TenantName, Arc<Ledger>>>,
    /// Ledgers that could not be served at the start; they stay so until the next one.
    refused: RwLock<BTreeMap<TenantName, Arc<RefusedLedger>>>,
    refusals: RwLock<BTreeMap<LedgerId, Arc<Refusals>>>,
    signer: Arc<Signer>,
    notifier: Arc<Notifier>,
    auditing: Auditing,
    snapshots: Snapshots,
    stop: watch::Sender<bool>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
    failed: watch::Sender<bool>,
    /// One tenant is opened at a time.
    opening: Mutex<()>,
    /// One period is reported at a time.
    reporting: Mutex<()>,
    runtime: Handle,
    started: Instant,
}

/// A tenant that was opened: what its founders need.
pub struct OpenedTenant {
    /// Its ledger.
    pub origin: Origin,
    /// The ledger's key, to be pinned.
    pub vkey: Vkey,
    /// One for each founder who has yet to register, in order.
    pub tickets: Vec<Issued>,
}

/// Something that is missing for the server to be of full use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// A stable code.
    pub code: &'static str,
    /// What is missing, and what follows.
    pub sentence: String,
}

impl App {
    /// Loads and verifies every ledger and starts serving them; one that is damaged is refused, and stops no other. Call
    /// it on the main runtime.
    pub async fn start(config: AppConfig, store: Arc<Store>, devices: Devices) -> Result<Self, EngineError> {
        let limits = Limits { max_unsealed: config.max_unsealed };
        let snapshots = Snapshots::open(&config.high_water);
        let doors =
            (0..SEQUENCERS).map(|_| sequencer::start(Arc::clone(&store), limits, &config.clock)).collect();
        let app = Self(Arc::new(Inner {
            signer: Arc::new(Signer::new(Arc::clone(&store), devices.clone())),
            notifier: Arc::new(Notifier::new(config.notifying.clone(), Arc::clone(&store))),
            auditing: Auditing::new(Arc::clone(&store)),
            snapshots,
            config,
            devices,
            doors,
            ledgers: RwLock::default(),
            refused: RwLock::default(),
            refusals: RwLock::default(),
            stop: watch::Sender::new(false),
            tasks: Mutex::default(),
            failed: watch::Sender::new(false),
            opening: Mutex::default(),
            reporting: Mutex::default(),
            runtime: Handle::current(),
            started: Instant::now(),
            store,
        }));
        app.serve_all().await?;
        let following = app.task(app.clone().follow_heads(app.0.stop.subscribe()));
        app.0.tasks.lock().await.push(following);
        app.0.tasks.lock().await.extend(app.0.notifier.start(&app.0.devices, &app.0.stop));
        Ok(app)
    }

    /// Runs a task of the engine. One that panics is a bug, and ends the server: see [`Self::failed`].
    fn task(&self, work: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
        let app = self.clone();
        self.0.runtime.spawn(async move {
            if AssertUnwindSafe(work).catch_unwind().await.is_err() {
                app.0.failed.send_replace(true);
            }
        })
    }

    /// Returns when a part of the engine has panicked. What is recorded is whole; a new process takes it up from there.
    pub async fn failed(&self) {
        let mut failed = self.0.failed.subscribe();
        let doors = self.0.doors.iter().map(|door| Box::pin(door.closed()));
        tokio::select! {
            _ = failed.wait_for(|failed| *failed) => {}
            _ = futures_util::future::select_all(doors) => {}
        }
    }

    /// Follows other servers: a ledger that nobody asks anything of here still shows what they append. A head that fell
    /// back, changed or went is noticed the same way, also where nobody asks anything.
    async fn follow_heads(self, mut stop: watch::Receiver<bool>) {
        loop {
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                _ = stop.changed() => return,
            }
            let heads = match self.0.store.heads().await {
                Ok(heads) => heads,
                Err(error) => {
                    tracing::debug!(error = &error as &dyn std::error::Error, "heads can't be read");
                    continue;
                }
            };
            for ledger in self.ledgers().iter().filter(|ledger| is_apart(ledger, &heads)) {
                self.0.doors[self.door_of(ledger.id())].look(ledger.id());
            }
        }
    }

    /// How the server was configured.
    pub fn config(&self) -> &AppConfig {
        &self.0.config
    }

    /// The store, for views.
    pub fn store(&self) -> &Arc<Store> {
        &self.0.store
    }

    /// The custody backends.
    pub fn devices(&self) -> &Devices {
        &self.0.devices
    }

    /// Who is told what people should look at, and how that goes.
    pub fn notifier(&self) -> &Arc<Notifier> {
        &self.0.notifier
    }

    /// Since when the server runs.
    pub fn started(&self) -> Instant {
        self.0.started
    }

    /// Commands that no sequencer has taken up yet.
    pub fn queued(&self) -> usize {
        self.0.doors.iter().map(Door::queued).sum()
    }

    /// The ledger of a tenant.
    pub fn ledger(&self, tenant: &TenantName) -> Option<Arc<Ledger>> {
        self.0.ledgers.read().unwrap_or_else(PoisonError::into_inner).get(tenant).cloned()
    }

    /// Every ledger that is served.
    pub fn ledgers(&self) -> Vec<Arc<Ledger>> {
        self.0.ledgers.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// Verifies a ledger from storage and starts its tasks.
    async fn serve(&self, row: &LedgerRow) -> Result<Arc<Ledger>, EngineError> {
        let inner = &self.0;
        let file = HighWaterFile::new(&inner.config.high_water, row.origin.clone());
        let snapshots = inner.snapshots.of(&row.origin);
        let accept = inner.config.accept_missing_high_water;
        let loaded = loading::load(&inner.store, row, &file, &snapshots, accept).await?;
        let door = &inner.doors[self.door_of(row.ledger)];
        let state = loaded.tip.state.clone();
        let (clock, lanes) = (inner.config.clock.clone(), door.lanes.clone());
        let ledger = Arc::new(Ledger::new(row, clock, state, lanes, file, loaded.list_numbers));
        *ledger.tree.write().unwrap_or_else(PoisonError::into_inner) = loaded.tree;
        if let Some(checkpoint) = loaded.checkpoint {
            ledger.publish_seal(checkpoint);
        }
        door.adopt(Live::new(Arc::clone(&ledger), loaded.tip)).await?;
        if let Some(root) = loaded.accepted {
            ledger.submit(Submission::new(Command::AcceptHighWater { root })).await?;
        }
        let kept = loaded.begun.as_ref().map_or(0, |begun| begun.bound.size);
        let sealer = Sealer {
            ledger: Arc::clone(&ledger),
            store: Arc::clone(&inner.store),
            devices: inner.devices.clone(),
            verifier: loaded.verifier,
            end_offset: loaded.sealed_offset,
            unsigned: None,
            keeping: Keeping {
                file: snapshots,
                every: inner.config.snapshot_every,
                kept,
                tried: kept,
                writing: None,
            },
        };
        if let Some(begun) = loaded.begun {
            let replaying =
                replaying::run(Arc::clone(&inner.store), Arc::clone(&ledger), begun, inner.stop.subscribe());
            inner.tasks.lock().await.push(self.task(replaying));
        }
        let follower = inner.notifier.follow(&ledger, inner.stop.subscribe()).await?;
        inner.tasks.lock().await.extend(follower);
        self.begin(&ledger, sealer).await;
        inner
            .ledgers
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(row.tenant.clone(), Arc::clone(&ledger));
        Ok(ledger)
    }

    async fn begin(&self, ledger: &Arc<Ledger>, sealer: Sealer) {
        let inner = &self.0;
        let stop = || inner.stop.subscribe();
        let (store, signer) = (Arc::clone(&inner.store), Arc::clone(&inner.signer));
        let lists = Lists::new(Arc::clone(ledger), inner.devices.clone(), Arc::clone(&signer));
        let packs = Packs::new(Arc::clone(&store), inner.devices.clone());
        let trust_roots = TrustRoots::new(Arc::clone(ledger), packs);
        let effects = Effects::new(Arc::clone(ledger), store, inner.devices.clone(), signer);
        let projector = Projector::new(Arc::clone(&inner.store), ledger.id());
        let refusals = Arc::new(Refusals::default());
        inner
            .refusals
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(ledger.id(), Arc::clone(&refusals));
        let scrubbing = scrubber::run(Arc::clone(&inner.store), Arc::clone(ledger), stop());
        let devices = inner.devices.clone();
        let stock = inventory::run(Arc::clone(&inner.store), Arc::clone(ledger), devices, stop());
        inner.tasks.lock().await.extend([
            self.task(sealer.run(stop())),
            self.task(effects.run(stop())),
            self.task(lists.run(stop())),
            self.task(trust_roots.run(stop())),
            self.task(projector.run(Arc::clone(ledger), stop())),
            self.task(refusals.run(Arc::clone(ledger), stop())),
            self.task(scrubbing),
            self.task(stock),
        ]);
    }

    fn door_of(&self, ledger: LedgerId) -> usize {
        // The remainder is below the number of doors.
        (ledger.get().unsigned_abs() % SEQUENCERS) as usize
    }

    /// Opens a tenant: makes its ledger key, writes the first event, and issues a ticket to each founder.
    pub async fn open_tenant(
        &self,
        tenant: TenantName,
        plan: Plan,
        backend: Option<BackendName>,
    ) -> Result<OpenedTenant, EngineError> {
        plan.judge()?;
        let plan = plan.for_server(&self.0.config.approval_rp, self.0.config.sign_in_rp.as_ref())?;
        let app = self.clone();
        let task = self.0.runtime.spawn(async move { app.open(tenant, plan, backend).await });
        task.await.map_err(|error| EngineError::fault("the opening task ended", error))?
    }

    async fn open(
        &self,
        tenant: TenantName,
        plan: Plan,
        backend: Option<BackendName>,
    ) -> Result<OpenedTenant, EngineError> {
        let _one_at_a_time = self.0.opening.lock().await;
        let taken =
            EngineError::Conflict { code: "tenant.exists", sentence: "a tenant of this name exists already" };
        if let Some(refused) = self.refused(&tenant) {
            return Err(refused.error());
        }
        // One that is served and still empty could not have its first event written: go on with it.
        let served = self.ledger(&tenant);
        if served.as_ref().is_some_and(|ledger| ledger.size() > 0) {
            return Err(taken);
        }
        let store = &self.0.store;
        let row = match store.ledger_of(&tenant).await? {
            // Entered before, and interrupted before its first event: go on with it.
            Some(row) => row,
            None => {
                let origin = self.0.config.origin_prefix.origin(&tenant);
                let origin = origin.map_err(|error| EngineError::fault("the tenant's origin", error))?;
                let ledger = LedgerId::from_random(rand::random());
                LedgerRow { ledger, origin, tenant, opened_at: self.0.config.clock.now() }
            }
        };
        match store.create_ledger(&row).await {
            Ok(()) | Err(StoreError::Conflict { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        plan.keep(store, row.ledger).await?;
        let backend = backend.unwrap_or_else(|| self.0.devices.ledger_backend().clone());
        let devices = &self.0.devices;
        let made = match devices.find_first_ledger_key(store, row.ledger, &row.origin, &backend).await? {
            Some(made) => made,
            None => devices.make_ledger_key(store, row.ledger, &row.origin, &backend).await?,
        };
        let ledger = match served {
            Some(ledger) => ledger,
            None => self.serve(&row).await?,
        };
        let opened = LedgerOpened {
            attributes: made.device.attributes,
            continues: None,
            custody: made.custody,
            next_vkey_digest: NextVkey::None,
            rules: plan.rules,
            vkey: made.vkey.clone(),
        };
        ledger.submit(Submission::new(Command::Open(opened))).await?;
        let tickets = ceremony::issue_tickets(store, row.ledger).await?;
        Ok(OpenedTenant { origin: row.origin, vkey: made.vkey, tickets })
    }

    /// Signs; see [`crate::signing`].
    pub async fn sign(&self, ledger: Arc<Ledger>, call: SignCall) -> Result<Reply, EngineError> {
        self.0.signer.sign(ledger, call).await
    }

    /// Puts a list of digests before people, in a service's name; see [`crate::clearing`].
    pub async fn ask_for_list(&self, ledger: &Ledger, call: ListCall) -> Result<ActionId, EngineError> {
        self.0.signer.clearing().ask_for_list(ledger, call).await
    }

    /// Re-reads every sealed row of a ledger at once.
    pub async fn scrub(&self, ledger: &Ledger) -> Result<Option<Scrubbed>, EngineError> {
        scrubber::scrub(&self.0.store, ledger, Duration::ZERO).await
    }

    /// Looks through the devices for objects of a ledger that no event explains; says how many were new.
    pub async fn take_stock(&self, ledger: &Ledger) -> Result<usize, EngineError> {
        inventory::take_stock(&self.0.store, ledger, &self.0.devices).await
    }

    /// Counts a refusal of an authenticated caller, to be recorded with its minute.
    pub fn note_refusal(&self, ledger: &Ledger, caller: Actor, code: &'static str) {
        let refusals =
            self.0.refusals.read().unwrap_or_else(PoisonError::into_inner).get(&ledger.id()).cloned();
        if let Some(refusals) = refusals {
            refusals.note(ledger, caller, code);
        }
    }

    /// What is missing at the moment: the database, a device, seals, or a ledger that is frozen.
    pub async fn missing(&self) -> Vec<Missing> {
        let mut missing = Vec::new();
        if let Err(error) = self.0.store.clock().await {
            missing.push(Missing { code: "store.unavailable", sentence: error.to_string() });
        }
        for device in self.0.devices.all() {
            match device.health() {
                BackendHealth::Ready => {}
                BackendHealth::Degraded { quarantined } => missing.push(Missing {
                    code: "custody.degraded",
                    sentence: format!("{}: {quarantined} calls to the device hang", device.name()),
                }),
                BackendHealth::Down { reason, .. } => missing.push(Missing {
                    code: "custody.unavailable",
                    sentence: format!("{}: {reason}", device.name()),
                }),
            }
        }
        if self.0.doors.iter().any(Door::is_closed) {
            let sentence =
                "a sequencer has ended, so nothing is recorded: the server ends, start it again".to_owned();
            missing.push(Missing { code: "server.fault", sentence });
        }
        missing.extend(self.all_refused().iter().map(|refused| refused.missing()));
        for ledger in self.ledgers() {
            if let Some(why) = ledger.frozen() {
                let sentence = format!("{} is frozen: {why}", ledger.origin());
                missing.push(Missing { code: "ledger.corrupt", sentence });
            } else if let Some(why) = ledger.unsealable() {
                let sentence = format!("{} can't be sealed: {why}", ledger.origin());
                missing.push(Missing { code: "seal.behind", sentence });
            }
        }
        missing
    }

    /// Ends every task; what is committed is sealed first where the device lets it.
    pub async fn stop(&self) {
        self.0.stop.send_replace(true);
        let tasks = std::mem::take(&mut *self.0.tasks.lock().await);
        let all = futures_util::future::join_all(tasks);
        if tokio::time::timeout(STOP_DEADLINE, all).await.is_err() {
            tracing::warn!("some tasks did not end in time; what they left is taken up at the next start");
        }
        self.0.store.close();
    }
}

/// Whether a ledger's head in the database is not what this process knows: most often another server's work.
fn is_apart(ledger: &Ledger, heads: &[Head]) -> bool {
    let state = ledger.state();
    let head = heads.iter().find(|head| head.ledger == ledger.id());
    head.is_none_or(|head| head.size != state.size() || head.hash != state.head())
}
