//! Servers without HTTP, over a real database and a real device.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use sealbook::app::{App, AppConfig};
use sealbook::assembly::Parts;
use sealbook::clock::Clock;
use sealbook::config::{Mode, OperatorToken, OriginPrefix, RelyingParty};
use sealbook::custody::pkcs11::Pkcs11Backend;
use sealbook::custody::{Backend, softhsm};
use sealbook::devices::Devices;
use sealbook::embedded::{DataFolder, EmbeddedPostgres};
use sealbook::notifying::Notifying;
use sealbook::store::{Store, StoreConfig, Transport};
use sealbook_ledger::encoding::Hash;
use sealbook_ledger::ids::BackendName;
use sealbook_ledger::webauthn::ApprovalRp;

use super::ORIGIN;
use super::moody::Moody;

pub async fn start(folder: &DataFolder, postgres: &EmbeddedPostgres) -> App {
    start_keeping(folder, postgres, sealbook::config::SNAPSHOT_EVERY).await
}

/// Starts a server that puts its state aside after so many events.
pub async fn start_keeping(folder: &DataFolder, postgres: &EmbeddedPostgres, snapshot_every: u64) -> App {
    let owner = StoreConfig::new(postgres.owner_config(), Transport::Plain);
    sealbook::assembly::migrate(&owner).await.unwrap();
    let token = softhsm::prepare(&folder.token()).unwrap();
    let secret = sealbook_ledger::encoding::B64::from([7u8; 32].as_slice());
    let parts = Parts {
        store: StoreConfig::new(postgres.app_config(), Transport::Plain),
        backends: BTreeMap::from([("softhsm".parse().unwrap(), token)]),
        ledger_backend: "softhsm".parse().unwrap(),
        origin_prefix: OriginPrefix::new("sealbook.test").unwrap(),
        rp: RelyingParty::new("localhost", &[ORIGIN.to_owned()], Mode::Dev).unwrap(),
        attestation_roots: Default::default(),
        high_water: folder.high_water(),
        snapshot_every,
        max_unsealed: Duration::from_secs(5),
        fresh_sign_in_s: 300,
        operator_token: OperatorToken::parse(&format!("sbo_{secret}")).unwrap(),
        accept_missing_high_water: false,
        notifying: Notifying { webhooks: Vec::new(), public_url: ORIGIN.to_owned() },
    };
    parts.assemble().await.unwrap()
}

/// Starts a server over a device with moods, which makes so many signatures but for checkpoints.
pub async fn start_moody(
    folder: &DataFolder,
    postgres: &EmbeddedPostgres,
    signs: usize,
) -> (App, Arc<Moody>) {
    let name: BackendName = "softhsm".parse().unwrap();
    let token = softhsm::prepare(&folder.token()).unwrap();
    let device = Moody::over(Pkcs11Backend::start(name.clone(), token).await.unwrap());
    device.set_signs(signs);
    let store = StoreConfig::new(postgres.app_config(), Transport::Plain);
    (start_over(config(folder.high_water(), Clock::default()), store, device.clone()).await, device)
}

pub async fn start_over(config: AppConfig, store: StoreConfig, device: Arc<dyn Backend>) -> App {
    let store = Arc::new(Store::open(store).unwrap());
    let name = device.name().clone();
    let devices = Devices::new(BTreeMap::from([(name.clone(), device)]), name);
    App::start(config, store, devices).await.unwrap()
}

pub fn config(high_water: PathBuf, clock: Clock) -> AppConfig {
    AppConfig {
        origin_prefix: OriginPrefix::new("sealbook.test").unwrap(),
        approval_rp: ApprovalRp {
            id: "localhost".to_owned(),
            origins: BTreeSet::from([ORIGIN.to_owned()]),
            shared: true,
        },
        attestation_roots: Default::default(),
        high_water,
        sign_in_rp: None,
        snapshot_every: sealbook::config::SNAPSHOT_EVERY,
        max_unsealed: Duration::from_secs(60),
        fresh_sign_in_s: 300,
        operator_token_sha256: Hash::sha256(b"an operator"),
        accept_missing_high_water: false,
        notifying: Notifying { webhooks: Vec::new(), public_url: ORIGIN.to_owned() },
        clock,
    }
}
