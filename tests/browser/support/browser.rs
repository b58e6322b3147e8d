//! One person's browser: a Chromium with a profile of its own.

use std::sync::Arc;

use fantoccini::Client;
use fantoccini::error::CmdError;
use fantoccini::wd::{Capabilities, WebDriverCompatibleCommand};
use http::Method;
use integration::waiting;
use serde_json::{Value, json};
use tempfile::TempDir;
use url::{ParseError, Url};

use super::console::Console;
use super::driver::{self, Driver};
use super::screens::{Album, Theme, View};

/// What every browser is started with. `remote-debugging-pipe`: it ends when the driver is gone, however that went.
/// `no-sandbox`: where tests run as root or in a container, Chromium's sandbox can't be had; it shows only our pages.
const FLAGS: [&str; 14] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-default-apps",
    "--disable-dev-shm-usage",
    "--disable-breakpad",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
    "--lang=en-GB",
];

/// A browser; it ends, and its profile goes, when this is dropped.
pub struct Browser {
    /// Whose it is.
    pub person: String,
    pub(super) client: Client,
    pub(super) console: Console,
    pub(super) album: Arc<Album>,
    // The driver outlives its browsers, the profile the browser.
    _driver: Arc<Driver>,
    _profile: TempDir,
}

impl Browser {
    /// Starts a browser of a desk's size.
    pub fn open(person: &str, album: Arc<Album>) -> Self {
        let driver = Driver::shared();
        let profile = tempfile::Builder::new().prefix("sb-browser-").tempdir().unwrap();
        let client = driver.open(capabilities(&profile));
        let browser = Self {
            person: person.to_owned(),
            client,
            console: Console::default(),
            album,
            _driver: driver,
            _profile: profile,
        };
        browser.show_as(View::DESK, Theme::Light);
        browser
    }

    /// Goes to an address and waits until it has loaded.
    #[track_caller]
    pub fn visit(&self, url: &str) {
        self.done("visit", driver::wait(self.client.goto(url)));
    }

    /// Loads the page again.
    #[track_caller]
    pub fn reload(&self) {
        self.done("reload", driver::wait(self.client.refresh()));
    }

    /// Where it is.
    #[track_caller]
    pub fn url(&self) -> Url {
        self.done("tell its address", driver::wait(self.client.current_url()))
    }

    /// The path of where it is.
    #[track_caller]
    pub fn path(&self) -> String {
        self.url().path().to_owned()
    }

    /// Waits until it is at a path that this accepts.
    #[track_caller]
    pub fn arrives(&self, what: &str, accepts: impl Fn(&str) -> bool) {
        self.until(what, || accepts(&self.path()).then_some(()));
    }

    /// The text of the page as it is shown, spaces folded.
    #[track_caller]
    pub fn text(&self) -> String {
        let text = self.run("return document.body ? document.body.innerText : ''", &[]);
        text.as_str().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// Whether the page shows this text; stylesheets may have changed its case.
    #[track_caller]
    pub fn shows(&self, text: &str) -> bool {
        self.text().to_lowercase().contains(&text.to_lowercase())
    }

    /// Waits until the page shows this text.
    #[track_caller]
    pub fn sees(&self, text: &str) {
        self.until(&format!("“{text}”"), || self.shows(text).then_some(()));
    }

    /// Waits until the page doesn't show this text any more.
    #[track_caller]
    pub fn sees_no_more(&self, text: &str) {
        self.until(&format!("“{text}” to go"), || (!self.shows(text)).then_some(()));
    }

    /// Waits for a condition; a failure tells what the page shows instead.
    #[track_caller]
    pub fn until<T>(&self, what: &str, look: impl FnMut() -> Option<T>) -> T {
        waiting::within(waiting::DEADLINE, look).unwrap_or_else(|| {
            panic!(
                "{} waited in vain for {what} at {}, which shows: {}",
                self.person,
                self.url(),
                self.text()
            )
        })
    }

    /// What a script gives back, e.g. of `return document.title`. A promise is awaited.
    /// It is not subject to the page's policy, for it comes from the driver.
    #[track_caller]
    pub fn run(&self, script: &str, arguments: &[Value]) -> Value {
        self.done("run a script", driver::wait(self.client.execute(script, arguments.to_vec())))
    }

    /// A command of the DevTools protocol.
    #[track_caller]
    pub fn devtools(&self, command: &str, parameters: Value) -> Value {
        self.command(Method::POST, "goog/cdp/execute", Some(json!({ "cmd": command, "params": parameters })))
    }

    /// A command of the session that fantoccini has no function for.
    #[track_caller]
    pub fn command(&self, method: Method, path: &str, body: Option<Value>) -> Value {
        self.done(path, self.try_command(method, path, body))
    }

    /// The same, where it may be refused.
    pub fn try_command(&self, method: Method, path: &str, body: Option<Value>) -> Result<Value, CmdError> {
        let command = Command { method, path: path.to_owned(), body };
        driver::wait(self.client.issue_cmd(command))
    }

    #[track_caller]
    pub(super) fn done<T>(&self, what: &str, result: Result<T, CmdError>) -> T {
        result.unwrap_or_else(|error| panic!("{}'s browser can't {what}: {error}", self.person))
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // One that has ended by itself can't be closed.
        let _ = driver::wait(self.client.clone().close());
    }
}

fn capabilities(profile: &TempDir) -> Capabilities {
    let profile = format!("--user-data-dir={}", profile.path().display());
    let flags: Vec<&str> = FLAGS.into_iter().chain([profile.as_str()]).collect();
    let wanted = json!({
        "browserName": "chrome",
        "goog:chromeOptions": { "args": flags },
        "goog:loggingPrefs": { "browser": "ALL" },
        // A dialog that nobody expects stays, and fails the next command.
        "unhandledPromptBehavior": "ignore",
        "timeouts": { "script": 60_000, "pageLoad": 60_000, "implicit": 0 },
    });
    let Value::Object(wanted) = wanted else { unreachable!("an object was written") };
    wanted
}

/// A command under the session's path.
#[derive(Debug)]
struct Command {
    method: Method,
    path: String,
    body: Option<Value>,
}

impl WebDriverCompatibleCommand for Command {
    fn endpoint(&self, base_url: &Url, session_id: Option<&str>) -> Result<Url, ParseError> {
        base_url.join(&format!("session/{}/{}", session_id.unwrap_or_default(), self.path))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        (self.method.clone(), self.body.as_ref().map(Value::to_string))
    }
}
