//! Names of a pack's files (packs §2): such as every file system keeps apart and every person can type.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use super::{ENVELOPE, MANIFEST, PackError};
use crate::ids::{InvalidId, serde_as_text};

/// The most parts that slashes separate; with it, telling names apart takes memory in proportion to their length.
const MAX_PARTS: usize = 8;

/// The name of a file in a pack: 1 to 8 parts joined by `/`, at most 200 bytes in all. A part begins with a letter or a
/// digit; after it come letters, digits, `-`, `_` and single dots, none of them at its end. `manifest.json` and
/// `statement.dsse.json` are the pack's own, in any case, and so is what would lie below them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileName(String);

impl FileName {
    /// Longest name in bytes, all its parts and slashes included.
    pub const MAX_LEN: usize = 200;

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for FileName {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let first = text.split('/').next().unwrap_or(text);
        if [MANIFEST, ENVELOPE].iter().any(|own| own.eq_ignore_ascii_case(first)) {
            return Err(InvalidId {
                what: "file name",
                why: "manifest.json and statement.dsse.json are the pack's own",
            });
        }
        if is_well_formed(text) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidId {
                what: "file name",
                why: "at most 8 parts joined by `/`, 200 bytes in all, each of letters, digits, `-`, `_` and single inner \
                      dots, beginning with a letter or a digit",
            })
        }
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

serde_as_text!(FileName);

/// Whether a text has the form of a member's name; the pack's own two have it as well.
pub(super) fn is_well_formed(text: &str) -> bool {
    text.len() <= FileName::MAX_LEN
        && text.split('/').count() <= MAX_PARTS
        && text.split('/').all(is_part)
        && !text.contains("..")
}

fn is_part(part: &str) -> bool {
    part.starts_with(|c: char| c.is_ascii_alphanumeric())
        && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        && !part.ends_with('.')
}

/// Refuses names that some file system can't keep apart: equal ones, those that differ in case alone (folders count as
/// well), and a file where another needs a folder. The names are well-formed.
pub(super) fn check_distinct(names: &[&str]) -> Result<(), PackError> {
    let folded: Vec<String> = names.iter().map(|name| name.to_ascii_lowercase()).collect();
    // What every name and every folder on its way is called when case does not count: its spelling, whether a file.
    let mut seen: BTreeMap<&str, (&str, bool)> = BTreeMap::new();
    for (name, folded) in names.iter().zip(&folded) {
        let folders = name.match_indices('/').map(|(end, _)| (end, false));
        for (end, is_file) in folders.chain([(name.len(), true)]) {
            let here = (&name[..end], is_file);
            match seen.insert(&folded[..end], here) {
                None => {}
                Some(there) if there != here => {
                    return Err(PackError::NameClash { name: (*name).to_owned(), other: there.0.to_owned() });
                }
                Some(_) if is_file => return Err(PackError::Duplicate { name: (*name).to_owned() }),
                Some(_) => {}
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_safe_on_every_file_system() {
        let deepest = ["a"; 8].join("/");
        for good in ["REP.pdf", "ledger/receipts/7.tlog-proof", "a", "1", "a-b_c.d", &deepest] {
            assert_eq!(good.parse::<FileName>().unwrap().as_str(), good);
        }
        let (long, deep) = ("a".repeat(201), ["a"; 9].join("/"));
        for bad in [
            "",
            "/",
            "a/",
            "/a",
            "a//b",
            ".",
            "..",
            "../a",
            "a/../b",
            "a..b",
            "a.",
            "a./b",
            ".a",
            "-a",
            "_a",
            "a b",
            "a\\b",
            "c:a",
            "a\0",
            "caf\u{e9}",
            "a\n",
            "\u{202e}a",
            &long,
            &deep,
            "manifest.json",
            "Manifest.JSON",
            "statement.dsse.json",
            "manifest.json/a",
        ] {
            assert!(bad.parse::<FileName>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn names_are_told_apart_without_case() {
        let code = |names: &[&str]| check_distinct(names).err().map(|refused| refused.code());
        for good in [&["a", "b"][..], &["a/b", "a/c", "ab"], &["x/a", "y/A"], &["a.b", "a-b", "a_b"]] {
            assert_eq!(code(good), None, "{good:?}");
        }
        assert_eq!(code(&["a", "b", "a"]), Some("pack.duplicate"));
        for bad in
            [&["a", "A"][..], &["a/b", "A/c"], &["a", "a/b"], &["a/b", "a"], &["A", "a/b"], &["x/y/z", "x/Y"]]
        {
            assert_eq!(code(bad), Some("pack.name_clash"), "{bad:?}");
        }
    }
}
