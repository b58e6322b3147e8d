//! Seals: which ledger key is in force at which size, whether the user's trust reaches it, and whether the roots that
//! were signed are those of the events (ledger format §5).

use std::collections::BTreeMap;

use crate::checkpoint::{CheckpointError, SignedCheckpoint};
use crate::encoding::Hash;
use crate::event::Envelope;
use crate::ids::Origin;
use crate::merkle::Frontier;
use crate::note::Vkey;
use crate::payload::NextVkey;
use crate::verify::{Failure, Layer, Place};

/// An event that brings a ledger key. Read apart from the rules, so that seals can be judged where rules can't.
#[derive(Debug, Clone)]
pub(super) enum KeyEvent {
    /// `ledger.opened`.
    Opened(KeyText),
    /// `ledger.key_rotated`: the old key hands over.
    Rotated(KeyText),
    /// `ledger.key_recovered`: the standby takes over.
    Recovered(KeyText),
}

/// The key that an event brings, if its data says so in words that can be read.
#[derive(Debug, Clone)]
pub(super) struct KeyText(Option<(Vkey, NextVkey)>);

impl KeyEvent {
    pub(super) fn of(envelope: &Envelope<'_>) -> Option<Self> {
        let read = || {
            let members = envelope.data.members();
            let text = |name| members.get(name).and_then(|value| value.as_str());
            let vkey = text("vkey")?.parse::<Vkey>().ok().filter(|key| *key.origin() == envelope.origin)?;
            Some((vkey, text("next_vkey_digest")?.parse().ok()?))
        };
        match envelope.type_name.as_str() {
            "ledger.opened" => Some(Self::Opened(KeyText(read()))),
            "ledger.key_rotated" => Some(Self::Rotated(KeyText(read()))),
            "ledger.key_recovered" => Some(Self::Recovered(KeyText(read()))),
            _ => None,
        }
    }
}

/// A ledger key and how far it is to be believed.
#[derive(Debug, Clone)]
struct Reign {
    /// The key; `None` where no event said which, so that only pinned keys count.
    vkey: Option<Vkey>,
    next: NextVkey,
    /// Sizes beyond this one are sealed by it.
    since: u64,
    trusted: bool,
    /// A size at which it sealed the event that brought it: what a recovery needs.
    sealed: Option<u64>,
}

/// The seals of one bundle, judged while its events pass by.
#[derive(Debug)]
pub(super) struct Seals<'a> {
    origin: Origin,
    pinned: &'a [Vkey],
    known: Option<&'a SignedCheckpoint>,
    transitions: BTreeMap<u64, SignedCheckpoint>,
    reign: Reign,
    /// The keys of both sides, while the ledger stands exactly at a handover.
    handover: Option<(Option<Vkey>, Vkey)>,
    /// Why trust was lost, where it was.
    lost: Option<Failure>,
    /// The largest size whose signed root was the events' own.
    verified: u64,
    followed: u64,
    failure: Option<Failure>,
}

/// What the seals layer has to say in the end.
#[derive(Debug, Clone)]
pub(super) struct Sealed {
    pub(super) signer: Option<Vkey>,
    /// How many changes of the key were followed by signatures alone.
    pub(super) followed: u64,
}

impl<'a> Seals<'a> {
    pub(super) fn new(
        origin: Origin,
        pinned: &'a [Vkey],
        known: Option<&'a SignedCheckpoint>,
        transitions: BTreeMap<u64, SignedCheckpoint>,
    ) -> Self {
        // Before any event says which key it is, only what the user pinned can have signed.
        let reign = Reign { vkey: None, next: NextVkey::None, since: 0, trusted: true, sealed: None };
        let mut seals = Self {
            origin,
            pinned,
            known,
            transitions,
            reign,
            handover: None,
            lost: None,
            verified: 0,
            followed: 0,
            failure: None,
        };
        seals.check_pins();
        seals
    }

    fn check_pins(&mut self) {
        if let Some(known) = self.known
            && known.checkpoint().origin != self.origin
        {
            let reason = format!("the known checkpoint is of ledger {}", known.checkpoint().origin);
            self.fail(Place::Whole, "seals.known_origin", reason);
        }
        if let Some(known) = self.known
            && known.checkpoint().size == 0
        {
            self.compare(known.checkpoint().root, &Frontier::new(), "seals.known_root");
        }
        if let Some(other) = self.transitions.values().find(|t| t.checkpoint().origin != self.origin) {
            let reason = format!("a transition checkpoint is of ledger {}", other.checkpoint().origin);
            self.fail(Place::Whole, "seals.transition_origin", reason);
        }
    }

    fn fail(&mut self, place: Place, rule: &'static str, reason: impl std::fmt::Display) {
        if self.failure.is_none() {
            self.failure = Some(Failure::new(Layer::Seals, place, rule, reason));
        }
    }

    fn fail_signature(&mut self, place: Place, error: &CheckpointError) {
        if self.failure.is_none() {
            self.failure = Some(Failure::of_error(Layer::Seals, place, error.code(), error));
        }
    }

    /// Judges what is to be judged after the event at `frontier.size() - 1`.
    pub(super) fn after_event(&mut self, key: Option<KeyEvent>, frontier: &Frontier) {
        if self.failure.is_some() {
            return;
        }
        let size = frontier.size();
        self.handover = None;
        if let Some(known) = self.known
            && known.checkpoint().size == size
        {
            self.compare(known.checkpoint().root, frontier, "seals.known_root");
        }
        let transition = self.transitions.remove(&size);
        if let Some(transition) = &transition {
            self.compare(transition.checkpoint().root, frontier, "seals.transition_root");
        }
        match key {
            Some(KeyEvent::Opened(key)) if size == 1 => {
                self.open(key);
                self.seal_within(size, transition.as_ref());
            }
            Some(KeyEvent::Rotated(key)) => self.rotate(key, size, transition.as_ref()),
            Some(KeyEvent::Recovered(key)) => self.recover(key, size, transition.as_ref()),
            // The rules refuse a second opening; it brings no key.
            Some(KeyEvent::Opened(_)) | None => self.seal_within(size, transition.as_ref()),
        }
    }

    /// A signed root must be that of the events.
    fn compare(&mut self, root: Hash, frontier: &Frontier, rule: &'static str) {
        let size = frontier.size();
        if root == frontier.root() {
            self.verified = size;
            return;
        }
        let place = Place::Range { from: self.verified, to: size.saturating_sub(1) };
        let reason = format!("the events are not those that were sealed at size {size}");
        self.fail(place, rule, reason);
    }

    fn open(&mut self, key: KeyText) {
        let place = Place::Event { seq: 0, type_name: Some("ledger.opened".to_owned()) };
        let Some((vkey, next)) = key.0 else {
            return self.fail(place, "seals.vkey", "it names no ledger key of this ledger");
        };
        let trusted = self.pinned.contains(&vkey);
        if !trusted {
            let reason = "the ledger was opened under a key that is not pinned, and no signature of a pinned key \
                          leads to the one in force";
            self.lost = Some(Failure::new(Layer::Seals, place, "seals.untrusted", reason));
        }
        self.reign = Reign { vkey: Some(vkey), next, since: 0, trusted, sealed: None };
    }

    /// Both keys sign the root right after the rotation; only then does trust go over.
    fn rotate(&mut self, key: KeyText, size: u64, transition: Option<&SignedCheckpoint>) {
        let place = Place::Event { seq: size - 1, type_name: Some("ledger.key_rotated".to_owned()) };
        let Some((new, next)) = key.0 else {
            return self.fail(place, "seals.vkey", "it names no ledger key of this ledger");
        };
        let Some(transition) = transition else {
            let reason = format!("there is no transitions/{size}, by which the old key hands over");
            return self.fail(place, "seals.transition_missing", reason);
        };
        let old = self.reign.vkey.clone();
        if let Err(error) = self.verify_handover(transition, old.as_ref(), &new) {
            return self.fail_signature(place, &error);
        }
        self.follow(new.clone(), next, size, self.reign.trusted, place);
        self.handover = Some((old, new));
    }

    /// The standby takes over if the old key had sealed its digest. The old key can't sign any more.
    fn recover(&mut self, key: KeyText, size: u64, transition: Option<&SignedCheckpoint>) {
        let place = Place::Event { seq: size - 1, type_name: Some("ledger.key_recovered".to_owned()) };
        let Some((new, next)) = key.0 else {
            return self.fail(place, "seals.vkey", "it names no ledger key of this ledger");
        };
        let Some(transition) = transition else {
            let reason = format!("there is no transitions/{size}, by which the standby takes over");
            return self.fail(place, "seals.transition_missing", reason);
        };
        if let Err(error) = transition.verify(&new) {
            return self.fail_signature(place, &error);
        }
        let promised = self.reign.next == NextVkey::Digest(new.digest());
        let followed = self.reign.trusted && promised && self.reign.sealed.is_some();
        self.follow(new, next, size, followed, place);
    }

    fn follow(&mut self, vkey: Vkey, next: NextVkey, size: u64, followed: bool, place: Place) {
        let pinned = self.pinned.contains(&vkey);
        if pinned {
            // A later pinned key covers all earlier events.
            self.lost = None;
        } else if followed {
            self.followed += 1;
        } else if self.lost.is_none() {
            let reason = "the key before did not seal the digest of this one, and this one is not pinned";
            self.lost = Some(Failure::new(Layer::Seals, place, "seals.untrusted", reason));
        }
        let trusted = pinned || followed;
        self.reign = Reign { vkey: Some(vkey), next, since: size - 1, trusted, sealed: Some(size) };
    }

    /// A checkpoint between two changes of the key, such as the last one that a lost key has signed.
    fn seal_within(&mut self, size: u64, checkpoint: Option<&SignedCheckpoint>) {
        let Some(checkpoint) = checkpoint else { return };
        match self.verify_in_force(checkpoint) {
            Ok(()) if size > self.reign.since => self.reign.sealed = Some(size),
            Ok(()) => {}
            Err(error) => {
                let place = Place::Event { seq: size - 1, type_name: None };
                self.fail_signature(place, &error);
            }
        }
    }

    fn verify_handover(
        &self,
        checkpoint: &SignedCheckpoint,
        old: Option<&Vkey>,
        new: &Vkey,
    ) -> Result<(), CheckpointError> {
        match old {
            Some(old) => checkpoint.verify_transition(old, new),
            None => {
                let others: Vec<Vkey> = self.pinned.iter().filter(|key| *key != new).cloned().collect();
                signed_by_one_of(checkpoint, &others)?;
                checkpoint.verify(new)
            }
        }
    }

    fn verify_in_force(&self, checkpoint: &SignedCheckpoint) -> Result<(), CheckpointError> {
        match &self.reign.vkey {
            Some(vkey) => checkpoint.verify(vkey),
            None => signed_by_one_of(checkpoint, self.pinned),
        }
    }

    /// Judges the checkpoint over all events, after the last of them; `None` where not all were read.
    pub(super) fn finish(
        mut self,
        checkpoint: &SignedCheckpoint,
        frontier: &Frontier,
        complete: bool,
    ) -> Result<Option<Sealed>, Failure> {
        if complete && self.failure.is_none() {
            self.check_end(checkpoint, frontier);
        }
        match self.failure {
            Some(failure) => Err(failure),
            None if complete => Ok(Some(Sealed { signer: self.reign.vkey, followed: self.followed })),
            None => Ok(None),
        }
    }

    fn check_end(&mut self, checkpoint: &SignedCheckpoint, frontier: &Frontier) {
        let (sealed, size) = (checkpoint.checkpoint(), frontier.size());
        if sealed.size != size {
            let reason = format!("the checkpoint is of {} events, the bundle holds {size}", sealed.size);
            // Whether events are missing, or there are some that nobody sealed: not before the last good root.
            let from = self.verified.min(sealed.size).min(size);
            let place = Place::Range { from, to: sealed.size.max(size) - 1 };
            return self.fail(place, "seals.size", reason);
        }
        if let Some(beyond) = self.transitions.keys().next_back() {
            let reason = format!("there is a transitions/{beyond}, and the bundle holds {size} events");
            return self.fail(Place::Whole, "seals.transition_beyond", reason);
        }
        if let Some(known) = self.known
            && known.checkpoint().size > size
        {
            let reason = format!(
                "the known checkpoint is of {} events, the bundle ends after {size}: its tail was cut off",
                known.checkpoint().size
            );
            let missing = Place::Range { from: size, to: known.checkpoint().size - 1 };
            return self.fail(missing, "seals.known_larger", reason);
        }
        let verified = match &self.handover {
            Some((old, new)) => self.verify_handover(checkpoint, old.as_ref(), new),
            None => self.verify_in_force(checkpoint),
        };
        if let Err(error) = verified {
            return self.fail_signature(Place::Whole, &error);
        }
        self.compare(sealed.root, frontier, "seals.root");
        if !self.reign.trusted && self.failure.is_none() {
            self.failure = self.lost.take();
        }
    }
}

/// At least one of these keys signed.
fn signed_by_one_of(checkpoint: &SignedCheckpoint, keys: &[Vkey]) -> Result<(), CheckpointError> {
    let mut refused = None;
    for key in keys {
        match checkpoint.verify(key) {
            Ok(()) => return Ok(()),
            Err(error) => refused = Some(error),
        }
    }
    Err(refused.unwrap_or(CheckpointError::SameKey))
}
