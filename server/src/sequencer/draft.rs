//! What is decided before the round that is to keep it is open.
//!
//! Deciding needs the folded state alone, so submissions are decided while the database is busy with those before them.
//! A draft takes for granted that its ledgers end where it thinks, that nobody has used its idempotency keys, that the
//! clocks agree as they last did, and that hardly any time passes. The round looks at each of these under the heads'
//! locks ([`Draft::holds`]); where one is not so, everything is decided again there.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use sealbook_ledger::decide::{Context, Decided, decide};
use sealbook_ledger::encoding::Hash;
use sealbook_ledger::ids::Correlation;

use super::live::{Live, Tip, same_head};
use super::{Sequencer, answer, guard};
use crate::clock;
use crate::ledger::{Appended, EngineError, Envelope, Submission};
use crate::store::append::Batch;
use crate::store::rows::{AttachmentRow, DisclosureRow, EventRow, IdempotencyRow};
use crate::store::{Head, LedgerId};

/// Events carry the moment at which they were decided; a draft that waited longer for its round is decided again.
const MAX_AGE: Duration = Duration::from_secs(1);

/// Where ledgers end once a round is committed.
pub(super) type Tips = HashMap<LedgerId, Tip>;

/// What idempotency keys stood for, as far as the database was asked.
pub(super) type Earlier = HashMap<(LedgerId, Hash), IdempotencyRow>;

/// Submissions and what becomes of them, once everything in it is durable and not before.
pub(super) struct Draft {
    pub(super) asked: Vec<(Envelope, Verdict)>,
    pub(super) batch: Batch,
    pub(super) tips: Tips,
    /// Where the ledgers were taken to end.
    bases: BTreeMap<LedgerId, Head>,
    /// The idempotency keys of this very draft: who repeats one shares the first one's fate.
    keys: HashMap<(LedgerId, Hash), (Hash, Appended)>,
    /// How far apart the clocks were taken to be, in microseconds.
    skew: u64,
    begun: Instant,
}

/// What becomes of a submission.
pub(super) enum Verdict {
    /// It is recorded, or was by an earlier request with its idempotency key.
    Recorded(Appended),
    /// It stopped something: answered once the high-water file knows it too.
    Contained(Appended),
    /// It is refused by what was durable before.
    Refused(EngineError),
    /// It is refused by a state that holds events of this draft: true once they are durable.
    RefusedByDraft(EngineError),
}

/// What a draft builds upon besides the committed tips.
#[derive(Default)]
pub(super) struct Ground {
    /// The tips of a round that is on its way to the disk.
    pub(super) below: Tips,
    pub(super) earlier: Earlier,
}

impl Draft {
    pub(super) fn new(skew: u64) -> Self {
        Self {
            asked: Vec::new(),
            batch: Batch::default(),
            tips: Tips::new(),
            bases: BTreeMap::new(),
            keys: HashMap::new(),
            skew,
            begun: Instant::now(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.asked.is_empty()
    }

    /// The ledgers that somebody asked something of.
    pub(super) fn ledgers(&self) -> Vec<LedgerId> {
        self.bases.keys().copied().collect()
    }

    /// The idempotency keys that came with the submissions.
    pub(super) fn idempotency_keys(&self) -> Vec<(LedgerId, Hash)> {
        let key = |envelope: &Envelope| Some((envelope.ledger, envelope.submission.idempotency?.key_hash));
        let keys: BTreeSet<_> = self.asked.iter().filter_map(|(envelope, _)| key(envelope)).collect();
        keys.into_iter().collect()
    }

    /// Whether everything that it took for granted is so; asked under the locks, after other servers were followed.
    pub(super) fn holds(&self, ledgers: &HashMap<LedgerId, Live>, earlier: &Earlier, skew: u64) -> bool {
        let ends_there = |(id, base): (&LedgerId, &Head)| {
            let live = ledgers.get(id).filter(|live| live.ledger.frozen().is_none());
            live.is_some_and(|live| same_head(&live.tip.head(*id), base))
        };
        earlier.is_empty()
            && guard::disagree(self.skew) == guard::disagree(skew)
            && self.begun.elapsed() <= MAX_AGE
            && self.bases.iter().all(ends_there)
    }

    /// Takes the submissions out, to be decided anew.
    pub(super) fn undo(self) -> impl Iterator<Item = Envelope> {
        self.asked.into_iter().map(|(envelope, _)| envelope)
    }
}

impl Sequencer {
    /// Decides submissions in their order.
    pub(super) fn draft(&mut self, asked: impl IntoIterator<Item = Envelope>, ground: &Ground) -> Draft {
        let mut draft = Draft::new(self.skew);
        asked.into_iter().for_each(|envelope| self.decide_one(envelope, ground, &mut draft));
        draft
    }

    /// Adds a submission to a draft; who asks something of a ledger that is not served here, or frozen, is told so now.
    pub(super) fn decide_one(&mut self, envelope: Envelope, ground: &Ground, draft: &mut Draft) {
        let id = envelope.ledger;
        let Some(live) = self.ledgers.get_mut(&id) else {
            let gone = EngineError::unavailable("ledger.unknown", "the ledger is not served here");
            return answer(envelope.reply, Err(gone));
        };
        if let Some(why) = live.ledger.frozen() {
            return answer(envelope.reply, Err(EngineError::Corrupt(why)));
        }
        let verdict = match repeated(&envelope, &ground.earlier, draft) {
            Some(Ok(appended)) => Ok(Verdict::Recorded(appended)),
            Some(Err(error)) => Err(error),
            None => decide_new(&envelope, live, &ground.below, self.limits, draft),
        };
        draft.bases.entry(id).or_insert_with(|| ground.below.get(&id).unwrap_or(&live.tip).head(id));
        let verdict = verdict.unwrap_or_else(|error| match draft.tips.contains_key(&id) {
            true => Verdict::RefusedByDraft(error),
            false => Verdict::Refused(error),
        });
        draft.asked.push((envelope, verdict));
    }
}

/// What an earlier use of the same idempotency key came to.
fn repeated(envelope: &Envelope, earlier: &Earlier, draft: &Draft) -> Option<Result<Appended, EngineError>> {
    let key = envelope.submission.idempotency?;
    let id = (envelope.ledger, key.key_hash);
    let used = earlier.get(&id).map(|row| (row.body_hash, replay(row)));
    let (body_hash, appended) = used.or_else(|| draft.keys.get(&id).cloned())?;
    Some(match body_hash == key.body_hash {
        true => Ok(Appended { replayed: true, ..appended }),
        false => Err(EngineError::Conflict {
            code: "idempotency.other_content",
            sentence: "this Idempotency-Key was used with other content; take a new key",
        }),
    })
}

fn decide_new(
    Envelope { ledger, submission, .. }: &Envelope,
    live: &mut Live,
    below: &Tips,
    limits: super::Limits,
    draft: &mut Draft,
) -> Result<Verdict, EngineError> {
    let unsealed_for = live.unsealed_for();
    let base = draft.tips.get(ledger).or_else(|| below.get(ledger)).unwrap_or(&live.tip);
    let moment = guard::Moment { skew: draft.skew, unsealed_for };
    guard::guard(submission, &base.state, moment, limits)?;
    let context =
        Context { clock: clock::now(), correlation: submission.correlation, checked: &submission.checked };
    let decided = decide(&base.state, submission.command.clone(), context)?;
    let start = || below.get(ledger).unwrap_or(&live.tip).clone();
    let tip = draft.tips.entry(*ledger).or_insert_with(start);
    let appended = add(&mut draft.batch, *ledger, tip, decided, submission);
    if let Some(key) = submission.idempotency {
        draft.keys.insert((*ledger, key.key_hash), (key.body_hash, appended.clone()));
    }
    Ok(match submission.command.is_containment() {
        true => Verdict::Contained(appended),
        false => Verdict::Recorded(appended),
    })
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

fn replay(row: &IdempotencyRow) -> Appended {
    Appended {
        events: Arc::from([]),
        first_seq: row.seq,
        correlation: Correlation::new(row.correlation).unwrap_or_else(|_| clock::correlation()),
        replayed: true,
    }
}
