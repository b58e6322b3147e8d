//! How devices and sealing are, watched until it is news. What was told is kept in the database, so that also after a
//! restart somebody says that a trouble is over.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::Notifier;
use super::model::Kind;
use super::notice::{Notice, row, unique_cause};
use crate::clock;
use crate::custody::BackendHealth;
use crate::devices::Devices;
use crate::ledger::{EngineError, Ledger};
use crate::store::LedgerId;
use crate::store::webhooks::{Condition, OutboxRow};

/// How often anybody looks.
pub(crate) const TICK: Duration = Duration::from_secs(1);

/// How long something has to stay as it is before it is news: what mends itself within seconds wakes nobody.
const HOLD: Duration = Duration::from_secs(5);

/// How often a trouble that lasts is noted again: other servers see by it that this one still stands by it.
const STAND_BY: Duration = Duration::from_secs(15);

/// How often it is noted that all is well, in case a server that had reported a trouble is gone.
const WELL: Duration = Duration::from_secs(60);

/// Decides when a level that is seen is to be noted.
struct Watch {
    level: i16,
    since: Instant,
    noted: Option<(i16, Instant)>,
}

impl Watch {
    fn new(now: Instant) -> Self {
        Self { level: 0, since: now, noted: None }
    }

    fn is_to_note(&mut self, level: i16, now: Instant) -> bool {
        if level != self.level {
            (self.level, self.since) = (level, now);
        }
        let again = if level > 0 { STAND_BY } else { WELL };
        let settled = now.duration_since(self.since) >= HOLD;
        settled && self.noted.is_none_or(|(noted, at)| noted != level || now.duration_since(at) >= again)
    }

    fn note(&mut self, now: Instant) {
        self.noted = Some((self.level, now));
    }
}

/// Watches the sealing of one ledger.
pub(crate) struct SealingWatch(Watch);

impl SealingWatch {
    pub(crate) fn new(now: Instant) -> Self {
        Self(Watch::new(now))
    }

    pub(crate) async fn look(&mut self, notifier: &Notifier, ledger: &Ledger) -> Result<(), EngineError> {
        let (level, status) = match (ledger.frozen(), ledger.unsealable()) {
            (Some(_), _) => (2, "frozen"),
            (None, Some(_)) => (1, "behind"),
            (None, None) => (0, "ready"),
        };
        let now = Instant::now();
        if !self.0.is_to_note(level, now) {
            return Ok(());
        }
        let notice = Notice::of_sealing(&notifier.notifying, ledger, status, clock::now());
        let hooks = notifier.notifying.webhooks.iter();
        let wanting = hooks.filter(|hook| hook.wants(Kind::SealingTrouble, Some(ledger.tenant())));
        let cause = unique_cause();
        let rows: Vec<OutboxRow> = wanting
            .map(|hook| row(ledger.id(), &hook.name, Kind::SealingTrouble, &cause, notice.body()))
            .collect();
        let condition =
            Condition { ledger: ledger.id(), subject: "sealing", level, reporter: notifier.reporter };
        if notifier.store.note_condition(condition, &rows).await? {
            notifier.wake();
        }
        self.0.note(now);
        Ok(())
    }
}

/// Watches every device until `stop` says so.
pub(crate) async fn watch_devices(
    notifier: Arc<Notifier>,
    devices: Devices,
    mut stop: watch::Receiver<bool>,
) {
    let now = Instant::now();
    let mut watches: Vec<Watch> = devices.all().map(|_| Watch::new(now)).collect();
    loop {
        for (device, watch) in devices.all().zip(&mut watches) {
            let looked = look_at_device(&notifier, device.name().as_str(), &device.health(), watch).await;
            if let Err(error) = looked {
                tracing::warn!(backend = %device.name(), error = &error as &dyn std::error::Error, "a device's condition can't be noted");
            }
        }
        tokio::select! {
            () = tokio::time::sleep(TICK) => {}
            _ = stop.changed() => return,
        }
    }
}

async fn look_at_device(
    notifier: &Notifier,
    name: &str,
    health: &BackendHealth,
    watch: &mut Watch,
) -> Result<(), EngineError> {
    let (level, status) = match health {
        BackendHealth::Ready => (0, "ready"),
        BackendHealth::Degraded { .. } => (1, "degraded"),
        BackendHealth::Down { .. } => (2, "down"),
    };
    let now = Instant::now();
    if !watch.is_to_note(level, now) {
        return Ok(());
    }
    let notice = Notice::of_device(&notifier.notifying, name, status, clock::now());
    let (deployment, cause) = (LedgerId::DEPLOYMENT, unique_cause());
    let hooks = notifier.notifying.webhooks.iter();
    let rows: Vec<OutboxRow> = hooks
        .filter(|hook| hook.wants(Kind::CustodyTrouble, None))
        .map(|hook| row(deployment, &hook.name, Kind::CustodyTrouble, &cause, notice.body()))
        .collect();
    let subject = format!("custody {name}");
    let condition = Condition { ledger: deployment, subject: &subject, level, reporter: notifier.reporter };
    if notifier.store.note_condition(condition, &rows).await? {
        notifier.wake();
    }
    watch.note(now);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_noted_once_it_has_held_and_again_while_it_lasts() {
        let begin = Instant::now();
        let at = |seconds: u64| begin + Duration::from_secs(seconds);
        let mut watch = Watch::new(begin);
        assert!(!watch.is_to_note(0, at(1)), "nobody knows yet");
        assert!(!watch.is_to_note(2, at(2)));
        assert!(!watch.is_to_note(0, at(4)), "it mended itself");
        assert!(!watch.is_to_note(2, at(5)));
        assert!(!watch.is_to_note(2, at(9)));
        assert!(watch.is_to_note(2, at(10)));
        assert!(watch.is_to_note(2, at(11)), "what could not be noted is noted next time");
        watch.note(at(11));
        assert!(!watch.is_to_note(2, at(25)));
        assert!(watch.is_to_note(2, at(26)), "it lasts");
        watch.note(at(26));
        assert!(!watch.is_to_note(0, at(27)));
        assert!(watch.is_to_note(0, at(32)), "it is over");
        watch.note(at(32));
        assert!(!watch.is_to_note(0, at(91)));
        assert!(watch.is_to_note(0, at(92)));
    }
}
