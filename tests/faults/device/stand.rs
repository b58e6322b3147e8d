//! A server on a device that fails as it is told, and the account between the ledger and the device.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use integration::shim::Shim;
use integration::tenant::{Service, Tenant};
use integration::{Server, waiting};

use crate::load::{Account, Load, SLOT, Seen, settle, site};

/// A device that has returned is used again within this time.
pub const RETURN: Duration = Duration::from_secs(2);

/// What the slowest machine keeps of such promises.
const SLOWEST: Duration = Duration::from_secs(10);

/// What a promise of time is held to: to its word where `SEALBOOK_QUIET` says that nothing else runs on the machine, and
/// otherwise to what the slowest one keeps.
pub fn bound(promise: Duration) -> Duration {
    let quiet = std::env::var_os("SEALBOOK_QUIET").is_some();
    if quiet { promise } else { promise.max(SLOWEST) }
}

/// The device and the server that tests share whose faults are of their own keys alone, for as long as one of them runs.
static SHARED: Mutex<Weak<(Shim, Server)>> = Mutex::new(Weak::new());

/// A device, and the server on it, which the tests share that harm nobody else's keys.
pub fn shared() -> Arc<(Shim, Server)> {
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    shared.upgrade().unwrap_or_else(|| {
        let shim = Shim::new();
        let server = Server::start_with(shim.options());
        let both = Arc::new((shim, server));
        *shared = Arc::downgrade(&both);
        both
    })
}

/// A tenant with a slot on a device that fails as it is told, and what its signers saw so far.
pub struct Stand<'a> {
    pub shim: &'a Shim,
    pub tenant: Tenant,
    pub service: Service,
    /// The label of the slot's key.
    pub key: String,
    /// The label of the ledger key.
    pub ledger_key: String,
    pub seen: Seen,
}

impl<'a> Stand<'a> {
    /// Founds the tenant.
    pub fn new(shim: &'a Shim, server: &Server) -> Self {
        let (tenant, service) = site(server);
        let (key, ledger_key) = (shim.slot_key(&tenant, SLOT), shim.ledger_key(&tenant));
        Self { shim, tenant, service, key, ledger_key, seen: Seen::default() }
    }

    /// Signers who go on until they are told to end.
    pub fn load(&self) -> Load {
        Load::begin(&self.tenant, &self.service)
    }

    /// Lets the signers end, and says what they saw; it counts in the account that is held at the end.
    pub fn end(&mut self, load: Load) -> Seen {
        let seen = load.end();
        self.seen.received.extend(seen.received.iter().cloned());
        seen
    }

    /// Verifies the ledger, finds every released signature in it, and holds it against what the device counted.
    #[track_caller]
    pub fn settle(&self) -> Account {
        let account = settle(&self.tenant, &self.seen);
        balance(self.shim, &self.key, &account);
        account
    }
}

/// For one key: created + withheld ≤ signatures that the device made ≤ all that may have been made.
#[track_caller]
pub fn balance(shim: &Shim, key: &str, account: &Account) {
    let (signed, certain) = (shim.count(key).signed, account.created + account.withheld);
    let possible = certain + account.failed + account.abandoned + account.open;
    assert!((certain..=possible).contains(&signed), "the device signed {signed} times: {account:?}");
}

/// How long it takes until signers get signatures again; fails where it is too long.
#[track_caller]
pub fn used_again(load: &Load) -> Duration {
    let (began, before) = (Instant::now(), load.received());
    waiting::until("signing to go on", || (load.received() > before).then_some(()));
    let took = began.elapsed();
    assert!(took <= bound(RETURN), "used again after {took:?}");
    took
}
