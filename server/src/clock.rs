//! The one place that reads the clock: everything else is told what time it is.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use sealbook_ledger::ids::Correlation;
use sealbook_ledger::timestamp::Timestamp;
use tokio::sync::watch;

/// The clock that a server's ledgers go by. By default it is the system's, and no configuration makes another of it; a test
/// may give a server one that it moves ahead, with a [`Hand`], and `sealbook dev` has one that runs ahead, for trials.
///
/// By it go the times of events, whatever is judged by them, and the pauses of the engine. What a process alone knows goes
/// by the system's: sessions, tickets, notices, and how long a device or the database may take. The database keeps a clock
/// of its own: a server whose clock was moved appends nothing until the database's stands beside it.
#[derive(Debug, Clone, Default)]
pub struct Clock(Option<watch::Receiver<Duration>>);

impl Clock {
    /// A clock that runs so far ahead of the system's, for a trial beside a database whose clock does too.
    pub(crate) fn ahead_by(time: Duration) -> Self {
        let hand = Hand::default();
        hand.set_ahead(time);
        hand.clock()
    }

    /// The time now, in microseconds.
    pub fn now(&self) -> Timestamp {
        later(now(), self.ahead())
    }

    /// A moment for measuring how much time passes; nobody sets it back.
    pub fn steady(&self) -> Instant {
        Instant::now() + self.ahead()
    }

    /// What waits for time to pass, from now on.
    pub(crate) fn pauses(&self) -> Pauses {
        Pauses(self.0.clone())
    }

    fn ahead(&self) -> Duration {
        self.0.as_ref().map_or(Duration::ZERO, |ahead| *ahead.borrow())
    }
}

/// Moves clocks ahead, in tests.
#[derive(Debug)]
pub struct Hand(watch::Sender<Duration>);

impl Default for Hand {
    fn default() -> Self {
        Self(watch::Sender::new(Duration::ZERO))
    }
}

impl Hand {
    /// A clock that it moves.
    pub fn clock(&self) -> Clock {
        Clock(Some(self.0.subscribe()))
    }

    /// Has its clocks stand so far ahead of the system's; never less than before.
    pub fn set_ahead(&self, ahead: Duration) {
        self.0.send_if_modified(|before| {
            let moves = ahead > *before;
            *before = ahead.max(*before);
            moves
        });
    }

    /// How far its clocks stand ahead.
    pub fn ahead(&self) -> Duration {
        *self.0.borrow()
    }
}

/// The pauses of a task.
pub(crate) struct Pauses(Option<watch::Receiver<Duration>>);

impl Pauses {
    /// Waits so long, or until the clock is moved, or has been since the last pause.
    pub(crate) async fn pause(&mut self, time: Duration) {
        let end = tokio::time::sleep(time);
        let Some(ahead) = &mut self.0 else { return end.await };
        tokio::pin!(end);
        tokio::select! {
            () = &mut end => {}
            moved = ahead.changed() => if moved.is_err() {
                // Nobody moves it any more.
                end.await;
            }
        }
    }
}

fn later(time: Timestamp, by: Duration) -> Timestamp {
    let micros = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
    Timestamp::from_unix_micros(time.unix_micros().saturating_add(micros)).unwrap_or(LAST)
}

/// The time now, in microseconds; the epoch where the clock stands before it.
pub fn now() -> Timestamp {
    let micros = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros());
    let micros = i64::try_from(micros).unwrap_or(i64::MAX);
    Timestamp::from_unix_micros(micros).unwrap_or(LAST)
}

/// The time by which what this process alone knows expires: sessions, nonces, rates. It follows the clock forward, never
/// back, and goes on at least as fast as time really does: what has expired stays so, and a clock that is set back
/// prolongs nothing. After a leap and back it stays ahead, until the process ends; events know nothing of it.
pub fn forward() -> Timestamp {
    static FORWARD: Mutex<Option<Forward>> = Mutex::new(None);
    let mut forward = FORWARD.lock().unwrap_or_else(PoisonError::into_inner);
    let next = Forward::after(*forward, now(), Instant::now());
    *forward = Some(next);
    next.time
}

/// What [`forward`] said last, and when.
#[derive(Debug, Clone, Copy)]
struct Forward {
    time: Timestamp,
    at: Instant,
}

impl Forward {
    fn after(before: Option<Self>, clock: Timestamp, at: Instant) -> Self {
        let steady = before.map(|before| later(before.time, at.duration_since(before.at)));
        Self { time: steady.map_or(clock, |steady| steady.max(clock)), at }
    }
}

/// Far enough that no event follows: a clock there makes every authorisation expire.
const LAST: Timestamp = Timestamp::MAX;

/// A new piece of work.
#[allow(clippy::expect_used, reason = "`now_v7` makes version 7 UUIDs, and nothing else")]
pub fn correlation() -> Correlation {
    Correlation::new(uuid::Uuid::now_v7()).expect("a version 7 UUID")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_trials_clock_runs_ahead_and_nobody_moves_it() {
        let day = Duration::from_secs(86_400);
        let clock = Clock::ahead_by(day);
        assert!(clock.now() >= now().plus_seconds(86_390));
        let (began, pause) = (Instant::now(), Duration::from_millis(20));
        clock.pauses().pause(pause).await;
        assert!(began.elapsed() >= pause, "its pauses are as long as they should be");
    }

    #[tokio::test]
    async fn a_hand_moves_its_clocks_ahead_and_wakes_who_waits_for_them() {
        let (hand, day) = (Hand::default(), Duration::from_secs(86_400));
        let clock = hand.clock();
        let (mut pauses, before) = (clock.pauses(), clock.steady());
        assert!(clock.now().plus_seconds(1) > now(), "it stands where the system's does");
        hand.set_ahead(day);
        pauses.pause(day).await;
        assert!(clock.steady().duration_since(before) >= day);
        assert!(clock.now() >= now().plus_seconds(86_390));
        hand.set_ahead(Duration::ZERO);
        assert_eq!(hand.ahead(), day, "nobody moves it back");
    }

    #[test]
    fn the_time_of_sessions_follows_the_clock_forward_and_never_back() {
        let at =
            |second: u32| "2026-11-22T00:00:00.000000Z".parse::<Timestamp>().unwrap().plus_seconds(second);
        let began = Instant::now();
        let after = |second: u64| began + Duration::from_secs(second);
        let mut forward = Forward::after(None, at(1000), began);
        assert_eq!(forward.time, at(1000));
        let mut says = |clock, second| {
            forward = Forward::after(Some(forward), clock, after(second));
            forward.time
        };
        assert_eq!(says(at(1010), 10), at(1010), "both go alike");
        assert_eq!(says(at(400), 20), at(1020), "set back: time goes on");
        assert_eq!(says(at(5000), 30), at(5000), "set forward: it follows");
        assert_eq!(says(at(1040), 40), at(5010), "and stays there");
    }
}
