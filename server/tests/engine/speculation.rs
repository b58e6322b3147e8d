//! What is decided upon events that are not durable yet: of the same round, or of one that is on its way to the disk.

use std::pin::Pin;
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
use tokio_postgres::{Client, NoTls};

use crate::Site;

type Outcome = Result<Appended, EngineError>;

/// What somebody asked, which is in the sequencer's queue, or further.
struct Asked(Pin<Box<dyn Future<Output = Outcome> + Send>>);

impl Asked {
    async fn of(site: &Site, submission: Submission) -> Self {
        let ledger = Arc::clone(&site.ledger);
        let mut asked = Self(Box::pin(async move { ledger.submit(submission).await }));
        assert!(asked.is_open().await, "it was answered at once");
        asked
    }

    async fn is_open(&mut self) -> bool {
        futures_util::poll!(&mut self.0).is_pending()
    }

    async fn appended(self) -> Appended {
        self.0.await.unwrap()
    }

    async fn error(self) -> EngineError {
        self.0.await.unwrap_err()
    }
}

async fn suspend(site: &Site, target: Containment) -> Asked {
    let command = Command::Contain { by: site.people[1].id, target, sd: Vec::new() };
    Asked::of(site, Submission::new(command)).await
}

async fn record(site: &Site, service: ServiceId, idempotency: Option<IdempotencyKey>) -> Asked {
    let evidence = EvidenceRecorded {
        digest: Hash::sha256(b"a report"),
        evidence: uuid::Uuid::new_v4().into(),
        media_type: "application/pdf".parse().unwrap(),
        subject: Subject::Service(service),
    };
    let (by, evidence) = (Actor::Service(service), Box::new(evidence));
    let command = Command::RecordEvidence { by, evidence, sd: Vec::new() };
    Asked::of(site, Submission { idempotency, ..Submission::new(command) }).await
}

/// Waits until the sequencer has decided all that was asked, which it does ahead where a round is on its way.
async fn everything_is_decided(site: &Site) {
    until("the queue to be empty", async || site.app.queued() == 0).await;
}

async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    for _ in 0..2000 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("waited in vain for {what}");
}

/// Somebody with the owner's rights who holds up the writers.
struct Owner(Client);

impl Owner {
    async fn connect(postgres: &EmbeddedPostgres) -> Self {
        let (client, connection) = postgres.owner_config().connect(NoTls).await.unwrap();
        tokio::spawn(connection);
        Self(client)
    }

    /// Waits until nothing is being inserted, and keeps the next insertion waiting.
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

    /// Waits until so many wait for locks.
    async fn sees_waiting(&self, wanted: i64) {
        const SQL: &str = "SELECT count(*) FROM pg_locks WHERE NOT granted";
        let waiting = async || self.0.query_one(SQL, &[]).await.unwrap().get::<_, i64>(0);
        until("others to wait for a lock", async || waiting().await == wanted).await;
    }
}

/// Two who suspend the same slot, in one round, whose insertion waits for the second owner. They wait behind another round
/// until both are in the queue.
async fn two_suspend(site: &Site, service: ServiceId, slot: &SlotName, owners: [&Owner; 2]) -> [Asked; 2] {
    let [one, other] = owners;
    one.blocks_inserts().await;
    let before = record(site, service, None).await;
    one.sees_waiting(1).await;
    let pair = [
        suspend(site, Containment::Slot(slot.clone())).await,
        suspend(site, Containment::Slot(slot.clone())).await,
    ];
    let (_, ()) = tokio::join!(other.blocks_inserts(), async {
        one.sees_waiting(2).await;
        one.gives_way().await;
    });
    before.appended().await;
    one.sees_waiting(1).await;
    pair
}

/// A refusal that rests on an event of the same round waits with it: were it known earlier, who asks the ledger for
/// what stood in the way would find nothing, and where the round fails it would never have been true.
pub async fn a_refusal_waits_for_what_it_rests_on(
    site: &Site,
    postgres: &EmbeddedPostgres,
    slot: &SlotName,
    service: ServiceId,
) {
    let (one, other) = (Owner::connect(postgres).await, Owner::connect(postgres).await);
    let [mut first, mut second] = two_suspend(site, service, slot, [&one, &other]).await;
    let open = first.is_open().await && second.is_open().await;
    assert!(open, "a round that isn't committed was spoken of");
    other.gives_way().await;
    first.appended().await;
    assert_eq!(second.error().await.code(), Rule::SuspensionDuplicate.code());
}

/// A refusal that rests on an event of a round that comes to nothing was never true.
pub async fn a_refusal_that_rests_on_a_failed_round_is_none(
    site: &Site,
    postgres: &EmbeddedPostgres,
    slot: &SlotName,
    service: ServiceId,
) {
    let (one, other) = (Owner::connect(postgres).await, Owner::connect(postgres).await);
    let pair = two_suspend(site, service, slot, [&one, &other]).await;
    other.refuses_inserts().await;
    for asked in pair {
        let failed = asked.error().await;
        assert!(matches!(failed, EngineError::Fault { .. }), "{failed}");
    }
    one.allows_inserts().await;
    assert!(site.ledger.state().founded().unwrap().slots()[slot].suspension.is_none());
}

/// Who repeats a request that is on its way to the disk asks when the database does not know of it; it does by the time
/// that counts.
pub async fn a_repetition_decided_ahead_is_one(site: &Site, postgres: &EmbeddedPostgres, service: ServiceId) {
    let owner = Owner::connect(postgres).await;
    let key = |body: &[u8]| {
        let (key_hash, body_hash) = (Hash::sha256(b"decided ahead"), Hash::sha256(body));
        Some(IdempotencyKey { key_hash, body_hash })
    };
    owner.blocks_inserts().await;
    let first = record(site, service, key(b"body")).await;
    owner.sees_waiting(1).await;
    let again = record(site, service, key(b"body")).await;
    let other = record(site, service, key(b"another body")).await;
    let new = record(site, service, None).await;
    everything_is_decided(site).await;
    owner.gives_way().await;
    let (first, again) = (first.appended().await, again.appended().await);
    assert!(!first.replayed && again.replayed && again.first_seq == first.first_seq);
    let refused = other.error().await;
    assert!(matches!(refused, EngineError::Conflict { code: "idempotency.other_content", .. }), "{refused}");
    assert_eq!(new.appended().await.first_seq, first.first_seq + 1);
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
    let failing = record(site, service, None).await;
    one.sees_waiting(1).await;
    let mut ahead = record(site, service, None).await;
    everything_is_decided(site).await;
    let (_, ()) = tokio::join!(other.blocks_rounds(), async {
        one.sees_waiting(2).await;
        one.refuses_inserts().await;
    });
    let failed = failing.error().await;
    assert!(matches!(failed, EngineError::Fault { .. }), "{failed}");
    assert!(ahead.is_open().await);
    one.allows_inserts().await;
    other.gives_way().await;
    assert_eq!(ahead.appended().await.first_seq, end);
}

/// Containment overtakes what was asked before it and is not on its way yet, also where that was decided.
pub async fn containment_goes_before_what_was_decided_ahead(
    site: &Site,
    postgres: &EmbeddedPostgres,
    service: ServiceId,
) {
    let owner = Owner::connect(postgres).await;
    owner.blocks_inserts().await;
    let on_its_way = record(site, service, None).await;
    owner.sees_waiting(1).await;
    let ahead = record(site, service, None).await;
    everything_is_decided(site).await;
    let contained = suspend(site, Containment::Service(service)).await;
    owner.gives_way().await;
    on_its_way.appended().await;
    contained.appended().await;
    let refused = ahead.error().await;
    assert!(matches!(refused, EngineError::Refused(_)), "{refused}");
}
