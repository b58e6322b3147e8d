//! The overlap of two keys, drawn to scale.

use sealbook_ledger::timestamp::Timestamp;

use crate::pages::wording;
use crate::views::rotations::RotationView;

/// The width of the picture.
const WIDTH: i64 = 1000;

/// Of the overlap's length, what is shown before and after it.
const MARGIN: i64 = 8;

/// Microseconds of a second: the picture is drawn in seconds.
const SECOND: i64 = 1_000_000;

/// The overlap, as a picture of [`WIDTH`] units.
pub(super) struct Overlap {
    pub(super) from: Timestamp,
    pub(super) to: Timestamp,
    /// When the old key was retired, if it was.
    pub(super) retired: Option<Timestamp>,
    /// How far it is, in words.
    pub(super) words: String,
    /// Where it begins and where its time is over.
    pub(super) begins: i64,
    pub(super) ends: i64,
    /// Where the old key retired, or would by its time.
    pub(super) retires: i64,
    /// Where today is, while it is in the picture and the old key is there.
    pub(super) today: Option<i64>,
}

impl Overlap {
    /// Of a rotation that has cut over; break-glass has none.
    pub(super) fn of(view: &RotationView, at: Timestamp) -> Option<Self> {
        let (from, to) = (view.cut_over_at?, view.overlap_ends_at?);
        let length = seconds(from, to);
        if length <= 0 {
            return None;
        }
        // One that waits for people beyond its time, or retired later, is drawn as long as it was.
        let last = view.completed_at.unwrap_or(at).max(to);
        let margin = length / MARGIN;
        let whole = seconds(from, last) + 2 * margin;
        let x = |moment: Timestamp| ((seconds(from, moment) + margin) * WIDTH / whole).clamp(0, WIDTH);
        Some(Self {
            from,
            to,
            retired: view.completed_at,
            words: words(from, to, view.completed_at, at),
            begins: x(from),
            ends: x(to),
            retires: x(view.completed_at.unwrap_or(last)),
            today: view.completed_at.is_none().then(|| x(at)),
        })
    }
}

fn seconds(from: Timestamp, to: Timestamp) -> i64 {
    (to.unix_micros() - from.unix_micros()) / SECOND
}

fn words(from: Timestamp, to: Timestamp, retired: Option<Timestamp>, at: Timestamp) -> String {
    let whole = wording::span(wording::seconds_until(from, to));
    match retired {
        Some(retired) if retired < to => format!("cut short of its {whole}: another key took over"),
        Some(_) => format!("{whole}, and over"),
        None if at < to => {
            format!("{} of {whole} left", wording::span(wording::seconds_until(at, to)))
        }
        None => format!("its {whole} are over; it goes on until nothing is missing"),
    }
}
