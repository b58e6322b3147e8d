//! The right to seal, held by somebody else.

use std::fs;

use integration::{Installation, Server, postgres};
use tokio::runtime::Runtime;
use tokio_postgres::{Client, Config, NoTls};

/// `LEASE_CLASS` of the store.
const LEASE_CLASS: i64 = 0x5EA1;

/// Every ledger's lease, held by a connection of the owner's.
pub struct Lease {
    runtime: Runtime,
    client: Client,
}

impl Lease {
    /// Waits for the sealers' turns to end, and takes the leases of all ledgers.
    pub fn take(server: &Server) -> Self {
        let password = fs::read_to_string(server.data().join("secrets/postgres-owner.password")).unwrap();
        let mut config = Config::new();
        config
            .host_path(server.data().join("postgres/socket"))
            .user("sealbook_owner")
            .password(password.trim());
        Self::take_by(config)
    }

    /// The same of an installation.
    pub fn take_at(at: &Installation) -> Self {
        let mut config = Config::new();
        config.host_path(at.postgres.socket()).user(postgres::ADMIN);
        Self::take_by(config)
    }

    fn take_by(mut config: Config) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let client = runtime.block_on(async {
            config.port(postgres::PORT).dbname("sealbook");
            let (client, connection) = config.connect(NoTls).await.expect("Postgres is there");
            tokio::spawn(connection);
            let take = "SELECT pg_advisory_lock(hashint8extended(ledger_id, $1)) FROM sealbook.ledgers";
            client.query(take, &[&LEASE_CLASS]).await.unwrap();
            client
        });
        Self { runtime, client }
    }

    /// Gives them back.
    pub fn give_back(self) {
        self.runtime.block_on(self.client.batch_execute("SELECT pg_advisory_unlock_all()")).unwrap();
    }
}
