//! The outbox: a position that moves with its rows, leases that two servers can't both have, and conditions that several
//! servers see.

use std::time::Duration;

use sealbook::store::webhooks::{Condition, OutboxRow};
use sealbook::store::{LedgerId, StoreError};
use sealbook::views::webhooks::{self, Destination};
use serde_json::json;
use tokio_postgres::error::SqlState;
use uuid::Uuid;

use crate::cluster::{Cluster, Database};
use crate::ledger;

fn row(ledger: LedgerId, n: u128) -> OutboxRow {
    OutboxRow {
        ledger,
        delivery: Uuid::from_u128(n),
        destination: "chat".to_owned(),
        kind: "action.waiting".to_owned(),
        body: json!({ "n": n.to_string() }),
    }
}

async fn outbox(database: &Database, count: u128) -> LedgerId {
    let head = ledger::create(&database.store, "acme").await;
    let rows: Vec<OutboxRow> = (0..count).map(|n| row(head.ledger, n)).collect();
    database.store.insert_webhooks(&rows).await.unwrap();
    head.ledger
}

/// Lets time pass for rows and conditions, as only an administrator can.
async fn pass(database: &Database, change: &str) {
    database.client("admin").await.batch_execute(change).await.unwrap();
}

#[tokio::test]
async fn a_ledger_is_followed_from_where_it_stood_and_position_and_rows_move_together() {
    let database = Cluster::shared().database().await;
    let store = &database.store;
    let head = ledger::create(store, "acme").await;
    let head = ledger::append(store, head, 3).await.unwrap();
    assert_eq!(store.webhook_position(head.ledger).await.unwrap(), 3);
    ledger::append(store, head, 2).await.unwrap();
    assert_eq!(store.webhook_position(head.ledger).await.unwrap(), 3, "it moves with rows alone");
    store.follow_webhooks(head.ledger, &[row(head.ledger, 1)], 3, 5).await.unwrap();
    // Another server has seen the same events.
    let late = store.follow_webhooks(head.ledger, &[row(head.ledger, 2)], 3, 4).await.unwrap_err();
    assert!(matches!(late, StoreError::Conflict { .. }), "{late}");
    assert_eq!(store.webhook_position(head.ledger).await.unwrap(), 5);
    let claimed = store.claim_webhooks(head.ledger, "chat", 10).await.unwrap();
    assert_eq!(claimed.iter().map(|c| c.row.delivery.as_u128()).collect::<Vec<_>>(), [1]);
}

#[tokio::test]
async fn two_servers_never_hold_the_same_row_and_a_lease_ends() {
    let database = Cluster::shared().database().await;
    let store = &database.store;
    let ledger = outbox(&database, 20).await;
    assert_eq!(store.webhooks_due("chat").await.unwrap(), [ledger]);
    assert!(store.webhooks_due("mail").await.unwrap().is_empty());
    let claims = (0..8).map(|_| store.claim_webhooks(ledger, "chat", 5));
    let mut all: Vec<u128> = Vec::new();
    for claimed in futures_util::future::join_all(claims).await {
        all.extend(claimed.unwrap().iter().map(|claimed| claimed.row.delivery.as_u128()));
    }
    all.sort_unstable();
    let mut rest = store.claim_webhooks(ledger, "chat", 50).await.unwrap();
    all.extend(rest.drain(..).map(|claimed| claimed.row.delivery.as_u128()));
    all.sort_unstable();
    assert_eq!(all, (0..20).collect::<Vec<u128>>());
    assert!(store.claim_webhooks(ledger, "chat", 50).await.unwrap().is_empty());
    pass(&database, "UPDATE sealbook.webhook_outbox SET next_at = now() - interval '1 second'").await;
    assert_eq!(store.claim_webhooks(ledger, "chat", 50).await.unwrap().len(), 20);
}

#[tokio::test]
async fn only_the_newest_attempt_counts() {
    let database = Cluster::shared().database().await;
    let store = &database.store;
    let ledger = outbox(&database, 1).await;
    let first = store.claim_webhooks(ledger, "chat", 1).await.unwrap().remove(0);
    pass(&database, "UPDATE sealbook.webhook_outbox SET next_at = now()").await;
    let second = store.claim_webhooks(ledger, "chat", 1).await.unwrap().remove(0);
    assert_eq!((first.attempt, second.attempt), (1, 2));
    store.put_off_webhook(&first, "timed out", Duration::from_secs(3600)).await.unwrap();
    let counts = store.webhook_counts("chat", Some(ledger)).await.unwrap();
    assert_eq!((counts.pending, counts.outcome), (1, None), "a lease that ended has no say");
    store.settle_webhook(&second, "accepted with 200").await.unwrap();
    store.put_off_webhook(&second, "timed out", Duration::ZERO).await.unwrap();
    let counts = store.webhook_counts("chat", None).await.unwrap();
    assert_eq!((counts.pending, counts.delivered, counts.dead), (0, 1, 0));
    assert_eq!(counts.outcome.as_deref(), Some("accepted with 200"));
}

#[tokio::test]
async fn what_does_not_arrive_within_a_day_is_dead_and_forgotten_after_a_month() {
    let database = Cluster::shared().database().await;
    let store = &database.store;
    let ledger = outbox(&database, 2).await;
    let claimed = store.claim_webhooks(ledger, "chat", 1).await.unwrap().remove(0);
    store.put_off_webhook(&claimed, "answered 500", Duration::from_secs(60)).await.unwrap();
    assert_eq!(store.webhook_counts("chat", None).await.unwrap().pending, 2);
    let aged = "UPDATE sealbook.webhook_outbox SET created_at = now() - interval '23 hours 59 minutes', \
         next_at = now()";
    pass(&database, aged).await;
    let claimed = store.claim_webhooks(ledger, "chat", 1).await.unwrap().remove(0);
    store.put_off_webhook(&claimed, "answered 500", Duration::from_secs(3600)).await.unwrap();
    let counts = store.webhook_counts("chat", None).await.unwrap();
    assert_eq!((counts.pending, counts.dead), (1, 1));
    assert_eq!(store.webhook_backlog("chat").await.unwrap(), (1, 1));
    // The other row's destination is nobody's any more: it is never claimed.
    pass(&database, "UPDATE sealbook.webhook_outbox SET created_at = now() - interval '3 days'").await;
    store.tidy_webhooks().await.unwrap();
    let destination = Destination {
        name: "chat".to_owned(),
        address: "https://hooks.example.com:443".to_owned(),
        kinds: vec!["action.waiting"],
        disclose: false,
        allow_private: false,
    };
    let views = webhooks::list(store, Some(ledger), vec![destination]).await.unwrap();
    assert_eq!((views[0].pending, views[0].dead), (0, 2));
    assert_eq!(views[0].last.as_ref().unwrap().outcome, "answered 500");
    pass(&database, "UPDATE sealbook.webhook_outbox SET ended_at = now() - interval '32 days'").await;
    store.tidy_webhooks().await.unwrap();
    assert_eq!(store.webhook_counts("chat", None).await.unwrap().dead, 0);
}

#[tokio::test]
async fn trouble_is_told_once_and_its_end_by_whoever_told_it_or_once_that_one_is_silent() {
    let database = Cluster::shared().database().await;
    let store = &database.store;
    let (one, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
    let condition =
        |level, reporter| Condition { ledger: LedgerId::DEPLOYMENT, subject: "custody hsm", level, reporter };
    let note = async |level, reporter, n| {
        let rows = [row(LedgerId::DEPLOYMENT, n)];
        store.note_condition(condition(level, reporter), &rows).await.unwrap()
    };
    assert!(!note(0, one, 1).await, "all is well, and always was");
    assert!(note(1, one, 2).await);
    assert!(!note(1, other, 3).await, "others see the same");
    assert!(!note(0, other, 4).await, "others see no trouble, which ends none");
    assert!(note(2, other, 5).await, "worse is news from anybody");
    assert!(!note(1, one, 6).await);
    assert!(note(0, other, 7).await);
    assert!(note(2, one, 8).await);
    let silent = "UPDATE sealbook.webhook_conditions SET seen_at = now() - interval '2 minutes'";
    pass(&database, silent).await;
    assert!(note(0, other, 9).await, "a server that is gone can't say that it is over");
    let mut told: Vec<u128> = store
        .claim_webhooks(LedgerId::DEPLOYMENT, "chat", 50)
        .await
        .unwrap()
        .iter()
        .map(|claimed| claimed.row.delivery.as_u128())
        .collect();
    told.sort_unstable();
    assert_eq!(told, [2, 5, 7, 8, 9]);
}

#[tokio::test]
async fn the_runtime_role_changes_nothing_of_what_is_told() {
    let database = Cluster::shared().database().await;
    outbox(&database, 1).await;
    let client = database.client("sealbook_app").await;
    for change in [
        "UPDATE webhook_outbox SET body = '{}'",
        "UPDATE webhook_outbox SET destination = 'x'",
        "UPDATE webhook_outbox SET delivery = gen_random_uuid()",
        "TRUNCATE webhook_outbox",
        "UPDATE webhook_positions SET ledger_id = 1",
        "DELETE FROM webhook_positions",
        "UPDATE webhook_conditions SET subject = 'x'",
        "DELETE FROM webhook_conditions",
    ] {
        let error = client.batch_execute(change).await.unwrap_err();
        assert_eq!(error.code(), Some(&SqlState::INSUFFICIENT_PRIVILEGE), "{change}");
    }
}
