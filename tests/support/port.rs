//! Ports of this machine's for servers that are started later.

use std::net::TcpListener;
use std::time::Duration;

/// How long a start is tried again while somebody else has the port: connections of other processes come from the same
/// ports, and end soon.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A port that nobody else gets until this is dropped, which is to be done right before its use.
pub struct Held(TcpListener);

impl Held {
    /// Takes a port that is free.
    pub fn take() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").unwrap())
    }

    /// Its number.
    pub fn number(&self) -> u16 {
        self.0.local_addr().unwrap().port()
    }
}

/// Whether a server that has ended says, in what it logged since it was started, that its address was taken.
pub fn was_taken(log: &str) -> bool {
    log.contains("can't be listened on")
}
