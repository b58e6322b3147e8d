//! Receipts: C2SP tlog-proofs (c2sp.org/tlog-proof) that carry their event, so that each stands alone.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use crate::canonical::{self, NotCanonical};
use crate::checkpoint::{Checkpoint, CheckpointError, SignedCheckpoint, parse_decimal, parse_hash};
use crate::encoding::Hash;
use crate::ids::{Origin, Seq};
use crate::merkle::{self, MAX_PATH, ProofError};
use crate::note::{MAX_NOTE, SignatureError, Vkey};

/// The longest event in bytes (ledger format §2).
const MAX_EVENT: usize = 65_535;

/// The longest receipt in bytes: an event in base64 (4 for 3), a line of 45 for each hash, a note, and the two
/// lines of fixed words with a number of at most 20 digits.
pub const MAX_RECEIPT: usize = MAX_EVENT.div_ceil(3) * 4 + MAX_PATH * 45 + MAX_NOTE + 64;

const HEADER: &str = "c2sp.org/tlog-proof@v1";

/// Why a receipt is not one, or proves nothing.
#[derive(Debug, thiserror::Error)]
pub enum ReceiptError {
    /// Not the text of a receipt.
    #[error("the receipt is malformed: {why}")]
    Malformed {
        /// Which part is wrong, and what is expected.
        why: &'static str,
    },
    /// Its checkpoint is malformed, or its signature is false.
    #[error("the receipt's checkpoint does not hold")]
    Checkpoint(#[from] CheckpointError),
    /// None of the keys that were given has signed.
    #[error(
        "the receipt's checkpoint is of ledger {origin} and is signed by none of the keys that were given"
    )]
    UnknownSigner {
        /// The checkpoint's ledger.
        origin: Origin,
    },
    /// The event's bytes are not their own canonical form.
    #[error("the receipt's event is not canonical")]
    NotCanonical(#[from] NotCanonical),
    /// The event does not say where it belongs.
    #[error("the receipt's event has no valid origin and seq")]
    Envelope(#[source] serde_json::Error),
    /// The event belongs to another ledger than the checkpoint.
    #[error("the event is of ledger {event}, the checkpoint of {checkpoint}")]
    OtherOrigin {
        /// The event's ledger.
        event: Origin,
        /// The checkpoint's ledger.
        checkpoint: Origin,
    },
    /// The event's number is not the place that the proof is about.
    #[error("the event is number {seq}, the proof is about place {index}")]
    OtherPlace {
        /// The event's number.
        seq: Seq,
        /// The proof's place.
        index: u64,
    },
    /// The event is not in the tree that was signed.
    #[error("the event is not in the tree that was signed")]
    Inclusion(#[from] ProofError),
}

impl ReceiptError {
    /// The stable code of this error; that of its source where the source knows better.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Malformed { .. } => "receipt.malformed",
            Self::Checkpoint(source) => source.code(),
            Self::UnknownSigner { .. } => "receipt.unknown_signer",
            Self::NotCanonical(_) => "receipt.not_canonical",
            Self::Envelope(_) => "receipt.envelope",
            Self::OtherOrigin { .. } => "receipt.other_origin",
            Self::OtherPlace { .. } => "receipt.other_place",
            Self::Inclusion(source) => source.code(),
        }
    }
}

/// One event with the proof that a signed tree holds it. Reading one believes nothing: call
/// [`verify`](Self::verify) with pinned keys.
///
/// [`Display`](fmt::Display) writes exactly the bytes that [`parse`](Self::parse) reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    event_bytes: Vec<u8>,
    index: u64,
    path: Vec<Hash>,
    checkpoint: SignedCheckpoint,
}

/// What a receipt proves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// The event's place in its ledger.
    pub seq: Seq,
    /// The state of the ledger that the proof leads to.
    pub checkpoint: Checkpoint,
    /// The key, of those that were given, that signed it.
    pub signer: Vkey,
}

impl Receipt {
    /// Puts a receipt together from an event's bytes, its place, the inclusion path from the leaf upwards, and the
    /// checkpoint that the path leads to. Nothing is verified, only bounded.
    pub fn new(
        event_bytes: Vec<u8>,
        index: u64,
        path: Vec<Hash>,
        checkpoint: SignedCheckpoint,
    ) -> Result<Self, ReceiptError> {
        if event_bytes.is_empty() || event_bytes.len() > MAX_EVENT {
            return Err(ReceiptError::Malformed { why: "an event has 1 to 65,535 bytes" });
        }
        if path.len() > MAX_PATH {
            return Err(ReceiptError::Malformed { why: "a path has at most 64 hashes" });
        }
        Ok(Self { event_bytes, index, path, checkpoint })
    }

    /// Reads a receipt strictly, without verifying it.
    pub fn parse(bytes: &[u8]) -> Result<Self, ReceiptError> {
        let malformed = |why| ReceiptError::Malformed { why };
        if bytes.len() > MAX_RECEIPT {
            return Err(malformed("longer than any receipt"));
        }
        let text = std::str::from_utf8(bytes).map_err(|_| malformed("not UTF-8"))?;
        let (proof, checkpoint) =
            text.split_once("\n\n").ok_or(malformed("no empty line before the checkpoint"))?;
        let mut lines = proof.split('\n');
        if lines.next() != Some(HEADER) {
            return Err(malformed("the first line is not `c2sp.org/tlog-proof@v1`"));
        }
        let event_bytes = lines
            .next()
            .and_then(|line| STANDARD.decode(line.strip_prefix("extra ")?).ok())
            .ok_or(malformed("the second line is not `extra` and an event in canonical base64"))?;
        let index = lines
            .next()
            .and_then(|line| parse_decimal(line.strip_prefix("index ")?))
            .ok_or(malformed("the third line is not `index` and a number without leading zeroes"))?;
        // One more than is allowed is enough for `new` to refuse.
        let path = lines
            .take(MAX_PATH + 1)
            .map(|line| parse_hash(line).ok_or(malformed("a line of the path is not a hash in base64")))
            .collect::<Result<_, _>>()?;
        Self::new(event_bytes, index, path, SignedCheckpoint::parse(checkpoint.as_bytes())?)
    }

    /// The event's exact bytes, which are the tree's leaf.
    pub fn event_bytes(&self) -> &[u8] {
        &self.event_bytes
    }

    /// The 0-based place that the proof is about.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// The sibling hashes from the leaf upwards.
    pub fn path(&self) -> &[Hash] {
        &self.path
    }

    /// The checkpoint that the path leads to.
    pub fn checkpoint(&self) -> &SignedCheckpoint {
        &self.checkpoint
    }

    /// Checks the whole receipt against keys that the user pinned: one of them signed the checkpoint, the event is
    /// canonical, says that it belongs at this place of this ledger, and is in the tree.
    pub fn verify(&self, vkeys: &[Vkey]) -> Result<Verified, ReceiptError> {
        let signer = self.signer(vkeys)?;
        let checkpoint = self.checkpoint.checkpoint();
        let place = place_of(&self.event_bytes)?;
        if place.origin != checkpoint.origin {
            return Err(ReceiptError::OtherOrigin {
                event: place.origin,
                checkpoint: checkpoint.origin.clone(),
            });
        }
        if place.seq.get() != self.index {
            return Err(ReceiptError::OtherPlace { seq: place.seq, index: self.index });
        }
        let leaf = merkle::leaf_hash(&self.event_bytes);
        merkle::verify_inclusion(&leaf, self.index, checkpoint.size, &self.path, &checkpoint.root)?;
        Ok(Verified { seq: place.seq, checkpoint: checkpoint.clone(), signer: signer.clone() })
    }

    /// The first given key that signed. A false signature in the name of any of them condemns the receipt.
    fn signer<'a>(&self, vkeys: &'a [Vkey]) -> Result<&'a Vkey, ReceiptError> {
        let mut signer = None;
        for vkey in vkeys {
            match self.checkpoint.verify(vkey) {
                Ok(()) => signer = signer.or(Some(vkey)),
                Err(
                    CheckpointError::OtherOrigin { .. }
                    | CheckpointError::Signature(SignatureError::Missing { .. }),
                ) => {}
                Err(refused) => return Err(refused.into()),
            }
        }
        signer.ok_or_else(|| ReceiptError::UnknownSigner {
            origin: self.checkpoint.checkpoint().origin.clone(),
        })
    }
}

impl fmt::Display for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADER}\nextra {}\nindex {}", STANDARD.encode(&self.event_bytes), self.index)?;
        self.path.iter().try_for_each(|hash| writeln!(f, "{}", STANDARD.encode(hash.0)))?;
        write!(f, "\n{}", self.checkpoint)
    }
}

/// Where an event says it belongs.
#[derive(Deserialize)]
struct Place {
    origin: Origin,
    seq: Seq,
}

fn place_of(event_bytes: &[u8]) -> Result<Place, ReceiptError> {
    canonical::check(event_bytes)?;
    serde_json::from_slice(event_bytes).map_err(ReceiptError::Envelope)
}

#[cfg(test)]
mod tests;
