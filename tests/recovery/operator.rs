//! The operator's commands over a stopped server's folder.

use std::process::Command;

use integration::Server;
use integration::programs::{Ended, program, run};

/// Runs `sealbook NAME --data FOLDER` with more arguments.
pub fn command(server: &Server, name: &str, arguments: &[&str]) -> Ended {
    run(Command::new(program("sealbook")).arg(name).arg("--data").arg(server.data()).args(arguments))
}
