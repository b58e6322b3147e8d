//! Events with their receipts: what everything in the papers follows from.

use sealbook_ledger::encoding::Hash;
use sealbook_ledger::event::{Envelope, Event};
use sealbook_ledger::ids::Seq;
use sealbook_ledger::note::Vkey;
use sealbook_ledger::payload::Payload;
use sealbook_ledger::receipt::Receipt;
use serde::{Deserialize, Serialize};

use super::{Code, Refusal};

/// An event that a pinned ledger key has sealed.
#[derive(Debug, Clone)]
pub struct Proved {
    /// The event.
    pub event: Event,
    /// Its chain hash (ledger format §3).
    pub hash: Hash,
    /// SHA-256 of the receipt.
    pub receipt_sha256: Hash,
    /// The note that the receipt leads to.
    pub checkpoint: String,
}

impl Proved {
    /// Reads a receipt that holds under one of these keys. `of` names it in a refusal.
    pub fn read(of: &str, receipt: &[u8], vkeys: &[Vkey]) -> Result<Self, Refusal> {
        let refuse = |why: String| Code::Receipt.saying(format!("{of}: {why}"));
        let read = Receipt::parse(receipt).map_err(|error| refuse(error.to_string()))?;
        read.verify(vkeys).map_err(|error| refuse(in_full(&error)))?;
        let envelope = Envelope::parse(read.event_bytes()).map_err(|error| refuse(error.to_string()))?;
        let event = Event::from_envelope(envelope).map_err(|error| refuse(error.to_string()))?;
        Ok(Self {
            event,
            hash: Event::hash(read.event_bytes()),
            receipt_sha256: Hash::sha256(receipt),
            checkpoint: read.checkpoint().note().to_string(),
        })
    }

    /// How the papers cite it.
    pub fn cite(&self) -> Cite {
        Cite { hash: self.hash, seq: self.event.seq, kind: self.event.payload.type_name().to_owned() }
    }
}

fn in_full(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// An event as the papers name it; its receipt lies beside them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cite {
    /// Its place.
    pub seq: Seq,
    /// Its chain hash.
    pub hash: Hash,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
}

/// Events of one ledger, each once, by rising seq.
#[derive(Debug, Clone, Copy)]
pub struct Proofs<'a>(&'a [Proved]);

impl<'a> Proofs<'a> {
    /// Over events by rising seq; the error names one that is out of place.
    pub fn new(proved: &'a [Proved]) -> Result<Self, Refusal> {
        let misplaced = proved.windows(2).find(|pair| {
            pair[0].event.seq >= pair[1].event.seq || pair[0].event.origin != pair[1].event.origin
        });
        match misplaced {
            Some(pair) => Err(Code::Receipt.saying(format!(
                "event {} is no other event of the same ledger than the one before it",
                pair[1].event.seq
            ))),
            None => Ok(Self(proved)),
        }
    }

    /// All of them.
    pub fn all(self) -> &'a [Proved] {
        self.0
    }

    /// The last event that a choice lets pass, with what it takes from it.
    pub fn last<T>(self, choice: impl Fn(&'a Payload) -> Option<T>) -> Option<(&'a Proved, T)> {
        self.0.iter().rev().find_map(|proved| Some((proved, choice(&proved.event.payload)?)))
    }

    /// The event of a seq.
    pub fn at(self, seq: Seq) -> Option<&'a Proved> {
        self.0.iter().find(|proved| proved.event.seq == seq)
    }
}
