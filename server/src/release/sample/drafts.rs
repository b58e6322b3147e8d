//! The papers of the house's releases, and of what it lost.

use std::collections::{BTreeMap, BTreeSet};

use sealbook_ledger::encoding::Hash;
use sealbook_ledger::event::Actor;
use sealbook_ledger::ids::{KeyId, Seq};
use sealbook_ledger::payload::{EvidenceRecorded, Subject};
use sealbook_ledger::policy::Environment;

use super::{House, SLOT, approver, key_id};
use crate::release::contents::Contents;
use crate::release::evidence::Evidence;
use crate::release::facts::Facts;
use crate::release::operations::{self, Claimed, Header};
use crate::release::provenance::{self, Pipeline};
use crate::release::revocation::{self, ReleaseName, Told};
use crate::release::signature::{self, Form};
use crate::release::{
    CHECKSUMS, EVIDENCE, KEY, Named, Papers, REVOCATIONS, REVOCATIONS_PROOF, SIGNATURE_ENDING, checksums,
    receipt_name,
};

/// The papers of a release before they are put together: what a test changes.
pub(crate) struct Draft {
    pub(crate) header: Header,
    pub(crate) facts: Facts,
    pub(crate) receipts: BTreeMap<String, String>,
    pub(crate) checkpoint: String,
    pub(crate) artifacts: BTreeMap<String, Vec<u8>>,
    pub(crate) pipeline: Pipeline,
    /// The public key beside the papers, where it is another.
    pub(crate) pem: Option<String>,
}

impl Draft {
    pub(crate) fn new(house: &House, seqs: &[Seq], key: KeyId) -> Self {
        let (facts, receipts, checkpoint) = house.facts(seqs, key);
        let header = Header {
            active_key_id: key,
            at: house.now(),
            environment: Environment::Production,
            name: "app".parse().unwrap(),
            slot: SLOT.parse().unwrap(),
            version: "1.0".parse().unwrap(),
        };
        let artifacts =
            [("app.bin", b"what users run".to_vec()), ("docs/read me.txt", b"what users read".to_vec())];
        let artifacts = artifacts.map(|(name, bytes)| (name.to_owned(), bytes)).into();
        let source = Some("git+https://example.com/app".to_owned());
        Self {
            header,
            facts,
            receipts,
            checkpoint,
            artifacts,
            pipeline: Pipeline { source, ..Pipeline::default() },
            pem: None,
        }
    }

    pub(crate) fn papers(&self) -> Papers {
        Papers::new(&self.header.name, &self.header.version)
    }

    /// The whole release, signed.
    pub(crate) fn release(&self, house: &mut House) -> Contents {
        let operations = operations::write(&self.header, &self.facts).unwrap();
        self.release_with(house, operations)
    }

    /// The same with a manifest that says something else.
    pub(crate) fn release_with(&self, house: &mut House, operations: Vec<u8>) -> Contents {
        self.release_of(house, operations, |evidence| evidence)
    }

    /// The same with evidence that says something else.
    pub(crate) fn release_of(
        &self,
        house: &mut House,
        operations: Vec<u8>,
        change: impl Fn(Evidence) -> Evidence,
    ) -> Contents {
        let papers = self.papers();
        let mut contents = Contents::default();
        for (name, bytes) in &self.artifacts {
            contents.put(name, bytes.clone());
        }
        let operations_manifest = Named::of(papers.operations(), &operations);
        contents.put(papers.operations(), operations);
        let own = operations::write(&self.header, &self.facts).unwrap();
        for seq in Claimed::read(&own).unwrap().seqs() {
            contents.put(receipt_name(seq), self.receipts[&receipt_name(seq)].clone().into_bytes());
        }
        let pem = self.pem.clone().unwrap_or_else(|| self.facts.key.public.to_pem());
        contents.put(KEY, pem.into_bytes());
        let listed = contents.files().iter().map(|(name, entry)| (name.clone(), entry.sha256)).collect();
        let list = checksums::write(&listed);
        let checksums = Named::of(CHECKSUMS, &list);
        contents.put(CHECKSUMS, list);
        let vkey = house.vkey();
        let sealed = (&vkey, self.checkpoint.as_str());
        let evidence = Evidence::new(
            &self.header,
            &self.facts,
            (operations_manifest, checksums),
            self.artifacts.len(),
            sealed,
        );
        let evidence = change(evidence);
        let bytes = evidence.write().unwrap();
        let sha256 = Hash::sha256(&bytes);
        contents.put(EVIDENCE, bytes);
        let artifacts =
            self.artifacts.iter().map(|(name, bytes)| (name.clone(), Hash::sha256(bytes))).collect();
        let statement = provenance::write(&artifacts, &evidence, sha256, &self.pipeline).unwrap();
        contents.put(papers.statement(), statement);
        self.sign(house, &mut contents);
        contents
    }

    /// Has what lies there signed, anew where it was signed before.
    pub(crate) fn sign(&self, house: &mut House, contents: &mut Contents) {
        let papers = self.papers();
        for name in papers.signed() {
            let form = if name == papers.statement() { Form::Statement } else { Form::Bytes };
            let bytes = contents.paper(&name).unwrap().unwrap().to_vec();
            let by = (&self.facts, self.header.environment);
            let (paper, receipts) = house.sign((&name, &bytes, form), by);
            for (name, receipt) in receipts {
                contents.put(name, receipt.into_bytes());
            }
            if form == Form::Statement {
                let read = signature::Signature::read(&name, &paper).unwrap();
                let key = self.facts.key.public.sha256();
                let envelope = provenance::envelope(&bytes, key, &read.bytes().unwrap()).unwrap();
                contents.put(papers.envelope(), envelope);
            }
            contents.put(format!("{name}{SIGNATURE_ENDING}"), paper);
        }
    }
}

/// A house and a release of it, as they should be.
pub(crate) fn good() -> (House, Draft, Contents) {
    let mut house = House::new();
    let seqs = house.open();
    let draft = Draft::new(&house, &seqs, key_id(0));
    let contents = draft.release(&mut house);
    (house, draft, contents)
}

/// The release that was built anew after the first key was lost, without the evidence of that; and what the evidence holds.
pub(crate) fn rebuilt() -> (House, Draft, Contents, Vec<Seq>) {
    let mut house = House::new();
    let mut seqs = house.open();
    let (cited, evidence) = house.lose_first_key();
    seqs.extend(cited);
    let draft = Draft::new(&house, &seqs, key_id(1));
    let contents = draft.release(&mut house);
    (house, draft, contents, evidence)
}

/// What people tell of the lost key, about a release that was built anew.
pub(crate) fn told(contents: &Contents) -> Told {
    let release =
        |version: &str| ReleaseName { name: "app".parse().unwrap(), version: version.parse().unwrap() };
    Told {
        affected_releases: BTreeSet::from([release("0.9")]),
        customer_advisory: "https://example.com/advisories/1".to_owned(),
        rebuilt: (release("1.0"), contents.files()[EVIDENCE].sha256),
        approvers: BTreeSet::new(),
    }
}

/// The receipts of a revocation's evidence, by rising seq.
pub(crate) fn receipts(house: &House, contents: &Contents, evidence: &[Seq]) -> Vec<String> {
    let paper = contents.paper(&format!("{EVIDENCE}{SIGNATURE_ENDING}")).unwrap().unwrap();
    let signed = signature::Signature::read(EVIDENCE, paper).unwrap().created.seq;
    let seqs: BTreeSet<Seq> = evidence.iter().copied().chain([signed]).collect();
    seqs.into_iter().map(|seq| house.receipt(seq)).collect()
}

/// Records a file of revocation evidence; gives the receipt.
pub(crate) fn record(house: &mut House, bytes: &[u8], key: KeyId) -> String {
    house.actor = Actor::Member(approver());
    record_by_itself(house, bytes, key)
}

/// The same by whoever acts.
pub(crate) fn record_by_itself(house: &mut House, bytes: &[u8], key: KeyId) -> String {
    let seq = house.push(EvidenceRecorded {
        digest: Hash::sha256(bytes),
        evidence: "01934f00-0000-7000-8000-0000000000e1".parse().unwrap(),
        media_type: "application/json".parse().unwrap(),
        subject: Subject::Key(key),
    });
    house.receipt(seq)
}

/// The rebuilt release with its evidence beside it.
pub(crate) fn told_of() -> (House, Draft, Contents, revocation::Evidence) {
    let (mut house, draft, mut contents, evidence) = rebuilt();
    let receipts = receipts(&house, &contents, &evidence);
    let vkeys = [house.vkey()];
    let entry = revocation::Revocation::compose(key_id(0), told(&contents), receipts, &vkeys).unwrap();
    let mut file = revocation::Evidence::new("localhost/acme".parse().unwrap());
    file.put(entry);
    let bytes = file.write().unwrap();
    let proof = record(&mut house, &bytes, key_id(0));
    contents.put(REVOCATIONS, bytes);
    contents.put(REVOCATIONS_PROOF, proof.into_bytes());
    (house, draft, contents, file)
}
