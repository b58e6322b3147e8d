//! chromedriver: one process for all browsers of this test binary.

use std::fs::{self, File};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};

use fantoccini::wd::Capabilities;
use fantoccini::{Client, ClientBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use integration::waiting;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

/// What it prints before the port that it chose.
const STARTED: &str = "was started successfully on port ";

/// What it prints where it ends at once.
const GAVE_UP: &str = "Exiting";

/// How often it is started.
const STARTS: usize = 5;

/// Ends chromedriver, and with it its browsers, when standard input ends: when the test process drops its end of the
/// pipe, or dies, however it dies.
const UNTIL_INPUT_ENDS: &str = r#""$@" & driver=$!; read -r _; kill "$driver"; wait "$driver""#;

/// The driver that the tests of this binary share, for as long as one of them needs it.
static SHARED: Mutex<Weak<Driver>> = Mutex::new(Weak::new());

/// fantoccini is asynchronous, the journeys are not: its tasks run here.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    Builder::new_multi_thread().worker_threads(1).enable_all().thread_name("webdriver").build().unwrap()
});

/// Runs one command of the driver to its end.
pub fn wait<T>(work: impl Future<Output = T>) -> T {
    RUNTIME.block_on(work)
}

/// A running chromedriver; it ends when this is dropped.
pub struct Driver {
    process: Child,
    input: Option<ChildStdin>,
    port: u16,
    // Last: its log goes after the process.
    folder: TempDir,
}

impl Driver {
    /// The driver that the tests of this binary share.
    pub fn shared() -> Arc<Self> {
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        shared.upgrade().unwrap_or_else(|| {
            let driver = Arc::new(Self::start());
            *shared = Arc::downgrade(&driver);
            driver
        })
    }

    /// chromedriver takes the port that it chose on IPv4 and on IPv6; where somebody has one of the two it ends, and
    /// another try chooses another port.
    fn start() -> Self {
        let mut launched = std::iter::repeat_with(Self::launch).take(STARTS);
        launched.find_map(Self::started).unwrap_or_else(|| panic!("chromedriver does not start"))
    }

    fn launch() -> Self {
        let folder = tempfile::Builder::new().prefix("sb-driver-").tempdir().unwrap();
        let log = File::create(folder.path().join("log")).unwrap();
        let mut process = Command::new("sh")
            .args(["-c", UNTIL_INPUT_ENDS, "sh", "chromedriver", "--port=0"])
            .stdin(Stdio::piped())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let input = process.stdin.take();
        Self { process, input, port: 0, folder }
    }

    /// Waits until it says where it listens; `None` where it ends instead.
    fn started(mut self) -> Option<Self> {
        let port = waiting::until("chromedriver to start", || {
            let log = self.log();
            assert!(
                !log.contains("not found"),
                "there is no chromedriver: run `tests/prerequisites.sh test`"
            );
            match log.split_once(STARTED).and_then(|(_, rest)| rest.split_once('.')) {
                // Its line is complete.
                Some((port, _)) => Some(port.parse().ok()),
                None => log.contains(GAVE_UP).then_some(None),
            }
        });
        if port.is_none() {
            eprintln!("chromedriver ended at once:\n{}", self.log());
        }
        self.port = port?;
        Some(self)
    }

    /// Starts a browser.
    pub fn open(&self, capabilities: Capabilities) -> Client {
        let mut builder = ClientBuilder::new(HttpConnector::new());
        builder.capabilities(capabilities);
        let address = format!("http://127.0.0.1:{}", self.port);
        wait(builder.connect(&address)).unwrap_or_else(|error| panic!("no browser: {error}\n{}", self.log()))
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        drop(self.input.take());
        if waiting::within(waiting::DEADLINE, || self.process.try_wait().unwrap()).is_none() {
            eprintln!("chromedriver did not end:\n{}", self.log());
            let _ = self.process.kill();
            let _ = self.process.wait();
        }
    }
}
