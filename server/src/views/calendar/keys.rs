//! Keys of slots and their certificates.

use sealbook_ledger::action::{ActionType, Params};
use sealbook_ledger::ids::SlotName;
use sealbook_ledger::policy::Proposer;
use sealbook_ledger::rotation::{Rotation, RotationStep};
use sealbook_ledger::slot::{KeyState, Slot};
use sealbook_ledger::timestamp::Timestamp;

use super::{Desk, Entry, Kind, NEAR_DAYS, State, day, days_before, every, interval_blocker, unnamed};

impl Desk<'_> {
    /// The key that a slot signs with; none where there is none, it is revoked and nothing comes of it any more, or it is for
    /// drills alone.
    pub(super) fn key(&self, name: &SlotName, slot: &Slot) -> Option<Entry> {
        let key = slot.active.filter(|_| !slot.drill)?;
        let due_at = self.founded.due_at(key)?;
        let near = days_before(due_at, slot.rotation.propose_days);
        let rotation = self.rotations.get(name).copied();
        let proposal = self.proposal(|params| match params {
            Params::KeyRotate(p) | Params::KeyRotateEmergency(p) => p.slot == *name,
            _ => false,
        });
        // A rotation whose overlap is over waits for somebody: it is under way to nothing until they come.
        let goes_on = rotation.is_some_and(|(_, rotation)| self.waited_for(rotation).is_empty());
        let state = self.state(due_at, near, proposal.is_some(), goes_on);
        let kind = if slot.rotation.is_issuing() { Kind::CaKey } else { Kind::SlotKey };
        Some(Entry {
            kind,
            subject: name.to_string(),
            key: Some(key),
            due_at,
            propose_from: self.server_proposes().then_some(near),
            state,
            action: rotation.map(|(id, _)| id).or(proposal),
            sentence: self.said_of_key(
                name,
                slot,
                (due_at, near),
                state,
                rotation.map(|(_, rotation)| rotation),
            ),
            blockers: self.key_blockers(name, slot),
        })
    }

    fn said_of_key(
        &self,
        name: &SlotName,
        slot: &Slot,
        (due_at, near): (Timestamp, Timestamp),
        state: State,
        rotation: Option<&Rotation>,
    ) -> String {
        let interval = self.founded.rotation_interval(slot);
        match (state, rotation) {
            (State::Overdue, under_way) => {
                let stops = if slot.rotation.is_issuing() || !self.is_ageing() {
                    "It is to be replaced."
                } else {
                    "The slot signs nothing until another key takes its place."
                };
                let late = format!(
                    "The key of {name} was to be replaced by {}, {} ago. {stops}",
                    day(due_at),
                    self.until(due_at)
                );
                if under_way.is_some() { format!("{late} A rotation is under way.") } else { late }
            }
            (_, Some(rotation)) => match rotation.step {
                RotationStep::CutOver { overlap_ends_at, .. } => format!(
                    "This key has taken over {name}; the one before it stays beside it until {} at least.",
                    day(overlap_ends_at)
                ),
                _ => format!("Another key for {name} is being made and tried."),
            },
            (State::Proposed, None) => format!("Another key for {name} is proposed and waits for people."),
            (State::Soon, None) => {
                format!("The key of {name} is to be replaced within {}.", self.until(due_at))
            }
            (State::Fine | State::Rotating, None) if self.server_proposes() => format!(
                "The key of {name} is replaced {}; the server proposes it from {} on.",
                every(interval),
                day(near)
            ),
            (State::Fine | State::Rotating, None) => {
                format!("The key of {name} is replaced {}.", every(interval))
            }
        }
    }

    fn key_blockers(&self, name: &SlotName, slot: &Slot) -> Vec<String> {
        let mut blockers: Vec<String> = interval_blocker(self.founded, name, slot).into_iter().collect();
        blockers.extend(self.rotations.get(name).iter().flat_map(|(_, rotation)| self.waited_for(rotation)));
        if slot.suspension.is_some_and(|suspension| suspension.holds(self.at)) {
            blockers.push("The slot is suspended: no rotation of it begins, but for break-glass.".to_owned());
        }
        if !self.is_ageing() {
            blockers.push("The rules in force are of version 1, which knows no rotations.".to_owned());
        } else if !self.names(ActionType::KeyRotate) {
            blockers.push(unnamed());
        } else if !self.server_proposes() {
            blockers.push(
                "The ledger policy does not let the server propose rotations: somebody has to.".to_owned(),
            );
        }
        blockers
    }

    /// What a rotation whose overlap is over still waits for: no other of its slot begins before.
    fn waited_for(&self, rotation: &Rotation) -> Vec<String> {
        let RotationStep::CutOver { overlap_ends_at, .. } = rotation.step else { return Vec::new() };
        if self.at < overlap_ends_at {
            return Vec::new();
        }
        let bars = self.founded.completion_bars(rotation, self.at).into_iter();
        let since = day(overlap_ends_at);
        bars.map(|bar| {
            format!("The overlap is over since {since}, and the old key is not retired: {}", bar.sentence())
        })
        .collect()
    }

    /// Whether the server may propose rotations.
    fn server_proposes(&self) -> bool {
        let rule = self.founded.policy().actions.get(&ActionType::KeyRotate);
        rule.is_some_and(|rule| rule.proposers.contains(&Proposer::System))
    }

    /// The certificates of keys that sign. Those of retired keys end where they end.
    pub(super) fn certificates(&self) -> impl Iterator<Item = Entry> {
        self.founded.issuances().iter().filter_map(|(id, issuance)| {
            let key = self.founded.keys().get(&issuance.key)?;
            let signs = matches!(key.state, KeyState::Active { .. } | KeyState::Retiring { .. });
            let issued = issuance.active().filter(|_| signs && key.certificate == Some(*id))?;
            let (name, due_at) = (&issuance.slot, issued.not_after);
            if self.founded.slots().get(name).is_some_and(|slot| slot.drill) {
                return None;
            }
            let proposal = self
                .proposal(|params| matches!(params, Params::CertificateIssue(p) if p.key == issuance.key));
            let rotation = self.rotations.get(name).map(|(id, _)| *id);
            let near = days_before(due_at, NEAR_DAYS);
            let state = self.state(due_at, near, proposal.is_some(), rotation.is_some());
            let sentence = match state {
                State::Overdue => format!(
                    "The certificate of the key of {name} ran out on {}, {} ago.",
                    day(due_at),
                    self.until(due_at)
                ),
                State::Rotating => {
                    format!(
                        "The certificate of the key of {name} ends on {}; a rotation brings another.",
                        day(due_at)
                    )
                }
                State::Proposed => format!("Another certificate for the key of {name} is proposed."),
                State::Soon => {
                    format!("The certificate of the key of {name} runs out within {}.", self.until(due_at))
                }
                State::Fine => format!("The certificate of the key of {name} holds until {}.", day(due_at)),
            };
            Some(Entry {
                kind: Kind::Certificate,
                subject: name.to_string(),
                key: Some(issuance.key),
                due_at,
                propose_from: None,
                state,
                action: rotation.or(proposal),
                sentence,
                blockers: Vec::new(),
            })
        })
    }
}
