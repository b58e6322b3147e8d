//! What lies in a release's folder: every file's digest, and the papers' bytes. Nothing outside the folder is read, and no
//! link is followed.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use sealbook_ledger::encoding::Hash;
use sha2::{Digest as _, Sha256};

use super::{
    CHECKSUMS, Code, EVIDENCE, KEY, MAX_ARTIFACTS, MAX_PAPER, MAX_PAPERS, MAX_PAPERS_LEN, OPERATIONS_ENDING,
    PART_ENDING, REVOCATIONS, REVOCATIONS_PROOF, Refusal, SIGNATURE_ENDING, checksums, receipt_seq,
};

/// Most files and folders of a release: each artifact in a folder of its own, and the papers.
const MAX_ENTRIES: usize = 2 * MAX_ARTIFACTS + MAX_PAPERS;

/// What is read of a file at once, in bytes.
const CHUNK: usize = 256 * 1024;

/// A file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// SHA-256 of its bytes.
    pub sha256: Hash,
    /// The bytes of what may be a paper.
    bytes: Option<Vec<u8>>,
}

/// The files of a folder by their names, which are relative and have slashes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contents {
    files: BTreeMap<String, Entry>,
    /// Bytes of papers that are kept.
    kept: u64,
}

/// Why a folder could not be looked through.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// The system refused.
    #[error("can't read {}: {source}", path.display())]
    Io {
        /// What was read.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is no folder of a release.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

/// Whether a file may be a paper, by its name.
fn may_be_paper(name: &str) -> bool {
    let endings = [OPERATIONS_ENDING, ".intoto.json", ".intoto.jsonl", SIGNATURE_ENDING];
    let unsealed = || name.strip_suffix(PART_ENDING).is_some_and(|name| name.ends_with(SIGNATURE_ENDING));
    [CHECKSUMS, EVIDENCE, KEY, REVOCATIONS, REVOCATIONS_PROOF].contains(&name)
        || receipt_seq(name).is_some()
        || !name.contains('/') && (endings.iter().any(|ending| name.ends_with(ending)) || unsealed())
}

impl Contents {
    /// Looks through a folder, in constant memory but for the papers.
    pub fn read(folder: &Path) -> Result<Self, Unreadable> {
        let mut contents = Self::default();
        let mut folders = vec![(folder.to_owned(), String::new())];
        let mut seen = 0;
        while let Some((path, prefix)) = folders.pop() {
            let failed = |source| Unreadable::Io { path: path.clone(), source };
            for entry in fs::read_dir(&path).map_err(failed)? {
                let entry = entry.map_err(failed)?;
                seen += 1;
                if seen > MAX_ENTRIES {
                    let why = format!("a folder of a release holds at most {MAX_ENTRIES} files and folders");
                    return Err(Code::TooLarge.saying(why).into());
                }
                let kind = entry.file_type().map_err(failed)?;
                let shown = entry.file_name().to_string_lossy().into_owned();
                let name = entry.file_name().into_string();
                let name =
                    name.map_err(|_| Code::Name.saying(format!("{prefix}{shown}: a name is UTF-8")))?;
                let name = format!("{prefix}{name}");
                checksums::check_name(&name)?;
                if kind.is_dir() {
                    folders.push((entry.path(), format!("{name}/")));
                } else if kind.is_file() {
                    contents.take(name, &entry.path())?;
                } else {
                    return Err(not_a_file(&name).into());
                }
            }
        }
        Ok(contents)
    }

    fn take(&mut self, name: String, path: &Path) -> Result<(), Unreadable> {
        let failed = |source| Unreadable::Io { path: path.to_owned(), source };
        // What became a link or a pipe since it was listed is neither followed nor waited for.
        let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
        let file = OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        if !metadata.is_file() {
            return Err(not_a_file(&name).into());
        }
        let room = MAX_PAPER.min(MAX_PAPERS_LEN - self.kept);
        let keep = may_be_paper(&name) && metadata.len() <= room;
        let (sha256, bytes) = digest(file, keep.then_some(room)).map_err(failed)?;
        self.kept += bytes.as_ref().map_or(0, |bytes| bytes.len() as u64);
        self.files.insert(name, Entry { sha256, bytes });
        Ok(())
    }

    /// Puts a file in its place, as if it had been read.
    pub fn put(&mut self, name: impl Into<String>, bytes: Vec<u8>) {
        self.files.insert(name.into(), Entry { sha256: Hash::sha256(&bytes), bytes: Some(bytes) });
    }

    /// Takes a file out.
    pub fn remove(&mut self, name: &str) {
        self.files.remove(name);
    }

    /// Every file by rising name.
    pub fn files(&self) -> &BTreeMap<String, Entry> {
        &self.files
    }

    /// A paper's bytes; `None` where there is no such file.
    pub fn paper(&self, name: &str) -> Result<Option<&[u8]>, Refusal> {
        match self.files.get(name) {
            None => Ok(None),
            Some(Entry { bytes: Some(bytes), .. }) => Ok(Some(bytes)),
            Some(_) => Err(Code::TooLarge.saying(format!("{name} is longer than a paper may be"))),
        }
    }
}

fn not_a_file(name: &str) -> Refusal {
    Code::Link.saying(format!(
        "{name} is neither a file nor a folder: links and devices have no place in a release"
    ))
}

/// The SHA-256 of a file, and its bytes where no more than `room` of them are to be kept.
fn digest(mut file: File, room: Option<u64>) -> io::Result<(Hash, Option<Vec<u8>>)> {
    let mut kept = room.map(|_| Vec::new());
    let (mut hash, mut chunk) = (Sha256::new(), vec![0; CHUNK]);
    loop {
        let length = match file.read(&mut chunk) {
            Ok(0) => break,
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        hash.update(&chunk[..length]);
        // One that grows while it is read is no paper.
        kept = kept.filter(|bytes| (bytes.len() + length) as u64 <= room.unwrap_or(0));
        if let Some(bytes) = &mut kept {
            bytes.extend_from_slice(&chunk[..length]);
        }
    }
    Ok((Hash(hash.finalize().into()), kept))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(folder: &Path) -> Code {
        match Contents::read(folder) {
            Err(Unreadable::Refused(refusal)) => refusal.code,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_folder_is_read_with_what_lies_in_it_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("a/b")).unwrap();
        fs::write(folder.path().join("a/b/app"), b"app").unwrap();
        fs::write(folder.path().join(CHECKSUMS), b"list").unwrap();
        let contents = Contents::read(folder.path()).unwrap();
        let names: Vec<&str> = contents.files().keys().map(String::as_str).collect();
        assert_eq!(names, ["a/b/app", CHECKSUMS]);
        assert_eq!(contents.files()["a/b/app"].sha256, Hash::sha256(b"app"));
        assert_eq!(contents.paper(CHECKSUMS).unwrap(), Some(&b"list"[..]));
        assert_eq!(contents.paper("a/b/app").unwrap_err().code, Code::TooLarge);
        assert_eq!(contents.paper(KEY).unwrap(), None);

        std::os::unix::fs::symlink("/etc/passwd", folder.path().join("a/link")).unwrap();
        assert_eq!(refused(folder.path()), Code::Link);
        fs::remove_file(folder.path().join("a/link")).unwrap();
        fs::write(folder.path().join("a\\b"), b"").unwrap();
        assert_eq!(refused(folder.path()), Code::Name);
        assert!(matches!(Contents::read(&folder.path().join("gone")), Err(Unreadable::Io { .. })));
    }

    #[test]
    fn a_folder_has_no_more_files_than_a_release() {
        let folder = tempfile::tempdir().unwrap();
        for n in 0..=MAX_ENTRIES {
            fs::write(folder.path().join(n.to_string()), b"").unwrap();
        }
        assert_eq!(refused(folder.path()), Code::TooLarge);
    }
}
