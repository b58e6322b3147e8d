//! Refusals are facts too: those of authenticated callers are recorded, aggregated per caller, rule and minute.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sealbook_ledger::command::Command;
use sealbook_ledger::event::Actor;
use sealbook_ledger::payload::RefusalRecorded;
use sealbook_ledger::timestamp::Timestamp;
use tokio::sync::watch;

use crate::ledger::{EngineError, Ledger, Submission, failure_code};

/// Kinds of refusal that are counted apart in a minute; beyond them a flood is only logged.
const MAX_COUNTED: usize = 1000;

/// How often finished minutes are looked for.
const LOOK: Duration = Duration::from_secs(5);

type Counted = BTreeMap<(Timestamp, Actor, &'static str), u32>;

/// Counts the refusals of one ledger.
#[derive(Default)]
pub(crate) struct Refusals(Mutex<Counted>);

impl Refusals {
    /// Counts one.
    pub(crate) fn note(&self, ledger: &Ledger, caller: Actor, code: &'static str) {
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (ledger.now().minute(), caller, code);
        if counted.len() >= MAX_COUNTED && !counted.contains_key(&key) {
            tracing::warn!(origin = %ledger.origin(), caller = caller.kind(), code, "too many kinds of refusal to count");
            return;
        }
        let count = counted.entry(key).or_default();
        *count = count.saturating_add(1);
    }

    fn take(&self, before: Timestamp) -> Counted {
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let rest = counted.split_off(&(
            before,
            Actor::Member(sealbook_ledger::ids::MemberId::from(uuid::Uuid::nil())),
            "",
        ));
        std::mem::replace(&mut counted, rest)
    }

    fn put_back(&self, taken: Counted) {
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, count) in taken {
            let known = counted.entry(key).or_default();
            *known = known.saturating_add(count);
        }
    }

    /// Records the refusals of minutes before `before`.
    pub(crate) async fn flush(&self, ledger: &Ledger, before: Timestamp) {
        let mut taken = self.take(before);
        while let Some(((minute, caller, code), count)) = taken.pop_first() {
            let refused = RefusalRecorded { caller, count, minute, rule: failure_code(code) };
            let recorded = ledger.submit(Submission::new(Command::RecordRefusal(refused))).await;
            if let Err(EngineError::Refused(refusal)) = recorded {
                // Offered again it would be refused again, and stand in front of all others.
                tracing::error!(origin = %ledger.origin(), rule = refusal.code(), code, count, "a refusal can't be recorded");
            } else if let Err(error) = recorded {
                tracing::warn!(origin = %ledger.origin(), code = error.code(), %error, "refusals could not be recorded yet");
                taken.insert((minute, caller, code), count);
                return self.put_back(taken);
            }
        }
    }

    /// Records each minute's refusals once it is over, and what is left when `stop` says so.
    pub(crate) async fn run(self: Arc<Self>, ledger: Arc<Ledger>, mut stop: watch::Receiver<bool>) {
        loop {
            tokio::select! {
                () = tokio::time::sleep(LOOK) => self.flush(&ledger, ledger.now().minute()).await,
                _ = stop.changed() => return self.flush(&ledger, Timestamp::MAX).await,
            }
        }
    }
}
