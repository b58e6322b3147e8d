//! Clients that take their time: heads and bodies a byte at a time, sockets that say nothing, bodies that never end, and
//! answers that nobody reads. None of them holds the server for long, and nobody else waits for them.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use integration::tenant::{Service, sha256};
use integration::{Server, Tenant, waiting};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The slot that signs.
const SLOT: &str = "release";

/// One measures while the other waits.
static TURN: Mutex<()> = Mutex::new(());

/// A tenant with one slot, and a service that may use it.
fn site(server: &Server) -> (Tenant, Service) {
    let tenant = Tenant::founded(server, 2);
    tenant.slot(SLOT, "ecdsa-p256-sha256");
    let service = tenant.service(&[SLOT]);
    (tenant, service)
}

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
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
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

/// Sockets that rest, and clients that trickle.
const IDLE: usize = 10_000;
const TRICKLING: usize = 200;

/// Signers at once, and how long each measurement lasts. Quiet and besieged are measured in turn, and the middle p99 of
/// each counts: one stall of a noisy machine is in every signer's p99 of its turn.
const SIGNERS: usize = 4;
const LASTS: Duration = Duration::from_millis(1500);
const TURNS: usize = 7;

/// A besieged p99 up to this is good enough, whatever the quiet one is: the ratio of two short times says more of the
/// machine's other work than of the server.
const FLOOR: Duration = Duration::from_millis(500);

/// Files that the server may hold beside those of before a siege: signers and Postgres have connections too.
const OTHERS: usize = 50;

/// Most memory that the siege may cost: some 17 KiB a socket, and bodies of at most 1 MiB.
const MEMORY: u64 = 256 * 1024 * 1024;

/// A siege that goes on until it is dropped.
struct Siege {
    /// How many sockets rest.
    idle: usize,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Siege {
    /// Takes up its positions, and holds them.
    fn begin(port: u16, trickling: &[String]) -> Self {
        let resting = rested(port);
        let idle = resting.len();
        let beginnings = trickling.to_vec();
        let again = move |n: usize| Slow::open(port, beginnings[n % beginnings.len()].as_bytes()).ok();
        let mut slow: Vec<Option<Slow>> = (0..TRICKLING).map(&again).collect();
        let stop: Arc<AtomicBool> = Arc::default();
        let stopping = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            // Each sends a byte every half second, one after the other and not all at once.
            for n in (0..TRICKLING).cycle() {
                if stopping.load(Ordering::Relaxed) {
                    break;
                }
                match &mut slow[n] {
                    Some(held) if !held.ended => held.trickle(b" "),
                    one => *one = again(n),
                }
                std::thread::sleep(Duration::from_millis(500) / TRICKLING as u32);
            }
            drop(resting);
        });
        Self { idle, stop, thread: Some(thread) }
    }
}

impl Drop for Siege {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

/// Sockets that were used once and then say nothing: unlike those that never said anything, which are closed after ten
/// seconds, they are kept for more than a minute.
fn rested(port: u16) -> Vec<TcpStream> {
    const AT_ONCE: usize = 16;
    let open = |_| {
        let mut socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
        socket.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
        assert!(socket.read(&mut [0; 1024]).unwrap() > 0);
        socket
    };
    std::thread::scope(|scope| {
        let share = idle() / AT_ONCE;
        let threads: Vec<_> =
            (0..AT_ONCE).map(|_| scope.spawn(move || (0..share).map(open).collect::<Vec<_>>())).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    })
}

/// As many idle sockets as this process and the server may have.
fn idle() -> usize {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).unwrap();
    let files = limit.maximum.map_or(usize::MAX, |files| usize::try_from(files).unwrap());
    IDLE.min(files.saturating_sub(2 * TRICKLING + 600))
}

/// What a line of a process' status says, in bytes.
fn memory(pid: u32, line: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let kib = status
        .lines()
        .find_map(|text| text.strip_prefix(line)?.trim_start_matches(':').split_whitespace().next());
    kib.unwrap().parse::<u64>().unwrap() * 1024
}

/// How many files and sockets a process holds open.
fn open_files(pid: u32) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count()
}

/// How long signatures take, one after the other, for a while.
fn latencies(tenant: &Tenant, service: &Service) -> Vec<Duration> {
    let began = Instant::now();
    let sign = |signer: usize| {
        let mut took = Vec::new();
        for n in 0.. {
            if began.elapsed() > LASTS {
                break;
            }
            let asked = Instant::now();
            tenant.sign(service, SLOT, &sha256(format!("{began:?} {signer} {n}").as_bytes())).expect(200);
            took.push(asked.elapsed());
        }
        took
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..SIGNERS).map(|signer| scope.spawn(move || sign(signer))).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    })
}

fn p99(mut took: Vec<Duration>) -> Duration {
    took.sort_unstable();
    took[took.len() * 99 / 100]
}

#[test]
fn ten_thousand_idle_sockets_and_slow_clients_hardly_slow_anybody_else_down() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let server = Server::start();
    let (tenant, service) = site(&server);
    let (pid, token) = (server.pid().unwrap(), service.api.token().unwrap());
    let sign = tenant.path("/slots/release/sign");
    let body = |length: &str| {
        format!(
            "POST {sign} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\n\
             {length}\r\n\r\n"
        )
    };
    let trickling = [
        "GET /healthz HTTP/1.1\r\nx: ".to_owned(),
        body("content-length: 100000"),
        body("transfer-encoding: chunked") + "ffff\r\n",
    ];
    latencies(&tenant, &service);
    let before = memory(pid, "VmRSS");
    let (mut quiet, mut besieged) = (Vec::new(), Vec::new());
    let mut most = before;
    for _ in 0..TURNS {
        quiet.push(p99(latencies(&tenant, &service)));
        let files = open_files(pid);
        let siege = Siege::begin(server.port(), &trickling);
        let accepted = || open_files(pid) >= files + siege.idle;
        waiting::until("every socket to be accepted", || accepted().then_some(()));
        besieged.push(p99(latencies(&tenant, &service)));
        most = most.max(memory(pid, "VmRSS"));
        drop(siege);
        waiting::until("every socket to be closed", || (open_files(pid) <= files + OTHERS).then_some(()));
    }
    let middle = |turns: &mut Vec<Duration>| {
        turns.sort_unstable();
        turns[TURNS / 2]
    };
    let (quiet_p99, besieged_p99) = (middle(&mut quiet), middle(&mut besieged));
    let ratio = besieged_p99.as_secs_f64() / quiet_p99.as_secs_f64();
    println!(
        "slow clients: p99 {quiet:?} quiet, {besieged:?} beside {} idle sockets and {TRICKLING} that trickle ({ratio:.2}); \
         {} MiB before, {} MiB at most",
        idle(),
        before >> 20,
        most >> 20
    );
    assert!(ratio <= 2.0 || besieged_p99 <= FLOOR, "{ratio:.2}, {besieged_p99:?}");
    assert!(most - before < MEMORY, "{before} → {most}");
    tenant.verified();
}
