//! The custody backends that are configured, by name, and the ledger keys in them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sealbook_ledger::algorithm::{Algorithm, KeyType};
use sealbook_ledger::checkpoint::Checkpoint;
use sealbook_ledger::ids::{BackendName, KeyId, Origin};
use sealbook_ledger::note::Vkey;
use sealbook_ledger::public_key::PublicKey;
use sealbook_ledger::slot::device_label;

use crate::clock;
use crate::custody::{Backend, BackendHealth, DeviceKey, SigningInput};
use crate::ledger::{EngineError, Ledger};
use crate::store::ledgers::{KeyIntentRow, KeyMadeRow};
use crate::store::{LedgerId, Store};

/// Longest time that a device may take to make a key.
pub(crate) const GENERATION_DEADLINE: Duration = Duration::from_secs(60);

/// Longest time that a device may take to sign.
pub(crate) const SIGNING_DEADLINE: Duration = Duration::from_secs(20);

/// The configured backends.
#[derive(Clone)]
pub struct Devices {
    backends: BTreeMap<BackendName, Arc<dyn Backend>>,
    ledger_backend: BackendName,
}

/// A ledger key that was made, and where it is.
pub(crate) struct LedgerKeyMade {
    pub(crate) vkey: Vkey,
    pub(crate) device: DeviceKey,
    pub(crate) custody: BackendName,
}

impl Devices {
    /// `ledger_backend` names the one that holds ledger keys.
    pub fn new(backends: BTreeMap<BackendName, Arc<dyn Backend>>, ledger_backend: BackendName) -> Self {
        Self { backends, ledger_backend }
    }

    /// Every backend.
    pub fn all(&self) -> impl Iterator<Item = &Arc<dyn Backend>> {
        self.backends.values()
    }

    /// The names that proposals call them by.
    pub fn names(&self) -> impl Iterator<Item = &BackendName> {
        self.backends.keys()
    }

    /// The backend for ledger keys where none is asked for.
    pub fn ledger_backend(&self) -> &BackendName {
        &self.ledger_backend
    }

    /// The backend of a name.
    pub fn get(&self, name: &BackendName) -> Result<&Arc<dyn Backend>, EngineError> {
        self.backends.get(name).ok_or_else(|| {
            EngineError::unavailable("custody.unknown", format!("no custody backend `{name}` is configured"))
        })
    }

    /// The backend of a name, unless it is known to be away: nothing is authorised for a device that is.
    pub(crate) fn present(&self, name: &BackendName) -> Result<&Arc<dyn Backend>, EngineError> {
        let backend = self.get(name)?;
        match backend.health() {
            BackendHealth::Down { reason, .. } => {
                Err(EngineError::unavailable("custody.unavailable", format!("the device is down: {reason}")))
            }
            BackendHealth::Ready | BackendHealth::Degraded { .. } => Ok(backend),
        }
    }

    /// The kind of custody, as events record it.
    pub(crate) fn kind(backend: &dyn Backend) -> Result<BackendName, EngineError> {
        backend
            .custody()
            .kind
            .parse()
            .map_err(|error| EngineError::fault("a backend's kind is no name", error))
    }

    /// Makes a ledger key: the intent is a row outside the ledger first, so that the key is found again by its label.
    pub(crate) async fn make_ledger_key(
        &self,
        store: &Store,
        ledger: LedgerId,
        origin: &Origin,
        backend: &BackendName,
    ) -> Result<LedgerKeyMade, EngineError> {
        let (key, made) = self.make(store, ledger, origin, backend, KeyType::Ed25519).await?;
        let vkey = vkey_of(origin, &made)?;
        let row = KeyMadeRow { ledger, key, vkey: vkey.to_string(), made_at: clock::now() };
        store.insert_key_made(&row).await?;
        Ok(LedgerKeyMade { vkey, device: made, custody: Self::kind(self.get(backend)?.as_ref())? })
    }

    /// The ledger key of an opening that was interrupted, found again by the label in its intent. Only for a ledger
    /// without events: in any other, rows of the database must not choose which key seals.
    pub(crate) async fn find_first_ledger_key(
        &self,
        store: &Store,
        ledger: LedgerId,
        origin: &Origin,
        backend: &BackendName,
    ) -> Result<Option<LedgerKeyMade>, EngineError> {
        let device = self.get(backend)?;
        for (intent, made) in store.ledger_keys(ledger).await? {
            if intent.backend != *backend || intent.label != device_label(origin, intent.key) {
                continue;
            }
            let found = device.find(&intent.label).await.map_err(custody_error)?;
            let Some(device_key) = found.filter(|found| found.key_type == KeyType::Ed25519) else { continue };
            let vkey = vkey_of(origin, &device_key)?;
            if made.is_none() {
                let row =
                    KeyMadeRow { ledger, key: intent.key, vkey: vkey.to_string(), made_at: clock::now() };
                store.insert_key_made(&row).await?;
            }
            let custody = Self::kind(device.as_ref())?;
            return Ok(Some(LedgerKeyMade { vkey, device: device_key, custody }));
        }
        Ok(None)
    }

    /// Makes an evidence key; its intent is a row like a ledger key's, so that none is ever unexplained.
    pub(crate) async fn make_evidence_key(
        &self,
        store: &Store,
        ledger: LedgerId,
        origin: &Origin,
        backend: &BackendName,
    ) -> Result<(KeyId, DeviceKey), EngineError> {
        self.make(store, ledger, origin, backend, KeyType::EcP256).await
    }

    async fn make(
        &self,
        store: &Store,
        ledger: LedgerId,
        origin: &Origin,
        backend: &BackendName,
        key_type: KeyType,
    ) -> Result<(KeyId, DeviceKey), EngineError> {
        let device = self.get(backend)?;
        let key = KeyId::from(uuid::Uuid::now_v7());
        let label = device_label(origin, key);
        let intended_at = clock::now();
        let intent =
            KeyIntentRow { ledger, key, label: label.clone(), backend: backend.clone(), intended_at };
        store.insert_key_intent(&intent).await?;
        let deadline = Instant::now() + GENERATION_DEADLINE;
        let made = device.generate(&label, key_type, deadline).await.map_err(custody_error)?;
        Ok((key, made))
    }

    /// Has the device sign a checkpoint under one of a ledger's keys.
    pub(crate) async fn sign_checkpoint(
        &self,
        store: &Store,
        ledger: &Ledger,
        vkey: &Vkey,
        checkpoint: &Checkpoint,
    ) -> Result<[u8; 64], EngineError> {
        let (backend, label) = ledger_key_place(store, ledger.id(), vkey).await?;
        let message = SigningInput::Message(checkpoint.to_signable());
        let deadline = Instant::now() + SIGNING_DEADLINE;
        let device = self.get(&backend)?;
        let signature =
            device.sign(&label, Algorithm::Ed25519, message, deadline).await.map_err(custody_error)?;
        signature
            .try_into()
            .map_err(|_| EngineError::Fault { what: "an Ed25519 signature of another length", source: None })
    }
}

async fn ledger_key_place(
    store: &Store,
    ledger: LedgerId,
    vkey: &Vkey,
) -> Result<(BackendName, String), EngineError> {
    let text = vkey.to_string();
    let keys = store.ledger_keys(ledger).await?;
    let found = keys.into_iter().find(|(_, made)| made.as_ref().is_some_and(|made| made.vkey == text));
    let (intent, _) = found.ok_or(EngineError::Fault {
        what: "the ledger key's place in the device is unknown",
        source: None,
    })?;
    Ok((intent.backend, intent.label))
}

/// The C2SP form of an Ed25519 key in a device.
pub(crate) fn vkey_of(origin: &Origin, key: &DeviceKey) -> Result<Vkey, EngineError> {
    let what = "the device's ledger key is no Ed25519 key";
    let public = PublicKey::from_der(&key.spki_der).map_err(|error| EngineError::fault(what, error))?;
    let raw = public.ed25519_bytes().ok_or(EngineError::Fault { what, source: None })?;
    Vkey::from_ed25519(origin.clone(), raw).map_err(|error| EngineError::fault(what, error))
}

/// A device's failure as the engine tells it: signing can't be had now, everything else works.
pub(crate) fn custody_error(error: crate::custody::CustodyError) -> EngineError {
    EngineError::Unavailable {
        code: error.code(),
        sentence: error.to_string(),
        source: Some(Box::new(error)),
    }
}
