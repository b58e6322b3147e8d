//! A bundle as another tar reader sees it: lenient, and without a word of the product's own reader.

use std::io::Read as _;

use crate::parts::{Member, Parts};

/// The members of an archive in their order.
pub struct Reading {
    pub members: Vec<Member>,
}

impl Reading {
    /// `None` where it is no tar that can be read to its end.
    pub fn of(archive: &[u8]) -> Option<Self> {
        let mut members = Vec::new();
        let mut archive = tar::Archive::new(archive);
        for entry in archive.entries().ok()?.raw(true) {
            let mut entry = entry.ok()?;
            let name = String::from_utf8(entry.path_bytes().into_owned()).ok()?;
            let size = entry.header().size().ok()?;
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).ok()?;
            if bytes.len() as u64 != size {
                return None;
            }
            members.push((name, bytes));
        }
        Some(Self { members })
    }

    pub fn names(&self) -> Vec<&str> {
        self.members.iter().map(|(name, _)| name.as_str()).collect()
    }

    /// The bytes of a member; none of one that is missing.
    pub fn member(&self, wanted: &str) -> &[u8] {
        self.members.iter().find(|(name, _)| name == wanted).map_or(&[], |(_, bytes)| bytes)
    }

    pub fn lines(&self, member: &str) -> Vec<Vec<u8>> {
        lines(self.member(member))
    }

    /// What lies in a folder: name behind the slash, and bytes.
    pub fn folder(&self, folder: &str) -> Vec<(String, Vec<u8>)> {
        let within = |(name, bytes): &Member| Some((name.strip_prefix(folder)?.to_owned(), bytes.clone()));
        self.members.iter().filter_map(within).collect()
    }

    pub fn parts(&self) -> Parts {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        Parts {
            checkpoint: text(self.member("checkpoint")),
            transitions: self.folder("transitions/").into_iter().map(|(n, note)| (n, text(&note))).collect(),
            disclosures: self.lines("disclosures.jsonl"),
            attachments: self.folder("attachments/"),
            events: self.lines("events.jsonl"),
        }
    }
}

/// Lines without their LF; what follows the last LF is one more, unless it is empty.
pub fn lines(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut lines: Vec<Vec<u8>> = bytes.split(|&byte| byte == b'\n').map(<[u8]>::to_vec).collect();
    if lines.last().is_some_and(Vec::is_empty) {
        lines.pop();
    }
    lines
}
