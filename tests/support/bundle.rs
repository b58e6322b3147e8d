//! A bundle taken apart, so that a test can do to it what a forger would, and put it together again.

use std::io::Read as _;
use std::path::Path;

use sealbook_ledger::event::Event;
use serde_json::Value;

/// A bundle's members in their order.
#[derive(Debug, Clone)]
pub struct Bundle {
    members: Vec<(String, Vec<u8>)>,
}

impl Bundle {
    /// Reads a tar.
    pub fn read(bytes: &[u8]) -> Self {
        let mut archive = tar::Archive::new(bytes);
        let mut members = Vec::new();
        for entry in archive.entries().expect("a tar") {
            let mut entry = entry.expect("a tar's entry");
            let name = entry.path().expect("a name").display().to_string();
            let mut content = Vec::new();
            entry.read_to_end(&mut content).expect("an entry's content");
            members.push((name, content));
        }
        Self { members }
    }

    /// Reads a file.
    pub fn open(path: &Path) -> Self {
        Self::read(&std::fs::read(path).expect("the bundle's file"))
    }

    /// The tar again.
    pub fn to_tar(&self) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (name, content) in &self.members {
            let mut header = tar::Header::new_ustar();
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            builder.append_data(&mut header, name, content.as_slice()).expect("a tar's entry");
        }
        builder.into_inner().expect("a tar")
    }

    /// The members, to be moved about.
    pub fn members(&mut self) -> &mut Vec<(String, Vec<u8>)> {
        &mut self.members
    }

    /// One member's bytes.
    pub fn member(&self, name: &str) -> &[u8] {
        let found = self.members.iter().find(|(member, _)| member == name);
        &found.unwrap_or_else(|| panic!("the bundle has no {name}")).1
    }

    /// One member's bytes, to be altered.
    pub fn member_mut(&mut self, name: &str) -> &mut Vec<u8> {
        let found = self.members.iter_mut().find(|(member, _)| member == name);
        &mut found.unwrap_or_else(|| panic!("the bundle has no {name}")).1
    }

    /// The names of members that begin so.
    pub fn names(&self, beginning: &str) -> Vec<String> {
        self.members.iter().map(|(name, _)| name.clone()).filter(|name| name.starts_with(beginning)).collect()
    }

    /// The lines of a member.
    pub fn lines(&self, name: &str) -> Vec<Vec<u8>> {
        self.member(name)
            .split_inclusive(|&byte| byte == b'\n')
            .map(|line| line[..line.len() - 1].to_vec())
            .collect()
    }

    /// Replaces the lines of a member.
    pub fn set_lines(&mut self, name: &str, lines: &[Vec<u8>]) {
        *self.member_mut(name) = lines.iter().flat_map(|line| line.iter().copied().chain([b'\n'])).collect();
    }

    /// The events' exact bytes.
    pub fn events(&self) -> Vec<Vec<u8>> {
        self.lines("events.jsonl")
    }

    /// Replaces the events.
    pub fn set_events(&mut self, events: &[Vec<u8>]) {
        self.set_lines("events.jsonl", events);
    }

    /// The events, parsed.
    pub fn parsed(&self) -> Vec<Value> {
        self.events().iter().map(|bytes| serde_json::from_slice(bytes).expect("an event is JSON")).collect()
    }

    /// The seqs of the events of a type.
    pub fn of_type(&self, kind: &str) -> Vec<usize> {
        let events = self.parsed();
        events.iter().enumerate().filter(|(_, event)| event["type"] == kind).map(|(at, _)| at).collect()
    }

    /// What a forger does after a change: gives each event from `from` on its seq and the hash of the one before it.
    pub fn relink(&mut self, from: usize) {
        let mut events = self.events();
        for at in from.max(1)..events.len() {
            let prev = Event::hash(&events[at - 1]).to_string();
            let mut event: Value = serde_json::from_slice(&events[at]).expect("an event is JSON");
            event["prev"] = prev.into();
            event["seq"] = at.into();
            // The events hold no number or key that JCS would write another way than sorted and compact.
            events[at] = serde_json::to_vec(&event).expect("JSON");
        }
        self.set_events(&events);
    }
}
