//! Reading a bundle: strictly, once from front to end, with memory that does not grow with the ledger.

use std::io::Read;

use sha2::{Digest as _, Sha256};

use super::tape::{Line, Tape};
use super::{BundleError, MAX_TRANSITIONS, Member};
use crate::checkpoint::SignedCheckpoint;
use crate::clearance::MAX_LIST_LEN;
use crate::disclosure::{Disclosure, DisclosureError, MAX_DISCLOSURE_LEN};
use crate::encoding::Hash;
use crate::event::MAX_EVENT_LEN;
use crate::receipt::Receipt;

/// What a bundle holds, in the order that it is read. Nothing of it is believed yet.
#[derive(Debug)]
pub enum Item<'a> {
    /// `checkpoint`: of the whole ledger.
    Checkpoint(SignedCheckpoint),
    /// `transitions/<size>`.
    Transition(SignedCheckpoint),
    /// One line of `disclosures.jsonl`.
    Disclosure(Disclosure),
    /// `attachments/<sha256>`, whose bytes hash to its name.
    Attachment {
        /// SHA-256 of the bytes.
        sha256: Hash,
        /// The bytes, where they are few enough for anything that this version attaches: a message of pure Ed25519, a
        /// statement of an authenticator, a list of digests. [`Reader::keeping`] keeps longer ones.
        bytes: Option<Vec<u8>>,
    },
    /// One line of `events.jsonl`: 1 to [`MAX_EVENT_LEN`] bytes.
    Event(&'a [u8]),
    /// `receipts/<seq>.tlog-proof`, whose index is that seq.
    Receipt(Box<Receipt>),
}

/// Reads a bundle item by item.
pub struct Reader<R> {
    tape: Tape<R>,
    line: Vec<u8>,
    /// The last member, complete unless it is one of lines.
    at: Option<Member>,
    in_lines: bool,
    lines: u64,
    transitions: usize,
    has_checkpoint: bool,
    done: bool,
    /// The longest attachment whose bytes are kept.
    keeps: usize,
}

impl<R: Read> Reader<R> {
    /// Reads ahead in large pieces by itself: the input needs no buffer of its own.
    pub fn new(input: R) -> Self {
        Self {
            tape: Tape::new(input),
            line: Vec::new(),
            at: None,
            in_lines: false,
            lines: 0,
            transitions: 0,
            has_checkpoint: false,
            done: false,
            keeps: MAX_LIST_LEN,
        }
    }

    /// The same, but it keeps the bytes of attachments of this length too: whoever restores wants evidence packs whole.
    pub fn keeping(self, keeps: usize) -> Self {
        Self { keeps, ..self }
    }

    /// The next item; `None` once everything was read and the archive ended as it should. After an error there is
    /// nothing more.
    pub fn next_item(&mut self) -> Result<Option<Item<'_>>, BundleError> {
        loop {
            if self.done {
                return Ok(None);
            }
            if self.in_lines {
                match self.at {
                    Some(Member::Disclosures) => {
                        if let Some(disclosure) = self.next_disclosure()? {
                            return Ok(Some(Item::Disclosure(disclosure)));
                        }
                    }
                    _ => {
                        if self.next_event()? {
                            return Ok(Some(Item::Event(&self.line)));
                        }
                    }
                }
                continue;
            }
            let Some(member) = self.next_member()? else { return Ok(None) };
            match member {
                Member::Manifest | Member::Vkeys => drop(self.tape.read_member()?),
                Member::Checkpoint => {
                    self.has_checkpoint = true;
                    return self.read_checkpoint(member).map(|read| Some(Item::Checkpoint(read)));
                }
                Member::Transition(size) => {
                    return self.read_transition(member, size).map(|read| Some(Item::Transition(read)));
                }
                Member::Disclosures | Member::Events => {
                    self.in_lines = true;
                    self.lines = 0;
                }
                Member::Attachment(sha256) => return self.read_attachment(sha256).map(Some),
                Member::Receipt(seq) => {
                    let bytes = self.tape.read_member()?;
                    let receipt = Receipt::parse(&bytes)
                        .map_err(|source| BundleError::Receipt { seq, source: Some(source) })?;
                    if receipt.index() != seq.get() {
                        return Err(BundleError::Receipt { seq, source: None });
                    }
                    return Ok(Some(Item::Receipt(Box::new(receipt))));
                }
            }
        }
    }

    fn next_member(&mut self) -> Result<Option<Member>, BundleError> {
        let Some((name, size)) = self.tape.next_member()? else {
            self.done = true;
            return self.check_complete().map(|()| None);
        };
        let member = Member::parse(&name)
            .ok_or_else(|| BundleError::UnknownMember { name: name.escape_debug().to_string() })?;
        if self.at.is_some_and(|last| last >= member) {
            return Err(BundleError::Order { name });
        }
        self.check_required(member)?;
        if member.max_len().is_some_and(|max| size > max) {
            return Err(BundleError::TooLarge { name });
        }
        self.at = Some(member);
        Ok(Some(member))
    }

    /// What must have come before a member.
    fn check_required(&self, member: Member) -> Result<(), BundleError> {
        let missing = |name| Err(BundleError::Missing { name });
        match (member, self.at) {
            (Member::Manifest, _) => Ok(()),
            (_, None) => missing("manifest.json"),
            (Member::Vkeys, _) => Ok(()),
            (_, Some(Member::Manifest)) => missing("vkeys.txt"),
            (Member::Transition(_) | Member::Events, _) if !self.has_checkpoint => missing("checkpoint"),
            (Member::Receipt(_), Some(Member::Events)) => Err(BundleError::Mixed { name: "events.jsonl" }),
            (Member::Receipt(_), _) if self.has_checkpoint => Err(BundleError::Mixed { name: "checkpoint" }),
            _ => Ok(()),
        }
    }

    fn check_complete(&self) -> Result<(), BundleError> {
        match self.at {
            Some(Member::Events | Member::Receipt(_)) => Ok(()),
            None => Err(BundleError::Missing { name: "manifest.json" }),
            Some(_) => Err(BundleError::Missing { name: "events.jsonl" }),
        }
    }

    fn read_checkpoint(&mut self, member: Member) -> Result<SignedCheckpoint, BundleError> {
        let bytes = self.tape.read_member()?;
        SignedCheckpoint::parse(&bytes)
            .map_err(|source| BundleError::Checkpoint { name: member.to_string(), source: Some(source) })
    }

    fn read_transition(&mut self, member: Member, size: u64) -> Result<SignedCheckpoint, BundleError> {
        self.transitions += 1;
        if self.transitions > MAX_TRANSITIONS {
            return Err(BundleError::TooLarge { name: "transitions/".to_owned() });
        }
        let read = self.read_checkpoint(member)?;
        if read.checkpoint().size == size {
            Ok(read)
        } else {
            Err(BundleError::Checkpoint { name: member.to_string(), source: None })
        }
    }

    fn next_disclosure(&mut self) -> Result<Option<Disclosure>, BundleError> {
        self.lines += 1;
        let refused = |line, source| BundleError::Disclosure { line, source };
        match self.tape.read_line(MAX_DISCLOSURE_LEN, &mut self.line)? {
            Line::Whole => {
                Disclosure::parse(&self.line).map(Some).map_err(|source| refused(self.lines, source))
            }
            Line::End => {
                self.in_lines = false;
                Ok(None)
            }
            Line::Malformed => Err(refused(self.lines, DisclosureError::TooLong)),
        }
    }

    /// Whether another event stands in the line buffer.
    fn next_event(&mut self) -> Result<bool, BundleError> {
        match self.tape.read_line(MAX_EVENT_LEN, &mut self.line)? {
            Line::Whole => {
                self.lines += 1;
                Ok(true)
            }
            Line::End => {
                self.in_lines = false;
                Ok(false)
            }
            Line::Malformed => Err(BundleError::EventLine { seq: self.lines }),
        }
    }

    fn read_attachment(&mut self, sha256: Hash) -> Result<Item<'static>, BundleError> {
        let mut hash = Sha256::new();
        let mut bytes = Some(Vec::new());
        while let Some(piece) = self.tape.read_piece()? {
            hash.update(piece);
            bytes = bytes.filter(|kept: &Vec<u8>| kept.len() + piece.len() <= self.keeps);
            if let Some(kept) = &mut bytes {
                kept.extend_from_slice(piece);
            }
            let read = piece.len();
            self.tape.consume(read);
        }
        if Hash(hash.finalize().into()) == sha256 {
            Ok(Item::Attachment { sha256, bytes })
        } else {
            Err(BundleError::Attachment { sha256 })
        }
    }
}
