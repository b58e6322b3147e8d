//! Documents that people hand to the command line as JSON files: policies.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use serde::de::DeserializeOwned;

use super::failure::Failure;

/// Longest policy file in bytes; the event that records it can hold no more.
const MAX_LEN: u64 = 64 * 1024;

/// Reads a document; `what` says what it should be, e.g. `ledger policy`, and `hint` where to start from.
pub(super) fn read<T: DeserializeOwned>(file: &Path, what: &str, hint: &'static str) -> Result<T, Failure> {
    let mut text = Vec::new();
    let opened = File::open(file).map_err(Failure::file("read", file))?;
    opened.take(MAX_LEN + 1).read_to_end(&mut text).map_err(Failure::file("read", file))?;
    if text.len() as u64 > MAX_LEN {
        return Err(Failure::usage(format!("a policy file has at most {MAX_LEN} bytes"), hint));
    }
    serde_json::from_slice(&text)
        .map_err(|error| Failure::usage(format!("{} is no {what}: {error}", file.display()), hint))
}
