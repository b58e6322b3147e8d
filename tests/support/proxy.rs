//! A proxy between a server and its Postgres, which stops at a statement that a test names: there it kills a process,
//! cuts the connection, or hangs. The server knows nothing of it.

mod wire;

use std::collections::{HashMap, VecDeque};
use std::io::{self, BufReader, BufWriter, Write as _};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::postgres::PORT;
pub use wire::Statement;
use wire::{Message, Session};

/// Where a statement is when its trap springs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Moment {
    /// Here, and not with Postgres.
    Arrived,
    /// On its way to Postgres; whether it arrives in time, nobody knows.
    Forwarded,
    /// Done by Postgres, whose answer is here and not with the server.
    Answered,
    /// Done, and the server has the answer.
    Relayed,
}

/// What a trap does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Kills a process (SIGKILL) and cuts the connection.
    Kill(Pid),
    /// Cuts the connection.
    Cut,
    /// Passes nothing on any more in the direction that it was caught in, until the proxy ends or [`Proxy::let_go`].
    Hang,
}

/// Whether a statement, after those of its transaction, is meant.
pub type Meant = Box<dyn Fn(&Statement, &[Statement]) -> bool + Send>;

/// A trap for a statement.
pub struct Trap {
    /// Which statements are meant.
    pub meant: Meant,
    /// How many of them pass before.
    pub after: usize,
    /// Where it springs.
    pub moment: Moment,
    /// What it does.
    pub act: Act,
}

/// A trap that was set: it springs once, and is taken away with this.
pub struct Snare {
    shared: Arc<Shared>,
    number: u64,
    sprung: Arc<Sprung>,
}

impl Snare {
    /// Whether it has sprung.
    pub fn has_sprung(&self) -> bool {
        *lock(&self.sprung.0)
    }

    /// Waits until it has sprung; false if it has not within this time.
    pub fn wait(&self, deadline: Duration) -> bool {
        let sprung = lock(&self.sprung.0);
        let waited = self.sprung.1.wait_timeout_while(sprung, deadline, |sprung| !*sprung);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

impl Drop for Snare {
    fn drop(&mut self) {
        lock(&self.shared.traps).retain(|set| set.number != self.number);
    }
}

type Sprung = (Mutex<bool>, Condvar);

/// The proxy; connections through it end with it.
pub struct Proxy {
    folder: PathBuf,
    shared: Arc<Shared>,
}

struct Shared {
    upstream: PathBuf,
    traps: Mutex<Vec<Set>>,
    next: AtomicU64,
    open: Mutex<HashMap<u64, [UnixStream; 2]>>,
    /// Whether connections that hang go on hanging.
    hanging: (Mutex<bool>, Condvar),
    ended: AtomicBool,
}

struct Set {
    number: u64,
    trap: Trap,
    left: usize,
    sprung: Arc<Sprung>,
}

/// A trap that a statement has stepped into, to spring at its moment.
struct Caught {
    moment: Moment,
    act: Act,
    sprung: Arc<Sprung>,
}

impl Proxy {
    /// Listens in a new folder, as Postgres would in its own.
    pub fn start(folder: &Path, postgres: &Path) -> Self {
        std::fs::create_dir(folder).unwrap();
        let socket = |folder: &Path| folder.join(format!(".s.PGSQL.{PORT}"));
        let listener = UnixListener::bind(socket(folder)).unwrap();
        let shared = Arc::new(Shared {
            upstream: socket(postgres),
            traps: Mutex::default(),
            next: AtomicU64::new(0),
            open: Mutex::default(),
            hanging: (Mutex::new(true), Condvar::new()),
            ended: AtomicBool::new(false),
        });
        let accepting = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if accepting.ended.load(Ordering::Relaxed) {
                    break;
                }
                let shared = Arc::clone(&accepting);
                thread::spawn(move || shared.serve(client));
            }
        });
        Self { folder: folder.to_owned(), shared }
    }

    /// The folder of its socket: what a server takes for Postgres'.
    pub fn socket(&self) -> &Path {
        &self.folder
    }

    /// Sets a trap.
    pub fn set(&self, trap: Trap) -> Snare {
        let number = self.shared.next.fetch_add(1, Ordering::Relaxed);
        let sprung = Arc::new((Mutex::new(false), Condvar::new()));
        let set = Set { number, left: trap.after, trap, sprung: Arc::clone(&sprung) };
        lock(&self.shared.traps).push(set);
        Snare { shared: Arc::clone(&self.shared), number, sprung }
    }

    /// Has connections that hang end, and later ones hang no more.
    pub fn let_go(&self) {
        *lock(&self.shared.hanging.0) = false;
        self.shared.hanging.1.notify_all();
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Relaxed);
        self.let_go();
        for streams in lock(&self.shared.open).values() {
            streams.iter().for_each(end);
        }
        // Wakes the listener.
        let _ = UnixStream::connect(self.folder.join(format!(".s.PGSQL.{PORT}")));
    }
}

impl Shared {
    /// One connection, until either side ends it.
    fn serve(self: Arc<Self>, client: UnixStream) {
        // A Postgres that is not there is seen as a connection that ends.
        let Ok(postgres) = UnixStream::connect(&self.upstream) else { return };
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let both = [client.try_clone().unwrap(), postgres.try_clone().unwrap()];
        lock(&self.open).insert(number, both.each_ref().map(|stream| stream.try_clone().unwrap()));
        let connection = Connection { shared: Arc::clone(&self), units: Mutex::default() };
        thread::scope(|scope| {
            scope.spawn(|| {
                let _ = connection.forward(&client, &postgres);
                both.iter().for_each(end);
            });
            let _ = connection.relay(&postgres, &client);
            both.iter().for_each(end);
        });
        lock(&self.open).remove(&number);
    }

    /// The trap that a statement steps into.
    fn catch(&self, statement: &Statement, before: &[Statement]) -> Option<Caught> {
        let mut traps = lock(&self.traps);
        let meant: Vec<usize> =
            (0..traps.len()).filter(|&at| (traps[at].trap.meant)(statement, before)).collect();
        let springs = meant.iter().copied().find(|&at| traps[at].left == 0);
        for at in meant {
            traps[at].left = traps[at].left.saturating_sub(1);
        }
        let set = traps.remove(springs?);
        Some(Caught { moment: set.trap.moment, act: set.trap.act, sprung: set.sprung })
    }

    fn spring(&self, caught: &Caught) -> io::Error {
        if let Act::Kill(pid) = caught.act {
            // One that has ended meanwhile needs no signal.
            let _ = kill_process(pid, Signal::KILL);
        }
        *lock(&caught.sprung.0) = true;
        caught.sprung.1.notify_all();
        if caught.act == Act::Hang {
            let hanging = lock(&self.hanging.0);
            drop(self.hanging.1.wait_while(hanging, |hanging| *hanging));
        }
        io::Error::other("cut by a trap")
    }
}

/// A connection through the proxy.
struct Connection {
    shared: Arc<Shared>,
    /// What the server will be told "ready" after, in order, each with the trap that springs then.
    units: Mutex<VecDeque<Option<Caught>>>,
}

impl Connection {
    /// From the server to Postgres.
    fn forward(&self, client: &UnixStream, postgres: &UnixStream) -> io::Result<()> {
        let (mut from, mut to) = (BufReader::new(client), BufWriter::new(postgres));
        loop {
            let first = Message::read_first(&mut from)?;
            if matches!(first.code(), wire::TLS | wire::GSS) {
                (&*client).write_all(b"N")?;
                continue;
            }
            if first.code() != wire::CANCEL {
                lock(&self.units).push_back(None);
            }
            to.write_all(&first.bytes)?;
            to.flush()?;
            break;
        }
        let (mut session, mut caught) = (Session::default(), None);
        loop {
            let message = Message::read(&mut from)?;
            if let Some(statement) = session.follow(&message) {
                let sprung = self.shared.catch(&statement, &session.transaction);
                if let Some(caught) = sprung.as_ref().filter(|caught| caught.moment == Moment::Arrived) {
                    return Err(self.shared.spring(caught));
                }
                caught = sprung.or(caught);
                session.remember(statement);
            }
            let ends = wire::ends_a_unit(&message);
            let forwarded = caught.take_if(|caught| ends && caught.moment == Moment::Forwarded);
            if ends {
                lock(&self.units).push_back(caught.take());
            }
            to.write_all(&message.bytes)?;
            if from.buffer().is_empty() || forwarded.is_some() {
                to.flush()?;
            }
            if let Some(caught) = forwarded {
                return Err(self.shared.spring(&caught));
            }
        }
    }

    /// From Postgres to the server. What a trap waits for is kept back until all of it is here.
    fn relay(&self, postgres: &UnixStream, client: &UnixStream) -> io::Result<()> {
        const READY: u8 = b'Z';
        let (mut from, mut to) = (BufReader::new(postgres), BufWriter::new(client));
        let mut kept = Vec::new();
        loop {
            let message = Message::read(&mut from)?;
            let waits = matches!(lock(&self.units).front(), Some(Some(_)));
            if waits && message.tag != READY {
                kept.extend_from_slice(&message.bytes);
                continue;
            }
            let unit = if message.tag == READY { lock(&self.units).pop_front().flatten() } else { None };
            if let Some(caught) = unit.as_ref().filter(|caught| caught.moment == Moment::Answered) {
                return Err(self.shared.spring(caught));
            }
            to.write_all(&kept)?;
            kept.clear();
            to.write_all(&message.bytes)?;
            if from.buffer().is_empty() || unit.is_some() {
                to.flush()?;
            }
            if let Some(caught) = unit {
                return Err(self.shared.spring(&caught));
            }
        }
    }
}

/// Ends both directions; one that has ended already needs no end.
fn end(stream: &UnixStream) {
    let _ = stream.shutdown(Shutdown::Both);
}

/// No panic leaves a half-changed value behind these locks.
fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
