//! A server on a device that fails as it is told, and the account between the ledger and the device.

use std::rc::Rc;
use std::time::{Duration, Instant};

use integration::shim::Shim;
use integration::tenant::{Service, Tenant};
use integration::{Server, waiting};

use crate::load::{Account, Load, SLOT, Seen, settle, site};

/// A device that has returned is used again within this time.
pub const RETURN: Duration = Duration::from_secs(2);

/// A server, its device, a tenant with a slot, and what its signers saw so far.
pub struct Stand {
    pub shim: Rc<Shim>,
    pub tenant: Tenant,
    pub service: Service,
    /// The label of the slot's key.
    pub key: String,
    /// The label of the ledger key.
    pub ledger_key: String,
    pub seen: Seen,
    pub server: Server,
}

impl Stand {
    /// Starts the server with more arguments, and founds the tenant.
    pub fn start(arguments: &[&str]) -> Self {
        let shim = Rc::new(Shim::new());
        let server = Server::start_with(shim.options_with(arguments));
        let (tenant, service) = site(&server);
        let (key, ledger_key) = (shim.slot_key(&tenant, SLOT), shim.ledger_key(&tenant));
        Self { shim, tenant, service, key, ledger_key, seen: Seen::default(), server }
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
        balance(&self.shim, &self.key, &account);
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
    assert!(took <= RETURN, "used again after {took:?}");
    took
}
