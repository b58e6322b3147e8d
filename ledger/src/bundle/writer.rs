//! Writing a bundle: each stage is a type of its own, so that members can only come in their order.
//!
//! Nothing is held back: what was handed over has been written to the output when a call returns.

use std::io::{self, Read, Write};

use sha2::{Digest as _, Sha256};

use super::tape::{BLOCK, header, padding};
use super::{MAX_ATTACHMENT, MAX_MANIFEST, MAX_TRANSITIONS, MAX_VKEYS, Manifest, Member};
use crate::canonical::Unrepresentable;
use crate::checkpoint::SignedCheckpoint;
use crate::disclosure::{Disclosure, MAX_DISCLOSURE_LEN};
use crate::encoding::Hash;
use crate::event::MAX_EVENT_LEN;
use crate::ids::{Origin, Seq};
use crate::note::{MAX_NOTE, Vkey};
use crate::receipt::Receipt;

/// Why a bundle could not be written. What was written until then is no bundle.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The output, or an attachment's input, failed.
    #[error("the bundle can't be written")]
    Io(#[from] io::Error),
    /// A manifest or disclosure without a canonical form.
    #[error("a part of the bundle has no canonical form")]
    Unrepresentable(#[from] Unrepresentable),
    /// A member that comes twice or too late.
    #[error("`{name}` comes twice or too late: members are sorted")]
    Order {
        /// The member, or the line's place in it.
        name: String,
    },
    /// A member beyond the bound that readers set.
    #[error("`{name}` is larger than readers allow")]
    TooLarge {
        /// Its name.
        name: String,
    },
    /// Other bytes than were announced in the member's header.
    #[error("`{name}` was announced with {announced} bytes and has {found}")]
    Length {
        /// The member.
        name: String,
        /// The size in its header.
        announced: u64,
        /// The bytes there were; one more than announced stands for too many.
        found: u64,
    },
    /// An attachment whose bytes hash to something else.
    #[error("`attachments/{sha256}` holds other bytes than its name says")]
    Attachment {
        /// The hash in its name.
        sha256: Hash,
    },
    /// An event that is no line: empty, too long, or with an LF in it.
    #[error("event {seq} is not 1 to {MAX_EVENT_LEN} bytes without LF")]
    EventLine {
        /// Its place in the bundle.
        seq: u64,
    },
}

impl WriteError {
    /// The stable code of this error.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Io(_) => "bundle.unwritable",
            Self::Unrepresentable(_) => "bundle.unrepresentable",
            Self::Order { .. } => "bundle.order",
            Self::TooLarge { .. } => "bundle.too_large",
            Self::Length { .. } => "bundle.length",
            Self::Attachment { .. } => "bundle.attachment_hash",
            Self::EventLine { .. } => "bundle.event_line",
        }
    }
}

/// Stage of a ledger's bundle: its transition checkpoints.
#[derive(Debug)]
pub struct Transitions {
    count: usize,
}

/// Stage: the lines of `disclosures.jsonl`.
#[derive(Debug)]
pub struct Disclosures {
    lines: Lines,
    last: Option<(Seq, String)>,
    kind: super::Kind,
}

/// Stage: the attachments.
#[derive(Debug)]
pub struct Attachments {
    kind: super::Kind,
}

/// Last stage of a ledger's bundle: the lines of `events.jsonl`.
#[derive(Debug)]
pub struct Events {
    lines: Lines,
    count: u64,
}

/// Last stage of a selection: its receipts.
#[derive(Debug)]
pub struct Receipts(());

/// A member that is written line by line, against the size in its header.
#[derive(Debug)]
struct Lines {
    member: Member,
    announced: u64,
    written: u64,
}

/// A bundle that is being written. Constant memory: it holds nothing but counts and the last name.
#[derive(Debug)]
pub struct BundleWriter<W, Stage> {
    out: W,
    last: Option<Member>,
    stage: Stage,
}

impl<W, Stage> BundleWriter<W, Stage> {
    /// The output, for callers that empty a buffer between calls.
    pub fn output(&mut self) -> &mut W {
        &mut self.out
    }
}

impl<W: Write, Stage> BundleWriter<W, Stage> {
    fn become_stage<Next>(self, stage: Next) -> BundleWriter<W, Next> {
        BundleWriter { out: self.out, last: self.last, stage }
    }

    fn begin_member(&mut self, member: Member, size: u64) -> Result<(), WriteError> {
        let name = member.to_string();
        if self.last.is_some_and(|last| last >= member) {
            return Err(WriteError::Order { name });
        }
        self.last = Some(member);
        self.out.write_all(header(&name, size)?.as_bytes())?;
        Ok(())
    }

    fn end_member(&mut self, size: u64) -> Result<(), WriteError> {
        Ok(self.out.write_all(&[0; BLOCK][..padding(size)])?)
    }

    fn member(&mut self, member: Member, bytes: &[u8], max: usize) -> Result<(), WriteError> {
        if bytes.len() > max {
            return Err(WriteError::TooLarge { name: member.to_string() });
        }
        self.begin_member(member, bytes.len() as u64)?;
        self.out.write_all(bytes)?;
        self.end_member(bytes.len() as u64)
    }

    fn begin_lines(&mut self, member: Member, announced: u64) -> Result<Lines, WriteError> {
        self.begin_member(member, announced)?;
        Ok(Lines { member, announced, written: 0 })
    }

    fn end(mut self) -> Result<W, WriteError> {
        self.out.write_all(&[0; 2 * BLOCK])?;
        Ok(self.out)
    }
}

impl Lines {
    fn write(&mut self, out: &mut impl Write, line: &[u8]) -> Result<(), WriteError> {
        let written = self.written + line.len() as u64 + 1;
        if written > self.announced {
            return Err(self.other_length(self.announced + 1));
        }
        self.written = written;
        out.write_all(line)?;
        Ok(out.write_all(b"\n")?)
    }

    fn check_end(&self) -> Result<(), WriteError> {
        if self.written == self.announced { Ok(()) } else { Err(self.other_length(self.written)) }
    }

    fn other_length(&self, found: u64) -> WriteError {
        WriteError::Length { name: self.member.to_string(), announced: self.announced, found }
    }
}

impl<W: Write> BundleWriter<W, Transitions> {
    /// Begins the bundle of a whole ledger: manifest, the ledger keys in the order of their events, and the
    /// checkpoint over all events that will follow.
    pub fn ledger(out: W, vkeys: &[Vkey], checkpoint: &SignedCheckpoint) -> Result<Self, WriteError> {
        let mut writer = Self { out, last: None, stage: Transitions { count: 0 } };
        let sealed = checkpoint.checkpoint();
        let manifest = Manifest::of_ledger(sealed.origin.clone(), sealed.size, sealed.root).to_bytes()?;
        writer.member(Member::Manifest, &manifest, MAX_MANIFEST)?;
        writer.member(Member::Vkeys, vkey_lines(vkeys).as_bytes(), MAX_VKEYS)?;
        writer.member(Member::Checkpoint, checkpoint.to_string().as_bytes(), MAX_NOTE)?;
        Ok(writer)
    }

    /// Adds a transition checkpoint, by rising size.
    pub fn transition(&mut self, checkpoint: &SignedCheckpoint) -> Result<(), WriteError> {
        let member = Member::Transition(checkpoint.checkpoint().size);
        self.stage.count += 1;
        if self.stage.count > MAX_TRANSITIONS {
            return Err(WriteError::TooLarge { name: "transitions/".to_owned() });
        }
        self.member(member, checkpoint.to_string().as_bytes(), MAX_NOTE)
    }

    /// Goes on to the disclosures, which will have `total` bytes: their lines, each with its LF.
    pub fn disclosures(mut self, total: u64) -> Result<BundleWriter<W, Disclosures>, WriteError> {
        let lines = self.begin_lines(Member::Disclosures, total)?;
        Ok(self.become_stage(Disclosures { lines, last: None, kind: super::Kind::Ledger }))
    }
}

impl<W: Write> BundleWriter<W, Disclosures> {
    /// Begins a selection of so many events; its disclosures will have `total` bytes.
    pub fn selection(
        out: W,
        origin: Origin,
        events: u64,
        vkeys: &[Vkey],
        total: u64,
    ) -> Result<Self, WriteError> {
        let mut writer = BundleWriter { out, last: None, stage: () };
        let manifest = Manifest::of_selection(origin, events).to_bytes()?;
        writer.member(Member::Manifest, &manifest, MAX_MANIFEST)?;
        writer.member(Member::Vkeys, vkey_lines(vkeys).as_bytes(), MAX_VKEYS)?;
        let lines = writer.begin_lines(Member::Disclosures, total)?;
        Ok(writer.become_stage(Disclosures { lines, last: None, kind: super::Kind::Selection }))
    }

    /// Adds a disclosure, by rising seq and name.
    pub fn disclosure(&mut self, disclosure: &Disclosure) -> Result<(), WriteError> {
        let place = (disclosure.seq(), disclosure.name().to_owned());
        let line = disclosure.to_line()?;
        if self.stage.last.as_ref().is_some_and(|last| *last >= place) {
            return Err(WriteError::Order { name: format!("disclosure of event {}", disclosure.seq()) });
        }
        if line.len() > MAX_DISCLOSURE_LEN {
            return Err(WriteError::TooLarge { name: format!("disclosure of event {}", disclosure.seq()) });
        }
        self.stage.last = Some(place);
        self.stage.lines.write(&mut self.out, &line)
    }

    /// Goes on to the attachments.
    pub fn attachments(mut self) -> Result<BundleWriter<W, Attachments>, WriteError> {
        self.stage.lines.check_end()?;
        self.end_member(self.stage.lines.announced)?;
        let kind = self.stage.kind;
        Ok(self.become_stage(Attachments { kind }))
    }
}

impl<W: Write> BundleWriter<W, Attachments> {
    /// Adds an attachment of `size` bytes, by rising hash; its bytes are hashed on their way.
    pub fn attachment(&mut self, sha256: Hash, size: u64, mut bytes: impl Read) -> Result<(), WriteError> {
        let member = Member::Attachment(sha256);
        if size > MAX_ATTACHMENT {
            return Err(WriteError::TooLarge { name: member.to_string() });
        }
        self.begin_member(member, size)?;
        let mut hashing = HashingWriter { out: &mut self.out, hash: Sha256::new() };
        let mut found = io::copy(&mut (&mut bytes).take(size), &mut hashing)?;
        let hash = Hash(hashing.hash.finalize().into());
        if found == size {
            found += io::copy(&mut bytes.take(1), &mut io::sink())?;
        }
        if found != size {
            return Err(WriteError::Length { name: member.to_string(), announced: size, found });
        }
        if hash != sha256 {
            return Err(WriteError::Attachment { sha256 });
        }
        self.end_member(size)
    }

    /// Goes on to the events, which will have `total` bytes: each event's bytes and an LF.
    ///
    /// A selection has no events: [`WriteError::Order`].
    pub fn events(mut self, total: u64) -> Result<BundleWriter<W, Events>, WriteError> {
        if self.stage.kind == super::Kind::Selection {
            return Err(WriteError::Order { name: Member::Events.to_string() });
        }
        let lines = self.begin_lines(Member::Events, total)?;
        Ok(self.become_stage(Events { lines, count: 0 }))
    }

    /// Goes on to the receipts of a selection.
    ///
    /// A whole ledger has none: [`WriteError::Order`].
    pub fn receipts(self) -> Result<BundleWriter<W, Receipts>, WriteError> {
        if self.stage.kind == super::Kind::Ledger {
            return Err(WriteError::Order { name: "receipts/".to_owned() });
        }
        Ok(self.become_stage(Receipts(())))
    }
}

impl<W: Write> BundleWriter<W, Events> {
    /// Adds the next event's exact bytes, without LF.
    pub fn event(&mut self, bytes: &[u8]) -> Result<(), WriteError> {
        if bytes.is_empty() || bytes.len() > MAX_EVENT_LEN || bytes.contains(&b'\n') {
            return Err(WriteError::EventLine { seq: self.stage.count });
        }
        self.stage.count += 1;
        self.stage.lines.write(&mut self.out, bytes)
    }

    /// Ends the bundle; refused unless the events had as many bytes as was said.
    pub fn finish(mut self) -> Result<W, WriteError> {
        self.stage.lines.check_end()?;
        self.end_member(self.stage.lines.announced)?;
        self.end()
    }
}

impl<W: Write> BundleWriter<W, Receipts> {
    /// Adds an event's receipt, by rising seq.
    pub fn receipt(&mut self, receipt: &Receipt) -> Result<(), WriteError> {
        let seq = Seq::new(receipt.index())
            .ok_or_else(|| WriteError::Order { name: format!("receipts/{}", receipt.index()) })?;
        self.member(Member::Receipt(seq), receipt.to_string().as_bytes(), crate::receipt::MAX_RECEIPT)
    }

    /// Ends the bundle.
    pub fn finish(self) -> Result<W, WriteError> {
        self.end()
    }
}

fn vkey_lines(vkeys: &[Vkey]) -> String {
    vkeys.iter().map(|vkey| format!("{vkey}\n")).collect()
}

struct HashingWriter<'a, W> {
    out: &'a mut W,
    hash: Sha256,
}

impl<W: Write> Write for HashingWriter<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.hash.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
