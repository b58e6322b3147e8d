//! A drill as far as it goes by itself: everything that takes no other person's consent.

use std::sync::Arc;

use sealbook_ledger::command::{Command, Containment, IncidentMove};
use sealbook_ledger::event::Actor;
use sealbook_ledger::ids::{ChannelName, IncidentId, MemberId};
use sealbook_ledger::incident::{Incident, IncidentOutcome, IncidentStep};
use sealbook_ledger::rule::Rule;
use sealbook_ledger::state::Founded;

use super::App;
use super::incidents::SAMPLES;
use crate::ledger::{Disclosure, EngineError, Ledger, Submission};

/// What is told of a drill in the place of an advisory.
const REFERENCE: &str = "DRILL";

/// Its text.
const TEXT: &str = "DRILL: nothing has happened. In an incident this would say which artifacts are affected, where \
                    their replacements are, and what has to be done.";

/// What a drill does next.
enum Next {
    Contain,
    Scope,
    Withdraw(ChannelName),
    Resign(u64),
    Reinstate(ChannelName),
    Advise,
    Close,
}

impl Next {
    /// The step that it is part of; none of the end.
    fn step(&self) -> Option<IncidentStep> {
        match self {
            Self::Contain => Some(IncidentStep::Contained),
            Self::Scope => Some(IncidentStep::Scoped),
            Self::Withdraw(_) | Self::Reinstate(_) => Some(IncidentStep::Withdrawn),
            Self::Resign(_) => Some(IncidentStep::Resigned),
            Self::Advise => Some(IncidentStep::Advised),
            Self::Close => None,
        }
    }
}

impl App {
    /// Takes what steps of a drill can be taken without anybody else, one where it is a tabletop drill; says which.
    ///
    /// # Errors
    /// `incident.unknown`, `incident.drill` where it is none, `incident.closed`, `containment.holder`.
    pub async fn advance_drill(
        &self,
        ledger: &Arc<Ledger>,
        by: MemberId,
        id: IncidentId,
    ) -> Result<Vec<IncidentStep>, EngineError> {
        let mut taken = Vec::new();
        loop {
            let state = ledger.state();
            let (founded, at) = (state.founded()?, ledger.now());
            let incident = founded.incident(id)?;
            if !incident.drill {
                return Err(Rule::IncidentDrill.into());
            }
            if !incident.is_open() && taken.is_empty() {
                return Err(Rule::IncidentClosed.into());
            }
            founded.judge_containment(Actor::Member(by), Some(&incident.slot), at)?;
            let done = |step| founded.is_done(incident, step, at);
            let Some(next) = incident.is_open().then(|| next(incident, founded, done)).flatten() else {
                return Ok(taken);
            };
            let step = next.step();
            self.take(ledger, (by, id), incident, next).await?;
            taken.extend(step.filter(|step| taken.last() != Some(step)));
            if incident.tabletop {
                return Ok(taken);
            }
        }
    }

    async fn take(
        &self,
        ledger: &Arc<Ledger>,
        (by, id): (MemberId, IncidentId),
        incident: &Incident,
        next: Next,
    ) -> Result<(), EngineError> {
        let mut said = Vec::new();
        let step = match next {
            Next::Contain => {
                let (target, sd) = (Containment::Slot(incident.slot.clone()), Vec::new());
                let command = Command::Contain { by, target, sd };
                let submission = Submission { correlation: incident.correlation, ..Submission::new(command) };
                return ledger.submit(submission).await.map(drop);
            }
            Next::Scope => return self.scope_incident(ledger, by, id, None).await.map(drop),
            Next::Withdraw(channel) => IncidentMove::Withdraw(channel),
            Next::Resign(count) => {
                self.sign_samples(ledger, &incident.slot, incident.correlation).await?;
                // What is not a sample was the server's own: requests for certificates, canaries.
                let resigned = count.min(u64::from(SAMPLES));
                IncidentMove::Resign { resigned, dropped: count - resigned }
            }
            Next::Reinstate(channel) => IncidentMove::Reinstate(channel),
            Next::Advise => {
                said = vec![
                    Disclosure::new("reference", REFERENCE.to_owned()),
                    Disclosure::new("text", TEXT.to_owned()),
                ];
                IncidentMove::Advise
            }
            Next::Close => IncidentMove::Close(IncidentOutcome::Resolved),
        };
        self.take_step(ledger, (Actor::Member(by), id), step, said).await.map(drop)
    }
}

/// The first that is left and can be taken; none while all that is left waits for people.
fn next(incident: &Incident, founded: &Founded, done: impl Fn(IncidentStep) -> bool) -> Option<Next> {
    use IncidentStep as S;
    if !done(S::Contained) {
        return Some(Next::Contain);
    }
    if !done(S::Scoped) {
        return Some(Next::Scope);
    }
    let channels = founded.slots().get(&incident.slot).map(|slot| &slot.rotation.channels);
    let offered = |channel: &&ChannelName| !incident.channels.contains_key(*channel);
    if let Some(channel) = channels.into_iter().flatten().find(offered) {
        return Some(Next::Withdraw(channel.clone()));
    }
    let count = incident.scope.map_or(0, |scope| scope.count);
    if !done(S::Resigned) && done(S::Rotated) && done(S::Resumed) {
        return Some(Next::Resign(count));
    }
    let mut withdrawn = incident.channels.iter().filter(|(_, held)| held.reinstated.is_none());
    if done(S::Resigned)
        && let Some((channel, _)) = withdrawn.next()
    {
        return Some(Next::Reinstate(channel.clone()));
    }
    if done(S::Revoked) && !done(S::Advised) {
        return Some(Next::Advise);
    }
    S::ALL.into_iter().all(done).then_some(Next::Close)
}
