//! The two programs, run as a user would run them.

use std::ffi::{OsStr, OsString};
use std::io::Read;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{PoisonError, mpsc};
use std::time::Duration;

use crate::failure::Failure;
use crate::interruption::{Interruption, SharedChild, terminate};

/// Longest run of one command: far more than the slowest takes.
const DEADLINE: Duration = Duration::from_secs(180);

/// How long a child that was told to end may take.
pub(crate) const GRACE: Duration = Duration::from_secs(20);

/// The programs that were built beside this one.
#[derive(Debug, Clone)]
pub(crate) struct Programs {
    folder: PathBuf,
    interruption: Interruption,
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Ended {
    command: String,
    status: ExitStatus,
    /// Standard output.
    pub(crate) stdout: String,
    /// Standard error.
    pub(crate) stderr: String,
}

impl Ended {
    /// Its exit code; none where a signal ended it.
    pub(crate) fn code(&self) -> Option<i32> {
        self.status.code()
    }
}

impl Programs {
    /// Finds both programs in the folder of this one.
    pub(crate) fn beside_this_one(interruption: Interruption) -> Result<Self, Failure> {
        let this = std::env::current_exe().map_err(Failure::file("find", "this program".as_ref()))?;
        let folder = this.parent().map(Path::to_owned).unwrap_or_default();
        for name in ["sealbook", "sealbook-verify"] {
            if !folder.join(name).is_file() {
                let what = format!("{name} is not in {}: `make demo` builds it first", folder.display());
                return Err(Failure::Unexpected(what));
            }
        }
        Ok(Self { folder, interruption })
    }

    /// A program's file.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// What ends children when the story is interrupted.
    pub(crate) fn interruption(&self) -> &Interruption {
        &self.interruption
    }

    /// A program, in a process group of its own: Ctrl-C at the terminal reaches it through this one. What the user's
    /// environment says to `sealbook` is not for the demonstration.
    pub(crate) fn command(&self, name: &str) -> Command {
        let mut command = Command::new(self.path(name));
        for (variable, _) in std::env::vars_os() {
            if variable.to_string_lossy().starts_with("SEALBOOK_") {
                command.env_remove(variable);
            }
        }
        command.stdin(Stdio::null()).process_group(0);
        command
    }

    /// A program of this machine's.
    pub(crate) fn system(name: &str) -> Command {
        let mut command = Command::new(name);
        command.stdin(Stdio::null()).process_group(0);
        command
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, command: &mut Command) -> Result<Ended, Failure> {
        self.interruption.check()?;
        let line = command_line(command);
        let program = PathBuf::from(command.get_program());
        let spawned = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = spawned.map_err(Failure::file("start", &program))?;
        let (tell, told) = mpsc::channel();
        read_to_end(child.stdout.take(), Stream::Output, tell.clone());
        read_to_end(child.stderr.take(), Stream::Error, tell);
        let child = self.interruption.adopt(child);
        let (mut stdout, mut stderr, mut in_time) = (String::new(), String::new(), true);
        // Ends when both streams are closed, i.e. with the child.
        loop {
            match told.recv_timeout(if in_time { DEADLINE } else { GRACE }) {
                Ok((Stream::Output, text)) => stdout = text,
                Ok((Stream::Error, text)) => stderr = text,
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
                Err(mpsc::RecvTimeoutError::Timeout) if in_time => {
                    in_time = false;
                    terminate(&child);
                }
                Err(mpsc::RecvTimeoutError::Timeout) => kill(&child),
            }
        }
        let status = child.lock().unwrap_or_else(PoisonError::into_inner).wait();
        self.interruption.release(&child);
        self.interruption.check()?;
        let status = status.map_err(Failure::file("wait for", &program))?;
        if !in_time {
            let ended = format!("did not end within {} s", DEADLINE.as_secs());
            return Err(Failure::Program { command: line, ended, stderr });
        }
        Ok(Ended { command: line, status, stdout, stderr })
    }
}

/// Ends a child that does not end in order.
pub(crate) fn kill(child: &SharedChild) {
    // An error says that it has ended.
    let _ = child.lock().unwrap_or_else(PoisonError::into_inner).kill();
}

enum Stream {
    Output,
    Error,
}

fn read_to_end(
    from: Option<impl Read + Send + 'static>,
    stream: Stream,
    tell: mpsc::Sender<(Stream, String)>,
) {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut from) = from {
            // What was read before an error is what there is to show.
            let _ = from.read_to_end(&mut bytes);
        }
        // Nobody listens where the story has ended.
        let _ = tell.send((stream, String::from_utf8_lossy(&bytes).into_owned()));
    });
}

fn command_line(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or_default();
    let words = std::iter::once(program).chain(command.get_args());
    let mut line = words.take(24).map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ");
    if command.get_args().len() >= 24 {
        line.push_str(" …");
    }
    line
}

impl Ended {
    /// The exit code is what the story needs, or the story ends.
    pub(crate) fn with_code(self, wanted: i32) -> Result<Self, Failure> {
        if self.status.code() == Some(wanted) {
            return Ok(self);
        }
        let ended = format!("ended with {}; the story needs exit code {wanted}", self.status);
        let said = if self.stderr.trim().is_empty() { self.stdout } else { self.stderr };
        Err(Failure::Program { command: self.command, ended, stderr: said })
    }

    /// Standard output as JSON.
    pub(crate) fn json(&self) -> Result<serde_json::Value, Failure> {
        self.parse(&self.stdout)
    }

    /// The last line of standard error as JSON: what failed commands say under `--json`.
    pub(crate) fn error_json(&self) -> Result<serde_json::Value, Failure> {
        self.parse(self.stderr.trim_end().lines().last().unwrap_or_default())
    }

    fn parse(&self, text: &str) -> Result<serde_json::Value, Failure> {
        serde_json::from_str(text).map_err(|error| Failure::Program {
            command: self.command.clone(),
            ended: format!("printed no JSON: {error}"),
            stderr: self.stderr.clone(),
        })
    }
}

/// Words of a command line, whatever they are made of.
pub(crate) fn words<T: Into<OsString>>(words: impl IntoIterator<Item = T>) -> Vec<OsString> {
    words.into_iter().map(Into::into).collect()
}
