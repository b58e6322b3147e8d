//! What is wrong, and where.

use std::fmt;

use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};

use crate::ids::Seq;

/// A layer of the verdict, in the order that they build on each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Layer {
    /// Canonical bytes and a sound envelope.
    Bytes,
    /// Origin, place and the hash of the event before.
    Chain,
    /// Checkpoints and the keys behind them.
    Seals,
    /// What state and policy allow.
    Rules,
    /// The signatures that were released.
    Signatures,
}

impl Layer {
    /// Every layer.
    pub const ALL: [Self; 5] = [Self::Bytes, Self::Chain, Self::Seals, Self::Rules, Self::Signatures];

    /// The layer's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bytes => "bytes",
            Self::Chain => "chain",
            Self::Seals => "seals",
            Self::Rules => "rules",
            Self::Signatures => "signatures",
        }
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Where a failure lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// At one event.
    Event {
        /// Its place in the ledger, counted from 0.
        seq: u64,
        /// Its type, where that could be read.
        type_name: Option<String>,
    },
    /// Somewhere in a range: a signed root differs, and no checkpoint within tells where; or the range is missing.
    Range {
        /// The first event that may differ, or that is missing.
        from: u64,
        /// The last one.
        to: u64,
    },
    /// At no event.
    Whole,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Event { seq, type_name: Some(name) } => write!(f, "event {seq} ({name})"),
            Self::Event { seq, type_name: None } => write!(f, "event {seq}"),
            Self::Range { from, to } if from == to => write!(f, "event {from}"),
            Self::Range { from, to } => write!(f, "events {from} to {to}"),
            Self::Whole => f.write_str("the whole"),
        }
    }
}

/// The first thing that is wrong in a layer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{layer}, {place}: {reason} ({rule})")]
pub struct Failure {
    layer: Layer,
    place: Place,
    rule: &'static str,
    reason: String,
}

impl Failure {
    pub(super) fn new(layer: Layer, place: Place, rule: &'static str, reason: impl fmt::Display) -> Self {
        Self { layer, place, rule, reason: reason.to_string() }
    }

    /// With the reasons behind the error spelled out, for sources don't travel in a report.
    pub(super) fn of_error(
        layer: Layer,
        place: Place,
        rule: &'static str,
        error: &dyn std::error::Error,
    ) -> Self {
        let mut reason = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            let cause_text = cause.to_string();
            if !reason.contains(&cause_text) {
                reason = format!("{reason}: {cause_text}");
            }
            source = cause.source();
        }
        Self { layer, place, rule, reason }
    }

    /// The layer.
    pub fn layer(&self) -> Layer {
        self.layer
    }

    /// Where it lies.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// The stable code of the rule that was broken.
    pub fn rule(&self) -> &'static str {
        self.rule
    }

    /// What was expected, as a sentence or its beginning.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// The event that it lies at, where it is one.
    pub fn seq(&self) -> Option<Seq> {
        match self.place {
            Place::Event { seq, .. } => Seq::new(seq),
            Place::Range { .. } | Place::Whole => None,
        }
    }
}

impl Serialize for Failure {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("layer", &self.layer)?;
        match &self.place {
            Place::Event { seq, type_name } => {
                map.serialize_entry("seq", seq)?;
                if let Some(name) = type_name {
                    map.serialize_entry("type", name)?;
                }
            }
            Place::Range { from, to } => {
                map.serialize_entry("from", from)?;
                map.serialize_entry("to", to)?;
            }
            Place::Whole => {}
        }
        map.serialize_entry("rule", self.rule)?;
        map.serialize_entry("reason", &self.reason)?;
        map.end()
    }
}
