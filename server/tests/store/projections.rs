//! Projections: changed with the append, made again at will, never half.

use sealbook::store::append::Batch;
use sealbook::store::projections::{ActionRow, KeyRow, ProjectionRow, StatusRow, latest};
use sealbook::store::signatures::{Outcome, SignatureRow};
use sealbook::store::{Head, LedgerId};
use sealbook_ledger::encoding::Hash;
use serde_json::json;
use uuid::Uuid;

use crate::cluster::Cluster;
use crate::ledger::{self, time};

/// One row of each kind, and a second state of the action.
fn changes(ledger: LedgerId) -> Vec<ProjectionRow> {
    let body = json!({"b": 1, "a": "\u{0}\u{202e}"});
    let action = ActionRow {
        ledger,
        action: Uuid::new_v4().into(),
        kind: "slot.create".to_owned(),
        status: "proposed".to_owned(),
        proposed_by: Uuid::new_v4().to_string(),
        proposed_seq: 0,
        last_seq: 0,
        document: body.clone(),
    };
    let approved = ActionRow { status: "approved".to_owned(), last_seq: 1, ..action.clone() };
    let key = KeyRow {
        ledger,
        key: Uuid::new_v4().into(),
        slot: "release".parse().unwrap(),
        algorithm: "ecdsa-p256-sha256".to_owned(),
        state: "active".to_owned(),
        spki_sha256: Some(Hash::ZERO),
        created_seq: 1,
        last_seq: 1,
        body: body.clone(),
    };
    let unmade = KeyRow { key: Uuid::new_v4().into(), spki_sha256: None, ..key.clone() };
    vec![
        ProjectionRow::Action(action),
        ProjectionRow::Key(key),
        ProjectionRow::Key(unmade),
        ProjectionRow::Slot(status(ledger, "release".parse().unwrap())),
        ProjectionRow::Member(status(ledger, Uuid::new_v4().into())),
        ProjectionRow::Service(status(ledger, Uuid::new_v4().into())),
        ProjectionRow::Action(approved),
    ]
}

fn status<Id>(ledger: LedgerId, id: Id) -> StatusRow<Id> {
    StatusRow { ledger, id, status: "active".to_owned(), last_seq: 1, body: json!({}) }
}

#[tokio::test]
async fn projections_commit_with_the_events_and_the_last_change_counts() {
    let database = Cluster::shared().database().await;
    let store = &database.store;
    let head = ledger::create(store, "acme").await;
    let (advance, events) = ledger::extend(head, 2, 400);
    let projections = changes(head.ledger);
    let batch = Batch { heads: vec![advance], events, projections: projections.clone(), ..Batch::default() };
    ledger::commit(store, batch).await.unwrap();
    let (at, rows) = store.dump_projections(head.ledger).await.unwrap();
    assert_eq!(at, advance.new);
    assert_eq!(rows, latest(projections));
    assert_eq!(rows.len(), 6);
}

#[tokio::test]
async fn a_rebuild_replaces_everything_at_the_same_head_or_nothing() {
    let database = Cluster::shared().database().await;
    let store = &database.store;
    let head = ledger::create(store, "acme").await;
    let (advance, events) = ledger::extend(head, 2, 400);
    let wrong = changes(head.ledger);
    let batch = Batch { heads: vec![advance], events, projections: wrong.clone(), ..Batch::default() };
    ledger::commit(store, batch).await.unwrap();
    let right = latest(changes(head.ledger));
    let stale = Head { size: 1, ..advance.new };
    assert_eq!(store.rebuild_projections(stale, &right).await.unwrap_err().code(), "store.conflict");
    assert_eq!(store.dump_projections(head.ledger).await.unwrap().1, latest(wrong));
    store.rebuild_projections(advance.new, &right).await.unwrap();
    assert_eq!(store.dump_projections(head.ledger).await.unwrap(), (advance.new, right));
}

#[tokio::test]
async fn signatures_and_the_projectors_position_move_together() {
    let database = Cluster::shared().database().await;
    let store = &database.store;
    let ledger = ledger::create(store, "acme").await.ledger;
    let row = |seq, outcome| SignatureRow {
        seq,
        authorized_seq: 3,
        slot: "release".parse().unwrap(),
        key: Uuid::nil().into(),
        digest: vec![7; 32],
        outcome,
        caller: "c".to_owned(),
        time: time(seq as i64),
    };
    let (first, second) = (row(3, Outcome::Authorized), row(8, Outcome::Withheld));
    store.insert_signatures(ledger, std::slice::from_ref(&first), 0, 5).await.unwrap();
    for (from, to) in [(0, 9), (4, 9), (6, 9)] {
        let error =
            store.insert_signatures(ledger, std::slice::from_ref(&second), from, to).await.unwrap_err();
        assert_eq!(error.code(), "store.conflict");
    }
    store.insert_signatures(ledger, std::slice::from_ref(&second), 5, 9).await.unwrap();
    assert_eq!(store.signatures_position(ledger).await.unwrap(), 9);
    assert_eq!(store.signatures_page(ledger, 0, 10).await.unwrap(), [first, second]);
    store.reset_signatures(ledger).await.unwrap();
    assert_eq!(store.signatures_position(ledger).await.unwrap(), 0);
    assert!(store.signatures_page(ledger, 0, 10).await.unwrap().is_empty());
}
