//! Puts the server together from its configuration: store, devices, engine. `dev` and `serve` differ only in where the
//! parts come from.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use sealbook_ledger::ids::BackendName;
use sealbook_ledger::webauthn::ApprovalRp;

use crate::app::{App, AppConfig};
use crate::clock::Clock;
use crate::config::{Config, OperatorToken, OriginPrefix, RelyingParty};
use crate::custody::pkcs11::Pkcs11Backend;
use crate::custody::{Backend, CustodyError, Pkcs11Config};
use crate::devices::Devices;
use crate::embedded::EmbeddedPostgres;
use crate::ledger::EngineError;
use crate::notifying::Notifying;
use crate::passkeys::{AttestationRoots, RootsError};
use crate::store::migrate;
use crate::store::{Store, StoreConfig, StoreError, Transport};
use crate::tls::{self, TlsError};

/// Why the server could not be put together.
#[derive(Debug, thiserror::Error)]
pub enum AssemblyError {
    /// The database can't be used.
    #[error("the database can't be used")]
    Store(#[from] StoreError),
    /// A device can't be used.
    #[error("the custody backend `{name}` can't be started")]
    Custody {
        /// Which.
        name: BackendName,
        /// Why.
        source: CustodyError,
    },
    /// TLS to the database can't be set up.
    #[error("TLS to the database can't be set up")]
    Tls(#[from] TlsError),
    /// The attestation roots can't be used.
    #[error("the attestation roots can't be used")]
    Roots(#[from] RootsError),
    /// A ledger can't be served.
    #[error("the ledgers can't be served")]
    Engine(#[from] EngineError),
    /// A file can't be made or read.
    #[error("{what} can't be made or read")]
    File {
        /// Which.
        what: &'static str,
        /// Why.
        source: std::io::Error,
    },
}

/// Where the parts come from, however the server is run.
pub struct Parts {
    /// How the store reaches its database.
    pub store: StoreConfig,
    /// The devices.
    pub backends: BTreeMap<BackendName, Pkcs11Config>,
    /// The one that holds ledger keys.
    pub ledger_backend: BackendName,
    /// What origins begin with.
    pub origin_prefix: OriginPrefix,
    /// Who asks for approvals.
    pub rp: RelyingParty,
    /// Whose attestations prove hardware.
    pub attestation_roots: AttestationRoots,
    /// Where high-water files are.
    pub high_water: PathBuf,
    /// Events after which a ledger's folded state is put aside for the next start.
    pub snapshot_every: u64,
    /// While the oldest unsealed event is older, nothing new is signed.
    pub max_unsealed: Duration,
    /// How long after a sign-in a session may do what needs a fresh one, in seconds.
    pub fresh_sign_in_s: u32,
    /// The operator's token.
    pub operator_token: OperatorToken,
    /// Whether a missing high-water file is accepted.
    pub accept_missing_high_water: bool,
    /// Who is told what people should look at.
    pub notifying: Notifying,
}

impl Parts {
    /// From a production configuration.
    ///
    /// # Errors
    /// [`AssemblyError::Tls`], [`AssemblyError::Roots`], or a high-water folder that can't be made.
    pub fn from_config(config: &Config, accept_missing_high_water: bool) -> Result<Self, AssemblyError> {
        let high_water = config.data_folder.join("high-water");
        std::fs::create_dir_all(&high_water)
            .map_err(|source| AssemblyError::File { what: "the folder of the high-water files", source })?;
        let roots = config.attestation_roots.as_deref().map(AttestationRoots::load).transpose()?;
        Ok(Self {
            store: store_config(config, config.database.app().clone())?,
            backends: config.custody.backends().clone(),
            ledger_backend: config.custody.ledger_backend().clone(),
            origin_prefix: config.origin_prefix.clone(),
            rp: config.rp.clone(),
            attestation_roots: roots.unwrap_or_default(),
            high_water,
            snapshot_every: config.limits.snapshot_every,
            max_unsealed: config.limits.max_unsealed,
            fresh_sign_in_s: config.limits.fresh_sign_in_s,
            operator_token: config.operator_token.clone(),
            accept_missing_high_water,
            notifying: Notifying {
                webhooks: config.webhooks.clone(),
                public_url: config.public_url.as_str().to_owned(),
            },
        })
    }

    /// Opens the store, starts the devices, verifies every ledger and serves them. Call it on the main runtime.
    ///
    /// # Errors
    /// [`AssemblyError`]: what is missing, and what failed underneath.
    pub async fn assemble(self) -> Result<App, AssemblyError> {
        // The system's, whatever is configured.
        self.assemble_on(Clock::default()).await
    }

    /// The same beside `sealbook dev`'s own Postgres, by whose clock the server goes: a trial's may run ahead. It takes
    /// such a Postgres to come here, and production has none: `serve` knows no clock but the system's.
    ///
    /// # Errors
    /// As of [`assemble`](Self::assemble).
    pub async fn assemble_beside(self, postgres: &EmbeddedPostgres) -> Result<App, AssemblyError> {
        let ahead = postgres.ahead();
        let clock = if ahead.is_zero() { Clock::default() } else { Clock::ahead_by(ahead) };
        self.assemble_on(clock).await
    }

    async fn assemble_on(self, clock: Clock) -> Result<App, AssemblyError> {
        let store = Arc::new(Store::open(self.store)?);
        store.check_server().await?;
        let mut backends: BTreeMap<BackendName, Arc<dyn Backend>> = BTreeMap::new();
        for (name, config) in self.backends {
            let backend = Pkcs11Backend::start(name.clone(), config).await;
            let backend = backend.map_err(|source| AssemblyError::Custody { name: name.clone(), source })?;
            backends.insert(name, Arc::new(backend));
        }
        let origins = self.rp.origins().iter().map(|origin| origin.as_str().to_owned()).collect();
        // A founding may ask for passkeys that are not shared: its plan says so.
        let approval_rp = ApprovalRp { id: self.rp.id().to_owned(), origins, shared: true };
        let config = AppConfig {
            origin_prefix: self.origin_prefix,
            sign_in_rp: self
                .rp
                .sign_in_id()
                .map(|id| ApprovalRp { id: id.to_owned(), ..approval_rp.clone() }),
            approval_rp,
            fresh_sign_in_s: self.fresh_sign_in_s,
            attestation_roots: Arc::new(self.attestation_roots),
            high_water: self.high_water,
            snapshot_every: self.snapshot_every,
            max_unsealed: self.max_unsealed,
            operator_token_sha256: self.operator_token.sha256(),
            accept_missing_high_water: self.accept_missing_high_water,
            notifying: self.notifying,
            clock,
        };
        Ok(App::start(config, store, Devices::new(backends, self.ledger_backend)).await?)
    }
}

/// The store's configuration for a role of the configured database.
///
/// # Errors
/// [`AssemblyError::Tls`].
pub fn store_config(config: &Config, role: tokio_postgres::Config) -> Result<StoreConfig, AssemblyError> {
    let transport = match tls::database(config.database.tls())? {
        Some(client) => Transport::Tls(Box::new(client)),
        None => Transport::Plain,
    };
    let mut store = StoreConfig::new(role, transport);
    store.connections = config.database.pool_size();
    Ok(store)
}

/// Brings a database's schema up to date, as its owner.
///
/// # Errors
/// [`AssemblyError::Store`].
pub async fn migrate(owner: &StoreConfig) -> Result<usize, AssemblyError> {
    Ok(migrate::migrate(owner).await?)
}
