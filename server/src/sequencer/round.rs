//! One round: everything that has arrived, decided and committed together.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use sealbook_ledger::decide::{Context, Decided, decide};
use sealbook_ledger::encoding::Hash;
use tokio::sync::oneshot;

use super::live::{Live, Tip, same_head};
use super::{Sequencer, answer, guard, name};
use crate::clock;
use crate::high_water::Mark;
use crate::ledger::{Appended, EngineError, Envelope, Submission};
use crate::store::append::{Advance, Batch, Round};
use crate::store::load::MAX_PAGE;
use crate::store::rows::{AttachmentRow, DisclosureRow, EventRow, IdempotencyRow};
use crate::store::{Head, LedgerId, StoreError};

/// How long the outcome of a commit is looked for when the connection broke during it.
const RESOLVE_DEADLINE: Duration = Duration::from_secs(30);

type Reply = oneshot::Sender<Result<Appended, EngineError>>;

/// What a round has decided so far.
#[derive(Default)]
struct Draft {
    tips: HashMap<LedgerId, Tip>,
    batch: Batch,
    replies: Vec<(Reply, Appended)>,
    /// Who was refused by a state that holds events of this very round: true once they are durable, and not before.
    refused: Vec<(Reply, EngineError)>,
    /// Who stopped something: answered once the high-water file knows it too.
    contained: Vec<(LedgerId, Reply, Appended)>,
    /// The idempotency keys of this very round: who repeats one shares the first one's fate.
    keys: HashMap<(LedgerId, Hash), (Hash, Appended)>,
}

impl Draft {
    /// Refuses, as late as the state that refuses is durable.
    fn refuse(&mut self, ledger: LedgerId, reply: Reply, error: EngineError) {
        if self.tips.contains_key(&ledger) {
            self.refused.push((reply, error));
        } else {
            answer(reply, Err(error));
        }
    }

    /// Tells everybody whose request was decided that nothing came of it.
    fn fail(self, error: &StoreError) {
        tracing::warn!(
            error = error as &dyn std::error::Error,
            code = error.code(),
            "a round was not committed"
        );
        let replies = self.replies.into_iter().map(|(reply, _)| reply);
        let refused = self.refused.into_iter().map(|(reply, _)| reply);
        let contained = self.contained.into_iter().map(|(_, reply, _)| reply);
        replies.chain(refused).chain(contained).for_each(|reply| answer(reply, Err(same_story(error))));
    }
}

impl Sequencer {
    /// The whole path of a command: load → decide → append. The commit point is marked.
    pub(super) async fn round(&mut self, envelopes: Vec<Envelope>) {
        let (envelopes, ids) = self.known(envelopes);
        if ids.is_empty() {
            return;
        }
        let round = match self.store.begin_round(&ids).await {
            Ok(round) => round,
            Err(error) => return refuse_all(envelopes, &error),
        };
        if let Err(error) = self.catch_up(&round).await {
            return refuse_all(envelopes, &error);
        }
        // A ledger that was found corrupt just now stops no other.
        let (envelopes, _) = self.known(envelopes);
        let earlier = match earlier_keys(&round, &envelopes).await {
            Ok(earlier) => earlier,
            Err(error) => return refuse_all(envelopes, &error),
        };
        let skew = guard::skew(clock::now(), round.clock());
        let mut draft = Draft::default();
        for envelope in envelopes {
            self.decide_one(envelope, &earlier, skew, &mut draft);
        }
        if draft.batch.events.is_empty() {
            // Nothing to keep: a rollback that fails only costs the connection.
            if let Err(error) = round.rollback().await {
                tracing::warn!(error = &error as &dyn std::error::Error, "an empty round could not be ended");
            }
            // What is left are repetitions of earlier rounds' requests, which are durable.
            return answer_all(draft.replies);
        }
        self.append(round, draft).await;
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

    async fn append(&mut self, round: Round, mut draft: Draft) {
        for (id, tip) in &draft.tips {
            if let Some(live) = self.ledgers.get(id) {
                draft.batch.heads.push(Advance { expected: live.tip.head(*id), new: tip.head(*id) });
            }
        }
        let inserted = match round.insert(&draft.batch).await {
            Ok(inserted) => inserted,
            Err(error) => return draft.fail(&error),
        };
        // COMMIT POINT: what follows only tells others. Nothing was acknowledged before.
        let committed = match inserted.commit().await {
            Err(error @ StoreError::CommitUnknown { .. }) => self.resolve(&draft, error).await,
            other => other,
        };
        if let Err(error) = committed {
            return draft.fail(&error);
        }
        for (id, tip) in draft.tips {
            if let Some(live) = self.ledgers.get_mut(&id) {
                live.commit(tip);
            }
        }
        answer_all(draft.replies);
        draft.refused.into_iter().for_each(|(reply, error)| answer(reply, Err(error)));
        for (ledger, reply, appended) in draft.contained {
            let marked = self.note_containment(ledger).await;
            answer(reply, marked.map(|()| appended));
        }
    }

    /// Drops what is for ledgers that this sequencer doesn't serve or that are frozen.
    fn known(&self, envelopes: Vec<Envelope>) -> (Vec<Envelope>, Vec<LedgerId>) {
        let mut ids = Vec::new();
        let mut kept = Vec::with_capacity(envelopes.len());
        for envelope in envelopes {
            match self.ledgers.get(&envelope.ledger).map(|live| live.ledger.frozen()) {
                Some(None) => {
                    ids.push(envelope.ledger);
                    kept.push(envelope);
                }
                Some(Some(why)) => answer(envelope.reply, Err(EngineError::Corrupt(why))),
                None => {
                    let gone = EngineError::unavailable("ledger.unknown", "the ledger is not served here");
                    answer(envelope.reply, Err(gone));
                }
            }
        }
        ids.sort_unstable();
        ids.dedup();
        (kept, ids)
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

    fn decide_one(
        &mut self,
        envelope: Envelope,
        earlier: &HashMap<(LedgerId, Hash), IdempotencyRow>,
        skew: u64,
        draft: &mut Draft,
    ) {
        let Envelope { ledger, submission, reply } = envelope;
        let Some(live) = self.ledgers.get_mut(&ledger) else { return };
        if let Some(key) = submission.idempotency {
            let used = earlier.get(&(ledger, key.key_hash)).map(|row| (row.body_hash, replay(row)));
            if let Some((body_hash, appended)) =
                used.or_else(|| draft.keys.get(&(ledger, key.key_hash)).cloned())
            {
                let result = if body_hash == key.body_hash { Ok(()) } else { Err(other_content()) };
                return match result {
                    // Answered with the round: an earlier request of the same round isn't durable yet.
                    Ok(()) => draft.replies.push((reply, Appended { replayed: true, ..appended })),
                    Err(error) => draft.refuse(ledger, reply, error),
                };
            }
        }
        if let Err(error) = guard::guard(&submission, live, skew, self.limits) {
            return answer(reply, Err(error));
        }
        let base = draft.tips.get(&ledger).unwrap_or(&live.tip);
        let context = Context {
            clock: clock::now(),
            correlation: submission.correlation,
            checked: &submission.checked,
        };
        let contains = submission.command.is_containment();
        match decide(&base.state, submission.command.clone(), context) {
            Ok(decided) => {
                let tip = draft.tips.entry(ledger).or_insert_with(|| live.tip.clone());
                let appended = add(&mut draft.batch, ledger, tip, decided, &submission);
                if let Some(key) = submission.idempotency {
                    draft.keys.insert((ledger, key.key_hash), (key.body_hash, appended.clone()));
                }
                if contains {
                    draft.contained.push((ledger, reply, appended));
                } else {
                    draft.replies.push((reply, appended));
                }
            }
            Err(refusal) => draft.refuse(ledger, reply, refusal.into()),
        }
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
    async fn resolve(&self, draft: &Draft, error: StoreError) -> Result<(), StoreError> {
        let until = tokio::time::Instant::now() + RESOLVE_DEADLINE;
        let Some((id, tip)) = draft.tips.iter().next() else { return Err(error) };
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

/// Adds decided events to the batch, with everything that travels beside them.
fn add(
    batch: &mut Batch,
    ledger: LedgerId,
    tip: &mut Tip,
    decided: Vec<Decided>,
    from: &Submission,
) -> Appended {
    let first_seq = tip.state.size();
    for one in &decided {
        let seq = one.event.seq.get();
        batch.projections.extend(tip.apply(ledger, one));
        batch.events.push(EventRow {
            ledger,
            seq,
            hash: one.hash,
            end_offset: tip.end_offset,
            time: one.event.time,
            kind: one.event.payload.type_name().to_owned(),
            bytes: one.bytes.clone(),
        });
        let listed = from.disclosures.iter().filter(|disclosure| one.event.sd.contains(&disclosure.digest()));
        batch.disclosures.extend(listed.map(|disclosure| DisclosureRow {
            ledger,
            seq,
            name: disclosure.name().to_owned(),
            salt: disclosure.salt(),
            value: disclosure.value().to_owned(),
        }));
    }
    batch.attachments.extend(from.attachments.iter().map(|(attachment, bytes)| AttachmentRow {
        ledger,
        sha256: attachment.sha256,
        seq: first_seq,
        media_type: attachment.media_type.as_str().to_owned(),
        bytes: bytes.clone(),
    }));
    if let Some(key) = from.idempotency {
        batch.idempotency.push(IdempotencyRow {
            ledger,
            key_hash: key.key_hash,
            body_hash: key.body_hash,
            correlation: from.correlation.uuid(),
            seq: first_seq,
        });
    }
    Appended { events: decided.into(), first_seq, correlation: from.correlation, replayed: false }
}

async fn earlier_keys(
    round: &Round,
    envelopes: &[Envelope],
) -> Result<HashMap<(LedgerId, Hash), IdempotencyRow>, StoreError> {
    let keys: BTreeMap<(LedgerId, Hash), ()> = envelopes
        .iter()
        .filter_map(|envelope| Some(((envelope.ledger, envelope.submission.idempotency?.key_hash), ())))
        .collect();
    if keys.is_empty() {
        return Ok(HashMap::new());
    }
    let keys: Vec<_> = keys.into_keys().collect();
    let rows = round.find_idempotent(&keys).await?;
    Ok(rows.into_iter().map(|row| ((row.ledger, row.key_hash), row)).collect())
}

fn replay(row: &IdempotencyRow) -> Appended {
    Appended {
        events: Arc::from([]),
        first_seq: row.seq,
        correlation: sealbook_ledger::ids::Correlation::new(row.correlation)
            .unwrap_or_else(|_| clock::correlation()),
        replayed: true,
    }
}

fn other_content() -> EngineError {
    EngineError::Conflict {
        code: "idempotency.other_content",
        sentence: "this Idempotency-Key was used with other content; take a new key",
    }
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

fn refuse_all(envelopes: Vec<Envelope>, error: &StoreError) {
    tracing::warn!(error = error as &dyn std::error::Error, code = error.code(), "a round could not begin");
    envelopes.into_iter().for_each(|envelope| answer(envelope.reply, Err(same_story(error))));
}

fn answer_all(replies: Vec<(Reply, Appended)>) {
    replies.into_iter().for_each(|(reply, appended)| answer(reply, Ok(appended)));
}
