//! The processes under a server, found by its own folder and signalled by their number.

use std::fs;
use std::path::PathBuf;

use integration::Server;
use rustix::process::{Pid, Signal, kill_process};

/// The folder of the private Postgres' cluster.
pub fn cluster(server: &Server) -> PathBuf {
    server.data().join("postgres/data")
}

/// The postmaster of a server's private Postgres, as its cluster's own file says.
pub fn postmaster(server: &Server) -> Option<Pid> {
    let file = fs::read_to_string(cluster(server).join("postmaster.pid")).ok()?;
    Pid::from_raw(file.lines().next()?.parse().ok()?)
}

/// The postmaster and every process that it started.
pub fn postgres(server: &Server) -> Vec<Pid> {
    let postmaster = postmaster(server).expect("Postgres runs");
    let processes = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let children = processes.filter_map(|entry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
        // The name in parentheses may hold anything; after it come the state and the parent (proc_pid_stat(5)).
        let parent: i32 = stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()?;
        (parent == postmaster.as_raw_nonzero().get()).then(|| Pid::from_raw(pid))?
    });
    std::iter::once(postmaster).chain(children).collect()
}

/// Sends a signal to each; those that are gone need none.
pub fn signal(processes: &[Pid], signal: Signal) {
    for process in processes {
        let _ = kill_process(*process, signal);
    }
}

/// The server's own process.
pub fn server(server: &Server) -> Pid {
    let pid = server.pid().expect("the server runs");
    Pid::from_raw(i32::try_from(pid).unwrap()).unwrap()
}
