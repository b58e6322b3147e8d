//! Export bundles (ledger format §8): a tar that an auditor can take apart with any tool, written and read as a
//! stream.
//!
//! The members, each at most once and in exactly this order: `manifest.json`, `vkeys.txt`, `checkpoint`,
//! `transitions/<size>` by rising size, `disclosures.jsonl`, `attachments/<sha256>` by rising hash, `events.jsonl`.
//! A *selection* has neither checkpoint nor transitions, and `receipts/<seq>.tlog-proof` by rising seq for the events.
//!
//! Headers are plain POSIX ustar with nothing in them but name and size, so that the same ledger at the same size is
//! the same bundle byte for byte. Manifest and vkeys are for people to read: no verdict looks at them.

mod manifest;
mod reader;
mod tape;
mod writer;

use std::fmt;
use std::io;

use crate::checkpoint::{CheckpointError, parse_decimal};
use crate::disclosure::DisclosureError;
use crate::encoding::Hash;
use crate::event::MAX_EVENT_LEN;
use crate::ids::Seq;
use crate::note::MAX_NOTE;
use crate::receipt::{MAX_RECEIPT, ReceiptError};

pub use manifest::{Kind, Manifest};
pub use reader::{Item, Reader};
pub use writer::{Attachments, BundleWriter, Disclosures, Events, Receipts, Transitions, WriteError};

/// The longest `manifest.json` in bytes.
pub const MAX_MANIFEST: usize = 64 * 1024;

/// The longest `vkeys.txt` in bytes: some thousands of ledger keys.
pub const MAX_VKEYS: usize = 1024 * 1024;

/// The most `transitions/<size>`: a ledger key a day for eleven years. With [`MAX_NOTE`] it bounds a reader's memory.
pub const MAX_TRANSITIONS: usize = 4096;

/// The longest attachment in bytes, 1 GiB.
pub const MAX_ATTACHMENT: u64 = 1 << 30;

/// A member of the archive, by name. The order of the variants, and of what they hold, is that of the archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Member {
    Manifest,
    Vkeys,
    Checkpoint,
    Transition(u64),
    Disclosures,
    Attachment(Hash),
    Events,
    Receipt(Seq),
}

impl Member {
    fn parse(name: &str) -> Option<Self> {
        match name {
            "manifest.json" => Some(Self::Manifest),
            "vkeys.txt" => Some(Self::Vkeys),
            "checkpoint" => Some(Self::Checkpoint),
            "disclosures.jsonl" => Some(Self::Disclosures),
            "events.jsonl" => Some(Self::Events),
            _ => Self::parse_numbered(name),
        }
    }

    fn parse_numbered(name: &str) -> Option<Self> {
        let (folder, file) = name.split_once('/')?;
        match folder {
            "transitions" => parse_decimal(file).map(Self::Transition),
            "attachments" => file.parse().ok().map(Self::Attachment),
            "receipts" => {
                let seq = parse_decimal(file.strip_suffix(".tlog-proof")?)?;
                Seq::new(seq).map(Self::Receipt)
            }
            _ => None,
        }
    }

    /// The most bytes that it may have; `None` for those that are read line by line.
    const fn max_len(self) -> Option<u64> {
        match self {
            Self::Manifest => Some(MAX_MANIFEST as u64),
            Self::Vkeys => Some(MAX_VKEYS as u64),
            Self::Checkpoint | Self::Transition(_) => Some(MAX_NOTE as u64),
            Self::Attachment(_) => Some(MAX_ATTACHMENT),
            Self::Receipt(_) => Some(MAX_RECEIPT as u64),
            Self::Disclosures | Self::Events => None,
        }
    }
}

impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Manifest => f.write_str("manifest.json"),
            Self::Vkeys => f.write_str("vkeys.txt"),
            Self::Checkpoint => f.write_str("checkpoint"),
            Self::Transition(size) => write!(f, "transitions/{size}"),
            Self::Disclosures => f.write_str("disclosures.jsonl"),
            Self::Attachment(sha256) => write!(f, "attachments/{sha256}"),
            Self::Events => f.write_str("events.jsonl"),
            Self::Receipt(seq) => write!(f, "receipts/{seq}.tlog-proof"),
        }
    }
}

/// Why an archive is not a bundle, or why nobody can tell.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// The bytes could not be had: says nothing about the bundle.
    #[error("the bundle can't be read")]
    Read(#[source] io::Error),
    /// The archive ends before its end.
    #[error("the archive is cut off")]
    Truncated,
    /// Not the header of a regular file in a plain tar.
    #[error("the archive's header {number} is not that of a bundle's member: {why}")]
    Header {
        /// Which header, counted from 1.
        number: u64,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A member that no bundle has.
    #[error("`{name}` is no member of a bundle")]
    UnknownMember {
        /// Its name, made safe to print.
        name: String,
    },
    /// A member that comes twice or too late.
    #[error("`{name}` comes twice, or after what has to follow it")]
    Order {
        /// Its name.
        name: String,
    },
    /// A member that every bundle of its kind has.
    #[error("there is no `{name}`")]
    Missing {
        /// Its name.
        name: &'static str,
    },
    /// A member of the other kind of bundle: events beside receipts, or receipts beside a checkpoint.
    #[error("`{name}` does not belong in a selection")]
    Mixed {
        /// Its name.
        name: &'static str,
    },
    /// A member, or the number of its kind, beyond its bound.
    #[error("`{name}` is larger than any bundle needs")]
    TooLarge {
        /// Its name.
        name: String,
    },
    /// Something other than zeros where the format has padding or nothing.
    #[error("there is something after the end of the archive or of a member")]
    Residue,
    /// A checkpoint that can't be read, or that is filed under another size.
    #[error("`{name}` is not the checkpoint that its name says")]
    Checkpoint {
        /// The member.
        name: String,
        /// Why it can't be read; none where only the size differs.
        source: Option<CheckpointError>,
    },
    /// A receipt that can't be read.
    #[error("`receipts/{seq}.tlog-proof` is not a receipt of that event")]
    Receipt {
        /// The seq in its name.
        seq: Seq,
        /// Why it can't be read; none where only the seq differs.
        source: Option<ReceiptError>,
    },
    /// A line that can't be read as a disclosure.
    #[error("line {line} of `disclosures.jsonl` is not a disclosure")]
    Disclosure {
        /// Counted from 1.
        line: u64,
        /// Why.
        source: DisclosureError,
    },
    /// An attachment whose bytes hash to something else.
    #[error("`attachments/{sha256}` holds other bytes than its name says")]
    Attachment {
        /// The hash in its name.
        sha256: Hash,
    },
    /// A line of `events.jsonl` that is empty, endless or without LF.
    #[error("event {seq} is not one line of 1 to {MAX_EVENT_LEN} bytes and an LF")]
    EventLine {
        /// The seq that the line's place gives it.
        seq: u64,
    },
}

impl BundleError {
    /// The stable code of this error; that of its source where the source knows better.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Read(_) => "bundle.unreadable",
            Self::Truncated => "bundle.truncated",
            Self::Header { .. } => "bundle.header",
            Self::UnknownMember { .. } => "bundle.unknown_member",
            Self::Order { .. } => "bundle.order",
            Self::Missing { .. } => "bundle.missing_member",
            Self::Mixed { .. } => "bundle.mixed",
            Self::TooLarge { .. } => "bundle.too_large",
            Self::Residue => "bundle.residue",
            Self::Checkpoint { source: Some(source), .. } => source.code(),
            Self::Checkpoint { source: None, .. } => "bundle.checkpoint_size",
            Self::Receipt { source: Some(source), .. } => source.code(),
            Self::Receipt { source: None, .. } => "bundle.receipt_seq",
            Self::Disclosure { source, .. } => source.code(),
            Self::Attachment { .. } => "bundle.attachment_hash",
            Self::EventLine { .. } => "bundle.event_line",
        }
    }
}
