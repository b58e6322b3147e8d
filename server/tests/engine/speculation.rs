//! What one request of a round is told about another of the same round, before either is durable.

use std::sync::Arc;
use std::time::Duration;

use sealbook::embedded::EmbeddedPostgres;
use sealbook::ledger::{Appended, EngineError, Submission};
use sealbook_ledger::command::{Command, Containment};
use sealbook_ledger::ids::{ServiceId, SlotName};
use sealbook_ledger::rule::Rule;
use tokio::task::JoinHandle;
use tokio_postgres::{Client, NoTls};

use crate::Site;

/// A refusal that rests on an event of the same round waits with it: were it known earlier, who asks the ledger for
/// what stood in the way would find nothing, and where the round fails it would never have been true.
pub async fn a_refusal_waits_for_what_it_rests_on(
    site: &Site,
    postgres: &EmbeddedPostgres,
    slot: &SlotName,
    service: ServiceId,
) {
    let (one, other) = (Owner::connect(postgres).await, Owner::connect(postgres).await);
    one.blocks_inserts().await;
    let before = suspend(site, Containment::Service(service));
    one.sees_waiting(1).await;
    // The sequencer is busy with the first, so that these two share the next round; the other owner stands between.
    let pair = [(), ()].map(|()| suspend(site, Containment::Slot(slot.clone())));
    let blocked = other.blocks_inserts();
    let (_, ()) = tokio::join!(blocked, async {
        one.sees_waiting(2).await;
        one.gives_way().await;
    });
    before.await.unwrap().unwrap();
    one.sees_waiting(1).await;
    assert!(pair.iter().all(|asked| !asked.is_finished()), "a round that isn't committed was spoken of");
    other.gives_way().await;
    // Which of them came first is the scheduler's business.
    let [one, other] = pair;
    match (one.await.unwrap(), other.await.unwrap()) {
        (Ok(_), Err(refused)) | (Err(refused), Ok(_)) => {
            assert_eq!(refused.code(), Rule::SuspensionDuplicate.code());
        }
        both => panic!("one of them suspends, and one finds it suspended: {both:?}"),
    }
}

fn suspend(site: &Site, target: Containment) -> JoinHandle<Result<Appended, EngineError>> {
    let command = Command::Contain { by: site.people[1].id, target, sd: Vec::new() };
    let ledger = Arc::clone(&site.ledger);
    tokio::spawn(async move { ledger.submit(Submission::new(command)).await })
}

/// Somebody with the owner's rights who holds up the writers.
struct Owner(Client);

impl Owner {
    async fn connect(postgres: &EmbeddedPostgres) -> Self {
        let (client, connection) = postgres.owner_config().connect(NoTls).await.unwrap();
        tokio::spawn(connection);
        Self(client)
    }

    async fn blocks_inserts(&self) {
        self.0.batch_execute("BEGIN; LOCK TABLE sealbook.events IN SHARE MODE").await.unwrap();
    }

    async fn gives_way(&self) {
        self.0.batch_execute("ROLLBACK").await.unwrap();
    }

    async fn sees_waiting(&self, wanted: i64) {
        for _ in 0..2000 {
            let sql = "SELECT count(*) FROM pg_locks WHERE NOT granted";
            if self.0.query_one(sql, &[]).await.unwrap().get::<_, i64>(0) == wanted {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("{wanted} never waited for a lock");
    }
}
