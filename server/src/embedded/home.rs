//! Where the private Postgres lives: its cluster, its socket and its log.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Gid, Mode, OFlags, Uid};

use super::account::Account;
use super::folder::{self, DataFolder, FolderError, io_error, no_follow};

/// Homes of clusters whose data folder the Postgres user cannot reach, e.g. below `/root`.
const REMOTE_HOMES: &str = "/var/lib/sealbook";

/// The file in the data folder that leads to such a home.
const POINTER: &str = "postgres-location";

/// The socket's name in its folder: `.s.PGSQL.<port>`.
const SOCKET_NAME: &str = ".s.PGSQL.5432";

/// Longest socket path in bytes: `sun_path` has 108, one is the terminating zero (unix(7)).
const MAX_SOCKET_PATH: usize = 107;

/// A log that has grown past this size in bytes is set aside at the next start; one old log is kept.
const MAX_LOG: u64 = 4 << 20;

/// Context of the BLAKE3 hash that names things outside the data folder after it.
const NAME_CONTEXT: &str = "sealbook 2026-11-22 data folder name v1";

/// A cluster's places. Holding it holds the home's lock where the home lies outside the data folder.
#[derive(Debug)]
pub(super) struct Home {
    root: PathBuf,
    socket: PathBuf,
    name: String,
    account: Account,
    _lock: Option<folder::Lock>,
}

impl Home {
    /// Finds or makes the home of this data folder's cluster.
    pub(super) fn open(folder: &DataFolder, account: Account) -> Result<Self, FolderError> {
        let (root, lock) = match remote_root(folder, account)? {
            None => (folder.postgres(), None),
            Some(root) => {
                folder::own_folder(Path::new(REMOTE_HOMES), folder::pass_through_as_root())?;
                folder::claim_folder(&root, folder::pass_through_as_root())?;
                let lock = folder::lock_file(&root)?;
                (root, Some(lock))
            }
        };
        let name = format!("sealbook-{}", short_name(&root));
        let socket = socket_folder(&root, &name, account)?;
        Ok(Self { root, socket, name, account, _lock: lock })
    }

    /// The cluster's data folder.
    pub(super) fn data(&self) -> PathBuf {
        self.root.join("data")
    }

    /// The folder that holds the server's files around the cluster.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// The folder of the Unix socket.
    pub(super) fn socket(&self) -> &Path {
        &self.socket
    }

    /// The lock beside the socket.
    pub(super) fn socket_lock(&self) -> PathBuf {
        self.socket.join(format!("{SOCKET_NAME}.lock"))
    }

    /// A name that is this cluster's own on this machine; it appears in the titles of its processes.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The account that runs the cluster's processes.
    pub(super) fn account(&self) -> Account {
        self.account
    }

    /// Who may connect. It lies outside the cluster's own folder, so that a server running as root never writes where
    /// the Postgres user could have planted a link.
    pub(super) fn hba_file(&self) -> PathBuf {
        self.root.join("pg_hba.conf")
    }

    /// What Postgres says.
    pub(super) fn log_file(&self) -> PathBuf {
        self.root.join("postgres.log")
    }

    /// Opens the log for appending, setting aside one that has grown large.
    pub(super) fn open_log(&self) -> Result<File, FolderError> {
        let path = self.log_file();
        if fs::symlink_metadata(&path).is_ok_and(|log| log.len() > MAX_LOG) {
            let old = self.root.join("postgres.log.1");
            fs::rename(&path, &old).map_err(io_error("rename", &path))?;
        }
        no_follow(OpenOptions::new().append(true).create(true).mode(0o600))
            .open(&path)
            .map_err(io_error("open", &path))
    }

    /// An empty folder inside the home that belongs to the account, for making a new cluster in.
    pub(super) fn lend(&self, name: &str) -> Result<PathBuf, FolderError> {
        let path = self.root.join(name);
        lend_folder(&path, self.account)?;
        Ok(path)
    }

    /// The major version that made the cluster; `None` where there is no cluster yet.
    pub(super) fn cluster_version(&self) -> Result<Option<u32>, FolderError> {
        let path = self.data().join("PG_VERSION");
        let mut text = String::new();
        match no_follow(OpenOptions::new().read(true)).open(&path) {
            Ok(file) => file.take(64).read_to_string(&mut text).map_err(io_error("read", &path))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(io_error("read", &path)(error)),
        };
        let version =
            text.trim().parse().map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "not a version"));
        version.map(Some).map_err(io_error("understand", &path))
    }

    /// Removes the socket's folder where it lies outside the home. Failing is harmless: the next start takes it over.
    pub(super) fn remove_short_socket(&self) {
        if !self.socket.starts_with(&self.root)
            && let Err(error) = fs::remove_dir(&self.socket)
        {
            tracing::debug!(%error, folder = %self.socket.display(), "the socket's folder stays");
        }
    }
}

/// The home outside the data folder, where one is needed or an earlier start has made one.
fn remote_root(folder: &DataFolder, account: Account) -> Result<Option<PathBuf>, FolderError> {
    let pointer = folder.path().join(POINTER);
    match fs::read(&pointer) {
        Ok(bytes) => {
            return parse_pointer(&bytes).map(Some).map_err(io_error("understand", &pointer));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(io_error("read", &pointer)(error)),
    }
    let inside = folder.postgres();
    if account.can_reach(&inside).map_err(io_error("inspect", &inside))? {
        return Ok(None);
    }
    if inside.join("data").exists() {
        let denied = io::Error::new(
            io::ErrorKind::PermissionDenied,
            "the user that runs Postgres can no longer pass through one of the folders above it; \
             give those folders o+x again",
        );
        return Err(io_error("reach", &inside)(denied));
    }
    let root = Path::new(REMOTE_HOMES).join(short_name(folder.path()));
    let text = root.as_os_str().as_bytes();
    let mut file =
        tempfile::NamedTempFile::new_in(folder.path()).map_err(io_error("write in", folder.path()))?;
    io::Write::write_all(&mut file, text).map_err(io_error("write", &pointer))?;
    file.as_file().sync_all().map_err(io_error("sync", &pointer))?;
    file.persist(&pointer).map_err(|error| io_error("write", &pointer)(error.error))?;
    folder::sync_folder(folder.path())?;
    Ok(Some(root))
}

/// A pointer names a folder directly below [`REMOTE_HOMES`] by 16 hexadecimal digits, nothing else.
fn parse_pointer(bytes: &[u8]) -> io::Result<PathBuf> {
    let path = std::str::from_utf8(bytes).ok().map(Path::new);
    let name = path.and_then(|path| path.strip_prefix(REMOTE_HOMES).ok()).and_then(Path::to_str);
    match name {
        Some(name) if name.len() == 16 && name.bytes().all(|b| b.is_ascii_hexdigit()) => {
            Ok(Path::new(REMOTE_HOMES).join(name))
        }
        _ => Err(io::Error::new(io::ErrorKind::InvalidData, "not the place of a Sealbook cluster")),
    }
}

/// 64 bits of a hash of a path: short enough for a socket's path, and collisions only matter on one machine (where the
/// owner check and the lock would refuse them).
fn short_name(path: &Path) -> String {
    let mut hasher = blake3::Hasher::new_derive_key(NAME_CONTEXT);
    hasher.update(path.as_os_str().as_bytes());
    hex::encode(&hasher.finalize().as_bytes()[..8])
}

/// The socket lies in the home unless its path would be too long for the kernel, or holds characters with a meaning in
/// Postgres' list of socket folders; then in a short folder of its own.
fn socket_folder(root: &Path, name: &str, account: Account) -> Result<PathBuf, FolderError> {
    let inside = root.join("socket");
    let folder = if fits(&inside) { inside } else { short_socket_folder(name) };
    lend_folder(&folder, account)?;
    Ok(folder)
}

fn fits(folder: &Path) -> bool {
    let bytes = folder.as_os_str().as_bytes();
    let plain = |b: &u8| b.is_ascii_alphanumeric() || b"/._-".contains(b);
    bytes.len() + 1 + SOCKET_NAME.len() <= MAX_SOCKET_PATH && bytes.iter().all(plain)
}

/// Under a folder that other users cannot write where there is one (`/run` for root, the session's for others), else
/// under `/tmp`, where the sticky bit and the owner check of [`lend_folder`] keep squatters out.
fn short_socket_folder(name: &str) -> PathBuf {
    let parent = if rustix::process::geteuid().is_root() {
        Some(PathBuf::from("/run"))
    } else {
        std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from)
    };
    parent
        .filter(|parent| parent.is_absolute() && parent.is_dir())
        .map(|parent| parent.join(name))
        .filter(|folder| fits(folder))
        .unwrap_or_else(|| Path::new("/tmp").join(name))
}

/// Ensures that `path` is a plain 0700 folder of the account. Everything happens on one open descriptor: in `/tmp` the
/// name could come to mean something else between two looks.
fn lend_folder(path: &Path, account: Account) -> Result<(), FolderError> {
    match rustix::fs::mkdir(path, Mode::RWXU) {
        Ok(()) | Err(rustix::io::Errno::EXIST) => {}
        Err(error) => return Err(io_error("create", path)(error.into())),
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let folder = match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(folder) => folder,
        Err(rustix::io::Errno::NOTDIR | rustix::io::Errno::LOOP) => {
            return Err(FolderError::NotAFolder { path: path.to_owned() });
        }
        Err(error) => return Err(io_error("open", path)(error.into())),
    };
    let found = rustix::fs::fstat(&folder).map_err(|error| io_error("inspect", path)(error.into()))?;
    let us = rustix::process::geteuid().as_raw();
    if found.st_uid != us && found.st_uid != account.uid() {
        return Err(FolderError::ForeignOwner { path: path.to_owned(), owner: found.st_uid, us });
    }
    if let Some((uid, gid)) = account.switch() {
        rustix::fs::fchown(&folder, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))
            .map_err(|error| io_error("change the owner of", path)(error.into()))?;
    }
    rustix::fs::fchmod(&folder, Mode::RWXU)
        .map_err(|error| io_error("set permissions of", path)(error.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_leads_nowhere_but_to_a_home() {
        assert!(parse_pointer(b"/var/lib/sealbook/0123456789abcdef").is_ok());
        for bad in [
            "",
            "/etc",
            "/var/lib/sealbook",
            "/var/lib/sealbook/../../../etc/0123456",
            "/var/lib/sealbook/a/b",
        ] {
            assert!(parse_pointer(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_socket_path_may_be_as_long_as_the_kernel_allows_and_no_longer() {
        let longest = format!("/{}", "d".repeat(MAX_SOCKET_PATH - SOCKET_NAME.len() - 2));
        assert!(fits(Path::new(&longest)));
        assert!(!fits(Path::new(&format!("{longest}d"))));
        assert!(!fits(Path::new("/with,comma")));
    }
}
