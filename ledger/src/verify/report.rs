//! What a verification found: for people, for scripts (JSON), and as an exit code.

use serde::{Serialize, Serializer};

use crate::encoding::Hash;
use crate::ids::Origin;
use crate::verify::{Failure, Layer, Place, Stopped};

/// What was verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// A bundle of a whole ledger.
    Ledger,
    /// A bundle of single events.
    Selection,
    /// One receipt.
    Receipt,
    /// One signed file.
    Artifact,
    /// An evidence pack.
    Pack,
    /// A trust root.
    TrustRoot,
}

/// The verdict as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Everything that was asked for holds.
    Valid,
    /// Something does not.
    Invalid,
    /// Nothing is wrong as far as it could be followed, and not everything could.
    CantJudge,
}

impl Verdict {
    /// The verifier's exit code: 0, 1 or 2.
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Valid => 0,
            Self::Invalid => 1,
            Self::CantJudge => 2,
        }
    }
}

/// Why nobody looked at a layer, or not to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotChecked {
    /// The user did not ask for it.
    NotAsked,
    /// What was given makes no claim about it.
    NotClaimed,
    /// The user pinned no key to begin with.
    NoPin,
    /// The file could not be read to its end.
    BrokenOff,
    /// Attestations of formats that this program does not know, so many of them.
    Attestations(u64),
    /// A layer below stopped it.
    Stopped(Stopped),
}

impl std::fmt::Display for NotChecked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotAsked => f.write_str("not asked for (--signatures)"),
            Self::NotClaimed => f.write_str("single events claim nothing about it"),
            Self::NoPin => f.write_str("no ledger key was pinned (--vkey)"),
            Self::BrokenOff => f.write_str("the file could not be read to its end"),
            Self::Attestations(count) => {
                write!(f, "attestations of formats that this program does not check: {count}; the rest holds")
            }
            Self::Stopped(Stopped::Below { seq }) => {
                write!(f, "stopped at event {seq}, where a layer below fails")
            }
            Self::Stopped(Stopped::RulesUnknown { seq, version }) => {
                write!(
                    f,
                    "from event {seq} on, rules version {version} governs, which this program does not know"
                )
            }
        }
    }
}

/// What is said of one layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LayerReport {
    /// It holds; what exactly was seen.
    Valid(String),
    /// It does not.
    Invalid(Failure),
    /// Nobody knows.
    NotChecked(NotChecked),
}

impl Serialize for LayerReport {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Json<'a> {
            verdict: &'static str,
            detail: String,
            #[serde(skip_serializing_if = "Option::is_none")]
            failure: Option<&'a Failure>,
        }
        match self {
            Self::Valid(detail) => Json { verdict: "valid", detail: detail.clone(), failure: None },
            Self::Invalid(failure) => {
                Json { verdict: "invalid", detail: failure.reason().to_owned(), failure: Some(failure) }
            }
            Self::NotChecked(why) => Json { verdict: "not_checked", detail: why.to_string(), failure: None },
        }
        .serialize(serializer)
    }
}

/// Whose ledger it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Founding {
    /// The digest that the founders signed, as the ledger records it.
    pub digest: Hash,
    /// Whether it is the one that the user pinned.
    pub pinned: bool,
}

/// One step of checking a signed file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// What was to be shown.
    pub claim: &'static str,
    /// Whether it holds; `None` where a step before it makes it pointless.
    pub holds: Option<bool>,
    /// What was seen.
    pub detail: String,
}

/// Fields that are, and are not, disclosed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(super) struct Disclosed {
    pub(super) shown: u64,
    pub(super) redacted: u64,
}

/// Signatures that were, and were not, checked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(super) struct Checked {
    pub(super) checked: u64,
    pub(super) not_checked: u64,
}

/// Everything that a verification found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    pub(super) subject: Subject,
    pub(super) origin: Option<Origin>,
    /// Events that were read.
    pub(super) events: u64,
    /// Size and root that the events have.
    pub(super) tree: Option<(u64, Hash)>,
    /// By [`Layer::ALL`].
    pub(super) layers: [LayerReport; 5],
    pub(super) founding: Option<Founding>,
    pub(super) disclosures: Option<Disclosed>,
    pub(super) signatures: Option<Checked>,
    /// Attestations, where roots were given.
    pub(super) attestations: Option<Checked>,
    pub(super) steps: Vec<Step>,
    pub(super) notes: Vec<String>,
}

impl Report {
    /// The verdict as a whole.
    pub fn verdict(&self) -> Verdict {
        let failed_step = self.steps.iter().any(|step| step.holds == Some(false));
        if failed_step || self.layers.iter().any(|layer| matches!(layer, LayerReport::Invalid(_))) {
            return Verdict::Invalid;
        }
        let open = self.layers.iter().any(|layer| match layer {
            LayerReport::NotChecked(why) => !matches!(why, NotChecked::NotAsked | NotChecked::NotClaimed),
            LayerReport::Valid(_) | LayerReport::Invalid(_) => false,
        });
        if open || self.steps.iter().any(|step| step.holds.is_none()) {
            Verdict::CantJudge
        } else {
            Verdict::Valid
        }
    }

    /// What was verified.
    pub fn subject(&self) -> Subject {
        self.subject
    }

    /// The ledger that the file says it is of.
    pub fn origin(&self) -> Option<&Origin> {
        self.origin.as_ref()
    }

    /// What is said of a layer.
    pub fn layer(&self, layer: Layer) -> &LayerReport {
        &self.layers[layer as usize]
    }

    /// The first failure: the earliest event's; where none lies at an event, that of the lowest layer.
    pub fn failure(&self) -> Option<&Failure> {
        let failures = || {
            self.layers.iter().filter_map(|layer| match layer {
                LayerReport::Invalid(failure) => Some(failure),
                LayerReport::Valid(_) | LayerReport::NotChecked(_) => None,
            })
        };
        let at_event = failures().filter(|failure| matches!(failure.place(), Place::Event { .. }));
        at_event.min_by_key(|failure| failure.seq()).or_else(|| failures().next())
    }

    /// The founding, where the rules were followed that far.
    pub fn founding(&self) -> Option<&Founding> {
        self.founding.as_ref()
    }

    /// The steps of checking a signed file; none for anything else.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// What the user should know beside the verdict.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }
}

/// The shape of `--json`, stable: members may be added, never changed.
impl Serialize for Report {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Layers<'a> {
            bytes: &'a LayerReport,
            chain: &'a LayerReport,
            seals: &'a LayerReport,
            rules: &'a LayerReport,
            signatures: &'a LayerReport,
        }
        #[derive(Serialize)]
        struct Json<'a> {
            v: u8,
            subject: Subject,
            verdict: Verdict,
            origin: Option<&'a Origin>,
            events: u64,
            root: Option<Hash>,
            layers: Layers<'a>,
            failure: Option<&'a Failure>,
            founding: Option<&'a Founding>,
            disclosures: Option<Disclosed>,
            signatures: Option<Checked>,
            #[serde(skip_serializing_if = "Option::is_none")]
            attestations: Option<Checked>,
            steps: &'a [Step],
            notes: &'a [String],
        }
        let [bytes, chain, seals, rules, signatures] = &self.layers;
        Json {
            v: 1,
            subject: self.subject,
            verdict: self.verdict(),
            origin: self.origin.as_ref(),
            events: self.events,
            root: self.tree.map(|(_, root)| root),
            layers: Layers { bytes, chain, seals, rules, signatures },
            failure: self.failure(),
            founding: self.founding.as_ref(),
            disclosures: self.disclosures,
            signatures: self.signatures,
            attestations: self.attestations,
            steps: &self.steps,
            notes: &self.notes,
        }
        .serialize(serializer)
    }
}
