//! A device that fails at a call that a test names. Only what slots ask of it counts: keys made and signatures, but neither
//! checkpoints nor what the evidence key signs.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Instant;

use sealbook::custody::pkcs11::Pkcs11Backend;
use sealbook::custody::{
    Backend, BackendHealth, Call, CounterSnapshot, CustodyError, CustodyInfo, DeviceKey, DeviceObject,
    SigningInput, Unavailability,
};
use sealbook_ledger::algorithm::{Algorithm, KeyType};
use sealbook_ledger::encoding::Hash;
use sealbook_ledger::ids::BackendName;
use tokio::sync::watch;

/// What goes wrong at a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// It is never made, and never answered.
    StopsBefore,
    /// It is made, and never answered.
    StopsAfter,
    /// The device is away from then on.
    Leaves,
    /// The device is there, and does nothing for slots from then on.
    Refuses,
    /// The signature is one of something else.
    SignsWrongly,
}

/// Which call goes wrong.
#[derive(Default)]
struct Plan {
    calls: usize,
    at: Option<(usize, Trouble)>,
}

/// A real device with a plan.
pub struct Fickle {
    device: Pkcs11Backend,
    /// The label of the evidence key.
    evidence: OnceLock<String>,
    plan: Mutex<Plan>,
    away: AtomicBool,
    refuses: AtomicBool,
    /// Whether its health says that it is away.
    admits: AtomicBool,
    stopped: watch::Sender<bool>,
    signed: AtomicUsize,
    refusals: Mutex<Vec<Instant>>,
}

impl Fickle {
    pub fn over(device: Pkcs11Backend) -> Arc<Self> {
        Arc::new(Self {
            device,
            evidence: OnceLock::new(),
            plan: Mutex::default(),
            away: AtomicBool::new(false),
            refuses: AtomicBool::new(false),
            admits: AtomicBool::new(false),
            stopped: watch::Sender::new(false),
            signed: AtomicUsize::new(0),
            refusals: Mutex::default(),
        })
    }

    /// Which key signs evidence.
    pub fn set_evidence(&self, label: String) {
        self.evidence.set(label).expect("it is said once");
    }

    /// The call of this number from now on, counted from 1, goes wrong; none where there is no plan. What went wrong before
    /// is over.
    pub fn plan(&self, at: Option<(usize, Trouble)>) {
        *self.lock() = Plan { calls: 0, at };
        self.refuses.store(false, Ordering::SeqCst);
        self.stopped.send_replace(false);
    }

    /// Calls since the plan was made.
    pub fn calls(&self) -> usize {
        self.lock().calls
    }

    /// Whether a call has met its end.
    pub fn has_stopped(&self) -> bool {
        *self.stopped.borrow()
    }

    /// Whether it is away, and whether its health says so.
    pub fn set_away(&self, away: bool, admits: bool) {
        self.away.store(away, Ordering::SeqCst);
        self.admits.store(admits, Ordering::SeqCst);
    }

    /// Signatures that it made.
    pub fn signed(&self) -> usize {
        self.signed.load(Ordering::SeqCst)
    }

    /// When it did nothing because it was away, or refused.
    pub fn refusals(&self) -> Vec<Instant> {
        self.refusals.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the plan says of the next call.
    fn next(&self) -> Option<Trouble> {
        let mut plan = self.lock();
        plan.calls += 1;
        let trouble = plan.at.filter(|(call, _)| *call == plan.calls).map(|(_, trouble)| trouble);
        match trouble {
            Some(Trouble::Leaves) => self.away.store(true, Ordering::SeqCst),
            Some(Trouble::Refuses) => self.refuses.store(true, Ordering::SeqCst),
            _ => {}
        }
        trouble
    }

    fn is_there(&self) -> Result<(), CustodyError> {
        if !self.away.load(Ordering::SeqCst) {
            return Ok(());
        }
        Err(CustodyError::Unavailable { why: Unavailability::Token, source: None })
    }

    /// Whether a call of a slot may be made; notes those that may not.
    fn admit(&self) -> Result<(), CustodyError> {
        let refused = CustodyError::Refused { why: "it refuses".to_owned(), source: None };
        let willing = if self.refuses.load(Ordering::SeqCst) { Err(refused) } else { self.is_there() };
        willing.inspect_err(|_| {
            self.refusals.lock().unwrap_or_else(PoisonError::into_inner).push(Instant::now());
        })
    }

    async fn stop(&self) {
        self.stopped.send_replace(true);
        std::future::pending().await
    }
}

impl Backend for Fickle {
    fn name(&self) -> &BackendName {
        self.device.name()
    }

    fn custody(&self) -> CustodyInfo {
        self.device.custody()
    }

    fn generate<'a>(&'a self, label: &'a str, key_type: KeyType, deadline: Instant) -> Call<'a, DeviceKey> {
        Box::pin(async move {
            let trouble = self.next();
            self.admit()?;
            if trouble == Some(Trouble::StopsBefore) {
                self.stop().await;
            }
            let made = self.device.generate(label, key_type, deadline).await;
            if trouble == Some(Trouble::StopsAfter) {
                self.stop().await;
            }
            made
        })
    }

    fn find<'a>(&'a self, label: &'a str) -> Call<'a, Option<DeviceKey>> {
        Box::pin(async move {
            self.is_there()?;
            self.device.find(label).await
        })
    }

    fn sign<'a>(
        &'a self,
        label: &'a str,
        algorithm: Algorithm,
        input: SigningInput,
        deadline: Instant,
    ) -> Call<'a, Vec<u8>> {
        if algorithm == Algorithm::Ed25519 || self.evidence.get().is_some_and(|evidence| evidence == label) {
            return match self.is_there() {
                Ok(()) => self.device.sign(label, algorithm, input, deadline),
                Err(gone) => Box::pin(std::future::ready(Err(gone))),
            };
        }
        Box::pin(async move {
            let trouble = self.next();
            self.admit()?;
            if trouble == Some(Trouble::StopsBefore) {
                self.stop().await;
            }
            let input = if trouble == Some(Trouble::SignsWrongly) { another(input) } else { input };
            let signed = self.device.sign(label, algorithm, input, deadline).await;
            self.signed.fetch_add(usize::from(signed.is_ok()), Ordering::SeqCst);
            if trouble == Some(Trouble::StopsAfter) {
                self.stop().await;
            }
            signed
        })
    }

    fn destroy<'a>(&'a self, label: &'a str, spki_sha256: Hash, deadline: Instant) -> Call<'a, ()> {
        self.device.destroy(label, spki_sha256, deadline)
    }

    fn inventory(&self) -> Call<'_, Vec<DeviceObject>> {
        Box::pin(async move {
            self.is_there()?;
            self.device.inventory().await
        })
    }

    fn health(&self) -> BackendHealth {
        if self.away.load(Ordering::SeqCst) && self.admits.load(Ordering::SeqCst) {
            return BackendHealth::Down { reason: "it is away".to_owned(), quarantined: 0 };
        }
        self.device.health()
    }

    fn counters(&self) -> CounterSnapshot {
        self.device.counters()
    }
}

/// Something of the same length.
fn another(input: SigningInput) -> SigningInput {
    let flipped = |bytes: Vec<u8>| bytes.into_iter().map(|byte| !byte).collect();
    match input {
        SigningInput::Digest(digest) => SigningInput::Digest(flipped(digest)),
        SigningInput::Message(message) => SigningInput::Message(flipped(message)),
    }
}
