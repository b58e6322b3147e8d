//! The clocks of a server and of its database, moved ahead together. Each is a clock of its own, and the sequencer holds
//! the one against the other as ever: where only one of them moved, nothing is appended.

use std::io::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use sealbook::clock::{Clock, Hand};
use sealbook::embedded::EmbeddedPostgres;
use tokio_postgres::{Client, NoTls};

/// The role that may replace what the database calls its clock.
const SUPERUSER: &str = "sealbook_superuser";

/// How long the database may take to let it in.
const PATIENCE: Duration = Duration::from_secs(20);

/// Both clocks.
pub struct Clocks {
    hand: Hand,
    database: Client,
}

impl Clocks {
    /// Clocks that stand right.
    pub async fn of(postgres: &EmbeddedPostgres) -> Self {
        let database = superuser(postgres).await;
        let rename = "ALTER FUNCTION pg_catalog.clock_timestamp() RENAME TO right_clock_timestamp";
        database.batch_execute(rename).await.unwrap();
        let clocks = Self { hand: Hand::default(), database };
        clocks.set_database(Duration::ZERO).await;
        clocks
    }

    /// The server's.
    pub fn server(&self) -> Clock {
        self.hand.clock()
    }

    /// Time passes.
    pub async fn advance(&self, by: Duration) {
        let ahead = self.hand.ahead() + by;
        self.set_database(ahead).await;
        self.hand.set_ahead(ahead);
    }

    /// The server's clock alone goes on.
    pub fn advance_server(&self, by: Duration) {
        self.hand.set_ahead(self.hand.ahead() + by);
    }

    /// The database's clock follows the server's.
    pub async fn bring_together(&self) {
        self.set_database(self.hand.ahead()).await;
    }

    async fn set_database(&self, ahead: Duration) {
        let sql = format!(
            "CREATE OR REPLACE FUNCTION pg_catalog.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE \
             AS 'SELECT pg_catalog.right_clock_timestamp() + interval ''{} microseconds'''",
            ahead.as_micros()
        );
        self.database.batch_execute(&sql).await.unwrap();
    }
}

/// Nobody may connect as the superuser, until the test lets itself in.
async fn superuser(postgres: &EmbeddedPostgres) -> Client {
    let mut rules = std::fs::OpenOptions::new().append(true).open(hba_file(postgres)).unwrap();
    writeln!(rules, "local sealbook {SUPERUSER} trust").unwrap();
    let postmaster = Pid::from_raw(postgres.pid().cast_signed()).unwrap();
    kill_process(postmaster, Signal::HUP).unwrap();
    let mut config = postgres.owner_config();
    config.user(SUPERUSER);
    let until = Instant::now() + PATIENCE;
    loop {
        match config.connect(NoTls).await {
            Ok((client, connection)) => {
                tokio::spawn(connection);
                return client;
            }
            Err(error) => assert!(Instant::now() < until, "{error:?}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Where a Postgres was told to look for who may connect.
fn hba_file(postgres: &EmbeddedPostgres) -> PathBuf {
    let line = std::fs::read_to_string(format!("/proc/{}/cmdline", postgres.pid())).unwrap();
    let file = line.split('\0').find_map(|argument| argument.strip_prefix("hba_file="));
    PathBuf::from(file.expect("the server names the file"))
}
