//! The papers that need no event: manifest, list, evidence and provenance, each held against the others.

use std::collections::{BTreeMap, BTreeSet};

use sealbook_ledger::checkpoint::SignedCheckpoint;
use sealbook_ledger::encoding::Hash;

use super::{Judge, Read};
use crate::release::evidence::Evidence;
use crate::release::operations::Claimed;
use crate::release::provenance::Pipeline;
use crate::release::{
    CHECKSUMS, Code, EVIDENCE, KEY, MAX_ARTIFACTS, Named, OPERATIONS_ENDING, Papers, Refusal, checksums,
    provenance, receipt_name, receipt_seq,
};

impl Judge<'_> {
    /// The one operations manifest.
    pub(super) fn operations(&self) -> Result<Read, Refusal> {
        let mut found = self.contents.files().keys().filter(|name| is_manifest(name));
        let missing = |why: &str| Code::OperationsMissing.saying(why);
        let name = found.next().ok_or_else(|| missing("there is no *.signing-operations.json"))?;
        if found.next().is_some() {
            return Err(missing("there is more than one *.signing-operations.json"));
        }
        let bytes = self.needed(name, Code::OperationsMissing)?;
        let claimed = Claimed::read(bytes)?;
        let papers = Papers::new(&claimed.header.name, &claimed.header.version);
        if papers.operations() != *name {
            let why = format!("{name} is the manifest of {} {}", claimed.header.name, claimed.header.version);
            return Err(Code::Operations.saying(why));
        }
        Ok(Read { papers, claimed, operations: Named::of(name, bytes) })
    }

    /// The artifacts, where every file that is listed is there, and nothing is there that is not listed.
    pub(super) fn listed(&self, read: &Read) -> Result<BTreeMap<String, Hash>, Refusal> {
        let listed = checksums::read(self.needed(CHECKSUMS, Code::Checksums)?)?;
        for (name, sha256) in &listed {
            let file = self.contents.files().get(name);
            let file =
                file.ok_or_else(|| Code::FileMissing.saying(format!("{name} is listed and missing")))?;
            if file.sha256 != *sha256 {
                let why = format!("{name} has SHA-256 {}, and the list says {sha256}", file.sha256);
                return Err(Code::Checksum.saying(why));
            }
        }
        let receipts = read.claimed.seqs().into_iter().map(receipt_name);
        let bound: BTreeSet<String> =
            [read.operations.name.clone(), KEY.to_owned()].into_iter().chain(receipts).collect();
        if let Some(name) = bound.iter().find(|name| !listed.contains_key(*name)) {
            let code = if receipt_seq(name).is_some() { Code::ReceiptMissing } else { Code::Checksums };
            return Err(code.saying(format!("the list does not name {name}")));
        }
        let later = |name: &String| read.papers.has(name) && !bound.contains(name);
        if let Some(name) = listed.keys().find(|name| later(name)) {
            return Err(Code::Checksums.saying(format!("the list names {name}, which is made after it")));
        }
        self.nothing_else(read, &listed)?;
        let artifacts: BTreeMap<String, Hash> =
            listed.into_iter().filter(|(name, _)| !bound.contains(name)).collect();
        if artifacts.is_empty() {
            return Err(Code::Checksums.saying("the list names no artifact"));
        }
        if artifacts.len() > MAX_ARTIFACTS {
            return Err(Code::TooLarge.saying(format!("a release has at most {MAX_ARTIFACTS} artifacts")));
        }
        Ok(artifacts)
    }

    /// Receipts that nothing cites are looked for once the signatures are read.
    fn nothing_else(&self, read: &Read, listed: &BTreeMap<String, Hash>) -> Result<(), Refusal> {
        let known = |name: &String| listed.contains_key(name) || read.papers.has(name);
        match self.contents.files().keys().find(|name| !known(name)) {
            Some(name) => Err(Code::Unlisted.saying(format!("{name} is not listed"))),
            None => Ok(()),
        }
    }

    /// The release evidence, and its SHA-256.
    pub(super) fn evidence(&self, read: &Read, artifacts: usize) -> Result<(Evidence, Hash), Refusal> {
        let bytes = self.needed(EVIDENCE, Code::Evidence)?;
        let evidence = Evidence::read(bytes)?;
        let listed = Named::of(CHECKSUMS, self.needed(CHECKSUMS, Code::Checksums)?);
        evidence.check(
            &read.claimed.header,
            read.claimed.algorithm,
            (&read.operations, &listed),
            artifacts,
        )?;
        if !evidence.is_pinned(&self.pins.vkeys) {
            return Err(Code::Ledger.saying(format!("{} is no ledger key that was pinned", evidence.vkey)));
        }
        let refuse =
            |why: String| Code::Evidence.saying(format!("the checkpoint of the release evidence: {why}"));
        let checkpoint = SignedCheckpoint::parse(evidence.checkpoint.as_bytes())
            .map_err(|error| refuse(error.to_string()))?;
        checkpoint.verify(&evidence.vkey).map_err(|error| refuse(error.to_string()))?;
        if checkpoint.checkpoint().origin != evidence.origin {
            return Err(refuse(format!("it is of ledger {}", checkpoint.checkpoint().origin)));
        }
        Ok((evidence, Hash::sha256(bytes)))
    }

    /// What the pipeline says of itself in the provenance, which is about these artifacts.
    pub(super) fn provenance(
        &self,
        read: &Read,
        artifacts: &BTreeMap<String, Hash>,
        (evidence, sha256): (&Evidence, Hash),
    ) -> Result<Pipeline, Refusal> {
        let bytes = self.needed(&read.papers.statement(), Code::Provenance)?;
        provenance::check(bytes, artifacts, evidence, sha256)
    }
}

fn is_manifest(name: &str) -> bool {
    !name.contains('/') && name.ends_with(OPERATIONS_ENDING)
}
