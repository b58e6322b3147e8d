//! A device that refuses to seal or to sign, or that makes a key and never says so, whenever a test wants it to.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use sealbook::custody::pkcs11::Pkcs11Backend;
use sealbook::custody::{
    Backend, BackendHealth, Call, CounterSnapshot, CustodyError, CustodyInfo, DeviceKey, DeviceObject,
    SigningInput, Unavailability,
};
use sealbook_ledger::algorithm::{Algorithm, KeyType};
use sealbook_ledger::encoding::Hash;
use sealbook_ledger::ids::BackendName;

/// A real device with moods.
pub struct Moody {
    device: Pkcs11Backend,
    seals: AtomicBool,
    signs: AtomicUsize,
    answers: AtomicBool,
    refused: AtomicUsize,
    silent: AtomicUsize,
}

impl Moody {
    pub fn over(device: Pkcs11Backend) -> Arc<Self> {
        Arc::new(Self {
            device,
            seals: AtomicBool::new(true),
            signs: AtomicUsize::new(usize::MAX),
            answers: AtomicBool::new(true),
            refused: AtomicUsize::new(0),
            silent: AtomicUsize::new(0),
        })
    }

    /// Whether it signs checkpoints.
    pub fn set_seals(&self, seals: bool) {
        self.seals.store(seals, Ordering::SeqCst);
    }

    /// How many signatures it makes from now on, but for checkpoints.
    pub fn set_signs(&self, signs: usize) {
        self.signs.store(signs, Ordering::SeqCst);
    }

    /// From now on it makes keys and never answers.
    pub fn fall_silent(&self) {
        self.answers.store(false, Ordering::SeqCst);
    }

    /// Waits until it has refused to seal that many times more.
    pub async fn refuses(&self, times: usize) {
        let wanted = self.refused.load(Ordering::SeqCst) + times;
        until(|| self.refused.load(Ordering::SeqCst) >= wanted).await;
    }

    /// Waits until it has made a key in silence.
    pub async fn has_made_in_silence(&self) {
        until(|| self.silent.load(Ordering::SeqCst) > 0).await;
    }
}

async fn until(holds: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(Instant::now() < deadline, "it did not happen in time");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

impl Backend for Moody {
    fn name(&self) -> &BackendName {
        self.device.name()
    }

    fn custody(&self) -> CustodyInfo {
        self.device.custody()
    }

    fn generate<'a>(&'a self, label: &'a str, key_type: KeyType, deadline: Instant) -> Call<'a, DeviceKey> {
        Box::pin(async move {
            let made = self.device.generate(label, key_type, deadline).await;
            if !self.answers.load(Ordering::SeqCst) {
                self.silent.fetch_add(1, Ordering::SeqCst);
                std::future::pending::<()>().await;
            }
            made
        })
    }

    fn find<'a>(&'a self, label: &'a str) -> Call<'a, Option<DeviceKey>> {
        self.device.find(label)
    }

    fn sign<'a>(
        &'a self,
        label: &'a str,
        algorithm: Algorithm,
        input: SigningInput,
        deadline: Instant,
    ) -> Call<'a, Vec<u8>> {
        let refuses = if algorithm == Algorithm::Ed25519 {
            !self.seals.load(Ordering::SeqCst)
        } else {
            let one_less = |signs: usize| signs.checked_sub(1);
            self.signs.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less).is_err()
        };
        if refuses {
            self.refused.fetch_add(1, Ordering::SeqCst);
            let gone = CustodyError::Unavailable { why: Unavailability::Token, source: None };
            return Box::pin(std::future::ready(Err(gone)));
        }
        self.device.sign(label, algorithm, input, deadline)
    }

    fn destroy<'a>(&'a self, label: &'a str, spki_sha256: Hash, deadline: Instant) -> Call<'a, ()> {
        self.device.destroy(label, spki_sha256, deadline)
    }

    fn inventory(&self) -> Call<'_, Vec<DeviceObject>> {
        self.device.inventory()
    }

    fn health(&self) -> BackendHealth {
        self.device.health()
    }

    fn counters(&self) -> CounterSnapshot {
        self.device.counters()
    }
}
