//! Waiting for conditions.

use std::thread;
use std::time::{Duration, Instant};

/// Nothing that is waited for takes this long; what does has failed. Two busy cores are slow.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// Between two looks.
const LOOK: Duration = Duration::from_millis(20);

/// Looks until there is something to see, and fails with `what` was waited for after [`DEADLINE`].
pub fn until<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    within(DEADLINE, look).unwrap_or_else(|| panic!("waited in vain for {what}"))
}

/// Looks until there is something to see, or the time is over.
pub fn within<T>(deadline: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let began = Instant::now();
    loop {
        if let Some(seen) = look() {
            return Some(seen);
        }
        if began.elapsed() >= deadline {
            return None;
        }
        thread::sleep(LOOK);
    }
}
