//! The one place that reads the clock: everything else is told what time it is.

use std::time::{SystemTime, UNIX_EPOCH};

use sealbook_ledger::ids::Correlation;
use sealbook_ledger::timestamp::Timestamp;

/// The time now, in microseconds; the epoch where the clock stands before it.
pub fn now() -> Timestamp {
    let micros = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros());
    let micros = i64::try_from(micros).unwrap_or(i64::MAX);
    Timestamp::from_unix_micros(micros).unwrap_or(LAST)
}

/// Far enough that no event follows: a clock there makes every authorisation expire.
const LAST: Timestamp = Timestamp::MAX;

/// A new piece of work.
#[allow(clippy::expect_used, reason = "`now_v7` makes version 7 UUIDs, and nothing else")]
pub fn correlation() -> Correlation {
    Correlation::new(uuid::Uuid::now_v7()).expect("a version 7 UUID")
}
