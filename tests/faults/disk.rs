//! A disk that is full: nothing is released that is not recorded, nothing that was recorded is lost.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use integration::programs::run;
use integration::server::Options;
use integration::{Server, waiting};

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
    assert!(!seen.refused.is_empty(), "nobody noticed");
    assert!(!seen.refused.contains_key("broken"), "{:?}", seen.refused);
    settle(&tenant, &seen);
    drop(server);
}
