//! One round: a draft, held against the database under the heads' locks, and committed as one transaction.

use std::sync::Arc;
use std::time::Duration;

use sealbook_ledger::encoding::Hash;
use tokio::sync::mpsc;

use super::draft::{Draft, Earlier, Ground, Tips, Verdict};
use super::live::{Live, same_head};
use super::{MAX_BATCH, Sequencer, answer, guard, name};
use crate::high_water::Mark;
use crate::ledger::{Appended, EngineError, Envelope, Reply};
use crate::store::append::{Advance, Batch, Round};
use crate::store::load::MAX_PAGE;
use crate::store::{Head, LedgerId, StoreError};

/// How long the outcome of a commit is looked for when the connection broke during it.
const RESOLVE_DEADLINE: Duration = Duration::from_secs(30);

/// Submissions that are decided before it is looked whether the round below has got further: some hundred microseconds,
/// for its heads are locked meanwhile.
const AT_A_TIME: usize = 8;

/// Somebody who waits for a round, and what they are told once it is durable.
struct Waiting {
    ledger: LedgerId,
    reply: Reply,
    outcome: Result<Appended, EngineError>,
    /// Whether the high-water file has to know it too.
    contains: bool,
}

impl Sequencer {
    /// Brings a draft to the disk and answers its callers. Returns what was decided from `queue` meanwhile, which builds
    /// upon it.
    pub(super) async fn round(
        &mut self,
        draft: Draft,
        queue: Option<&mut mpsc::Receiver<Envelope>>,
    ) -> Option<Draft> {
        let (round, Draft { asked, batch, tips, .. }) = self.open(draft).await?;
        let waiting = asked.into_iter().filter_map(Waiting::until_durable).collect();
        if batch.events.is_empty() {
            // Nothing to keep: a rollback that fails only costs the connection. Who waits has repeated an earlier round's
            // request, which is durable.
            if let Err(error) = round.rollback().await {
                tracing::warn!(error = &error as &dyn std::error::Error, "an empty round could not be ended");
            }
            self.tell(waiting).await;
            return None;
        }
        self.append(round, batch, tips, waiting, queue).await
    }

    /// Locks the heads and sees whether the draft holds there; where it does not, its submissions are decided again.
    async fn open(&mut self, draft: Draft) -> Option<(Round, Draft)> {
        let ids = draft.ledgers();
        if ids.is_empty() {
            return None;
        }
        let looked = async {
            let round = self.store.begin_round(&ids).await?;
            self.catch_up(&round).await?;
            let earlier = earlier_keys(&round, &draft).await?;
            Ok((round, earlier))
        };
        let (round, earlier) = match looked.await {
            Ok(looked) => looked,
            Err(error) => {
                // Nobody looked whether what it builds upon is so: not even a refusal of it counts.
                warn("a round could not begin", &error);
                draft.into_envelopes().for_each(|envelope| answer(envelope.reply, Err(same_story(&error))));
                return None;
            }
        };
        self.skew = guard::skew(self.clock.now(), round.clock());
        let end = |id| {
            let live = self.ledgers.get(&id).filter(|live| live.ledger.frozen().is_none());
            live.map(|live| live.tip.head(id))
        };
        if draft.holds(end, &earlier, round.clock()) {
            return Some((round, draft));
        }
        // A ledger that was found corrupt just now stops no other.
        let ground = Ground { earlier, ..Ground::default() };
        Some((round, self.draft(draft.into_envelopes(), &ground)))
    }

    /// Follows what other servers appended to a ledger that nobody here asks anything of.
    pub(super) async fn look(&mut self, ledger: LedgerId) {
        if self.ledgers.get(&ledger).is_none_or(|live| live.ledger.frozen().is_some()) {
            return;
        }
        let looked = async {
            let round = self.store.begin_round(&[ledger]).await?;
            self.catch_up(&round).await?;
            round.rollback().await
        };
        if let Err(error) = looked.await {
            tracing::warn!(error = &error as &dyn std::error::Error, "other servers could not be followed");
        }
    }

    /// Inserts and commits. The commit point is marked.
    async fn append(
        &mut self,
        round: Round,
        mut batch: Batch,
        tips: Tips,
        waiting: Vec<Waiting>,
        queue: Option<&mut mpsc::Receiver<Envelope>>,
    ) -> Option<Draft> {
        for (id, tip) in &tips {
            if let Some(live) = self.ledgers.get(id) {
                batch.heads.push(Advance { expected: live.tip.head(*id), new: tip.head(*id) });
            }
        }
        let keeping = async {
            let inserted = round.insert(&batch).await?;
            // COMMIT POINT: what follows only tells others. Nothing was acknowledged before.
            inserted.commit().await
        };
        let ground = Ground { below: tips, ..Ground::default() };
        let (kept, ahead) = self.decide_during(keeping, &ground, queue).await;
        let tips = ground.below;
        let kept = match kept {
            Err(error @ StoreError::CommitUnknown { .. }) => self.resolve(&tips, error).await,
            other => other,
        };
        if let Err(error) = kept {
            // What was decided ahead finds its ledgers elsewhere, and is decided again.
            warn("a round was not committed", &error);
            waiting.into_iter().for_each(|one| answer(one.reply, Err(same_story(&error))));
            return ahead;
        }
        for (id, tip) in tips {
            if let Some(live) = self.ledgers.get_mut(&id) {
                live.commit(tip);
            }
        }
        self.tell(waiting).await;
        ahead
    }

    /// Waits for a round, and decides meanwhile what arrives as if the round were done.
    async fn decide_during(
        &mut self,
        keeping: impl Future<Output = Result<(), StoreError>>,
        ground: &Ground,
        mut queue: Option<&mut mpsc::Receiver<Envelope>>,
    ) -> (Result<(), StoreError>, Option<Draft>) {
        let mut ahead = Draft::new(self.skew);
        let mut arrived = Vec::with_capacity(AT_A_TIME);
        tokio::pin!(keeping);
        loop {
            let room = MAX_BATCH.saturating_sub(ahead.asked.len()).min(AT_A_TIME);
            tokio::select! {
                biased;
                kept = &mut keeping => return (kept, (!ahead.asked.is_empty()).then_some(ahead)),
                taken = receive(&mut queue, &mut arrived, room), if queue.is_some() && room > 0 => {
                    if taken == 0 {
                        queue = None;
                    }
                    arrived.drain(..).for_each(|envelope| self.decide_one(envelope, ground, &mut ahead));
                }
            }
        }
    }

    /// Tells everybody what a round brought.
    async fn tell(&self, waiting: Vec<Waiting>) {
        let (contained, others): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|one| one.contains);
        others.into_iter().for_each(|one| answer(one.reply, one.outcome));
        for Waiting { ledger, reply, outcome, .. } in contained {
            let marked = self.note_containment(ledger).await;
            answer(reply, marked.and(outcome));
        }
    }

    /// Follows what other servers appended; freezes ledgers whose head is behind or different.
    async fn catch_up(&mut self, round: &Round) -> Result<(), StoreError> {
        for ledger in round.headless() {
            if let Some(live) = self.ledgers.get(ledger) {
                live.ledger
                    .freeze(format!("its head is gone, which stood at {} events", live.tip.state.size()));
            }
        }
        for head in round.heads() {
            let Some(live) = self.ledgers.get_mut(&head.ledger) else { continue };
            let known = live.tip.head(head.ledger);
            if same_head(&known, head) {
                continue;
            }
            if head.size <= known.size {
                live.ledger.freeze(format!(
                    "the database ends at {} events where {} were committed, or its last event differs",
                    head.size, known.size
                ));
                continue;
            }
            match follow(live, round, head).await {
                Ok(()) => {}
                Err(Astray::Untrue(why)) => live.ledger.freeze(why),
                Err(Astray::Store(StoreError::Corruption { what, .. })) => live.ledger.freeze(what),
                Err(Astray::Store(error)) => return Err(error),
            }
        }
        Ok(())
    }

    /// Containment is in the high-water file before it is acknowledged: no restored backup can undo it unseen. Where the
    /// file can't be written it holds all the same, and its caller is told what is missing.
    async fn note_containment(&self, id: LedgerId) -> Result<(), EngineError> {
        let Some(live) = self.ledgers.get(&id) else { return Ok(()) };
        let mark = Mark { size: live.tip.state.size(), hash: live.tip.state.head() };
        let ledger = Arc::clone(&live.ledger);
        let written = tokio::task::spawn_blocking(move || {
            ledger.high_water.lock().unwrap_or_else(std::sync::PoisonError::into_inner).record_contained(mark)
        });
        let written =
            written.await.map_err(|error| EngineError::fault("the high-water writer ended", error))?;
        written.map_err(|error| {
            tracing::error!(origin = name(&live.ledger), %error, "containment is not in the high-water file");
            EngineError::Unavailable {
                code: "high_water.write",
                sentence: "what you stopped is stopped and recorded, but the high-water file can't be written: a restored \
                           backup could undo it unseen; mend the folder"
                    .to_owned(),
                source: Some(Box::new(error)),
            }
        })
    }

    /// After a connection that broke during COMMIT: learns what happened. It looks under the heads' locks, for the
    /// database may still be at that commit; a round is one transaction, so that one of its ledgers tells for all.
    async fn resolve(&self, tips: &Tips, error: StoreError) -> Result<(), StoreError> {
        let until = tokio::time::Instant::now() + RESOLVE_DEADLINE;
        let Some((id, tip)) = tips.iter().next() else { return Err(error) };
        let expected = tip.head(*id);
        while tokio::time::Instant::now() < until {
            match self.last_of(&expected).await {
                Ok(Some(hash)) if hash == expected.hash => return Ok(()),
                Ok(Some(_) | None) => return Err(error),
                Err(StoreError::Unavailable { .. }) => tokio::time::sleep(Duration::from_millis(100)).await,
                Err(other) => return Err(other),
            }
        }
        Err(error)
    }

    /// The hash of the event before a head's size, read once nobody is appending.
    async fn last_of(&self, head: &Head) -> Result<Option<Hash>, StoreError> {
        let round = self.store.begin_round(&[head.ledger]).await?;
        let page = round.page(head.ledger, head.size - 1, 1).await?;
        round.rollback().await?;
        Ok(page.first().filter(|event| event.seq + 1 == head.size).map(|event| event.hash))
    }
}

impl Waiting {
    /// What was asked has done its work; only who asked is kept. Who is refused by what is durable waits for nothing.
    fn until_durable((Envelope { ledger, reply, .. }, verdict): (Envelope, Verdict)) -> Option<Self> {
        let (outcome, contains) = match verdict {
            Verdict::Recorded(appended) => (Ok(appended), false),
            Verdict::Contained(appended) => (Ok(appended), true),
            Verdict::RefusedByDraft(error) => (Err(error), false),
            Verdict::Refused(error) => {
                answer(reply, Err(error));
                return None;
            }
        };
        Some(Self { ledger, reply, outcome, contains })
    }
}

/// Why another server's events were not followed.
enum Astray {
    /// They can't be another server's: where, and what is wrong.
    Untrue(String),
    Store(StoreError),
}

impl From<StoreError> for Astray {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

async fn follow(live: &mut Live, round: &Round, head: &Head) -> Result<(), Astray> {
    let mut tip = live.tip.clone();
    while tip.state.size() < head.size {
        let page = round.page(head.ledger, tip.state.size(), MAX_PAGE).await?;
        if page.is_empty() {
            let (gone, size) = (tip.state.size(), head.size);
            return Err(Astray::Untrue(format!("event {gone} is not there, where the head promises {size}")));
        }
        for stored in &page {
            tip.follow(head.ledger, stored).map_err(Astray::Untrue)?;
        }
    }
    if !same_head(&tip.head(head.ledger), head) {
        let size = head.size;
        return Err(Astray::Untrue(format!("the head at {size} events is not where the events end")));
    }
    tracing::info!(origin = name(&live.ledger), size = head.size, "followed another server");
    live.commit(tip);
    Ok(())
}

/// Takes what is there, or waits for the first; zero means that nothing will ever come.
async fn receive(
    queue: &mut Option<&mut mpsc::Receiver<Envelope>>,
    arrived: &mut Vec<Envelope>,
    most: usize,
) -> usize {
    match queue {
        Some(queue) => queue.recv_many(arrived, most).await,
        None => 0,
    }
}

async fn earlier_keys(round: &Round, draft: &Draft) -> Result<Earlier, StoreError> {
    let keys = draft.idempotency_keys();
    if keys.is_empty() {
        return Ok(Earlier::new());
    }
    let rows = round.find_idempotent(&keys).await?;
    Ok(rows.into_iter().map(|row| ((row.ledger, row.key_hash), row)).collect())
}

/// A store's error can't be copied; everybody of a round gets the same story.
fn same_story(error: &StoreError) -> EngineError {
    match error {
        StoreError::Corruption { what, .. } => EngineError::Corrupt((*what).into()),
        StoreError::Fault { what, .. } => EngineError::Fault { what, source: None },
        StoreError::Conflict { .. } => {
            EngineError::Conflict { code: "store.conflict", sentence: "another server was first; ask again" }
        }
        StoreError::Unavailable { .. } | StoreError::DiskFull { .. } | StoreError::CommitUnknown { .. } => {
            EngineError::unavailable(error.code(), error.to_string())
        }
    }
}

fn warn(what: &'static str, error: &StoreError) {
    tracing::warn!(error = error as &dyn std::error::Error, code = error.code(), "{what}");
}
