//! A ledger under rules version 2 whose server may end at any moment, as a process does by `kill -9`: every task of it is
//! gone at its next wait, its connections break, and nothing is told. Device and database live on.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sealbook::app::App;
use sealbook::custody::pkcs11::Pkcs11Backend;
use sealbook::custody::softhsm;
use sealbook::embedded::{DataFolder, EmbeddedPostgres};
use sealbook::ledger::{EngineError, Ledger, Submission};
use sealbook::store::{StoreConfig, Transport};
use sealbook_ledger::action::{DeviceKeyParams, Params};
use sealbook_ledger::algorithm::Algorithm;
use sealbook_ledger::certificate::Usage;
use sealbook_ledger::command::{Command, RotationCommand};
use sealbook_ledger::event::{Actor, Envelope, Event};
use sealbook_ledger::ids::{ActionId, BackendName, ServiceId};
use sealbook_ledger::payload::Payload;
use sealbook_ledger::policy::Role;
use sealbook_ledger::rotation::{IssuerPolicy, RotationPolicy};
use sealbook_ledger::slot::device_label;
use sealbook_ledger::state::Founded;
use tokio::runtime::{Builder, Runtime};
use tokio_postgres::{Client, NoTls};

use super::clocks::Clocks;
use super::fickle::Fickle;
use super::rotations::{PATIENCE, certificate, certify, slot};
use super::starting::{config, start_over};
use super::{Site, act, found_under};

/// The tenant.
const TENANT: &str = "ageing";

/// What a server that ends may still be at.
const ENDING: Duration = Duration::from_secs(20);

/// A day of 24 hours.
pub const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The ledger, its people, its server and everything that outlives it.
pub struct World {
    pub site: Site,
    pub clocks: Clocks,
    pub device: Arc<Fickle>,
    folder: DataFolder,
    postgres: EmbeddedPostgres,
    owner: Client,
    life: Life,
}

/// A server's tasks. Whoever drops it ends them all.
pub struct Life(Option<Runtime>);

impl World {
    /// Three people, an evidence key, and no slots.
    pub async fn begin(path: &Path) -> Self {
        Self::begin_under(path, 2).await
    }

    /// The same under a rules version.
    pub async fn begin_under(path: &Path, rules: u64) -> Self {
        let folder = DataFolder::open(path).unwrap();
        let postgres = EmbeddedPostgres::start(&folder).await.unwrap();
        let owned = StoreConfig::new(postgres.owner_config(), Transport::Plain);
        sealbook::assembly::migrate(&owned).await.unwrap();
        let name: BackendName = "softhsm".parse().unwrap();
        let token = softhsm::prepare(&folder.token()).unwrap();
        let device = Fickle::over(Pkcs11Backend::start(name.clone(), token).await.unwrap());
        let clocks = Clocks::of(&postgres).await;
        let (life, app) = Life::begin(&folder, &postgres, &device, &clocks, None).await;
        let (owner, connection) = postgres.owner_config().connect(NoTls).await.unwrap();
        tokio::spawn(connection);
        let site = found_under(app, path, TENANT, rules).await;
        let params = Params::LedgerEvidenceKeySet(DeviceKeyParams { backend: name });
        let deciders = [(1, Role::SecurityReviewer), (2, Role::PlatformAdmin)];
        act(&site, params, 0, Role::PlatformAdmin, &deciders).await;
        let world = Self { site, clocks, device, folder, postgres, owner, life };
        let key = world.events().await.iter().find_map(|event| match &event.payload {
            Payload::LedgerEvidenceKeySet(p) => Some(p.key),
            _ => None,
        });
        world.device.set_evidence(device_label(world.site.ledger.origin(), key.unwrap()));
        world
    }

    /// A CA, and a slot whose certificates it issues.
    pub async fn certified_slot(&self, name: &str) {
        let issuing = Usage::Issuing { path_len: 1.try_into().unwrap() };
        let root = RotationPolicy {
            certificate: Some(certificate(IssuerPolicy::SelfSigned, issuing, "Acme Root")),
            ..RotationPolicy::of_days(1825, 90)
        };
        slot(&self.site, "root", Algorithm::EcdsaP384Sha384, root).await;
        certify(&self.site, "root").await;
        let issuer = IssuerPolicy::Slot { slot: "root".parse().unwrap() };
        let policy = RotationPolicy {
            certificate: Some(certificate(issuer, Usage::CodeSigning, "Acme Releases")),
            revoke_superseded: true,
            ..RotationPolicy::of_days(90, 7)
        };
        slot(&self.site, name, Algorithm::EcdsaP256Sha256, policy).await;
        certify(&self.site, name).await;
    }

    /// Waits until every rotation that has ended has its pack, which nobody waits for.
    pub async fn rests(&self) {
        holds(&self.site, "a pack", |founded| {
            let mut rotations = founded.rotations().values();
            rotations.all(|rotation| rotation.reported || !rotation.has_ended()).then_some(())
        })
        .await;
    }

    /// Ends the server here and now.
    pub async fn kill(&mut self) {
        std::mem::replace(&mut self.life, Life(None)).end().await;
    }

    /// Starts the next one, over the same database and device.
    pub async fn restart(&mut self) {
        let (life, app) = Life::begin(&self.folder, &self.postgres, &self.device, &self.clocks, None).await;
        self.site.ledger = ledger_of(&app);
        (self.site.app, self.life) = (app, life);
    }

    /// Another server beside the one that runs, with a folder of its own.
    pub async fn second(&self, folder: &Path) -> (Life, App, Arc<Ledger>) {
        std::fs::create_dir_all(folder).unwrap();
        let (life, app) =
            Life::begin(&self.folder, &self.postgres, &self.device, &self.clocks, Some(folder)).await;
        let ledger = ledger_of(&app);
        (life, app, ledger)
    }

    /// From now on the database takes nothing at or beyond a size of the ledger.
    pub async fn close_at(&self, size: u64) {
        let ledger = self.site.ledger.id().get();
        let sql = format!(
            "ALTER TABLE sealbook.events ADD CONSTRAINT the_end CHECK (ledger_id <> {ledger} OR seq < {size}) NOT VALID"
        );
        self.owner.batch_execute(&sql).await.unwrap();
    }

    /// It takes everything again.
    pub async fn open(&self) {
        self.owner
            .batch_execute("ALTER TABLE sealbook.events DROP CONSTRAINT IF EXISTS the_end")
            .await
            .unwrap();
    }

    /// Exchanges a word in a stored event, as the database's owner can.
    pub async fn alter(&self, seq: u64, word: &str, other: &str) {
        let ledger = self.site.ledger.id().get();
        let sql = format!(
            "ALTER TABLE sealbook.events DISABLE TRIGGER append_only; \
             UPDATE sealbook.events SET bytes = convert_to(replace(convert_from(bytes, 'UTF8'), '{word}', '{other}'), 'UTF8') \
                 WHERE ledger_id = {ledger} AND seq = {seq}; \
             ALTER TABLE sealbook.events ENABLE ALWAYS TRIGGER append_only"
        );
        self.owner.batch_execute(&sql).await.unwrap();
    }

    /// Every event.
    pub async fn events(&self) -> Vec<Event> {
        let (site, mut events) = (&self.site, Vec::new());
        loop {
            let page = site.app.store().page(site.ledger.id(), events.len() as u64, 1000).await.unwrap();
            if page.is_empty() {
                return events;
            }
            let read = |bytes: &[u8]| Event::from_envelope(Envelope::parse(bytes).unwrap()).unwrap();
            events.extend(page.iter().map(|stored| read(&stored.bytes)));
        }
    }

    /// Fails where the device holds what no event explains.
    pub async fn everything_is_explained(&self) {
        let site = &self.site;
        assert_eq!(site.app.take_stock(&site.ledger).await.unwrap(), 0);
        let stock = site.ledger.vitals().stocked.unwrap();
        assert_eq!((stock.unexplained, stock.silent), (0, 0), "{stock:?}");
    }

    /// Ends all.
    pub async fn end(self) {
        self.site.app.stop().await;
        self.life.end().await;
        self.postgres.stop().await.unwrap();
    }
}

impl Life {
    async fn begin(
        folder: &DataFolder,
        postgres: &EmbeddedPostgres,
        device: &Arc<Fickle>,
        clocks: &Clocks,
        own_folder: Option<&Path>,
    ) -> (Self, App) {
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let mut config = config(folder.high_water(), clocks.server());
        if let Some(own) = own_folder {
            (config.high_water, config.accept_missing_high_water) = (own.to_owned(), true);
        }
        let store = StoreConfig::new(postgres.app_config(), Transport::Plain);
        let app = runtime.spawn(start_over(config, store, device.clone())).await.unwrap();
        (Self(Some(runtime)), app)
    }

    /// Returns once nothing of it runs.
    pub async fn end(mut self) {
        let Some(runtime) = self.0.take() else { return };
        tokio::task::spawn_blocking(move || runtime.shutdown_timeout(ENDING)).await.unwrap();
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

fn ledger_of(app: &App) -> Arc<Ledger> {
    app.ledger(&TENANT.parse().unwrap()).unwrap()
}

/// A service says that the new key works for it.
pub async fn confirm(site: &Site, service: ServiceId, action: ActionId) -> Result<(), EngineError> {
    let command = RotationCommand::Confirm { by: Actor::Service(service), action };
    site.ledger.submit(Submission::new(Command::Rotate(command))).await.map(drop)
}

/// Waits until something holds of the ledger; time passes by itself alone.
pub async fn holds<T>(site: &Site, what: &str, look: impl Fn(&Founded) -> Option<T>) -> T {
    let began = Instant::now();
    let mut size = site.ledger.watch_size();
    loop {
        size.borrow_and_update();
        if let Some(found) = look(site.ledger.state().founded().unwrap()) {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "{what} does not come");
        let _ = tokio::time::timeout(Duration::from_secs(1), size.changed()).await;
    }
}
