//! How long a notice that did not arrive waits before it is tried again.

use std::time::Duration;

/// The pause after the first attempt; it doubles with each.
const FIRST: Duration = Duration::from_secs(2);

/// The longest pause: 24 h of trying end with an attempt an hour.
const LONGEST: Duration = Duration::from_secs(60 * 60);

/// The pause after an attempt (from 1). `jitter` is random, from 0 to 1: a quarter of the pause is left to chance, so that
/// what failed together does not come back together.
pub(crate) fn pause(attempt: u32, jitter: f64) -> Duration {
    let doublings = attempt.saturating_sub(1).min(16);
    let full = FIRST.saturating_mul(1 << doublings).min(LONGEST);
    full.mul_f64(1.0 - 0.25 * jitter.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_an_hour() {
        let seconds: Vec<u64> = (1..=14).map(|attempt| pause(attempt, 0.0).as_secs()).collect();
        assert_eq!(seconds, [2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 3600, 3600, 3600]);
        assert_eq!(pause(u32::MAX, 0.0), LONGEST);
        assert_eq!(pause(0, 0.0), FIRST);
    }

    #[test]
    fn chance_shortens_a_pause_by_a_quarter_at_most() {
        for attempt in 1..40 {
            let full = pause(attempt, 0.0);
            for jitter in [0.0, 0.3, 1.0, 7.0, f64::MAX] {
                let shortened = pause(attempt, jitter);
                assert!(shortened <= full && shortened >= full.mul_f64(0.75), "{attempt} {jitter}");
            }
        }
    }

    #[test]
    fn a_day_of_trying_is_some_thirty_attempts() {
        let mut total = Duration::ZERO;
        let attempts = (1..).take_while(|&attempt| {
            total += pause(attempt, 0.0);
            total < Duration::from_secs(24 * 3600)
        });
        assert_eq!(attempts.count(), 33);
    }
}
