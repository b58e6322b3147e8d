//! `sealbook receipt`: the proof that an event is in the ledger.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde_json::json;

use super::context::Context;
use super::failure::Failure;
use super::output::{fields, printable};
use crate::client::Call;

/// Longest wait that the server grants, in milliseconds.
const MAX_WAIT_MS: u64 = 10_000;

/// Fetch the receipt of an event: a C2SP tlog-proof that stands alone
#[derive(Debug, Args)]
pub struct ReceiptCommand {
    /// The event
    seq: u64,
    /// The file to write; the receipt is printed if absent
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Longest wait for the event to be sealed, in seconds
    #[arg(long, default_value_t = 30, value_name = "SECONDS")]
    wait: u64,
}

/// Runs the command.
pub fn run(command: &ReceiptCommand, context: &Context) -> Result<(), Failure> {
    let wait = Duration::from_secs(command.wait);
    let wait_ms = command.wait.saturating_mul(1000).min(MAX_WAIT_MS);
    let path = context.path(&format!("/receipts/{}?wait_ms={wait_ms}", command.seq))?;
    let receipt =
        context.caller()?.text(&Call::get(path).within(wait + Duration::from_millis(MAX_WAIT_MS)))?;
    match &command.out {
        None if context.out.is_json() => {
            context.out.show(&json!({"seq": command.seq, "receipt": receipt}), String::new)
        }
        None => context.out.line(super::output::printable_lines(&receipt).trim_end()),
        Some(file) => {
            std::fs::write(file, &receipt).map_err(Failure::file("write", file))?;
            context.out.show(&json!({"seq": command.seq, "file": file}), || {
                fields(&[("wrote", printable(&file.display().to_string()))])
            })
        }
    }
}
