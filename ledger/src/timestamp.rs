//! Event times: RFC 3339, UTC, exactly six fractional digits, `Z`, no leap seconds.

use std::fmt;
use std::str::FromStr;

use time::{Date, Month, OffsetDateTime, PrimitiveDateTime, Time};

use crate::ids::{InvalidId, serde_as_text};

/// A moment in UTC with microsecond precision, between the years 0000 and 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(PrimitiveDateTime);

impl Timestamp {
    /// The last representable microsecond: the end of the year 9999.
    pub const MAX: Self = Self(PrimitiveDateTime::new(Date::MAX, LAST_MICROSECOND));

    /// Microseconds since 1970-01-01T00:00:00Z; `None` outside the years 0000 to 9999.
    pub fn from_unix_micros(micros: i64) -> Option<Self> {
        let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1000).ok()?;
        (0..=9999).contains(&at.year()).then(|| Self(PrimitiveDateTime::new(at.date(), at.time())))
    }

    /// Microseconds since 1970-01-01T00:00:00Z.
    pub fn unix_micros(self) -> i64 {
        let nanos = self.0.assume_utc().unix_timestamp_nanos();
        // Years 0000 to 9999 are within ±2^59 microseconds of the epoch.
        (nanos / 1000) as i64
    }

    /// This moment and some seconds; saturates at the last representable microsecond.
    pub fn plus_seconds(self, seconds: u32) -> Self {
        let micros = self.unix_micros().saturating_add(i64::from(seconds) * 1_000_000);
        Self::from_unix_micros(micros).unwrap_or(Self::MAX)
    }

    /// The start of the second that holds this moment.
    pub fn second(self) -> Self {
        Self(self.0.truncate_to_second())
    }

    /// The start of the minute that holds this moment.
    pub fn minute(self) -> Self {
        Self(self.0.truncate_to_minute())
    }
}

/// The last microsecond of a day; the literal is in range.
const LAST_MICROSECOND: Time = match Time::from_hms_micro(23, 59, 59, 999_999) {
    Ok(time) => time,
    Err(_) => Time::MIDNIGHT,
};

impl FromStr for Timestamp {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        parse(text).ok_or(InvalidId {
            what: "time",
            why: "RFC 3339 in UTC with exactly six fractional digits and `Z`",
        })
    }
}

fn parse(text: &str) -> Option<Timestamp> {
    let bytes = text.as_bytes();
    let separators = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':'), (19, b'.'), (26, b'Z')];
    if bytes.len() != 27 || separators.iter().any(|&(at, byte)| bytes[at] != byte) {
        return None;
    }
    let number = |from: usize, to: usize| {
        bytes[from..to]
            .iter()
            .try_fold(0u32, |sum, b| b.is_ascii_digit().then(|| sum * 10 + u32::from(b - b'0')))
    };
    let small = |from, to| number(from, to).and_then(|n| u8::try_from(n).ok());
    let month = Month::try_from(small(5, 7)?).ok()?;
    let date = Date::from_calendar_date(i32::try_from(number(0, 4)?).ok()?, month, small(8, 10)?).ok()?;
    // `Time` knows no second 60: a leap second is refused here.
    let time = Time::from_hms_micro(small(11, 13)?, small(14, 16)?, small(17, 19)?, number(20, 26)?).ok()?;
    Some(Timestamp(PrimitiveDateTime::new(date, time)))
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (date, time) = (self.0.date(), self.0.time());
        write!(
            f,
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z",
            date.year(),
            u8::from(date.month()),
            date.day(),
            time.hour(),
            time.minute(),
            time.second(),
            time.microsecond()
        )
    }
}

serde_as_text!(Timestamp);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_one_spelling() {
        let text = "2026-11-22T00:00:01.000001Z";
        assert_eq!(text.parse::<Timestamp>().unwrap().to_string(), text);
        for bad in [
            "2026-11-22T00:00:00Z",
            "2026-11-22T00:00:00.000000+00:00",
            "2026-02-30T00:00:00.000000Z",
            "2026-11-22T23:59:60.000000Z",
            "2026-11-22t00:00:00.000000Z",
            "+026-11-22T00:00:00.000000Z",
            "2026-11-22T24:00:00.000000Z",
        ] {
            assert!(bad.parse::<Timestamp>().is_err(), "{bad}");
        }
    }

    #[test]
    fn microseconds_round_trip() {
        let at: Timestamp = "2026-11-22T12:34:56.789012Z".parse().unwrap();
        assert_eq!(Timestamp::from_unix_micros(at.unix_micros()), Some(at));
        assert_eq!(at.plus_seconds(5).to_string(), "2026-11-22T12:35:01.789012Z");
        assert_eq!(at.minute().to_string(), "2026-11-22T12:34:00.000000Z");
    }
}
