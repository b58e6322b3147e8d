//! A tiny server of pages that a test made itself: what a hostile site, or a page of the harness's own, looks like.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// A browser that says nothing for so long is not waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// The policy of Sealbook's own pages.
pub const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
    connect-src 'self'; font-src 'none'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// What is answered for a path: status, headers and body.
pub struct Page {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

impl Page {
    /// A page of this kind (`text/html`, `text/javascript` …).
    pub fn new(kind: &str, body: impl Into<String>) -> Self {
        let headers = vec![("content-type".to_owned(), format!("{kind}; charset=utf-8"))];
        Self { status: 200, headers, body: body.into() }
    }

    /// There is none.
    pub fn missing() -> Self {
        Self { status: 404, ..Self::new("text/plain", "") }
    }

    /// The same page with another header.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut head = format!(
            "HTTP/1.1 {} .\r\ncontent-length: {}\r\nconnection: close\r\n",
            self.status,
            self.body.len()
        );
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        [head.as_bytes(), b"\r\n", self.body.as_bytes()].concat()
    }
}

/// A request's path and its headers, names in lower case.
pub struct Request {
    /// The path, with its query.
    pub path: String,
    headers: Vec<(String, String)>,
}

impl Request {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// A server on a free port of this machine; it ends when this is dropped.
pub struct Pages {
    port: u16,
    ending: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Pages {
    /// Serves what `answer` says.
    pub fn serve(answer: impl Fn(&Request) -> Page + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let ending = Arc::new(AtomicBool::new(false));
        let (told, answer) = (ending.clone(), Arc::new(answer));
        let thread = thread::spawn(move || {
            for stream in listener.incoming() {
                if told.load(Ordering::Acquire) {
                    return;
                }
                // Browsers open connections on suspicion, and ask nothing over some: none may hold up another.
                let answer = answer.clone();
                thread::spawn(move || stream.and_then(|stream| serve(stream, &*answer)));
            }
        });
        Self { port, ending, thread: Some(thread) }
    }

    /// The address of a path, under a name that browsers hold for secure.
    pub fn url(&self, path: &str) -> String {
        format!("http://localhost:{}{path}", self.port)
    }

    /// The same under another name, which makes it another site than everything at `localhost`.
    pub fn elsewhere(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        self.ending.store(true, Ordering::Release);
        // Wakes the thread, which looks and goes.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn serve(mut stream: TcpStream, answer: &impl Fn(&Request) -> Page) -> std::io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut lines = BufReader::new(&stream).lines();
    let Some(first) = lines.next() else { return Ok(()) };
    let path = first?.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut headers = Vec::new();
    for line in lines {
        let line = line?;
        let Some((name, value)) = line.split_once(':') else { break };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    stream.write_all(&answer(&Request { path, headers }).to_bytes())
}
