//! Snapshots of the folded state, in the server's own folder, so that a long ledger is served in seconds after a start.
//!
//! The database can't grant anybody anything by them: they lie outside it, under a MAC whose key lies beside them, bound
//! to origin, size, chain hash and root. A start that begins from one works with it at once and has every event folded
//! again in the background (see [`crate::replaying`]); what then differs freezes the ledger.
//!
//! Two files a ledger:
//! - `….snapshot`: a line of JSON with what it is bound to, the state, and a line with the MAC (keyed BLAKE3) of both
//! - `….leaves`: the leaf hashes of the tree, 32 bytes each, to which each snapshot appends. They need no MAC: their root
//!   is in the snapshot.
//!
//! None of it is ever needed. A file that is missing, torn, altered or another build's is no error: the ledger is then
//! folded from its first event. What can't be written is tried again only when the ledger has grown as far once more.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use sealbook_ledger::encoding::Hash;
use sealbook_ledger::ids::Origin;
use sealbook_ledger::merkle::Tree;
use sealbook_ledger::snapshot;
use sealbook_ledger::state::State;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// No snapshot is longer: 256 MiB.
const MAX_LEN: usize = 256 << 20;

const LEAF: u64 = 32;

/// Leaves that are written at a stretch.
const STRETCH: usize = 65_536;

/// The MAC in hex, and its LF.
const MAC_LEN: usize = 65;

const MAC_KEY_FILE: &str = "snapshots.key";

/// The snapshots of a server.
#[derive(Clone)]
pub(crate) struct Snapshots {
    folder: PathBuf,
    /// `None` where the key can't be had: then there are none.
    key: Option<Arc<Zeroizing<[u8; 32]>>>,
}

/// What a snapshot is bound to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Bound {
    /// BLAKE3 of the program that wrote it: another one may fold otherwise.
    build: String,
    origin: Origin,
    /// Events that the state was folded from.
    pub(crate) size: u64,
    /// The chain hash of the last of them.
    pub(crate) hash: Hash,
    /// The root over them.
    pub(crate) root: Hash,
    /// Bytes of them in an export.
    pub(crate) end_offset: u64,
}

/// A snapshot that was read: whole, unaltered, and this ledger's.
#[derive(Clone)]
pub(crate) struct Kept {
    pub(crate) bound: Bound,
    pub(crate) state: State,
    pub(crate) tree: Tree,
    /// SHA-256 of the state as this build writes it.
    pub(crate) digest: Hash,
}

impl Snapshots {
    /// Opens a folder that exists, with the key that lies there, or a new one.
    pub(crate) fn open(folder: &Path) -> Self {
        let key = open_key(&folder.join(MAC_KEY_FILE));
        if let Err(error) = &key {
            let error = error as &dyn std::error::Error;
            tracing::warn!(
                error,
                "the key of the snapshots can't be read or made; every start folds every event"
            );
        }
        Self { folder: folder.to_owned(), key: key.ok().map(Arc::new) }
    }

    /// The snapshots of one ledger.
    pub(crate) fn of(&self, origin: &Origin) -> SnapshotFile {
        // A name is a hash, like that of the high-water file: an origin may hold slashes.
        let name = Hash::sha256(origin.as_str().as_bytes());
        SnapshotFile {
            snapshot: self.folder.join(format!("{name}.snapshot")),
            leaves: self.folder.join(format!("{name}.leaves")),
            origin: origin.clone(),
            key: self.key.clone(),
            discarded: Arc::default(),
        }
    }
}

fn open_key(path: &Path) -> io::Result<Zeroizing<[u8; 32]>> {
    let mut key = Zeroizing::new([0; 32]);
    match File::open(path).and_then(|mut file| file.read_exact(key.as_mut())) {
        Ok(()) => {}
        // A torn one guards nothing that would be missed.
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof) => {
            *key = rand::random();
            replace(path, key.as_slice())?;
        }
        Err(error) => return Err(error),
    }
    Ok(key)
}

/// Which program this is.
fn build() -> io::Result<&'static str> {
    static BUILD: OnceLock<String> = OnceLock::new();
    if let Some(build) = BUILD.get() {
        return Ok(build);
    }
    // The program that runs, also where its file has been replaced since.
    let program = File::open("/proc/self/exe").or_else(|_| File::open(std::env::current_exe()?))?;
    let hash = blake3::Hasher::new().update_reader(program)?.finalize();
    Ok(BUILD.get_or_init(|| hash.to_hex().to_string()))
}

/// The snapshot of one ledger. Calls block on the disk.
#[derive(Clone)]
pub(crate) struct SnapshotFile {
    snapshot: PathBuf,
    leaves: PathBuf,
    origin: Origin,
    key: Option<Arc<Zeroizing<[u8; 32]>>>,
    /// Whether it was thrown away in this process, which then writes no other. Held while one is written.
    discarded: Arc<Mutex<bool>>,
}

/// A state that is to be put aside.
pub(crate) struct Aside {
    pub(crate) state: State,
    pub(crate) root: Hash,
    pub(crate) end_offset: u64,
}

impl SnapshotFile {
    /// The newest snapshot, if there is one that can be believed to be this server's own.
    pub(crate) fn read(&self) -> Option<Kept> {
        let key = self.key.as_ref()?;
        match self.try_read(key) {
            Ok(kept) => kept,
            Err(error) => {
                tracing::warn!(origin = %self.origin, error = &error as &dyn std::error::Error,
                    "the snapshot can't be used; the ledger is folded from its first event");
                None
            }
        }
    }

    fn try_read(&self, key: &[u8; 32]) -> io::Result<Option<Kept>> {
        let mut bytes = Vec::new();
        match File::open(&self.snapshot) {
            Ok(file) => file.take(MAX_LEN as u64 + 1).read_to_end(&mut bytes)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let altered =
            || io::Error::new(io::ErrorKind::InvalidData, "it is torn, altered or another server's");
        let (content, mac) = bytes.split_last_chunk::<MAC_LEN>().ok_or_else(altered)?;
        let mac = mac.strip_suffix(b"\n").and_then(|mac| std::str::from_utf8(mac).ok());
        let mac: Hash = mac.and_then(|mac| mac.parse().ok()).ok_or_else(altered)?;
        // Comparing BLAKE3's own type takes constant time.
        if blake3::keyed_hash(key, content) != blake3::Hash::from_bytes(mac.0) {
            return Err(altered());
        }
        let line = content.iter().position(|&byte| byte == b'\n').ok_or_else(altered)?;
        let bound: Bound = serde_json::from_slice(&content[..line])?;
        if bound.origin != self.origin {
            return Err(altered());
        }
        if bound.build != build()? {
            tracing::info!(origin = %self.origin, "the snapshot is another build's; the ledger is folded from its first event");
            return Ok(None);
        }
        let state = snapshot::from_slice(&content[line + 1..]).map_err(io::Error::other)?;
        let digest = Hash::sha256(&snapshot::to_vec(&state).map_err(io::Error::other)?);
        let tree = self.read_tree(bound.size)?;
        let same = state.size() == bound.size && state.head() == bound.hash;
        if !same || tree.root_at(bound.size) != Ok(bound.root) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "its leaves are not those that it is bound to",
            ));
        }
        Ok(Some(Kept { bound, state, tree, digest }))
    }

    fn read_tree(&self, size: u64) -> io::Result<Tree> {
        let mut leaves = Vec::new();
        File::open(&self.leaves)?.take(size * LEAF).read_to_end(&mut leaves)?;
        let (leaves, _) = leaves.as_chunks::<32>();
        let mut tree = Tree::new();
        for leaf in leaves {
            tree.append(Hash(*leaf));
        }
        Ok(tree)
    }

    /// Puts a state aside; `leaves` gives those from a place on, at most so many. The file is believed to have those below
    /// `from`. A crash leaves the snapshot before this one, or none.
    pub(crate) fn write(
        &self,
        aside: &Aside,
        from: u64,
        leaves: impl Fn(u64, usize) -> Option<Vec<Hash>>,
    ) -> io::Result<()> {
        let Some(key) = &self.key else { return Ok(()) };
        let discarded = self.discarded.lock().unwrap_or_else(PoisonError::into_inner);
        if *discarded {
            return Ok(());
        }
        let state = &aside.state;
        let bound = Bound {
            build: build()?.to_owned(),
            origin: self.origin.clone(),
            size: state.size(),
            hash: state.head(),
            root: aside.root,
            end_offset: aside.end_offset,
        };
        let mut content = serde_json::to_vec(&bound)?;
        content.push(b'\n');
        content.extend(snapshot::to_vec(state).map_err(io::Error::other)?);
        if content.len() + MAC_LEN > MAX_LEN {
            return Err(io::Error::new(
                io::ErrorKind::FileTooLarge,
                "the state is longer than a snapshot may be",
            ));
        }
        let mac = blake3::keyed_hash(key, &content).to_hex();
        content.extend_from_slice(mac.as_bytes());
        content.push(b'\n');
        self.write_leaves(from, state.size(), leaves)?;
        replace(&self.snapshot, &content)
    }

    fn write_leaves(
        &self,
        from: u64,
        to: u64,
        leaves: impl Fn(u64, usize) -> Option<Vec<Hash>>,
    ) -> io::Result<()> {
        let mut options = OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(false).mode(0o600).open(&self.leaves)?;
        // Somebody may have cut it short, or taken it away.
        let mut at = if file.metadata()?.len() < from * LEAF { 0 } else { from };
        file.set_len(at * LEAF)?;
        file.seek(SeekFrom::End(0))?;
        while at < to {
            let wanted = usize::try_from(to - at).unwrap_or(STRETCH).min(STRETCH);
            let stretch = leaves(at, wanted).filter(|stretch| stretch.len() == wanted);
            let missing = || io::Error::other("the tree in memory is shorter than what is sealed");
            let bytes: Vec<u8> = stretch.ok_or_else(missing)?.iter().flat_map(|leaf| leaf.0).collect();
            file.write_all(&bytes)?;
            at += wanted as u64;
        }
        file.sync_all()
    }

    /// Throws the snapshot away; this process writes no other. The next start folds every event.
    pub(crate) fn discard(&self) -> io::Result<()> {
        let mut discarded = self.discarded.lock().unwrap_or_else(PoisonError::into_inner);
        *discarded = true;
        remove(&self.snapshot)
    }

    /// Takes the snapshot away: it is of a history that no longer counts.
    pub(crate) fn remove(&self) -> io::Result<()> {
        remove(&self.snapshot)
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Replaces a file: a crash leaves the old one or the new one. A failure leaves nothing that takes room.
fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let temporary = path.with_extension("new");
    let written = || {
        let mut options = OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&temporary, path)?;
        File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
    };
    written().inspect_err(|_| drop(remove(&temporary)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORIGIN: &str = "sealbook.example.com/acme";

    /// A state of no events is a state too.
    fn written(folder: &Path) -> SnapshotFile {
        let origin: Origin = ORIGIN.parse().unwrap();
        let file = Snapshots::open(folder).of(&origin);
        let root = Tree::new().root_at(0).unwrap();
        file.write(&Aside { state: State::new(origin), root, end_offset: 0 }, 0, |_, _| None).unwrap();
        file
    }

    #[test]
    fn what_is_put_aside_is_read_by_another_process_with_the_same_folder() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Snapshots::open(folder.path()).of(&ORIGIN.parse().unwrap()).read().is_none());
        written(folder.path());
        let kept = Snapshots::open(folder.path()).of(&ORIGIN.parse().unwrap()).read().unwrap();
        assert_eq!((kept.bound.size, kept.state.size(), kept.tree.size()), (0, 0, 0));
    }

    #[test]
    fn any_changed_or_missing_byte_and_any_other_key_make_it_worthless() {
        let folder = tempfile::tempdir().unwrap();
        let file = written(folder.path());
        let good = fs::read(&file.snapshot).unwrap();
        for index in 0..good.len() {
            let mut bad = good.clone();
            bad[index] ^= 1;
            fs::write(&file.snapshot, &bad).unwrap();
            assert!(file.read().is_none(), "byte {index}");
            fs::write(&file.snapshot, &good[..index]).unwrap();
            assert!(file.read().is_none(), "cut at {index}");
        }
        fs::write(&file.snapshot, &good).unwrap();
        assert!(file.read().is_some());
        fs::write(folder.path().join(MAC_KEY_FILE), [1; 32]).unwrap();
        assert!(Snapshots::open(folder.path()).of(&ORIGIN.parse().unwrap()).read().is_none());
    }

    #[test]
    fn another_ledgers_snapshot_is_not_believed() {
        let folder = tempfile::tempdir().unwrap();
        let mine = written(folder.path());
        let other = Snapshots::open(folder.path()).of(&"sealbook.example.com/other".parse().unwrap());
        fs::copy(&mine.snapshot, &other.snapshot).unwrap();
        fs::copy(&mine.leaves, &other.leaves).unwrap();
        assert!(other.read().is_none());
    }

    #[test]
    fn what_was_thrown_away_is_not_written_again_by_the_same_process() {
        let folder = tempfile::tempdir().unwrap();
        let file = written(folder.path());
        file.discard().unwrap();
        let aside = Aside { state: State::new(ORIGIN.parse().unwrap()), root: Hash::ZERO, end_offset: 0 };
        file.write(&aside, 0, |_, _| None).unwrap();
        assert!(!file.snapshot.exists());
    }

    #[test]
    fn what_cannot_be_written_leaves_nothing_behind_and_what_cannot_be_had_is_no_error() {
        let folder = tempfile::tempdir().unwrap();
        let file = written(folder.path());
        fs::remove_file(&file.snapshot).unwrap();
        fs::create_dir(&file.snapshot).unwrap();
        let aside = Aside { state: State::new(ORIGIN.parse().unwrap()), root: Hash::ZERO, end_offset: 0 };
        file.write(&aside, 0, |_, _| None).unwrap_err();
        assert!(!file.snapshot.with_extension("new").exists());
        let other = tempfile::tempdir().unwrap();
        fs::create_dir(other.path().join(MAC_KEY_FILE)).unwrap();
        let without_key = Snapshots::open(other.path()).of(&ORIGIN.parse().unwrap());
        assert!(without_key.read().is_none());
        without_key.write(&aside, 0, |_, _| None).unwrap();
    }
}
