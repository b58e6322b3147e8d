//! A throwaway Postgres for this test binary: a Unix socket in a short folder, fsync on, gone with the last test.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use sealbook::store::{Store, StoreConfig, Transport, migrate};
use tempfile::TempDir;

/// Postgres does not run as root: there it runs as this account of the distribution's package.
const ACCOUNT: &str = "postgres";

/// A running server. Dropping it stops the server and removes its files.
pub struct Cluster {
    folder: TempDir,
    server: Mutex<Option<Server>>,
    databases: AtomicU32,
}

struct Server {
    stop: Sender<()>,
    keeper: JoinHandle<()>,
}

/// True for a test that may mount file systems.
pub fn is_root() -> bool {
    let answer = Command::new("id").arg("-u").output().unwrap();
    answer.stdout.trim_ascii() == b"0"
}

impl Cluster {
    /// The server that the tests of this binary share, as long as any of them runs.
    pub fn shared() -> Arc<Self> {
        static SHARED: Mutex<Weak<Cluster>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(cluster) = shared.upgrade() {
            return cluster;
        }
        let cluster = Arc::new(Self::start_new());
        *shared = Arc::downgrade(&cluster);
        cluster
    }

    /// A server of a test's own, to be stopped and started.
    pub fn start_new() -> Self {
        // Socket paths are limited to 107 bytes.
        let folder = tempfile::Builder::new().prefix("sb-pg-").tempdir_in("/tmp").unwrap();
        hand_over(folder.path());
        let cluster = Self { folder, server: Mutex::new(None), databases: AtomicU32::new(0) };
        let made = as_account("initdb")
            .args(["--username=admin", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "-D"])
            .arg(cluster.data())
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        cluster.start();
        cluster
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Starts the server and returns when it answers.
    pub fn start(&self) {
        let mut command = as_account("postgres");
        command.arg("-D").arg(self.data()).arg("-k").arg(self.folder.path());
        command.args(["-c", "listen_addresses=", "-c", "fsync=on", "-c", "max_connections=200"]);
        let log = fs::File::create(self.folder.path().join("log")).unwrap();
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let (stop, stopped) = channel();
        // The server dies with the thread that started it, so that thread lives as long as the server should.
        let keeper = std::thread::spawn(move || keep(command, &stopped));
        *self.server.lock().unwrap_or_else(PoisonError::into_inner) = Some(Server { stop, keeper });
        let deadline = Instant::now() + Duration::from_secs(60);
        while !self.answers() {
            let log = || fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            assert!(Instant::now() < deadline, "Postgres does not answer: {}", log());
            std::thread::yield_now();
        }
    }

    fn answers(&self) -> bool {
        let ready = Command::new(binary("pg_isready")).arg("-q").arg("-h").arg(self.folder.path()).status();
        ready.unwrap().success()
    }

    /// Stops the server as a crash would.
    pub fn stop(&self) {
        let server = self.server.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Server { stop, keeper }) = server {
            drop(stop);
            keeper.join().unwrap();
        }
    }

    /// How to reach a database of this server in some role.
    pub fn config(&self, database: &str, role: &str) -> StoreConfig {
        let mut postgres = tokio_postgres::Config::new();
        postgres.host_path(self.folder.path()).dbname(database).user(role);
        StoreConfig::new(postgres, Transport::Plain)
    }

    /// A migrated database of a test's own.
    pub async fn database(self: &Arc<Self>) -> Database {
        // Odd on purpose: nothing may depend on a database's name.
        let name = format!("Seal \"book\" {}", self.databases.fetch_add(1, Ordering::Relaxed));
        provision(&self.config("postgres", "admin"), &name).await;
        assert_eq!(migrate::migrate(&self.config(&name, "admin")).await.unwrap(), 5);
        let store = Store::open(self.config(&name, "sealbook_app")).unwrap();
        Database { name, store, cluster: self.clone() }
    }
}

/// One at a time: two tests that make the roles together would collide.
async fn provision(config: &StoreConfig, name: &str) {
    static ONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
    let _one = ONE.lock().await;
    migrate::provision(config, name).await.unwrap();
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A database, and a store on it in the runtime's role.
pub struct Database {
    pub name: String,
    pub store: Store,
    pub cluster: Arc<Cluster>,
}

impl Database {
    /// A plain connection in some role, with the store's search path.
    pub async fn client(&self, role: &str) -> tokio_postgres::Client {
        let config = self.cluster.config(&self.name, role).postgres;
        let (client, connection) = config.connect(tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        client.batch_execute("SET search_path = sealbook, pg_temp").await.unwrap();
        client
    }
}

/// Runs the server until it is told to stop.
fn keep(mut command: Command, stopped: &Receiver<()>) {
    let mut child = command.spawn().unwrap();
    // Ends with an error when the sender is dropped, which is the signal.
    let _ = stopped.recv();
    // SIGQUIT: immediate shutdown, recovery at the next start.
    let told = Command::new("kill").args(["-QUIT", &child.id().to_string()]).status().unwrap();
    assert!(told.success());
    child.wait().unwrap();
}

/// A program of Postgres, run as the unprivileged account and killed with its starter.
fn as_account(program: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]);
    if is_root() {
        command.args(["--reuid", ACCOUNT, "--regid", ACCOUNT, "--init-groups"]);
    }
    command.arg(binary(program));
    command.env("LC_ALL", "C");
    command
}

/// The newest installed Postgres' programs.
fn binary(program: &str) -> PathBuf {
    let mut versions: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            Some((path.file_name()?.to_str()?.parse().ok()?, path))
        })
        .collect();
    versions.sort();
    match versions.pop() {
        Some((_, path)) => path.join("bin").join(program),
        None => PathBuf::from(program),
    }
}

/// Makes a folder the account's own.
pub fn hand_over(folder: &Path) {
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).unwrap();
    if is_root() {
        let owner = Command::new("chown").arg(format!("{ACCOUNT}:{ACCOUNT}")).arg(folder).status().unwrap();
        assert!(owner.success());
    }
}
