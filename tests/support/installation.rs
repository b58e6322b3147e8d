//! `sealbook serve` as it is installed, with everything around it in the test's hands: it reaches its Postgres through a
//! proxy, and is killed and started again while database and token stay.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use sealbook::http::token::{Token, TokenKind};
use tempfile::TempDir;

use crate::api::Api;
use crate::postgres::Postgres;
use crate::programs::{program, run};
use crate::proxy::Proxy;
use crate::server::Reachable;
use crate::token::TokenFile;
use crate::{port, token, waiting};

/// The token's PIN.
const PIN: &str = "of no secret";

/// Between two looks at a server that starts: starting takes a fraction of a second, and is done again and again.
const LOOK: Duration = Duration::from_millis(5);

/// The server and what it stands on; all of it ends with this.
pub struct Installation {
    /// Its Postgres.
    pub postgres: Postgres,
    /// What lies between the two.
    pub proxy: Proxy,
    port: u16,
    softhsm: PathBuf,
    token: TokenFile,
    environment: Vec<(String, String)>,
    running: Option<Child>,
    /// When it was told to start, and how much it had logged until its last attempt.
    started: Instant,
    logged: usize,
    // Last: the folder goes after the processes.
    folder: TempDir,
}

impl Installation {
    /// Prepares everything and starts the server.
    pub fn start() -> Self {
        Self::prepare(None, &token::module(), Vec::new())
    }

    /// The same with another PKCS#11 module, which finds these variables in its environment.
    pub fn start_with(module: &Path, environment: Vec<(String, String)>) -> Self {
        Self::prepare(None, module, environment)
    }

    /// The same with the cluster in a new folder that the test chose, which stays as short as a socket's path has to be.
    pub fn start_on(cluster: &Path) -> Self {
        Self::prepare(Some(cluster), &token::module(), Vec::new())
    }

    fn prepare(cluster: Option<&Path>, module: &Path, environment: Vec<(String, String)>) -> Self {
        // Short, for a socket's path has at most 107 bytes; open to the user that Postgres runs as.
        let folder = tempfile::Builder::new().prefix("sb-").tempdir_in("/tmp").unwrap();
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        let at = |name: &str| folder.path().join(name);
        let postgres = Postgres::start(cluster.unwrap_or(&at("pg")));
        let proxy = Proxy::start(&at("proxy"), postgres.socket());
        let held = port::Held::take();
        let port = held.number();
        let host = |folder: &Path| folder.display().to_string().replace('/', "%2F");
        let text = include_str!("installation.toml")
            .replace("@FOLDER@", &folder.path().display().to_string())
            .replace("@PORT@", &port.to_string())
            .replace("@PROXY@", &host(proxy.socket()))
            .replace("@POSTGRES@", &host(postgres.socket()))
            .replace("@MODULE@", &module.display().to_string());
        fs::write(at("sealbook.toml"), text).unwrap();
        private(&at("pin"), PIN);
        private(&at("operator_token"), &Token::draw(TokenKind::Operator).unwrap().reveal());
        postgres.make_roles();
        postgres.sql("CREATE DATABASE sealbook OWNER sealbook_owner");
        let softhsm = token::make(&at("token"), PIN);
        let (running, started, logged) = (None, Instant::now(), 0);
        let token = TokenFile::read(&at("token"));
        let mut made =
            Self { postgres, proxy, port, softhsm, token, environment, running, started, logged, folder };
        run(&mut made.command("migrate")).expect(0);
        made.postgres.sql("CREATE DATABASE blank TEMPLATE sealbook");
        drop(held);
        made.start_again();
        made
    }

    /// Ends the server and starts it with nothing in its database, its data folder or its token.
    pub fn renew(&mut self) {
        self.kill();
        self.postgres.sql("DROP DATABASE sealbook WITH (FORCE)");
        self.postgres.sql("CREATE DATABASE sealbook TEMPLATE blank OWNER sealbook_owner");
        for folder in ["state", "token"] {
            fs::remove_dir_all(self.at(folder)).unwrap();
        }
        self.softhsm = token::make(&self.at("token"), PIN);
        self.token = TokenFile::read(&self.at("token"));
        fs::remove_file(self.at("server.log")).unwrap();
        self.start_again();
    }

    /// Makes up for what SoftHSM does not bear; see [`TokenFile::mend`].
    pub fn mend_token(&self) -> bool {
        self.token.mend()
    }

    /// A file of the installation's.
    pub fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, name: &str) -> Command {
        let mut command = Command::new(program("sealbook"));
        command.env_clear().env("SOFTHSM2_CONF", &self.softhsm).stdin(Stdio::null());
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.arg(name).arg("--config").arg(self.at("sealbook.toml"));
        command
    }

    /// Starts the server after its end, and waits until it is ready; says how long that took.
    #[track_caller]
    pub fn start_again(&mut self) -> Duration {
        let began = Instant::now();
        self.begin_to_start();
        self.wait_until_ready();
        began.elapsed()
    }

    /// Starts the server, whatever becomes of it.
    #[track_caller]
    pub fn begin_to_start(&mut self) {
        self.started = Instant::now();
        self.spawn();
    }

    #[track_caller]
    fn spawn(&mut self) {
        assert!(self.running.is_none(), "the server runs");
        self.logged = fs::metadata(self.at("server.log")).map_or(0, |log| log.len() as usize);
        let log = File::options().create(true).append(true).open(self.at("server.log")).unwrap();
        let mut command = self.command("serve");
        self.running = Some(command.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap());
    }

    /// Waits until a server that was started is ready.
    #[track_caller]
    pub fn wait_until_ready(&mut self) {
        let (began, api) = (Instant::now(), self.api());
        loop {
            let ready = api.try_send("GET", "/readyz", &[], b"");
            let missing = match ready {
                Ok(answer) if answer.status == 200 => return,
                Ok(answer) => answer.text(),
                Err(error) => error.to_string(),
            };
            let ended = self.running.as_mut().unwrap().try_wait().unwrap();
            let taken = || port::was_taken(&self.log()[self.logged..]);
            if ended.is_some() && taken() && self.started.elapsed() < port::PATIENCE {
                self.running = None;
                self.spawn();
                continue;
            }
            assert!(ended.is_none(), "it ended with {ended:?}:\n{}", self.log_end());
            assert!(
                began.elapsed() < waiting::DEADLINE,
                "it does not get ready: {missing}\n{}",
                self.log_end()
            );
            thread::sleep(LOOK);
        }
    }

    /// The server's process.
    pub fn pid(&self) -> Pid {
        Pid::from_child(self.running.as_ref().expect("the server runs"))
    }

    /// The processor time that the server has used since its start, on all cores (proc_pid_stat(5)).
    pub fn processor_time(&self) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid().as_raw_nonzero())).unwrap();
        // After the name in parentheses: state is field 3, utime and stime are 14 and 15, in ticks of 10 ms.
        let fields = stat.rsplit_once(')').unwrap().1.split_whitespace().skip(11).take(2);
        Duration::from_millis(fields.map(|ticks| ticks.parse::<u64>().unwrap() * 10).sum())
    }

    /// Ends it without a chance to do anything (SIGKILL), unless somebody else has.
    pub fn kill(&mut self) {
        if self.running.is_some() {
            let _ = kill_process(self.pid(), Signal::KILL);
            self.ended_within(waiting::DEADLINE).expect("SIGKILL ends it");
        }
    }

    /// How the server ended, which somebody else brings; none if it has not within this time.
    pub fn ended_within(&mut self, deadline: Duration) -> Option<ExitStatus> {
        let (mut child, began) = (self.running.take().expect("the server runs"), Instant::now());
        loop {
            if let Some(status) = child.try_wait().unwrap() {
                return Some(status);
            }
            if began.elapsed() >= deadline {
                self.running = Some(child);
                return None;
            }
            thread::sleep(LOOK);
        }
    }

    /// What it has logged since its first start.
    pub fn log(&self) -> String {
        fs::read_to_string(self.at("server.log")).unwrap_or_default()
    }

    /// The last of what it has logged.
    pub fn log_end(&self) -> String {
        let log = self.log();
        // What was answered to this test's own questions says nothing.
        let lines: Vec<&str> = log.lines().filter(|line| !line.contains("\"route\":\"/readyz\"")).collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }
}

impl Reachable for Installation {
    fn api(&self) -> Api {
        Api::new(self.port)
    }

    fn operator(&self) -> Api {
        let token = fs::read_to_string(self.at("operator_token")).unwrap();
        self.api().with_token(token.trim())
    }

    fn url(&self) -> String {
        "https://sealbook.example.com".to_owned()
    }
}

impl Drop for Installation {
    fn drop(&mut self) {
        // Nothing of it is needed again.
        if let Some(mut child) = self.running.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn private(file: &Path, secret: &str) {
    fs::write(file, format!("{secret}\n")).unwrap();
    fs::set_permissions(file, Permissions::from_mode(0o600)).unwrap();
}
