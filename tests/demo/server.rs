//! The demonstration's own `sealbook dev`.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::{ChildStdout, Stdio};
use std::sync::{PoisonError, mpsc};
use std::time::{Duration, Instant};

use crate::failure::Failure;
use crate::interruption::{Interruption, SharedChild, terminate};
use crate::place::Place;
use crate::programs::{GRACE, Programs, kill};

/// Longest wait for the server: a few seconds on an idle machine.
const READY_WITHIN: Duration = Duration::from_secs(90);

/// What `sealbook dev` prints once it answers.
const READY: &str = "Sealbook is ready after";

/// How often a server that ends is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// A running server; it ends with this value.
#[derive(Debug)]
pub(crate) struct Server {
    child: SharedChild,
    interruption: Interruption,
    port: u16,
    data: PathBuf,
}

impl Server {
    /// Starts it on a free port of this machine's loopback, and waits until it answers.
    pub(crate) fn start(programs: &Programs, place: &Place) -> Result<Self, Failure> {
        Self::start_at(free_port()?, programs, place, 0)
    }

    /// Stops it, and starts it again on the same folder and port.
    pub(crate) fn restart(
        &mut self,
        programs: &Programs,
        place: &Place,
        days_ahead: u16,
    ) -> Result<(), Failure> {
        self.stop()?;
        *self = Self::start_at(self.port, programs, place, days_ahead)?;
        Ok(())
    }

    /// Starts it on a port that its people's authenticators know already, with a clock that runs so many days ahead. Its
    /// folder remembers the most that there ever were.
    pub(crate) fn start_at(
        port: u16,
        programs: &Programs,
        place: &Place,
        days_ahead: u16,
    ) -> Result<Self, Failure> {
        programs.interruption().check()?;
        let data = place.private("server");
        let log = place.public("server.log");
        let stderr =
            File::options().create(true).append(true).open(&log).map_err(Failure::file("open", &log))?;
        let mut command = programs.command("sealbook");
        command.args(["dev", "--listen", &format!("127.0.0.1:{port}"), "--data"]).arg(&data);
        command.args(["--days-ahead", &days_ahead.to_string()]);
        let spawned = command.stdout(Stdio::piped()).stderr(stderr).spawn();
        let mut child = spawned.map_err(Failure::file("start", &programs.path("sealbook")))?;
        let said = lines(child.stdout.take());
        let interruption = programs.interruption().clone();
        let child = interruption.adopt(child);
        let server = Self { child, interruption, port, data };
        let deadline = Instant::now() + READY_WITHIN;
        loop {
            match said.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) if line.starts_with(READY) => return Ok(server),
                Ok(_) => {}
                Err(_) => {
                    server.interruption.check()?;
                    let stderr = std::fs::read_to_string(&log).unwrap_or_default();
                    let ended = format!("was not ready within {} s, or ended", READY_WITHIN.as_secs());
                    return Err(Failure::Program { command: "sealbook dev".to_owned(), ended, stderr });
                }
            }
        }
    }

    /// Where it answers.
    pub(crate) fn url(&self) -> String {
        format!("http://localhost:{}", self.port)
    }

    /// The port that it answers on.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The file of its operator's token.
    pub(crate) fn operator_token(&self) -> PathBuf {
        self.data.join("cli/operator.token")
    }

    /// Ends it in order.
    pub(crate) fn stop(&self) -> Result<(), Failure> {
        terminate(&self.child);
        let deadline = Instant::now() + GRACE;
        loop {
            let ended = self.child.lock().unwrap_or_else(PoisonError::into_inner).try_wait();
            match ended.map_err(Failure::file("wait for", "sealbook dev".as_ref()))? {
                Some(_) => {
                    self.interruption.release(&self.child);
                    return Ok(());
                }
                None if Instant::now() < deadline => std::thread::sleep(LOOK),
                None => {
                    kill(&self.child);
                    let what = format!("sealbook dev did not end within {} s", GRACE.as_secs());
                    return Err(Failure::Unexpected(what));
                }
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Whatever brought the story here is told already.
        let _ = self.stop();
    }
}

/// A port that nobody listens on; the system does not hand it out again at once.
fn free_port() -> Result<u16, Failure> {
    let bound = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
    bound.map(|address| address.port()).map_err(Failure::file("find", "a free port of 127.0.0.1".as_ref()))
}

/// The child's lines as they come; read to the end, so that the child never waits for a reader.
fn lines(from: Option<ChildStdout>) -> mpsc::Receiver<String> {
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        let lines = from.into_iter().flat_map(|from| BufReader::new(from).lines()).map_while(Result::ok);
        for line in lines {
            // After the server is ready nobody listens any more.
            let _ = tell.send(line);
        }
    });
    told
}
