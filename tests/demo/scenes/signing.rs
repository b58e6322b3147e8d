//! Real files of this machine are signed, a third with each slot.

use std::fs;
use std::path::{Path, PathBuf};

use crate::failure::Failure;
use crate::index::Entry;
use crate::scenes::slots::Slot;
use crate::stage::{Stage, Who};

/// Where the files are taken from.
const SOURCE: &str = "/usr/bin";

/// How many files are signed.
const FILES: usize = 300;

/// How many are signed at once: a receipt waits for its seal, and one seal serves all that wait.
const JOBS: &str = "16";

/// The signed files, in the order of their names.
#[derive(Debug)]
pub(crate) struct Signed {
    /// What the index says of each.
    pub(crate) entries: Vec<Entry>,
}

/// Signs the files and writes the index.
pub(crate) fn sign_files(stage: &Stage, slots: &[Slot]) -> Result<(String, Signed), Failure> {
    let files = choose()?;
    let mut entries = Vec::with_capacity(files.len());
    for (at, slot) in slots.iter().enumerate() {
        let share: Vec<&PathBuf> = files.iter().skip(at).step_by(slots.len()).collect();
        let folder = Path::new("signatures").join(slot.name);
        let outcomes = sign(stage, slot.name, &share, &folder)?;
        for outcome in outcomes.as_array().into_iter().flatten() {
            entries.push(Entry::of(stage.place(), slot, outcome)?);
        }
    }
    entries.sort_by(|a, b| a.file.cmp(&b.file));
    if entries.len() != files.len() {
        let what = format!("{} files were to be signed, {} were", files.len(), entries.len());
        return Err(Failure::Unexpected(what));
    }
    Entry::write_index(&entries, &stage.place().public("signatures/index.json"))?;
    Ok((
        format!(
            "{} files of {SOURCE} are signed, {} with each key",
            entries.len(),
            entries.len() / slots.len()
        ),
        Signed { entries },
    ))
}

/// Signs files with a slot; what `sealbook sign` leaves goes to a folder of `target/demo/`.
pub(crate) fn sign(
    stage: &Stage,
    slot: &str,
    files: &[&PathBuf],
    folder: &Path,
) -> Result<serde_json::Value, Failure> {
    let mut arguments: Vec<PathBuf> =
        ["sign", "--slot", slot, "--jobs", JOBS, "--artifact-version", "1.0", "--out"].map(Into::into).into();
    arguments.push(stage.place().public(folder));
    arguments.extend(files.iter().map(|file| file.to_path_buf()));
    stage.ask(Who::Service, arguments)
}

/// The first files by name that are regular (no links), not empty, and that this user can read.
fn choose() -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    for entry in fs::read_dir(SOURCE).map_err(Failure::file("list", SOURCE.as_ref()))? {
        let entry = entry.map_err(Failure::file("list", SOURCE.as_ref()))?;
        let metadata = entry.metadata().map_err(Failure::file("look at", &entry.path()))?;
        // The index and the receipts carry names as text.
        let named = entry.file_name().to_str().is_some();
        if metadata.is_file() && metadata.len() > 0 && named && fs::File::open(entry.path()).is_ok() {
            files.push(entry.path());
        }
    }
    files.sort();
    files.truncate(FILES);
    if files.len() < FILES {
        let what =
            format!("{SOURCE} has {} readable regular files; the demonstration signs {FILES}", files.len());
        return Err(Failure::Unexpected(what));
    }
    Ok(files)
}
