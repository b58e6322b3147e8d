//! Who may change what: nobody changes what a ledger holds.

use sealbook::store::checkpoints::CheckpointRow;
use tokio_postgres::error::SqlState;

use crate::cluster::{Cluster, Database};
use crate::ledger;

const CHANGES: [&str; 6] = [
    "UPDATE events SET type = 'x'",
    "DELETE FROM events",
    "TRUNCATE events",
    "UPDATE checkpoints SET note = 'x'",
    "DELETE FROM checkpoints",
    "TRUNCATE checkpoints",
];

async fn database_with_an_event_and_a_checkpoint() -> Database {
    let database = Cluster::shared().database().await;
    let head = ledger::create(&database.store, "acme").await;
    ledger::append(&database.store, head, 1).await.unwrap();
    let row = CheckpointRow { size: 1, note: "a note\n".to_owned(), transition: false };
    database.store.insert_checkpoint(head.ledger, &row).await.unwrap();
    database
}

#[tokio::test]
async fn the_runtime_role_has_no_right_to_change_events_or_checkpoints() {
    let database = database_with_an_event_and_a_checkpoint().await;
    let client = database.client("sealbook_app").await;
    for change in CHANGES {
        let error = client.batch_execute(change).await.unwrap_err();
        assert_eq!(error.code(), Some(&SqlState::INSUFFICIENT_PRIVILEGE), "{change}");
    }
}

#[tokio::test]
async fn a_trigger_refuses_the_owner_and_the_superuser_too() {
    let database = database_with_an_event_and_a_checkpoint().await;
    let client = database.client("admin").await;
    for preparation in ["SET ROLE sealbook_owner", "RESET ROLE; SET session_replication_role = replica"] {
        client.batch_execute(preparation).await.unwrap();
        for change in CHANGES {
            let error = client.batch_execute(change).await.unwrap_err();
            assert_eq!(error.code(), Some(&SqlState::RESTRICT_VIOLATION), "{preparation}: {change}");
        }
    }
}

#[tokio::test]
async fn the_runtime_role_changes_no_fact_and_no_schema() {
    let database = database_with_an_event_and_a_checkpoint().await;
    let client = database.client("sealbook_app").await;
    for change in [
        "UPDATE ledgers SET tenant = 'x'",
        "DELETE FROM ledgers",
        "UPDATE heads SET ledger_id = 1",
        "DELETE FROM heads",
        "UPDATE disclosures SET value = ''",
        "DELETE FROM attachments",
        "DELETE FROM idempotency",
        "UPDATE ledger_key_made SET vkey = 'x'",
        "UPDATE candidates SET purpose = 'x'",
        "DELETE FROM candidates",
        "DELETE FROM founding_assertions",
        "UPDATE p_signatures SET outcome = 1",
        "UPDATE refinery_schema_history SET version = 9",
        "CREATE TABLE sealbook.mine (a int)",
        "ALTER TABLE events DISABLE TRIGGER ALL",
        "DROP TABLE events",
    ] {
        let error = client.batch_execute(change).await.unwrap_err();
        assert_eq!(error.code(), Some(&SqlState::INSUFFICIENT_PRIVILEGE), "{change}");
    }
}

#[tokio::test]
async fn every_table_of_a_ledger_leads_its_primary_key_with_the_ledger() {
    let database = Cluster::shared().database().await;
    let client = database.client("admin").await;
    let others = client
        .query(
            "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
             WHERE n.nspname = 'sealbook' AND c.relkind = 'r' AND c.relname <> 'refinery_schema_history' \
               AND NOT EXISTS (SELECT FROM pg_index i JOIN pg_attribute a ON a.attrelid = c.oid \
                   AND a.attnum = i.indkey[0] WHERE i.indrelid = c.oid AND i.indisprimary AND a.attname = 'ledger_id')",
            &[],
        )
        .await
        .unwrap();
    assert!(others.is_empty(), "{others:?}");
    let sequences_and_references = client
        .query(
            "SELECT relname::text FROM pg_class WHERE relkind = 'S' AND relnamespace = 'sealbook'::regnamespace \
             UNION ALL SELECT conname::text FROM pg_constraint \
             WHERE contype = 'f' AND connamespace = 'sealbook'::regnamespace",
            &[],
        )
        .await
        .unwrap();
    assert!(sequences_and_references.is_empty());
}

#[tokio::test]
async fn migrating_again_changes_nothing_and_two_may_migrate_at_once() {
    let cluster = Cluster::shared();
    let database = cluster.database().await;
    let config = cluster.config(&database.name, "admin");
    let (first, second) =
        tokio::join!(sealbook::store::migrate::migrate(&config), sealbook::store::migrate::migrate(&config));
    assert_eq!((first.unwrap(), second.unwrap()), (0, 0));
    database.store.check_server().await.unwrap();
}

#[tokio::test]
async fn a_database_without_the_schema_is_refused_with_what_to_do() {
    let cluster = Cluster::shared();
    // The roles are there once any database is.
    let _other = cluster.database().await;
    let store = sealbook::store::Store::open(cluster.config("postgres", "sealbook_app")).unwrap();
    let error = store.check_server().await.unwrap_err();
    assert_eq!(error.code(), "store.fault");
    assert!(error.to_string().contains("sealbook migrate"), "{error}");
}
