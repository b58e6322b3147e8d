//! The database goes away, or has no room: said so, nothing lost, and all is well afterwards.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use sealbook::store::append::Batch;

use crate::cluster::{Cluster, hand_over, is_root};
use crate::ledger;

#[tokio::test]
async fn a_server_that_is_gone_is_unavailable_until_it_is_back() {
    let cluster = Arc::new(Cluster::start_new());
    let database = cluster.database().await;
    let store = &database.store;
    let head = ledger::create(store, "acme").await;
    let head = ledger::append(store, head, 3).await.unwrap();
    let round = store.begin_round(&[head.ledger]).await.unwrap();
    let (advance, events) = ledger::extend(head, 1, 400);
    let batch = Batch { heads: vec![advance], events, ..Batch::default() };
    let inserted = round.insert(&batch).await.unwrap();
    cluster.stop();
    assert_eq!(inserted.commit().await.unwrap_err().code(), "store.commit_unknown");
    for _ in 0..3 {
        let error = ledger::append(store, head, 1).await.unwrap_err();
        assert_eq!((error.code(), error.is_retryable()), ("store.unavailable", true), "{error:?}");
    }
    cluster.start();
    assert_eq!(store.head(head.ledger).await.unwrap(), Some(head));
    ledger::append(store, head, 1).await.unwrap();
}

/// A small file system of its own, unmounted when dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: &Path) -> Self {
        std::fs::create_dir(at).unwrap();
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=8m", "tmpfs"]).arg(at).status();
        assert!(mounted.unwrap().success());
        let disk = Self(at.to_owned());
        hand_over(at);
        disk
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg("--lazy").arg(&self.0).status();
        if !unmounted.is_ok_and(|status| status.success()) {
            eprintln!("{} is still mounted", self.0.display());
        }
    }
}

#[tokio::test]
async fn a_full_disk_is_named_and_loses_nothing() {
    if !is_root() {
        println!("skipped: only root may mount the small disk this test fills");
        return;
    }
    let cluster = Arc::new(Cluster::start_new());
    let disk = SmallDisk::mount(&cluster.folder().join("small"));
    let ballast = disk.0.join("ballast");
    std::fs::write(&ballast, vec![1; 4 << 20]).unwrap();
    let database = cluster.database().await;
    let admin = database.client("admin").await;
    let tablespace = disk.0.join("pg");
    std::fs::create_dir(&tablespace).unwrap();
    hand_over(&tablespace);
    let create = format!("CREATE TABLESPACE small LOCATION '{}'", tablespace.display());
    admin.batch_execute(&create).await.unwrap();
    admin.batch_execute("ALTER TABLE events SET TABLESPACE small").await.unwrap();

    let store = &database.store;
    let mut head = ledger::create(store, "acme").await;
    let error = loop {
        match ledger::append(store, head, 200).await {
            Ok(next) => head = next,
            Err(error) => break error,
        }
    };
    assert_eq!((error.code(), error.is_retryable()), ("store.disk_full", true), "{error:?}");
    assert_eq!(store.head(head.ledger).await.unwrap(), Some(head));
    let mut stream = store.export(head.ledger, head.size).await.unwrap();
    while stream.next().await.unwrap().is_some() {}

    std::fs::remove_file(&ballast).unwrap();
    ledger::append(store, head, 200).await.unwrap();
    // The server lets go of the disk before it is unmounted.
    drop(stream);
    cluster.stop();
    drop(disk);
}
