//! Whether what a bundle discloses is what the events' digests stand for.

use sha2::{Digest as _, Sha256};

use crate::disclosure::Disclosure;
use crate::encoding::{B64, Hash};
use crate::verify::{Failure, Layer, Place};

/// One disclosure, as much of it as is needed to recognise it: 56 bytes, fewer than its line has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    seq: u64,
    /// The first half of SHA-256 of the name.
    name: [u8; 16],
    digest: Hash,
}

/// The disclosures of a bundle, which come before the events that they belong to.
#[derive(Debug, Default)]
pub(super) struct Disclosures {
    entries: Vec<Entry>,
    /// How many of them belong to events that passed by.
    used: usize,
    sorted: bool,
    /// Fields that events have, disclosed or not.
    fields: u64,
    failure: Option<Failure>,
}

impl Disclosures {
    pub(super) fn add(&mut self, disclosure: &Disclosure) {
        let mut name = [0; 16];
        name.copy_from_slice(&Sha256::digest(disclosure.name())[..16]);
        match disclosure.digest() {
            Ok(digest) => self.entries.push(Entry { seq: disclosure.seq().get(), name, digest }),
            // A line that was read has strings alone in it, which always have a canonical form.
            Err(_) => self.fail(disclosure.seq().get(), None, "disclosure.form", "it has no canonical form"),
        }
    }

    /// Matches the disclosures of one event with its `_sd`.
    pub(super) fn after_event(&mut self, seq: u64, type_name: &str, sd: &[B64]) {
        self.sort();
        self.fields += sd.len() as u64;
        let mut last: Option<Entry> = None;
        while let Some(&entry) = self.entries.get(self.used).filter(|entry| entry.seq <= seq) {
            self.used += 1;
            let known = entry.seq == seq && sd.iter().any(|digest| digest.as_bytes() == entry.digest.0);
            if !known {
                let reason = "a disclosure names a field that the event does not have";
                self.fail(entry.seq, Some(type_name), "disclosure.unreferenced", reason);
            } else if last.is_some_and(|last| last.name == entry.name) {
                let reason = "two disclosures are of the same field";
                self.fail(seq, Some(type_name), "disclosure.duplicate", reason);
            }
            last = Some(entry);
        }
    }

    fn sort(&mut self) {
        if !self.sorted {
            self.entries.sort_unstable();
            self.sorted = true;
        }
    }

    fn fail(&mut self, seq: u64, type_name: Option<&str>, rule: &'static str, reason: &str) {
        if self.failure.is_none() {
            let place = Place::Event { seq, type_name: type_name.map(str::to_owned) };
            self.failure = Some(Failure::new(Layer::Bytes, place, rule, reason));
        }
    }

    /// How many fields were disclosed, how many were not, and what is wrong, after the last event.
    pub(super) fn finish(mut self) -> (u64, u64, Option<Failure>) {
        self.sort();
        if let Some(&entry) = self.entries.get(self.used) {
            let reason = "a disclosure belongs to an event that is not there";
            self.fail(entry.seq, None, "disclosure.unreferenced", reason);
        }
        let shown = self.entries.len() as u64;
        (shown, self.fields.saturating_sub(shown), self.failure)
    }
}
