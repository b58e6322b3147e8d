//! What Postgres does without the product, with rows of the same shape and size.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio_postgres::{Client, Config, NoTls};

/// Clients that write at once.
const CLIENTS: usize = 16;

/// Rows of one bulk insert.
const BULK: i64 = 1000;

/// Bytes of an event, about what `evidence.recorded` takes.
const EVENT: usize = 560;

const SCHEMA: &str = "CREATE SCHEMA IF NOT EXISTS bench;
    CREATE TABLE IF NOT EXISTS bench.heads (ledger_id bigint PRIMARY KEY, size bigint NOT NULL, hash bytea NOT NULL,
        root bytea NOT NULL, end_offset bigint NOT NULL) WITH (fillfactor = 25);
    CREATE TABLE IF NOT EXISTS bench.events (ledger_id bigint NOT NULL, seq bigint NOT NULL, hash bytea NOT NULL,
        end_offset bigint NOT NULL, time timestamptz NOT NULL DEFAULT now(), type text NOT NULL, bytes bytea NOT NULL,
        PRIMARY KEY (ledger_id, seq));
    INSERT INTO bench.heads VALUES (1, 0, '', '', 0) ON CONFLICT DO NOTHING";

const INSERT: &str = "INSERT INTO bench.events (ledger_id, seq, hash, end_offset, type, bytes) VALUES ($1, $2, $3, $4, $5, $6)";

/// Connections for the baselines, as the database's owner.
pub(crate) struct Limits {
    clients: Vec<Arc<Client>>,
    /// No two rows of all runs have one number.
    next: Arc<AtomicU64>,
}

impl Limits {
    pub(crate) async fn open(config: &Config) -> Self {
        let mut clients = Vec::with_capacity(CLIENTS);
        for _ in 0..CLIENTS {
            let (client, connection) = config.connect(NoTls).await.expect("a connection");
            tokio::spawn(connection);
            clients.push(Arc::new(client));
        }
        clients[0].batch_execute(SCHEMA).await.expect("tables");
        Self { clients, next: Arc::new(AtomicU64::new(0)) }
    }

    /// As pgbench would: lock the head row, insert, update the head, commit; all on one ledger.
    pub(crate) async fn contended(&self, turn: Duration) -> f64 {
        let tasks = self.clients.iter().map(|client| {
            let client = Arc::clone(client);
            async move {
                let lock = "SELECT size, end_offset FROM bench.heads WHERE ledger_id = 1 FOR UPDATE";
                let lock = client.prepare(lock).await.expect("a statement");
                let insert = client.prepare(INSERT).await.expect("a statement");
                let update = "UPDATE bench.heads SET size = $1, hash = $2, root = $2, end_offset = $3 WHERE ledger_id = 1";
                let update = client.prepare(update).await.expect("a statement");
                let (bytes, began, mut done) = (vec![7u8; EVENT], Instant::now(), 0u64);
                while began.elapsed() < turn {
                    client.batch_execute("BEGIN").await.expect("begun");
                    let head = client.query_one(&lock, &[]).await.expect("a head");
                    let (size, offset): (i64, i64) = (head.get(0), head.get(1));
                    let hash = blake3::hash(&size.to_le_bytes()).as_bytes().to_vec();
                    let end = offset + EVENT as i64 + 1;
                    client.execute(&insert, &[&1i64, &size, &hash, &end, &"evidence.recorded", &bytes]).await.expect("a row");
                    client.execute(&update, &[&(size + 1), &hash, &end]).await.expect("a head");
                    client.batch_execute("COMMIT").await.expect("committed");
                    done += 1;
                }
                done
            }
        });
        rate(tasks).await
    }

    /// One row a transaction, no head, everybody at once.
    pub(crate) async fn single(&self, turn: Duration) -> f64 {
        let tasks = self.clients.iter().map(|client| {
            let (client, next) = (Arc::clone(client), Arc::clone(&self.next));
            async move {
                let insert = client.prepare(INSERT).await.expect("a statement");
                let (bytes, began, mut done) = (vec![7u8; EVENT], Instant::now(), 0u64);
                while began.elapsed() < turn {
                    let seq = next.fetch_add(1, Ordering::Relaxed) as i64;
                    let hash = blake3::hash(&seq.to_le_bytes()).as_bytes().to_vec();
                    client
                        .execute(&insert, &[&2i64, &seq, &hash, &seq, &"evidence.recorded", &bytes])
                        .await
                        .expect("a row");
                    done += 1;
                }
                done
            }
        });
        rate(tasks).await
    }

    /// A thousand rows a statement, one client.
    pub(crate) async fn bulk(&self, turn: Duration) -> f64 {
        let client = &self.clients[0];
        let sql = "INSERT INTO bench.events (ledger_id, seq, hash, end_offset, type, bytes) \
                   SELECT 3, * FROM unnest($1::bigint[], $2::bytea[], $3::bigint[], $4::text[], $5::bytea[])";
        let insert = client.prepare(sql).await.expect("a statement");
        let (began, mut done) = (Instant::now(), 0u64);
        while began.elapsed() < turn {
            let first = self.next.fetch_add(BULK as u64, Ordering::Relaxed) as i64;
            let seqs: Vec<i64> = (first..first + BULK).collect();
            let hashes: Vec<Vec<u8>> =
                seqs.iter().map(|seq| blake3::hash(&seq.to_le_bytes()).as_bytes().to_vec()).collect();
            let kinds = vec!["evidence.recorded"; seqs.len()];
            let bytes = vec![vec![7u8; EVENT]; seqs.len()];
            client.execute(&insert, &[&seqs, &hashes, &seqs, &kinds, &bytes]).await.expect("rows");
            done += BULK as u64;
        }
        done as f64 / began.elapsed().as_secs_f64()
    }
}

async fn rate(tasks: impl Iterator<Item = impl Future<Output = u64> + Send + 'static>) -> f64 {
    let began = Instant::now();
    let tasks: Vec<_> = tasks.map(tokio::spawn).collect();
    let mut done = 0;
    for task in tasks {
        done += task.await.expect("a client ends in order");
    }
    done as f64 / began.elapsed().as_secs_f64()
}
