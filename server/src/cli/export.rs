//! `sealbook export`: the whole ledger as a bundle that verifies offline.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::context::Context;
use super::failure::Failure;
use super::output::{fields, printable};

/// Longest wait for the latest events to be sealed, in milliseconds.
const SEAL_WAIT_MS: u32 = 10_000;

/// What is read at once, in bytes.
const CHUNK: usize = 64 * 1024;

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
    let stream = context.caller()?.stream(&context.path(&format!("/export{wait}"))?)?;
    let template = match stream.length {
        Some(_) => "{bar:30} {bytes}/{total_bytes} ({eta} left)",
        None => "{spinner} {bytes} ({bytes_per_sec})",
    };
    let bar = context.out.progress(stream.length.unwrap_or(0), template);
    let mut beside = OsString::from(&command.out);
    beside.push(".part");
    let beside = PathBuf::from(beside);
    let copied = copy(stream.reader, &beside, |bytes| bar.inc(bytes));
    bar.finish_and_clear();
    let complete = copied.and_then(|size| match stream.length {
        Some(length) if length != size => {
            Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the export broke off"))
        }
        Some(_) | None => fs::rename(&beside, &command.out).map(|()| size),
    });
    let size = complete.map_err(|source| {
        // Half an export is of no use; this error outranks the removal's.
        let _ = fs::remove_file(&beside);
        Failure::File { doing: "write", path: command.out.clone(), source }
    })?;
    context.out.show(&json!({"file": command.out, "size": size}), || {
        fields(&[
            ("wrote", printable(&command.out.display().to_string())),
            ("bytes", size.to_string()),
            ("check it", "sealbook-verify FILE --vkey @PINNED.vkey --founding @PINNED.founding".to_owned()),
        ])
    })
}

fn copy(mut from: Box<dyn io::Read>, to: &std::path::Path, mut progress: impl FnMut(u64)) -> io::Result<u64> {
    let mut file = File::create(to)?;
    let mut chunk = vec![0; CHUNK];
    let mut size = 0;
    loop {
        let length = match from.read(&mut chunk) {
            Ok(0) => break,
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        file.write_all(&chunk[..length])?;
        size += length as u64;
        progress(length as u64);
    }
    file.sync_all()?;
    Ok(size)
}
