//! How long what failed waits before it is tried again. What leaves no trace is tried often; what each time is on record, so
//! seldom that a device that refuses for days does not fill the ledger.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use sealbook_ledger::ids::{ActionId, KeyId};
use sealbook_ledger::rule::Rule;
use uuid::Uuid;

use super::TICK;
use crate::ledger::EngineError;

/// The longest pause after a try that left nothing on record.
const LONGEST: Duration = Duration::from_secs(60);

/// The longest pause after a try that is on record, as an authorisation and its failure: two events an hour.
const LONGEST_ON_RECORD: Duration = Duration::from_secs(60 * 60);

/// What was not tried for so long after its pause has ended otherwise.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// Why a step was not taken.
#[derive(Debug)]
pub(super) struct Setback {
    pub(super) error: EngineError,
    /// Whether the try is on record.
    on_record: bool,
}

impl Setback {
    /// The ledger tells of the try.
    pub(super) fn on_record(error: EngineError) -> Self {
        Self { error, on_record: true }
    }
}

impl From<EngineError> for Setback {
    fn from(error: EngineError) -> Self {
        Self { error, on_record: false }
    }
}

impl From<Rule> for Setback {
    fn from(rule: Rule) -> Self {
        EngineError::from(rule).into()
    }
}

/// What is tried. A device that signs nothing stops none of the steps that only record: what has to end, ends at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Subject {
    /// The new key of a rotation.
    NewKey(ActionId),
    /// Signatures over a certificate, a rotation's canary or its evidence.
    Signature(Uuid),
    /// A CA key's revocation list.
    List(KeyId),
    /// A step of an action, a certificate or a key that no device is asked for.
    Record(Uuid),
}

/// What failed lately.
#[derive(Debug, Default)]
pub(super) struct Waits(HashMap<Subject, Wait>);

#[derive(Debug)]
struct Wait {
    until: Instant,
    /// The longest pause so far.
    pause: Duration,
}

impl Waits {
    /// Whether something failed so lately that it has to wait.
    pub(super) fn holds(&self, subject: Subject, now: Instant) -> bool {
        self.0.get(&subject).is_some_and(|wait| now < wait.until)
    }

    /// Takes a try into account. After one that went well the next failure is a first one.
    pub(super) fn note(&mut self, subject: Subject, taken: &Result<(), Setback>, now: Instant) {
        match (taken, subject) {
            (Err(setback), _) => self.lengthen(subject, setback.on_record, now),
            // A key is authorised, and on record, before the device is asked: another is authorised only where it made none.
            (Ok(()), Subject::NewKey(_)) => self.lengthen(subject, true, now),
            (Ok(()), _) => drop(self.0.remove(&subject)),
        }
        self.0.retain(|_, wait| now < wait.until + FORGOTTEN_AFTER);
    }

    /// Each pause is twice as long as the one before, up to the longest. A try that left nothing on record does not shorten
    /// the pause after the next one that does.
    fn lengthen(&mut self, subject: Subject, on_record: bool, now: Instant) {
        let before = self.0.get(&subject).map_or(Duration::ZERO, |wait| wait.pause);
        let longest = if on_record { LONGEST_ON_RECORD } else { LONGEST };
        let pause = (before * 2).clamp(TICK, longest);
        self.0.insert(subject, Wait { until: now + pause, pause: pause.max(before) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    const SUBJECT: Subject = Subject::Signature(Uuid::from_u128(1));

    fn away() -> Result<(), Setback> {
        Err(EngineError::unavailable("custody.unavailable", "the device is down").into())
    }

    fn refused() -> Result<(), Setback> {
        away().map_err(|setback| Setback::on_record(setback.error))
    }

    /// When something is tried that always comes to the same, in seconds from the first try, for so long.
    fn tries(waits: &mut Waits, subject: Subject, taken: &Result<(), Setback>, time: Duration) -> Vec<u64> {
        let began = Instant::now();
        let seconds = (0..time.as_secs()).filter(|second| {
            let now = began + Duration::from_secs(*second);
            let may = !waits.holds(subject, now);
            if may {
                waits.note(subject, taken, now);
            }
            may
        });
        seconds.collect()
    }

    #[test]
    fn a_refusal_that_lasts_is_met_once_an_hour_in_the_end() {
        let mut waits = Waits::default();
        let first = tries(&mut waits, SUBJECT, &refused(), DAY);
        assert_eq!(first[..6], [0, 1, 3, 7, 15, 31]);
        let pauses: Vec<u64> = first.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert_eq!(pauses[12..], [3600; 22]);
    }

    #[test]
    fn keys_that_were_authorised_and_not_made_are_authorised_once_an_hour_in_the_end() {
        let (mut waits, key) = (Waits::default(), Subject::NewKey(ActionId::from(Uuid::from_u128(1))));
        let authorized = tries(&mut waits, key, &Ok(()), DAY);
        assert_eq!(authorized, tries(&mut Waits::default(), SUBJECT, &refused(), DAY));
    }

    #[test]
    fn what_leaves_nothing_on_record_is_tried_every_minute() {
        let tries = tries(&mut Waits::default(), SUBJECT, &away(), Duration::from_secs(300));
        assert_eq!(tries, [0, 1, 3, 7, 15, 31, 63, 123, 183, 243]);
    }

    #[test]
    fn a_device_that_was_away_meanwhile_meets_with_no_more_tries_than_before() {
        let mut waits = Waits::default();
        tries(&mut waits, SUBJECT, &refused(), DAY);
        let now = Instant::now() + DAY;
        waits.note(SUBJECT, &away(), now);
        let back = now + LONGEST;
        assert!(!waits.holds(SUBJECT, back));
        waits.note(SUBJECT, &refused(), back);
        assert!(waits.holds(SUBJECT, back + LONGEST_ON_RECORD - TICK));
        assert!(!waits.holds(SUBJECT, back + LONGEST_ON_RECORD));
    }

    #[test]
    fn nothing_is_kept_of_what_is_tried_no_more() {
        let (mut waits, now) = (Waits::default(), Instant::now());
        waits.note(Subject::NewKey(ActionId::from(Uuid::from_u128(1))), &Ok(()), now);
        waits.note(SUBJECT, &refused(), now + 2 * DAY);
        assert_eq!(waits.0.keys().collect::<Vec<_>>(), [&SUBJECT]);
    }

    #[test]
    fn after_a_success_a_failure_is_a_first_one() {
        let mut waits = Waits::default();
        tries(&mut waits, SUBJECT, &refused(), DAY);
        let now = Instant::now();
        waits.note(SUBJECT, &Ok(()), now);
        assert!(!waits.holds(SUBJECT, now));
        waits.note(SUBJECT, &refused(), now);
        assert!(waits.holds(SUBJECT, now) && !waits.holds(SUBJECT, now + TICK));
        assert!(!waits.holds(Subject::Record(Uuid::from_u128(1)), now), "what ends it waits for nothing");
    }
}
