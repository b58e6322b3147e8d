//! Who acts, and how: three people with software authenticators, a service with a token, an operator.

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::failure::Failure;
use crate::place::Place;
use crate::programs::{Ended, Programs, words};
use crate::server::Server;

/// Longest wait for what the server does by itself: a few seconds on an idle machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often is looked.
const LOOK: Duration = Duration::from_millis(100);

/// The tenant.
pub(crate) const TENANT: &str = "acme";

/// Somebody in whose name a command acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
    /// A founder.
    Ada,
    /// A founder.
    Grace,
    /// A founder.
    Alan,
    /// The build service.
    Service,
    /// Whoever runs the server.
    Operator,
}

impl Who {
    /// The founders, in the order of their tickets.
    pub(crate) const FOUNDERS: [Self; 3] = [Self::Ada, Self::Grace, Self::Alan];

    /// The name that the story uses.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Ada => "Ada",
            Self::Grace => "Grace",
            Self::Alan => "Alan",
            Self::Service => "build-service",
            Self::Operator => "operator",
        }
    }
}

/// The programs, the folders and the running server.
#[derive(Debug)]
pub(crate) struct Stage {
    // The server ends before its folder goes.
    server: Server,
    programs: Programs,
    place: Place,
}

impl Stage {
    /// Everything is ready to begin.
    pub(crate) fn new(programs: Programs, place: Place, server: Server) -> Self {
        Self { server, programs, place }
    }

    /// The folders.
    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    /// Stops the server and starts it again, with a clock that runs so many days ahead.
    pub(crate) fn restart(&mut self, days_ahead: u16) -> Result<(), Failure> {
        self.server.restart(&self.programs, &self.place, days_ahead)
    }

    /// Asks until the answer is what the story waits for.
    pub(crate) fn ask_until<W: Into<OsString> + Clone>(
        &self,
        who: Who,
        arguments: &[W],
        what: &str,
        holds: impl Fn(&Value) -> bool,
    ) -> Result<Value, Failure> {
        let mut last = Value::Null;
        let held = self.until(what, || {
            last = self.ask(who, arguments.iter().cloned())?;
            Ok(holds(&last).then(|| last.clone()))
        });
        held.map_err(|failure| match failure {
            Failure::Unexpected(what) => Failure::Unexpected(format!("{what}; {last}")),
            other => other,
        })
    }

    /// Looks until there is what the story waits for.
    pub(crate) fn until<T>(
        &self,
        what: &str,
        mut look: impl FnMut() -> Result<Option<T>, Failure>,
    ) -> Result<T, Failure> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = look()? {
                return Ok(found);
            }
            if Instant::now() > deadline {
                let seconds = PATIENCE.as_secs();
                return Err(Failure::Unexpected(format!("not within {seconds} s: {what}")));
            }
            std::thread::sleep(LOOK);
        }
    }

    /// Writes a text into `target/demo/`.
    pub(crate) fn write(&self, name: &str, text: &str) -> Result<(), Failure> {
        let file = self.place.public(name);
        fs::write(&file, text).map_err(Failure::file("write", &file))
    }

    /// Runs the system's openssl; none where there is none.
    pub(crate) fn openssl<W: Into<OsString>>(
        &self,
        arguments: impl IntoIterator<Item = W>,
    ) -> Result<Option<Ended>, Failure> {
        let mut command = Programs::system("openssl");
        match self.programs.run(command.args(words(arguments))) {
            Ok(ended) => Ok(Some(ended)),
            Err(Failure::File { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// The verifier, and the folder with everything, as somebody in the workspace's folder would type them.
    pub(crate) fn typed(&self) -> (String, String) {
        let verify = self.programs.path("sealbook-verify");
        let demo = self.place.public("");
        (self.place.shown(&verify).to_string(), self.place.shown(&demo).to_string())
    }

    /// Stops the server.
    pub(crate) fn end(&self) -> Result<(), Failure> {
        self.server.stop()
    }

    /// Where the server answers.
    pub(crate) fn url(&self) -> String {
        self.server.url()
    }

    /// Keeps the server's folder and the founders' keys for a visit.
    pub(crate) fn keep(&mut self) -> Result<(), Failure> {
        self.place.keep(self.server.port())
    }

    /// The file with somebody's secret.
    pub(crate) fn secret_of(&self, who: Who) -> PathBuf {
        match who {
            Who::Operator => self.server.operator_token(),
            Who::Ada | Who::Grace | Who::Alan | Who::Service => {
                self.place.private(format!("{}.secret", who.name()))
            }
        }
    }

    fn command<W: Into<OsString>>(&self, who: Who, arguments: impl IntoIterator<Item = W>) -> Command {
        let option = match who {
            Who::Ada | Who::Grace | Who::Alan => "--as",
            Who::Service => "--token-file",
            Who::Operator => "--operator-token-file",
        };
        let mut command = self.programs.command("sealbook");
        command.args(words(arguments)).arg(option).arg(self.secret_of(who));
        command.args(["--url", &self.server.url(), "--tenant", TENANT, "--state"]);
        command.arg(self.place.private("sessions"));
        command
    }

    /// Makes a founder's software authenticator.
    pub(crate) fn create_authenticator(&self, who: Who) -> Result<(), Failure> {
        let mut command = self.programs.command("sealbook");
        command.args(["authenticator", "create", "--url", &self.server.url()]).arg(self.secret_of(who));
        self.programs.run(&mut command)?.with_code(0).map(|_| ())
    }

    /// Runs `sealbook` in somebody's name for what people read.
    pub(crate) fn tell<W: Into<OsString>>(
        &self,
        who: Who,
        arguments: impl IntoIterator<Item = W>,
    ) -> Result<String, Failure> {
        Ok(self.programs.run(&mut self.command(who, arguments))?.with_code(0)?.stdout)
    }

    /// Runs `sealbook --json` in somebody's name.
    pub(crate) fn run<W: Into<OsString>>(
        &self,
        who: Who,
        arguments: impl IntoIterator<Item = W>,
    ) -> Result<Ended, Failure> {
        self.programs.run(self.command(who, arguments).arg("--json"))
    }

    /// Does something in somebody's name; the answer.
    pub(crate) fn ask<W: Into<OsString>>(
        &self,
        who: Who,
        arguments: impl IntoIterator<Item = W>,
    ) -> Result<Value, Failure> {
        self.run(who, arguments)?.with_code(0)?.json()
    }

    /// Proposes something; the action's id.
    pub(crate) fn propose<W: Into<OsString>>(
        &self,
        who: Who,
        arguments: impl IntoIterator<Item = W>,
        reason: &str,
    ) -> Result<String, Failure> {
        let arguments = words(arguments).into_iter().chain(words(["--reason", reason, "--yes"]));
        text(&self.ask(who, arguments)?, "action")
    }

    /// Has the others approve somebody's proposal; the action as it ended, which is executed.
    pub(crate) fn approve_as_others(&self, proposer: Who, action: &str) -> Result<Value, Failure> {
        let mut view = Value::Null;
        let others: Vec<Who> = Who::FOUNDERS.into_iter().filter(|who| *who != proposer).collect();
        for (at, who) in others.iter().enumerate() {
            let mut arguments = vec!["action", "approve", action, "--yes"];
            arguments.extend((at + 1 == others.len()).then_some("--wait"));
            view = self.ask(*who, arguments)?;
        }
        match text(&view, "status")?.as_str() {
            "executed" => Ok(view),
            status => Err(Failure::Unexpected(format!("action {action} is {status}, not executed: {view}"))),
        }
    }

    /// Proposes something and has the other two approve it.
    pub(crate) fn by_quorum<W: Into<OsString>>(
        &self,
        proposer: Who,
        arguments: impl IntoIterator<Item = W>,
        reason: &str,
    ) -> Result<Value, Failure> {
        let action = self.propose(proposer, arguments, reason)?;
        self.approve_as_others(proposer, &action)
    }

    /// Runs `sealbook-verify --json`, which has to end with this code; the report.
    pub(crate) fn verify<W: Into<OsString>>(
        &self,
        arguments: impl IntoIterator<Item = W>,
        code: i32,
    ) -> Result<Value, Failure> {
        let mut command = self.programs.command("sealbook-verify");
        self.programs.run(command.args(words(arguments)).arg("--json"))?.with_code(code)?.json()
    }
}

/// A member of an answer that has to be text.
pub(crate) fn text(answer: &Value, name: &str) -> Result<String, Failure> {
    let found = answer.get(name).and_then(Value::as_str).map(str::to_owned);
    found.ok_or_else(|| Failure::Unexpected(format!("an answer has no `{name}`: {answer}")))
}

/// A member of an answer that has to be a number.
pub(crate) fn number(answer: &Value, name: &str) -> Result<u64, Failure> {
    let found = answer.get(name).and_then(Value::as_u64);
    found.ok_or_else(|| Failure::Unexpected(format!("an answer has no number `{name}`: {answer}")))
}
