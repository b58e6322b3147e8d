//! Event after event: bytes, chain and rules, and the tree over them.

use crate::encoding::Hash;
use crate::event::{ContentError, Event};
use crate::ids::Origin;
use crate::merkle::Frontier;
use crate::rule::Rule;
use crate::state::{Prechecked, State, is_offered};
use crate::verify::read::{Link, Read, Seen, Sound};
use crate::verify::{Failure, Layer, Place};

/// Why a layer was not followed to the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stopped {
    /// A layer that it builds on failed at this event.
    Below {
        /// The event's place.
        seq: u64,
    },
    /// The rules version that governs from this event on is not known here.
    RulesUnknown {
        /// The event's place.
        seq: u64,
        /// The version.
        version: u64,
    },
}

/// How a layer stands after the events so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LayerState {
    /// Every event passed.
    Sound,
    /// The first event that did not.
    Failed(Failure),
    /// Nobody looked any further.
    Stopped(Stopped),
}

impl LayerState {
    /// Whether every event so far passed.
    pub fn is_sound(&self) -> bool {
        *self == Self::Sound
    }

    fn stop(&mut self, stopped: Stopped) {
        if self.is_sound() {
            *self = Self::Stopped(stopped);
        }
    }
}

/// An event that passed.
#[derive(Debug, Clone)]
pub struct Pushed {
    /// The event.
    pub event: Event,
    /// Its own hash, which the next one's `prev` repeats.
    pub hash: Hash,
}

/// Why a verifier can't go on from a saved state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the state is of {state} events, the tree of {tree}")]
pub struct ResumeError {
    /// Events that the state has seen.
    pub state: u64,
    /// Leaves of the tree.
    pub tree: u64,
}

impl ResumeError {
    /// The stable code of this error.
    pub const fn code(&self) -> &'static str {
        "verify.resume"
    }
}

/// Checks a ledger's events in their order: bytes, chain, rules; and grows the tree that seals are compared with.
///
/// Memory is that of the folded [`State`] and the tree's right edge; neither grows with signatures.
#[derive(Debug, Clone)]
pub struct Verifier {
    state: State,
    frontier: Frontier,
    head: Hash,
    prechecked: Prechecked,
    /// Set once an event adopted rules that are not known here.
    adopted: Option<u64>,
    bytes: LayerState,
    chain: LayerState,
    rules: LayerState,
}

/// Everything that could be learned from one event's bytes, whether or not it passed.
pub(super) struct Examined {
    /// What the other layers need of the envelope, if it is a sound one.
    pub(super) seen: Option<Seen>,
    /// The event, if all three layers passed.
    pub(super) passed: Option<Pushed>,
}

impl Verifier {
    /// Begins before the first event.
    pub fn new(origin: Origin) -> Self {
        Self::begin(State::new(origin), Frontier::new())
    }

    /// Goes on after events that this verifier, or one like it, has passed before.
    pub fn resume(state: State, frontier: Frontier) -> Result<Self, ResumeError> {
        if state.size() != frontier.size() {
            return Err(ResumeError { state: state.size(), tree: frontier.size() });
        }
        Ok(Self::begin(state, frontier))
    }

    fn begin(state: State, frontier: Frontier) -> Self {
        Self {
            head: state.head(),
            state,
            frontier,
            prechecked: Prechecked::default(),
            adopted: None,
            bytes: LayerState::Sound,
            chain: LayerState::Sound,
            rules: LayerState::Sound,
        }
    }

    /// Takes the next event's exact bytes.
    ///
    /// An error is the first failure of the earliest layer; every call after it returns that failure again, so that
    /// nothing can be sealed past it. An unknown rules version is a failure here, with the rule `rules.unknown`.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Pushed, Failure> {
        self.push_read(Read::from_bytes(bytes))
    }

    /// The same for an event whose bytes were read before, perhaps by another thread.
    pub fn push_read(&mut self, read: Read) -> Result<Pushed, Failure> {
        let examined = self.examine(read);
        match (self.failure(), examined.passed) {
            (None, Some(pushed)) => Ok(pushed),
            (Some(failure), _) => Err(failure),
            (None, None) => Err(self.rules_unknown()),
        }
    }

    /// How many events were taken.
    pub fn size(&self) -> u64 {
        self.frontier.size()
    }

    /// The RFC 6962 root over all bytes that were taken.
    pub fn root(&self) -> Hash {
        self.frontier.root()
    }

    /// The tree's right edge, from which another verifier may [`resume`](Self::resume).
    pub fn frontier(&self) -> &Frontier {
        &self.frontier
    }

    /// The fold of the events that passed.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// How a layer stands; seals and signatures are nothing that this verifier looks at, and are always sound.
    pub fn layer(&self, layer: Layer) -> &LayerState {
        match layer {
            Layer::Bytes => &self.bytes,
            Layer::Chain => &self.chain,
            Layer::Rules => &self.rules,
            Layer::Seals | Layer::Signatures => &LayerState::Sound,
        }
    }

    fn failure(&self) -> Option<Failure> {
        [&self.bytes, &self.chain, &self.rules].into_iter().find_map(|layer| match layer {
            LayerState::Failed(failure) => Some(failure.clone()),
            LayerState::Sound | LayerState::Stopped(_) => None,
        })
    }

    fn rules_unknown(&self) -> Failure {
        let seq = match self.rules {
            LayerState::Stopped(Stopped::RulesUnknown { seq, .. } | Stopped::Below { seq }) => seq,
            LayerState::Sound | LayerState::Failed(_) => self.size().saturating_sub(1),
        };
        let place = Place::Event { seq, type_name: None };
        Failure::new(Layer::Rules, place, Rule::RulesUnknown.code(), Rule::RulesUnknown.sentence())
    }

    /// Takes the next event and goes on whatever comes, as far as the layers make sense.
    pub(super) fn examine(&mut self, read: Read) -> Examined {
        let seq = self.frontier.size();
        self.frontier.append(read.leaf);
        let Sound { seen, link, event, rules } = match read.content {
            Ok(sound) => *sound,
            Err(error) => {
                if self.bytes.is_sound() {
                    let place = Place::Event { seq, type_name: None };
                    let failure = Failure::of_error(Layer::Bytes, place, error.code(), &error);
                    self.bytes = LayerState::Failed(failure);
                }
                self.chain.stop(Stopped::Below { seq });
                self.rules.stop(Stopped::Below { seq });
                return Examined { seen: None, passed: None };
            }
        };
        self.follow_chain(seq, &link, &seen.type_name, read.hash);
        let passed = if self.rules.is_sound() {
            self.follow_rules(seq, &seen.type_name, event, rules, read.hash)
        } else {
            None
        };
        Examined { seen: Some(seen), passed }
    }

    fn follow_chain(&mut self, seq: u64, link: &Link, type_name: &str, hash: Hash) {
        if !self.chain.is_sound() {
            return;
        }
        let broken = if link.origin != *self.state.origin() {
            Some(("chain.origin", format!("it belongs to ledger {}", link.origin)))
        } else if link.seq.get() != seq {
            let reason = format!(
                "it calls itself event {}: events were dropped, repeated, moved or inserted",
                link.seq
            );
            Some(("chain.seq", reason))
        } else if link.prev != self.head {
            let reason = match seq {
                0 => "the first event's `prev` is not 64 zeros".to_owned(),
                _ => format!(
                    "`prev` is not the hash of event {}: one of the two is not what was recorded",
                    seq - 1
                ),
            };
            Some(("chain.prev", reason))
        } else {
            None
        };
        self.head = hash;
        if let Some((rule, reason)) = broken {
            let place = Place::Event { seq, type_name: Some(type_name.to_owned()) };
            self.chain = LayerState::Failed(Failure::new(Layer::Chain, place, rule, reason));
            self.rules.stop(Stopped::Below { seq });
        }
    }

    fn follow_rules(
        &mut self,
        seq: u64,
        type_name: &str,
        event: Result<Event, ContentError>,
        rules: Option<u64>,
        hash: Hash,
    ) -> Option<Pushed> {
        let unknown = rules.filter(|&rules| seq == 0 && !is_offered(rules));
        if let Some(version) = self.adopted.or(unknown) {
            self.rules.stop(Stopped::RulesUnknown { seq, version });
            return None;
        }
        let judged = event.map_err(|error| (error.rule(), error.to_string())).and_then(|event| {
            let judged = self.state.judge(&event, &self.prechecked);
            judged.map(|()| event).map_err(|rule| (rule.code(), rule.sentence().to_owned()))
        });
        match judged {
            Ok(event) => {
                if let crate::payload::Payload::LedgerRulesAdopted(adopted) = &event.payload {
                    self.adopted = Some(adopted.rules).filter(|&rules| !is_offered(rules));
                }
                self.state.apply(&event, hash);
                Some(Pushed { event, hash })
            }
            Err((rule, reason)) => {
                let place = Place::Event { seq, type_name: Some(type_name.to_owned()) };
                self.rules = LayerState::Failed(Failure::new(Layer::Rules, place, rule, reason));
                None
            }
        }
    }

    /// A failure that the rules themselves don't know: something that the user pinned is not what was recorded.
    pub(super) fn fail_rules(&mut self, failure: Failure) {
        if self.rules.is_sound() {
            self.rules = LayerState::Failed(failure);
        }
    }
}
