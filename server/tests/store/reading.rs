//! Reading back: pages, filters, exports, checkpoints, and what precedes the events.

use sealbook::store::append::Batch;
use sealbook::store::candidates::{CandidateRow, Exchange};
use sealbook::store::checkpoints::CheckpointRow;
use sealbook::store::ledgers::{KeyIntentRow, KeyMadeRow};
use sealbook::store::load::EventFilter;
use sealbook::store::restore::Tail;
use sealbook_ledger::encoding::Hash;
use sealbook_ledger::ids::{KeyId, MemberId};
use serde_json::json;
use uuid::Uuid;

use crate::cluster::Cluster;
use crate::ledger::{self, time};

#[tokio::test]
async fn a_filter_finds_what_it_should_page_by_page() {
    let database = Cluster::shared().database().await;
    let store = &database.store;
    let head = ledger::create(store, "acme").await;
    let mut head = head;
    for _ in 0..3 {
        head = ledger::append(store, head, 10_000).await.unwrap();
    }
    let filter = EventFilter {
        kinds: vec!["vector.rare".to_owned()],
        since: Some(time(50)),
        until: Some(time(25_001)),
    };
    let (mut found, mut from, mut pages) = (Vec::new(), 0, 0);
    loop {
        let page = store.filtered_page(head.ledger, &filter, from, 100).await.unwrap();
        found.extend(page.events.into_iter().map(|event| event.seq));
        pages += 1;
        match page.next {
            Some(next) => from = next,
            None => break,
        }
    }
    let expected: Vec<u64> = (1..=250).map(|n| n * 100).collect();
    assert_eq!(found, expected);
    assert!(pages >= 3, "{pages}");
}

#[tokio::test]
async fn an_export_streams_every_event_in_order_and_stops_where_it_was_told() {
    let database = Cluster::shared().database().await;
    let store = &database.store;
    let head = ledger::create(store, "acme").await;
    let (advance, events) = ledger::extend(head, 1_000, 60_000);
    // 60 MB in the ledger; the reader below holds one event at a time.
    ledger::commit(store, Batch { heads: vec![advance], events, ..Batch::default() }).await.unwrap();
    let before = resident_bytes();
    let mut stream = store.export(head.ledger, 900).await.unwrap();
    let (mut count, mut most) = (0, 0);
    while let Some(event) = stream.next().await.unwrap() {
        assert_eq!(event.seq, count);
        count += 1;
        most = most.max(resident_bytes());
    }
    assert_eq!(count, 900);
    assert!(most.saturating_sub(before) < 40_000_000, "{before} → {most}");
}

#[tokio::test]
async fn an_export_past_the_end_is_corruption_not_silence() {
    let database = Cluster::shared().database().await;
    let head = ledger::create(&database.store, "acme").await;
    ledger::append(&database.store, head, 5).await.unwrap();
    let mut stream = database.store.export(head.ledger, 6).await.unwrap();
    for _ in 0..5 {
        assert!(stream.next().await.unwrap().is_some());
    }
    assert_eq!(stream.next().await.unwrap_err().code(), "store.corruption");
}

/// Memory of this process that is in RAM (proc_pid_statm(5), second field, in pages of 4 KiB).
fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

#[tokio::test]
async fn a_checkpoint_is_stored_once_and_found_by_what_it_covers() {
    let database = Cluster::shared().database().await;
    let store = &database.store;
    let ledger = ledger::create(store, "acme").await.ledger;
    let row = |size, transition| CheckpointRow { size, note: format!("note {size}\n"), transition };
    for row in [row(2, false), row(5, true), row(9, false)] {
        store.insert_checkpoint(ledger, &row).await.unwrap();
        store.insert_checkpoint(ledger, &row).await.unwrap();
    }
    let other = CheckpointRow { note: "other\n".to_owned(), ..row(5, true) };
    assert_eq!(store.insert_checkpoint(ledger, &other).await.unwrap_err().code(), "store.conflict");
    assert_eq!(store.latest_checkpoint(ledger).await.unwrap(), Some(row(9, false)));
    assert_eq!(store.checkpoint_over(ledger, 2).await.unwrap(), Some(row(5, true)));
    assert_eq!(store.checkpoint_over(ledger, 9).await.unwrap(), None);
    assert_eq!(store.checkpoints(ledger, 2, 10).await.unwrap(), [row(5, true), row(9, false)]);
    assert_eq!(store.transitions(ledger).await.unwrap(), [row(5, true)]);
}

#[tokio::test]
async fn one_sealer_a_ledger_at_a_time() {
    let database = Cluster::shared().database().await;
    let store = &database.store;
    let a = ledger::create(store, "a").await.ledger;
    let b = ledger::create(store, "b").await.ledger;
    let lease = store.lease_sealing(a).await.unwrap().unwrap();
    assert!(store.lease_sealing(a).await.unwrap().is_none());
    assert!(store.lease_sealing(b).await.unwrap().is_some());
    lease.release().await.unwrap();
    assert!(store.lease_sealing(a).await.unwrap().is_some());
}

#[tokio::test]
async fn a_lost_tail_is_put_back_byte_for_byte() {
    let cluster = Cluster::shared();
    let (whole, behind) = (cluster.database().await, cluster.database().await);
    let head = ledger::create(&whole.store, "acme").await;
    let (first, start) = ledger::extend(head, 4, 400);
    let (second, rest) = ledger::extend(first.new, 6, 400);
    for (advance, events) in [(first, &start), (second, &rest)] {
        let batch = Batch { heads: vec![advance], events: events.clone(), ..Batch::default() };
        ledger::commit(&whole.store, batch).await.unwrap();
    }
    // The other database has the same ledger, cut after four events.
    let client = behind.client("sealbook_app").await;
    let insert = "INSERT INTO heads VALUES ($1, 0, $2, $3, 0)";
    let (hash, root) = (head.hash.0.as_slice(), head.root.0.as_slice());
    client.execute(insert, &[&head.ledger.get(), &hash, &root]).await.unwrap();
    let tail =
        |expected, new, events| Tail { expected, new, events, disclosures: vec![], attachments: vec![] };
    behind.store.restore_tail(tail(head, first.new, start.clone())).await.unwrap();
    let gap = behind.store.restore_tail(tail(head, first.new, start)).await.unwrap_err();
    assert_eq!(gap.code(), "store.conflict");
    behind.store.restore_tail(tail(first.new, second.new, rest)).await.unwrap();
    assert_eq!(behind.store.head(head.ledger).await.unwrap(), Some(second.new));
    let (restored, original) =
        (behind.store.page(head.ledger, 0, 100).await, whole.store.page(head.ledger, 0, 100).await);
    assert_eq!(restored.unwrap(), original.unwrap());
}

#[tokio::test]
async fn a_ticket_is_good_once_and_until_it_expires() {
    let database = Cluster::shared().database().await;
    let store = &database.store;
    let ledger = ledger::create(store, "acme").await.ledger;
    let row = |ticket: &[u8]| CandidateRow {
        ledger,
        candidate: Uuid::new_v4(),
        ticket_hash: Hash::sha256(ticket),
        purpose: "founding".to_owned(),
        body: json!({"name": "A\u{0}\u{202e}"}),
        created_at: time(0),
        expires_at: time(100),
        used_at: None,
    };
    let (used, late) = (row(b"used"), row(b"late"));
    for row in [&used, &late] {
        store.insert_candidate(row).await.unwrap();
        assert_eq!(store.candidate_by_ticket(ledger, row.ticket_hash).await.unwrap().as_ref(), Some(row));
    }
    let body = json!({"credential": 1});
    let bodies = Exchange { before: &used.body, after: &body };
    // Somebody who read something else was slower.
    let late_reader = Exchange { before: &body, after: &body };
    for slower in [
        store.update_candidate(ledger, used.ticket_hash, late_reader, time(99)).await,
        store.use_candidate(ledger, used.ticket_hash, late_reader, time(99)).await,
    ] {
        assert_eq!(slower.unwrap_err().code(), "store.conflict");
    }
    store.use_candidate(ledger, used.ticket_hash, bodies, time(99)).await.unwrap();
    for (hash, at) in [(used.ticket_hash, 99), (late.ticket_hash, 100), (Hash::ZERO, 0)] {
        let error = store.use_candidate(ledger, hash, bodies, time(at)).await.unwrap_err();
        assert_eq!(error.code(), "store.conflict");
    }
    let expected = CandidateRow { body, used_at: Some(time(99)), ..used };
    assert_eq!(store.candidate_by_ticket(ledger, expected.ticket_hash).await.unwrap(), Some(expected));
    let member = MemberId::from(Uuid::new_v4());
    let assertion = json!({"signature": "AQ"});
    store.insert_founding_assertion(ledger, member, &assertion).await.unwrap();
    let again = store.insert_founding_assertion(ledger, member, &assertion).await.unwrap_err();
    assert_eq!(again.code(), "store.conflict");
    assert_eq!(store.founding_assertions(ledger).await.unwrap(), [(member, assertion)]);
}

#[tokio::test]
async fn a_ledger_key_is_an_intent_and_then_an_outcome() {
    let database = Cluster::shared().database().await;
    let store = &database.store;
    let ledger = ledger::create(store, "acme").await.ledger;
    let key = KeyId::from(Uuid::new_v4());
    let intent = KeyIntentRow {
        ledger,
        key,
        label: format!("sealbook/sealbook.example.com/acme/{key}"),
        backend: "softhsm".parse().unwrap(),
        intended_at: time(0),
    };
    store.insert_key_intent(&intent).await.unwrap();
    assert_eq!(store.ledger_keys(ledger).await.unwrap(), [(intent.clone(), None)]);
    let made = KeyMadeRow { ledger, key, vkey: "name+00000000+AQ".to_owned(), made_at: time(1) };
    store.insert_key_made(&made).await.unwrap();
    assert_eq!(store.ledger_keys(ledger).await.unwrap(), [(intent, Some(made))]);
    let found = store.ledger_of(&"acme".parse().unwrap()).await.unwrap().unwrap();
    assert_eq!((found.ledger, store.ledgers().await.unwrap().len()), (ledger, 1));
    let taken =
        sealbook::store::ledgers::LedgerRow { ledger: sealbook::store::LedgerId::from_random(7), ..found };
    assert_eq!(store.create_ledger(&taken).await.unwrap_err().code(), "store.conflict");
}
