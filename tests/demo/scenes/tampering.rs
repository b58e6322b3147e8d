//! Copies of the export that somebody has tampered with, as cleverly as can be without the keys.

use std::path::PathBuf;

use serde_json::Value;

use crate::failure::Failure;
use crate::scenes::exporting::{CHECKPOINT, EXPORT, Export, pins};
use crate::stage::{Stage, text};

/// What somebody does to a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tampering {
    /// One bit of one event differs.
    FlippedBit,
    /// A suspension never happened.
    DroppedEvent,
    /// Another digest was recorded as evidence, and every later link is recomputed: only the root differs.
    ForgedEvent,
    /// Everything after the rotation of the ledger key never happened: an older, genuine checkpoint vouches for what is left.
    CutTail,
}

/// A copy that was rejected.
#[derive(Debug)]
pub(crate) struct Rejection {
    /// What was done to it.
    pub(crate) tampering: Tampering,
    /// Where the verifier saw it first.
    pub(crate) place: String,
    layer: String,
    reason: String,
}

impl Rejection {
    /// The place without its details.
    pub(crate) fn short_place(&self) -> &str {
        self.place.split(" (").next().unwrap_or(&self.place)
    }

    /// Place and reason.
    pub(crate) fn told(&self) -> String {
        format!("{}, {}: {}", self.layer, self.place, self.reason)
    }
}

impl Tampering {
    /// In the order of the story.
    pub(crate) const ALL: [Self; 4] =
        [Self::FlippedBit, Self::DroppedEvent, Self::ForgedEvent, Self::CutTail];

    /// What is going on, while it does.
    pub(crate) const fn doing(self) -> &'static str {
        match self {
            Self::FlippedBit => "flipping a bit",
            Self::DroppedEvent => "dropping an event",
            Self::ForgedEvent => "forging an event",
            Self::CutTail => "cutting the tail",
        }
    }

    /// The copy in `target/demo/`.
    pub(crate) const fn file(self) -> &'static str {
        match self {
            Self::FlippedBit => "tampered/bit.tar",
            Self::DroppedEvent => "tampered/dropped.tar",
            Self::ForgedEvent => "tampered/forged.tar",
            Self::CutTail => "tampered/cut.tar",
        }
    }

    /// The copy in words.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::FlippedBit => "Copy with one bit flipped",
            Self::DroppedEvent => "Copy with an event dropped",
            Self::ForgedEvent => "Copy with an event forged",
            Self::CutTail => "Copy with its tail cut off",
        }
    }

    /// What the verifier is told beside the pins.
    pub(crate) const fn needs_known_checkpoint(self) -> bool {
        matches!(self, Self::CutTail)
    }

    /// Makes the copy and has it rejected.
    pub(crate) fn show(self, stage: &Stage, export: &Export) -> Result<(String, Rejection), Failure> {
        let copy = stage.place().public(self.file());
        match self {
            Self::FlippedBit => {
                let original = stage.place().public(EXPORT);
                export.bundle.write_with_flipped_bit(&original, &copy, "signature.created", "digest")?;
            }
            Self::DroppedEvent => export.bundle.without("slot.suspended")?.write(&copy)?,
            Self::ForgedEvent => export.bundle.with_forged_digest("evidence.recorded")?.write(&copy)?,
            Self::CutTail => {
                export.bundle.cut_at_handover()?.write(&copy)?;
                // Alone it can't be told from an older export: this is what a remembered checkpoint is for.
                stage.verify([copy.clone(), "--signatures".into()].into_iter().chain(pins(stage)), 0)?;
            }
        }
        let mut arguments = vec![copy, "--signatures".into()];
        arguments.extend(pins(stage));
        if self.needs_known_checkpoint() {
            arguments.extend([PathBuf::from("--known"), stage.place().public(CHECKPOINT)]);
        }
        let report = stage.verify(arguments, 1)?;
        let rejection = self.rejection(&report)?;
        Ok((format!("{}: rejected", self.sentence()), rejection))
    }

    const fn sentence(self) -> &'static str {
        match self {
            Self::FlippedBit => "a copy with one flipped bit",
            Self::DroppedEvent => "a copy without the suspension",
            Self::ForgedEvent => "a copy with other evidence, every later link recomputed",
            Self::CutTail => "a copy that ends early, against the newer checkpoint",
        }
    }

    fn rejection(self, report: &Value) -> Result<Rejection, Failure> {
        let failure = report.get("failure").unwrap_or(&Value::Null);
        let layer = text(failure, "layer")?;
        // Whoever recomputes every link is caught by the seal alone.
        let sound = |layer: &str| report["layers"][layer]["verdict"] == "valid";
        if self == Self::ForgedEvent
            && !(layer == "seals" && sound("bytes") && sound("chain") && sound("rules"))
        {
            return Err(Failure::Unexpected(format!("the forgery differs in more than its root: {report}")));
        }
        let at = |name: &str| failure.get(name).and_then(Value::as_u64);
        let place = match (at("seq"), at("from"), at("to")) {
            (Some(seq), _, _) => match failure.get("type").and_then(Value::as_str) {
                Some(kind) => format!("event {seq} ({kind})"),
                None => format!("event {seq}"),
            },
            (None, Some(from), Some(to)) => format!("events {from} to {to}"),
            _ => "the whole ledger".to_owned(),
        };
        Ok(Rejection { tampering: self, place, layer, reason: text(failure, "reason")? })
    }
}
