//! Roles, times and counts as pages say them.

use sealbook_ledger::policy::Role;
use sealbook_ledger::timestamp::Timestamp;

use crate::views::story::printable;

/// A role in words.
pub fn role(role: Role) -> &'static str {
    match role {
        Role::Approver => "approver",
        Role::Auditor => "auditor",
        Role::ChangeBoard => "change board",
        Role::IncidentCommander => "incident commander",
        Role::KeyOwner => "key owner",
        Role::PackagingEngineer => "packaging engineer",
        Role::Recovery => "recovery authenticator",
        Role::PlatformAdmin => "platform admin",
        Role::SecurityReviewer => "security reviewer",
    }
}

/// `a`, `a and b`, `a, b and c`; nothing where there is nothing.
pub fn list<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let words: Vec<&str> = words.into_iter().collect();
    match words.split_last() {
        None => String::new(),
        Some((only, [])) => (*only).to_owned(),
        Some((last, before)) => format!("{} and {last}", before.join(", ")),
    }
}

/// A text that was disclosed: its lines are kept, and nothing else in it steers the page.
pub fn lines(text: &str) -> String {
    text.lines().map(printable).collect::<Vec<String>>().join("\n")
}

/// Seconds from one moment to a later one; none if it is not later.
pub fn seconds_until(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.unix_micros().saturating_sub(from.unix_micros()) / 1_000_000).unwrap_or(0)
}

/// A span as people say it, by its two largest units: `6 days`, `23 h 54 min`, `40 s`.
pub fn span(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match (days, hours, minutes) {
        (3.., _, _) => format!("{days} days"),
        (1..3, _, _) => format!("{days} d {} h", hours % 24),
        (_, 1.., _) => format!("{hours} h {} min", minutes % 60),
        (_, _, 1..) => format!("{minutes} min"),
        _ => format!("{seconds} s"),
    }
}

/// A span to the second, as a clock shows it: `0:41`, `5:03:07`, `2 d 05:03:07`. Browsers go on with it (`clocks.js`).
pub fn counter(seconds: u64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    let rest = seconds % 60;
    match (days, hours) {
        (1.., _) => format!("{days} d {hours:02}:{minutes:02}:{rest:02}"),
        (0, 1..) => format!("{hours}:{minutes:02}:{rest:02}"),
        (0, 0) => format!("{minutes}:{rest:02}"),
    }
}

/// How long ago a moment was.
pub fn ago(at: Timestamp, now: Timestamp) -> String {
    match seconds_until(at, now) {
        0..5 => "just now".to_owned(),
        seconds => format!("{} ago", span(seconds)),
    }
}

/// A count with its noun, in words where it is small: `No action`, `One action`, `12 actions`.
pub fn counted(count: usize, one: &str, many: &str) -> String {
    const WORDS: [&str; 10] = ["No", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine"];
    let noun = if count == 1 { one } else { many };
    match WORDS.get(count) {
        Some(word) => format!("{word} {noun}"),
        None => format!("{count} {noun}"),
    }
}

/// The first letters of a name's first two words.
pub fn initials(name: &str) -> String {
    name.split_whitespace()
        .take(2)
        .filter_map(|word| word.chars().next())
        .flat_map(char::to_uppercase)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_said_by_their_largest_units() {
        let cases = [
            (0, "0 s"),
            (59, "59 s"),
            (61, "1 min"),
            (86_040, "23 h 54 min"),
            (90_000, "1 d 1 h"),
            (600_000, "6 days"),
        ];
        assert!(cases.iter().all(|(seconds, said)| span(*seconds) == *said));
    }

    #[test]
    fn clocks_show_seconds() {
        let cases =
            [(0, "0:00"), (41, "0:41"), (3_599, "59:59"), (18_187, "5:03:07"), (90_061, "1 d 01:01:01")];
        assert!(cases.iter().all(|(seconds, shown)| counter(*seconds) == *shown));
    }

    #[test]
    fn counts_and_lists_are_words() {
        assert_eq!(counted(0, "thing", "things"), "No things");
        assert_eq!(counted(1, "thing", "things"), "One thing");
        assert_eq!(counted(12, "thing", "things"), "12 things");
        assert_eq!(list(["a", "b", "c"]), "a, b and c");
        assert_eq!(list([]), "");
    }
}
