//! Decisions on the steps of incidents.

use super::{Refusal, Trial};
use crate::command::{Containment, IncidentCommand, IncidentMove};
use crate::member::suspended;
use crate::payload::{
    IncidentAcknowledged, IncidentAdvised, IncidentClosed, IncidentNoted, IncidentOpened, IncidentReinstated,
    IncidentResigned, IncidentScoped, IncidentWithdrawn, Payload,
};
use crate::rule::Rule;

impl Trial<'_> {
    pub(super) fn incident(&mut self, command: IncidentCommand) -> Result<(), Refusal> {
        let member = command.member();
        let IncidentCommand { by, incident, step, sd } = command;
        let mut contained = None;
        let payload: Payload = match step {
            IncidentMove::Open { drill, key, slot, suspected_since, contain } => {
                contained = contain.then(|| slot.clone());
                let follows = self.founded()?.last_incident(key).map(|(id, _)| id);
                IncidentOpened { drill, follows, incident, key, slot, suspected_since }.into()
            }
            IncidentMove::Acknowledge => IncidentAcknowledged { incident }.into(),
            IncidentMove::Note => IncidentNoted { incident }.into(),
            IncidentMove::Scope(found) => IncidentScoped {
                count: found.count,
                first: found.bounds.map(|(first, _)| first),
                incident,
                last: found.bounds.map(|(_, last)| last),
                list: found.list,
                since: found.since,
                size: found.size,
            }
            .into(),
            IncidentMove::Withdraw(channel) => IncidentWithdrawn { channel, incident }.into(),
            IncidentMove::Resign { resigned, dropped } => {
                let founded = self.founded()?;
                let by = || founded.replacement(founded.incident(incident).ok()?);
                let key = by().filter(|_| resigned > 0);
                IncidentResigned { dropped, incident, key, resigned }.into()
            }
            IncidentMove::Reinstate(channel) => IncidentReinstated { channel, incident }.into(),
            IncidentMove::Advise => IncidentAdvised { incident }.into(),
            IncidentMove::Close(outcome) => {
                let steps = self.founded()?.incident(incident)?.steps + 1;
                IncidentClosed { incident, outcome, steps }.into()
            }
        };
        self.emit(by, payload, sd)?;
        let Some(slot) = contained else { return Ok(()) };
        let at = self.now();
        if suspended(self.founded()?.slot(&slot)?.suspension, at) {
            return Ok(());
        }
        self.contain(member.ok_or(Rule::Actor)?, Containment::Slot(slot), Vec::new())
    }
}
