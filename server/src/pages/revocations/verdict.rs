//! The reader's question, answered at the top: whether every list says what is not to be believed any more.

use std::collections::BTreeSet;

use sealbook_ledger::ids::KeyId;
use sealbook_ledger::state::Founded;
use sealbook_ledger::timestamp::Timestamp;

use super::listed::Listed;
use super::lists::lacking;
use crate::pages::slots::Chip;
use crate::pages::wording;
use crate::views::revocations::{ListState, ListView, RevokedView, What};

/// The answer.
pub(super) struct Verdict {
    /// How much is revoked, in words.
    pub(super) heading: String,
    pub(super) chip: Chip,
    /// What holds, where nothing is wrong.
    pub(super) sentence: &'static str,
    /// What is wrong, and the list that it is about.
    pub(super) faults: Vec<(String, Option<KeyId>)>,
    /// Until when the next list is there, and how far away that is.
    pub(super) next: Option<(Timestamp, String)>,
    /// What no list of this ledger says, in words, and whether that is one thing.
    pub(super) unlisted: Option<(String, bool)>,
    /// Whether there is nothing to show at all.
    pub(super) is_empty: bool,
}

impl Verdict {
    pub(super) fn of(
        founded: &Founded,
        issuers: &BTreeSet<KeyId>,
        lists: &[ListView],
        revoked: &[RevokedView],
        at: Timestamp,
    ) -> Self {
        let mut faults: Vec<_> = lists.iter().filter_map(|list| fault(founded, list, at)).collect();
        faults.extend(issuers.iter().filter(|key| !founded.crls().contains_key(*key)).filter_map(|key| {
            let slot = &founded.keys().get(key)?.slot;
            Some((format!("{slot} has not signed its first list yet"), None))
        }));
        let next = lists.iter().filter(|list| list.state == ListState::Current);
        let next = next.filter_map(|list| list.next_update).min();
        let (chip, sentence) = match (faults.is_empty(), lists.is_empty()) {
            (false, _) => (Chip { tone: "bad", icon: "alarm", word: "Lists are behind" }, ""),
            (true, true) => (
                Chip { tone: "dim", icon: "dash", word: "No lists" },
                "No CA of this ledger signs lists: whoever verifies has to look here.",
            ),
            (true, false) => (
                Chip { tone: "ok", icon: "check", word: "Lists are complete" },
                "Every list of every CA says so, for anybody to fetch.",
            ),
        };
        Self {
            heading: heading(revoked),
            chip,
            sentence,
            faults,
            next: next.map(|next| (next, format!("in {}", wording::span(wording::seconds_until(at, next))))),
            unlisted: unlisted(founded, issuers, revoked),
            is_empty: revoked.is_empty() && lists.is_empty(),
        }
    }
}

/// `Three keys and one certificate are not to be believed`.
fn heading(revoked: &[RevokedView]) -> String {
    let count = |what: What| revoked.iter().filter(|one| one.what == what).count();
    let (keys, certificates) = (count(What::Key), count(What::Certificate));
    let keys_said = wording::counted(keys, "key", "keys");
    let certificates_said = wording::counted(certificates, "certificate", "certificates");
    match (keys, certificates) {
        (0, 0) => "Nothing is revoked".to_owned(),
        (1, 0) | (0, 1) => {
            let said = if keys == 1 { keys_said } else { certificates_said };
            format!("{said} is not to be believed")
        }
        (_, 0) => format!("{keys_said} are not to be believed"),
        (0, _) => format!("{certificates_said} are not to be believed"),
        (_, _) => format!("{keys_said} and {} are not to be believed", certificates_said.to_lowercase()),
    }
}

/// What is wrong with a list.
fn fault(founded: &Founded, list: &ListView, at: Timestamp) -> Option<(String, Option<KeyId>)> {
    let said = match (list.state, list.next_update) {
        (ListState::Incomplete, _) => format!("The list of {} lacks {}", list.slot, lacking(founded, list)),
        (ListState::Overdue, Some(next)) => {
            format!("The next list of {} was due {}", list.slot, wording::ago(next, at))
        }
        (ListState::Lost, _) => {
            format!("A list of {} that readers have is lost, and none is handed out", list.slot)
        }
        _ => return None,
    };
    Some((said, Some(list.key)))
}

/// What stands on no list of this ledger.
fn unlisted(founded: &Founded, issuers: &BTreeSet<KeyId>, revoked: &[RevokedView]) -> Option<(String, bool)> {
    let certified: BTreeSet<KeyId> =
        founded.issuances().values().filter(|one| one.issued().is_some()).map(|one| one.key).collect();
    let bare = revoked.iter().filter(|one| one.what == What::Key && !certified.contains(&one.key)).count();
    let (mut own, mut outside, mut silent) = (0, 0, 0);
    for one in revoked {
        match Listed::of(founded, issuers, one) {
            Some(Listed::Own) => own += 1,
            Some(Listed::Outside) => outside += 1,
            Some(Listed::Silent(_) | Listed::OnCompromised(_)) => silent += 1,
            Some(Listed::On { .. } | Listed::Next(_)) | None => {}
        }
    }
    let parts = [
        (bare, "key without a certificate", "keys without a certificate"),
        (own, "root’s own certificate", "roots’ own certificates"),
        (outside, "certificate of a CA outside", "certificates of CAs outside"),
        (
            silent,
            "certificate of a CA whose key signs no lists",
            "certificates of CAs whose keys sign no lists",
        ),
    ];
    let all = bare + own + outside + silent;
    let said = parts.into_iter().filter(|(count, ..)| *count > 0);
    let said: Vec<String> =
        said.map(|(count, one, many)| format!("{count} {}", if count == 1 { one } else { many })).collect();
    let listed = wording::list(said.iter().map(String::as_str));
    (all > 0).then_some((listed, all == 1))
}

#[cfg(test)]
mod tests {
    use sealbook_ledger::action::RevocationReason;

    use super::*;

    fn revoked(what: What) -> RevokedView {
        let at = "2026-12-05T10:00:00.000000Z".parse().unwrap();
        serde_json::from_value(serde_json::json!({
            "what": what, "slot": "apt-repo", "key": "01934f00-0000-7000-8000-0000000000c1",
            "revocation_reason": RevocationReason::Superseded, "reason_code": 4,
            "revoked_at": Timestamp::to_string(&at), "action": "01934f00-0000-7000-8000-0000000000a1", "seq": 7,
        }))
        .unwrap()
    }

    #[test]
    fn the_heading_counts_in_words() {
        let said = |keys: usize, certificates: usize| {
            let keys = (0..keys).map(|_| revoked(What::Key));
            heading(&keys.chain((0..certificates).map(|_| revoked(What::Certificate))).collect::<Vec<_>>())
        };
        assert_eq!(said(0, 0), "Nothing is revoked");
        assert_eq!(said(1, 0), "One key is not to be believed");
        assert_eq!(said(0, 1), "One certificate is not to be believed");
        assert_eq!(said(0, 12), "12 certificates are not to be believed");
        assert_eq!(said(3, 1), "Three keys and one certificate are not to be believed");
    }
}
