//! `sealbook verify`: runs `sealbook-verify`, the very program that auditors run.

use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::process::Command as Process;

use clap::Args;

use super::failure::Failure;

/// Verify a bundle, a receipt or a signed file offline: `sealbook-verify` with the same arguments
#[derive(Debug, Args)]
#[command(disable_help_flag = true)]
pub struct VerifyCommand {
    /// See `sealbook-verify --help`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENTS")]
    arguments: Vec<OsString>,
}

/// Replaces this process by the verifier that lies beside it.
pub fn run(command: &VerifyCommand) -> Result<(), Failure> {
    let itself =
        std::env::current_exe().map_err(|error| Failure::operate("this program's own file", error))?;
    let beside = itself.with_file_name("sealbook-verify");
    let program = if beside.is_file() { beside.into_os_string() } else { "sealbook-verify".into() };
    let error = Process::new(program).args(&command.arguments).exec();
    Err(Failure::operate("sealbook-verify can't be run; it is installed beside sealbook", error))
}
