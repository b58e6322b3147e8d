//! A whole deployment: database, token, certificates, secrets in files, and the configuration that names them.

use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Instant;

use integration::programs::{Ended, program, run};
use integration::{Api, port, token, waiting};
use rustix::process::{Pid, Signal, kill_process};
use sealbook::http::token::{Token, TokenKind};
use serde_json::Value;
use tempfile::TempDir;

use crate::authority::Authority;
use crate::database::Database;

/// The domain that people visit.
pub const DOMAIN: &str = "sealbook.example.com";

/// The variable that holds the PIN where the configuration says `pin_env`.
pub const PIN_VARIABLE: &str = "PRODUCTION_PIN";

/// A configuration on disk, and what it speaks of; all of it goes with this.
pub struct Deployment {
    /// Secrets by what they are: none of them may ever be seen outside its file.
    secrets: Vec<(&'static str, String)>,
    port: u16,
    softhsm: PathBuf,
    authority: Authority,
    pub database: Database,
    // Last: the folder goes after the processes.
    folder: TempDir,
}

/// `sealbook serve`, running.
pub struct Serving {
    child: Child,
    log: PathBuf,
    /// When it was told to start, and how much its log had until its last attempt.
    started: Instant,
    logged: usize,
}

impl Deployment {
    /// Everything that an operator prepares, before the first migration.
    pub fn prepare() -> Self {
        // Short, for a socket's path has at most 107 bytes; open to the user that Postgres runs as.
        let folder = tempfile::Builder::new().prefix("sb-").tempdir_in("/tmp").unwrap();
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        let at = |name: &str| folder.path().join(name);
        let authority = Authority::new(&at("ca"));
        let names = ["admin_password", "app_password", "deployer_password", "pin", "operator_token"];
        let secrets = names.map(|name| (name, draw(name)));
        for (name, secret) in &secrets {
            private(&at(name), secret);
        }
        let secret = |wanted: &str| secrets.iter().find(|(name, _)| *name == wanted).unwrap().1.as_str();
        let names = ["DNS:localhost", &format!("DNS:{DOMAIN}")];
        let certified = authority.certify("database", &names[..1]);
        let database = Database::start(&at("pg"), &certified, secret("admin_password"));
        database.provision(secret("app_password"), secret("deployer_password"));
        let listener = authority.certify("listener", &names);
        let softhsm = token::make(&at("token"), secret("pin"));
        let port = port::Held::take().number();
        let text = include_str!("sealbook.toml")
            .replace("@FOLDER@", &folder.path().display().to_string())
            .replace("@PORT@", &port.to_string())
            .replace("@DATABASE_PORT@", &database.port().to_string())
            .replace("@MODULE@", &token::module().display().to_string())
            .replace("@CERT@", &listener.cert.display().to_string())
            .replace("@KEY@", &listener.key.display().to_string());
        fs::write(at("sealbook.toml"), text).unwrap();
        let secrets = secrets.into_iter().collect();
        Self { secrets, port, softhsm, authority, database, folder }
    }

    /// A file of the deployment's.
    pub fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A secret by the name of its file.
    pub fn secret(&self, wanted: &str) -> &str {
        &self.secrets.iter().find(|(name, _)| *name == wanted).unwrap().1
    }

    /// Writes another secret into one's file.
    pub fn write_secret(&self, name: &str, secret: &str) {
        private(&self.at(name), secret);
    }

    /// Changes the configuration.
    #[track_caller]
    pub fn reconfigure(&self, from: &str, to: &str) {
        let file = self.at("sealbook.toml");
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.contains(from), "the configuration has gone stale: {from}");
        fs::write(file, text.replacen(from, to, 1)).unwrap();
    }

    /// Where its listener is, under the name that the test's authority has certified.
    pub fn url(&self) -> String {
        format!("https://localhost:{}", self.port)
    }

    /// The test's authority, for a server that is to know it.
    pub fn root(&self) -> PathBuf {
        self.authority.root()
    }

    /// Adds sections at the configuration's end.
    pub fn configure(&self, sections: &str) {
        let mut file = File::options().append(true).open(self.at("sealbook.toml")).unwrap();
        file.write_all(sections.as_bytes()).unwrap();
    }

    /// `GET` of a public route of the server's, through `openssl`, which knows the test's authority alone.
    pub fn get(&self, path: &str) -> String {
        let address = format!("localhost:{}", self.port);
        let mut command = Command::new("openssl");
        command.args(["s_client", "-quiet", "-verify_return_error", "-connect", &address, "-CAfile"]);
        command.arg(self.authority.root()).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
        // Kept open until the answer has ended: with its input's end, `s_client` would end too.
        let mut input = child.stdin.take().unwrap();
        input.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        child.stdout.take().unwrap().read_to_string(&mut answer).unwrap();
        drop(input);
        child.wait().unwrap();
        answer
    }

    /// `sealbook COMMAND… --config FILE`, as the operator on the server's machine; nothing else of the environment.
    pub fn operate<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Command {
        let mut command = Command::new(program("sealbook"));
        command.env_clear().env("SOFTHSM2_CONF", &self.softhsm).stdin(Stdio::null());
        command.args(arguments).arg("--config").arg(self.at("sealbook.toml"));
        command
    }

    /// Runs one of the operator's commands to its end.
    pub fn operated<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Ended {
        run(&mut self.operate(arguments))
    }

    /// Starts the server and waits until it answers.
    pub fn serve(&self) -> Serving {
        self.serve_by(self.operate(["serve"]))
    }

    /// The same, by a command that was changed.
    pub fn serve_by(&self, command: Command) -> Serving {
        self.start(command, || self.missing().map(drop))
    }

    /// The same behind a proxy that ends TLS; the API is asked as that proxy asks it.
    pub fn serve_plainly(&self) -> (Serving, Api) {
        let api = Api::new(self.port);
        let answers = || api.try_send("GET", "/healthz", &[], b"").ok().map(drop);
        (self.start(self.operate(["serve"]), answers), api)
    }

    /// Leaves TLS to a proxy, with another line of configuration beside.
    pub fn goes_behind_a_proxy(&self, line: &str) {
        let text = fs::read_to_string(self.at("sealbook.toml")).unwrap();
        let (before, tls) = text.split_once("[tls]").unwrap();
        let (_, after) = tls.split_once("[custody]").unwrap();
        let text = format!("behind_proxy = true\n{line}\n{before}[custody]{after}");
        fs::write(self.at("sealbook.toml"), text).unwrap();
    }

    fn start(&self, mut command: Command, answers: impl Fn() -> Option<()>) -> Serving {
        let mut serving = Serving::begin(&mut command, self.at("server.log"));
        waiting::until("the server to answer", || {
            serving.goes_on(&mut command);
            answers()
        });
        serving
    }

    /// Another server over the same database and token: its own port and data folder, with the high-water files as they
    /// are now.
    pub fn second(&self) -> Second<'_> {
        self.second_once(|second| (second.client(["doctor"]).code == Some(0)).then_some(()))
    }

    /// The same behind a proxy that ends TLS, as the first is by then.
    pub fn second_plainly(&self) -> (Second<'_>, Api) {
        let second = self.second_once(|second| {
            let asked = Api::new(second.port).try_send("GET", "/readyz", &[], b"");
            asked.ok().filter(|answer| answer.status == 200).map(drop)
        });
        let api = Api::new(second.port);
        (second, api)
    }

    fn second_once(&self, answers: impl Fn(&Second<'_>) -> Option<()>) -> Second<'_> {
        let held = port::Held::take();
        let port = held.number();
        let (first, own) = (self.at("state"), self.at("second-state"));
        run(Command::new("cp").arg("-a").arg(&first).arg(&own)).expect(0);
        let text = fs::read_to_string(self.at("sealbook.toml")).unwrap();
        let text = text.replace(&format!(":{}\"", self.port), &format!(":{port}\""));
        let text = text.replace(&first.display().to_string(), &own.display().to_string());
        fs::write(self.at("second.toml"), text).unwrap();
        let mut command = Command::new(program("sealbook"));
        command.env_clear().env("SOFTHSM2_CONF", &self.softhsm).stdin(Stdio::null());
        command.args(["serve", "--config"]).arg(self.at("second.toml"));
        drop(held);
        let serving = Serving::begin(&mut command, self.at("second.log"));
        let mut second = Second { deployment: self, port, serving };
        waiting::until("the second server to answer", || {
            second.serving.goes_on(&mut command);
            answers(&second)
        });
        second
    }

    /// The command-line client, which knows the test's authority alone. Nobody resolves the domain to this machine, so it
    /// connects to `localhost` and asserts with the domain's origin.
    pub fn client<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Ended {
        self.client_at(&format!("https://localhost:{}", self.port), "state-of-clients", arguments)
    }

    fn client_at<A: AsRef<OsStr>>(
        &self,
        url: &str,
        state: &str,
        arguments: impl IntoIterator<Item = A>,
    ) -> Ended {
        let mut command = Command::new(program("sealbook"));
        command.env_clear().env("SSL_CERT_FILE", self.authority.root()).stdin(Stdio::null());
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("SEALBOOK_STATE", self.at(state));
        command.args(["--json", "--tenant", "acme", "--url", url]);
        run(command.args(["--web-origin", &format!("https://{DOMAIN}")]).args(arguments))
    }

    /// What its servers have logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.at("server.log")).unwrap()
    }

    /// What `/readyz` says is missing; none while the server does not answer.
    pub fn missing(&self) -> Option<String> {
        let checks: Value = serde_json::from_str(&self.client(["doctor"]).stdout).ok()?;
        let checks = checks.as_array()?;
        let readiness = checks.iter().find(|check| check["name"] == "readiness")?;
        Some(readiness["found"].as_str()?.to_owned())
    }

    /// Fails where a secret can be seen in a text.
    #[track_caller]
    pub fn keeps_its_secrets_from(&self, place: &str, text: &str) {
        for (name, secret) in &self.secrets {
            assert!(!text.contains(secret.as_str()), "{place} shows {name}");
        }
    }
}

/// A second server beside the deployment's first.
pub struct Second<'a> {
    deployment: &'a Deployment,
    port: u16,
    serving: Serving,
}

impl Second<'_> {
    /// The command-line client, asking this server.
    pub fn client<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Ended {
        let url = format!("https://localhost:{}", self.port);
        self.deployment.client_at(&url, "state-of-second-clients", arguments)
    }

    /// The same where a proxy would end TLS.
    pub fn plain_client<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Ended {
        let url = format!("http://localhost:{}", self.port);
        self.deployment.client_at(&url, "state-of-second-clients", arguments)
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        self.serving.log()
    }

    /// Asks it to stop and waits for its end.
    pub fn stop(self) -> ExitStatus {
        self.serving.stop()
    }
}

impl Serving {
    fn begin(command: &mut Command, log: PathBuf) -> Self {
        let (child, logged) = Self::attempt(command, &log);
        Self { child, log, started: Instant::now(), logged }
    }

    fn attempt(command: &mut Command, log: &Path) -> (Child, usize) {
        let file = File::options().create(true).append(true).open(log).unwrap();
        let logged = usize::try_from(file.metadata().unwrap().len()).unwrap();
        (command.stdout(file.try_clone().unwrap()).stderr(file).spawn().unwrap(), logged)
    }

    /// Fails where it has ended, unless somebody else has its port for the moment: then it is started again.
    #[track_caller]
    fn goes_on(&mut self, command: &mut Command) {
        let Some(ended) = self.child.try_wait().unwrap() else { return };
        let again = port::was_taken(&self.log()[self.logged..]) && self.started.elapsed() < port::PATIENCE;
        assert!(again, "it ended with {ended:?}:\n{}", self.log());
        (self.child, self.logged) = Self::attempt(command, &self.log);
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// Its arguments, which every user of the machine may see.
    pub fn process(&self) -> String {
        let read = fs::read(format!("/proc/{}/cmdline", self.child.id())).unwrap();
        String::from_utf8_lossy(&read).into_owned()
    }

    /// Ends it at once (SIGKILL): what it was about to do is not done.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to stop (SIGTERM) and waits for its end.
    pub fn stop(mut self) -> ExitStatus {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        waiting::until("the server to stop", || self.child.try_wait().unwrap())
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // Only where a test has failed: one that was stopped is gone.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A secret that is found wherever it is shown.
fn draw(name: &str) -> String {
    let token = Token::draw(TokenKind::Operator).unwrap().reveal();
    match name {
        "operator_token" => token.to_string(),
        _ => token.trim_start_matches("sbo_").to_owned(),
    }
}

fn private(file: &Path, secret: &str) {
    fs::write(file, format!("{secret}\n")).unwrap();
    fs::set_permissions(file, Permissions::from_mode(0o600)).unwrap();
}
