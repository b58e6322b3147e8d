//! Decisions on the steps of incidents.

use super::{Refusal, Trial};
use crate::command::{Containment, IncidentCommand, IncidentMove};
use crate::member::suspended;
use crate::payload::{
    IncidentAcknowledged, IncidentAdvised, IncidentClosed, IncidentEscalated, IncidentNoted, IncidentOpened,
    IncidentReinstated, IncidentResigned, IncidentScoped, IncidentWithdrawn, Payload,
};
use crate::rule::Rule;

impl Trial<'_> {
    pub(super) fn incident(&mut self, command: IncidentCommand) -> Result<(), Refusal> {
        let member = command.member();
        let IncidentCommand { by, incident, step, sd } = command;
        let mut contained = None;
        let payload: Payload = match step {
            IncidentMove::Open(opening) => {
                contained = opening.contain.then(|| opening.slot.clone());
                IncidentOpened {
                    acknowledge_by: opening.acknowledge_by,
                    drill: opening.drill,
                    follows: self.founded()?.last_incident(opening.key).map(|(id, _)| id),
                    incident,
                    key: opening.key,
                    slot: opening.slot,
                    suspected_since: opening.suspected_since,
                    tabletop: opening.tabletop,
                    targets: opening.targets,
                }
                .into()
            }
            IncidentMove::Acknowledge => IncidentAcknowledged { incident }.into(),
            IncidentMove::Escalate => {
                let missed = self.founded()?.incident(incident)?.missed();
                IncidentEscalated { incident, missed }.into()
            }
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
        let opens = matches!(payload, Payload::IncidentOpened(_));
        self.emit(by, payload, sd)?;
        if let Some(slot) = contained
            && !suspended(self.founded()?.slot(&slot)?.suspension, self.now())
        {
            self.contain(member.ok_or(Rule::Actor)?, Containment::Slot(slot), Vec::new())?;
        }
        if opens { self.void_outdated() } else { Ok(()) }
    }
}
