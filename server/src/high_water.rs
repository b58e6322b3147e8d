//! The high-water file: how far a ledger has come, kept outside the database that might forget it (LEDGER_FORMAT §4).
//!
//! One small text file a ledger:
//!
//! ```text
//! sealbook high-water v1
//! origin sealbook.example.com/acme
//! sealed 12 <root, 64 hex digits>
//! contained 14 <chain hash, 64 hex digits>
//! check <SHA-256 of the lines above in the context "sealbook high-water v1\0">
//! ```
//!
//! `sealed` or `contained` is missing until there is one. The check finds torn or edited files; it is no signature.
//! Calls block on the disk: async callers run them on a blocking thread.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use sealbook_ledger::encoding::Hash;
use sealbook_ledger::ids::Origin;

const TITLE: &str = "sealbook high-water v1";
const CONTEXT: &[u8] = b"sealbook high-water v1\0";

/// No well-formed file is longer: an origin of 200 bytes, two marks of 95 and the frame.
const MAX_LEN: u64 = 1024;

/// A size and the hash that belongs to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// Number of events.
    pub size: u64,
    /// The tree's root for a seal, the last event's chain hash for containment.
    pub hash: Hash,
}

/// How far a ledger is known to have come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HighWater {
    /// Written before the HSM signs a checkpoint: size and Merkle root.
    pub sealed: Option<Mark>,
    /// Written before containment is acknowledged, and when the ledger is frozen: size and chain hash.
    pub contained: Option<Mark>,
}

impl HighWater {
    /// How many events are known to have been there.
    pub fn size(&self) -> u64 {
        [self.sealed, self.contained].into_iter().flatten().map(|mark| mark.size).max().unwrap_or(0)
    }
}

/// What is on the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading {
    /// There is no file: a new ledger, or a lost folder. Only an operator knows which.
    Missing,
    /// There is a file, and it says nothing that can be believed.
    Corrupt {
        /// What is wrong with it.
        why: &'static str,
    },
    /// What the file says.
    Present(HighWater),
}

/// A ledger that a folder's files know of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Its name.
    pub origin: Origin,
    /// How many events it is known to have held.
    pub size: u64,
}

/// Why a mark was not written.
#[derive(Debug, thiserror::Error)]
pub enum HighWaterError {
    /// The folder can't be read or written.
    #[error("the high-water file {} can't be {doing}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What was tried.
        doing: &'static str,
        /// The system's error.
        #[source]
        source: io::Error,
    },
    /// The file is damaged: writing over it would hide that.
    #[error("the high-water file {} is damaged: {why}; see docs/operations on restoring it", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The mark lies below, or beside, one that was written before: the database is behind or different.
    #[error("the ledger stands at {offered} events, which contradicts the mark at {known}")]
    Regression {
        /// The size of the mark on the disk.
        known: u64,
        /// The size of the mark that was offered.
        offered: u64,
    },
}

impl HighWaterError {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Io { .. } => "high_water.io",
            Self::Corrupt { .. } => "high_water.corrupt",
            Self::Regression { .. } => "high_water.regression",
        }
    }
}

/// The high-water file of one ledger. One process writes it; its sealer and its sequencers share this value.
#[derive(Debug)]
pub struct HighWaterFile {
    path: PathBuf,
    origin: Origin,
    /// Held across read, compare and write, so that two marks never overwrite each other.
    writing: Mutex<()>,
}

impl HighWaterFile {
    /// The file of a ledger in a folder that exists. Its name is a hash: an origin may hold slashes.
    pub fn new(folder: &Path, origin: Origin) -> Self {
        let name = format!("{}.high-water", Hash::sha256(origin.as_str().as_bytes()));
        Self { path: folder.join(name), origin, writing: Mutex::new(()) }
    }

    /// Every ledger that a folder has a sound file of. A damaged one is its ledger's own trouble, where there is one.
    pub fn all(folder: &Path) -> Result<Vec<Kept>, HighWaterError> {
        let unreadable = |source| HighWaterError::Io { path: folder.to_owned(), doing: "listed", source };
        let mut kept = Vec::new();
        for entry in fs::read_dir(folder).map_err(unreadable)? {
            let path = entry.map_err(unreadable)?.path();
            // Snapshots lie beside them.
            if path.extension().is_none_or(|extension| extension != "high-water") {
                continue;
            }
            let text = fs::read_to_string(path).unwrap_or_default();
            let origin = text.lines().nth(1).and_then(|line| line.strip_prefix("origin ")?.parse().ok());
            let Some(origin) = origin else { continue };
            if let Reading::Present(marks) = Self::new(folder, Origin::clone(&origin)).read()? {
                kept.push(Kept { origin, size: marks.size() });
            }
        }
        Ok(kept)
    }

    /// Where the file lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the file.
    pub fn read(&self) -> Result<Reading, HighWaterError> {
        let mut text = Vec::new();
        match File::open(&self.path).and_then(|file| file.take(MAX_LEN + 1).read_to_end(&mut text)) {
            Ok(_) => Ok(match parse(&text, &self.origin) {
                Ok(marks) => Reading::Present(marks),
                Err(why) => Reading::Corrupt { why },
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Reading::Missing),
            Err(error) => Err(self.io("read", error)),
        }
    }

    /// Records a root that is about to be signed. Durable when this returns.
    pub fn record_sealed(&self, mark: Mark) -> Result<(), HighWaterError> {
        self.raise(mark, |marks| &mut marks.sealed)
    }

    /// Records containment that is about to be acknowledged. Durable when this returns.
    pub fn record_contained(&self, mark: Mark) -> Result<(), HighWaterError> {
        self.raise(mark, |marks| &mut marks.contained)
    }

    fn raise(
        &self,
        mark: Mark,
        which: fn(&mut HighWater) -> &mut Option<Mark>,
    ) -> Result<(), HighWaterError> {
        // The lock guards the file, which is never half-written, so a panic elsewhere leaves nothing to distrust.
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut marks = match self.read()? {
            Reading::Missing => HighWater::default(),
            Reading::Present(marks) => marks,
            Reading::Corrupt { why } => {
                return Err(HighWaterError::Corrupt { path: self.path.clone(), why });
            }
        };
        let slot = which(&mut marks);
        match *slot {
            Some(known) if known == mark => return Ok(()),
            Some(known) if known.size >= mark.size => {
                return Err(HighWaterError::Regression { known: known.size, offered: mark.size });
            }
            Some(_) | None => *slot = Some(mark),
        }
        self.write(&marks)
    }

    fn write(&self, marks: &HighWater) -> Result<(), HighWaterError> {
        let text = render(marks, &self.origin);
        replace(&self.path, &text).map_err(|error| self.io("written", error))
    }

    fn io(&self, doing: &'static str, source: io::Error) -> HighWaterError {
        HighWaterError::Io { path: self.path.clone(), doing, source }
    }
}

/// Replaces a file of this folder: a crash leaves the old one or the new one, and after the return only the new one.
pub(crate) fn replace(path: &Path, text: &str) -> io::Result<()> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".new");
    let mut file = File::create(&temporary)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    // The rename itself is durable only with the folder.
    File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
}

fn render(marks: &HighWater, origin: &Origin) -> String {
    let mut text = format!("{TITLE}\norigin {origin}\n");
    for (name, mark) in [("sealed", marks.sealed), ("contained", marks.contained)] {
        if let Some(Mark { size, hash }) = mark {
            text.push_str(&format!("{name} {size} {hash}\n"));
        }
    }
    let check = Hash::sha256_in_context(CONTEXT, text.as_bytes());
    text.push_str(&format!("check {check}\n"));
    text
}

/// Reads what [`render`] writes, and nothing else: whatever was read has to come out the same when written.
fn parse(bytes: &[u8], origin: &Origin) -> Result<HighWater, &'static str> {
    let text = std::str::from_utf8(bytes).map_err(|_| "it is not text")?;
    let mut marks = HighWater::default();
    for line in text.lines() {
        let slot = match line.split_once(' ') {
            Some(("sealed", mark)) => (&mut marks.sealed, mark),
            Some(("contained", mark)) => (&mut marks.contained, mark),
            Some(_) | None => continue,
        };
        *slot.0 = Some(parse_mark(slot.1).ok_or("a mark is neither a size nor a hash")?);
    }
    if text == render(&marks, origin) {
        Ok(marks)
    } else if text.lines().nth(1) != Some(&format!("origin {origin}")) {
        Err("it belongs to another ledger, or to none")
    } else {
        Err("its check does not match its lines")
    }
}

fn parse_mark(text: &str) -> Option<Mark> {
    let (size, hash) = text.split_once(' ')?;
    Some(Mark { size: size.parse().ok()?, hash: hash.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(size: u64) -> Mark {
        Mark { size, hash: Hash::sha256(&size.to_be_bytes()) }
    }

    fn file(folder: &Path) -> HighWaterFile {
        HighWaterFile::new(folder, "sealbook.example.com/acme".parse().unwrap())
    }

    #[test]
    fn what_is_recorded_is_read_back_by_another_process() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(file(folder.path()).read().unwrap(), Reading::Missing);
        file(folder.path()).record_sealed(mark(3)).unwrap();
        file(folder.path()).record_contained(mark(5)).unwrap();
        let expected = HighWater { sealed: Some(mark(3)), contained: Some(mark(5)) };
        assert_eq!(file(folder.path()).read().unwrap(), Reading::Present(expected));
    }

    #[test]
    fn water_never_falls_nor_changes_its_root() {
        let folder = tempfile::tempdir().unwrap();
        let file = file(folder.path());
        file.record_sealed(mark(3)).unwrap();
        file.record_sealed(mark(3)).unwrap();
        let other_root = Mark { size: 3, hash: Hash::ZERO };
        for bad in [mark(2), other_root] {
            assert_eq!(file.record_sealed(bad).unwrap_err().code(), "high_water.regression");
        }
        file.record_sealed(mark(4)).unwrap();
    }

    #[test]
    fn any_changed_byte_makes_the_file_corrupt_and_it_is_not_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let file = file(folder.path());
        file.record_sealed(mark(7)).unwrap();
        let good = fs::read(file.path()).unwrap();
        for index in 0..good.len() {
            let mut bad = good.clone();
            bad[index] ^= 1;
            fs::write(file.path(), &bad).unwrap();
            assert!(matches!(file.read().unwrap(), Reading::Corrupt { .. }), "byte {index}");
        }
        for cut in 0..good.len() {
            fs::write(file.path(), &good[..cut]).unwrap();
            assert!(matches!(file.read().unwrap(), Reading::Corrupt { .. }), "cut at {cut}");
        }
        assert_eq!(file.record_sealed(mark(8)).unwrap_err().code(), "high_water.corrupt");
    }

    #[test]
    fn a_folder_tells_whose_files_it_holds() {
        let folder = tempfile::tempdir().unwrap();
        file(folder.path()).record_sealed(mark(3)).unwrap();
        file(folder.path()).record_contained(mark(5)).unwrap();
        fs::write(folder.path().join("stray"), "sealbook high-water v1\norigin sealbook.example.com/gone\n")
            .unwrap();
        let origin = "sealbook.example.com/acme".parse().unwrap();
        assert_eq!(HighWaterFile::all(folder.path()).unwrap(), [Kept { origin, size: 5 }]);
    }

    #[test]
    fn another_ledgers_file_is_not_believed() {
        let folder = tempfile::tempdir().unwrap();
        let mine = file(folder.path());
        let other = HighWaterFile::new(folder.path(), "sealbook.example.com/other".parse().unwrap());
        other.record_sealed(mark(1)).unwrap();
        fs::copy(other.path(), mine.path()).unwrap();
        assert!(matches!(mine.read().unwrap(), Reading::Corrupt { .. }));
    }
}
