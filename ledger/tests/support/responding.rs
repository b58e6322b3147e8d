//! Ledgers of rules version 4: incidents and drills.

use std::collections::BTreeSet;

use sealbook_ledger::action::{Params, RevocationReason};
use sealbook_ledger::command::{
    Command, FoundScope, IncidentCommand, IncidentMove, IncidentOpening, OwnSignature, RotationCommand,
};
use sealbook_ledger::encoding::Hash;
use sealbook_ledger::event::{Actor, Event};
use sealbook_ledger::ids::{ChannelName, IncidentId, KeyId, Seq};
use sealbook_ledger::incident::IncidentOutcome;
use sealbook_ledger::rotation::RotationPolicy;
use sealbook_ledger::rule::Rule;

use super::{DAY, DECIDING, Ledger, rule_of, slot_name};

pub fn incident_id(n: u128) -> IncidentId {
    IncidentId::from(super::uuid(0xf0000 + n))
}

pub fn channel(name: &str) -> ChannelName {
    name.parse().unwrap()
}

/// A ledger of version 4, founded by three people who hold every deciding role.
pub fn alert() -> Ledger {
    let founders = (0..3).map(|_| DECIDING.to_vec()).collect();
    Ledger::founded_under(4, "acme", founders, |_| {})
}

/// The same with a slot that has a channel, and its key.
pub fn releases() -> (Ledger, KeyId) {
    let mut ledger = alert();
    let key = ledger.rotating_slot("releases", channelled());
    (ledger, key)
}

/// The policy of a slot with a channel.
pub fn channelled() -> RotationPolicy {
    let channels = BTreeSet::from([channel("stable")]);
    RotationPolicy { channels, ..RotationPolicy::of_days(90, 7) }
}

/// An incident about a key, contained at once.
pub fn plain_opening(slot: &str, key: KeyId) -> IncidentOpening {
    IncidentOpening {
        acknowledge_by: None,
        contain: true,
        drill: false,
        key,
        slot: slot_name(slot),
        suspected_since: None,
        tabletop: false,
        targets: std::collections::BTreeMap::new(),
    }
}

impl Ledger {
    pub fn move_by(
        &mut self,
        by: Actor,
        incident: IncidentId,
        step: IncidentMove,
    ) -> Result<Vec<Event>, Rule> {
        let command = IncidentCommand { by, incident, step, sd: Vec::new() };
        self.run(Command::Incident(command)).map_err(rule_of)
    }

    /// A step by the first of the people.
    pub fn moved(&mut self, incident: IncidentId, step: IncidentMove) -> Result<Vec<Event>, Rule> {
        let by = Actor::Member(self.people[0].id);
        self.move_by(by, incident, step)
    }

    pub fn opened_about(&mut self, name: &str, key: KeyId) -> IncidentId {
        let incident = incident_id(self.fresh());
        self.moved(incident, self.opening_about(name, key)).unwrap();
        incident
    }

    pub fn opening_about(&self, name: &str, key: KeyId) -> IncidentMove {
        let drill = self.now().slots().get(&slot_name(name)).is_some_and(|slot| slot.drill);
        IncidentMove::Open(IncidentOpening { drill, ..plain_opening(name, key) })
    }

    /// What a look through the ledger may have found.
    pub fn found(&self, count: u64) -> FoundScope {
        let size = self.state.size();
        let bounds = (count > 0).then(|| (Seq::new(size - count).unwrap(), Seq::new(size - 1).unwrap()));
        FoundScope { count, bounds, list: Hash::ZERO, since: None, size }
    }

    /// A slot for drills, with its first key.
    pub fn drill_slot(&mut self, name: &str) -> KeyId {
        let mut params = self.rotating_params(name, RotationPolicy::of_days(365, 7));
        params.drill = true;
        self.decree(Params::SlotCreate(params));
        let made =
            |key: &sealbook_ledger::slot::Key| key.slot.as_str() == name && key.state_name() == "generating";
        let key = *self.now().keys().iter().find(|(_, key)| made(key)).unwrap().0;
        self.key_made(key);
        key
    }

    pub fn sampled(&mut self, name: &str, number: u8) -> Seq {
        self.sign_own(OwnSignature::Sample { slot: slot_name(name), number }).unwrap()
    }

    /// Break-glass, to the old key's retirement.
    pub fn replaced(&mut self, name: &str) -> KeyId {
        let params = self.rotate_params(name);
        let action = self.approved(Params::KeyRotateEmergency(params));
        self.begin(action).unwrap();
        let key = self.cut_over(action);
        self.step(RotationCommand::Complete(action)).unwrap();
        key
    }

    /// Everything from the scope to the end.
    pub fn resolved(&mut self, name: &str, key: KeyId, incident: IncidentId) {
        self.wait(60);
        self.moved(incident, IncidentMove::Scope(self.found(2))).unwrap();
        let channels = self.now().slot(&slot_name(name)).unwrap().rotation.channels.clone();
        for channel in &channels {
            self.moved(incident, IncidentMove::Withdraw(channel.clone())).unwrap();
        }
        self.replaced(name);
        self.moved(incident, IncidentMove::Resign { resigned: 1, dropped: 1 }).unwrap();
        for channel in &channels {
            self.moved(incident, IncidentMove::Reinstate(channel.clone())).unwrap();
        }
        self.revoke(key, RevocationReason::KeyCompromise, None);
        self.moved(incident, IncidentMove::Advise).unwrap();
        let resume = sealbook_ledger::action::SlotParams { slot: slot_name(name) };
        self.decree(Params::SlotResume(resume));
        self.wait(DAY);
        self.moved(incident, IncidentMove::Close(IncidentOutcome::Resolved)).unwrap();
    }
}
