//! `sealbook export`: the whole ledger as a bundle that verifies offline.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::context::Context;
use super::download;
use super::failure::Failure;
use super::output::{fields, printable};

/// Longest wait for the latest events to be sealed, in milliseconds.
const SEAL_WAIT_MS: u32 = 10_000;

/// Export the ledger as a bundle for offline verification
#[derive(Debug, Args)]
pub struct ExportCommand {
    /// The file to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Wait until the latest events are sealed, so that they are in it
    #[arg(long)]
    wait: bool,
}

/// Runs the command.
pub fn run(command: &ExportCommand, context: &Context) -> Result<(), Failure> {
    let wait = if command.wait { format!("?wait_ms={SEAL_WAIT_MS}") } else { String::new() };
    let size = download::save(context, &context.path(&format!("/export{wait}"))?, &command.out)?;
    context.out.show(&json!({"file": command.out, "size": size}), || {
        fields(&[
            ("wrote", printable(&command.out.display().to_string())),
            ("bytes", size.to_string()),
            ("check it", "sealbook-verify FILE --vkey @PINNED.vkey --founding @PINNED.founding".to_owned()),
        ])
    })
}
