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
//! A file that is missing, torn, altered or another build's is no error: the ledger is then folded from its first event.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sealbook_ledger::encoding::Hash;
use sealbook_ledger::ids::Origin;
use sealbook_ledger::merkle::Tree;
use sealbook_ledger::snapshot;
use sealbook_ledger::state::State;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// The build whose states these are: another one may fold otherwise.
const BUILD: &str = concat!("sealbook ", env!("CARGO_PKG_VERSION"), " snapshot 1");

/// No state is longer: 256 MiB.
const MAX_LEN: u64 = 256 << 20;

const LEAF: u64 = 32;

const MAC_KEY_FILE: &str = "snapshots.key";

/// The snapshots of a server.
#[derive(Clone)]
pub(crate) struct Snapshots {
    folder: PathBuf,
    key: Arc<Zeroizing<[u8; 32]>>,
}

/// What a snapshot is bound to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Bound {
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
pub(crate) struct Kept {
    pub(crate) bound: Bound,
    pub(crate) state: State,
    pub(crate) tree: Tree,
    /// SHA-256 of the state as it was written.
    pub(crate) digest: Hash,
}

impl Snapshots {
    /// Opens a folder that exists, with the key that lies there, or a new one.
    pub(crate) fn open(folder: &Path) -> io::Result<Self> {
        let path = folder.join(MAC_KEY_FILE);
        let mut key = Zeroizing::new([0; 32]);
        match File::open(&path).and_then(|mut file| file.read_exact(key.as_mut())) {
            Ok(()) => {}
            // A torn one guards nothing that would be missed.
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof) => {
                *key = rand::random();
                replace(&path, key.as_slice())?;
            }
            Err(error) => return Err(error),
        }
        Ok(Self { folder: folder.to_owned(), key: Arc::new(key) })
    }

    /// The snapshots of one ledger.
    pub(crate) fn of(&self, origin: &Origin) -> SnapshotFile {
        // A name is a hash, like that of the high-water file: an origin may hold slashes.
        let name = Hash::sha256(origin.as_str().as_bytes());
        SnapshotFile {
            snapshot: self.folder.join(format!("{name}.snapshot")),
            leaves: self.folder.join(format!("{name}.leaves")),
            origin: origin.clone(),
            key: Arc::clone(&self.key),
        }
    }
}

/// The snapshot of one ledger. Calls block on the disk.
#[derive(Clone)]
pub(crate) struct SnapshotFile {
    snapshot: PathBuf,
    leaves: PathBuf,
    origin: Origin,
    key: Arc<Zeroizing<[u8; 32]>>,
}

impl SnapshotFile {
    /// The newest snapshot, if there is one that can be believed to be this server's own.
    pub(crate) fn read(&self) -> Option<Kept> {
        match self.try_read() {
            Ok(kept) => kept,
            Err(error) => {
                tracing::warn!(origin = %self.origin, error = &error as &dyn std::error::Error,
                    "the snapshot can't be used; the ledger is folded from its first event");
                None
            }
        }
    }

    fn try_read(&self) -> io::Result<Option<Kept>> {
        let mut bytes = Vec::new();
        match File::open(&self.snapshot) {
            Ok(file) => file.take(MAX_LEN + 1).read_to_end(&mut bytes)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let altered =
            || io::Error::new(io::ErrorKind::InvalidData, "it is torn, altered or another server's");
        let (content, mac) = bytes.split_last_chunk::<65>().ok_or_else(altered)?;
        let mac: Hash =
            std::str::from_utf8(&mac[..64]).ok().and_then(|m| m.parse().ok()).ok_or_else(altered)?;
        // Comparing BLAKE3's own type takes constant time.
        if blake3::keyed_hash(&self.key, content) != blake3::Hash::from_bytes(mac.0) {
            return Err(altered());
        }
        let line = content.iter().position(|&byte| byte == b'\n').ok_or_else(altered)?;
        let bound: Bound = serde_json::from_slice(&content[..line])?;
        if bound.build != BUILD || bound.origin != self.origin {
            return Ok(None);
        }
        let written = &content[line + 1..];
        let state = snapshot::from_slice(written).map_err(io::Error::other)?;
        let tree = self.read_tree(bound.size)?;
        if state.size() != bound.size
            || state.head() != bound.hash
            || tree.root_at(bound.size) != Ok(bound.root)
        {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "its leaves are not those that it is bound to",
            ));
        }
        Ok(Some(Kept { bound, state, tree, digest: Hash::sha256(written) }))
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

    /// Puts a state aside. `leaves` are those from `from` on, below which the file has them already; a crash leaves the
    /// snapshot before this one.
    pub(crate) fn write(
        &self,
        state: &State,
        root: Hash,
        end_offset: u64,
        from: u64,
        leaves: &[Hash],
    ) -> io::Result<()> {
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&self.leaves)?;
        file.set_len(from * LEAF)?;
        file.seek(SeekFrom::End(0))?;
        file.write_all(&leaves.iter().flat_map(|leaf| leaf.0).collect::<Vec<u8>>())?;
        file.sync_all()?;
        let bound = Bound {
            build: BUILD.to_owned(),
            origin: self.origin.clone(),
            size: state.size(),
            hash: state.head(),
            root,
            end_offset,
        };
        let mut content = serde_json::to_vec(&bound)?;
        content.push(b'\n');
        content.extend(snapshot::to_vec(state).map_err(io::Error::other)?);
        let mac = blake3::keyed_hash(&self.key, &content).to_hex();
        content.extend_from_slice(mac.as_bytes());
        content.push(b'\n');
        replace(&self.snapshot, &content)
    }

    /// Forgets the snapshot: the next start folds every event.
    pub(crate) fn remove(&self) -> io::Result<()> {
        match fs::remove_file(&self.snapshot) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

/// Replaces a file: a crash leaves the old one or the new one.
fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let temporary = path.with_extension("new");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORIGIN: &str = "sealbook.example.com/acme";

    /// A state of no events is a state too.
    fn written(folder: &Path) -> SnapshotFile {
        let origin: Origin = ORIGIN.parse().unwrap();
        let file = Snapshots::open(folder).unwrap().of(&origin);
        file.write(&State::new(origin), Tree::new().root_at(0).unwrap(), 0, 0, &[]).unwrap();
        file
    }

    #[test]
    fn what_is_put_aside_is_read_by_another_process_with_the_same_folder() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Snapshots::open(folder.path()).unwrap().of(&ORIGIN.parse().unwrap()).read().is_none());
        written(folder.path());
        let kept = Snapshots::open(folder.path()).unwrap().of(&ORIGIN.parse().unwrap()).read().unwrap();
        assert_eq!((kept.bound.size, kept.state.size(), kept.tree.size()), (0, 0, 0));
    }

    #[test]
    fn any_changed_or_missing_byte_and_any_other_key_make_it_worthless() {
        let folder = tempfile::tempdir().unwrap();
        let file = written(folder.path());
        let good = fs::read(&file.snapshot).unwrap();
        for index in 0..good.len() - 1 {
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
        assert!(Snapshots::open(folder.path()).unwrap().of(&ORIGIN.parse().unwrap()).read().is_none());
    }

    #[test]
    fn another_ledgers_snapshot_is_not_believed() {
        let folder = tempfile::tempdir().unwrap();
        let mine = written(folder.path());
        let other =
            Snapshots::open(folder.path()).unwrap().of(&"sealbook.example.com/other".parse().unwrap());
        fs::copy(&mine.snapshot, &other.snapshot).unwrap();
        fs::copy(&mine.leaves, &other.leaves).unwrap();
        assert!(other.read().is_none());
    }
}
