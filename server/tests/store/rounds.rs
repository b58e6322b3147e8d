//! Rounds: all or nothing, and nobody forks a ledger.

use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Instant;

use sealbook::store::StoreError;
use sealbook::store::append::Batch;
use sealbook::store::rows::{AttachmentRow, DisclosureRow, IdempotencyRow};
use sealbook_ledger::encoding::Hash;

use tokio::sync::oneshot;

use crate::cluster::Cluster;
use crate::ledger;

#[tokio::test]
async fn an_append_moves_the_head_and_is_read_back_byte_for_byte() {
    let database = Cluster::shared().database().await;
    let store = &database.store;
    let head = ledger::create(store, "acme").await;
    assert_eq!(store.head(head.ledger).await.unwrap(), Some(head));
    let (advance, events) = ledger::extend(head, 3, 400);
    ledger::commit(store, Batch { heads: vec![advance], events: events.clone(), ..Batch::default() })
        .await
        .unwrap();
    assert_eq!(store.head(head.ledger).await.unwrap(), Some(advance.new));
    let stored = store.page(head.ledger, 0, 10).await.unwrap();
    assert_eq!(stored.len(), 3);
    for (stored, sent) in stored.iter().zip(&events) {
        assert_eq!((stored.seq, stored.hash, stored.end_offset), (sent.seq, sent.hash, sent.end_offset));
        assert_eq!((&stored.kind, &stored.bytes), (&sent.kind, &sent.bytes));
    }
}

#[tokio::test]
async fn of_two_rounds_that_decided_on_the_same_head_one_conflicts() {
    let database = Cluster::shared().database().await;
    let store = &database.store;
    let head = ledger::create(store, "acme").await;
    let (first, second) = tokio::join!(ledger::append(store, head, 1), ledger::append(store, head, 2));
    let errors: Vec<_> = [&first, &second].into_iter().filter_map(|r| r.as_ref().err()).collect();
    assert_eq!(errors.len(), 1, "{first:?} {second:?}");
    assert_eq!(errors[0].code(), "store.conflict");
    let winner = first.or(second).unwrap();
    assert_eq!(store.head(head.ledger).await.unwrap(), Some(winner));
    assert_eq!(store.page(head.ledger, 0, 10).await.unwrap().len() as u64, winner.size);
}

#[tokio::test]
async fn a_head_with_another_hash_or_root_is_not_moved() {
    let database = Cluster::shared().database().await;
    let store = &database.store;
    let head = ledger::create(store, "acme").await;
    let head = ledger::append(store, head, 2).await.unwrap();
    for other in [
        sealbook::store::Head { hash: Hash::ZERO, ..head },
        sealbook::store::Head { root: Hash::ZERO, ..head },
    ] {
        assert_eq!(ledger::append(store, other, 1).await.unwrap_err().code(), "store.conflict");
    }
    ledger::append(store, head, 1).await.unwrap();
}

#[tokio::test]
async fn a_round_over_several_ledgers_is_committed_as_one() {
    let database = Cluster::shared().database().await;
    let store = &database.store;
    let (a, b) = (ledger::create(store, "a").await, ledger::create(store, "b").await);
    let stale = b;
    let b = ledger::append(store, b, 1).await.unwrap();
    let both = |b| {
        let (first, mut events) = ledger::extend(a, 2, 400);
        let (second, more) = ledger::extend(b, 3, 400);
        events.extend(more);
        Batch { heads: vec![first, second], events, ..Batch::default() }
    };
    assert_eq!(ledger::commit(store, both(stale)).await.unwrap_err().code(), "store.conflict");
    assert_eq!(store.head(a.ledger).await.unwrap(), Some(a), "half a round was committed");
    ledger::commit(store, both(b)).await.unwrap();
    let sizes: Vec<u64> = store.heads().await.unwrap().iter().map(|head| head.size).collect();
    assert_eq!(sizes.iter().sum::<u64>(), 6);
}

#[tokio::test]
async fn a_round_that_is_dropped_or_rolled_back_leaves_no_trace_and_no_lock() {
    let database = Cluster::shared().database().await;
    let store = &database.store;
    let head = ledger::create(store, "acme").await;
    let (advance, events) = ledger::extend(head, 1, 400);
    let batch = Batch { heads: vec![advance], events, ..Batch::default() };
    drop(store.begin_round(&[head.ledger]).await.unwrap());
    drop(store.begin_round(&[head.ledger]).await.unwrap().insert(&batch).await.unwrap());
    store.begin_round(&[head.ledger]).await.unwrap().rollback().await.unwrap();
    let round = store.begin_round(&[head.ledger]).await.unwrap();
    assert_eq!(round.heads(), [head]);
    round.insert(&batch).await.unwrap().commit().await.unwrap();
}

#[tokio::test]
async fn events_that_do_not_fit_their_head_never_reach_the_database() {
    let database = Cluster::shared().database().await;
    let store = &database.store;
    let head = ledger::create(store, "acme").await;
    let (advance, events) = ledger::extend(head, 3, 400);
    let spoil: [fn(&mut Batch); 5] = [
        |batch| drop(batch.events.remove(1)),
        |batch| batch.events.swap(0, 1),
        |batch| batch.events[2].end_offset += 1,
        |batch| batch.heads[0].new.size += 1,
        |batch| batch.heads[0].new.hash = Hash::ZERO,
    ];
    for spoil in spoil {
        let mut batch = Batch { heads: vec![advance], events: events.clone(), ..Batch::default() };
        spoil(&mut batch);
        assert_eq!(ledger::commit(store, batch).await.unwrap_err().code(), "store.fault");
    }
    assert_eq!(store.head(head.ledger).await.unwrap(), Some(head));
}

#[tokio::test]
async fn ten_thousand_events_go_in_with_one_statement() {
    let database = Cluster::shared().database().await;
    let store = &database.store;
    let head = ledger::create(store, "acme").await;
    let head = ledger::append(store, head, 10_000).await.unwrap();
    assert_eq!(head.size, 10_000);
    let last = store.page(head.ledger, 9_999, 10).await.unwrap();
    assert_eq!((last.len(), last[0].hash), (1, head.hash));
}

#[tokio::test]
async fn an_idempotency_key_is_found_under_the_lock_with_what_it_stood_for() {
    let database = Cluster::shared().database().await;
    let store = &database.store;
    let head = ledger::create(store, "acme").await;
    let key = Hash::sha256(b"key");
    let row = IdempotencyRow {
        ledger: head.ledger,
        key_hash: key,
        body_hash: Hash::sha256(b"body"),
        correlation: uuid::Uuid::now_v7(),
        seq: 0,
    };
    let (advance, events) = ledger::extend(head, 1, 400);
    let idempotency = vec![row.clone()];
    ledger::commit(store, Batch { heads: vec![advance], events, idempotency, ..Batch::default() })
        .await
        .unwrap();
    let round = store.begin_round(&[head.ledger]).await.unwrap();
    let asked = [(head.ledger, key), (head.ledger, Hash::ZERO)];
    assert_eq!(round.find_idempotent(&asked).await.unwrap(), std::slice::from_ref(&row));
    let (advance, events) = ledger::extend(advance.new, 1, 400);
    let again = Batch { heads: vec![advance], events, idempotency: vec![row], ..Batch::default() };
    let Err(error) = round.insert(&again).await else { panic!("a key was used twice") };
    assert_eq!(error.code(), "store.conflict");
}

#[tokio::test]
async fn odd_names_and_texts_survive() {
    let database = Cluster::shared().database().await;
    let store = &database.store;
    let head = ledger::create(store, "acme").await;
    let long = "\u{1f511}".repeat(2_560);
    let texts =
        ["../../etc/passwd", "a\0b\u{7f}\u{202e}txt.exe", "'; DROP TABLE events; --", "\\", "", &long];
    let disclosures: Vec<DisclosureRow> = texts
        .iter()
        .enumerate()
        .map(|(index, text)| DisclosureRow {
            ledger: head.ledger,
            seq: 0,
            name: format!("name{index}"),
            salt: [index as u8; 16],
            value: (*text).to_owned(),
        })
        .collect();
    let bytes = texts.concat().into_bytes();
    let attachment = AttachmentRow {
        ledger: head.ledger,
        sha256: Hash::sha256(&bytes),
        seq: 0,
        media_type: "text/plain; charset=\"utf-8\"".to_owned(),
        bytes,
    };
    let (advance, events) = ledger::extend(head, 1, 400);
    let attachments = vec![attachment.clone()];
    let batch = Batch {
        heads: vec![advance],
        events,
        disclosures: disclosures.clone(),
        attachments,
        ..Batch::default()
    };
    ledger::commit(store, batch).await.unwrap();
    assert_eq!(store.disclosures(head.ledger, 1, None, 100).await.unwrap(), disclosures);
    let after = store.disclosures(head.ledger, 1, Some((0, "name3")), 100).await.unwrap();
    assert_eq!(after, disclosures[4..]);
    assert_eq!(store.attachment(head.ledger, attachment.sha256).await.unwrap(), Some(attachment));
}

#[tokio::test]
#[ignore = "a measurement; run with --ignored --nocapture"]
async fn measure_a_single_ledgers_rounds() {
    const ROUNDS: u64 = 200;
    const BATCH: u64 = 256;
    let database = Cluster::shared().database().await;
    let store = &database.store;
    let mut head = ledger::create(store, "acme").await;
    let mut batches = Vec::new();
    for _ in 0..ROUNDS {
        let (advance, events) = ledger::extend(head, BATCH, 700);
        batches.push(Batch { heads: vec![advance], events, ..Batch::default() });
        head = advance.new;
    }
    let start = Instant::now();
    for batch in batches {
        ledger::commit(store, batch).await.unwrap();
    }
    let spent = start.elapsed();
    println!("{} events/s in rounds of {BATCH}", (ROUNDS * BATCH) as f64 / spent.as_secs_f64());
}

/// Postgres refuses whatever follows a statement that failed. Here both answers are with the client before it reads either:
/// this test has one thread, which stands still meanwhile.
#[tokio::test]
async fn of_statements_that_fail_together_the_one_that_began_it_is_named() {
    let database = Arc::new(Cluster::shared().database().await);
    let head = ledger::create(&database.store, "acme").await;
    let (locked, is_locked) = oneshot::channel();
    let (waits, it_waits) = oneshot::channel();
    let (go, may_go) = mpsc::channel();
    let other = thread::spawn({
        let database = Arc::clone(&database);
        move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let admin = database.client("admin").await;
                admin.batch_execute("BEGIN; LOCK TABLE events").await.unwrap();
                locked.send(()).unwrap();
                some_backend(&admin, "wait_event_type = 'Lock'").await;
                waits.send(()).unwrap();
                may_go.recv().unwrap();
                admin.batch_execute("ALTER TABLE events RENAME TO gone; COMMIT").await.unwrap();
                let refused = "state LIKE '%(aborted)' AND clock_timestamp() > state_change + '20 ms'";
                some_backend(&admin, refused).await;
            });
        }
    });
    is_locked.await.unwrap();
    let mut appended = Box::pin(ledger::append(&database.store, head, 1));
    tokio::select! {
        done = &mut appended => panic!("{done:?}"),
        waits = it_waits => waits.unwrap(),
    }
    go.send(()).unwrap();
    other.join().unwrap();
    let error = appended.await.unwrap_err();
    assert!(matches!(&error, StoreError::Fault { what: "insert events", .. }), "{error:?}");
}

/// Waits for a backend of this database that is in some state.
async fn some_backend(admin: &tokio_postgres::Client, state: &str) {
    let sql = format!(
        "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND {state})"
    );
    while !admin.query_one(&sql, &[]).await.unwrap().get::<_, bool>(0) {}
}
