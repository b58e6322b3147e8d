//! The data folder: one server's private files, opened by one process at a time.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rand::TryRngCore;
use zeroize::Zeroizing;

/// Where `sealbook dev` keeps its data unless told otherwise, relative to the working directory.
pub const DEFAULT_DATA_FOLDER: &str = "./.sealbook";

/// The lock file; its presence also marks a folder as one of ours.
const LOCK_FILE: &str = "sealbook.lock";

/// Only the server's own user may look inside.
const PRIVATE: u32 = 0o700;

/// As root the folder has to let the unprivileged Postgres user *through* to its own subfolder, but not look around.
const PASS_THROUGH: u32 = 0o711;

/// Longest secret or pid file that is read, in bytes: ours are far shorter.
const MAX_SMALL_FILE: u64 = 4096;

/// Why a data folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// Another living process holds the lock.
    #[error("{} is in use by another Sealbook{}; stop that one, or choose another folder with --data", path.display(), process_clause(*pid))]
    InUse {
        /// The folder.
        path: PathBuf,
        /// The holder's process id, where the lock file tells it.
        pid: Option<u32>,
    },
    /// The folder, or a part of it, is a symbolic link or no folder at all.
    #[error("{} is not a plain folder (a symbolic link or a file stands there); move it away, or choose another folder with --data", path.display())]
    NotAFolder {
        /// What was found.
        path: PathBuf,
    },
    /// The folder belongs to another user.
    #[error("{} belongs to user id {owner}, but this process runs as {us}; start it as the folder's owner, or choose another folder with --data", path.display())]
    ForeignOwner {
        /// The folder.
        path: PathBuf,
        /// The folder's owner.
        owner: u32,
        /// The effective user id of this process.
        us: u32,
    },
    /// The folder holds other things: its permissions are not ours to change.
    #[error("{} holds files but is no Sealbook data folder; choose an empty or a new folder with --data", path.display())]
    NotOurs {
        /// The folder.
        path: PathBuf,
    },
    /// A secret file holds something this server never wrote there.
    #[error("{} is damaged; restore it from a backup of the data folder", path.display())]
    DamagedSecret {
        /// The file.
        path: PathBuf,
    },
    /// The file with a trial's days ahead holds something this server never wrote there.
    #[error("{} does not hold a number of days; restore it from a backup of the data folder", path.display())]
    DamagedDays {
        /// The file.
        path: PathBuf,
    },
    /// The operating system's random generator failed.
    #[error("the operating system gave no random bytes")]
    Randomness(#[source] rand::rand_core::OsError),
    /// The file system refused.
    #[error("cannot {what} {}", path.display())]
    Io {
        /// What was tried, as a verb.
        what: &'static str,
        /// On which path.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

impl FolderError {
    /// A stable code for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::InUse { .. } => "data_folder.in_use",
            Self::NotAFolder { .. } => "data_folder.not_a_folder",
            Self::ForeignOwner { .. } => "data_folder.foreign_owner",
            Self::NotOurs { .. } => "data_folder.not_ours",
            Self::DamagedSecret { .. } => "data_folder.damaged_secret",
            Self::DamagedDays { .. } => "data_folder.damaged_days",
            Self::Randomness(_) => "data_folder.randomness",
            Self::Io { .. } => "data_folder.io",
        }
    }
}

fn process_clause(pid: Option<u32>) -> String {
    pid.map_or_else(String::new, |pid| format!(" (process {pid})"))
}

/// Attaches the attempt and the path to an IO error.
pub(super) fn io_error<'a>(what: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> FolderError + 'a {
    move |source| FolderError::Io { what, path: path.to_owned(), source }
}

/// An open data folder. While this value lives, no other process can open the same folder: the lock is the kernel's
/// (`flock`), so it ends with the process however the process ends.
///
/// The folder is 0700, or 0711 when the server runs as root, where Postgres must reach its part as another user. Every
/// subfolder but `postgres` is 0700 and belongs to the server's user.
#[derive(Debug)]
pub struct DataFolder {
    path: PathBuf,
    _lock: Lock,
}

impl DataFolder {
    /// Opens the folder at `path`, creating it where missing, and takes its lock.
    ///
    /// # Errors
    /// [`FolderError`]: in use, a symbolic link, another user's, somebody's other files, or the file system's refusal.
    pub fn open(path: &Path) -> Result<Self, FolderError> {
        if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            fs::create_dir_all(parent).map_err(io_error("create", parent))?;
        }
        claim_folder(path, pass_through_as_root())?;
        // Canonical from here on: what is derived from the path (socket and cluster names) must not depend on the
        // working directory, nor on which link led here.
        let path = fs::canonicalize(path).map_err(io_error("resolve", path))?;
        let lock = lock_file(&path)?;
        for name in ["postgres", "token", "high-water", "secrets", "cli"] {
            let mode = if name == "postgres" { pass_through_as_root() } else { PRIVATE };
            own_folder(&path.join(name), mode)?;
        }
        Ok(Self { path, _lock: lock })
    }

    /// The folder itself, absolute and free of symbolic links.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The private Postgres: its cluster, socket and log.
    pub fn postgres(&self) -> PathBuf {
        self.path.join("postgres")
    }

    /// The SoftHSM token.
    pub fn token(&self) -> PathBuf {
        self.path.join("token")
    }

    /// High-water files (ledger format §4), which must lie outside the database.
    pub fn high_water(&self) -> PathBuf {
        self.path.join("high-water")
    }

    /// Passwords and PINs, each in a file of mode 0600.
    pub fn secrets(&self) -> PathBuf {
        self.path.join("secrets")
    }

    /// What the command-line client keeps: sessions and software authenticators.
    pub fn cli(&self) -> PathBuf {
        self.path.join("cli")
    }

    /// The secret of this name: 64 lower-case hexadecimal digits (256 random bits), made at the first call and the
    /// same ever after. The file is complete or absent, also after a crash.
    ///
    /// # Errors
    /// [`FolderError::DamagedSecret`] where the file holds something else; the file system's or the random generator's
    /// refusal.
    pub fn secret(&self, name: &'static str) -> Result<Zeroizing<String>, FolderError> {
        let path = self.secrets().join(name);
        match read_secret(&path) {
            Err(FolderError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                create_secret(&self.secrets(), &path)
            }
            read => read,
        }
    }
}

fn read_secret(path: &Path) -> Result<Zeroizing<String>, FolderError> {
    let mut text = Zeroizing::new(String::with_capacity(80));
    no_follow(OpenOptions::new().read(true))
        .open(path)
        .and_then(|file| file.take(MAX_SMALL_FILE).read_to_string(&mut text))
        .map_err(io_error("read", path))?;
    let whole = text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    if whole { Ok(text) } else { Err(FolderError::DamagedSecret { path: path.to_owned() }) }
}

fn create_secret(folder: &Path, path: &Path) -> Result<Zeroizing<String>, FolderError> {
    let mut bytes = Zeroizing::new([0_u8; 32]);
    rand::rngs::OsRng.try_fill_bytes(bytes.as_mut_slice()).map_err(FolderError::Randomness)?;
    let text = Zeroizing::new(hex::encode(bytes.as_slice()));
    // Temporary files are 0600 from the start; the rename makes the secret appear whole.
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(io_error("write in", folder))?;
    file.write_all(text.as_bytes()).map_err(io_error("write", path))?;
    file.as_file().sync_all().map_err(io_error("sync", path))?;
    file.persist_noclobber(path).map_err(|error| io_error("write", path)(error.error))?;
    sync_folder(folder)?;
    Ok(text)
}

/// Makes a folder's entries durable.
pub(super) fn sync_folder(path: &Path) -> Result<(), FolderError> {
    File::open(path).and_then(|folder| folder.sync_all()).map_err(io_error("sync", path))
}

/// A folder's mode where Postgres' user has to pass through it.
pub(super) fn pass_through_as_root() -> u32 {
    if rustix::process::geteuid().is_root() { PASS_THROUGH } else { PRIVATE }
}

/// Opening through a symbolic link is never what is meant inside the data folder.
pub(super) fn no_follow(options: &mut OpenOptions) -> &mut OpenOptions {
    options.custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed())
}

/// Ensures that `path` is a plain folder of this process' user with exactly this mode, creating it where missing. The
/// caller knows that the folder is ours.
pub(super) fn own_folder(path: &Path, mode: u32) -> Result<(), FolderError> {
    create_or_check(path, mode)?;
    // The umask may have narrowed what mkdir was asked for, or a folder may have been prepared by hand.
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(io_error("set permissions of", path))
}

/// Like [`own_folder`] for a folder that a person names: one with somebody's other files in it is left untouched.
pub(super) fn claim_folder(path: &Path, mode: u32) -> Result<(), FolderError> {
    create_or_check(path, mode)?;
    let marked = fs::symlink_metadata(path.join(LOCK_FILE)).is_ok();
    if !marked && !is_empty(path)? {
        return Err(FolderError::NotOurs { path: path.to_owned() });
    }
    own_folder(path, mode)
}

fn create_or_check(path: &Path, mode: u32) -> Result<(), FolderError> {
    match DirBuilder::new().mode(mode).create(path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => check_owned(path),
        Err(error) => Err(io_error("create", path)(error)),
    }
}

fn check_owned(path: &Path) -> Result<(), FolderError> {
    let found = fs::symlink_metadata(path).map_err(io_error("inspect", path))?;
    if !found.is_dir() {
        return Err(FolderError::NotAFolder { path: path.to_owned() });
    }
    let us = rustix::process::geteuid().as_raw();
    if found.uid() != us {
        return Err(FolderError::ForeignOwner { path: path.to_owned(), owner: found.uid(), us });
    }
    Ok(())
}

/// A folder's lock, held until dropped or until the process ends.
#[derive(Debug)]
pub(super) struct Lock(File);

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing would do, but for a child that another thread has just forked: until its exec it holds the same open
        // file. A failure leaves what closing does.
        let _ = self.0.unlock();
    }
}

/// Takes the lock of `folder`, or tells who holds it. Also used for a Postgres home outside the data folder.
pub(super) fn lock_file(folder: &Path) -> Result<Lock, FolderError> {
    let path = folder.join(LOCK_FILE);
    let mut file =
        no_follow(OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600))
            .open(&path)
            .map_err(io_error("open", &path))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(FolderError::InUse { path: folder.to_owned(), pid: read_pid(&mut file) });
        }
        Err(TryLockError::Error(error)) => return Err(io_error("lock", &path)(error)),
    }
    // The pid is for people; the lock itself is what counts.
    file.set_len(0)
        .and_then(|()| file.rewind())
        .and_then(|()| writeln!(file, "{}", std::process::id()))
        .map_err(io_error("write", &path))?;
    Ok(Lock(file))
}

fn is_empty(folder: &Path) -> Result<bool, FolderError> {
    let mut entries = fs::read_dir(folder).map_err(io_error("list", folder))?;
    Ok(entries.next().is_none())
}

fn read_pid(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(MAX_SMALL_FILE).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}
