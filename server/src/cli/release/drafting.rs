//! The papers before they are signed: fetched facts, written files, and what of an earlier run still stands.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use sealbook_ledger::encoding::Hash;
use sealbook_ledger::note::Vkey;
use sealbook_ledger::timestamp::Timestamp;

use super::refused;
use crate::cli::failure::Failure;
use crate::cli::sign::write_whole;
use crate::release::contents::Contents;
use crate::release::evidence::Evidence;
use crate::release::facts::Facts;
use crate::release::operations::{self, Claimed, Header};
use crate::release::proof::{Proofs, Proved};
use crate::release::provenance::{self, Pipeline};
use crate::release::verify::{self, Pins};
use crate::release::{
    CHECKSUMS, EVIDENCE, KEY, Named, OPERATIONS_ENDING, Papers, RECEIPTS, REVOCATIONS, REVOCATIONS_PROOF,
    checksums, receipt_name,
};
use crate::views::custody::CustodyView;

/// What the server says of a slot, read and held against its receipts.
pub(super) struct Custody {
    pub(super) facts: Facts,
    pub(super) vkey: Vkey,
    at: Timestamp,
    checkpoint: String,
    receipts: BTreeMap<String, String>,
}

impl Custody {
    /// Believes nothing that the receipts do not say.
    pub(super) fn read(view: CustodyView) -> Result<Self, Failure> {
        let distrust = |what: String| Failure::Distrust { what };
        let pinned = std::slice::from_ref(&view.vkey);
        let read =
            |receipt: &String| Proved::read("a receipt of the slot's custody", receipt.as_bytes(), pinned);
        let proved: Vec<Proved> = view
            .receipts
            .iter()
            .map(read)
            .collect::<Result<_, _>>()
            .map_err(|error| distrust(error.sentence))?;
        if proved.iter().any(|one| one.checkpoint != view.checkpoint) {
            return Err(distrust(
                "the receipts of the slot's custody lead to several checkpoints".to_owned(),
            ));
        }
        let proofs = Proofs::new(&proved).map_err(|error| distrust(error.sentence))?;
        let facts = Facts::of(proofs, &view.slot, view.key).map_err(|error| distrust(error.sentence))?;
        if facts.origin != view.origin {
            return Err(distrust("the events of the slot's custody are of another ledger".to_owned()));
        }
        let names = proved.iter().map(|one| receipt_name(one.event.seq));
        let receipts = names.zip(view.receipts).collect();
        Ok(Self { facts, vkey: view.vkey, at: view.at, checkpoint: view.checkpoint, receipts })
    }

    /// The receipts that a manifest cites; what nothing cites has no place in a release.
    fn cited(&self, operations: &[u8]) -> Result<Vec<(String, String)>, Failure> {
        let seqs = Claimed::read(operations).map_err(refused)?.seqs();
        let receipt = |seq| {
            let name = receipt_name(seq);
            let missing = || Failure::Distrust { what: format!("{name} did not come from the server") };
            let receipt = self.receipts.get(&name).ok_or_else(missing)?.clone();
            Ok((name, receipt))
        };
        seqs.into_iter().map(receipt).collect()
    }
}

/// A release that is being written.
pub(super) struct Draft<'a> {
    pub(super) folder: &'a Path,
    pub(super) papers: Papers,
    pub(super) contents: Contents,
    pub(super) custody: Custody,
    pub(super) header: Header,
    pub(super) pipeline: Pipeline,
}

impl Draft<'_> {
    /// What the folder holds beside its papers.
    pub(super) fn artifacts(papers: &Papers, contents: &Contents) -> Result<BTreeMap<String, Hash>, Failure> {
        let hint = "Take it out of the folder, or name the folder that holds the release.";
        let foreign = |name: &&String| {
            !name.contains('/') && name.ends_with(OPERATIONS_ENDING) && **name != papers.operations()
        };
        if let Some(name) = contents.files().keys().find(foreign) {
            return Err(Failure::usage(format!("{name} is of another release"), hint));
        }
        if let Some(name) = contents.files().keys().find(|name| papers.has_left(name)) {
            return Err(Failure::usage(format!("{name} is left of a run that was broken off"), "Remove it."));
        }
        let own = contents.files().iter().filter(|(name, _)| !papers.has(name));
        let own: BTreeMap<String, Hash> = own.map(|(name, entry)| (name.clone(), entry.sha256)).collect();
        if own.is_empty() {
            return Err(Failure::usage("the folder holds no artifact", hint));
        }
        if own.len() > crate::release::MAX_ARTIFACTS {
            return Err(Failure::usage("the folder holds more than 10,000 artifacts", hint));
        }
        Ok(own)
    }

    /// Writes the papers, unless those of an earlier run say the very same: another digest would be another question to
    /// whoever approves.
    pub(super) fn write(&mut self) -> Result<(), Failure> {
        if let Some(at) = self.standing() {
            self.header.at = at;
            return Ok(());
        }
        self.header.at = self.custody.at;
        // What can't be written leaves what is there alone.
        let operations = operations::write(&self.header, &self.custody.facts).map_err(refused)?;
        let receipts = self.custody.cited(&operations)?;
        self.clear()?;
        self.write_anew(operations, receipts)
    }

    /// The moment of an earlier run's papers, where they stand.
    fn standing(&self) -> Option<Timestamp> {
        let pins = Pins { vkeys: vec![self.custody.vkey.clone()], revocations: None };
        let drafted = verify::drafted(&self.contents, &pins).ok()?;
        let header = Header { at: drafted.header.at, ..self.header.clone() };
        let same = header == drafted.header
            && self.pipeline == drafted.pipeline
            && self.custody.facts == drafted.facts;
        same.then_some(header.at)
    }

    /// Takes out what an earlier run wrote; revocation evidence is nothing that this command makes.
    fn clear(&mut self) -> Result<(), Failure> {
        let kept = |name: &str| [REVOCATIONS, REVOCATIONS_PROOF].contains(&name);
        let own = self.contents.files().keys().filter(|name| self.papers.has(name) && !kept(name));
        for name in own.cloned().collect::<Vec<_>>() {
            let path = self.folder.join(&name);
            fs::remove_file(&path).map_err(Failure::file("remove", &path))?;
            self.contents.remove(&name);
        }
        Ok(())
    }

    fn write_anew(&mut self, operations: Vec<u8>, receipts: Vec<(String, String)>) -> Result<(), Failure> {
        let artifacts = Self::artifacts(&self.papers, &self.contents)?;
        let facts = self.custody.facts.clone();
        let folder = self.folder.join(RECEIPTS);
        fs::create_dir_all(&folder).map_err(Failure::file("create", &folder))?;
        let operations_manifest = Named::of(self.papers.operations(), &operations);
        self.put(&operations_manifest.name, operations)?;
        for (name, receipt) in receipts {
            self.put(&name, receipt.into_bytes())?;
        }
        self.put(KEY, facts.key.public.to_pem().into_bytes())?;
        let listed = self
            .contents
            .files()
            .iter()
            .filter(|(name, _)| ![REVOCATIONS, REVOCATIONS_PROOF].contains(&name.as_str()));
        let listed: BTreeMap<String, Hash> =
            listed.map(|(name, entry)| (name.clone(), entry.sha256)).collect();
        let list = checksums::write(&listed);
        let checksums = Named::of(CHECKSUMS, &list);
        self.put(CHECKSUMS, list)?;
        let sealed = (&self.custody.vkey, self.custody.checkpoint.as_str());
        let papers = (operations_manifest, checksums);
        let evidence = Evidence::new(&self.header, &facts, papers, artifacts.len(), sealed);
        let bytes = evidence.write().map_err(refused)?;
        let sha256 = Hash::sha256(&bytes);
        self.put(EVIDENCE, bytes)?;
        let statement = provenance::write(&artifacts, &evidence, sha256, &self.pipeline).map_err(refused)?;
        self.put(&self.papers.statement(), statement)
    }

    /// Writes a paper, and notes it.
    pub(super) fn put(&mut self, name: &str, bytes: Vec<u8>) -> Result<(), Failure> {
        write_whole(&self.folder.join(name), &bytes)?;
        self.contents.put(name, bytes);
        Ok(())
    }
}
