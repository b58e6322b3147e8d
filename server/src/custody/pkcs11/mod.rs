//! Custody in any device that has a PKCS#11 module.
//!
//! - `module`: the shared library; `token`: finding a token and logging in to it
//! - `connection`: one thread's session; `pool`: the threads, their deadlines and their quarantine
//! - `keys`, `mechanism`, `spki_der`: keys and signatures in the device's terms and in ours
//! - `fault`: what a return value means
//!
//! A process that ends while a thread hangs in the module may crash in the library's exit handlers: whoever ends it
//! then lets it be killed rather than run them.

mod connection;
mod fault;
mod keys;
mod mechanism;
pub(super) mod module;
mod pool;
mod spki_der;
mod token;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sealbook_ledger::algorithm::{Algorithm, KeyType};
use sealbook_ledger::encoding::Hash;
use sealbook_ledger::ids::BackendName;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use self::connection::Connection;
use self::keys::{Label, Search};
use self::module::Module;
use self::pool::Pool;
use self::token::Token;
use super::config::Pkcs11Config;
use super::counters::{CounterSnapshot, Counters};
use super::error::{CustodyError, Unavailability};
use super::{Backend, BackendHealth, Call, CustodyInfo, DeviceKey, DeviceObject, SigningInput};

/// An inventory reads every key of the token: it may take longer than a call.
const INVENTORY_TIMEOUT: Duration = Duration::from_secs(60);
/// How often somebody who makes a key looks whether nobody searches.
const TURN: Duration = Duration::from_millis(5);
/// How often the token is asked whether it is there. The answer is what `health` reports between calls.
const PROBE_INTERVAL: Duration = Duration::from_secs(2);
/// How often a lost token is looked for: one that has returned is to be used again within two seconds, also where nothing
/// else asks for it.
const LOST_INTERVAL: Duration = Duration::from_millis(500);

/// A token behind a PKCS#11 module, worked on by a pool of threads with a session each.
///
/// A lost session is replaced within the call that notices it. A lost token is looked for twice a second, where nothing
/// else works on the module by initialising it again; so recovery needs no restart, and no traffic.
///
/// Dropping it lets the threads end after their present call and waits for none of them.
pub struct Pkcs11Backend {
    name: BackendName,
    custody: CustodyInfo,
    call_timeout: Duration,
    token: Arc<Token>,
    pool: Arc<Pool>,
    counters: Arc<Counters>,
    generating: Arc<Mutex<HashSet<Label>>>,
    /// Held for writing while a key is made, for reading while objects are searched for.
    ///
    /// SoftHSM 2.6 fails some of the keys that several sessions make at once, with `CKR_GENERAL_ERROR` or
    /// `CKR_TEMPLATE_INCONSISTENT`; and a search that meets a key's file before its maker has listed it lists it a second
    /// time, so that the label stands for two keys from then on. Keys are made rarely, signatures by a session that knows
    /// the key search for nothing, and one call that hangs holds up the others until its deadline only.
    objects: tokio::sync::RwLock<()>,
}

impl Pkcs11Backend {
    /// Loads the module and starts the threads, on the runtime that this is called from: the process's main one.
    ///
    /// A token that is absent, or refuses the PIN, is no error here: the backend starts, is `Down` and recovers by itself,
    /// so that everything that needs no signature works.
    ///
    /// # Errors
    /// [`CustodyError::Unavailable`] where the module can't be loaded and initialised; [`CustodyError::DeadlineExceeded`]
    /// where it doesn't come to an end of that within the call timeout.
    pub async fn start(name: BackendName, config: Pkcs11Config) -> Result<Self, CustodyError> {
        let (module, library) = load(&config).await?;
        let token = Arc::new(Token::new(module, config.token_label, config.pin));
        let counters = Arc::new(Counters::default());
        let pool = Arc::new(Pool::start(
            config.sessions,
            Arc::clone(&token),
            Arc::clone(&counters),
            Handle::current(),
        ));
        let backend = Self {
            name,
            custody: CustodyInfo {
                kind: "pkcs11",
                fips_certificate: config.fips_certificate.unwrap_or_else(|| String::from("none")),
                library,
            },
            call_timeout: config.call_timeout,
            token,
            pool,
            counters,
            generating: Arc::default(),
            objects: tokio::sync::RwLock::default(),
        };
        // Its outcome is the first health.
        if let Err(error) = backend.pool.call(backend.soon(), Connection::probe).await {
            tracing::warn!(backend = %backend.name, %error, "the custody backend starts without its token");
        }
        backend.keep_probing();
        Ok(backend)
    }

    fn soon(&self) -> Instant {
        Instant::now() + self.call_timeout
    }

    /// Probes for as long as the backend lives, so that its loss and its return are noticed without traffic.
    fn keep_probing(&self) {
        let pool = Arc::downgrade(&self.pool);
        let (name, timeout) = (self.name.clone(), self.call_timeout);
        // Not the token itself: it ends with the backend, and with it what it holds of the module.
        let (token, loss) = (Arc::downgrade(&self.token), self.token.loss());
        tokio::spawn(async move {
            let mut well = true;
            loop {
                let works = token.upgrade().is_some_and(|token| token.fault().is_none());
                // A call may notice the loss before a probe does.
                if !works || tokio::time::timeout(PROBE_INTERVAL, loss.notified()).await.is_ok() {
                    tokio::time::sleep(LOST_INTERVAL).await;
                }
                let Some(pool) = pool.upgrade() else { return };
                let probed = pool.call(Instant::now() + timeout, Connection::probe).await;
                // A token whose sessions are all busy isn't lost.
                let lost = probed.err().filter(|error| error.code() != Unavailability::Busy.code());
                match (&lost, well) {
                    (Some(error), true) => {
                        tracing::warn!(backend = %name, %error, "the custody backend is lost")
                    }
                    (None, false) => tracing::info!(backend = %name, "the custody backend is back"),
                    (Some(_), false) | (None, true) => {}
                }
                well = lost.is_none();
            }
        });
    }

    /// The token's objects to oneself. It does not stand in a queue, where every search that comes later would wait behind
    /// it, and with it behind an inventory that takes a minute.
    async fn alone(&self) -> tokio::sync::RwLockWriteGuard<'_, ()> {
        loop {
            if let Ok(alone) = self.objects.try_write() {
                return alone;
            }
            tokio::time::sleep(TURN).await;
        }
    }

    /// Keeps two calls of this process from making one label at the same time, also past a deadline.
    fn reserve(&self, label: &Label) -> Result<Reservation, CustodyError> {
        let mut generating = self.generating.lock().unwrap_or_else(PoisonError::into_inner);
        if !generating.insert(label.clone()) {
            return Err(CustodyError::unavailable(Unavailability::Generating));
        }
        Ok(Reservation { label: label.clone(), generating: Arc::clone(&self.generating) })
    }

    async fn try_sign(
        &self,
        label: &str,
        algorithm: Algorithm,
        input: SigningInput,
        deadline: Instant,
    ) -> Result<Vec<u8>, CustodyError> {
        let label = Label::parse(label)?;
        input.bytes_for(algorithm)?;
        let input = Arc::new(input);
        // Most sessions know the key. One that doesn't searches for it, when it is its turn.
        let known = self.sign_by(Search::None, &label, algorithm, &input, deadline).await?;
        if let Some(signature) = known {
            return Ok(signature);
        }
        let _searching = in_time(deadline, self.objects.read()).await?;
        let found = self.sign_by(Search::Objects, &label, algorithm, &input, deadline).await?;
        found.ok_or_else(|| label.not_found())
    }

    /// One call to sign; `None` where the key had to be searched for and was not.
    async fn sign_by(
        &self,
        search: Search,
        label: &Label,
        algorithm: Algorithm,
        input: &Arc<SigningInput>,
        deadline: Instant,
    ) -> Result<Option<Vec<u8>>, CustodyError> {
        let (label, input, counters) = (label.clone(), Arc::clone(input), Arc::clone(&self.counters));
        let work = move |connection: &mut Connection| {
            let data = mechanism::device_input(algorithm, input.bytes_for(algorithm)?);
            let mechanism = mechanism::mechanism(algorithm);
            let raw = connection.step(|session, handles| {
                let Some(key) = keys::signing_handle(session, handles, &label, algorithm, search)? else {
                    return Ok(None);
                };
                let began = Instant::now();
                let raw = session.sign(&mechanism, key, &data)?;
                counters.signed(began.elapsed());
                Ok(Some(raw))
            })?;
            raw.map(|raw| mechanism::encode_signature(algorithm, raw)).transpose()
        };
        self.pool.call(deadline, work).await
    }
}

/// Waits for a turn at the token's objects until the deadline.
async fn in_time<T>(deadline: Instant, turn: impl Future<Output = T>) -> Result<T, CustodyError> {
    let turn = tokio::time::timeout_at(deadline.into(), turn).await;
    turn.map_err(|_| CustodyError::unavailable(Unavailability::Busy))
}

impl Backend for Pkcs11Backend {
    fn name(&self) -> &BackendName {
        &self.name
    }

    fn custody(&self) -> CustodyInfo {
        self.custody.clone()
    }

    fn generate<'a>(&'a self, label: &'a str, key_type: KeyType, deadline: Instant) -> Call<'a, DeviceKey> {
        Box::pin(async move {
            let label = Label::parse(label)?;
            let reservation = self.reserve(&label)?;
            let _alone = in_time(deadline, self.alone()).await?;
            let work = move |connection: &mut Connection| {
                let _until_the_device_has_answered = reservation;
                connection.step(|session, _| keys::ensure_free(session, &label))?;
                connection.step(|session, _| keys::generate(session, &label, key_type)).map_err(|error| {
                    match error {
                        // The device went away while it worked.
                        CustodyError::Unavailable { .. } => CustodyError::interrupted_by(error),
                        refused => refused,
                    }
                })?;
                // Read back, not remembered: this is what the device says of it. The key exists from here on, whatever
                // goes wrong.
                connection
                    .step(|session, _| keys::find(session, &label))
                    .map_err(CustodyError::interrupted_by)
            };
            self.pool.call(deadline, work).await
        })
    }

    fn find<'a>(&'a self, label: &'a str) -> Call<'a, Option<DeviceKey>> {
        Box::pin(async move {
            let label = Label::parse(label)?;
            let work =
                move |connection: &mut Connection| connection.step(|session, _| keys::find(session, &label));
            let deadline = self.soon();
            let _search = in_time(deadline, self.objects.read()).await?;
            match self.pool.call(deadline, work).await {
                Ok(key) => Ok(Some(key)),
                Err(CustodyError::NotFound { .. }) => Ok(None),
                Err(error) => Err(error),
            }
        })
    }

    fn sign<'a>(
        &'a self,
        label: &'a str,
        algorithm: Algorithm,
        input: SigningInput,
        deadline: Instant,
    ) -> Call<'a, Vec<u8>> {
        Box::pin(async move {
            let signed = self.try_sign(label, algorithm, input, deadline).await;
            if signed.is_err() {
                self.counters.sign_failed();
            }
            signed
        })
    }

    fn destroy<'a>(&'a self, label: &'a str, spki_sha256: Hash, deadline: Instant) -> Call<'a, ()> {
        Box::pin(async move {
            let label = Label::parse(label)?;
            let _alone = in_time(deadline, self.alone()).await?;
            let work = move |connection: &mut Connection| {
                let gone = |outcome: Result<(), CustodyError>| match outcome {
                    Err(CustodyError::NotFound { .. }) => Ok(()),
                    // The device went away while it worked.
                    Err(error @ CustodyError::Unavailable { .. }) => Err(CustodyError::interrupted_by(error)),
                    other => other,
                };
                gone(connection.step(|session, _| keys::destroy_private(session, &label, spki_sha256)))?;
                gone(connection.step(|session, _| keys::destroy_public(session, &label)))?;
                // Looked for, not believed: a device may say yes and keep it.
                match connection.step(|session, _| keys::find_private(session, &label).map(drop)) {
                    Err(CustodyError::NotFound { .. }) => Ok(()),
                    Ok(()) => Err(CustodyError::refused("the device still has the key")),
                    Err(error) => Err(CustodyError::interrupted_by(error)),
                }
            };
            self.pool.call(deadline, work).await
        })
    }

    fn inventory(&self) -> Call<'_, Vec<DeviceObject>> {
        Box::pin(async move {
            let work = |connection: &mut Connection| {
                let objects = connection.step(|session, _| keys::inventory(session))?;
                // A token that was removed may list nothing.
                connection.probe()?;
                Ok(objects)
            };
            let deadline = Instant::now() + INVENTORY_TIMEOUT;
            let _search = in_time(deadline, self.objects.read()).await?;
            self.pool.call(deadline, work).await
        })
    }

    fn health(&self) -> BackendHealth {
        let quarantined = self.pool.quarantined();
        if self.pool.is_hung() {
            let reason = CustodyError::unavailable(Unavailability::Hung).to_string();
            return BackendHealth::Down { reason, quarantined };
        }
        match (self.token.fault(), quarantined) {
            (Some(reason), quarantined) => BackendHealth::Down { reason, quarantined },
            (None, 0) => BackendHealth::Ready,
            (None, quarantined) => BackendHealth::Degraded { quarantined },
        }
    }

    fn counters(&self) -> CounterSnapshot {
        self.counters.snapshot()
    }
}

/// A label that is being made; given back when the device has answered, however late.
struct Reservation {
    label: Label,
    generating: Arc<Mutex<HashSet<Label>>>,
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.generating.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.label);
    }
}

/// Loads the module on a thread of its own: the library's initialisation may hang.
async fn load(config: &Pkcs11Config) -> Result<(Arc<Module>, String), CustodyError> {
    let path = config.module.clone();
    let (reply, answer) = oneshot::channel();
    let load = move || {
        let loaded = Module::load(&path).map(|module| {
            let description = {
                let _inside = module.enter();
                module.description()
            };
            (module, description)
        });
        // Fails only where the caller has given up waiting.
        let _ = reply.send(loaded);
    };
    let library = |error| CustodyError::unavailable_because(Unavailability::Library, error);
    std::thread::Builder::new().name("custody-load".into()).spawn(load).map_err(library)?;
    match tokio::time::timeout(config.call_timeout, answer).await {
        Ok(Ok(loaded)) => loaded,
        Ok(Err(ended)) => Err(CustodyError::Interrupted { source: Some(ended.into()) }),
        Err(_) => Err(CustodyError::DeadlineExceeded { after: config.call_timeout }),
    }
}
