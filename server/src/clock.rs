//! The one place that reads the clock: everything else is told what time it is.

use std::sync::{Mutex, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use sealbook_ledger::ids::Correlation;
use sealbook_ledger::timestamp::Timestamp;

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
        let steady = before.map(|before| {
            let passed = i64::try_from(at.duration_since(before.at).as_micros()).unwrap_or(i64::MAX);
            let micros = before.time.unix_micros().saturating_add(passed);
            Timestamp::from_unix_micros(micros).unwrap_or(LAST)
        });
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
    use std::time::Duration;

    use super::*;

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
