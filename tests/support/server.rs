//! The built server in development mode, in a folder and on a port of its own.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::api::Api;
use crate::programs::program;
use crate::{port, waiting};

/// Another process may take a port between its choice and its use.
const ATTEMPTS: usize = 5;

/// What the server prints once it serves.
const READY: &str = "Sealbook is ready after";

/// The server that the tests of one binary share, for as long as one of them runs.
static SHARED: Mutex<Weak<Server>> = Mutex::new(Weak::new());

/// Where tenants are founded.
pub trait Reachable {
    /// The API, without a token.
    fn api(&self) -> Api;
    /// The API, as the operator.
    fn operator(&self) -> Api;
    /// The URL that people know it by, which is also the web origin of their assertions.
    fn url(&self) -> String;
}

/// How to start a server.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// More arguments for `sealbook dev`.
    pub arguments: Vec<String>,
    /// Variables of its environment.
    pub environment: Vec<(String, String)>,
}

/// A server; it ends, and its folder goes, when this is dropped.
pub struct Server {
    options: Options,
    port: u16,
    running: Option<Child>,
    starts: usize,
    data: PathBuf,
    // Last: the folder goes after the process.
    folder: TempDir,
}

impl Server {
    /// The server that the tests of this binary share. It ends with the last test that holds it.
    pub fn shared() -> Arc<Self> {
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        shared.upgrade().unwrap_or_else(|| {
            let server = Arc::new(Self::start());
            *shared = Arc::downgrade(&server);
            server
        })
    }

    /// A server of the test's own.
    pub fn start() -> Self {
        Self::start_with(Options::default())
    }

    /// A server of the test's own, started in some way.
    pub fn start_with(options: Options) -> Self {
        Self::start_at(None, options)
    }

    /// A server of the test's own, whose data lie in a folder that the test chose.
    pub fn start_in(data: &Path, options: Options) -> Self {
        Self::start_at(Some(data.to_owned()), options)
    }

    fn start_at(data: Option<PathBuf>, options: Options) -> Self {
        // Short, for a socket's path has at most 107 bytes; open to the user that Postgres runs as.
        let folder = tempfile::Builder::new().prefix("sb-").tempdir().unwrap();
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        let data = data.unwrap_or_else(|| folder.path().join("data"));
        let mut server = Self { options, port: 0, running: None, starts: 0, data, folder };
        for _ in 0..ATTEMPTS {
            server.port = port::Held::take().number();
            if server.try_start().is_ok() {
                return server;
            }
        }
        panic!("the server does not start:\n{}", server.logs());
    }

    /// Starts again on the same folder and port after it has ended.
    #[track_caller]
    pub fn start_again(&mut self) {
        assert!(self.running.is_none(), "the server runs");
        let began = Instant::now();
        while let Err(status) = self.try_start() {
            // People know it by this port: there is no other for it.
            let again = port::was_taken(&self.last_log()) && began.elapsed() < port::PATIENCE;
            assert!(again, "the server ended with {status}:\n{}", self.logs());
        }
    }

    /// The same, started in another way.
    #[track_caller]
    pub fn start_again_with(&mut self, options: Options) {
        self.options = options;
        self.start_again();
    }

    /// Starts it and waits until it serves, or has ended.
    fn try_start(&mut self) -> Result<(), ExitStatus> {
        self.starts += 1;
        let log = File::create(self.log_file()).unwrap();
        let child = Command::new(program("sealbook"))
            .args(["dev", "--data"])
            .arg(self.data())
            .args(["--listen", &format!("127.0.0.1:{}", self.port)])
            .args(&self.options.arguments)
            .envs(self.options.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        // From here on the child ends with `self`, whatever happens below.
        self.running = Some(child);
        let ended = waiting::until("the server to be ready", || {
            let ended = self.running.as_mut().unwrap().try_wait().unwrap();
            let ready = || self.last_log().contains(READY).then_some(None);
            ended.map(Some).or_else(ready)
        });
        match ended {
            Some(status) => {
                self.running = None;
                Err(status)
            }
            None => Ok(()),
        }
    }

    /// Asks it to stop (SIGTERM) and waits for its end, which is to be in order.
    #[track_caller]
    pub fn stop(&mut self) {
        let mut child = self.running.take().expect("the server runs");
        signal(&child, Signal::TERM);
        let status = ended(&mut child, waiting::DEADLINE);
        let logs = self.logs();
        assert!(status.is_some_and(|status| status.success()), "it ended with {status:?}:\n{logs}");
    }

    /// Ends it without a chance to do anything (SIGKILL).
    #[track_caller]
    pub fn kill(&mut self) {
        let mut child = self.running.take().expect("the server runs");
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Holds it still (SIGSTOP) until it is killed or resumed; what it has started beside itself goes on.
    pub fn suspend(&self) {
        signal(self.running.as_ref().expect("the server runs"), Signal::STOP);
    }

    /// Lets it go on (SIGCONT).
    pub fn resume(&self) {
        signal(self.running.as_ref().expect("the server runs"), Signal::CONT);
    }

    /// The process id, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.running.as_ref().map(Child::id)
    }

    /// The API, without a token.
    pub fn api(&self) -> Api {
        Api::new(self.port)
    }

    /// The API, as the operator.
    pub fn operator(&self) -> Api {
        let token = fs::read_to_string(self.operator_token_file()).unwrap();
        self.api().with_token(token.trim())
    }

    /// The file that holds the operator's token.
    pub fn operator_token_file(&self) -> PathBuf {
        self.data().join("cli/operator.token")
    }

    /// The URL that people know it by, which is also the web origin of their assertions.
    pub fn url(&self) -> String {
        let apart = self.options.arguments.iter().any(|argument| argument == "--separate-sign-in");
        let host = if apart { "approve.sealbook.localhost" } else { "localhost" };
        format!("http://{host}:{}", self.port)
    }

    /// The port that it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its data folder.
    pub fn data(&self) -> PathBuf {
        self.data.clone()
    }

    /// A folder for the test's own files, gone with the server.
    pub fn scratch(&self) -> &Path {
        self.folder.path()
    }

    /// Everything that it has logged since it first started.
    pub fn logs(&self) -> String {
        let logs = (1..=self.starts).map(|n| fs::read_to_string(self.log_of(n)).unwrap_or_default());
        logs.collect()
    }

    /// What it has logged since it last started.
    pub fn last_log(&self) -> String {
        fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    fn log_file(&self) -> PathBuf {
        self.log_of(self.starts)
    }

    fn log_of(&self, start: usize) -> PathBuf {
        self.folder.path().join(format!("server-{start}.log"))
    }
}

impl Reachable for Server {
    fn api(&self) -> Api {
        self.api()
    }

    fn operator(&self) -> Api {
        self.operator()
    }

    fn url(&self) -> String {
        self.url()
    }
}

impl Reachable for Arc<Server> {
    fn api(&self) -> Api {
        self.as_ref().api()
    }

    fn operator(&self) -> Api {
        self.as_ref().operator()
    }

    fn url(&self) -> String {
        self.as_ref().url()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let Some(mut child) = self.running.take() else { return };
        signal(&child, Signal::TERM);
        if ended(&mut child, waiting::DEADLINE).is_none() {
            eprintln!("the server did not stop when it was asked to:\n{}", self.logs());
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn signal(child: &Child, signal: Signal) {
    // One that has ended by itself meanwhile is not there to be asked.
    let _ = kill_process(Pid::from_child(child), signal);
}

fn ended(child: &mut Child, deadline: Duration) -> Option<ExitStatus> {
    waiting::within(deadline, || child.try_wait().unwrap())
}
