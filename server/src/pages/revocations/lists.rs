//! The newest list of each CA's key, as a row.

use sealbook_ledger::state::Founded;
use sealbook_ledger::timestamp::Timestamp;

use crate::pages::Visit;
use crate::pages::slot::state_words;
use crate::pages::slots::{Age, Chip, NEAR_PERCENT};
use crate::pages::wording;
use crate::views::revocations::{ListState, ListView};
use crate::views::story;

/// A list.
pub(in crate::pages) struct ListRow {
    pub(in crate::pages) view: ListView,
    /// The end of its key's id.
    pub(in crate::pages) short: String,
    /// How its key stands, in words.
    pub(in crate::pages) key_state: &'static str,
    pub(in crate::pages) chip: Chip,
    /// What is to be known of it, where there is something.
    pub(in crate::pages) note: Option<String>,
    /// How much of its time is over; none of one that nothing follows.
    pub(in crate::pages) age: Option<Age>,
    /// How many certificates it names, in words.
    pub(in crate::pages) names: String,
    /// Where this server hands it out.
    pub(in crate::pages) here: String,
}

impl ListRow {
    pub(in crate::pages) fn new(visit: &Visit, founded: &Founded, view: ListView, at: Timestamp) -> Self {
        let key = founded.keys().get(&view.key);
        let active = founded.slots().get(&view.slot).and_then(|slot| slot.active);
        let key_state = key.map_or("", |key| state_words(key, active == Some(view.key)).2);
        let compromised = key.is_some_and(|key| key.is_compromised());
        Self {
            short: story::short_end(&view.key.to_string()),
            key_state,
            chip: Chip::of_list(view.state),
            note: note(founded, &view, compromised),
            age: age(&view, at),
            names: match view.entries {
                0 => "names no certificate".to_owned(),
                1 => "names 1 certificate".to_owned(),
                many => format!("names {many} certificates"),
            },
            here: format!("{}{}", visit.api.public_url, view.path),
            view,
        }
    }
}

impl Chip {
    pub(in crate::pages) const fn of_list(state: ListState) -> Self {
        match state {
            ListState::Current => Self { tone: "ok", icon: "check", word: "Complete" },
            ListState::Incomplete => Self { tone: "bad", icon: "alarm", word: "Incomplete" },
            ListState::Overdue => Self { tone: "bad", icon: "alarm", word: "Overdue" },
            ListState::Lost => Self { tone: "bad", icon: "alarm", word: "Lost" },
            ListState::Last => Self { tone: "calm", icon: "lock", word: "Last list" },
            ListState::Ended => Self { tone: "dim", icon: "stop", word: "No more lists" },
        }
    }
}

fn note(founded: &Founded, view: &ListView, compromised: bool) -> Option<String> {
    match view.state {
        ListState::Current => None,
        ListState::Incomplete => {
            Some(format!("It lacks {}; the next one is signed as soon as its device is there.", lacking(founded, view)))
        }
        ListState::Overdue => Some(
            "Whoever holds to RFC 5280 no longer accepts it: the next one is signed as soon as its device is there."
                .to_owned(),
        ),
        ListState::Lost => Some(format!(
            "Readers have a later one that this ledger has lost. It is not handed out, and the next one is signed once the ledger is past {}.",
            view.lost.unwrap_or(view.number)
        )),
        ListState::Last => Some("It holds for good: its key was to be destroyed.".to_owned()),
        ListState::Ended if compromised => Some(
            "It says nothing any more: somebody else may hold its key, and sign lists as well. The CA above it has to say so."
                .to_owned(),
        ),
        ListState::Ended => Some("No other one follows: the certificate of its key has ended, or the key is destroyed.".to_owned()),
    }
}

/// What a list lacks, in words.
pub(super) fn lacking(founded: &Founded, view: &ListView) -> String {
    let named = usize::try_from(view.entries).unwrap_or(usize::MAX);
    match founded.list_entries(view.key).len().saturating_sub(named) {
        // Another date or reason than it gives.
        0 => "what became known since of a certificate that it names".to_owned(),
        1 => "1 certificate that is revoked".to_owned(),
        many => format!("{many} certificates that are revoked"),
    }
}

/// How much of the time between two lists is over.
fn age(view: &ListView, at: Timestamp) -> Option<Age> {
    let next = view.next_update.filter(|_| view.state != ListState::Ended)?;
    let whole = wording::seconds_until(view.this_update, next).max(1);
    // A list holds for a week at most.
    let fill = (wording::seconds_until(view.this_update, at).saturating_mul(100) / whole).min(100);
    let (tone, words) = if at >= next {
        ("bad", format!("the next one was due {}", wording::ago(next, at)))
    } else {
        let tone = if fill >= NEAR_PERCENT { "warn" } else { "ok" };
        (tone, format!("the next one in {} at the latest", wording::span(wording::seconds_until(at, next))))
    };
    Some(Age { words, fill, tone })
}
