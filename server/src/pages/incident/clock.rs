//! Clocks of an incident: how long it goes on, and what is left of the times within which something is to be done. The server
//! draws them as they stand, browsers let them run.

use sealbook_ledger::incident::{CLOSED_WITHIN_S, IncidentStep, REVOKED_WITHIN_S};
use sealbook_ledger::timestamp::Timestamp;

use crate::pages::slots::Chip;
use crate::pages::wording;
use crate::views::incidents::{ClockView, IncidentView};

/// A time within which something is to be done.
pub(in crate::pages) struct Clock {
    pub(in crate::pages) title: &'static str,
    /// From when on it runs.
    pub(in crate::pages) from: Timestamp,
    /// The last moment.
    pub(in crate::pages) due: Timestamp,
    /// What it shows: what is left, how much too late it is, or how long it took.
    pub(in crate::pages) shows: String,
    /// What that is, in a word or two.
    pub(in crate::pages) what: &'static str,
    pub(in crate::pages) chip: Chip,
    /// How much of the time is over, of 100, and `ok`, `warn` or `bad`.
    pub(in crate::pages) fill: u64,
    pub(in crate::pages) tone: &'static str,
    /// Whether it runs.
    pub(in crate::pages) runs: bool,
}

/// From this share of its time on, a clock presses.
const PRESSING_PERCENT: u64 = 75;

impl Clock {
    /// Every clock of an incident.
    pub(in crate::pages) fn all(view: &IncidentView) -> Vec<Self> {
        view.clocks.iter().map(|clock| Self::new(clock, view)).collect()
    }

    /// The clock that ends next, while any runs.
    pub(in crate::pages) fn next(view: &IncidentView) -> Option<Self> {
        Self::all(view).into_iter().filter(|clock| clock.runs).min_by_key(|clock| clock.due)
    }

    fn new(clock: &ClockView, view: &IncidentView) -> Self {
        let (title, within, done) = match clock.id.as_str() {
            "revoked" => {
                let revoked = view.steps.iter().find(|step| step.step == IncidentStep::Revoked);
                ("Revoked within 24 hours", REVOKED_WITHIN_S, revoked.and_then(|step| step.taken))
            }
            _ => ("Closed within 5 days", CLOSED_WITHIN_S, view.closed.as_ref().map(|closed| closed.mark)),
        };
        let (due, at) = (clock.due, view.at);
        // Those of an incident that takes up a false alarm run from the opening of that one.
        let from = before(due, within);
        let left = wording::seconds_until(at, due);
        let runs = done.is_none() && view.is_open();
        let end = done.map_or(at, |mark| mark.time);
        let over = wording::seconds_until(from, end) * 100 / u64::from(within);
        let (shows, what) = match (runs, clock.met) {
            (true, Some(false)) => (wording::counter(wording::seconds_until(due, at)), "too late"),
            (true, _) => (wording::counter(left), "left"),
            (false, None) => ("–".to_owned(), "was asked for"),
            (false, _) => (wording::counter(wording::seconds_until(from, end)), "it took"),
        };
        let (chip, tone) = match (runs, clock.met) {
            (_, Some(true)) => (Chip { tone: "ok", icon: "check", word: "Met" }, "ok"),
            (_, Some(false)) => (Chip { tone: "bad", icon: "alarm", word: "Missed" }, "bad"),
            (true, None) if over >= PRESSING_PERCENT => {
                (Chip { tone: "warn", icon: "clock", word: "Presses" }, "warn")
            }
            (true, None) => (Chip { tone: "calm", icon: "clock", word: "Runs" }, "ok"),
            (false, None) => (Chip { tone: "dim", icon: "dash", word: "Nothing" }, "dim"),
        };
        Self { title, from, due, shows, what, chip, fill: over.min(100), tone, runs }
    }
}

/// A moment so many seconds before another.
fn before(moment: Timestamp, seconds: u32) -> Timestamp {
    let micros = moment.unix_micros().saturating_sub(i64::from(seconds) * 1_000_000);
    Timestamp::from_unix_micros(micros).unwrap_or(moment)
}
