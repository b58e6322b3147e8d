//! Bundles taken apart, altered, and put together by another tool than ours.

use std::io::Write as _;

use ed25519_dalek::SigningKey;
use sealbook_ledger::bundle::BundleWriter;
use sealbook_ledger::canonical;
use sealbook_ledger::chain::event_hash;
use sealbook_ledger::encoding::Hash;
use sealbook_ledger::merkle::{Tree, leaf_hash};

use crate::ledger::{Ledger, ORIGIN, seal};

/// A member's name and bytes.
pub type Member = (String, Vec<u8>);

impl Ledger {
    pub fn parts(&self) -> Parts {
        Parts {
            checkpoint: self.checkpoint().to_string(),
            transitions: self
                .transitions
                .iter()
                .map(|t| (t.checkpoint().size.to_string(), t.to_string()))
                .collect(),
            disclosures: self.disclosures.iter().map(|d| d.to_line().unwrap()).collect(),
            attachments: self.messages.iter().map(|m| (Hash::sha256(m).to_string(), m.clone())).collect(),
            events: self.events.clone(),
        }
    }

    /// The bundle that the project's own writer makes.
    pub fn bundle(&self) -> Vec<u8> {
        let mut writer = BundleWriter::ledger(Vec::new(), &[self.vkey()], &self.checkpoint()).unwrap();
        for transition in &self.transitions {
            writer.transition(transition).unwrap();
        }
        let total = self.disclosures.iter().map(|d| d.to_line().unwrap().len() as u64 + 1).sum();
        let mut writer = writer.disclosures(total).unwrap();
        for disclosure in &self.disclosures {
            writer.disclosure(disclosure).unwrap();
        }
        let mut writer = writer.attachments().unwrap();
        let mut messages: Vec<&Vec<u8>> = self.messages.iter().collect();
        messages.sort_by_key(|message| Hash::sha256(message));
        messages.dedup();
        for message in messages {
            let size = message.len() as u64;
            writer.attachment(Hash::sha256(message), size, message.as_slice()).unwrap();
        }
        let total = self.events.iter().map(|event| event.len() as u64 + 1).sum();
        let mut writer = writer.events(total).unwrap();
        for event in &self.events {
            writer.event(event).unwrap();
        }
        writer.finish().unwrap()
    }
}

/// A bundle taken apart, to be altered and put together by another tool than ours.
#[derive(Clone)]
pub struct Parts {
    pub checkpoint: String,
    pub transitions: Vec<(String, String)>,
    pub disclosures: Vec<Vec<u8>>,
    pub attachments: Vec<(String, Vec<u8>)>,
    pub events: Vec<Vec<u8>>,
}

impl Parts {
    pub fn members(&self) -> Vec<Member> {
        let lines = |lines: &[Vec<u8>]| lines.iter().flat_map(|line| [line, &b"\n"[..]].concat()).collect();
        let mut members = vec![
            ("manifest.json".to_owned(), b"{}".to_vec()),
            ("vkeys.txt".to_owned(), Vec::new()),
            ("checkpoint".to_owned(), self.checkpoint.clone().into_bytes()),
        ];
        for (size, note) in &self.transitions {
            members.push((format!("transitions/{size}"), note.clone().into_bytes()));
        }
        members.push(("disclosures.jsonl".to_owned(), lines(&self.disclosures)));
        let mut attachments = self.attachments.clone();
        attachments.sort();
        members.extend(attachments.into_iter().map(|(name, bytes)| (format!("attachments/{name}"), bytes)));
        members.push(("events.jsonl".to_owned(), lines(&self.events)));
        members
    }

    /// How long `events.jsonl` is.
    pub fn events_len(&self) -> usize {
        self.events.iter().map(|event| event.len() + 1).sum()
    }

    pub fn tar(&self) -> Vec<u8> {
        tar_of(&self.members())
    }

    /// Every `prev` from `from` on as the events before now demand; seqs too where `renumber`.
    pub fn rechain(&mut self, from: usize, renumber: bool) {
        for at in from..self.events.len() {
            let mut event: serde_json::Value = serde_json::from_slice(&self.events[at]).unwrap();
            let prev = if at == 0 { Hash::ZERO } else { event_hash(&self.events[at - 1]) };
            event["prev"] = serde_json::to_value(prev).unwrap();
            if renumber {
                event["seq"] = at.into();
            }
            self.events[at] = canonical::value_to_vec(&event).unwrap();
        }
    }

    /// Sealed anew by whoever holds these keys.
    pub fn reseal(&mut self, keys: &[&SigningKey]) {
        let mut tree = Tree::new();
        self.events.iter().for_each(|event| tree.append(leaf_hash(event)));
        let size = self.events.len() as u64;
        self.checkpoint = seal(&ORIGIN.parse().unwrap(), size, tree.root_at(size).unwrap(), keys).to_string();
    }
}

pub fn tar_of(members: &[Member]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, bytes) in members {
        let mut header = tar::Header::new_ustar();
        header.set_path(name).unwrap();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o600);
        header.set_mtime(1_795_305_600);
        header.set_cksum();
        append_raw(&mut out, &header, bytes);
    }
    out.write_all(&[0; 1024]).unwrap();
    out
}

pub fn append_raw(out: &mut Vec<u8>, header: &tar::Header, bytes: &[u8]) {
    out.extend_from_slice(header.as_bytes());
    out.extend_from_slice(bytes);
    out.resize(out.len().next_multiple_of(512), 0);
}
