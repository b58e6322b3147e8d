//! The three signatures, each with the events by which it was authorised and released.

use std::collections::BTreeSet;

use sealbook_ledger::ids::Seq;

use super::{Judge, Read};
use crate::release::facts::Facts;
use crate::release::proof::Proved;
use crate::release::signature::{self, Events, Form, Held, Recorded, Signature};
use crate::release::{Code, PART_ENDING, Refusal, SIGNATURE_ENDING, provenance, receipt_name, receipt_seq};

impl Judge<'_> {
    /// Checks all three; gives the events that released them.
    pub(super) fn signatures(&self, read: &Read, facts: &Facts) -> Result<Vec<Seq>, Refusal> {
        let mut cited = read.claimed.seqs();
        let mut released = Vec::new();
        for name in read.papers.signed() {
            let form = self.form(read, &name);
            let (paper, held) = self.signature(&name, form, read, facts)?;
            cited.extend([paper.authorization.seq, paper.created.seq]);
            released.push(paper.created.seq);
            if form == Form::Statement {
                self.envelope(read, facts, &name, &held)?;
            }
        }
        self.no_other_receipts(&cited)?;
        Ok(released)
    }

    /// What of a file is signed.
    pub(super) fn form(&self, read: &Read, name: &str) -> Form {
        if name == read.papers.statement() { Form::Statement } else { Form::Bytes }
    }

    /// One of them, and its paper.
    pub(super) fn signature(
        &self,
        name: &str,
        form: Form,
        read: &Read,
        facts: &Facts,
    ) -> Result<(Signature, Held), Refusal> {
        let beside = format!("{name}{SIGNATURE_ENDING}");
        if self.contents.files().contains_key(&format!("{beside}{PART_ENDING}")) {
            let why =
                format!("the signature of {name} is not finished: run `sealbook release manifest` again");
            return Err(Code::SignatureMissing.saying(why));
        }
        let bytes = self.needed(&beside, Code::SignatureMissing)?;
        let paper = Signature::read(name, bytes)?;
        let (authorized, created) = (self.event(&paper.authorization)?, self.event(&paper.created)?);
        let events = Events { authorized: &authorized, created: &created };
        let signed = (name, self.needed(name, Code::FileMissing)?, form);
        let held = signature::check(bytes, signed, events, &facts.key.public)?;
        let header = &read.claimed.header;
        let same = [
            ("key", paper.key_id == header.active_key_id),
            ("slot", paper.slot == header.slot),
            ("environment", paper.environment == header.environment),
            ("algorithm", paper.algorithm == facts.key.algorithm),
            ("ledger", paper.origin == facts.origin),
            ("signing policy", held.policy == facts.signing.digest),
            ("moment", held.asked_at >= header.at),
        ];
        match same.into_iter().find(|(_, same)| !same) {
            Some((what, _)) => Err(Code::Signature.saying(format!(
                "the signature of {name} is of another {what} than the operations manifest says"
            ))),
            None => Ok((paper, held)),
        }
    }

    fn event(&self, recorded: &Recorded) -> Result<Proved, Refusal> {
        let name = receipt_name(recorded.seq);
        let receipt = self.needed(&name, Code::ReceiptMissing)?;
        let proved = Proved::read(&name, receipt, &self.pins.vkeys)?;
        if proved.event.seq == recorded.seq {
            Ok(proved)
        } else {
            Err(Code::Receipt.saying(format!("{name} is the receipt of event {}", proved.event.seq)))
        }
    }

    fn envelope(&self, read: &Read, facts: &Facts, statement: &str, held: &Held) -> Result<(), Refusal> {
        let name = read.papers.envelope();
        let found = self.needed(&name, Code::Provenance)?;
        let statement = self.needed(statement, Code::Provenance)?;
        if provenance::envelope(statement, facts.key.public.sha256(), &held.signature)? == found {
            Ok(())
        } else {
            Err(Code::ProvenanceMismatch
                .saying(format!("{name} is not the statement in its signed envelope")))
        }
    }

    fn no_other_receipts(&self, cited: &BTreeSet<Seq>) -> Result<(), Refusal> {
        let receipts = self.contents.files().keys().filter_map(|name| Some((name, receipt_seq(name)?)));
        match receipts.into_iter().find(|(_, seq)| !cited.contains(seq)) {
            Some((name, _)) => Err(Code::Unlisted.saying(format!("{name} is cited by nothing"))),
            None => Ok(()),
        }
    }
}
