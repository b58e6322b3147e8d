//! The events that the manifest cites, and what follows from them.

use super::{Judge, Read};
use crate::release::evidence::Evidence;
use crate::release::facts::Facts;
use crate::release::proof::{Proofs, Proved};
use crate::release::{Code, KEY, Refusal, receipt_name};

impl Judge<'_> {
    /// What the cited events say, if that is what the manifest says.
    pub(super) fn facts(&self, read: &Read, evidence: &Evidence) -> Result<Facts, Refusal> {
        let mut proved = Vec::new();
        for cite in &read.claimed.events {
            let name = receipt_name(cite.seq);
            let one = Proved::read(&name, self.needed(&name, Code::ReceiptMissing)?, &self.pins.vkeys)?;
            if one.cite() != *cite {
                return Err(Code::Statement
                    .saying(format!("event {} is not the one that the manifest cites", cite.seq)));
            }
            if one.event.origin != evidence.origin || one.checkpoint != evidence.checkpoint {
                let why = format!("{name} does not lead to the checkpoint of the release evidence");
                return Err(Code::Receipt.saying(why));
            }
            proved.push(one);
        }
        let header = &read.claimed.header;
        let facts = Facts::of(Proofs::new(&proved)?, &header.slot, header.active_key_id)?;
        let bytes = self.needed(&read.operations.name, Code::OperationsMissing)?;
        read.claimed.check(bytes, &facts)?;
        let newest = proved.last().map(|proved| proved.event.time);
        if newest.is_some_and(|newest| newest > header.at) {
            return Err(Code::Statement.saying("the manifest speaks of a moment before its newest event"));
        }
        if evidence.spki_sha256 != facts.key.public.sha256() {
            return Err(
                Code::EvidenceMismatch.saying("`spki_sha256` of the release evidence is of another key")
            );
        }
        if self.needed(KEY, Code::Key)? != facts.key.public.to_pem().as_bytes() {
            return Err(Code::Key.saying(format!("{KEY} is not the key that the ledger recorded")));
        }
        Ok(facts)
    }
}
