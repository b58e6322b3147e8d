//! Which numbers of revocation lists are used up: kept outside the database that might forget it.
//!
//! A list's number is the seq of its `crl.authorized`, and whoever follows a CA's lists may count on each later one having a
//! higher number (RFC 5280 §5.2.3). Where a database was put back to an earlier state and the loss accepted, seqs come again:
//! numbers do not, for they are noted here before a list is handed out.
//!
//! One small text file a ledger, beside its high-water file:
//!
//! ```text
//! sealbook list-numbers v1
//! origin sealbook.example.com/acme
//! list 01934f00-0000-7000-8000-0000000000c1 57
//! ```
//!
//! It has no check: whoever has lost this file as well writes it by hand, from the lists that readers still hold.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use sealbook_ledger::ids::{KeyId, Origin, Seq};

use crate::high_water;

const TITLE: &str = "sealbook list-numbers v1";

/// Why a file was not read, or a number not noted.
#[derive(Debug, thiserror::Error)]
pub enum ListNumbersError {
    /// The file can't be read or written.
    #[error("the list numbers in {} can't be {doing}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What was tried.
        doing: &'static str,
        /// The system's error.
        #[source]
        source: io::Error,
    },
    /// It says something else than which lists were handed out.
    #[error("the list numbers in {} are damaged; put the file back", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
    },
}

/// The newest number of each CA's key.
type Numbers = BTreeMap<KeyId, Seq>;

/// The numbers of one ledger's lists, as its file has them. One process writes it.
#[derive(Debug)]
pub struct ListNumbers {
    path: PathBuf,
    origin: Origin,
    /// What is durable. Held across compare and write, so that two numbers never overwrite each other.
    noted: Mutex<Numbers>,
}

impl ListNumbers {
    /// Reads the file that lies beside a ledger's high-water file; none where nothing was handed out yet. Blocks on the disk.
    pub fn beside(high_water: &Path, origin: Origin) -> Result<Self, ListNumbersError> {
        let path = high_water.with_extension("lists");
        let noted = match fs::read_to_string(&path) {
            Ok(text) => match parse(&text, &origin) {
                Some(noted) => noted,
                None => return Err(ListNumbersError::Damaged { path }),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => Numbers::new(),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                return Err(ListNumbersError::Damaged { path });
            }
            Err(source) => return Err(ListNumbersError::Io { path, doing: "read", source }),
        };
        Ok(Self { path, origin, noted: Mutex::new(noted) })
    }

    /// The highest number of a key's lists that was handed out.
    pub fn newest(&self, key: KeyId) -> Option<Seq> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner).get(&key).copied()
    }

    /// The same where it is higher than the number of the list that the ledger has: that one is lost, and this one not to be
    /// handed out.
    pub fn lost(&self, key: KeyId, has: Option<Seq>) -> Option<Seq> {
        self.newest(key).filter(|newest| Some(*newest) > has)
    }

    /// Notes that a list is handed out. Durable when this returns.
    pub async fn note(self: &Arc<Self>, key: KeyId, number: Seq) -> Result<(), ListNumbersError> {
        if self.newest(key) >= Some(number) {
            return Ok(());
        }
        let numbers = Arc::clone(self);
        let written = tokio::task::spawn_blocking(move || numbers.raise(key, number)).await;
        let written = written.map_err(io::Error::other).flatten();
        let path = || self.path.clone();
        written.map_err(|source| ListNumbersError::Io { path: path(), doing: "written", source })
    }

    fn raise(&self, key: KeyId, number: Seq) -> io::Result<()> {
        // What is in memory was written before, so a panic elsewhere leaves nothing to distrust.
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        let mut numbers = noted.clone();
        if numbers.insert(key, number) < Some(number) {
            high_water::replace(&self.path, &render(&numbers, &self.origin))?;
            *noted = numbers;
        }
        Ok(())
    }
}

fn render(numbers: &Numbers, origin: &Origin) -> String {
    let mut text = format!("{TITLE}\norigin {origin}\n");
    for (key, number) in numbers {
        text.push_str(&format!("list {key} {number}\n"));
    }
    text
}

/// Reads what [`render`] writes, in any order of keys, each once.
fn parse(text: &str, origin: &Origin) -> Option<Numbers> {
    let lines = text.strip_prefix(&render(&Numbers::new(), origin))?;
    let mut numbers = Numbers::new();
    for line in lines.lines() {
        let (key, number) = line.strip_prefix("list ")?.split_once(' ')?;
        let number = number.parse().ok().and_then(Seq::new)?;
        if numbers.insert(key.parse().ok()?, number).is_some() {
            return None;
        }
    }
    Some(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: u8) -> KeyId {
        format!("01934f00-0000-7000-8000-0000000000{n:02x}").parse().unwrap()
    }

    fn seq(n: u64) -> Seq {
        Seq::new(n).unwrap()
    }

    fn opened(folder: &Path) -> Result<Arc<ListNumbers>, ListNumbersError> {
        let origin = "sealbook.example.com/acme".parse().unwrap();
        ListNumbers::beside(&folder.join("acme.high-water"), origin).map(Arc::new)
    }

    #[tokio::test]
    async fn numbers_never_fall_and_another_process_reads_them() {
        let folder = tempfile::tempdir().unwrap();
        let numbers = opened(folder.path()).unwrap();
        assert_eq!(numbers.newest(key(1)), None);
        for (of, number) in [(1, 7), (2, 3), (1, 5), (1, 9)] {
            numbers.note(key(of), seq(number)).await.unwrap();
        }
        let again = opened(folder.path()).unwrap();
        assert_eq!((again.newest(key(1)), again.newest(key(2))), (Some(seq(9)), Some(seq(3))));
        assert_eq!(again.lost(key(1), Some(seq(9))), None);
        assert_eq!(again.lost(key(1), Some(seq(8))), Some(seq(9)));
        assert_eq!((again.lost(key(2), None), again.lost(key(3), None)), (Some(seq(3)), None));
    }

    #[test]
    fn what_says_anything_else_is_not_believed() {
        let folder = tempfile::tempdir().unwrap();
        let head = "sealbook list-numbers v1\norigin sealbook.example.com/acme\n";
        let (one, other) = (format!("list {} 7\n", key(1)), format!("list {} 9\n", key(2)));
        fs::write(folder.path().join("acme.lists"), format!("{head}{other}{one}")).unwrap();
        assert_eq!(opened(folder.path()).unwrap().newest(key(1)), Some(seq(7)));
        let stranger = head.replace("acme", "other");
        for bad in [
            String::new(),
            head[..head.len() - 4].to_owned(),
            format!("{stranger}{one}"),
            format!("{head}{one}{one}"),
            format!("{head}list {} -1\n", key(1)),
            format!("{head}{one}more\n"),
        ] {
            fs::write(folder.path().join("acme.lists"), &bad).unwrap();
            assert!(matches!(opened(folder.path()), Err(ListNumbersError::Damaged { .. })), "{bad}");
        }
    }

    #[tokio::test]
    async fn what_could_not_be_written_is_not_taken_for_noted() {
        let folder = tempfile::tempdir().unwrap();
        let numbers = opened(folder.path()).unwrap();
        fs::create_dir(folder.path().join("acme.lists.new")).unwrap();
        assert!(matches!(numbers.note(key(1), seq(7)).await, Err(ListNumbersError::Io { .. })));
        assert_eq!(numbers.newest(key(1)), None);
    }
}
