//! `sealbook`: the server and its client in one binary.

use std::process::ExitCode;

use clap::Parser as _;
use sealbook::cli::Cli;

fn main() -> ExitCode {
    Cli::parse().run().into()
}
