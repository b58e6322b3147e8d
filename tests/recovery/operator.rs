//! The operator's commands over a stopped server's folder, and starts that are refused.

use std::process::Command;

use integration::Server;
use integration::programs::{Ended, program, run};

/// Runs `sealbook NAME --data FOLDER` with more arguments.
pub fn command(server: &Server, name: &str, arguments: &[&str]) -> Ended {
    run(Command::new(program("sealbook")).arg(name).arg("--data").arg(server.data()).args(arguments))
}

/// Starts a server that is expected to refuse, on the same folder and port, and shows what it said.
#[track_caller]
pub fn refused_start(server: &Server) -> String {
    let listen = format!("127.0.0.1:{}", server.port());
    let ended = command(server, "dev", &["--listen", &listen]);
    assert!(ended.code.is_some_and(|code| code != 0), "{ended:?}");
    format!("{}{}", ended.stdout, ended.stderr)
}
