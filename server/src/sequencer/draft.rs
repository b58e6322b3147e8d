//! What is decided before the round that is to keep it is open.
//!
//! Deciding needs the folded state alone, so submissions are decided while the database is busy with those before them.
//! A draft takes for granted that its ledgers end where it thinks, that nobody has used its idempotency keys, and that it
//! was decided about now. The round looks at each of these under the heads' locks ([`Draft::holds`]); where one is not
//! so, everything is decided again there.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use sealbook_ledger::decide::{Context, Decided, decide};
use sealbook_ledger::encoding::Hash;
use sealbook_ledger::ids::Correlation;
use sealbook_ledger::timestamp::Timestamp;

use super::live::{Live, Tip, same_head};
use super::{Sequencer, answer, guard};
use crate::clock;
use crate::ledger::{Appended, EngineError, Envelope, Submission};
use crate::store::append::Batch;
use crate::store::rows::{AttachmentRow, DisclosureRow, EventRow, IdempotencyRow};
use crate::store::{Head, LedgerId};

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
    /// The earliest and the latest moment of its decisions, by the server's clock: events carry them.
    decided: Option<(Timestamp, Timestamp)>,
}

/// What becomes of a submission, if the draft holds.
pub(super) enum Verdict {
    /// It is recorded, or was by an earlier request with its idempotency key.
    Recorded(Appended),
    /// It stopped something: answered once the high-water file knows it too.
    Contained(Appended),
    /// It is refused by what is durable before the draft is.
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
            decided: None,
        }
    }

    /// Something is decided now.
    fn note_time(&mut self, now: Timestamp) {
        let (first, last) = self.decided.unwrap_or((now, now));
        self.decided = Some((first.min(now), last.max(now)));
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
    /// `ends` says where a ledger ends, unless it may not be appended to; `database` is the database's clock.
    pub(super) fn holds(
        &self,
        ends: impl Fn(LedgerId) -> Option<Head>,
        earlier: &Earlier,
        database: Timestamp,
    ) -> bool {
        let is_now = |decided: Timestamp| !guard::disagree(guard::skew(decided, database));
        let ends_there = |(id, base): (&LedgerId, &Head)| ends(*id).is_some_and(|end| same_head(&end, base));
        earlier.is_empty()
            && !guard::disagree(self.skew)
            && self.decided.is_none_or(|(first, last)| is_now(first) && is_now(last))
            && self.bases.iter().all(ends_there)
    }

    /// The submissions, to be decided anew.
    pub(super) fn into_envelopes(self) -> impl Iterator<Item = Envelope> {
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
        let now = self.clock.now();
        draft.note_time(now);
        let verdict = match repeated(&envelope, &ground.earlier, draft) {
            Some(Ok(appended)) => Ok(Verdict::Recorded(appended)),
            Some(Err(error)) => Err(error),
            None => decide_new(&envelope, live, &ground.below, self.limits, now, draft),
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
    now: Timestamp,
    draft: &mut Draft,
) -> Result<Verdict, EngineError> {
    let unsealed_for = live.unsealed_for();
    let base = draft.tips.get(ledger).or_else(|| below.get(ledger)).unwrap_or(&live.tip);
    let moment = guard::Moment { skew: draft.skew, unsealed_for };
    guard::guard(submission, &base.state, moment, limits)?;
    let context = Context { clock: now, correlation: submission.correlation, checked: &submission.checked };
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
    let correlation = decided.first().map_or(from.correlation, |first| first.event.correlation);
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
            correlation: correlation.uuid(),
            seq: first_seq,
        });
    }
    Appended { events: decided.into(), first_seq, correlation, replayed: false }
}

fn replay(row: &IdempotencyRow) -> Appended {
    Appended {
        events: Arc::from([]),
        first_seq: row.seq,
        correlation: Correlation::new(row.correlation).unwrap_or_else(|_| clock::correlation()),
        replayed: true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000;

    fn at(micros: i64) -> Timestamp {
        Timestamp::from_unix_micros(1_800_000_000 * SECOND + micros).unwrap()
    }

    fn head(size: u64) -> Head {
        let hash = Hash::sha256(&size.to_be_bytes());
        Head { ledger: LedgerId::from_random(7), size, hash, root: hash, end_offset: size * 100 }
    }

    /// A draft upon a ledger of five events, decided at these moments.
    fn draft(skew: u64, decided: Option<(Timestamp, Timestamp)>) -> Draft {
        let bases = BTreeMap::from([(head(5).ledger, head(5))]);
        Draft { bases, decided, ..Draft::new(skew) }
    }

    #[test]
    fn a_draft_holds_where_its_ledger_ends_as_it_thought_and_hardly_any_time_has_passed() {
        let same = |_| Some(head(5));
        let (now, none) = (at(10 * SECOND), Earlier::new());
        let good = draft(0, Some((at(9 * SECOND), now)));
        assert!(good.holds(same, &none, now));
        assert!(draft(0, None).holds(same, &none, now));
        assert!(!good.holds(|_| Some(head(6)), &none, now), "somebody appended");
        assert!(!good.holds(|_| None, &none, now), "the ledger is frozen");
        assert!(!good.holds(same, &none, at(12 * SECOND)), "its first event would be too old");
        let stepped_back = at(6 * SECOND);
        assert!(!good.holds(same, &none, stepped_back), "its events would be of the future");
        assert!(
            !draft(3_000_000, None).holds(same, &none, now),
            "it was refused for clocks that agree by now"
        );
    }

    #[test]
    fn a_clock_that_jumped_and_came_back_while_a_draft_was_made_is_noticed() {
        let now = at(10 * SECOND);
        let mut jumped = draft(0, None);
        [now, at(3600 * SECOND), now].into_iter().for_each(|moment| jumped.note_time(moment));
        assert!(!jumped.holds(|_| Some(head(5)), &Earlier::new(), now));
    }

    #[test]
    fn a_used_idempotency_key_is_not_overlooked() {
        let row = IdempotencyRow {
            ledger: head(5).ledger,
            key_hash: Hash::sha256(b"key"),
            body_hash: Hash::sha256(b"body"),
            correlation: uuid::Uuid::nil(),
            seq: 2,
        };
        let used = Earlier::from([((row.ledger, row.key_hash), row)]);
        assert!(!draft(0, None).holds(|_| Some(head(5)), &used, at(0)));
    }
}
