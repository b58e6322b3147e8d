//! A disk that is full: nothing is released that is not recorded, nothing that was recorded is lost.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use integration::programs::run;
use integration::server::Options;
use integration::{Installation, Server, waiting};
use rustix::process::Signal;

use crate::load::{Load, settle, site};

/// Room for a cluster and its log, in MiB, and little more.
const DISK: &str = "160";

/// A small disk over a folder; gone with this.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// `None`, with a printed reason, where this account or machine can't mount.
    fn over(folder: &Path) -> Option<Self> {
        fs::create_dir_all(folder).unwrap();
        let size = format!("size={DISK}m,mode=755");
        let mounted = run(Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(folder));
        if mounted.code == Some(0) {
            return Some(Self(folder.to_owned()));
        }
        println!("skipped: no small disk can be mounted here: {}", mounted.stderr.trim());
        None
    }

    /// Writes until there is no room left.
    fn fill(&self) -> PathBuf {
        let path = self.0.join("filler");
        let mut file = fs::File::create(&path).unwrap();
        let full = std::io::copy(&mut std::io::repeat(0), &mut file).unwrap_err();
        assert_eq!(full.kind(), std::io::ErrorKind::StorageFull);
        path
    }
}

/// A file system of its own over a small disk, which it takes for a large one: what it can't put there is found by fsync,
/// after the write has succeeded.
struct FailingDisk {
    folder: PathBuf,
    beneath: SmallDisk,
}

impl FailingDisk {
    /// What the file system believes, in MiB.
    const BELIEVED: u64 = 1024;

    /// `None`, with a printed reason, where this account or machine can't mount.
    fn in_folder(folder: &Path) -> Option<Self> {
        let beneath = SmallDisk::over(&folder.join("beneath"))?;
        let (image, folder) = (beneath.0.join("image"), folder.join("disk"));
        fs::File::create(&image).unwrap().set_len(Self::BELIEVED * 1024 * 1024).unwrap();
        fs::create_dir(&folder).unwrap();
        // Without a journal, which would have the file system give up for good.
        let made = run(Command::new("mkfs.ext4").args(["-q", "-O", "^has_journal"]).arg(&image));
        let mount = ["-o", "loop,errors=continue"];
        let mounted = made.code == Some(0)
            && run(Command::new("mount").args(mount).arg(&image).arg(&folder)).code == Some(0);
        if mounted {
            return Some(Self { folder, beneath });
        }
        println!("skipped: no file system can be mounted from a file here");
        None
    }
}

impl Drop for FailingDisk {
    fn drop(&mut self) {
        let _ = run(Command::new("umount").arg("-l").arg(&self.folder));
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // The server has ended by then; a disk that is still busy goes when it is not.
        let _ = run(Command::new("umount").arg("-l").arg(&self.0));
    }
}

#[test]
fn on_a_full_disk_nothing_is_released_and_nothing_is_lost() {
    let folder = tempfile::Builder::new().prefix("sb-disk-").tempdir().unwrap();
    let Some(disk) = SmallDisk::over(&folder.path().join("disk")) else { return };
    let server = Server::start_in(&disk.0.join("data"), Options::default());
    let (tenant, service) = site(&server);
    let load = Load::begin(&tenant, &service);
    load.wait_for(30);
    let filler = disk.fill();
    // Postgres goes on for as long as its allotted log has room; then nobody gets anything.
    let stalled = waiting::within(Duration::from_secs(90), || {
        let before = load.received();
        let quiet = waiting::within(Duration::from_secs(2), || (load.received() > before).then_some(()));
        quiet.is_none().then_some(())
    });
    stalled.expect("the disk to be full");
    assert_eq!(server.api().get("/healthz").status, 200);
    fs::remove_file(filler).unwrap();
    load.wait_for(30);
    let seen = load.end();
    assert!(!seen.refused.contains_key("broken"), "{:?}", seen.refused);
    settle(&tenant, &seen);
    drop(server);
}

#[test]
fn where_fsync_fails_nothing_is_released_that_a_crash_could_take_back() {
    let folder = tempfile::Builder::new().prefix("sb-disk-").tempdir().unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    let Some(disk) = FailingDisk::in_folder(folder.path()) else { return };
    let mut at = Installation::start_on(&disk.folder.join("pg"));
    let (tenant, service) = site(&at);
    let load = Load::begin(&tenant, &service);
    load.wait_for(30);
    let filler = disk.beneath.fill();
    // A new segment of the log, and everything else to the disk: Postgres finds out, and stops rather than go on.
    let stopped = waiting::within(Duration::from_secs(60), || {
        at.postgres.try_sql("SELECT pg_switch_wal(); CHECKPOINT;");
        at.postgres.log().contains("PANIC").then_some(())
    });
    stopped.expect("fsync to fail");
    assert!(at.postgres.log().contains("could not fsync"), "{}", at.postgres.log());
    fs::remove_file(filler).unwrap();
    // As if the power had failed: what the file system only remembers is not on the disk.
    at.postgres.stop_if_running(Signal::QUIT);
    at.postgres.start_again();
    load.wait_for(30);
    let seen = load.end();
    assert!(!seen.refused.contains_key("broken"), "{:?}", seen.refused);
    settle(&tenant, &seen);
    drop(at);
}
