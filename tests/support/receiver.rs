//! A receiver of webhooks on the loopback address: it answers as it is told, and keeps what it was sent.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use serde_json::Value;

/// How long a request may take to arrive; its sender is on the same machine.
const DEADLINE: Duration = Duration::from_secs(30);

/// What a receiver answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// A status, with no more to say.
    Status(u16),
    /// Go elsewhere.
    Redirect(String),
}

/// A request that arrived, and how it was answered.
#[derive(Debug, Clone)]
pub struct Received {
    /// Its path.
    pub path: String,
    /// Its headers, by lower-case name.
    pub headers: BTreeMap<String, String>,
    /// Its body.
    pub body: Vec<u8>,
    /// The answer.
    pub answer: Answer,
}

impl Received {
    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// What tells repetitions apart.
    #[track_caller]
    pub fn delivery(&self) -> &str {
        &self.headers["sealbook-delivery"]
    }

    /// Whether it was answered with a 2xx.
    pub fn was_accepted(&self) -> bool {
        matches!(self.answer, Answer::Status(200..=299))
    }
}

/// A running receiver; it ends with the process.
pub struct Receiver {
    address: SocketAddr,
    answer: Arc<Mutex<Answer>>,
    received: Arc<Mutex<Vec<Received>>>,
}

impl Receiver {
    /// Starts one.
    pub fn start(answer: Answer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let receiver = Self {
            address: listener.local_addr().unwrap(),
            answer: Arc::new(Mutex::new(answer)),
            received: Arc::default(),
        };
        let (answer, received) = (Arc::clone(&receiver.answer), Arc::clone(&receiver.received));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (answer, received) = (Arc::clone(&answer), Arc::clone(&received));
                thread::spawn(move || serve(&stream, &answer, &received));
            }
        });
        receiver
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it answers from now on.
    pub fn answer(&self, answer: Answer) {
        *self.answer.lock().unwrap_or_else(PoisonError::into_inner) = answer;
    }

    /// What it was sent so far.
    pub fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Reads one request and answers it. What can't be read was cut off by its sender, and counts as nothing.
fn serve(stream: &TcpStream, answer: &Mutex<Answer>, received: &Mutex<Vec<Received>>) -> Option<()> {
    stream.set_read_timeout(Some(DEADLINE)).ok()?;
    let mut reader = BufReader::new(stream);
    let line = |reader: &mut BufReader<&TcpStream>| -> Option<String> {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        Some(line.trim_end().to_owned())
    };
    let path = line(&mut reader)?.split(' ').nth(1)?.to_owned();
    let mut headers = BTreeMap::new();
    loop {
        let header = line(&mut reader)?;
        let Some((name, value)) = header.split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let mut body = vec![0; headers.get("content-length")?.parse().ok()?];
    reader.read_exact(&mut body).ok()?;
    let answer = answer.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let (status, location) = match &answer {
        Answer::Status(status) => (*status, String::new()),
        Answer::Redirect(to) => (307, format!("location: {to}\r\n")),
    };
    received.lock().unwrap_or_else(PoisonError::into_inner).push(Received { path, headers, body, answer });
    let text =
        format!("HTTP/1.1 {status} As told\r\n{location}content-length: 0\r\nconnection: close\r\n\r\n");
    let mut stream = stream;
    stream.write_all(text.as_bytes()).ok()
}
