//! Who may take which step of an incident, and when.

use crate::event::{Actor, Event};
use crate::ids::{ChannelName, IncidentId};
use crate::incident::{
    Incident, IncidentOutcome, IncidentStep, MAX_ACKNOWLEDGE_S, MAX_NOTES, MAX_STEPS, MAX_TARGET_S,
};
use crate::payload::{
    IncidentClosed, IncidentEscalated, IncidentOpened, IncidentReinstated, IncidentResigned, IncidentScoped,
    IncidentWithdrawn,
};
use crate::rule::Rule;
use crate::state::Founded;
use crate::timestamp::Timestamp;

impl Founded {
    fn open(&self, id: IncidentId) -> Result<&Incident, Rule> {
        let incident = self.incident(id)?;
        if incident.is_open() { Ok(incident) } else { Err(Rule::IncidentClosed) }
    }

    /// An open incident that may get longer; what is left to do may always be done.
    fn going_on(&self, id: IncidentId, step: IncidentStep, at: Timestamp) -> Result<&Incident, Rule> {
        let incident = self.open(id)?;
        let may = incident.steps < MAX_STEPS || !self.is_done(incident, step, at);
        if may { Ok(incident) } else { Err(Rule::IncidentForm) }
    }

    /// An open incident about which more may be said.
    fn talked_about(&self, id: IncidentId) -> Result<&Incident, Rule> {
        let incident = self.open(id)?;
        if incident.steps < MAX_NOTES { Ok(incident) } else { Err(Rule::IncidentForm) }
    }

    /// An open incident, and an actor who may take a step of it: whoever may contain its slot.
    fn in_hands_of(
        &self,
        id: IncidentId,
        step: IncidentStep,
        actor: Actor,
        at: Timestamp,
    ) -> Result<&Incident, Rule> {
        let incident = self.going_on(id, step, at)?;
        self.judge_containment(actor, Some(&incident.slot), at)?;
        Ok(incident)
    }

    pub(crate) fn judge_incident_opened(&self, opened: &IncidentOpened, event: &Event) -> Result<(), Rule> {
        let at = event.time;
        // The right to stop comes first: which slots and keys there are is not for everybody.
        self.judge_containment(event.actor, Some(&opened.slot), at)?;
        let slot = self.slot(&opened.slot)?;
        let key =
            self.keys.get(&opened.key).filter(|key| key.slot == opened.slot && key.material().is_some());
        key.ok_or(Rule::KeyUnknown)?;
        if slot.drill != opened.drill {
            return Err(Rule::IncidentDrill);
        }
        let ahead = opened.suspected_since.is_some_and(|since| since > at);
        let last = self.last_incident(opened.key);
        let follows = opened.follows == last.map(|(id, _)| id);
        if last.is_some_and(|(_, last)| last.is_open()) {
            return Err(Rule::IncidentBusy);
        }
        if !asked_in_reason(opened, at) || ahead || !follows || self.incidents.contains_key(&opened.incident)
        {
            return Err(Rule::IncidentForm);
        }
        Ok(())
    }

    pub(crate) fn judge_incident_acknowledged(
        &self,
        id: IncidentId,
        actor: Actor,
        at: Timestamp,
    ) -> Result<(), Rule> {
        let incident = self.open(id)?;
        let Actor::Member(member) = actor else { return Err(Rule::Actor) };
        self.active_member(member, at)?;
        if incident.acknowledged.contains(&member) { Err(Rule::IncidentStep) } else { Ok(()) }
    }

    /// Once, after the time to answer is over.
    pub(crate) fn judge_incident_escalated(
        &self,
        escalated: &IncidentEscalated,
        at: Timestamp,
    ) -> Result<(), Rule> {
        let incident = self.open(escalated.incident)?;
        let over = incident.acknowledge_by.is_some_and(|by| at >= by);
        if !over || incident.escalated.is_some() || incident.missed().is_empty() {
            return Err(Rule::IncidentStep);
        }
        if escalated.missed == incident.missed() { Ok(()) } else { Err(Rule::IncidentForm) }
    }

    /// Notes are anybody's who is enrolled: what somebody saw is not to be lost.
    pub(crate) fn judge_incident_noted(
        &self,
        id: IncidentId,
        actor: Actor,
        at: Timestamp,
    ) -> Result<(), Rule> {
        self.talked_about(id)?;
        let Actor::Member(member) = actor else { return Err(Rule::Actor) };
        self.active_member(member, at).map(drop)
    }

    pub(crate) fn judge_incident_scoped(&self, scoped: &IncidentScoped, event: &Event) -> Result<(), Rule> {
        let step = IncidentStep::Scoped;
        let incident = self.in_hands_of(scoped.incident, step, event.actor, event.time)?;
        // The key has signed nothing before it was asked for, and what was asked before the opening has to be in it.
        let born = self.keys.get(&incident.key).map(|key| key.created);
        if scoped.first.is_some_and(|first| Some(first) < born) || scoped.size <= incident.opened.seq.get() {
            return Err(Rule::IncidentForm);
        }
        let bounds = match (scoped.first, scoped.last) {
            (None, None) => scoped.count == 0,
            (Some(first), Some(last)) => {
                let span = last.get().checked_sub(first.get());
                // There are no more signatures than events.
                scoped.count > 0
                    && span.is_some_and(|span| scoped.count <= span + 1)
                    && last.get() < scoped.size
            }
            (Some(_), None) | (None, Some(_)) => false,
        };
        // Not after what is suspected: nobody can have the list be of less.
        let from = self.reaches_back(incident, scoped.since);
        if bounds && from && scoped.size <= event.seq.get() { Ok(()) } else { Err(Rule::IncidentForm) }
    }

    pub(crate) fn judge_incident_withdrawn(
        &self,
        withdrawn: &IncidentWithdrawn,
        actor: Actor,
        at: Timestamp,
    ) -> Result<(), Rule> {
        let incident = self.going_on(withdrawn.incident, IncidentStep::Withdrawn, at)?;
        self.judge_channel(incident, &withdrawn.channel, actor, at)?;
        let held = incident.channels.get(&withdrawn.channel);
        // What people have put in its place, no token takes away.
        let again = matches!(actor, Actor::Member(_));
        if held.is_some_and(|held| !again || held.reinstated.is_none()) {
            Err(Rule::IncidentStep)
        } else {
            Ok(())
        }
    }

    /// Until replacements are there, nothing is offered again.
    pub(crate) fn judge_incident_reinstated(
        &self,
        reinstated: &IncidentReinstated,
        actor: Actor,
        at: Timestamp,
    ) -> Result<(), Rule> {
        let incident = self.going_on(reinstated.incident, IncidentStep::Withdrawn, at)?;
        // Who holds a build's token may be whom it is all about.
        if !matches!(actor, Actor::Member(_)) {
            return Err(Rule::Actor);
        }
        self.judge_channel(incident, &reinstated.channel, actor, at)?;
        let held = incident.channels.get(&reinstated.channel);
        let waits = held.is_some_and(|held| held.reinstated.is_none());
        let done = |step| self.is_done(incident, step, at);
        if waits && done(IncidentStep::Scoped) && done(IncidentStep::Resigned) {
            Ok(())
        } else {
            Err(Rule::IncidentStep)
        }
    }

    /// Who contains the slot, or looks after it, says what its channels offer; services do so for themselves.
    fn judge_channel(
        &self,
        incident: &Incident,
        channel: &ChannelName,
        actor: Actor,
        at: Timestamp,
    ) -> Result<(), Rule> {
        let slot = self.slot(&incident.slot)?;
        match actor {
            Actor::Member(id) => self
                .judge_containment(actor, Some(&incident.slot), at)
                .or_else(|_| self.judge_keeper(id, slot, at))?,
            Actor::Service(_) => self.judge_caller(&incident.slot, actor, at)?,
            Actor::System => return Err(Rule::Actor),
        }
        let known = slot.rotation.channels.contains(channel) || incident.channels.contains_key(channel);
        if known { Ok(()) } else { Err(Rule::ChannelUnknown) }
    }

    /// Every signature that may be affected is accounted for, under another key.
    pub(crate) fn judge_incident_resigned(
        &self,
        resigned: &IncidentResigned,
        event: &Event,
    ) -> Result<(), Rule> {
        let (step, at) = (IncidentStep::Resigned, event.time);
        let incident = self.in_hands_of(resigned.incident, step, event.actor, at)?;
        let done = self.is_done(incident, IncidentStep::Scoped, at);
        let scope = incident.scope.filter(|_| done).ok_or(Rule::IncidentStep)?;
        let key = self.replacement(incident);
        // Where nothing is signed again, there need be nothing to sign with.
        if resigned.resigned > 0 && key.is_none() {
            return Err(Rule::IncidentStep);
        }
        let by = key.filter(|_| resigned.resigned > 0) == resigned.key;
        let all = resigned.resigned.checked_add(resigned.dropped) == Some(scope.count);
        if all && by { Ok(()) } else { Err(Rule::IncidentForm) }
    }

    pub(crate) fn judge_incident_advised(
        &self,
        id: IncidentId,
        actor: Actor,
        at: Timestamp,
    ) -> Result<(), Rule> {
        self.in_hands_of(id, IncidentStep::Advised, actor, at).map(drop)
    }

    pub(crate) fn judge_incident_closed(&self, closed: &IncidentClosed, event: &Event) -> Result<(), Rule> {
        let incident = self.open(closed.incident)?;
        self.judge_containment(event.actor, Some(&incident.slot), event.time)?;
        if closed.steps != incident.steps + 1 {
            return Err(Rule::IncidentForm);
        }
        let ready = self.may_come_to(incident, closed.outcome, event.time);
        if ready { Ok(()) } else { Err(Rule::IncidentOpen) }
    }

    /// Whether an open incident may end with an outcome at a moment.
    pub fn may_come_to(&self, incident: &Incident, outcome: IncidentOutcome, at: Timestamp) -> bool {
        let done = |step| self.is_done(incident, step, at);
        match outcome {
            IncidentOutcome::Resolved => IncidentStep::ALL.into_iter().all(done),
            IncidentOutcome::GivenUp => {
                use IncidentStep as S;
                [S::Contained, S::Scoped, S::Resigned, S::Revoked, S::Advised].into_iter().all(done)
                    && self.is_withdrawn(incident, |_, _| true)
                    && self.signs_nothing(&incident.slot, at)
            }
            // That it was none takes a quorum: the one that let the slot sign again, with the key that it had.
            IncidentOutcome::FalseAlarm => {
                let same = incident.rotated.is_none() && !done(IncidentStep::Revoked);
                incident.contained.is_some() && incident.resumed.is_some() && same
            }
        }
    }
}

/// Whether what is asked of those who respond could be done, and nothing is talked through that is not practised.
fn asked_in_reason(opened: &IncidentOpened, at: Timestamp) -> bool {
    let latest = at.plus_seconds(MAX_ACKNOWLEDGE_S);
    let answered = opened.acknowledge_by.is_none_or(|by| by > at && by <= latest);
    let within = opened.targets.values().all(|target| (1..=MAX_TARGET_S).contains(target));
    answered && within && (opened.drill || !opened.tabletop)
}
