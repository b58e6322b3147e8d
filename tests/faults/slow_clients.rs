//! Clients that take their time: heads and bodies a byte at a time, sockets that say nothing, bodies that never end, and
//! answers that nobody reads. None of them holds the server for long, and nobody else waits for them.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use integration::Server;

use crate::load::site;

/// A connection that a slow client holds; whether the server has ended it.
struct Slow {
    stream: TcpStream,
    reads: bool,
    ended: bool,
}

impl Slow {
    fn open(port: u16, beginning: &[u8]) -> std::io::Result<Self> {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.write_all(beginning)?;
        stream.set_nonblocking(true)?;
        Ok(Self { stream, reads: true, ended: false })
    }

    /// Sends a little more, and looks whether the server has hung up.
    fn trickle(&mut self, bytes: &[u8]) {
        let mut answer = [0; 4096];
        // One that never reads notices the end when it writes.
        let read = if self.reads { self.stream.read(&mut answer) } else { Err(ErrorKind::WouldBlock.into()) };
        match read {
            Ok(0) => self.ended = true,
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => self.ended = true,
        }
        if !bytes.is_empty() && !self.ended {
            match self.stream.write(bytes) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) => self.ended = true,
            }
        }
    }
}

impl Drop for Slow {
    fn drop(&mut self) {
        let _ = self.stream.shutdown(Shutdown::Both);
    }
}

/// Longest that the server keeps anybody who does not come to an end: its deadlines are ten seconds, and fifteen for who
/// doesn't read, which the system looks at now and then.
const PATIENCE: Duration = Duration::from_secs(40);

#[test]
fn what_never_ends_is_ended_by_the_server() {
    let server = Server::start();
    let (tenant, service) = site(&server);
    let token = service.api.token().unwrap();
    let post = |path: &str, authorization: &str, length: &str| {
        format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\n{authorization}content-type: application/json\r\n{length}\r\n\r\n"
        )
    };
    let ours = format!("authorization: Bearer {token}\r\n");
    let sign = tenant.path("/slots/release/sign");
    let chunked = "transfer-encoding: chunked";
    let flood = [b"4000\r\n".as_slice(), &[b' '; 0x4000], b"\r\n"].concat();
    let cases: Vec<(&str, String, &[u8])> = vec![
        ("nothing at all", String::new(), b""),
        ("a head a byte at a time", "GET /healthz HTTP/1.1\r\nx: ".to_owned(), b"x"),
        ("a body a byte at a time", post(&sign, &ours, "content-length: 100000"), b" "),
        ("chunks a byte at a time", post(&sign, &ours, chunked), b"1\r\n \r\n"),
        ("a flood without end", post(&sign, &ours, chunked), &flood),
        ("a body that nobody reads, by a stranger", post(&sign, "", "content-length: 100000"), b" "),
        ("a body that nobody reads, at no path", post("/nothing", "", chunked), b"1\r\n \r\n"),
        ("a flood that nobody reads", post("/nothing", "", chunked), &flood),
        (
            "a body of a request that takes none",
            post("/healthz", "", chunked).replacen("POST", "GET", 1),
            b"1\r\n \r\n",
        ),
    ];
    let mut open: Vec<(&str, Slow, &[u8])> = cases
        .into_iter()
        .map(|(what, beginning, more)| (what, Slow::open(server.port(), beginning.as_bytes()).unwrap(), more))
        .collect();
    let asks = "GET /openapi.json HTTP/1.1\r\nhost: localhost\r\n\r\n".repeat(100);
    let mut deaf = Slow::open(server.port(), asks.as_bytes()).unwrap();
    deaf.reads = false;
    open.push(("answers that nobody reads", deaf, asks.as_bytes()));
    let began = Instant::now();
    while !open.is_empty() && began.elapsed() < PATIENCE {
        for (what, slow, more) in &mut open {
            slow.trickle(more);
            if slow.ended {
                println!("{what}: ended after {:?}", began.elapsed());
            }
        }
        open.retain(|(_, slow, _)| !slow.ended);
        std::thread::sleep(Duration::from_millis(50));
    }
    let left: Vec<&str> = open.iter().map(|(what, ..)| *what).collect();
    assert!(left.is_empty(), "not ended within {PATIENCE:?}: {left:?}");
}
