//! An export in memory, and the ways to make a tampered copy of it.

use std::fs::{self, File};
use std::io::{BufReader, BufWriter, Read as _, Write as _};
use std::path::Path;

use sealbook_ledger::bundle::{BundleWriter, Item, Reader};
use sealbook_ledger::chain::event_hash;
use sealbook_ledger::checkpoint::SignedCheckpoint;
use sealbook_ledger::disclosure::Disclosure;
use sealbook_ledger::encoding::Hash;

use crate::failure::Failure;

/// Everything that an export of the demonstration holds.
#[derive(Debug, Clone)]
pub(crate) struct Bundle {
    checkpoint: SignedCheckpoint,
    transitions: Vec<SignedCheckpoint>,
    disclosures: Vec<Disclosure>,
    attachments: Vec<(Hash, Vec<u8>)>,
    events: Vec<Vec<u8>>,
}

impl Bundle {
    /// Reads an export.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let unreadable = || format!("the export {} can't be read", path.display());
        let file = File::open(path).map_err(Failure::file("read", path))?;
        let mut reader = Reader::new(BufReader::new(file));
        let mut checkpoint = None;
        let (mut transitions, mut disclosures, mut events) = (Vec::new(), Vec::new(), Vec::new());
        let mut attachments = Vec::new();
        while let Some(item) = reader.next_item().map_err(Failure::bundle(unreadable()))? {
            match item {
                Item::Checkpoint(found) => checkpoint = Some(found),
                Item::Transition(found) => transitions.push(found),
                Item::Disclosure(found) => disclosures.push(found),
                Item::Event(bytes) => events.push(bytes.to_vec()),
                // Packs are too long for the reader to keep them.
                Item::Attachment { sha256, .. } => attachments.push((sha256, attachment(path, sha256)?)),
                Item::Receipt(_) => {
                    return Err(Failure::Unexpected("the export holds more than the story made".to_owned()));
                }
            }
        }
        let checkpoint =
            checkpoint.ok_or_else(|| Failure::Unexpected("an export without seal".to_owned()))?;
        Ok(Self { checkpoint, transitions, disclosures, attachments, events })
    }

    /// The seal over all events.
    pub(crate) fn checkpoint(&self) -> &SignedCheckpoint {
        &self.checkpoint
    }

    /// The events' bytes.
    pub(crate) fn events(&self) -> &[Vec<u8>] {
        &self.events
    }

    /// Writes it as the server would.
    pub(crate) fn write(&self, path: &Path) -> Result<(), Failure> {
        let unwritable = || Failure::bundle(format!("the copy {} can't be written", path.display()));
        let file = File::create(path).map_err(Failure::file("create", path))?;
        // vkeys.txt is for reading only: no verdict depends on it.
        let writer = BundleWriter::ledger(BufWriter::new(file), &[], &self.checkpoint);
        let mut writer = writer.map_err(unwritable())?;
        for transition in &self.transitions {
            writer.transition(transition).map_err(unwritable())?;
        }
        let mut size = 0;
        for disclosure in &self.disclosures {
            let line = disclosure.to_line().map_err(Failure::bundle("a disclosure can't be written"))?;
            size += line.len() as u64 + 1;
        }
        let mut writer = writer.disclosures(size).map_err(unwritable())?;
        for disclosure in &self.disclosures {
            writer.disclosure(disclosure).map_err(unwritable())?;
        }
        let size = self.events.iter().map(|event| event.len() as u64 + 1).sum();
        let mut writer = writer.attachments().map_err(unwritable())?;
        for (sha256, bytes) in &self.attachments {
            writer.attachment(*sha256, bytes.len() as u64, bytes.as_slice()).map_err(unwritable())?;
        }
        let mut writer = writer.events(size).map_err(unwritable())?;
        for event in &self.events {
            writer.event(event).map_err(unwritable())?;
        }
        writer.finish().map_err(unwritable())?.flush().map_err(Failure::file("write", path))
    }

    /// Copies the original with one bit of a digit flipped, in the member `name` of an event of this type in the
    /// ledger's middle. Digits in hex stay digits: everything still looks well-formed.
    pub(crate) fn write_with_flipped_bit(
        &self,
        original: &Path,
        copy: &Path,
        kind: &str,
        name: &str,
    ) -> Result<(), Failure> {
        let mut bytes = fs::read(original).map_err(Failure::file("read", original))?;
        let places = self.places_of(kind);
        let event = places.get(places.len() / 2).map(|&at| &self.events[at]).ok_or_else(|| missing(kind))?;
        let value = value_at(event, name).ok_or_else(|| missing(name))?;
        let digit = event[value..].iter().position(u8::is_ascii_digit).ok_or_else(|| missing("a digit"))?;
        let start = find(&bytes, event).ok_or_else(|| missing(kind))?;
        bytes[start + value + digit] ^= 1;
        fs::write(copy, bytes).map_err(Failure::file("write", copy))
    }

    /// A copy without the first event of this type, and without what it disclosed.
    pub(crate) fn without(&self, kind: &str) -> Result<Self, Failure> {
        let at = *self.places_of(kind).first().ok_or_else(|| missing(kind))?;
        let mut copy = self.clone();
        copy.events.remove(at);
        // What it disclosed would give the gap away before the chain does.
        copy.disclosures.retain(|disclosure| disclosure.seq().get() != at as u64);
        Ok(copy)
    }

    /// A copy in which the last event of this type records another digest, and every later event names the hash of
    /// the one before it, as an honest server would have written it.
    pub(crate) fn with_forged_digest(&self, kind: &str) -> Result<Self, Failure> {
        let at = *self.places_of(kind).last().ok_or_else(|| missing(kind))?;
        let mut copy = self.clone();
        let value = value_at(&copy.events[at], "digest").ok_or_else(|| missing("digest"))?;
        let forged = event_hash(b"the report that somebody would rather have").to_string();
        copy.events[at][value..value + forged.len()].copy_from_slice(forged.as_bytes());
        for next in at + 1..copy.events.len() {
            let link = event_hash(&copy.events[next - 1]).to_string();
            let value = value_at(&copy.events[next], "prev").ok_or_else(|| missing("prev"))?;
            copy.events[next][value..value + link.len()].copy_from_slice(link.as_bytes());
        }
        Ok(copy)
    }

    /// A copy that ends with the handover of the ledger key: the checkpoint that both keys signed is its last, and
    /// nothing speaks of what came later.
    pub(crate) fn cut_at_handover(&self) -> Result<Self, Failure> {
        let handover = self.transitions.first().ok_or_else(|| missing("handover"))?.clone();
        let size = handover.checkpoint().size;
        let mut copy = self.clone();
        copy.events.truncate(usize::try_from(size).unwrap_or(usize::MAX));
        copy.disclosures.retain(|disclosure| disclosure.seq().get() < size);
        // Each is named by an event, by its hash; those of later events would give the cut away.
        copy.attachments.retain(|(sha256, _)| {
            let name = sha256.to_string();
            copy.events.iter().any(|event| find(event, name.as_bytes()).is_some())
        });
        copy.checkpoint = handover;
        Ok(copy)
    }

    fn places_of(&self, kind: &str) -> Vec<usize> {
        let member = format!("\"type\":\"{kind}\"");
        let is_one = |event: &Vec<u8>| find(event, member.as_bytes()).is_some();
        (0..self.events.len()).filter(|&at| is_one(&self.events[at])).collect()
    }
}

/// An attachment's bytes, from an archive that was read to there.
fn attachment(path: &Path, sha256: Hash) -> Result<Vec<u8>, Failure> {
    let wanted = format!("attachments/{sha256}");
    let file = File::open(path).map_err(Failure::file("read", path))?;
    let mut archive = tar::Archive::new(BufReader::new(file));
    for entry in archive.entries().map_err(Failure::file("read", path))? {
        let mut entry = entry.map_err(Failure::file("read", path))?;
        if entry.path_bytes() == wanted.as_bytes() {
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).map_err(Failure::file("read", path))?;
            return Ok(bytes);
        }
    }
    Err(missing("attachment"))
}

fn missing(what: &str) -> Failure {
    Failure::Unexpected(format!("the export has no {what} to tamper with"))
}

/// Where the text of the member `name` begins in an event's canonical bytes.
fn value_at(event: &[u8], name: &str) -> Option<usize> {
    let member = format!("\"{name}\":\"");
    find(event, member.as_bytes()).map(|at| at + member.len())
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}
