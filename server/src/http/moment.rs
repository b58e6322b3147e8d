//! Moments as callers may write them: any RFC 3339, with or without fractions and offset. What the ledger writes itself
//! has one form only.

use std::str::FromStr;

use sealbook_ledger::timestamp::Timestamp;
use serde::{Deserialize, Deserializer};

/// A moment of a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment(Timestamp);

/// What is not a moment.
#[derive(Debug, thiserror::Error)]
#[error("a time is RFC 3339 with at most six fractional digits, such as 2026-11-24T15:00:00Z")]
pub(crate) struct NoMoment;

impl Moment {
    /// The moment.
    pub(crate) fn get(self) -> Timestamp {
        self.0
    }
}

impl FromStr for Moment {
    type Err = NoMoment;

    /// A day without a time is its first moment; a time without an offset is UTC, and may leave its seconds out: what
    /// forms of browsers send.
    fn from_str(text: &str) -> Result<Self, NoMoment> {
        if text.len() > 40 || !text.is_ascii() {
            return Err(NoMoment);
        }
        let (date, rest) = text.split_at_checked(10).ok_or(NoMoment)?;
        let rest = match rest.strip_prefix(['T', 't', ' ']) {
            Some(rest) => rest,
            None if rest.is_empty() => "00:00:00Z",
            None => return Err(NoMoment),
        };
        let (time, offset) = match rest.find(['Z', 'z', '+', '-', ' ']) {
            Some(at) => rest.split_at(at),
            None => (rest, "Z"),
        };
        let (clock, fraction) = time.split_once('.').unwrap_or((time, "0"));
        if fraction.is_empty() || fraction.len() > 6 || !fraction.bytes().all(|b| b.is_ascii_digit()) {
            return Err(NoMoment);
        }
        let seconds = if clock.len() == 5 { ":00" } else { "" };
        let written: Timestamp =
            format!("{date}T{clock}{seconds}.{fraction:0<6}Z").parse().map_err(|_| NoMoment)?;
        let ahead = offset_seconds(offset).ok_or(NoMoment)?;
        let micros = written.unix_micros().checked_sub(ahead * 1_000_000).ok_or(NoMoment)?;
        Timestamp::from_unix_micros(micros).map(Self).ok_or(NoMoment)
    }
}

/// Seconds that a clock with this offset is ahead of UTC. A `+` that nobody escaped arrives as a space.
fn offset_seconds(text: &str) -> Option<i64> {
    if text == "Z" || text == "z" {
        return Some(0);
    }
    let (sign, rest) = match text.split_at_checked(1)? {
        ("+" | " ", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = rest.split_once(':')?;
    let number = |text: &str| {
        let two = text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit());
        if two { text.parse::<i64>().ok() } else { None }
    };
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<String> {
        text.parse::<Moment>().ok().map(|moment| moment.get().to_string())
    }

    #[test]
    fn a_moment_is_read_in_every_form_of_rfc_3339() {
        for (text, moment) in [
            ("2026-11-24T15:00:00.000000Z", "2026-11-24T15:00:00.000000Z"),
            ("2026-11-24T15:00:00Z", "2026-11-24T15:00:00.000000Z"),
            ("2026-11-24t15:00:00.5z", "2026-11-24T15:00:00.500000Z"),
            ("2026-11-24T15:00:00+01:00", "2026-11-24T14:00:00.000000Z"),
            ("2026-11-24T15:00:00 01:00", "2026-11-24T14:00:00.000000Z"),
            ("2026-12-31T23:30:00-01:00", "2027-01-01T00:30:00.000000Z"),
            ("2026-11-24T15:00", "2026-11-24T15:00:00.000000Z"),
            ("2026-11-24", "2026-11-24T00:00:00.000000Z"),
        ] {
            assert_eq!(read(text).as_deref(), Some(moment), "{text}");
        }
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        for text in [
            "",
            "yesterday",
            "2026-11-24T",
            "2026-13-01",
            "2026-11-24T25:00Z",
            "2026-11-24T15:00:00.Z",
            "2026-11-24T15:00:00.1234567Z",
            "2026-11-24T15:00:00+1:00",
            "2026-11-24T15:00:00+25:00",
            "2026-11-24x",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
