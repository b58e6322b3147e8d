//! Revoked keys: what the manifest names has its evidence, and the key that signed is none of them.

use sealbook_ledger::encoding::Hash;

use super::{Judge, Read};
use crate::release::facts::Facts;
use crate::release::revocation::Evidence;
use crate::release::{Code, REVOCATIONS, REVOCATIONS_PROOF, Refusal};

impl Judge<'_> {
    /// Says what was found.
    pub(super) fn revocations(&self, read: &Read, facts: &Facts, evidence: Hash) -> Result<String, Refusal> {
        let files = self.revocation_files()?;
        for file in &files {
            if file.origin != facts.origin {
                let why = format!("the revocation evidence is of ledger {}", file.origin);
                return Err(Code::RevocationEvidence.saying(why));
            }
            self.signs_still(read, file)?;
        }
        for key in &read.claimed.revoked {
            if !files.iter().any(|file| file.of(*key).is_some()) {
                let why =
                    format!("key {key} of the slot was revoked, and no revocation evidence tells what of it");
                return Err(Code::RevocationEvidenceMissing.saying(why));
            }
        }
        for revocation in files.iter().flat_map(|file| &file.revocations) {
            let (new, header) = (&revocation.new_release_evidence, &read.claimed.header);
            let is_this = new.name == header.name && new.version == header.version;
            if is_this && (new.sha256 != evidence || revocation.replacement_key_id != facts.key.id) {
                let why = "the revocation evidence names this release, with other evidence or another key";
                return Err(Code::RevocationEvidence.saying(why));
            }
        }
        Ok(match read.claimed.revoked.len() {
            0 => "no key of the slot was revoked".to_owned(),
            1 => "one key of the slot was revoked, with evidence".to_owned(),
            count => format!("{count} keys of the slot were revoked, with evidence"),
        })
    }

    fn signs_still(&self, read: &Read, file: &Evidence) -> Result<(), Refusal> {
        let header = &read.claimed.header;
        let Some(revocation) = file.of(header.active_key_id) else { return Ok(()) };
        let is_this = |release: &crate::release::revocation::ReleaseName| {
            release.name == header.name && release.version == header.version
        };
        let affected = match revocation.affected_releases.iter().any(is_this) {
            true => "; this release is among those affected",
            false => "",
        };
        let why = format!(
            "key {} signed this release and was revoked at {}{affected}: take the release that key {} signs",
            header.active_key_id, revocation.revoked_at, revocation.replacement_key_id
        );
        Err(Code::KeyRevoked.saying(why))
    }

    /// The evidence beside the papers, and that which was given, both checked.
    fn revocation_files(&self) -> Result<Vec<Evidence>, Refusal> {
        let own = self.contents.paper(REVOCATIONS)?;
        let proof = self.contents.paper(REVOCATIONS_PROOF)?;
        let unproved = |what: &str| Code::RevocationEvidence.saying(format!("{what} is missing"));
        let own = match (own, proof) {
            (Some(own), Some(proof)) => Some((own, proof)),
            (Some(_), None) => return Err(unproved(REVOCATIONS_PROOF)),
            (None, Some(_)) => return Err(unproved(REVOCATIONS)),
            (None, None) => None,
        };
        let given = self.pins.revocations.as_ref().map(|(file, proof)| (file.as_slice(), proof.as_slice()));
        let checked = |(file, proof): (&[u8], &[u8])| {
            let read = Evidence::read(file)?;
            read.check(file, proof, &self.pins.vkeys)?;
            Ok(read)
        };
        own.into_iter().chain(given).map(checked).collect()
    }
}
