//! What is decided upon events that are not durable yet: of the same round, or of one that is on its way to the disk.

use std::sync::Arc;
use std::time::Duration;

use sealbook::embedded::EmbeddedPostgres;
use sealbook::ledger::{Appended, EngineError, IdempotencyKey, Submission};
use sealbook_ledger::command::{Command, Containment};
use sealbook_ledger::encoding::Hash;
use sealbook_ledger::event::Actor;
use sealbook_ledger::ids::{ServiceId, SlotName};
use sealbook_ledger::payload::{EvidenceRecorded, Subject};
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

    /// Waits until no round is open, and keeps new ones from it.
    async fn blocks_rounds(&self) {
        self.0.batch_execute("BEGIN; LOCK TABLE sealbook.heads IN EXCLUSIVE MODE").await.unwrap();
    }

    /// Lets the writers go on, into a constraint that no event fulfils.
    async fn refuses_inserts(&self) {
        const SQL: &str = "ALTER TABLE sealbook.events ADD CONSTRAINT nothing CHECK (false) NOT VALID";
        self.0.batch_execute(SQL).await.unwrap();
        // Nothing where no transaction is open.
        self.0.batch_execute("COMMIT").await.unwrap();
    }

    async fn allows_inserts(&self) {
        self.0.batch_execute("ALTER TABLE sealbook.events DROP CONSTRAINT nothing").await.unwrap();
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

/// Who repeats a request that is on its way to the disk asks when the database does not know of it; it does by the time
/// that counts.
pub async fn a_repetition_of_what_is_on_its_way_is_one(
    site: &Site,
    postgres: &EmbeddedPostgres,
    service: ServiceId,
) {
    let owner = Owner::connect(postgres).await;
    let key = |body: &[u8]| {
        let (key_hash, body_hash) = (Hash::sha256(b"decided ahead"), Hash::sha256(body));
        Some(IdempotencyKey { key_hash, body_hash })
    };
    owner.blocks_inserts().await;
    let first = record(site, service, key(b"body"));
    owner.sees_waiting(1).await;
    let again = record(site, service, key(b"body"));
    let other = record(site, service, key(b"another body"));
    let new = record(site, service, None);
    owner.gives_way().await;
    let first = first.await.unwrap().unwrap();
    let again = again.await.unwrap().unwrap();
    assert!(!first.replayed && again.replayed && again.first_seq == first.first_seq);
    let refused = other.await.unwrap().unwrap_err();
    assert!(matches!(refused, EngineError::Conflict { code: "idempotency.other_content", .. }), "{refused}");
    assert_eq!(new.await.unwrap().unwrap().first_seq, first.first_seq + 1);
}

/// What was decided upon a round that comes to nothing takes that round's place.
pub async fn what_builds_upon_a_failed_round_is_decided_again(
    site: &Site,
    postgres: &EmbeddedPostgres,
    service: ServiceId,
) {
    let (one, other) = (Owner::connect(postgres).await, Owner::connect(postgres).await);
    let end = site.ledger.state().size();
    one.blocks_inserts().await;
    let failing = record(site, service, None);
    one.sees_waiting(1).await;
    let ahead = record(site, service, None);
    let (_, ()) = tokio::join!(other.blocks_rounds(), async {
        one.sees_waiting(2).await;
        one.refuses_inserts().await;
    });
    let failed = failing.await.unwrap().unwrap_err();
    assert!(matches!(failed, EngineError::Fault { .. }), "{failed}");
    assert!(!ahead.is_finished());
    one.allows_inserts().await;
    other.gives_way().await;
    assert_eq!(ahead.await.unwrap().unwrap().first_seq, end);
}

/// Containment overtakes what was asked before it and is not on its way yet, also where that was decided.
pub async fn containment_goes_before_what_was_decided_ahead(
    site: &Site,
    postgres: &EmbeddedPostgres,
    service: ServiceId,
) {
    let owner = Owner::connect(postgres).await;
    owner.blocks_inserts().await;
    let on_its_way = record(site, service, None);
    owner.sees_waiting(1).await;
    let ahead = record(site, service, None);
    let contained = suspend(site, Containment::Service(service));
    owner.gives_way().await;
    on_its_way.await.unwrap().unwrap();
    contained.await.unwrap().unwrap();
    let refused = ahead.await.unwrap().unwrap_err();
    assert!(matches!(refused, EngineError::Refused(_)), "{refused}");
}

/// A refusal that rests on an event of a round that comes to nothing was never true.
pub async fn a_refusal_that_rests_on_a_failed_round_is_none(
    site: &Site,
    postgres: &EmbeddedPostgres,
    slot: &SlotName,
    service: ServiceId,
) {
    let (one, other) = (Owner::connect(postgres).await, Owner::connect(postgres).await);
    one.blocks_inserts().await;
    let before = record(site, service, None);
    one.sees_waiting(1).await;
    let pair = [(), ()].map(|()| suspend(site, Containment::Slot(slot.clone())));
    let (_, ()) = tokio::join!(other.blocks_rounds(), async {
        one.sees_waiting(2).await;
        one.gives_way().await;
    });
    before.await.unwrap().unwrap();
    one.sees_waiting(1).await;
    one.refuses_inserts().await;
    other.gives_way().await;
    for asked in pair {
        let failed = asked.await.unwrap().unwrap_err();
        assert!(matches!(failed, EngineError::Fault { .. }), "{failed}");
    }
    one.allows_inserts().await;
    assert!(site.ledger.state().founded().unwrap().slots()[slot].suspension.is_none());
}

fn record(
    site: &Site,
    service: ServiceId,
    idempotency: Option<IdempotencyKey>,
) -> JoinHandle<Result<Appended, EngineError>> {
    let evidence = EvidenceRecorded {
        digest: Hash::sha256(b"a report"),
        evidence: uuid::Uuid::new_v4().into(),
        media_type: "application/pdf".parse().unwrap(),
        subject: Subject::Service(service),
    };
    let (by, evidence) = (Actor::Service(service), Box::new(evidence));
    let command = Command::RecordEvidence { by, evidence, sd: Vec::new() };
    let submission = Submission { idempotency, ..Submission::new(command) };
    let ledger = Arc::clone(&site.ledger);
    tokio::spawn(async move { ledger.submit(submission).await })
}
